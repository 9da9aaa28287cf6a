"""The mosaic of all channels: their maps, or their histograms, with numbers on the tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from explorer.core.layers import Boxes, Heat, Pane, Points, Text
from explorer.views.inside.feature_maps.params import AROUND_ZERO, EACH, HISTOGRAMS
from explorer.vision.channels.values import histograms
from explorer.vision.features.mosaics import Tiling, stretched

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Colormap, Float32, Layer
    from explorer.views.inside.feature_maps.params import Params
    from explorer.views.inside.feature_maps.result import Cell, Maps, Result

ORANGE = (255, 160, 40)
EDGE = 90
"""Gray level of the edges of tiles."""
MOST_NUMBERS = 64
"""Tiles up to which each has its number; of more only the first of some rows."""
MOST_ROWS = 8
"""Rows that are numbered then."""
MOST_FRAMED = 512
"""Tiles up to which they have frames, which would hide much of smaller ones."""
BINS, HIGH = 32, 24
"""Columns and rows of a histogram's tile."""


def with_gamma(values: Float32, low: float, high: float, gamma: float) -> Float32:
    """Values whose part of the way from `low` to `high` is raised to the power of `gamma`.

    Where `low` is -`high`, the distance from zero is; the ends and what is beyond them stay.
    """
    if gamma == 1.0 or high <= low:
        return values
    around = low == -high
    start, span = (0.0, high) if around else (low, high - low)
    share = (values - np.float32(start)) / np.float32(span)
    bent = np.sign(share) * np.abs(share) ** np.float32(gamma)
    found: Float32 = (bent * np.float32(span) + np.float32(start)).astype(np.float32)
    return found


def gamma_words(gamma: float) -> str:
    """Behind the unit of a color scale."""
    return "" if gamma == 1.0 else f", gamma {gamma:.2g}"


def tiling_of(maps: Maps, params: Params) -> Tiling:
    """How the tiles lie that are shown."""
    return Tiling.of(maps.count, HIGH, BINS) if params.show == HISTOGRAMS else maps.tiling


def mosaic_pane(result: Result, params: Params, channel: int, cell: Cell | None) -> Pane:
    """All channels in their order, the shown one and the cell under the mouse marked."""
    maps, cache = result.maps, result.maps.cache
    order, tiling = result.order(params.sort), tiling_of(result.maps, params)
    shown = params.show == HISTOGRAMS
    by = (shown, order.tobytes())
    key = ("mosaic", *by, params.scale, params.colormap, params.gamma)
    heat = cache.get(key, lambda: (_histograms if shown else _heat)(maps, params, order, tiling))
    tiles = cache.get(("tiles", *by), lambda: _tiles(tiling, order))
    layers: list[Layer] = [heat, tiles]
    if params.numbers:
        layers += cache.get(("numbers", *by), lambda: _numbers(tiling, order))
    row = tiles.row(channel)
    if row is not None:
        edge = tiles.xyxy[row : row + 1]
        tint = np.array([ORANGE], np.uint8)
        layers.append(Boxes(edge, tint, selectable=False, name="chosen"))
    if cell is not None and not shown:
        xy = tiles.xyxy[:, :2] + np.array([cell[1] + 0.5, cell[0] + 0.5], np.float32)
        layers.append(marks(xy, radius=2.5))
    width, height = tiling.size
    return Pane(
        "mosaic",
        (float(width), float(height)),
        tuple(layers),
        title=maps.title,
        frame="histograms" if shown else "mosaic",
        readout=(_histogram_readout if shown else _readout)(maps, tiling, order, params),
        drawing=True,
    )


def marks(xy: Float32, radius: float) -> Points:
    """Positions that belong together."""
    colors = np.tile(np.array([ORANGE], np.uint8), (len(xy), 1))
    return Points(xy, colors, radius=radius, name="position")


