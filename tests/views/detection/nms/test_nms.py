"""What the view plays is what the network's own suppression does, and what is written there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.layers import Board, Lines, Points
from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.nms.candidates import (
    DETECTIONS,
    DRAWN,
    MOST,
    PROPOSALS,
    candidates_of,
    drawn,
)
from explorer.views.detection.nms.view import (
    END,
    GAUSSIAN,
    LINEAR,
    METHODS,
    OVERFEAT,
    VIEW,
    Params,
    Result,
)
from explorer.vision.trace import TwoStage
from tests.toys import FixedDetector, make_network, toy_image, toy_network, toy_yolo_network
from tests.views.test_all_detectors import DETECTORS, network

ONE_ROW = (
    Box(0, 0, 20, 20, "cat 0.9"),
    Box(2, 0, 22, 20, "cat 0.8"),  # IoU 9/11 with the first
    Box(10, 0, 30, 20, "dog 0.7"),  # 1/3 with the first, 3/7 with the second
    Box(40, 20, 60, 40),  # the fourth: 0.95 - 0.15
)


def scene_of(name: str = "toy") -> Scene:
    net = toy_network("detection") if name == "toy" else network(name)
    return Scene(net, toy_image(60, 80))


def shown(scene: Scene, **values: Any) -> tuple[Result, Board]:
    params = Params(**{"step": END, **values})
    (step,) = VIEW.compute(scene, params)
    return step.value, VIEW.draw(step.value, params)


def layer(board: Board, name: str) -> Any:
    return next(x for x in board.panes[0].layers if getattr(x, "name", "") == name)


@pytest.mark.parametrize("name", ["toy", *DETECTORS])
def test_greedy_is_the_networks_own(name: str) -> None:
    """With the network's threshold the same boxes are kept and suppressed as in the network."""
    scene = scene_of(name)
    trace = trace_of(scene)
    filters = {DETECTIONS: trace.filter.nms}
    if isinstance(trace, TwoStage):
        filters[PROPOSALS] = trace.rpn.filter.nms
    for source, nms in filters.items():
        values = {"source": source, "threshold": nms.threshold, "score": 0.0, "most": 150}
        result, board = shown(scene, **values)
        candidates = result.sources[source]
        assert candidates.total == len(nms.scores)
        assert len(candidates.boxes) == min(len(nms.scores), MOST)
        order = nms.scores.argsort(descending=True, stable=True)
        data = VIEW.data(result, Params(**values))  # type: ignore[misc]
        count = len(data["boxes"])
        own = torch.isin(order[:count], nms.kept).nonzero()[:, 0].tolist()
        assert sorted(data["kept"].tolist()) == own
        suppressors = nms.suppressors.rows[order[:count]]
        for row, by in enumerate(data["suppressed_by"].tolist()):
            assert (order[by] if by >= 0 else -1) == suppressors[row]
        assert "keeps the same ones" in board.summary
        back = trace.pyramid.frame.inverse()
        np.testing.assert_array_equal(
            data["boxes"], back.boxes(nms.boxes[order[:count]].numpy().astype(np.float32))
        )
    assert (PROPOSALS in result.sources) == isinstance(trace, TwoStage)


@pytest.mark.parametrize("version", [1, 2])
def test_a_detector_of_our_own_shows_what_it_suppresses(version: int) -> None:
    scene = Scene(toy_yolo_network(version), toy_image(60, 80))
    (own,) = scene.call(scene.input())
    values = {"score": 0.0, "most": 150, "threshold": 0.5}
    result, board = shown(scene, **values)
    assert result.sources[DETECTIONS].total > len(own["boxes"]) > 0
    assert "keeps the same ones" in board.summary
    data = VIEW.data(result, Params(**values))  # type: ignore[misc]
    found = {tuple(box) for box in np.round(data["boxes"][data["kept"]], 2).tolist()}
    rows = [i for i, score in enumerate(own["scores"]) if score > data["scores"][-1]]
    assert len(rows) > 2
    for box in np.round(own["boxes"].numpy()[rows], 2).tolist():
        assert any(np.allclose(box, other, atol=0.05) for other in found)


def test_a_one_shot_detector_has_no_proposals() -> None:
    scene = scene_of("ssdlite320_mobilenet_v3_large")
    _, board = shown(scene, source=PROPOSALS, score=0.0)
    assert "before NMS of the detections" in board.panes[0].title


