"""Gradient clipping: two ways to keep a step from becoming too large.

By value every derivative is cut at a limit, which changes the direction of the step; by norm all of
them are scaled by one factor, which does not (Pascanu, Mikolov and Bengio 2013, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Clipped:
    """What clipping made of the gradient.

    Attributes:
        norm: L2 norm over all weights, after clipping.
        cosine: Of the angle between the gradient before and after; 1 = the same direction.
        changed: The fraction of derivatives that it changed.
        layers: The norm of each tensor after clipping, by name.
    """

    norm: float
    cosine: float
    changed: float
    layers: Mapping[str, float]


def total_norm(gradients: Mapping[str, Tensor]) -> float:
    """The L2 norm over all tensors."""
    return sqrt(sum(float(each.double().pow(2).sum()) for each in gradients.values()))


def by_value(gradients: Mapping[str, Tensor], limit: float) -> Clipped:
    """Every derivative between -`limit` and `limit`."""
    return _compared(gradients, {k: g.clamp(-limit, limit) for k, g in gradients.items()})


def by_norm(gradients: Mapping[str, Tensor], limit: float) -> Clipped:
    """All derivatives times one factor, so that their norm is `limit` at most."""
    norm = total_norm(gradients)
    factor = min(1.0, limit / norm) if norm > 0 else 1.0
    return _compared(gradients, {k: g * factor for k, g in gradients.items()})


def _compared(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Clipped:
    whole, norm = total_norm(before), total_norm(after)
    product = sum(float((before[k].double() * after[k].double()).sum()) for k in before)
    count = sum(each.numel() for each in before.values())
    changed = sum(int(torch.ne(before[k], after[k]).sum()) for k in before)
    return Clipped(
        norm,
        product / (whole * norm) if whole * norm > 0 else 1.0,
        changed / max(count, 1),
        {k: float(each.norm()) for k, each in after.items()},
    )
