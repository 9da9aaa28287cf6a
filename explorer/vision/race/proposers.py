"""Regions for the lanes that need them from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.resources import resource_path
from explorer.vision.classic.selective_search import regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

PROPOSERS = {
    "selective search": "fast",
    "selective search, one strategy": "single",
    "selective search, quality": "quality",
    "fixed boxes": "",
}
"""Words for people -> mode of the search; none for boxes that do not look at the photo."""

LONG = 500
"""The photo is searched at this long side at most; Uijlings et al. 2013 have pictures of 500."""

MOST = 2000


def proposed(pixels: NDArray[np.uint8], proposer: str) -> Float32:
    """(N, 4) float32 xyxy in the photo's pixels, the best first, N <= MOST.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        proposer: One of `PROPOSERS`.
    """
    height, width = pixels.shape[:2]
    mode = PROPOSERS[proposer]
    if not mode:
        with np.load(resource_path("weights", "fixed-proposals.npz")) as file:
            parts = file["boxes"].astype(np.float32)[:MOST]
        found: Float32 = parts * np.array([width, height] * 2, np.float32)
        return found
    scale = min(1.0, LONG / max(height, width))
    small = pixels
    if scale < 1:
        import cv2

        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    back = np.array([width / small.shape[1], height / small.shape[0]] * 2, np.float32)
    boxes: Float32 = regions(np.ascontiguousarray(small), mode, most=MOST) * back
    shorter = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
    large: Float32 = boxes[shorter >= 1]
    return large
