"""R-CNN and SPP-net on `mini-resnet`: linear SVMs and box regressors fitted to its features.

Girshick et al. 2014, section 2.3 and appendix C; He et al. 2014, section 4. The network itself is
not trained any more: what it computes for many regions is kept, and scikit-learn does the rest.
"""

from __future__ import annotations

import datetime
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import save_file

from explorer.evaluation.scenes import Scene, SceneMaker, held_out_scenes
from explorer.networks.class_names import group_names
from explorer.networks.embedded import mini_resnet
from explorer.training.cards import DATA, LICENSE, rounded
from explorer.training.evaluate import average_precision
from explorer.vision.classic.selective_search import regions
from explorer.vision.detection.boxes import encode, iou_matrix
from explorer.vision.pipelines import rcnn, sppnet
from explorer.vision.pipelines.rcnn import RCNN, Features

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from explorer.training.lessons.registry import Material

    Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

SIDE = 64
SCENES = 240
HELD_OUT = 30
PER_SCENE = 30
"""Regions of a training scene that are not drawn around an object."""

MOST = 300
"""Regions of a held-out scene."""

FLOOR = -0.9
"""The smallest margin that is measured: an average precision asks for the unsure ones too."""

AROUND = 4
"""Regions drawn around every object, for the regressors."""

BACKGROUND, NEAR = 0.3, 0.6
"""A region is a negative of a class under the one IoU with all its objects; it teaches the
regressor from the other on (as in the paper)."""

ALPHA = 1000.0
"""Of the ridge regression, as in the paper."""

COST = 0.001
"""C of the SVMs, as in the paper, on vectors whose mean norm is NORM."""

NORM = 20.0


class Examples:
    """Regions of scenes with what the network computed for them.

    Attributes:
        seen: For "heads" (R-CNN) and "pyramid" (SPP-net) the `rcnn.Features` of N regions.
        boxes, truth: (N, 4): the region, and the object of its scene that it overlaps most.
        label: (N,) of that object, from 0; -1 where the scene has none.
        iou: (N,) with it.
        own: (N,) bool: the region is the object's own box.
        cover: (N, C) the largest IoU with any object of each class.
        scene: (N,) number of the scene.
    """

    def __init__(self, body: nn.Module, scenes: Iterable[Scene], classes: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 14])
        rows: dict[str, list[Any]] = {}
        for number, scene in enumerate(scenes):
            found = regions(scene.pixels, seed=seed)
            found = found[rng.permutation(len(found))[:PER_SCENE]]
            near = around(scene.boxes, scene.pixels.shape[:2], rng)
            boxes = np.concatenate([scene.boxes, near, found]).astype(np.float32)
            boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 4]
            if len(boxes) == 0:
                continue
            seen = both_features(body, scene.pixels, boxes)
            overlap = iou_matrix(boxes, scene.boxes)
            best = overlap.argmax(axis=1) if overlap.shape[1] else np.zeros(len(boxes), np.intp)
            cover = np.zeros((len(boxes), classes), np.float32)
            for k, label in enumerate(scene.labels):
                cover[:, label - 1] = np.maximum(cover[:, label - 1], overlap[:, k])
            some = len(scene.boxes) > 0
            row = {
                **{f"vector {k}": part.vector for k, part in enumerate(seen)},
                **{f"map {k}": part.map for k, part in enumerate(seen)},
                "boxes": boxes,
                "truth": scene.boxes[best] if some else np.zeros_like(boxes),
                "label": scene.labels[best] - 1 if some else np.full(len(boxes), -1),
                "iou": overlap.max(axis=1, initial=0.0),
                "own": np.arange(len(boxes)) < len(scene.boxes),
                "cover": cover,
                "scene": np.full(len(boxes), number),
            }
            for key, value in row.items():
                rows.setdefault(key, []).append(value)
        joined = {key: np.concatenate(values) for key, values in rows.items()}
        self.seen = tuple(Features(joined[f"vector {k}"], joined[f"map {k}"]) for k in (0, 1))
        self.boxes, self.truth = joined["boxes"], joined["truth"]
        self.label, self.iou, self.own = joined["label"], joined["iou"], joined["own"]
        self.cover, self.scene = joined["cover"], joined["scene"]


def around(boxes: Float32, size: tuple[int, ...], rng: np.random.Generator) -> Float32:
    """`AROUND` random boxes near each box, inside a picture of (height, width)."""
    near = np.repeat(boxes, AROUND, axis=0)
    sides = np.tile(near[:, 2:] - near[:, :2], 2)
    moved = near + rng.uniform(-0.25, 0.25, near.shape) * sides
    return moved.clip(0, [size[1], size[0]] * 2).astype(np.float32)


def both_features(
    body: nn.Module, pixels: NDArray[np.uint8], boxes: Float32
) -> tuple[Features, Features]:
    """What R-CNN and SPP-net see of regions."""
    device = next(body.parameters()).device
    found = sppnet.last_map(body, sppnet.resized(pixels, device))
    return (
        rcnn.features(body, rcnn.warp(pixels, boxes, SIDE, device)),
        sppnet.pooled(found, boxes, pixels.shape[:2]),
    )


