"""The cells are the network's own numbers; loss, descent and k-means are those of the code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, Point
from explorer.engine.scene import Scene
from explorer.training.data.clusters import mean_iou
from explorer.training.yolo_losses import Truth, v1_losses
from explorer.views.detection.yolo_desk import priors
from explorer.views.detection.yolo_desk.view import VIEW, Params
from tests.toys import toy_image, toy_network, toy_yolo_network

TRUTH = Box(10, 12, 50, 40, "dog")


def shown(version: int, **values: Any):
    scene = Scene(toy_yolo_network(version), toy_image(60, 80))
    params = Params(**values)
    (step,) = VIEW.compute(scene, params)
    return scene, step.value, VIEW.draw(step.value, params), VIEW.data(step.value, params)


def test_the_tensor_of_v1_is_the_networks_own() -> None:
    scene, result, board, data = shown(1)
    module = scene.network.module
    with torch.no_grad():
        _, numbers = module.numbers([scene.input()[0]])
    assert data["numbers"].shape == (3, 3, 13)
    np.testing.assert_array_equal(data["numbers"], numbers[0].numpy())
    own = scene.output()[0]
    # the best box of the best cell is the first detection, clipped to the photo
    row, column = result.grids[0].best_cell()
    confidence = result.grids[0].confidence[row, column]
    box = result.grids[0].boxes[row, column, int(confidence.argmax())].clip(0, [80, 60, 80, 60])
    np.testing.assert_allclose(own["boxes"][0].numpy(), box, atol=1e-3)
    assert board.panes[-1].title == "Tensor 3 x 3 x 13: click a map"
    score = board.tables[0].rows[int(confidence.argmax())][-1]
    assert score == pytest.approx(own["scores"][0].item(), abs=1e-3)


def test_the_loss_is_that_of_the_training() -> None:
    scene, result, board, data = shown(1, truth=(TRUTH,), coordinates=5.0, no_object=0.5)
    module = scene.network.module
    with torch.no_grad():
        _, numbers = module.numbers([scene.input()[0]])
        parts = torch.tensor([[10 / 80, 12 / 60, 50 / 80, 40 / 60]])
        one = torch.zeros(1, dtype=torch.int64)
        expected = v1_losses(module, numbers, Truth(one, parts, one + 2))
    center, size, sure, doubt, classes = data["loss"]
    assert center + size == pytest.approx(expected["boxes"].item(), rel=1e-5)
    assert sure + doubt == pytest.approx(expected["confidence"].item(), rel=1e-5)
    assert classes == pytest.approx(expected["classes"].item(), rel=1e-5)
    assert data["responsible"][0][:2] == (1, 1)  # the middle, (30, 26) of 80 x 60 in 3 x 3 cells
    assert board.summary.startswith("Responsible: row 1, column 1, box")
    assert [bar[1] for bar in board.plots[0].bars] == pytest.approx(data["loss"].tolist())
    heavier = VIEW.data(result, Params(truth=(TRUTH,), coordinates=10.0, no_object=0.0))["loss"]
    np.testing.assert_allclose(heavier, [2 * center, 2 * size, sure, 0, classes])


def test_a_box_without_a_class_gets_the_cells_own_and_says_so() -> None:
    _, result, board, _ = shown(1, truth=(Box(10, 12, 50, 40),))
    assert result.loss.assumed == (True,)
    assert board.notes[0].startswith("Ground truth without a class of this network")


def test_the_cell_under_the_mouse_comes_before_the_clicked_one() -> None:
    assert "Row 2, column 0" in shown(1, place=Point(5, 55))[2].summary
    assert "Row 0, column 2" in shown(1, place=Point(5, 55), at=Point(75, 5))[2].summary
    outside = shown(1, place=Point(5, 55), at=Point(-5, 900))[2]
    assert "Row 2, column 0" in outside.summary


def test_a_chosen_map_lies_over_the_photo() -> None:
    _, result, board, _ = shown(1, channel=4)
    assert board.panes[0].title == "c1 of every cell"
    heat = next(layer for layer in board.panes[0].layers if layer.name == "number")
    np.testing.assert_array_equal(heat.values, result.grids[0].numbers[..., 4])
    shown(1, channel=400)  # of another network: as if none were chosen


def test_the_descent_of_v2_is_the_networks_own() -> None:
    scene, result, board, data = shown(2, least=0.3)
    module = scene.network.module
    rows, columns, boxes = result.grids[0].shape
    with torch.no_grad():
        _, numbers = module.numbers([scene.input()[0]])
        flat = numbers[0].flatten(0, 2)
        for least in (0.0, 0.3, 0.6):
            own = module.tree.descend(module.tree(flat[:, 5:]), least).reshape(rows, columns, boxes)
            for place in np.ndindex(rows, columns, boxes):
                way = result.grids[0].words.descent(*place, least)
                assert (way[-1] if way else -1) == own[place]
        pixels = module.stride * module.boxes_of(numbers[0])
    back = scene.frame.inverse()
    scale = 80 / 96  # the long side becomes 96
    np.testing.assert_allclose(data["cell_boxes"], back.boxes(pixels.numpy() * scale), atol=1e-3)
    assert [pane.name for pane in board.panes][-2:] == ["priors", "tensor"]
    table = next(table for table in board.tables if table.name == "descent")
    assert {row[1] for row in table.rows} <= {"animal", "cat", "dog", "cup"}
    given = result.grids[0].words.given
    np.testing.assert_allclose(given[..., 1:3].sum(axis=-1), 1, atol=1e-5)  # cat or dog
    np.testing.assert_allclose(given[..., [0, 3]].sum(axis=-1), 1, atol=1e-5)


def test_iterations_of_k_means_and_their_marker() -> None:
    _, _, board, _ = shown(2, count=4, iteration=0)
    (plot,) = board.plots
    assert plot.marker == 0
    assert (np.diff(plot.curves[0].y) > 0).all()
    first = priors.rounds_of(4)[0]
    assert plot.curves[0].y[0] == mean_iou(priors.shapes(), first.centers)
    assert board.pane("priors").title.startswith("Width and height of boxes: 4 priors")
    assert shown(2, count=4, iteration=99)[2].plots[0].marker == len(plot.curves[0].x) - 1


def test_other_detectors_are_refused_in_words() -> None:
    scene = Scene(toy_network("detection"), toy_image())
    with pytest.raises(ExplorerError, match="no cells of a YOLO") as refused:
        list(VIEW.compute(scene, Params()))
    assert "lite-yolo-v1" in refused.value.hint
    assert not VIEW.takes(scene.network.info)
    assert VIEW.takes(toy_yolo_network(2).info)
