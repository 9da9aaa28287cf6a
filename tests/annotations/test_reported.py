"""Annotation files as other programs write them, each after what somebody has reported."""

from __future__ import annotations

import json
from math import cos, sin
from pathlib import Path
from typing import Any

import pytest

from explorer.annotations.around import around, file_for
from explorer.annotations.coco import identity
from explorer.annotations.files import read_coco, read_for, read_voc, read_yolo
from explorer.annotations.places import Places
from explorer.core.errors import ExplorerError
from explorer.core.params import Box
from explorer.networks.checkpoints.class_lists import class_list

SIZE = (640, 425)
MIDDLE = (240.0, 106.25, 400.0, 318.75)
"""What "0.5 0.5 0.25 0.5" is in a photo of that size."""


def placed(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


# -- COCO


def coco(folder: Path, **more: Any) -> Path:
    content: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]}],
        "categories": [{"id": 3, "name": "cat"}],
    }
    return placed(folder / "instances.json", json.dumps(content | more))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, 1), (1.0, 1), ("1", 1), (" 1 ", 1), ("1.0", 1), ("0001", 1), ("-3", -3), ("a1", "a1"),
        (0, 0), (1.5, None), (True, None), (None, None), ("", None), ([1], None),
        (float("nan"), None),
    ],
)  # fmt: skip
def test_one_id_in_all_of_its_spellings(value: Any, wanted: Any) -> None:
    assert identity(value) == wanted


@pytest.mark.parametrize("image", [float, str, "{:012d}".format])
@pytest.mark.parametrize("annotation", [int, float, str])
@pytest.mark.parametrize("category", [int, float, str])
@pytest.mark.parametrize("only", ["", "a.jpg"])
def test_ids_match_whatever_their_type(
    tmp_path: Path, image: Any, annotation: Any, category: Any, only: str
) -> None:
    path = coco(
        tmp_path,
        images=[{"id": image(7), "file_name": "a.jpg"}, {"id": image(8), "file_name": "b.jpg"}],
        annotations=[
            {"id": 1.0, "image_id": annotation(7), "category_id": category(3), "bbox": [1, 2, 3, 4]}
        ],
        categories=[{"id": annotation(3), "name": "cat"}],
    )
    found = read_coco(path, only=only)
    assert found.photos[0].boxes == (Box(1, 2, 4, 6, "cat"),)
    assert found.classes == ("cat",)
    assert found.notes == ()


def test_what_still_does_not_match_is_said(tmp_path: Path) -> None:
    box = {"bbox": [1, 2, 3, 4]}
    path = coco(
        tmp_path,
        images=[
            {"id": 7, "file_name": "a.jpg"}, {"id": "7.0", "file_name": "b.jpg"}, {"id": 8},
            {"file_name": "c.jpg"}, "d.jpg",
        ],
        annotations=[
            {"image_id": 9, "category_id": 3, **box}, {"image_id": 7, "category_id": 4, **box},
            {"image_id": 7, "category_id": 3}, {"image_id": 7, **box}, [],
        ],
    )  # fmt: skip
    for only in ("", "a.jpg"):
        found = read_coco(path, only=only)
        assert [photo.labels for photo in found] == [("class 4", "")]
        assert [note.split(":")[0] for note in found.notes] == [
            "1 object was ignored", "1 box was ignored",
            "2 boxes have a category_id that no category has (category_id 4, …).",
            "1 image was ignored", "1 image was ignored", "3 entries were ignored",
        ]  # fmt: skip


def test_a_box_around_the_outline_where_none_is_written(tmp_path: Path) -> None:
    outline = [[10, 20, 30, 25, 12, 60], [40, 5, 41, 5, 41, 6]]
    annotations = [
        {"image_id": 7, "category_id": 3, "segmentation": outline},
        {"image_id": 7, "category_id": 3, "bbox": ["1", "2.5", "3", "4"]},
    ]
    (photo,) = read_coco(coco(tmp_path, annotations=annotations))
    assert photo.boxes == (Box(10, 5, 41, 60, "cat"), Box(1, 2.5, 4, 6.5, "cat"))


