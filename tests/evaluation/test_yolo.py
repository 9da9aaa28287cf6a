"""Data sets with YOLO's labels are evaluated like any other, and faults say where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.evaluation.datasets import likely_task, open_source
from tests.evaluation.sets import GREEN, RED, picture

INFO: Any = None


def yolo_set(root: Path, *, flat: bool = False) -> Path:
    """60 x 40: one photo of a red and a green box, one of a green box, one without objects."""
    photos = root if flat else root / "images" / "val"
    labels = root if flat else root / "labels" / "val"
    labels.mkdir(parents=True, exist_ok=True)
    first, second = (RED, (6, 4, 24, 24)), (GREEN, (30, 10, 48, 30))
    picture(photos / "one.png", first, second)
    picture(photos / "two.png", second)
    picture(photos / "three.png")
    picture(photos / "bare.png")
    red, green = "0 0.25 0.35 0.3 0.5", "1 0.65 0.5 0.3 0.5"
    (labels / "one.txt").write_text(f"{red}\n{green}\n")
    (labels / "two.txt").write_text(f"{green}\n7 0.5 0.5 0.1 0.1\n1 0.5\n")
    (labels / "three.txt").write_text("")
    if flat:
        (root / "classes.txt").write_text("red\ngreen\n")
    else:
        (root / "data.yaml").write_text("path: .\nval: images/val\nnames: [red, green]\n")
    return root


@pytest.mark.parametrize("flat", [False, True])
def test_boxes_and_classes(tmp_path: Path, flat: bool) -> None:
    root = yolo_set(tmp_path, flat=flat)
    assert likely_task(root) == "detection"
    source = open_source(root, "detection")
    assert source.kind == "YOLO"
    assert [c.name for c in source.classes] == ["red", "green"]
    cases = {
        case.name.rpartition("/")[2]: case
        for case in source.make("detection", np.array([4, 2]), INFO)
    }
    assert sorted(cases) == ["one.png", "three.png", "two.png"]
    pixels, truth = cases["one.png"].load()
    assert pixels.shape == (40, 60, 3)
    assert truth.objects is not None
    assert truth.objects.labels.tolist() == [4, 2]
    np.testing.assert_allclose(truth.objects.xyxy, [[6, 4, 24, 24], [30, 10, 48, 30]], atol=1e-4)
    _, truth = cases["two.png"].load()
    assert truth.objects is not None
    assert truth.objects.labels.tolist() == [2]
    assert truth.left_out == 1
    _, truth = cases["three.png"].load()
    assert truth.objects is not None
    assert len(truth.objects.labels) == 0


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    notes = open_source(yolo_set(tmp_path), "detection").notes
    list_file = "data.yaml"
    assert f"two.txt: 1 object has a class index without a name in {list_file}." in notes
    assert "two.txt: 1 object was ignored: its box cannot be read." in notes
    assert "1 photo has no label file and is ignored." in notes
    (tmp_path / "labels/val/one.txt").write_text("0 0.5\n0 0.25 0.35 0.3 0.5\n")
    notes = open_source(tmp_path, "detection").notes
    assert any("one.txt" in note and "1 more file has this." in note for note in notes)


@pytest.mark.parametrize("name", ["data.yaml", "images/val", "images", "."])
def test_every_way_to_name_it(tmp_path: Path, name: str) -> None:
    yolo_set(tmp_path)
    assert likely_task(tmp_path / name) == "detection"
    source = open_source(tmp_path / name, "detection")
    assert len(source.make("detection", np.array([0, 1]), INFO)) == 3


def test_a_table_without_photos_is_said(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("val: nowhere\nnames: [red]\n")
    with pytest.raises(ExplorerError, match="no photos with YOLO labels"):
        open_source(tmp_path / "data.yaml", "detection")


def test_class_folders_with_notes_stay_class_folders(tmp_path: Path) -> None:
    picture(tmp_path / "red" / "a.png")
    (tmp_path / "red" / "a.txt").write_text("a caption")
    assert likely_task(tmp_path) == "classification"
    assert open_source(tmp_path, "classification").kind == "class folders"


def test_labels_in_a_folder_of_their_own(tmp_path: Path) -> None:
    """As `render --boxes FOLDER/ --format yolo` writes them."""
    yolo_set(tmp_path / "a", flat=True)
    labels = tmp_path / "labels"
    labels.mkdir()
    for file in (tmp_path / "a").glob("*.txt"):
        file.rename(labels / file.name)
    source = open_source(labels, "detection", tmp_path / "a")
    assert source.kind == "YOLO"
    cases = source.make("detection", np.array([0, 1]), INFO)
    assert [case.name for case in cases] == ["one.png", "three.png", "two.png"]
    assert "1 photo has no label file and is ignored." in source.notes


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yolo_set(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    cases = open_source(Path("set"), "detection").make("detection", np.array([0, 1]), INFO)
    assert cases[0].load()[0].shape == (40, 60, 3)
