"""Scored boxes of many regions, of which any first part can be asked for its detections (numpy)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.detections import Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

MOST = 1000
"""Of a class go into the suppression, the highest-scoring ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The outputs of a lane for N regions.

    Attributes:
        boxes: (N, K, 4) float32, every region as each of K classes moves it; in the photo's pixels.
        scores: (N, K) float32, probabilities or margins.
        floor: A smaller score, or this one, is dropped.
        nms: Two boxes of a class whose IoU is larger do not both stay.
        most: At most this many boxes stay.
    """

    boxes: Float32
    scores: Float32
    floor: float
    nms: float
    most: int

    def __len__(self) -> int:
        return len(self.boxes)

    def detections(self, count: int, score: float) -> Detections:
        """The detections of the first `count` regions, highest scores first; labels from 1."""
        wanted = self.scores[:count] > max(score, self.floor)
        rows, labels = [], []
        for k in np.flatnonzero(wanted.any(axis=0)).tolist():
            here = np.flatnonzero(wanted[:, k])
            order = here[np.argsort(-self.scores[here, k], kind="stable")][:MOST]
            kept = order[suppressed(self.boxes[order, k], self.nms)]
            rows.append(kept)
            labels.append(np.full(len(kept), k))
        if not rows:
            nothing = np.zeros(0, np.int64)
            return Detections(np.zeros((0, 4), np.float32), nothing, np.zeros(0, np.float32))
        row, label = np.concatenate(rows), np.concatenate(labels)
        sure = self.scores[row, label]
        best = np.argsort(-sure, kind="stable")[: self.most]
        return Detections(self.boxes[row, label][best], label[best] + 1, sure[best])


def suppressed(boxes: Float32, threshold: float) -> NDArray[np.intp]:
    """Rows of (N, 4) boxes, highest scores first, that greedy non-maximum suppression leaves."""
    over = iou_matrix(boxes, boxes) > threshold
    left = np.ones(len(boxes), bool)
    kept: list[int] = []
    for row in range(len(boxes)):
        if left[row]:
            kept.append(row)
            left &= ~over[row]
    return np.array(kept, np.intp)


def first(found: Detections, score: float) -> Detections:
    """Those of at least a score."""
    keep: NDArray[Any] = found.scores >= score
    return Detections(found.xyxy[keep], found.labels[keep], found.scores[keep])
