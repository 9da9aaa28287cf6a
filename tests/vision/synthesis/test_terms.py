"""The terms equal hand-computed values, their gradients finite differences."""

from __future__ import annotations

import pytest
import torch

from explorer.vision.synthesis.terms import alpha_norm, gram, style_loss, total_variation


def test_total_variation_by_hand() -> None:
    picture = torch.tensor([[[[0.0, 3.0], [4.0, 4.0]]]])
    # Differences (right, down): (3, 4), (0, 1), (0, 0), (0, 0).
    assert total_variation(picture, 2.0).item() == pytest.approx(26.0)
    assert total_variation(picture, 1.0).item() == pytest.approx(6.0)


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_the_gradient_of_total_variation_equals_finite_differences(beta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 2, 4, 5, generator=generator, dtype=torch.float64)
    picture.requires_grad_()
    (gradient,) = torch.autograd.grad(total_variation(picture, beta), picture)
    flat, delta = picture.detach().flatten(), 1e-6
    for index in range(flat.numel()):
        move = torch.zeros_like(flat)
        move[index] = delta
        above, below = ((flat + sign * move).view(picture.shape) for sign in (1, -1))
        slope = (total_variation(above, beta) - total_variation(below, beta)) / (2 * delta)
        assert gradient.flatten()[index].item() == pytest.approx(slope.item(), abs=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_a_flat_picture_has_no_gradient(beta: float) -> None:
    picture = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(total_variation(picture, beta), picture)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_total_variation_of_one_pixel_and_a_bad_exponent() -> None:
    assert total_variation(torch.ones(1, 3, 1, 1)).item() == 0.0
    with pytest.raises(ValueError, match="beta=0"):
        total_variation(torch.ones(1, 3, 2, 2), 0)


def test_alpha_norm_by_hand() -> None:
    assert alpha_norm(torch.tensor([1.0, -2.0, 0.0]), 3.0).item() == pytest.approx(9.0)


def test_gram_and_style_loss_by_hand() -> None:
    own = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])
    style = torch.tensor([[[[2.0]], [[1.0]]]])
    assert gram(own).tolist() == [[[5.0, 3.0], [3.0, 9.0]]]
    # [[2.5, 1.5], [1.5, 4.5]] - [[4, 2], [2, 1]]: 2.25 + 0.25 + 0.25 + 12.25 = 15, over 16.
    assert style_loss(own, style).item() == pytest.approx(15 / 16)
    assert style_loss(own, own).item() == 0.0
