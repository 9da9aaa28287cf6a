"""Histograms of oriented gradients: gradients, votes, blocks, normalization.

Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection", section 6. In order:

    found = gradients(pixels)                       # (H, W) magnitudes and directions
    cells = cell_histograms(found, settings)        # (rows, columns, bins), one cell each
    blocks = block_histograms(found, settings)      # (rows - 1, columns - 1, 2, 2, bins) for 2 x 2
    vectors = normalized(blocks, settings.norm)     # what the SVM gets

With the default settings it is what OpenCV's HOGDescriptor computes (a test compares them), the
middle of its Gaussian window included, which lies half a pixel beside that of the block.

Pixels are (H, W, 3) uint8 RGB. A block is `block` x `block` cells, and its neighbor begins one cell
further. Indices of an array of blocks are block row, block column, row and column of the cell in
the block, bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

Norm = Literal["L2-Hys", "L2", "L1", "L1-sqrt", "none"]
NORMS: tuple[Norm, ...] = get_args(Norm)

CLIP = 0.2
"""L2-Hys: the largest component after the first normalization."""
FLOOR = 0.1
"""Is added to a norm for every component, so that flat blocks stay small; OpenCV's value."""
AGAIN = 1e-3
"""The same for the second normalization of L2-Hys, in all."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How histograms are made; the default is that of the paper's detector.

    Attributes:
        cell: Pixels of a cell's side.
        block: Cells of a block's side.
        bins: Of the directions.
        signed: Directions over 360 degrees instead of 180.
        root: The square root of the pixels is taken first ("gamma compression").
        norm: Of the blocks.
    """

    cell: int = 8
    block: int = 2
    bins: int = 9
    signed: bool = False
    root: bool = True
    norm: Norm = "L2-Hys"

    @property
    def length(self) -> int:
        """Components of a block."""
        return self.block * self.block * self.bins


PAPER = Settings()
"""Of the paper's detector of people."""


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """`magnitude` and `angle` are (H, W) float32; angles in [-pi, pi], x to the right, y down."""

    magnitude: Float32
    angle: Float32


def gradients(pixels: UInt8, *, root: bool = True) -> Gradients:
    """Differences of the two neighbors, [-1, 0, 1], of the channel where they are largest.

    Args:
        pixels: (H, W, 3); mirrored at the borders.
        root: Takes the square root of the pixels first.
    """
    table = np.arange(256, dtype=np.float32)
    if root:
        table = np.sqrt(table)
    best = _differences(pixels[:, :, 2], table)  # of equal ones blue counts, as in OpenCV
    for channel in (1, 0):
        own = _differences(pixels[:, :, channel], table)
        larger = own[2] > best[2]
        for kept, new in zip(best, own, strict=True):
            np.copyto(kept, new, where=larger)
    dx, dy, strength = best
    return Gradients(np.sqrt(strength), np.arctan2(dy, dx))


def _differences(channel: UInt8, table: Float32) -> tuple[Float32, Float32, Float32]:
    """Differences across and down of the neighbors of every pixel, and the sum of their squares."""
    around = np.pad(table[channel], 1, mode="reflect")
    dx = around[1:-1, 2:] - around[1:-1, :-2]
    dy = around[2:, 1:-1] - around[:-2, 1:-1]
    return dx, dy, dx * dx + dy * dy


def votes(found: Gradients, settings: Settings) -> Float32:
    """(bins, H, W): each pixel's magnitude, divided between the two bins next to its direction."""
    turn = 2 * np.pi if settings.signed else np.pi
    place = found.angle * np.float32(settings.bins / turn) - np.float32(0.5)
    low = np.floor(place)
    upper = found.magnitude * (place - low)
    planes = np.zeros((settings.bins, found.angle.size), np.float32)
    pixel = np.arange(found.angle.size)
    first = low.astype(np.int64).ravel() % settings.bins
    planes[first, pixel] = (found.magnitude - upper).ravel()
    planes[(first + 1) % settings.bins, pixel] = upper.ravel()
    return planes.reshape(settings.bins, *found.angle.shape)


def grid_of(size: tuple[int, ...], settings: Settings) -> tuple[int, int]:
    """Rows and columns of whole cells in a picture of height and width `size`."""
    return size[0] // settings.cell, size[1] // settings.cell


def cell_histograms(found: Gradients, settings: Settings) -> Float32:
    """(rows, columns, bins): the votes of each cell's own pixels, without weights."""
    rows, columns = grid_of(found.angle.shape, settings)
    side = settings.cell
    planes = votes(found, settings)[:, : rows * side, : columns * side]
    sums = planes.reshape(settings.bins, rows, side, columns, side).sum(axis=(2, 4))
    return np.ascontiguousarray(np.moveaxis(sums, 0, 2))


