"""Real networks on real photos: ten drawn boxes, and three trainings on Pascal VOC's classes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from explorer.annotations.files import read_coco, read_voc
from explorer.core.network_info import NetworkSpec
from explorer.core.values import FolderRef
from explorer.engine.engine import Engine
from explorer.images.image import open_image
from explorer.networks.network import Network
from explorer.training.heads.bench import Bench
from explorer.training.heads.body import Body
from explorer.training.heads.head import Plan
from explorer.training.heads.sets import CLASS, Wanted, set_for
from explorer.training.unfreezing.lane import EXTRACTION, SCRATCH, TUNING
from explorer.training.unfreezing.run import compare
from explorer.training.unfreezing.wish import Wish
from tests.data import shared_data
from tests.steps import finish

pytestmark = pytest.mark.slow

NAMES = ("cat", "dog", "person")
MOST = 16
Box = tuple[str, str, tuple[float, float, float, float]]
TEN: tuple[Box, ...] = (
    ("caffe_cat_gray.jpg", "cat", (168, 16, 347, 352)),
    ("coral_cat_720p.jpg", "cat", (128, 77, 896, 713)),
    ("skimage_chelsea.png", "cat", (8, 0, 361, 299)),
    ("imageio_wikkie.png", "cat", (0, 0, 495, 427)),
    ("coral_pets.jpg", "dog", (106, 3, 256, 294)),
    ("coral_pets.jpg", "dog", (345, 162, 486, 362)),
    ("sam_dog.jpg", "dog", (0, 227, 427, 530)),
    ("skimage_astronaut.png", "person", (17, 14, 376, 511)),
    ("coral_grace_hopper.bmp", "person", (17, 20, 511, 599)),
    ("d2go_test2.jpg", "person", (252, 149, 341, 399)),
)


def needed(name: str) -> Path:
    found = shared_data(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


def network(name: str) -> Network:
    found, _ = finish(Engine().network(NetworkSpec(name)))
    return found


def write(root: Path, file: str, boxes: list[Box]) -> None:
    photos = sorted({name for name, _, _ in boxes})
    images = []
    for number, name in enumerate(photos):
        height, width = open_image(root / "images" / name).pixels.shape[:2]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
    notes = [
        {
            "id": number, "image_id": photos.index(name), "category_id": NAMES.index(word) + 1,
            "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0,
        }
        for number, (name, word, (x0, y0, x1, y1)) in enumerate(boxes)
    ]  # fmt: skip
    classes = [{"id": number + 1, "name": name} for number, name in enumerate(NAMES)]
    content = {"images": images, "annotations": notes, "categories": classes}
    (root / file).write_text(json.dumps(content))


def test_ten_boxes_are_enough_for_other_photos(tmp_path: Path) -> None:
    """85.7% of 35 crops were correct with EfficientNet-Lite0, 22.9% are of the same class."""
    photos, voc, coco = (needed(name) for name in ("photos", "voc-mini", "coco-mini"))
    (tmp_path / "images").mkdir()
    for name, _, _ in TEN:
        shutil.copyfile(photos / name, tmp_path / "images" / name)
    others: list[Box] = []
    for photo in (*read_voc(voc).photos, *read_coco(coco / "instances.json").photos):
        for box in photo.boxes:
            large = min(box.x1 - box.x0, box.y1 - box.y0) >= 40
            many = sum(word == box.label for _, word, _ in others) >= MOST
            if box.label in NAMES and box.counts and large and not many:
                others.append((photo.path.name, box.label, (box.x0, box.y0, box.x1, box.y1)))
                shutil.copyfile(photo.path, tmp_path / "images" / photo.path.name)
    write(tmp_path, "train.json", list(TEN))
    write(tmp_path, "val.json", others)
    classes = set_for(Wanted(CLASS, FolderRef(str(tmp_path))))
    assert (len(classes.train), len(classes.test)) == (10, len(others))
    bench = Bench(
        Body(network("efficientnet-lite0"), whole=False), classes, Plan(CLASS), words=True,
        photo=None,
    )  # fmt: skip
    _, steps = finish(bench.run())
    report = steps[-1].value
    assert report.value("held-out accuracy") > 0.7
    assert report.value("held-out accuracy") > report.words > report.constant


def test_with_few_photos_trained_weights_are_better_than_random_ones() -> None:
    """Mini ResNet with up to ten crops per class: 24%, 27% and 15%; 15% are of one class."""
    wish = Wish(
        NetworkSpec("mini-resnet"), str(needed("voc-mini")), stages=2, steps=30, side=48, most=10
    )
    _, steps = finish(compare(wish, network("mini-resnet")))
    report = steps[-1].value
    assert len(report.names) == 20
    assert report.now(EXTRACTION) > report.constant
    assert min(report.now(EXTRACTION), report.now(TUNING)) > report.now(SCRATCH)
