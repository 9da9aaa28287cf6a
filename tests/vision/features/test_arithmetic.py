"""Every output, worked out from what it reads, is what the layer itself computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.convnext import LayerNorm2d
from torchvision.ops import FrozenBatchNorm2d

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.lite import efficientnet_lite0
from explorer.networks.embedded.segmentation.fcn import lite_fcn
from explorer.vision.features.activations import laid_out
from explorer.vision.features.arithmetic import (
    FUNCTIONS,
    KINDS,
    Chain,
    Largest,
    Shares,
    Terms,
    Weighted,
    Window,
    arithmetic,
    output_size,
    padding_of,
)
from tests.toys import tiny_faster_rcnn

TOLERANCE = 1e-5


def assert_equals_the_layer(
    layer: nn.Module, x: Tensor, out: Tensor, cells: int, seed: int, source: tuple[int, int]
) -> None:
    """Some outputs at random, to `TOLERANCE` of the largest one."""
    maps, _ = laid_out(out, source)
    near = TOLERANCE * max(1.0, float(maps.abs().max()))
    random = np.random.default_rng(seed)
    for _ in range(cells):
        channel, row, column = (int(random.integers(side)) for side in maps.shape)
        how = arithmetic(layer, x, channel, source)
        assert how.size == tuple(maps.shape[1:]), layer
        total = how.at(row, column).total
        assert abs(total - float(maps[channel, row, column])) <= near, (layer, channel, row, column)


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "plain": (lambda: nn.Conv2d(4, 6, 3), (1, 4, 9, 11)),
    "strided": (lambda: nn.Conv2d(4, 6, (3, 5), stride=(2, 3), padding=(1, 2)), (1, 4, 10, 14)),
    "dilated": (lambda: nn.Conv2d(4, 6, 3, dilation=2, padding=3, bias=False), (1, 4, 9, 9)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1), (1, 4, 7, 8)),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4, stride=2), (1, 4, 9, 9)),
    "same": (lambda: nn.Conv2d(4, 6, (3, 5), padding="same", dilation=2), (1, 4, 9, 9)),
    "reflect": (lambda: nn.Conv2d(4, 6, 3, padding=2, padding_mode="reflect"), (1, 4, 7, 8)),
    "circular": (lambda: nn.Conv2d(4, 6, 3, padding=2, padding_mode="circular"), (1, 4, 7, 8)),
    "replicate": (lambda: nn.Conv2d(4, 6, 3, padding=2, padding_mode="replicate"), (1, 4, 7, 8)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), (1, 4, 5, 6)),
    "transposed, all sizes": (
        lambda: nn.ConvTranspose2d(
            4, 6, (3, 2), stride=(3, 2), padding=(2, 0), output_padding=(1, 0), dilation=2, groups=2
        ),
        (1, 4, 5, 6),
    ),
    "linear": (lambda: nn.Linear(12, 5), (1, 12)),
    "tokens": (lambda: nn.Linear(12, 5, bias=False), (1, 20, 12)),
    "channels last": (lambda: nn.Linear(12, 5), (1, 4, 5, 12)),
    "average": (lambda: nn.AvgPool2d(3, 2, padding=1), (1, 4, 8, 9)),
    "average, ceil": (lambda: nn.AvgPool2d(3, 2, ceil_mode=True), (1, 4, 8, 10)),
    "average, ceil, padded": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (1, 4, 8, 10)),
    "average, without padding": (
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        (1, 4, 8, 9),
    ),
    "average, divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), (1, 4, 8, 9)),
    "adaptive": (lambda: nn.AdaptiveAvgPool2d((3, 4)), (1, 4, 8, 9)),
    "global": (lambda: nn.AdaptiveAvgPool2d(1), (1, 4, 8, 9)),
    "adaptive, one side": (lambda: nn.AdaptiveAvgPool2d((None, 2)), (1, 4, 8, 9)),
    "max": (lambda: nn.MaxPool2d(2), (1, 4, 8, 9)),
    "max, padded": (lambda: nn.MaxPool2d(3, 2, padding=1), (1, 4, 8, 9)),
    "max, ceil": (lambda: nn.MaxPool2d(3, 2, ceil_mode=True), (1, 4, 8, 10)),
    "max, dilated": (lambda: nn.MaxPool2d(3, 1, dilation=2), (1, 4, 8, 9)),
    "adaptive max": (lambda: nn.AdaptiveMaxPool2d((3, 4)), (1, 4, 8, 9)),
    "batch norm": (lambda: _batch_norm(nn.BatchNorm2d(4)), (1, 4, 5, 6)),
    "frozen batch norm": (lambda: _batch_norm(FrozenBatchNorm2d(4)), (1, 4, 5, 6)),
    "group norm": (lambda: nn.GroupNorm(2, 4), (1, 4, 5, 6)),
    "layer norm": (lambda: nn.LayerNorm(12), (1, 4, 5, 12)),
    "layer norm of maps": (lambda: LayerNorm2d((4,)), (1, 4, 5, 6)),
    "softmax": (lambda: nn.Softmax(dim=1), (1, 7)),
    "softmax of maps": (lambda: nn.Softmax(dim=1), (1, 7, 3, 4)),
    **{
        name: ((lambda kind: lambda: getattr(nn, kind)())(name), (1, 4, 5, 6)) for name in FUNCTIONS
    },
    "tanh GELU": (lambda: nn.GELU("tanh"), (1, 4, 5, 6)),
}


def _batch_norm(norm: Any) -> nn.Module:
    for name, values in (("weight", 1.5), ("bias", -0.5), ("running_mean", 0.25)):
        getattr(norm, name).data.fill_(values)
    norm.running_var.copy_(torch.tensor([0.5, 1.0, 2.0, 4.0]))
    return norm


def inputs(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


@torch.no_grad()
@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_outputs_are_the_layers(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = make().eval()
    x = inputs(shape)
    out = layer(x.clone())
    maps = out.ndim == 4 and shape[-1] != 12
    source = (int(out.shape[-2]), int(out.shape[-1])) if maps else (40, 50)
    assert_equals_the_layer(layer, x, out, 40, 1, source)
    assert type(layer).__name__ in KINDS


def test_a_convolution_by_hand() -> None:
    conv = nn.Conv2d(2, 1, 2, stride=2, padding=1)
    conv.weight.data = torch.tensor([[[1.0, 2], [3, 4]], [[0, 0], [0, -10]]])[None]
    conv.bias.data = torch.tensor([0.5])
    x = torch.arange(8.0).view(1, 2, 2, 2)
    terms = arithmetic(conv, x, 0).at(0, 0)
    assert isinstance(terms, Terms)
    # only the lower right weights are on the input: 4 x 0 and -10 x 4
    assert terms.channels.tolist() == [1, 0]
    assert terms.sums.tolist() == [-40, 0]
    assert terms.values[0].tolist() == [[0, 0], [0, 4]]
    assert terms.padded.tolist() == [[True, True], [True, False]]
    assert (terms.rows.tolist(), terms.columns.tolist()) == ([-1, 0], [-1, 0])
    assert terms.total == -39.5


def test_channels_of_a_group_are_numbered_in_the_input() -> None:
    conv = nn.Conv2d(6, 4, 1, groups=2)
    found = arithmetic(conv, inputs((1, 6, 3, 3)), 3)
    assert isinstance(found, Weighted)
    terms = found.at(1, 1)
    assert sorted(terms.channels.tolist()) == [3, 4, 5]
    assert (np.diff(np.abs(terms.sums)) <= 0).all()
    assert terms.products.shape == (3, 1, 1)


def test_padding_never_wins_a_maximum() -> None:
    found = arithmetic(nn.MaxPool2d(2, padding=1), -1 - torch.rand(1, 1, 2, 2), 0)
    assert isinstance(found, Largest)
    window = found.at(0, 0)
    assert isinstance(window, Window)
    assert np.isnan(window.values).sum() == 3
    assert window.best == (1, 1)
    assert window.total < -1


def test_a_normalization_step_by_step() -> None:
    chain = arithmetic(_batch_norm(nn.BatchNorm2d(4)), torch.full((1, 4, 2, 2), 2.0), 3).at(1, 0)
    assert isinstance(chain, Chain)
    values = dict(chain.steps)
    assert values["x - mean"] == 1.75
    assert values["deviation of the channel"] == pytest.approx(2.0, abs=1e-5)
    assert chain.total == pytest.approx(1.5 * 1.75 / 2 - 0.5, abs=1e-5)


def test_a_softmax_by_hand() -> None:
    logits = torch.tensor([[math.log(1.0), math.log(2.0), math.log(5.0)]])
    shares = arithmetic(nn.Softmax(dim=1), logits, 1).at(0, 0)
    assert isinstance(shares, Shares)
    assert shares.order.tolist() == [2, 1, 0]
    assert shares.total == pytest.approx(0.25)
    assert shares.shares.sum() == pytest.approx(1.0)


def test_output_sizes() -> None:
    assert output_size(224, 7, 2, 3) == 112
    assert output_size(7, 3, 1, 0, 2) == 3
    assert output_size(7, 2, 2, 0, ceil=True) == 4
    assert output_size(2, 5, 1, 0) == 0
    assert padding_of(nn.Conv2d(1, 1, (2, 3), padding="same"), 0) == (0, 1)
    assert padding_of(nn.Conv2d(1, 1, 3, padding=(2, 1)), 1) == (1, 1)


def test_a_layer_whose_arithmetic_is_not_known_is_told() -> None:
    with pytest.raises(ExplorerError, match="arithmetic of a LSTM"):
        arithmetic(nn.LSTM(3, 3), torch.rand(1, 3), 0)
    with pytest.raises(ExplorerError, match="arithmetic of a Softmax"):
        arithmetic(nn.Softmax(dim=2), torch.rand(1, 3, 4, 4), 0)


# ---- random outputs of networks ------------------------------------------------------------------


def recorded(net: nn.Module, run: Callable[[], object]) -> dict[str, tuple[Tensor, Tensor]]:
    """Input and output of every layer whose arithmetic is known, of its first call."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    given: dict[str, Tensor] = {}
    handles = []
    for name, layer in net.named_modules():
        if type(layer).__name__ not in KINDS:
            continue

        def before(_m: nn.Module, args: Any, name: str = name) -> None:
            if args:
                given.setdefault(name, args[0].clone())

        def after(_m: nn.Module, _args: Any, out: Tensor, name: str = name) -> None:
            if name in given:
                found.setdefault(name, (given[name], out.clone()))

        handles.append(layer.register_forward_pre_hook(before))
        handles.append(layer.register_forward_hook(after))
    run()
    for handle in handles:
        handle.remove()
    return found


