"""The board of a comparison, its job, and the networks that it makes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explorer
from explorer import api
from explorer.core.errors import ExplorerError
from explorer.core.jobs import Job, JobStore
from explorer.core.network_info import NetworkSpec
from explorer.core.params import FolderRef
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.engine.engine import Engine
from explorer.engine.scene import Scene
from explorer.jobs import KINDS
from explorer.networks import catalog, made
from explorer.training.unfreezing.background import KIND
from explorer.training.unfreezing.lane import LANES
from explorer.training.unfreezing.report import Report, Row
from explorer.views.learning.unfreeze.view import BEGIN, NEXT, VIEW, Params, use
from tests.steps import finish
from tests.views.inside.folders import colored, convolutions


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        network = convolutions()
        network.extras["architecture"] = "mini-resnet"
        return replace(network, info=replace(network.info, spec=spec))

    monkeypatch.setattr(catalog, "load", load)
    engine = Engine()  # the one of all other questions may have loaded the real network before
    monkeypatch.setattr(api, "_shared", lambda: engine)


def report(**changed: Any) -> Report:
    blank = Report(
        convolutions().info, "own", ("red", "green"), ("conv2",), dict.fromkeys(LANES, 7), 8,
        tuple(np.zeros((8, 8, 3), np.uint8) for _ in range(4)), np.array([0, 0, 1, 1]),
        {"fine-tuning": np.array([0, 1, 1, 1])}, 4,
    )  # fmt: skip
    return replace(blank, **changed)


def test_the_published_rows_stand_beside_the_own_ones() -> None:
    rows = (
        Row("extraction", 4, 0.5, 0.75), Row("fine-tuning", 4, 0.75, 1.0),
        Row("from scratch", 4, 0.25, 1.0),
    )  # fmt: skip
    board = VIEW.draw(report(rows=rows, words=0.3, complete=True), Params())
    table = board.tables[0]
    own = {row[0]: row[1:3] for row in table.rows}
    assert own == {
        "bag of visual words": ("30.0%", ""), "BossaNova, Fisher vectors": ("", ""),
        "extraction": ("50.0%", "75.0%"), "from scratch": ("25.0%", "100.0%"),
        "fine-tuning": ("75.0%", "100.0%"),
    }  # fmt: skip
    published = {row[0]: row[3:] for row in table.rows}
    assert published["fine-tuning"] == ("58.0%", "65.7%", "85.7%")
    assert published["from scratch"][2] == "39.8%"
    assert board.panes[0].title == "4 held-out photos: fine-tuning"
    assert "fine-tuning 75.0%" in board.summary


def test_accuracy_over_photos_per_class() -> None:
    rows = tuple(Row(lane, count, count / 10, 1.0) for count in (1, 3) for lane in LANES)
    board = VIEW.draw(report(rows=rows), Params())
    plot = board.plots[0]
    assert plot.name == "counts"
    assert [curve.label for curve in plot.curves] == list(LANES)
    assert plot.curves[0].y.tolist() == [0.1, 0.3]
    assert board.tables[1].rows[0] == ("extraction", "10.0%", "30.0%")


def test_what_to_do_next_is_said_before_anything_is_trained() -> None:
    assert VIEW.draw(report(learns={}), Params()).notes[0] == BEGIN
    crops = report(learns={}, source="crops of the samples")
    assert VIEW.draw(crops, Params()).notes[0] == NEXT


def test_job_and_parameters_are_each_others_inverse() -> None:
    assert VIEW.job is not None
    spec = NetworkSpec("mini-resnet")
    for folder in (None, FolderRef("/somewhere")):
        params = Params(folder, 2, 1e-3, 0.3, 1e-4, 7, 5, True, 64, 4, 3)
        assert VIEW.job.asked(VIEW.job.params(spec, params)) == (spec, params)


@pytest.mark.usefixtures("toy")
def test_the_job_keeps_a_network_that_survives(tmp_path: Path) -> None:
    folder = FolderRef(str(colored(tmp_path / "photos")))
    params = Params(folder, steps=2, most=2)
    assert VIEW.job is not None
    spec = NetworkSpec("mini-resnet")
    job = Job("one", KIND, "one", VIEW.job.params(spec, params))
    store = JobStore(tmp_path / "jobs", KINDS)
    _, steps = finish(store.steps(job, Engine(), Token(), lambda: True))  # type: ignore[arg-type]
    store.close()
    last = steps[-1].value
    assert last.made == "toy-on-photos-fine-tuned"
    (card,) = made.folder().glob("*.json")
    assert "trained on 6 photos of photos" in card.read_text()
    network = convolutions()
    network = replace(network, info=replace(network.info, spec=spec))
    answer, _ = finish(use(Scene(network, None), params))
    assert answer.name == last.made
    with pytest.raises(ExplorerError, match="no network from a training"):
        finish(use(Scene(network, None), replace(params, steps=3)))


@pytest.mark.usefixtures("toy")
def test_it_is_there_in_python(tmp_path: Path) -> None:
    folder = str(colored(tmp_path / "photos"))
    steps = list(explorer.steps("unfreeze", network="mini-resnet", folder=folder, steps=1, most=2))
    assert len(steps) > 3