def window_weights(settings: Settings) -> Float32:
    """(block, side): how much each row of a block's pixels counts for each row of its cells.

    The same holds for columns, and the weight of a pixel is the product of both: a Gaussian window
    with a standard deviation of a quarter of the block, times the bilinear interpolation between
    the cells. Cells beside the block get nothing.
    """
    side = settings.block * settings.cell
    place = np.arange(side)
    gauss = np.exp(-((place - side / 2) ** 2) / (2 * (side / 4) ** 2))
    middle = (place + 0.5) / settings.cell - 0.5
    near = np.clip(1 - np.abs(middle[None] - np.arange(settings.block)[:, None]), 0, None)
    weights: Float32 = (near * gauss).astype(np.float32)
    return weights


def block_histograms(found: Gradients, settings: Settings) -> Float32:
    """(rows - block + 1, columns - block + 1, block, block, bins), not normalized yet.

    Raises:
        ValueError: The picture is smaller than a block.
    """
    (rows, columns), side, count = (
        grid_of(found.angle.shape, settings),
        settings.cell,
        settings.block,
    )
    down, across = rows - count + 1, columns - count + 1
    if min(down, across) < 1:
        raise ValueError(f"a picture of {found.angle.shape} pixels is smaller than a block")
    weights = window_weights(settings).reshape(count, count, side)
    planes = votes(found, settings)[:, : rows * side, : columns * side]
    # Weights are products of one for rows and one for columns: rows are added up first.
    strips = planes.reshape(settings.bins, rows, side, columns * side)
    summed = np.sum(
        [np.matmul(weights[:, part], strips[:, part : part + down]) for part in range(count)],
        axis=0,
    )  # (bins, down, block, columns * side)
    pieces = summed.reshape(settings.bins, down, count, columns, side)
    blocks = np.sum(
        [
            np.matmul(pieces[:, :, :, part : part + across], weights[:, part].T)
            for part in range(count)
        ],
        axis=0,
    )  # (bins, down, block, across, block)
    return np.ascontiguousarray(np.transpose(blocks, (1, 3, 2, 4, 0)))


def normalized(blocks: Float32, norm: Norm) -> Float32:
    """(…, block, block, bins) the same shape, every block divided by its norm."""
    flat = blocks.reshape(*blocks.shape[:-3], -1)
    return normalization(flat, norm)[-1][1].reshape(blocks.shape)


def normalization(vectors: Float32, norm: Norm) -> list[tuple[str, Float32]]:
    """The steps from sums of votes to what the SVM gets, each with its name; the last is the end.

    Args:
        vectors: (…, n), all components of a block in the last dimension.
        norm: Dalal and Triggs 2005, section 6.4. The constant that is added to the norm is
            OpenCV's.
    """
    floor = np.float32(FLOOR * vectors.shape[-1])
    steps = [("votes", vectors)]
    if norm == "none":
        return steps
    if norm in ("L1", "L1-sqrt"):
        by_sum = vectors / (np.abs(vectors).sum(axis=-1, keepdims=True) + floor)
        steps.append(("divided by the L1 norm", by_sum))
        if norm == "L1-sqrt":
            steps.append(("square root", np.sqrt(by_sum)))
        return steps
    by_length = vectors / (_length(vectors) + floor)
    steps.append(("divided by the L2 norm", by_length))
    if norm == "L2-Hys":
        clipped = np.minimum(by_length, np.float32(CLIP))
        steps.append((f"clipped at {CLIP}", clipped))
        steps.append(("divided again", clipped / (_length(clipped) + np.float32(AGAIN))))
    return steps


def _length(vectors: Float32) -> Float32:
    squares: Float32 = np.einsum("...i,...i->...", vectors, vectors)
    return np.sqrt(squares)[..., None]


def describe(pixels: UInt8, settings: Settings) -> Float32:
    """(rows - block + 1, columns - block + 1, block, block, bins): all steps of a picture."""
    found = gradients(pixels, root=settings.root)
    return normalized(block_histograms(found, settings), settings.norm)


def cell_means(blocks: Float32) -> Float32:
    """(rows, columns, bins): what a cell has on average in the blocks that it belongs to.

    Args:
        blocks: (rows - block + 1, columns - block + 1, block, block, bins).
    """
    return cell_sums(blocks) / cell_sums(np.ones((*blocks.shape[:4], 1), np.float32))


def cell_sums(blocks: Float32) -> Float32:
    """(rows, columns, bins): of every cell the sum over the blocks that it belongs to."""
    down, across, count, _, bins = blocks.shape
    sums = np.zeros((down + count - 1, across + count - 1, bins), np.float32)
    for row in range(count):
        for column in range(count):
            sums[row : row + down, column : column + across] += blocks[:, :, row, column]
    return sums
