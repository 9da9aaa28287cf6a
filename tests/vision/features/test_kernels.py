"""Kernels against answers worked out by hand, PyTorch's own convolution and the whole layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torchvision.models import get_model

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured
from explorer.vision.features.activations import layer_input
from explorer.vision.features.kernels import (
    MOST_COMPARED,
    Kernels,
    order_of,
    response,
    similarity,
)


def conv_of(weights: list[list[list[list[float]]]], **rest: int) -> nn.Conv2d:
    values = torch.tensor(weights)
    groups = rest.get("groups", 1)
    conv = nn.Conv2d(
        values.shape[1] * groups, len(values), values.shape[2], bias=False, groups=groups
    )
    conv.weight.data = values
    return conv


class Padded(nn.Conv2d):
    """A class with a forward of its own, as in timm: it pads at the right and at the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (0, 1, 0, 1))
        return functional.conv2d(x, 2 * self.weight, self.bias, self.stride)


LAYERS = {
    "plain": lambda: nn.Conv2d(4, 6, 3, padding=1),
    "strided": lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(0, 1)),
    "dilated": lambda: nn.Conv2d(4, 6, 3, dilation=2, padding="same"),
    "valid": lambda: nn.Conv2d(4, 6, 3, padding="valid", bias=False),
    "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "depthwise": lambda: nn.Conv2d(4, 8, 5, groups=4, padding=2),
    "reflected": lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
    "circular, same": lambda: nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular"),
    "pointwise": lambda: nn.Conv2d(4, 6, 1),
    "of its own": lambda: Padded(4, 6, 3, stride=2),
    "parametrized": lambda: parametrizations.weight_norm(nn.Conv2d(4, 6, 3)),
}


@pytest.fixture(params=LAYERS, ids=lambda name: name.replace(", ", "-"))
def conv(request: pytest.FixtureRequest) -> nn.Conv2d:
    torch.manual_seed(0)
    made: nn.Conv2d = LAYERS[request.param]().eval()
    return made


@pytest.fixture
def x() -> Tensor:
    return torch.randn(1, 4, 9, 11, generator=torch.Generator().manual_seed(1))


def test_a_response_is_that_channel_of_the_layers_output(conv: nn.Conv2d, x: Tensor) -> None:
    out = conv(x)
    for kernel in range(conv.out_channels):
        torch.testing.assert_close(
            response(conv, x, kernel), out[:, kernel : kernel + 1], rtol=1e-5, atol=1e-5
        )


def test_the_responses_of_all_slices_and_the_bias_add_up(conv: nn.Conv2d, x: Tensor) -> None:
    out = conv(x)
    for kernel in range(conv.out_channels):
        parts = [response(conv, x, kernel, channel) for channel in range(4)]
        bias = 0.0 if conv.bias is None else conv.bias[kernel]
        torch.testing.assert_close(
            sum(parts) + bias, out[:, kernel : kernel + 1], rtol=1e-5, atol=1e-5
        )


def test_a_slice_is_a_convolution_of_its_channel_alone(x: Tensor) -> None:
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    alone = functional.conv2d(x[:, 2:3], conv.weight[4:5, 0:1], stride=2, padding=1)
    assert torch.equal(response(conv, x, 4, 2), alone)
    assert not response(conv, x, 4, 1).any(), "channel 1 is in the other group"


def test_a_response_worked_out_by_hand() -> None:
    conv = conv_of([[[[1.0, -1.0], [0.0, 2.0]]]])
    picture = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    # 1 x 1 - 1 x 2 + 2 x 5 = 9; 1 x 2 - 1 x 3 + 2 x 6 = 11
    assert response(conv, picture, 0).tolist() == [[[[9.0, 11.0]]]]


def test_norms_by_hand() -> None:
    conv = conv_of([[[[3.0]], [[4.0]]], [[[0.0]], [[-2.0]]]])
    kernels = Kernels.of(conv)
    assert kernels.norms.tolist() == [5.0, 2.0]
    assert kernels.slice_norms.tolist() == [[3.0, 4.0], [0.0, 2.0]]
    assert not kernels.bias.any()
    assert kernels.finite


def test_norms_against_torch() -> None:
    conv = nn.Conv2d(6, 8, 3, groups=2)
    kernels = Kernels.of(conv)
    whole = torch.linalg.vector_norm(conv.weight, dim=(1, 2, 3)).detach().numpy()
    parts = torch.linalg.vector_norm(conv.weight, dim=(2, 3)).detach().numpy()
    np.testing.assert_allclose(kernels.norms, whole, rtol=1e-6)
    np.testing.assert_allclose(kernels.slice_norms, parts, rtol=1e-6)
    np.testing.assert_array_equal(kernels.bias, conv.bias.detach().numpy())
    assert [kernels.first_input(kernel) for kernel in range(8)] == [0, 0, 0, 0, 3, 3, 3, 3]


