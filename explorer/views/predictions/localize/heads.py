"""What a localization network predicts for the photo, and whether it is correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.views.shared.common import class_name
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.features.localization import boxes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.core.params import Box
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.networks.preprocess import Frame

LEAST_IOU = 0.5
PREDICTIONS = 5
"""So many predictions of a class and a box count in ILSVRC."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One network's prediction.

    Attributes:
        title: Of the network.
        logits: (C,) float32.
        boxes: (C, 4) float32 xyxy in the photo's pixels, one for every class.
        classes: Their names.
        layer: The layer whose output the regressor gets, "" if unknown.
    """

    title: str
    logits: Float32
    boxes: Float32
    classes: tuple[str, ...]
    layer: str

    @property
    def per_class(self) -> bool:
        """Whether every class has a box of its own."""
        return bool((self.boxes != self.boxes[:1]).any())

    @property
    def order(self) -> NDArray[np.intp]:
        """(C,) classes, the most probable first."""
        return np.argsort(-self.logits, kind="stable")

    @property
    def shares(self) -> Float32:
        """(C,) probabilities."""
        return softmax(self.logits)

    def name(self, k: int) -> str:
        return class_name(self.classes, k)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the box of one class agrees with the ground truth.

    Attributes:
        best: Row of the ground-truth box with the highest IoU.
        iou: With it.
        words: "correct", or what is wrong.
    """

    best: int
    iou: float
    words: str

    @property
    def correct(self) -> bool:
        return self.words == CORRECT


CORRECT, WRONG_CLASS, TOO_FAR = "correct", "wrong class", "IoU below 0.5"


def head_of(scene: Scene) -> Head:
    """That of the scene's own network."""
    height, width = scene.input().shape[-2:]
    return _head(scene.network, scene.output(), scene.frame, (height, width))


@torch.no_grad()
def other_head(scene: Scene, network: Network) -> Head:
    """That of another network on the same photo."""
    pixels = scene.image.pixels
    values = network.preprocess(pixels).to(network.device, network.dtype)
    frame = network.preprocess.frame(*pixels.shape[:2])
    height, width = values.shape[-2:]
    return _head(network, network.module(values), frame, (height, width))


def _head(network: Network, output: Any, frame: Frame, size: tuple[int, int]) -> Head:
    return Head(
        network.info.title, logits_of(output), boxes_of(output, frame, size), network.info.classes,
        str(getattr(network.module, "attached_to", "")),
    )  # fmt: skip


def verdict(head: Head, k: int, truth: Sequence[Box], corners: Float32) -> Verdict:
    """Of class `k` and its box: both must be right (Russakovsky et al. 2015, section 4.2).

    Args:
        head: The prediction.
        k: A class.
        truth: Ground-truth boxes, at least one; one without a class is right for every class.
        corners: (G, 4) the same.
    """
    overlap = iou_matrix(head.boxes[k : k + 1], corners)[0]
    mine = np.array([box.label in ("", head.name(k)) for box in truth])
    if mine.any():  # of the boxes of this class the nearest
        best = int(np.where(mine, overlap, -1).argmax())
        words = CORRECT if overlap[best] >= LEAST_IOU else TOO_FAR
    else:
        best, words = int(overlap.argmax()), WRONG_CLASS
    return Verdict(best, float(overlap[best]), words)


def first_correct(head: Head, truth: Sequence[Box], corners: Float32) -> int | None:
    """Which of the five most probable classes is correct, 1 = the first; None = none."""
    for number, k in enumerate(head.order[:PREDICTIONS].tolist(), start=1):
        if verdict(head, k, truth, corners).correct:
            return number
    return None
