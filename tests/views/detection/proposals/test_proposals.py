"""The proposals that are drawn are the methods' own, and their counts and overlaps are true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection import retinanet_resnet50_fpn
from torchvision.ops import box_iou

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Table
from explorer.core.params import Box, FolderRef
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.proposals.params import BOTH, Params, Result
from explorer.views.detection.proposals.view import VIEW
from explorer.views.shared.regions.proposals import (
    ALL_RPN,
    NAMES,
    RPN,
    coverage,
    methods_of,
    proposals_of,
)
from explorer.vision.proposals.bing_files import read_bing
from explorer.vision.proposals.methods import BING, METHODS, propose
from explorer.vision.trace import TwoStage
from tests.toys import make_network, toy_image, toy_network
from tests.vision.proposals.test_bing_files import write

TRUTH = (Box(16, 12, 32, 24, "cat"), Box(1, 40, 4, 44))
BLIND = Params(method="k-means boxes", truth=TRUTH, top=2000)


def result_of(params: Params, task: str = "classification") -> Result:
    (step,) = VIEW.compute(Scene(toy_network(task), toy_image()), params)
    return step.value


def layer(board: Board, name: str) -> Any:
    return next(each for each in board.panes[0].layers if each.name == name)


def table(board: Board, name: str) -> Table:
    return next(each for each in board.tables if each.name == name)


def test_only_detectors_offer_their_rpn() -> None:
    assert methods_of(toy_network("classification").info) == tuple(METHODS)
    assert methods_of(toy_network("detection").info) == NAMES
    assert NAMES[-2:] == (RPN, ALL_RPN)


def test_boxes_are_those_of_the_method() -> None:
    params = Params(method="Edge Boxes", top=7)
    result = result_of(params)
    own = propose("Edge Boxes", toy_image().pixels, params.most)
    drawn = layer(VIEW.draw(result, params), "proposals")
    np.testing.assert_array_equal(drawn.xyxy[::-1], own.boxes[:7])
    assert drawn.keys == tuple(range(min(7, len(own.boxes))))[::-1]
    found = VIEW.data(result, params)
    np.testing.assert_array_equal(found["boxes"], own.boxes)
    np.testing.assert_array_equal(found["scores"], own.scores)


def test_bing_takes_the_tables_of_a_folder(tmp_path: Path) -> None:
    params = Params(method=BING, bing=FolderRef(str(tmp_path)), most=40)
    with pytest.raises(ExplorerError, match="has no BING tables"):
        result_of(params)
    result_of(replace(params, method="uniform"))  # where they do not count they are not read
    write(tmp_path, "wS1", np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8))
    write(tmp_path, "wS2", np.array([[1.0, -1.0]]))
    write(tmp_path, "idx", np.array([[14]]), "i")
    found = VIEW.data(result_of(params), params)
    own = propose(BING, toy_image().pixels, 40, known=read_bing(tmp_path))
    np.testing.assert_array_equal(found["boxes"], own.boxes)
    np.testing.assert_array_equal(found["scores"], own.scores)
    assert not np.array_equal(own.boxes, propose(BING, toy_image().pixels, 40).boxes)


def test_rpn_is_the_networks_own() -> None:
    scene = Scene(toy_network("detection"), toy_image())
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    kept = proposals_of(scene, RPN, 10_000)
    back = trace.pyramid.frame.inverse()
    theirs = back.boxes(trace.rpn.proposals.numpy())
    np.testing.assert_allclose(kept.boxes, theirs, atol=1e-3)
    logits = trace.rpn.objectness[trace.rpn.proposal_anchors]
    assert torch.equal(torch.from_numpy(kept.scores), logits.sigmoid())
    assert kept.seconds > 0
    before = proposals_of(scene, ALL_RPN, 10_000)
    sure = next(stage for stage in trace.rpn.filter.stages if stage.name == "min_score")
    assert len(before.boxes) == len(sure.ids) >= len(kept.boxes)
    assert (np.diff(before.scores) <= 0).all()


def test_a_one_shot_detector_says_that_it_has_none() -> None:
    with torch.random.fork_rng():
        module = retinanet_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=4, min_size=64, max_size=96
        )
    scene = Scene(make_network(module, "detection"), toy_image())
    with pytest.raises(ExplorerError, match="single-stage"):
        list(VIEW.compute(scene, Params(method=RPN)))


def test_a_level_leaves_the_others_out() -> None:
    result = result_of(Params(method=RPN), "detection")
    levels = result.found.levels
    assert levels is not None
    params = Params(method=RPN, level=1, top=10_000)
    assert len(layer(VIEW.draw(result, params), "proposals").xyxy) == (levels == 0).sum()


def test_objects_and_ranks_by_another_implementation() -> None:
    result = result_of(BLIND)
    board = VIEW.draw(result, BLIND)
    wanted = torch.tensor([[16.0, 12, 32, 24], [1, 40, 4, 44]])
    overlaps = box_iou(wanted, torch.from_numpy(result.found.boxes)).numpy()
    rows = table(board, "objects").rows
    for number, row in enumerate(rows):
        assert row[2] == pytest.approx(overlaps[number].max(), abs=6e-4)
        for column, mark in ((3, 0.5), (4, 0.7), (5, 0.9)):
            hits = np.flatnonzero(overlaps[number] >= mark)
            assert row[column] == (f"#{hits[0] + 1}" if len(hits) else "never")
    assert rows[0][3] != "never", "nothing to compare"
    green = layer(board, "best match of each object")
    hit = overlaps.max(axis=1) >= 0.5
    best = overlaps[hit].argmax(axis=1)
    np.testing.assert_array_equal(green.xyxy, result.found.boxes[best])
    assert f"{hit.sum()} of 2 objects" in board.summary
    found = VIEW.data(result, BLIND)
    np.testing.assert_allclose(found["best_iou"], overlaps.max(axis=1), atol=1e-6)


def test_a_missed_object_is_red() -> None:
    params = replace(BLIND, top=1)
    board = VIEW.draw(result_of(params), params)
    assert len(layer(board, "missed").xyxy) == 2
    assert board.boxes("best match of each object") is None
    assert "missed" in layer(board, "ground truth").labels[0]


def test_the_plots_steer_the_number_of_boxes() -> None:
    params = Params(method="Edge Boxes", truth=TRUTH, top=3)
    plots = VIEW.draw(result_of(params), params).plots
    assert [plot.name for plot in plots] == ["recall", "scores"]
    for plot in plots:
        assert plot.steers == "top"
        assert plot.marker == 3
        assert plot.log_x
    nothing = Params(method="uniform")
    assert VIEW.draw(result_of(nothing), nothing).plots == ()


def test_coverage_counts_boxes_over_pixel_centers() -> None:
    rng = np.random.default_rng(0)
    corners = rng.random((60, 4)) * [30, 20, 30, 20]
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:] * 0.5], axis=1)
    boxes = np.minimum(boxes, [30, 20, 30, 20]).astype(np.float32)
    heat = coverage(boxes, (30.0, 20.0), 1.0)
    y, x = np.mgrid[0:20, 0:30] + 0.5
    counts = sum((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1) for x0, y0, x1, y1 in boxes)
    np.testing.assert_array_equal(heat.values, counts)
    assert heat.high == counts.max()
    large = coverage(boxes * 100, (3000.0, 2000.0), 1.0)
    assert max(large.values.shape) == 512


def test_a_click_tells_all_about_a_box() -> None:
    result = result_of(BLIND)
    params = replace(BLIND, selected=4, show=BOTH)
    board = VIEW.draw(result, params)
    told = dict(table(board, "box").rows)
    assert told["rank"].startswith("5 of")
    wanted = torch.tensor([[16.0, 12, 32, 24]])
    overlap = box_iou(wanted, torch.from_numpy(result.found.boxes[4:5])).item()
    assert float(told["IoU with cat"]) == pytest.approx(overlap, abs=6e-4)
    np.testing.assert_array_equal(layer(board, "selected").xyxy, result.found.boxes[4:5])
    assert isinstance(layer(board, "coverage"), Heat)
    words = board.panes[0].readout
    assert words is not None
    assert "IoU" in words(24.0, 18.0)
    assert words(-5.0, -5.0) == "no proposals here"


def test_layers_are_kept_while_nothing_of_theirs_changes() -> None:
    result = result_of(BLIND)
    first = VIEW.draw(result, replace(BLIND, show=BOTH))
    again = VIEW.draw(result, replace(BLIND, show=BOTH, iou=0.8, selected=2))
    for name in ("proposals", "coverage"):
        assert layer(first, name) is layer(again, name)
    assert isinstance(layer(first, "proposals"), Boxes)


def test_nothing_proposed_says_what_to_do() -> None:
    flat = make_scene(np.full((40, 50, 3), 90, np.uint8))
    params = Params(method="Edge Boxes", truth=TRUTH)
    (step,) = VIEW.compute(flat, params)
    board = VIEW.draw(step.value, params)
    assert "no proposals" in board.summary
    assert len(layer(board, "missed").xyxy) == 2


def make_scene(pixels: np.ndarray) -> Scene:
    from explorer.images.image import from_array

    return Scene(toy_network("classification"), from_array(pixels, "flat"))
