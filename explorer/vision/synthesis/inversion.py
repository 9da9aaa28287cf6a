"""Inversion: a picture to which a layer answers as it does to a photo.

Mahendran and Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them": the
normalized feature distance is minimized together with priors that pictures of the world fulfill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.images import Fourier, Pixels
from explorer.vision.synthesis.optimizers import adam, lbfgs, momentum
from explorer.vision.synthesis.synthesis import Synthesis

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.vision.synthesis.images import Image
    from explorer.vision.synthesis.objectives import Objective
    from explorer.vision.synthesis.optimizers import Optimizer
    from explorer.vision.synthesis.target import Target

FEATURES, VARIATION, NORM = "feature distance", "TV", "alpha-norm"
"""The named parts of the objective."""

PIXELS, FOURIER = "pixels", "Fourier"
"""Image parameterizations."""

ADAM, LBFGS, MOMENTUM = "Adam", "L-BFGS", "momentum"
"""Optimizers."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is done.

    Attributes:
        image: `PIXELS` or `FOURIER`.
        optimizer: `ADAM`, `LBFGS` or `MOMENTUM`.
        rate: Step size of Adam on pixels; that of the others is a fixed multiple of it.
        variation: Weight of the total variation per pixel, exponent 2.
        norm: Weight of the alpha-norm, exponent 6.
    """

    image: str = FOURIER
    optimizer: str = LBFGS
    rate: float = 0.05
    variation: float = 0.01
    norm: float = 0.01


def optimizer_of(recipe: Recipe) -> Optimizer:
    """A fresh one."""
    match recipe.optimizer:
        case "L-BFGS":
            return lbfgs(20 * recipe.rate)
        case "momentum":
            return momentum(200 * recipe.rate)
        case _:
            return adam(recipe.rate * (0.1 if recipe.image == FOURIER else 1.0))


def inversion_objective(layer: str, features: Tensor, recipe: Recipe) -> Objective:
    """The loss; its parts are named and noted without their weights."""
    found = objectives.feature_distance(layer, features).named(FEATURES)
    if recipe.variation > 0:
        found = found + recipe.variation * objectives.total_variation().named(VARIATION)
    if recipe.norm > 0:
        found = found + recipe.norm * objectives.alpha_norm().named(NORM)
    return found


def inversion(
    target: Target, layer: str, photo: Tensor, recipe: Recipe, generator: torch.Generator
) -> Synthesis:
    """From noise toward a picture to which `layer` answers as to the photo.

    Args:
        target: The network.
        layer: Any layer; `objectives.LOGITS` for the output.
        photo: (1, C, H, W) in [0, 1]; the picture has its size.
        recipe: How.
        generator: Of the noise, on the CPU.

    Raises:
        ExplorerError: The network has no such layer, or does not use it.
    """
    with torch.no_grad():
        features = target.answer(photo, layer).float()
    height, width = photo.shape[-2:]
    image: Image
    if recipe.image == FOURIER:
        image = Fourier(1, (height, width), generator, channels=photo.shape[1], device=photo.device)
    else:
        noise = 0.5 + 0.05 * torch.randn(photo.shape, generator=generator)
        image = Pixels(noise.clamp(0.0, 1.0).to(photo.device))
    return Synthesis(
        image, target, inversion_objective(layer, features, recipe), optimizer_of(recipe), generator
    )
