"""The kernels of a convolution layer, and what one of them makes of the photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.colormaps import COLORMAPS
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Curve, Heat, Pane, Picture, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.networks.hooks import captured, input_until
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.activations import RESIZE, layers_read, recorded_activation
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Colormap, Float32, Layer
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.features.activations import Activation

EXPLANATION = """
A convolution layer slides **kernels** over its input. Kernel $k$ has one slice of weights for each
input channel $c$; at every position it multiplies and adds:

$$y_k[i, j] = b_k + \\sum_c \\sum_{u, v} w_k[c, u, v] \\, x_c[s i + u - p, s j + v - p]$$

with stride $s$, padding $p$ and bias $b_k$. The map $y_k$ is channel $k$ of the layer's output,
before batch normalization and activation function.

**Kernels.** Of the first layer each kernel is a small color picture: gray is 0, a bright color is a
positive weight of that color, a dark one a negative weight. A trained first layer has edges of many
directions, color contrasts and blobs; noise means too little training, and flat gray a kernel that
does nothing. Deeper kernels have too many channels for colors. They stand side by side, one column
for each kernel (output channel), one row for each of its slices (input channels), so the mosaic is
the whole weight tensor.
*Norms* shows one number for each slice, its L2 norm

$$\\lVert w_k[c] \\rVert_2 = \\sqrt{\\sum_{u, v} w_k[c, u, v]^2}$$

**Order.** *Similarity* begins with the kernel of the largest norm and goes on with the kernel whose
cosine to the last one is largest, so that kernels of a kind stand together.

**Response.** Click a kernel: its slices are shown beside, and its response on the photo, red where
the sum is positive, blue where it is negative. Click a slice: what it alone makes of its input
channel, without the bias. The responses of all slices and the bias add up to the output channel.

