"""`lite-rcnn`: R-CNN and SPP-net on `efficientnet-lite0`.

Girshick et al. 2014, section 2.3 and appendix C; He et al. 2014, section 4. The stages of the
classifier stay as ImageNet made them; what they compute for many regions is kept. On that the last
convolution is fine-tuned with a new classification layer, and scikit-learn fits the linear SVMs and
the box regressors. The classifier, not the detector's body: its features never had boxes, so
that fine-tuning on regions means what it does in the paper.
"""

from __future__ import annotations

import copy
import datetime
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.networks.embedded.lite import efficientnet_lite0
from explorer.training.data.canvases import pixels_of
from explorer.training.data.pool import read_pool, with_classes
from explorer.training.evaluate import photo_figures
from explorer.training.lessons.lite import detector
from explorer.vision.classic.selective_search import regions
from explorer.vision.detection.boxes import encode, iou_matrix
from explorer.vision.pipelines import rcnn, sppnet
from explorer.vision.pipelines.rcnn import (
    AT_ONCE,
    POOLED,
    RCNN,
    Features,
    Heads,
    RegionNetwork,
    region_network,
)
from explorer.vision.pipelines.region_roles import BACKGROUND, NEAR, NORM, POSITIVE, norm_scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.pool import PoolPhoto
    from explorer.training.lessons.registry import Material

    Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

SIDE = 96
PHOTOS = 400
"""At most; so chosen that every class is in about as many of them."""

PER_PHOTO = 16
"""Regions of a photo by selective search, of which those on objects come first."""

AROUND = 3
"""Regions drawn around every object, for the fine-tuning and the regressor."""

OBJECTS = 4
"""Of a photo, at most."""

MOST = 200
"""Regions of a photo on which the metrics are measured."""

FLOOR = -1.5
"""The smallest margin that is measured: an average precision asks for the unsure ones too."""

UNSURE = 0.4
"""A region with this overlap with an unknown region is dropped."""

ALPHA = 1000.0
"""Of the ridge regression, as in the paper."""

COST = 0.001
"""C of the SVMs, as in the paper, on vectors whose mean norm is NORM."""

STEPS, POSITIVES, NEGATIVES = 500, 32, 96
"""Of the fine-tuning, and the regions in a step (section 2.3)."""

RATE, NEW_RATE = 2e-4, 2e-3
"""Of the convolution, and ten times that of the new layer."""


