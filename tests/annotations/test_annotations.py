from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.annotations.files import fitted, read_coco, read_for, read_voc, read_yolo
from explorer.annotations.json_stream import members
from explorer.core.errors import ExplorerError
from explorer.core.params import Box
from explorer.saving.boxes import ImageInfo, LabeledBoxes, save_boxes
from tests.data import shared_data

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]


def coco_file(folder: Path, annotations: list[Any], **more: Any) -> Path:
    images = [
        {"id": 5, "file_name": "a.jpg", "width": 100, "height": 80},
        {"id": "six", "file_name": "sub/b.jpg"},
    ]
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES} | more
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path


def entry(bbox: Any, image: Any = 5, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": 3, "bbox": bbox, **more}


# -- COCO


def test_coco_boxes_come_as_corners_with_everything_the_file_says(tmp_path: Path) -> None:
    outline = [[1, 2, 3, 4, 5, 6]]
    path = coco_file(
        tmp_path,
        [
            entry([10, 20, 30, 40], area=7.5, iscrowd=0, segmentation=outline),
            entry([0, 0, 5, 6], iscrowd=1, category_id=7),
            entry([1, 1, 1, 1], image="six", category_id=99),
        ],
    )
    found = read_coco(path)
    assert found.classes == ("cat", "dog")
    assert found.category_ids == {"cat": 3, "dog": 7}
    assert [(photo.id, photo.name, photo.size) for photo in found] == [
        (5, "a.jpg", (100, 80)),
        ("six", "sub/b.jpg", None),
    ]
    first, second = found
    assert first.boxes == (Box(10, 20, 40, 60, "cat"), Box(0, 0, 5, 6, "dog", crowd=True))
    assert first.xyxy.tolist() == [[10, 20, 40, 60], [0, 0, 5, 6]]
    assert [e.area for e in first.entries] == [7.5, 30]
    assert first.crowd.tolist() == [False, True]
    assert first.difficult.tolist() == [False, False]
    assert first.entries[0].segmentation == outline
    assert second.labels == ("class 99",)
    assert found.notes == ("1 box has a category_id that no category has (category_id 99).",)


def test_negative_sizes_are_turned_over_and_what_is_no_box_is_counted(tmp_path: Path) -> None:
    bad: list[Any] = [
        [1, 2, 3],
        None,
        "box",
        [1, 2, float("nan"), 4],
        [1, 2, 10**400, 4],
        [True] * 4,
    ]
    path = coco_file(tmp_path, [entry([30, 40, -20, -10]), *map(entry, bad), entry([0] * 4, [])])
    found = read_coco(path)
    assert found.photos[0].boxes == (Box(10, 30, 30, 40, "cat"),)
    assert "6 objects were ignored" in found.notes[0]
    assert "1 box has a negative width or height" in found.notes[1]
    assert "1 box was ignored: no image" in found.notes[2]


def test_only_one_photo_is_kept(tmp_path: Path) -> None:
    path = coco_file(tmp_path, [entry([1, 2, 3, 4]), entry([1, 1, 1, 1], image="six")])
    found = read_coco(path, only="b.jpg")
    assert [photo.name for photo in found] == ["sub/b.jpg"]
    assert found.photos[0].boxes == (Box(1, 1, 2, 2, "cat"),)
    assert found.notes == ()


def test_annotations_may_stand_before_the_photos(tmp_path: Path) -> None:
    path = coco_file(tmp_path, [entry([1, 2, 3, 4])])
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_coco(path, only="a.jpg").photos[0].boxes == (Box(1, 2, 4, 6, "cat"),)


@pytest.mark.parametrize("where", ["", "images", "JPEGImages"])
def test_photos_are_found_around_the_file(tmp_path: Path, where: str) -> None:
    inside = tmp_path / "annotations"
    inside.mkdir()
    (tmp_path / where).mkdir(exist_ok=True)
    (tmp_path / where / "a.jpg").write_bytes(b"")
    assert read_coco(coco_file(inside, [])).photos[0].path == tmp_path / where / "a.jpg"


def test_photos_of_a_split_are_found(tmp_path: Path) -> None:
    for folder in ("annotations", "val2017"):
        (tmp_path / folder).mkdir()
    (tmp_path / "val2017/a.jpg").write_bytes(b"")
    path = coco_file(tmp_path / "annotations", []).rename(
        tmp_path / "annotations/instances_val2017.json"
    )
    assert read_coco(path).photos[0].path == tmp_path / "val2017/a.jpg"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../../secret.jpg", "..\\secret.jpg", "a\0.jpg", ".."]
)
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    path = coco_file(tmp_path, [], images=[{"id": 1, "file_name": name}])
    (photo,) = read_coco(path)
    assert photo.path.is_relative_to(tmp_path)
    assert ".." not in photo.path.parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "no",
        "{",
        '{"images": []}',
        '{"images": [], "annotations": [}',
        '{"images": [], "annotations": []} more',
        '{"images": ' + "[" * 100_000,
        "\x00\x01",
    ],
)
def test_what_is_no_coco_file_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ExplorerError, match="not a COCO file") as caught:
        read_coco(path)
    assert '"annotations"' in caught.value.hint


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ExplorerError, match="not a COCO file"):
        read_coco(tmp_path / "x.json")


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="does not exist"):
        read_coco(tmp_path / "none.json")
    with pytest.raises(ExplorerError, match="is a folder"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1},
        {"a": [], "b": [1, [2], {"c": None}], "d": {"e": [1]}, "f": "x"},
        {"": [[]], "z": [0.5]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_members_are_those_of_the_whole(value: dict[str, Any], indent: int | None) -> None:
    found: dict[str, Any] = {}
    for key, part in members(json.dumps(value, indent=indent)):
        if key in found and isinstance(value[key], list):
            found[key].append(part)
        else:
            found[key] = part
    assert found == value


# -- Pascal VOC

VOC = """<annotation><filename>{name}</filename>
<size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>cat</name><difficult>1</difficult>
<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
<object><name>person</name><bndbox><xmax>5.5</xmax><ymin>6</ymin><xmin>9</xmin><ymax>2</ymax></bndbox>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
</object>
<object><name>nothing</name></object>
<object><name>words</name><bndbox><xmin>a</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>
</annotation>"""


def test_voc_counts_from_one_and_includes_both_ends(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(VOC.format(name="other.jpg"))
    (tmp_path / "a.jpg").write_bytes(b"")
    (photo,) = read_voc(tmp_path / "a.xml")
    assert photo.boxes == (Box(10, 20, 40, 60, "cat", True), Box(4.5, 1, 9, 6, "person"))
    assert photo.difficult.tolist() == [True, False]
    scaled, _ = fitted(photo, (200, 160))
    assert scaled[0] == Box(20, 40, 80, 120, "cat", True)
    assert photo.size == (100, 80)
    assert photo.path == tmp_path / "a.jpg"  # what is there goes before the name inside


def test_a_folder_of_voc_files(tmp_path: Path) -> None:
    for folder in ("Annotations", "JPEGImages"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        (tmp_path / f"Annotations/{name}.xml").write_text(VOC.format(name=f"{name}.jpg"))
        (tmp_path / f"JPEGImages/{name}.jpg").write_bytes(b"")
    (tmp_path / "Annotations/c.xml").write_text("<annotation>")
    found = read_voc(tmp_path)
    assert [photo.path.name for photo in found] == ["a.jpg", "b.jpg"]
    assert found.classes == ("cat", "person")
    assert "4 objects were ignored" in found.notes[0]
    assert "2 boxes have a negative width or height" in found.notes[1]
    assert "1 file was ignored. c.xml" in found.notes[2]


@pytest.mark.parametrize("text", ["", "no", "<html/>", "<annotation>", "<annotation/>\x01"])
def test_what_is_no_voc_file_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(ExplorerError, match="not a Pascal VOC file"):
        read_voc(tmp_path / "a.xml")
    with pytest.raises(ExplorerError, match="no Pascal VOC annotations"):
        read_voc(tmp_path)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>'
    (tmp_path / "a.xml").write_text(bomb)
    with pytest.raises(ExplorerError, match="entities"):
        read_voc(tmp_path / "a.xml")


# -- YOLO


def test_yolo_is_in_parts_of_the_photo(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    lines = ["1 0.5 0.5 0.2 0.5", "0 .1 .1 .2 .2 .9", "5 0 0 1 0 1 1 0 1", "x 1 2 3 4", "0 1", ""]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    found = read_yolo(tmp_path / "a.txt", (100, 80))
    assert found.classes == ("cat", "dog")
    (photo,) = found
    expected = [[40, 20, 60, 60], [0, 0, 20, 16], [0, 0, 100, 80]]
    np.testing.assert_allclose(photo.xyxy, expected, atol=1e-12)
    assert photo.labels == ("dog", "cat", "class 5")
    assert photo.entries[2].segmentation == [[0, 0, 100, 0, 100, 80, 0, 80]]
    assert "2 objects were ignored" in found.notes[0]
    assert "1 object has a class index without a name in classes.txt" in found.notes[1]


def test_what_is_no_yolo_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a caption of the photo\n")
    with pytest.raises(ExplorerError, match="no YOLO labels"):
        read_yolo(tmp_path / "a.txt", (100, 80))


def test_an_empty_yolo_file_is_a_photo_without_boxes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    assert read_yolo(tmp_path / "a.txt", (100, 80)).photos[0].entries == ()


# -- for one photo


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo"])
def test_what_the_program_writes_it_reads(tmp_path: Path, kind: Any) -> None:
    xyxy = np.array([[10, 20, 40, 60], [0, 0, 100, 80]], np.float32)
    path = tmp_path / ("a" + {"coco": ".json", "voc": ".xml", "yolo": ".txt"}[kind])
    save_boxes(path, LabeledBoxes(xyxy, ("cat", "dog")), ImageInfo("a.jpg", 100, 80), kind)
    boxes, notes = read_for(path, "a.jpg", (100, 80))
    assert notes == ()
    assert [box.label for box in boxes] == ["cat", "dog"]
    np.testing.assert_allclose([(b.x0, b.y0, b.x1, b.y1) for b in boxes], xyxy, atol=1e-4)


def test_boxes_fit_a_photo_that_was_made_smaller(tmp_path: Path) -> None:
    path = coco_file(
        tmp_path,
        [entry([10, 20, 200, 20]), entry([0, 0, 9, 9], iscrowd=1), entry([200, 0, 9, 9])],
    )
    boxes, notes = read_for(path, "somewhere/a.png", (50, 40))
    assert boxes == (Box(5, 10, 50, 20, "cat"), Box(0, 0, 4.5, 4.5, "cat", crowd=True))
    assert [note.split(" ")[0] for note in notes] == ["2", "The", "1"]
    assert "100 x 80" in notes[1]


def test_another_shape_is_not_scaled(tmp_path: Path) -> None:
    photo = read_coco(coco_file(tmp_path, [entry([10, 20, 30, 20])])).photos[0]
    boxes, notes = fitted(photo, (80, 100))
    assert boxes == (Box(10, 20, 40, 40, "cat"),)
    assert "may be misplaced" in notes[0]


def test_a_photo_that_the_file_does_not_name(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"does not name c\.jpg"):
        read_for(coco_file(tmp_path, []), "c.jpg", (10, 10))
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(ExplorerError, match="not an annotation file"):
        read_for(tmp_path / "a.csv", "a.jpg", (10, 10))


def test_the_very_file_goes_before_its_namesake(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes(b"")
    images = [{"id": k, "file_name": f"{name}/a.jpg"} for k, name in enumerate(("x", "y"))]
    found = read_coco(coco_file(tmp_path, [], images=images))
    photo = found.of(tmp_path / "y/a.jpg")
    assert photo is not None
    assert photo.name == "y/a.jpg"
    assert found.of("b.jpg") is None


# -- real files


def test_the_shared_coco_photos() -> None:
    path = shared_data("coco-mini/instances.json")
    if path is None:
        pytest.skip("no shared data")
    found = read_coco(path)
    raw = json.loads(path.read_text())
    assert len(found) == len(raw["images"])
    assert sum(len(photo.entries) for photo in found) == len(raw["annotations"])
    assert all(photo.path.is_file() for photo in found)


def test_the_shared_voc_photos() -> None:
    path = shared_data("voc-mini")
    if path is None:
        pytest.skip("no shared data")
    found = read_voc(path)
    assert len(found) == 50
    assert found.notes == ()
    assert all(photo.path.is_file() and photo.entries for photo in found)
