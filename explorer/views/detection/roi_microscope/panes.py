"""The panes of the RoI microscope: the box on its map, and what every method made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Grid, Heat, Layer, Pane, Picture, Points, Text
from explorer.views.shared.anchors import ORANGE, WHITE, same
from explorer.vision.detection.roi import Pooled, roi_align, roi_pool, roi_warp, snapped, spp

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Color, Extent, Float32
    from explorer.views.shared.draw_cache import DrawCache

METHODS = ("RoIPool", "RoIWarp", "RoIAlign", "SPP")
OTHER = "RoIAlign, other alignment"
DIFFERENCES = {
    "RoIAlign - RoIPool": ("RoIAlign", "RoIPool"),
    "RoIAlign - RoIWarp": ("RoIAlign", "RoIWarp"),
    "RoIWarp - RoIPool": ("RoIWarp", "RoIPool"),
    "RoIAlign - RoIAlign, other alignment": ("RoIAlign", OTHER),
}
PYRAMID = (1, 2, 4)
PINK: Color = (255, 60, 170)
BIN: Color = (255, 214, 160)
GAP, HEADING = 0.1, 0.24
"""Between the tiles and above them, in sides of a tile."""
BACKDROP = np.full((1, 1, 3), 36, np.uint8)
KEYS = 1000
"""The key of a bin of the pooled outputs is tile x KEYS + bin."""


def pool_all(
    features: Float32, cells: Float32, size: int, sampling: int, aligned: bool
) -> dict[str, Pooled]:
    """What each of METHODS, and RoIAlign with the other alignment, makes of (C, H, W) features."""
    grid = (size, size)
    return {
        "RoIPool": roi_pool(features, cells, grid),
        "RoIWarp": roi_warp(features, cells, grid, sampling=sampling),
        "RoIAlign": roi_align(features, cells, grid, sampling=sampling, aligned=aligned),
        "SPP": spp(features, cells, PYRAMID),
        OTHER: roi_align(features, cells, grid, sampling=sampling, aligned=not aligned),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One channel, one box.

    Attributes:
        feature: (H, W) float32.
        cells: (4,) the box in cells.
        size: Rows and columns of the outputs.
        sampling: Places per bin along each axis.
        aligned: Of RoIAlign.
        pooled: By method; values are (1, n, n).
        low: The smallest value of the channel, which is the lower end of all colors.
        high: The largest one.
    """

    feature: Float32
    cells: Float32
    size: int
    sampling: int
    aligned: bool
    pooled: dict[str, Pooled]
    low: float
    high: float

    @classmethod
    def of(cls, feature: Float32, cells: Float32, size: int, sampling: int, aligned: bool) -> Cut:
        finite = feature[np.isfinite(feature)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        pooled = pool_all(feature[None], cells, size, sampling, aligned)
        return cls(feature, cells, size, sampling, aligned, pooled, low, high)

    @property
    def rounding(self) -> float:
        """By how many cells RoIPool's window differs from the box, at most, on any side."""
        return float(np.abs(np.array(snapped(self.cells)) - self.cells).max())


def map_pane(cut: Cut, method: str, zoom: bool, chosen: int, title: str, cache: DrawCache) -> Pane:
    """The channel around the box, with window, bins and places of one method."""
    left, top, side_x, side_y = crop_of(cut, zoom)
    origin = np.array([left, top, left, top], np.float32)
    heat = cache.get(
        ("map", id(cut), left, top, side_x), lambda: _channel(cut, left, top, side_x, side_y)
    )
    found = cut.pooled[method]
    window = np.array([found.window], np.float32) - origin
    size = (float(side_x), float(side_y))
    layers: list[Layer] = [Picture(BACKDROP, (0.0, 0.0, *size), name="ground")]
    layers += [heat] if heat is not None else []
    if max(side_x, side_y) <= 64:
        lines = [np.arange(0, side + 1, dtype=np.float32) for side in (side_x, side_y)]
        layers.append(Grid(lines[0], lines[1], (0.0, 0.0, *size), opacity=0.16, name="cells"))
    bins = found.bins - origin
    layers.append(Boxes(bins, same(BIN, len(bins)), width=1.0, selectable=False, name="bins"))
    if method != "SPP":
        layers.append(
            Boxes(
                bins[chosen : chosen + 1], same(PINK, 1), width=2.5, fill=0.2, selectable=False,
                name="chosen bin",
            )
        )  # fmt: skip
    if 0 < len(found.samples) <= 2000:
        places = found.samples - origin[:2]
        layers.append(Points(places, same(WHITE, len(places)), radius=1.4, name="places"))
    layers.append(Boxes(window, same(ORANGE, 1), width=2.5, selectable=False, name="window"))
    exact = (cut.cells - origin)[None]
    layers.append(
        Boxes(exact, same(WHITE, 1), width=2.0, dotted=True, selectable=False, name="exact")
    )
    return Pane(
        "map", size, tuple(layers), f"{title} ({method})", frame="cells",
        readout=_cell_words(cut, left, top),
    )  # fmt: skip


def _channel(cut: Cut, left: int, top: int, side_x: int, side_y: int) -> Heat | None:
    """What of the map lies in the crop, None where that is nothing."""
    height, width = cut.feature.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side_x, width), min(top + side_y, height)
    if x0 >= x1 or y0 >= y1:
        return None
    return Heat(
        np.array(cut.feature[y0:y1, x0:x1]), cut.low, cut.high, unit="activation",
        extent=(x0 - left, y0 - top, x1 - left, y1 - top), name="channel",
    )  # fmt: skip


