"""All channels of any layer as one mosaic, and one of them over the photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from explorer.core.layers import COLORMAPS, Board, Boxes, Heat, Layer, Pane, Picture, Points
from explorer.core.listing import quantity
from explorer.core.params import Effect, ImageRef, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.stages import activation_of
from explorer.engine.view import Group, View
from explorer.views.inside.feature_maps.charts import channel_table, feature_vector, histogram
from explorer.views.shared.common import default_layer, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.mosaics import Statistics, Tiling, stretched

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Colormap
    from explorer.core.network_info import NetworkInfo
    from explorer.vision.features.activations import Activation

EXPLANATION = r"""
Every layer turns its input into a stack of **feature maps**, one per channel. Channel $k$ of a
convolution, at position $(i, j)$, is the response of one filter to the patch of its input $x$
around that position:

$$ z_{kij} = b_k + \sum_{c, u, v} w_{kcuv} \; x_{cmn} $$

$$ m = si + u - p \qquad n = sj + v - p $$

with weights $w$, bias $b$, stride $s$ and padding $p$; the sum runs over the input channels $c$ and
the rows $u$ and columns $v$ of the filter.

**The mosaic** shows all channels of the chosen layer. *Each channel* stretches every map from its
own minimum to its own maximum, so that weak channels are visible, too, but brightness cannot be
compared between tiles; *shared* uses one scale for all; *around zero* puts zero in the middle of
the scale (with the coolwarm colormap, blue is negative). The raw minimum and maximum of every
channel are in the table.

**Click a tile** (or a row of the table): that channel is overlaid on the photo with its raw values,
every cell over its position. **Move the mouse** over either picture: the same position is marked in
both, and the plot shows the values of all channels there, the feature vector of the position.

Early layers respond to edges and colors, later ones to parts and objects, on coarser grids. A
channel is called **dead** if it is nowhere above zero, or constant: after a ReLU it carries no
information for this photo.

**Compare with** another photo: the same channel is overlaid on it with the same scale, so that
equal colors mean equal activations.

**Alignment.** A feature map covers the whole input of the network. Detectors first resize the photo
and pad it at the right and the bottom to a multiple of 32; their maps extend beyond the photo by
the padding.

**Sources.** Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*;
Yosinski et al. 2015, *Understanding Neural Networks Through Deep Visualization*.
"""

SCALES = ("each channel", "shared", "around zero")
ORANGE = (255, 160, 40)


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    # An empty parameter means the first choice, so the default layer is first in the list.
    return tuple(dict.fromkeys((default_layer(info), *info.layer_names())))


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = param(
        "", "Layer", "The layer to show, by its name in the network.", choices=_layers
    )
    scale: str = param(
        SCALES[0], "Scale",
        "Each channel from its own minimum to its own maximum, one scale for all, or one with "
        "zero in the middle.",
        effect=Effect.DRAW, choices=SCALES,
    )  # fmt: skip
    sort: str = param(
        "index", "Sort by", "Order of the tiles, largest first.",
        effect=Effect.DRAW, choices=("index", "mean", "max", "variance"),
    )  # fmt: skip
    colormap: str = param(
        "viridis", "Colormap", "Maps values to colors.",
        effect=Effect.DRAW, choices=tuple(COLORMAPS),
    )  # fmt: skip
    channel: int | None = param(
        None, "Channel", "The channel overlaid on the photo: click a tile or a row of the table.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="tiles", low=0, high=65535,
    )  # fmt: skip
    opacity: float = param(
        0.65, "Opacity", "Opacity of the channel over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    fade: bool = param(
        True, "Fade low values", "Makes the overlay transparent where the channel is low.",
        effect=Effect.DRAW,
    )  # fmt: skip
    smooth: bool = param(
        False, "Smooth", "Interpolates between cells. Off shows the cells as they are.",
        effect=Effect.DRAW,
    )  # fmt: skip
    second: ImageRef | None = param(
        None, "Compare with", "Another photo, with the same channel overlaid on the same scale."
    )
    at: Point | None = param(
        None, "Position on the photo", "Marks the cell under the mouse in both pictures.",
        effect=Effect.DRAW, pick=Pick.HOVER, pane="image", advanced=True,
    )  # fmt: skip
    at_map: Point | None = param(
        None, "Position in the mosaic", "Marks the cell under the mouse in both pictures.",
        effect=Effect.DRAW, pick=Pick.HOVER, pane="mosaic", advanced=True,
    )  # fmt: skip
    call: int = param(
        0, "Call", "Index of the call, from 0, if the layer runs several times; at most the last.",
        low=0, high=255, advanced=True,
    )  # fmt: skip
    part: int = param(
        0, "Output", "Index of the output, from 0, if the layer has several; at most the last.",
        low=0, high=255, advanced=True,
    )  # fmt: skip
    item: int = param(
        0, "Batch entry", "Index in the batch, from 0, such as the region in a detector's head.",
        low=0, high=4095, advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`answer.values` is (C, h, w) float32; `second` is another photo with its maps."""

    photo: Picture
    layer: str
    answer: Activation
    statistics: Statistics
    second: tuple[Picture, Activation] | None = None
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    layer = params.layer or default_layer(scene.network.info)
    which = {"call": params.call, "part": params.part, "item": params.item}
    answer = activation_of(scene, layer, **which)
    second = None
    if params.second is not None:
        other = Scene(scene.network, scene.image_of(params.second), scene.seed)
        key = ("second photo", params.second, layer, *which.values())
        second = photo_of(other), scene.memo(key, lambda: activation_of(other, layer, **which))
    yield Step(Result(photo_of(scene), layer, answer, Statistics.of(answer.values), second))


