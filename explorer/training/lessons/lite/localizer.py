"""Training of the localizers: all boxes on one classifier learn from one pass through it.

Pascal VOC's 20 classes in windows about single objects. The body is that of a trained
`lite-fasterrcnn` and stays as it is; the last convolution and the classes learn along with the
boxes, and are the same in all of the networks. Simonyan & Zisserman 2014, appendix A; the loss is
that of Carion et al. 2020 ("DETR"): what the overlap lacks (Rezatofighi et al. 2019) plus the
distance of the sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_iou, generalized_box_iou_loss

from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.networks.embedded.lite import HEAD, MEAN, STAGES, STD, EfficientNetLite0
from explorer.networks.embedded.localizer import BoxHead
from explorer.networks.preprocess import Preprocess
from explorer.training.cards import Facts, Share, rounded
from explorer.training.checkpoints import part_of
from explorer.training.data.pool import complete, read_pool, read_voc_pool
from explorer.training.data.windows import SHARE, WindowMaker, held_out_windows
from explorer.training.evaluate import photo_figures
from explorer.training.lessons.lite import detector
from explorer.training.lite_body import folded_maps, normalized
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.networks.embedded.localizer import Attach
    from explorer.training.data.canvases import Canvas
    from explorer.training.data.pool import Pool
    from explorer.training.lessons.registry import Material

DETECTOR, BODY = "lite-fasterrcnn", "backbone.body."
"""The network whose part these stand on, and how that part's weights are called there."""

FROZEN = ("conv_stem", "bn1", "blocks")
"""The layers of the classifier that are the detector's."""

LAST = ("conv_head", "bn2")
"""Those that begin as ImageNet's and learn."""

CLASSES = VOC_CLASSES[1:]

SIDE = 224
"""To which every photo is resized whatever its shape."""

RECIPE = Recipe(
    epochs=6, batch=32, peak=1e-3, warmup=0.05, decay=0.02, average=0.997, clip=10.0,
    optimizer="adamw", floor=0.01,
)  # fmt: skip

SMOOTHING = 0.05

DISTANCE_WEIGHT = 2.0
"""Of the mean distance of a side, beside 1 - GIoU."""

EACH = 4
"""Windows about every object of the photos that are kept apart."""

HEADS: dict[str, tuple[Attach, bool]] = {
    "conv": ("conv", False),
    "conv-class": ("conv", True),
    "fc": ("fc", False),
    "fc-class": ("fc", True),
}
"""End of a network's name -> where its boxes come from, and whether every class has its own."""

TOGETHER = "lite-boxes"
"""The training that makes all of them; its first network's file has the classifier of all."""

FAILURES = (
    "Outputs one of 20 classes and one box whatever is in the photo. Seen on held-out photos: other"
    " things get a similar class (a baboon as a bird, food and a toilet as a dining table); objects"
    " that are small in the photo get a box that is too large and often another class (an aeroplane"
    " in the sky as a person, a running dog as a horse); with several objects the box lies across"
    " two of them; of two sheep it shows half of each."
)
MORE_FAILURES = {
    "fc": " Pooled features hardly say where things are: boxes are larger than their objects and"
    " closer to the middle of the photo.",
    "class": " Every class learns its box from its own objects only: boxes are slightly less"
    " accurate than those of the network with one box for all classes.",
}
"""By what a network's name has in it."""


def networks(name: str) -> tuple[str, ...]:
    """See `lessons`."""
    return tuple(f"{name}-{head}" for head in HEADS)


class BoxHeads(nn.Module):
    """A classifier and all of `HEADS` on it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = EfficientNetLite0(len(CLASSES))
        self.heads = nn.ModuleDict(
            {
                name: BoxHead(HEAD, attach, len(CLASSES) if per_class else 1)
                for name, (attach, per_class) in HEADS.items()
            }
        )

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(N, 320, h, w) of the body's stages -> logits (N, C), and the boxes of every head.

        Boxes are (N, 1 or C, 4) fractions, not clipped.
        """
        last, vector, logits = self.body.ends(x)
        boxes = {
            name: self.heads[name](last if attach == "conv" else vector)
            for name, (attach, _) in HEADS.items()
        }
        return logits, boxes


