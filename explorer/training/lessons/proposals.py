"""Fixed proposals: the boxes of the training photos and scenes, clustered.

They do not look at the picture at all (Lenc & Vedaldi 2015, "R-CNN minus R").
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import numpy as np

from explorer.evaluation.scenes import SceneMaker, held_out_scenes
from explorer.training.data import clusters
from explorer.vision.detection.boxes import recall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.evaluation.scenes import Scene
    from explorer.training.lessons.registry import Material

log = logging.getLogger(__name__)

COUNT = 2000
SCENES = 4000
"""Of which the boxes are taken beside those of the photos."""

FILE = "fixed-proposals.npz"


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes FILE with `boxes` (N, 4) float16 in [0, 1], the largest cluster first.

    `figures` in the same file is JSON: the recall on scenes of photos that were not used.
    """
    maker = SceneMaker(material.train, material.group_labels)
    rng = np.random.default_rng(material.seed)
    scenes = [maker.make(rng) for _ in range(SCENES)]
    height, width = material.train.pixels.shape[1:3]
    photos = material.train.boxes / np.array([width, height] * 2, np.float32)
    # as many of the one kind as of the other: people open photos, detectors are judged on scenes
    parts = np.concatenate([in_parts(scene) for scene in scenes])
    photos = photos[rng.permutation(len(photos))[: len(parts)]]
    found = clusters.proposals(np.concatenate([photos, parts]), COUNT, seed=material.seed)
    figures = recalls(found, held_out_scenes(SceneMaker(material.val, material.group_labels)))
    log.info("%s: %d boxes, %s", name, len(found), figures)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / FILE, boxes=found.astype(np.float16), figures=np.array(json.dumps(figures))
    )


def in_parts(scene: Scene) -> NDArray[np.float32]:
    """The boxes of a scene as fractions of its width and height."""
    height, width = scene.pixels.shape[:2]
    sides: NDArray[np.float32] = np.array([width, height] * 2, np.float32)
    return np.divide(scene.boxes, sides)


def recalls(boxes: NDArray[np.float32], scenes: Sequence[Scene]) -> dict[str, float]:
    """Which part of the objects the first boxes cover with an IoU of at least 0.5 and 0.7."""
    figures = {}
    for count in (100, 500, len(boxes)):
        hits = np.zeros(2)
        objects = 0
        for scene in scenes:
            if len(scene.boxes):
                found = recall(in_parts(scene), boxes[:count])
                hits += np.array(found) * len(scene.boxes)
                objects += len(scene.boxes)
        for threshold, hit in zip((0.5, 0.7), hits, strict=True):
            figures[f"recall of {count} at IoU {threshold}"] = round(float(hit / objects), 4)
    return figures
