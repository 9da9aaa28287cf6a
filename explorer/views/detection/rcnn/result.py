"""What R-CNN computed for the proposals of a photo, and for one region in full."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.layers import Picture
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.boxes import clip, decode
from explorer.vision.pipelines import rcnn

if TYPE_CHECKING:
    from collections.abc import Hashable

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.vision.pipelines.rcnn import RCNN, Features


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One region on its way through R-CNN.

    Attributes:
        row: Of the proposals; None = drawn by the user.
        box: (4,) xyxy, pixels of the photo.
        context: (4,) what the warped square shows of the photo.
        crop: The warped square.
        vector: (D,) features of the SVMs.
        margins: (C,) of every SVM.
        deltas: (C, 4) tx, ty, tw, th of every class.
        moved: (C, 4) the box as each class moves it, not cut at the borders of the photo.
        label: The class that is looked at.
    """

    row: int | None
    box: Float32
    context: Float32
    crop: Picture
    vector: Float32
    margins: Float32
    deltas: Float32
    moved: Float32
    label: int

    @property
    def key(self) -> Hashable:
        """What a drawing of it depends on."""
        return self.box.tobytes(), self.label


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What is known so far.

    Attributes:
        photo: As a layer.
        classes: C names.
        boxes: (N, 4) all proposals, pixels of the photo.
        margins: (n, C) of the first n.
        moved: (n, C, 4) each of them as each class moves it, cut at the borders of the photo.
        weight: (C, D) of the SVMs, with `bias` (C,).
        region: The one that is opened; None before the first are scored.
    """

    photo: Picture
    classes: tuple[str, ...]
    boxes: Float32
    margins: Float32
    moved: Float32
    weight: Float32
    bias: Float32
    region: Region | None = None
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))


def nothing_yet(photo: Picture, own: RCNN) -> Result:
    """Before there are proposals."""
    count = len(own.classes)
    return Result(
        photo, own.classes, np.zeros((0, 4), np.float32), np.zeros((0, count), np.float32),
        np.zeros((0, count, 4), np.float32), own.heads.svm_weight, own.heads.svm_bias,
    )  # fmt: skip


def scored(before: Result, own: RCNN, boxes: Float32, seen: Features) -> Result:
    """The same with the SVMs' and regressors' outputs for the first of (N, 4) boxes."""
    done = boxes[: len(seen.vector)]
    margins = rcnn.scores(own.heads, seen)
    moved = clip(rcnn.refined(own.heads, seen, done), before.photo.rgb.shape[:2])
    return replace(before, boxes=boxes, margins=margins, moved=moved)


def best_row(margins: Float32, label: int | None) -> int:
    """The proposal with the highest margin of class `label`, or of any class."""
    return int((margins.max(axis=1) if label is None else margins[:, label]).argmax())


def opened(scene: Scene, own: RCNN, box: Float32, row: int | None, label: int | None) -> Region:
    """One region, from the photo to its margins.

    Args:
        scene: Whose photo it is cut out of.
        own: The network, the SVMs, the regressors.
        box: (4,) in the photo's pixels, with positive sides.
        row: Of the proposals, if it is one.
        label: The class to look at; None = that of the highest margin.
    """
    return scene.memo(
        ("opened region", box.tobytes(), row, label), lambda: _opened(scene, own, box, row, label)
    )


def _opened(scene: Scene, own: RCNN, box: Float32, row: int | None, label: int | None) -> Region:
    pixels, device = scene.image.pixels, next(own.body.parameters()).device
    boxes = box[None]
    crops = rcnn.warp(pixels, boxes, own.side, device)
    seen = rcnn.features(own.body, crops)
    margins, deltas = rcnn.scores(own.heads, seen)[0], rcnn.deltas(own.heads, seen)[0]
    return Region(
        row, box, rcnn.with_context(torch.from_numpy(boxes))[0].numpy(),
        Picture(rcnn.picture_of(crops[0]), name="warped region"), seen.vector[0], margins, deltas,
        decode(deltas, np.repeat(boxes, len(deltas), axis=0)),
        int(margins.argmax()) if label is None else label,
    )  # fmt: skip
