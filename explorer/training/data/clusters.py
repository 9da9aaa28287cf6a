"""k-means over boxes: anchors that suit the data, and proposals that need no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One iteration: `centers` (K, 2), and the center (N,) int64 that each box belongs to."""

    centers: Float32
    members: NDArray[np.int64]


def anchor_rounds(sides: Float32, count: int, *, seed: int = 0, most: int = 100) -> Iterator[Round]:
    """k-means over widths and heights, iteration by iteration.

    The distance is 1 - IoU of boxes with a common center, so that large boxes do not count for
    more than small ones (Redmon & Farhadi 2017, "YOLO9000", section 2, "Dimension Clusters"); a
    center is the mean of its members. A mean need not have the smallest distance: it ends when the
    mean IoU rises no more.

    Args:
        sides: (N, 2) widths and heights > 0, in any unit.
        count: At most as many as there are different rows.
        seed: Of the first centers: distinct rows drawn with chances as in k-means++.
        most: Iterations at most.

    Yields:
        The first centers, then those of every iteration.
    """
    rng = np.random.default_rng(seed)
    chosen = [int(rng.integers(len(sides)))]
    nearest = 1 - side_iou(sides, sides[chosen])[:, 0].astype(np.float64)
    for _ in range(1, count):
        chances = nearest.clip(0) ** 2
        chosen.append(int(rng.choice(len(sides), p=chances / chances.sum())))
        nearest = np.minimum(nearest, 1 - side_iou(sides, sides[chosen[-1:]])[:, 0])
    centers: Float32 = sides[chosen].astype(np.float32)
    best = -1.0
    for _ in range(most + 1):
        overlaps = side_iou(sides, centers)
        mean = float(overlaps.max(axis=1).mean())
        if mean <= best:
            return
        best = mean
        members = overlaps.argmax(axis=1)
        yield Round(centers, members)
        moved = centers.copy()
        for k in range(count):
            if (members == k).any():
                moved[k] = sides[members == k].mean(axis=0)
        centers = moved


def anchors(sides: Float32, count: int, *, seed: int = 0, most: int = 100) -> Float32:
    """(count, 2) float32: the last centers of `anchor_rounds`, the smallest area first."""
    *_, last = anchor_rounds(sides, count, seed=seed, most=most)
    ordered: Float32 = last.centers[np.argsort(last.centers.prod(axis=1), kind="stable")]
    return ordered


def side_iou(sides: Float32, others: Float32) -> Float32:
    """(N, 2) and (M, 2) widths and heights -> (N, M) IoU of boxes with a common center."""
    shared = np.minimum(sides[:, None], others[None]).prod(axis=2)
    union = sides.prod(axis=1)[:, None] + others.prod(axis=1)[None] - shared
    iou: Float32 = (shared / union).astype(np.float32)
    return iou


def mean_iou(sides: Float32, found: Float32) -> float:
    """How well `found` covers `sides`: the mean over these of the best IoU (YOLO9000, table 1)."""
    return float(side_iou(sides, found).max(axis=1).mean())


def proposals(boxes: Float32, count: int, *, seed: int = 0) -> Float32:
    """The centers of a k-means over whole boxes, the largest cluster first.

    Boxes independent of the picture (Lenc & Vedaldi 2015, "R-CNN minus R", section 3.2); they
    cluster center and size, as here.

    Args:
        boxes: (N, 4) x0, y0, x1, y1 as fractions of the picture.
        count: Of clusters; fewer come back where clusters stay empty.
        seed: Of the first centers and the batches.

    Returns:
        (M, 4) float32 in [0, 1] with positive sides, M <= count.
    """
    from sklearn.cluster import MiniBatchKMeans

    sides = boxes[:, 2:] - boxes[:, :2]
    rows = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, sides], axis=1).astype(np.float32)
    means = MiniBatchKMeans(count, random_state=seed, batch_size=4096, n_init=1, max_iter=20).fit(
        rows
    )
    size = np.bincount(means.labels_, minlength=count)
    order = np.argsort(-size, kind="stable")[: int((size > 0).sum())]
    center, extent = np.split(means.cluster_centers_[order], 2, axis=1)
    found: Float32 = np.concatenate([center - extent / 2, center + extent / 2], axis=1)
    return found.clip(0, 1).astype(np.float32)
