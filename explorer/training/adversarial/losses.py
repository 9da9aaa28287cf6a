"""The losses of a generator and its discriminator, from the discriminator's scores.

A score is a logit: sigmoid(score) is the discriminator's probability that a picture is real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["minimax", "non-saturating", "hinge", "wasserstein", "least squares"]
"""Goodfellow et al. 2014 (equation 1, and the other loss of the generator in Section 3), Lim and Ye
2017, Arjovsky et al. 2017, Mao et al. 2017."""

KINDS: tuple[Kind, ...] = get_args(Kind)


def discriminator_loss(real: Tensor, made: Tensor, kind: Kind) -> Tensor:
    """What the discriminator minimizes: the mean over (N,) scores of real and of made pictures."""
    if kind == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()
    if kind == "wasserstein":
        return made.mean() - real.mean()
    if kind == "least squares":
        return (real - 1).square().mean() + made.square().mean()
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def generator_loss(made: Tensor, kind: Kind) -> Tensor:
    """What the generator minimizes: the mean over (N,) scores of the pictures that it made.

    "minimax" is log(1 - D(G(z))) as printed in the paper's equation 1: nearly flat where the
    discriminator is sure that a picture is made.
    """
    if kind == "minimax":
        return -functional.softplus(made).mean()
    if kind in ("hinge", "wasserstein"):
        return -made.mean()
    if kind == "least squares":
        return (made - 1).square().mean()
    return functional.softplus(-made).mean()


def real_gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """R1: the squared size of the scores' gradient at real pictures, mean over (N, ...).

    Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?", equation 9
    (without gamma / 2). In float32 whatever the caller's autocast: its second derivative is needed.
    """
    with torch.autocast(real.device.type, enabled=False):
        pictures = real.float().detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(pictures).sum(), pictures, create_graph=True)
    size: Tensor = gradient.square().flatten(1).sum(dim=1).mean()
    return size


def interpolated_gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, made: Tensor, share: Tensor
) -> Tensor:
    """WGAN-GP: how far the gradient's size is from 1 between real and made pictures, squared.

    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation 3 (without lambda).

    Args:
        score: The discriminator.
        real: (N, ...).
        made: (N, ...).
        share: (N,) of the real one, in [0, 1].
    """
    with torch.autocast(real.device.type, enabled=False):
        weight = share.reshape(-1, *[1] * (real.ndim - 1))
        pictures = (weight * real + (1 - weight) * made).float().detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(pictures).sum(), pictures, create_graph=True)
    off: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return off
