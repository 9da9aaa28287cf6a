"""Training of `lite-yolo-v2`: priors and a word tree on the frozen body of `lite-fasterrcnn`.

Redmon & Farhadi 2017, "YOLO9000": COCO's categories from boxes, ImageNet's classes under them from
a classifier's predictions, and photos of which only the class is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from explorer.core.resources import resource_path
from explorer.networks.embedded.yolo import lite_yolo_v2
from explorer.training.cards import Share
from explorer.training.checkpoints import part_of
from explorer.training.data import clusters
from explorer.training.data.canvas_task import CanvasTask, mosaics_at
from explorer.training.data.canvases import MOSAICS, placed
from explorer.training.data.imagenet_answers import SURE, answers
from explorer.training.data.pool import Pool, complete, read_pool
from explorer.training.data.words import (
    LEAST,
    Words,
    classes_below,
    read_nodes,
    with_categories,
    word_tree,
)
from explorer.training.lessons.lite import detector
from explorer.training.lessons.lite.yolo import BODY, DETECTOR, truth_of, voc_first
from explorer.training.lite_body import folded_maps, normalized
from explorer.training.loop import Recipe, step_seed
from explorer.training.yolo_losses import v2_losses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.training.cards import Facts
    from explorer.training.data.canvases import Canvas
    from explorer.training.data.pool import PoolPhoto
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.02, average=0.995, clip=10.0,
    optimizer="adamw", floor=0.01,
)  # fmt: skip

PRIORS = 5

STRIDE, SIDE = 32, 416
"""Pixels of a cell, and the long side of the network's input."""

LARGER, LARGER_FROM = 1.3, 0.5
"""From this progress on canvases are as large as photos will be, before as they are drawn.

The paper changes the size all the time (section 2, "Multi-Scale Training").
"""

WHOLE = (0.9, 1.3)
"""Least and largest size on its canvas of a photo that shows its class somewhere."""

SCORE_THRESHOLD = 0.25
"""Of the card: of the boxes above it on the held-out COCO photos 55 % are correct."""

DATA = (
    "The words below COCO's categories come from EfficientNet-Lite0's answers about objects; 142"
    " photos show a class without a box."
)
FAILURES = (
    "One box for each prior of a cell: of objects of about one shape in one cell one is found, and"
    " small objects are missed. The words below COCO's categories come from a classifier's answers"
    " and are few: a dog of another breed is called by the breed that is most like it, or just a"
    " dog. Seen on held-out photos: a zebra that fills the photo and elephants in a wood missed, a"
    " woolly slipper detected as a dog, a second box on half of a horse."
)


