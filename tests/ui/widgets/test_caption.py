"""A long title gets smaller, then stands in two lines, and is cut only when that is too little."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.ui.widgets.caption import Caption
from explorer.ui.widgets.fonts import set_text_size

TITLE = "The feature maps of a layer"


@pytest.fixture
def caption(qtbot: QtBot) -> Iterator[Caption]:
    made = Caption()
    qtbot.addWidget(made)
    yield made
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    set_text_size(app, 100)


def grow(percent: int) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    set_text_size(app, percent)


def shown(caption: Caption, share: float) -> tuple[str, float]:
    """The text in a line of `share` of its width, and its letters in the usual ones."""
    caption.show_in(QRect(0, 0, round(share * Caption.width_of(TITLE)), 30), TITLE)
    size = caption.letters.pointSizeF() / (0.95 * QApplication.font().pointSizeF())
    for line in caption.text().split("\n"):
        assert QFontMetrics(caption.letters).horizontalAdvance(line) <= caption.width() + 1
    return caption.text(), round(size, 2)


def test_a_title_is_as_large_as_fits(caption: Caption) -> None:
    assert shown(caption, 1.0) == (TITLE, 1.0)
    assert shown(caption, 0.95) == (TITLE, 0.9)
    assert shown(caption, 0.85) == (TITLE, 0.8)
    assert caption.toolTip() == ""
    assert shown(caption, 1.0) == (TITLE, 1.0)


def test_small_letters_are_cut_rather_than_made_smaller(caption: Caption) -> None:
    text, size = shown(caption, 0.5)
    assert size == 0.8
    assert text.endswith("…")
    assert TITLE.startswith(text.rstrip("…"))
    assert caption.toolTip() == TITLE


def test_large_letters_have_room_for_two_lines(caption: Caption) -> None:
    grow(150)
    text, size = shown(caption, 0.5)
    assert size < 0.8
    assert text.count("\n") == 1
    assert text.replace("\n", " ") == TITLE
    assert caption.toolTip() == ""
    text, _ = shown(caption, 0.25)
    assert text.endswith("…")
    assert caption.toolTip() == TITLE
