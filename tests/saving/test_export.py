"""What is written can be read again, and nothing is lost when it cannot be written."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image

from explorer.annotations.coco import read_coco
from explorer.annotations.voc import read_voc
from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.layers import Table
from explorer.core.storage import atomic
from explorer.saving import film
from explorer.saving.export import (
    PICTURE_SUFFIXES,
    ImageInfo,
    LabeledBoxes,
    boxes_of,
    lost_flags,
    read_metadata,
    replacing,
    save_boxes,
    save_coco,
    save_data,
    save_film,
    save_picture,
    write_bytes,
)

STORY = {
    "view": "detections",
    "parameters": {"score": 0.5, "classes": ("cat", "Żółw"), "at": None},
    "seed": 3,
    "image": {"name": 'a "cat" <1>.png', "digest": "0" * 32},
}


def _photo(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- atomic files ---------------------------------------------------------------------------------


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert _names(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    path, plain = tmp_path / "a.bin", tmp_path / "plain"
    plain.touch()
    write_bytes(path, b"one")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o600)
    write_bytes(path, b"two")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_link_goes_on_pointing_to_its_file(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExplorerError, match=r"a\.png could not be written: .+\.") as caught:
        save_picture(path, _photo())
    assert os.strerror(error) in caught.value.message
    assert caught.value.hint
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.png"]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on file sizes here")
@pytest.mark.parametrize("suffix", [".png", ".npz", ".mp4", ".gif"])
def test_a_write_that_is_cut_short_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    program = (
        "import resource, sys, numpy as np\n"
        "from explorer.saving import export\n"
        "from explorer.core.errors import ExplorerError\n"
        "rng = np.random.default_rng(0)\n"
        "noise = [rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(8)]\n"
        "path = sys.argv[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    if path.endswith('.png'): export.save_picture(path, noise[0])\n"
        "    elif path.endswith('.npz'): export.save_data(path, {'a': rng.random(99_999)})\n"
        "    else: export.save_film(path, iter(noise))\n"
        "except ExplorerError as error:\n"
        "    sys.stdout.write(error.message)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "could not be written" in run.stdout
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_program_leaves_a_whole_file(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from explorer.saving.export import write_bytes\n"
        "write_bytes(sys.argv[1], b'0' * 3_000_000)\n"
        "sys.stdout.write('x'); sys.stdout.flush()\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    write_bytes(sys.argv[1], bytes([48 + n % 10]) * 3_000_000)\n"
        "    sys.stdout.write('x'); sys.stdout.flush()\n"
    )
    path = tmp_path / "a.bin"
    for kills in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.read(1 + kills)  # somewhere in the middle of the next write
            process.kill()
        data = path.read_bytes()
        assert len(data) == 3_000_000
        assert len(set(data)) == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ExplorerError, match="Permission denied"):
        write_bytes(tmp_path / "a", b"")
    tmp_path.chmod(0o700)


def test_what_cannot_be_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    bad = [tmp_path / "folder", tmp_path / "none" / "a", tmp_path / ("n" * 300), tmp_path / "a\0b"]
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        bad.append(tmp_path / "pipe")
    before = _names(tmp_path)
    for path in bad:
        with pytest.raises(ExplorerError):
            write_bytes(path, b"new")
    assert _names(tmp_path) == before


def test_any_exception_inside_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_flushed_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = os.fsync
    calls: list[int] = []

    def only_files(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.EINVAL, "a folder")
        flush(handle)

    monkeypatch.setattr(atomic.os, "fsync", only_files)
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*PICTURE_SUFFIXES, ".PNG"])
def test_a_picture_tells_how_it_was_made(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_picture(path, _photo(), STORY)
    assert read_metadata(path) == json.loads(json.dumps(STORY))
    with Image.open(path) as picture:
        assert picture.size == (32, 24)
        assert picture.mode == "RGB"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pixels_come_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_picture(path, _photo())
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), _photo())


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_pixels_nearly_come_back(tmp_path: Path, suffix: str) -> None:
    smooth = np.zeros((24, 32, 3), np.uint8)
    smooth[..., 0] = np.arange(32) * 8
    save_picture(tmp_path / f"a{suffix}", smooth)
    with Image.open(tmp_path / f"a{suffix}") as picture:
        assert np.abs(np.asarray(picture).astype(int) - smooth).mean() < 4


def test_a_picture_without_a_story_has_none(tmp_path: Path) -> None:
    Image.fromarray(_photo()).save(tmp_path / "a.png")
    Image.fromarray(_photo()).save(tmp_path / "a.jpg", comment="hello")
    assert read_metadata(tmp_path / "a.png") == {}
    assert read_metadata(tmp_path / "a.jpg") == {}


@pytest.mark.parametrize("name", ["a.gif", "a", "a.svg", ".png"])
def test_a_format_that_cannot_be_written_names_those_that_can(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExplorerError, match=r"\.jpg.*\.png"):
        save_picture(tmp_path / name, _photo())
    assert _names(tmp_path) == []


def test_a_picture_too_large_for_its_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"16383.*Save it as PNG"):
        save_picture(tmp_path / "a.webp", np.zeros((1, 17_000, 3), np.uint8))


def test_too_much_metadata_for_a_jpeg_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="PNG"):
        save_picture(tmp_path / "a.jpg", _photo(), {"notes": "x" * 70_000})
    save_picture(tmp_path / "a.png", _photo(), {"notes": "x" * 70_000})


def test_what_is_no_picture_has_no_metadata_to_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    for name in ("a.png", "none.png"):
        with pytest.raises(ExplorerError):
            read_metadata(tmp_path / name)


# -- data -----------------------------------------------------------------------------------------

DETECTED = Table("d", ("class", "score", "score"), (("cat", 0.5, 1), ("dog, big", 0.25, 2)))
DATA = {
    "boxes": np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32),
    "labels": ("cat", "dog"),
    "scores": np.array([0.5, np.nan], np.float32),
    "count": np.int64(2),
    "detections": DETECTED,
    "nested": {"deep": np.array([True, False]), "none": None, "path": Path("a/b")},
    "file": "name",
}


def test_json_holds_everything(tmp_path: Path) -> None:
    save_data(tmp_path / "a.json", DATA, STORY)
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert found["boxes"] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert found["scores"] == [0.5, None]
    assert found["count"] == 2
    assert found["detections"][1] == {"class": "dog, big", "score": 0.25, "score 3": 2}
    assert found["nested"] == {"deep": [True, False], "none": None, "path": os.path.join("a", "b")}
    assert found["notes"] == ["1 number was not finite: null here."]
    assert found["metadata"]["parameters"]["classes"] == ["cat", "Żółw"]


def test_json_is_strict(tmp_path: Path) -> None:
    odd = {"a": float("inf"), "b": [float("nan"), 1.5], "c": np.float64("-inf"), "d": {3, 1}}
    save_data(tmp_path / "a.json", odd)
    text = (tmp_path / "a.json").read_text("utf-8")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    found = json.loads(text, parse_constant=refuse)
    assert found["b"] == [None, 1.5]
    assert found["d"] == [1, 3]
    assert found["notes"] == ["3 numbers were not finite: null here."]


def test_npz_needs_no_pickle(tmp_path: Path) -> None:
    ragged = {"ragged": [[1], [2, 3]], "things": [None, "a"], "empty": [], "a/b": 1.5}
    save_data(tmp_path / "a.npz", DATA | ragged, STORY)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    assert np.array_equal(arrays["boxes"], DATA["boxes"])
    assert arrays["boxes"].dtype == np.float32
    assert arrays["labels"].tolist() == ["cat", "dog"]
    assert arrays["detections.class"].tolist() == ["cat", "dog, big"]
    assert arrays["nested.deep"].tolist() == [True, False]
    assert json.loads(str(arrays["ragged"])) == [[1], [2, 3]]
    assert arrays["a_b"] == 1.5
    assert str(arrays["file_"]) == "name"
    assert json.loads(str(arrays["metadata"]))["seed"] == 3


def _csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))


def test_one_table_is_plain_csv(tmp_path: Path) -> None:
    save_data(tmp_path / "a.csv", {"detections": DETECTED})
    assert _csv(tmp_path / "a.csv") == [
        ["class", "score", "score 3"], ["cat", "0.5", "1"], ["dog, big", "0.25", "2"],
    ]  # fmt: skip


def test_arrays_of_one_length_are_columns_of_one_csv_table(tmp_path: Path) -> None:
    save_data(tmp_path / "a.csv", {"box": np.eye(2), "name": ["a", "b"], "n": 3})
    assert _csv(tmp_path / "a.csv") == [
        ["box_0", "box_1", "name"], ["1.0", "0.0", "a"], ["0.0", "1.0", "b"],
    ]  # fmt: skip


def test_several_csv_tables_have_their_names(tmp_path: Path) -> None:
    rows = [{"a": 1}, {"a": 2, "b": "x"}]
    save_data(tmp_path / "a.csv", {"one": DETECTED, "two": rows, "three": np.arange(3)})
    found = _csv(tmp_path / "a.csv")
    assert [found[0], found[5], found[10]] == [["one"], ["two"], ["three"]]
    assert found[4] == found[9] == []
    assert found[6:9] == [["a", "b"], ["1", ""], ["2", "x"]]


def test_data_without_rows_has_no_csv(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"\.json or \.npz"):
        save_data(tmp_path / "a.csv", {"n": 3, "cube": np.zeros((2, 2, 2))})
    with pytest.raises(ExplorerError, match=r"\.json, \.csv, \.npz"):
        save_data(tmp_path / "a.txt", {})


# -- boxes ----------------------------------------------------------------------------------------

PHOTO = ImageInfo("a & b.png", 64, 48)
CLASSES = ("__background__", "cat", "N/A", "dog <big>")
BOXES = LabeledBoxes(
    np.array([[0, 0, 64, 48], [10.25, 20.5, 30.75, 40]], np.float32),
    ("dog <big>", "cat"),
    np.array([0.75, 0.5], np.float32),
    CLASSES,
)
NONE = LabeledBoxes(np.empty((0, 4), np.float32), (), None, CLASSES)


def test_coco_keeps_every_number(tmp_path: Path) -> None:
    save_boxes(tmp_path / "a.json", BOXES, PHOTO, "coco")
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert found["images"] == [{"id": 1, "file_name": "a & b.png", "width": 64, "height": 48}]
    names = {entry["id"]: entry["name"] for entry in found["categories"]}
    assert names == {1: "cat", 3: "dog <big>"}, "the numbers of the network's own list"
    for row, entry in enumerate(found["annotations"]):
        x, y, w, h = entry["bbox"]
        assert [x, y, x + w, y + h] == BOXES.xyxy[row].tolist()
        assert entry["area"] == w * h
        assert names[entry["category_id"]] == BOXES.labels[row]
        assert entry["score"] == BOXES.scores[row]


def test_coco_is_read_by_a_coco_reader(tmp_path: Path) -> None:
    coco = pytest.importorskip("faster_coco_eval")
    save_coco(tmp_path / "a.json", [(PHOTO, BOXES), (ImageInfo("b.png", 9, 9), NONE)])
    found = coco.COCO(str(tmp_path / "a.json"))
    assert len(found.getImgIds()) == 2
    assert len(found.getAnnIds(imgIds=[1])) == 2
    assert found.getCatIds(catNms=["dog <big>"]) == [3]


def test_classes_without_a_background_count_from_one(tmp_path: Path) -> None:
    boxes = LabeledBoxes(np.zeros((1, 4), np.float32), ("b",), None, ("a", "b"))
    assert boxes.category_ids == {"a": 1, "b": 2}
    assert boxes.names == ("a", "b")


def test_voc_counts_whole_pixels_from_one(tmp_path: Path) -> None:
    save_boxes(tmp_path / "a.xml", BOXES, PHOTO, "voc")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert root.findtext("filename") == "a & b.png"
    assert root.findtext("size/width") == "64"
    found = []
    for entry in root.iter("object"):
        corners = [int(entry.findtext(f"bndbox/{c}", "")) for c in ("xmin", "ymin", "xmax", "ymax")]
        found.append((entry.findtext("name"), corners))
    assert found == [("dog <big>", [1, 1, 64, 48]), ("cat", [11, 21, 31, 40])]
    # Back to the program's frame: x0 = xmin - 1, x1 = xmax; at most half a pixel was lost.
    back = np.array([corners for _, corners in found], float) - [1, 1, 0, 0]
    assert np.abs(back - BOXES.xyxy).max() <= 0.5


def test_voc_keeps_the_flag_of_difficult_objects(tmp_path: Path) -> None:
    hard = replace(BOXES, difficult=(False, True))
    save_boxes(tmp_path / "a.xml", hard, PHOTO, "voc")
    assert read_voc(tmp_path / "a.xml").photos[0].difficult.tolist() == [False, True]
    with pytest.raises(ValueError, match="2 boxes need 2 flags"):
        replace(BOXES, difficult=(True,))


def test_coco_keeps_the_flag_of_crowds(tmp_path: Path) -> None:
    save_boxes(tmp_path / "a.json", replace(BOXES, crowd=(True, False)), PHOTO, "coco")
    assert read_coco(tmp_path / "a.json").photos[0].crowd.tolist() == [True, False]
    with pytest.raises(ValueError, match="2 boxes need 2 flags crowd"):
        replace(BOXES, crowd=(True,))


def test_a_format_says_which_flags_it_has_no_place_for() -> None:
    both = replace(BOXES, difficult=(True, False), crowd=(False, True))
    assert lost_flags(BOXES, "yolo") == ""
    assert lost_flags(replace(BOXES, difficult=(True, True)), "voc") == ""
    assert lost_flags(replace(BOXES, crowd=(True, True)), "coco") == ""
    assert lost_flags(both, "coco") == (
        "COCO has no flag for 1 difficult object, which counts as an ordinary object there."
    )
    assert lost_flags(replace(BOXES, crowd=(True, True)), "voc") == (
        "Pascal VOC has no flag for 2 crowd regions, which count as ordinary objects there."
    )
    assert lost_flags(both, "yolo") == (
        "YOLO has no flag for 1 difficult object and 1 crowd region, which count as ordinary "
        "objects there."
    )


def test_yolo_divides_by_the_size_of_the_photo(tmp_path: Path) -> None:
    save_boxes(tmp_path / "a.txt", BOXES, PHOTO, "yolo")
    names = (tmp_path / "classes.txt").read_text("utf-8").splitlines()
    assert names == ["cat", "dog <big>"]
    rows = [line.split() for line in (tmp_path / "a.txt").read_text().splitlines()]
    assert [names[int(row[0])] for row in rows] == list(BOXES.labels)
    cx, cy, w, h = np.array([row[1:] for row in rows], float).T
    back = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1) * [64, 48, 64, 48]
    assert np.abs(back - BOXES.xyxy).max() < 1e-3


def test_yolo_labels_beside_another_list_of_classes_are_refused(tmp_path: Path) -> None:
    save_boxes(tmp_path / "a.txt", BOXES, PHOTO, "yolo")
    save_boxes(tmp_path / "b.txt", NONE, PHOTO, "yolo")
    other = LabeledBoxes(np.zeros((1, 4), np.float32), ("car",))
    with pytest.raises(ExplorerError, match="other than those"):
        save_boxes(tmp_path / "c.txt", other, PHOTO, "yolo")
    assert _names(tmp_path) == ["a.txt", "b.txt", "classes.txt"]


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo"])
def test_a_photo_without_boxes_gives_an_empty_file(tmp_path: Path, kind: str) -> None:
    save_boxes(tmp_path / "a", NONE, PHOTO, kind)  # type: ignore[arg-type]
    text = (tmp_path / "a").read_text("utf-8")
    if kind == "coco":
        assert json.loads(text)["annotations"] == []
    elif kind == "voc":
        assert not list(ElementTree.fromstring(text.encode()).iter("object"))
    else:
        assert text == ""


def test_boxes_beyond_the_photo_stay_inside_it(tmp_path: Path) -> None:
    wild = LabeledBoxes(
        np.array([[-9, -9, 99, 99], [70, 70, 80, 80], [5, 5, 5.1, 5.1]], np.float32), ("a",) * 3
    )
    save_boxes(tmp_path / "a.xml", wild, PHOTO, "voc")
    for entry in ElementTree.parse(tmp_path / "a.xml").getroot().iter("bndbox"):
        x0, y0, x1, y1 = (int(child.text or "") for child in entry)
        assert 1 <= x0 <= x1 <= 64
        assert 1 <= y0 <= y1 <= 48
    save_boxes(tmp_path / "a.txt", wild, PHOTO, "yolo")
    numbers = [float(word) for word in (tmp_path / "a.txt").read_text().split()]
    assert all(0 <= number <= 1 for number in numbers)


def test_names_that_no_format_can_hold_are_tamed(tmp_path: Path) -> None:
    boxes = LabeledBoxes(np.zeros((1, 4), np.float32), ("a\nb\x00\udcff]]>",))
    for kind, name in (("coco", "a.json"), ("voc", "a.xml"), ("yolo", "a.txt")):
        save_boxes(tmp_path / name, boxes, PHOTO, kind)  # type: ignore[arg-type]
    ElementTree.parse(tmp_path / "a.xml")
    json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert len((tmp_path / "classes.txt").read_text("utf-8").splitlines()) == 1


def test_boxes_are_found_in_a_views_data() -> None:
    table = Table("t", ("class", "score", "x0", "y0", "x1", "y1"), (("cat", 0.5, 1, 2, 3, 4),))
    found = boxes_of({"other": 1, "t": table})
    assert found is not None
    assert found.labels == ("cat",)
    assert found.xyxy.tolist() == [[1, 2, 3, 4]]
    data = {"boxes": BOXES.xyxy, "labels": np.array([3, 9]), "classes": CLASSES}
    numbered = boxes_of(data)
    assert numbered is not None
    assert numbered.labels == ("dog <big>", "class 9")
    assert boxes_of({"boxes": np.zeros(3)}) is None
    pixels = boxes_of({"boxes": BOXES.xyxy, "labels": np.zeros((4, 5), np.int32)})
    assert pixels is not None
    assert set(pixels.labels) == {"object"}
    with pytest.raises(ValueError, match="labels"):
        LabeledBoxes(np.zeros((2, 4), np.float32), ("a",))


# -- films ----------------------------------------------------------------------------------------


def _frames(count: int = 6, height: int = 24, width: int = 32) -> Iterator[np.ndarray]:
    for number in range(count):
        frame = np.full((height, width, 3), 30, np.uint8)
        frame[:, : width // 2] = 20 + 200 * number // max(1, count - 1)
        yield frame


def _read_mp4(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    found = []
    while True:
        good, frame = capture.read()
        if not good:
            capture.release()
            return found
        found.append(frame[..., ::-1])


def test_an_mp4_has_its_frames(tmp_path: Path) -> None:
    saved = save_film(tmp_path / "a.mp4", _frames(), fps=10)
    assert saved == film.SavedFilm(6, (32, 24), (32, 24), 10.0)
    found = _read_mp4(tmp_path / "a.mp4")
    assert len(found) == 6
    for frame, expected in zip(found, _frames(), strict=True):
        assert np.abs(frame[4:20, 3:12].astype(int) - expected[4:20, 3:12]).mean() < 12
    assert _names(tmp_path) == ["a.mp4"]


def test_a_gif_has_its_frames_and_their_time(tmp_path: Path) -> None:
    saved = save_film(tmp_path / "a.gif", _frames(), fps=10)
    assert saved == film.SavedFilm(6, (32, 24), (32, 24), 10.0)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 6
        for number, expected in enumerate(_frames()):
            picture.seek(number)
            assert picture.info["duration"] == 100
            assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - expected).max() <= 24


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (33, 2)])
def test_an_mp4_of_an_odd_size_is_made_even(tmp_path: Path, size: tuple[int, int]) -> None:
    height, width = size
    save_film(tmp_path / "a.mp4", _frames(3, height, width))
    found = _read_mp4(tmp_path / "a.mp4")
    assert found[0].shape == (height + height % 2, width + width % 2, 3)


def test_frames_of_another_size_are_fitted(tmp_path: Path) -> None:
    frames = [np.full((20, 40, 3), 200, np.uint8), np.full((20, 20, 3), 200, np.uint8)]
    save_film(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as picture:
        picture.seek(1)
        second = np.asarray(picture.convert("RGB"))
    assert second.shape == (20, 40, 3)
    assert second[10, 20, 0] > 180
    assert second[10, 2, 0] < 20


def test_a_large_film_is_made_smaller(tmp_path: Path) -> None:
    saved = save_film(tmp_path / "a.gif", _frames(2, 10, 1600))
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.size == saved.size == (800, 5)
    assert saved.given == (1600, 10)


@pytest.mark.parametrize(
    ("fps", "written"), [(12, 12.5), (60, 50), (30, 100 / 3), (0.01, 0.1), (200, 50)]
)
def test_a_gif_has_the_rate_that_is_said(tmp_path: Path, fps: float, written: float) -> None:
    assert save_film(tmp_path / "a.gif", _frames(2), fps=fps).fps == written
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.info["duration"] == round(1000 / written)
    assert film.film_rate(fps, ".mp4") == min(max(fps, 0.1), 120)


def test_frames_are_taken_one_by_one(tmp_path: Path) -> None:
    alive: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for number in range(5):
            alive.append(number)
            yield _photo(seed=number)

    save_film(tmp_path / "a.mp4", frames())
    assert alive == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt, ExplorerError])
def test_a_cancelled_film_leaves_the_old_one(
    tmp_path: Path, suffix: str, error: type[BaseException]
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")

    def frames() -> Iterator[np.ndarray]:
        yield from _frames(3)
        raise error("stop")

    with pytest.raises(error):
        save_film(path, frames())
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == [path.name]


def test_a_film_needs_a_frame_and_a_format(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="no frame"):
        save_film(tmp_path / "a.mp4", iter(()))
    with pytest.raises(ExplorerError, match=r"\.mp4, \.gif"):
        save_film(tmp_path / "a.avi", _frames())
    assert _names(tmp_path) == []


def test_a_film_has_a_sane_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(film.MOST_FRAMES, ".gif", 4)
    with pytest.raises(ExplorerError, match="at most 4 frames"):
        save_film(tmp_path / "a.gif", _frames(5))
    assert _names(tmp_path) == []


def test_a_full_disk_ends_a_film_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal taken
        for taken in range(1, 1000):
            yield np.full((48, 64, 3), taken % 256, np.uint8)

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(film, "has_h264", lambda: False)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage._replace(free=0) if taken > 5 else usage
    )
    with pytest.raises(ExplorerError, match="The disk is full"):
        save_film(tmp_path / "a.mp4", frames())
    assert taken == 6
    assert list(tmp_path.iterdir()) == []
