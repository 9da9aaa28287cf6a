"""A few cells with their numbers written in them."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Color, Grid, Heat, Pane, Text, lookup_table
from explorer.render.numbers import fixed, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Colormap, Extent, Float32
    from explorer.core.layers import Layer as Drawn

DARK, LIGHT = (20, 22, 26), (255, 255, 255)
EDGE = (110, 110, 116)
GRAY: Color = (140, 146, 156)
"""Of the frames of padding."""
ORANGE, BLUE = (255, 150, 30), (40, 130, 255)
NUMBERED = 441
"""Cells of a grid that have their numbers written in them, at most."""
WIDE = 1.7
"""Of a single number, in cells."""
CELL = 40.0
"""Sides of a cell in units of its pane: the window writes values of its own into large units."""
MOST_DECIMALS = 4
LARGE, SMALL = 12.0, 8.5
"""Letters of a few large cells and of many small ones."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Colors and decimals that panes share: values from `low` to `high`."""

    low: float
    high: float
    decimals: int | None  # None = three or four digits of each number
    colormap: Colormap = "coolwarm"
    unit: str = "score"

    @classmethod
    def of(cls, *arrays: Float32, unit: str = "score", most: int = MOST_DECIMALS) -> Scale:
        """Around zero, for all finite values of some arrays: three digits of the largest.

        Args:
            arrays: The values.
            unit: What they are.
            most: Decimals at most, where there is little room.
        """
        sizes = (np.abs(values[np.isfinite(values)]) for values in arrays)
        high = max(float(each.max(initial=0.0)) for each in sizes) or 1.0
        whole = all((values[np.isfinite(values)] % 1 == 0).all() for values in arrays)
        decimals = 0 if whole else min(most, max(0, 2 - floor(log10(high))))
        return cls(-high, high, decimals, unit=unit)

    def word(self, value: float) -> str:
        if self.decimals is None:
            return number(float(f"{value:.3g}") if abs(value) < 0.1 else value)
        return fixed(value, self.decimals) if value else "0"

    def ink(self, value: float) -> Color:
        """The color of a number on the color of its cell."""
        share = (value - self.low) / (self.high - self.low)
        red, green, blue = lookup_table(self.colormap)[int(255 * min(max(share, 0.0), 1.0))]
        return DARK if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else LIGHT


def layers_of(
    values: Float32, scale: Scale, *, at: tuple[float, float] = (0.0, 0.0), name: str = "",
    size: float | None = None,
) -> tuple[Drawn, ...]:  # fmt: skip
    """(r, c) values as colored cells with numbers; NaN is an empty cell.

    Args:
        values: What is drawn; without numbers where it has more than `NUMBERED` cells.
        scale: Of the colors and numbers.
        at: Column and row of the pane's cells at which they begin.
        name: Before the names of the layers, where a pane has several grids.
        size: Of the letters; by default of the number of cells.
    """
    rows, columns = values.shape
    if size is None:
        size = LARGE if max(rows, columns) <= 5 else SMALL
    left, top = at
    there = np.argwhere(np.isfinite(values) & (values.size <= NUMBERED))
    letters = tuple(
        Text(
            scale.word(float(values[row, column])),
            (CELL * (left + column + 0.5), CELL * (top + row + 0.5)),
            color=scale.ink(float(values[row, column])), size=size, plate=False, anchor=(0.5, 0.5),
            name=f"{name}number {row} {column}", room=CELL,
        )
        for row, column in there
    )  # fmt: skip
    heat = Heat(
        values, scale.low, scale.high, scale.colormap, extent=extent_at(values.shape, at),
        unit=scale.unit, name=f"{name}cells",
    )  # fmt: skip
    return (heat, rules(rows, columns, 1, at=at), *letters)


def single(
    value: float, scale: Scale, at: tuple[float, float], *, wide: float = WIDE, name: str = ""
) -> tuple[Drawn, ...]:
    """One number in a cell that is wide enough for all its digits."""
    left, top = at
    extent = (CELL * left, CELL * top, CELL * (left + wide), CELL * (top + 1))
    heat = Heat(
        np.array([[value]], np.float32), scale.low, scale.high, scale.colormap, extent=extent,
        unit=scale.unit, name=f"{name}cells",
    )  # fmt: skip
    place = (CELL * (left + wide / 2), CELL * (top + 0.5))
    words = Text(
        scale.word(value), place, color=scale.ink(value), plate=False, anchor=(0.5, 0.5),
        name=f"{name}number", room=CELL * wide,
    )  # fmt: skip
    return heat, words


def extent_at(shape: tuple[int, ...], at: tuple[float, float] = (0.0, 0.0)) -> Extent:
    """The rectangle of (rows, columns) cells that begin at column and row `at`."""
    rows, columns = shape[:2]
    left, top = at
    return (CELL * left, CELL * top, CELL * (left + columns), CELL * (top + rows))


def word(
    text: str, column: float, row: float, *, anchor: tuple[float, float] = (0.5, 0.5),
    size: float = LARGE, color: Color | None = None, name: str = "word",
) -> Text:  # fmt: skip
    """Words between grids of cells, at a place in cells."""
    place = (CELL * column, CELL * row)
    return Text(text, place, color=color, size=size, plate=False, anchor=anchor, name=name)


def rules(
    rows: int, columns: int, every: int, width: float = 1.0, at: tuple[float, float] = (0.0, 0.0)
) -> Grid:
    """Lines between every so many rows and columns of cells."""
    xs, ys = (
        np.float32(CELL) * (np.float32(start) + np.arange(0, count + 1, every, dtype=np.float32))
        for start, count in zip(at, (columns, rows), strict=True)
    )
    extent = extent_at((rows, columns), at)
    return Grid(xs, ys, extent, color=EDGE, width=width, opacity=0.9, name=f"rules {every}")


def of_all(rows: int, columns: int) -> Float32:
    """(rows * columns, 4) xyxy of all cells, row by row."""
    row, column = np.mgrid[0:rows, 0:columns].reshape(2, -1)
    return np.stack([column, row, column + 1, row + 1], axis=1).astype(np.float32)


def frames(
    boxes: Float32, color: Color, name: str, *, width: float = 3.0, dotted: bool = False
) -> Boxes:
    """Frames around (N, 4) xyxy of cells."""
    tints = np.full((len(boxes), 3), color, np.uint8)
    return Boxes(
        np.float32(CELL) * boxes, tints, width=width, dotted=dotted, selectable=False, name=name
    )


def clickable(rows: int, columns: int) -> Boxes:
    """Every cell can be chosen by a click; its key counts them row by row."""
    boxes = np.float32(CELL) * of_all(rows, columns)
    return Boxes(boxes, np.zeros((len(boxes), 3), np.uint8), width=0.0, name="cells")


def pane(
    name: str,
    title: str,
    size: tuple[int, int],
    layers: Sequence[Drawn],
    readout: Callable[[int, int], str],
) -> Pane:
    """A pane of (rows, columns) cells; `readout` is of a row and a column."""
    rows, columns = size

    def words(x: float, y: float) -> str:
        row, column = int(np.floor(y / CELL)), int(np.floor(x / CELL))
        return readout(row, column) if 0 <= row < rows and 0 <= column < columns else ""

    return Pane(
        name, (CELL * columns, CELL * rows), tuple(layers), title=title, frame=name, readout=words,
        drawing=True,
    )  # fmt: skip
