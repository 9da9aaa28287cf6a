"""The shares are the softmax of the network's own logits, and the crop is where it says."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.colormaps import APART, cielab
from explorer.core.layers import Boxes, Text
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.networks.preprocess import Preprocess
from explorer.views.predictions.classify import VIEW, Params
from tests.toys import MeanClassifier, make_network, toy_image, toy_network


def result_of(scene: Scene, params: Params | None = None):
    (step,) = VIEW.compute(scene, params or Params())
    return step.value


def test_logits_by_hand() -> None:
    # red 51/255 = 0.2, green 0.4, blue 0.6; gains 1, 2, 4 -> logits 0.2, 0.8, 2.4
    pixels = np.full((8, 8, 3), (51, 102, 153), np.uint8)
    scene = Scene(
        make_network(MeanClassifier(), "classification", classes=("r", "g", "b")),
        from_array(pixels, "flat"),
    )
    result = result_of(scene)
    np.testing.assert_allclose(result.logits, [0.2, 0.8, 2.4], atol=1e-6)
    board = VIEW.draw(result, Params(top=2))
    powers = np.exp([0.2, 0.8, 2.4])
    assert [bar[0] for bar in board.plots[0].bars] == ["b", "g"]
    assert board.plots[0].bars[0][1] == pytest.approx(powers[2] / powers.sum(), abs=1e-6)
    assert board.tables[0].rows[0] == (1, "b", pytest.approx(0.7618, abs=1e-4), 2.4, 2)
    flat = VIEW.draw(result, Params(temperature=2.0)).plots[0].bars[0][1]
    half = np.exp([0.1, 0.4, 1.2])
    assert flat == pytest.approx(half[2] / half.sum(), abs=1e-6)


def test_equal_to_the_networks_own_output() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    with torch.no_grad():
        own = scene.network.module(scene.network.preprocess(scene.image.pixels))[0]
    assert torch.equal(torch.from_numpy(result_of(scene).logits), own)


def test_the_path_sums_the_classes_below() -> None:
    result = result_of(Scene(toy_network("classification"), toy_image()))
    board = VIEW.draw(result, Params(path_of="dog"))
    shares = VIEW.data(result, Params())
    by_name = dict(zip(shares["class"], shares["probability"], strict=True))
    bars = next(plot for plot in board.plots if plot.name == "path").bars
    assert [bar[0] for bar in bars] == ["thing", "animal", "dog"]
    assert bars[0][1] == pytest.approx(1.0, abs=1e-6)
    assert bars[1][1] == pytest.approx(by_name["cat"] + by_name["dog"], abs=1e-6)
    assert bars[2][1] == pytest.approx(by_name["dog"], abs=1e-6)


def test_crop_and_input() -> None:
    # 48 x 64 resized to short side 32: 32 x 42; the crop of 32 starts at column 5 of 42
    scene = Scene(toy_network("classification"), toy_image(48, 64))
    result = result_of(scene)
    board = VIEW.draw(result, Params())
    crop = next(layer for layer in board.pane("image").layers if isinstance(layer, Boxes))
    np.testing.assert_allclose(crop.xyxy[0], [5 / 42 * 64, 0, 37 / 42 * 64, 48], rtol=1e-5)
    assert crop.dotted, "unlike any answer"
    assert not crop.labels
    name, _, share = board.summary.rpartition(": ")
    key = next(layer for layer in board.pane("image").layers if isinstance(layer, Text))
    assert key.text.split("\n")[0] == f"{name} {share}", "the key says what the summary says"
    bars = board.plots[0].bars
    assert key.swatches == tuple(tint for _, _, tint in bars[: len(key.swatches)])
    assert board.pane("input").size == (32, 32)
    assert result.seen.rgb.shape == (32, 32, 3)
    assert [pane.name for pane in VIEW.draw(result, Params(show_input=False)).panes] == ["image"]


def test_one_channel_network() -> None:
    class Gray(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3)).repeat(1, 2)

    network = make_network(
        Gray(), "classification", preprocess=Preprocess(channels=1, mean=(0.5,), std=(0.5,))
    )
    result = result_of(Scene(network, toy_image()))
    assert result.seen.rgb.shape == (48, 64, 3)
    assert VIEW.draw(result, Params()).summary == "class 0: 50.0%"


def test_named_tuples_give_their_main_head() -> None:
    heads = namedtuple("heads", ["logits", "aux"])

    class TwoHeads(nn.Module):
        def forward(self, x: torch.Tensor) -> heads:
            main = torch.tensor([[1.0, 3.0]])
            return heads(main, main * 0)

    scene = Scene(make_network(TwoHeads(), "classification"), toy_image())
    assert result_of(scene).logits.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_torchvisions_named_outputs(name: str) -> None:
    from torchvision.models import get_model

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = get_model(name, weights=None, init_weights=False, num_classes=7)
    preprocess = Preprocess(resize=96, crop=96, mean=(0.5,) * 3, std=(0.5,) * 3)
    scene = Scene(make_network(module, "classification", preprocess=preprocess), toy_image(96, 96))
    with torch.no_grad():
        own = module(scene.input())[0]
    assert torch.equal(torch.from_numpy(result_of(scene).logits), own)


def test_no_two_classes_that_are_shown_look_alike() -> None:
    twins = (0, 160, 320)  # of the same place in the color set
    logits = np.zeros(400, np.float32)
    logits[list(twins)] = (5.0, 4.0, 3.0)
    scene = Scene(toy_network("classification"), toy_image())
    classes = tuple(f"class {k}" for k in range(400))
    result = replace(result_of(scene), logits=logits, classes=classes, paths=())
    board = VIEW.draw(result, Params(top=3))
    tints = [tint for _, _, tint in board.plots[0].bars]
    lab = cielab(np.array(tints, np.uint8))
    assert min(np.linalg.norm(lab[a] - lab[b]) for a, b in ((0, 1), (0, 2), (1, 2))) >= APART
    key = next(layer for layer in board.pane("image").layers if isinstance(layer, Text))
    assert list(key.swatches) == list(board.tables[0].swatches) == tints
