"""Where the numbers come from: a layer of the network on the photo, or a small example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.values import Point
from explorer.engine.stages import layer_input_of
from explorer.networks.hooks import tensors_in
from explorer.views.inside.conv_arithmetic.params import SOFTMAX, layers_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.activations import LayerInput
from explorer.vision.features.arithmetic import (
    Largest,
    Softmax,
    Terms,
    Weighted,
    arithmetic,
    output_size,
    padding_of,
    read,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.views.inside.conv_arithmetic.params import Params
    from explorer.vision.features.activations import Activation
    from explorer.vision.features.arithmetic import Arithmetic

COLORS = ("red", "green", "blue")
FAR = 0.02
"""Of the largest output: a sum that differs by more is not what the layer computes."""
INNER = 8
"""A part of the map at each side where the default place is not: padding goes in there."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A layer on the photo.

    Attributes:
        name: Of the layer.
        kind: Its class.
        size: The sizes of its convolution or pooling, one row for each direction; empty else.
        how: Of one channel of its output.
        channel: Which.
        given: Its input.
        found: Its output, computed by the layer itself.
        cell: Row and column of the output that was chosen.
        names: Of the units of its output, where they are classes.
        colors: Its input is the photo's red, green and blue.
    """

    name: str
    kind: str
    size: tuple[Size, ...]
    how: Arithmetic
    channel: int
    given: Activation
    found: Activation
    cell: tuple[int, int]
    names: tuple[str, ...]
    colors: bool
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))

    def input_name(self, channel: int) -> str:
        """What an input channel is called."""
        if self.colors:
            return COLORS[channel]
        if isinstance(self.how, Softmax):
            return self.unit_name(channel)
        return f"channel {channel}"

    def unit_name(self, channel: int) -> str:
        """What an output channel is called."""
        if channel < len(self.names):
            return self.names[channel]
        return f"{'unit' if self.found.frame is None else 'channel'} {channel}"

    def at(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the output at a place of the photo, None outside of the map."""
        if self.found.frame is None:
            return None
        rows, columns = self.how.size
        across, down = self.found.frame.point(x, y)
        row, column = int(np.floor(down)), int(np.floor(across))
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None


@dataclass(frozen=True, slots=True)
class Size:
    """W, K, S, the padding at both ends and D of one direction, `of` which the name is."""

    of: str
    size: int
    kernel: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    ceil: bool = False

    @property
    def output(self) -> int:
        """Rows or columns of the output."""
        whole = self.size + sum(self.padding)
        return output_size(whole, self.kernel, self.stride, 0, self.dilation, ceil=self.ceil)

    @property
    def formula(self) -> str:
        """The output size with its numbers, as in ``(224 + 2 x 1 - 3) / 2 + 1 = 112``."""
        before, after = self.padding
        padded = f" + 2 x {before}" if before == after else f" + {before} + {after}"
        reach = f"({self.dilation} x ({self.kernel} - 1) + 1)"
        inner = f"{self.size}{padded if any(self.padding) else ''} - "
        inner += f"{self.kernel}" if self.dilation == 1 else reach
        whole = self.size + before + after - self.dilation * (self.kernel - 1) - 1
        rounded = f"({inner}) / {self.stride}"
        if whole % self.stride:
            rounded = f"{'ceil' if self.ceil else 'floor'}({rounded})"
        return f"{rounded} + 1 = {self.output}"


@torch.no_grad()
def opened(scene: Scene, params: Params) -> Opened:
    """The chosen layer, the chosen output and what it reads.

    Raises:
        ExplorerError: When there is no layer whose arithmetic is known, or it is not used.
    """
    network = scene.network
    layers = layers_of(network.info)
    if not layers:
        raise ExplorerError(
            "This network has no layers whose arithmetic is known.", "Choose another network."
        )
    name = params.layer or layers[0]
    given, layer = _input_of(scene, name, params.call)
    values = given.values
    output = layer(values.clone())
    found, placed = given.placed(output), given.placed(values)
    cell, channel = _chosen(found.values, found.frame, scene, params)
    how = arithmetic(layer, values, channel, given.size)
    if how.size != found.values.shape[1:] or not _agrees(how, found, channel, cell):
        raise ExplorerError(
            f"The layer {name!r} computes in a way of its own, which is not known here.",
            "Choose another layer.",
        )
    size = sizes_of(layer, values)
    if tuple(each.output for each in reversed(size)) != how.size:
        size = ()  # a pooling that leaves its last window out
    colors = (
        isinstance(layer, nn.Conv2d)
        and values.shape[1] == network.preprocess.channels == 3
        and placed.frame is not None
        and name == layers[0]
    )
    is_class = len(found.values) == len(network.info.classes) and found.values[0].size == 1
    return Opened(
        name, type(layer).__name__, size, how, channel, placed, found, cell,
        network.info.classes if is_class else (), colors,
    )  # fmt: skip


