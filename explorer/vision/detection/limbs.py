"""Which keypoints are joined by a line when a skeleton is drawn, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's 17 keypoints of a person in their order (Lin et al. 2014)."""

_SIDED = (
    ("ankle", "knee"), ("knee", "hip"), ("shoulder", "hip"), ("shoulder", "elbow"),
    ("elbow", "wrist"), ("eye", "ear"), ("ear", "shoulder"),
)  # fmt: skip
_ACROSS = ("hip", "shoulder", "eye", "mouth")
_MIDDLE = (("nose", "eye"), ("nose", "mouth"), ("neck", "shoulder"))

LIMBS = (
    *((f"{side} {a}", f"{side} {b}") for a, b in _SIDED for side in ("left", "right")),
    *((f"left {part}", f"right {part}") for part in _ACROSS),
    *((middle, f"{side} {part}") for middle, part in _MIDDLE for side in ("left", "right")),
    ("neck", "head top"),
)
"""COCO's limbs, and those of Leeds Sports Pose (neck, head top) and of faces (nose, mouth)."""


def limbs(names: Sequence[str]) -> NDArray[np.intp]:
    """(L, 2) places among `names` of the two ends of every limb that has both."""
    there = {name.replace("_", " ").casefold(): place for place, name in enumerate(names)}
    ends = [(there[a], there[b]) for a, b in LIMBS if a in there and b in there]
    return np.array(ends, np.intp).reshape(-1, 2)


def keypoint_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    """A name for each of `count` keypoints: `names`, COCO's for 17 without names, else numbers."""
    if len(names) == count:
        return tuple(names)
    if count == len(COCO_KEYPOINTS):
        return COCO_KEYPOINTS
    return tuple(f"keypoint {number}" for number in range(count))
