"""Arithmetic of boxes in numpy: overlap, clipping, and the coding of a box against a reference box.

Boxes are (N, 4) float32 as x0, y0, x1, y1 in pixels, y down, in any one frame. The formulas and
their order of operations are torchvision's, so that float32 gives what a network computes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

LARGEST_LOG = math.log(1000.0 / 16)
"""No box grows by more than this power of e in one decoding (62.5 times), as in torchvision."""

UNWEIGHTED = (1.0, 1.0, 1.0, 1.0)


def areas(xyxy: Float32) -> Float32:
    """(N,) width times height; negative sides are not checked for."""
    return (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])


def iou_matrix(first: Float32, second: Float32) -> Float32:
    """Intersection over union of every pair.

    It runs along `second`: give the long list there (5 x 200 000 takes some milliseconds).

    Args:
        first: (N, 4).
        second: (M, 4), in the same frame.

    Returns:
        (N, M) in [0, 1]; 0 where both boxes are empty (torchvision: NaN).
    """
    a = np.asarray(first, np.float32)
    x0, y0, x1, y1 = np.ascontiguousarray(np.asarray(second, np.float32).T)
    second_areas = (x1 - x0) * (y1 - y0)
    found = np.zeros((len(a), len(second_areas)), np.float32)
    for row, box, area in zip(found, a, areas(a), strict=True):
        width = np.minimum(x1, box[2]) - np.maximum(x0, box[0])
        height = np.minimum(y1, box[3]) - np.maximum(y0, box[1])
        shared = np.maximum(width, 0, out=width)
        shared *= np.maximum(height, 0, out=height)
        union = (area + second_areas) - shared
        np.divide(shared, union, out=row, where=union > 0)
    return found


def clip(xyxy: Float32, size: tuple[int, int]) -> Float32:
    """The boxes cut at the borders of an image of (height, width) `size`."""
    height, width = size
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(xyxy, np.float32(0), limits)


def centers(xyxy: Float32) -> Float32:
    """(N, 4) as center x, center y, width, height."""
    sides = xyxy[:, 2:] - xyxy[:, :2]
    return np.concatenate([xyxy[:, :2] + np.float32(0.5) * sides, sides], axis=1)


def encode(boxes: Float32, anchors: Float32, weights: Sequence[float] = UNWEIGHTED) -> Float32:
    """The four numbers that turn each anchor into its box (Ren et al. 2015, section 3.1.2).

    tx = wx (x - xa) / wa, ty = wy (y - ya) / ha, tw = ww log(w / wa), th = wh log(h / ha), with
    centers x, y.

    Args:
        boxes: (N, 4) with positive sides.
        anchors: (N, 4) with positive sides.
        weights: wx, wy, ww, wh; (10, 10, 5, 5) in torchvision's box head and SSD.

    Returns:
        (N, 4) as tx, ty, tw, th.
    """
    box, anchor = centers(boxes), centers(anchors)
    scale = np.asarray(weights, np.float32)
    shift = scale[:2] * (box[:, :2] - anchor[:, :2]) / anchor[:, 2:]
    growth = scale[2:] * np.log(box[:, 2:] / anchor[:, 2:])
    return np.concatenate([shift, growth], axis=1)


def decode(
    deltas: Float32,
    anchors: Float32,
    weights: Sequence[float] = UNWEIGHTED,
    *,
    largest_log: float = LARGEST_LOG,
) -> Float32:
    """The inverse of `encode`: (N, 4) deltas on (N, 4) anchors -> (N, 4) boxes, not clipped.

    `tw / ww` and `th / wh` are cut at `largest_log` before exp, as in torchvision.
    """
    anchor = centers(anchors)
    plain = deltas / np.asarray(weights, np.float32)
    center = plain[:, :2] * anchor[:, 2:] + anchor[:, :2]
    half = np.float32(0.5) * (
        np.exp(np.minimum(plain[:, 2:], np.float32(largest_log))) * anchor[:, 2:]
    )
    return np.concatenate([center - half, center + half], axis=1)


def recall(truth: Float32, boxes: Float32, thresholds: Sequence[float] = (0.5, 0.7)) -> list[float]:
    """The fraction of objects that some box covers with at least each IoU; NaN without any."""
    if len(truth) == 0:
        return [math.nan] * len(thresholds)
    best = iou_matrix(truth, boxes).max(axis=1, initial=0.0)
    return [float((best >= threshold).mean()) for threshold in thresholds]