def _heat(maps: Maps, params: Params, order: NDArray[np.intp], tiling: Tiling) -> Heat:
    values, numbers = maps.values, maps.statistics
    low, high, unit = float(numbers.low.min()), float(numbers.high.max()), "activation"
    if params.scale == EACH and values[0].size > 1:
        values, low, high = stretched(values, numbers), 0.0, 1.0
        unit = "0 = each tile's minimum, 1 = its maximum"
    elif params.scale == AROUND_ZERO:
        high = max(abs(low), abs(high))
        low = -high
    values = with_gamma(tiling.mosaic(values, order), low, high, params.gamma)
    unit += gamma_words(params.gamma)
    colormap = cast("Colormap", params.colormap)
    return Heat(values, low, high, colormap, unit=unit, name="mosaic")


def _ranges(maps: Maps, params: Params) -> tuple[Float32, Float32]:
    """(C,) both ends of the histogram of each channel."""
    low, high = maps.statistics.low, maps.statistics.high
    if params.scale == EACH:
        return low, high
    least, most = float(low.min()), float(high.max())
    if params.scale == AROUND_ZERO:
        most = max(abs(least), abs(most))
        least = -most
    return np.full_like(low, least), np.full_like(high, most)


def _histograms(maps: Maps, params: Params, order: NDArray[np.intp], tiling: Tiling) -> Heat:
    """The counts of each channel as columns, the highest one as high as its tile."""
    counts = histograms(maps.values, *_ranges(maps, params), BINS)
    share = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
    level = (HIGH - np.arange(HIGH, dtype=np.float64))[:, None] / HIGH
    filled = (share[:, None, :] * (1 + 1e-9) >= level) & (share[:, None, :] > 0)
    filled[:, -1] |= counts > 0  # one value is seen, too
    bars = filled.astype(np.float32) * np.float32(0.85)
    colormap = cast("Colormap", params.colormap)
    return Heat(
        tiling.mosaic(bars, order), 0.0, 1.0, colormap, unit="of the highest bin", name="mosaic"
    )


def _tiles(tiling: Tiling, order: NDArray[np.intp]) -> Boxes:
    # One selectable box per tile: its edge is the gap between tiles, its key the channel.
    colors = np.full((tiling.count, 3), EDGE, np.uint8)
    keys = tuple(order.tolist())
    width = 1.0 if tiling.count <= MOST_FRAMED else 0.0
    return Boxes(tiling.boxes(), colors, keys=keys, width=width, name="tiles")


def _numbers(tiling: Tiling, order: NDArray[np.intp]) -> tuple[Text, ...]:
    every = 1
    if tiling.count > MOST_NUMBERS:
        every = tiling.columns * -(-tiling.rows // MOST_ROWS)
    corners = tiling.boxes()[::every, :2].tolist()
    return tuple(
        Text(str(channel), (x, y), size=7.0, name="number")
        for channel, (x, y) in zip(order[::every].tolist(), corners, strict=True)
    )


def _readout(
    maps: Maps, tiling: Tiling, order: NDArray[np.intp], params: Params
) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        place = tiling.at(x, y)
        if place is None:
            return ""
        tile, row, column = place
        channel = int(order[tile])
        value = maps.values[channel, row, column]
        return f"channel {channel}, row {row}, column {column}: {value:.5g}"

    return readout


def _histogram_readout(
    maps: Maps, tiling: Tiling, order: NDArray[np.intp], params: Params
) -> Callable[[float, float], str]:
    low, high = _ranges(maps, params)

    def readout(x: float, y: float) -> str:
        place = tiling.at(x, y)
        if place is None:
            return ""
        tile, _, column = place
        channel = int(order[tile])
        step = (high[channel] - low[channel]) / BINS
        start = low[channel] + column * step
        values = maps.values[channel]
        count = int(((values >= start) & (values < start + step)).sum())
        if column == BINS - 1:
            count += int((values == high[channel]).sum())
        return f"channel {channel}: {count:,} values from {start:.4g} to {start + step:.4g}"

    return readout
