"""Explanations: formulas drawn as mathematics, whole at every width and size."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QSizeF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QTextCursor, QTextDocument
from PySide6.QtWidgets import QScrollArea
from pytestqt.qtbot import QtBot

from explorer.ui.formulas import setting
from explorer.ui.formulas.images import formula_image, formula_size
from explorer.ui.panels.explanation import Explanation

IMAGE = QTextDocument.ResourceType.ImageResource.value
WIDE = r"\mathrm{loss} = \frac{1}{N} \sum_i \left( \log\frac{p_i}{q_i} + \lambda t_i \right) + a"
TEXT = f"Before $a + b$.\n\n$$ x = \\frac{{a}}{{b}} $$\n\n$$ {WIDE} $$\n\nAfter."


def shown(qtbot: QtBot, width: int, factor: float = 1.0) -> Explanation:
    explanation = Explanation()
    qtbot.addWidget(explanation)
    font = explanation.font()
    font.setPointSizeF(font.pointSizeF() * factor)
    explanation.setFont(font)
    explanation.resize(width, 100)
    explanation.show_markdown(TEXT)
    explanation.show()
    qtbot.waitUntil(lambda: len(images(explanation)) == 2)
    return explanation


def images(explanation: Explanation) -> list[tuple[QSizeF, str]]:
    found = []
    block = explanation.document().begin()
    while block.isValid():
        parts = block.begin()
        while not parts.atEnd():
            fragment = parts.fragment()
            shape = fragment.charFormat().toImageFormat()
            if shape.isValid():
                assert fragment.length() == 1, "it stands there once"
                found.append((QSizeF(shape.width(), shape.height()), shape.name()))
            parts += 1
        block = block.next()
    return found


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("width", [240, 300, 600])
def test_formulas_are_images_that_fit(qtbot: QtBot, width: int, factor: float) -> None:
    explanation = shown(qtbot, width, factor)
    found = images(explanation)
    assert len(found) == 2
    for size, name in found:
        assert 0 < size.width() <= explanation.viewport().width()
        image = explanation.document().resource(
            QTextDocument.ResourceType.ImageResource.value, name
        )
        assert isinstance(image, QImage)
        assert not image.isNull()
    assert "$" not in explanation.toPlainText()
    assert "a\u00a0+\u00a0b" in explanation.document().begin().text()
    assert explanation.height() >= explanation.document().size().height()


def test_the_window_waits_for_no_formula(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain letters stand there until another thread has set them."""
    go, threads = threading.Event(), []
    svg_of = setting.svg_of

    def slowly(latex: str) -> str:
        go.wait(10)
        threads.append(threading.current_thread())
        return svg_of(latex)

    monkeypatch.setattr(setting, "svg_of", slowly)
    monkeypatch.setattr(setting, "_ready", {})
    explanation = Explanation()
    qtbot.addWidget(explanation)
    explanation.resize(300, 100)
    explanation.show_markdown(TEXT)
    assert images(explanation) == []
    assert "x = a / b" in explanation.toPlainText()
    go.set()
    qtbot.waitUntil(lambda: len(images(explanation)) == 2)
    assert "x = a / b" not in explanation.toPlainText()
    assert threads
    assert threading.main_thread() not in threads


def test_a_panel_that_is_gone_hears_nothing(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting, "_ready", {})
    explanation = Explanation()
    explanation.show_markdown(TEXT)
    setter = explanation._setter  # private: nothing of a panel that is gone says when it is done
    with qtbot.waitSignal(setter.done):
        explanation.deleteLater()
        del explanation


def test_it_is_copied_and_read_aloud_in_plain_letters(qtbot: QtBot) -> None:
    explanation = shown(qtbot, 300)
    explanation.selectAll()
    explanation.copy()
    copied = QGuiApplication.clipboard().text()
    assert "Before a + b." in copied
    assert "\nx = a / b\n" in copied
    assert "\ufffc" not in copied
    assert explanation.accessibleDescription() == copied
    cursor = explanation.textCursor()
    cursor.setPosition(0)
    cursor.movePosition(QTextCursor.MoveOperation.NextWord, QTextCursor.MoveMode.KeepAnchor)
    explanation.setTextCursor(cursor)
    explanation.copy()
    assert QGuiApplication.clipboard().text() == "Before "


def test_keys_copy_it_and_scroll_the_page(qtbot: QtBot) -> None:
    explanation = shown(qtbot, 300)
    page = QScrollArea()
    qtbot.addWidget(page)
    page.setWidget(explanation)
    page.resize(310, 60)
    page.show()
    qtbot.waitExposed(page)
    explanation.setFocus()
    qtbot.keyClick(explanation, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(explanation, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == explanation.written()
    qtbot.keyClick(explanation, Qt.Key.Key_Down)
    assert page.verticalScrollBar().value() > 0


def test_a_formula_is_copied_as_latex(qtbot: QtBot) -> None:
    explanation = shown(qtbot, 300)
    layout = explanation.document().documentLayout()
    block = explanation.document().begin().next()
    inside = layout.blockBoundingRect(block).topLeft().toPoint()
    inside.setX(round(block.blockFormat().leftMargin()) + 5)
    inside.setY(inside.y() + round(block.blockFormat().topMargin()) + 5)
    menu = explanation.menu_at(inside)
    (action,) = [entry for entry in menu.actions() if "LaTeX" in entry.text()]
    action.trigger()
    assert QGuiApplication.clipboard().text() == r"x = \frac{a}{b}"
    menu.deleteLater()
    above = explanation.menu_at(layout.blockBoundingRect(block).topLeft().toPoint() / 2)
    assert not [entry for entry in above.actions() if "LaTeX" in entry.text()]
    above.deleteLater()


def test_a_wide_panel_has_no_endless_lines(qtbot: QtBot) -> None:
    explanation = shown(qtbot, 2000)
    letters = explanation.document().textWidth() / explanation.fontMetrics().averageCharWidth()
    assert 60 < letters < 90


def test_a_narrower_panel_makes_a_wide_formula_smaller_and_a_wider_one_larger(
    qtbot: QtBot,
) -> None:
    explanation = shown(qtbot, 600)
    whole = images(explanation)[1][0].width()
    explanation.resize(120, 100)
    assert images(explanation)[1][0].width() <= explanation.viewport().width() < whole
    explanation.resize(600, 100)
    assert images(explanation)[1][0].width() == pytest.approx(whole)


def test_they_have_the_color_of_the_text(qtbot: QtBot) -> None:
    setting.set_together(("x = y",))
    size = formula_size("x = y", 20.0)
    image = formula_image("x = y", size, QColor("#ff0000"), 2.0)
    assert image.width() == pytest.approx(2 * size.width(), abs=1)
    pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    inked = [color for color in pixels if color.alpha() > 200]
    assert inked
    assert all(color.red() > 200 and color.green() < 30 for color in inked)


def test_what_cannot_be_set_is_written(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    explanation = Explanation()
    qtbot.addWidget(explanation)
    explanation.show_markdown("$$ \\frac{a $$")
    qtbot.waitUntil(lambda: "cannot be set" in caplog.text)
    assert images(explanation) == []
    assert "a" in explanation.toPlainText()
