"""Folded graphs hold every node once, in an order that goes forward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from explorer.vision.graph.folding import folded
from explorer.vision.graph.nodes import Graph
from explorer.vision.graph.recording import recorded
from tests.vision.graph.test_recording import graph_of, on_meta


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.conv2(torch.relu(self.bn1(self.conv1(x)))))


def residual() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), Block(), Block(), nn.Flatten())


def check(graph: Graph, most: int) -> None:
    groups = folded(graph, most)
    assert sorted(at for group in groups for at in group.nodes) == list(range(len(graph.nodes)))
    for place, group in enumerate(groups):
        assert all(at < place for at in group.sources), "arrows go forward"
    assert sum(group.flops for group in groups) + graph.uncounted == graph.flops


def test_blocks_are_folded_and_opened_together() -> None:
    graph = graph_of(residual())
    titles = [group.title for group in folded(graph, 6)]
    assert titles == ["Input", "Conv 1 x 1 · ReLU", "Block", "Block", "Flatten"]
    opened = [group.title for group in folded(graph, 20)]
    assert opened == [
        "Input", "Conv 1 x 1 · ReLU", "Conv 3 x 3 · BN · ReLU", "Conv 3 x 3", "Add · ReLU",
        "Conv 3 x 3 · BN · ReLU", "Conv 3 x 3", "Add · ReLU · flatten",
    ]  # fmt: skip
    for most in (1, 6, 20, 400):
        check(graph, most)


def test_the_inside_of_a_block_has_its_input_and_its_shortcut() -> None:
    graph = graph_of(residual())
    block = next(call.index for call in graph.calls if call.kind == "Block")
    groups = folded(graph, 40, block, joined=False)
    assert [group.title for group in groups] == [
        "Input", "Conv 3 x 3", "Batch norm", "ReLU", "Conv 3 x 3", "Add", "ReLU"
    ]  # fmt: skip
    assert groups[0].nodes == ()
    assert groups[0].shape == (1, 3, 32, 32)
    assert groups[5].sources == (0, 4)


def test_parameters_of_blocks_are_those_of_their_modules() -> None:
    module = residual()
    (_, stem, first, second, _) = folded(graph_of(module), 6)
    assert stem.parameters == 12
    assert first.parameters == sum(p.numel() for p in module[2].parameters())
    assert second.path == "3"


def test_a_layer_that_others_depend_on_takes_no_follower_along() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return torch.relu(y) + y

    titles = [group.title for group in folded(graph_of(Fork()), 20)]
    assert titles == ["Input", "Conv 1 x 1", "ReLU", "Add"]


def test_a_shared_head_is_folded_call_by_call() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.head(x))

    graph = graph_of(Heads())
    groups = folded(graph, 3)
    assert [(group.title, group.sources) for group in groups] == [
        ("Input", ()), ("Sequential", (0,)), ("Sequential", (1,))
    ]  # fmt: skip
    assert [group.parameters for group in groups] == [0, 24, 0], "counted once"


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("alexnet", "Conv 3 x 3 · ReLU", 3),
        ("resnet18", "BasicBlock", 8),
        pytest.param("efficientnet_b0", "MBConv", 16, marks=pytest.mark.slow),
        pytest.param("googlenet", "Inception", 9, marks=pytest.mark.slow),
        pytest.param("resnet50", "Bottleneck", 16, marks=pytest.mark.slow),
    ],
)
def test_torchvision_in_two_dozen_boxes(name: str, kind: str, count: int) -> None:
    module, picture = on_meta(name)
    graph = recorded(module, lambda: module(picture), [picture])
    groups = folded(graph, 24)
    assert len(groups) <= 24
    assert sum(group.title == kind for group in groups) == count
    for most in (24, 60, 400):
        check(graph, most)
