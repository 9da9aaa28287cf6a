"""Graphs of networks that can be followed by hand, and of torchvision's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.networks.hooks import tensors_in
from explorer.vision.graph.nodes import INPUT, Graph
from explorer.vision.graph.recording import plain_attention, recorded
from tests.toys import ToyConvNet, hook_count, tiny_faster_rcnn

PICTURE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def graph_of(module: nn.Module, picture: Tensor = PICTURE) -> Graph:
    module.eval()
    return recorded(module, lambda: module(picture), [picture])


def kinds(graph: Graph) -> list[str]:
    return [node.kind for node in graph.nodes]


class Forked(nn.Module):
    """Two branches that are added, a functional ReLU, a reused convolution, a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3, padding=1)
        self.b = nn.Conv2d(3, 3, 1)
        self.unused = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x) + self.b(x))
        return torch.cat([self.a(y), x], 1)


def test_branches_functions_and_reused_layers() -> None:
    graph = graph_of(Forked())
    assert kinds(graph) == [INPUT, "Conv2d", "Conv2d", "add", "ReLU", "Conv2d", "concatenate"]
    assert [node.sources for node in graph.nodes] == [
        (), (0,), (0,), (1, 2), (3,), (4,), (0, 5)
    ]  # fmt: skip
    names = [(graph.calls[node.call].path, graph.calls[node.call].number) for node in graph.nodes]
    assert names[1:3] == [("a", 0), ("b", 0)]
    assert names[5] == ("a", 1)
    assert [node.layer for node in graph.nodes] == [False, True, True, False, False, True, False]
    assert not any(node.inferred for node in graph.nodes)


def test_in_place_operations_are_followed() -> None:
    graph = graph_of(ToyConvNet())
    assert kinds(graph) == [
        INPUT, "Conv2d", "ReLU", "Conv2d", "ReLU", "AdaptiveAvgPool2d", "Linear"
    ]  # fmt: skip
    assert [node.sources for node in graph.nodes[1:]] == [(at,) for at in range(6)]
    assert graph.nodes[2].memory == 0, "it works in place"
    assert graph.nodes[1].memory == 3 * 16 * 16 * 4
    assert graph.nodes[1].shape == (1, 3, 16, 16)
    assert graph.nodes[3].given == (1, 3, 16, 16)


class WrittenInPart(nn.Module):
    """A part of a tensor is overwritten by what another layer made."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 1)
        self.b = nn.Conv2d(3, 2, 1)
        self.c = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        y[:, :2] = self.b(x)
        return self.c(y)


def test_a_tensor_depends_on_what_was_written_into_it() -> None:
    graph = graph_of(WrittenInPart())
    assert graph.nodes[3].kind == "Conv2d"
    assert graph.nodes[3].sources == (1, 2)


class ThroughNumpy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 2, 1)
        self.outside = Outside()
        self.after = nn.Conv2d(2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.outside(self.before(x)))


class Outside(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy() * 2)


def test_what_leaves_pytorch_is_inferred() -> None:
    graph = graph_of(ThroughNumpy())
    assert kinds(graph) == [INPUT, "Conv2d", "Outside", "Conv2d"]
    assert graph.nodes[2].sources == (1,)
    assert graph.nodes[2].inferred == {1}
    assert graph.nodes[3].sources == (2,)
    assert not graph.nodes[3].inferred


def test_dropout_is_a_layer_and_identity_is_not() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout(), nn.Identity(), nn.ReLU())
    assert kinds(graph_of(module)) == [INPUT, "Conv2d", "Dropout", "ReLU"]


def test_flops_by_hand() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 16 x 16 cells, 27 products for each of 8
        nn.Conv2d(8, 8, 3, padding=1, groups=8),  # 9 products
        nn.ConvTranspose2d(8, 4, 2, stride=2),  # 16 x 16 cells, 8 x 4 x 4 products for each
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
    )  # fmt: skip
    graph = graph_of(module)
    assert [node.flops for node in graph.nodes] == [
        0, 2 * 256 * 27 * 8, 2 * 256 * 9 * 8, 2 * 256 * 8 * 4 * 4, 0, 0, 80
    ]  # fmt: skip
    assert graph.parameters == sum(p.numel() for p in module.parameters())


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.conv(x)
        raise RuntimeError("broken")


def test_nothing_is_left_behind_after_a_failure() -> None:
    module = Broken()
    before = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(RuntimeError, match="broken"):
        graph_of(module)
    assert hook_count(module) == 0
    assert torch.backends.mha.get_fastpath_enabled() is before
    assert torch.is_grad_enabled()


def test_a_detector_that_looks_at_its_values_has_a_graph() -> None:
    module = tiny_faster_rcnn(3).eval()
    with torch.no_grad():
        expected = module([PICTURE[0]])
    graph = recorded(module, lambda: module([PICTURE[0]]), [PICTURE])
    with torch.no_grad():
        again = module([PICTURE[0]])
    for one, two in zip(tensors_in(expected), tensors_in(again), strict=True):
        assert torch.equal(one, two)
    assert {"Conv2d", "RoIAlign"} & set(kinds(graph)) or "MultiScaleRoIAlign" in kinds(graph)
    assert all(node.sources for node in graph.nodes[1:])


SMALL = ("alexnet", "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "resnet18")
LARGE = (
    "vgg16", "googlenet", "inception_v3", "resnet50", "mobilenet_v3_large", "convnext_tiny",
    "efficientnet_b0", "vit_b_16", "densenet121", "swin_t", "fcn_resnet50", "deeplabv3_resnet50",
)  # fmt: skip


def on_meta(name: str) -> tuple[nn.Module, Tensor]:
    """A network without weights: shapes are all that its graph needs."""
    more: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        more = {"aux_logits": False, "init_weights": False}
    if name.startswith(("fcn", "deeplab")):
        more = {"weights_backbone": None}
    with torch.device("meta"):
        return tv.get_model(name, weights=None, **more).eval(), torch.empty(1, 3, 224, 224)


@pytest.mark.parametrize(
    "name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_flops_and_parameters_of_torchvision(name: str) -> None:
    module, picture = on_meta(name)
    graph = graph_of(module, picture)
    with FlopCounterMode(display=False) as counter, plain_attention(), torch.no_grad():
        module(picture)
    assert graph.flops == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert graph.flops > 1e7
    assert graph.parameters == sum(p.numel() for p in module.parameters())
    assert all(node.sources for node in graph.nodes[1:])
    assert hook_count(module) == 0


@pytest.mark.slow
def test_a_large_detector() -> None:
    module = tv.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None
    ).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module([PICTURE[0]])
    graph = recorded(module, lambda: module([PICTURE[0]]), [PICTURE])
    assert graph.flops == pytest.approx(counter.get_total_flops(), rel=0.01)