def test_kernels_near_zero_are_counted() -> None:
    conv = nn.Conv2d(1, 4, 1, bias=False)
    conv.weight.data = torch.tensor([1.0, 0.02, 0.009, 0.0]).view(4, 1, 1, 1)
    assert Kernels.of(conv).near_zero == 2
    conv.weight.data.zero_()
    assert Kernels.of(conv).near_zero == 4


def test_the_weights_are_a_copy() -> None:
    conv = nn.Conv2d(1, 1, 1)
    kernels = Kernels.of(conv)
    kernels.weights[:] = 7.0
    assert float(conv.weight.detach()) != 7.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_0_and_told(bad: float) -> None:
    conv = conv_of([[[[3.0, bad], [0.0, 4.0]]]])
    kernels = Kernels.of(conv)
    assert not kernels.finite
    assert kernels.norms.tolist() == [5.0]


def test_half_precision_becomes_float32() -> None:
    kernels = Kernels.of(nn.Conv2d(2, 2, 1).to(torch.bfloat16))
    assert kernels.weights.dtype == kernels.bias.dtype == kernels.norms.dtype == np.float32


def test_orders_by_hand() -> None:
    east, north, west, nothing = (2.0, 0.0), (0.0, 1.0), (-3.0, 0.1), (0.0, 0.0)
    northeast = (1.0, 1.1)
    rows = np.array([nothing, east, north, west, northeast], np.float32)
    assert order_of(rows, "index").tolist() == [0, 1, 2, 3, 4]
    assert order_of(rows, "L2 norm").tolist() == [3, 1, 4, 2, 0]
    # west is the longest; nearest to it in direction is north, then northeast, then east
    assert order_of(rows, "similarity").tolist() == [3, 2, 4, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 17])
def test_similarity_against_a_loop(count: int) -> None:
    rows = np.random.default_rng(count).normal(size=(count, 5)).astype(np.float32)
    left = set(range(count))
    last = max(left, key=lambda row: float(np.linalg.norm(rows[row])))
    chain = [last]
    left.remove(last)
    while left:
        a = rows[last]

        def cosine(row: int, a: np.ndarray = a) -> float:
            b = rows[row]
            return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

        last = max(left, key=cosine)
        chain.append(last)
        left.remove(last)
    assert similarity(rows).tolist() == chain
    assert sorted(similarity(rows).tolist()) == list(range(count))


def test_all_zeros_keep_their_order() -> None:
    assert sorted(similarity(np.zeros((4, 3), np.float32)).tolist()) == [0, 1, 2, 3]


def test_too_many_to_compare_are_refused_in_words() -> None:
    with pytest.raises(ExplorerError, match="4,097 are too many"):
        order_of(np.zeros((MOST_COMPARED + 1, 1), np.float32), "similarity")


NETS = {
    "alexnet": 96, "vgg11": 64, "googlenet": 64, "resnet18": 64, "mobilenet_v3_small": 64,
    "convnext_tiny": 64, "regnet_y_400mf": 64, "shufflenet_v2_x0_5": 64, "vit_b_16": 224,
    "deeplabv3_mobilenet_v3_large": 64, "ssdlite320_mobilenet_v3_large": 64,
}  # fmt: skip
"""With the side of the picture that they take."""


@pytest.mark.parametrize(("name", "side"), NETS.items(), ids=NETS)
def test_responses_in_well_known_networks(name: str, side: int) -> None:
    torch.manual_seed(0)
    options = {"init_weights": False} if name == "googlenet" else {}
    if "lab" in name or "ssd" in name:
        options = {"weights_backbone": None}
    net = get_model(name, weights=None, **options).eval()
    convs = [path for path, child in net.named_modules() if isinstance(child, nn.Conv2d)]
    picture = torch.rand(3, side, side)
    images = [picture] if "ssd" in name else picture[None]
    convs = [path for path in convs if not path.startswith("aux")]  # they run in training only
    for layer in dict.fromkeys(
        (convs[0], convs[1 % len(convs)], convs[len(convs) // 2], convs[-1])
    ):
        given = layer_input(net, images, layer)
        with torch.no_grad(), captured(net, [layer]) as records:
            net(images)
        conv = net.get_submodule(layer)
        kernel = conv.out_channels // 2
        expected = records[layer][0][:1, kernel : kernel + 1]
        found = response(conv, given.values, kernel)
        scale = float(expected.abs().max()) + 1e-12
        torch.testing.assert_close(found / scale, expected / scale, rtol=1e-4, atol=1e-5)
