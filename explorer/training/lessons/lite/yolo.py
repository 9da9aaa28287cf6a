"""Training of `lite-yolo-v1`: a head on the frozen body of `lite-fasterrcnn`.

Redmon et al. 2016, "You Only Look Once", with Pascal VOC's 20 classes as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.networks.embedded.yolo import lite_yolo_v1
from explorer.training.cards import Share
from explorer.training.checkpoints import part_of
from explorer.training.data.canvas_task import CanvasTask, mosaics_at
from explorer.training.data.canvases import MOSAICS
from explorer.training.data.pool import complete, read_pool, with_classes
from explorer.training.evaluate import photo_figures
from explorer.training.lessons.lite import detector
from explorer.training.lite_body import folded_maps, normalized
from explorer.training.loop import Recipe
from explorer.training.yolo_losses import Truth, v1_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from explorer.training.cards import Facts
    from explorer.training.data.canvases import Canvas
    from explorer.training.lessons.registry import Material

DETECTOR, BODY = "lite-fasterrcnn", "backbone.body."
"""The network whose part this one stands on, and how that part's weights are called there."""

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.02, average=0.997, clip=10.0,
    optimizer="adamw", floor=0.01,
)  # fmt: skip

SCORE_THRESHOLD = 0.3
"""Of the card: of the boxes above it on the held-out COCO photos 58 % are correct."""

FAILURES = (
    "Each of the 7 x 7 cells has one class and two boxes: of objects whose centers lie in one cell"
    " one is found, small objects are missed, and boxes are less accurate than those of"
    " lite-fasterrcnn."
)


@dataclass(slots=True, eq=False, kw_only=True)
class LiteYoloTask(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: The photos, with the network's classes.
        weights: Of the trained `lite_fasterrcnn`; None = random ones.
        recipe: The numbers.
        name: Of the network.
    """

    weights: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-yolo-v1"

    def settings(self) -> dict[str, object]:
        return {"body": DETECTOR, "frozen": "body", "four photos on a canvas": MOSAICS}

    def build(self) -> nn.Module:
        model = lite_yolo_v1(len(self.pool.names))
        if self.weights is not None:
            model.body.load_state_dict(part_of(self.weights, BODY))
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("body").eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return yolo_losses(model, self.canvases(step, mosaics_at(progress)), device)


def yolo_losses(model: Any, canvases: Sequence[Canvas], device: torch.device) -> dict[str, Tensor]:
    """The losses of a `lite_yolo_v1` on canvases, resized to squares as photos are.

    Args:
        model: With a frozen body.
        canvases: Of one shape.
        device: Where the model is.
    """
    width, height = model.transform.fixed_size
    pixels = functional.interpolate(
        normalized(canvases, device), (height, width), mode="bilinear", align_corners=False
    )
    with torch.no_grad():
        _, middle, coarse = folded_maps(model.body, pixels)
    numbers = model.predict((middle, coarse))
    with torch.autocast(device.type, enabled=False):
        return v1_losses(model, numbers, truth_of(canvases, device))


def truth_of(canvases: Sequence[Canvas], device: torch.device) -> Truth:
    """The objects and ignored regions of canvases as parts of their width and height."""
    height, width = canvases[0].pixels.shape[:2]
    size = np.array([width, height, width, height], np.float32)
    picture = np.repeat(np.arange(len(canvases)), [len(c.boxes) for c in canvases])
    return Truth(
        torch.from_numpy(picture).to(device),
        torch.from_numpy(np.concatenate([c.boxes for c in canvases]) / size).to(device),
        torch.from_numpy(np.concatenate([c.labels for c in canvases])).to(device),
        tuple(torch.from_numpy(c.ignored / size) for c in canvases),
    )


def task(name: str, material: Material) -> LiteYoloTask:
    """See `lessons`."""
    return LiteYoloTask(
        pool=complete(with_classes(read_pool(material.folder), VOC_CLASSES)),
        weights=material.trained(DETECTOR),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        title="Lite YOLO v1",
        function="lite_yolo_v1",
        kwargs={"num_classes": len(VOC_CLASSES)},
        classes=list(VOC_CLASSES),
        default_layer="body.blocks.4",
        shares=(Share(DETECTOR, "body.", BODY),),
        extra={"score_threshold": SCORE_THRESHOLD, "failures": FAILURES},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`: Pascal VOC's classes, on its photos first."""
    return voc_first(model, VOC_CLASSES, material)


def voc_first(model: nn.Module, names: Sequence[str], material: Material) -> dict[str, Any]:
    """The metrics of a detector on Pascal VOC's photos, and under "COCO photos" those on COCO's."""
    found: dict[str, Any] = {}
    if material.voc is not None:
        found |= photo_figures(model, names, material.voc)
    if material.coco is not None:
        found["COCO photos"] = photo_figures(model, names, material.coco)
    return found
