"""Residual connections are found in networks of all kinds, and only they."""

from __future__ import annotations

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

from explorer.vision.statistics.residual import (
    residuals_of,
    without_branch,
    without_shortcuts,
)
from tests.toys import hook_count

X = torch.tensor([[1.0, 2.0], [3.0, -4.0]])


class Doubled(nn.Module):
    """x + 3 x, written in the ways that are usual."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.branch = nn.Linear(2, 2, bias=False)
        self.branch.weight.data = 3 * torch.eye(2)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch(x)
        match self.way:
            case "x + y":
                return x + y
            case "y += x":
                y += x
                return y
            case "torch.add":
                return torch.add(y, x)
            case _:
                return y.add_(x)


@pytest.mark.parametrize("way", ["x + y", "y += x", "torch.add", "y.add_(x)"])
def test_sizes_and_answers_by_hand(way: str) -> None:
    module = nn.Sequential(Doubled(way), Doubled(way))

    def run() -> Tensor:
        out: Tensor = module(X)
        return out

    first, second = residuals_of(module, run)
    assert (first.path, second.path) == ("0", "1")
    assert first.x == pytest.approx(X.norm().item())
    assert first.ratio == pytest.approx(3.0)
    assert first.cosine == pytest.approx(1.0)
    assert second.x == pytest.approx(4 * X.norm().item())
    assert torch.equal(without_branch(module, run, 0), 4 * X)
    assert torch.equal(without_branch(module, run, 1), 4 * X)
    assert torch.equal(without_branch(module, run, 9), 16 * X)
    assert torch.equal(without_shortcuts(module, run), 9 * X)
    assert torch.equal(run(), 16 * X)
    assert hook_count(module) == 0


def test_gradients_without_shortcuts_are_those_of_a_plain_network() -> None:
    module = nn.Sequential(Doubled("x + y"), Doubled("y += x"))
    x = X.clone().requires_grad_()
    without_shortcuts(module, lambda: module(x)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full_like(X, 9.0))


class Projected(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Linear(2, 3), nn.Linear(3, 3)
        self.downsample = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x)) + self.downsample(x)


def test_a_projection_is_the_shortcut() -> None:
    module = Projected()
    (found,) = residuals_of(module, lambda: module(X))
    assert found.x == pytest.approx(module.downsample(X).norm().item(), rel=1e-5)
    assert torch.equal(without_branch(module, lambda: module(X), 0), module.downsample(X))


def test_other_sums_are_no_residual_connections() -> None:
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) + self.b(x) + 1.0 + torch.ones(2, 2)

    module = Pyramid()
    assert residuals_of(module, lambda: module(X)) == []


def test_nothing_is_left_after_a_failure() -> None:
    module = nn.Sequential(Doubled("x + y"), nn.Linear(5, 5))
    with pytest.raises(RuntimeError):
        residuals_of(module, lambda: module(X))
    assert hook_count(module) == 0
    assert torch.equal(X + X, 2 * X)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet18", 8),
        ("mobilenet_v2", 10),
        ("alexnet", 0),
        pytest.param("resnet50", 16, marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", 9, marks=pytest.mark.slow),
        pytest.param("convnext_tiny", 18, marks=pytest.mark.slow),
        pytest.param("vit_b_16", 24, marks=pytest.mark.slow),
        pytest.param("swin_t", 24, marks=pytest.mark.slow),
        pytest.param("densenet121", 0, marks=pytest.mark.slow),
    ],
)
def test_torchvision(name: str, count: int) -> None:
    module = tv.get_model(name, weights=None).eval()
    side = 224 if name.startswith("vit") else 64
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = residuals_of(module, lambda: module(picture))
        assert len(found) == count
        assert all(each.ratio > 0 for each in found)
        again = without_branch(module, lambda: module(picture), count)
        assert torch.equal(again, module(picture))