def _zoo(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: get_model(name, weights=None, **options)


NETWORKS: dict[str, tuple[Callable[[], Any], int]] = {
    "mobilenet_v3_small": (_zoo("mobilenet_v3_small"), 64),
    "squeezenet1_1": (_zoo("squeezenet1_1"), 64),
    "shufflenet_v2_x0_5": (_zoo("shufflenet_v2_x0_5"), 64),
    "efficientnet_lite0": (lambda: efficientnet_lite0(10), 64),
    "lite_fcn": (lambda: lite_fcn(5), 64),
    "tiny_faster_rcnn": (tiny_faster_rcnn, 64),
    "resnet18": (_zoo("resnet18"), 64),
    "googlenet": (_zoo("googlenet", init_weights=False), 64),
    "alexnet": (_zoo("alexnet"), 96),
    "vgg11_bn": (_zoo("vgg11_bn"), 64),
    "inception_v3": (_zoo("inception_v3", init_weights=False), 96),
    "resnet50": (_zoo("resnet50"), 64),
    "convnext_tiny": (_zoo("convnext_tiny"), 64),
    "efficientnet_b0": (_zoo("efficientnet_b0"), 64),
    "vit_b_16": (_zoo("vit_b_16"), 224),
    "fcn_resnet50": (_zoo("fcn_resnet50", weights_backbone=None), 64),
}
HEAVY = list(NETWORKS)[7:]


@torch.no_grad()
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in HEAVY else []) for n in NETWORKS],
)
def test_random_outputs_of_networks(name: str) -> None:
    make, side = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(2)
        net = make().eval()
    picture = inputs((1, 3, side, side), seed=5) / 3
    images = [picture[0].sigmoid()] if name == "tiny_faster_rcnn" else picture
    found = recorded(net, lambda: net(images))
    assert len(found) >= 5
    layers = dict(net.named_modules())
    random = np.random.default_rng(3)
    kinds: dict[str, list[str]] = {}
    for layer in found:
        kinds.setdefault(type(layers[layer]).__name__, []).append(layer)
    for names in kinds.values():  # some of each kind
        for layer in random.choice(names, min(4, len(names)), replace=False).tolist():
            x, out = (tensor[:1] for tensor in found[layer])
            assert_equals_the_layer(layers[layer], x, out, 3, 7, (side, side))
