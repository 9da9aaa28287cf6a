"""Training of boxes on the classifiers: all heads of one body learn from one pass through it.

The body is frozen and gets random parts of photos; the box is cut to the part. Simonyan &
Zisserman 2014, appendix A; the loss is that of Carion et al. 2020 ("DETR"): what the overlap lacks
(Rezatofighi et al. 2019) plus the distance of the sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_iou, generalized_box_iou_loss

from explorer.networks.embedded.localizer import BODIES, BoxHead
from explorer.training.cards import Share, rounded
from explorer.training.lessons import vgg
from explorer.training.lessons.classifier import (
    SIDE,
    batch_rows,
    batches,
    classifier_facts,
    random_crop,
    seen_through,
)
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from explorer.evaluation.photo_set import PhotoSet
    from explorer.networks.embedded.localizer import Attach
    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(epochs=3, batch=128, peak=0.2, warmup=0.1, decay=1e-4, average=0.998)

DISTANCE_WEIGHT = 2.0
"""Of the mean distance of a side, beside 1 - GIoU."""

AREA, RATIO = (0.55, 1.0), (0.8, 1.25)
"""Parts of photos that are shown: large ones, because whole photos are what is asked about."""

HEADS: dict[str, tuple[Attach, bool]] = {
    "conv": ("conv", False),
    "conv-class": ("conv", True),
    "fc": ("fc", False),
    "fc-class": ("fc", True),
}
"""End of a network's name -> where its boxes come from, and whether every class has its own."""

SIDES = {"mini_resnet": SIDE, "mini_vgg": vgg.SIDE}


def networks(name: str) -> tuple[str, ...]:
    """See `lessons`: "mini-boxes-resnet" makes "mini-boxes-resnet-conv" and the others."""
    return tuple(f"{name}-{head}" for head in HEADS)


class BoxHeads(nn.Module):
    """A frozen classifier and all of `HEADS` on it."""

    def __init__(self, body: str, num_classes: int, grid: int) -> None:
        super().__init__()
        self.body = BODIES[body](num_classes)
        self.heads = nn.ModuleDict()
        for name, (attach, per_class) in HEADS.items():
            channels = self.body.channels[0 if attach == "conv" else 1]
            boxes = num_classes if per_class else 1
            self.heads[name] = BoxHead(channels, attach, boxes, grid=grid)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) -> for every head its (N, 1 or C, 4) boxes, not clipped."""
        with torch.no_grad():
            found, vector, _ = self.body.taps(images)
        return {
            name: self.heads[name](found if attach == "conv" else vector)
            for name, (attach, _) in HEADS.items()
        }


@dataclass(slots=True, eq=False)
class LocalizerTask:
    """For the loop; see `loop.Task`.

    Args:
        data: PhotoSet with one box each.
        body: A name of `BODIES`.
        weights: Of the trained body; None begins from random ones.
        num_classes: Of the body.
    """

    data: PhotoSet
    body: str
    weights: dict[str, Tensor] | None = None
    recipe: Recipe = RECIPE
    num_classes: int = 200
    name: str = "mini-boxes-resnet"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.data)

    def settings(self) -> dict[str, object]:
        return {"body": self.body, "side": SIDES[self.body], "area": AREA, "ratio": RATIO}

    def build(self) -> nn.Module:
        model = BoxHeads(self.body, self.num_classes, grid_of(self.body))
        if self.weights is not None:
            model.body.load_state_dict(self.weights)
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("body").eval().requires_grad_(requires_grad=False)
        for name, (_, per_class) in HEADS.items():
            if per_class:
                # A class's own rows learn from one photo in C: without this as much slower.
                last: Any = model.get_submodule(f"heads.{name}.fc2")
                for weight in (last.weight, last.bias):
                    weight.register_hook(partial(torch.mul, self.num_classes / 2))

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(step_seed(self.recipe.seed, step))
        rows = batch_rows(step, len(self.data), self.recipe.batch, self.recipe.seed)
        pixels = torch.from_numpy(self.data.pixels[rows]).to(device)
        labels = torch.from_numpy(self.data.labels[rows]).to(device)
        crop = random_crop(len(rows), generator, area=AREA, ratio=RATIO)
        truth, seen = boxes_in_crop(fractions(self.data)[rows], crop)
        truth, seen = truth.to(device), seen.to(device)
        found = model(seen_through(crop, pixels, SIDES[self.body], generator))
        return {name: box_loss(boxes, labels, truth, seen) for name, boxes in found.items()}


def box_loss(boxes: Tensor, labels: Tensor, truth: Tensor, seen: Tensor) -> Tensor:
    """1 - GIoU and the mean distance of the sides, over the rows that `seen` marks.

    Args:
        boxes: (N, 1, 4) or (N, C, 4).
        labels: (N,) the class whose box learns.
        truth: (N, 4).
        seen: (N,) bool.
    """
    one = torch.zeros_like(labels) if boxes.shape[1] == 1 else labels
    mine = boxes[torch.arange(len(boxes), device=boxes.device), one]
    overlap = generalized_box_iou_loss(mine, truth)
    distance = functional.l1_loss(mine, truth, reduction="none").mean(1)
    loss: Tensor = (overlap + DISTANCE_WEIGHT * distance)[seen].sum() / seen.sum().clamp(min=1)
    return loss


def boxes_in_crop(boxes: Tensor, crop: Tensor) -> tuple[Tensor, Tensor]:
    """The boxes of photos in parts of them.

    Args:
        boxes: (N, 4) x0, y0, x1, y1 as fractions of the photo.
        crop: (N, 2, 3), see `classifier.random_crop`.

    Returns:
        (N, 4) fractions of the part, cut at its edges, and (N,) bool: at least 0.4 of the box is
        left (what is left of the others is no fair question).
    """
    scale = crop[:, [0, 1, 0, 1], [0, 1, 0, 1]]
    shift = crop[:, [0, 1, 0, 1], 2]
    there = ((2 * boxes - 1 - shift) / scale + 1) / 2
    low = torch.minimum(there[:, :2], there[:, 2:])  # a mirrored box has its sides exchanged
    high = torch.maximum(there[:, :2], there[:, 2:])
    whole = (high - low).prod(1)
    low, high = low.clamp(0, 1), high.clamp(0, 1)
    return torch.cat([low, high], 1), (high - low).prod(1) >= 0.4 * whole


def fractions(data: PhotoSet) -> Tensor:
    """(N, 4) float32: the photos' boxes in parts of width and height."""
    height, width = data.pixels.shape[1:3]
    return torch.from_numpy(data.boxes / np.array([width, height] * 2, np.float32))