def test_it_opens_at_the_start_and_its_slider_ends_at_the_last_step() -> None:
    (step,) = VIEW.compute(scene_of(), Params())
    values: Any = {"source": DRAWN, "truth": ONE_ROW, "threshold": 0.3}
    board = VIEW.draw(step.value, Params(**values))
    plot = next(plot for plot in board.plots if plot.steers == "step")
    assert plot.marker == 0
    assert plot.stop == len(VIEW.data(step.value, Params(**values))["kept"]) + 1
    assert "4 boxes waiting" in board.summary


def test_the_steps_by_hand() -> None:
    scene = scene_of()
    values: dict[str, Any] = {"source": DRAWN, "truth": ONE_ROW, "score": 0.0}
    result, board = shown(scene, **values, step=0)
    assert board.summary.startswith("4 boxes waiting")
    board = VIEW.draw(result, Params(**values, step=1))
    assert "Step 1 of 3: box 1, cat 0.90" in board.summary
    assert "suppresses 1 box (IoU 0.82); 2 boxes left" in board.summary
    (arrow,) = layer(board, "arrows").segments.tolist()
    assert arrow == [2, 0, 0, 0]  # from the first corner that is furthest
    assert layer(board, "IoU").labels == ("0.82",)
    assert layer(board, "current").xyxy.tolist() == [[0, 0, 20, 20]]
    assert layer(board, "suppressed").xyxy.tolist() == [[2, 0, 22, 20]]
    rows = board.tables[0].rows
    assert [row[4] for row in rows] == [
        "step 1: current", "step 1: suppressed by 1", "waiting", "waiting"
    ]  # fmt: skip
    assert rows[1][3:] == (0.0, "step 1: suppressed by 1", 0.818)
    assert [row[1:3] for row in rows][2:] == [("box", 0.8), ("dog", 0.7)]
    board = VIEW.draw(result, Params(**values, step=END))
    assert board.summary.startswith("3 of 4 boxes are kept (greedy, IoU 0.5). Box 1, cat 0.90")
    assert layer(board, "kept").labels == ("cat 0.90", "box 0.80", "dog 0.70")
    assert not any(isinstance(x, Points) for x in board.panes[0].layers)


def test_equal_scores_keep_their_order_and_all_compete_when_told_to() -> None:
    candidates = drawn(ONE_ROW)
    assert candidates.names == ("cat", "cat", "box", "dog")
    np.testing.assert_allclose(candidates.scores, [0.9, 0.8, 0.8, 0.7])
    assert candidates.apart[0, 3] == 0
    assert candidates.together[0, 3] == pytest.approx(1 / 3)
    result, _ = shown(scene_of())
    params = Params(source=DRAWN, truth=ONE_ROW, threshold=0.3)
    assert VIEW.data(result, params)["kept"].tolist() == [0, 2, 3]  # type: ignore[misc]
    apart = replace(params, per_class=False)
    assert VIEW.data(result, apart)["kept"].tolist() == [0, 2]  # type: ignore[misc]


def test_scores_sink_before_a_box_falls() -> None:
    result, _ = shown(scene_of())
    params = Params(
        source=DRAWN,
        truth=ONE_ROW,
        method=LINEAR,
        threshold=0.3,
        per_class=False,
        step=1,
        score=0.2,
    )
    board = VIEW.draw(result, params)
    assert (
        "suppresses 1 box (IoU 0.82) and lowers the score of 1 box; 2 boxes left" in board.summary
    )
    now = {row[0]: row[3] for row in board.tables[0].rows}
    assert now[2] == pytest.approx(0.8 * 2 / 11, abs=1e-3)
    assert now[4] == pytest.approx(0.7 * 2 / 3, abs=1e-3)
    assert layer(board, "score lowered").xyxy.tolist() == [[10, 0, 30, 20]]
    (bars, *_) = board.plots
    assert [round(value, 3) for _, value, _ in bars.bars] == [0.9, 0.145, 0.8, 0.467]
    assert bars.bars[1][0] == "2 cat ×"
    soft = replace(params, method=GAUSSIAN, step=END)
    assert "sigma 0.5" in VIEW.draw(result, soft).summary
    assert VIEW.draw(result, soft).plots[2].steers == "sigma"


def test_merges_by_hand() -> None:
    result, _ = shown(scene_of())
    params = Params(
        source=DRAWN, truth=ONE_ROW, method=OVERFEAT, per_class=False, max_match=0.3, step=1
    )
    board = VIEW.draw(result, params)
    assert "Step 1 of 1: boxes 1 and 2 match best (0.25; IoU 0.82)" in board.summary
    assert "Their mean is box 5 with the sum of their scores, 1.70" in board.summary
    assert layer(board, "current").xyxy.tolist() == [[1, 0, 21, 20]]
    assert len(layer(board, "arrows").segments) == 2
    end = VIEW.draw(result, replace(params, step=END))
    assert end.summary.startswith("1 merge reduces 4 boxes to 3 (match score <= 0.30)")
    assert "cat sum 1.70, is the mean of 2 boxes" in end.summary
    data = VIEW.data(result, params)  # type: ignore[misc]
    assert data["kept"].tolist() == [4, 2, 3]
    assert end.plots[2].steers == "max_match"
    # there are pairs that match too badly: playing does not go on to them
    steps = end.plots[1]
    assert (steps.steers, steps.stop) == ("step", 2)
    assert max(curve.x.max() for curve in steps.curves) > 2
    alone = VIEW.draw(result, replace(params, max_match=0.0, step=END))
    assert "4 boxes to 4" in alone.summary


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("source", [DETECTIONS, PROPOSALS, DRAWN])
def test_every_step_can_be_drawn(method: str, source: str) -> None:
    result, _ = shown(scene_of())
    base = Params(source=source, method=method, score=0.0, truth=ONE_ROW, most=25)
    seen = set()
    for step in range(30):
        board = VIEW.draw(result, replace(base, step=step, selected=step))
        seen.add(board.summary)
        boxes = board.boxes("boxes")
        assert boxes is not None
        assert set(boxes.keys) == set(board.tables[0].keys)
        for found in board.panes[0].layers:
            if isinstance(found, Lines):
                assert np.isfinite(found.segments).all()
    assert len(seen) >= 3


def test_a_chosen_box_shows_its_own_arrows() -> None:
    result, _ = shown(scene_of())
    params = Params(source=DRAWN, truth=ONE_ROW, step=END, selected=2)
    board = VIEW.draw(result, params)
    assert layer(board, "chosen").labels == ("box 2: cat",)
    assert layer(board, "IoU").xy.tolist() == [[1, 0]]
    assert layer(board, "arrows of the box").segments.tolist() == [[2, 0, 0, 0]]
    other = VIEW.draw(result, replace(params, selected=1))
    assert layer(other, "arrows of the box").segments.tolist() == [[2, 0, 0, 0]]
    nobody = VIEW.draw(result, replace(params, selected=99))
    assert not any(getattr(x, "name", "") == "chosen" for x in nobody.panes[0].layers)


def test_the_curve_says_how_many_stay_at_each_threshold() -> None:
    result, _ = shown(scene_of(), score=0.0)
    params = Params(score=0.0, step=END)
    curve = VIEW.draw(result, params).plots[2].curves[0]
    for number in (0, 7, 20):
        at = replace(params, threshold=float(curve.x[number]))
        data = VIEW.data(result, at)  # type: ignore[misc]
        assert len(data["kept"]) == curve.y[number]
        kept = VIEW.draw(result, at).boxes("kept")
        assert kept is not None
        assert len(kept.xyxy) == curve.y[number]


def test_without_boxes_it_says_what_to_do() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    result, board = shown(scene)
    assert result.sources == {}
    assert "Draw two" in board.summary
    assert board.plots == ()
    _, board = shown(scene_of(), score=1.0)
    assert "lower 'Min. score'" in board.summary
    for method in METHODS:
        VIEW.draw(result, Params(method=method))
        one = Params(method=method, truth=(Box(1, 1, 9, 9),))
        assert VIEW.draw(result, one).boxes("boxes") is not None


def test_a_detector_of_another_kind_shows_its_answers() -> None:
    answer = {
        "boxes": torch.tensor([[0.0, 0, 20, 20], [1, 0, 21, 20]]),
        "labels": torch.tensor([1, 1]),
        "scores": torch.tensor([0.5, 0.9]),
    }
    net = make_network(FixedDetector(answer), "detection", classes=("", "cat"))
    result, board = shown(Scene(net, toy_image()))
    assert "cannot be traced" in board.notes[0]
    first, second = candidates_of(Scene(net, toy_image()))[DETECTIONS].scores
    assert first > second == 0.5
    assert "1 of 2 boxes is kept" in board.summary
    assert "network" not in board.summary
    assert PROPOSALS not in result.sources


def test_suppressed_boxes_can_be_hidden() -> None:
    result, _ = shown(scene_of())
    board = VIEW.draw(result, Params(source=DRAWN, truth=ONE_ROW, step=2))
    names = [getattr(x, "name", "") for x in board.panes[0].layers]
    assert {"kept", "current", "boxes"} <= set(names)
    alone = Params(source=DRAWN, truth=ONE_ROW, suppressed=False, arrows=False, step=END)
    hidden = VIEW.draw(result, alone)
    boxes = hidden.boxes("boxes")
    assert boxes is not None
    assert len(boxes.xyxy) == 3
