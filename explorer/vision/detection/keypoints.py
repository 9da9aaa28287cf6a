"""From the heat maps of Keypoint R-CNN to keypoints, step by step (He et al. 2017, section 5).

The steps are torchvision's own: the map of 56 x 56 places is resized to the box in whole pixels
by bicubic interpolation, the keypoint is its largest value, and the half pixel and the part of a
pixel that rounding the box up has added are taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """K keypoints of one person.

    Attributes:
        size: Height and width that the heat maps were resized to.
        pixels: (K, 2) int64 row and column of the largest value of each resized map.
        places: (K, 2) x, y in the frame of the box.
        scores: (K,), that largest value, a logit.
    """

    size: tuple[int, int]
    pixels: Tensor
    places: Tensor
    scores: Tensor


def box_pixels(box: Tensor) -> tuple[int, int]:
    """Height and width of a (4,) box in whole pixels, rounded up; at least one each."""
    width, height = ((box[end] - box[start]).clamp(min=1).ceil() for start, end in ((0, 2), (1, 3)))
    return int(height), int(width)


@torch.no_grad()
def resized(maps: Tensor, box: Tensor) -> Tensor:
    """(K, h, w) heat maps over a (4,) box -> (K, H, W), a value for each pixel of the box."""
    found: Tensor = functional.interpolate(
        maps[:, None], box_pixels(box), mode="bicubic", align_corners=False
    )[:, 0]
    return found


@torch.no_grad()
def located(maps: Tensor, box: Tensor) -> Located:
    """The keypoints of (K, h, w) heat maps over a (4,) xyxy box.

    Equal to torchvision's `keypointrcnn_inference`, bit for bit.
    """
    values = resized(maps, box)
    height, width = values.shape[-2:]
    best = values.flatten(1).argmax(dim=1)
    rows, columns = best // width, best % width
    across = (box[2] - box[0]).clamp(min=1) / width
    down = (box[3] - box[1]).clamp(min=1) / height
    x = (columns.float() + 0.5) * across + box[0]
    y = (rows.float() + 0.5) * down + box[1]
    scores = values[torch.arange(len(values), device=values.device), rows, columns]
    return Located(
        (height, width), torch.stack([rows, columns], dim=1), torch.stack([x, y], dim=1), scores
    )


def softmax_maps(maps: Float32) -> Float32:
    """(K, h, w) logits -> (K, h, w) probabilities of the places; those of a keypoint sum to 1.

    What the branch is trained on: a cross-entropy over all places of the map.
    """
    flat = maps.reshape(len(maps), -1)
    flat = np.exp(flat - flat.max(axis=1, keepdims=True), dtype=np.float32)
    shares: Float32 = (flat / flat.sum(axis=1, keepdims=True)).reshape(maps.shape)
    return shares


def maxima(maps: Float32) -> NDArray[np.int64]:
    """(K, 2) row and column of the largest value of each of (K, h, w) maps."""
    best = maps.reshape(len(maps), -1).argmax(axis=1)
    return np.stack([best // maps.shape[2], best % maps.shape[2]], axis=1).astype(np.int64)