@dataclass(slots=True, eq=False, kw_only=True)
class LiteYoloV2Task(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: The photos; a label is a word of the tree plus one.
        kwargs: Of `lite_yolo_v2`.
        weights: Of the trained `lite_fasterrcnn`; None = random ones.
        recipe: The numbers.
        name: Of the network.
    """

    kwargs: dict[str, Any]
    weights: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-yolo-v2"
    shown: tuple[PoolPhoto, ...] = field(init=False)

    def __post_init__(self) -> None:
        CanvasTask.__post_init__(self)
        self.shown = tuple(photo for photo in self.pool.photos if photo.shows)

    def settings(self) -> dict[str, object]:
        return {
            "body": DETECTOR,
            "frozen": "body",
            "four photos on a canvas": MOSAICS,
            "larger canvases": {"times": LARGER, "from": LARGER_FROM},
            "photos with a class but no box": len(self.shown),
            "least probability of a classifier's answer": SURE,
            "least examples of a word": LEAST,
        }

    def build(self) -> nn.Module:
        model = lite_yolo_v2(**self.kwargs)
        if self.weights is not None:
            model.body.load_state_dict(part_of(self.weights, BODY))
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("body").eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        canvases = self.canvases(step, mosaics_at(progress))
        shown = []
        if self.shown:
            rng = np.random.default_rng([step_seed(self.recipe.seed, step), 1])
            photo = self.shown[int(rng.integers(len(self.shown)))]
            shape = canvases[0].pixels.shape[:2]
            kind = 0 if shape[1] > shape[0] else 1 if shape[0] > shape[1] else 2
            shown = [(len(canvases), photo.shows - 1)]
            canvases.append(unboxed(placed(photo, kind, shape, WHOLE, rng)))
        times = LARGER if progress >= LARGER_FROM else 1.0
        return yolo_losses(model, canvases, device, shown=shown, times=times)


def unboxed(canvas: Canvas) -> Canvas:
    """A canvas of which nothing is known: no object, and nowhere that there is none."""
    height, width = canvas.pixels.shape[:2]
    return replace(
        canvas,
        boxes=np.zeros((0, 4), np.float32),
        labels=np.zeros(0, np.int64),
        ignored=np.array([[0, 0, width, height]], np.float32),
    )


def yolo_losses(
    model: Any,
    canvases: Sequence[Canvas],
    device: torch.device,
    *,
    shown: Sequence[tuple[int, int]] = (),
    times: float = 1.0,
) -> dict[str, Tensor]:
    """The losses of a `lite_yolo_v2` on canvases.

    Args:
        model: With a frozen body.
        canvases: Of one shape; a label is a word plus one.
        device: Where the model is.
        shown: See `Truth`.
        times: How much larger they are in the network's input; rounded to whole cells.
    """
    pixels = normalized(canvases, device)
    size = [max(1, round(side * times / model.stride)) * model.stride for side in pixels.shape[2:]]
    if size != list(pixels.shape[2:]):
        pixels = functional.interpolate(pixels, size, mode="bilinear", align_corners=False)
    with torch.no_grad():
        _, middle, coarse = folded_maps(model.body, pixels)
    numbers = model.predict((middle, coarse))
    truth = truth_of(canvases, device)
    truth = replace(truth, classes=truth.classes - 1, shown=tuple(shown))
    with torch.autocast(device.type, enabled=False):
        return v2_losses(model, numbers, truth)


def priors_of(pool: Pool, *, side: int = SIDE, count: int = PRIORS) -> list[list[float]]:
    """Widths and heights in cells: the centers of a k-means over the pool's boxes.

    In steps of 1/64, which half precision keeps. Photos are taken as large as the network sees
    them: `side` pixels on the long side.
    """
    found = []
    for photo in pool.photos:
        if len(photo.boxes) and photo.extent:
            scale = side / max(photo.extent) / STRIDE
            found.append((photo.boxes[:, 2:] - photo.boxes[:, :2]) * np.float32(scale))
    centers = clusters.anchors(np.concatenate(found).astype(np.float32), count)
    return [[max(1.0, round(float(v) * 64)) / 64 for v in row] for row in centers]


def with_words(pool: Pool, words: Words, classes: Sequence[NDArray[np.int64]]) -> Pool:
    """The pool with the deepest known word of every object, plus one, for its label.

    Args:
        pool: With COCO's categories.
        words: Of these.
        classes: For every photo the ImageNet labels of its objects, -1 = not known.
    """
    of_label = np.array([0, *(word + 1 for word in words.categories)])
    photos = []
    for photo, own in zip(pool.photos, classes, strict=True):
        labels = of_label[photo.labels]
        for row in np.flatnonzero(own >= 0):
            labels[row] = words.classes[int(own[row])] + 1
        photos.append(replace(photo, labels=labels, shows=int(of_label[photo.shows])))
    return Pool(tuple(photos), ("background", *words.tree["words"]), pool.left_out)


@cache
def learned(folder: Path, root: Path) -> tuple[Pool, Pool, Words]:
    """The pool with COCO's categories, the same with words, and the words.

    Args:
        folder: Of the pool.
        root: Above all trainings: the classifier's predictions are kept there.
    """
    pool = complete(read_pool(folder))
    nodes = read_nodes(resource_path("classes", "imagenet.json"))
    below = classes_below(*with_categories(nodes, pool.names[1:]))
    below.pop("person", None)  # ImageNet's persons are told by their clothes: groom, diver, player
    found = answers(pool, below, root / "cache")
    labels, counts = np.unique(np.concatenate([f[f >= 0] for f in found]), return_counts=True)
    examples = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    words = word_tree(nodes, pool.names[1:], examples)
    return pool, with_words(pool, words, found), words


def architecture(pool: Pool, words: Words) -> dict[str, Any]:
    """The arguments of `lite_yolo_v2`."""
    return {"num_classes": len(pool.names), "priors": priors_of(pool), **words.tree}


def task(name: str, material: Material) -> LiteYoloV2Task:
    """See `lessons`."""
    pool, labeled, words = learned(material.folder, material.root)
    return LiteYoloV2Task(
        pool=labeled,
        kwargs=architecture(pool, words),
        weights=material.trained(DETECTOR),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    pool, _, words = learned(material.folder, material.root)
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        data=f"{found.data} {DATA}",
        title="Lite YOLO v2",
        function="lite_yolo_v2",
        kwargs=architecture(pool, words),
        default_layer="body.blocks.4",
        shares=(Share(DETECTOR, "body.", BODY),),
        extra={
            "score_threshold": SCORE_THRESHOLD,
            "failures": FAILURES,
            "ignored": list(pool.left_out),
            "words cut": f"classes with fewer than {LEAST} examples, or no sister with as many: "
            + ", ".join(words.cut),
        },
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`: Pascal VOC's photos first, its 20 classes."""
    names = read_pool(material.folder).names
    return voc_first(model, names, material)
