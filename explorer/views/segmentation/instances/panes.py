"""The panes of an opened instance: its grid on a map, the branch's maps, the mask and its paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Grid, Heat, Layer, Masks, Pane, Picture, Points
from explorer.views.segmentation.instances.opened import LOGITS, Window
from explorer.views.shared.anchors import ORANGE, WHITE, same
from explorer.views.shared.common import class_name
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, UInt8
    from explorer.views.segmentation.instances.opened import Opened
    from explorer.views.shared.draw_cache import DrawCache

PROBABILITY, LOGIT = "probability", "logit"
MOST_SAMPLES = 1000
BIN: Color = (255, 214, 160)
PHOTO_GRID = (255, 255, 255)


def bins_on_photo(opened: Opened) -> Layer:
    """RoIAlign's bins over the whole photo, as a grid."""
    (rows, columns), bins = opened.grid, opened.bins
    xs = np.append(bins[:columns, 0], bins[columns - 1, 2])
    ys = np.append(bins[::columns, 1], bins[-1, 3])
    extent = (float(xs[0]), float(ys[0]), float(xs[-1]), float(ys[-1]))
    assert len(ys) == rows + 1
    return Grid(xs, ys, extent, color=PHOTO_GRID, width=1.0, opacity=0.55, name="bins")


def level_pane(opened: Opened, channel: int | None, cache: DrawCache) -> Pane:
    """The map that the box is cut from around it, with bins and sampling points."""
    window = Window.around(opened.box, opened.cells, opened.map.shape[1:])
    values = cache.get(
        ("map", channel),
        lambda: opened.map.mean(axis=0) if channel is None else opened.map[channel],
    )
    heat = cache.get(("level", channel), lambda: _level_heat(values, window))
    size = window.size
    steps = (heat.values.shape[1], heat.values.shape[0])
    layers: list[Layer] = [heat]
    if max(steps) <= 64:
        xs, ys = (
            np.linspace(0, side, n + 1, dtype=np.float32)
            for side, n in zip(size, steps, strict=True)
        )
        layers.append(Grid(xs, ys, (0.0, 0.0, *size), opacity=0.16, name="cells"))
    origin = np.array(window.origin, np.float32)
    bins = opened.bins - np.tile(origin, 2)
    layers.append(Boxes(bins, same(BIN, len(bins)), width=0.75, selectable=False, name="bins"))
    if 0 < len(opened.samples) <= MOST_SAMPLES:
        places = opened.samples - origin
        layers.append(Points(places, same(WHITE, len(places)), radius=0.8, name="samples"))
    layers.append(_frame(opened, origin))
    which = "mean of all channels" if channel is None else f"channel {channel}"
    name = opened.levels[opened.level]
    return Pane(
        "level", size, tuple(layers), f"RoIAlign on map {name}, {which}", frame="level",
        readout=_readout(heat.values, size),
    )  # fmt: skip


def _level_heat(values: Float32, window: Window) -> Heat:
    part = np.ascontiguousarray(window.of(values), np.float32)
    low, high = float(values.min()), float(values.max())
    return Heat(part, low, high, extent=(0.0, 0.0, *window.size), unit="activation", name="map")


def _frame(opened: Opened, origin: Float32) -> Boxes:
    box = (opened.box - np.tile(origin, 2))[None]
    return Boxes(box, same(ORANGE, 1), width=2.5, selectable=False, name="box")


def _readout(values: Float32, size: tuple[float, float]) -> Callable[[float, float], str]:
    rows, columns = values.shape

    def words(x: float, y: float) -> str:
        row, column = int(y / size[1] * rows), int(x / size[0] * columns)
        if not (0 <= row < rows and 0 <= column < columns):
            return ""
        return f"{values[row, column]:.4g}"

    return words


