"""Numbers of a cell, its block and the windows: bars, curves, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.views.classic.hog.panes import bin_colors, shades
from explorer.views.shared.anchors import ORANGE
from explorer.views.shared.hog.glyphs import bin_angles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.views.classic.hog.result import Cell, Result, Window
    from explorer.vision.hog.features import Settings


def cell_bars(settings: Settings, cell: Cell) -> Plot:
    """The votes of the cell, a bar for each direction."""
    bars = tuple(
        (words, float(height), tint)
        for words, height, tint in zip(
            directions(settings), cell.histogram, bin_colors(settings.bins), strict=True
        )
    )
    title = f"Cell in row {cell.row}, column {cell.column}: votes by direction"
    return Plot("cell", title, x_label="sum of gradient magnitudes", bars=bars)


def directions(settings: Settings) -> tuple[str, ...]:
    """The middle of every bin in degrees."""
    middles = np.degrees(bin_angles(settings.bins, signed=settings.signed))
    return tuple(f"{middle:.0f}°" for middle in middles)


def block_curves(cell: Cell) -> Plot:
    """The components of the block after each step; the votes only where nothing follows them."""
    steps = cell.steps[1:] or cell.steps
    place = np.arange(1.0, len(steps[0][1]) + 1)
    curves = tuple(
        Curve(place, values.astype(np.float64), name, tint)
        for (name, values), tint in zip(steps, shades(len(steps)), strict=True)
    )
    return Plot(
        "block", "Block normalization, step by step", "component of the block", "value",
        curves=curves, whole_x=True,
    )  # fmt: skip


def block_table(settings: Settings, cell: Cell) -> Table:
    """The same as numbers."""
    count = settings.block
    names = directions(settings)
    rows: list[tuple[str | int | float, ...]] = []
    for number in range(settings.length):
        where, direction = divmod(number, settings.bins)
        row, column = divmod(where, count)
        numbers = (round(float(values[number]), 4) for _, values in cell.steps)
        rows.append((f"{row + 1}, {column + 1}", names[direction], *numbers))
    columns = ("cell (row, column)", "direction", *(name for name, _ in cell.steps))
    return Table("block", columns, tuple(rows), title="Block")


def level_curve(result: Result, level: int) -> Plot:
    """The highest score at each scale; the marker moves the scale that is shown."""
    scores = np.array([float(own.scores.max()) for own in result.levels])
    curve = Curve(np.arange(1.0, len(scores) + 1), scores, "highest score", ORANGE)
    return Plot(
        "scales", "Highest score at each scale", "scale, 1 = the largest picture", "score",
        curves=(curve,), marker=float(level + 1), steers="scale", whole_x=True,
    )  # fmt: skip


def window_table(result: Result, rows: NDArray[np.intp], window: Window) -> Table:
    """The windows that are left, and the chosen one where it is not among them."""
    keys = rows.tolist()
    if window.key not in keys:
        keys = [*keys, window.key]
    found = result.windows
    lines = tuple(
        (
            key + 1,
            round(float(found.scores[key]), 3),
            int(found.places[key, 0]) + 1,
            round(float(found.xyxy[key, 2] - found.xyxy[key, 0])),
            round(float(found.xyxy[key, 3] - found.xyxy[key, 1])),
        )
        for key in keys
    )
    columns = ("rank", "score", "scale", "width [px]", "height [px]")
    return Table("windows", columns, lines, title="Windows", layer="windows", keys=tuple(keys))
