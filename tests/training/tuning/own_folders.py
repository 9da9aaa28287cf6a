"""Small folders of annotated photos in every form, and a small detector that can be fine-tuned."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from explorer.core.network_info import NetworkSpec
from explorer.core.step import Step
from explorer.networks.embedded import lite_fasterrcnn
from explorer.networks.network import Network
from tests.toys import make_network

CLASSES = ("background", "person", "car", "couch")
Box = tuple[str, tuple[int, int, int, int]]
SHADES = ((250, 40, 40), (40, 250, 40), (60, 60, 250), (240, 240, 60))


def tunable_network(seed: int = 0) -> Network:
    """A narrow Lite Faster R-CNN with random weights for `CLASSES`."""
    torch.manual_seed(seed)
    module = lite_fasterrcnn(len(CLASSES), width=8, hidden=8, short_side=64, long_side=96)
    return make_network(module, "detection", classes=CLASSES, name="toy")


class ToyEngine:
    """Lends the toy, a new module every time, as a restarted program has it."""

    def network(self, _spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
        yield Step(None, 0, 1, "building it")
        return tunable_network()


def photo(path: Path, boxes: Sequence[Box], size: tuple[int, int] = (60, 80)) -> Path:
    """A gray photo of (height, width) `size` with a colored rectangle for each box."""
    names = sorted({name for name, _ in boxes})
    pixels = np.full((*size, 3), 90, np.uint8)
    for name, (x0, y0, x1, y1) in boxes:
        pixels[max(0, y0) : y1, max(0, x0) : x1] = SHADES[names.index(name) % len(SHADES)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def three_photos() -> dict[str, list[Box]]:
    """Each of three photos has a dog and a sofa, neither the toy's own word."""
    return {
        f"{number}.png": [("dog", (5, 5, 30, 30)), ("sofa", (40, 20 + number, 75, 50))]
        for number in range(3)
    }


def coco(root: Path, photos: Mapping[str, Sequence[Box]], file: str = "instances.json") -> Path:
    """`root`/images and a COCO JSON."""
    names = sorted({name for boxes in photos.values() for name, _ in boxes})
    images, notes = [], []
    for number, (name, boxes) in enumerate(photos.items(), start=1):
        photo(root / "images" / name, boxes)
        images.append({"id": number, "file_name": name, "width": 80, "height": 60})
        notes += [
            {"id": len(notes), "image_id": number, "category_id": names.index(word) + 1,
             "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
            for word, (x0, y0, x1, y1) in boxes
        ]  # fmt: skip
    content = {
        "images": images,
        "annotations": [{**note, "id": k} for k, note in enumerate(notes)],
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(names)],
    }
    (root / file).write_text(json.dumps(content))
    return root


def voc(root: Path, photos: Mapping[str, Sequence[Box]]) -> Path:
    """`root`/JPEGImages and `root`/Annotations."""
    (root / "Annotations").mkdir(parents=True)
    for name, boxes in photos.items():
        photo(root / "JPEGImages" / name, boxes)
        objects = "".join(
            f"<object><name>{word}</name><bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin>"
            f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
            for word, (x0, y0, x1, y1) in boxes
        )
        (root / "Annotations" / f"{Path(name).stem}.xml").write_text(
            f"<annotation><filename>{name}</filename>{objects}</annotation>"
        )
    return root


def yolo(root: Path, photos: Mapping[str, Sequence[Box]], part: str = "") -> Path:
    """`root`/images/PART, `root`/labels/PART and data.yaml."""
    names = sorted({name for boxes in photos.values() for name, _ in boxes})
    (root / "labels" / part).mkdir(parents=True, exist_ok=True)
    for name, boxes in photos.items():
        photo(root / "images" / part / name, boxes)
        lines = [
            f"{names.index(word)} {(x0 + x1) / 160} {(y0 + y1) / 120} {(x1 - x0) / 80} "
            f"{(y1 - y0) / 60}"
            for word, (x0, y0, x1, y1) in boxes
        ]
        (root / "labels" / part / f"{Path(name).stem}.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text(f"names: [{', '.join(names)}]\n")
    return root
