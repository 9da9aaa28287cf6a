"""The photo's ground truth among a view's parameters, and on the pictures that are written."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes
from explorer.core.listing import quantity
from explorer.core.params import Kind, Pick, parameters

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Box, Mask, Point
    from explorer.images.image import Image

LAYER = "ground truth"
"""The name of the layer of boxes that `with_truth` adds."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What is really in a photo, in its pixels.

    Attributes:
        boxes: Of objects, with their classes.
        mask: Of the photo's size; its indices are classes.
        joints: In their order.
    """

    boxes: tuple[Box, ...] = ()
    mask: Mask | None = None
    joints: tuple[Point, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.boxes or self.mask is not None or self.joints)


_PARTS = {Kind.BOXES: "boxes", Kind.MASK: "mask", Kind.POINTS: "joints"}
"""By the kind of a parameter: the part of the ground truth that it takes."""


def truth_names(params_type: type) -> dict[str, str]:
    """The parts of the ground truth that a view takes, with the parameter for each."""
    if not is_dataclass(params_type):  # no view has been shown yet
        return {}
    takes = (p for p in parameters(params_type) if p.meta.pick is Pick.TRUTH)
    return {_PARTS[p.kind]: p.name for p in takes}


def truth_name(params_type: type) -> str:
    """The parameter of a view that takes the boxes; "" when it takes none."""
    return truth_names(params_type).get("boxes", "")


def put_truth(params: Any, truth: GroundTruth) -> Any:
    """`params` with the parts of `truth` that they take."""
    names = truth_names(type(params))
    changes = {name: getattr(truth, part) for part, name in names.items()}
    return replace(params, **changes) if changes else params


def taken_truth(params: Any, before: GroundTruth) -> GroundTruth:
    """`before` with the parts that `params` have."""
    names = truth_names(type(params))
    return replace(before, **{part: getattr(params, name) for part, name in names.items()})


def truth_in(
    params: Any, path: str | os.PathLike[str], photo: Image, info: NetworkInfo | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parameters that take ground truth, with what a file has for the photo.

    Args:
        params: Of the view.
        path: COCO .json, Pascal VOC .xml or YOLO .txt for boxes; a .png or COCO .json for masks.
        photo: The photo.
        info: The network, whose classes a mask is about.

    Returns:
        Values by parameter, and sentences about what was ignored or changed.

    Raises:
        ExplorerError: The file cannot be read, or has nothing about the photo.
    """
    from explorer.annotations.files import read_for
    from explorer.annotations.masks import mask_for

    names, about = truth_names(type(params)), photo.path or Path(photo.name)
    size = photo.width, photo.height
    if "boxes" in names:
        boxes, notes = read_for(path, about, size)
        return {names["boxes"]: boxes}, notes
    if "mask" in names:
        field = next(p for p in parameters(type(params)) if p.name == names["mask"])
        mask, notes = mask_for(path, about, size, field.meta.options(info))
        return {field.name: mask}, notes
    return {}, ()


def truth_of(params: Any) -> tuple[Box, ...]:
    """The ground truth in `params`; empty for views that take none."""
    name = truth_name(type(params))
    boxes: tuple[Box, ...] = getattr(params, name) if name else ()
    return boxes


def named(box: Box) -> str:
    """The class of a ground-truth box as its label shows it, as in "dog (difficult)"."""
    flags = [word for word in ("difficult", "crowd") if getattr(box, word)]
    return f"{box.label} ({', '.join(flags)})".lstrip() if flags else box.label


def counting(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """The single objects that are found or missed: neither difficult ones nor crowds."""
    return tuple(box for box in boxes if box.counts)


def not_counted(boxes: Iterable[Box]) -> tuple[str, ...]:
    """The others in words, as in ("2 difficult objects", "1 crowd region")."""
    boxes = tuple(boxes)
    crowds = sum(box.crowd for box in boxes)
    difficult = sum(box.difficult and not box.crowd for box in boxes)
    words = (
        (difficult, "difficult object", "difficult objects"),
        (crowds, "crowd region", "crowd regions"),
    )
    return tuple(quantity(count, one, many) for count, one, many in words if count)


def with_truth(board: Board, boxes: tuple[Box, ...]) -> Board:
    """The same board with `boxes` in white on its photos, as the window shows them."""
    if not boxes or board.boxes(LAYER) is not None:
        return board
    corners = np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], np.float32)
    white = np.full((len(boxes), 3), 255, np.uint8)
    labels = tuple(named(box) for box in boxes)
    layer = Boxes(corners, white, labels, width=3.0, selectable=False, name=LAYER)
    panes = tuple(
        replace(pane, layers=(*pane.layers, layer)) if pane.frame == "image" else pane
        for pane in board.panes
    )
    return replace(board, panes=panes)
