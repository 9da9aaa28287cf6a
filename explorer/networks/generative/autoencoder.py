"""A variational autoencoder of faces: Kingma & Welling 2014, "Auto-Encoding Variational Bayes".

The decoder says for each value of a pixel where a logistic distribution lies and how wide it is,
so that the bound on the likelihood is one of the 256 levels themselves (Kingma et al. 2016,
"Improving Variational Inference with Inverse Autoregressive Flow", Section 5) and can stand beside
that of an autoregressive network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 64
"""Of a picture in pixels."""

LATENT = 96
"""Numbers of a latent."""

WIDTHS = (32, 64, 96, 160)
"""Channels at 32, 16, 8 and 4 pixels."""


class FaceAutoencoder(nn.Module):
    """Encoder to the mean and the spread of a latent, decoder back."""

    def __init__(self, latent: int = LATENT) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        inputs = 3
        for width in WIDTHS:
            steps += [nn.Conv2d(inputs, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU(True)]
            inputs = width
        self.encoder = nn.Sequential(*steps)
        self.to_latent = nn.Linear(inputs * 16, 2 * latent)
        self.from_latent = nn.Linear(latent, inputs * 16)
        back: list[nn.Module] = []
        for width in (*WIDTHS[-2::-1], 24):
            back += [
                nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, width, 3, 1, 1),
                nn.BatchNorm2d(width), nn.ReLU(True),
            ]  # fmt: skip
            inputs = width
        self.decoder = nn.Sequential(*back, nn.Conv2d(inputs, 6, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, 64, 64), -1..1 -> the same reconstructed from the means of their latents."""
        return self.decode(self.encode(pictures)[0])[0]

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation of the latents, (N, latent) each."""
        mean, spread = self.to_latent(self.encoder(pictures).flatten(1)).float().chunk(2, dim=1)
        return mean, spread.clamp(-6, 2)

    def decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (N, 3, 64, 64), -1..1, and logarithm of the scale of every value."""
        maps = self.from_latent(latents).reshape(len(latents), -1, 4, 4)
        mean, scale = self.decoder(maps).float().chunk(2, dim=1)
        return mean, (scale - 2).clamp(-5, 1)

    def bound(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Bits of a picture: (N,) of its values given the latent, (N,) of the latent.

        Their sum is an upper bound on the bits that the picture takes, on average over the latents
        that torch's generator draws. The picture must have 256 levels, -1..1.
        """
        mean, spread = self.encode(pictures)
        latents = mean + spread.exp() * torch.randn_like(mean)
        values = level_bits(pictures, *self.decode(latents)).flatten(1).sum(dim=1)
        divergence = (mean.square() + (2 * spread).exp() - 1 - 2 * spread).sum(dim=1) / 2
        return values, divergence / math.log(2)


def level_bits(pictures: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of every value of pictures with 256 levels in -1..1, under logistic distributions.

    The first and the last level take what lies beyond them (Salimans et al. 2017, "PixelCNN++",
    Section 2.1).
    """
    sharp = (-log_scale).exp()
    above = sharp * (pictures - mean + 1 / 255)
    below = sharp * (pictures - mean - 1 / 255)
    inside = (above.sigmoid() - below.sigmoid()).clamp_min(1e-7).log()
    nats = torch.where(pictures < -0.999, functional.logsigmoid(above), inside)
    nats = torch.where(pictures > 0.999, functional.logsigmoid(-below), nats)
    return -nats / math.log(2)