class Examples:
    """Regions of photos with what the body computed for them.

    Attributes:
        maps: (N, C, h, w) float16, the body's last map of the warped region.
        pooled: The `Features` of SPP-net.
        boxes, truth: (N, 4): the region, and the object of its photo that it overlaps most.
        label: (N,) of that object, from 0; -1 where the photo has none.
        iou: (N,) with it.
        own: (N,) bool: the region is the object's own box.
        cover: (N, K) the largest IoU with any object of each class.
        photo: (N,) number of the photo.
    """

    def __init__(
        self, body: RegionNetwork, photos: Iterable[PoolPhoto], classes: int, seed: int
    ) -> None:
        rng = np.random.default_rng([seed, 14])
        rows: dict[str, list[Any]] = {}
        for number, photo in enumerate(photos):
            pixels = pixels_of(photo)
            chosen = rng.permutation(len(photo.boxes))[:OBJECTS]
            near = around(photo.boxes[chosen], pixels.shape[:2], rng)
            found = some_regions(pixels, photo.boxes, rng, seed)
            boxes = np.concatenate([photo.boxes[chosen], near, found]).astype(np.float32)
            own = np.arange(len(boxes)) < len(chosen)
            overlap = iou_matrix(boxes, photo.boxes)
            iou = overlap.max(axis=1, initial=0.0)
            hidden = iou_matrix(boxes, photo.ignored).max(axis=1, initial=0.0)
            kept = ((boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 4) & (
                (iou >= POSITIVE) | (hidden < UNSURE)
            )
            boxes, overlap, iou, own = boxes[kept], overlap[kept], iou[kept], own[kept]
            if len(boxes) == 0:
                continue
            best = overlap.argmax(axis=1) if len(photo.boxes) else np.zeros(len(boxes), np.intp)
            cover = np.zeros((len(boxes), classes), np.float32)
            for k, label in enumerate(photo.labels):
                cover[:, label - 1] = np.maximum(cover[:, label - 1], overlap[:, k])
            some = len(photo.boxes) > 0
            pooled = spp_features(body, pixels, boxes)
            row = {
                "maps": warped_maps(body, pixels, boxes).astype(np.float16),
                "vector": pooled.vector,
                "map": pooled.map,
                "boxes": boxes,
                "truth": photo.boxes[best] if some else np.zeros_like(boxes),
                "label": photo.labels[best] - 1 if some else np.full(len(boxes), -1),
                "iou": iou,
                "own": own,
                "cover": cover,
                "photo": np.full(len(boxes), number),
            }
            for key, value in row.items():
                rows.setdefault(key, []).append(value)
            if number % 50 == 0:
                log.info("regions of %d photos", number + 1)
        joined = {key: np.concatenate(values) for key, values in rows.items()}
        self.maps = joined["maps"]
        self.pooled = Features(joined["vector"], joined["map"])
        self.boxes, self.truth = joined["boxes"], joined["truth"]
        self.label, self.iou, self.own = joined["label"], joined["iou"], joined["own"]
        self.cover, self.photo = joined["cover"], joined["photo"]


def some_regions(
    pixels: NDArray[np.uint8], objects: Float32, rng: np.random.Generator, seed: int
) -> Float32:
    """`PER_PHOTO` regions by selective search; half of them on objects where there are enough."""
    found = regions(pixels, seed=seed)
    found = found[rng.permutation(len(found))]
    hit = iou_matrix(found, objects).max(axis=1, initial=0.0) >= POSITIVE
    on = found[hit][: PER_PHOTO // 2]
    return np.concatenate([on, found[~hit][: PER_PHOTO - len(on)]])


def chosen_photos(photos: Sequence[PoolPhoto], classes: int, seed: int) -> list[PoolPhoto]:
    """At most `PHOTOS`: in turn, for every class, the next photo that has it."""
    order = np.random.default_rng([seed, 2014]).permutation(len(photos))
    having = [
        iter([int(i) for i in order if (photos[i].labels == label).any()])
        for label in range(1, classes + 1)
    ]
    chosen: dict[int, None] = {}
    while having and len(chosen) < PHOTOS:
        for of_class in list(having):
            number = next((i for i in of_class if i not in chosen), None)
            if number is None:
                having.remove(of_class)
            elif len(chosen) < PHOTOS:
                chosen[number] = None
    return [photos[i] for i in chosen]


def around(boxes: Float32, size: tuple[int, ...], rng: np.random.Generator) -> Float32:
    """`AROUND` random boxes near each box, inside a picture of (height, width)."""
    near = np.repeat(boxes, AROUND, axis=0)
    sides = np.tile(near[:, 2:] - near[:, :2], 2)
    moved = near + rng.uniform(-0.2, 0.2, near.shape) * sides
    return moved.clip(0, [size[1], size[0]] * 2).astype(np.float32)


@torch.no_grad()
def warped_maps(body: RegionNetwork, pixels: NDArray[np.uint8], boxes: Float32) -> Float32:
    """(N, C, h, w): the body's last map of every warped region."""
    device = next(body.parameters()).device
    crops = rcnn.warp(pixels, boxes, SIDE, device).contiguous(memory_format=torch.channels_last)
    found = [body.body(part).cpu() for part in torch.split(crops, AT_ONCE)]
    maps: Float32 = torch.cat(found).numpy()
    return maps


def spp_features(body: RegionNetwork, pixels: NDArray[np.uint8], boxes: Float32) -> Features:
    """The input of SPP-net for regions."""
    device = next(body.parameters()).device
    found = sppnet.last_map(body, sppnet.resized(pixels, device))
    return sppnet.pooled(found, boxes, pixels.shape[:2])


@torch.no_grad()
def features_of(body: RegionNetwork, maps: NDArray[Any]) -> Features:
    """R-CNN's features of regions whose maps are known; as `rcnn.features`."""
    vectors, pooled = [], []
    device = next(body.parameters()).device
    for part in np.array_split(maps, max(1, len(maps) // 256)):
        found = torch.from_numpy(part).to(device).float()
        vectors.append(body.vector(found).cpu())
        pooled.append(functional.adaptive_avg_pool2d(found, POOLED).flatten(1).cpu())
    return Features(torch.cat(vectors).numpy(), torch.cat(pooled).numpy())


def fine_tuned(body: RegionNetwork, examples: Examples, classes: int, seed: int) -> RegionNetwork:
    """The network with a last convolution fine-tuned on objects and background.

    A new layer for the classes and the background is learned with it and then dropped. In a step
    there are three times as many regions of background, under an IoU of `POSITIVE` with every
    object, as regions of objects.
    """
    device = next(body.parameters()).device
    own = RegionNetwork(body.body, copy.deepcopy(body.head).requires_grad_()).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        last = nn.Linear(own.head.out_channels, classes + 1)
    nn.init.normal_(last.weight, std=0.01)
    last.to(device)
    optimizer = torch.optim.AdamW(
        [{"params": own.head.parameters(), "lr": RATE},
         {"params": last.parameters(), "lr": NEW_RATE}], weight_decay=0.01,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng([seed, 23])
    target = np.where(examples.iou >= POSITIVE, examples.label + 1, 0)
    positive, negative = np.flatnonzero(target), np.flatnonzero(target == 0)
    if not len(positive) or not len(negative):
        raise ExplorerError(
            "There are no regions of both objects and background.", "Give more photos."
        )
    for step in range(STEPS):
        rows = np.concatenate([rng.choice(positive, POSITIVES), rng.choice(negative, NEGATIVES)])
        found = torch.from_numpy(examples.maps[rows]).to(device).float()
        logits = last(functional.dropout(own.vector(found), 0.3))
        loss = functional.cross_entropy(logits, torch.from_numpy(target[rows]).to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            log.info("fine-tuning: step %d, loss %.3f", step, loss.item())
    own.head.requires_grad_(requires_grad=False)
    return own


def svms(examples: Examples, vectors: Float32, classes: int) -> tuple[Float32, Float32]:
    """(C, D) weights and (C,) biases for (N, D) vectors.

    The objects' own boxes are positive, regions under `BACKGROUND` negative. The first round knows
    the negatives of every third photo; the second adds those of the others that the first one does
    not place well outside the margin (hard negative mining).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    scale = norm_scale(vectors)
    vector = vectors * np.float32(scale)
    weight = np.zeros((classes, vector.shape[1]), np.float32)
    bias = np.full(classes, -1.0, np.float32)
    for k in range(classes):
        positive = examples.own & (examples.label == k)
        negative = examples.cover[:, k] < BACKGROUND
        if not positive.any() or not negative.any():
            continue  # its score is never positive
        chosen = negative & (examples.photo % 3 == 0)
        if not chosen.any():
            chosen = negative.copy()
        for _ in range(2):
            svm = LinearSVC(C=COST, dual=True, max_iter=300, random_state=0, intercept_scaling=10)
            rows = positive | chosen
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # close enough, by the figures
                svm.fit(vector[rows], positive[rows])
            chosen |= negative & (svm.decision_function(vector) > -1)
        weight[k], bias[k] = svm.coef_[0] * scale, svm.intercept_[0]
    return weight, bias


def regressor(examples: Examples, maps: Float32) -> tuple[Float32, Float32]:
    """(1, 4, R) weights and (1, 4) biases for (N, R) maps, by ridge regression.

    One for all classes: most have too few examples for one of their own. Every region that is near
    an object teaches it.
    """
    from sklearn.linear_model import Ridge

    rows = examples.iou >= NEAR
    if rows.sum() < 2:
        return np.zeros((1, 4, maps.shape[1]), np.float32), np.zeros((1, 4), np.float32)
    wanted = encode(examples.truth[rows], examples.boxes[rows])
    ridge = Ridge(ALPHA).fit(maps[rows], wanted)
    weight: Float32 = ridge.coef_[None].astype(np.float32)
    return weight, ridge.intercept_[None].astype(np.float32)


def heads_for(examples: Examples, seen: Features, classes: int) -> dict[str, NDArray[np.float16]]:
    """The arrays of one `Heads`, as they ship."""
    found = (*svms(examples, seen.vector, classes), *regressor(examples, seen.map))
    keys = ("svm_weight", "svm_bias", "reg_weight", "reg_bias")
    return {key: array.astype(np.float16) for key, array in zip(keys, found, strict=True)}


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes NAME.safetensors, whose metadata hold the card."""
    classes = VOC_CLASSES[1:]
    model = efficientnet_lite0()
    model.load_state_dict(detector.classifier_weights(material))
    before = region_network(model.to("cuda" if torch.cuda.is_available() else "cpu"))
    pool = with_classes(read_pool(material.folder), VOC_CLASSES)
    photos = chosen_photos(pool.photos, len(classes), material.seed)
    examples = Examples(before, photos, len(classes), material.seed)
    log.info("%s: %d regions of %d photos", name, len(examples.label), len(photos))
    after = fine_tuned(before, examples, len(classes), material.seed)
    after.head.load_state_dict({k: v.half().float() for k, v in after.head.state_dict().items()})
    pyramid = heads_for(examples, examples.pooled, len(classes))
    arrays = {f"head.{k}": v.half().cpu().numpy() for k, v in after.head.state_dict().items()}
    parts = {}
    for title, body in (("before", before), ("after", after)):
        heads = heads_for(examples, features_of(body, examples.maps), len(classes))
        both = {f"heads.{k}": v for k, v in heads.items()}
        both |= {f"pyramid.{k}": v for k, v in pyramid.items()}
        single = {key: value.astype(np.float32) for key, value in both.items()}
        parts[title] = RCNN(body, *rcnn.heads_in(single), classes, SIDE)
        log.info("%s: the SVMs %s fine-tuning are fitted", name, title)
    arrays |= both
    card = {
        "name": name,
        "title": "R-CNN and SPP-net on EfficientNet-Lite0",
        "body": "efficientnet-lite0",
        "classes": list(classes),
        "side": SIDE,
        "parameters": sum(array.size for array in arrays.values()),
        "metrics": measure(parts["after"], material, parts["before"]),
        "measured_on": "photos with Pascal VOC's classes that were not trained on",
        "proposals": f"selective search, {MOST} of a photo",
        "recipe": {
            "photos": len(photos), "regions": len(examples.label), "fine-tuned": "conv_head",
            "steps": STEPS, "batch": POSITIVES + NEGATIVES, "positive from": POSITIVE, "C": COST,
            "norm": NORM, "alpha": ALPHA, "negatives under": BACKGROUND, "boxes from": NEAR,
            "regressors": "one for all classes", "seed": material.seed,
        },
        "data": detector.DATA,
        "license": detector.LICENSE,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }  # fmt: skip
    log.info("%s: %s", name, card["metrics"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(arrays, path, metadata={"card": json.dumps(card)})
    path.chmod(0o644)  # safetensors writes for the owner only


class RegionDetector(nn.Module):
    """R-CNN or SPP-net as a torchvision detector: selective search to detections.

    Args:
        body: Computes the features.
        heads: Judge them.
        pyramid: As SPP-net does; else as R-CNN.
        known: Regions and their maps by photo, for networks with the same body to share.
        most: Regions of a photo.
    """

    def __init__(
        self, body: RegionNetwork, heads: Heads, *, pyramid: bool, known: dict[bytes, Any],
        most: int = MOST,
    ) -> None:  # fmt: skip
        super().__init__()
        self.body = body
        self.heads, self.pyramid, self.known, self.most = heads, pyramid, known, most

    def forward(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """(3, H, W) RGB in [0, 1] each -> boxes (N, 4), labels (N,), sigmoids of margins (N,)."""
        return [self._found(image) for image in images]

    def _found(self, image: Tensor) -> dict[str, Tensor]:
        pixels = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        key = pixels.tobytes()
        if key not in self.known:
            boxes = regions(pixels, most=self.most)
            maps = warped_maps(self.body, pixels, boxes)
            self.known[key] = boxes, maps, spp_features(self.body, pixels, boxes)
        boxes, maps, pooled = self.known[key]
        seen = pooled if self.pyramid else features_of(self.body, maps)
        found = rcnn.judged(self.heads, seen, boxes, pixels.shape[:2], score=FLOOR)
        return {
            "boxes": torch.from_numpy(found.xyxy),
            "labels": torch.from_numpy(found.labels),
            "scores": torch.from_numpy(found.scores).sigmoid(),
        }


def measure(
    shipped: RCNN, material: Material, before: RCNN | None = None, most: int = MOST
) -> dict[str, Any]:
    """Metrics on the photos of `material.voc`; nothing where there are none.

    Args:
        shipped: What is measured, as R-CNN and as SPP-net.
        material: The data.
        before: The same without fine-tuning.
        most: Regions of a photo.
    """
    if material.voc is None:
        return {}
    ways = {"R-CNN": (shipped, False), "SPP-net": (shipped, True)}
    if before is not None:
        ways["R-CNN before fine-tuning"] = (before, False)
    known: dict[bytes, Any] = {}
    figures = {}
    for title, (own, pyramid) in ways.items():
        heads = own.pyramid if pyramid else own.heads
        network = RegionDetector(own.body, heads, pyramid=pyramid, known=known, most=most).eval()
        figures[title] = photo_figures(network, VOC_CLASSES, material.voc)
    return figures
