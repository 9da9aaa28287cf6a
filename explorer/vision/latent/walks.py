"""Places between latents, and pictures with the styles of two.

A latent z is a vector of normal random numbers; a style w is what the mapping network makes of it
(Karras et al. 2019, Section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from explorer.networks.generative.style_gan import StyleGenerator

SPHERE, STRAIGHT, STYLES = "on the sphere", "straight", "straight, between styles"
WAYS = (SPHERE, STRAIGHT, STYLES)
"""Between two latents; the last one between their styles."""


def latent(number: int, seed: int, size: int) -> Tensor:
    """(1, size): the one with this number; equal seeds give equal ones."""
    words = np.random.SeedSequence([seed, number]).generate_state(2)
    generator = torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
    return torch.randn(1, size, generator=generator)


def straight(first: Tensor, second: Tensor, part: float) -> Tensor:
    """(1, size) at this part of the line; in the middle latents are shorter than random ones."""
    return torch.lerp(first, second, part)


def on_sphere(first: Tensor, second: Tensor, part: float) -> Tensor:
    """(1, size) at this part of the arc from one to the other (Shoemake 1985, White 2016)."""
    cosine = torch.cosine_similarity(first, second, dim=1).clamp(-1, 1)
    angle = cosine.acos()
    if float(angle.sin()) < 1e-4:
        return straight(first, second, part)
    found: Tensor = (
        ((1 - part) * angle).sin() * first + (part * angle).sin() * second
    ) / angle.sin()
    return found


@torch.no_grad()
def between(
    generator: StyleGenerator, first: Tensor, second: Tensor, part: float, way: str
) -> Tensor:
    """(1, size) the style at this part of the way between two latents."""
    if way == STYLES:
        return straight(generator.mapping(first), generator.mapping(second), part)
    step = on_sphere if way == SPHERE else straight
    style: Tensor = generator.mapping(step(first, second, part))
    return style


@torch.no_grad()
def between_four(
    generator: StyleGenerator, corners: list[Tensor], x: float, y: float, way: str
) -> Tensor:
    """(1, size) the style at (x, y) of a square with four latents at its corners, row by row."""
    if way == STYLES:
        styles = [generator.mapping(each) for each in corners]
        upper, lower = (straight(styles[k], styles[k + 1], x) for k in (0, 2))
        return straight(upper, lower, y)
    step = on_sphere if way == SPHERE else straight
    upper, lower = (step(corners[k], corners[k + 1], x) for k in (0, 2))
    style: Tensor = generator.mapping(step(upper, lower, y))
    return style


@torch.no_grad()
def mixed(generator: StyleGenerator, layout: Tensor, colors: Tensor, resolution: int) -> Tensor:
    """Pictures with the styles `layout` (N, size) below a resolution, and `colors` from it on."""
    styles = [colors if side >= resolution else layout for side in generator.resolutions]
    return generator.synthesize(styles)
