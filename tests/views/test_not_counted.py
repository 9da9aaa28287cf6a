"""Objects that count neither as found nor as missed: one rule in every view that takes truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explorer.annotations.truth import truth_name
from explorer.core.layers import Board, Boxes
from explorer.core.params import Box
from explorer.engine.view import View
from explorer.views import discover
from tests.views.opening import asked_of, scene_for, tasks_of

COUNTS = (Box(16, 12, 32, 24, "cat"), Box(30, 10, 60, 40, "dog"))
PASSED = (
    Box(4, 4, 24, 30, "cat", difficult=True),
    Box(0, 0, 64, 48, "dog", crowd=True),
)
SET: dict[str, dict[str, Any]] = {
    "recall_lab": {"methods": ("k-means boxes", "Gaussian")},
    "rpn": {"show": "training"},
    "speed_accuracy": {"compare": False},
}
OWN = {"nms": "its boxes are candidates and no objects"}
VIEWS = {
    name: view for name, view in discover().items() if truth_name(view.Params) and name not in OWN
}


def last(
    view: View[Any, Any], truth: tuple[Box, ...], **values: Any
) -> tuple[Board, dict[str, Any]]:
    """The board and the data of a view on the toy of its first task."""
    task = next(iter(tasks_of(view)))
    scene = scene_for(view, task)
    values = {truth_name(view.Params): truth, **SET.get(view.name, {})}
    params = replace(asked_of(view, task), **values)
    *_, step = view.compute(scene, params)
    assert view.data is not None
    return view.draw(step.value, params), view.data(step.value, params)


def drawn(board: Board, ending: str) -> list[Boxes]:
    """The boxes of ground truth that are drawn under a name with this ending."""
    layers = [layer for pane in board.panes for layer in pane.layers if isinstance(layer, Boxes)]
    return [layer for layer in layers if layer.name == f"ground truth{ending}"]


def test_there_are_views_to_try() -> None:
    assert {"recall_lab", "proposals", "selective_search", "rpn", "detections"} <= set(VIEWS)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_difficult_objects_and_crowds_change_no_figure(view: View[Any, Any]) -> None:
    board, found = last(view, COUNTS)
    marked_board, marked = last(view, (*COUNTS[:1], *PASSED, *COUNTS[1:]))
    assert set(found) == set(marked)
    for name, value in found.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, marked[name], err_msg=name)
    for plot, again in zip(board.plots, marked_board.plots, strict=True):
        for curve, other in zip(plot.curves, again.curves, strict=True):
            if plot.name != "seconds":
                np.testing.assert_array_equal(curve.y, other.y, err_msg=plot.name)
    for words in ("1 difficult object", "1 crowd region"):
        assert words in marked_board.summary
        assert words not in board.summary
    (dashed, *_) = drawn(marked_board, ", not counted")
    assert dashed.dotted
    assert dashed.labels == ("cat (difficult)", "dog (crowd)")
    assert drawn(board, ", not counted") == []
    plain, others = ([len(layer.xyxy) for layer in drawn(b, "")] for b in (board, marked_board))
    assert plain == others


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_objects_of_which_none_counts_are_no_ground_truth(view: View[Any, Any]) -> None:
    board, _ = last(view, PASSED)
    assert "1 difficult object" in board.summary
    assert "nan" not in board.summary
    (dashed, *_) = drawn(board, ", not counted")
    assert len(dashed.xyxy) == 2
