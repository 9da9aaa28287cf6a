"""A pair that can grow: Karras et al. 2018, "Progressive Growing of GANs" (Section 2, Figure 2).

A level says how far the two have grown: 0 = the lowest resolution alone, 1 = the next one as well,
0.3 = the next one is being faded in and counts for three tenths. The generator is the style-based
one, whose skip outputs are what is faded in.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.generative.style_gan import SLOPE, batch_spread, enlarged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.networks.generative.style_gan import StyleGenerator


def grown_pictures(generator: StyleGenerator, styles: Sequence[Tensor], level: float) -> Tensor:
    """Pictures (N, 3, R, R) of a generator that has grown to `level`; R is that of the last one.

    Args:
        generator: Of a pair.
        styles: (N, size) for each of its resolutions.
        level: From 0 to the number of resolutions less 1.
    """
    last = math.ceil(level)
    picture, *others = generator.shares(styles[: last + 1])
    for number, share in enumerate(others, 1):
        picture = enlarged(picture) + min(1.0, level - number + 1) * share
    return picture


class GrowingDiscriminator(nn.Module):
    """A score per picture of any of its resolutions.

    The lower one of two resolutions has its way from colors to maps, too: while the higher one is
    faded in, both are mixed.

    Args:
        widths: Channels by resolution, from the lowest, which is 4 (each twice the one before).
    """

    def __init__(self, widths: dict[int, int]) -> None:
        super().__init__()
        self.resolutions = tuple(widths)
        channels = list(widths.values())
        self.from_rgb = nn.ModuleList(nn.Conv2d(3, width, 1) for width in channels)
        # steps[k] halves the side of maps of resolution k + 1
        self.steps = nn.ModuleList(
            nn.Conv2d(higher, lower, 4, 2, 1) for lower, higher in pairwise(channels)
        )
        self.last = nn.Conv2d(channels[0] + 1, channels[0], 3, padding=1)
        self.score = nn.Linear(channels[0] * self.resolutions[0] ** 2, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, SLOPE, nonlinearity="leaky_relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, pictures: Tensor, level: float | None = None) -> Tensor:
        """(N, 3, R, R), -1..1 -> (N,) scores; R is that of the last resolution of `level`.

        Args:
            pictures: Real or made.
            level: See the module; None = fully grown.
        """
        level = len(self.resolutions) - 1.0 if level is None else level
        last = math.ceil(level)
        maps = functional.leaky_relu(self.from_rgb[last](pictures), SLOPE)
        for number in range(last, 0, -1):
            maps = functional.leaky_relu(self.steps[number - 1](maps), SLOPE)
            if number == last and level < last:
                lower = functional.avg_pool2d(pictures, 2)
                before = functional.leaky_relu(self.from_rgb[last - 1](lower), SLOPE)
                maps = torch.lerp(before, maps, level - last + 1)
        maps = torch.cat([maps, batch_spread(maps)], dim=1)
        maps = functional.leaky_relu(self.last(maps), SLOPE)
        scores: Tensor = self.score(maps.flatten(1)).float()
        return scores[:, 0]
