"""Labels of boxes and points: each beside its shape, on the pane, and off one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter
from PySide6.QtWidgets import QApplication

from explorer.render.placing import MOST_LABELS, Plates, label_within
from explorer.ui.items.item_images import PADDING, Lens, plate_picture, small_font
from explorer.ui.items.layer_item import LayerItem
from explorer.ui.widgets.fonts import text_scale

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Boxes, Extent, Points

    Size = tuple[float, float]


class LabeledItem(LayerItem):
    """An item whose rows have labels. Subclasses say where one may lie and in which color.

    Attributes:
        unlabeled: How many labels have found no room.
    """

    layer: Boxes | Points

    def __init__(self, layer: Boxes | Points, rows: NDArray[np.intp]) -> None:
        """Shows `rows` of the layer: those with finite coordinates."""
        super().__init__(layer)
        self._rows = rows
        self.unlabeled = 0
        self._below: tuple[LabeledItem, ...] = ()
        self._placed: tuple[object, list[tuple[int, float, float, QImage]]] | None = None

    def make_room_for(self, below: tuple[LabeledItem, ...]) -> None:
        """The labels of other items of the pane, which are drawn before, are left alone."""
        if below != self._below:
            self._below, self._placed = below, None

    @property
    def plates(self) -> list[Extent]:
        """Where its labels lie, relative to the pane."""
        found = []
        for _, x, y, plate in self._placed[1] if self._placed is not None else ():
            size = plate.deviceIndependentSize()
            found.append((x, y, x + size.width(), y + size.height()))
        return found

    def places(self, row: int, scale: float, plate: Size, pane: Size) -> Sequence[Extent]:
        """Where the label of a row may lie, the best place first; nowhere when it is off the pane.

        Args:
            row: Of the layer.
            scale: Window pixels per unit of the pane.
            plate: Width and height of the label.
            pane: Width and height of the pane in window pixels.
        """
        raise NotImplementedError

    def paper(self, row: int) -> QColor:
        """The color of the plate under the label of a row."""
        raise NotImplementedError

    def label_all(self, painter: QPainter, lens: Lens, skip: Container[int] = ()) -> None:
        """Draws all labels but those of the rows to `skip`."""
        painter.resetTransform()
        at = (lens.scale, lens.dpr, lens.width, text_scale())
        if self._placed is None or self._placed[0] != at:
            # Relative to the pane, so that labels neither jump nor change while it is moved.
            self._placed = (at, self._place(lens))
        for row, x, y, plate in self._placed[1]:
            if row not in skip:
                painter.drawImage(QPointF(round(x + lens.dx), round(y + lens.dy)), plate)

    def _place(self, lens: Lens) -> list[tuple[int, float, float, QImage]]:
        scale, ratio = lens.scale, lens.dpr
        pane = (self.frame[0] * scale or np.inf, self.frame[1] * scale or np.inf)
        taken = Plates(pane[1], [plate for item in self._below for plate in item.plates])
        placed: list[tuple[int, float, float, QImage]] = []
        named = [row for row in self._rows.tolist() if self.layer.labels[row]]
        for row in named[:MOST_LABELS]:
            plate = self.label(row, lens)
            size = (plate.width() / ratio, plate.height() / ratio)
            places = self.places(row, scale, size, pane)
            place = taken.choose(places) if places else None
            if place is not None:
                placed.append((row, place[0], place[1], plate))
        self.unlabeled = taken.left_out + max(0, len(named) - MOST_LABELS)
        return placed

    def label(self, row: int, lens: Lens) -> QImage:
        """The label of a row on its plate, shortened where the window is narrow."""
        font = label_font()
        # A label begins on the pane, which is in the middle of the window while it is smaller.
        pane = self.frame[0] * lens.scale or lens.width
        room = min(lens.width, (pane + lens.width) / 2) - 2 * PADDING
        words = label_within(self.layer.labels[row], room, QFontMetricsF(font).horizontalAdvance)
        return plate_picture(words, font.toString(), self.paper(row).rgb(), lens.dpr)


def label_font() -> QFont:
    return small_font(QApplication.font(), 8.5)
