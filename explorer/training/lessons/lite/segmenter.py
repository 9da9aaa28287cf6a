"""Training of `lite-deeplab`: Pascal VOC's classes, pixel by pixel, on a frozen body.

The body is that of a trained `lite-fasterrcnn`; what follows it learns from photos with masks, most
of which a teacher drew. Where the teacher was unsure nothing is learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.evaluation.masks import VOC_CLASSES
from explorer.networks.embedded.lite import MEAN, STD
from explorer.networks.embedded.lite_deeplab import lite_deeplab
from explorer.networks.preprocess import Preprocess
from explorer.training.cards import Facts, Share
from explorer.training.data.canvas_task import CanvasTask
from explorer.training.data.canvases import UNSURE_PIXEL
from explorer.training.data.pool import complete, masked, read_pool
from explorer.training.data.scene_task import part_of
from explorer.training.evaluate import photo_figures
from explorer.training.lessons.lite.detector import LICENSE
from explorer.training.lite_body import folded_maps, normalized
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.data.canvases import Canvas
    from explorer.training.lessons.registry import Material

DETECTOR = "lite-fasterrcnn"
BODY = "backbone.body."
"""Whose part of it is shared."""

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.01, average=0.995, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

STRIDE = 4
"""The loss looks at every fourth row and column, which says nearly as much."""

SHORT_SIDE = 272
"""To which a photo is resized; about that of the canvases it learns from."""

MOSAICS = 0.15

DATA = (
    "3,985 of lite-fasterrcnn's training photos, with masks of the 20 Pascal VOC classes: 973 have"
    " the data sets' own masks, the others those of a teacher (DeepLabV3 with a MobileNetV2"
    " backbone, trained on Pascal VOC)."
)
FAILURES = (
    "Trained for ten minutes only: segments people, cats, horses, buses and motorbikes, and mostly"
    " dogs and large cars; hardly ever tables, trains, plants, chairs and boats. Labels bicycles as"
    " motorbikes, distant animals as cows, bright stripes and helmets as bottles or motorbikes."
    " Thin objects are missed or too thick. Everything that is none of the 20 classes is"
    " background."
)


@dataclass(slots=True, eq=False, kw_only=True)
class LiteSegmenterTask(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: Photos with masks.
        body: Weights of the frozen body; None = random ones.
        recipe: The numbers.
        name: Of the network.
    """

    body: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-deeplab"

    def settings(self) -> dict[str, object]:
        return {"body": DETECTOR, "frozen": "body", "four photos on a canvas": MOSAICS}

    def build(self) -> nn.Module:
        model = lite_deeplab(len(VOC_CLASSES))
        if self.body is not None:
            model.body.load_state_dict(self.body)
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("body").eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        canvases = self.canvases(step, MOSAICS)
        return {"pixels": pixel_loss(model, canvases, device)}


def pixel_loss(model: Any, canvases: Sequence[Canvas], device: torch.device) -> Tensor:
    """Cross-entropy of the classes of the pixels that are known.

    Args:
        model: A `LiteDeepLab` with a frozen body.
        canvases: With masks, of one shape.
        device: Where the model is.
    """
    masks = np.stack([canvas.mask for canvas in canvases if canvas.mask is not None])
    truth = torch.from_numpy(masks[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]).to(device)
    with torch.no_grad():
        maps = folded_maps(model.body, normalized(canvases, device))
    scores = functional.interpolate(
        model.scores(*maps).float(), truth.shape[1:], mode="bilinear", align_corners=False
    )
    total = functional.cross_entropy(
        scores, truth.long(), ignore_index=UNSURE_PIXEL, reduction="sum"
    )
    return total / (truth != UNSURE_PIXEL).sum().clamp(min=1)


def task(name: str, material: Material) -> LiteSegmenterTask:
    """See `lessons`."""
    return LiteSegmenterTask(
        pool=complete(masked(read_pool(material.folder), material.folder)),
        body=part_of(material.trained(DETECTOR), BODY),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, _material: Material) -> Facts:
    """See `lessons`."""
    return Facts(
        title="Lite DeepLab",
        task="segmentation",
        function="lite_deeplab",
        kwargs={"num_classes": len(VOC_CLASSES)},
        classes=list(VOC_CLASSES),
        preprocessing={
            "resize": SHORT_SIDE, "crop": None, "mean": list(MEAN), "std": list(STD),
            "interpolation": "bilinear", "batched": True,
        },
        example=(1, 3, 320, 320),
        measured_on="128 held-out COCO photos with hand-drawn masks",
        default_layer="aspp",
        data=DATA,
        license=LICENSE,
        shares=(Share(DETECTOR, "body.", BODY),),
        extra={"failures": FAILURES},
    )  # fmt: skip


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    if material.coco is None:
        return {}
    preprocess = Preprocess(resize=SHORT_SIDE, mean=MEAN, std=STD)
    return photo_figures(model, VOC_CLASSES, material.coco, "segmentation", preprocess)
