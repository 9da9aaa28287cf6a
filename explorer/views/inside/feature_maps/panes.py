"""The panes beside the mosaic: the channel over the photo, others beside it, all in colors."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from explorer.core.layers import Boxes, Heat, Pane, Picture
from explorer.core.listing import quantity
from explorer.views.inside.feature_maps.mosaic import ORANGE, gamma_words, marks, with_gamma
from explorer.views.inside.feature_maps.params import AROUND_ZERO
from explorer.views.inside.feature_maps.result import cell_of
from explorer.views.shared.common import percent, size_of
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Color, Colormap, Float32, Layer
    from explorer.views.inside.feature_maps.params import Params
    from explorer.views.inside.feature_maps.result import Beside, Cell, Result
    from explorer.vision.features.activations import Activation

FIELD: Color = (90, 170, 255)


def image_pane(result: Result, params: Params, channel: int, cell: Cell | None) -> Pane:
    """The channel over the photo, the cell under the mouse and its receptive field."""
    answer, (low, high) = result.answer, _span(result, channel)
    title = f"Channel {channel}"
    span = f"{high:.4g}" if answer.values[channel].size == 1 else f"{low:.4g} to {high:.4g}"
    if answer.frame is None:
        title += f": {span}, without positions on the photo"
        return Pane("image", size_of(result.photo), (result.photo,), title=title)
    if params.scale == AROUND_ZERO:  # otherwise the color scale itself shows the range
        title += f": {span}"
    heat = _cached_heat(result, params, answer, channel, "image")
    layers: list[Layer] = [result.photo, heat]
    if cell is not None:
        row, column = cell
        back = answer.frame.inverse()
        box = np.array([[column, row, column + 1, row + 1]], np.float32)
        tint = np.array([ORANGE], np.uint8)
        field = None
        if result.fields is not None and answer.call == 0:  # fields are those of the first call
            field = result.fields.on_photo(cell)
        if field is not None:
            blue = np.array([FIELD], np.uint8)
            layers.append(Boxes(field, blue, width=2.5, selectable=False, name="field"))
        layers.append(Boxes(back.boxes(box), tint, selectable=False, name="cell"))
        center = back.point(column + 0.5, row + 0.5)
        layers.append(marks(np.array([center], np.float32), radius=3.5))
    return Pane(
        "image",
        size_of(result.photo),
        tuple(layers),
        title=title,
        readout=_readout(answer, channel),
    )


def second_pane(result: Result, beside: Beside, params: Params, channel: int) -> Pane:
    """The channel of what is compared, in the colors of the first one."""
    answer = beside.answer
    shown = min(channel, len(answer.values) - 1)
    values = answer.values[shown]
    title = f"Channel {shown} {beside.words}: {values.min():.4g} to {values.max():.4g}"
    if answer.frame is None:
        return Pane("second", size_of(beside.photo), (beside.photo,), title=title, frame="second")
    heat = _cached_heat(result, params, answer, shown, "second", channel)
    return Pane(
        "second", size_of(beside.photo), (beside.photo, heat), title=title, frame="second",
        readout=_readout(answer, shown),
    )  # fmt: skip


def color_pane(result: Result) -> tuple[Pane, ...]:
    """The principal components over the photo's place."""
    colored, frame = result.colored, result.answer.frame
    if colored is None or frame is None:
        return ()
    height, width = colored.rgb.shape[:2]
    layer = result.maps.cache.get(
        "colors",
        lambda: Picture(
            colored.rgb, extent=frame.inverse().extent(width, height), name="components"
        ),
    )
    title = f"Principal components: {percent(float(colored.ratios.sum()))} of the variance"
    size = size_of(result.photo)
    return (Pane("colors", size, (result.photo, layer), title=title),)


# -- pinned channels ------------------------------------------------------------------------------


