"""Gradient methods on networks whose answers can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.vision.attribution.gradients import (
    deconvnet,
    gradient,
    gradient_times_input,
    gradients,
    guided_backprop,
    integrated_gradients,
    smooth_grad,
)
from explorer.vision.attribution.targets import ClassTarget


def batch(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Linear(nn.Module):
    """Logit k is the sum of the input times the k-th of its weights, plus a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(batch(2, 3, 4, 5, seed=1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,kchw->nk", x, self.weight) + 0.5


def test_a_linear_network_in_closed_form() -> None:
    net, x = Linear().eval(), batch(1, 3, 4, 5)
    weight = net.weight[1]
    target = ClassTarget(net, 1)
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(gradient(target, x).values, weight.abs().amax(0), **close)
    torch.testing.assert_close(
        gradient_times_input(target, x).values, (weight * x[0]).sum(0), **close
    )
    *_, smooth = smooth_grad(
        target, x, samples=6, noise=0.2, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(smooth.values, weight.abs().amax(0), **close)
    baseline = batch(1, 3, 4, 5, seed=2)
    *partial, last = integrated_gradients(target, x, baseline, steps=9)
    torch.testing.assert_close(last.values, (weight * (x - baseline)[0]).sum(0), **close)
    assert abs(last.gap) < 1e-5
    for step in partial:  # what is known is scaled to the whole way
        torch.testing.assert_close(step.values, last.values, **close)
        assert step.gap is None
    assert last.score == pytest.approx(float((weight * x[0]).sum()) + 0.5, rel=1e-5)
    assert last.confidence == pytest.approx(float(net(x).softmax(1)[0, 1]), rel=1e-5)


def test_the_points_are_those_of_gauss_and_legendre() -> None:
    from explorer.vision.attribution.gradients import _legendre

    for count in (1, 2, 7, 24):
        points, weights = _legendre(count)
        x, w = np.polynomial.legendre.leggauss(count)
        np.testing.assert_allclose(points.numpy(), (x + 1) / 2, atol=1e-12)
        np.testing.assert_allclose(weights.numpy(), w / 2, atol=1e-12)


class Cubes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([(x**3).flatten(1).sum(1), -x.flatten(1).sum(1)], dim=1)


def test_integrated_gradients_of_cubes_are_the_cubes() -> None:
    x = batch(1, 1, 3, 3)
    *_, last = integrated_gradients(ClassTarget(Cubes(), 0), x, torch.zeros_like(x), steps=2)
    torch.testing.assert_close(last.values, x[0, 0] ** 3, rtol=1e-5, atol=1e-6)
    assert abs(last.gap) < 1e-5


def test_the_gap_is_what_the_sum_lacks() -> None:
    class Kink(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x.flatten(1).sum(1, keepdim=True) - 1).expand(-1, 2)

    x = torch.full((1, 1, 2, 2), 0.5)
    *_, last = integrated_gradients(ClassTarget(Kink(), 0), x, torch.zeros_like(x), steps=3)
    assert float(last.values.sum()) + last.gap == pytest.approx(1.0, abs=1e-6)
    assert abs(last.gap) > 0.01, "three points cannot see where the kink is"


# -- deconvnet and guided backpropagation ----------------------------------------------------------

ONE, TWO, TOP = batch(6, 12, seed=3), batch(5, 6, seed=4), batch(2, 5, seed=5)


class Mlp(nn.Module):
    """12 numbers, two hidden layers; `kind` says how the rectifiers are written."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.plain, self.again = nn.ReLU(), nn.ReLU(inplace=True)
        self.clipped = nn.ReLU6(inplace=True)

    def rectified(self, x: Tensor) -> Tensor:
        match self.kind:
            case "module":
                return self.plain(x)
            case "in place, used twice":
                return self.again(x)
            case "in place, the result not used":
                F.relu(x, inplace=True)
                return x
            case "function":
                return F.relu(x)
            case "method":
                return x.relu()
            case "tensor, in place":
                return x.relu_()
            case "relu6":
                return self.clipped(x)
            case _:
                return F.relu6(x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectified(x.flatten(1) @ ONE.T)
        return self.rectified(x @ TWO.T) @ TOP.T


KINDS = (
    "module", "in place, used twice", "in place, the result not used", "function", "method",
    "tensor, in place", "relu6", "relu6 function",
)  # fmt: skip


def by_hand(x: Tensor, method: str, high: float = torch.inf) -> Tensor:
    """(12,), from the output down: what each rule makes of the gradient at both rectifiers."""

    def back(gradient: Tensor, inputs: Tensor) -> Tensor:
        passes = ((inputs > 0) & (inputs < high)).float()
        match method:
            case "gradient":
                return gradient * passes
            case "deconvnet":
                return gradient.clamp(min=0)
            case _:
                return gradient.clamp(min=0) * passes

    first = ONE @ x.flatten()
    second = TWO @ first.clamp(0, high)
    return ONE.T @ back(TWO.T @ back(TOP[1], second), first)


@pytest.mark.parametrize("kind", KINDS)
def test_rectifiers_in_every_form(kind: str) -> None:
    x = batch(1, 3, 2, 2, seed=6) * 2
    high = 6.0 if "relu6" in kind else torch.inf
    net = Mlp(kind).eval()
    own = net(x)
    found = {}
    for name, method in (
        ("gradient", gradient), ("deconvnet", deconvnet), ("guided", guided_backprop),
    ):  # fmt: skip
        made = method(ClassTarget(net, 1), x)
        expected = by_hand(x, name, high).view(3, 2, 2).abs().amax(0)
        torch.testing.assert_close(made.values, expected, rtol=1e-5, atol=1e-5)
        assert made.score == pytest.approx(float(own[0, 1]), rel=1e-6)
        assert made.note == ""
        found[name] = made.values
    assert not torch.allclose(found["gradient"], found["guided"])
    assert not torch.allclose(found["deconvnet"], found["guided"])


def test_without_rectifiers_both_are_the_gradient_and_say_so() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.GELU(), nn.Hardtanh(), nn.Flatten(), nn.Linear(64, 3)
    )
    x = batch(1, 3, 6, 6)
    target = ClassTarget(net.eval().requires_grad_(requires_grad=False), 0)
    for method in (deconvnet, guided_backprop):
        made = method(target, x)
        torch.testing.assert_close(made.values, gradient(target, x).values)
        assert "no ReLU" in made.note


def test_max_pooling_puts_the_gradient_where_the_maximum_was() -> None:
    net = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())
    x = torch.tensor([[[[1.0, 3.0], [2.0, 0.5]]]])
    made = deconvnet(ClassTarget(net, 0), x)
    assert made.values.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_several_inputs_have_gradients_of_their_own() -> None:
    net, x = Mlp("function").eval(), batch(3, 3, 2, 2, seed=8)
    found, read = gradients(ClassTarget(net), x)
    assert read.label.tolist() == net(x).argmax(1).tolist()
    for one, own in zip(x, found, strict=True):
        torch.testing.assert_close(gradients(ClassTarget(net), one[None])[0][0], own)
