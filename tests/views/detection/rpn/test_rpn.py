"""The stages that are drawn are the network's, and the losses those of its training mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from explorer.annotations.truth import LAYER, with_truth
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Heat
from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.views.detection.rpn.view import TRAINING, VIEW, Params, Result
from explorer.views.shared.training_pass import class_indices
from explorer.vision.trace import TwoStage
from tests.toys import few_proposals, toy_image, toy_network
from tests.views.test_all_detectors import network
from tests.vision.detection.test_losses import reference
from tests.vision.test_trace import picture

TRUTH = (Box(10, 8, 50, 44, "cat"), Box(30, 20, 78, 58, "car"), Box(2, 30, 20, 50, "dog"))


def scene_of(name: str = "toy") -> Scene:
    net = toy_network("detection") if name == "toy" else network(name)
    return Scene(net, toy_image(60, 80), seed=5)


def result_of(scene: Scene, params: Params) -> Result:
    *_, step = VIEW.compute(scene, params)
    result: Result = step.value
    return result


def board_of(scene: Scene, **values: Any) -> Board:
    params = Params(**values)
    return VIEW.draw(result_of(scene, params), params)


def test_the_counts_are_those_of_the_trace() -> None:
    scene = scene_of()
    few_proposals(scene.network.module, before=60, after=15, overlap=0.4)
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    counts = {stage.name: len(stage.ids) for stage in trace.rpn.filter.stages}
    table = board_of(scene).tables[0]
    left = [row[2] for row in table.rows]
    kept = [counts[name] for name in ("top_k", "top_k", "large", "min_score", "nms", "top_n")]
    assert left == [144, 144, *kept]
    dropped = [row[3] for row in table.rows]
    assert dropped[2] == 144 - 60
    assert dropped[-1] == counts["nms"] - counts["top_n"]
    data = VIEW.data(result_of(scene, Params()), Params(stage=8))  # type: ignore[misc]
    wanted = trace.rpn.proposals.numpy()
    np.testing.assert_allclose(trace.pyramid.frame.boxes(data["boxes"]), wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "stages"),
    [("toy", 8), ("retinanet_resnet50_fpn", 7), ("ssdlite320_mobilenet_v3_large", 7),
     ("fcos_resnet50_fpn", 7)],
)  # fmt: skip
def test_every_stage_is_drawn(name: str, stages: int) -> None:
    scene = scene_of(name)
    result = result_of(scene, Params())
    assert len(result.stages) == stages
    last = result.stages[-1]
    trace = trace_of(scene)
    ends = trace.rpn.proposals if isinstance(trace, TwoStage) else trace.output[0]["boxes"]
    assert len(last.boxes) == len(ends)
    for number in range(1, 9):
        params = Params(stage=number, most=10)
        board = VIEW.draw(result, params)
        pane = board.pane("image")
        assert pane.title.startswith(f"{min(number, stages)}. ")
        assert isinstance(pane.layers[1], Heat) is (number == 1)
        if number > 2:
            boxes = board.boxes("boxes")
            assert boxes is not None
            assert 0 < len(boxes.xyxy) <= 10
        assert board.plots[0].marker == min(number, stages)
    assert np.all(np.diff(last.scores) <= 0)


def test_only_one_level_and_without_the_dropped() -> None:
    scene = scene_of("fasterrcnn_resnet50_fpn")
    result = result_of(scene, Params())
    board = VIEW.draw(result, Params(stage=7, level=2, most=1000, dropped=False))
    stage = result.stages[6]
    assert board.boxes("dropped") is None
    boxes = board.boxes("boxes")
    assert boxes is not None
    assert len(boxes.xyxy) == (stage.levels == 1).sum() > 0


def test_recall_of_the_truth_at_every_stage() -> None:
    scene = scene_of()
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    box = trace.pyramid.frame.inverse().boxes(trace.rpn.proposals[:1].numpy())[0]
    truth = (Box(*(float(side) for side in box)), Box(0.0, 0.0, 1.0, 1.0))
    result = result_of(scene, Params(truth=truth))
    assert result.covered[-1] == (0.5, 0.5)  # the proposal itself, and one that nothing covers
    board = VIEW.draw(result, Params(truth=truth, stage=8))
    assert "Recall 50% at IoU 0.5" in board.summary
    assert board.boxes(LAYER) is not None
    assert with_truth(board, truth) is board, "it is not drawn twice"
    assert [plot.name for plot in board.plots] == ["left", "recall"]
    assert result_of(scene, Params()).covered == ()


@pytest.mark.parametrize("name", ["toy", "retinanet_resnet50_fpn", "fcos_resnet50_fpn"])
def test_the_losses_are_those_of_training_mode(name: str) -> None:
    scene = scene_of(name)
    truth = TRUTH if name == "toy" else tuple(
        Box(b.x0, b.y0, b.x1, b.y1, word)
        for b, word in zip(TRUTH, ("cat", "person", "dog"), strict=True)
    )  # fmt: skip
    params = Params(show=TRAINING, truth=truth)
    data = VIEW.data(result_of(scene, params), params)  # type: ignore[misc]
    module = scene.network.module
    assert torch.equal(scene.input()[0], picture(60, 80))
    labels = torch.tensor([1, 4, 2]) if name == "toy" else torch.tensor([1, 3, 2])
    own = reference(module, picture(60, 80), labels=labels)
    assert data["losses"] == {key: float(value.detach()) for key, value in own.items()}
    assert not module.training


def test_the_samples_are_drawn() -> None:
    board = board_of(scene_of(), show=TRAINING, truth=TRUTH, most=1000)
    assert [pane.name for pane in board.panes] == ["image", "RoIs"]
    assert board.summary.startswith("Four losses: ")
    assert len(board.plots[0].bars) == 4
    anchors, rois = board.boxes("anchors"), board.boxes("RoIs")
    assert anchors is not None
    assert rois is not None
    green = (anchors.colors[:, 1] > 200).sum()
    assert 0 < green < len(anchors.xyxy)
    assert board.panes[0].title.startswith(f"Anchors: {green} object, ")
    assert not board.notes


def test_training_without_truth_says_what_to_do() -> None:
    board = board_of(scene_of(), show=TRAINING)
    assert any("Draw a box" in note for note in board.notes)
    with pytest.raises(ExplorerError, match="on the photo"):
        board_of(scene_of(), show=TRAINING, truth=(Box(500, 500, 600, 600),))


def test_words_become_the_networks_classes() -> None:
    classes = ("__background__", "cat", "Dog")
    assert class_indices(["dog", "CAT ", "", "fox"], classes) == ([2, 1, 1, 1], ["", "fox"])
    truth = (Box(10, 8, 50, 44, "fox"), Box(1, 1, 1, 30, "cat"))
    board = board_of(scene_of(), show=TRAINING, truth=truth)
    assert any('"fox"' in note for note in board.notes)
    assert any("ignored" in note for note in board.notes)
