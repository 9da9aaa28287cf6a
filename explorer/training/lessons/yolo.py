"""Training of `mini-yolo-v1` and `mini-yolo-v2`: heads on the frozen body of `mini-fasterrcnn`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from explorer.evaluation.scenes import SIDE, SceneMaker
from explorer.networks.class_names import group_labels
from explorer.networks.embedded.wordtree import ROOT
from explorer.networks.embedded.yolo import YOLOv1, YOLOv2, mini_yolo_v1, mini_yolo_v2
from explorer.training.cards import Share
from explorer.training.data import clusters
from explorer.training.data.scene_task import PHOTOS_PER_SCENE, SceneTask, part_of
from explorer.training.lessons import detector
from explorer.training.lessons.classifier import normalize
from explorer.training.lessons.detector import detector_facts
from explorer.training.loop import Recipe
from explorer.training.yolo_losses import Truth, v1_losses, v2_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.evaluation.scenes import Scene
    from explorer.networks.class_names import Category
    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(epochs=3, batch=16, peak=0.05, warmup=0.1, decay=5e-4, average=0.998, clip=10.0)

V1_SIDE = 144
"""To which the first one resizes every picture."""

STRIDE = 16
"""Of the mini body."""

PRIORS = 5

SCENES_FOR_PRIORS = 2_000

DETECTOR, BODY = "mini-fasterrcnn", "backbone.body."
"""The network whose part these stand on, and how that part's weights are called there."""

measure = detector.measure


@dataclass(slots=True, eq=False, kw_only=True)
class YoloTask(SceneTask):
    """A YOLO on the frozen body of a trained `mini_fasterrcnn`.

    Args:
        kwargs: Of `YOLOv1` or `YOLOv2`.
        words: For every class of the photos its word in the tree; needed by the second only.
        name: "mini-yolo-v1" or "mini-yolo-v2".
    """

    kwargs: dict[str, Any]
    words: Sequence[int] = ()
    recipe: Recipe = RECIPE
    name: str = "mini-yolo-v2"
    frozen: tuple[str, ...] = ("body",)

    def settings(self) -> dict[str, object]:
        return {
            "body": "random" if self.weights is None else DETECTOR,
            "side": self.kwargs["side"],
            "frozen": list(self.frozen),
            "photos per scene": PHOTOS_PER_SCENE,
        }

    def build(self) -> nn.Module:
        make = mini_yolo_v1 if self.name == "mini-yolo-v1" else mini_yolo_v2
        model: nn.Module = make(**self.kwargs)
        if self.weights is not None:
            model.get_submodule("body").load_state_dict(part_of(self.weights, BODY))
        return model

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        assert isinstance(model, YOLOv1 | YOLOv2)
        scenes = self.scenes(step)
        with torch.no_grad():
            features = model.features(pixels_of(scenes, self.kwargs["side"], device))
        numbers = model.predict(features)
        truth = truth_of(scenes, self.words, device)
        with torch.autocast(device.type, enabled=False):
            if isinstance(model, YOLOv1):
                return v1_losses(model, numbers, truth)
            return v2_losses(model, numbers, truth)


def pixels_of(scenes: Sequence[Scene], side: int, device: torch.device) -> Tensor:
    """The scenes, resized if need be: (N, 3, side, side) float32, normalized."""
    pixels = [
        scene.pixels
        if scene.pixels.shape[:2] == (side, side)
        else cv2.resize(scene.pixels, (side, side), interpolation=cv2.INTER_AREA)
        for scene in scenes
    ]
    return normalize(torch.from_numpy(np.stack(pixels)).to(device))


def truth_of(scenes: Sequence[Scene], words: Sequence[int], device: torch.device) -> Truth:
    """The scenes' objects; their classes are words, or labels where `words` is empty."""
    classes = [np.asarray(words)[s.classes] if len(words) else s.labels for s in scenes]
    boxes = [
        s.boxes / np.array([s.pixels.shape[1], s.pixels.shape[0]] * 2, np.float32) for s in scenes
    ]
    picture = np.repeat(np.arange(len(scenes)), [len(s.boxes) for s in scenes])
    return Truth(
        torch.from_numpy(picture).to(device),
        torch.from_numpy(np.concatenate(boxes)).to(device),
        torch.from_numpy(np.concatenate(classes).astype(np.int64)).to(device),
    )


def priors_of(maker: SceneMaker, side: int, *, count: int = PRIORS) -> list[list[float]]:
    """Widths and heights in cells: the centers of a k-means over the boxes of training scenes.

    In steps of 1/64, which half precision keeps.
    """
    scenes = (maker.make(np.random.default_rng([0, i])) for i in range(SCENES_FOR_PRIORS))
    sides = np.concatenate([s.boxes[:, 2:] - s.boxes[:, :2] for s in scenes])
    found = clusters.anchors(
        sides.astype(np.float32) * np.float32(side / maker.side / STRIDE), count
    )
    return [[round(float(v) * 64) / 64 for v in row] for row in found]


def word_tree(categories: Sequence[Category]) -> tuple[dict[str, list[Any]], list[int]]:
    """WordNet above the classes that have a group, without words that have a single child.

    Returns:
        `words`, `parents` and `labels` of a `WordTree`, and for every class its word in it (-1
        for the classes without a group).
    """
    labels = group_labels(categories)
    below: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for category, label in zip(categories, labels, strict=True):
        if label:
            names.update(zip(category.ids, category.path, strict=True))
            for above, child in itertools.pairwise(category.ids):
                if child not in below.setdefault(above, []):
                    below[above].append(child)
    label_of = {c.wnid: label for c, label in zip(categories, labels, strict=True)}
    words: list[str] = []
    parents: list[int] = []
    place: dict[str, int] = {}

    def lowest(wnid: str) -> str:
        while len(below.get(wnid, ())) == 1:
            (wnid,) = below[wnid]
        return wnid

    def add(wnid: str, parent: int) -> None:
        wnid = lowest(wnid)
        place[wnid] = len(words)
        words.append(names[wnid])
        parents.append(parent)
        for child in below.get(wnid, ()):
            add(child, place[wnid])

    for child in below[lowest(categories[0].ids[0])]:
        add(child, ROOT)
    of_words = [label_of.get(wnid, 0) for wnid in place]
    tree: dict[str, list[Any]] = {"words": words, "parents": parents, "labels": of_words}
    return tree, [place.get(c.wnid, ROOT) for c in categories]


def architecture(name: str, material: Material) -> dict[str, Any]:
    """The arguments of the network `name`, for these data."""
    common = {"num_classes": max(material.group_labels) + 1}
    if name == "mini-yolo-v1":
        return {**common, "side": V1_SIDE}
    maker = SceneMaker(material.train, material.group_labels)
    tree, _ = word_tree(material.categories)
    return {**common, "side": SIDE, "priors": priors_of(maker, SIDE), **tree}


def task(name: str, material: Material) -> YoloTask:
    """See `lessons`."""
    return YoloTask(
        material.train,
        material.group_labels,
        material.trained(DETECTOR),
        kwargs=architecture(name, material),
        words=word_tree(material.categories)[1] if name == "mini-yolo-v2" else (),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(name: str, material: Material) -> Facts:
    """See `lessons`."""
    title, function = {
        "mini-yolo-v1": ("Mini YOLO v1", "mini_yolo_v1"),
        "mini-yolo-v2": ("Mini YOLO v2", "mini_yolo_v2"),
    }[name]
    shares = (Share(DETECTOR, "body.", BODY),)
    found = detector_facts(title, function, "body.layer3", shares)
    return replace(found, kwargs=architecture(name, material))