def _cell_words(cut: Cut, left: int, top: int) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        row, column = int(np.floor(y)) + top, int(np.floor(x)) + left
        height, width = cut.feature.shape
        if not (0 <= row < height and 0 <= column < width):
            return "outside the map"
        return f"cell {row}, {column}: {cut.feature[row, column]:.4g}"

    return words


def crop_of(cut: Cut, zoom: bool) -> tuple[int, int, int, int]:
    """First column and row that are shown, and how many: whole cells, so that a nudge is seen."""
    height, width = cut.feature.shape
    if not zoom:
        return 0, 0, width, height
    x0, y0, x1, y1 = (float(side) for side in cut.cells)
    # In steps of four cells: the picture does not change its scale at every nudge.
    side = 4 * int(np.ceil((max(x1 - x0, y1 - y0, 1.0) + 5) / 4))
    if side >= max(height, width) and x0 < width and x1 > 0 and y0 < height and y1 > 0:
        return 0, 0, width, height
    left = int(np.floor((x0 + x1) / 2)) - side // 2
    top = int(np.floor((y0 + y1) / 2)) - side // 2
    return left, top, side, side


def pooled_pane(cut: Cut, difference: str, chosen: int, cache: DrawCache) -> Pane:
    """All outputs as tiles with one scale, and a difference with its own."""
    tiles = cache.get(("tiles", id(cut)), lambda: _tiles(cut))
    layers: list[Layer] = list(tiles)
    delta = cache.get(("difference", id(cut), difference), lambda: _difference(cut, difference))
    layers.append(delta)
    bins = _bins(cut)
    layers.append(bins)
    row = np.array([tile * cut.size**2 + chosen for tile in range(len(_SQUARE))])
    layers.append(
        Boxes(bins.xyxy[row], same(PINK, len(row)), width=2.5, selectable=False, name="chosen bins")
    )
    words = {
        "RoIPool": "RoIPool",
        "RoIWarp": "RoIWarp",
        "RoIAlign": "RoIAlign, aligned" if cut.aligned else "RoIAlign",
        "SPP": "SPP 1, 2, 4",
        OTHER: "not aligned" if cut.aligned else "aligned",
        "difference": "difference",
    }
    for name, text in words.items():
        x0, y0, *_ = _place(cut, name)
        layers.append(Text(text, (x0, y0 - 0.9 * HEADING * cut.size), size=8.5, name=name))
    # A bin is one unit: painters write numbers into cells by the scale of the pane.
    size = (cut.size * (3 + 4 * GAP), cut.size * (2 + 2 * HEADING + GAP))
    ground = Picture(BACKDROP, (0.0, 0.0, *size), name="ground")
    title = f"Outputs, {cut.size} x {cut.size} · {difference}"
    return Pane("pooled", size, (ground, *layers), title, frame="pooled")


_PLACES = {
    "RoIPool": (0, 0), "RoIWarp": (1, 0), "RoIAlign": (2, 0),
    "SPP": (0, 1), OTHER: (1, 1), "difference": (2, 1),
}  # fmt: skip
_SQUARE = ("RoIPool", "RoIWarp", "RoIAlign", OTHER, "difference")


def _place(cut: Cut, name: str) -> Extent:
    column, row = _PLACES[name]
    n = cut.size
    x, y = n * (GAP + column * (1 + GAP)), n * (HEADING + row * (1 + HEADING))
    return (x, y, x + n, y + n)


def _tiles(cut: Cut) -> tuple[Heat, ...]:
    tiles = []
    for name in ("RoIPool", "RoIWarp", "RoIAlign", OTHER):
        tiles.append(_heat(cut, cut.pooled[name].values[0], _place(cut, name), name))
    flat, first = cut.pooled["SPP"].values[0, 0], 0
    x0, y0, *_ = _place(cut, "SPP")
    # The grid of 4 x 4 above, those of 2 x 2 and 1 x 1 below it, all of one cell size.
    for n, (x, y) in zip(PYRAMID, ((0.72, 0.72), (0.0, 0.72), (0.0, 0.0)), strict=True):
        side = cut.size * (0.68 if n == 4 else 0.28)
        left, top = x0 + cut.size * x, y0 + cut.size * y
        extent = (left, top, left + side, top + side)
        tiles.append(_heat(cut, flat[first : first + n * n].reshape(n, n), extent, f"SPP {n}"))
        first += n * n
    return tuple(tiles)


def _heat(cut: Cut, values: Float32, extent: Extent, name: str) -> Heat:
    array = np.array(values, np.float32)
    return Heat(array, cut.low, cut.high, extent=extent, unit="activation", name=name)


def _difference(cut: Cut, difference: str) -> Heat:
    first, second = DIFFERENCES[difference]
    values = cut.pooled[first].values[0] - cut.pooled[second].values[0]
    most = max((cut.high - cut.low) / 4, 1e-6)
    return Heat(
        values, -most, most, "coolwarm", extent=_place(cut, "difference"), unit="difference",
        name="difference",
    )  # fmt: skip


def _bins(cut: Cut) -> Boxes:
    n = cut.size
    step = (np.arange(n * n) % n, np.arange(n * n) // n)
    unit = np.stack([step[0], step[1], step[0] + 1, step[1] + 1], axis=1)
    places = [unit + np.array(_place(cut, name)[:2] * 2) for name in _SQUARE]
    keys = [tile * KEYS + number for tile in range(len(_SQUARE)) for number in range(n * n)]
    xyxy = np.concatenate(places).astype(np.float32)
    return Boxes(xyxy, same((70, 74, 84), len(xyxy)), keys=tuple(keys), width=0.5, name="cells")
