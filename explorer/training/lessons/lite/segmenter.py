"""Training of the semantic segmentation networks: Pascal VOC's classes on frozen bodies.

Their bodies are those of a trained `lite-fasterrcnn` and of `mini-vgg`; what follows learns from
photos with masks, most of which a teacher drew. Where the teacher was unsure nothing is learned.
Each can learn alone; `TOGETHER` lists those that one training makes from the same photos and maps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.annotations.masks import read_numbers
from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.networks.embedded import color_range, lite
from explorer.networks.embedded.segmentation.decoders import lite_deconvnet, lite_unet
from explorer.networks.embedded.segmentation.deeplab import lite_deeplab
from explorer.networks.embedded.segmentation.fcn import LiteFCN, lite_fcn
from explorer.networks.embedded.segmentation.frrn import lite_frrn
from explorer.networks.embedded.segmentation.pspnet import lite_pspnet
from explorer.networks.embedded.segmentation.segnet import MiniSegNet, mini_segnet
from explorer.networks.preprocess import Preprocess
from explorer.training.cards import Facts, Share
from explorer.training.checkpoints import part_of
from explorer.training.data.canvas_task import CanvasTask
from explorer.training.data.canvases import UNSURE_PIXEL, CanvasMaker, repeats
from explorer.training.data.pool import complete, masked, read_pool
from explorer.training.evaluate import photo_figures
from explorer.training.lessons.lite.detector import LICENSE
from explorer.training.lite_body import folded_maps, normalized
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from explorer.training.data.canvases import Canvas
    from explorer.training.data.pool import Pool
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.01, average=0.995, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

RECIPE_TOGETHER = replace(RECIPE, batch=8)
"""Of several networks at once: more steps in the same time."""

STRIDE = 4
"""The loss uses every fourth row and column, which is nearly as good."""

SHORT_SIDE = 320
"""To which a photo is resized: objects are then about as large as those it learned from."""

MOSAICS = 0.15

COMMON, MOST_OFTEN = 1000, 4.0
"""Photos of classes that fewer photos show are drawn up to this much more often."""

BALANCE = 0.1
"""A pixel counts as its class's share of all pixels to the power of minus this."""

COARSER = {"out16": 0.3, "out32": 0.3}
"""Weights of the losses of FCN-16s and FCN-32s, which learn along (Shelhamer et al. 2017)."""

MASKS = (
    "5,734 of lite-fasterrcnn's training photos, with masks of the 20 Pascal VOC classes: 973 have"
    " the data sets' own masks, the others those of a teacher (DeepLabV3 with a MobileNetV2"
    " backbone, trained on Pascal VOC). 1,749 of the teacher's are of photos with boxes of classes"
    " that the others show too rarely; the boxes checked them."
)
"""With those of `teacher_masks`."""


@dataclass(frozen=True, slots=True)
class Body:
    """A frozen body: whose weights `source`… are those that are called `prefix`… here.

    `smaller` is how many times smaller than the canvases the photos are that it is given.
    """

    network: str
    prefix: str
    source: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    smaller: int = 1


LITE = Body("lite-fasterrcnn", "body.", "backbone.body.", lite.MEAN, lite.STD)
VGG = Body("mini-vgg", "features.", "features.", color_range.MEAN, color_range.STD, smaller=2)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the networks differ in; `failures` come from photos, once it is trained."""

    title: str
    make: Callable[[int], nn.Module]
    default_layer: str
    failures: str
    body: Body = LITE


KINDS = {
    "lite-deeplab": Kind(
        "Lite DeepLab",
        lite_deeplab,
        "aspp",
        "Segments people, cats, buses, motorbikes, birds and aeroplanes; parts of trains, dogs and"
        " horses; tables, boats and sofas rarely; hardly ever chairs and cars. Small and thin"
        " objects are missed or too thick. Everything that is none of the 20 classes is background,"
        " or taken for the nearest of them, often for a bottle or a car.",
    ),
    "lite-fcn": Kind(
        "Lite FCN",
        lite_fcn,
        "score_pool3",
        "Trained on few photos only: segments people, aeroplanes, buses and cats; parts of"
        " motorbikes, trains, plants, boats and dogs; hardly ever cars, chairs, tables, sofas"
        " and horses. Labels toys, flowers, clothes and shelves as bottles, plants, chairs or"
        " tables. Borders are smooth and too wide; FCN-8s is not better than FCN-16s. Everything"
        " that is none of the 20 classes is background.",
    ),
    "lite-pspnet": Kind(
        "Lite PSPNet",
        lite_pspnet,
        "pyramid",
        "Trained on few photos only: segments people, buses, aeroplanes and motorbikes; parts"
        " of trains, cats, dogs and plants; hardly ever cars, tables, birds, horses and sofas."
        " Labels clothes, toys and vases as chairs, plants or bottles, and distant boats as"
        " aeroplanes. Works on a grid of stride 16: thin and small objects are missed, borders"
        " are smooth and too wide. Everything that is none of the 20 classes is background.",
    ),
    "lite-unet": Kind(
        "Lite U-Net",
        lite_unet,
        "join.3",
        "Trained on few photos only: segments people, dogs, cats, horses, buses and tables, with"
        " sharp borders; bicycles and motorbikes fall into patches of several classes; boats,"
        " chairs and small objects are often wrong. Everything that is none of the 20 classes is"
        " background, or taken for the nearest of them.",
    ),
    "lite-deconvnet": Kind(
        "Lite DeconvNet",
        lite_deconvnet,
        "decoder.3",
        "Trained on few photos only: segments people, dogs, bicycles, horses and buses, but cuts"
        " off legs, tails and arms, and borders show the checkerboard of the transposed"
        " convolutions. Everything that is none of the 20 classes is background, or taken for"
        " the nearest of them.",
    ),
    "mini-segnet": Kind(
        "Mini SegNet",
        mini_segnet,
        "decoder.3",
        "Its body learned from photos of 64 x 64 pixels: segments large people and parts of dogs"
        " and horses; classes change from pixel to pixel, and cats, tables and aeroplanes appear"
        " anywhere.",
        VGG,
    ),
    "lite-frrn": Kind(
        "Lite FRRN",
        lite_frrn,
        "join",
        "Trained on few photos only: segments people, motorbikes and buses, and dogs, cats and"
        " horses that are large in the photo, with ragged borders; never aeroplanes, bicycles,"
        " birds, chairs, plants, sofas and trains. Labels bicycles as motorbikes, bottles as"
        " cats. Everything that is none of the 20 classes is background.",
    ),
}
"""By the network's name."""

