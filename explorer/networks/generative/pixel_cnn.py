"""A picture pixel by pixel: each one's distribution from those above it and to its left.

Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders" (two stacks, without a blind
spot), with the mixture of logistics of Salimans et al. 2017, "PixelCNN++" (Section 2), without its
down-sampling: three values of a pixel at once, green and blue shifted by those before.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.generative.autoencoder import level_bits

SIDE = 32
"""Of a picture in pixels."""

MIXTURE = 8
"""Logistic distributions of a pixel."""


class PixelNetwork(nn.Module):
    """Gated residual layers of two stacks.

    Args:
        width: Channels of each stack.
        layers: How many.
    """

    def __init__(self, width: int = 36, layers: int = 7) -> None:
        super().__init__()
        self.above = nn.Conv2d(4, width, (2, 3))
        self.row_above = nn.Conv2d(4, width, (1, 3))
        self.left = nn.Conv2d(4, width, (2, 1))
        self.vertical = nn.ModuleList(_Gated(width, (2, 3)) for _ in range(layers))
        self.horizontal = nn.ModuleList(_Gated(width, (2, 2), beside=True) for _ in range(layers))
        self.out = nn.Conv2d(width, 10 * MIXTURE, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W), -1..1 -> (N, 10 MIXTURE, H, W) parameters of every pixel's mixture.

        Those of a pixel depend on the pixels above its row and left of it in its row alone.
        """
        # the fourth channel tells the picture from the padding around it
        known = torch.cat([pictures, torch.ones_like(pictures[:, :1])], dim=1)
        up = _down(self.above(functional.pad(known, (1, 1, 1, 0))))
        beside = _down(self.row_above(functional.pad(known, (1, 1, 0, 0))))
        beside = beside + _right(self.left(functional.pad(known, (0, 0, 1, 0))))
        for vertical, horizontal in zip(self.vertical, self.horizontal, strict=True):
            up = vertical(up)
            beside = horizontal(beside, up)
        found: Tensor = self.out(functional.elu(beside)).float()
        return found


class _Gated(nn.Module):
    """Two causal convolutions, the second's output halved by a gate; beside an identity."""

    def __init__(self, width: int, kernel: tuple[int, int], *, beside: bool = False) -> None:
        super().__init__()
        tall, wide = kernel
        sides = (wide // 2, wide // 2) if wide % 2 else (wide - 1, 0)
        self.padding = (*sides, tall - 1, 0)
        self.conv1 = nn.Conv2d(2 * width, width, kernel)
        self.conv2 = nn.Conv2d(2 * width, 2 * width, kernel)
        self.link = nn.Conv2d(2 * width, width, 1) if beside else None
        nn.init.normal_(self.conv2.weight, std=0.3 / math.sqrt(2 * width * tall * wide))

    def forward(self, maps: Tensor, other: Tensor | None = None) -> Tensor:
        inner = self.conv1(functional.pad(_two_signs(maps), self.padding))
        if self.link is not None and other is not None:
            inner = inner + self.link(_two_signs(other))
        inner = self.conv2(functional.pad(_two_signs(inner), self.padding))
        values, gate = inner.chunk(2, dim=1)
        found: Tensor = maps + values * gate.sigmoid()
        return found


def _two_signs(maps: Tensor) -> Tensor:
    return functional.elu(torch.cat([maps, -maps], dim=1))


def _down(maps: Tensor) -> Tensor:
    return functional.pad(maps, (0, 0, 1, -1))


def _right(maps: Tensor) -> Tensor:
    return functional.pad(maps, (1, -1, 0, 0))


def _mixture(found: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (N, M, H, W), means and log scales (N, M, 3, H, W) given the pixels' own values."""
    logits, rest = found[:, :MIXTURE], found[:, MIXTURE:]
    parts = rest.reshape(len(rest), 3, MIXTURE, 3, *rest.shape[2:])
    means, scales, links = parts.unbind(1)
    links = links.tanh()
    red, green = pictures[:, None, 0], pictures[:, None, 1]
    means = torch.stack(
        [
            means[:, :, 0],
            means[:, :, 1] + links[:, :, 0] * red,
            means[:, :, 2] + links[:, :, 1] * red + links[:, :, 2] * green,
        ],
        dim=2,
    )
    return logits, means, scales.clamp_min(-7)


def pixel_bits(found: Tensor, pictures: Tensor) -> Tensor:
    """(N, H, W): bits of every pixel (its three values) of pictures with 256 levels in -1..1."""
    logits, means, scales = _mixture(found, pictures)
    nats = -math.log(2) * level_bits(pictures[:, None], means, scales).sum(dim=2)
    total = (nats + logits.log_softmax(dim=1)).logsumexp(dim=1)
    return -total / math.log(2)


def drawn_pixels(found: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
    """(N, 10 MIXTURE) parameters of one pixel each -> (N, 3) values, -1..1, in 256 levels.

    Args:
        found: Of the pixels.
        generator: Draws.
        temperature: Of the choice of the distribution and of its scale; below 1 = calmer.
    """
    spread = found[..., None, None]
    noise = torch.rand(len(found), MIXTURE, generator=generator).clamp(1e-5, 1 - 1e-5)
    gumbel = -(-noise.log()).log()
    chosen = (found[:, :MIXTURE].cpu() / temperature + gumbel).argmax(dim=1)
    uniform = torch.rand(len(found), 3, generator=generator).clamp(1e-5, 1 - 1e-5)
    offset = temperature * (uniform.log() - (1 - uniform).log())
    values = torch.zeros(len(found), 3, 1, 1)
    for channel in range(3):  # green depends on the red that was drawn, blue on both
        _, means, scales = _mixture(spread.cpu(), values)
        rows = torch.arange(len(found))
        mean, scale = (each[rows, chosen, channel, 0, 0] for each in (means, scales))
        drawn = (mean + scale.exp() * offset[:, channel]).clamp(-1, 1)
        values[:, channel, 0, 0] = ((drawn + 1) * 127.5).round() / 127.5 - 1
    return values[:, :, 0, 0]
