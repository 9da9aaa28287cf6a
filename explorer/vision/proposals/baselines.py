"""Boxes that do not depend on the photo, only on its size (Hosang et al. 2016, section 2.3)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.resources import resource_path
from explorer.vision.detection.boxes import centers
from explorer.vision.proposals.windows import grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

FIXED = "fixed-proposals.npz"


def sliding(pixels: UInt8, most: int, seed: int) -> tuple[Float32, None]:
    """Windows on a regular grid."""
    return grid(pixels.shape[0], pixels.shape[1], most), None


@lru_cache(maxsize=1)
def fixed_boxes() -> Float32:
    """(N, 4) float32 xyxy in [0, 1]: k-means over the boxes of the training photos.

    The largest cluster comes first (Lenc & Vedaldi 2015, "R-CNN minus R", section 3.2).
    """
    with np.load(resource_path("weights", FIXED), allow_pickle=False) as file:
        return np.asarray(file["boxes"], np.float32)


def fixed(pixels: UInt8, most: int, seed: int) -> tuple[Float32, None]:
    """`fixed_boxes` on this photo."""
    height, width = pixels.shape[:2]
    return fixed_boxes()[:most] * np.array([width, height] * 2, np.float32), None


@lru_cache(maxsize=1)
def box_statistics() -> NDArray[np.float64]:
    """(N, 4) float64: center x and y, root of the area, log of width over height.

    Of the fixed proposals, in shares of a square photo. The paper takes the boxes of PASCAL VOC;
    these are the centers of clusters of the boxes that the program's own networks learned from, so
    rare places count more than they do there.
    """
    x, y, width, height = centers(fixed_boxes()).astype(np.float64).T
    return np.stack([x, y, np.sqrt(width * height), np.log(width / height)], axis=1)


def uniform(pixels: UInt8, most: int, seed: int) -> tuple[Float32, None]:
    """Center, size and shape drawn evenly from their range."""
    known = box_statistics()
    low, high = np.quantile(known, (0.005, 0.995), axis=0)  # without the outermost 0.5 %
    drawn = np.random.default_rng(seed).uniform(low, high, (most, 4))
    return _from_statistics(drawn, pixels), None


def gaussian(pixels: UInt8, most: int, seed: int) -> tuple[Float32, None]:
    """Center, size and shape drawn with their mean and covariance."""
    known = box_statistics()
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(known.mean(axis=0), np.cov(known.T), most)
    return _from_statistics(drawn, pixels), None


def _from_statistics(drawn: NDArray[np.float64], pixels: UInt8) -> Float32:
    height, width = pixels.shape[:2]
    x, y, root, shape = drawn.T
    root = np.maximum(root, 0.01)
    wide, tall = root * np.exp(shape / 2), root * np.exp(-shape / 2)
    unit = np.stack([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], axis=1)
    boxes = np.clip(unit, 0, 1) * np.array([width, height] * 2)
    found: Float32 = boxes.astype(np.float32)
    return found
