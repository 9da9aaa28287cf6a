"""What is drawn of a layer's kernels: the mosaic, the slices of one, its response, the norms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Heat, Pane, Picture, Plot, Table
from explorer.core.listing import quantity
from explorer.views.inside.kernels.sheet import Sheet
from explorer.views.shared.common import size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.kernels import NEAR_ZERO

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Colormap, Extent, Float32
    from explorer.core.layers import Layer as Drawn
    from explorer.vision.features.activations import Activation
    from explorer.vision.features.kernels import Kernels

WEIGHTS, NORMS = SHOW = ("kernels", "L2 norms")
EACH, _ = SCALES = ("each kernel", "all kernels")
ORANGE = (255, 160, 40)
EDGE = (90, 90, 90)
DARK = (22, 22, 26)
"""Between kernels in color."""
MOST_WEIGHTS = 2**22
"""In one picture; of a larger layer the norms are drawn."""
CUT = 0.995
"""The part of a response's values that the color scale spans."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer with its geometry in words; `colors`: its three inputs are red, green and blue.

    `cache` keeps what is drawn of it from photo to photo.
    """

    name: str
    words: str
    kernels: Kernels
    colors: bool
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """`maps.values` is (1, h, w): of `kernel`, or of its slice for input `channel` alone.

    `given` is that channel of the layer's input.
    """

    kernel: int
    channel: int | None
    maps: Activation
    given: Activation | None


@dataclass(frozen=True, slots=True)
class Look:
    """How it is drawn: the parameters, as they are called there."""

    show: str
    order: str
    scale: str
    contrast: float
    colormap: Colormap
    opacity: float


def overview(layer: Layer, answer: Response, order: NDArray[np.intp], look: Look) -> Pane:
    """All kernels of the layer, or their norms."""
    kernels = layer.kernels
    weights = kernels.weights
    norms = look.show == NORMS or weights.size > MOST_WEIGHTS
    shape: tuple[int, ...] = weights.shape
    if norms:
        wide = weights.shape[1] if kernels.slice_norms.size <= MOST_WEIGHTS else 1
        shape = (len(weights), wide, 1, 1)
    elif layer.colors:
        shape = (len(weights), 1, *weights.shape[2:])
    sheet = Sheet.of(shape)

    def picture() -> Drawn:
        if norms:
            return _norm_heat(kernels, sheet, order)
        if layer.colors:
            return _color_picture(kernels, sheet, order, look)
        values, high, unit = layer.cache.get(("values", look.order, look.scale), values_of)
        high /= look.contrast
        return Heat(values, -high, high, look.colormap, unit=unit, name="weights")

    def values_of() -> tuple[Float32, float, str]:
        values, high, unit = _scaled(weights[order], look)
        return sheet.mosaic(values), high, unit

    def tiles() -> Boxes:
        width = 0.0 if sheet.slices > 1 else 1.0  # frames would hide narrow columns
        return _tiles(sheet, tuple(order.tolist()), "kernels", width)

    drawn = (look.scale, look.contrast, look.colormap) if not norms else ()
    boxes = layer.cache.get(("tiles", norms, look.order), tiles)
    title = quantity(len(weights), "kernel")
    if shape[1] > 1:
        title += f" x {quantity(shape[1], 'input')}"
    return Pane(
        "kernels",
        sheet.size,
        (
            layer.cache.get(("picture", norms, look.order, *drawn), picture),
            boxes,
            *_chosen(boxes, answer.kernel),
        ),
        title=f"L2 norms: {title}" if norms else title,
        frame="kernels",
        readout=_overview_readout(layer, sheet, order, norms=norms),
        drawing=True,
    )


def slices(layer: Layer, answer: Response, order: NDArray[np.intp], look: Look) -> Pane:
    """The chosen kernel, one tile for each input channel."""
    kernels, kernel = layer.kernels, answer.kernel
    weights, start = kernels.weights[kernel], kernels.first_input(kernel)
    sheet = Sheet.of((len(weights), 1, *weights.shape[1:]), in_a_row=layer.colors)

    def heat() -> Heat:
        largest = np.abs(weights if look.scale == EACH else kernels.weights).max()
        high = (float(largest) or 1.0) / look.contrast
        values = sheet.mosaic(weights[order][:, None])
        return Heat(values, -high, high, look.colormap, unit="weight", name="weights")

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        if place is None:
            return ""
        tile, _, row, column = place
        at = int(order[tile])
        return (
            f"{_input_words(layer, start + at)}, row {row}, column {column}: "
            f"{weights[at, row, column]:.4g} (slice: L2 norm {kernels.slice_norms[kernel, at]:.4g})"
        )

    def tiles() -> Boxes:
        return _tiles(sheet, tuple((order + start).tolist()), "slices", 1.0)

    key, drawn = ("slices", kernel, look.order), (look.scale, look.contrast, look.colormap)
    boxes = layer.cache.get(key, tiles)
    title = f"Kernel {kernel}: {quantity(len(weights), 'slice')}"
    return Pane(
        "slices",
        sheet.size,
        (
            layer.cache.get((*key, *drawn), heat),
            boxes,
            *_chosen(boxes, answer.channel),
        ),
        title=f"Kernel {kernel}: red, green, blue" if layer.colors else title,
        frame="slices",
        readout=readout,
        drawing=True,
    )


def given(photo: Picture, layer: Layer, answer: Response, look: Look) -> Pane:
    """The photo, with the chosen channel of the layer's input over it."""
    layers: tuple[Drawn, ...] = (photo,)
    title = "Photo"
    if answer.given is not None and answer.channel is not None:
        title = f"Input: {_input_words(layer, answer.channel)}"
        if extent(answer.given) is not None:
            values = answer.given.values[0]
            finite = values[np.isfinite(values)]
            low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
            layers = (photo, _over(answer.given, low, high, "gray", look, "input"))
    return Pane("image", size_of(photo), layers, title=title)