def _agrees(how: Arithmetic, found: Activation, channel: int, cell: tuple[int, int]) -> bool:
    """Whether the layer does compute so: half precision is rounded, another formula is far off."""
    apart = abs(how.at(*cell).total - float(found.values[(channel, *cell)]))
    return bool(apart <= FAR * max(1.0, float(np.abs(found.values).max())))


def _input_of(scene: Scene, name: str, call: int) -> tuple[LayerInput, nn.Module]:
    if name != SOFTMAX:
        module = dict(scene.network.module.named_modules()).get(name)
        if module is None:
            raise ExplorerError(f"This network has no layer {name!r}.", "Choose another layer.")
        return layer_input_of(scene, name, call=call), module
    logits = tensors_in(scene.output())
    if not logits or logits[0].ndim != 2:
        raise ExplorerError("This network has no logit per class.", "Choose one of its layers.")
    height, width = scene.input().shape[-2:]
    given = LayerInput(name, logits[0][:1], (height, width), scene.frame, {}, 1)
    return given, nn.Softmax(dim=1)


def sizes_of(layer: Any, x: Tensor) -> tuple[Size, ...]:
    """The sizes of a convolution or a pooling with a kernel, width first; of others nothing."""
    pooled = isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d))
    if not (isinstance(layer, nn.Conv2d) or pooled) or x.ndim != 4:
        return ()

    def of(value: Any, dim: int) -> int:
        return int(value[dim] if isinstance(value, (tuple, list)) else value)

    found = []
    for dim, name in ((1, "width"), (0, "height")):
        ends = (of(layer.padding, dim),) * 2 if pooled else padding_of(layer, dim)
        found.append(
            Size(
                name, int(x.shape[2 + dim]), of(layer.kernel_size, dim), of(layer.stride, dim),
                ends, of(getattr(layer, "dilation", 1), dim),
                ceil=pooled and bool(layer.ceil_mode),
            )
        )  # fmt: skip
    return tuple(found)


