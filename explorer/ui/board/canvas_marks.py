"""What a canvas paints around the layers: its ground, pixel numbers, the color scale, marks."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QImage,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QApplication, QWidget

from explorer.core.layers import Heat, Picture, extent_of, lookup_table
from explorer.ui.board.handles import handle_points
from explorer.ui.board.readout import number
from explorer.ui.items.item_images import (
    Contained,
    Lens,
    dark,
    draw_plate,
    ink_on,
    qcolor,
    small_font,
)
from explorer.ui.items.outlines import bars

if TYPE_CHECKING:
    from explorer.core.layers import Pane
    from explorer.core.params import Box, Point

NUMBERS_FROM = 40.0
"""Window pixels per pane unit from which pixels are ruled and numbered."""


def ground_color(palette: QPalette) -> QColor:
    """A neutral ground that lets a photo keep its colors."""
    window = palette.window().color()
    return window.darker(135) if dark(window) else window.darker(108)


def draw_ground(
    painter: QPainter, lens: Lens, pane: Pane, palette: QPalette, *, checker: bool
) -> None:
    """The shadow under the pane, and a checker where it may be transparent; plain for a drawing."""
    painter.resetTransform()
    rect = lens.rect(0.0, 0.0, *pane.size)
    whole = rect.toAlignedRect()
    window = QRect(0, 0, round(lens.width), round(lens.height))
    if not whole.contains(window):
        painter.setPen(Qt.PenStyle.NoPen)
        corners = (whole.x(), whole.y(), whole.right() + 1, whole.bottom() + 1)
        for color, rects in _shadow(*corners, ground_color(palette).rgb()):
            painter.setBrush(color)
            painter.drawRects(rects)
    if pane.drawing:
        painter.fillRect(rect, palette.base())
    elif checker:
        painter.fillRect(rect, _checker(dark(palette.window().color())))


@functools.lru_cache(maxsize=32)
def _shadow(x0: int, y0: int, x1: int, y1: int, ground: int) -> list[tuple[QColor, list[QRect]]]:
    """Rings around a rectangle that fade into the color `ground`."""
    rings = []
    # Solid colors from the outside in: blending thin lines costs ten times as much.
    for spread, dim in ((5, 102), (4, 104), (3, 108), (2, 115), (1, 127)):
        corners = [x0 - spread, y0 + 1 - spread, x1 + spread, y1 + 1 + spread]
        edges = np.array([corners], np.int32)
        rings.append((QColor(ground).darker(dim), bars(edges, spread + 1)))
    return rings


def _checker(dark_theme: bool) -> QBrush:
    tile = QImage(16, 16, QImage.Format.Format_RGB32)
    light, deep = (
        (QColor(58, 58, 62), QColor(50, 50, 54))
        if dark_theme
        else (QColor(238, 238, 240), QColor(226, 226, 229))
    )
    tile.fill(light)
    with QPainter(tile) as painter:
        painter.fillRect(0, 0, 8, 8, deep)
        painter.fillRect(8, 8, 8, 8, deep)
    return QBrush(QPixmap.fromImage(tile))


def draw_pixel_numbers(painter: QPainter, lens: Lens, layer: Picture | Heat) -> None:
    """Rule the visible elements of an array and write their values into them."""
    x0, y0, x1, y1 = extent_of(layer)
    array = layer.rgb if isinstance(layer, Picture) else layer.values
    rows, columns = array.shape[:2]
    if not (x1 > x0 and y1 > y0):
        return
    wide, high = (x1 - x0) / columns, (y1 - y0) / rows
    seen = lens.seen
    first_column, last_column = _span(seen[0], seen[2], x0, wide, columns)
    first_row, last_row = _span(seen[1], seen[3], y0, high, rows)
    if (last_column - first_column) * (last_row - first_row) > 4000:
        return
    painter.resetTransform()
    painter.setPen(QPen(QColor(128, 128, 128, 90), 1))
    top, bottom = y0 + first_row * high, y0 + last_row * high
    left, right = x0 + first_column * wide, x0 + last_column * wide
    lines = [
        QLineF(lens.at(x0 + c * wide, top), lens.at(x0 + c * wide, bottom))
        for c in range(first_column, last_column + 1)
    ]
    lines += [
        QLineF(lens.at(left, y0 + r * high), lens.at(right, y0 + r * high))
        for r in range(first_row, last_row + 1)
    ]
    painter.drawLines(lines)
    painter.setFont(small_font(QApplication.font(), 7.5))
    table = lookup_table(layer.colormap) if isinstance(layer, Heat) else None
    for row in range(first_row, last_row):
        for column in range(first_column, last_column):
            cell = QRectF(
                lens.at(x0 + column * wide, y0 + row * high),
                lens.at(x0 + (column + 1) * wide, y0 + (row + 1) * high),
            )
            if isinstance(layer, Picture):
                red, green, blue = (int(c) for c in layer.rgb[row, column])
                words, under = f"{red}\n{green}\n{blue}", QColor(red, green, blue)
            else:
                value = float(layer.values[row, column])
                words = number(value) if cell.width() > 64 else f"{value:.2g}"
                under = qcolor(_heat_color(layer, value, table))
            painter.setPen(ink_on(under))
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, words)


def _heat_color(layer: Heat, value: float, table: np.ndarray | None) -> tuple[int, int, int]:
    span = layer.high - layer.low
    if table is None or not math.isfinite(value) or not span > 0:
        return (128, 128, 128)
    red, green, blue = table[int(min(max((value - layer.low) / span, 0.0), 1.0) * 255)]
    return int(red), int(green), int(blue)


def _span(low: float, high: float, start: float, step: float, count: int) -> tuple[int, int]:
    first = max(0, min(count, math.floor((low - start) / step)))
    return first, max(first, min(count, math.ceil((high - start) / step)))


Brief = Literal[0, 1, 2]
STRIPS = (100, 60, 36)
"""Pixels of the colors of a scale, those beside them included, as `ScaleBar.set_brief` has it."""


class ScaleBar(QWidget):
    """The colors of a heat map between its two ends."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._heat: Heat | None = None
        self._brief: Brief = 0
        self._contained = Contained("the color scale")

    def set_heat(self, heat: Heat | None) -> None:
        if heat is not self._heat:
            self._heat = heat
            self._contained.retry()
            self.update()

    def set_brief(self, brief: Brief) -> None:
        """Without the unit of its numbers (1), and with the shortest strip of colors (2)."""
        if brief != self._brief:
            self._brief = brief
            self.update()

    def _words(self) -> tuple[str, str]:
        if self._heat is None:
            return "", ""
        unit = f" {self._heat.unit}" if self._heat.unit and not self._brief else ""
        return number(self._heat.low), number(self._heat.high) + unit

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self.font())
        words = sum(metrics.horizontalAdvance(word) for word in self._words())
        return QSize(round(words) + STRIPS[self._brief], self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            self._contained(self._draw, painter)

    def _draw(self, painter: QPainter) -> None:
        if self._heat is None:
            return
        low, high = self._words()
        metrics = QFontMetricsF(self.font())
        start = metrics.horizontalAdvance(low) + 6
        end = self.width() - metrics.horizontalAdvance(high) - 6
        strip = QRectF(start, self.height() / 2 - 4, end - start, 8)
        gradient = QLinearGradient(strip.topLeft(), strip.topRight())
        table = lookup_table(self._heat.colormap)
        for stop in range(0, 256, 15):
            gradient.setColorAt(stop / 255, qcolor(table[stop]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.drawRoundedRect(strip, 3, 3)
        painter.setPen(self.palette().windowText().color())
        base = (self.height() + metrics.ascent() - metrics.descent()) / 2
        painter.drawText(QPointF(0, base), low)
        painter.drawText(QPointF(end + 6, base), high)


def draw_crosshair(painter: QPainter, lens: Lens, point: Point, size: tuple[float, float]) -> None:
    """Two thin lines through a position of another, linked pane."""
    painter.resetTransform()
    at = lens.at(point.x, point.y)
    pane = lens.rect(0.0, 0.0, *size)
    lines = [
        QLineF(pane.left(), at.y(), pane.right(), at.y()),
        QLineF(at.x(), pane.top(), at.x(), pane.bottom()),
    ]
    for color, width in ((QColor(0, 0, 0, 110), 3.0), (QColor(255, 255, 255, 190), 1.0)):
        painter.setPen(QPen(color, width))
        painter.drawLines(lines)


def draw_marker(painter: QPainter, lens: Lens, point: Point, accent: QColor) -> None:
    """The picked position: a ring with four ticks."""
    painter.resetTransform()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    at = lens.at(point.x, point.y)
    ticks = [
        QLineF(at + QPointF(dx * 4, dy * 4), at + QPointF(dx * 11, dy * 11))
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    for color, width in ((QColor(0, 0, 0, 170), 4.5), (QColor(255, 255, 255), 2.5), (accent, 1.5)):
        painter.setPen(QPen(color, width))
        painter.drawEllipse(at, 7, 7)
        painter.drawLines(ticks)


def draw_edit_box(
    painter: QPainter, lens: Lens, box: Box, accent: QColor, *, drawing: bool
) -> None:
    """The picked box with its handles; while it is drawn, its size."""
    painter.resetTransform()
    rect = lens.rect(box.x0, box.y0, box.x1, box.y1)
    fill = QColor(accent)
    fill.setAlphaF(0.10)
    painter.setBrush(fill)
    painter.setPen(QPen(QColor(0, 0, 0, 150), 3))
    painter.drawRect(rect)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(255, 255, 255), 1))
    painter.drawRect(rect)
    dashes = QPen(accent, 1)
    dashes.setDashPattern([4, 4])
    painter.setPen(dashes)
    painter.drawRect(rect)
    if drawing:
        painter.setFont(small_font(QApplication.font()))
        words = f"{number(box.x1 - box.x0)} x {number(box.y1 - box.y0)}"
        draw_plate(
            painter,
            rect.bottomRight() + QPointF(6, 6),
            words,
            ink=QColor(255, 255, 255),
            paper=QColor(0, 0, 0, 180),
        )
        return
    draw_handles(painter, lens, box, accent)


def draw_handles(painter: QPainter, lens: Lens, box: Box, accent: QColor) -> None:
    """The squares by which a box is resized; a small one has those of its corners only."""
    rect = lens.rect(box.x0, box.y0, box.x1, box.y1)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(accent, 1.5))
    painter.setBrush(QColor(255, 255, 255))
    small = min(rect.width(), rect.height()) < 40
    for handle, (x, y) in handle_points(box).items():
        if not small or len(handle) == 2:
            painter.drawRoundedRect(
                QRectF(lens.at(x, y) - QPointF(4, 4), lens.at(x, y) + QPointF(4, 4)), 2, 2
            )
