"""The evaluation as a folder job: in chunks and batches, stopped and resumed, the same metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.batch.job import Recipe
from explorer.batch.run import Local, Report, Wish, run
from explorer.core.errors import ExplorerError
from explorer.evaluation import folder_job
from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.jobs import FOLDER_JOBS
from explorer.networks.network import Network
from tests.evaluation.sets import RED, class_folders, coco_set, color_network, filled
from tests.evaluation.test_background import DATA


def done(network: Network, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch,
         batch: int = 1, stopped: Callable[[], bool] = bool, **more: Any) -> Report:  # fmt: skip
    monkeypatch.setattr(folder_job, "loaded", lambda spec: network)
    params = {"spec": {"name": "toy"}, "data": str(data), **more}
    wish = Wish(Recipe(FOLDER_JOBS["evaluate"], params), (str(data),), out, batch, chunk=2)
    *_, last = run(wish, Local(2), stopped=stopped)
    return last.value


@pytest.mark.parametrize("task", DATA)
def test_the_metrics_are_those_of_the_evaluation_however_often_it_stops(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = color_network(task), DATA[task](tmp_path / "data")
    *_, last = evaluate(network, open_source(data, network.info.task))
    wanted = {key: value for key, value in last.value.content().items() if key != "seconds"}
    ways = (("whole", 1, False), ("batch", 5, False), ("parts", 5, True))
    for name, batch, stops in ways:
        runs, stopped = 0, (lambda stops=stops: stops)
        while not done(network, data, tmp_path / name, monkeypatch, batch, stopped).complete:
            runs += 1
        assert (runs > 2) == (name == "parts")
        content = json.loads((tmp_path / name / "report.json").read_text())
        assert content == json.loads(json.dumps(wanted))
    for name in folder_job.REPORTS:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "batch" / name).read_bytes()


def test_a_photo_that_cannot_be_read_is_a_failure_and_a_part_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = color_network("classification"), class_folders(tmp_path / "data")
    bad = filled(data / "red" / "bad.png", RED)
    bad.write_bytes(b"no picture")
    report = done(network, data, tmp_path / "out", monkeypatch)
    assert [(name, place) for name, _, place in report.failures] == [("red/bad.png", str(bad))]
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [entry["photo"] for entry in content["skipped"]] == ["red/bad.png"]
    assert content["photos"] == report.done - 1
    assert done(network, data, tmp_path / "some", monkeypatch, limit=2).done == 2


def test_other_annotations_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, network = coco_set(tmp_path / "data"), color_network("detection")
    done(network, place, tmp_path / "out", monkeypatch)
    place.write_text(place.read_text() + "\n")
    with pytest.raises(ExplorerError, match="other settings: annotations"):
        done(network, place, tmp_path / "out", monkeypatch)


def test_scores_of_parts_add_up(tmp_path: Path) -> None:
    for task in DATA:
        network = color_network(task)
        source = open_source(DATA[task](tmp_path / task), network.info.task)
        job = folder_job.Evaluate(network, source)
        rows = []
        for number in range(len(job.cases)):
            with suppress(ExplorerError):  # one is no picture
                rows += job.rows([job.item(number)])
        assert len(rows) > 4
        one, halves = job.score(), (job.score(), job.score())
        for number, row in enumerate(rows):
            one.extend(row.arrays)
            halves[2 * number >= len(rows)].extend(row.arrays)
        joined = job.score()
        for half in halves:
            joined.extend(half.arrays())
        assert joined.photos == one.photos == len(rows)
        assert joined.figures(network.info.classes) == one.figures(network.info.classes)
        for name, array in one.arrays().items():
            np.testing.assert_array_equal(joined.arrays()[name], array)
