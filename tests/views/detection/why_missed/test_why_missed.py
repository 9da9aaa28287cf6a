"""The view asks about the drawn object, a missed one of the ground truth, or an example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.why_missed.result import Found, example_of, found_of
from explorer.views.detection.why_missed.view import VIEW, Params
from tests.toys import few_proposals, toy_image, toy_network


@pytest.fixture
def scene() -> Scene:
    network = toy_network("detection")
    module: Any = network.module
    few_proposals(module, before=60, after=30)
    module.roi_heads.score_thresh = 0.0
    return Scene(network, toy_image(60, 80))


def shown(scene: Scene, **values: Any):
    params = Params(**values)
    (*_, step) = VIEW.compute(scene, params)
    return step.value, VIEW.draw(step.value, params), VIEW.data(step.value, params)


def box_of(scene: Scene, row: int = 0, label: str = "") -> tuple[Box, float, str]:
    found = found_of(trace_of(scene))
    name = scene.network.info.classes[int(found.labels[row])]
    return Box(*found.boxes[row].tolist(), label), float(found.scores[row]), name


def test_without_an_object_it_begins_with_the_best_one_below_the_threshold(scene: Scene) -> None:
    box, score, name = box_of(scene)
    _, board, data = shown(scene, score=score + 0.02, iou=0.9)
    np.testing.assert_allclose(data["object"], [box.x0, box.y0, box.x1, box.y1], atol=1e-4)
    assert data["class"] == name
    assert board.notes[0].startswith("This object is an example")
    assert data["reason"] == "class score"
    assert [limit["limit"] for limit in data["limits"]] == ["score"]
    assert "With Min. score" in board.summary
    assert [pane.name for pane in board.panes] == ["image", "after"]
    green = board.panes[1].layers[1]
    assert tuple(green.colors[-1]) == (80, 220, 120), "the object is drawn last, in green"


def test_the_stage_stands_before_limits_are_tried(scene: Scene) -> None:
    box, score, name = box_of(scene)
    params = Params(box=box, target=name, score=score + 0.02, iou=0.9)
    first, last = VIEW.compute(scene, params)
    boards = [VIEW.draw(step.value, params) for step in (first, last)]
    before, after = (board.summary for board in boards)
    assert (first.done, first.total, last.done) == (1, 2, 2)
    assert before.partition(" Trying ")[0] == after.partition(" With ")[0]
    assert "Trying Min. score" in before
    assert [pane.name for pane in boards[0].panes] == [pane.name for pane in boards[1].panes]
    assert boards[0].panes[1].title == "With the limit changed: not computed yet"
    assert {row[2] for row in boards[0].tables[1].rows} == {"–"}
    assert not VIEW.data(first.value, params)["proved"]


def test_a_drawn_object_and_its_class(scene: Scene) -> None:
    box, score, name = box_of(scene)
    _, board, data = shown(scene, box=box, target=name, score=score - 0.01)
    assert data["reason"] == "found"
    assert board.summary == f"It was found: {name} {score:.2f}."
    far = shown(scene, box=Box(0, 0, 0.4, 0.4), target=name)[2]
    assert far["reason"] in ("no anchor", "no box")
    assert "this is up to the network's weights" in far["answer"]


def test_missed_objects_of_the_ground_truth_are_listed(scene: Scene) -> None:
    (first, score, name), (second, _, other) = box_of(scene, 0), box_of(scene, 1)
    truth = (
        Box(first.x0, first.y0, first.x1, first.y1, name),
        Box(second.x0, second.y0, second.x1, second.y1, other),
    )
    result, board, _ = shown(scene, truth=truth, score=score + 0.02, selected=1)
    assert [each.label for each in result.objects] == [name, other]
    assert board.panes[0].title == f"{other}, 2 of 2 missed"
    assert shown(scene, truth=truth, score=score + 0.02, selected=9)[0].chosen == 0


def test_the_stages_end_with_the_detections(scene: Scene) -> None:
    result, _, _ = shown(scene, score=0.99)
    trace: Any = trace_of(scene)
    assert result.stages[0].total == len(trace.pyramid.anchors)
    labels = trace.detected[1]
    assert result.stages[-1].total == int((labels == result.missed.label).sum())
    fitting = [stage.fitting for stage in result.stages[:6]]
    assert fitting == sorted(fitting, reverse=True)


def test_an_unknown_class_is_refused_in_words(scene: Scene) -> None:
    with pytest.raises(ExplorerError, match="no class zebra"):
        shown(scene, box=Box(5, 5, 30, 30), target="zebra")


def test_where_nothing_is_below_the_threshold_and_where_nothing_is_detected(scene: Scene) -> None:
    found, classes = found_of(trace_of(scene)), scene.network.info.classes
    first = example_of(found, classes, 0.0, (80.0, 60.0))
    assert first.box == tuple(found.boxes[0].tolist())
    none = Found(found.boxes[:0], found.scores[:0], found.labels[:0])
    assert example_of(none, classes, 0.5, (80.0, 60.0)).box == (20, 15, 60, 45)
