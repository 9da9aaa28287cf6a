"""The rows are counts made independently, and one network is freed before the next is loaded."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Points
from explorer.core.network_info import NetworkSpec
from explorer.core.params import Box, FolderRef
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.networks.network import Network
from explorer.views.evaluation.speed_accuracy import charts, measuring
from explorer.views.evaluation.speed_accuracy.view import VIEW, Params, Result, compute, draw
from explorer.vision.race.clock import RUNS
from tests.toys import toy_image, toy_network
from tests.views.opening import data_set


def last(scene: Scene, **values: Any) -> tuple[Result, list[Step[Result]]]:
    steps = list(compute(scene, Params(**values)))
    return steps[-1].value, steps


def column(table: Any, name: str) -> list[Any]:
    return [row[table.columns.index(name)] for row in table.rows]


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_the_rows_equal_counts_made_independently(task: str) -> None:
    network = toy_network(task)
    scene = Scene(network, toy_image())
    result, steps = last(scene, compare=False)
    board = draw(result, Params(compare=False))
    table, stages = board.tables[:2]
    values = network.preprocess(scene.image.pixels)
    given = values if network.preprocess.batched else [values[0]]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.module(given)
    parameters = list(network.module.parameters())
    tensors = [*parameters, *network.module.buffers()]
    assert column(table, "parameters") == [sum(p.numel() for p in parameters)]
    assert column(table, "GFLOPs") == [round(counter.get_total_flops() / 1e9, 3)]
    size = sum(t.numel() * t.element_size() for t in tensors)
    assert column(table, "weights [MB]") == [round(size / 1e6, 2)]
    assert column(table, "input") == [f"{values.shape[-1]} x {values.shape[-2]}"]
    assert column(stages, "runs") == [RUNS]
    (one,) = result.networks
    assert one.seconds == pytest.approx(sum(one.stages.values()))
    assert one.fps == pytest.approx(1 / one.seconds)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total
    found = VIEW.data(result, Params()) if VIEW.data else {}
    assert found["flops"].tolist() == [counter.get_total_flops()]
    assert found["weight_bytes"].tolist() == [size]


@pytest.mark.parametrize("task", ["classification", "detection"])
def test_accuracy_is_that_of_the_evaluation(task: str) -> None:
    network, folder = toy_network(task), data_set(task)
    result, _ = last(Scene(network, toy_image()), compare=False, folder=FolderRef(str(folder)))
    *_, step = evaluate(network, open_source(Path(folder), network.info.task))
    (one,) = result.networks
    keys = measuring.ACCURACIES[task]
    assert one.figures == {k: step.value.figures[k] for k in keys if k in step.value.figures}
    assert one.figures
    assert one.on.endswith(f"{step.value.photos} photos")
    assert one.accuracy == (one.figures[keys[0]], True)
    assert "highest" in draw(result, Params()).summary


def test_a_data_set_for_another_task_is_a_note() -> None:
    folder = FolderRef(str(data_set("classification")))
    result, _ = last(Scene(toy_network("detection"), toy_image()), compare=False, folder=folder)
    (one,) = result.networks
    assert "predicts boxes" in one.note
    assert any(one.note in note for note in draw(result, Params()).notes)


def test_average_precision_on_the_photo_by_hand() -> None:
    result, _ = last(Scene(toy_network("detection"), toy_image()), compare=False)
    (one,) = result.networks
    assert one.found is not None
    best = int(one.found.scores.argmax())
    name = one.info.classes[int(one.found.labels[best])]
    truth = (Box(*one.found.xyxy[best].tolist(), name),)
    board = draw(result, Params(truth=truth))
    assert column(board.tables[0], "AP50") == [1.0]
    assert column(board.tables[0], "measured on") == ["this photo"]
    assert "100.0% on this photo" in board.summary
    points = next(x for x in board.panes[0].layers if x.name == "networks")
    assert isinstance(points, Points)
    assert points.labels == (one.info.title,)
    drawn = next(x for x in board.panes[1].layers if x.name == "ground truth")
    assert isinstance(drawn, Boxes)
    missed = draw(result, Params(truth=(Box(0, 0, 0.5, 0.5, name),)))
    assert column(missed.tables[0], "AP50") == [0.0]


def test_every_network_is_freed_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[torch.nn.Module]] = []

    def load(spec: Any) -> Generator[Step[None], Any, Network]:
        assert not any(reference() is not None for reference in alive)
        yield Step(None, 0, 0, f"Loading {spec.name}")
        if spec.name == "broken":
            raise ExplorerError("The file is damaged.")
        network = toy_network("classification")
        alive.append(weakref.ref(network.module))
        return network

    monkeypatch.setattr(measuring.catalog, "load", load)
    scene = Scene(toy_network("classification"), toy_image())
    result, steps = last(scene, others=("one", "broken", "two"))
    assert len(result.networks) == 3
    assert len(alive) == 2
    assert not any(reference() is not None for reference in alive)
    assert result.failed == {"broken": "The file is damaged."}
    assert "broken: The file is damaged." in draw(result, Params()).notes
    assert steps[-1].total == 4 * measuring.UNITS


def test_canceling_frees_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[torch.nn.Module]] = []

    def load(_spec: Any) -> Generator[Step[None], Any, Network]:
        yield Step(None, 0, 0, "Loading")
        network = toy_network("classification")
        alive.append(weakref.ref(network.module))
        return network

    monkeypatch.setattr(measuring.catalog, "load", load)
    going = compute(Scene(toy_network("classification"), toy_image()), Params(others=("one",)))
    while not alive:
        next(going)
    going.close()
    assert alive[0]() is None


def test_shipped_networks_of_the_task_are_offered_with_the_metrics_of_their_cards() -> None:
    info = toy_network("detection").info
    names = measuring.others_of(info)
    assert {"lite-fasterrcnn", "lite-retinanet", "lite-yolo-v1"} <= set(names)
    assert "mini-vgg" not in names
    assert measuring.card_of(info) == {}


def test_a_published_point_lies_where_its_numbers_are() -> None:
    pane = charts.scatter((), charts.TIME, "detection", published=True)
    points = next(layer for layer in pane.layers if layer.name == "published")
    assert isinstance(points, Points)
    assert pane.readout is not None
    at = points.labels.index("YOLO")
    words = pane.readout(*points.xy[at].tolist())
    assert words.startswith("22.2 ms")
    assert words.endswith("63.4%")
    assert "published" not in [
        layer.name
        for layer in charts.scatter((), charts.FLOPS, "detection", published=False).layers
    ]


def test_every_published_table_is_shown_for_its_task() -> None:
    names = [table.name for table in charts.published_tables("detection")]
    assert names == ["pipelines", "real_time", "progress"]
    (ilsvrc,) = charts.published_tables("classification")
    years = [row[0] for row in ilsvrc.rows if row[0] != ""]
    assert set(years) == set(map(str, range(2010, 2016))), "no comma in a year"
    bars = charts.error_bars().bars
    assert bars[2][:2] == ("2012 AlexNet", 15.3)
    assert bars[-1][:2] == ("a person", 5.1)
    assert np.all(np.diff([value for _, value, _ in bars[:-1]]) < 0), "better every year"


def test_the_metric_of_a_card_is_that_of_boxes_alone() -> None:
    info = toy_network("detection").info
    shipped = replace(info, spec=NetworkSpec("lite-fasterrcnn"))
    assert set(measuring.card_of(shipped)) == {"AP50", "AP"}
    masks = replace(info, spec=NetworkSpec("lite-maskrcnn"))
    assert measuring.card_of(masks) == {}, "its card has the AP of masks"
    zoo = replace(info, spec=NetworkSpec("fasterrcnn_resnet50_fpn"))
    assert 0.3 < measuring.card_of(zoo)["AP"] < 0.4