def response(photo: Picture, answer: Response, look: Look) -> Pane:
    """The kernel's response over the photo, zero in the middle of the color scale."""
    values = answer.maps.values[0]
    layers: tuple[Drawn, ...] = (photo,)
    title = f"Response of kernel {answer.kernel}"
    if answer.channel is not None:
        title += f" to channel {answer.channel}"
    if extent(answer.maps) is None:
        title += ", without positions on the photo"
    else:
        sizes = np.abs(values[np.isfinite(values)])
        high = float(np.quantile(sizes, CUT)) or float(sizes.max()) if sizes.size else 1.0
        high = high or 1.0
        layers = (photo, _over(answer.maps, -high, high, look.colormap, look, "response"))

    def readout(x: float, y: float) -> str:
        if answer.maps.frame is None:
            return f"response {values.flat[0]:.4g}" if values.size == 1 else ""
        across, down = answer.maps.frame.point(x, y)
        row, column = int(np.floor(down)), int(np.floor(across))
        if not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]):
            return "outside the network's input"
        return f"row {row}, column {column}: {values[row, column]:.4g}"

    return Pane("response", size_of(photo), layers, title=title, readout=readout)


def norm_curve(layer: Layer) -> Plot:
    norms = np.sort(layer.kernels.norms)[::-1].astype(np.float64)
    curve = Curve(np.arange(1.0, len(norms) + 1), norms, "L2 norm")
    words = "kernels, the largest norm first"
    return Plot("norms", "L2 norms", words, "L2 norm", curves=(curve,), whole_x=True)


def table(layer: Layer, order: NDArray[np.intp]) -> Table:
    kernels = layer.kernels
    columns = {"L2 norm": kernels.norms, "mean weight": kernels.weights.mean(axis=(1, 2, 3))}
    if kernels.bias.any():
        columns["bias"] = kernels.bias
    rows = tuple(
        (k, *(round(float(values[k]), 5) for values in columns.values())) for k in order.tolist()
    )
    return Table(
        "kernels", ("kernel", *columns), rows, title="Kernels", layer="kernels",
        keys=tuple(order.tolist()),
    )  # fmt: skip


