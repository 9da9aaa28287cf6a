"""Everything that decides how a small generator and its discriminator are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explorer.training.small.runs import Shelf
from explorer.training.small.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.training.adversarial.losses import Kind

PENALTY = 10.0
"""Lambda of WGAN-GP (Gulrajani et al. 2017, Section 4)."""


@dataclass(frozen=True, slots=True)
class GanRecipe(Settings):
    """A plain value: a run keeps it as JSON.

    Attributes:
        pictures: Pictures with convolutional networks; else points in the plane.
        loss: See `losses.Kind`; with "wasserstein" the gradient penalty belongs to it.
        spectral: Spectral norms of the discriminator (Miyato et al. 2018).
        r1: Gamma of the penalty at real samples; 0 = none.
        turns: Steps of the discriminator for each one of the generator.
        rate: Learning rate of the generator.
        rate_d: Learning rate of the discriminator.
        batch: Samples of a step.
        steps: Of the generator, in the whole training.
        growing: From 4 x 4 pixels; else all resolutions at once.
        augmented: Fraction of the pictures that the discriminator gets augmented.
    """

    WORDS: ClassVar[Mapping[str, str]] = {
        "spectral": "spectral norm", "r1": "R1", "turns": "discriminator's steps",
        "rate": "generator's learning rate", "rate_d": "discriminator's learning rate",
        "batch": "batch size",
    }  # fmt: skip
    pictures: bool = False
    loss: Kind = "minimax"
    spectral: bool = False
    r1: float = 0.0
    turns: int = 1
    rate: float = 1e-3
    rate_d: float = 2e-4
    batch: int = 256
    steps: int = 3000
    growing: bool = True
    augmented: float = 0.0


GAN_RUNS = Shelf(GanRecipe, "gan-runs")
"""Runs of these trainings."""
