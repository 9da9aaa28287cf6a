"""What a network predicts for a photo, in the terms of its task, ready to be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.views.shared.common import class_name, score_threshold
from explorer.views.shared.detection_params import NO_CLASS
from explorer.vision.detection.detections import detections_of
from explorer.vision.features.cascade import cascade_of
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.features.segmentation import scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32
    from explorer.engine.scene import Scene
    from explorer.vision.detection.detections import Detections


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """`probabilities` and `logits` are (K,) float32."""

    names: tuple[str, ...]
    probabilities: Float32
    logits: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections; those with a score of at least `least` count by default."""

    names: tuple[str, ...]
    found: Detections
    least: float

    def name(self, row: int) -> str:
        """The class of a detection."""
        return class_name(self.names, int(self.found.labels[row]))


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """`classes` is (h, w) int32 over `extent` of the photo; the background is -1."""

    names: tuple[str, ...]
    classes: NDArray[np.int32]
    extent: Extent


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """`xy` is (K, 2) float32 in the photo's pixels."""

    names: tuple[str, ...]
    xy: Float32


Prediction = Classes | Found | Regions | Joints | None
"""None: a network without a head."""


@torch.no_grad()
def prediction_of(scene: Scene, output: Any) -> Prediction:
    """An output of the scene's network for its photo, as `scene.call` gives it.

    Raises:
        ExplorerError: When the output is not of the network's task.
    """
    info = scene.network.info
    height, width = scene.input().shape[-2:]
    match info.task:
        case "detection":
            found = detections_of(output, scene.frame, (height, width))
            return Found(info.classes, found, score_threshold(info))
        case "segmentation":
            classes = scores_of(output, (height, width)).argmax(dim=0).to(torch.int32).cpu().numpy()
            return Regions(
                info.classes,
                _without_background(classes, info.classes),
                scene.frame.inverse().extent(float(width), float(height)),
            )
        case "pose":
            joints = cascade_of(output).joints * np.array([width, height], np.float32)
            back = scene.frame.inverse()
            scale, shift = np.array([back.sx, back.sy]), np.array([back.tx, back.ty])
            names = info.keypoints or tuple(f"keypoint {k}" for k in range(len(joints)))
            return Joints(names, (joints * scale + shift).astype(np.float32))
        case "features":
            return None
    logits = logits_of(output)
    return Classes(info.classes, softmax(logits), logits)


def _without_background(classes: NDArray[np.int32], names: tuple[str, ...]) -> NDArray[np.int32]:
    if not names or names[0] not in NO_CLASS:
        return classes
    return np.where(classes == 0, np.int32(-1), classes)
