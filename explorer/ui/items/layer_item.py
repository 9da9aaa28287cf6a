"""The base of all graphics items, and the pens they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from explorer.ui.items.item_images import Contained, Lens, lens_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Layer

EVERYWHERE = QRectF(-1e6, -1e6, 2e6, 2e6)
FEW = 60
"""Shapes up to which they are stroked at every frame; above, once per zoom."""
MANY = 500
"""Shapes above which they are drawn by the fastest means, without niceties."""


class LayerItem(QGraphicsItem):
    """Draws one layer. Subclasses write `draw`; nothing that it raises escapes into Qt."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.frame = (0.0, 0.0)
        self._contained = Contained(f"layer {layer.name!r}")

    @property
    def failed(self) -> bool:
        """Drawing it has raised: it is not drawn until there is another layer."""
        return self._contained.failed

    def boundingRect(self) -> QRectF:
        # Labels reach beyond their boxes by a screen size; culling whole layers gains nothing.
        return EVERYWHERE

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        size = widget.size() if widget is not None else painter.viewport().size()
        self._contained(self.draw, painter, lens_of(painter, size.width(), size.height()))

    def draw(self, painter: QPainter, lens: Lens) -> None:
        raise NotImplementedError

    def write(self, painter: QPainter, lens: Lens) -> None:
        """Its words, after the shapes of all layers: no line strikes one through."""
        self._contained(self.draw_words, painter, lens)

    def draw_words(self, painter: QPainter, lens: Lens) -> None:
        """For layers that have some."""

    def covers(self) -> bool:
        """Whether nothing can be seen through it anywhere in the frame."""
        return False

    def take_over(self, old: LayerItem) -> None:
        """Reuse what `old` (an item of the same class) has uploaded, where that is still right."""


def color_groups(
    colors: NDArray[np.uint8], rows: NDArray[np.intp]
) -> list[tuple[QColor, NDArray[np.intp]]]:
    """`rows` by color, so that a pen is set once per color."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, color in zip(rows.tolist(), colors[rows].tolist(), strict=True):
        groups.setdefault(tuple(color), []).append(row)
    return [(QColor(*color), np.array(part, np.intp)) for color, part in sorted(groups.items())]


def cosmetic(color: QColor, width: float, *, dotted: bool = False) -> QPen:
    """A pen of `width` device pixels at any zoom: Qt does not widen it on a fine screen."""
    pen = QPen(color, width)
    pen.setCosmetic(True)
    if dotted:
        pen.setDashPattern([3.0, 2.5])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen
