"""The anchors view shows the network's own anchors, scores and refined boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.layers import Boxes, Heat
from explorer.core.params import Point
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.anchors.view import BEST, VIEW, Params, Result
from explorer.views.shared.anchors import all_levels_map, anchor_table, score_map
from explorer.vision.trace import TwoStage
from tests.toys import toy_image, toy_network
from tests.views.test_all_detectors import network


def shown(name: str = "toy") -> tuple[Scene, Result]:
    net = toy_network("detection") if name == "toy" else network(name)
    scene = Scene(net, toy_image(48, 64))
    (step,) = VIEW.compute(scene, Params())
    return scene, step.value


def test_a_place_on_the_photo_shows_the_anchors_of_its_cell() -> None:
    scene, result = shown()
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    (level,) = trace.pyramid.levels
    frame = trace.pyramid.frame  # 48 x 64 becomes 64 x 85: an odd scale
    x, y = frame.inverse().point(2.5 * level.stride[0], 1.5 * level.stride[1])
    params = Params(place=Point(x, y), refined=6)
    board = VIEW.draw(result, params)
    first = level.index(1, 2)
    own = trace.pyramid.anchors[first : first + 6].numpy()
    drawn = board.boxes("anchors")
    assert drawn is not None
    back = frame.boxes(drawn.xyxy)
    assert {tuple(np.round(box, 2)) for box in back} == {tuple(np.round(box, 2)) for box in own}
    refined, table = board.boxes("refined"), board.tables[0]
    assert refined is not None
    order = trace.rpn.scores[first : first + 6].argsort(descending=True)
    wanted = trace.rpn.clipped[first + order].numpy()
    np.testing.assert_allclose(frame.boxes(refined.xyxy), wanted, atol=1e-3)
    deltas = trace.rpn.deltas[first + order].numpy()
    told = [
        [row[table.columns.index(name)] for name in ("tx", "ty", "tw", "th")] for row in table.rows
    ]
    np.testing.assert_allclose(np.array(told, np.float64), deltas, atol=0.0051)
    assert "row 1, column 2" in board.summary
    # the mouse goes before the click
    moved = VIEW.draw(result, replace(params, at=Point(1.0, 1.0)))
    assert "row 0, column 0" in moved.summary


def test_a_place_outside_shows_the_surest_of_all() -> None:
    scene, result = shown()
    board = VIEW.draw(result, Params(place=Point(-50, 4000)))
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    assert board.plots[0].bars[0][1] == pytest.approx(float(trace.rpn.scores.max()))


def test_a_small_map_is_laid_over_the_photo() -> None:
    scene, result = shown("retinanet_resnet50_fpn")
    trace = trace_of(scene)
    number = 9 + 4  # the second level's fifth anchor
    board = VIEW.draw(result, Params(tile=number))
    heat = next(layer for layer in board.pane("image").layers if isinstance(layer, Heat))
    level = trace.pyramid.levels[1]
    own = trace.scores[level.first : level.first + level.count, 1:].max(1).values  # type: ignore[union-attr]
    grid = own.view(level.rows, level.columns, 9)[:, :, 4]
    np.testing.assert_array_equal(heat.values, grid.numpy())
    assert "Level 2" in board.pane("image").title
    assert "Level 2" in board.summary
    assert len(board.boxes("maps").xyxy) == 45  # type: ignore[union-attr]
    chosen = board.boxes("chosen")
    assert chosen is not None
    np.testing.assert_array_equal(chosen.xyxy[0], board.boxes("maps").xyxy[number])  # type: ignore[union-attr]


def test_the_map_of_all_levels_holds_the_best() -> None:
    scene, _ = shown("retinanet_resnet50_fpn")
    table = anchor_table(scene)
    best, finest = all_levels_map(table)
    assert finest == 0
    assert best.max() == table.scores.max()
    assert (best >= score_map(table, 0, -1)).all()
    coarse = score_map(table, 4, -1)
    assert best[0, 0] >= coarse[0, 0]


def test_the_best_of_the_photo() -> None:
    scene, result = shown()
    board = VIEW.draw(result, Params(show=BEST, most=5))
    refined = board.boxes("refined")
    assert isinstance(refined, Boxes)
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    scores, rows = trace.rpn.scores.topk(5)
    assert sorted(refined.keys) == sorted(rows.tolist())
    told = [row[0] for row in board.tables[0].rows]
    assert told == pytest.approx(scores.tolist(), abs=6e-4)
    # one map: only its anchors
    few = VIEW.draw(result, Params(show=BEST, most=5, tile=2)).boxes("refined")
    assert few is not None
    assert {key % 6 for key in few.keys} == {2}


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fcos_resnet50_fpn"])
def test_one_shot_detectors_name_a_class(name: str) -> None:
    scene, result = shown(name)
    board = VIEW.draw(result, Params())
    assert "class" in board.tables[0].columns
    assert any(word in board.summary for word in ("cat", "dog", "person"))
    data = VIEW.data(result, Params())  # type: ignore[misc]
    assert len(data["anchors"]) == len(data["scores"]) == len(data["labels"])
    assert torch.equal(
        torch.from_numpy(data["scores"]),
        trace_of(scene).scores[:, 1:].max(1).values,  # type: ignore[union-attr]
    )


def test_levels_are_counted() -> None:
    scene, result = shown("retinanet_resnet50_fpn")
    table = VIEW.draw(result, Params()).tables[1]
    counts = [row[table.columns.index("anchors")] for row in table.rows]
    assert counts == [level.count for level in trace_of(scene).pyramid.levels]


def test_the_status_bar_tells_all_levels() -> None:
    _, result = shown()
    readout = VIEW.draw(result, Params()).pane("image").readout
    assert readout is not None
    assert readout(10.0, 10.0).startswith("best objectness: stride 16: 0.")
    assert readout(-10.0, 10.0) == ""
