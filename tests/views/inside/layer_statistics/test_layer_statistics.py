"""What the view shows is what the network computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Heat
from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.networks.network import Network
from explorer.views.inside.layer_statistics.flow import ROWS, _axis, _whole
from explorer.views.inside.layer_statistics.params import (
    DROPOUT,
    GRADIENTS,
    NORM,
    RANDOM,
    RESIDUAL,
    Params,
)
from explorer.views.inside.layer_statistics.view import VIEW
from tests.toys import ToyConvNet, hook_count, make_network, toy_image, toy_network
from tests.vision.graph.test_folding import Block


def classifier(*more: nn.Module) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = nn.Sequential(
            Block(), Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), *more, nn.Linear(3, 4)
        )
    return make_network(module, "classification", classes=("a", "b", "c", "d"))


def look(network: Network, **params: Any) -> tuple[Any, Board, dict[str, Any]]:
    asked = resolved(Params(**params), network.info)
    (*_, last) = VIEW.compute(Scene(network, toy_image(), seed=1), asked)
    assert hook_count(network.module) == 0
    assert VIEW.data is not None
    return last.value, VIEW.draw(last.value, asked), dict(VIEW.data(last.value, asked))


def test_activations_are_the_outputs_of_the_layers() -> None:
    network = make_network(ToyConvNet(), "classification", classes=("a", "b", "c", "d"))
    _, board, data = look(network)
    scene = Scene(network, toy_image())
    with torch.no_grad():
        expected = network.module.conv1(scene.input())
    assert data["layers"] == ["conv1", "conv2", "fc"]
    assert data["mean"][0] == pytest.approx(expected.mean().item(), rel=1e-5)
    assert data["percentiles"][0][2] == pytest.approx(expected.median().item(), abs=1e-3)
    heat = next(layer for layer in board.pane("layers").layers if isinstance(layer, Heat))
    assert heat.values.shape[1] == 3
    np.testing.assert_allclose(heat.values.sum(axis=0), 1.0, rtol=1e-5)


def test_random_weights_and_no_shortcuts_are_noted() -> None:
    network = classifier()
    _, plain, data = look(network)
    _, board, changed = look(network, weights="too large", shortcuts=False)
    assert plain.notes == ()
    assert board.notes == ("The network is changed: random weights (too large) and no shortcuts.",)
    assert not np.allclose(changed["std"], data["std"])
    _, _, again = look(network)
    np.testing.assert_array_equal(again["std"], data["std"])


def test_gradients_and_their_clipping() -> None:
    network = classifier()
    _, board, data = look(network, show=GRADIENTS, norm=1e-3, value=1e-6)
    assert data["gradient_norm"] > 0.01
    assert data["clipped_norm"][1] == pytest.approx(1e-3, rel=1e-5)
    assert data["clipped_cosine"][1] == pytest.approx(1.0)
    assert data["clipped_cosine"][0] < 0.999
    assert "gradient norm" in board.summary
    _, _, other = look(network, show=GRADIENTS, of="c")
    assert other["gradient_norm"] != data["gradient_norm"]


def test_random_networks_over_depth() -> None:
    result, board, data = look(toy_network("classification"), show=RANDOM, depth=20)
    assert len(result.flows) == 8
    assert data["plain too small gradient"].shape == (20,)
    assert [pane.name for pane in board.panes] == ["signal", "gradient"]
    assert len(board.plots) == 4
    he = data["residual He gradient"]
    assert he[0] > he[-1] > 0


def test_blocks_left_out_and_the_size_of_their_branch() -> None:
    network = classifier()
    result, board, data = look(network, show=RESIDUAL)
    assert data["blocks"] == ["0", "1"]
    scene = Scene(network, toy_image())
    first, second = network.module[0], network.module[1]
    with torch.no_grad():
        x = scene.input()
        branch = first.conv2(torch.relu(first.bn1(first.conv1(x))))
        after = torch.relu(x)  # the first block gives x, then its ReLU
        logits = network.module[2:](second(after))[0]
    assert data["x"][0] == pytest.approx(x.norm().item(), rel=1e-5)
    assert data["branch"][0] == pytest.approx(branch.norm().item(), rel=1e-5)
    expected = logits.softmax(0).sort(descending=True).values
    assert result.tops[0][1] == pytest.approx(expected[0].item(), rel=1e-5)
    assert np.isfinite(data["without"]).all()
    assert "2 residual blocks" in board.summary


def test_no_residual_blocks_is_said() -> None:
    network = make_network(ToyConvNet(), "classification")
    with pytest.raises(ExplorerError, match="no residual blocks"):
        look(network, show=RESIDUAL)


def test_batch_norm_of_a_chosen_channel() -> None:
    result, board, data = look(classifier(), show=NORM, layer="1.bn1", channel=2, photos=4)
    assert data["layers"] == ["0.bn1", "1.bn1"]
    assert data["running_mean"].tolist() == [0.0, 0.0, 0.0]
    assert result.number == 2
    np.testing.assert_allclose(result.channel.undone, result.channel.given, atol=1e-6)
    assert "1.bn1, channel 2" in board.summary
    assert len(board.plots) == 4


@pytest.mark.parametrize("own", [True, False])
def test_twenty_masks_and_their_mean(own: bool) -> None:
    network = classifier(*[nn.Dropout(0.2)] * own)
    result, board, data = look(network, show=DROPOUT)
    assert data["masks"].shape == (20, 3)
    assert data["with_masks"].shape == (20, 4)
    np.testing.assert_allclose(data["mean"], data["with_masks"].mean(0), rtol=1e-5)
    np.testing.assert_allclose(data["with_masks"].sum(1), 1.0, rtol=1e-5)
    assert (result.places.linear < 0) is own
    where = "in 1 dropout layer" if own else "before the last linear layer"
    assert where in board.summary
    _, _, kept = look(network, show=DROPOUT, keep=1.0, masks=2)
    np.testing.assert_allclose(kept["mean"], kept["probabilities"], rtol=1e-5)


def test_a_network_without_class_scores_has_no_dropout_answers() -> None:
    with pytest.raises(ExplorerError):
        look(toy_network("detection"), show=DROPOUT)


@pytest.mark.parametrize(("low", "high"), [(-24.7, 22.1), (0.0, 6.0), (3.0001, 3.0002), (-7, -6.5)])
def test_the_rows_of_the_histograms_are_round_numbers(low: float, high: float) -> None:
    edges = np.linspace(*_whole(low, high), 65)
    assert edges[0] <= low
    assert edges[-1] >= high
    assert edges[-1] - edges[0] <= 2 * (high - low)
    marks = np.array([float(word) for word in _axis(edges, log=False)])
    step = (edges[-1] - edges[0]) / ROWS
    if abs(low) < 100 * step:  # more than three digits are not shown
        np.testing.assert_allclose(marks, edges[-1] - (np.arange(ROWS) + 0.5) * step, atol=1e-6)
    assert f"{step:.2g}" == f"{step:g}"
