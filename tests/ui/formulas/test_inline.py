"""Formulas in a line: indices, powers and italics, and no break within them."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextCharFormat, QTextDocument
from pytestqt.qtbot import QtBot

from explorer.ui.formulas.inline import marked, set_marked, text_of

Align = QTextCharFormat.VerticalAlignment


def document(text: str) -> QTextDocument:
    made = QTextDocument()
    made.setMarkdown(text)
    set_marked(made)
    return made


def runs(made: QTextDocument) -> list[tuple[str, str, bool]]:
    found = []
    pieces = made.begin().begin()
    names = {Align.AlignSubScript: "low", Align.AlignSuperScript: "high"}
    while not pieces.atEnd():
        piece = pieces.fragment()
        form = piece.charFormat()
        found.append((piece.text(), names.get(form.verticalAlignment(), ""), form.fontItalic()))
        pieces += 1
    return found


def test_letters_are_slanted_names_are_not(qtbot: QtBot) -> None:
    assert runs(document(f"Of {marked(r'IoU(a) = t_x^2 w_{ij}')}.")) == [
        ("Of IoU(", "", False),
        ("a", "", True),
        (")\u00a0=\u00a0", "", False),
        ("t", "", True),
        ("x", "low", True),
        ("2", "high", False),
        ("\u00a0", "", False),
        ("w", "", True),
        ("ij", "low", True),
        (".", "", False),
    ]


def test_the_type_around_a_formula_is_its_own(qtbot: QtBot) -> None:
    made = document(f"**bold {marked('x_i')}**")
    pieces = made.begin().begin()
    while not pieces.atEnd():
        assert pieces.fragment().charFormat().fontWeight() >= 600
        pieces += 1


def test_as_text_it_is_plain_letters(qtbot: QtBot) -> None:
    made = document(f"So {marked('t_x / w_a')} and {marked('2^k')}; {marked('h_y - 1')}.")
    block = made.begin()
    assert text_of(block, 0, block.length()) == "So tₓ / wₐ and 2ᵏ; h_y − 1."
    assert text_of(block, 3, 5) == "tₓ"


@pytest.mark.parametrize("width", range(80, 230, 15))
@pytest.mark.parametrize("formula", ["a/b - |c|d", "p = \\sigma(z)", "(x_a, y_a)", "1 \\times 1"])
def test_no_line_ends_within_a_formula(qtbot: QtBot, width: int, formula: str) -> None:
    made = document(f"Some words before it {marked(formula)} and after it")
    made.setTextWidth(width)
    made.documentLayout().documentSize()
    block = made.begin()
    text = block.text()
    start = text.index(" it ") + 4
    end = text.index(" and after") - 1
    layout = block.layout()
    first, last = (layout.lineForTextPosition(at).lineNumber() for at in (start, end))
    assert first == last
