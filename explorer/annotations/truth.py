"""The photo's ground truth among a view's parameters, and on the pictures that are written."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes
from explorer.core.params import Pick, parameters

if TYPE_CHECKING:
    from explorer.core.params import Box

LAYER = "ground truth"
"""The name of the layer of boxes that `with_truth` adds."""


def truth_name(params_type: type) -> str:
    """The parameter of a view that takes the ground truth; "" when it takes none."""
    if not is_dataclass(params_type):  # no view has been shown yet
        return ""
    names = (p.name for p in parameters(params_type) if p.meta.pick is Pick.TRUTH)
    return next(names, "")


def truth_of(params: Any) -> tuple[Box, ...]:
    """The ground truth in `params`; empty for views that take none."""
    name = truth_name(type(params))
    boxes: tuple[Box, ...] = getattr(params, name) if name else ()
    return boxes


def with_truth(board: Board, boxes: tuple[Box, ...]) -> Board:
    """The same board with `boxes` in white on its photos, as the window shows them."""
    if not boxes or board.boxes(LAYER) is not None:
        return board
    corners = np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], np.float32)
    white = np.full((len(boxes), 3), 255, np.uint8)
    labels = tuple(box.label for box in boxes)
    layer = Boxes(corners, white, labels, width=3.0, selectable=False, name=LAYER)
    panes = tuple(
        replace(pane, layers=(*pane.layers, layer)) if pane.frame == "image" else pane
        for pane in board.panes
    )
    return replace(board, panes=panes)
