"""Colors for a gray photo: a distribution over the a, b plane of CIELAB at every fourth pixel.

Zhang et al. 2016, "Colorful Image Colorization": classification over bins instead of regression,
and a temperature between the mean (which errs least and looks gray) and the most probable color.
The body is that of the detectors, which was trained on photos in color.
"""

from __future__ import annotations

import torch
from torch import Tensor

from explorer.networks.embedded.lite import MEAN, STD, body_maps
from explorer.networks.embedded.segmentation.decoders import LiteUNet

TAPS = (1, 2, 4, 6)
"""The last stages of the body at strides 4, 8, 16 and 32."""

WIDTHS = (128, 96, 64, 64)
"""Channels of the decoder at strides 32, 16, 8 and 4."""

STEP, HALF = 12, 8
"""Distance of two bins in a and b, and how many there are on each side of gray."""

BINS = (2 * HALF + 1) ** 2


class Colorizer(LiteUNet):
    """From lightness to the probabilities of `BINS` colors."""

    taps = TAPS
    widths = WIDTHS

    def __init__(self) -> None:
        super().__init__(BINS)

    def forward(self, lightness: Tensor) -> Tensor:  # type: ignore[override]
        """(N, 1, H, W) L* of CIELAB, 0..100 -> (N, BINS, H/4, W/4) logits."""
        return self.scores(*body_maps(self.body, gray_input(lightness), self.taps))


def gray_input(lightness: Tensor) -> Tensor:
    """(N, 1, H, W) L* -> (N, 3, H, W) the gray of that lightness, normalized for the body."""
    # the inverse of CIE's lightness, then sRGB's curve
    y = (lightness + 16) / 116
    linear = torch.where(y > 6 / 29, y**3, 3 * (6 / 29) ** 2 * (y - 4 / 29))
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    gray = torch.where(linear <= 0.0031308, 12.92 * linear, curved)
    mean, std = (torch.tensor(v, device=gray.device).view(-1, 1, 1) for v in (MEAN, STD))
    return (gray - mean) / std


def bin_colors() -> Tensor:
    """(BINS, 2) float32 a, b of every bin, b fastest."""
    line = torch.arange(-HALF, HALF + 1, dtype=torch.float32) * STEP
    return torch.cartesian_prod(line, line)


def colors_of(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """(N, BINS, h, w) logits -> (N, 2, h, w) a, b: the mean at a temperature (1 = the mean).

    Zhang et al. 2016, equation 5 (annealed mean; .38 there).
    """
    weights = (logits.float() / temperature).softmax(dim=1)
    return torch.einsum("nbhw,bc->nchw", weights, bin_colors().to(logits.device))


def bin_shares(colors: Tensor) -> Tensor:
    """(N, 2, h, w) a, b -> (N, BINS, h, w): each between the four bins around it.

    The shares' mean color is the color itself (within the outermost bins).
    """
    line = torch.arange(-HALF, HALF + 1, device=colors.device, dtype=torch.float32)
    places = (colors / STEP).clamp(-HALF, HALF)
    near = (1 - (places[:, :, None] - line[:, None, None]).abs()).clamp_min(0)
    return (near[:, 0, :, None] * near[:, 1, None, :]).flatten(1, 2)
