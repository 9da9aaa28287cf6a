"""Boxes: one item for all of them, with labels that hold still and a selection that stands out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QApplication

from explorer.layers import Boxes, boxes_at
from explorer.ui.layer_item import FEW, MANY, LayerItem, colour_groups, cosmetic
from explorer.ui.outlines import blend_bars, edges_of, fill_bars, grown, to_device
from explorer.ui.painting import (
    Lens,
    Raster,
    ViewCache,
    draw_plate,
    ink_on,
    qcolor,
    saved,
    small_font,
    stroke_polylines,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLED = 400
"""Boxes above which only the selected and the hovered one carry their labels."""
CASED = 200
"""Boxes up to which every line has a dark casing."""
CASING = QColor(0, 0, 0, 90)
DIMMED = 0.3


class BoxesItem(LayerItem):
    """Strokes up to some hundred boxes; more are rasterised once and moved while the user pans."""

    layer: Boxes

    def __init__(self, layer: Boxes) -> None:
        super().__init__(layer)
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(np.isfinite(layer.xyxy).all(axis=1))
        self._rows = rows
        self.selected: int | None = None  # a key
        self.hovered: int | None = None
        self._cache = ViewCache()
        self._groups = colour_groups(layer.colors, rows) if len(rows) <= MANY else []
        self._placed: tuple[float, list[tuple[int, QPointF]]] | None = None
        self._widths: NDArray[np.float64] | None = None

    def take_over(self, old: LayerItem) -> None:
        if isinstance(old, BoxesItem):
            self.selected = old.selected

    def select(self, key: int | None) -> None:
        if key != self.selected:
            self.selected = key
            self.update()

    def hover(self, key: int | None) -> None:
        if key != self.hovered:
            self.hovered = key
            self.update()

    def keys_at(self, x: float, y: float, slack: float) -> list[int]:
        """The keys of the boxes under a position of the pane, the smallest box first."""
        if not self.layer.selectable:
            return []
        return [
            self.layer.key(row) for row in boxes_at(self.layer.xyxy, x, y, slack=slack).tolist()
        ]

    def draw(self, painter: QPainter, lens: Lens) -> None:
        selected = None if self.selected is None else self.layer.row(self.selected)
        hovered = None if self.hovered is None else self.layer.row(self.hovered)
        painter.setOpacity(DIMMED if selected is not None else 1.0)
        if len(self._rows) > FEW:

            def render(raster: Raster) -> None:
                if len(self._rows) > MANY:
                    self._rasterise(raster, lens.dpr)
                    return
                with QPainter(raster.image) as into:
                    into.setTransform(raster.transform())
                    self._stroke(into, raster.lens(), lens.dpr)

            self._cache.paint(painter, lens, None, None, render)
        else:
            self._stroke(painter, lens, lens.dpr)
        if self.layer.labels:
            self._label_all(painter, lens, {selected, hovered})
        painter.setOpacity(1.0)
        for row in dict.fromkeys((hovered, selected)):
            if row is not None and np.isfinite(self.layer.xyxy[row]).all():
                self._highlight(painter, lens, row)

    def _stroke(self, painter: QPainter, lens: Lens, ratio: float) -> None:
        if self.layer.fill > 0:
            painter.setPen(Qt.PenStyle.NoPen)
            for colour, rows in self._groups:
                fill = QColor(colour)
                fill.setAlphaF(min(1.0, self.layer.fill))
                painter.setBrush(fill)
                painter.drawRects(self._rects(rows))
        if self.layer.dotted:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, rows in self._groups:
                painter.setPen(cosmetic(colour, self.layer.width * ratio, dotted=True))
                painter.drawRects(self._rects(rows))
            return
        width, casing = max(1, round(self.layer.width * ratio)), max(1, round(ratio))
        with saved(painter):
            to_device(painter, lens)
            edges = np.zeros((len(self.layer.xyxy), 4), np.int32)
            edges[self._rows] = edges_of(self.layer.xyxy[self._rows], lens, width)
            if len(self._rows) <= CASED:
                # A dark casing keeps a coloured line readable on any photo.
                outer = grown(edges[self._rows], casing)
                blend_bars(painter, outer, width + 2 * casing, CASING)
            for colour, rows in self._groups:
                fill_bars(painter, edges[rows], width, colour)

    def _rects(self, rows: NDArray[np.intp]) -> list[QRectF]:
        return [_rect(self.layer.xyxy[row]) for row in rows.tolist()]

    def _rasterise(self, raster: Raster, ratio: float) -> None:
        corners = raster.device(self.layer.xyxy[self._rows], (0, 1, 0, 1))
        x0, y0, x1, y1 = corners.T
        width, height = raster.image.width(), raster.image.height()
        seen = (x1 >= 0) & (y1 >= 0) & (x0 <= width) & (y0 <= height)
        # A box around the whole raster has no visible edge.
        seen &= ~((x0 < -8) & (y0 < -8) & (x1 > width + 8) & (y1 > height + 8))
        points = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=1)[seen].reshape(-1, 4, 2)
        # With thousands of boxes thin lines say more than wide ones.
        widest = 2.0 if len(points) < 3000 else 1.0
        thickness = max(1, round(min(self.layer.width, widest) * ratio))
        stroke_polylines(
            raster,
            points,
            self.layer.colors[self._rows[seen]],
            width=thickness,
            closed=True,
            dotted=self.layer.dotted,
        )

    def _label_all(self, painter: QPainter, lens: Lens, skip: set[int | None]) -> None:
        if len(self._rows) > LABELLED:
            return
        painter.resetTransform()
        painter.setFont(_font())
        if self._placed is None or self._placed[0] != lens.scale:
            # Relative to the pane, so that labels neither jump nor change while it is moved.
            self._placed = (lens.scale, self._place(lens.scale))
        origin = QPointF(lens.dx, lens.dy)
        for row, corner in self._placed[1]:
            if row not in skip:
                self._plate(painter, row, corner + origin)

    def _place(self, scale: float) -> list[tuple[int, QPointF]]:
        if self._widths is None:
            metrics = QFontMetricsF(_font())
            self._widths = np.array(
                [metrics.horizontalAdvance(label) + 8 for label in self.layer.labels]
            )
        height = QFontMetricsF(_font()).height() + 2
        boxes = self.layer.xyxy.astype(np.float64) * scale
        taken = np.empty((len(self._rows), 4))
        placed: list[tuple[int, QPointF]] = []
        for row in self._rows.tolist():
            x0, y0, x1, y1 = boxes[row]
            if not self.layer.labels[row] or x1 - x0 < 14 or y1 - y0 < 8:
                continue
            top = self._top(y0, height)
            x0 = self._left(x0, float(self._widths[row]), scale)
            rect = (x0 - 1, top, x0 - 1 + self._widths[row], top + height)
            others = taken[: len(placed)]
            clash = (
                (others[:, 0] < rect[2])
                & (rect[0] < others[:, 2])
                & (others[:, 1] < rect[3])
                & (rect[1] < others[:, 3])
            )
            if not clash.any():
                taken[len(placed)] = rect
                placed.append((row, QPointF(rect[0], rect[1])))
        return placed

    def _left(self, x0: float, width: float, scale: float) -> float:
        """At the box's corner, pulled back where it would reach beyond the pane."""
        return max(min(x0, self.frame[0] * scale - width), 0.0) if self.frame[0] else x0

    def _top(self, y0: float, height: float) -> float:
        """Above the box; inside it where the pane ends above it."""
        return y0 - height if y0 - height >= 0 else max(y0, 0.0)

    def _plate(self, painter: QPainter, row: int, corner: QPointF) -> None:
        colour = qcolor(self.layer.colors[row])
        corner = QPointF(round(corner.x()), round(corner.y()))
        draw_plate(painter, corner, self.layer.labels[row], ink=ink_on(colour), paper=colour)

    def _highlight(self, painter: QPainter, lens: Lens, row: int) -> None:
        painter.resetTransform()
        rect = lens.rect(*(float(value) for value in self.layer.xyxy[row])).normalized()
        # Far beyond the window the exact corner does not matter, but overflows do.
        rect = rect.intersected(QRectF(-2e4, -2e4, 6e4, 6e4))
        colour = qcolor(self.layer.colors[row])
        chosen = self.selected is not None and row == self.layer.row(self.selected)
        fill = QColor(colour)
        fill.setAlphaF(0.12)
        painter.setBrush(fill)
        painter.setPen(QPen(QColor(0, 0, 0, 150), self.layer.width + 4))
        painter.drawRect(rect)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if chosen:
            painter.setPen(QPen(QColor(255, 255, 255), self.layer.width + 2))
            painter.drawRect(rect)
        width = self.layer.width + (0 if chosen else 1)
        painter.setPen(cosmetic(colour, width * lens.dpr, dotted=self.layer.dotted))
        painter.drawRect(rect)
        if self.layer.labels and self.layer.labels[row]:
            painter.setFont(_font())
            metrics = QFontMetricsF(painter.font())
            width = metrics.horizontalAdvance(self.layer.labels[row]) + 8
            top = self._top(rect.top() - lens.dy, metrics.height() + 2) + lens.dy
            left = self._left(rect.left() - lens.dx, width, lens.scale) + lens.dx
            self._plate(painter, row, QPointF(left - 1, top))


def _rect(xyxy: NDArray[np.float32]) -> QRectF:
    x0, y0, x1, y1 = (float(value) for value in xyxy)
    return QRectF(x0, y0, x1 - x0, y1 - y0)


def _font() -> QFont:
    return small_font(QApplication.font(), 8.5)