@pytest.mark.parametrize(
    "entry",
    [
        {"coco_url": "http://images.cocodataset.org/val2017/a.jpg"},
        {"file_name": "", "coco_url": "https://x/val2017/a.jpg?size=large"},
        {"file_name": None, "flickr_url": "http://x/a.jpg"},
        {"file_name": "C:\\Users\\ann\\images\\a.jpg"},
        {"file_name": "\\\\server\\share\\a.jpg"},
        {"file_name": ".\\a.jpg"},
        {"file_name": "A.JPG"},
        {"file_name": "a.png"},
        {"file_name": "somewhere/else/a.jpg"},
        {"file_name": "%61.jpg"},
    ],
)
@pytest.mark.parametrize("place", ["", "images", "instances"])
def test_photos_by_whatever_name_they_have(
    tmp_path: Path, entry: dict[str, Any], place: str
) -> None:
    photo = placed(tmp_path / place / "a.jpg")
    path = coco(tmp_path, images=[{"id": 7, **entry}])
    (found,) = read_coco(path)
    assert found.path == photo
    if entry.get("file_name") not in ("A.JPG", "%61.jpg"):
        assert read_for(path, photo, (100, 80))[0] == (Box(10, 20, 40, 60, "cat"),)


def test_photos_without_any_name(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match='no "file_name"'):
        read_coco(coco(tmp_path, images=[{"id": 7, "width": 100}]))


def test_photos_in_a_folder_that_is_named(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg")
    photo = placed(tmp_path / "far/away/train/a.jpg")
    path = coco(tmp_path, images=[{"id": 7, "file_name": "D:\\data\\train\\a.jpg"}])
    assert read_coco(path, images=tmp_path / "far/away").photos[0].path == photo
    assert read_coco(path, images=tmp_path / "far/away/train").photos[0].path == photo
    assert not read_coco(path, images=tmp_path / "far").photos[0].path.exists()


def test_more_of_the_path_goes_before_less(tmp_path: Path) -> None:
    placed(tmp_path / "1.jpg")
    train, val = placed(tmp_path / "images/train/1.jpg"), placed(tmp_path / "images/val/1.jpg")
    places = Places(tmp_path / "instances.json")
    assert places.find("C:\\x\\val\\1.jpg") == val
    assert places.find("train/1.jpg") == train


def test_ignore_is_what_iscrowd_says(tmp_path: Path) -> None:
    entry = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]}
    flags = [{"ignore": 1}, {"iscrowd": 1}, {"iscrowd": "1"}, {"iscrowd": 1.0}, {"iscrowd": "0"}]
    (photo,) = read_coco(coco(tmp_path, annotations=[entry | flag for flag in flags]))
    assert photo.crowd.tolist() == [False, True, True, True, False]
    assert not photo.difficult.any()


# -- two photos of one name


def test_the_folder_tells_photos_of_one_name_apart(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "x/1.jpg"}, {"id": 2, "file_name": "y/1.jpg"}]
    annotations = [
        {"image_id": k, "category_id": 3, "bbox": [k, 0, 1, 1]} for k in (1, 2)
    ]  # fmt: skip
    path = coco(tmp_path / "boxes", images=images, annotations=annotations)
    for k, folder in enumerate("xy", 1):
        boxes, _ = read_for(path, tmp_path / f"photos/{folder}/1.jpg", (100, 80))
        assert boxes == (Box(k, 0, k + 1, 1, "cat"),)
    with pytest.raises(ExplorerError, match="matches 2 photos"):
        read_for(path, tmp_path / "photos/z/1.jpg", (100, 80))


