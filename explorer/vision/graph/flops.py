"""Floating-point operations of single operations, from the shapes of their tensors.

A multiplication and an addition are two. As usual only products are counted: convolutions, matrix
products and attention; the rest is small beside them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

aten = torch.ops.aten


def flops(packet: Any, args: Sequence[Any], out: Any) -> int:
    """Of one call of an operation of PyTorch.

    Args:
        packet: The operation without its overload, such as ``torch.ops.aten.mm``.
        args: Its positional arguments.
        out: What it gave.
    """
    count = _COUNTED.get(packet)
    return 0 if count is None else count(args, out)


def _size(sides: Iterable[int]) -> int:
    return prod(int(side) for side in sides)


def _convolution(args: Sequence[Any], out: Any) -> int:
    given, weight, transposed = args[0], args[1], bool(args[6])
    # Every cell of the output (of a transposed one: of the input) is one product with the weights.
    cells = given if transposed else out
    return 2 * int(cells.shape[0]) * _size(cells.shape[2:]) * _size(weight.shape)


def _matrices(first: int) -> Callable[[Sequence[Any], Any], int]:
    """Of a product whose left matrix is argument `first`."""

    def count(args: Sequence[Any], out: Any) -> int:
        return 2 * _size(out.shape) * int(args[first].shape[-1])

    return count


def _attention(args: Sequence[Any], _out: Any) -> int:
    query, key, value = args[0], args[1], args[2]
    pairs = _size(query.shape[:-1]) * int(key.shape[-2])
    return 2 * pairs * (int(query.shape[-1]) + int(value.shape[-1]))


_COUNTED: dict[Any, Callable[[Sequence[Any], Any], int]] = {
    aten.convolution: _convolution,
    aten.mm: _matrices(0),
    aten.bmm: _matrices(0),
    aten.addmm: _matrices(1),
    aten.baddbmm: _matrices(1),
    aten._scaled_dot_product_flash_attention: _attention,
    aten._scaled_dot_product_efficient_attention: _attention,
    aten._scaled_dot_product_cudnn_attention: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
}
