"""R-CNN on `mini-resnet`: linear SVMs and box regressors fitted to features of warped regions.

Girshick et al. 2014, sections 2.3 and appendix C. The network itself is not trained any more: all
regions go through it once, what it computes is kept, and scikit-learn does the rest.
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

from explorer.networks.embedded import mini_resnet
from explorer.training import evaluate
from explorer.training.cards import DATA, LICENCE, rounded
from explorer.training.scenes import Scene, SceneMaker
from explorer.training.superclasses import group_names
from explorer.vision import rcnn
from explorer.vision.boxes import encode, iou_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from explorer.training.lessons import Material
    from explorer.vision.rcnn import RCNN

    Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

SIDE = 64
SCENES = 900
HELD_OUT = 60
PER_SCENE = 40
"""Regions of a training scene that are not drawn around an object."""

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


def regions(pixels: NDArray[np.uint8], most: int = 400) -> Float32:
    """Selective search (Uijlings et al. 2013): (N, 4) float32 xyxy in pixels, N <= most."""
    import cv2

    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(pixels[..., ::-1]))
    search.switchToSelectiveSearchFast()
    found = np.asarray(search.process()[:most], np.float32).reshape(-1, 4)
    return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)


class Examples:
    """Regions of scenes with what the network computed for them.

    Attributes:
        vector, map: (N, D) and (N, R) float32, see `rcnn.Features`.
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
            found = regions(scene.pixels)
            found = found[rng.permutation(len(found))[:PER_SCENE]]
            near = around(scene.boxes, scene.pixels.shape[:2], rng)
            boxes = np.concatenate([scene.boxes, near, found]).astype(np.float32)
            boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 4]
            if len(boxes) == 0:
                continue
            seen = rcnn.body_features(body, rcnn.warp(scene.pixels, boxes, SIDE, device_of(body)))
            overlap = iou_matrix(boxes, scene.boxes)
            best = overlap.argmax(axis=1) if overlap.shape[1] else np.zeros(len(boxes), np.intp)
            cover = np.zeros((len(boxes), classes), np.float32)
            for k, label in enumerate(scene.labels):
                cover[:, label - 1] = np.maximum(cover[:, label - 1], overlap[:, k])
            some = len(scene.boxes) > 0
            row = {
                "vector": seen.vector,
                "map": seen.map,
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
        self.vector, self.map = joined["vector"], joined["map"]
        self.boxes, self.truth = joined["boxes"], joined["truth"]
        self.label, self.iou, self.own = joined["label"], joined["iou"], joined["own"]
        self.cover, self.scene = joined["cover"], joined["scene"]


def around(boxes: Float32, size: tuple[int, ...], rng: np.random.Generator) -> Float32:
    """`AROUND` random boxes near each box, inside a picture of (height, width)."""
    near = np.repeat(boxes, AROUND, axis=0)
    sides = np.tile(near[:, 2:] - near[:, :2], 2)
    moved = near + rng.uniform(-0.25, 0.25, near.shape) * sides
    return moved.clip(0, [size[1], size[0]] * 2).astype(np.float32)


def device_of(body: nn.Module) -> torch.device:
    return next(body.parameters()).device


def svms(examples: Examples, classes: int) -> tuple[Float32, Float32]:
    """(C, D) weights and (C,) biases.

    The objects' own boxes are positive, regions under `BACKGROUND` negative. The first round knows
    the negatives of every third scene; the second adds those of the others that the first one does
    not place well outside the margin (hard negative mining).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    scale = NORM / float(np.linalg.norm(examples.vector, axis=1).mean())
    vector = examples.vector * np.float32(scale)
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
            svm = LinearSVC(C=COST, dual=True, max_iter=2000, random_state=0, intercept_scaling=10)
            rows = positive | chosen
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # close enough, by the figures
                svm.fit(vector[rows], positive[rows])
            chosen |= negative & (svm.decision_function(vector) > -1)
        weight[k], bias[k] = svm.coef_[0] * scale, svm.intercept_[0]
    return weight, bias


def regressors(examples: Examples, classes: int) -> tuple[Float32, Float32]:
    """(C, 4, R) weights and (C, 4) biases, by ridge regression from regions near an object."""
    from sklearn.linear_model import Ridge

    weight = np.zeros((classes, 4, examples.map.shape[1]), np.float32)
    bias = np.zeros((classes, 4), np.float32)
    for k in range(classes):
        rows = (examples.label == k) & (examples.iou >= NEAR)
        if rows.sum() < 2:
            continue
        wanted = encode(examples.truth[rows], examples.boxes[rows])
        ridge = Ridge(ALPHA).fit(examples.map[rows], wanted)
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
    arrays["svm_weight"], arrays["svm_bias"] = map(half, svms(examples, len(names)))
    arrays["reg_weight"], arrays["reg_bias"] = map(half, regressors(examples, len(names)))
    single: dict[str, Any] = {key: value.astype(np.float32) for key, value in arrays.items()}
    shipped = rcnn.RCNN(body, **single, classes=tuple(names), side=SIDE)
    card = {
        "name": name,
        "title": "R-CNN on Mini ResNet",
        "body": "mini-resnet",
        "classes": names,
        "side": SIDE,
        "metrics": measure(shipped, material),
        "measured_on": f"{HELD_OUT} scenes of photos that the training did not use",
        "proposals": "selective search",
        "recipe": {
            "scenes": SCENES, "C": COST, "norm": NORM, "alpha": ALPHA, "seed": material.seed,
            "regions": len(examples.label), "negatives under": BACKGROUND, "boxes from": NEAR,
        },
        "data": DATA,
        "licence": LICENCE,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }  # fmt: skip
    log.info("%s: %s", name, card["metrics"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(arrays, path, metadata={"card": json.dumps(card)})
    path.chmod(0o644)  # safetensors writes for the owner only


def measure(shipped: RCNN, material: Material) -> dict[str, Any]:
    """COCO's figures on held-out scenes."""
    maker = SceneMaker(material.val, material.group_labels)
    scenes = evaluate.held_out_scenes(maker, HELD_OUT)
    found: list[dict[str, NDArray[Any]]] = []
    for scene in scenes:
        answer = rcnn.detect(shipped, scene.pixels, regions(scene.pixels), score=-0.5)
        found.append({"boxes": answer.xyxy, "labels": answer.labels, "scores": answer.scores})
    names = ["background", *shipped.classes]
    return rounded(evaluate.average_precision(scenes, found, names))
