from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from explorer.annotations.dataset import Annotated, Annotation
from explorer.core.errors import ExplorerError
from explorer.core.values import Box
from explorer.evaluation.datasets import open_source
from explorer.training.tuning.folder import parted, read_folder
from tests.training.tuning.own_folders import coco, photo, three_photos, voc, yolo


@pytest.mark.parametrize("write", [coco, voc, yolo])
def test_each_form_gives_the_same_boxes(write, tmp_path):
    found = read_folder(write(tmp_path / "own", three_photos()))
    assert found.kind == write.__name__.upper()
    assert sorted(found.names) == ["dog", "sofa"]
    assert (len(found.train), len(found.held_out), found.own_parts) == (2, 1, False)
    boxes = {entry.box.label: entry.box for entry in found.train[0].entries}
    assert (boxes["dog"].x0, boxes["dog"].y1) == pytest.approx((5, 30))
    assert found.title == "own"


def test_the_same_seed_holds_out_the_same_photos(tmp_path):
    photos = {f"{k}.png": [("dog", (5, 5, 30, 30))] for k in range(20)}
    folder = coco(tmp_path, photos)
    names = [[p.name for p in read_folder(folder, 0.25, seed).held_out] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert len(names[0]) == 5
    assert read_folder(folder, 0.0).held_out == ()


def annotated(*labels):
    entries = tuple(Annotation(Box(0, 0, 9, 9, label)) for label in labels)
    return Annotated(f"{labels}.png", Path("x.png"), None, entries)


def test_a_class_keeps_a_photo_to_learn_from():
    photos = [annotated("dog"), annotated("dog", "cat"), annotated("dog"), annotated("dog", "owl")]
    train, held_out = parted(photos, 0.5, 0)
    assert [p.labels for p in train] == [("dog", "cat"), ("dog", "owl")]
    assert [p.labels for p in held_out] == [("dog",), ("dog",)]
    assert parted(photos[:1], 0.5, 0) == ((photos[0],), ())


def test_the_folders_own_parts_are_taken(tmp_path):
    photos = three_photos()
    first, second = dict(list(photos.items())[:2]), {"9.png": photos["2.png"]}
    own = yolo(yolo(tmp_path / "yolo", first, "train"), second, "val")
    roboflow = tmp_path / "roboflow"
    for name, part in (("train", first), ("valid", second)):
        coco(roboflow / name, part, "_annotations.coco.json")
    files = coco(coco(tmp_path / "files", first, "instances_train2017.json"), second,
                 "instances_val2017.json")  # fmt: skip
    lists = voc(tmp_path / "voc", {**first, **second})
    (lists / "ImageSets" / "Main").mkdir(parents=True)
    (lists / "ImageSets" / "Main" / "train.txt").write_text("0\n1\n")
    (lists / "ImageSets" / "Main" / "val.txt").write_text("9\n")
    for folder in (own, roboflow, files, lists):
        found = read_folder(folder)
        assert found.own_parts, folder
        assert [p.path.name for p in found.train] == ["0.png", "1.png"]
        assert [p.path.name for p in found.held_out] == ["9.png"]
        assert all(p.path.is_file() for p in (*found.train, *found.held_out))


def said(path):
    with pytest.raises(ExplorerError) as caught:
        read_folder(path)
    return f"{caught.value.message} {caught.value.hint}"


def test_what_is_no_data_set_is_one_sentence(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty contains no photos" in said(empty)
    assert "does not exist" in said(tmp_path / "nowhere")
    bare = tmp_path / "bare"
    photo(bare / "a.png", [])
    photo(bare / "more" / "b.png", [])
    assert "has 2 photos, but no annotations" in said(bare)
    masks = tmp_path / "masks"
    photo(masks / "JPEGImages" / "a.png", [])
    photo(masks / "SegmentationClass" / "a.png", [])
    assert "has masks, but no boxes" in said(masks)
    nothing = coco(tmp_path / "nothing", {"a.png": []})
    assert "have no boxes" in said(nothing)
    several = coco(tmp_path / "several", three_photos(), "instances_a.json")
    shutil.copy(several / "instances_a.json", several / "instances_b.json")
    assert "several COCO files: instances_a.json, instances_b.json" in said(several)
    broken = yolo(tmp_path / "broken", {"a.png": []})
    (broken / "labels" / "a.txt").write_text("no label\n")
    assert "contains no YOLO labels" in said(broken)


def test_polygons_alone_give_boxes_and_run_lengths_alone_do_not(tmp_path):
    folder = coco(tmp_path, {"a.png": [("dog", (10, 10, 30, 20))]})
    content = json.loads((folder / "instances.json").read_text())
    del content["annotations"][0]["bbox"]
    content["annotations"][0]["segmentation"] = [[10, 10, 30, 10, 30, 20]]
    (folder / "instances.json").write_text(json.dumps(content))
    (found,) = read_folder(folder).train
    box = found.entries[0].box
    assert (box.x0, box.y0, box.x1, box.y1) == (10, 10, 30, 20)
    content["annotations"][0]["segmentation"] = {"size": [60, 80], "counts": [0, 4800]}
    (folder / "instances.json").write_text(json.dumps(content))
    assert "have no boxes" in said(folder)


def test_classes_with_few_boxes_or_none_are_named(tmp_path):
    photos = {
        "0.png": [("dog", (5, 5, 30, 30)), ("owl", (40, 5, 60, 30))],
        "1.png": [("dog", (5, 5, 30, 30)), ("background", (0, 0, 80, 60))],
    }
    folder = tmp_path / "own"
    coco(folder / "train", photos)
    coco(folder / "val", {"2.png": [("dog", (5, 5, 30, 30)), ("cat", (40, 5, 60, 30))]})
    found = read_folder(folder)
    assert found.names == ("dog", "owl")
    notes = " ".join(found.notes)
    assert "owl has only one training box" in notes
    assert "Ignored in the held-out photos" in notes
    assert "cat" in notes


def test_photos_of_classes_that_are_not_held_out_yet_come_first():
    photos = [annotated("dog") for _ in range(20)] + [annotated("owl"), annotated("owl", "cat")]
    photos += [annotated("cat"), annotated("fox")]
    for seed in range(5):
        train, held_out = parted(photos, 0.1, seed)
        assert len(held_out) == 2
        assert {name for p in held_out for name in p.labels} >= {"owl", "cat"}
        assert {name for p in train for name in p.labels} == {"dog", "owl", "cat", "fox"}


def test_what_is_wrong_with_yolo_labels_is_told_as_for_an_evaluation(tmp_path):
    """One walk over such folders: training and evaluation read the same files, and say the same."""
    folder = yolo(tmp_path, three_photos())
    (folder / "labels" / "0.txt").write_text("0 .5 .5 -.2 .2\n0 .5\n")
    told = (
        "0.txt: 1 object was ignored: its box cannot be read.",
        "0.txt: 1 box has a negative width or height: its corners were exchanged.",
    )
    assert read_folder(folder).notes[:2] == told
    assert open_source(folder, "detection").notes[:2] == told
