"""The way back through RoI pooling: where the gradient of its outputs lands on the feature map.

Boxes and maps as in `explorer.vision.detection.roi`. Gradients of several boxes add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.detection.roi import Axis, cuts, sampled, snapped, taps

if TYPE_CHECKING:
    from explorer.vision.detection.roi import Float32


def roi_pool_gradient(feature: Float32, box: Float32, upstream: Float32) -> Float32:
    """Of RoIPool: every bin gives its gradient to the cell of its maximum, the first of several.

    Girshick 2015, Fast R-CNN, equation 4; equal to the gradient of `torchvision.ops.roi_pool`.

    Args:
        feature: (H, W) float32, one channel: it decides which cell is the largest.
        box: (4,) in cells.
        upstream: (h, w) float32, the gradient with respect to the outputs.

    Returns:
        (H, W) float32.
    """
    height, width = feature.shape
    x0, y0, x1, y1 = snapped(box)
    rows = np.clip(cuts(y1 - y0, upstream.shape[0]) + y0, 0, height)
    columns = np.clip(cuts(x1 - x0, upstream.shape[1]) + x0, 0, width)
    found = np.zeros_like(feature)
    for i, (top, bottom) in enumerate(rows.tolist()):
        for j, (left, right) in enumerate(columns.tolist()):
            if top < bottom and left < right:
                at = int(feature[top:bottom, left:right].argmax())
                row, column = divmod(at, right - left)
                found[top + row, left + column] += upstream[i, j]
    return found


def roi_align_gradient(
    shape: tuple[int, int],
    box: Float32,
    upstream: Float32,
    *,
    sampling: int = 2,
    aligned: bool = False,
) -> Float32:
    """Of RoIAlign: every bin gives it to the four cells around each of its sampling points.

    The shares are those of the interpolation, whatever the values of the map. Equal to the gradient
    of `torchvision.ops.roi_align`.

    Args:
        shape: Rows and columns of the map.
        box: (4,) in cells.
        upstream: (h, w) float32, the gradient with respect to the outputs.
        sampling: See `roi_align`.
        aligned: See `roi_align`.

    Returns:
        (H, W) float32.
    """
    rows = sampled(box[1], box[3], upstream.shape[0], sampling, aligned=aligned)
    columns = sampled(box[0], box[2], upstream.shape[1], sampling, aligned=aligned)
    down, across = _shares(rows, shape[0]), _shares(columns, shape[1])
    found: Float32 = (down.T @ upstream @ across).astype(np.float32)
    return found


def _shares(axis: Axis, cells: int) -> Float32:
    """(bins, cells): what each cell contributes to each bin along one axis."""
    bins, count = axis.places.shape
    found = np.zeros((bins, cells), np.float32)
    if count == 0:
        return found
    where = taps(axis.places.ravel(), cells)
    rows = np.repeat(np.arange(bins), count)
    weight = where.inside / np.float32(count)
    np.add.at(found, (rows, where.low), (1 - where.share) * weight)
    np.add.at(found, (rows, where.high), where.share * weight)
    return found
