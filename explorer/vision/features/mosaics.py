"""All maps of a layer in one array: channels side by side, one scale or each its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tiling:
    """`count` tiles of `height` x `width` cells in rows of `columns`, filled row by row."""

    count: int
    height: int
    width: int
    columns: int

    @classmethod
    def of(cls, count: int, height: int, width: int, aspect: float = 4 / 3) -> Tiling:
        """The tiling whose proportions come closest to `aspect` (width over height)."""
        columns = round((count * height / width * aspect) ** 0.5)
        return cls(count, height, width, min(count, max(1, columns)))

    @property
    def rows(self) -> int:
        return -(-self.count // self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the mosaic in cells."""
        return self.columns * self.width, self.rows * self.height

    def corner(self, tile: int) -> tuple[int, int]:
        """The x and y of the tile's upper left corner."""
        return tile % self.columns * self.width, tile // self.columns * self.height

    def boxes(self) -> NDArray[np.float32]:
        """(count, 4) xyxy of every tile."""
        tile = np.arange(self.count)
        x, y = tile % self.columns * self.width, tile // self.columns * self.height
        return np.stack([x, y, x + self.width, y + self.height], axis=1).astype(np.float32)

    def at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Tile, row and column of the cell at (x, y) of the mosaic; None beside all tiles."""
        if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            return None
        tile = int(y) // self.height * self.columns + int(x) // self.width
        return (tile, int(y) % self.height, int(x) % self.width) if tile < self.count else None

    def mosaic(
        self, maps: NDArray[np.float32], order: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """(count, height, width) maps in one array; places without a tile are NaN.

        Args:
            maps: The tiles.
            order: (count,) which of the maps is in each tile; by default they are in theirs.
        """
        places = self.rows * self.columns
        tiles = np.empty((places, self.height, self.width), np.float32)
        tiles[self.count :] = np.nan
        if order is None:
            tiles[: self.count] = maps
        else:
            np.take(maps, order, axis=0, out=tiles[: self.count], mode="clip")
        rows = tiles.reshape(self.rows, self.columns, self.height, self.width)
        return rows.transpose(0, 2, 1, 3).reshape(self.rows * self.height, -1)


def picture_sheet(
    pictures: Sequence[NDArray[np.uint8]], *, columns: int, gap: int = 4, shade: int = 32
) -> tuple[NDArray[np.uint8], Tiling]:
    """Pictures side by side, each fitted into a tile of the first one's size.

    Args:
        pictures: (h, w, 3) uint8 of any sizes, at least one.
        columns: In a row.
        gap: Pixels between two tiles.
        shade: Gray level between and beside them.

    Returns:
        (H, W, 3) uint8 and the tiling, whose tiles have the gap at their right and lower side.
    """
    height, width = pictures[0].shape[:2]
    tiling = Tiling(len(pictures), height + gap, width + gap, min(columns, len(pictures)))
    sheet = np.full((tiling.size[1], tiling.size[0], 3), shade, np.uint8)
    for tile, picture in enumerate(pictures):
        share = min(height / picture.shape[0], width / picture.shape[1])
        rows, cols = (max(1, round(side * share)) for side in picture.shape[:2])
        fitted = cv2.resize(picture, (cols, rows), interpolation=cv2.INTER_AREA)
        x, y = tiling.corner(tile)
        x, y = x + (width - cols) // 2, y + (height - rows) // 2
        sheet[y : y + rows, x : x + cols] = fitted
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap], tiling


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Per channel, each (C,) float32; `dead` (C,) bool: nothing over zero anywhere, or constant."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    dead: NDArray[np.bool_]

    @classmethod
    def of(cls, maps: NDArray[np.float32]) -> Statistics:
        """Of (C, h, w) maps. A map of a single cell is never called dead: it is just a number."""
        flat = maps.reshape(len(maps), -1)
        low, high = flat.min(axis=1), flat.max(axis=1)
        dead = ((high <= 0) | (low == high)) & (flat.shape[1] > 1)
        return cls(low, high, flat.mean(axis=1), flat.std(axis=1), dead)


def stretched(maps: NDArray[np.float32], statistics: Statistics) -> NDArray[np.float32]:
    """(C, h, w) maps, each from its own minimum (0) to its own maximum (1); a constant one is 0."""
    span = statistics.high - statistics.low
    safe = np.where(span > 0, span, np.float32(1.0))
    found = maps - statistics.low[:, None, None]
    found /= safe[:, None, None]
    return found
