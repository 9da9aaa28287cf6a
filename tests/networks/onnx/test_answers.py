"""What is asked about a file, what is proposed, and what becomes of the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import explorer
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.onnx import answers, cards
from explorer.networks.onnx.answers import FITS, KEPT, SCALES, SQUARE, Answers
from explorer.networks.preprocess import Preprocess
from tests.networks.onnx_files import classifier, outputs

NAMES = {"names": "{0: 'cat', 1: 'dog', 2: 'hen'}"}


def test_an_unknown_classifier_is_asked_about_once(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    asked = catalog.questions(path)
    assert asked.unclear == ("preprocessing", "task", "class names")
    assert cards.every() == (), "nothing is remembered of a question"
    assert asked.uses[0].reason == "Output 1 x 3: a score for each of 3 classes"
    assert [use.task for use in asked.uses] == ["classification", "features"]
    assert asked.fixed == (32, 32)
    assert asked.layout_known
    assert asked.facts.startswith("Input 1 x 3 x 32 x 32 · 0.0 M parameters · runs in PyTorch")
    half = (0.5, 0.5, 0.5)
    said = replace(
        asked.answers, names=("a", "b", "c"), fit="stretch", scale="half", mean=half, std=half,
        order="BGR",
    )  # fmt: skip
    name = catalog.answered(path, said)
    (card,) = cards.every()
    assert (card.name, card.classes, card.channel_order) == (name, ("a", "b", "c"), "BGR")
    assert card.preprocess == Preprocess(resize=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
    again = catalog.questions(path)
    assert again.unclear == ()
    assert again.answers == said
    assert card.assumed == ()


def test_a_file_that_says_all_is_not_asked_about(tmp_path: Path) -> None:
    told = {"names": "{0: 'a', 1: 'b'}", "task": "detect", "author": "Ultralytics"}
    asked = catalog.questions(outputs(tmp_path / "a.onnx", (1, 6, 8400), metadata=told))
    assert asked.unclear == ()
    assert asked.answers.form == "yolov8"
    assert asked.answers.names == ("a", "b"), "the background is not asked about"
    assert (asked.answers.fit, asked.answers.scale) == ("center", "unit")


def test_the_reason_names_the_outputs(tmp_path: Path) -> None:
    asked = catalog.questions(outputs(tmp_path / "y.onnx", (1, 84, 8400)))
    assert asked.uses[0].reason == "Output 1 x 84 x 8400: YOLOv8-style, 80 classes"
    assert asked.uses[0].names[0].source == "COCO"
    assert len(asked.uses[0].names[0].names) == 80
    assert asked.unclear == ("class names",), "YOLO's input has one usual form"


def test_all_forms_that_the_outputs_allow_are_offered(tmp_path: Path) -> None:
    asked = catalog.questions(outputs(tmp_path / "x.onnx", (1, 8400, 85)))
    assert [use.form for use in asked.uses if use.task == "detection"] == ["yolox", "yolov5"]
    both = catalog.questions(outputs(tmp_path / "v.onnx", (1, 25200, 85)))
    assert [use.form for use in both.uses if use.task == "detection"] == ["yolov5"]
    boxes = catalog.questions(outputs(tmp_path / "s.onnx", (1, 100, 4), (1, 100, 21)))
    assert [use.form for use in boxes.uses if use.task == "detection"] == ["ssd", "detr"]
    assert boxes.uses[0].reason == (
        "Outputs 1 x 100 x 4, 1 x 100 x 21: SSD-style, boxes and class scores, 20 classes"
    )
    maps = catalog.questions(outputs(tmp_path / "m.onnx", (1, 21, 64, 64), side=64))
    assert [use.task for use in maps.uses] == ["segmentation", "classification", "features"]
    assert maps.uses[0].names[0].source == "Pascal VOC"


@torch.no_grad()
def test_another_task_and_form_are_taken(tmp_path: Path) -> None:
    path = outputs(tmp_path / "s.onnx", (1, 100, 4), (1, 100, 21))
    said = replace(catalog.questions(path).answers, form="detr")
    name = catalog.answered(path, said)
    card = next(card for card in cards.every() if card.name == name)
    assert card.decoding is not None
    assert card.decoding.form == "detr"
    assert catalog.questions(path).answers.form == "detr"
    features = replace(said, task="features", form="", names=())
    catalog.answered(path, features)
    network = explorer.load(str(path))
    assert network.info.task == "features"
    assert network.info.classes == ()


def test_names_have_to_be_as_many_as_the_classes(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    asked = catalog.questions(path)
    with pytest.raises(ExplorerError, match="2 names, but the network has 3 classes"):
        catalog.answered(path, replace(asked.answers, names=("a", "b")))
    listing = tmp_path / "list.txt"
    listing.write_text("a\nb\n")
    with pytest.raises(ExplorerError, match=r"list\.txt has 2 names"):
        answers.listed_names(listing, asked.uses[0])
    listing.write_text("a\nb\nc\n")
    assert answers.listed_names(listing, asked.uses[0]).names == ("a", "b", "c")


def test_names_of_the_file_that_do_not_fit_are_said(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx", metadata={"names": "['a', 'b', 'c', 'd', 'e']"})
    asked = catalog.questions(path)
    words = "The file has 5 names, but the network has 3 classes."
    assert asked.remark == words
    assert "class names" in asked.unclear
    assert asked.uses[0].names == ()
    assert words in explorer.load(str(path)).info.notes
    catalog.answered(path, replace(asked.answers, names=("x", "y", "z")))
    assert catalog.questions(path).remark == ""
    assert explorer.load(str(path)).info.notes == ()


def test_the_background_of_a_detector_is_added(tmp_path: Path) -> None:
    path = outputs(tmp_path / "y.onnx", (1, 6, 8400))
    catalog.answered(path, replace(catalog.questions(path).answers, names=("car", "bus")))
    assert cards.every()[0].classes == ("__background__", "car", "bus")
    assert explorer.load(str(path), classes=["car", "bus"]).info.classes[1:] == ("car", "bus")


@pytest.mark.parametrize("fit", FITS)
def test_each_way_to_the_size_is_recognized(fit: str, tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    card = catalog_card(path)
    steps = answers.sized(card.preprocess, (224, 224), fit)
    changed = card.changed(preprocess=steps)
    assert answers.fit_of(changed) == fit
    assert answers.questions(changed).answers.fit == fit
    if fit in SQUARE[:2]:
        with pytest.raises(ExplorerError, match="it is square"):
            answers.sized(card.preprocess, (224, 320), fit)


def catalog_card(path: Path) -> cards.Card:
    catalog.opened(path)
    return cards.every()[0]


def test_steps_that_no_word_says_are_kept(tmp_path: Path) -> None:
    steps = Preprocess(resize=40, crop=32, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    path = classifier(tmp_path / "pets.onnx")
    catalog.opened(path, preprocess=steps)
    said = catalog.questions(path).answers
    assert (said.fit, said.scale, said.mean) == (KEPT, "own", (0.1, 0.2, 0.3))
    catalog.answered(path, said)
    assert cards.every()[0].preprocess == steps


@pytest.mark.parametrize("scale", SCALES)
def test_each_range_is_recognized_and_is_what_the_network_gets(scale: str, tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    asked = catalog.questions(path)
    said: Answers = replace(asked.answers, scale=scale, fit="stretch")
    white = np.full((48, 48, 3), 255, np.uint8)
    shown = answers.prepared(said, asked.before, white)
    high = {
        "unit": 1.0, "bytes": 255.0, "imagenet": (1 - 0.406) / 0.225, "half": 1.0, "caffe": 151.0
    }[scale]  # fmt: skip
    assert shown.high == pytest.approx(high, rel=1e-4)
    assert shown.shape == (1, 3, 32, 32)
    assert shown.picture.shape == (32, 32, 3)
    assert (shown.picture == 255).all()
    catalog.answered(path, said)
    assert catalog.questions(path).answers.scale == scale
    network = explorer.load(str(path))
    assert float(network.preprocess(white).max()) == pytest.approx(high, rel=1e-4)


def test_other_answers_are_another_network_for_what_is_kept_on_disk(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    said = catalog.questions(path).answers
    catalog.answered(path, said)
    before = explorer.load(str(path)).info
    catalog.answered(path, replace(said, order="BGR"))
    after = explorer.load(str(path)).info
    assert before.spec == after.spec == NetworkSpec("pets-onnx")
    assert before.digest != after.digest


def test_the_contents_of_a_file(tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx", metadata=NAMES)
    found = catalog.inspect(path)
    lines = dict(found.lines())
    assert lines["Input"] == "image: float32 1 x 3 x 32 x 32"
    assert lines["Outputs"] == "scores: 1 x 3"
    assert lines["Operators"].startswith("Conv (1), Relu (1), GlobalAveragePool (1)")
    assert lines["Tensors"] == "2 with 120 numbers; none is missing"
    assert lines["Class names"] == "3 classes: cat, dog, hen"
    assert lines["Looks like"] == "Output 1 x 3: a score for each of 3 classes"
    assert lines["Unclear"] == "preprocessing"
    assert found.usable
