"""Distributions and gradients of networks that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.vision.statistics.layers import (
    Distribution,
    flow,
    initialize,
    loss_of_class,
    reinitialized,
    shares,
)
from tests.toys import ToyConvNet, hook_count

PICTURE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Straight(nn.Module):
    """2 x, an in-place ReLU, then 3 x; the gradient of the sum is 3 behind the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Linear(1, 1, bias=False)
        self.first.weight.data.fill_(2.0)
        self.last.weight.data.fill_(3.0)
        self.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.relu(self.first(x)))


def test_values_and_gradients_by_hand() -> None:
    module, x = Straight().eval(), torch.tensor([[1.0], [-1.0], [0.5]])
    layers, gradients = flow(module, lambda: module(x), lambda out: out.sum())
    assert [layer.name for layer in layers] == ["first", "last"]
    first, last = layers
    assert first.activation.values.tolist() == [2.0, -2.0, 1.0], "before the in-place ReLU"
    assert first.gradient is not None
    assert first.gradient.values.tolist() == [3.0, 0.0, 3.0], "0 where the ReLU is off"
    assert last.gradient is not None
    assert last.gradient.values.tolist() == [1.0, 1.0, 1.0]
    assert gradients["first.weight"].item() == pytest.approx(3.0 * (1.0 + 0.5))
    assert gradients["last.weight"].item() == pytest.approx(2.0 + 1.0)
    assert first.weights == pytest.approx(4.5)


def test_the_network_is_left_as_it_was() -> None:
    module = ToyConvNet().eval().requires_grad_(requires_grad=False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        flow(module, lambda: module(PICTURE), lambda out: loss_of_class(out, None))
        assert not torch.is_grad_enabled()
    assert hook_count(module) == 0
    assert not any(weight.requires_grad for weight in module.parameters())
    assert all(weight.grad is None for weight in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_without_a_loss_there_are_no_gradients() -> None:
    module = ToyConvNet().eval()
    layers, gradients = flow(module, lambda: module(PICTURE), None)
    assert [layer.gradient for layer in layers] == [None] * 3
    assert gradients == {}
    expected = module.conv1(PICTURE)
    assert layers[0].activation.mean == pytest.approx(expected.mean().item())
    assert layers[0].activation.std == pytest.approx(expected.std(correction=0).item())


def test_the_loss_is_the_cross_entropy_of_the_class() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    expected = -torch.log_softmax(logits, 1)[0]
    assert loss_of_class(logits, 0) == pytest.approx(expected[0].item())
    assert loss_of_class(logits, None) == pytest.approx(expected[1].item())
    assert loss_of_class(logits, 99) == pytest.approx(expected[2].item())
    boxes = [{"boxes": torch.full((2, 4), 3.0), "labels": torch.ones(2, dtype=torch.int64)}]
    assert loss_of_class(boxes, None) == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("how", "std"),
    [
        ("He", (2 / 72) ** 0.5), ("Glorot", (2 / (72 + 36)) ** 0.5),
        ("too small", (2 / 72) ** 0.5 / 2), ("too large", (2 / 72) ** 0.5 * 2),
    ],
)  # fmt: skip
def test_initializations(how: str, std: float) -> None:
    weight = torch.empty(400, 8, 3, 3)[:4]
    weight = torch.empty(4, 8, 3, 3)
    drawn = []
    for seed in range(40):
        initialize(weight, how, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
        drawn.append(weight.clone())
    assert torch.stack(drawn).std().item() == pytest.approx(std, rel=0.03)


def test_a_reinitialized_copy_leaves_the_network_alone() -> None:
    module = ToyConvNet()
    before = module.conv2.weight.clone()
    fresh = reinitialized(module, "He", torch.Generator().manual_seed(1))
    again = reinitialized(module, "He", torch.Generator().manual_seed(1))
    assert torch.equal(module.conv2.weight, before)
    assert not torch.equal(fresh.get_submodule("conv2").weight, before)
    assert torch.equal(fresh.get_submodule("conv2").weight, again.get_submodule("conv2").weight)


def test_shares_are_fractions_of_all_values() -> None:
    values = Distribution.of(torch.tensor([0.5, 1.5, 1.6, -9.0]))
    edges = np.array([0.0, 1.0, 2.0])
    found = shares([values, None], edges, log=False)
    assert found[:, 0].tolist() == [0.5, 0.5], "what lies outside is in the last bin"
    assert np.isnan(found[:, 1]).all()
    powers = shares([Distribution.of(torch.tensor([0.0, 0.1, -10.0, 10.0]))],
                    np.array([-2.0, 0.0, 2.0]), log=True)  # fmt: skip
    assert powers[:, 0].tolist() == [0.25, 0.5], "a zero is in none"
