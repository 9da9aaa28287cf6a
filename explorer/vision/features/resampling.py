"""How a map gets finer again: the arithmetic of decoders, written out.

All functions take and give maps (N, C, h, w), y down, of any floating-point type, on their device.
Each equals the operation of `torch.nn.functional` that it names; they are written by what they do
to a cell, so that a picture of the same steps is a picture of the network's own arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def nearest(maps: Tensor, factor: int) -> Tensor:
    """Every value fills a block: (N, C, h, w) -> (N, C, h * factor, w * factor).

    Equals `interpolate(scale_factor=factor, mode="nearest")`.
    """
    return maps.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def bed_of_nails(maps: Tensor, factor: int) -> Tensor:
    """Every value stands in the upper left cell of its block, the rest is 0.

    Equals `conv_transpose2d` with a kernel of one 1 among zeros and a stride of `factor`.
    """
    height, width = maps.shape[-2:]
    found = maps.new_zeros((*maps.shape[:-2], height * factor, width * factor))
    found[..., ::factor, ::factor] = maps
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """A max-pooled map with its switches (Zeiler and Fergus 2014, section 2.1).

    Attributes:
        values: (N, C, h, w), the largest value of every block.
        switches: (N, C, h, w) int64, where in the (H, W) map it was: ``row * W + column``.
        size: That map's (H, W).
    """

    values: Tensor
    switches: Tensor
    size: tuple[int, int]


def max_pool(maps: Tensor, factor: int) -> Pooled:
    """Blocks of `factor` x `factor`; rows and columns that fill no block are cut off.

    Of equal values the first one, row by row, is the largest. Equals `max_pool2d`.
    """
    height, width = maps.shape[-2:]
    rows, columns = height // factor, width // factor
    blocks = maps[..., : rows * factor, : columns * factor]
    blocks = blocks.reshape(*maps.shape[:2], rows, factor, columns, factor)
    values, inside = blocks.transpose(-3, -2).flatten(-2).max(dim=-1)
    down = torch.arange(rows, device=maps.device)[:, None] * factor + inside // factor
    across = torch.arange(columns, device=maps.device) * factor + inside % factor
    return Pooled(values, down * width + across, (height, width))


def max_unpool(values: Tensor, switches: Tensor, size: tuple[int, int]) -> Tensor:
    """Every value goes to where its switch says, the rest is 0: (N, C, h, w) -> (N, C, *size).

    Equals `max_unpool2d` (Zeiler and Fergus 2014; Badrinarayanan et al. 2017, "SegNet").
    """
    height, width = size
    found = values.new_zeros((*values.shape[:2], height * width))
    found.scatter_(-1, switches.flatten(-2), values.flatten(-2))
    return found.reshape(*values.shape[:2], height, width)


def bilinear_kernel(factor: int) -> Tensor:
    """The (k, k) kernel with which a transposed convolution interpolates bilinearly.

    ``k = 2 * factor - factor % 2``; its stride is `factor`, its padding ``(k - factor) // 2``. In a
    direction its weights fall from the middle like a tent (Long et al. 2015, section 3.3).
    """
    size = 2 * factor - factor % 2
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = (1 - places.abs() / factor).float()
    return torch.outer(line, line)


def bilinear(maps: Tensor, factor: int) -> Tensor:
    """Between the centers of the cells, values change linearly; beyond the outermost they stay.

    Equals `interpolate(mode="bilinear", align_corners=False)` up to rounding. Computed as a
    transposed convolution of the map with its edge repeated, each channel for itself.
    """
    channels = maps.shape[1]
    kernel = bilinear_kernel(factor).to(maps)
    wide = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    weights = kernel.expand(channels, 1, -1, -1)
    padding = (kernel.shape[0] - factor) // 2
    found = functional.conv_transpose2d(wide, weights, None, factor, padding, groups=channels)
    return found[..., factor:-factor, factor:-factor]


def stamped(maps: Tensor, weight: Tensor, stride: int, padding: int = 0) -> Tensor:
    """A transposed convolution as overlapping stamps (Dumoulin and Visin 2016, chapter 4).

    Every cell puts the kernel, times its value, on the larger map; cells that are neighbors put
    theirs `stride` apart, and where stamps overlap they are added. Equals `conv_transpose2d` up to
    rounding.

    Args:
        maps: (N, C, h, w).
        weight: (C, O, kh, kw): the kernels from input channel to output channel.
        stride: Cells of the larger map between neighboring stamps.
        padding: Rows and columns that are cut off at each side in the end.

    Returns:
        (N, O, H, W) with ``H = (h - 1) * stride + kh - 2 * padding``.
    """
    count, _, height, width = maps.shape
    high, wide = weight.shape[-2:]
    found = maps.new_zeros(
        (count, weight.shape[1], (height - 1) * stride + high, (width - 1) * stride + wide)
    )
    for row in range(height):
        for column in range(width):
            stamp = torch.einsum("nc,cokl->nokl", maps[..., row, column], weight)
            top, left = row * stride, column * stride
            found[..., top : top + high, left : left + wide] += stamp
    return found[..., padding : found.shape[-2] - padding, padding : found.shape[-1] - padding]


def overlaps(size: tuple[int, int], kernel: int, stride: int, padding: int = 0) -> Tensor:
    """How many stamps of a transposed convolution lie on every cell: (H, W) int64.

    Where the kernel's side is no multiple of the stride the counts change from cell to cell: the
    checkerboard of Odena et al. 2016, "Deconvolution and Checkerboard Artifacts".

    Args:
        size: (h, w) of the smaller map.
        kernel: Side of the kernel.
        stride: As in `stamped`.
        padding: As in `stamped`.
    """
    ones = torch.ones((1, 1, *size), dtype=torch.float64)
    weight = torch.ones((1, 1, kernel, kernel), dtype=torch.float64)
    return stamped(ones, weight, stride, padding)[0, 0].round().long()


def spread(enlarge: Callable[[Tensor], Tensor], size: tuple[int, int]) -> Tensor:
    """The matrix of a linear enlargement: what each cell puts on the larger map.

    Args:
        enlarge: (N, 1, h, w) -> (N, 1, H, W), linear.
        size: (h, w).

    Returns:
        (h * w, H, W) float32: row ``i * w + j`` is what a 1 in cell (i, j) among zeros becomes. The
        larger map is the sum of all of them, each times the value of its cell.
    """
    height, width = size
    one_each = torch.eye(height * width).view(-1, 1, height, width)
    return enlarge(one_each)[:, 0]
