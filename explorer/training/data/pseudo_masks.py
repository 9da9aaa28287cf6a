"""Masks for photos that only have a box: GrabCut inside the box.

Khoreva et al. 2017, "Simple Does It: Weakly Supervised Instance and Semantic Segmentation": what
GrabCut (Rother et al. 2004) takes for the object inside its box is good enough to learn from. They
are pseudo-masks: nobody looked at them.
"""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.storage.guard import check_outputs
from explorer.core.storage.written import remember
from explorer.evaluation.photo_set import PhotoSet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.lessons.registry import Material

log = logging.getLogger(__name__)

PSEUDO = (
    "Trained on pseudo-masks: GrabCut's segmentation of the object inside the one box of each 64 x"
    " 64 photo. They were neither drawn nor checked by hand; expect rough outlines."
)
"""What the cards say."""

EVERY = 3
"""Of the photos for training one in so many gets a mask."""

ITERATIONS = 3

PART = (0.2, 0.95)
"""Of the box that a mask covers at least and at most; else GrabCut lost the object and the whole
box is taken."""

_LIKELY, _SURE = 1.1, 0.35
"""Semi-axes of the ellipses around the box's middle, in half sides of the box: GrabCut begins with
the first one as object and the box's corners as ground, and may not take the second one away. So
it knows some ground where the box fills the photo."""

_CHUNK = 1000


def grab_cut(pixels: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The object in a box.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        box: x0, y0, x1, y1 in pixel edges, y down.

    Returns:
        (H, W) bool, False outside the box. It is a function of its arguments alone.
    """
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    inside = np.zeros((height, width), np.bool_)
    inside[y0:y1, x0:x1] = True
    distance = _from_middle(box, height, width)
    trimap = np.full((height, width), cv2.GC_BGD, np.uint8)
    trimap[inside] = cv2.GC_PR_BGD
    trimap[inside & (distance <= _LIKELY)] = cv2.GC_PR_FGD
    trimap[inside & (distance <= _SURE)] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # for the clusters that its color models begin with
    ground, thing = np.zeros((1, 65)), np.zeros((1, 65))
    whole, way = (0, 0, width, height), cv2.GC_INIT_WITH_MASK
    try:
        cv2.grabCut(np.ascontiguousarray(pixels), trimap, whole, ground, thing, ITERATIONS, way)
    except cv2.error:  # too few pixels on either side for a color model
        return inside
    found: NDArray[np.bool_] = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    part = found.sum() / max(1, inside.sum())
    return found if PART[0] <= part <= PART[1] else inside


def _from_middle(box: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    # 1 on the ellipse that touches the four sides of the box
    across = (np.arange(width) + 0.5 - (box[0] + box[2]) / 2) / ((box[2] - box[0]) / 2)
    down = (np.arange(height) + 0.5 - (box[1] + box[3]) / 2) / ((box[3] - box[1]) / 2)
    found: NDArray[np.float64] = np.hypot(across[None], down[:, None])
    return found


def masked_photos(material: Material, split: str) -> tuple[PhotoSet, NDArray[np.uint8]]:
    """The photos of "train" or "val" that learn masks, and `packed_masks`, kept beside the pixels.

    Of those for training every third one: what learns masks has a body that knows all of them.
    """
    photos = material.train if split == "train" else material.val
    if split == "train":
        photos = PhotoSet(photos.pixels[::EVERY], photos.labels[::EVERY], photos.boxes[::EVERY])
    return photos, packed_masks(photos, material.root / "cache" / f"{split}-masks.npy")


def packed_masks(
    photos: PhotoSet, cache: Path | None = None, *, workers: int | None = None
) -> NDArray[np.uint8]:
    """The pseudo-mask of every photo, from `cache` when it is there.

    About 7 ms a photo, once.

    Args:
        photos: With their boxes.
        cache: A .npy of an earlier call for the same photos; it is written when it is not there.
        workers: PhotoSet at the same time; None = as many as there are processors.

    Returns:
        (N, H, W / 8) uint8, see `explorer.evaluation.scenes.unpacked`; mapped from the file.
    """
    count, height, width = photos.pixels.shape[:3]
    shape = (count, height, -(-width // 8))
    if cache is not None and cache.exists():
        mapped: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
        if mapped.shape == shape:
            return mapped
        check_outputs([cache], [], permit="delete it")
    log.info("GrabCut inside %d boxes", count)
    masks = np.empty(shape, np.uint8)
    said = time.monotonic()
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:  # OpenCV works without the GIL
        for start in range(0, count, _CHUNK):
            rows = range(start, min(start + _CHUNK, count))
            masks[start : rows.stop] = list(pool.map(partial(_packed, photos), rows))
            if time.monotonic() - said > 20:
                log.info("GrabCut: %d of %d photos", rows.stop, count)
                said = time.monotonic()
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial_file = cache.with_suffix(f".{os.getpid()}.partial")
        with partial_file.open("wb") as file:
            np.save(file, masks)
        partial_file.replace(cache)
        remember(cache)
    return masks


def _packed(photos: PhotoSet, index: int) -> NDArray[np.uint8]:
    return np.packbits(grab_cut(photos.pixels[index], photos.boxes[index]), axis=1)