def grid_of(body: str) -> int:
    """Places along a side of the last map of the body at its usual side: nothing is averaged."""
    return SIDES[body] // 16


def _body(name: str) -> str:
    return "mini_vgg" if name.startswith("mini-boxes-vgg") else "mini_resnet"


def _head(name: str) -> str:
    return name.split("-", 3)[3]


def task(name: str, material: Material) -> LocalizerTask:
    """See `lessons`."""
    body = _body(name)
    weights = material.trained(body.replace("_", "-"))
    if body == "mini_vgg":
        weights = vgg.shipped(name, weights)
    recipe, classes = material.recipe(RECIPE), len(material.categories)
    return LocalizerTask(material.train, body, weights, recipe, classes, name)


def shipped(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: one head of those that learned together."""
    mine = f"heads.{_head(name)}."
    return {
        key.replace(mine, "head."): value
        for key, value in weights.items()
        if key.startswith(("body.", mine))
    }


def facts(name: str, material: Material) -> Facts:
    """See `lessons`."""
    body = _body(name)
    attach, per_class = HEADS[_head(name)]
    plain, layer = ("Mini VGG", "features.12") if body == "mini_vgg" else ("Mini ResNet", "layer3")
    place = "conv" if attach == "conv" else "FC" if body == "mini_vgg" else "pooling"
    found = classifier_facts(
        f"{plain}: {'box per class' if per_class else 'one box'} on {place}",
        "mini_localizer",
        f"body.{layer}",
        SIDES[body],
        material,
    )
    kwargs = {"body": body, "attach": attach, "per_class": per_class, "grid": grid_of(body)}
    return replace(
        found,
        task="localization",
        kwargs={**found.kwargs, **kwargs},
        shares=(Share(body.replace("_", "-"), "body.", ""),),
    )


@torch.inference_mode()
def localization(model: nn.Module, data: PhotoSet, *, side: int) -> dict[str, float]:
    """How often the first class is wrong, its box is, and one of both (Russakovsky et al. 2015).

    Args:
        model: As `MiniLocalizer`.
        data: PhotoSet it was not trained on.
        side: Resize the photos to this side first.

    Returns:
        `localization_error`: class wrong or IoU under 0.5; `top1`; `box_error`: IoU under 0.5,
        whatever the class; `mean_iou`.
    """
    device = next(model.parameters()).device
    truth, labels = fractions(data), torch.from_numpy(data.labels)
    right, overlap = [], []
    for rows, images in batches(data, device, side=side):
        found = model(images)
        right.append(found["logits"].argmax(1).cpu() == labels[rows])
        overlap.append(box_iou(found["boxes"].cpu(), truth[rows]).diagonal())
    hit, iou = torch.cat(right), torch.cat(overlap)
    return {
        "localization_error": 1 - float((hit & (iou >= 0.5)).float().mean()),
        "top1": float(hit.float().mean()),
        "box_error": float((iou < 0.5).float().mean()),
        "mean_iou": float(iou.mean()),
    }


def measure(name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    return rounded(localization(model, material.val, side=SIDES[_body(name)]))
