"""Boxes: one item for all of them, with labels that hold still and a selection that stands out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QApplication

from explorer.core.layers import (
    SMALLEST_LETTERS,
    Boxes,
    boxes_at,
    frame_widths,
    letters_inside,
    lines_inside,
)
from explorer.render.placing import places_at
from explorer.ui.items.item_images import (
    Lens,
    Raster,
    ViewCache,
    draw_plate,
    ink_on,
    plate_rect,
    qcolor,
    saved,
    stroke_polylines,
)
from explorer.ui.items.labeled_item import LabeledItem, label_font
from explorer.ui.items.layer_item import FEW, MANY, LayerItem, color_groups, cosmetic
from explorer.ui.items.outlines import blend_bars, edges_of, fill_bars, grown, to_device
from explorer.ui.widgets.fonts import scaled_font

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Extent
    from explorer.ui.items.labeled_item import Size

CASED = 200
"""Boxes up to which every line has a dark casing."""
CASING = QColor(0, 0, 0, 90)
DIMMED = 0.3
MEASURED = 40
"""Pixels of the letters whose width is measured: it grows with their size."""


class BoxesItem(LabeledItem):
    """Strokes up to some hundred boxes; more are rasterized once and moved while the user pans."""

    layer: Boxes

    def __init__(self, layer: Boxes) -> None:
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(np.isfinite(layer.xyxy).all(axis=1))
        super().__init__(layer, rows)
        self.selected: int | None = None  # a key
        self.hovered: int | None = None
        self._cache = ViewCache()
        self._groups = color_groups(layer.colors, rows) if len(rows) <= MANY else []

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
        painter.setOpacity(self._opacity)
        if self.layer.width > 0:
            self._draw_frames(painter, lens)
        painter.setOpacity(1.0)
        for row in self._marked():
            self._highlight(painter, lens, row)

    def _draw_frames(self, painter: QPainter, lens: Lens) -> None:
        if len(self._rows) > FEW:

            def render(raster: Raster) -> None:
                if len(self._rows) > MANY:
                    self._rasterize(raster, lens.dpr)
                    return
                with QPainter(raster.image) as into:
                    into.setTransform(raster.transform())
                    self._stroke(into, raster.lens(), lens.dpr)

            self._cache.paint(painter, lens, None, None, render)
        else:
            self._stroke(painter, lens, lens.dpr)

    @property
    def _opacity(self) -> float:
        """Of all boxes: those that are not selected step back, unless they are a drawing."""
        return DIMMED if self.selected is not None and not self.layer.letters else 1.0

    def _write_inside(self, painter: QPainter, lens: Lens) -> None:
        """Labels inside their boxes, each line in the middle; nothing where it cannot be read."""
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        wanted = self.layer.letters * lens.scale
        window = QRectF(0, 0, lens.width, lens.height)
        bold, plain = scaled_font(QApplication.font(), 1.0, bold=True), QApplication.font()
        bold.setPixelSize(MEASURED)
        metrics = QFontMetricsF(bold)
        for row in self._rows.tolist():
            rect = lens.rect(*self.layer.xyxy[row].tolist()).normalized()
            lines = self.layer.labels[row].split("\n")
            if not (self.layer.labels[row] and rect.intersects(window)):
                continue
            size = rect.width(), rect.height()
            widest = max(metrics.horizontalAdvance(line) for line in lines) / MEASURED
            letters = letters_inside(wanted, size, len(lines), widest)
            if letters < SMALLEST_LETTERS:
                continue
            painter.setPen(ink_on(self.paper(row)))
            for number, top in enumerate(lines_inside(letters, size, len(lines))):
                font = QFont(plain if number else bold)
                font.setPixelSize(max(1, int(letters)))
                painter.setFont(font)
                line = QRectF(rect.left(), rect.top() + top - letters, rect.width(), 3 * letters)
                painter.drawText(line, Qt.AlignmentFlag.AlignCenter, lines[number])

    def _marked(self) -> list[int]:
        """The rows of the hovered box and of the selected one, which lies above it."""
        rows = (self.layer.row(key) for key in (self.hovered, self.selected) if key is not None)
        return [
            row
            for row in dict.fromkeys(rows)
            if row is not None and np.isfinite(self.layer.xyxy[row]).all()
        ]

    def draw_words(self, painter: QPainter, lens: Lens) -> None:
        if not self.layer.labels:
            return
        if self.layer.letters > 0:
            self._write_inside(painter, lens)
            return
        marked = self._marked()
        painter.setOpacity(self._opacity)
        self.label_all(painter, lens, marked)
        painter.setOpacity(1.0)
        for row in marked:
            self._label_marked(painter, lens, row)

    def _stroke(self, painter: QPainter, lens: Lens, ratio: float) -> None:
        if self.layer.fill > 0:
            painter.setPen(Qt.PenStyle.NoPen)
            for color, rows in self._groups:
                fill = QColor(color)
                fill.setAlphaF(min(1.0, self.layer.fill))
                painter.setBrush(fill)
                painter.drawRects(self._rects(rows))
        frames = np.zeros(len(self.layer.xyxy))
        corners = self.layer.xyxy[self._rows] * lens.scale * lens.dpr / ratio
        frames[self._rows] = frame_widths(self.layer.width, corners) * ratio
        if self.layer.dotted:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for color, rows in self._groups:
                for wide in np.unique(frames[rows]).tolist():
                    painter.setPen(cosmetic(color, wide, dotted=True))
                    painter.drawRects(self._rects(rows[frames[rows] == wide]))
            return
        with saved(painter):
            to_device(painter, lens)
            self._frames(painter, lens, np.maximum(1, np.round(frames)).astype(int), ratio)

    def _frames(
        self, painter: QPainter, lens: Lens, widths: NDArray[np.int_], ratio: float
    ) -> None:
        """Every frame in its width in device pixels; all dark casings lie under all colors."""
        edges = np.zeros((len(self.layer.xyxy), 4), np.int32)
        casing = max(1, round(ratio))
        for width in np.unique(widths[self._rows]).tolist():
            rows = self._rows[widths[self._rows] == width]
            edges[rows] = edges_of(self.layer.xyxy[rows], lens, width)
            if len(self._rows) <= CASED and self.layer.width >= 1:  # thinner ones are to be faint
                # A dark casing keeps a colored line readable on any photo.
                outer = grown(edges[rows], casing)
                blend_bars(painter, outer, width + 2 * casing, CASING)
        for color, rows in self._groups:
            for width in np.unique(widths[rows]).tolist():
                fill_bars(painter, edges[rows[widths[rows] == width]], width, color)

    def _rects(self, rows: NDArray[np.intp]) -> list[QRectF]:
        return [_rect(self.layer.xyxy[row]) for row in rows.tolist()]

    def _rasterize(self, raster: Raster, ratio: float) -> None:
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

    def places(self, row: int, scale: float, plate: Size, pane: Size) -> Sequence[Extent]:
        x0, y0, x1, y1 = (self.layer.xyxy[row].astype(np.float64) * scale).tolist()
        return places_at((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), plate, pane)

    def paper(self, row: int) -> QColor:
        return qcolor(self.layer.colors[row])

    def _left(self, x0: float, width: float, scale: float) -> float:
        """At the box's corner, pulled back where it would reach beyond the pane."""
        return max(min(x0, self.frame[0] * scale - width), 0.0) if self.frame[0] else x0

    def _top(self, y0: float, height: float) -> float:
        """Above the box; inside it where the pane ends above it."""
        return y0 - height if y0 - height >= 0 else max(y0, 0.0)

    def _highlight(self, painter: QPainter, lens: Lens, row: int) -> None:
        painter.resetTransform()
        rect = lens.rect(*(float(value) for value in self.layer.xyxy[row])).normalized()
        # Far beyond the window the exact corner does not matter, but overflows do.
        rect = rect.intersected(QRectF(-2e4, -2e4, 6e4, 6e4))
        color = qcolor(self.layer.colors[row])
        chosen = self.selected is not None and row == self.layer.row(self.selected)
        wide = self.layer.width or 1.0
        frame = float(frame_widths(wide, np.array([rect.getCoords()]))[0])
        fill = QColor(color)
        fill.setAlphaF(0.12)
        painter.setBrush(fill)
        painter.setPen(QPen(QColor(0, 0, 0, 150), frame + min(4.0, 2 * frame)))
        painter.drawRect(rect)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if chosen:
            painter.setPen(QPen(QColor(255, 255, 255), frame + min(2.0, frame)))
            painter.drawRect(rect)
        width = frame + (0 if chosen else min(1.0, frame / 2))
        painter.setPen(cosmetic(color, width * lens.dpr, dotted=self.layer.dotted))
        painter.drawRect(rect)

    def _label_marked(self, painter: QPainter, lens: Lens, row: int) -> None:
        painter.resetTransform()
        rect = lens.rect(*(float(value) for value in self.layer.xyxy[row])).normalized()
        if self.layer.labels[row]:
            plate = self.label(row, lens)
            width, height = plate.width() / lens.dpr, plate.height() / lens.dpr
            top = self._top(rect.top() - lens.dy, height) + lens.dy
            left = self._left(rect.left() - lens.dx, width, lens.scale) + lens.dx
            painter.drawImage(QPointF(round(left - 1), round(top)), plate)


def say_unlabeled(painter: QPainter, lens: Lens, count: int, taken: Sequence[QRectF]) -> None:
    """In the lower right corner, in the upper one if that is `taken`: none is missed in silence."""
    painter.resetTransform()
    painter.setFont(label_font())
    words = QApplication.translate("Boxes", "{n} labels not shown: zoom in")
    if count == 1:
        words = QApplication.translate("Boxes", "{n} label not shown: zoom in")
    words = words.format(n=count)
    size = plate_rect(painter, QPointF(0, 0), words).size()
    if size.width() > lens.width - 12:
        painter.setFont(scaled_font(painter.font(), max(0.3, (lens.width - 12) / size.width())))
        size = plate_rect(painter, QPointF(0, 0), words).size()
    corner = QPointF(lens.width - size.width() - 6, lens.height - size.height() - 6)
    if any(QRectF(corner, size).intersects(other) for other in taken):
        corner.setY(6)
    draw_plate(painter, corner, words, ink=QColor("white"), paper=QColor(0, 0, 0, 165))


def _rect(xyxy: NDArray[np.float32]) -> QRectF:
    x0, y0, x1, y1 = (float(value) for value in xyxy)
    return QRectF(x0, y0, x1 - x0, y1 - y0)
