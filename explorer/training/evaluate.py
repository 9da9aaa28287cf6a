"""The scenes and photos that the metrics on the cards come from, and how good a detector is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from PIL import Image

from explorer.evaluation.coco import coco_ap
from explorer.evaluation.datasets import open_source
from explorer.evaluation.metrics import Found, Objects
from explorer.evaluation.run import evaluate
from explorer.evaluation.scenes import SCENES, Scene, SceneMaker, held_out_scenes
from explorer.networks.class_names import COCO_GROUPS, label_names
from explorer.networks.given import from_module
from explorer.networks.preprocess import Preprocess
from explorer.training.cards import rounded
from explorer.training.data.scene_task import to_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from explorer.core.network_info import Task
    from explorer.training.lessons.registry import Material


def measured(
    figures: Callable[[Sequence[Scene]], dict[str, Any]],
    material: Material,
) -> dict[str, Any]:
    """The metrics of a card: of held-out scenes and, where they are given, of COCO photos.

    Args:
        figures: Of some scenes.
        material: The data.
    """
    maker = SceneMaker(material.val, material.group_labels)
    found = rounded(figures(held_out_scenes(maker, SCENES)))
    if material.coco is not None:
        found["COCO photos"] = rounded(figures(coco_scenes(material.coco)))
    return found


def coco_scenes(folder: Path, file: str = "instances.json") -> list[Scene]:
    """Photos with COCO annotations (`folder`/`file` and images/), labeled with groups.

    Objects of classes that have no group are ignored, and so are crowds. The scenes have masks
    where the file has an outline for every object.
    """
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    number = {name: label for label, name in enumerate(label_names())}
    names = {category["id"]: category["name"] for category in content["categories"]}
    scenes = []
    for image in content["images"]:
        with Image.open(folder / "images" / image["file_name"]) as photo:
            pixels = np.array(photo.convert("RGB"))
        known = [
            (note, number[COCO_GROUPS[names[note["category_id"]]]])
            for note in content["annotations"]
            if note["image_id"] == image["id"]
            and names[note["category_id"]] in COCO_GROUPS
            and not note.get("iscrowd")
        ]
        boxes = np.array([note["bbox"] for note, _ in known], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([label for _, label in known], np.int64)
        masks = None
        if all(note.get("segmentation") for note, _ in known):
            masks = np.zeros((len(known), *pixels.shape[:2]), np.bool_)
            for mask, (note, _) in zip(masks, known, strict=True):
                mask[:] = inside(note["segmentation"], pixels.shape[:2])
        scenes.append(Scene(pixels, boxes, labels, np.full_like(labels, -1), masks))
    return scenes


def inside(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool: what COCO's outlines of one object, x0, y0, x1, y1 …, enclose."""
    mask = np.zeros(size, np.uint8)
    for polygon in polygons:  # pixel j covers [j, j + 1) here, and its middle is j for OpenCV
        corners = np.round(np.reshape(polygon, (-1, 2)) - 0.5).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1)
    return mask.astype(np.bool_)


BY_CLASS: dict[Task, str] = {"detection": "AP50", "segmentation": "IoU"}
"""The metric that a card has for every class."""


def photo_figures(
    model: nn.Module,
    names: Sequence[str],
    folder: Path,
    task: Task = "detection",
    preprocess: Preprocess | None = None,
) -> dict[str, Any]:
    """The metrics of `explorer evaluate` for a network on photos with annotations.

    Args:
        model: In eval mode, on the CPU.
        names: Of its classes, the background first.
        folder: Whatever `explorer evaluate` takes for the task.
        task: Its task.
        preprocess: What a photo goes through; None = nothing, as a detector does it by itself.

    Returns:
        The metrics in [0, 1] (`AP50` and so on), and one of them by class.
    """
    steps = preprocess or Preprocess(batched=False)
    network = from_module(model, task=task, classes=names, preprocess=steps)
    *_, last = evaluate(network, open_source(folder, task))
    report, key = last.value, BY_CLASS[task]
    return {
        **rounded(dict(report.figures)),
        f"{key} by class": {name: round(row[key], 4) for name, row in report.by_class.items()},
    }


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
    """COCO's metrics as on a card; see `explorer.evaluation.coco.coco_ap`.

    Args:
        scenes: The ground truth.
        found: For every scene what `detect` returns.
        names: By label; 0 is the background.

    Returns:
        `AP` (mean over IoU 0.5..0.95), `AP50`, `AR` (100 boxes) in [0, 1], and `AP50 by class`.

    Raises:
        ExplorerError: faster-coco-eval is not installed.
    """
    answers = [
        Found(result["boxes"], result["labels"].astype(np.int64), result["scores"])
        for result in found
    ]
    result = coco_ap([Objects.plain(scene.boxes, scene.labels) for scene in scenes], answers)
    by_class = {names[label]: round(own.ap50, 4) for label, own in result.by_class.items()}
    return {"AP": result.ap, "AP50": result.ap50, "AR": result.ar, "AP50 by class": by_class}
