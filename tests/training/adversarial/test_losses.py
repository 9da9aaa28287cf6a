"""Every loss against its formula by hand."""

import math

import pytest
import torch

from explorer.training.adversarial.losses import (
    discriminator_loss,
    generator_loss,
    interpolated_gradient_penalty,
    real_gradient_penalty,
)

REAL, MADE = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 0.5])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(values):
    return sum(values) / len(values)


PRINTED = -mean([math.log(sigmoid(x)) for x in (0.0, 2.0)]) - mean(
    [math.log(1 - sigmoid(x)) for x in (-1.0, 0.5)]
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("minimax", PRINTED),
        ("non-saturating", PRINTED),
        ("hinge", mean([1.0, 0.0]) + mean([0.0, 1.5])),
        ("wasserstein", mean([-1.0, 0.5]) - mean([0.0, 2.0])),
        ("least squares", mean([1.0, 1.0]) + mean([1.0, 0.25])),
    ],
)
def test_discriminator(kind, expected):
    assert float(discriminator_loss(REAL, MADE, kind)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("minimax", mean([math.log(1 - sigmoid(x)) for x in (-1.0, 0.5)])),
        ("non-saturating", -mean([math.log(sigmoid(x)) for x in (-1.0, 0.5)])),
        ("hinge", 0.25),
        ("wasserstein", 0.25),
        ("least squares", mean([4.0, 0.25])),
    ],
)
def test_generator(kind, expected):
    assert float(generator_loss(MADE, kind)) == pytest.approx(expected, rel=1e-6)


def test_the_printed_loss_is_flat_where_the_discriminator_is_sure():
    slopes = {}
    for kind in ("minimax", "non-saturating"):
        score = torch.tensor([-6.0], requires_grad=True)
        generator_loss(score, kind).backward()
        slopes[kind] = abs(float(score.grad))
    assert slopes["minimax"] == pytest.approx(sigmoid(-6), rel=1e-4)
    assert slopes["non-saturating"] == pytest.approx(1 - sigmoid(-6), rel=1e-4)


def test_the_penalty_at_real_pictures_is_the_gradients_square():
    weight = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    pictures = torch.randn(4, 3)
    penalty = real_gradient_penalty(lambda x: x @ weight, pictures)
    assert float(penalty.detach()) == pytest.approx(14.0)
    penalty.backward()
    torch.testing.assert_close(weight.grad, 2 * weight.detach())


def test_the_penalty_between_pictures_wants_a_gradient_of_one():
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    share = torch.tensor([0.0, 0.5, 1.0])
    penalty = interpolated_gradient_penalty(
        lambda x: x @ weight, torch.ones(3, 2), torch.zeros(3, 2), share
    )
    assert float(penalty.detach()) == pytest.approx(16.0)


def test_the_penalty_is_taken_between_the_two():
    seen = []

    def score(x):
        seen.append(x.detach().clone())
        return (x**2).sum(dim=1)

    share = torch.tensor([0.25, 1.0])
    interpolated_gradient_penalty(score, torch.full((2, 1), 4.0), torch.zeros(2, 1), share)
    torch.testing.assert_close(seen[0], torch.tensor([[1.0], [4.0]]))
