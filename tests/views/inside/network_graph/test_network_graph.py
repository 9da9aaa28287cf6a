"""What a click shows, what a search finds, and what networks cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.core.layers import Board, Boxes, Lines
from explorer.core.network_info import NetworkSpec
from explorer.core.params import NetworkRef, resolved
from explorer.core.resources import resource_path
from explorer.engine.engine import Engine
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.network_graph.costs import brief, shape_words
from explorer.views.inside.network_graph.panes import BLOCKS
from explorer.views.inside.network_graph.view import PASSES, VIEW, Params, Result
from explorer.vision.features.activations import activation
from tests.steps import finish
from tests.toys import ToyConvNet, hook_count, make_network, toy_image, toy_network
from tests.vision.graph.test_folding import residual


def network_of(module: nn.Module, channels: int = 3) -> Network:
    return make_network(module, "features", preprocess=Preprocess(channels=channels))


def look(network: Network, opened: Opened | None = None, **params: Any) -> tuple[Result, Board]:
    asked = resolved(Params(**params), network.info)
    steps = list(VIEW.compute(Scene(network, toy_image(), opened=opened), asked))
    return steps[-1].value, VIEW.draw(steps[-1].value, asked)


def boxes_of(board: Board, name: str = "graph") -> Boxes:
    boxes = board.boxes(name)
    assert boxes is not None
    return boxes


def key_of(board: Board, words: str, name: str = "graph") -> int:
    boxes = boxes_of(board, name)
    return next(boxes.key(row) for row, label in enumerate(boxes.labels) if label.startswith(words))


def test_boxes_say_what_they_are_and_what_they_cost() -> None:
    network = network_of(residual())
    result, board = look(network, boxes=6, color="parameters")
    labels = boxes_of(board).labels
    assert labels[0] == "Input\n3 x 48 x 64\n0 parameters"
    assert labels[1] == "Conv 1 x 1\nReLU\n3 x 48 x 64\n12 parameters"
    assert labels[2].startswith("Block\n2\n3 x 48 x 64\n")
    assert result.networks[0].passes == PASSES
    assert hook_count(network.module) == 0
    assert "parameters · " in board.summary
    assert f"median of {PASSES} passes" in board.summary


def test_times_are_those_of_modules_and_are_measured_once() -> None:
    network = network_of(ToyConvNet())
    scene = Scene(network, toy_image())
    first = list(VIEW.compute(scene, Params()))
    again = list(VIEW.compute(Scene(network, toy_image(seed=5)), Params()))
    assert first[-1].value.networks[0].seconds == again[-1].value.networks[0].seconds
    assert len(again) == 2, "at once"
    for step in first:
        assert step.done <= step.total


def test_a_block_is_opened_beside_with_its_shortcut() -> None:
    network = network_of(residual())
    _, board = look(network, boxes=6)
    _, opened = look(network, boxes=6, node=key_of(board, "Block"))
    assert [pane.name for pane in opened.panes][:2] == ["graph", "block"]
    inside = boxes_of(opened, "block")
    assert [label.partition("\n")[0] for label in inside.labels] == [
        "Input", "Conv 3 x 3", "Batch norm", "ReLU", "Conv 3 x 3", "Add", "ReLU"
    ]  # fmt: skip
    names = [layer.name for layer in opened.pane("block").layers if isinstance(layer, Lines)]
    assert "shortcuts to" in names
    assert "shortcuts to" not in [layer.name for layer in opened.pane("graph").layers]
    assert "maps" not in [pane.name for pane in opened.panes], "room for both graphs"


def test_a_layer_of_a_block_shows_its_maps_and_its_formula() -> None:
    network = network_of(residual())
    _, board = look(network, boxes=6)
    node = key_of(board, "Block")
    _, opened = look(network, boxes=6, node=node)
    inner = key_of(opened, "Conv", "block")
    result, shown = look(network, boxes=6, node=node, inner=inner)
    assert result.details is not None
    assert result.details.path == "2.conv1"
    assert "(W - F + 2P) / S + 1 = (64 - 3 + 2 x 1) / 1 + 1 = 64 across" in shown.summary
    assert "(48 - 3 + 2 x 1) / 1 + 1 = 48 down" in shown.summary
    assert {"maps", "kernels"} <= {pane.name for pane in shown.panes}
    scene = Scene(network, toy_image())
    expected = activation(network.module, scene.input(), "2.conv1").values
    counts, edges = result.details.activations
    assert counts.sum() == expected.size
    assert edges[0] == pytest.approx(expected.min())
    assert edges[-1] == pytest.approx(expected.max())
    assert result.details.maps.shape == expected.shape
    assert torch.equal(
        torch.from_numpy(result.details.kernels), network.module[2].conv1.weight[:, 0]
    )


def test_kernels_of_one_cell_are_a_matrix_of_inputs_and_kernels() -> None:
    network = network_of(nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 70, 1)))
    _, board = look(network)
    result, shown = look(network, node=boxes_of(board).keys[-1])
    assert result.details is not None
    assert result.details.path == "1"
    weight = network.module[1].weight.detach().numpy()
    np.testing.assert_array_equal(result.details.kernels, weight[:64, :, 0, 0].T[None])
    assert shown.pane("kernels").title == "Weights: 64 of 70 kernels, 5 inputs each"


@pytest.mark.parametrize("node", [0, 1, 5, 4096, BLOCKS, BLOCKS + 1, 2 * BLOCKS])
@pytest.mark.parametrize("inner", [None, 0, 7, BLOCKS + 3])
def test_keys_of_another_network_harm_nothing(node: int, inner: int | None) -> None:
    _, board = look(network_of(ToyConvNet()), node=node, inner=inner)
    assert board.pane("graph").layers


def test_search_outlines_what_it_finds_in_blocks_too() -> None:
    network = network_of(residual())
    result, board = look(network, boxes=6)
    found = VIEW.draw(result, replace(Params(), boxes=6, find="batchnorm"))
    frames = found.boxes("found")
    assert frames is not None
    assert len(frames.xyxy) == 2, "both blocks have one"
    assert found.summary == "2 boxes with 'batchnorm'"
    assert VIEW.draw(result, replace(Params(), boxes=6, find="nothing")).boxes("found") is None
    assert board.boxes("found") is None


def test_networks_beside_have_one_scale() -> None:
    other = NetworkRef("other")
    opened = Opened({other: network_of(nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU()))}, {})
    _, board = look(network_of(ToyConvNet()), opened, beside=(other,), color="FLOPs")
    assert [pane.name for pane in board.panes] == ["graph", "graph 1"]
    scales = [
        (layer.low, layer.high)
        for pane in board.panes for layer in pane.layers if layer.name == "scale"
    ]  # fmt: skip
    assert scales[0] == scales[1]
    assert scales[0][1] == pytest.approx(2 * 46 * 62 * 27 * 64)


def test_depth_side_by_side() -> None:
    network = network_of(residual())
    asked = Params(show="depth")
    steps = VIEW.compute(Scene(network, toy_image()), asked)
    first = next(steps)
    second = next(steps)
    steps.close()
    board = VIEW.draw(second.value, asked)
    assert [row[:3] for row in board.tables[0].rows] == [
        ("toy", 5, 2), ("AlexNet", 8, 0), ("VGG-19", 19, 0)
    ]  # fmt: skip
    assert first.total == second.total == 6
    bars = boxes_of(board, "depths")
    assert len(bars.xyxy) == 5 + 8 + 19
    heights = bars.xyxy[:, 3] - bars.xyxy[:, 1]
    assert np.ptp(heights) < 0.01, "one scale"


def test_one_channel_and_detectors() -> None:
    gray = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    _, board = look(network_of(gray, channels=1))
    assert boxes_of(board).labels[0].startswith("Input\n1 x 48 x 64")
    result, board = look(toy_network("detection"))
    assert len(boxes_of(board).labels) <= 24
    assert result.networks[0].graph.flops > 0


SHIPPED = sorted(path.stem for path in resource_path("weights").glob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_every_network_that_ships(name: str) -> None:
    network, _ = finish(Engine().network(NetworkSpec(name)))
    scene = Scene(network, toy_image(96, 128))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        scene.call(scene.input())
    (*_, last) = VIEW.compute(scene, Params())
    graph = last.value.networks[0].graph
    assert graph.flops == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert graph.parameters == network.info.parameters
    board = VIEW.draw(last.value, Params())
    assert 1 < len(boxes_of(board).labels) <= 32, "its own parts are shown, however many"
    assert hook_count(network.module) == 0
    for key in boxes_of(board).keys:
        asked = Params(node=key)
        (first, *_) = VIEW.compute(scene, asked)
        assert VIEW.draw(first.value, asked).panes


def test_data_is_the_whole_graph() -> None:
    result, _ = look(network_of(residual()))
    found = VIEW.data(result, Params()) if VIEW.data else {}
    assert len(found["names"]) == len(found["node_flops"]) == 16
    assert found["outputs"][1] == "1 x 3 x 48 x 64"
    assert found["node_flops"].sum() == found["flops"]
    assert found["parameters"] == sum(p.numel() for p in residual().parameters())
    assert (found["edges"][:, 0] < found["edges"][:, 1]).all()
    assert found["depth"] == 5


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (768, "768"), (999.6, "1 k"), (4650000, "4.65 M"), (1.234e9, "1.23 G")],
)
def test_numbers_in_three_digits(number: float, words: str) -> None:
    assert brief(number) == words


def test_shapes_without_their_batch_of_one() -> None:
    assert shape_words((1, 64, 56, 56)) == "64 x 56 x 56"
    assert shape_words((100, 4)) == "100 x 4"
    assert shape_words((1, 1000)) == "1000"
    assert shape_words(()) == ""
