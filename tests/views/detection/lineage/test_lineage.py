"""What the view tells of a box is its lineage, in the photo's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.core.layers import Board
from explorer.core.params import Point
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.lineage.view import ANCHOR, VIEW, Params, Result
from explorer.vision.trace import TwoStage
from tests.toys import few_proposals, toy_image, toy_network
from tests.views.test_all_detectors import network


def scene_of(name: str = "toy") -> Scene:
    net = toy_network("detection") if name == "toy" else network(name)
    if name == "toy":
        few_proposals(net.module, before=60, after=15, overlap=0.4)
    return Scene(net, toy_image(60, 80))


def shown(scene: Scene, **values: Any) -> tuple[Result, Board]:
    params = Params(**values)
    (step,) = VIEW.compute(scene, params)
    return step.value, VIEW.draw(step.value, params)


@pytest.mark.parametrize(
    "name", ["toy", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssdlite320_mobilenet_v3_large"]
)
def test_a_detection_and_its_anchor(name: str) -> None:
    scene = scene_of(name)
    (own,) = scene.call(scene.input())
    result, board = shown(scene, selected=2)
    assert result.lineage is not None
    assert result.lineage.detection == 1
    box = result.lineage.moved if result.lineage.box is None else result.lineage.box
    np.testing.assert_allclose(box, own["boxes"][1].numpy(), rtol=1e-5, atol=1e-4)
    assert f"detection 2: {result.lineage.label}" in board.summary
    assert board.boxes("anchor") is not None
    assert (board.boxes("proposal") is not None) == (name == "toy")
    data = VIEW.data(result, Params())  # type: ignore[misc]
    np.testing.assert_array_equal(data["detection"], box)
    steps = [row[0] for row in board.tables[0].rows]
    assert steps[:2] == ["cell", "anchor"]
    assert ("proposal" in steps) == (name == "toy")
    detections = next(table for table in board.tables if table.name == "detections")
    assert len(detections.rows) == len(own["boxes"])


def test_low_scores_are_faded_until_they_are_asked_for() -> None:
    result, _ = shown(scene_of())
    middle = float(np.median(result.scores))
    board = VIEW.draw(result, Params(score=middle))
    faded, clear = board.boxes("low scores"), board.boxes("detections")
    assert faded is not None
    assert clear is not None
    assert not faded.selectable
    assert len(faded.xyxy) == int((result.scores < middle).sum()) > 0
    assert clear.keys == tuple((np.flatnonzero(result.scores >= middle) + 1).tolist())
    asked = VIEW.draw(result, Params(score=0.0))
    assert asked.boxes("low scores") is None
    everything = asked.boxes("detections")
    assert everything is not None
    assert len(everything.xyxy) == len(result.boxes)


def test_a_number_beyond_the_last_is_the_last() -> None:
    result, _ = shown(scene_of(), selected=9999)
    assert result.lineage is not None
    assert result.lineage.detection == len(result.boxes) - 1


def fates(scene: Scene) -> dict[str, int]:
    """One anchor for every stage of the RPN filter."""
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    names = [stage.name for stage in trace.rpn.filter.stages] + [""]
    ends = trace.rpn.filter.ends().tolist()
    return {name: ends.index(i) for i, name in enumerate(names) if i in ends}


def at(scene: Scene, index: int) -> dict[str, Any]:
    """The parameters that choose anchor `index`: a click in its cell, and which of the cell's."""
    trace = trace_of(scene)
    (level,) = trace.pyramid.levels
    cell, prior = divmod(index, level.per_cell)
    row, column = divmod(cell, level.columns)
    x0, y0, x1, y1 = level.cell_box(row, column)
    place = Point(*trace.pyramid.frame.inverse().point((x0 + x1) / 2, (y0 + y1) / 2))
    return {"start": ANCHOR, "place": place, "anchor": prior + 1}


@pytest.mark.parametrize(
    ("stage", "words"),
    [("top_k", "Not among the top 60"), ("nms", "Suppressed: IoU"), ("top_n", "only the top 15")],
)
def test_why_an_anchor_ended(stage: str, words: str) -> None:
    scene = scene_of()
    index = fates(scene)[stage]
    result, board = shown(scene, **at(scene, index))
    assert result.lineage is not None
    assert result.lineage.index == index
    assert words in board.summary
    assert board.boxes("moved anchor") is not None
    assert (board.boxes("suppressed by") is not None) == (stage == "nms")
    assert "detection" not in VIEW.data(result, Params())  # type: ignore[misc]


def test_an_anchor_that_became_background() -> None:
    scene = scene_of()
    scene.network.module.roi_heads.score_thresh = 0.6
    index = fates(scene)[""]
    _, board = shown(scene, **at(scene, index))
    assert "Background" in board.summary
    assert "0.6" in board.summary


def test_no_detection_says_where_to_go_on() -> None:
    scene = scene_of()
    scene.network.module.roi_heads.score_thresh = 1.5
    result, board = shown(scene)
    assert result.lineage is None
    assert "an anchor" in board.summary
    assert VIEW.data(result, Params()) == {}  # type: ignore[misc]
    result, board = shown(scene, start=ANCHOR)
    assert result.lineage is not None
    assert "Background" in board.summary


def test_suppressed_boxes_are_listed_with_their_overlap() -> None:
    scene = scene_of()
    scene.network.module.roi_heads.nms_thresh = 0.05
    trace = trace_of(scene)
    most = max(range(len(trace.filter.survivors)), key=lambda i: len(
        trace.filter.suppressed(int(trace.filter.survivors[i]))
    ))  # fmt: skip
    result, board = shown(scene, selected=most + 1)
    assert result.lineage is not None
    assert len(result.lineage.suppressed) > 0
    assert (result.lineage.suppressed_ious > trace.filter.nms.threshold - 1e-5).all()
    assert (result.lineage.suppressed_scores <= result.lineage.score).all()
    assert board.boxes("suppressed") is not None
    assert any(table.name == "suppressed" for table in board.tables)
    _, board = shown(scene, selected=most + 1, suppressed=False, arrows=False)
    assert board.boxes("suppressed") is None