def draw(result: Result, params: Params) -> Board:
    values, cache = result.answer.values, result.cache
    order = cache.get(("order", params.sort), lambda: _order(result, params.sort))
    tiling = Tiling.of(*values.shape)
    channel = _most_telling(result.statistics)
    if params.channel is not None:
        channel = min(params.channel, len(values) - 1)
    cell = _cell(result, params, tiling)
    panes = [_image_pane(result, params, channel, cell)]
    if result.second is not None:
        panes.append(_second_pane(result, params, channel))
    panes.append(_mosaic_pane(result, params, order, channel, cell))
    plots = [cache.get(("histogram", channel), lambda: histogram(values, channel))]
    if cell is not None or values[0].size == 1:
        plots.insert(0, feature_vector(values, cell))
    dead = int(result.statistics.dead.sum())
    return Board(
        panes=tuple(panes),
        plots=tuple(plots),
        tables=(
            cache.get(("table", params.sort), lambda: channel_table(result.statistics, order)),
        ),
        summary=_title(result) + (f" · {dead} dead" if dead else ""),
        notes=_notes(result.answer),
        idle=_idle(result.answer),
    )


def _idle(answer: Activation) -> tuple[str, ...]:
    """The parameters that have nothing to choose from: most layers run once, with one output."""
    counts = {"call": answer.calls, "part": len(answer.parts), "item": answer.items}
    return tuple(name for name, count in counts.items() if count <= 1)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The whole answer.

    Keys: `activation` (C, h, w) float32, `layer`, `shape` of the layer's own tensor, and `extent`
    (x0, y0, x1, y1 of the maps in the photo's pixels) where cells are places of the photo;
    `second_activation` of the photo that it is compared with.
    """
    answer = result.answer
    found: dict[str, Any] = {
        "activation": answer.values,
        "layer": result.layer,
        "shape": answer.shape,
    }
    if answer.frame is not None:
        height, width = answer.values.shape[1:]
        found["extent"] = answer.frame.inverse().extent(width, height)
    if result.second is not None:
        found["second_activation"] = result.second[1].values
    return found


def _most_telling(numbers: Statistics) -> int:
    """Shown before anything is chosen: the channel that varies most, or the largest number."""
    varies = bool(numbers.deviation.any())
    return int((numbers.deviation if varies else numbers.high).argmax())


def _order(result: Result, by: str) -> NDArray[np.intp]:
    numbers = result.statistics
    match by:
        case "mean":
            key = -numbers.mean
        case "max":
            key = -numbers.high
        case "variance":
            key = -numbers.deviation
        case _:
            return np.arange(len(numbers.mean))
    return np.argsort(key, kind="stable")


def _mosaic(result: Result, params: Params, order: NDArray[np.intp]) -> Heat:
    values, numbers = result.answer.values, result.statistics
    tiling = Tiling.of(*values.shape)
    low, high, unit = float(numbers.low.min()), float(numbers.high.max()), "activation"
    if params.scale == "each channel" and values[0].size > 1:
        values, low, high = stretched(values, numbers), 0.0, 1.0
        unit = "0 = each tile's minimum, 1 = its maximum"
    elif params.scale == "around zero":
        high = max(abs(low), abs(high))
        low = -high
    colormap = cast("Colormap", params.colormap)
    return Heat(tiling.mosaic(values[order]), low, high, colormap, unit=unit, name="mosaic")


def _mosaic_pane(
    result: Result,
    params: Params,
    order: NDArray[np.intp],
    channel: int,
    cell: tuple[int, int] | None,
) -> Pane:
    values = result.answer.values
    tiling = Tiling.of(*values.shape)
    key = ("mosaic", params.scale, params.sort, params.colormap)
    heat = result.cache.get(key, lambda: _mosaic(result, params, order))
    tiles = result.cache.get(("tiles", params.sort), lambda: _tiles(tiling, order))
    chosen = tiles.row(channel)
    layers: list[Layer] = [heat, tiles]
    if chosen is not None:
        edge = tiles.xyxy[chosen : chosen + 1]
        tint = np.array([ORANGE], np.uint8)
        layers.append(Boxes(edge, tint, selectable=False, name="chosen"))
    if cell is not None:
        xy = tiles.xyxy[:, :2] + np.array([cell[1] + 0.5, cell[0] + 0.5], np.float32)
        layers.append(_marks(xy, radius=2.5))
    width, height = tiling.size
    return Pane(
        "mosaic",
        (float(width), float(height)),
        tuple(layers),
        title=_title(result),
        frame="mosaic",
        readout=_mosaic_readout(values, tiling, order),
    )


def _tiles(tiling: Tiling, order: NDArray[np.intp]) -> Boxes:
    # One selectable box per tile: its edge is the gap between tiles, its key the channel.
    colors = np.full((tiling.count, 3), 90, np.uint8)
    keys = tuple(int(channel) for channel in order)
    return Boxes(tiling.boxes(), colors, keys=keys, width=1.0, name="tiles")


def _image_pane(result: Result, params: Params, channel: int, cell: tuple[int, int] | None) -> Pane:
    answer, (low, high) = result.answer, _span(result, channel)
    title = f"Channel {channel}"
    span = f"{high:.4g}" if answer.values[channel].size == 1 else f"{low:.4g} to {high:.4g}"
    if answer.frame is None:
        title += f": {span}, without positions on the photo"
        return Pane("image", size_of(result.photo), (result.photo,), title=title)
    if params.scale == "around zero":  # otherwise the color scale itself shows the range
        title += f": {span}"
    layers: list[Layer] = [result.photo, _channel_heat(answer, params, channel, low, high)]
    if cell is not None:
        row, column = cell
        back = answer.frame.inverse()
        box = np.array([[column, row, column + 1, row + 1]], np.float32)
        tint = np.array([ORANGE], np.uint8)
        layers.append(Boxes(back.boxes(box), tint, selectable=False, name="cell"))
        center = back.point(column + 0.5, row + 0.5)
        layers.append(_marks(np.array([center], np.float32), radius=3.5))
    return Pane(
        "image",
        size_of(result.photo),
        tuple(layers),
        title=title,
        readout=_image_readout(answer, channel),
    )


def _second_pane(result: Result, params: Params, channel: int) -> Pane:
    """The channel over the photo that is compared, in the colors of the first one."""
    assert result.second is not None
    photo, answer = result.second
    shown = min(channel, len(answer.values) - 1)
    values = answer.values[shown]
    title = f"Channel {shown} on the other photo: {values.min():.4g} to {values.max():.4g}"
    if answer.frame is None:
        return Pane("second", size_of(photo), (photo,), title=title, frame="second")
    heat = _channel_heat(answer, params, shown, *_span(result, channel))
    return Pane(
        "second", size_of(photo), (photo, heat), title=title, frame="second",
        readout=_image_readout(answer, shown),
    )  # fmt: skip


def _span(result: Result, channel: int) -> tuple[float, float]:
    """The smallest and the largest value of the channel, on both photos where there are two."""
    low, high = float(result.statistics.low[channel]), float(result.statistics.high[channel])
    if result.second is not None and channel < len(result.second[1].values):
        other = result.second[1].values[channel]
        finite = other[np.isfinite(other)]
        low = min(low, float(finite.min(initial=low)))
        high = max(high, float(finite.max(initial=high)))
    return low, high


def _channel_heat(
    answer: Activation, params: Params, channel: int, low: float, high: float
) -> Heat:
    """The channel over its photo; `answer.frame` is there."""
    assert answer.frame is not None
    height, width = answer.values.shape[1:]
    if params.scale == "around zero":
        high = max(abs(low), abs(high))
        low = -high
    return Heat(
        answer.values[channel],
        low,
        high,
        colormap=cast("Colormap", params.colormap),
        opacity=params.opacity,
        extent=answer.frame.inverse().extent(width, height),
        smooth=params.smooth,
        alpha_by_value=params.fade and params.scale != "around zero",
        unit="activation",
        name="channel",
    )


def _marks(xy: NDArray[np.float32], radius: float) -> Points:
    colors = np.tile(np.array([ORANGE], np.uint8), (len(xy), 1))
    return Points(xy, colors, radius=radius, name="position")


def _cell(result: Result, params: Params, tiling: Tiling) -> tuple[int, int] | None:
    """Row and column under the mouse, in whichever pane it is."""
    if params.at_map is not None:
        place = tiling.at(params.at_map.x, params.at_map.y)
        return None if place is None else place[1:]
    if params.at is not None:
        return _cell_of(result.answer, params.at.x, params.at.y)
    return None


def _cell_of(answer: Activation, x: float, y: float) -> tuple[int, int] | None:
    if answer.frame is None:
        return None
    column, row = answer.frame.point(x, y)
    height, width = answer.values.shape[1:]
    return (int(row), int(column)) if 0 <= row < height and 0 <= column < width else None


def _mosaic_readout(
    values: NDArray[np.float32], tiling: Tiling, order: NDArray[np.intp]
) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        place = tiling.at(x, y)
        if place is None:
            return ""
        tile, row, column = place
        channel = int(order[tile])
        value = values[channel, row, column]
        return f"channel {channel}, row {row}, column {column}: {value:.5g}"

    return readout


def _image_readout(answer: Activation, channel: int) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        cell = _cell_of(answer, x, y)
        if cell is None:
            return "outside the network's input"
        value = answer.values[channel, cell[0], cell[1]]
        return f"channel {channel}, row {cell[0]}, column {cell[1]}: {value:.5g}"

    return readout


def _title(result: Result) -> str:
    count, height, width = result.answer.values.shape
    if height * width == 1:
        return f"{result.layer}: {quantity(count, 'value')}"
    return f"{result.layer}: {quantity(count, 'channel')} of {width} x {height}"


def _notes(answer: Activation) -> tuple[str, ...]:
    notes = []
    if answer.calls > 1:
        notes.append(f"The network calls this layer {answer.calls} times; this is {answer.call}.")
    if len(answer.parts) > 1:
        names = ", ".join(answer.parts[:8])
        notes.append(f"It has {len(answer.parts)} outputs ({names}); this is {answer.part}.")
    if answer.items > 1:
        notes.append(f"Its batch holds {answer.items} entries; this is {answer.item}.")
    if not np.isfinite(answer.values).all():
        notes.append("Some of its values are not finite; they are not drawn.")
    return tuple(notes)


VIEW = View(
    name="feature_maps",
    title="Feature maps",
    group=Group.INSIDE,
    summary="All channels of any layer as one mosaic, and one of them overlaid on the photo.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
