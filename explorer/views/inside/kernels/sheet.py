"""How the kernels of a layer lie in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from explorer.core.layers import Float32

FINE_WEIGHTS = 2**19
"""Up to this many are drawn with thin gaps between the slices: each weight is 4 x 4 cells."""
LONGEST = 8
"""A matrix that is this many times as wide as high is broken into rows."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture of (N, M, kh, kw) weights: N tiles, in each of them M slices from top to bottom.

    With several slices the tiles stand side by side, so that a row of the picture belongs to an
    input channel and a column to a kernel. `zoom` is the cells that a weight is wide.
    """

    tiling: Tiling
    slices: int
    rows: int
    columns: int
    zoom: int
    gap: int

    @classmethod
    def of(cls, shape: tuple[int, ...], *, in_a_row: bool = False) -> Sheet:
        """For weights of this `shape`; `in_a_row` puts tiles of one slice side by side, too."""
        count, slices, rows, columns = shape
        gap = int(rows * columns > 1)
        zoom = 4 if gap and int(np.prod(shape)) <= FINE_WEIGHTS else 1
        height, width = slices * (rows * zoom + gap), columns * zoom + gap
        if in_a_row or (slices > 1 and count * width <= LONGEST * height):
            tiling = Tiling(count, height, width, count)
        else:
            tiling = Tiling.of(count, height, width)
        return cls(tiling, slices, rows, columns, zoom, gap)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in cells, without the last gap."""
        width, height = self.tiling.size
        return float(width - self.gap), float(height - self.gap)

    @property
    def boxes(self) -> Float32:
        """(N, 4) xyxy of the tiles, without the gaps behind them."""
        boxes = self.tiling.boxes()
        boxes[:, 2:] -= self.gap
        return boxes

    def mosaic(self, weights: Float32) -> Float32:
        """(N, M, kh, kw) weights in one array; gaps and places without a tile are NaN."""
        fine = weights.repeat(self.zoom, axis=2).repeat(self.zoom, axis=3)
        behind = ((0, 0), (0, 0), (0, self.gap), (0, self.gap))
        fine = np.pad(fine, behind, constant_values=np.nan)
        tiles = fine.reshape(len(weights), self.tiling.height, self.tiling.width)
        whole = self.tiling.mosaic(tiles)
        width, height = self.size
        return np.ascontiguousarray(whole[: int(height), : int(width)])

    def at(self, x: float, y: float) -> tuple[int, int, int, int] | None:
        """Tile, slice, row and column of the weight at (x, y); None in a gap."""
        place = self.tiling.at(x, y)
        if place is None:
            return None
        tile, down, across = place
        at, down = divmod(down, self.rows * self.zoom + self.gap)
        row, column = down // self.zoom, across // self.zoom
        return (tile, at, row, column) if row < self.rows and column < self.columns else None
