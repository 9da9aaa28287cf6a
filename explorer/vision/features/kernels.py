"""The kernels of a convolution: their norms, their order by likeness, and what one of them does.

``response(conv, x, 5)`` is channel 5 of ``conv(x)``, computed alone; ``response(conv, x, 5, 2)`` is
the part of it that comes from channel 2 of ``x``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Order = Literal["index", "L2 norm", "similarity"]
NEAR_ZERO = 0.01
"""A kernel with less than this part of the largest norm of its layer does next to nothing."""
MOST_COMPARED = 4096
"""Rows up to which the cosines of all pairs are computed."""


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """The weights of one convolution.

    Attributes:
        weights: (O, I, kh, kw) float32: output channels, input channels of one group. What is not
            finite in the layer is 0 here.
        bias: (O,) float32, zeros where the layer has none.
        groups: Output channel k belongs to group ``k // (O / groups)``.
        finite: All numbers of the layer are.
        norms: (O,) float32, L2 norms of the kernels without bias.
        slice_norms: (O, I) float32, L2 norms of their slices.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    groups: int
    finite: bool
    norms: NDArray[np.float32]
    slice_norms: NDArray[np.float32]

    @classmethod
    def of(cls, conv: nn.Conv2d) -> Kernels:
        weights, bias = _array(conv.weight), np.zeros(conv.out_channels, np.float32)
        if conv.bias is not None:
            bias = _array(conv.bias)
        finite = bool(np.isfinite(weights).all() and np.isfinite(bias).all())
        if not finite:
            weights, bias = (np.nan_to_num(a, posinf=0.0, neginf=0.0) for a in (weights, bias))
        squares = np.square(weights, dtype=np.float64).sum(axis=(2, 3))
        norms = np.sqrt(squares.sum(axis=1)).astype(np.float32)
        slice_norms = np.sqrt(squares).astype(np.float32)
        return cls(weights, bias, conv.groups, finite, norms, slice_norms)

    def first_input(self, kernel: int) -> int:
        """The layer's input channel that slice 0 of the kernel is for."""
        count, inputs = len(self.weights), int(self.weights.shape[1])
        return kernel // (count // self.groups) * inputs

    @property
    def near_zero(self) -> int:
        """How many kernels have next to no weights; see `NEAR_ZERO`."""
        return int((self.norms <= NEAR_ZERO * self.norms.max()).sum())


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy().copy()
    return array


def order_of(arrays: NDArray[np.float32], by: Order) -> NDArray[np.intp]:
    """The order of (N, ...) arrays: as they are, the largest L2 norm first, or by `similarity`.

    Raises:
        ExplorerError: When there are more than `MOST_COMPARED` to order by similarity.
    """
    rows = arrays.reshape(len(arrays), -1)
    match by:
        case "index":
            return np.arange(len(rows))
        case "L2 norm":
            return np.argsort(-np.linalg.norm(rows, axis=1), kind="stable")
        case "similarity":
            return similarity(rows)


def similarity(rows: NDArray[np.float32]) -> NDArray[np.intp]:
    """A chain through (N, D) rows where each is followed by the most similar one that is left.

    Greedy, as the nearest-neighbor tour of the traveling salesman: it begins with the row of the
    largest L2 norm, and the next is the one whose cosine to the last is largest. Rows of zeros have
    no direction and come last.

    Raises:
        ExplorerError: When there are more than `MOST_COMPARED` rows.
    """
    if len(rows) > MOST_COMPARED:
        raise ExplorerError(
            f"{len(rows):,} are too many to order by similarity.",
            f"Choose another order: {MOST_COMPARED:,} can be compared.",
        )
    norms = np.linalg.norm(rows, axis=1)
    unit = torch.from_numpy(rows / np.where(norms > 0, norms, 1)[:, None])
    cosines = (unit @ unit.T).numpy()
    cosines[:, norms == 0] = -2.0
    order = [int(norms.argmax())]
    for _ in range(len(rows) - 1):
        cosines[:, order[-1]] = -np.inf
        order.append(int(cosines[order[-1]].argmax()))
    return np.array(order)


@torch.no_grad()
def response(conv: nn.Conv2d, x: Tensor, kernel: int, channel: int | None = None) -> Tensor:
    """What one kernel gives for the layer's input.

    Args:
        conv: The layer.
        x: (N, C, H, W), its input.
        kernel: The output channel.
        channel: Only the slice for this channel of `x`, without the bias; None = all slices and
            the bias. A channel that the kernel does not read, of another group, gives zeros.

    Returns:
        (N, 1, h, w). Without `channel` that is channel `kernel` of the layer's output up to
        rounding. The responses of all slices and the bias add up to it.
    """
    if type(conv).forward is not nn.Conv2d.forward:  # a class with a padding or weights of its own
        return _of_whole_layer(conv, x, kernel, channel)
    inputs = conv.in_channels // conv.groups
    first = kernel // (conv.out_channels // conv.groups) * inputs
    weight = conv.weight[kernel : kernel + 1]
    bias = None if conv.bias is None else conv.bias[kernel : kernel + 1]
    given = x[:, first : first + inputs]
    if channel is not None:
        at, bias = channel - first, None
        if 0 <= at < inputs:
            weight, given = weight[:, at : at + 1], given[:, at : at + 1]
        else:
            weight = torch.zeros_like(weight)
    padding: Any = conv.padding
    if conv.padding_mode != "zeros":
        given = functional.pad(given, conv._reversed_padding_repeated_twice, conv.padding_mode)
        padding = 0
    return functional.conv2d(given, weight, bias, conv.stride, padding, conv.dilation)


def _of_whole_layer(conv: nn.Conv2d, x: Tensor, kernel: int, channel: int | None) -> Tensor:
    """The same by the layer's own forward, which is linear but for the bias."""
    wanted = slice(kernel, kernel + 1)
    if channel is None:
        whole: Tensor = conv(x)[:, wanted]
        return whole
    alone = torch.zeros_like(x)
    alone[:, channel] = x[:, channel]
    part: Tensor = conv(alone)[:, wanted] - conv(torch.zeros_like(x))[:, wanted]
    return part