@pytest.mark.parametrize(
    ("photo", "file"),
    [
        ("a/1.jpg", "a/1.xml"), ("b/1.jpg", "b/1.txt"), ("1.jpg", "1.xml"), ("1.png", "1.png.xml"),
        ("c/d/1.jpg", "c/d/1.txt"), ("e/1.jpg", "1.xml"), ("2.jpg", "labels/2.txt"),
    ],
)  # fmt: skip
def test_the_file_of_a_photo_in_a_folder(tmp_path: Path, photo: str, file: str) -> None:
    folder = tmp_path / "out"
    for name in ("a/1.xml", "b/1.txt", "1.xml", "1.png.xml", "c/d/1.txt", "labels/2.txt"):
        placed(folder / name)
    assert file_for(folder, tmp_path / photo) == folder / file
    assert file_for(folder, tmp_path / "3.jpg") is None


def test_a_list_of_classes_is_no_label_file(tmp_path: Path) -> None:
    placed(tmp_path / "classes.txt", "cat\n")
    assert file_for(tmp_path, tmp_path / "classes.jpg") is None


# -- Pascal VOC


def voc(folder: Path, *objects: str) -> Path:
    inner = "".join(f"<object><name>dog</name>{entry}</object>" for entry in objects)
    size = "<size><width>640</width><height>425</height></size>"
    text = f"<annotation><filename>photo.jpg</filename>{size}{inner}</annotation>"
    return placed(folder / "photo.xml", text)


def numbered(tag: str, **sides: object) -> str:
    return f"<{tag}>{''.join(f'<{k}>{v}</{k}>' for k, v in sides.items())}</{tag}>"


GOOD = numbered("bndbox", xmin=11, ymin=21, xmax=110, ymax=220)


@pytest.mark.parametrize(
    "entry",
    [
        numbered("polygon", x1=10, y1=10, x2=50, y2=60),
        numbered("polygon", x1=10, y1=10, x2=50, y2=10, x3=50, y3=60),
        numbered("bndbox", x1=50, y1=10, x2=10, y2=60),
        "<polygon><pt><x>10</x><y>60</y></pt><pt><x>50</x><y>10</y></pt></polygon>",
        numbered("robndbox", cx=30, cy=35, w=40, h=50, angle=0),
        numbered("robndbox", cx=30, cy=35, w=50, h=40, angle=1.5707963267948966),
    ],
)
def test_objects_of_voc_without_its_own_box(tmp_path: Path, entry: str) -> None:
    found = read_voc(voc(tmp_path, entry, GOOD))
    outline, box = found.photos[0].boxes
    assert corners(outline) == pytest.approx((10, 10, 50, 60))
    assert corners(box) == (10, 20, 110, 220)
    assert found.notes == ()


def test_a_turned_box_has_bounds(tmp_path: Path) -> None:
    entry = numbered("robndbox", cx=100, cy=100, w=50, h=30, angle=0.4)
    (box,) = read_voc(voc(tmp_path, entry)).photos[0].boxes
    right, down = 25 * cos(0.4) + 15 * sin(0.4), 25 * sin(0.4) + 15 * cos(0.4)
    assert corners(box) == pytest.approx((100 - right, 100 - down, 100 + right, 100 + down))


@pytest.mark.parametrize(
    "entry",
    [
        numbered("bndbox", xmin="(88, 100)", ymin=21, xmax=110, ymax=220),
        numbered("bndbox", xmin=1, ymin=2, xmax=3),
        numbered("polygon", x1=10, y1=10),
        numbered("robndbox", cx=1, cy=1, w=1, h=1),
        "",
    ],
)
def test_objects_that_cannot_be_read_are_counted(tmp_path: Path, entry: str) -> None:
    path = voc(tmp_path, entry, GOOD)
    words = "1 object was ignored: its box cannot be read (photo.xml)."
    assert read_voc(path).notes == (words,)
    boxes, notes = read_for(path, "photo.jpg", SIZE)
    assert len(boxes) == 1
    assert "1 object was ignored" in notes[0]
    assert "1 object was ignored" in read_voc(tmp_path).notes[0]


