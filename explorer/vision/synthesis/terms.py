"""Scalar terms of an objective on a picture or on the activations of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def total_variation(picture: Tensor, beta: float = 2.0) -> Tensor:
    """TV^beta: the sum over pixels of (dx^2 + dy^2)^(beta / 2), with forward differences.

    Differences across the right and the lower border are zero. Where a pixel equals both
    neighbors, its gradient is zero for every beta, so that beta < 2 gives no NaN.

    Args:
        picture: (n, c, h, w) floating point.
        beta: Exponent, greater than 0; 1 is the isotropic total variation.

    Returns:
        () of the dtype of `picture`.

    Raises:
        ValueError: `beta` is not greater than 0.

    Source: Mahendran and Vedaldi 2015, Understanding Deep Image Representations by Inverting Them.
    """
    if not beta > 0:
        raise ValueError(f"beta={beta} must be greater than 0")
    across = torch.nn.functional.pad(picture.diff(dim=-1), (0, 1))
    down = torch.nn.functional.pad(picture.diff(dim=-2), (0, 0, 0, 1))
    squares = across.square() + down.square()
    return squares[squares > 0].pow(beta / 2).sum()


def alpha_norm(picture: Tensor, alpha: float = 6.0) -> Tensor:
    """The sum of |x|^alpha over all values; () of the dtype of `picture`.

    Args:
        picture: Any shape, floating point, with its mean subtracted.
        alpha: Exponent; large values punish only values far from zero.

    Source: Mahendran and Vedaldi 2015.
    """
    return picture.abs().pow(alpha).sum()


def gram(activations: Tensor) -> Tensor:
    """Inner products of the channels, summed over positions and not normalized.

    Args:
        activations: (n, c, h, w) floating point.

    Returns:
        (n, c, c) of the same dtype.

    Source: Gatys, Ecker and Bethge 2016, Image Style Transfer Using Convolutional Neural Networks.
    """
    rows = activations.flatten(2)
    return rows @ rows.transpose(1, 2)


def style_loss(activations: Tensor, style: Tensor) -> Tensor:
    """Squared distance of two Gram matrices, each divided by its number of positions.

    With c channels it is sum (G / m - A / m')^2 / (4 c^2), the layer's term of Gatys et al. for
    m = m'. The two may differ in height and width.

    Args:
        activations: (n, c, h, w) floating point.
        style: (n, c, h', w') of the same dtype.

    Returns:
        ().
    """
    channels = activations.shape[1]
    own = gram(activations) / activations[0, 0].numel()
    other = gram(style) / style[0, 0].numel()
    return (own - other).square().sum() / (4 * channels**2)
