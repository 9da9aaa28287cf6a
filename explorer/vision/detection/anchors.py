"""Anchors without a network: the same few boxes around every cell of a pyramid of grids (numpy)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.trace.parts import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AnchorRule:
    """Which boxes stand around every cell; Ren et al. 2015, section 3.1.1.

    Attributes:
        stride: Pixels from one cell to the next on the finest level.
        levels: Each further level has twice the stride and twice the scale (Lin et al. 2017).
        scale: Side of the square that has the area of the smallest anchor of the finest level.
        scales: How many scales every level has.
        factor: From one of them to the next.
        ratios: Height over width.
    """

    stride: int = 16
    levels: int = 1
    scale: float = 128.0
    scales: int = 3
    factor: float = 2.0
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    @property
    def per_cell(self) -> int:
        return self.scales * len(self.ratios)

    def count(self, size: tuple[int, int]) -> int:
        """Anchors on an input of (height, width) `size`, without making them."""
        return sum(rows * columns * self.per_cell for rows, columns, _ in self._grids(size))

    def _grids(self, size: tuple[int, int]) -> list[tuple[int, int, int]]:
        strides = [self.stride * 2**number for number in range(self.levels)]
        return [(ceil(size[0] / s), ceil(size[1] / s), s) for s in strides]

    def shapes(self, level: int) -> Float32:
        """(k, 4) anchors around (0, 0), their corners in whole pixels, as in torchvision."""
        sides = np.float32(self.scale * 2**level) * np.float32(self.factor) ** np.arange(
            self.scales, dtype=np.float32
        )
        tall = np.sqrt(np.asarray(self.ratios, np.float32))
        widths = ((1 / tall)[:, None] * sides).ravel()
        heights = (tall[:, None] * sides).ravel()
        around: Float32 = np.round(np.stack([-widths, -heights, widths, heights], axis=1) / 2)
        return around

    def stand(self, size: tuple[int, int]) -> tuple[Float32, tuple[Level, ...]]:
        """The anchors on an input of (height, width) `size`, level after level, row after row.

        The first cell's anchors are around (0, 0), as torchvision's `AnchorGenerator` lays them.

        Returns:
            (N, 4) float32 in the input's pixels, and the levels.
        """
        found, levels, first = [], [], 0
        for number, (rows, columns, stride) in enumerate(self._grids(size)):
            shapes = self.shapes(number)
            x, y = np.meshgrid(np.arange(columns) * stride, np.arange(rows) * stride)
            shifts = np.stack([x, y, x, y], axis=2).reshape(-1, 1, 4).astype(np.float32)
            found.append((shifts + shapes).reshape(-1, 4))
            sides = tuple((float(b[2] - b[0]), float(b[3] - b[1])) for b in shapes)
            step = (float(stride), float(stride))
            levels.append(Level(str(number), rows, columns, step, len(shapes), first, sides))
            first += levels[-1].count
        return np.concatenate(found), tuple(levels)
