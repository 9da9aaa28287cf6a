"""What a small generator is to imitate: eight Gaussians in the plane, or pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from explorer.batch.photos import photos_of
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.small.data_set import MOST, PER_STEP, fitted, loader, spread
from explorer.training.small.shapes import shapes

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from torch import Tensor

    from explorer.core.layers import Float32, UInt8

MODES, DEVIATION = 8, 0.05
"""Gaussians, on a circle with a radius of 1 around the origin; their standard deviation."""
NEAR = 4 * DEVIATION
"""A point that is not farther than this from a center counts as one of its mode."""
COVERED = 0.01
"""A mode is covered when at least this fraction of the points is near it: an eighth of a tenth."""

SIDE = 32
"""Of a picture in pixels."""
SHAPES = 2000
"""Pictures that the program draws."""
LEAST = 24
"""Pictures of a folder."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Eight Gaussians on a circle: the usual test for mode collapse (Metz et al. 2017)."""

    name: ClassVar[str] = "8 Gaussians"
    problems: ClassVar[tuple[str, ...]] = ()

    def batch(self, count: int) -> Tensor:
        """(count, 2) from torch's generator."""
        chosen = torch.randint(0, MODES, (count,))
        return torch.from_numpy(centers())[chosen] + DEVIATION * torch.randn(count, 2)

    def digest(self) -> str:
        return "plane"


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """`pixels` is (N, SIDE, SIDE, 3) uint8 RGB."""

    name: str
    pixels: UInt8
    problems: tuple[str, ...] = ()

    def batch(self, count: int) -> Tensor:
        """(count, 3, SIDE, SIDE), -1..1, rows from torch's generator."""
        rows = torch.randint(0, len(self.pixels), (count,)).numpy()
        return pictures_of(self.pixels[rows], torch.device("cpu"))

    def digest(self) -> str:
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()[:16]


Source = Plane | Pictures


def centers() -> Float32:
    """(MODES, 2) of the Gaussians."""
    angles = np.arange(MODES) * (2 * np.pi / MODES)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def modes_of(points: Float32) -> Float32:
    """(MODES,) fractions of the points (N, 2) that are near each center."""
    apart = np.linalg.norm(points[:, None] - centers(), axis=2)
    near = (apart <= NEAR) & (apart == apart.min(axis=1, keepdims=True))
    fractions: Float32 = near.mean(axis=0, dtype=np.float32)
    return fractions


@lru_cache(maxsize=1)
def drawn_pictures() -> Pictures:
    """Shapes that the program draws."""
    return Pictures("shapes drawn by the program", shapes(SHAPES, SIDE, 0)[0])


def folder_pictures(folder: Path) -> Generator[str, None, Pictures]:
    """The photos of a folder and of those inside it; the steps say how far it is.

    Raises:
        ExplorerError: There are not enough.
    """
    problems: list[str] = []
    photos = spread(list(photos_of([str(folder)], problems)), MOST)
    pictures = []
    for number, photo in enumerate(photos):
        if number % PER_STEP == 0:
            yield f"reads photo {number + 1:,} of {len(photos):,}"
        try:
            pictures.append(fitted(loader(photo, SIDE)(), SIDE))
        except ExplorerError as error:
            problems.append(error.message)
    if len(pictures) < LEAST:
        raise ExplorerError(
            f"{folder} has {quantity(len(pictures), 'photo')} that can be read, and {LEAST} are "
            "needed.",
            "Choose a folder with more photos.",
        )
    return Pictures(folder.name or str(folder), np.stack(pictures), tuple(problems[:1]))