def stage_pane(opened: Opened, stage: str, classes: Sequence[str], cache: DrawCache) -> Pane:
    """All channels of one stage of the branch as a mosaic; of the logits, one for each class."""
    values = opened.stages[stage]
    if stage == LOGITS and opened.agnostic:
        values = values[:1]
    tiling = Tiling.of(*values.shape)
    heat = cache.get(("stage", stage), lambda: _mosaic(values, tiling))
    count, height, width = values.shape
    tiles = Boxes(tiling.boxes(), same((70, 74, 84), count), width=0.5, selectable=False)
    layers: list[Layer] = [heat, tiles]
    named = stage == LOGITS and not opened.agnostic
    if named:
        edge = tiling.boxes()[opened.of : opened.of + 1]
        layers.append(Boxes(edge, same(ORANGE, 1), width=2.5, selectable=False, name="class"))

    def words(x: float, y: float) -> str:
        place = tiling.at(x, y)
        if place is None:
            return ""
        tile, row, column = place
        name = class_name(classes, tile) if named else f"channel {tile}"
        return f"{name}, row {row}, column {column}: {values[tile, row, column]:.4g}"

    across, down = tiling.size
    unit = "mask" if count == 1 else "masks" if named else "channels"
    return Pane(
        "stage", (float(across), float(down)), tuple(layers),
        f"{stage[0].upper()}{stage[1:]}: {count} {unit} of {width} x {height}", frame="stage",
        readout=words,
    )  # fmt: skip


def _mosaic(values: Float32, tiling: Tiling) -> Heat:
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        return Heat(tiling.mosaic(values), low, high, unit="activation", name="mosaic")
    most = max(-low, high)
    return Heat(tiling.mosaic(values), -most, most, "coolwarm", unit="activation", name="mosaic")


def raw_pane(opened: Opened, shows: str, name: str, cache: DrawCache) -> Pane:
    """The mask as the branch gives it, before it is pasted; `name` of its class, "" = of all."""
    heat = cache.get(("raw", shows), lambda: _raw(opened, shows))
    height, width = heat.values.shape
    title = f"{width} x {height}, {shows} of {name}" if name else f"{width} x {height}, {shows}"
    return Pane("mask", (float(width), float(height)), (heat,), title, frame="mask")


def _raw(opened: Opened, shows: str) -> Heat:
    if shows == LOGIT:
        values = np.array(opened.logits)
        most = max(float(np.abs(values).max()), 1e-6)
        return Heat(values, -most, most, "coolwarm", unit="logit", name="raw")
    return Heat(opened.probabilities, 0.0, 1.0, "magma", unit="probability", name="raw")


def paste_pane(
    opened: Opened, photo: Picture, threshold: float, opacity: float, tint: UInt8, cache: DrawCache
) -> Pane:
    """The mask enlarged into its box on the photo, and where it reaches the threshold."""
    window = Window.around(opened.box, opened.input, opened.pasted.shape)
    picture, heat = cache.get(("paste",), lambda: _paste_layers(opened, photo, window))
    index = cache.get(("pasted", threshold), lambda: _reaching(heat.values, threshold))
    size = window.size
    shown = Heat(
        heat.values, 0.0, 1.0, "magma", extent=heat.extent, opacity=opacity, alpha_by_value=True,
        unit="probability", name="pasted",
    )  # fmt: skip
    outline = Masks(
        index, tint[None], extent=heat.extent, opacity=0.0, outline=True, name="outline"
    )
    frame = _frame(opened, np.array(window.origin, np.float32))
    title = f"In its box, probability >= {threshold:.2f}"
    return Pane("paste", size, (picture, shown, outline, frame), title, frame="paste")


def _paste_layers(opened: Opened, photo: Picture, window: Window) -> tuple[Picture, Heat]:
    height, width = photo.rgb.shape[:2]
    x0, y0, x1, y1 = window.extent
    left, top = max(int(np.floor(x0)), 0), max(int(np.floor(y0)), 0)
    right, bottom = min(int(np.ceil(x1)), width), min(int(np.ceil(y1)), height)
    pixels = np.ascontiguousarray(photo.rgb[top:bottom, left:right])
    place = window.moved((left, top, right, bottom))
    values = np.ascontiguousarray(window.of(opened.pasted), np.float32)
    extent = (0.0, 0.0, *window.size)
    return Picture(pixels, place, name="photo"), Heat(values, 0.0, 1.0, extent=extent)


def _reaching(values: Float32, threshold: float) -> NDArray[np.int32]:
    # In the steps in which the masks of all instances are kept.
    return np.where(values >= round(threshold * 256) / 256, np.int32(0), np.int32(-1))
