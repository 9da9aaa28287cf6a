"""Ground-truth boxes on a canvas: which one is chosen, what a drag does, how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QApplication

from explorer.annotations.truth import LAYER, named
from explorer.core.layers import Boxes, frame_widths
from explorer.ui.board.canvas_marks import draw_handles
from explorer.ui.board.handles import Handle, handle_at, moved, spanned
from explorer.ui.items.item_images import Lens, draw_plate, plate_rect, small_font

if TYPE_CHECKING:
    from collections.abc import Iterable

    from explorer.core.layers import Layer
    from explorer.core.params import Box
    from explorer.ui.truth.photo_truth import Truth

NEW = "new"
"""What is dragged when it is no handle of a box: a box that comes into being."""
LEAST = 1.0
"""Pixels of the photo: a smaller new box was a slip of the mouse."""


class TruthMarks:
    """The boxes of one canvas.

    Attributes:
        boxes: In pixels of the photo; None where the pane takes no ground truth.
        chosen: The one with handles.
        alone: A plain drag draws and moves boxes; otherwise a drag draws something else, and
            only Shift draws a box.
        dragging: What is being dragged, "" = nothing.
    """

    def __init__(self) -> None:
        self.boxes: Truth | None = None
        self.chosen: int | None = None
        self.alone = True
        self.dragging: Handle = ""
        self._before: Truth = ()

    def set(self, boxes: Truth | None, *, alone: bool) -> None:
        """Takes the boxes over; not while one is in the hand of the user."""
        self.alone = alone
        if not self.dragging:
            self.boxes = boxes
            if self.chosen is not None and self.chosen >= len(boxes or ()):
                self.chosen = None

    @property
    def box(self) -> Box | None:
        """The chosen box."""
        if self.boxes is None or self.chosen is None or self.chosen >= len(self.boxes):
            return None
        return self.boxes[self.chosen]

    def at(self, x: float, y: float) -> list[int]:
        """The boxes around a position, the smallest first."""
        inside = [
            (box.x1 - box.x0) * (box.y1 - box.y0)
            if box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1
            else None
            for box in self.boxes or ()
        ]
        found = [(area, index) for index, area in enumerate(inside) if area is not None]
        return [index for _, index in sorted(found)]

    def grip(self, x: float, y: float, reach: float, *, shift: bool) -> Handle:
        """What a drag from here would move: a handle, NEW, or "" for none of the boxes."""
        if self.boxes is None:
            return ""
        if shift:
            return NEW
        handle = handle_at(self.box, x, y, reach) if self.box is not None else None
        if handle is not None:
            return handle
        if not self.alone:
            return ""
        return "move" if self.at(x, y) else NEW

    # -- what the user does -----------------------------------------------------------------------

    def begin(self, grip: Handle, x: float, y: float, reach: float) -> None:
        """A drag of `grip` begins at (x, y)."""
        self.dragging, self._before = grip, self.boxes or ()
        if grip == NEW:
            self.chosen = len(self._before)
        elif self.box is None or handle_at(self.box, x, y, reach) is None:
            self.chosen = self.at(x, y)[0]

    def drag(self, start: QPointF, here: QPointF, size: tuple[float, float]) -> Truth:
        """The boxes while the mouse is at `here`."""
        if self.dragging == NEW:
            box = spanned((start.x(), start.y()), (here.x(), here.y()), size)
            real = box.x1 - box.x0 >= LEAST and box.y1 - box.y0 >= LEAST
            self.boxes = (*self._before, box) if real else self._before
        elif self.chosen is not None:
            way = here - start
            old = self._before[self.chosen]
            box = moved(old, self.dragging, way.x(), way.y(), size)
            self.boxes = self._with(box, self._before)
        return self.boxes or ()

    def end(self, *, cancel: bool = False) -> Truth:
        """The drag is over; canceled, the boxes are as they were."""
        self.dragging = ""
        if cancel:
            self.boxes = self._before
        if self.box is None:
            self.chosen = None
        return self.boxes or ()

    def choose_at(self, x: float, y: float) -> int | None:
        """A click: the smallest box there, and by further clicks the ones around it."""
        found = self.at(x, y)
        if self.chosen in found:
            self.chosen = found[(found.index(self.chosen) + 1) % len(found)]
        else:
            self.chosen = found[0] if found else None
        return self.chosen

    def shift(self, handle: Handle, dx: float, dy: float, size: tuple[float, float]) -> Truth:
        """The chosen box moved, or resized by a handle."""
        box = self.box
        if box is not None:
            self.boxes = self._with(moved(box, handle, dx, dy, size))
        return self.boxes or ()

    def add(self, box: Box) -> Truth:
        """A further box, which is then the chosen one."""
        self.chosen = len(self.boxes or ())
        self.boxes = (*(self.boxes or ()), box)
        return self.boxes

    def remove(self) -> Truth:
        """Without the chosen box."""
        kept = tuple(box for n, box in enumerate(self.boxes or ()) if n != self.chosen)
        self.boxes, self.chosen = kept, None
        return kept

    def _with(self, box: Box, boxes: Truth | None = None) -> Truth:
        boxes = boxes if boxes is not None else self.boxes or ()
        return tuple(box if n == self.chosen else old for n, old in enumerate(boxes))

    # -- how they look ----------------------------------------------------------------------------

    def draw(
        self, painter: QPainter, lens: Lens, accent: QColor, layers: Iterable[Layer] = ()
    ) -> None:
        """White dashes on a dark line, unlike any box of a network; the chosen one has handles.

        What one of `layers` shows as ground truth already is not drawn twice.
        """
        shown = _shown_by(layers)
        painter.resetTransform()
        painter.setFont(small_font(QApplication.font(), 8.5))
        for number, box in enumerate(self.boxes or ()):
            chosen = number == self.chosen
            rect = lens.rect(box.x0, box.y0, box.x1, box.y1)
            if np.array([box.x0, box.y0, box.x1, box.y1], np.float32).tobytes() in shown:
                if chosen and not self.dragging:
                    draw_handles(painter, lens, box, accent)
                continue
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)  # plates and handles are filled
            width = float(frame_widths(3.0, np.array([rect.getCoords()]))[0])
            painter.setPen(QPen(QColor(0, 0, 0, 170), width + 2))
            painter.drawRect(rect)
            dashes = QPen(QColor(255, 255, 255), width)
            dashes.setCapStyle(Qt.PenCapStyle.FlatCap)
            dashes.setDashPattern([4, 1.5])
            painter.setPen(dashes)
            painter.drawRect(rect)
            words = named(box) or (QApplication.translate("Truth", "no class") if chosen else "")
            if words:
                plate = plate_rect(painter, rect.bottomLeft(), words)
                # Below the box: a network's own labels are above it.
                top = min(rect.bottom() + 2, max(lens.height - plate.height(), rect.top()))
                corner = QPointF(round(rect.left() - 2), round(top))
                ink, paper = QColor(20, 20, 20), QColor(255, 255, 255, 235)
                draw_plate(painter, corner, words, ink=ink, paper=paper)
            if chosen and not self.dragging:
                draw_handles(painter, lens, box, accent)


def _shown_by(layers: Iterable[Layer]) -> set[bytes]:
    """The corners of the boxes that the view itself shows as ground truth, as float32."""
    of_truth = (
        layer for layer in layers if isinstance(layer, Boxes) and layer.name.startswith(LAYER)
    )
    return {row.tobytes() for layer in of_truth for row in layer.xyxy}