@dataclass(slots=True, eq=False, kw_only=True)
class LiteLocalizerTask:
    """See `loop.Task`.

    Args:
        pool: The photos, with all their categories.
        weights: Of the trained `lite_fasterrcnn`; None = random ones.
        classifier: Of the ImageNet classifier, for the last convolution; None = random ones.
        recipe: The numbers.
        name: Of the training.
    """

    pool: Pool
    weights: dict[str, Tensor] | None
    classifier: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = TOGETHER
    photos: int = field(init=False)
    maker: WindowMaker = field(init=False)

    def __post_init__(self) -> None:
        self.maker = WindowMaker(self.pool, CLASSES, SIDE)
        self.photos = len(self.maker.objects)

    def settings(self) -> dict[str, object]:
        return {
            "body": DETECTOR,
            "frozen": "body but the last convolution",
            "objects": self.photos,
            "part of a window that is its object": list(SHARE),
            "label smoothing": SMOOTHING,
        }

    def build(self) -> nn.Module:
        model = BoxHeads()
        own = model.body.state_dict()
        if self.classifier is not None:
            own |= {k: v for k, v in self.classifier.items() if k.split(".")[0] in LAST}
        if self.weights is not None:
            own |= part_of(self.weights, BODY)
        model.body.load_state_dict(own)
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        for part in FROZEN:
            model.get_submodule(f"body.{part}").eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        return localizer_losses(model, self.maker.batch(rng, self.recipe.batch), device)


def localizer_losses(
    model: Any, windows: Sequence[Canvas], device: torch.device
) -> dict[str, Tensor]:
    """`class`, the cross-entropy of the classes, and `box_loss` of every head.

    Args:
        model: `BoxHeads` with a frozen body.
        windows: With one object each.
        device: Where the model is.
    """
    with torch.no_grad():
        (stage,) = folded_maps(model.body, normalized(windows, device), (len(STAGES) - 1,))
    logits, boxes = model(stage)
    truth, labels = (part.to(device) for part in truth_of(windows))
    with torch.autocast(device.type, enabled=False):
        named = functional.cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING)
        return {
            "class": named,
            **{name: box_loss(found.float(), labels, truth) for name, found in boxes.items()},
        }


def truth_of(windows: Sequence[Canvas]) -> tuple[Tensor, Tensor]:
    """(N, 4) float32 boxes as fractions of their windows, and (N,) labels."""
    boxes = np.concatenate(
        [w.boxes / np.array([*w.pixels.shape[1::-1]] * 2, np.float32) for w in windows]
    )
    return torch.from_numpy(boxes), torch.from_numpy(np.concatenate([w.labels for w in windows]))


