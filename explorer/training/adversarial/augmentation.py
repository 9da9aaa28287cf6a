"""Differentiable augmentation of real and made pictures alike.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training": the discriminator
never sees a picture as it is, so that it cannot learn a few thousand by heart, and the generator
is not pulled toward augmented ones as its gradient runs through the same operations.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SHIFT = 1 / 8
"""Largest translation, of the side."""

CUT = 7 / 16
"""Side of the square that is blanked, of the picture's."""


def augmented(pictures: Tensor, share: float = 1.0) -> Tensor:
    """(N, 3, H, W), -1..1, varied by torch's generator: colors, translation, a blank square.

    Args:
        pictures: Real or made.
        share: Of the pictures that are varied, on average; the others stay as they are.
    """
    if share <= 0:
        return pictures
    varied = _cut(_moved(_colored(pictures)))
    chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < share
    return torch.where(chosen, varied, pictures)


def _colored(pictures: Tensor) -> Tensor:
    brightness, saturation, contrast = torch.rand(
        3, len(pictures), 1, 1, 1, device=pictures.device
    ).to(pictures.dtype)
    pictures = pictures + (brightness - 0.5)
    gray = pictures.mean(dim=1, keepdim=True)
    pictures = (pictures - gray) * (2 * saturation) + gray
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    found: Tensor = (pictures - mean) * (contrast + 0.5) + mean
    return found


def _moved(pictures: Tensor) -> Tensor:
    """By whole pixels; what comes in is black, as the padding of a convolution is."""
    count, _, height, width = pictures.shape
    most = max(1, round(SHIFT * height))
    padded = functional.pad(pictures, (most,) * 4)
    offsets = torch.randint(0, 2 * most + 1, (2, count, 1), device=pictures.device)
    rows = offsets[0] + torch.arange(height, device=pictures.device)
    columns = offsets[1] + torch.arange(width, device=pictures.device)
    number = torch.arange(count, device=pictures.device)
    moved = padded.permute(0, 2, 3, 1)[number[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _cut(pictures: Tensor) -> Tensor:
    count, _, height, width = pictures.shape
    side = round(CUT * height)
    middle = torch.rand(2, count, 1, device=pictures.device)
    rows = (torch.arange(height, device=pictures.device) - middle[0] * height).abs() < side / 2
    columns = (torch.arange(width, device=pictures.device) - middle[1] * width).abs() < side / 2
    blank = rows[:, None, :, None] & columns[:, None, None, :]
    return pictures.masked_fill(blank, 0.0)
