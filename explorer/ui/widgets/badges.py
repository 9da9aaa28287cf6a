"""Pills with a word on them."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from explorer.ui.widgets.fonts import scaled_font
from explorer.ui.widgets.small_widgets import blend, tone


def badge_size(text: str, font: QFont) -> QSize:
    metrics = QFontMetrics(scaled_font(font, 0.85, bold=True))
    return QSize(metrics.horizontalAdvance(text) + 12, metrics.height() + 4)


def draw_badge(
    painter: QPainter, rect: QRectF, text: str, kind: str, font: QFont, palette: QPalette
) -> None:
    """A pill with a word on it; the color only repeats the word."""
    color = tone(kind, palette)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(blend(color, palette.color(QPalette.ColorRole.Window), 0.16))
    painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
    painter.setPen(color)
    painter.setFont(scaled_font(font, 0.85, bold=True))
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), text)


class Badge(QWidget):
    """A pill with a word on it."""

    def __init__(self, text: str = "", kind: str = "quiet") -> None:
        super().__init__()
        self._text, self._kind = text, kind
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set(self, text: str, kind: str) -> None:
        self._text, self._kind = text, kind
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    @property
    def text(self) -> str:
        return self._text

    def sizeHint(self) -> QSize:
        return badge_size(self._text, self.font())

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            draw_badge(
                painter, QRectF(self.rect()), self._text, self._kind, self.font(), self.palette()
            )
