"""Data sets as other programs write them, each after what somebody has reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explorer.evaluation.datasets import open_source
from explorer.evaluation.report import sentences
from explorer.evaluation.run import evaluate
from tests.evaluation.sets import coco_set, color_network, mask_set, voc_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from explorer.evaluation.report import Report


def report_of(data: Path, task: Any = "detection", images: Path | None = None) -> Report:
    network = color_network(task)
    source = open_source(data, network.info.task, images)
    return [step.value for step in evaluate(network, source)][-1]


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("kind", [float, str])
@pytest.mark.parametrize("keys", [("id",), ("image_id", "category_id"), ("id", "image_id")])
def test_ids_of_any_type_give_the_same_figures(
    tmp_path: Path, kind: Any, keys: tuple[str, ...]
) -> None:
    wanted = report_of(coco_set(tmp_path / "plain"))

    def retype(content: dict[str, Any]) -> None:
        for entry in (e for part in content.values() for e in part):
            entry.update({key: kind(entry[key]) for key in keys if key in entry})

    found = report_of(changed(coco_set(tmp_path / "other"), retype))
    assert found.figures == wanted.figures
    assert found.objects == wanted.objects == 3


def test_photos_named_on_another_system_or_by_their_address(tmp_path: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        first, second = content["images"]
        first["file_name"] = f"C:\\data\\images\\{first['file_name']}"
        second["coco_url"] = f"http://images.example/val/{second.pop('file_name')}"

    data = changed(coco_set(tmp_path), rename)
    assert report_of(data).photos == 2
    moved = (tmp_path / "images").rename(tmp_path / "elsewhere")
    assert report_of(data, images=moved).photos == 2


def test_without_an_object_there_is_no_figure(tmp_path: Path) -> None:
    data = changed(coco_set(tmp_path), lambda content: content.update(annotations=[]))
    report = report_of(data)
    assert report.figures == report.by_class == {}
    assert report.photos == 2
    assert any("there is no metric" in words for words in sentences(report))


def test_crowds_alone_give_no_figure(tmp_path: Path) -> None:
    def crowd(content: dict[str, Any]) -> None:
        for entry in content["annotations"]:
            entry["iscrowd"] = 1

    assert report_of(changed(coco_set(tmp_path), crowd)).figures == {}


def test_without_a_pixel_that_counts_there_is_no_figure(tmp_path: Path) -> None:
    from PIL import Image

    folder = mask_set(tmp_path)
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(folder / "m.png")
    report = report_of(folder, "segmentation")
    assert report.figures == {}
    assert any("there is no metric" in words for words in sentences(report))


def test_what_is_marked_ignore_counts_as_iscrowd_says(tmp_path: Path) -> None:
    def mark(content: dict[str, Any]) -> None:
        for entry in content["annotations"]:
            entry["ignore"] = 1

    wanted = report_of(coco_set(tmp_path / "plain"))
    found = report_of(changed(coco_set(tmp_path / "marked"), mark))
    assert found.figures == wanted.figures
    assert found.objects == wanted.objects


def test_voc_files_in_folders(tmp_path: Path) -> None:
    root = voc_set(tmp_path)
    wanted = report_of(root)
    (root / "Annotations/a").mkdir()
    (root / "Annotations/p.xml").rename(root / "Annotations/a/p.xml")
    assert report_of(root).figures == wanted.figures
    (root / "Annotations").rename(root / "boxes")
    assert report_of(root / "boxes").figures == wanted.figures


def test_objects_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    root = voc_set(tmp_path)
    place = root / "Annotations/p.xml"
    place.write_text(place.read_text().replace("<xmin>51</xmin>", "<xmin>(51, 7)</xmin>"))
    assert any("1 object was ignored" in words for words in sentences(report_of(root)))
