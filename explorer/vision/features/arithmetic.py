"""The arithmetic behind one output of a layer, written out: what it reads, multiplies and adds.

``arithmetic(conv, x, 5).at(7, 9)`` are the input patch, the kernel and the products of the output
of kernel 5 in row 7, column 9. Everything is computed here by its definition, in float64, and
equals what the layer computes up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from explorer.core.errors import ExplorerError
from explorer.vision.features.activations import laid_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Reads = tuple["NDArray[np.intp]", "NDArray[np.intp]"]
"""Of an output row (or column): the input rows that it reads, and with which rows of the kernel.

Rows outside of the input are padding.
"""

FUNCTIONS: dict[str, tuple[str, Callable[[Any], Callable[[float], float]]]] = {
    "ReLU": ("max(0, x)", lambda _: lambda x: max(0.0, x)),
    "ReLU6": ("min(max(0, x), 6)", lambda _: lambda x: min(max(0.0, x), 6.0)),
    "LeakyReLU": (
        "x, or slope x below 0",
        lambda m: lambda x: x if x >= 0 else m.negative_slope * x,
    ),
    "ELU": ("x, or a (exp(x) - 1) below 0", lambda m: lambda x: _elu(x, float(m.alpha))),
    "Sigmoid": ("1 / (1 + exp(-x))", lambda _: lambda x: _sigmoid(x)),
    "Tanh": ("tanh(x)", lambda _: math.tanh),
    "SiLU": ("x / (1 + exp(-x))", lambda _: lambda x: x * _sigmoid(x)),
    "GELU": ("x times the normal distribution function at x", lambda m: _gelu(m.approximate)),
    "Mish": ("x tanh(log(1 + exp(x)))", lambda _: lambda x: x * math.tanh(_softplus(x))),
    "Softplus": ("log(1 + exp(x))", lambda m: lambda x: _softplus(x * m.beta) / m.beta),
    "Hardsigmoid": ("min(max(0, x / 6 + 1/2), 1)", lambda _: lambda x: _hard(x)),
    "Hardswish": ("x min(max(0, x / 6 + 1/2), 1)", lambda _: lambda x: x * _hard(x)),
}
"""Activation functions by the name of their module: in words, and as a function of a number."""


def _elu(x: float, alpha: float) -> float:
    return x if x > 0 else alpha * math.expm1(x)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > -700 else 0.0


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _hard(x: float) -> float:
    return min(max(0.0, x / 6.0 + 0.5), 1.0)


def _gelu(approximate: str) -> Callable[[float], float]:
    if approximate == "tanh":
        scale = math.sqrt(2.0 / math.pi)
        return lambda x: 0.5 * x * (1.0 + math.tanh(scale * (x + 0.044715 * x**3)))
    return lambda x: 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


WEIGHTED = ("Conv2d", "ConvTranspose2d", "Linear", "AvgPool2d", "AdaptiveAvgPool2d")
LARGEST = ("MaxPool2d", "AdaptiveMaxPool2d")
NORMS = ("BatchNorm2d", "FrozenBatchNorm2d", "LayerNorm", "LayerNorm2d", "GroupNorm")
KINDS = frozenset({*WEIGHTED, *LARGEST, *NORMS, *FUNCTIONS, "Softmax", "PackedConv2d"})
"""Class names of the modules whose arithmetic is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """A weighted sum.

    Attributes:
        channels: (n,) input channels, the largest sum of products first.
        values: (n, kh, kw) what is read of each; 0 where padding is.
        weights: (n, kh, kw).
        sums: (n,) the sums of their products.
        rows: (kh,) rows of the input that are read.
        columns: (kw,) its columns.
        padded: (kh, kw) what lies outside of the input.
        bias: Is added.
        total: The output.
    """

    channels: NDArray[np.intp]
    values: Floats
    weights: Floats
    sums: Floats
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    padded: NDArray[np.bool_]
    bias: float
    total: float

    @property
    def products(self) -> Floats:
        """(n, kh, kw)."""
        return self.values * self.weights


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A maximum: (kh, kw) `values`, NaN = padding, which never wins; `best` is its row and column.

    `rows` and `columns` are those of the input.
    """

    values: Floats
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    best: tuple[int, int]
    total: float


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One number after the other: `steps` are what each is, in words, and its value.

    `function` is the activation function, where it is one.
    """

    steps: tuple[tuple[str, float], ...]
    total: float
    function: Callable[[float], float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """A softmax: of every unit its logit, its exponential and its share of their sum.

    `order` (n,) has the largest logit first; `exponentials` are of the logits less the largest.
    """

    order: NDArray[np.intp]
    logits: Floats
    exponentials: Floats
    shares: Floats
    unit: int
    total: float


Unit = Terms | Window | Chain | Shares


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """A convolution, linear layer or average pooling, for one output channel.

    Attributes:
        given: (I, h, w) the input channels that it reads.
        weights: (I, kh, kw); an average pooling has (1, 1, 1), and divides.
        bias: Is added.
        first: The number of the first of these channels.
        down: Of each output row.
        across: Of each output column.
        divisor: ``(row, column) -> n``: an average.
        edge: How padding is filled, a mode of `numpy.pad`.
    """

    given: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float
    first: int
    down: tuple[Reads, ...]
    across: tuple[Reads, ...]
    divisor: Callable[[int, int], int] | None = None
    edge: str = "zeros"

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        return len(self.down), len(self.across)

    def at(self, row: int, column: int) -> Terms:
        """The terms of one output."""
        (rows, up), (columns, left) = self.down[row], self.across[column]
        values, padded = read(self.given, rows, columns, self.edge)
        if self.divisor is None:
            weights = self.weights[:, up][:, :, left].astype(np.float64)
        else:
            weights = np.full(values.shape, 1.0 / self.divisor(row, column))
        sums = (values * weights).sum(axis=(1, 2))
        order = np.argsort(-np.abs(sums), kind="stable")
        return Terms(
            self.first + order, values[order], weights[order], sums[order], rows, columns, padded,
            self.bias, float(sums.sum() + self.bias),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Largest:
    """A max pooling of one channel, (1, h, w); `down` and `across` as of `Weighted`."""

    given: NDArray[np.float32]
    down: tuple[Reads, ...]
    across: tuple[Reads, ...]

    @property
    def size(self) -> tuple[int, int]:
        return len(self.down), len(self.across)

    def at(self, row: int, column: int) -> Window:
        (rows, _), (columns, _) = self.down[row], self.across[column]
        values, padded = read(self.given, rows, columns, "zeros")
        one = np.where(padded, np.nan, values[0])
        best = int(np.nanargmax(one))
        at = (best // one.shape[1], best % one.shape[1])
        return Window(one, rows, columns, at, float(one[at]))


@dataclass(frozen=True, slots=True, eq=False)
class Normalized:
    """A normalization of one channel, (h, w): `mean` and `variance` are of it or of each cell."""

    given: NDArray[np.float32]
    mean: Floats
    variance: Floats
    epsilon: float
    scale: float
    shift: float
    over: str

    @property
    def size(self) -> tuple[int, int]:
        return self.given.shape[0], self.given.shape[1]

    def at(self, row: int, column: int) -> Chain:
        x = float(self.given[row, column])
        mean = float(np.broadcast_to(self.mean, self.size)[row, column])
        variance = float(np.broadcast_to(self.variance, self.size)[row, column])
        deviation = math.sqrt(variance + self.epsilon)
        normal = (x - mean) / deviation
        total = normal * self.scale + self.shift
        return Chain(
            (
                ("input x", x), (f"mean {self.over}", mean), ("x - mean", x - mean),
                (f"deviation {self.over}", deviation), ("normalized", normal),
                ("times gamma", self.scale), ("plus beta", self.shift),
            ),
            total,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Pointwise:
    """An activation function of one channel, (h, w)."""

    given: NDArray[np.float32]
    function: Callable[[float], float]
    words: str

    @property
    def size(self) -> tuple[int, int]:
        return self.given.shape[0], self.given.shape[1]

    def at(self, row: int, column: int) -> Chain:
        x = float(self.given[row, column])
        return Chain((("input x", x),), self.function(x), self.function)


@dataclass(frozen=True, slots=True, eq=False)
class Softmax:
    """Of (C, h, w) logits over the channels, for one of them."""

    given: NDArray[np.float32]
    channel: int

    @property
    def size(self) -> tuple[int, int]:
        return self.given.shape[1], self.given.shape[2]

    def at(self, row: int, column: int) -> Shares:
        logits = self.given[:, row, column].astype(np.float64)
        exponentials = np.exp(logits - logits.max())
        shares = exponentials / exponentials.sum()
        return Shares(
            np.argsort(-logits, kind="stable"), logits, exponentials, shares, self.channel,
            float(shares[self.channel]),
        )  # fmt: skip


Arithmetic = Weighted | Largest | Normalized | Pointwise | Softmax


def arithmetic(
    layer: nn.Module, x: Tensor, channel: int, source: tuple[int, int] = (1, 1)
) -> Arithmetic:
    """How a layer in eval mode computes one channel of its output.

    Args:
        layer: A module of one of `KINDS`, or of a class derived from it.
        x: Its input, a batch of one.
        channel: Of the output; beyond the last = the last.
        source: (H, W) of the picture, whose proportions tokens of a transformer are laid out in.

    Raises:
        ExplorerError: When the layer's arithmetic is not known.
    """
    with torch.no_grad():
        found = _arithmetic(layer, x, channel, source)
    if found is None:
        raise ExplorerError(
            f"The arithmetic of a {type(layer).__name__} with this input is not known.",
            "Choose a convolution, pooling, normalization, activation or linear layer.",
        )
    return found


def _arithmetic(layer: Any, x: Tensor, channel: int, source: tuple[int, int]) -> Arithmetic | None:
    match layer:
        case nn.Conv2d() if x.ndim == 4:
            return _convolution(layer, x, channel)
        case nn.ConvTranspose2d() if x.ndim == 4:
            return _transposed(layer, x, channel)
        case nn.Linear():
            maps = _array(_features_first(x, source))
            channel = min(channel, layer.out_features - 1)
            row = _array(layer.weight[channel])
            ones = tuple((np.array([k]), np.array([0])) for k in range(max(maps.shape[1:])))
            return Weighted(
                maps, row[:, None, None], _bias(layer, channel), 0, ones[: maps.shape[1]],
                ones[: maps.shape[2]],
            )  # fmt: skip
        case nn.AvgPool2d() | nn.AdaptiveAvgPool2d() if x.ndim == 4:
            return _average(layer, x, channel)
        case nn.MaxPool2d() | nn.AdaptiveMaxPool2d() if x.ndim == 4:
            channel = min(channel, x.shape[1] - 1)
            down, across, _ = _pooling(layer, x)
            return Largest(_array(x[0, channel : channel + 1]), down, across)
        case nn.Softmax():
            logits = x[0] if x.ndim == 4 else _features_first(x, source)
            over = layer.dim if layer.dim is not None else 1
            if over % x.ndim != (1 if x.ndim == 4 else x.ndim - 1):
                return None
            return Softmax(_array(logits), min(channel, len(logits) - 1))
        case _:
            pass
    if type(layer).__name__ in FUNCTIONS:
        words, make = FUNCTIONS[type(layer).__name__]
        given, _ = laid_out(x, source)
        return Pointwise(_array(given[min(channel, len(given) - 1)]), make(layer), words)
    return _normalized(layer, x, channel, source)


def output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int = 1, *, ceil: bool = False
) -> int:
    """Rows of a convolution's output: ``floor((W + 2 P - D (K - 1) - 1) / S) + 1``, at least 0.

    A pooling may round up, so that its last window is cut off. (PyTorch leaves a window out that
    would begin behind the input and the padding before it.)
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    return max(0, (-(-room // stride) if ceil else room // stride) + 1)


def padding_of(layer: nn.Conv2d, dim: int) -> tuple[int, int]:
    """Rows (`dim` 0) or columns (1) of padding before and behind the input of a convolution."""
    # private: what padding="same" comes to, and the only place where it is written down
    before, after = layer._reversed_padding_repeated_twice[2 * (1 - dim) :][:2]
    return int(before), int(after)


def _reads(kernel: int, stride: int, pad: int, dilation: int, count: int) -> tuple[Reads, ...]:
    taps = np.arange(kernel)
    return tuple((stride * k - pad + dilation * taps, taps) for k in range(count))


def _convolution(layer: nn.Conv2d, x: Tensor, channel: int) -> Weighted:
    channel = min(channel, layer.out_channels - 1)
    inputs = layer.in_channels // layer.groups
    first = channel // (layer.out_channels // layer.groups) * inputs
    axes = []
    for dim in (0, 1):
        before, after = padding_of(layer, dim)
        size, kernel = int(x.shape[2 + dim]), layer.kernel_size[dim]
        stride, dilation = layer.stride[dim], layer.dilation[dim]
        count = output_size(size + before + after, kernel, stride, 0, dilation)
        axes.append(_reads(kernel, stride, before, dilation, count))
    return Weighted(
        _array(x[0, first : first + inputs]), _array(layer.weight[channel]),
        _bias(layer, channel), first, axes[0], axes[1], edge=layer.padding_mode,
    )  # fmt: skip


def _transposed(layer: nn.ConvTranspose2d, x: Tensor, channel: int) -> Weighted:
    """Read backward: which input cells put something on an output cell, with which weight."""
    channel = min(channel, layer.out_channels - 1)
    inputs, outputs = (count // layer.groups for count in (layer.in_channels, layer.out_channels))
    first = channel // outputs * inputs
    axes = []
    for dim in (0, 1):
        size, kernel, stride = int(x.shape[2 + dim]), layer.kernel_size[dim], layer.stride[dim]
        pad, dilation = int(layer.padding[dim]), layer.dilation[dim]
        more = layer.output_padding[dim]
        count = (size - 1) * stride - 2 * pad + dilation * (kernel - 1) + more + 1
        axes.append(tuple(_reached_from(k + pad, size, kernel, stride, dilation)
                          for k in range(count)))  # fmt: skip
    weight = layer.weight[first : first + inputs, channel % outputs]
    return Weighted(
        _array(x[0, first : first + inputs]), _array(weight), _bias(layer, channel), first,
        axes[0], axes[1],
    )  # fmt: skip


def _reached_from(place: int, size: int, kernel: int, stride: int, dilation: int) -> Reads:
    cells = np.arange(size)
    away = place - cells * stride
    taps = away // dilation
    there = (away % dilation == 0) & (taps >= 0) & (taps < kernel)
    return cells[there], taps[there]


def _average(layer: Any, x: Tensor, channel: int) -> Weighted:
    channel = min(channel, x.shape[1] - 1)
    down, across, counts = _pooling(layer, x)
    fixed = getattr(layer, "divisor_override", None)

    def divisor(row: int, column: int) -> int:
        return int(fixed or counts[0][row] * counts[1][column])

    given = _array(x[0, channel : channel + 1])
    ones = np.ones((1, 1, 1), np.float32)
    return Weighted(given, ones, 0.0, channel, down, across, divisor)


def _pooling(layer: Any, x: Tensor) -> tuple[Any, Any, tuple[list[int], list[int]]]:
    """What each output row and column reads, and by how many an average divides."""
    axes: list[Any] = []
    counts: list[list[int]] = []
    for dim in (0, 1):
        size = int(x.shape[2 + dim])
        if isinstance(layer, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)):
            new = _of_pair(layer.output_size, dim)
            new = size if new is None else new
            spans = [(k * size // new, -(-(k + 1) * size // new)) for k in range(new)]
            whole = [high - low for low, high in spans]
        else:
            spans, whole = _windows(layer, size, dim)
        step = _of_pair(getattr(layer, "dilation", 1), dim)
        axes.append(tuple(
            (np.arange(low, high, step), np.zeros(len(range(low, high, step)), np.intp))
            for low, high in spans
        ))  # fmt: skip
        counts.append(whole)
    return axes[0], axes[1], (counts[0], counts[1])


def _windows(layer: Any, size: int, dim: int) -> tuple[list[tuple[int, int]], list[int]]:
    kernel, pad = _of_pair(layer.kernel_size, dim), _of_pair(layer.padding, dim)
    stride = _of_pair(layer.stride, dim)
    dilation = _of_pair(getattr(layer, "dilation", 1), dim)
    extent = dilation * (kernel - 1) + 1
    count = output_size(size, kernel, stride, pad, dilation, ceil=layer.ceil_mode)
    if layer.ceil_mode and (count - 1) * stride >= size + pad:
        count -= 1  # a window must begin in the input or its first padding
    spans, whole = [], []
    for k in range(count):
        low = k * stride - pad
        high = low + extent
        if isinstance(layer, nn.AvgPool2d):
            high = min(high, size + pad)
            inside = min(high, size) - max(low, 0)
            whole.append(high - low if layer.count_include_pad else inside)
            if not layer.count_include_pad:
                low, high = max(low, 0), min(high, size)
        spans.append((low, high))
    return spans, whole


def _normalized(layer: Any, x: Tensor, channel: int, source: tuple[int, int]) -> Normalized | None:
    match layer:
        case nn.BatchNorm2d() | FrozenBatchNorm2d() if layer.running_mean is not None:
            maps = _array(x[0])
            channel = min(channel, len(maps) - 1)
            mean, variance = (
                _array(values).astype(np.float64)[channel]
                for values in (layer.running_mean, layer.running_var)
                if values is not None
            )
            over = "of the channel"
        case nn.GroupNorm() if x.ndim == 4:
            maps = _array(x[0])
            channel = min(channel, len(maps) - 1)
            many = len(maps) // layer.num_groups
            group = maps[channel // many * many :][:many].astype(np.float64)
            mean, variance, over = group.mean(), group.var(), "of the group"
        case nn.LayerNorm() if len(layer.normalized_shape) == 1:
            first = x[0] if type(layer).__name__ == "LayerNorm2d" else _features_first(x, source)
            maps = _array(first)
            channel = min(channel, len(maps) - 1)
            wide = maps.astype(np.float64)
            mean, variance, over = wide.mean(axis=0), wide.var(axis=0), "of the cell"
        case _:
            return None
    weight, bias = layer.weight, layer.bias
    return Normalized(
        maps[channel], np.asarray(mean), np.asarray(variance), float(layer.eps),
        1.0 if weight is None else float(weight[channel]),
        0.0 if bias is None else float(bias[channel]), over,
    )  # fmt: skip


def _features_first(x: Tensor, source: tuple[int, int]) -> Tensor:
    """(C, h, w) of a tensor whose last dimension is the features."""
    if x.ndim == 4:
        return x[0].permute(2, 0, 1)
    return laid_out(x, source)[0]


def read(
    given: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp], edge: str
) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows and columns of (n, h, w) maps, some perhaps outside.

    Returns:
        (n, kh, kw) values, and what of (kh, kw) is padding, filled by `edge`.
    """
    down, across = (_inside(at, size, edge) for at, size in
                    ((rows, given.shape[1]), (columns, given.shape[2])))  # fmt: skip
    outside = [(at < 0) | (at >= size) for at, size in
               ((rows, given.shape[1]), (columns, given.shape[2]))]  # fmt: skip
    padded = outside[0][:, None] | outside[1]
    values = given[:, down][:, :, across].astype(np.float64)
    if edge == "zeros":
        values[:, padded] = 0.0
    return values, padded


def _inside(at: NDArray[np.intp], size: int, edge: str) -> NDArray[np.intp]:
    if edge == "reflect":
        at = np.abs(at)
        return np.where(at >= size, 2 * (size - 1) - at, at)
    return at % size if edge == "circular" else at.clip(0, size - 1)


def _of_pair(value: Any, dim: int) -> Any:
    return value[dim] if isinstance(value, (tuple, list)) else value


def _bias(layer: Any, channel: int) -> float:
    return 0.0 if layer.bias is None else float(layer.bias[channel])


def _array(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return found
