"""A title in a line of a given height, in letters that are as large as its width allows."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from explorer.ui.widgets.fonts import scaled_font, text_scale

LETTERS = 0.95
"""Of the program's text size."""
SIZES = (1.0, 0.9, 0.8)
"""Of the letters in one line, in `LETTERS`."""
IN_TWO_LINES = 0.7
READABLE = 0.84
"""Letters in two lines are not smaller than this part of the desktop's own."""


class Caption(QLabel):
    """Smaller where it is long, then in two lines; what is cut even so is in its tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._size = 1.0

    @property
    def letters(self) -> QFont:
        """What it is written in; a style sheet would take it away as the font of the widget."""
        return _font(self._size)

    @staticmethod
    def width_of(words: str, size: float = 1.0) -> int:
        """The width of `words` in one line, in letters of `size` times the usual ones."""
        return QFontMetrics(_font(size)).horizontalAdvance(words)

    def show_in(self, place: QRect, words: str) -> None:
        """Stands in `place` with as much of `words` as can be read there."""
        room = place.width()
        size = next((each for each in SIZES if self.width_of(words, each) <= room), None)
        lines = [words]
        if size is None:
            two = min(IN_TWO_LINES, place.height() / 2 / QFontMetrics(_font(1.0)).height())
            size = two if two * text_scale() >= READABLE and " " in words else SIZES[-1]
            lines = _lines(words, QFontMetrics(_font(size)), room, 2 if size == two else 1)
        self._size = size
        self.setGeometry(place)
        self.setText("\n".join(lines))
        self.setToolTip("" if " ".join(lines) == words else words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setFont(self.letters)
            painter.setPen(self.palette().windowText().color())
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, self.text())


def _font(size: float) -> QFont:
    return scaled_font(QApplication.font(), LETTERS * size)


def _lines(words: str, metrics: QFontMetrics, room: int, most: int) -> list[str]:
    """`words` in `most` lines at the most; the last one ends in an ellipsis where it is cut."""
    parts = words.split()
    lines: list[str] = []
    while parts and len(lines) < most - 1:
        fits = [n for n in range(1, len(parts) + 1)
                if metrics.horizontalAdvance(" ".join(parts[:n])) <= room]  # fmt: skip
        if not fits:
            break
        lines.append(" ".join(parts[: fits[-1]]))
        parts = parts[fits[-1] :]
    if parts:
        rest = " ".join(parts)
        lines.append(metrics.elidedText(rest, Qt.TextElideMode.ElideRight, room))
    return lines
