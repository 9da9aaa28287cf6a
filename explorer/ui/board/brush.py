"""Painting a mask on the photo: what a stroke changes, and how the mask looks.

The mask is an array of the photo's own size. A stroke changes only the pixels around it and their
colors in a 32-bit image over it, so that its cost is that of the brush and not of the photo.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from explorer.core.color_sets import chosen_color_set
from explorer.core.colormaps import class_colors
from explorer.core.values import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.ui.items.item_images import Lens

SMALLEST, LARGEST = 1.0, 400.0
"""Radius of a brush in pixels of the photo."""
OPACITY = 0.55
_STEP = 1.25


@dataclass(frozen=True, slots=True)
class Brush:
    """How the next stroke paints.

    Attributes:
        radius: In pixels of the photo.
        label: The index that it writes.
        erase: It writes 0 instead.
    """

    radius: float = 16.0
    label: int = 1
    erase: bool = False

    @property
    def value(self) -> int:
        return 0 if self.erase else self.label

    def larger(self, steps: int) -> Brush:
        """The same brush, this many steps larger (negative: smaller)."""
        radius = self.radius * _STEP**steps
        return Brush(min(max(radius, SMALLEST), LARGEST), self.label, self.erase)


def paint(
    index: NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float], brush: Brush
) -> tuple[slice, slice]:
    """Writes the brush's value along a line into `index` (H, W) uint8.

    Args:
        index: Changed in place.
        start: x and y in pixels, as for `Point`: the center of pixel (0, 0) is at 0.5, 0.5.
        end: Likewise.
        brush: A disc of its radius moves along the line.

    Returns:
        Rows and columns of the part that may have changed.
    """
    (x0, y0), (x1, y1), reach = start, end, brush.radius
    height, width = index.shape
    top, bottom = _span(min(y0, y1) - reach, max(y0, y1) + reach, height)
    left, right = _span(min(x0, x1) - reach, max(x0, x1) + reach, width)
    rows, columns = slice(top, bottom), slice(left, right)
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
    x = np.arange(left, right, dtype=np.float32)[None, :] + np.float32(0.5 - x0)
    dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
    length = float(dx * dx + dy * dy)
    along = np.clip((x * dx + y * dy) / length, 0, 1) if length > 0 else np.float32(0)
    near = (x - along * dx) ** 2 + (y - along * dy) ** 2 <= reach * reach
    index[rows, columns][near] = brush.value
    return rows, columns


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(int(np.floor(low)), 0), size)
    return first, max(first, min(int(np.ceil(high)) + 1, size))


class BrushMarks:
    """The mask of one canvas.

    Attributes:
        brush: How the next stroke paints.
        painting: A stroke is in the hand of the user.
        spot: Where the keyboard would paint.
    """

    def __init__(self) -> None:
        self.brush = Brush()
        self.painting = False
        self.spot: QPointF | None = None
        self._wanted = False
        self._mask: Mask | None = None
        self._index: NDArray[np.uint8] | None = None
        self._before: NDArray[np.uint8] | None = None
        self._colors: NDArray[np.uint8] | None = None
        self._image = QImage()
        self._set = chosen_color_set()

    @property
    def wanted(self) -> bool:
        """Whether the pane takes a mask."""
        return self._wanted

    def set(self, mask: Mask | None, *, wanted: bool) -> None:
        """Takes the mask over; not while a stroke is painted."""
        if self.painting:
            return
        self._wanted = wanted
        if mask != self._mask:
            self._mask = mask
            self._index = None if mask is None else mask.index().copy()
            self._show_all()

    def begin(self, size: tuple[float, float]) -> bool:
        """A stroke begins on a photo of `size`; False where the mask is of another photo."""
        shape = (round(size[1]), round(size[0]))
        if self._index is None:
            self._index = np.zeros(shape, np.uint8)
            self._show_all()
        if not self._wanted or self._index.shape != shape:
            return False
        self._before, self.painting = self._index.copy(), True
        return True

    def stroke(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The brush moves from one position to another."""
        if self._index is not None:
            self._show(*paint(self._index, start, end, self.brush))

    def end(self, *, cancel: bool = False) -> Mask | None:
        """The stroke is over; canceled, the mask is as it was. None = nothing is painted."""
        self.painting = False
        if cancel and self._before is not None:
            self._index = self._before
            self._show_all()
        self._before = None
        return self.mask()

    def mask(self) -> Mask | None:
        """What is painted so far."""
        painted = self._index is not None and bool(self._index.any())
        self._mask = Mask.of(self._index) if painted and self._index is not None else None
        return self._mask

    # -- how it looks -----------------------------------------------------------------------------

    def _show_all(self) -> None:
        if self._index is None:
            self._colors, self._image = None, QImage()
            return
        height, width = self._index.shape
        self._colors = np.zeros((height, width, 4), np.uint8)
        self._image = QImage(
            self._colors.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied
        )
        self._show(slice(0, height), slice(0, width))

    def _show(self, rows: slice, columns: slice) -> None:
        if self._index is not None and self._colors is not None:
            self._colors[rows, columns] = _table(chosen_color_set())[self._index[rows, columns]]

    def draw(self, painter: QPainter, lens: Lens) -> None:
        """The mask over the photo, 32-bit pixels scaled by the window's own raster."""
        if self._index is None or not self._wanted:
            return
        if self._set != chosen_color_set():  # another has been chosen in the meantime
            self._set = chosen_color_set()
            self._show_all()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        height, width = self._index.shape
        # Only what is seen: the image may be far larger than the window.
        x0, y0, x1, y1 = lens.seen
        left, top = max(int(x0), 0), max(int(y0), 0)
        right, bottom = min(int(x1) + 1, width), min(int(y1) + 1, height)
        if right > left and bottom > top:
            part = QRectF(left, top, right - left, bottom - top)
            painter.drawImage(lens.rect(left, top, right, bottom), self._image, part)

    def draw_brush(self, painter: QPainter, lens: Lens, at: QPointF) -> None:
        """The brush's outline around a position of the pane."""
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        reach, middle = self.brush.radius * lens.scale, lens.at(at.x(), at.y())
        inner = QColor(255, 255, 255) if self.brush.erase else _color(self.brush.label)
        for color, width in ((QColor(0, 0, 0, 170), 3.5), (inner, 1.5)):
            pen = QPen(color, width)
            if self.brush.erase and width < 3:
                pen.setDashPattern([3, 3])
            painter.setPen(pen)
            painter.drawEllipse(middle, reach, reach)


def _color(label: int) -> QColor:
    """Of a label: that of the class with its number, as class 0 is the background."""
    return QColor(*(int(part) for part in class_colors(256)[label]))


@functools.cache
def _table(chosen: str) -> NDArray[np.uint8]:
    """(256, 4) uint8: premultiplied blue, green, red, alpha of every index; 0 is clear."""
    colors = class_colors(256, chosen).astype(np.float64) * OPACITY
    table = np.concatenate([colors[:, ::-1], np.full((256, 1), 255 * OPACITY)], 1)
    table[0] = 0
    return table.round().astype(np.uint8)