In a grouped convolution a kernel has slices for the channels of its group only; in a depthwise one
it has a single slice.

Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*, section 4.1, judge a
network by its first kernels; Krizhevsky, Sutskever and Hinton 2012, figure 3, show those of AlexNet.
Pruning by norm: Li et al. 2017, *Pruning Filters for Efficient ConvNets*.
"""

SHOW = ("kernels", "norms")
ORDERS = ("index", "L2 norm", "similarity")
SCALES = ("each kernel", "all kernels")
ORANGE = (255, 160, 40)
GAP = (22, 22, 26)
MOST_CELLS = 2**23
"""Of a mosaic: a larger one is not drawn, its norms are."""
NEAR_ZERO = 0.01
"""A kernel with less than this part of the largest norm of its layer does next to nothing."""
FINE_CELLS = 2**19
"""Up to so many weights are drawn with thin gaps, 4 x 4 cells each."""


# ---- mathematics ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """The weights of one layer.

    Attributes:
        layer: Its name.
        words: Its geometry, for people.
        weights: (O, I, kh, kw) float32: output channels, input channels of a group.
        bias: (O,) float32, zeros where the layer has none.
        groups: Output channel k belongs to group ``k // (O / groups)``.
        colors: The three input channels are red, green and blue.
    """

    layer: str
    words: str
    weights: Float32
    bias: Float32
    groups: int
    colors: bool
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    @property
    def slice_norms(self) -> Float32:
        """(O, I) float32 L2 norms."""
        norms: Float32 = np.sqrt(np.square(self.weights).sum(axis=(2, 3)))
        return norms

    @property
    def norms(self) -> Float32:
        """(O,) float32 L2 norms of whole kernels."""
        norms: Float32 = np.sqrt(np.square(self.weights).sum(axis=(1, 2, 3)))
        return norms

    def first_input(self, kernel: int) -> int:
        """The layer's input channel that the kernel's slice 0 is for."""
        out, inputs = self.weights.shape[:2]
        return kernel // (out // self.groups) * inputs


def similarity_order(rows: Float32) -> NDArray[np.intp]:
    """A chain of the most similar rows of (N, D), greedy.

    It begins with the row of the largest L2 norm; next is always the row left whose cosine to the
    last one is largest. Rows of zeros, which have no direction, come last.
    """
    norms = np.linalg.norm(rows, axis=1)
    unit = rows / np.where(norms > 0, norms, 1)[:, None]
    cosines = unit @ unit.T
    cosines[:, norms == 0] = -2.0
    order = [int(norms.argmax())]
    for _ in range(len(rows) - 1):
        cosines[:, order[-1]] = -np.inf
        order.append(int(cosines[order[-1]].argmax()))
    return np.array(order)


def order_of(rows: Float32, by: str) -> NDArray[np.intp]:
    """The order of (N, D) rows by a word of `ORDERS`."""
    if by == "similarity":
        return similarity_order(rows)
    if by == "L2 norm":
        return np.argsort(-np.linalg.norm(rows, axis=1), kind="stable")
    return np.arange(len(rows))


def response(conv: nn.Conv2d, x: Tensor, kernel: int, channel: int | None = None) -> Tensor:
    """What one kernel makes of the layer's input.

    Args:
        conv: The layer.
        x: (1, C, H, W), its input.
        kernel: The output channel.
        channel: Only the slice for this input channel of `x`, without the bias; None = all of them
            and the bias, which is that channel of the layer's output.

    Returns:
        (1, 1, h, w).
    """
    if type(conv).forward is not nn.Conv2d.forward:  # its own padding or weights
        if channel is None:
            return conv(x)[:, kernel : kernel + 1]
        alone = torch.zeros_like(x)
        alone[:, channel] = x[:, channel]
        return (conv(alone) - conv(torch.zeros_like(x)))[:, kernel : kernel + 1]
    inputs = conv.in_channels // conv.groups
    first = kernel // (conv.out_channels // conv.groups) * inputs
    weight = conv.weight[kernel : kernel + 1]
    bias = None if conv.bias is None else conv.bias[kernel : kernel + 1]
    part = x[:, first : first + inputs]
    if channel is not None:
        at = channel - first
        weight, bias, part = weight[:, at : at + 1], None, part[:, at : at + 1]
    padding = conv.padding
    if conv.padding_mode != "zeros":
        part = functional.pad(part, conv._reversed_padding_repeated_twice, conv.padding_mode)
        padding = 0
    return functional.conv2d(part, weight, bias, conv.stride, padding, conv.dilation)


# ---- the view ------------------------------------------------------------------------------------


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    return tuple(
        layer.name for layer in info.layers
        if "Conv2d" in layer.kind and (layer.leaf or layer.kind.startswith("Parametrized"))
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = param(
        "", "Layer", "The convolution layer whose kernels are shown.", choices=_layers
    )
    show: str = param(
        SHOW[0], "Show", "All weights, or one number for each slice: its L2 norm.",
        effect=Effect.DRAW, choices=SHOW,
    )  # fmt: skip
    order: str = param(
        ORDERS[0], "Order",
        "By number, the largest L2 norm first, or the most similar ones side by side.",
        effect=Effect.DRAW, choices=ORDERS,
    )  # fmt: skip
    kernel: int | None = param(
        None, "Kernel",
        "The kernel (output channel) that is applied to the photo: click one. By default the one "
        "with the largest norm.",
        pick=Pick.SELECT, layer="kernels", low=0, high=65535,
    )  # fmt: skip
    channel: int | None = param(
        None, "Input channel",
        "Applies only the kernel's slice for this input channel: click one. By default all of them.",
        pick=Pick.SELECT, layer="slices", low=0, high=65535,
    )  # fmt: skip
    scale: str = param(
        SCALES[0], "Scale",
        "Each kernel up to its own largest weight, or all kernels of the layer on one scale.",
        effect=Effect.DRAW, choices=SCALES,
    )  # fmt: skip
    contrast: float = param(
        1.0, "Contrast", "Makes small weights stronger.",
        effect=Effect.DRAW, low=0.25, high=16.0, log=True,
    )  # fmt: skip
    colormap: str = param(
        "coolwarm", "Colormap", "Maps weights and responses to colors.",
        effect=Effect.DRAW, choices=tuple(COLORMAPS),
    )  # fmt: skip
    opacity: float = param(
        1.0, "Opacity", "Opacity of the response over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`answer.values` is (1, h, w) float32, the response of `kernel` (only its slice `channel`).

    `given` is the (1, h, w) input channel where one is chosen.
    """

    photo: Picture
    kernels: Kernels
    kernel: int
    channel: int | None
    answer: Activation
    given: Activation | None
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    layers = _layers(scene.network.info)
    if not layers:
        raise ExplorerError(
            "This network has no convolution layers (Conv2d).", "Choose another network."
        )
    yield Step(_result(scene, params, params.layer or layers[0], layers[0]))


