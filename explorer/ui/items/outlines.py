"""Outlines of boxes as filled bars.

A pen strokes a path, and a half-transparent one blends it a scan line at a time: ten boxes with
their casings took a millisecond of every live frame. Bars that lie on device pixels take a tenth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.ui.items.item_images import Lens

Edges = np.ndarray[Any, np.dtype[np.int32]]
"""(N, 4): x0, y0, x1, y1 of outer edges in device pixels; x1 and y1 are the first ones outside."""

BEYOND = 64
"""Device pixels outside the window at which edges are cut off."""


def to_device(painter: QPainter, lens: Lens) -> None:
    """Lets the painter count in device pixels; the caller saves and restores its state."""
    painter.setWorldTransform(QTransform.fromScale(1 / lens.dpr, 1 / lens.dpr))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def edges_of(xyxy: NDArray[np.floating[Any]], lens: Lens, width: int) -> Edges:
    """Outer edges of outlines `width` device pixels wide, half of that outside of the boxes.

    Args:
        xyxy: (N, 4) finite corners in the pane; x0 and x1 may be swapped, y0 and y1 too.
        lens: How the pane lies in the window.
        width: In device pixels.
    """
    origin = np.array([lens.dx, lens.dy, lens.dx, lens.dy])
    pixels = (xyxy.astype(np.float64) * lens.scale + origin) * lens.dpr
    low = np.floor(np.minimum(pixels[:, :2], pixels[:, 2:]) - width / 2 + 0.5)
    high = np.floor(np.maximum(pixels[:, :2], pixels[:, 2:]) + width / 2 + 0.5)
    last = np.ceil(np.array([lens.width, lens.height]) * lens.dpr) + BEYOND
    edges = np.concatenate([np.clip(low, -BEYOND, last), np.clip(high, -BEYOND, last)], axis=1)
    return edges.astype(np.int32)


def grown(edges: Edges, by: int) -> Edges:
    """The same outlines with their outer edges `by` pixels further out."""
    return edges + np.array([-by, -by, by, by], np.int32)


def level_bars(edges: Edges, width: int) -> list[QRect]:
    """The upper and lower bar of every outline, corners included."""
    return [
        QRect(x0, y, x1 - x0, width)
        for x0, y0, x1, y1 in edges.tolist()
        for y in (y0, y1 - width)
    ]  # fmt: skip


def upright_bars(edges: Edges, width: int) -> list[tuple[int, int, int]]:
    """x, y and height of the left and right bar of every outline, without the corners."""
    return [
        (x, y0 + width, y1 - y0 - 2 * width)
        for x0, y0, x1, y1 in edges.tolist()
        if y1 - y0 > 2 * width
        for x in (x0, x1 - width)
    ]


def bars(edges: Edges, width: int) -> list[QRect]:
    """Everything of every outline, in parts that do not overlap."""
    upright = (QRect(x, y, width, height) for x, y, height in upright_bars(edges, width))
    return [*level_bars(edges, width), *upright]


def fill_bars(painter: QPainter, edges: Edges, width: int, color: QColor) -> None:
    """Outlines in an opaque color; the painter counts in device pixels."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRects(bars(edges, width))


def blend_bars(painter: QPainter, edges: Edges, width: int, color: QColor) -> None:
    """Outlines in a half-transparent color; the painter counts in device pixels."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRects(level_bars(edges, width))
    upright = upright_bars(edges, width)
    # Blended as a picture, an upright bar costs a twentieth of what it costs as a rectangle.
    longest = max((height for *_, height in upright), default=1)
    strip = QImage(width, longest, QImage.Format.Format_ARGB32_Premultiplied)
    strip.fill(color)
    for x, y, height in upright:
        painter.drawImage(x, y, strip, 0, 0, width, height)
