"""The scores of every anchor of a cell as small maps side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Layer, Pane, Text
from explorer.core.listing import quantity
from explorer.views.shared.anchors import ORANGE, level_name, prior_words, same, score_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Float32
    from explorer.views.shared.anchors import AnchorTable
    from explorer.views.shared.draw_cache import DrawCache

    Tiles = tuple[tuple[int, int], ...]

GAP = 2
MOST_WORDS = 24


def map_title(table: AnchorTable, level: int, prior: int) -> str:
    """What a map of scores shows; `level` and `prior` as in `score_heat`."""
    if level < 0:
        return f"{table.meaning.capitalize()}, maximum over all anchors"
    shape = prior_words(table, level, prior)
    return f"Level {level + 1}, {shape} px ({level_name(table.levels[level])})"


def _grid(table: AnchorTable) -> tuple[int, int, int, int]:
    """Columns of the mosaic, and the height, width of a tile; then its rows."""
    finest = max(table.levels, key=lambda level: level.rows * level.columns)
    widest = max(level.per_cell for level in table.levels)
    if len(table.levels) > 1:
        return widest, finest.rows, finest.columns, len(table.levels)
    columns = math.ceil(math.sqrt(widest))
    return columns, finest.rows, finest.columns, math.ceil(widest / columns)


def _corners(table: AnchorTable, tiles: Tiles) -> Float32:
    """(T, 2) upper left corners of the tiles in the mosaic."""
    columns, height, width, _ = _grid(table)
    found = []
    for number, (level, prior) in enumerate(tiles):
        row, column = (level, prior) if len(table.levels) > 1 else divmod(number, columns)
        found.append((column * (width + GAP), row * (height + GAP)))
    return np.array(found, np.float32)


def _mosaic(table: AnchorTable, tiles: Tiles) -> Heat:
    columns, height, width, rows = _grid(table)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    values = np.full(shape, np.nan, np.float32)
    corners = _corners(table, tiles).astype(int)
    for (level, prior), (x, y) in zip(tiles, corners, strict=True):
        grid = score_map(table, level, prior)
        down = np.arange(height) * grid.shape[0] // height
        across = np.arange(width) * grid.shape[1] // width
        values[y : y + height, x : x + width] = grid[down[:, None], across]
    high = float(max(table.scores.max(), 1e-6))
    return Heat(values, 0.0, high, "inferno", unit=table.meaning, name="mosaic")


def maps_pane(table: AnchorTable, tiles: Tiles, cache: DrawCache, tile: int | None) -> Pane:
    """The small maps of all anchors of a cell.

    Args:
        table: The anchors.
        tiles: Level and prior of each map, in their order.
        cache: Of the drawing.
        tile: The map that is marked.
    """
    _, height, width, _ = _grid(table)
    heat = cache.get("mosaic", lambda: _mosaic(table, tiles))
    corners = cache.get("corners", lambda: _corners(table, tiles))
    boxes = np.concatenate([corners, corners + np.array([width, height], np.float32)], axis=1)
    colors = same((90, 90, 90), len(boxes))
    layers: list[Layer] = [heat]
    layers.append(Boxes(boxes, colors, keys=tuple(range(len(boxes))), width=1.0, name="maps"))
    if tile is not None:
        chosen = min(tile, len(boxes) - 1)
        layers.append(
            Boxes(boxes[chosen : chosen + 1], same(ORANGE, 1), width=3.0, selectable=False,
                  name="chosen")
        )  # fmt: skip
    if len(boxes) <= MOST_WORDS:
        for (level, prior), (x, y) in zip(tiles, corners, strict=True):
            words = prior_words(table, level, prior)
            layers.append(Text(words, (float(x), float(y)), size=9.0, name="shape"))
    size = (float(heat.values.shape[1]), float(heat.values.shape[0]))
    title = f"{quantity(len(boxes), 'map')}, one per anchor of a cell"
    if len(table.levels) > 1:
        title = f"{quantity(len(boxes), 'map')}: anchors across, levels down"
    return Pane(
        "maps", size, tuple(layers), title=title,
        frame="maps", readout=_readout(table, tiles, boxes),
    )  # fmt: skip


def _readout(table: AnchorTable, tiles: Tiles, boxes: Float32) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        hit = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
        found = np.flatnonzero(hit)
        if len(found) == 0:
            return ""
        return map_title(table, *tiles[int(found[0])])

    return readout
