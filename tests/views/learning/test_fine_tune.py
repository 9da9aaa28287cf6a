"""What is drawn of a fine-tuning, and the doors without a window."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explorer
from explorer import api
from explorer.cli import run
from explorer.core.errors import Incomplete
from explorer.core.layers import Boxes, Picture
from explorer.core.network_info import NetworkSpec
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.engine.engine import Engine
from explorer.evaluation.metrics import Found, Objects
from explorer.networks import catalog
from explorer.training.tuning.report import OwnClass, Report, ShownPhoto
from explorer.views.learning.fine_tune.view import VIEW, Params
from tests.training.tuning.own_folders import coco, three_photos, tunable_network

NAME = "lite-fasterrcnn"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        network = tunable_network()
        network.extras["architecture"] = NAME
        return replace(network, info=replace(network.info, spec=spec))

    monkeypatch.setattr(catalog, "load", load)
    engine = Engine()  # the one of all other questions may have loaded the real network before
    monkeypatch.setattr(api, "_shared", lambda: engine)


def report(**changed: Any) -> Report:
    objects = Objects.plain(np.array([[0, 0, 10, 10.0]]), np.array([2]))
    before = Found(np.array([[1, 1, 9, 9], [2, 2, 8, 8.0]]), np.array([1, 2]), np.array([0.4, 0.6]))
    now = Found(np.array([[0, 0, 10, 9.0]]), np.array([2]), np.array([0.9]))
    picture = Picture(np.zeros((20, 30, 3), np.uint8))
    blank = Report(
        tunable_network().info, "own", "COCO",
        (OwnClass("dog", "", 2, 2, 0), OwnClass("sofa", "couch", 2, 2, 1, 0.25, 0.5)),
        photos=2, held_out=1, minutes=10.0,
        shown=(ShownPhoto("a.png", picture, objects, before, now),),
    )  # fmt: skip
    return replace(blank, **changed)


def test_each_photo_stands_there_before_and_now() -> None:
    board = VIEW.draw(report(), Params())
    assert [(pane.name, pane.title, pane.frame) for pane in board.panes] == [
        ("before_1", "a.png: before", "photo_1"), ("now_1", "a.png: now", "photo_1"),
    ]  # fmt: skip
    pictures = [pane.layers[0] for pane in board.panes]
    assert pictures[0] is pictures[1], "it is uploaded once"
    boxes = [layer for pane in board.panes for layer in pane.layers if isinstance(layer, Boxes)]
    assert [layer.labels for layer in boxes] == [
        ("sofa",), ("sofa 0.60",), ("sofa",), ("sofa 0.90",),
    ]  # fmt: skip
    lower = VIEW.draw(report(), Params(min_score=0.3, truth=False))
    shown = lower.panes[0].layers[1]
    assert isinstance(shown, Boxes)
    assert shown.labels == ("dog 0.40", "sofa 0.60")
    assert (shown.colors[0] != shown.colors[1]).any()


def test_the_loss_is_a_running_mean_over_the_minutes() -> None:
    losses = np.zeros((12, 5))
    losses[:, 0] = 60.0 * np.arange(1, 13)
    losses[:, 3] = np.arange(12.0)  # the classifier's
    curve = np.array([[0.0, 0.1], [720.0, 0.4]])
    found = report(losses=losses, curve=curve, steps=12, seconds=720.0)
    loss, ap50 = VIEW.draw(found, Params()).plots
    by_name = {curve.label: curve for curve in loss.curves}
    assert by_name["classes"].x.tolist() == list(range(1, 13))
    assert by_name["classes"].y[:3].tolist() == [0.0, 0.5, 1.0]
    assert by_name["classes"].y[-1] == np.mean(np.arange(2, 12))
    assert np.array_equal(by_name["all"].y, by_name["classes"].y)
    assert not by_name["boxes"].y.any()
    assert ap50.curves[0].x.tolist() == [0.0, 12.0]
    assert ap50.curves[0].y.tolist() == [0.1, 0.4]


def test_the_table_has_figures_once_there_are_some() -> None:
    (table,) = VIEW.draw(report(), Params()).tables
    assert table.columns[-1] == "held-out boxes"
    assert table.rows == (("dog", "new", 2, 2, 0), ("sofa", "kept: couch", 2, 2, 1))
    found = report(curve=np.array([[0.0, 0.25], [60.0, 0.5]]), complete=True, steps=1, seconds=66.0)
    board = VIEW.draw(found, Params())
    assert board.tables[0].columns[-2:] == ("AP50 before", "AP50 after")
    assert [row[-2:] for row in board.tables[0].rows] == [("", ""), (0.25, 0.5)]
    assert board.summary == ("AP50 25.0% → 50.0% · 2 training photos, 1 held out · 1.1 min, 1 step")
    plain = json.loads(json.dumps(found.content()))
    assert (plain["AP50"], plain["AP50 before"]) == (0.5, 0.25)
    assert plain["classes"][0]["AP50"] is None


def test_job_and_parameters_are_each_others_inverse() -> None:
    assert VIEW.job is not None
    spec = NetworkSpec(NAME)
    params = Params(FolderRef("/somewhere"), 3.0, 1e-3, "first stages", 0.1, 7, 5)
    assert VIEW.job.asked(VIEW.job.params(spec, params)) == (spec, params)
    with pytest.raises(Incomplete, match="No folder is chosen"):
        VIEW.job.params(spec, Params())


@pytest.mark.usefixtures("toy")
def test_it_is_there_in_python_and_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = coco(tmp_path / "own", three_photos())
    answer = explorer.look("fine_tune", network=NAME, folder=str(folder), steps=1)
    assert answer.data["complete"]
    assert answer.data["made"] == "toy-on-own"
    assert "in the catalog as toy-on-own" in answer.summary
    out, data = tmp_path / "own.png", tmp_path / "own.json"
    words = ["render", "fine_tune", "--network", NAME, "--set", f"folder={folder}", "--set",
             "steps=1", "-o", str(out), "--data", str(data)]  # fmt: skip
    assert run(words) == 0
    assert out.stat().st_size > 1000
    assert "toy-on-own-2" in data.read_text(), "it is trained anew"
    assert run([*words[:4], "-o", str(tmp_path / "x.png")]) == 2
    assert "No folder is chosen" in capsys.readouterr().err


def test_a_survey_and_the_action_that_begins_the_job_go_together() -> None:
    assert VIEW.job is not None
    with pytest.raises(TypeError, match="needs a survey and an action"):
        replace(VIEW, job=replace(VIEW.job, survey=None))
    with pytest.raises(TypeError, match="needs a survey and an action"):
        replace(VIEW, actions=VIEW.actions[1:])
