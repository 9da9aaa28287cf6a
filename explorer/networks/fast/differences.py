"""How far two outputs of one network for one image are apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from explorer.networks.fast.report import Difference
from explorer.networks.hooks import tensors_in

NEAR = 4.0
"""Pixels; boxes of one class whose sides are no further apart are the same detection."""

LEAST = 1e-3
"""Of a tensor's largest value, in `relative`."""


def difference(first: Any, second: Any, *, softmax: bool = False) -> Difference:
    """The largest differences.

    Args:
        first: Of a detector `[{"boxes": (N, 4), "scores": (N,), "labels": (N,)}]`; else tensors.
        second: The same for the same image.
        softmax: Tensors are logits (N, K, …): their probabilities are compared.
    """
    if _is_detections(first) and _is_detections(second):
        return _of_detections(first[0], second[0])
    pairs = zip(tensors_in(first), tensors_in(second), strict=True)
    return Difference(max((_apart(a, b, softmax) for a, b in pairs if a.numel()), default=0.0))


def relative(first: list[Tensor], second: list[Tensor]) -> float:
    """The largest difference of two lists of tensors, as a share of a tensor's largest value.

    That counts as `LEAST` at least: what is near zero everywhere has no scale of its own.
    """
    return max(
        (
            float((a - b).abs().max()) / max(LEAST, float(a.abs().max()))
            for a, b in zip(first, second, strict=True)
            if a.numel()
        ),
        default=0.0,
    )


def _is_detections(output: Any) -> bool:
    return (
        isinstance(output, list)
        and len(output) == 1
        and isinstance(output[0], dict)
        and {"boxes", "scores", "labels"} <= output[0].keys()
    )


def _of_detections(first: dict[str, Tensor], second: dict[str, Tensor]) -> Difference:
    sides = (first["boxes"][:, None] - second["boxes"][None]).abs()
    apart = sides.max(dim=-1).values if sides.numel() else sides.sum(-1)
    apart[first["labels"][:, None] != second["labels"][None]] = torch.inf
    rows, columns = [], []
    for row in range(len(apart) if apart.numel() else 0):
        nearest = int(apart[row].argmin())
        if apart[row, nearest] <= NEAR:
            rows.append(row)
            columns.append(nearest)
            apart[:, nearest] = torch.inf
    alone = len(first["boxes"]) + len(second["boxes"]) - 2 * len(rows)
    if not rows:
        return Difference(0.0, 0.0, alone)
    scores = (first["scores"][rows] - second["scores"][columns]).abs().max()
    boxes = (first["boxes"][rows] - second["boxes"][columns]).abs().max()
    return Difference(float(scores), float(boxes), alone)


def _apart(first: Tensor, second: Tensor, softmax: bool) -> float:
    if softmax and first.ndim > 1:
        first, second = torch.softmax(first, 1), torch.softmax(second, 1)
    return float((first.float() - second.float()).abs().max())
