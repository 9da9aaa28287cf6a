"""HOG cells of 31 numbers, and the pyramid of a photo (Felzenszwalb et al. 2010, section 6).

Where the paper leaves a choice open (rounded sizes, the border, the order of the channels) it is
that of OpenCV's latent SVM detector, so that filters trained for it keep their scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.vision.dpm.resizing import resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

SECTORS = 9
"""Orientations without the sign of the contrast; twice as many with it."""
CHANNELS = 3 * SECTORS + 4
"""Of a cell: 18 signed orientations, 9 unsigned ones, 4 sums of gradient energy."""
CELL = 8
"""Pixels of a cell of the root filter; those of the parts are half as large."""
CLIP = 0.2
INTERVAL = 10
"""Levels in an octave: so many levels below another one the cells are half as large."""
LEAST_CELLS = 5
"""Of the smaller side on the coarsest level, before the border is cut off."""
LEAST_SIDE = CELL * LEAST_CELLS
"""The smallest side of a photo, in pixels."""

# Rounded step by step: a vertical gradient lies between two of them, and which one gets it depends
# on the last digit. Filters trained for OpenCV expect its choice.
_ANGLES = np.arange(SECTORS, dtype=np.float32) * (np.float32(np.pi) / np.float32(SECTORS))
_DIRECTIONS = np.stack([np.cos(_ANGLES, dtype=np.float64), np.sin(_ANGLES, dtype=np.float64)], 1)
_DIRECTIONS = _DIRECTIONS.astype(np.float32)

_MIRRORED = np.concatenate(
    [
        (SECTORS - np.arange(2 * SECTORS)) % (2 * SECTORS),
        2 * SECTORS + (SECTORS - np.arange(SECTORS)) % SECTORS,
        3 * SECTORS + np.array([2, 3, 0, 1]),
    ]
)


def hog(pixels: Float32, cell: int) -> Float32:
    """The cells of a picture: (h // cell - 2, w // cell - 2, 31) float32, at least 0.

    Every pixel votes with the magnitude of its gradient for one of 18 orientations in the four
    nearest cells, bilinearly. A cell is divided by the energy of four blocks of 2 x 2 cells that it
    belongs to, clipped at 0.2 and summed: over the blocks for each orientation, over the
    orientations for each block. Cells at the border lack neighbors and are cut off: cell (0, 0) of
    the result begins at pixel (cell, cell).

    Args:
        pixels: (h, w, 3) float32, 0 to 255, h and w at least 3 cells. Of the three channels the one
            with the largest gradient counts.
        cell: Side of a cell in pixels, an even number.
    """
    votes = _votes(pixels, cell)
    unsigned = votes[:, :, :SECTORS] + votes[:, :, SECTORS:]
    energy = np.square(unsigned).sum(axis=2)
    blocks = energy[:-1, :-1] + energy[:-1, 1:] + energy[1:, :-1] + energy[1:, 1:]
    norms = np.sqrt(blocks) + np.float32(np.finfo(np.float32).eps)
    below, above, right, left = slice(1, None), slice(None, -1), slice(1, None), slice(None, -1)
    signed, unsigned = votes[1:-1, 1:-1], unsigned[1:-1, 1:-1]
    found = np.zeros((*signed.shape[:2], CHANNELS), np.float32)
    half, root = np.float32(0.5), np.float32(1 / np.sqrt(2 * SECTORS))
    corners = ((below, right), (above, right), (below, left), (above, left))
    for number, corner in enumerate(corners):
        norm = norms[corner][:, :, None]
        here = np.minimum(signed / norm, np.float32(CLIP))
        found[:, :, : 2 * SECTORS] += here * half
        found[:, :, 2 * SECTORS : 3 * SECTORS] += (
            np.minimum(unsigned / norm, np.float32(CLIP)) * half
        )
        found[:, :, 3 * SECTORS + number] = here.sum(axis=2) * root
    return found


def _votes(pixels: Float32, cell: int) -> Float32:
    """(h // cell, w // cell, 18): the sums of the magnitudes by cell and signed orientation."""
    height, width = pixels.shape[:2]
    rows, columns = height // cell, width // cell
    dx = pixels[1:-1, 2:] - pixels[1:-1, :-2]
    dy = pixels[2:, 1:-1] - pixels[:-2, 1:-1]
    strength = np.square(dx) + np.square(dy)
    channel = strength.argmax(axis=2)[:, :, None]
    dx, dy = (np.take_along_axis(d, channel, 2)[:, :, 0] for d in (dx, dy))
    magnitude = np.sqrt(np.take_along_axis(strength, channel, 2)[:, :, 0])

    best = dx.copy()  # the projection on the first direction, which may be negative
    sector = np.zeros(dx.shape, np.intp)
    for number, (across, down) in enumerate(_DIRECTIONS):
        along = across * dx + down * dy
        size = np.abs(along)
        np.copyto(sector, number + SECTORS * (along < 0), where=size > best)
        np.maximum(best, size, out=best)

    # Bilinear votes: between the centers of cells a pixel belongs to both.
    y0, y_share = _between(1, height - 1, cell)
    x0, x_share = _between(1, width - 1, cell)
    # One cell more on every side takes the votes that leave the picture.
    padded = np.zeros((rows + 2) * (columns + 2) * 2 * SECTORS, np.float64)
    y0, x0 = np.minimum(y0, rows), np.minimum(x0, columns)
    whole_y, whole_x = (
        np.arange(1, height - 1) < rows * cell,
        np.arange(1, width - 1) < columns * cell,
    )
    magnitude = magnitude * (whole_y[:, None] & whole_x)
    for down, y_part in ((0, 1 - y_share), (1, y_share)):
        for across, x_part in ((0, 1 - x_share), (1, x_share)):
            place = (y0 + down)[:, None] * (columns + 2) + (x0 + across)
            padded += np.bincount(
                (place * (2 * SECTORS) + sector).ravel(),
                (magnitude * (y_part[:, None] * x_part)).ravel(),
                minlength=len(padded),
            )
    table = padded.reshape(rows + 2, columns + 2, 2 * SECTORS)
    return table[1:-1, 1:-1].astype(np.float32)


def _between(first: int, end: int, cell: int) -> tuple[NDArray[np.intp], Float32]:
    """Of each pixel the cell whose center is before it, and the share that the next one gets.

    Cell 0 is the one outside of the picture.
    """
    place = (np.arange(first, end) + 0.5) / cell + 0.5
    before = np.floor(place)
    return before.astype(np.intp), (place - before).astype(np.float32)


def mirrored(cells: Float32) -> Float32:
    """The cells (or the filter), (h, w, 31), of the mirrored picture."""
    return np.ascontiguousarray(cells[:, ::-1, _MIRRORED])


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The cells of a photo at one scale: `cells` is (h, w, 31) float32.

    `stride` is the side of a cell in pixels of the photo; cell (0, 0) begins at pixel
    (stride, stride).
    """

    cells: Float32
    stride: float


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What a filter with parts is applied to: `root` cells, and `fine` ones half as large."""

    root: Level
    fine: Level


def scales(pixels: NDArray[np.uint8], interval: int = INTERVAL) -> Iterator[tuple[int, int, Scale]]:
    """The scales of a photo one by one, the finest first, with their number and how many there are.

    Args:
        pixels: (h, w, 3) uint8.
        interval: Scales in an octave.

    Raises:
        ExplorerError: The photo has a side below `LEAST_SIDE`.
    """
    height, width = pixels.shape[:2]
    count = scale_count(height, width, interval)
    if count < 1:
        raise ExplorerError(
            f"The photo has {width} x {height} pixels; the filters need {LEAST_SIDE} on each side.",
            "Choose a larger photo.",
        )
    photo = pixels.astype(np.float32)
    coarse: list[Level] = []
    for number in range(count):
        factor = float(np.float32(2.0) ** np.float32(-number / interval))
        small = resized(photo, factor)
        coarse.append(Level(hog(small, CELL), CELL / factor))
        if number < interval:
            fine = Level(hog(small, CELL // 2), CELL / factor / 2)
        else:
            fine = coarse[number - interval]
        yield number, count, Scale(coarse[number], fine)


def scale_count(height: int, width: int, interval: int = INTERVAL) -> int:
    """How many scales a photo of this size has."""
    cells = min(height, width) // CELL
    return int(np.log(cells / LEAST_CELLS) * interval / np.log(2.0) + 1e-6) + 1 if cells else 0
