"""Drawn boxes, folders in every form, and what is said when there is nothing to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.values import Box, FolderRef
from explorer.training.heads.pasted import OBJECTS, pasted
from explorer.training.heads.sets import (
    BOTH,
    BOX,
    CLASS,
    JOINTS,
    SEVERAL,
    WINDOWS,
    Wanted,
    set_for,
)
from tests.evaluation.sets import RED, filled
from tests.training.tuning.own_folders import coco, three_photos
from tests.views.inside.folders import colored

PHOTO = np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)
BOXES = tuple(
    Box(10 * k, 5, 10 * k + 9, 30, name) for k, name in enumerate(("cat", "dog") * 3)
)  # fmt: skip


def test_drawn_boxes_are_cut_out_and_some_are_held_out() -> None:
    found = set_for(Wanted(CLASS, None, BOXES, PHOTO))
    assert found.names == ("cat", "dog")
    assert (len(found.train), len(found.test)) == (4, 2)
    assert {example.label for example in found.test} == {0, 1}
    for example in (*found.train, *found.test):
        number = int(example.name.rpartition(" ")[2]) - 1
        x0 = max(0, int(10 * number - 0.9))
        np.testing.assert_array_equal(example.load(), PHOTO[2:33, x0 : 10 * number + 10])
    assert any("the same photo" in note for note in found.notes)


def test_windows_hold_the_whole_box_where_it_is() -> None:
    found = set_for(Wanted(BOX, None, BOXES[:4], PHOTO))
    assert len(found.train) + len(found.test) == 4 * WINDOWS
    for example in found.train:
        pixels = example.load()
        ((x0, y0, x1, y1),) = example.boxes
        assert 0 <= x0 < x1 <= pixels.shape[1]
        assert 0 <= y0 < y1 <= pixels.shape[0]
        number = int(example.name.split()[1].partition(".")[0]) - 1
        box = BOXES[number]
        inside = pixels[round(y0) : round(y1), round(x0) : round(x1)]
        own = PHOTO[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
        np.testing.assert_array_equal(inside, own)


@pytest.mark.parametrize(
    ("boxes", "kind", "words"),
    [
        (tuple(Box(b.x0, b.y0, b.x1, b.y1) for b in BOXES), CLASS, "have no classes"),
        (BOXES[::2], CLASS, "are of one class: cat"),
        (BOXES[::2], BOTH, "are of one class: cat"),
        (BOXES, SEVERAL, "cannot be trained on one photo"),
        (BOXES, JOINTS, "cannot be trained on one photo"),
        ((Box(200, 5, 210, 30, "cat"),), CLASS, "outside of this photo"),
    ],
)
def test_what_drawn_boxes_lack_is_one_sentence(
    boxes: tuple[Box, ...], kind: str, words: str
) -> None:
    with pytest.raises(ExplorerError, match=words) as raised:
        set_for(Wanted(kind, None, boxes, PHOTO))
    assert raised.value.hint


def test_one_box_of_each_class_holds_nothing_out() -> None:
    found = set_for(Wanted(CLASS, None, BOXES[:2], PHOTO))
    assert not found.test
    assert found.notes[-1].startswith("Nothing is held out")


def test_a_folder_of_boxes(tmp_path: Path) -> None:
    folder = FolderRef(str(coco(tmp_path / "own", three_photos())))
    crops = set_for(Wanted(CLASS, folder))
    assert crops.names == ("dog", "sofa")
    assert (len(crops.train), len(crops.test)) == (4, 2)
    assert not {e.path for e in crops.train} & {e.path for e in crops.test}
    whole = set_for(Wanted(BOX, folder))
    assert whole.names == ("sofa",), "the larger one of each photo"
    assert whole.train[0].load().shape == (60, 80, 3)
    several = set_for(Wanted(SEVERAL, folder))
    assert several.names == ("object 1", "object 2")
    for example in several.train:
        (left, *_), (right, *_) = example.boxes
        assert left < right


def test_classes_in_folders(tmp_path: Path) -> None:
    folder = FolderRef(str(colored(tmp_path / "photos", each=6)))
    found = set_for(Wanted(CLASS, folder, most=3))
    assert found.names == ("blue", "green", "red")
    assert (found.fewest, len(found.test)) == (3, 6)
    with pytest.raises(ExplorerError, match="no boxes"):
        set_for(Wanted(BOX, folder))


def test_what_a_folder_lacks_is_one_sentence(tmp_path: Path) -> None:
    def refused(path: Path, words: str, kind: str = CLASS) -> None:
        with pytest.raises(ExplorerError, match=words) as raised:
            set_for(Wanted(kind, FolderRef(str(path))))
        assert raised.value.hint

    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "contains no photos")
    refused(tmp_path / "nowhere", "does not exist")
    filled(tmp_path / "one" / "a.png", RED)
    refused(tmp_path / "one", "1 photo, but no annotations")
    dogs = {f"{k}.png": [("dog", (5, 5, 30, 30))] for k in range(3)}
    refused(coco(tmp_path / "dogs", dogs), "of one class: dog")  # type: ignore[arg-type]
    own = coco(tmp_path / "own", three_photos())
    refused(own, "no keypoints", JOINTS)
    with pytest.raises(ExplorerError, match="has 4 boxes"):
        set_for(Wanted(SEVERAL, FolderRef(str(own)), objects=4))


def test_a_class_without_boxes_is_named(tmp_path: Path) -> None:
    folder = coco(tmp_path / "own", three_photos())
    file = folder / "instances.json"
    text = file.read_text().replace('"categories": [', '"categories": [{"id": 9, "name": "cat"}, ')
    file.write_text(text)
    found = set_for(Wanted(CLASS, FolderRef(str(folder))))
    assert "No box of the class cat." in found.notes


def test_pasted_samples_lie_where_their_boxes_say() -> None:
    found = pasted(2, 1, seed=0)
    assert len(found.names) == OBJECTS
    assert (len(found.train), len(found.test)) == (2 * OBJECTS, OBJECTS)
    again = pasted(2, 1, seed=0)
    for one, other in zip(found.train, again.train, strict=True):
        np.testing.assert_array_equal(one.load(), other.load())
        assert one.boxes == other.boxes
    (x0, y0, x1, y1), picture = found.train[0].boxes[0], found.train[0].load()
    assert 0 <= x0 < x1 <= picture.shape[1]
    assert 0 <= y0 < y1 <= picture.shape[0]
    three = pasted(1, 1, seed=0, count=3).train[0].boxes
    assert [box[0] for box in three] == sorted(box[0] for box in three)
    corners = pasted(1, 1, seed=0, turned=True).train[0]
    xs, ys = zip(*corners.points, strict=True)
    assert corners.boxes[0] == pytest.approx((min(xs), min(ys), max(xs), max(ys)))