@torch.no_grad()
def _result(scene: Scene, params: Params, layer: str, first: str) -> Result:
    conv = dict(scene.network.module.named_modules()).get(layer)
    if not isinstance(conv, nn.Conv2d):
        raise ExplorerError(f"The layer {layer!r} is no Conv2d.", "Choose another layer.")
    kernels = scene.memo(("kernels", layer), lambda: _kernels(scene, conv, layer, layer == first))
    kernel = int(kernels.norms.argmax())
    if params.kernel is not None:
        kernel = min(params.kernel, len(kernels.weights) - 1)
    channel = params.channel
    if channel is not None:
        start = kernels.first_input(kernel)
        channel = min(max(channel, start), start + kernels.weights.shape[1] - 1)
    values, resized = scene.memo(("kernels input", layer), lambda: _input(scene, layer))
    given = None if channel is None else values[:, channel : channel + 1]

    def placed(tensor: Tensor) -> Activation:
        height, width = scene.input().shape[-2:]
        return recorded_activation(
            {**resized, layer: [tensor]}, layer, (height, width), scene.frame
        )

    return Result(
        photo_of(scene), kernels, kernel, channel,
        placed(response(conv, values, kernel, channel)),
        None if given is None else placed(given),
    )  # fmt: skip


def _kernels(scene: Scene, conv: nn.Conv2d, layer: str, first: bool) -> Kernels:
    weights = conv.weight.detach().float().cpu().numpy()
    bias = np.zeros(len(weights), np.float32)
    if conv.bias is not None:
        bias = conv.bias.detach().float().cpu().numpy()
    words = f"{conv.in_channels} to {conv.out_channels} channels"
    words += f", {weights.shape[3]} x {weights.shape[2]}, stride {conv.stride[1]}"
    if conv.dilation != (1, 1):
        words += f", dilation {conv.dilation[1]}"
    if conv.groups > 1:
        words += ", depthwise" if conv.groups == conv.in_channels else f", {conv.groups} groups"
    colors = first and conv.in_channels == 3 == scene.network.preprocess.channels
    return Kernels(layer, words, weights, bias, conv.groups, colors and conv.groups == 1)


def _input(scene: Scene, layer: str) -> tuple[Tensor, dict[str, list[Any]]]:
    """The layer's input for the photo, one entry of it, and what a detector resized it to."""
    module = scene.network.module
    before = [name for name in layers_read(module, layer) if name == RESIZE]
    with captured(module, before) as records:
        values = input_until(module, layer, lambda: scene.call(scene.input()))
    return values[:1], dict(records)


