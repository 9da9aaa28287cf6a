"""Where the cells of a map lie on the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.networks.preprocess import Frame, grid_frame

if TYPE_CHECKING:
    from explorer.core.layers import Extent, Float32


@dataclass(frozen=True, slots=True)
class CellGrid:
    """Where a grid of `rows` x `columns` cells lies: `frame` leads from the photo to its cells."""

    frame: Frame
    rows: int
    columns: int

    @classmethod
    def of(cls, to_input: Frame, source: tuple[int, int], grid: tuple[int, int]) -> CellGrid:
        """Cells over all of a network's input of (H, W) `source` pixels."""
        return cls(to_input.then(grid_frame(source, grid)), *grid)

    @property
    def extent(self) -> Extent:
        """The cells' rectangle in the photo's pixels."""
        return self.frame.inverse().extent(float(self.columns), float(self.rows))

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the cell at a place of the photo."""
        across, down = self.frame.point(x, y)
        row, column = int(np.floor(down)), int(np.floor(across))
        return (row, column) if 0 <= row < self.rows and 0 <= column < self.columns else None

    def boxes(self, cells: Float32) -> Float32:
        """(N, 4) xyxy in cells -> the same in the photo's pixels."""
        return self.frame.inverse().boxes(cells)
