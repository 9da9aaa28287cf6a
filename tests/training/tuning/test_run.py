"""A toy detector on three photos: what is learned, what is not, and what is left on the disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core import jobs as core_jobs
from explorer.core.errors import ExplorerError
from explorer.core.jobs import JobStore
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Token
from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.jobs import KINDS
from explorer.networks import catalog, made
from explorer.networks.given import from_module
from explorer.networks.preprocess import Preprocess
from explorer.training.tuning.background import KIND
from explorer.training.tuning.run import survey, tune
from explorer.training.tuning.trainer import FROZEN
from explorer.training.tuning.wish import Wish, identity, params_of, wish_of
from tests.steps import finish
from tests.training.tuning.own_folders import (
    ToyEngine,
    coco,
    photo,
    three_photos,
    tunable_network,
    yolo,
)

SPEC = NetworkSpec("lite-fasterrcnn", device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return coco(tmp_path / "own", three_photos())


def wish(folder: Path, steps: int = 2, **changed: Any) -> Wish:
    return replace(Wish(SPEC, folder, steps=steps), **changed)


def test_it_learns_and_leaves_the_network_as_it_was(folder: Path) -> None:
    network = tunable_network()
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    random = torch.get_rng_state()
    new, steps = finish(tune(wish(folder), network))
    report = steps[-1].value
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[n], v) for n, v in network.module.state_dict().items())
    assert not any(v.requires_grad for v in network.module.parameters())
    assert report.complete
    assert (report.photos, report.held_out, report.steps, report.seen) == (2, 1, 2, 16)
    assert report.losses.shape == (2, 5)
    assert np.isfinite(report.losses).all()
    assert len(report.curve) == 3  # before, and after each step: the tenths fall on them
    assert new.classes == ("background", "dog", "sofa")
    assert [entry.known_as for entry in report.classes] == ["", "couch"]
    assert "New rows in the last layer: dog." in report.notes[0]
    assert new.recipe["new_rows"] == ["dog"]
    assert new.metrics == tuple(report.figures().items())
    learned = new.module.state_dict()
    body = [name for name in learned if name.startswith("backbone.body.")]
    assert all(torch.equal(learned[name], before[name]) for name in body)
    for name in ("backbone.fpn.layer_blocks.0.0.weight", "rpn.head.cls_logits.weight",
                 "roi_heads.box_head.fc6.weight"):  # fmt: skip
        assert not torch.equal(learned[name], before[name])


@pytest.mark.parametrize(
    ("frozen", "still", "moving"),
    [
        (FROZEN[1], ("backbone.fpn.inner_blocks.0.0.weight", "rpn.head.cls_logits.bias"),
         ("roi_heads.box_head.fc6.weight",)),
        (FROZEN[2], ("backbone.body.blocks.2.0.conv_pw.weight", "backbone.body.blocks.4.0.bn1.bias",
                     "backbone.body.blocks.4.0.conv_dw.weight"),
         ("backbone.body.blocks.3.0.conv_pw.weight",)),
    ],
)  # fmt: skip
def test_what_is_frozen_keeps_its_weights(
    folder: Path, frozen: str, still: tuple[str, ...], moving: tuple[str, ...]
) -> None:
    network = tunable_network()
    before = network.module.state_dict()
    new, _ = finish(tune(wish(folder, 1, frozen=frozen), network))
    after = new.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in still)
    assert all(not torch.equal(before[name], after[name]) for name in moving)


def test_the_figures_are_those_that_evaluate_gives(tmp_path: Path) -> None:
    photos = three_photos()
    folder = tmp_path / "own"
    coco(folder / "train", {"0.png": photos["0.png"]})
    coco(folder / "val", {"1.png": photos["1.png"], "2.png": photos["2.png"]})
    network = tunable_network()
    network.module.roi_heads.score_thresh = 0.0  # a random network is unsure
    new, steps = finish(tune(wish(folder, 1), network))
    module = new.module
    loaded = from_module(module, task="detection", classes=new.classes,
                         preprocess=Preprocess(batched=False))  # fmt: skip
    *_, last = evaluate(loaded, open_source(folder / "val", "detection"))
    assert last.value.figures["AP50"] == pytest.approx(steps[-1].value.now, abs=1e-9)
    assert steps[-1].value.own_parts


def test_equal_wishes_give_equal_weights(folder: Path) -> None:
    first, second, other = (
        finish(tune(wish(folder, 1, seed=seed), tunable_network()))[0].module.state_dict()
        for seed in (0, 0, 1)
    )
    name = "roi_heads.box_predictor.cls_score.weight"
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first[name], other[name])


def steps_of(store: JobStore, job: Any) -> Any:
    return store.steps(job, ToyEngine(), Token(), lambda: True)


def test_broken_off_anywhere_it_ends_with_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_jobs, "SAVE_SECONDS", 0.0)
    asked = params_of(wish(folder, 3))
    weights, figures = [], []
    for stops in ((), (12, 25)):
        places = tmp_path / f"jobs{len(stops)}"
        store = JobStore(places, KINDS)
        job = store.new(KIND, "own", asked)
        for stop in stops:
            going = steps_of(store, job)
            for _ in range(stop):
                next(going)
            going.close()  # as a program that ends
            store.close()
            store = JobStore(places, KINDS)
            (again,) = store.claim()
            assert again == job
        last = list(steps_of(store, job))[-1].value
        store.close()
        assert not list(places.glob("*/job.json"))
        figures.append((last.steps, last.losses[:, 1:].tolist(), last.curve[:, 1].tolist()))
        tensors = made.folder() / f"{last.made}.safetensors"
        weights.append(tensors.read_bytes())
        assert last.made_title == "toy on own"
    assert weights[0] == weights[1]
    assert figures[0] == figures[1]


def test_the_network_joins_the_catalog_with_its_card(folder: Path, tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", KINDS)
    asked = wish(folder, 1)
    last = list(steps_of(store, store.new(KIND, "own", params_of(asked))))[-1].value
    store.close()
    card = json.loads((made.folder() / f"{last.made}.json").read_text())
    assert made.made_by(identity(asked)) == (last.made, "toy on own")
    assert made.made_by("another") is None
    assert card["classes"] == ["background", "dog", "sofa"]
    recipe = card["recipe"]
    assert recipe["data"] == str(folder)
    assert recipe["new_rows"] == ["dog"]
    assert [entry["boxes"] for entry in recipe["classes"]] == [2, 2]
    assert recipe["steps"] == 1
    assert card["metrics"].keys() == {"AP50", "AP50 before"}
    assert card["note"] == "fine-tuned from toy on 2 photos of own."


def test_a_changed_folder_starts_over_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_jobs, "SAVE_SECONDS", 0.0)
    store = JobStore(tmp_path / "jobs", KINDS)
    job = store.new(KIND, "own", params_of(wish(folder, 1)))
    going = steps_of(store, job)
    for _ in range(10):
        next(going)
    going.close()
    coco(folder, {**three_photos(), "new.png": [("dog", (5, 5, 30, 30))]})
    last = list(steps_of(store, job))[-1].value
    store.close()
    assert any("starting over" in note for note in last.notes)


def test_unreadable_photos_and_boxes_outside_are_counted(tmp_path: Path) -> None:
    photos = {
        **three_photos(), "bad.png": [("dog", (5, 5, 30, 30))],
        "out.png": [("dog", (5, 5, 30, 30)), ("dog", (100, 5, 120, 30))],
        "turned.png": [("dog", (5, 5, 30, 30))],
    }  # fmt: skip
    folder = coco(tmp_path / "own", photos)
    (folder / "images" / "bad.png").write_bytes(b"no picture")
    photo(folder / "images" / "turned.png", [], size=(80, 60))
    _, steps = finish(tune(wish(folder, 1, held_out=0.0), tunable_network()))
    report = steps[-1].value
    assert (report.photos, report.held_out) == (4, 0)
    notes = " ".join(report.notes)
    assert "Skipped 2 photos:" in notes
    assert "60 × 80 pixels, its annotations are for 80 × 60" in notes
    assert "1 box outside the photo or without an area ignored." in notes
    assert "No photo is held out, so there is no metric." in notes
    assert report.figures() == {}


def test_no_photo_that_can_be_read_is_one_sentence(tmp_path: Path) -> None:
    folder = yolo(tmp_path, {"a.png": [("dog", (5, 5, 30, 30))]})
    shutil.rmtree(folder / "images")
    with pytest.raises(ExplorerError, match="contains no photos"):
        finish(tune(wish(folder, 1), tunable_network()))
    folder = coco(tmp_path / "coco", {"a.png": [("dog", (5, 5, 30, 30))]})
    (folder / "images" / "a.png").write_bytes(b"no picture")
    with pytest.raises(ExplorerError, match="No photo of coco can be used for training"):
        finish(tune(wish(folder, 1), tunable_network()))
    outside = coco(tmp_path / "outside", {"a.png": [("dog", (200, 5, 230, 30))]})
    with pytest.raises(ExplorerError, match="All boxes lie outside"):
        finish(tune(wish(outside, 1), tunable_network()))


def test_one_class_and_one_photo_work(tmp_path: Path) -> None:
    folder = coco(tmp_path / "own", {"a.png": [("dog", (5, 5, 30, 30))]})
    new, steps = finish(tune(wish(folder, 1), tunable_network()))
    assert new.classes == ("background", "dog")
    assert any("dog has only one training box" in note for note in steps[-1].value.notes)


def test_numbers_that_grow_without_limit_are_one_sentence(folder: Path) -> None:
    network = tunable_network()
    network.module.roi_heads.box_head.fc6.weight.data.fill_(float("inf"))
    with pytest.raises(ExplorerError, match="diverged"):
        finish(tune(wish(folder, 1), network))


def test_a_survey_counts_and_looks_but_does_not_train(folder: Path) -> None:
    _, steps = finish(survey(wish(folder), tunable_network()))
    first, last = steps[0].value, steps[-1].value
    assert [(e.name, e.boxes, e.photos, e.held_out) for e in first.classes] == [
        ("dog", 2, 2, 1), ("sofa", 2, 2, 1),
    ]  # fmt: skip
    assert first.shown == ()
    assert [shown.name for shown in last.shown] == [p.name for p in read_held_out(folder)]
    assert last.shown[0].now is None
    assert not last.complete
    assert catalog.unavailable() == ()


def read_held_out(folder: Path) -> Any:
    from explorer.training.tuning.folder import read_folder

    return read_folder(folder).held_out


def test_the_wish_survives_the_disk_and_nonsense_does_not(folder: Path) -> None:
    asked = wish(folder, rate=1e-3, frozen=FROZEN[1])
    plain = json.loads(json.dumps(params_of(asked)))
    assert wish_of(plain) == asked
    assert identity(wish_of(plain)) == identity(asked)
    for name, value in (("minutes", 0), ("frozen", "all"), ("rate", "x"), ("spec", {"a": 1})):
        with pytest.raises(ExplorerError, match="cannot be read"):
            wish_of({**plain, name: value})


def test_by_time_it_ends_by_the_clock_and_leaves_the_random_numbers_alone(folder: Path) -> None:
    random = torch.get_rng_state()
    with torch.no_grad():  # whoever asks may have switched gradients off
        _, steps = finish(tune(wish(folder, 0, minutes=0.02), tunable_network()))
    report = steps[-1].value
    assert torch.equal(torch.get_rng_state(), random)
    assert report.complete
    assert report.seconds >= 0.02 * 60
