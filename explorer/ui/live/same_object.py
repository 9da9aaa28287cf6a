"""The selection follows its object over frames, whose boxes are numbered anew in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Board, Boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.ui.board.pane_view import Selection

LEAST_IOU = 0.3
MOST_MISSED = 15
"""Frames after which an object that is not found any more is given up."""

NUMBERED = ("tracks", "tiles", "kernels", "slices")
"""Layers whose keys are numbers already: of a tracker's objects, of channels and kernels."""


class SameObject:
    """Finds the selected box of one board in the next one, by its overlap."""

    def __init__(self) -> None:
        self._layer = ""
        self._box: NDArray[np.float32] | None = None
        self._missed = 0
        self._told: Selection | None = None

    def forget(self) -> None:
        """Something else is shown."""
        self._box, self._missed, self._told = None, 0, None

    def find(
        self, before: Board | None, after: Board, chosen: Selection | None
    ) -> Selection | None:
        """What is to be selected in `after`.

        Args:
            before: The board that `chosen` belongs to.
            after: The next one.
            chosen: Layer and key of the selected box in `before`; None = nothing is.
        """
        if chosen is None and self._told is not None:
            self.forget()  # the user has let it go
        self._told = self._found(before, after, chosen)
        return self._told

    def _found(
        self, before: Board | None, after: Board, chosen: Selection | None
    ) -> Selection | None:
        if chosen is not None:
            if chosen[0] in NUMBERED:
                return chosen
            box = _box(before, chosen)
            if box is None:
                return chosen
            self._layer, self._box, self._missed = chosen[0], box, 0
        if self._box is None:
            return None
        layer = _layer(after, self._layer)
        best, row = 0.0, -1
        if layer is not None and len(layer.xyxy):
            overlaps = _iou(self._box, layer.xyxy)
            row = int(overlaps.argmax())
            best = float(overlaps[row])
        if layer is None or best < LEAST_IOU:
            self._missed += 1
            if self._missed > MOST_MISSED:
                self.forget()
            return None
        self._box, self._missed = layer.xyxy[row], 0
        return (self._layer, layer.key(row))


def _layer(board: Board | None, name: str) -> Boxes | None:
    layers = [layer for pane in board.panes for layer in pane.layers] if board is not None else []
    return next((one for one in layers if isinstance(one, Boxes) and one.name == name), None)


def _box(board: Board | None, chosen: Selection) -> NDArray[np.float32] | None:
    layer = _layer(board, chosen[0])
    row = layer.row(chosen[1]) if layer is not None else None
    return None if layer is None or row is None else layer.xyxy[row]


def _iou(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of one xyxy box with (N, 4) others: (N,)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - shared
    return np.asarray(shared / np.maximum(areas, 1e-6), np.float32)