def test_voc_files_in_folders_have_the_photos_of_folders_of_their_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        voc(tmp_path / "Annotations" / name, GOOD)
        placed(tmp_path / "JPEGImages" / name / "photo.jpg")
    placed(tmp_path / "Annotations/.idea/vcs.xml", "<project/>")
    found = read_voc(tmp_path)
    assert [photo.path for photo in found] == [
        tmp_path / f"JPEGImages/{name}/photo.jpg" for name in ("a", "b")
    ]
    assert [photo.name for photo in found] == ["a/photo.jpg", "b/photo.jpg"]
    assert found.notes == ()


# -- YOLO


def yolo(folder: Path, *lines: str, names: str = "cat\ndog\n") -> Path:
    placed(folder / "classes.txt", names)
    return placed(folder / "photo.txt", "\n".join(lines) + "\n")


def spread(points: list[tuple[float, float]], *more: object) -> str:
    return " ".join(" ".join(map(str, (*point, *more))) for point in points)


POINTS = [(0.45, 0.3), (0.55, 0.3), (0.48, 0.6), (0.5, 0.4), (0.6, 0.7)]
"""Inside the middle box, one after the other in no order that an outline has."""

CIRCLE = [(round(0.5 + 0.1 * cos(k / 3), 4), round(0.5 + 0.2 * sin(k / 3), 4)) for k in range(19)]


@pytest.mark.parametrize(
    "line",
    [
        "1 0.5 0.5 0.25 0.5",
        "1.0 0.5 0.5 0.25 0.5",
        "1.000000 0.5 0.5 0.25 0.5",
        "1 0.5 0.5 0.25 0.5 0.93",
        "1 0.5 0.5 0.25 0.5 17",
        "1 0.5 0.5 0.25 0.5 0.93 17",
        "1 0.5 0.5 0.25 0.5 0.93 1",
        "1 .5 .5 .25 .5 " + spread([(0.4, 0.4)] * 17),
        "1 .5 .5 .25 .5 " + spread(POINTS),
        "1 .5 .5 .25 .5 " + spread(POINTS, 2),
        "1 .5 .5 .25 .5 " + spread(POINTS, 0.93),
        "1 .5 .5 .25 .5 " + spread([*POINTS, (0, 0)], 0),
        "1 .5 .5 .25 .5 " + spread(POINTS, 0.9) + " 0.8",
        "1 .5 .5 .25 .5 " + spread(POINTS * 3, 2),
    ],
)
def test_what_yolos_tools_write_behind_a_box(tmp_path: Path, line: str) -> None:
    (photo,) = read_yolo(yolo(tmp_path, line), SIZE)
    assert photo.labels == ("dog",)
    assert corners(photo.boxes[0]) == pytest.approx(MIDDLE)
    assert photo.entries[0].segmentation is None


@pytest.mark.parametrize(
    ("points", "more"),
    [
        ([(0.4, 0.3), (0.6, 0.3), (0.6, 0.7), (0.4, 0.7)], ""),
        ([(0.4, 0.3), (0.6, 0.3), (0.5, 0.7)], ""),
        (CIRCLE, ""),
        (CIRCLE, " 0.93"),
        (CIRCLE[:11], " 0.93"),
        ([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)], ""),
        ([(0.51, 0.52), (0.5, 0.6), (0.52, 0.62), (0.53, 0.5)], ""),
    ],
)
def test_polygons_stay_polygons(
    tmp_path: Path, points: list[tuple[float, float]], more: str
) -> None:
    (photo,) = read_yolo(yolo(tmp_path, f"0 {spread(points)}{more}"), (100, 100))
    xs, ys = [100 * x for x, _ in points], [100 * y for _, y in points]
    assert corners(photo.boxes[0]) == pytest.approx((min(xs), min(ys), max(xs), max(ys)))
    assert len(photo.entries[0].segmentation[0]) == 2 * len(points)


