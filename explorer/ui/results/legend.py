"""The names of the curves of a plot beside it, and their values under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from explorer.ui.items.item_images import Contained, qcolor
from explorer.ui.widgets.fonts import scaled_font, set_own_font

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color

DASH, GAP = 14.0, 6.0
SMALLEST = 0.75
"""Letters of a plot that is low, in those of others."""
VALUE = "0.00000"
"""As wide as a value that is shown."""


class Legend(QWidget):
    """One row for every curve, never over the curves; in columns where it lies below the plot."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[tuple[str, Color]] = []
        self._heading = ""
        self._values: list[str] = []
        self._contained = Contained("the legend")
        set_own_font(self, 0.95)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def set_entries(self, entries: Sequence[tuple[str, Color]]) -> None:
        """Label and color of every curve."""
        if list(entries) != self._entries:
            self._entries, self._values, self._heading = list(entries), [], ""
            self._contained.retry()
            self.setAccessibleDescription(", ".join(label for label, _ in entries))
            self.setToolTip("\n".join(label for label, _ in entries))
            self.updateGeometry()
            self.update()

    @property
    def entries(self) -> tuple[tuple[str, Color], ...]:
        return tuple(self._entries)

    def say(self, heading: str, values: Sequence[str]) -> None:
        """The values at one x, in the order of the entries ("" where a curve has none)."""
        self._heading, self._values = heading, list(values)
        self.update()

    def hush(self) -> None:
        """The mouse has left the plot."""
        self.say("", [])

    @property
    def said(self) -> tuple[str, tuple[str, ...]]:
        return self._heading, tuple(self._values)

    def place(self, room: int, *, below: bool) -> None:
        """Fits it to `room`: the width beside or below the plot."""
        widest = round(self._cell)
        if below:
            columns = max(1, min(room // max(1, widest), len(self._entries)))
            rows = -(-len(self._entries) // columns)
            self.setFixedSize(QSize(room, round((rows + 1) * self._pitch) + 4))
        else:
            self.setMinimumSize(0, 0)
            self.setMaximumSize(16_777_215, 16_777_215)
            self.setFixedWidth(min(widest, room // 2))

    @property
    def _pitch(self) -> float:
        return QFontMetricsF(self.font()).height() + 2

    @property
    def _cell(self) -> float:
        metrics = QFontMetricsF(self.font())
        names = max((metrics.horizontalAdvance(label) for label, _ in self._entries), default=0.0)
        return DASH + GAP + names + GAP + metrics.horizontalAdvance(VALUE) + 2 * GAP

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            self._contained(self._draw, painter)

    def _draw(self, painter: QPainter) -> None:
        palette, metrics = self.palette(), QFontMetricsF(self.font())
        painter.fillRect(self.rect(), palette.base())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        count = len(self._entries)
        columns = max(1, min(int(self.width() / max(1.0, self._cell)), count))
        rows = -(-count // columns)
        # Letters get smaller where the plot is low; rows that have no room even then are counted.
        share = min(1.0, max(SMALLEST, self.height() / (rows + 1) / self._pitch))
        painter.setFont(scaled_font(self.font(), share))
        metrics = QFontMetricsF(painter.font())
        pitch = share * self._pitch
        seen = max(1, int(self.height() / pitch) - 1)
        wide = self.width() / columns
        if seen < rows:
            more = sum(number % rows >= seen - 1 for number in range(count))
            words = QCoreApplication.translate("Legend", "and {n} more").format(n=more)
            painter.setPen(palette.placeholderText().color())
            painter.drawText(QPointF(GAP, seen * pitch + metrics.ascent() + 1), words)
        painter.setPen(palette.placeholderText().color())
        base = metrics.ascent() + 1
        elide = Qt.TextElideMode.ElideRight
        heading = metrics.elidedText(self._heading, elide, self.width() - 2 * GAP)
        painter.drawText(QPointF(GAP, base), heading)
        for number, (label, color) in enumerate(self._entries):
            if seen < rows and number % rows >= seen - 1:
                continue
            left = (number // rows) * wide + GAP
            top = (number % rows + 1) * pitch
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(qcolor(color))
            painter.drawRoundedRect(QRectF(left, top + pitch / 2 - 1.5, DASH, 3), 1, 1)
            value = self._values[number] if number < len(self._values) else ""
            figure = metrics.horizontalAdvance(value)
            names = wide - 3 * GAP - DASH - max(figure, metrics.horizontalAdvance(VALUE))
            painter.setPen(palette.text().color())
            words = metrics.elidedText(label, elide, max(names, 0.0))
            painter.drawText(QPointF(left + DASH + GAP, top + base), words)
            painter.drawText(QPointF(left + wide - 2 * GAP - figure, top + base), value)