def notes(layer: Layer) -> tuple[str, ...]:
    found = []
    if layer.kernels.weights.size > MOST_WEIGHTS:
        count = layer.kernels.weights.size
        found.append(f"{count:,} weights are too many for one picture; L2 norms are shown.")
    if not layer.kernels.finite:
        found.append("Some weights of this layer are not finite; they are drawn as 0.")
    return tuple(found)


def extent(maps: Activation) -> Extent | None:
    """Where the maps lie on the photo, in its pixels; None where cells are not places of it."""
    if maps.frame is None:
        return None
    height, width = maps.values.shape[1:]
    return maps.frame.inverse().extent(width, height)


def _over(
    maps: Activation, low: float, high: float, colormap: Colormap, look: Look, unit: str
) -> Heat:
    return Heat(
        maps.values[0], low, high, colormap, extent=extent(maps), opacity=look.opacity, unit=unit,
        name=unit,
    )  # fmt: skip


def _tiles(sheet: Sheet, keys: tuple[int, ...], name: str, width: float) -> Boxes:
    colors = np.full((len(keys), 3), EDGE, np.uint8)
    return Boxes(sheet.boxes, colors, keys=keys, width=width, name=name)


def _chosen(boxes: Boxes, key: int | None) -> tuple[Boxes, ...]:
    row = None if key is None else boxes.row(key)
    if row is None:
        return ()
    tint = np.array([ORANGE], np.uint8)
    return (Boxes(boxes.xyxy[row : row + 1], tint, selectable=False, name="chosen"),)


def _scaled(weights: Float32, look: Look) -> tuple[Float32, float, str]:
    """The weights (N, ...) as they are drawn, the upper end of their scale, and its unit."""
    top = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    largest = np.float32(float(top.max()) or 1.0)
    if look.scale != EACH:
        return weights, float(largest), "weight"
    # A kernel of rounding errors must not look like one that does something.
    top = np.maximum(top, np.float32(NEAR_ZERO) * largest)
    return weights / top, 1.0, "of the largest"


def _norm_heat(kernels: Kernels, sheet: Sheet, order: NDArray[np.intp]) -> Heat:
    norms = kernels.slice_norms if sheet.slices > 1 else kernels.norms[:, None]
    high = float(norms.max()) or 1.0
    values = sheet.mosaic(norms[order][:, :, None, None])
    return Heat(values, 0.0, high, "viridis", unit="L2 norm", name="norms")


def _color_picture(kernels: Kernels, sheet: Sheet, order: NDArray[np.intp], look: Look) -> Picture:
    values, high, _ = _scaled(kernels.weights[order], look)
    planes = [sheet.mosaic(values[:, channel : channel + 1]) for channel in range(3)]
    shades = np.stack(planes, axis=2) * (look.contrast / (2 * high)) + 0.5
    rgb = (np.nan_to_num(shades.clip(0, 1)) * 255).round().astype(np.uint8)
    rgb[np.isnan(shades[:, :, 0])] = DARK
    return Picture(rgb, name="weights")


def _input_words(layer: Layer, channel: int) -> str:
    return ("red", "green", "blue")[channel] if layer.colors else f"channel {channel}"


def _overview_readout(
    layer: Layer, sheet: Sheet, order: NDArray[np.intp], *, norms: bool
) -> Callable[[float, float], str]:
    kernels = layer.kernels

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        if place is None:
            return ""
        tile, at, row, column = place
        kernel = int(order[tile])
        words = f"kernel {kernel} (L2 norm {kernels.norms[kernel]:.4g})"
        if norms and sheet.slices == 1:
            return words
        channel = f"channel {kernels.first_input(kernel) + at}"
        if norms:
            return f"{words}, {channel}: L2 norm {kernels.slice_norms[kernel, at]:.4g}"
        place_words = f"row {row}, column {column}"
        values = kernels.weights[kernel, :, row, column]
        if layer.colors:
            red, green, blue = values
            return f"{words}, {place_words}: red {red:.3g}, green {green:.3g}, blue {blue:.3g}"
        return f"{words}, {channel}, {place_words}: {values[at]:.4g}"

    return readout