# ---- drawing -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sheet:
    """How (N, M, kh, kw) weights lie in a mosaic: N tiles, in each M slices one under another."""

    tiling: Tiling
    slices: int
    rows: int
    columns: int
    zoom: int
    gap: int

    @classmethod
    def of(cls, shape: tuple[int, ...], in_a_row: bool = False) -> Sheet:
        count, slices, rows, columns = shape
        gap = 0 if rows * columns == 1 else 1
        zoom = 4 if gap and np.prod(shape) <= FINE_CELLS else 1
        height, width = slices * (rows * zoom + gap), columns * zoom + gap
        tiling = Tiling.of(count, height, width)
        matrix = slices > 1 and count * width <= 8 * height  # else it were a thin strip
        if in_a_row or matrix:
            tiling = Tiling(count, height, width, count)
        return cls(tiling, slices, rows, columns, zoom, gap)

    def mosaic(self, weights: Float32) -> Float32:
        """The (N, M, kh, kw) weights in one array; gaps are NaN."""
        count = len(weights)
        fine = weights.repeat(self.zoom, axis=2).repeat(self.zoom, axis=3)
        room = ((0, 0), (0, 0), (0, self.gap), (0, self.gap))
        fine = np.pad(fine, room, constant_values=np.nan)
        return self.tiling.mosaic(fine.reshape(count, self.tiling.height, self.tiling.width))

    def at(self, x: float, y: float) -> tuple[int, int, int, int] | None:
        """Tile, slice, row and column of the weight at (x, y)."""
        place = self.tiling.at(x, y)
        if place is None:
            return None
        tile, row, column = place
        at, row = divmod(row, self.rows * self.zoom + self.gap)
        row, column = row // self.zoom, column // self.zoom
        return (tile, at, row, column) if row < self.rows and column < self.columns else None

    def boxes(self) -> Float32:
        """(N, 4) xyxy around every tile, without the gap."""
        boxes = self.tiling.boxes()
        boxes[:, 2:] -= self.gap
        return boxes

    @property
    def size(self) -> tuple[float, float]:
        width, height = self.tiling.size
        return float(width - self.gap), float(height - self.gap)


