"""The smallest generator and discriminator there are: fully connected, for points in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

LATENT, WIDTH = 16, 128
"""Numbers of a latent; units of the two hidden layers."""
SLOPE = 0.2
"""Of the discriminator's leaky ReLU below zero."""
LIPSCHITZ = 30.0
"""By which scores are multiplied where every layer has a spectral norm of 1: the points are closer
to each other than 1."""


class PlaneGenerator(nn.Module):
    """From latents (N, LATENT) to points (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = _layers(LATENT, 2, nn.ReLU)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, LATENT) normal random numbers -> (N, 2)."""
        points: Tensor = self.layers(latents)
        return points


class PlaneDiscriminator(nn.Module):
    """A score for every point.

    Args:
        spectral: The scores will be those of a network with spectral norms; see `LIPSCHITZ`.
    """

    def __init__(self, *, spectral: bool = False) -> None:
        super().__init__()
        self.layers = _layers(2, 1, lambda: nn.LeakyReLU(SLOPE))
        self._gain = LIPSCHITZ if spectral else 1.0

    def forward(self, points: Tensor) -> Tensor:
        """(N, 2) -> (N,) scores."""
        scores: Tensor = self.layers(points)
        return self._gain * scores[:, 0]


def _layers(inputs: int, outputs: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), activation(), nn.Linear(WIDTH, WIDTH), activation(),
        nn.Linear(WIDTH, outputs),
    )  # fmt: skip
