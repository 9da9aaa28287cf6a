"""Marks and curves in the chosen set of colors.

Views write what a color stands for (green is kept, red is suppressed) in the standard colors. For
another set every such color becomes the nearest one of it, here and nowhere else.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.color_sets import CLASS_SETS, Color, chosen_color_set
from explorer.core.colormaps import class_colors
from explorer.core.layers import Board, Boxes, Layer, Lines, Plot, Points, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from explorer.core.layers import UInt8

CANDIDATES = 24
"""Colors of a set that marks may get."""
MOST_COLORS = 48
"""A layer with more shows numbers as colors: those stay."""
GRAY = 28
"""Between the strongest and the weakest channel: a color with less is left alone."""
ROUND_COST = 30.0
"""What a lighter or darker round of the set counts against it, in units of a channel."""


def in_chosen_colors(board: Board) -> Board:
    """`board` with its fixed colors taken from the chosen set; itself with the standard one."""
    chosen = chosen_color_set()
    if chosen == "standard":
        return board
    charts = _apart(_chart_colors(board), chosen)
    panes = tuple(
        replace(pane, layers=tuple(_layer(layer, charts, chosen) for layer in pane.layers))
        for pane in board.panes
    )
    return replace(
        board,
        panes=panes,
        plots=tuple(_plot(plot, charts) for plot in board.plots),
        tables=tuple(_table(table, charts) for table in board.tables),
    )


def _chart_colors(board: Board) -> list[Color]:
    """Every color of curves, bars and tables, in their order."""
    found: list[Color] = []
    for plot in board.plots:
        found += [curve.color for curve in plot.curves] + [color for *_, color in plot.bars]
    for table in board.tables:
        found += table.swatches
    return list(dict.fromkeys(_plain(color) for color in found))


def _apart(colors: Iterable[Color], chosen: str) -> dict[Color, Color]:
    """A color of the set for each, no two the same while there are enough."""
    made: dict[Color, Color] = {}
    for color in colors:
        free = [near for near in _nearest(color, chosen) if near not in made.values()]
        made[color] = (free or _nearest(color, chosen))[0]
    return made


@functools.lru_cache(maxsize=4096)
def _nearest(color: Color, chosen: str) -> tuple[Color, ...]:
    """The colors of the set, the nearest first; a gray alone."""
    if color in _own(chosen) or max(color) - min(color) < GRAY:
        return (color,)
    table = class_colors(CANDIDATES, chosen)
    # Weighted by how red both are: https://www.compuphase.com/cmetric.htm
    red = (table[:, 0].astype(np.float64) + color[0]) / 2
    apart = (table.astype(np.float64) - color) ** 2
    far = np.sqrt(
        (2 + red / 256) * apart[:, 0] + 4 * apart[:, 1] + (2 + (255 - red) / 256) * apart[:, 2]
    )
    far += ROUND_COST * (np.arange(CANDIDATES) // len(CLASS_SETS[chosen]))
    return tuple(_plain(table[place]) for place in np.argsort(far, kind="stable"))


@functools.cache
def _own(chosen: str) -> frozenset[Color]:
    """What classes have in the set."""
    return frozenset(_plain(row) for row in class_colors(256, chosen))


def _layer(layer: Layer, charts: Mapping[Color, Color], chosen: str) -> Layer:
    match layer:
        case Boxes() | Points() | Lines():
            colors = _rows(layer.colors, charts, chosen)
            return layer if colors is layer.colors else replace(layer, colors=colors)
        case Text() if layer.swatches or layer.name != "stamp":
            swatches = tuple(_one(color, charts, chosen) for color in layer.swatches)
            color = None if layer.color is None else _one(layer.color, charts, chosen)
            return replace(layer, swatches=swatches, color=color)
        case _:
            return layer


def _rows(colors: UInt8, charts: Mapping[Color, Color], chosen: str) -> UInt8:
    """(N, 3) of the set; the same array where nothing changes."""
    if not len(colors):
        return colors
    different, which = np.unique(colors, axis=0, return_inverse=True)
    if len(different) > MOST_COLORS:
        return colors
    made = np.array([_one(_plain(row), charts, chosen) for row in different.tolist()], np.uint8)
    if np.array_equal(made, different):
        return colors
    changed: UInt8 = made[which.reshape(-1)]
    return changed


def _one(color: Color, charts: Mapping[Color, Color], chosen: str) -> Color:
    plain = _plain(color)
    return charts[plain] if plain in charts else _nearest(plain, chosen)[0]


def _plot(plot: Plot, charts: Mapping[Color, Color]) -> Plot:
    return replace(
        plot,
        curves=tuple(replace(curve, color=charts[_plain(curve.color)]) for curve in plot.curves),
        bars=tuple((label, value, charts[_plain(color)]) for label, value, color in plot.bars),
    )


def _table(table: Table, charts: Mapping[Color, Color]) -> Table:
    return replace(table, swatches=tuple(charts[_plain(color)] for color in table.swatches))


def _plain(color: Iterable[int]) -> Color:
    red, green, blue = (int(part) for part in color)
    return red, green, blue