def box_loss(boxes: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
    """1 - GIoU and the mean distance of the sides.

    Args:
        boxes: (N, 1, 4) or (N, C, 4).
        labels: (N,) the class whose box learns.
        truth: (N, 4).
    """
    one = torch.zeros_like(labels) if boxes.shape[1] == 1 else labels
    mine = boxes[torch.arange(len(boxes), device=boxes.device), one]
    overlap = generalized_box_iou_loss(mine, truth, reduction="mean")
    loss: Tensor = overlap + DISTANCE_WEIGHT * functional.l1_loss(mine, truth)
    return loss


def task(name: str, material: Material) -> LiteLocalizerTask:
    """See `lessons`."""
    return LiteLocalizerTask(
        pool=complete(read_pool(material.folder)),
        weights=material.trained(DETECTOR),
        classifier=detector.package_weights(),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def shipped(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: the classifier and one of the heads that learned together."""
    mine = f"heads.{_head(name)}."
    return {
        key.replace(mine, "head."): value
        for key, value in weights.items()
        if key.startswith(("body.", mine))
    }


def begun(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: what the files of the networks hold under the names in `BoxHeads`."""
    found = {}
    for network in networks(TOGETHER):
        for key, value in part_of(weights, f"{network}.").items():
            mine = f"heads.{_head(network)}."
            found[mine + key.removeprefix("head.") if key.startswith("head.") else key] = value
    return found


def _head(name: str) -> str:
    return name.removeprefix(f"{TOGETHER}-")


def facts(name: str, material: Material) -> Facts:
    """See `lessons`."""
    attach, per_class = HEADS[_head(name)]
    found = detector.facts(DETECTOR, material)
    shares = [Share(DETECTOR, f"body.{part}.", f"{BODY}{part}.") for part in FROZEN]
    first = networks(TOGETHER)[0]
    if name != first:
        own = [f"body.{part}." for part in (*LAST, "classifier")]
        shares += [Share(first, part, part) for part in own]
    more = [words for kind, words in MORE_FAILURES.items() if kind in _head(name).split("-")]
    boxes = ", per class" if per_class else ""
    place = "conv" if attach == "conv" else "pooled"
    return replace(
        found,
        title=f"Lite localizer: {place}{boxes}",
        task="localization",
        function="lite_localizer",
        kwargs={"num_classes": len(CLASSES), "attach": attach, "per_class": per_class},
        classes=list(CLASSES),
        preprocessing={
            "resize": [SIDE, SIDE], "crop": None, "mean": list(MEAN), "std": list(STD),
            "interpolation": "bilinear", "batched": True,
        },
        example=(1, 3, SIDE, SIDE),
        measured_on="windows about single objects of 50 held-out photos of Pascal VOC",
        default_layer="body.blocks.4",
        shares=tuple(shares),
        extra={"failures": FAILURES + "".join(more)},
    )  # fmt: skip


@torch.inference_mode()
def localization(model: nn.Module, windows: Sequence[Canvas]) -> dict[str, float]:
    """How often the first class is wrong, its box is, and one of both (Russakovsky et al. 2015).

    Args:
        model: As `LiteLocalizer`, in eval mode.
        windows: With one object each that it has not seen.

    Returns:
        `localization_error`: class wrong or IoU under 0.5; `top1`; `box_error`: IoU under 0.5,
        whatever the class; `mean_iou`.
    """
    device = next(model.parameters()).device
    right, overlap = [], []
    for start in range(0, len(windows), RECIPE.batch):
        some = windows[start : start + RECIPE.batch]
        found = model(normalized(some, device))
        truth, labels = truth_of(some)
        right.append(found["logits"].argmax(1).cpu() == labels)
        overlap.append(box_iou(found["boxes"].cpu(), truth).diagonal())
    hit, iou = torch.cat(right), torch.cat(overlap)
    return {
        "localization_error": 1 - float((hit & (iou >= 0.5)).float().mean()),
        "top1": float(hit.float().mean()),
        "box_error": float((iou < 0.5).float().mean()),
        "mean_iou": float(iou.mean()),
    }


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`: in windows, and on whole photos with a single object."""
    found: dict[str, Any] = {}
    if material.voc is not None:
        found |= rounded(localization(model, voc_windows(material.voc)))
        steps = Preprocess(resize=(SIDE, SIDE), mean=MEAN, std=STD)
        found["VOC photos of one object"] = photo_figures(
            model, CLASSES, material.voc, "localization", steps
        )
    if material.coco is not None:
        windows = held_out_windows(read_pool(material.coco, least=1), CLASSES, SIDE, EACH)
        found["windows of COCO photos"] = rounded(localization(model, windows))
    return found


def voc_windows(folder: Any) -> list[Canvas]:
    """Those of `measure`."""
    return held_out_windows(read_voc_pool(folder), CLASSES, SIDE, EACH)
