"""Small data sets with hand-made answers, and networks that see colors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.toys import FixedSegmenter, MeanClassifier, make_network

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
Rectangle = tuple[tuple[int, int, int], tuple[int, int, int, int]]


def picture(path: Path, *rectangles: Rectangle, size: tuple[int, int] = (40, 60)) -> Path:
    """A black photo of (height, width) `size` with colored rectangles (x0, y0, x1, y1)."""
    pixels = np.zeros((*size, 3), np.uint8)
    for color, (x0, y0, x1, y1) in rectangles:
        pixels[y0:y1, x0:x1] = color
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def filled(path: Path, color: tuple[int, int, int]) -> Path:
    return picture(path, (color, (0, 0, 16, 16)), size=(16, 16))


def class_folders(root: Path) -> Path:
    """Three red photos of which one is green, two green ones, one of a class nobody knows."""
    for name, color in (("a", RED), ("b", RED), ("c", GREEN)):
        filled(root / "red" / f"{name}.png", color)
    for name in ("a", "b"):
        filled(root / "Green" / f"{name}.png", GREEN)
    filled(root / "violet" / "a.png", BLUE)
    return root


def coco_set(root: Path, photos: str = "images") -> Path:
    """Two photos: red and green; green, and a violet thing that the network does not know."""
    first, second = (RED, (5, 5, 25, 25)), (GREEN, (30, 10, 50, 30))
    picture(root / photos / "one.png", first, second)
    picture(root / photos / "two.png", (GREEN, (10, 10, 30, 30)))
    boxes = [(1, 1, first[1]), (1, 2, second[1]), (2, 2, (10, 10, 30, 30)), (2, 9, (0, 0, 5, 5))]
    content = {
        "images": [
            {"id": i, "file_name": f"{name}.png", "width": 60, "height": 40}
            for i, name in ((1, "one"), (2, "two"))
        ],
        "annotations": [
            {"id": n, "image_id": photo, "category_id": label, "iscrowd": 0,
             "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
             "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]]}
            for n, (photo, label, (x0, y0, x1, y1)) in enumerate(boxes, 1)
        ],
        "categories": [
            {"id": 1, "name": "red"}, {"id": 2, "name": "green"}, {"id": 9, "name": "violet"},
        ],
    }  # fmt: skip
    place = root / "instances.json"
    place.write_text(json.dumps(content))
    return place


def pose_set(root: Path) -> Path:
    """Two people of two keypoints in one photo; the box of the first has sides of 32 pixels."""
    picture(root / "images" / "p.png", (RED, (4, 4, 36, 36)))
    notes = [
        {"id": n, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [x, 4, 32, 32],
         "area": 1024, "keypoints": [x + 8, 12, 2, x + 24, 28, 2], "num_keypoints": 2}
        for n, x in ((1, 4), (2, 20))
    ]  # fmt: skip
    place = root / "people.json"
    place.write_text(json.dumps({
        "images": [{"id": 1, "file_name": "p.png", "width": 60, "height": 40}],
        "annotations": notes,
        "categories": [{"id": 1, "name": "person", "keypoints": ["left_shoulder", "right_hip"]}],
    }))  # fmt: skip
    return place


def voc_set(root: Path) -> Path:
    """One photo with a red object, and a difficult green one that is not in the picture."""
    picture(root / "JPEGImages" / "p.png", (RED, (5, 5, 25, 25)))
    entries = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox><xmin>{x0 + 1}</xmin>"
        f"<ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, hard, (x0, y0, x1, y1) in (
            ("red", 0, (5, 5, 25, 25)), ("red", 1, (30, 10, 50, 30)), ("red", 0, (50, 0, 60, 9)),
        )
    )  # fmt: skip
    folder = root / "Annotations"
    folder.mkdir()
    (folder / "p.xml").write_text(
        "<annotation><filename>p.png</filename><size><width>60</width><height>40</height>"
        f"<depth>3</depth></size>{entries}</annotation>"
    )
    return root


def mask_set(root: Path) -> Path:
    """A photo with a red half; its mask says red there, 5 (violet) elsewhere, 0 in one row."""
    picture(root / "images" / "m.png", (RED, (0, 0, 30, 40)))
    mask = np.full((40, 60), 5, np.uint8)
    mask[:, :20] = 1
    mask[39] = 0
    (root / "semantic_masks").mkdir()
    Image.fromarray(mask).save(root / "semantic_masks" / "m.png")
    (root / "semantic_classes.yaml").write_text(
        "# comment\ntrain:\n  9: path\nclasses:\n  0: unlabeled\n  1: red\n  5: violet\n"
    )
    return root / "semantic_masks"


class ColorDetector(nn.Module):
    """A box around all red pixels (label 1) and around all green ones (label 2)."""

    def __init__(self, score: float = 0.9) -> None:
        super().__init__()
        self.score = score
        self.identity = nn.Identity()

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        image = self.identity(images[0])
        boxes, labels = [], []
        for channel in (0, 1):
            ys, xs = torch.nonzero(image[channel] > 0.5, as_tuple=True)
            if len(xs):
                boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
                labels.append(channel + 1)
        return [
            {
                "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                "labels": torch.tensor(labels, dtype=torch.int64),
                "scores": torch.full((len(labels),), self.score),
            }
        ]


class Localizer(nn.Module):
    """The mean color's class, and always the middle of the input as its box."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = MeanClassifier((1.0, 1.0, 1.0))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        box = torch.tensor([0.25, 0.25, 0.75, 0.75])
        return {"logits": self.trunk(x), "boxes": box.expand(len(x), 4)}


def color_network(task: str, **more: Any) -> Network:
    """A network of `task` with the classes red and green (and blue where it names photos)."""
    if task == "detection":
        return make_network(
            ColorDetector(), "detection", classes=("__background__", "red", "green"), **more
        )
    if task == "segmentation":
        return make_network(
            FixedSegmenter(), "segmentation", classes=("background", "red", "green"), **more
        )
    module = MeanClassifier((1.0, 1.0, 1.0)) if task == "classification" else Localizer()
    more.setdefault("preprocess", Preprocess(resize=16, crop=16))
    return make_network(module, task, classes=("red", "green", "blue"), **more)  # type: ignore[arg-type]
