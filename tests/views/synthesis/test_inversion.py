"""Inversions and their ladder on a network whose layers can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.views.shared.seen import probabilities, seen_picture
from explorer.views.shared.synthesis.dreams import stage_layers
from explorer.views.synthesis import inversion, inversion_ladder
from explorer.vision.synthesis.target import Target
from tests.toys import toy_image, toy_network


def last_of(view, scene: Scene, **changes):
    params = resolved(view.Params(**changes), scene.network.info)
    *_, last = view.compute(scene, params)
    return last.value, params


def test_the_inversion_of_a_linear_layer_is_nearly_the_photo() -> None:
    """conv1 sees red, green and blue of every other pixel: the distance falls to nothing."""
    scene = Scene(toy_network("classification"), toy_image())
    result, params = last_of(inversion.VIEW, scene, layer="conv1", steps=15, seeds=2)
    board = inversion.VIEW.draw(result, params)
    distances = inversion.VIEW.data(result, params)["feature_distance"]
    assert distances.shape == (2, 15)
    assert (distances[:, -1] < 0.02).all()
    assert [pane.name for pane in board.panes] == ["photo", "inversion 1", "inversion 2"]
    assert "normalized feature distance" in board.summary
    np.testing.assert_array_equal(result.photo.shape, result.runs[0].rgb.shape)


def test_probabilities_are_the_networks_own() -> None:
    network = toy_network("classification")
    scene = Scene(network, toy_image())
    target = Target.of(network)
    picture = seen_picture(scene, 64)
    shares = probabilities(target, picture, network.info)
    with torch.no_grad():
        own = network.module((picture - target.mean) / target.std).softmax(1)[0]
    np.testing.assert_allclose(shares, own.numpy(), atol=1e-5)
    assert probabilities(target, picture, toy_network("segmentation").info) is None


@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_the_ladder_has_every_stage(task: str) -> None:
    scene = Scene(toy_network(task), toy_image())
    result, params = last_of(inversion_ladder.VIEW, scene, stages=3, steps=2)
    layers = inversion_ladder.layers_of(scene.network.info, 3)
    assert [rung.layer for rung in result.rungs] == [
        inversion_ladder.title_of(layer) for layer in layers
    ]
    board = inversion_ladder.VIEW.draw(result, params)
    assert len(board.tables[0].rows) == len(layers)
    assert (layers[-1] == "") == (task == "classification")


def test_stages_leave_out_what_is_inside_blocks() -> None:
    info = toy_network("classification").info
    assert stage_layers(info, 9) == ("conv1", "conv2")
    assert stage_layers(info, 1) == ("conv1",)
