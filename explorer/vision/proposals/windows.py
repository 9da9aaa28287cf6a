"""What several methods do with boxes: grids of windows, sums over them, and fewer of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Int64 = NDArray[np.int64]

SHAPES = (1.0, 0.5, 2.0)
"""Width over height of the windows of the grid."""

SHRINK = 2**0.5
SMALLEST = 1 / 8
"""The sides of the grid's windows, as a share of the photo's, fall from 1 to this by SHRINK."""


def grid(height: int, width: int, most: int, smallest: float = SMALLEST) -> Float32:
    """(N, 4) float32, N about `most`: windows on a regular grid at several sizes, large ones first.

    The step is the same share of the window's sides at all sizes, chosen such that there are as
    many windows as asked for.
    """
    sizes = SHRINK ** -np.arange(round(np.log(1 / smallest) / np.log(SHRINK)) + 1.0)
    shapes = []
    for size in sizes:
        for shape in SHAPES:
            wide = size * width * min(1.0, shape)
            tall = size * height * min(1.0, 1 / shape)
            shapes.append((wide, tall))
    low, high = 0.01, 4.0
    for _ in range(40):  # the count falls as the step grows: halve the range until it fits
        step = (low * high) ** 0.5
        total = sum(
            len(_starts(width, wide, step)) * len(_starts(height, tall, step))
            for wide, tall in shapes
        )
        low, high = (step, high) if total > most else (low, step)
    parts = []
    for wide, tall in shapes:
        y, x = np.meshgrid(
            _starts(height, tall, high), _starts(width, wide, high), indexing="ij"
        )  # fmt: skip
        parts.append(np.stack([x, y, x + wide, y + tall], axis=2).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)[:most]


def _starts(whole: float, part: float, step: float) -> Float64:
    """Where windows of length `part` begin so that they cover `whole` evenly."""
    room = whole - part
    if room <= 0:
        return np.zeros(1)
    count = max(1, round(room / (step * part)) + 1)
    return np.linspace(0, room, count) if count > 1 else np.array([room / 2])


def once(parts: list[Float32]) -> Float32:
    """All boxes in their order, every box only where it came first."""
    boxes = np.concatenate([np.empty((0, 4), np.float32), *parts])
    _, first = np.unique(boxes, axis=0, return_index=True)
    return np.ascontiguousarray(boxes[np.sort(first)])


def apart(boxes: Float32, scores: Float32, most: int, iou: float = 0.75) -> NDArray[np.intp]:
    """Rows of the highest-scoring boxes that greedy non-maximum suppression leaves, in order."""
    import torch
    from torchvision.ops import nms

    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou)
    found: NDArray[np.intp] = kept.numpy()
    return found[:most]


def integral(values: NDArray[np.generic]) -> Float64:
    """(H + 1, W + 1) or (H + 1, W + 1, C) float64: sums over all rows above and columns left."""
    height, width, *rest = values.shape
    found = np.zeros((height + 1, width + 1, *rest), np.float64)
    np.cumsum(np.cumsum(values, axis=0, dtype=np.float64), axis=1, out=found[1:, 1:])
    return found


def box_sums(sums: Float64, boxes: Int64) -> Float64:
    """(N,) or (N, C): the sum inside of every box, by an `integral`.

    Args:
        sums: Of (H, W) or (H, W, C) values.
        boxes: (N, 4) whole x0, y0, x1, y1 within it; x1 and y1 lie outside.
    """
    x0, y0, x1, y1 = boxes.T
    found: Float64 = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return found


def cells(boxes: Float32, scale: tuple[float, float], size: tuple[int, int]) -> Int64:
    """(N, 4) int64: the cells of a map that the boxes cover, at least one each.

    Args:
        boxes: (N, 4) in a photo's pixels.
        scale: Cells of the map per pixel, across and down.
        size: Rows and columns of the map.
    """
    edges = np.rint(boxes.astype(np.float64) * np.array([*scale, *scale])).astype(np.int64)
    limits = np.array([size[1], size[0]])
    low = np.clip(edges[:, :2], 0, limits - 1)
    high = np.clip(np.maximum(edges[:, 2:], low + 1), 1, limits)
    return np.concatenate([low, high], axis=1)


def about(boxes: Float32, factor: float) -> Float32:
    """The boxes with both sides times `factor`, about their centers."""
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * (factor / 2)
    return np.concatenate([center - half, center + half], axis=1).astype(np.float32)
