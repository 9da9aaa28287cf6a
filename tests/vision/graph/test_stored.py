"""The graph of a file: its own nodes, with what a recorded pass of the same network says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

from explorer.networks.onnx.inspecting import built, image_input
from explorer.networks.onnx.module import GraphModule
from explorer.networks.onnx.nodes import FileNode
from explorer.networks.onnx.reading import read
from explorer.networks.onnx.runtime import RuntimeModule
from explorer.vision.graph.recording import recorded
from explorer.vision.graph.stored import flops_of, stored_graph, window_of
from explorer.vision.graph.timing import RuntimeStopwatch, with_blocks
from tests.networks.onnx_files import exported, model_of, written

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.networks.onnx.module import OnnxModule
    from explorer.vision.graph.nodes import Graph

IMAGES = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x)) + x)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(Block(), Block())
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.up(self.blocks(self.stem(x))).mean((2, 3)))


def trained() -> Small:
    """Its batch norms have different numbers: the exporter writes equal tensors only once."""
    module, generator = Small(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module.eval()


def both(path: Path) -> tuple[OnnxModule, OnnxModule]:
    file = read(path)
    module = built(file, image_input(file))
    assert isinstance(module, GraphModule)
    return module, built(file, image_input(file), in_torch=False)


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


@torch.no_grad()
def test_nodes_shapes_and_costs_are_the_networks_own(tmp_path: Path) -> None:
    network = trained()
    module, runtime = both(exported(network, IMAGES, tmp_path / "small.onnx"))
    expected = recorded(network, lambda: network(IMAGES), [IMAGES])
    for each in (module, runtime):
        graph = stored_graph(each, IMAGES)
        assert graph.flops == expected.flops
        assert graph.parameters == expected.parameters
        assert [node.kind for node in graph.nodes][:5] == [
            "Input", "Conv", "Conv", "BatchNormalization", "Add"
        ]  # fmt: skip
        assert names(graph)[1:3] == ["/stem/Conv", "/blocks/blocks.0/conv/Conv"]
        stem = graph.nodes[1]
        assert stem.shape == (1, 8, 8, 8)
        assert stem.memory == 8 * 8 * 8 * 4
        assert "kernel_shape = 3, 3" in stem.about
        assert "strides = 2, 2" in stem.about
        add = graph.nodes[4]
        assert add.sources == (1, 3), "the shortcut"
        block = next(call for call in graph.calls if call.path == "blocks.0")
        assert [graph.nodes[at].kind for at in range(block.first, block.last)] == [
            "Conv", "BatchNormalization", "Add", "Relu"
        ]  # fmt: skip
        assert block.parameters == sum(p.numel() for p in network.blocks[0].parameters())
        conv = graph.calls[graph.nodes[2].call]
        assert (
            conv.window
            == expected.calls[
                next(call.index for call in expected.calls if call.path == "blocks.0.conv")
            ].window
        )
    assert names(stored_graph(module, IMAGES)) == names(stored_graph(runtime, IMAGES))


def test_what_computes_a_constant_is_not_drawn(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["a", "b"], ["scale"], "fixed"),
        helper.make_node("Mul", ["image", "scale"], ["x"]),
        helper.make_node("Shape", ["x"], ["shape"], "size"),
        helper.make_node("Reshape", ["x", "shape"], ["y"], "same"),
    ]
    constants = {"a": np.array([2.0], np.float32), "b": np.array([3.0], np.float32)}
    model = model_of(
        nodes, given={"image": [1, 3, 16, 16]}, made={"y": [1, 3, 16, 16]}, constants=constants
    )
    module, runtime = both(written(model, tmp_path / "fixed.onnx"))
    for each in (module, runtime):
        graph = stored_graph(each, IMAGES)
        assert names(graph)[1:] == ["x", "size", "same"], "without a name: that of its output"
        assert graph.nodes[2].shape == (4,)
        assert graph.nodes[2].memory == 4 * 8, "int64"
        assert graph.nodes[3].sources == (1, 2)


@torch.no_grad()
def test_the_runtime_times_its_nodes_itself(tmp_path: Path) -> None:
    _, runtime = both(exported(trained(), IMAGES, tmp_path / "small.onnx"))
    assert isinstance(runtime, RuntimeModule)
    before = runtime.session
    watch = RuntimeStopwatch(runtime, torch.device("cpu"))
    watch.time(lambda: runtime(IMAGES))
    assert runtime.session is before
    graph = stored_graph(runtime, IMAGES)
    seconds = with_blocks(graph, watch.medians())
    leaves = [call for call in graph.calls if call.leaf]
    assert all(seconds[call.path, 0] >= 0 for call in leaves)
    inside = [call for call in leaves if call.path.startswith("blocks.1.")]
    whole = sum(seconds[call.path, 0] for call in inside)
    assert seconds["blocks.1", 0] == pytest.approx(whole)
    assert watch.passes == 1


def node(kind: str, constants: dict[str, tuple[int, ...]], **attributes: object) -> FileNode:
    return FileNode("n", "n", kind, ("x", "w"), ("y",), constants, 0, attributes)


@pytest.mark.parametrize(
    ("found", "given", "made", "count"),
    [
        (node("Conv", {"w": (8, 2, 3, 3)}), (1, 4, 6, 6), (1, 8, 6, 6), 2 * 36 * 8 * 2 * 9),
        (node("ConvTranspose", {"w": (4, 8, 2, 2)}), (1, 4, 3, 3), (1, 8, 6, 6), 2 * 9 * 4 * 32),
        (node("Gemm", {"w": (4, 5)}), (2, 4), (2, 5), 2 * 2 * 4 * 5),
        (node("Gemm", {"w": (4, 5)}, transA=1), (4, 2), (2, 5), 2 * 2 * 4 * 5),
        (node("MatMul", {}), (3, 2, 4), (3, 2, 5), 0),
        (node("Relu", {}), (3, 2), (3, 2), 0),
    ],
)
def test_products_are_counted(
    found: FileNode, given: tuple[int, ...], made: tuple[int, ...], count: int
) -> None:
    assert flops_of(found, {"x": given, "y": made}) == count


def test_windows_of_convolutions_and_poolings() -> None:
    conv = node("Conv", {"w": (8, 2, 3, 5)}, strides=(2, 1), pads=(1, 2, 1, 2), group=2)
    window = window_of(conv)
    assert window is not None
    assert (window.kernel, window.stride, window.padding) == ((3, 5), (2, 1), (1, 2))
    assert window.groups == 2
    uneven = replace(conv, attributes={**conv.attributes, "pads": (0, 0, 1, 1)})
    assert window_of(uneven) is None
    assert window_of(node("Conv", {"w": (8, 2, 3, 3)}, auto_pad="SAME_UPPER")) is None
    assert window_of(node("Relu", {})) is None