def pinned(params: Params, count: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The channels that are pinned, and the words that name none of `count`."""
    found, wrong = [], []
    for word in params.pinned:
        number = word.strip()
        if number.isdecimal() and int(number) < count:
            found.append(int(number))
        else:
            wrong.append(word)
    return tuple(dict.fromkeys(found)), tuple(wrong)


def pinned_pane(result: Result, params: Params) -> tuple[Pane, ...]:
    """The pinned channels: a column for each, below it that of the other photo or network."""
    chosen, _ = pinned(params, result.maps.count)
    if not chosen:
        return ()
    sides = [result.answer.values]
    if result.beside is not None:
        sides.append(result.beside.answer.values)
    height, width = (max(side.shape[axis] for side in sides) for axis in (1, 2))
    if len(sides) == 1:
        tiling = Tiling.of(len(chosen), height, width)
    else:
        tiling = Tiling(len(sides) * len(chosen), height, width, len(chosen))
    cache = result.maps.cache if result.beside is None else result.beside.cache
    key = ("pinned", chosen, params.colormap, params.gamma)

    def heat() -> Heat:
        tiles = np.full((tiling.count, height, width), np.nan, np.float32)
        for column, channel in enumerate(chosen):
            pair = [side[min(channel, len(side) - 1)] for side in sides]
            low, high = _ends(pair)
            for row, values in enumerate(pair):
                bent = with_gamma((values - low) / (high - low), 0.0, 1.0, params.gamma)
                tiles[row * len(chosen) + column, : values.shape[0], : values.shape[1]] = bent
        unit = "0 = each channel's minimum, 1 = its maximum" + gamma_words(params.gamma)
        colormap = cast("Colormap", params.colormap)
        return Heat(tiling.mosaic(tiles), 0.0, 1.0, colormap, unit=unit, name="pinned")

    numbers = [*chosen] * (len(sides) if len(sides) > 1 else 1)
    boxes = Boxes(
        tiling.boxes(), np.full((tiling.count, 3), 90, np.uint8),
        labels=tuple(map(str, numbers)), width=1.0, selectable=False, name="pinned tiles",
    )  # fmt: skip
    title = quantity(len(chosen), "pinned channel")
    if result.beside is not None:
        title += f", below {result.beside.words}"
    wide, high = tiling.size
    layers = (cache.get(key, heat), boxes)
    return (
        Pane(
            "pinned", (float(wide), float(high)), layers, title=title, frame="pinned", drawing=True
        ),
    )


def _ends(pair: list[Float32]) -> tuple[np.float32, np.float32]:
    finite = [values[np.isfinite(values)] for values in pair]
    low = np.float32(min(float(values.min(initial=np.inf)) for values in finite))
    high = np.float32(max(float(values.max(initial=-np.inf)) for values in finite))
    if not (np.isfinite(low) and np.isfinite(high)):
        return np.float32(0), np.float32(1)
    return low, high if high > low else low + np.float32(1)


# -- one channel ----------------------------------------------------------------------------------


def _span(result: Result, channel: int) -> tuple[float, float]:
    """The smallest and the largest value of the channel, on both sides where there are two."""
    low, high = float(result.statistics.low[channel]), float(result.statistics.high[channel])
    if result.beside is not None and channel < len(result.beside.answer.values):
        other = result.beside.answer.values[channel]
        finite = other[np.isfinite(other)]
        low = min(low, float(finite.min(initial=low)))
        high = max(high, float(finite.max(initial=high)))
    return low, high


def _cached_heat(
    result: Result,
    params: Params,
    answer: Activation,
    channel: int,
    pane: str,
    scale_of: int | None = None,
) -> Heat:
    """The channel over its photo; `answer.frame` is there. `scale_of`: whose span is used."""
    low, high = _span(result, channel if scale_of is None else scale_of)
    if params.scale == AROUND_ZERO:
        high = max(abs(low), abs(high))
        low = -high
    values = answer.values[channel]
    if params.gamma != 1.0:
        cache = result.maps.cache if result.beside is None else result.beside.cache
        key = ("bent", pane, channel, low, high, params.gamma)
        values = cache.get(key, lambda: with_gamma(values, low, high, params.gamma))
    assert answer.frame is not None
    rows, columns = values.shape
    return Heat(
        values,
        low,
        high,
        colormap=cast("Colormap", params.colormap),
        opacity=params.opacity,
        extent=answer.frame.inverse().extent(columns, rows),
        smooth=params.smooth,
        alpha_by_value=params.fade and params.scale != AROUND_ZERO,
        unit="activation" + gamma_words(params.gamma),
        name="channel",
    )


def _readout(answer: Activation, channel: int) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        cell = cell_of(answer, x, y)
        if cell is None:
            return "outside the network's input"
        value = answer.values[channel, cell[0], cell[1]]
        return f"channel {channel}, row {cell[0]}, column {cell[1]}: {value:.5g}"

    return readout
