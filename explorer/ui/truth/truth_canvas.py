"""A pane with the photo's ground truth over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, Signal

from explorer.ui.board.pane_view import PaneView
from explorer.ui.truth.truth_marks import TruthMarks

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPainter
    from PySide6.QtWidgets import QWidget

    from explorer.ui.board.handles import Handle
    from explorer.ui.items.item_images import Lens
    from explorer.ui.truth.photo_truth import Truth

HANDLE_REACH = 7.0
ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class TruthCanvas(PaneView):
    """Shows the boxes and handles the keys for the chosen one; the mouse is the canvas's.

    Signals:
        truth_edited: ``(boxes, done)``: the ground truth; `done` is False while it is dragged.
        truth_chosen: The index of the ground-truth box that the user has chosen, or None.
    """

    truth_edited = Signal(object, bool)
    truth_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._truth = TruthMarks()

    def set_truth(self, boxes: Truth | None, *, alone: bool = True) -> None:
        """The photo's ground truth, None where it is not used; see `TruthMarks`. Silent."""
        self._truth.set(boxes, alone=alone)
        self.viewport().update()

    def choose_truth(self, index: int | None) -> None:
        """The ground-truth box with the handles; silent."""
        if index != self._truth.chosen and not self._truth.dragging:
            self._truth.chosen = index
            self.viewport().update()

    @property
    def truth(self) -> TruthMarks:
        return self._truth

    def truth_key(self, event: QKeyEvent) -> bool:
        """What the keyboard does with the chosen ground-truth box; False: nothing."""
        key, keys = Qt.Key(event.key()), event.modifiers()
        if self._pane is None or self._truth.box is None or not self.shows_truth:
            return False
        size = self._pane.size
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.tell_truth(self._truth.remove())
        elif key == Qt.Key.Key_D and keys & Qt.KeyboardModifier.ControlModifier:
            aside = 4 * self.reach
            self._truth.add(self._truth.box)
            self.tell_truth(self._truth.shift("move", aside, aside, size))
        elif key in ARROWS:
            dx, dy = (part * stride(keys) for part in ARROWS[key])
            self.tell_truth(self._truth.shift(nudged(keys), dx, dy, size))
        else:
            return False
        return True

    def tell_truth(self, boxes: Truth) -> None:
        self.truth_edited.emit(boxes, True)
        self.truth_chosen.emit(self._truth.chosen)
        self.viewport().update()

    def at_pane(self, position: QPointF) -> tuple[float, float]:
        at = self.to_pane(position)
        return at.x(), at.y()

    @property
    def reach(self) -> float:
        return HANDLE_REACH / self.viewpoint.scale

    @property
    def shows_truth(self) -> bool:
        return self._truth.boxes is not None and self.overlays_visible

    def draw_marks(self, painter: QPainter, lens: Lens) -> None:
        if self.shows_truth:
            layers = self._pane.layers if self._pane is not None else ()
            self._truth.draw(painter, lens, self.palette().highlight().color(), layers)


def stride(modifiers: Qt.KeyboardModifier) -> float:
    return 10.0 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1.0


def nudged(modifiers: Qt.KeyboardModifier) -> Handle:
    return "rb" if modifiers & Qt.KeyboardModifier.ControlModifier else "move"
