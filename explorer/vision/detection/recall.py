"""How good proposals are: recall, average recall, and repeatability (Hosang et al. 2016).

"What makes for effective detection proposals?", PAMI 2016 (first 2014; sections 3 and 4). All of it
follows from one matrix, the overlap of every object with every proposal, best proposal first. One
proposal may cover several objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.detection.boxes import areas, iou_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]

SIZE_BINS = 10


def covered(truth: Float32, boxes: Float32) -> Float32:
    """(G, N + 1) float32: the highest IoU of each object with the first n boxes, n = 0 … N.

    `truth` is (G, 4) and `boxes` (N, 4), xyxy in one frame, the best box first.
    """
    found = np.zeros((len(truth), len(boxes) + 1), np.float32)
    np.maximum.accumulate(iou_matrix(truth, boxes), axis=1, out=found[:, 1:])
    return found


def first_ranks(found: Float32, threshold: float) -> NDArray[np.int64]:
    """(G,) int64: how many boxes of `covered` it takes to find each object; 0 = all miss it."""
    ranks: NDArray[np.int64] = (found >= np.float32(threshold)).argmax(axis=1)
    return ranks


def recall_by_count(found: Float32, threshold: float) -> Float64:
    """(N + 1,): the share of the objects that the first n boxes of `covered` find."""
    return _share(found >= np.float32(threshold))


def recall_by_iou(best: Float32, thresholds: Float64) -> Float64:
    """(T,): the share of the objects whose best IoU `best` (G,) is at least each threshold."""
    return _share(best[:, None] >= thresholds.astype(np.float32))


def _share(hits: NDArray[np.bool_]) -> Float64:
    """Of the rows, in each column; NaN without rows."""
    if len(hits) == 0:
        return np.full(hits.shape[1], np.nan)
    share: Float64 = hits.mean(axis=0, dtype=np.float64)
    return share


def average_recall(best: Float32) -> float:
    """Twice the area under recall against IoU from 0.5 to 1, in [0, 1]; NaN without objects.

    By Hosang et al., equation 1: 2 / G times the sum of max(IoU - 0.5, 0), with the best IoU of
    each object. It is exact; COCO's AR is the mean at ten thresholds 0.5, 0.55 … 0.95 instead, and
    never lower by more than 0.05 nor higher by more than 0.05.
    """
    if len(best) == 0:
        return float("nan")
    return float(2 * np.maximum(best.astype(np.float64) - 0.5, 0).mean())


def size_bins(boxes: Float32) -> NDArray[np.int64]:
    """(N,) int64: 0 … SIZE_BINS - 1, by equal steps of log area from the smallest box on."""
    logs = np.log(np.maximum(areas(boxes).astype(np.float64), 1e-6))
    span = float(np.ptp(logs)) if len(logs) else 0.0
    if span == 0:
        return np.zeros(len(boxes), np.int64)
    steps: NDArray[np.int64] = ((logs - logs.min()) / span * SIZE_BINS).astype(np.int64)
    steps[steps == SIZE_BINS] = SIZE_BINS - 1  # the largest box itself
    return steps


def repeated(first: Float32, again: Float32) -> Float32:
    """(N,) float32: how well each of `first` (N, 4) was proposed again, its IoU with the nearest.

    `again` (M, 4) are the proposals on the changed photo, in the frame of `first`.
    """
    # The matrix runs along its second argument, the long list.
    best = np.zeros(len(first), np.float32)
    for start in range(0, len(first), 256):
        part = slice(start, start + 256)
        best[part] = iou_matrix(first[part], again).max(axis=1, initial=0.0)
    return best


def repeatability(first: Float32, best: Float32) -> float:
    """In [0, 1]; NaN without boxes: the area under recall against IoU from 0 to 1 (section 3).

    That area is the mean IoU itself. It is taken in every bin of size and averaged over the bins,
    since large boxes overlap more after the same change.

    Args:
        first: (N, 4), the proposals on the photo as it is.
        best: (N,) from `repeated`.
    """
    if len(first) == 0:
        return float("nan")
    bins = size_bins(first)
    counts = np.bincount(bins, minlength=SIZE_BINS)
    sums = np.bincount(bins, weights=best.astype(np.float64), minlength=SIZE_BINS)
    some = counts > 0
    return float((sums[some] / counts[some]).mean())