def svms(examples: Examples, vectors: Float32, classes: int) -> tuple[Float32, Float32]:
    """(C, D) weights and (C,) biases for (N, D) vectors.

    The objects' own boxes are positive, regions under `BACKGROUND` negative. The first round knows
    the negatives of every third scene; the second adds those of the others that the first one does
    not place well outside the margin (hard negative mining).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    scale = NORM / float(np.linalg.norm(vectors, axis=1).mean())
    vector = vectors * np.float32(scale)
    weight = np.zeros((classes, vector.shape[1]), np.float32)
    bias = np.full(classes, -1.0, np.float32)
    for k in range(classes):
        positive = examples.own & (examples.label == k)
        negative = examples.cover[:, k] < BACKGROUND
        if not positive.any() or not negative.any():
            continue  # it never says yes
        chosen = (
            negative & (examples.scene % 3 == 0)
            if negative[examples.scene % 3 == 0].any()
            else negative
        )
        for _ in range(2):
            svm = LinearSVC(C=COST, dual=True, max_iter=300, random_state=0, intercept_scaling=10)
            rows = positive | chosen
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # close enough, by the figures
                svm.fit(vector[rows], positive[rows])
            chosen |= negative & (svm.decision_function(vector) > -1)
        weight[k], bias[k] = svm.coef_[0] * scale, svm.intercept_[0]
    return weight, bias


def regressors(examples: Examples, maps: Float32, classes: int) -> tuple[Float32, Float32]:
    """(C, 4, R) weights and (C, 4) biases for (N, R) maps, by ridge regression.

    Every region that is near an object teaches its class.
    """
    from sklearn.linear_model import Ridge

    weight = np.zeros((classes, 4, maps.shape[1]), np.float32)
    bias = np.zeros((classes, 4), np.float32)
    for k in range(classes):
        rows = (examples.label == k) & (examples.iou >= NEAR)
        if rows.sum() < 2:
            continue
        wanted = encode(examples.truth[rows], examples.boxes[rows])
        ridge = Ridge(ALPHA).fit(maps[rows], wanted)
        weight[k], bias[k] = ridge.coef_, ridge.intercept_
    return weight, bias


def half(array: Float32) -> NDArray[np.float16]:
    return array.astype(np.float16)


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes NAME.safetensors, whose metadata hold the card."""
    body = mini_resnet(len(material.categories))
    body.load_state_dict(material.trained("mini-resnet"))
    body.eval().requires_grad_(requires_grad=False)
    body.to("cuda" if torch.cuda.is_available() else "cpu")
    names = group_names()
    maker = SceneMaker(material.train, material.group_labels)
    rng = np.random.default_rng([material.seed, 2014])
    examples = Examples(body, (maker.make(rng) for _ in range(SCENES)), len(names), material.seed)
    log.info("%s: %d regions of %d scenes", name, len(examples.label), SCENES)
    arrays: dict[str, NDArray[np.float16]] = {}
    for part, seen in zip(rcnn.PARTS, examples.seen, strict=True):
        weights = (
            *svms(examples, seen.vector, len(names)),
            *regressors(examples, seen.map, len(names)),
        )
        keys = ("svm_weight", "svm_bias", "reg_weight", "reg_bias")
        arrays |= {f"{part}.{key}": half(w) for key, w in zip(keys, weights, strict=True)}
        log.info("%s: the SVMs and regressors of the %s are fitted", name, part)
    single = {key: value.astype(np.float32) for key, value in arrays.items()}
    shipped = RCNN(body, *rcnn.heads_in(single), classes=tuple(names), side=SIDE)
    card = {
        "name": name,
        "title": "R-CNN and SPP-net on Mini ResNet",
        "body": "mini-resnet",
        "classes": names,
        "side": SIDE,
        "parameters": sum(array.size for array in arrays.values()),
        "metrics": measure(shipped, material, HELD_OUT),
        "measured_on": f"{HELD_OUT} scenes of held-out photos",
        "proposals": "selective search",
        "recipe": {
            "scenes": SCENES, "C": COST, "norm": NORM, "alpha": ALPHA, "seed": material.seed,
            "regions": len(examples.label), "negatives under": BACKGROUND, "boxes from": NEAR,
        },
        "data": DATA,
        "license": LICENSE,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }  # fmt: skip
    log.info("%s: %s", name, card["metrics"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(arrays, path, metadata={"card": json.dumps(card)})
    path.chmod(0o644)  # safetensors writes for the owner only


def measure(shipped: RCNN, material: Material, count: int, most: int = MOST) -> dict[str, Any]:
    """COCO's figures on the first `count` held-out scenes, with `most` regions of each."""
    maker = SceneMaker(material.val, material.group_labels)
    scenes = held_out_scenes(maker, count)
    found: list[list[dict[str, NDArray[Any]]]] = [[], []]
    for scene in scenes:
        boxes = regions(scene.pixels, most=most)
        both = zip((shipped.heads, shipped.pyramid),
                   both_features(shipped.body, scene.pixels, boxes), strict=True)  # fmt: skip
        for answers, (heads, seen) in zip(found, both, strict=True):
            answer = rcnn.judged(heads, seen, boxes, scene.pixels.shape[:2], score=FLOOR)
            answers.append({"boxes": answer.xyxy, "labels": answer.labels, "scores": answer.scores})
    names = ["background", *shipped.classes]
    return {
        title: rounded(average_precision(scenes, answers, names))
        for title, answers in zip(("R-CNN", "SPP-net"), found, strict=True)
    }
