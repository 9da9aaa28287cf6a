from __future__ import annotations

import json
from pathlib import Path

import pytest

from explorer.annotations.around import around
from explorer.core.params import Box
from tests.data import shared_data

VOC = (
    "<annotation><object><name>cat</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax>"
    "<ymax>8</ymax></bndbox></object></annotation>"
)
BOX = (Box(1, 2, 9, 8, "cat"),)


def placed(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def coco(name: str) -> str:
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": name}],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 8, 6]}],
            "categories": [{"id": 1, "name": "cat"}],
        }
    )


@pytest.mark.parametrize("place", ["Annotations/a.xml", "annotations/a.xml", "JPEGImages/a.xml"])
def test_voc(tmp_path: Path, place: str) -> None:
    photo = placed(tmp_path, "JPEGImages/a.jpg")
    file = placed(tmp_path, place, VOC)
    found = around(photo, (20, 10))
    assert found is not None
    assert (found.path, found.boxes) == (file, BOX)


@pytest.mark.parametrize(
    "place",
    [
        "train/instances.json",
        "instances_train.json",
        "train/_annotations.coco.json",
        "annotations/instances_train.json",
    ],
)
@pytest.mark.parametrize("name", ["a.jpg", "日本.jpg"])
def test_coco(tmp_path: Path, place: str, name: str) -> None:
    photo = placed(tmp_path, f"train/{name}")
    file = placed(tmp_path, place, coco(name))
    found = around(photo, (20, 10))
    assert found is not None
    assert (found.path, found.boxes) == (file, BOX)
    assert around(placed(tmp_path, "train/b.jpg"), (20, 10)) is None


def test_yolo_needs_its_list_of_classes(tmp_path: Path) -> None:
    photo = placed(tmp_path, "images/train/a.jpg")
    placed(tmp_path, "labels/train/a.txt", "0 0.25 0.5 0.4 0.6\n")
    assert around(photo, (20, 10)) is None, "it may be anything"
    placed(tmp_path, "labels/classes.txt", "cat\n")
    found = around(photo, (20, 10))
    assert found is not None
    assert found.boxes[0].label == "cat"


def test_what_is_no_annotation_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = placed(tmp_path, "a.jpg")
    placed(tmp_path, "a.xml", "<html/>")
    placed(tmp_path, "instances.json", '{"a.jpg": ')
    placed(tmp_path, "annotations.json", "[]")
    assert around(photo, (20, 10)) is None
    placed(tmp_path, "instances.json", coco("a.jpg"))
    assert around(photo, (20, 10)) is not None
    monkeypatch.setattr("explorer.annotations.around.MOST_BYTES", 10)
    assert around(photo, (20, 10)) is None, "large files are read only when they are chosen"


@pytest.mark.parametrize("name", ["coco-mini/images/000000000009.jpg", "voc-mini/images"])
def test_the_shared_photos(name: str) -> None:
    photo = shared_data(name)
    if photo is None:
        pytest.skip("no shared data")
    if photo.is_dir():
        photo = sorted(photo.iterdir())[0]
    found = around(photo, (10_000, 10_000))
    assert found is not None
    assert found.boxes
