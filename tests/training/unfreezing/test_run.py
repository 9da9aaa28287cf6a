"""Three trainings side by side: what each changes, and that a stopped run resumes bit-equal."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.jobs import Work
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.networks.made import NewNetwork
from explorer.training.heads.body import Body
from explorer.training.unfreezing.lane import (
    EXTRACTION,
    LANES,
    SCRATCH,
    TUNING,
    Lane,
    stages_of,
    trained_names,
)
from explorer.training.unfreezing.report import Report
from explorer.training.unfreezing.run import compare, scaled, survey
from explorer.training.unfreezing.wish import Wish, identity, params_of, wish_of
from tests.marks import by_hand
from tests.steps import finish
from tests.views.inside.folders import colored, convolutions

WISH = Wish(NetworkSpec("toy"), stages=1, steps=6, batch=4, most=3, rate=0.05, scratch_rate=0.01)


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    return replace(WISH, data=str(colored(tmp_path / "photos", each=6)))


def lane(name: str, wish: Wish, count: int = 9) -> Lane:
    torch.manual_seed(0)
    inputs, labels = torch.randn(count, 3, 32, 32), torch.arange(count) % 3
    return Lane(name, Body(convolutions(), whole=False), 3, wish, inputs, labels)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (EXTRACTION, {"fc"}), (TUNING, {"conv2", "fc"}), (SCRATCH, {"conv1", "conv2", "fc"}),
    ],
)  # fmt: skip
def test_a_training_changes_what_it_says(name: str, changes: set[str]) -> None:
    one = lane(name, WISH)
    before = {key: value.clone() for key, value in one.module.state_dict().items()}
    one.learn()
    one.learn()
    after = one.module.state_dict()
    changed = {key.partition(".")[0] for key in after if not torch.equal(before[key], after[key])}
    assert changed == changes
    start = convolutions().module.state_dict()
    begins = all(torch.equal(start[k], before[k]) for k in start if not k.startswith("fc."))
    assert begins == (name != SCRATCH)


def test_a_share_of_zero_keeps_the_stages() -> None:
    one = lane(TUNING, replace(WISH, share=0.0))
    before = one.module.get_parameter("conv2.weight").detach().clone()
    one.learn()
    assert torch.equal(one.module.get_parameter("conv2.weight"), before)


def test_stages_from_the_last_one_on() -> None:
    network = convolutions()
    stages = stages_of(network.info, network.module, "fc")
    assert stages == ("conv1", "conv2")
    assert trained_names(network.module, stages, "fc", 0) == ["fc.weight", "fc.bias"]
    assert trained_names(network.module, stages, "fc", 1)[0] == "conv2.weight"
    assert len(trained_names(network.module, stages, "fc", 8)) == 6


def test_colors_are_learned_and_the_report_is_complete(wish: Wish) -> None:
    network = convolutions()
    before = [value.clone() for value in network.module.state_dict().values()]
    new, steps = finish(compare(replace(wish, steps=40), network))
    report = steps[-1].value
    assert report.complete
    assert [row.lane for row in report.rows] == list(LANES)
    assert report.now(TUNING) > report.constant + 0.3
    assert report.curve[0, 0] == 0
    assert report.curve[-1, 0] == 40
    assert report.losses.shape == (40, 4)
    assert report.losses[-5:, 2].mean() < report.losses[:5, 2].mean()
    assert report.learns[EXTRACTION] < report.learns[TUNING] < report.learns[SCRATCH]
    assert 0 <= report.words <= 1
    assert new.classes == ("blue", "green", "red")
    inputs = torch.cat([new.preprocess.fed(np.zeros((32, 32, 3), np.uint8))])
    assert new.module(inputs).shape == (1, 3)
    now = network.module.state_dict().values()
    assert all(torch.equal(one, two) for one, two in zip(before, now, strict=True))


def test_smaller_sets_come_first(wish: Wish) -> None:
    _, steps = finish(compare(replace(wish, curve=True, steps=1, most=4), convolutions()))
    report = steps[-1].value
    assert [(row.count, row.lane) for row in report.rows] == [
        (count, name) for count in (1, 3, 4) for name in LANES
    ]


def weights(new: NewNetwork) -> list[torch.Tensor]:
    return list(new.module.state_dict().values())


@pytest.mark.parametrize("stop", [20, *by_hand(7, 33)])
def test_a_run_that_was_interrupted_goes_on_bit_equal(wish: Wish, stop: int) -> None:
    wish = replace(wish, curve=True, steps=4)
    whole, steps = finish(compare(wish, convolutions()))
    work = Work(None, Token(), None)
    running = compare(wish, convolutions(), work)
    for _ in range(stop):
        next(running)
    state = work.checkpoint()
    running.close()
    assert state is not None
    resumed, rest = finish(compare(wish, convolutions(), Work(None, Token(), state)))
    assert len(rest) < len(steps) or stop < 8
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    first, last = steps[-1].value, rest[-1].value
    np.testing.assert_array_equal(first.losses, last.losses)
    np.testing.assert_array_equal(first.curve, last.curve)
    assert first.rows == last.rows
    assert first.words == last.words


def test_a_state_of_other_photos_starts_over(wish: Wish) -> None:
    state = Checkpoint({"format": 1, "photos": ["another"]})
    steps: Generator[Step[Report], Any, NewNetwork] = compare(
        wish, convolutions(), Work(None, Token(), state)
    )
    _, seen = finish(steps)
    assert any("starting over" in note for note in seen[-1].value.notes)


def test_a_look_before_has_extraction_alone(wish: Wish) -> None:
    _, steps = finish(survey(wish, convolutions()))
    report = steps[-1].value
    assert [row.lane for row in report.rows] == [EXTRACTION]
    assert not report.learns
    assert len(report.tests) == 6


def test_a_class_with_one_photo_has_none_to_hold_out(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=1)
    with pytest.raises(ExplorerError, match="no two folders"):
        next(compare(replace(WISH, data=str(folder)), convolutions()))


def test_one_class_alone_is_named(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=3)
    for place in sorted(folder.iterdir())[1:]:
        shutil.rmtree(place)
    (left,) = folder.iterdir()
    with pytest.raises(ExplorerError, match=f"of one class only, {left.name}"):
        next(compare(replace(WISH, data=str(folder)), convolutions()))


def test_json_and_back() -> None:
    assert wish_of(params_of(WISH)) == WISH
    assert identity(WISH) != identity(replace(WISH, steps=7))
    with pytest.raises(ExplorerError, match="cannot be read"):
        wish_of({**params_of(WISH), "batch": 0})
    with pytest.raises(ExplorerError, match="cannot be read"):
        wish_of({"spec": {}})


def test_inputs_keep_their_share_of_the_photo() -> None:
    steps = replace(convolutions().preprocess, resize=256, crop=224)
    small = scaled(steps, 0)
    assert (small.resize, small.crop) == (146, 128)
    assert scaled(steps, 10).crop == 32
    own = scaled(replace(steps, resize=80, crop=80), 0)
    assert (own.resize, own.crop) == (80, 80)
