"""Clipping equals PyTorch's own."""

import pytest
import torch

from explorer.vision.statistics.clipping import by_norm, by_value, total_norm

GRADIENTS = {
    name: torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    for seed, (name, shape) in enumerate({"a": (3, 4), "b": (5,)}.items())
}


def parameters() -> list[torch.nn.Parameter]:
    found = []
    for gradient in GRADIENTS.values():
        parameter = torch.nn.Parameter(torch.zeros_like(gradient))
        parameter.grad = gradient.clone()
        found.append(parameter)
    return found


@pytest.mark.parametrize("limit", [0.1, 1.0, 100.0])
def test_like_pytorch(limit: float) -> None:
    by_hand = parameters()
    torch.nn.utils.clip_grad_value_(by_hand, limit)
    clipped = by_value(GRADIENTS, limit)
    for (name, _), parameter in zip(GRADIENTS.items(), by_hand, strict=True):
        assert parameter.grad is not None
        assert clipped.layers[name] == pytest.approx(parameter.grad.norm().item(), rel=1e-5)
    by_hand = parameters()
    norm = torch.nn.utils.clip_grad_norm_(by_hand, limit)
    assert total_norm(GRADIENTS) == pytest.approx(norm.item(), rel=1e-5)
    clipped = by_norm(GRADIENTS, limit)
    for (name, _), parameter in zip(GRADIENTS.items(), by_hand, strict=True):
        assert parameter.grad is not None
        assert clipped.layers[name] == pytest.approx(parameter.grad.norm().item(), rel=1e-4)


def test_only_clipping_by_value_turns_the_step() -> None:
    value, norm = by_value(GRADIENTS, 0.5), by_norm(GRADIENTS, 0.5)
    assert value.cosine < 0.99
    assert norm.cosine == pytest.approx(1.0)
    assert norm.norm == pytest.approx(0.5)
    assert 0 < value.changed < 1
    assert norm.changed == 1.0


def test_a_small_gradient_is_left_alone() -> None:
    for clipped in (by_value(GRADIENTS, 1e3), by_norm(GRADIENTS, 1e3)):
        assert clipped.changed == 0
        assert clipped.norm == pytest.approx(total_norm(GRADIENTS))
    assert by_norm({"a": torch.zeros(3)}, 1.0).cosine == 1.0
