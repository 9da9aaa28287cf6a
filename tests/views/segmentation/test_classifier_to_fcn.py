"""Every window has the score of its crop, exactly where nothing pads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes
from explorer.core.params import Point
from explorer.engine.scene import Moment, Scene
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.segmentation.classifier_to_fcn import VIEW, Params, Result
from tests.toys import ToyBackbone, WindowClassifier, make_network, toy_image

NAMES = ("cat", "dog", "car", "cup", "hat")
WINDOW = 30


def network(padding: int = 0) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        module = WindowClassifier(padding)
    side = WINDOW if padding == 0 else 32
    steps = Preprocess(resize=side, crop=side, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return make_network(module, "classification", classes=NAMES, preprocess=steps)


def looked(net: Network, params: Params | None = None) -> Result:
    *_, step = VIEW.compute(Scene(net, toy_image(48, 64)), params or Params())
    return step.value


def test_without_padding_all_ways_are_equal() -> None:
    result = looked(network())
    assert result.scores.shape == (5, 8, 13)  # 60 x 80 pixels, windows of 30, stride 4
    assert (result.window, result.stride, result.size) == (30, 4, (60, 80))
    np.testing.assert_allclose(result.scores, result.cropped, rtol=1e-4, atol=1e-5)
    assert result.padded == 0
    summary = VIEW.draw(result, Params()).summary
    assert "no padding" in summary
    assert "top classes agree in 100%" in summary


def test_with_padding_the_difference_is_drawn() -> None:
    result = looked(network(1))
    board = VIEW.draw(result, Params(label="dog"))
    heat = board.pane("difference").layers[1]
    expected = result.scores[1] - result.cropped[1]
    assert np.array_equal(heat.values, expected)
    assert np.abs(expected).max() > 1e-3
    assert "2 layers with padding" in board.summary


def test_a_window_is_the_crop_that_its_cell_names() -> None:
    net = network(1)
    scene = Scene(net, toy_image(48, 72))
    *_, step = VIEW.compute(scene, Params())
    result = step.value
    steps = Preprocess(resize=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    values = steps(scene.image.pixels)
    row, column = 3, 5
    top, left = row * result.stride, column * result.stride
    own = net.module(values[..., top : top + 32, left : left + 32])[0]
    np.testing.assert_allclose(result.cropped[:, row, column], own, rtol=1e-4, atol=1e-5)
    # the photo was enlarged by 64 / 48
    box = result.windows.box(row, column)[0] * 64 / 48
    np.testing.assert_allclose(box, [left, top, left + 32, top + 32], rtol=1e-5)
    middle = result.cells.boxes(np.array([[column, row, column + 1, row + 1]], np.float32))[0]
    np.testing.assert_allclose(middle[:2] + middle[2:], (box[:2] + box[2:]) * 48 / 64, rtol=1e-5)


def test_the_window_under_the_mouse() -> None:
    result = looked(network())
    at = Point(24.0, 24.0)
    board = VIEW.draw(result, Params(at=at))
    window = next(x for x in board.pane("image").layers if isinstance(x, Boxes))
    assert np.array_equal(window.xyxy, result.windows.box(*result.cells.cell(24.0, 24.0)))
    assert "in one pass" in board.pane("image").readout(24.0, 24.0)
    assert board.pane("image").readout(0.0, 0.0) == "no window has its middle here"


def test_with_a_border_every_pixel_is_in_the_middle_of_a_window() -> None:
    result = looked(network(), Params(border=True, crops=False))
    x0, y0, x1, y1 = result.cells.extent
    scale = 48 / 60
    assert -4 * scale <= x0 <= 0.01
    assert -4 * scale <= y0 <= 0.01
    assert x1 > 64 - 4 * scale, "but for what is no whole stride"
    assert y1 > 48 - 4 * scale
    assert result.tiled.extent[:2] == pytest.approx((0.0, 0.0), abs=1e-4)
    assert result.scores[0][result.tiles].shape == (1, 2), "tiles stay on the photo"


def test_costs() -> None:
    result = looked(network())
    windows, tiles = 8 * 13, 1 * 2
    assert (result.sliding.crops, result.cropwise.crops, result.whole.crops) == (windows, tiles, 1)
    assert result.sliding.multiply_adds * tiles == result.cropwise.multiply_adds * windows
    assert result.whole.multiply_adds < result.sliding.multiply_adds
    # one window: 28 x 28 x 8 x 27, 12 x 12 x 12 x 72 and the linear layers
    one = 28 * 28 * 8 * 27 + 12 * 12 * 12 * 72 + 48 * 10 + 10 * 5
    assert result.cropwise.multiply_adds == 2 * one
    assert result.sliding.seconds > result.cropwise.seconds > 0


def test_steps_grow_and_a_film_has_one() -> None:
    net = network()
    steps = list(VIEW.compute(Scene(net, toy_image(48, 64)), Params()))
    known = [step.value.known for step in steps]
    assert known[0] == 0
    assert known == sorted(known)
    assert known[-1] == 8 * 13
    assert [step.done for step in steps][-1] == steps[-1].total
    film = Scene(net, toy_image(48, 64), moment=Moment(0, 0.0))
    assert len(list(VIEW.compute(film, Params()))) == 1


def test_a_backbone_is_refused_in_a_sentence() -> None:
    net = make_network(ToyBackbone(), "classification")
    with pytest.raises(ExplorerError, match="cannot be made fully convolutional"):
        looked(net)
