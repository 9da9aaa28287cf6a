"""What the view computed, and what of it is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.hog.detector import grid_extent, of_window, window_box
from explorer.vision.hog.features import (
    Gradients,
    block_histograms,
    cell_histograms,
    gradients,
    grid_of,
    normalization,
)

if TYPE_CHECKING:
    from explorer.core.layers import Extent, Float32, Picture, UInt8
    from explorer.vision.hog.detector import Level, Windows
    from explorer.vision.hog.features import Settings
    from explorer.vision.hog.template import Template


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The levels of a photo, the largest first.

    Attributes:
        photo: As a layer.
        name: Of the template.
        template: The detector's.
        levels: With the detector's own histograms.
        settings: Of the histograms that are looked at.
        blocks: Those, level by level; the detector's own where the settings are the same.
        windows: The highest-scoring ones.
        best: (rows, columns) float32 the highest score at every place, NaN where there is none.
        done: Levels that are complete, of `total`.
        total: All of them.
    """

    photo: Picture
    name: str
    template: Template
    levels: tuple[Level, ...]
    settings: Settings
    blocks: tuple[Float32, ...]
    windows: Windows
    best: Float32
    done: int
    total: int
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window: row `key` of the result's windows, at `level`, with its blocks."""

    key: int
    level: int
    row: int
    column: int
    score: float
    xyxy: Float32
    blocks: Float32


def chosen_window(result: Result, key: int | None) -> Window:
    """The window of a key, or the one with the highest score."""
    rows = len(result.windows.scores)
    row = 0 if key is None or not 0 <= key < rows else key
    level, i, j = result.windows.places[row].tolist()
    return Window(
        row, level, i, j, float(result.windows.scores[row]), result.windows.xyxy[row],
        of_window(result.levels[level], result.template, i, j),
    )  # fmt: skip


def shown_level(result: Result, window: Window, scale: int) -> int:
    """The level that is looked at: that of the chosen window for 0, else the scale-th."""
    return window.level if scale == 0 else min(scale, len(result.levels)) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A cell, and the block that it is looked at in.

    Attributes:
        row: Of the cell in its level.
        column: The same.
        block: Row and column of the block.
        inside: Row and column of the cell in the block.
        histogram: (bins,) votes of the cell's own pixels.
        steps: Names and vectors (block * block * bins,) of the block's normalization.
        crop: (n, n, 3) uint8 the block's pixels.
        gradients: Of them.
    """

    row: int
    column: int
    block: tuple[int, int]
    inside: tuple[int, int]
    histogram: Float32
    steps: list[tuple[str, Float32]]
    crop: UInt8
    gradients: Gradients


def strongest_cell(result: Result, window: Window) -> tuple[float, float]:
    """The middle of the cell that adds most to the score of a window, in the photo's pixels."""
    own, level = result.template, result.levels[window.level]
    added = own.contributions(window.blocks).sum(axis=2)
    row, column = np.unravel_index(int(added.argmax()), added.shape)
    x0, y0, _, _ = window_box(own, window.row, window.column)
    side = own.settings.cell
    x, y = x0 + (int(column) + 0.5) * side, y0 + (int(row) + 0.5) * side
    (box,) = level.picture.to_photo(np.array([[x, y, x, y]], np.float32))
    return float(box[0]), float(box[1])


CORNERS = ("lower right", "lower left", "upper right", "upper left")
"""Which of the blocks of a cell: the cell is then in the opposite corner of it."""


def cell_at(result: Result, level: int, at: tuple[float, float], corner: str) -> Cell:
    """The cell at a place of the photo, with everything that is drawn of it."""
    settings, picture = result.settings, result.levels[level].picture
    rows, columns = grid_of(picture.pixels.shape, settings)
    x, y = picture.from_photo(*at)
    row = int(np.clip(y // settings.cell, 0, rows - 1))
    column = int(np.clip(x // settings.cell, 0, columns - 1))
    count, last = settings.block, settings.block - 1
    lower, right = "lower" in corner, "right" in corner
    # At the border a cell has fewer blocks: the nearest one is taken.
    top = int(np.clip(row if lower else row - last, 0, rows - count))
    left = int(np.clip(column if right else column - last, 0, columns - count))
    side = settings.cell * count
    y0, x0 = top * settings.cell, left * settings.cell
    found, y1, x1 = _around(picture.pixels, y0, x0, side, settings)
    inside = row - top, column - left
    votes = cell_histograms(found, settings)[inside]
    block = block_histograms(found, settings)[0, 0]
    return Cell(
        row, column, (top, left), inside, votes, normalization(block.ravel(), settings.norm),
        picture.pixels[y0:y1, x0:x1], found,
    )  # fmt: skip


def _around(
    pixels: UInt8, y0: int, x0: int, side: int, settings: Settings
) -> tuple[Gradients, int, int]:
    """The gradients of a block as they are in the whole picture, and where it ends."""
    up, before = min(1, y0), min(1, x0)
    found = gradients(
        pixels[y0 - up : y0 + side + 1, x0 - before : x0 + side + 1], root=settings.root
    )
    part = np.s_[up : up + side, before : before + side]
    return Gradients(found.magnitude[part], found.angle[part]), y0 + side, x0 + side


def block_box(result: Result, level: int, cell: Cell) -> tuple[Float32, Float32]:
    """(1, 4) the cell and (1, 4) its block in the photo's pixels."""
    side, count = result.settings.cell, result.settings.block
    y, x = cell.block
    corners = np.array(
        [
            [cell.column, cell.row, cell.column + 1, cell.row + 1],
            [x, y, x + count, y + count],
        ],
        np.float32,
    )
    boxes = result.levels[level].picture.to_photo(corners * side)
    return boxes[:1], boxes[1:]


def inner_cells(result: Result, level: int, cells: Float32) -> tuple[Float32, Extent]:
    """Those of (rows, columns, bins) cells that lie on the photo, and the rectangle they fill."""
    picture, side = result.levels[level].picture, result.settings.cell
    skipped = picture.border // side
    kept = cells[skipped : len(cells) - skipped or None, skipped : cells.shape[1] - skipped or None]
    if not kept.size:
        return cells, grid_extent(picture, result.settings)
    rows, columns = kept.shape[:2]
    corners = np.array([[0, 0, columns, rows]], np.float32) + np.float32(skipped)
    x0, y0, x1, y1 = picture.to_photo(corners * side)[0].tolist()
    return kept, (x0, y0, x1, y1)