def _chosen(
    maps: Float32, frame: Frame | None, scene: Scene, params: Params
) -> tuple[tuple[int, int], int]:
    """Row, column and channel of the output that is worked out."""
    count, rows, columns = maps.shape
    channel = None if params.channel is None else min(params.channel, count - 1)
    here = params.place
    if here is None and scene.moment is not None:  # a film should not jump about
        width, height = scene.input().shape[-1], scene.input().shape[-2]
        here = Point(*scene.frame.inverse().point(width / 2, height / 2))
    if frame is None or here is None:
        top, left = rows // INNER, columns // INNER
        inner = np.nan_to_num(maps[:, top : rows - top, left : columns - left])
        inner = inner if channel is None else inner[channel : channel + 1]
        best, down, across = (int(at) for at in np.unravel_index(inner.argmax(), inner.shape))
        return (down + top, across + left), best if channel is None else channel
    x, y = frame.point(here.x, here.y)
    row, column = min(max(int(y // 1), 0), rows - 1), min(max(int(x // 1), 0), columns - 1)
    return (row, column), int(maps[:, row, column].argmax()) if channel is None else channel


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """A few cells of one input channel, with the zeros around them, and kernels for them.

    Attributes:
        given: (h, w) float32.
        padded: (h, w) bool: padding.
        kernels: (O, kh, kw) float32, the chosen one first; without any a maximum is taken.
        names: Of the kernels.
        stride: Cells between two positions of the kernel.
        dilation: Cells between two weights of it.
        words: What the numbers are.
        place: Where they lie on the photo, in its pixels.
        shape: (kh, kw) of the kernel or the pooling window.
        average: The kernel is that of an average pooling.
        sizes: The sizes that the output's size follows from.
    """

    given: Float32
    padded: NDArray[np.bool_]
    kernels: Float32
    names: tuple[str, ...]
    stride: int
    dilation: int
    words: str
    place: Extent | None
    shape: tuple[int, int]
    average: bool
    sizes: tuple[Size, ...]


def example(params: Params, *, padded: bool = True) -> Excerpt:
    """Small whole numbers in the sizes of the parameters.

    Raises:
        ExplorerError: When the kernel does not fit.
    """
    side, kernel, pad = params.size, params.kernel, params.padding if padded else 0
    sizes = tuple(
        Size(name, side, kernel, params.stride, (pad, pad), params.dilation)
        for name in ("width", "height")
    )
    if sizes[0].output < 1 and padded:
        raise ExplorerError(
            f"A kernel of {kernel} with dilation {params.dilation} does not fit into an input of "
            f"{side} with padding {pad}.",
            "Make the input or the padding larger, or the kernel smaller.",
        )
    down, across = np.mgrid[0:side, 0:side]
    values = np.pad(((3 * down + 5 * across + down * across) % 7 % 4).astype(np.float32), pad)
    inside = np.pad(np.ones((side, side), bool), pad)
    up, left = np.mgrid[0:kernel, 0:kernel]
    kernels = np.stack([(up * a + left * b) % 3 - 1 for a, b in ((0, 1), (1, 0), (1, 1))])
    return Excerpt(
        values, ~inside, kernels.astype(np.float32), ("kernel A", "kernel B", "kernel C"),
        params.stride, params.dilation, "an example", None, (kernel, kernel), False, sizes,
    )  # fmt: skip


def excerpt(found: Opened, most: int, scene: Scene) -> Excerpt:
    """The cells that some neighboring outputs of a layer read from one of its input channels.

    Args:
        found: A convolution or a pooling.
        most: Rows and columns of outputs, at most.
        scene: With the layer.

    Raises:
        ExplorerError: When the layer slides no kernel over its input.
    """
    how = found.how
    if not found.size or not isinstance(how, (Largest, Weighted)):
        raise ExplorerError(
            f"The layer {found.name!r} slides no kernel over its input.",
            "Choose a convolution or a pooling, or the numbers of an example.",
        )
    wide, high = found.size
    if (wide.stride, wide.dilation) != (high.stride, high.dilation):
        raise ExplorerError(
            f"The layer {found.name!r} has different strides or dilations down and across.",
            "Choose another layer, or the numbers of an example.",
        )
    spans = []
    for of, at, outputs in zip((high, wide), found.cell, how.size, strict=True):
        count = min(most, outputs)
        first = min(max(at - count // 2, 0), outputs - count)
        low = of.stride * first - of.padding[0]
        spans.append((low, low + of.stride * (count - 1) + of.dilation * (of.kernel - 1) + 1))
    terms = how.at(*found.cell)
    own = int(terms.channels[0]) if isinstance(terms, Terms) else found.channel
    channel = own - how.first if isinstance(how, Weighted) else 0
    edge = how.edge if isinstance(how, Weighted) else "zeros"
    one = how.given[channel : channel + 1]
    values, padded = read(one, np.arange(*spans[0]), np.arange(*spans[1]), edge)
    if isinstance(how, Weighted) and how.divisor is not None and padded.any():
        raise ExplorerError(
            "At the edge this pooling may average over fewer cells.",
            "Click a place off the edge of the map.",
        )
    kernel = (high.kernel, wide.kernel)
    average = isinstance(how, Weighted) and how.divisor is not None
    weights, names = _kernels(found, channel, average, kernel, scene)
    return Excerpt(
        values[0].astype(np.float32), padded, weights, names, wide.stride, wide.dilation,
        found.input_name(own), _on_photo(found, spans), kernel, average, found.size,
    )  # fmt: skip


def _kernels(
    found: Opened, channel: int, average: bool, kernel: tuple[int, int], scene: Scene
) -> tuple[Float32, tuple[str, ...]]:
    """The slice of the chosen kernel, and those of the next two that read the same channel."""
    how = found.how
    if average:
        return np.full((1, *kernel), 1 / (kernel[0] * kernel[1]), np.float32), ("mean",)
    if isinstance(how, Largest):
        return np.zeros((0, *kernel), np.float32), ()
    layer: Any = scene.network.module.get_submodule(found.name)
    per_group = layer.out_channels // layer.groups
    start = found.channel // per_group * per_group
    others = [start + (found.channel - start + k) % per_group for k in range(min(3, per_group))]
    weights = layer.weight[others, channel].detach().float().cpu().numpy()
    return weights, tuple(f"kernel {k}" for k in others)


def _on_photo(found: Opened, spans: list[tuple[int, int]]) -> Extent | None:
    if found.given.frame is None:
        return None
    (top, bottom), (left, right) = spans
    box = np.array([[left, top, right, bottom]], np.float32)
    x0, y0, x1, y1 = found.given.frame.inverse().boxes(box)[0].tolist()
    return x0, y0, x1, y1