def test_a_track_tells_what_its_neighbors_are(tmp_path: Path) -> None:
    lines = ["0 0.4 0.3 0.2 0.1 0.9 1", "0 0.6 0.5 0.2 0.1 0.8 23"]
    (photo,) = read_yolo(yolo(tmp_path, *lines), (100, 100))
    assert [corners(box) for box in photo.boxes] == [
        pytest.approx((30, 25, 50, 35)),
        pytest.approx((50, 45, 70, 55)),
    ]


def test_the_shape_of_keypoints_decides_where_it_is_written(tmp_path: Path) -> None:
    line = "0 .5 .5 .25 .5 " + spread([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)])
    placed(tmp_path / "data.yaml", "names: [cat]\nkpt_shape: [4, 2]  # corners\n")
    path = placed(tmp_path / "labels/train/photo.txt", line)
    found = read_yolo(path, SIZE)
    assert corners(found.photos[0].boxes[0]) == pytest.approx(MIDDLE)
    assert "keypoints" in found.notes[0]


@pytest.mark.parametrize("line", ["1.5 .5 .5 .2 .2", "-1 .5 .5 .2 .2", "nan .5 .5 .2 .2", "1 .5"])
def test_lines_that_are_no_labels_are_counted(tmp_path: Path, line: str) -> None:
    found = read_yolo(yolo(tmp_path, "0 .5 .5 .2 .2", line), SIZE)
    assert len(found.photos[0].entries) == 1
    assert "1 object was ignored" in found.notes[0]


# -- the names of YOLO's classes

NAMES = {
    "classes.txt": "cat\ndog\n",
    "obj.names": "cat\ndog\n\n",
    "mine.names": "cat\r\ndog\r\n",
    "_darknet.labels": "cat\ndog",
    "data.yaml": "train: images\nnc: 2\nnames: ['cat', 'dog']\n",
    "data.yml": 'names: ["cat",\n  "dog"]\nval: x\n',
    "dataset.yaml": "names:\n  0: cat\n  1: dog # bark\nnc: 2\n",
    "coco8.yaml": "path: x\nnames:\n- cat\n- 'dog'\n",
    "any.yaml": "names: {0: cat, 1: 'dog'}\n",
    "notes.json": '{"categories": [{"id": 1, "name": "dog"}, {"id": 0, "name": "cat"}]}',
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("labels", "above"),
    [
        ("", ""),
        ("labels", ""),
        ("labels/train/a", ""),
        ("train/labels", ""),
        ("obj_train_data", ""),
        ("labels/train", "labels"),
    ],
)
def test_names_are_found_beside_and_above(
    tmp_path: Path, name: str, labels: str, above: str
) -> None:
    placed(tmp_path / above / name, NAMES[name])
    path = placed(tmp_path / labels / "photo.txt", "1 0.5 0.5 0.25 0.5\n")
    (photo,) = read_yolo(path, SIZE)
    assert photo.labels == ("dog",)


def test_darknets_description_names_the_list(tmp_path: Path) -> None:
    placed(tmp_path / "obj.data", "classes=2\ntrain = data/train.txt\nnames = data/list.txt\n")
    placed(tmp_path / "list.txt", "cat\ndog\n")
    assert class_list(tmp_path / "obj_train_data").names == ("cat", "dog")


def test_names_with_signs_in_them(tmp_path: Path) -> None:
    text = """names: ['a, b', "it's", 'it''s', C#, "x: y"]\n"""
    placed(tmp_path / "data.yaml", text)
    assert class_list(tmp_path).names == ("a, b", "it's", "it's", "C#", "x: y")


