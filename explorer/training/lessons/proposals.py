"""Fixed proposals: the boxes of the training photos, clustered.

They are independent of the picture (Lenc & Vedaldi 2015, "R-CNN minus R").
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.training.data import clusters
from explorer.training.data.pool import complete, read_pool
from explorer.vision.detection.boxes import recall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.pool import PoolPhoto
    from explorer.training.lessons.registry import Material

    Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

COUNT = 2000
APART = 10
"""One photo in this many is held out for the metrics."""

FILE = "fixed-proposals.npz"


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes FILE with `boxes` (N, 4) float16 in [0, 1], the largest cluster first.

    `figures` in the same file is JSON: the recall on photos that were not used.
    """
    photos = complete(read_pool(material.folder)).photos
    order = np.random.default_rng(material.seed).permutation(len(photos))
    apart = len(photos) // APART
    boxes = [in_parts(photos[i]) for i in order]
    known = np.concatenate(boxes[apart:])
    if len(known) == 0:
        raise ExplorerError(
            "No category of the photos has enough high-scoring objects.",
            "Give a folder with more objects.",
        )
    found = clusters.proposals(known, min(COUNT, len(known)), seed=material.seed)
    figures = recalls(found, boxes[:apart])
    log.info("%s: %d boxes of %d objects, %s", name, len(found), len(known), figures)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / FILE, boxes=found.astype(np.float16), figures=np.array(json.dumps(figures))
    )


def in_parts(photo: PoolPhoto) -> Float32:
    """The boxes of a photo as fractions of its width and height; those with positive sides."""
    with Image.open(photo.path) as picture:
        width, height = picture.size
    parts = (photo.boxes / np.array([width, height] * 2, np.float32)).clip(0, 1)
    found: Float32 = parts[(parts[:, :2] < parts[:, 2:]).all(axis=1)].astype(np.float32)
    return found


def recalls(boxes: Float32, objects: Sequence[Float32]) -> dict[str, float]:
    """Which part of the objects the first boxes cover with an IoU of at least 0.5 and 0.7.

    Args:
        boxes: (N, 4) in [0, 1].
        objects: The same for every photo.
    """
    figures = {}
    total = sum(len(there) for there in objects)
    for count in dict.fromkeys((100, 500, len(boxes))):
        hits = np.zeros(2)
        for there in objects:
            if len(there):
                hits += np.array(recall(there, boxes[:count])) * len(there)
        for threshold, hit in zip((0.5, 0.7), hits, strict=True):
            figures[f"recall of {count} at IoU {threshold}"] = round(float(hit / max(1, total)), 4)
    return figures