TOGETHER = {
    "lite-segmenters": ("lite-fcn", "lite-pspnet", "lite-frrn"),
    "lite-decoders": ("lite-unet", "lite-deconvnet", "mini-segnet"),
}
"""By the name of a training: the networks that it makes."""


def networks(name: str) -> tuple[str, ...]:
    """See `lessons`."""
    return TOGETHER.get(name, (name,))


@dataclass(slots=True, eq=False, kw_only=True)
class LiteSegmenterTask(CanvasTask):
    """See `loop.Task`. The model is an `nn.ModuleDict` of the networks where they are several.

    Args:
        pool: Photos with masks.
        bodies: Weights of the frozen bodies by the network they are of; random where missing.
        recipe: The numbers.
        name: One of `TOGETHER` or of `KINDS`.
    """

    bodies: dict[str, dict[str, Tensor]]
    recipe: Recipe = RECIPE
    name: str = "lite-deeplab"
    pixel_weights: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.pool.photos)
        counts = pixel_counts(self.pool)
        shown = [np.flatnonzero(row) for row in counts]
        often = repeats(shown, len(VOC_CLASSES), COMMON, MOST_OFTEN)
        self.maker = CanvasMaker(self.pool, often=often)
        self.pixel_weights = balanced(often @ counts)

    def settings(self) -> dict[str, object]:
        return {
            "body": sorted({KINDS[name].body.network for name in networks(self.name)}),
            "frozen": "body",
            "four photos on a canvas": MOSAICS,
            "photos of rare classes": {"common": COMMON, "most": MOST_OFTEN},
            "weights of the pixels": [round(w, 3) for w in self.pixel_weights.tolist()],
        }

    def build(self) -> nn.Module:
        found = nn.ModuleDict()
        for name in networks(self.name):
            kind = KINDS[name]
            found[name] = model = kind.make(len(VOC_CLASSES))
            if kind.body.network in self.bodies:
                body = part_of(self.bodies[kind.body.network], kind.body.source)
                _frozen(model, kind).load_state_dict(body)
        return found if len(found) > 1 else found[self.name]

    def prepare(self, model: nn.Module) -> None:
        model.train()
        for name, network in self._networks(model).items():
            _frozen(network, KINDS[name]).eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        canvases = self.canvases(step, MOSAICS)
        return pixel_losses(self._networks(model), canvases, device, self.pixel_weights)

    def _networks(self, model: nn.Module) -> dict[str, nn.Module]:
        return dict(model.items()) if isinstance(model, nn.ModuleDict) else {self.name: model}


def _frozen(model: nn.Module, kind: Kind) -> nn.Module:
    return model.get_submodule(kind.body.prefix.rstrip("."))


def pixel_counts(pool: Pool) -> NDArray[np.int64]:
    """(photos, classes): how many pixels of its mask are of each class."""
    rows = []
    for photo in pool.photos:
        assert photo.mask is not None
        rows.append(np.bincount(read_numbers(photo.mask).ravel(), minlength=256))
    return np.stack(rows)[:, : len(VOC_CLASSES)]


def balanced(counts: NDArray[Any]) -> Tensor:
    """(classes,) float32: how much a pixel of each class counts, 1 on average over the pixels.

    Args:
        counts: (classes,) pixels of each.
    """
    shares = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    weights = shares**-BALANCE
    return torch.from_numpy(weights / (shares * weights).sum()).float()


