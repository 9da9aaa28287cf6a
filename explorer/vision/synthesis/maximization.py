"""Activation maximization: pictures to which a neuron, a channel, a class or a layer answers most.

Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network"; with the Fourier
parameterization, the transforms and the diversity term of Olah et al. 2017, "Feature
Visualization".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.images import Cppn, Fourier, Pixels
from explorer.vision.synthesis.optimizers import adam
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.vision.synthesis.images import Image
    from explorer.vision.synthesis.objectives import Objective
    from explorer.vision.synthesis.target import Target

FOURIER, PIXELS, CPPN = "Fourier", "pixels", "CPPN"
"""Image parameterizations."""

RATES = {FOURIER: 0.008, PIXELS: 0.02, CPPN: 0.008}
"""Adam's rates for each."""

WORD = "activation"
"""The named part of the objective."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is done.

    Attributes:
        image: `FOURIER`, `PIXELS` or `CPPN`.
        rate: Factor of the optimizer's rate.
        transforms: 1 is padding 12, jitter 8, scale 10 %, rotation 10 degrees; 0 is none.
        limit: Of `Fourier`.
        variation: Weight of the total variation per pixel.
        diversity: Weight of the similarity of the pictures of a batch, in parts of the activation.
    """

    image: str = FOURIER
    rate: float = 1.0
    transforms: float = 1.5
    limit: float = 1.5
    variation: float = 0.0
    diversity: float = 0.0


def transforms_of(recipe: Recipe, side: int) -> Transforms:
    """In proportion to the picture: those of Olah et al. are for 224 pixels."""
    share = recipe.transforms * min(1.0, side / 224)
    return Transforms(
        padding=round(12 * share), jitter=round(8 * share),
        scale=0.1 * recipe.transforms, rotation=10.0 * recipe.transforms,
    )  # fmt: skip


def maximization_objective(
    activation: Objective, layer: str, recipe: Recipe, count: int
) -> Objective:
    """The loss: minus the activation, plus the priors.

    Args:
        activation: What is to grow.
        layer: That tells the pictures of a batch apart.
        recipe: How.
        count: Pictures.
    """
    found = -activation.named(WORD)
    if recipe.variation > 0:
        found = found + recipe.variation * objectives.total_variation().named("TV")
    if recipe.diversity > 0 and count > 1:
        found = found + recipe.diversity * objectives.similarity(layer).named("similarity")
    return found


def image_of(
    recipe: Recipe,
    count: int,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    channels: int,
    device: torch.device,
) -> Image:
    """`count` pictures of noise; a CPPN makes one only."""
    if recipe.image == CPPN:
        return Cppn(size, generator, channels=channels, device=device)
    if recipe.image == FOURIER:
        return Fourier(count, size, generator, channels=channels, limit=recipe.limit, device=device)
    noise = 0.5 + 0.02 * torch.randn(count, channels, *size, generator=generator)
    return Pixels(noise.clamp(0.0, 1.0).to(device))


def maximization(
    target: Target,
    objective: Objective,
    image: Image,
    recipe: Recipe,
    generator: torch.Generator,
) -> Synthesis:
    """See the module; `objective` is made by `maximization_objective`."""
    side = int(min(image.picture().shape[-2:]))
    return Synthesis(
        image, target, objective, adam(recipe.rate * RATES[recipe.image]), generator,
        transforms_of(recipe, side),
    )  # fmt: skip


def channels_each(layer: str, numbers: Sequence[int], repeats: int) -> Objective:
    """One picture for each channel, `repeats` times over: (N, C, h, w) with N = both multiplied."""
    return objectives.channel_each(layer, [number for number in numbers for _ in range(repeats)])
