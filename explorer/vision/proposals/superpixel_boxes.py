"""A box around every superpixel, from a few large ones to many small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.classic.superpixels import bounds, superpixels
from explorer.vision.proposals.windows import once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

SCALES = (800, 400, 200, 100, 50, 25)
"""Of the graph-based superpixels, in pixels, from few to many."""

COUNTS = (16, 32, 64, 128, 256, 512)
"""Of the SLIC superpixels, from few to many."""


def graph(pixels: UInt8, most: int, seed: int) -> tuple[Float32, None]:
    """Superpixels of Felzenszwalb & Huttenlocher 2004."""
    return once([bounds(superpixels(pixels, k)) for k in SCALES])[:most], None


def slic(pixels: UInt8, most: int, seed: int) -> tuple[Float32, None]:
    """Superpixels of Achanta et al. 2012."""
    import cv2

    height, width = pixels.shape[:2]
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)
    found = []
    for count in COUNTS:
        side = max(2, round((height * width / count) ** 0.5))
        if side > min(height, width):
            continue
        cut = cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLICO, side)
        cut.iterate(5)
        cut.enforceLabelConnectivity(25)
        found.append(bounds(np.asarray(cut.getLabels(), np.int32)))
    return once(found)[:most], None
