"""Scores, matches and losses are the network's own; the focal curves are worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, parameters
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.ssd_desk import focal
from explorer.views.detection.ssd_desk.view import CENTERNESS, CLASS_ALONE, VIEW, Params
from tests.toys import toy_image, toy_network
from tests.views.test_all_detectors import network

KINDS = {
    "ssdlite320_mobilenet_v3_large": "SSD",
    "retinanet_resnet50_fpn": "RetinaNet",
    "fcos_resnet50_fpn": "FCOS",
}
TRUTH = (Box(8, 6, 50, 40, "dog"),)


def shown(name: str, **values: Any):
    scene = Scene(network(name), toy_image(60, 80), seed=1)
    params = Params(**values)
    *_, step = VIEW.compute(scene, params)
    return scene, step.value, VIEW.draw(step.value, params), VIEW.data(step.value, params)


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_every_level_shows_the_networks_own_scores(name: str, kind: str) -> None:
    scene, result, board, data = shown(name, score=0.0)
    trace: Any = trace_of(scene)
    np.testing.assert_array_equal(data["scores"], trace.scores[:, result.label].numpy())
    assert len(board.panes) == 1 + len(trace.pyramid.levels)
    level = trace.pyramid.levels[0]
    heat = next(layer for layer in board.panes[1].layers if layer.name == "level 1")
    own = data["scores"][: level.count].reshape(level.rows, level.columns, level.per_cell)
    np.testing.assert_array_equal(heat.values, own.max(axis=2))
    # the detections of the class are the network's own boxes
    (output,) = trace.output
    boxes = output["boxes"][output["labels"] == result.label].numpy()
    np.testing.assert_allclose(data["boxes"][data["detected"]], boxes, atol=0.02)
    assert board.summary.startswith(f"{kind}: ")
    assert not any(word in board.summary for word in ("matched", "background"))


@pytest.mark.parametrize("name", KINDS)
def test_matches_and_losses_of_a_drawn_box(name: str) -> None:
    _, result, board, data = shown(name, truth=TRUTH)
    assert result.lesson is not None
    assert len(data["positives"]) > 0
    assert set(data["truth"].tolist()) == {0}
    matches = sum(
        len(layer.xyxy) for pane in board.panes[1:] for layer in pane.layers
        if layer.name == "matches"
    )  # fmt: skip
    assert matches == len(data["positives"])
    table = next(table for table in board.tables if table.name == "losses")
    assert table.rows[-1][1] == pytest.approx(sum(row[1] for row in table.rows[:-1]), abs=1e-4)
    if KINDS[name] == "SSD":
        assert len(data["negatives"]) == 3 * len(data["positives"])
        assert "(3 : 1)" in board.summary
    else:
        assert "focal" in board.summary


def test_fcos_shows_its_center_ness_and_the_class_alone() -> None:
    scene, result, _, data = shown("fcos_resnet50_fpn")
    np.testing.assert_allclose(
        data["scores"], np.sqrt(result.alone * data["centerness"]), rtol=1e-5
    )
    for word in (CENTERNESS, CLASS_ALONE):
        board = VIEW.draw(result, Params(shown=word))
        heat = next(layer for layer in board.panes[1].layers if layer.name == "level 1")
        assert word.split()[0] in heat.unit or "alone" in heat.unit
    entry = next(each for each in parameters(Params) if each.name == "shown")
    assert entry.meta.options(scene.network.info) == ("score", CENTERNESS, CLASS_ALONE)
    assert entry.meta.options(network("retinanet_resnet50_fpn").info) == ("score",)


def test_boxes_beside_the_photo_leave_the_detections() -> None:
    _, result, board, _ = shown("ssdlite320_mobilenet_v3_large", truth=(Box(200, 200, 240, 240),))
    assert result.lesson is None
    assert "detection" in board.summary


def test_the_focal_loss_moves_the_loss_to_the_hard_background() -> None:
    p = np.array([0.5, 0.1], np.float32)
    np.testing.assert_allclose(focal.losses(p, 0.0), [np.log(2), -np.log(0.9)], rtol=1e-6)
    np.testing.assert_allclose(focal.losses(p, 2.0), [0.25 * np.log(2), -0.01 * np.log(0.9)],
                               rtol=1e-6)  # fmt: skip
    share = focal.shares(p, 0.0)
    assert share[50] == pytest.approx(-np.log(0.9) / (np.log(2) - np.log(0.9)))
    assert (share[0], share[-1]) == (0.0, 1.0)
    many = np.random.default_rng(0).beta(0.3, 5, 2000).astype(np.float32)
    parts = [focal.shares(many, gamma)[90] for gamma in (0.0, 0.5, 1.0, 2.0)]
    assert parts == sorted(parts, reverse=True)
    assert [curve.label for curve in focal.plot(many, 3.0).curves][-1] == "gamma 3"


def test_a_two_stage_detector_is_refused_in_words() -> None:
    scene = Scene(toy_network("detection"), toy_image())
    with pytest.raises(ExplorerError, match="not a single-stage detector"):
        list(VIEW.compute(scene, Params()))
