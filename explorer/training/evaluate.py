"""How good a detector is, by the rules of COCO."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from explorer.errors import ExplorerError
from explorer.training.scenes import Scene, to_tensor
from explorer.training.superclasses import COCO as COCO_GROUPS
from explorer.training.superclasses import group_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from explorer.training.scenes import SceneMaker


def held_out_scenes(maker: SceneMaker, count: int = 300, seed: int = 2_015) -> list[Scene]:
    """The same scenes every time, made of photos that no training has seen."""
    return [maker.make(np.random.default_rng([seed, i])) for i in range(count)]


def coco_scenes(folder: Path) -> list[Scene]:
    """Photos with COCO annotations (`folder`/instances.json and images/), labelled with groups.

    Objects of classes that have no group are left out, and so are crowds.
    """
    content = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
    number = {name: i for i, name in enumerate(group_names(), start=1)}
    names = {category["id"]: category["name"] for category in content["categories"]}
    scenes = []
    for image in content["images"]:
        with Image.open(folder / "images" / image["file_name"]) as photo:
            pixels = np.array(photo.convert("RGB"))
        known = [
            (note["bbox"], number[COCO_GROUPS[names[note["category_id"]]]])
            for note in content["annotations"]
            if note["image_id"] == image["id"]
            and names[note["category_id"]] in COCO_GROUPS
            and not note.get("iscrowd")
        ]
        boxes = np.array([box for box, _ in known], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([label for _, label in known], np.int64)
        scenes.append(Scene(pixels, boxes, labels, np.full_like(labels, -1)))
    return scenes


def figures(model: nn.Module, scenes: Sequence[Scene], names: Sequence[str]) -> dict[str, Any]:
    """`average_precision` of what the network finds in the scenes."""
    return average_precision(scenes, detect(model, scenes), names)


@torch.inference_mode()
def detect(model: nn.Module, scenes: Sequence[Scene]) -> list[dict[str, NDArray[np.float32]]]:
    """`boxes` (N, 4) xyxy, `scores` (N,), `labels` (N,) for every scene, in the scene's pixels."""
    device = next(model.parameters()).device
    found = []
    for scene in scenes:
        result = model([to_tensor(scene).to(device)])[0]
        found.append({name: value.float().cpu().numpy() for name, value in result.items()})
    return found


def average_precision(
    scenes: Sequence[Scene],
    found: Sequence[dict[str, NDArray[np.float32]]],
    names: Sequence[str],
) -> dict[str, Any]:
    """COCO's figures, computed by faster-coco-eval.

    Args:
        scenes: The truth.
        found: For every scene what `detect` returns.
        names: By label; 0 is the background.

    Returns:
        `AP` (mean over IoU 0.5..0.95), `AP50`, `AR` (100 boxes) in [0, 1], and `AP50 by class`.

    Raises:
        ExplorerError: faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise ExplorerError(
            "Average precision needs the package faster-coco-eval.",
            'Install it with: pip install "convnet-explorer[eval]"',
        ) from error

    annotations: list[dict[str, Any]] = []
    for i, scene in enumerate(scenes):
        for box, label in zip(_xywh(scene.boxes), scene.labels, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": int(label),
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [
            {"id": i, "height": s.pixels.shape[0], "width": s.pixels.shape[1]}
            for i, s in enumerate(scenes)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": n} for i, n in enumerate(names) if i],
    }
    truth.createIndex()
    detections = [
        {"image_id": i, "category_id": int(label), "bbox": box, "score": float(score)}
        for i, result in enumerate(found)
        for box, label, score in zip(
            _xywh(result["boxes"]), result["labels"], result["scores"], strict=True
        )
    ]
    if not detections:
        return {"AP": 0.0, "AP50": 0.0, "AR": 0.0, "AP50 by class": {}}
    evaluation = COCOeval_faster(truth, truth.loadRes(detections), "bbox", print_function=_silent)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    # precision: (IoU thresholds, recall steps, classes, areas, limits); -1 = no such object
    # (classes that appear in no scene are left out of the means)
    precision = np.asarray(evaluation.eval["precision"])[0, :, :, 0, -1]
    by_class = {
        names[label]: round(float(precision[:, k].mean()), 4)
        for k, label in enumerate(evaluation.params.catIds)
        if precision[:, k].max() >= 0
    }
    stats = [float(value) for value in evaluation.stats]
    return {"AP": stats[0], "AP50": stats[1], "AR": stats[8], "AP50 by class": by_class}


def _xywh(boxes: NDArray[np.float32]) -> list[list[float]]:
    converted = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    values: list[list[float]] = converted.astype(float).tolist()
    return values


def _silent(*_words: object) -> None:
    pass
