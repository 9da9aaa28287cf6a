"""Weights stored in 8 bits: half the bytes of float16, for networks that ship.

A tensor `NAME` is kept as int8 with `NAME.scale`, a float32 for each of its output channels (the
first axis): value = int8 * scale. Rounding is symmetric and per channel, as in Krishnamoorthi 2018,
"Quantizing deep convolutional networks for efficient inference" (section 3.1), but only in the
file: the network computes in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

SCALE = ".scale"
LARGEST = 127
WORTH_IT = 4096
"""Numbers in a tensor; smaller ones stay as they are."""


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Large kernels and matrices in 8 bits with their scales, everything else as it is.

    Args:
        weights: By name, of any floating dtype.
    """
    found = {}
    for name, value in weights.items():
        if not value.is_floating_point() or value.ndim < 2 or value.numel() < WORTH_IT:
            found[name] = value
            continue
        rows = value.float().flatten(1)
        scale = rows.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / LARGEST
        eight = (rows / scale[:, None]).round().to(torch.int8)
        found[name] = eight.reshape(value.shape)
        found[name + SCALE] = scale
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` made, in float32; every other tensor as it is."""
    found = dict(tensors)
    for name, eight in tensors.items():
        scale = tensors.get(name + SCALE)
        if eight.dtype == torch.int8 and scale is not None and scale.shape == eight.shape[:1]:
            del found[name + SCALE]
            found[name] = eight.float() * scale.view(-1, *[1] * (eight.ndim - 1))
    return found