def test_gaps_and_what_is_no_list(tmp_path: Path) -> None:
    placed(tmp_path / "data.yaml", "names: {0: cat, 3: dog}\n")
    placed(tmp_path / "other.yaml", "names: 7\n")
    placed(tmp_path / "classes.txt", "")
    assert class_list(tmp_path).names == ("cat", "", "", "dog")
    path = placed(tmp_path / "labels/photo.txt", "1 .5 .5 .1 .1\n3 .5 .5 .1 .1\n9 .5 .5 .1 .1")
    found = read_yolo(path, SIZE)
    assert found.photos[0].labels == ("class 1", "dog", "class 9")
    assert found.notes == ("2 objects have a class index without a name in data.yaml.",)


def test_labels_far_below_are_found_for_their_photo(tmp_path: Path) -> None:
    photo = placed(tmp_path / "ds/images/train/a/photo.jpg")
    file = placed(tmp_path / "ds/labels/train/a/photo.txt", "1 0.5 0.5 0.25 0.5\n")
    placed(tmp_path / "ds/classes.txt", "cat\ndog\n")
    found = around(photo, SIZE)
    assert found is not None
    assert found.path == file
    assert found.boxes[0].label == "dog"
    for folder in ("ds", "ds/labels", "ds/labels/train", "ds/labels/train/a"):
        assert file_for(tmp_path / folder, photo) == file
    assert read_yolo(file, SIZE).photos[0].path == photo


# -- what is wrong is said with its place


def test_faults_in_a_coco_file_say_where_they_are(tmp_path: Path) -> None:
    note = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}
    (tmp_path / "a.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {**note, "id": 10}, {**note, "id": 11, "bbox": [1, 2, 3]},
            {**note, "id": 12, "bbox": [1, 1, 900, 5]}, {**note, "id": 13, "bbox": [-9, 1, 12, 5]},
            {**note, "id": 14, "image_id": 77}, {**note, "id": 15, "category_id": 99},
            {**note, "id": 16, "bbox": [1, 1, 60.5, 39]},
            {**note, "id": 17, "bbox": [9, 9, -4, 5]},
        ],
    }))  # fmt: skip
    assert read_coco(tmp_path / "a.json").notes == (
        "1 object was ignored: its box cannot be read (annotation 11).",
        "2 boxes reach out of their photos (annotation 12, …).",
        "1 box has a negative width or height: its corners were exchanged (annotation 17).",
        "1 box was ignored: no image in a.json has its image_id (image_id 77).",
        "1 box has a category_id that no category has (category_id 99).",
    )


def test_faults_in_voc_files_say_where_they_are(tmp_path: Path) -> None:
    for name, right in (("a", "50"), ("b", "900"), ("c", "nan"), ("d", "1")):
        (tmp_path / f"{name}.xml").write_text(
            "<annotation><size><width>60</width><height>40</height></size><object><name>car</name>"
            f"<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>{right}</xmax><ymax>9</ymax></bndbox>"
            "</object></annotation>"
        )
    assert read_voc(tmp_path).notes == (
        "1 object was ignored: its box cannot be read (c.xml).",
        "1 box reaches out of its photo (b.xml).",
        "1 box has a negative width or height: its corners were exchanged (d.xml).",
    )


def test_a_negative_size_in_a_yolo_file_is_told(tmp_path: Path) -> None:
    found = read_yolo(yolo(tmp_path, "0 .5 .5 .2 .2", "1 .5 .5 -.2 .4"), (100, 100))
    assert found.photos[0].boxes[1] == Box(40, 30, 60, 70, "dog")
    said = "1 box has a negative width or height: its corners were exchanged."
    assert found.notes == (said,)


@pytest.mark.parametrize("place", ["train.json", "../train.json"])
def test_a_coco_file_of_any_name_is_offered_where_it_names_the_photo(
    tmp_path: Path, place: str
) -> None:
    from explorer.annotations.around import around

    photo = tmp_path / "images" / "a.jpg"
    photo.parent.mkdir()
    file = photo.parent / place
    file.write_text(json.dumps({
        "images": [{"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}],
    }))  # fmt: skip
    found = around(photo, (60, 40))
    assert found is not None
    assert [box.label for box in found.boxes] == ["car"]
