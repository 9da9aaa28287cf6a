"""Relevance propagation: closed forms, conservation, merged normalizations, one channel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.core.errors import ExplorerError
from explorer.vision.attribution.lrp import lrp
from explorer.vision.attribution.targets import ClassTarget
from tests.toys import hook_count


def batch(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(*layers: nn.Module, seed: int = 0) -> nn.Sequential:
    """Random weights without biases, in eval mode and frozen."""
    net = nn.Sequential(*layers).eval().requires_grad_(requires_grad=False)
    for number, weight in enumerate(net.parameters()):
        weight.data = batch(*weight.shape, seed=seed + number)
    return net


def conv(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride, bias=False)


@pytest.mark.parametrize("rule", ["composite", "epsilon"])
def test_of_a_linear_layer_it_is_the_weight_times_the_input(rule) -> None:
    net, x = made(nn.Flatten(), nn.Linear(48, 3, bias=False)), batch(1, 3, 4, 4)
    found = lrp(ClassTarget(net, 2), x, rule=rule)
    expected = (net[1].weight[2].view(3, 4, 4) * x[0]).sum(0)
    torch.testing.assert_close(found.values, expected, rtol=1e-5, atol=1e-5)


def by_formula(net: nn.Sequential, x: Tensor, label: int, *, positive: bool) -> Tensor:
    """Relevance of every value of the input, layer after layer down a chain without biases.

    Independent of the program: with explicit matrices of every layer.
    """
    inputs, current = [], x
    for layer in net:
        inputs.append(current)
        current = layer(current.clone())
    relevance = torch.zeros_like(current)
    relevance[0, label] = current[0, label]
    for layer, a in zip(reversed(list(net)), reversed(inputs), strict=True):
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.AvgPool2d)):
            matrix = torch.autograd.functional.jacobian(layer, a).reshape(-1, a.numel())
            parts = matrix * a.flatten()
            if positive and isinstance(layer, nn.Conv2d):
                parts = parts.clamp(min=0)
            below = parts.sum(1, keepdim=True)
            shares = torch.where(below != 0, parts / below, 0.0)
            relevance = (shares * relevance.flatten()[:, None]).sum(0).view(a.shape)
        else:
            relevance = relevance.reshape(a.shape)
    return relevance


@pytest.mark.parametrize("rule", ["composite", "epsilon"])
@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.SiLU(), nn.ReLU6(), nn.Hardswish()]
)
def test_a_chain_of_convolutions_equals_the_formula(rule, activation: nn.Module) -> None:
    net = made(
        conv(3, 4), activation, nn.AvgPool2d(2), conv(4, 5, 2), activation, nn.Flatten(),
        nn.Linear(20, 3, bias=False), seed=3,
    )  # fmt: skip
    x = batch(1, 3, 8, 8, seed=5)
    found = lrp(ClassTarget(net, 1), x, rule=rule)
    expected = by_formula(net, x, 1, positive=rule == "composite")[0].sum(0)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found.values / scale, expected / scale, rtol=1e-3, atol=1e-4)
    if rule == "composite":
        assert float(found.values.sum()) == pytest.approx(found.score, rel=1e-3), "conserved"


def test_normalizations_are_merged_whatever_their_sign() -> None:
    plain = conv(3, 4)
    norm = nn.BatchNorm2d(4)
    net = made(plain, norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 2, bias=False), seed=1)
    norm.running_var = torch.tensor([0.5, 2.0, 1.0, 3.0])
    norm.running_mean, norm.bias.data = torch.zeros(4), torch.zeros(4)
    norm.weight.data = torch.tensor([1.0, -2.0, 0.5, -1.0])
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    merged = conv(3, 4)
    other = made(merged, nn.ReLU(), nn.Flatten(), nn.Linear(64, 2, bias=False))
    merged.weight.data = plain.weight * scale.view(-1, 1, 1, 1)
    other[3].weight.data = net[4].weight
    x = batch(1, 3, 6, 6)
    for rule in ("composite", "epsilon"):
        one, two = (lrp(ClassTarget(each, 0), x, rule=rule) for each in (net, other))
        torch.testing.assert_close(one.values, two.values, rtol=1e-4, atol=1e-4)


class Gated(nn.Module):
    """A branch is added, a gate from the mean of every channel is multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.side, self.gate = conv(3, 4), conv(4, 4, 1), conv(4, 4, 1)
        self.fc = nn.Linear(4, 3, bias=False)
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x), inplace=True)
        x = x + F.relu(self.side(x))
        x = x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        return self.fc(x.mean((2, 3)))


def test_sums_and_gates_conserve_the_relevance() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Gated()
    found = lrp(ClassTarget(net, 1), batch(1, 3, 8, 8))
    assert float(found.values.sum()) == pytest.approx(found.score, rel=1e-3)


def test_channels_add_up_to_the_whole() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Gated()
    x, target = batch(1, 3, 8, 8), ClassTarget(net, 1)
    whole = lrp(target, x).values
    parts = [lrp(target, x, through=("conv", k)).values for k in range(4)]
    torch.testing.assert_close(sum(parts), whole, rtol=1e-4, atol=1e-5)
    assert any(not torch.allclose(part, whole) for part in parts)
    with pytest.raises(ExplorerError, match="has 4 channels, and no 9"):
        lrp(target, x, through=("conv", 9))
    assert hook_count(net) == 0


def test_the_output_is_the_networks_own() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Gated()
    x = batch(1, 3, 8, 8)
    assert lrp(ClassTarget(net, 2), x).score == pytest.approx(float(net(x)[0, 2]), rel=1e-5)


def test_attention_is_refused_in_words() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(3, 1, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.flatten(2).transpose(1, 2)
            return self.attention(tokens, tokens, tokens)[0].mean(1)

    net = Attends().eval()
    with pytest.raises(ExplorerError, match="attention"):
        lrp(ClassTarget(net, 0), batch(1, 3, 4, 4))