def pixel_losses(
    models: dict[str, Any],
    canvases: Sequence[Canvas],
    device: torch.device,
    weights: Tensor | None = None,
) -> dict[str, Tensor]:
    """Cross-entropy of the classes of the pixels that are known, for each network.

    Args:
        models: `LiteSegmenter`s, whose frozen bodies are the same, and perhaps a `MiniSegNet`.
        canvases: With masks, of one shape.
        device: Where the models are.
        weights: (classes,): how much a pixel of each counts; None = all the same.
    """
    masks = np.stack([canvas.mask for canvas in canvases if canvas.mask is not None])
    truth = torch.from_numpy(masks[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]).to(device)
    weights = None if weights is None else weights.to(device)
    images = normalized(canvases, device)
    maps: dict[int, Tensor] = {}
    lites = [model for model in models.values() if not isinstance(model, MiniSegNet)]
    if lites:
        taps = sorted({tap for model in lites for tap in model.taps})
        with torch.no_grad():
            maps = dict(zip(taps, folded_maps(lites[0].body, images, taps), strict=True))
    losses = {}
    for name, model in models.items():
        if isinstance(model, MiniSegNet):
            with torch.no_grad():
                encoded = model.encoded(_smaller(canvases, device))
            outputs = {"out": model.scores(*encoded)}
        else:
            outputs = model.outputs(images, *(maps[tap] for tap in model.taps))
        losses[name] = torch.stack(
            [
                COARSER.get(output, 1.0) * _cross_entropy(scores, truth, weights)
                for output, scores in outputs.items()
            ]
        ).sum()
    return losses


def _smaller(canvases: Sequence[Canvas], device: torch.device) -> Tensor:
    height, width = canvases[0].pixels.shape[:2]
    size = (width // VGG.smaller, height // VGG.smaller)
    pixels = np.stack([cv2.resize(c.pixels, size, interpolation=cv2.INTER_AREA) for c in canvases])
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v, device=device).view(-1, 1, 1) for v in (VGG.mean, VGG.std))
    return (images - mean) / std


def _cross_entropy(scores: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
    enlarged = functional.interpolate(
        scores.float(), truth.shape[1:], mode="bilinear", align_corners=False
    )
    total = functional.cross_entropy(
        enlarged, truth.long(), weights, ignore_index=UNSURE_PIXEL, reduction="sum"
    )
    return total / (truth != UNSURE_PIXEL).sum().clamp(min=1)


def task(name: str, material: Material) -> LiteSegmenterTask:
    """See `lessons`."""
    bodies = {KINDS[network].body.network for network in networks(name)}
    return LiteSegmenterTask(
        pool=complete(masked(read_pool(material.folder), material.folder)),
        bodies={network: material.trained(network) for network in bodies},
        recipe=material.recipe(RECIPE_TOGETHER if name in TOGETHER else RECIPE),
        name=name,
    )


def shipped(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: the part of `name` of what was trained together."""
    return part_of(weights, f"{name}.") or weights


def facts(name: str, _material: Material) -> Facts:
    """See `lessons`."""
    kind = KINDS[name]
    body = kind.body
    side = 320 // body.smaller
    return Facts(
        title=kind.title,
        task="segmentation",
        function=kind.make.__name__,
        kwargs={"num_classes": len(VOC_CLASSES)},
        classes=list(VOC_CLASSES),
        preprocessing={
            "resize": SHORT_SIDE // body.smaller, "crop": None,
            "mean": list(body.mean), "std": list(body.std),
            "interpolation": "bilinear", "batched": True,
        },
        example=(1, 3, side, side),
        measured_on="128 held-out COCO photos with hand-drawn masks",
        default_layer=kind.default_layer,
        data=MASKS,
        license=LICENSE,
        shares=(Share(body.network, body.prefix, body.source),),
        extra={"failures": kind.failures},
        eight_bit=True,
    )  # fmt: skip


def measure(name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`; of FCN's coarser outputs the mean alone."""
    if material.coco is None:
        return {}
    body = KINDS[name].body
    preprocess = Preprocess(resize=SHORT_SIDE // body.smaller, mean=body.mean, std=body.std)

    def figures(network: nn.Module) -> dict[str, Any]:
        assert material.coco is not None
        return photo_figures(network, VOC_CLASSES, material.coco, "segmentation", preprocess)

    coarser = {}
    if isinstance(model, LiteFCN):
        for stride in (16, 32):
            coarser[f"mIoU of FCN-{stride}s"] = figures(Coarser(model, f"out{stride}"))["mIoU"]
    return {**figures(model), **coarser}


class Coarser(nn.Module):
    """A network with another of its outputs as its first."""

    def __init__(self, model: nn.Module, output: str) -> None:
        super().__init__()
        self.model, self.output = model, output

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": self.model(images)[self.output]}
