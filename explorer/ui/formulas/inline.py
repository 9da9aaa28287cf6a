"""Formulas in a line: letters of the text's own font, with real indices, powers and italics.

Markdown has no indices: what stands between marks of the private-use area is set when Qt has read
the text. The marks are gone then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtGui import QTextCharFormat, QTextCursor

from explorer.render.formulas import script_of, unbroken, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtGui import QTextBlock, QTextDocument

_BEGIN, _LOW, _HIGH, _LEVEL, _END = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
_FORMULA = re.compile(f"{_BEGIN}([^{_END}]*){_END}")
_SCRIPT = re.compile(f"([{_LOW}{_HIGH}])([^{_LEVEL}]*){_LEVEL}")
_VARIABLE = re.compile(r"(?<![A-Za-z])([A-Za-zα-ω])(?![A-Za-z])")
"""One letter is a variable; more are a name, such as IoU."""

_Align = QTextCharFormat.VerticalAlignment


def marked(latex: str) -> str:
    """A formula of a line as Markdown for a document that `set_marked` goes through."""

    def script(text: str, raised: bool) -> str:
        flat = re.sub(f"[{_LOW}{_HIGH}{_LEVEL}]", "", text)  # an index of an index
        return f"{_HIGH if raised else _LOW}{flat}{_LEVEL}"

    return f"{_BEGIN}{unbroken(written(latex, script))}{_END}"


def set_marked(document: QTextDocument) -> None:
    """Sets the formulas that `marked` has put into the text of the document."""
    block = document.begin()
    while block.isValid():
        for found in reversed(list(_FORMULA.finditer(block.text()))):
            cursor = QTextCursor(block)
            cursor.setPosition(block.position() + found.start())
            cursor.setPosition(block.position() + found.end(), QTextCursor.MoveMode.KeepAnchor)
            form = cursor.charFormat()
            cursor.removeSelectedText()
            for text, align, italic in _runs(found[1]):
                own = QTextCharFormat(form)
                if align is not _Align.AlignNormal:
                    own.setVerticalAlignment(align)
                if italic:
                    own.setFontItalic(True)
                cursor.insertText(text, own)
        block = block.next()


def _runs(formula: str) -> Iterator[tuple[str, _Align, bool]]:
    """Parts that are set alike: their text, where on the line, whether in italics."""
    at = 0
    for script in _SCRIPT.finditer(formula):
        yield from _slanted(formula[at : script.start()], _Align.AlignNormal)
        low = script[1] == _LOW
        align = _Align.AlignSubScript if low else _Align.AlignSuperScript
        if len(script[2]) == 2 and script[2].isalpha():  # two indices
            yield script[2], align, True
        else:
            yield from _slanted(script[2], align)
        at = script.end()
    yield from _slanted(formula[at:], _Align.AlignNormal)


def _slanted(text: str, align: _Align) -> Iterator[tuple[str, _Align, bool]]:
    for number, part in enumerate(_VARIABLE.split(text)):
        if part:
            yield part, align, number % 2 == 1


def text_of(block: QTextBlock, start: int, end: int) -> str:
    """What stands between two positions of a document in a block, formulas in plain letters."""
    parts = []
    pieces = block.begin()
    while not pieces.atEnd():
        piece = pieces.fragment()
        low = max(start - piece.position(), 0)
        text = piece.text()[low : max(end - piece.position(), low)]
        form = piece.charFormat()
        if text and form.isImageFormat():
            text = str(form.property(form.Property.ImageAltText))
        elif text and form.verticalAlignment() == _Align.AlignSubScript:
            text = script_of(text, False)
        elif text and form.verticalAlignment() == _Align.AlignSuperScript:
            text = script_of(text, True)
        parts.append(text)
        pieces += 1
    return "".join(parts).replace("\u2060", "").replace("\u00a0", " ")
