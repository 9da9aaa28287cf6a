"""Rows as files: other programs read the same boxes from them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.annotations.coco import read_coco
from explorer.annotations.voc import read_voc
from explorer.annotations.yolo import read_yolo
from explorer.batch.embed import write_npy
from explorer.batch.job import Row, packed, unpacked
from explorer.batch.outputs import Tree, write_coco, write_csv, write_files, write_labels
from explorer.core.errors import ExplorerError
from explorer.images.outlines import filled, run_lengths
from explorer.saving.boxes import ImageInfo, LabeledBoxes, as_coco

CLASSES = ("background", "cat", "N/A", "dog", "bird")


def row(
    name: str, labels: Sequence[str], corners: Sequence[Sequence[float]], **more: object
) -> Row:
    xyxy = np.array(corners, np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.1, len(labels), dtype=np.float32)
    size = {"width": 64, "height": 48, "labels": list(labels)}
    return Row(size, {"xyxy": xyxy, "scores": scores}, name, **more)


ROWS = [
    row("a/1.jpg", ["cat", "dog"], [(1.5, 2.25, 30, 40), (0, 0, 64, 48)]),
    row("a/2.jpg", [], []),
    Row(name="bad.jpg", reason="It is damaged."),
    row("b/1.jpg", ["bird"], [(5, 6, 7.125, 8)]),
]


def rows() -> Iterator[Row]:
    return iter(ROWS)


GOOD = [each for each in ROWS if not each.reason]


def test_rows_are_the_same_after_they_were_a_chunk() -> None:
    chunk = packed(ROWS, [(1, 2)] * 4, ["x"] * 4)
    for before, after in zip(ROWS, unpacked(chunk), strict=True):
        assert (before.name, before.id, before.reason) == (after.name, after.id, after.reason)
        assert before.content == after.content
        assert before.arrays.keys() == after.arrays.keys()
        for name in before.arrays:
            np.testing.assert_array_equal(before.arrays[name], after.arrays[name])


def test_coco_is_read_again_by_us_and_by_pycocotools(tmp_path: Path) -> None:
    place = tmp_path / "p.json"
    write_coco(place, rows, CLASSES)
    found = read_coco(place)
    assert [photo.name for photo in found.photos] == ["a/1.jpg", "a/2.jpg", "b/1.jpg"]
    for photo, each in zip(found.photos, GOOD, strict=True):
        boxes = [(e.box.x0, e.box.y0, e.box.x1, e.box.y1) for e in photo.entries]
        np.testing.assert_array_equal(np.array(boxes).reshape(-1, 4), each.arrays["xyxy"])
        assert [e.box.label for e in photo.entries] == each.content["labels"]
    coco = pytest.importorskip("pycocotools.coco")
    theirs = coco.COCO(str(place))
    assert theirs.getImgIds() == [1, 2, 4]  # the third photo has no result
    assert [a["bbox"] for a in theirs.loadAnns([1])] == [[1.5, 2.25, 28.5, 37.75]]
    assert {c["id"]: c["name"] for c in theirs.cats.values()} == {1: "cat", 3: "dog", 4: "bird"}


def test_coco_equals_the_file_of_the_command_render(tmp_path: Path) -> None:
    write_coco(tmp_path / "p.json", lambda: iter(GOOD), CLASSES)
    entries = [
        (ImageInfo(each.name, 64, 48),
         LabeledBoxes(each.arrays["xyxy"], tuple(each.content["labels"]), each.arrays["scores"],
                      CLASSES))
        for each in GOOD
    ]  # fmt: skip
    assert json.loads((tmp_path / "p.json").read_text()) == json.loads(as_coco(entries))


def test_photos_of_a_coco_file_keep_their_numbers(tmp_path: Path) -> None:
    named = [row("x.jpg", ["cat"], [(0, 0, 1, 1)], id=77), row("y.jpg", [], [], id="k")]
    write_coco(tmp_path / "p.json", lambda: iter(named), CLASSES)
    content = json.loads((tmp_path / "p.json").read_text())
    assert [image["id"] for image in content["images"]] == [77, "k"]
    assert [entry["image_id"] for entry in content["annotations"]] == [77]


@pytest.mark.parametrize("as_polygons", [False, True])
def test_masks_go_into_coco(as_polygons: bool, tmp_path: Path) -> None:
    mask = np.zeros((48, 64), bool)
    mask[10:20, 30:44] = True
    found = row("a.jpg", ["cat"], [(30, 10, 44, 20)])
    outlined = replace(found, content={**found.content, "outlines": [run_lengths(mask)]})
    write_coco(tmp_path / "p.json", lambda: iter([outlined]), CLASSES, as_polygons=as_polygons)
    (entry,) = json.loads((tmp_path / "p.json").read_text())["annotations"]
    assert isinstance(entry["segmentation"], list) == as_polygons
    np.testing.assert_array_equal(filled(entry["segmentation"], (48, 64)), mask)
    assert entry["area"] == 140


def test_keypoints_go_into_coco_and_come_back(tmp_path: Path) -> None:
    names, points = ("nose", "tail"), np.array([[[1.5, 2], [3, 40.25]], [[0, 0], [63, 47]]])
    found = row("a.jpg", ["cat", "cat"], [(0, 0, 30, 41), (0, 0, 64, 48)])
    posed = replace(
        found, content={**found.content, "keypoint_names": list(names)},
        arrays={**found.arrays, "keypoints": points.astype(np.float32)},
    )  # fmt: skip
    place = tmp_path / "p.json"
    write_coco(place, lambda: iter([posed, GOOD[2]]), CLASSES)
    back = read_coco(place)
    assert back.keypoints == {"cat": names}
    for entry, own in zip(back.photos[0].entries, points, strict=True):
        np.testing.assert_array_equal(np.array(entry.keypoints).reshape(2, 3)[:, :2], own)
    entries = [
        (ImageInfo("a.jpg", 64, 48),
         LabeledBoxes(found.arrays["xyxy"], ("cat", "cat"), found.arrays["scores"], CLASSES,
                      keypoints=points.astype(np.float32), keypoint_names=names)),
        (ImageInfo(GOOD[2].name, 64, 48),
         LabeledBoxes(GOOD[2].arrays["xyxy"], ("bird",), GOOD[2].arrays["scores"], CLASSES)),
    ]  # fmt: skip
    assert json.loads(place.read_text()) == json.loads(as_coco(entries))
    coco = pytest.importorskip("pycocotools.coco")
    first = coco.COCO(str(place)).loadAnns([1])[0]
    assert first["keypoints"] == [1.5, 2, 2, 3, 40.25, 2]
    assert first["num_keypoints"] == 2


def test_yolo_and_voc_are_read_again(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels", rows(), CLASSES, "yolo")
    assert (tmp_path / "labels/classes.txt").read_text() == "cat\ndog\nbird\n"
    write_labels(tmp_path / "voc", rows(), CLASSES, "voc")
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert written == [
        "labels/a/1.txt", "labels/a/2.txt", "labels/b/1.txt", "labels/classes.txt",
        "voc/a/1.xml", "voc/a/2.xml", "voc/b/1.xml",
    ]  # fmt: skip
    (tmp_path / "labels/a/classes.txt").write_text("cat\ndog\nbird\n")
    for entries, most in (
        (read_yolo(tmp_path / "labels/a/1.txt", (64, 48)).photos[0].entries, 1e-4),
        (read_voc(tmp_path / "voc/a/1.xml").photos[0].entries, 0.5),
    ):
        boxes = [(e.box.x0, e.box.y0, e.box.x1, e.box.y1) for e in entries]
        np.testing.assert_allclose(boxes, ROWS[0].arrays["xyxy"], atol=most)
        assert [e.box.label for e in entries] == ["cat", "dog"]
    with pytest.raises(ExplorerError, match="need a list of classes"):
        write_labels(tmp_path / "no", rows(), (), "yolo")


def test_csv_and_parquet_have_the_same_boxes(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", rows)
    with (tmp_path / "p.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["photo"] for line in table] == ["a/1.jpg", "a/1.jpg", "b/1.jpg"]
    assert [float(table[0][side]) for side in ("x0", "y0", "x1", "y1")] == [1.5, 2.25, 30, 40]
    parquet = pytest.importorskip("pyarrow.parquet")
    from explorer.batch.parquet import write_records

    write_records(tmp_path / "p.parquet", rows)
    found = parquet.read_table(tmp_path / "p.parquet").to_pydict()
    assert found["class"] == ["cat", "dog", "bird"]
    boxes = np.array([found[side] for side in ("x0", "y0", "x1", "y1")], np.float32).T
    np.testing.assert_array_equal(boxes, np.concatenate([e.arrays["xyxy"] for e in GOOD]))


def test_tables_of_other_columns_go_under_the_first_head(tmp_path: Path) -> None:
    tables = [
        Row({"columns": ["class", "p"], "rows": [["cat", 0.5], ["dog", 0.25]]}, name="a.jpg"),
        Row({"columns": ["p", "more"], "rows": [[1.0, 2]]}, name="b.jpg"),
    ]
    write_csv(tmp_path / "t.csv", lambda: iter(tables))
    assert (tmp_path / "t.csv").read_text() == (
        "photo,class,p\na.jpg,cat,0.5\na.jpg,dog,0.25\nb.jpg,,1.0\n"
    )


def test_features_in_one_array_and_as_parquet(tmp_path: Path) -> None:
    features = [np.arange(3, dtype=np.float32) + k for k in range(4)]
    size = {"width": 6, "height": 4}
    found = [Row(size, {"feature": f}, f"{k}.jpg") for k, f in enumerate(features)]
    found.insert(2, Row(name="bad.jpg", reason="It is damaged."))
    write_npy(tmp_path / "f.npy", lambda: iter(found))
    np.testing.assert_array_equal(np.load(tmp_path / "f.npy"), np.stack(features))
    other = [*found, Row(size, {"feature": np.zeros(4, np.float32)}, "last.jpg")]
    with pytest.raises(ExplorerError, match=r"last.jpg have the shape \(4,\), others \(3,\)"):
        write_npy(tmp_path / "f.npy", lambda: iter(other))
    assert len(np.load(tmp_path / "f.npy")) == 4
    parquet = pytest.importorskip("pyarrow.parquet")
    from explorer.batch.parquet import write_features

    write_features(tmp_path / "f.parquet", lambda: iter(other))
    table = parquet.read_table(tmp_path / "f.parquet").to_pydict()
    assert table["photo"] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "last.jpg"]
    np.testing.assert_array_equal(np.array(table["feature"][:4], np.float32), np.stack(features))
    assert table["shape"][-1] == [4]


def test_photos_that_differ_in_their_suffix_or_case_alone_get_their_own_files(
    tmp_path: Path,
) -> None:
    names = ["a.jpg", "a.png", "A.jpg", "../a.jpg", "a.jpg"]
    data = [np.frombuffer(bytes([65 + k]), np.uint8) for k in range(5)]
    found = [Row({}, {"file": d}, name) for d, name in zip(data, names, strict=True)]
    write_files(tmp_path / "t", iter(found), ".txt")
    written = {path.name: path.read_text() for path in (tmp_path / "t").iterdir()}
    assert written == {"a.txt": "A", "a.png.txt": "B", "A.jpg.txt": "C", "2-a.txt": "D"}


def test_a_tree_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "t"
    with suppress(KeyError), Tree(place, ".txt") as tree:
        tree.write("a.jpg", b"a")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".t.part").mkdir()
    (tmp_path / ".t.part" / "old.txt").touch()
    with Tree(place, ".txt") as tree:
        tree.write("a.jpg", b"a")
        assert not place.exists()
    assert [path.name for path in place.iterdir()] == ["a.txt"]
    too_long = [Row({}, {"file": np.zeros(1, np.uint8)}, f"{'x' * 300}.jpg")]
    with pytest.raises(ExplorerError, match="could not be written"):
        write_files(place, too_long, ".txt")
    assert [path.name for path in place.iterdir()] == ["a.txt"]
