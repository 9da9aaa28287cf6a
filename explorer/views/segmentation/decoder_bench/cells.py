"""A few cells with their numbers written in them, as in a lecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Grid, Heat, Pane, Text, lookup_table
from explorer.render.numbers import fixed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Color, Colormap, Float32
    from explorer.core.layers import Layer as Drawn

DARK, LIGHT = (20, 22, 26), (255, 255, 255)
EDGE = (110, 110, 116)
CELL = 40.0
"""Sides of a cell in units of its pane: the window writes values of its own into large units."""
LARGE, SMALL = 12.0, 8.5
"""Letters of a few large cells and of many small ones."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Colors and decimals that panes share: values from `low` to `high`."""

    low: float
    high: float
    decimals: int
    colormap: Colormap = "coolwarm"
    unit: str = "score"

    @classmethod
    def of(cls, *arrays: Float32) -> Scale:
        """Around zero, for all values of some arrays."""
        high = max(float(np.abs(values).max(initial=0.0)) for values in arrays) or 1.0
        return cls(-high, high, 1 if high >= 10 else 2)

    def word(self, value: float) -> str:
        return fixed(value, self.decimals) if value else "0"

    def ink(self, value: float) -> Color:
        """The color of a number on the color of its cell."""
        share = (value - self.low) / (self.high - self.low)
        red, green, blue = lookup_table(self.colormap)[int(255 * min(max(share, 0.0), 1.0))]
        return DARK if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else LIGHT


def layers_of(values: Float32, scale: Scale) -> tuple[Drawn, ...]:
    """(r, c) values as colored cells with numbers."""
    rows, columns = values.shape
    size = LARGE if max(rows, columns) <= 5 else SMALL
    letters = tuple(
        Text(
            scale.word(float(values[row, column])), (CELL * (column + 0.5), CELL * (row + 0.5)),
            color=scale.ink(float(values[row, column])), size=size, plate=False, anchor=(0.5, 0.5),
            name=f"number {row} {column}",
        )
        for row in range(rows)
        for column in range(columns)
    )  # fmt: skip
    extent = (0.0, 0.0, CELL * columns, CELL * rows)
    heat = Heat(
        values, scale.low, scale.high, scale.colormap, extent=extent, unit=scale.unit, name="cells"
    )
    return (heat, rules(rows, columns, 1), *letters)


def rules(rows: int, columns: int, every: int, width: float = 1.0) -> Grid:
    """Lines between every so many rows and columns of cells."""
    xs, ys = (CELL * np.arange(0, count + 1, every, dtype=np.float32) for count in (columns, rows))
    extent = (0.0, 0.0, CELL * columns, CELL * rows)
    return Grid(xs, ys, extent, color=EDGE, width=width, opacity=0.9, name=f"rules {every}")


def of_all(rows: int, columns: int) -> Float32:
    """(rows * columns, 4) xyxy of all cells, row by row."""
    row, column = np.mgrid[0:rows, 0:columns].reshape(2, -1)
    return np.stack([column, row, column + 1, row + 1], axis=1).astype(np.float32)


def frames(boxes: Float32, color: Color, name: str, *, width: float = 3.0) -> Boxes:
    """Frames around (N, 4) xyxy of cells."""
    tints = np.full((len(boxes), 3), color, np.uint8)
    return Boxes(np.float32(CELL) * boxes, tints, width=width, selectable=False, name=name)


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
        name, (CELL * columns, CELL * rows), tuple(layers), title=title, frame=name, readout=words
    )