def draw(result: Result, params: Params) -> Board:
    kernels = result.kernels
    order = kernels.cache.get(
        ("order", params.order),
        lambda: order_of(kernels.weights.reshape(len(kernels.weights), -1), params.order),
    )
    panes = [_overview(result, params, order), _slices(result, params)]
    panes += [_photo(result, params), _response(result, params)]
    values = result.answer.values
    weak = int((kernels.norms < NEAR_ZERO * kernels.norms.max()).sum())
    return Board(
        tuple(panes),
        plots=(kernels.cache.get("curve", lambda: _curve(kernels)),),
        tables=(kernels.cache.get(("table", params.order), lambda: _table(kernels, order)),),
        summary=f"{kernels.layer}: {kernels.words}"
        + (f" · {quantity(weak, 'kernel')} near zero" if weak else "")
        + f" · response of kernel {result.kernel}: {values.min():.3g} to {values.max():.3g}",
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `weights` (O, I, kh, kw) and `bias` (O,) float32, `norms` (O,) and `slice_norms` (O, I)
    float32 L2 norms, `order` (O,) kernels as they are shown, `layer`, `kernel`, `channel`,
    `response` (h, w) float32, `extent` (x0, y0, x1, y1 in the photo's pixels) where it is a map.
    """
    kernels = result.kernels
    found: dict[str, Any] = {
        "layer": kernels.layer,
        "weights": kernels.weights,
        "bias": kernels.bias,
        "norms": kernels.norms,
        "slice_norms": kernels.slice_norms,
        "order": order_of(kernels.weights.reshape(len(kernels.weights), -1), params.order),
        "kernel": result.kernel,
        "channel": -1 if result.channel is None else result.channel,
        "response": result.answer.values[0],
    }
    if result.answer.frame is not None:
        height, width = result.answer.values.shape[1:]
        found["extent"] = result.answer.frame.inverse().extent(width, height)
    return found


def _scaled(values: Float32, scale: str) -> tuple[Float32, float, str]:
    """The weights (N, ...), where both ends of the color scale are, and what they mean."""
    top = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    largest = float(top.max()) or 1.0
    if scale == SCALES[0]:
        # A kernel of rounding errors must not look like one that does something.
        top = np.maximum(top, np.float32(NEAR_ZERO * largest))
        return values / top, 1.0, "of the largest"
    return values, largest, "weight"


def _overview(result: Result, params: Params, order: NDArray[np.intp]) -> Pane:
    kernels = result.kernels
    norms = params.show == "norms" or kernels.weights.size > MOST_CELLS
    shape = (*kernels.weights.shape[:2], 1, 1) if norms else kernels.weights.shape
    if kernels.colors and not norms:
        shape = (len(kernels.weights), 1, *kernels.weights.shape[2:])
    sheet = Sheet.of(shape)
    key = (norms, params.order, params.scale, params.contrast, params.colormap)

    def picture() -> Layer:
        if norms:
            return _norm_heat(kernels, sheet, order)
        if kernels.colors:
            return _color_picture(kernels, sheet, order, params)
        values, high, unit = _scaled(kernels.weights[order], params.scale)
        high /= params.contrast
        colormap = cast("Colormap", params.colormap)
        return Heat(sheet.mosaic(values), -high, high, colormap, unit=unit, name="weights")

    boxes = kernels.cache.get(
        ("boxes", norms, params.order),
        lambda: Boxes(
            sheet.boxes(), np.full((len(order), 3), 90, np.uint8),
            keys=tuple(order.tolist()), width=0.0 if sheet.slices > 1 else 1.0, name="kernels",
        ),
    )  # fmt: skip
    row = boxes.row(result.kernel)
    chosen = Boxes(
        boxes.xyxy[row : row + 1], np.array([ORANGE], np.uint8), selectable=False, name="chosen"
    )
    title = quantity(len(order), "kernel")
    if shape[1] > 1:
        title += f" x {quantity(shape[1], 'input')}"
    if norms:
        title = f"L2 norms: {title}"
    return Pane(
        "kernels", sheet.size, (kernels.cache.get(key, picture), boxes, chosen), title=title,
        frame="kernels", readout=_overview_readout(kernels, sheet, order, norms),
    )  # fmt: skip


def _norm_heat(kernels: Kernels, sheet: Sheet, order: NDArray[np.intp]) -> Heat:
    norms = kernels.slice_norms[order][:, :, None, None]
    return Heat(
        sheet.mosaic(norms), 0.0, float(norms.max()) or 1.0, "viridis", unit="L2 norm", name="norms"
    )


def _color_picture(
    kernels: Kernels, sheet: Sheet, order: NDArray[np.intp], params: Params
) -> Picture:
    values, high, _ = _scaled(kernels.weights[order], params.scale)
    planes = [sheet.mosaic(values[:, c : c + 1]) for c in range(3)]
    shades = 0.5 + 0.5 * np.stack(planes, axis=2) * params.contrast / high
    rgb = (np.nan_to_num(shades.clip(0, 1)) * 255).round().astype(np.uint8)
    rgb[np.isnan(shades[:, :, 0])] = GAP
    return Picture(rgb, name="weights")


def _slices(result: Result, params: Params) -> Pane:
    kernels, kernel = result.kernels, result.kernel
    weights = kernels.weights[kernel]
    order = order_of(weights.reshape(len(weights), -1), params.order)
    if kernels.colors:
        order = np.arange(3)
    sheet = Sheet.of((len(weights), 1, *weights.shape[1:]), in_a_row=kernels.colors)
    start = kernels.first_input(kernel)
    colormap = cast("Colormap", params.colormap)

    def heat() -> Heat:
        all_of_it = kernels.weights if params.scale == SCALES[1] else weights
        high = (float(np.abs(all_of_it).max()) or 1.0) / params.contrast
        values = sheet.mosaic(weights[order][:, None])
        return Heat(values, -high, high, colormap, unit="weight", name="weights")

    boxes = Boxes(
        sheet.boxes(), np.full((len(order), 3), 90, np.uint8),
        keys=tuple((order + start).tolist()), width=1.0, name="slices",
    )  # fmt: skip
    layers: list[Layer] = [
        result.cache.get((params.order, params.scale, params.contrast, colormap), heat),
        boxes,
    ]
    if result.channel is not None and (row := boxes.row(result.channel)) is not None:
        tint = np.array([ORANGE], np.uint8)
        layers.append(Boxes(boxes.xyxy[row : row + 1], tint, selectable=False, name="chosen"))
    title = f"Kernel {kernel}: {quantity(len(weights), 'slice')}"
    if kernels.colors:
        title = f"Kernel {kernel}: red, green, blue"

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        if place is None:
            return ""
        at = int(order[place[0]])
        value = weights[at, place[2], place[3]]
        return f"input channel {start + at}, row {place[2]}, column {place[3]}: {value:.4g}"

    return Pane("slices", sheet.size, tuple(layers), title=title, frame="slices", readout=readout)


def _photo(result: Result, params: Params) -> Pane:
    layers: list[Layer] = [result.photo]
    title = "Photo"
    if result.given is not None and not result.kernels.colors and result.given.frame is not None:
        values = result.given.values[0]
        title = f"Input channel {result.channel} of the layer"
        layers.append(
            Heat(
                values, float(values.min()), float(values.max()), "viridis",
                extent=_extent(result.given), opacity=params.opacity, unit="input", name="input",
            )
        )  # fmt: skip
    return Pane("image", size_of(result.photo), tuple(layers), title=title)


def _response(result: Result, params: Params) -> Pane:
    answer = result.answer
    values = answer.values[0]
    title = f"Response of kernel {result.kernel}"
    if result.channel is not None:
        title += f", input channel {result.channel} alone"
    layers: list[Layer] = [result.photo]
    if answer.frame is not None:
        high = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0
        layers.append(
            Heat(
                values, -high, high, cast("Colormap", params.colormap), extent=_extent(answer),
                opacity=params.opacity, unit="response", name="response",
            )
        )  # fmt: skip
    else:
        title += ", without positions on the photo"
    return Pane("response", size_of(result.photo), tuple(layers), title=title)


def _extent(answer: Activation) -> tuple[float, float, float, float]:
    assert answer.frame is not None
    height, width = answer.values.shape[1:]
    return answer.frame.inverse().extent(width, height)


def _overview_readout(
    kernels: Kernels, sheet: Sheet, order: NDArray[np.intp], norms: bool
) -> Callable[[float, float], str]:
    whole, parts = kernels.norms, kernels.slice_norms

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        if place is None:
            return ""
        tile, at, row, column = place
        kernel = int(order[tile])
        words = f"kernel {kernel} (L2 norm {whole[kernel]:.4g})"
        channel = kernels.first_input(kernel) + at
        if norms:
            return f"{words}, input channel {channel}: L2 norm {parts[kernel, at]:.4g}"
        weights = kernels.weights[kernel, :, row, column]
        if kernels.colors:
            red, green, blue = weights
            return (
                f"{words}, row {row}, column {column}: red {red:.3g}, green {green:.3g}, "
                f"blue {blue:.3g}"
            )
        return f"{words}, input channel {channel}, row {row}, column {column}: {weights[at]:.4g}"

    return readout


def _curve(kernels: Kernels) -> Plot:
    norms = np.sort(kernels.norms)[::-1].astype(np.float64)
    return Plot(
        "norms", "L2 norms", "kernels, the largest norm first", "L2 norm",
        curves=(Curve(np.arange(1.0, len(norms) + 1), norms, "L2 norm"),),
    )  # fmt: skip


def _table(kernels: Kernels, order: NDArray[np.intp]) -> Table:
    norms, means = kernels.norms, kernels.weights.mean(axis=(1, 2, 3))
    columns, values = ("kernel", "L2 norm", "mean weight"), [norms, means]
    if kernels.bias.any():
        columns, values = (*columns, "bias"), [*values, kernels.bias]
    rows = tuple((int(k), *(round(float(value[k]), 5) for value in values)) for k in order)
    return Table(
        "kernels", columns, rows, title="Kernels",
        layer="kernels", keys=tuple(order.tolist()),
    )  # fmt: skip


VIEW = View(
    name="kernels",
    title="Kernels",
    group=Group.INSIDE,
    summary="The kernels of a convolution layer, and the response of one of them on the photo.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, "
    "section 4.1",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
