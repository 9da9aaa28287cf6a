"""Random changes of a batch of pictures that leave their classes as they are.

Each is drawn anew for every picture of every batch; strength 0 changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Change = tuple[str, float]
"""The kind, one of `KINDS`, and its strength from 0 to 1."""


def augmented(x: Tensor, changes: Sequence[Change], generator: torch.Generator) -> Tensor:
    """(N, 3, h, w) pictures in [0, 1], changed in the order of `changes`, in [0, 1] again.

    Args:
        x: On any device.
        changes: Kinds and strengths.
        generator: On the CPU.
    """
    for kind, strength in changes:
        if strength > 0:
            x = _CHANGES[kind](x, strength, generator)
    return x.clamp(0.0, 1.0)


def _random(x: Tensor, generator: torch.Generator, *more: int) -> Tensor:
    """(N, *more) numbers from -1 to 1."""
    return torch.rand(len(x), *more, generator=generator).to(x) * 2 - 1


def _mirror(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    chosen = _random(x, generator, 1, 1, 1) < strength - 1 + 1e-6  # at most half of them: 0.5 s
    return torch.where(chosen, x.flip(3), x)


def _moved(x: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _shift(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    matrix = torch.eye(2, 3).to(x).repeat(len(x), 1, 1)
    matrix[:, :, 2] = _random(x, generator, 2) * (0.5 * strength)
    return _moved(x, matrix)


def _zoom(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    scale = torch.exp(_random(x, generator, 1, 1) * (0.5 * strength))
    return _moved(x, torch.eye(2, 3).to(x) * scale)


def _rotate(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    angle = _random(x, generator) * (torch.pi * strength)
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    matrix = torch.stack([cos, -sin, none, sin, cos, none], dim=1)
    return _moved(x, matrix.reshape(-1, 2, 3))


def _color(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    gain = torch.exp(_random(x, generator, 3, 1, 1) * (0.7 * strength))
    return x * gain + _random(x, generator, 3, 1, 1) * (0.3 * strength)


def _noise(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    return x + torch.randn(x.shape, generator=generator).to(x) * (0.2 * strength)


def _cutout(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """A gray square hides a part (DeVries and Taylor 2017)."""
    height, width = x.shape[2:]
    half = 0.35 * strength * min(height, width)
    place = (_random(x, generator, 2, 1, 1) + 1) / 2
    rows = torch.arange(height).to(x)[None, :, None] - place[:, 0] * height
    columns = torch.arange(width).to(x)[None, None, :] - place[:, 1] * width
    hidden = (rows.abs() < half) & (columns.abs() < half)
    return torch.where(hidden[:, None], torch.full_like(x, 0.5), x)


_CHANGES: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "mirror": _mirror, "shift": _shift, "zoom": _zoom, "rotate": _rotate, "color": _color,
    "noise": _noise, "cutout": _cutout,
}  # fmt: skip
KINDS = tuple(_CHANGES)
