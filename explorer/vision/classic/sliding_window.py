"""Exhaustive search: windows of several sizes and shapes at every step over a photo.

How detectors worked before proposals (Dalal and Triggs 2005; Felzenszwalb et al. 2010): every
window is classified. Here a window is cut out and stretched to the classifier's input. numpy and
OpenCV only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]
    Indices = NDArray[np.intp]

SMALLEST = 2
"""Pixels: no window is narrower or lower."""


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Windows of one size in rows and columns on a photo, all within it, in whole pixels.

    Attributes:
        width: Of a window.
        height: Of a window.
        across: Pixels between neighboring windows of a row.
        down: Pixels between neighboring rows.
        columns: Of windows.
        rows: Of windows.
        left: Pixels before the first column: what no whole step fills is halved between both edges.
        top: Pixels above the first row.
    """

    width: int
    height: int
    across: int
    down: int
    columns: int
    rows: int
    left: int
    top: int

    @classmethod
    def of(cls, photo: tuple[int, int], width: int, height: int, stride: float) -> WindowGrid:
        """As many windows as a photo of (height, width) pixels holds.

        Args:
            photo: Its height and width.
            width: Of a window, at most that of the photo.
            height: Of a window, likewise.
            stride: The step between windows, as a fraction of their sides; at least one pixel,
                which is what 0 means.
        """
        across, down = (max(1, round(stride * side)) for side in (width, height))
        columns = (photo[1] - width) // across + 1
        rows = (photo[0] - height) // down + 1
        left = (photo[1] - width - (columns - 1) * across) // 2
        top = (photo[0] - height - (rows - 1) * down) // 2
        return cls(width, height, across, down, columns, rows, left, top)

    @property
    def count(self) -> int:
        return self.columns * self.rows

    def boxes(self, count: int) -> NDArray[np.int64]:
        """(n, 4) xyxy of the first `count` windows, row by row, in the photo's pixels."""
        row, column = np.divmod(np.arange(min(count, self.count)), self.columns)
        x, y = self.left + column * self.across, self.top + row * self.down
        return np.stack([x, y, x + self.width, y + self.height], axis=1)


def window_grids(
    photo: tuple[int, int],
    *,
    smallest: float,
    largest: float,
    scales: int,
    ratios: Sequence[float],
    stride: float,
) -> tuple[WindowGrid, ...]:
    """The windows of every scale and shape, the largest first, each size once.

    Args:
        photo: Its height and width.
        smallest: Side of the smallest square window, as a fraction of the photo's short side.
        largest: Side of the largest one, likewise; the sides between them grow by one factor.
        scales: How many sides.
        ratios: Width over height. All windows of a scale have one area, but for those that would
            be wider or higher than the photo, which are made smaller.
        stride: See `WindowGrid.of`.
    """
    sides = np.geomspace(max(largest, smallest), smallest, scales) * min(photo)
    sizes = dict.fromkeys(_size(photo, side, ratio) for side in sides for ratio in ratios)
    return tuple(WindowGrid.of(photo, width, height, stride) for width, height in sizes)


def _size(photo: tuple[int, int], side: float, ratio: float) -> tuple[int, int]:
    width, height = side * ratio**0.5, side / ratio**0.5
    fit = min(1.0, photo[1] / width, photo[0] / height)
    found = (
        min(max(round(fit * part), SMALLEST), whole)
        for part, whole in ((width, photo[1]), (height, photo[0]))
    )
    return next(found), next(found)


def warped(pixels: UInt8, box: Sequence[int], side: int) -> UInt8:
    """A window stretched to (side, side, 3): the mean of what a pixel covers, or bilinear.

    Args:
        pixels: (H, W, 3) uint8.
        box: x0, y0, x1, y1 within the photo.
        side: Of the result.
    """
    x0, y0, x1, y1 = box
    crop = np.ascontiguousarray(pixels[y0:y1, x0:x1])
    smaller = (x1 - x0) * (y1 - y0) > side * side
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (side, side), interpolation=how), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """The scores of the windows over every cell of a map; a cell is covered if its middle is.

    Attributes:
        highest: (h, w) float32, the largest score; NaN where there is no window.
        mean: (h, w) float32, likewise.
        count: (h, w) int64, how many windows.
    """

    highest: Float32
    mean: Float32
    count: NDArray[np.int64]


def coverage(
    grids: Sequence[WindowGrid], scores: Float32, photo: tuple[int, int], cells: tuple[int, int]
) -> Coverage:
    """The scores of windows, over the photo.

    Args:
        grids: The windows.
        scores: (n,), of the first n windows of all grids in their order.
        photo: Height and width.
        cells: Rows and columns of the map over all of the photo.
    """
    highest = np.full(cells, -np.inf)
    total, count = np.zeros(cells), np.zeros(cells)
    first = 0
    for grid in grids:
        some = scores[first : first + grid.count].astype(np.float64)
        first += grid.count
        if not len(some):
            break
        values = np.full(grid.count, np.nan)
        values[: len(some)] = some
        square = values.reshape(grid.rows, grid.columns)
        known = np.isfinite(square)
        rows = _over(cells[0], photo[0], grid.top, grid.height, grid.down, grid.rows)
        columns = _over(cells[1], photo[1], grid.left, grid.width, grid.across, grid.columns)
        total += _sums(np.where(known, square, 0.0), rows, columns)
        count += _sums(known.astype(np.float64), rows, columns)
        peak = _peaks(_peaks(np.where(known, square, -np.inf), rows).T, columns).T
        np.maximum(highest, peak, out=highest)
    some_there = count > 0
    mean = np.divide(total, count, out=np.full(cells, np.nan), where=some_there)
    return Coverage(
        np.where(some_there, highest, np.nan).astype(np.float32),
        mean.astype(np.float32),
        count.astype(np.int64),
    )


def _over(
    cells: int, side: int, start: int, length: int, step: int, most: int
) -> tuple[Indices, Indices]:
    """For every cell of a line the first window over its middle, and the one after the last."""
    middle = (np.arange(cells) + 0.5) * (side / cells) - start
    first = np.floor((middle - length) / step).astype(np.intp) + 1
    last = np.floor(middle / step).astype(np.intp) + 1
    return np.clip(first, 0, most), np.clip(last, 0, most)


def _sums(
    values: NDArray[np.float64], rows: tuple[Indices, Indices], columns: tuple[Indices, Indices]
) -> NDArray[np.float64]:
    """The sums over rectangles of rows and columns, by an integral image."""
    whole = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    (top, bottom), (left, right) = rows, columns
    bottom, right = np.maximum(bottom, top), np.maximum(right, left)
    across = whole[:, right] - whole[:, left]
    found: NDArray[np.float64] = across[bottom] - across[top]
    return found


def _peaks(values: NDArray[np.float64], ranges: tuple[Indices, Indices]) -> NDArray[np.float64]:
    """The largest value of the rows of every range; -inf for an empty one."""
    found = np.full((len(ranges[0]), values.shape[1]), -np.inf)
    for line, first, last in zip(found, *ranges, strict=True):
        if first < last:
            values[first:last].max(axis=0, out=line)
    return found
