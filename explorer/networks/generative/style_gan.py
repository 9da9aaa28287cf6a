"""A style-based generator with skip outputs, and the discriminator that judges its pictures.

Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks", and
2020, "Analyzing and Improving the Image Quality of StyleGAN" (weight demodulation, Section 2.2;
skip outputs, Section 4.1). Unlike there no noise is added: a latent always makes the same picture.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

LATENT = 128
"""Numbers of a latent and of a style."""

WIDTHS = {4: 192, 8: 160, 16: 128, 32: 64, 64: 32}
"""Channels of the generator by resolution."""

SLOPE = 0.2
"""Of the leaky ReLU below zero."""

_GAIN = math.sqrt(2 / (1 + SLOPE**2))


class Mapping(nn.Module):
    """From latents, whatever their length, to styles: fully connected layers.

    Args:
        size: Numbers of a latent and of a style.
        layers: How many.
    """

    def __init__(self, size: int = LATENT, layers: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(size, size) for _ in range(layers))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=_GAIN / math.sqrt(size))
            nn.init.zeros_(layer.bias)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, size) -> (N, size)."""
        styles = latents * (latents.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            styles = functional.leaky_relu(layer(styles), SLOPE)
        return styles


class StyledConv(nn.Module):
    """A convolution whose input channels are scaled by a style and whose output has unit variance.

    Scaling the filters of each picture (as the paper writes it) and scaling its maps before and
    after one shared convolution are the same; the second is one convolution for the whole batch.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        size: Numbers of a style.
        kernel: Side of the filters.
        demodulate: Divide by the size that the scaled filters give the output.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int = LATENT, *, kernel: int = 3,
        demodulate: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(outputs, inputs, kernel, kernel) / (kernel * math.sqrt(inputs))
        )
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.style = nn.Linear(size, inputs)
        nn.init.normal_(self.style.weight, std=1 / math.sqrt(size))
        nn.init.ones_(self.style.bias)
        self.demodulate = demodulate

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, size) -> (N, outputs, H, W)."""
        scales = self.style(styles).float()
        padding = self.weight.shape[-1] // 2
        found = functional.conv2d(
            maps * scales[:, :, None, None].to(maps.dtype), self.weight, padding=padding
        )
        if self.demodulate:
            power = self.weight.float().square().sum(dim=(2, 3))
            norm = (scales.square() @ power.T + 1e-8).rsqrt()
            found = found * norm[:, :, None, None].to(found.dtype)
        return found + self.bias[:, None, None].to(found.dtype)


class Level(nn.Module):
    """One resolution: two styled convolutions (one at the lowest) and its share of the picture."""

    def __init__(self, inputs: int, outputs: int, size: int, *, first: bool) -> None:
        super().__init__()
        self.conv1 = None if first else StyledConv(inputs, outputs, size)
        self.conv2 = StyledConv(outputs, outputs, size)
        self.to_rgb = StyledConv(outputs, 3, size, kernel=1, demodulate=False)
        nn.init.normal_(self.to_rgb.weight, std=0.3 / math.sqrt(outputs))

    def forward(self, maps: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, C, H, W) and the picture's share (N, 3, H, W)."""
        if self.conv1 is not None:
            maps = functional.interpolate(
                maps, scale_factor=2, mode="bilinear", align_corners=False
            )
            maps = functional.leaky_relu(self.conv1(maps, styles), SLOPE) * _GAIN
        maps = functional.leaky_relu(self.conv2(maps, styles), SLOPE) * _GAIN
        return maps, self.to_rgb(maps, styles)


class StyleGenerator(nn.Module):
    """Pictures of 64 x 64 pixels out of latents.

    Args:
        widths: Channels by resolution, from the lowest (each twice the one before).
        size: Numbers of a latent and of a style.
        layers: Of the mapping network.
    """

    def __init__(
        self, widths: dict[int, int] | None = None, *, size: int = LATENT, layers: int = 3
    ) -> None:
        super().__init__()
        widths = WIDTHS if widths is None else widths
        self.resolutions = tuple(widths)
        self.size = size
        self.mapping = Mapping(size, layers)
        lowest = self.resolutions[0]
        self.constant = nn.Parameter(torch.randn(1, widths[lowest], lowest, lowest))
        before = [widths[lowest], *widths.values()]
        self.levels = nn.ModuleList(
            Level(inputs, outputs, size, first=number == 0)
            for number, (inputs, outputs) in enumerate(zip(before, widths.values(), strict=False))
        )
        self.register_buffer("mean_style", torch.zeros(size))

    def forward(self, latents: Tensor) -> Tensor:
        """(N, size) normal random numbers -> (N, 3, 64, 64) RGB, -1..1 (a little beyond)."""
        return self.synthesize([self.mapping(latents)] * len(self.levels))

    def synthesize(self, styles: Sequence[Tensor]) -> Tensor:
        """The picture of a style (N, size) for each resolution, from the lowest."""
        picture, *others = self.shares(styles)
        for share in others:
            picture = enlarged(picture) + share
        return picture

    def shares(self, styles: Sequence[Tensor]) -> list[Tensor]:
        """What each resolution adds, (N, 3, R, R); enlarged and summed they are the picture.

        With fewer styles than resolutions: of the lowest ones alone.
        """
        maps = self.constant.expand(len(styles[0]), -1, -1, -1)
        found = []
        for level, style in zip(self.levels, styles, strict=False):
            maps, share = level(maps, style)
            found.append(share)
        return found

    def truncated(self, styles: Tensor, truncation: float) -> Tensor:
        """Styles (N, size) moved toward their mean; 1 = as they are (Karras 2019, Section B)."""
        assert isinstance(self.mean_style, Tensor)
        return self.mean_style + truncation * (styles - self.mean_style)


def enlarged(picture: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2 H, 2 W)."""
    return functional.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)


class Discriminator(nn.Module):
    """A score per picture, above zero for real ones: Radford et al. 2016, without normalization.

    The last maps get one more channel, the mean standard deviation over groups of four pictures
    (Karras et al. 2018, "Progressive Growing of GANs", Section 3): a batch of equal pictures shows.

    Args:
        widths: Channels at 64, 32, 16, 8 and 4 pixels.
    """

    def __init__(self, widths: Sequence[int] = (24, 48, 96, 192, 256)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.steps = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, 2, 1) for inputs, outputs in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.score = nn.Linear(widths[-1] * 16, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, SLOPE, nonlinearity="leaky_relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, 64, 64) RGB, -1..1 -> (N,) scores."""
        maps = functional.leaky_relu(self.stem(pictures), SLOPE)
        for step in self.steps:
            maps = functional.leaky_relu(step(maps), SLOPE)
        maps = torch.cat([maps, batch_spread(maps)], dim=1)
        maps = functional.leaky_relu(self.last(maps), SLOPE)
        scores: Tensor = self.score(maps.flatten(1)).float()
        return scores[:, 0]


def batch_spread(maps: Tensor, group: int = 4) -> Tensor:
    """(N, C, H, W) -> (N, 1, H, W): the mean standard deviation of each picture's group."""
    count, _, height, width = maps.shape
    group = min(group, count)
    if count % group:
        group = 1
    apart = maps.float().reshape(group, -1, *maps.shape[1:])
    spread = (apart.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return spread.repeat(group)[:, None, None, None].expand(-1, 1, height, width).to(maps.dtype)
