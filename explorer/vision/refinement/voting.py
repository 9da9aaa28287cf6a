"""One set of detections from the boxes of several passes: union, suppression, box voting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torchvision.ops import batched_nms

from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.detections import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence


def joined(parts: Sequence[Detections]) -> Detections:
    """All boxes, the highest score first; masks and keypoints are dropped."""
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(part.xyxy for part in parts)])
    labels = np.concatenate([np.zeros(0, np.int64), *(part.labels for part in parts)])
    scores = np.concatenate([np.zeros(0, np.float32), *(part.scores for part in parts)])
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], labels[order], scores[order])


def suppressed(union: Detections, threshold: float, most: int) -> Detections:
    """What non-maximum suppression keeps, class by class.

    Args:
        union: Of any number of passes.
        threshold: Of two boxes of a class with a larger IoU the lower-scoring one goes.
        most: The largest number of detections.
    """
    boxes, scores, labels = (
        torch.from_numpy(array) for array in (union.xyxy, union.scores, union.labels)
    )
    rows = batched_nms(boxes, scores, labels, threshold)[:most].numpy()
    return Detections(union.xyxy[rows], union.labels[rows], union.scores[rows])


def voted(kept: Detections, union: Detections, threshold: float) -> Detections:
    """Every box replaced by the mean of the boxes around it, weighted by their scores.

    Gidaris and Komodakis 2015, section 3 ("box voting"): the mean is over the boxes of its class
    with at least this IoU with it, suppressed ones included. Scores and classes stay.

    Args:
        kept: What the suppression of `union` left.
        union: All boxes before it.
        threshold: The IoU.
    """
    moved = kept.xyxy.astype(np.float64)
    for label in np.unique(kept.labels):
        mine, voters = kept.labels == label, union.labels == label
        near = iou_matrix(kept.xyxy[mine], union.xyxy[voters]) >= threshold
        weights = near * union.scores[voters].astype(np.float64).clip(min=0)
        total = weights.sum(axis=1, keepdims=True)
        means = weights @ union.xyxy[voters] / np.where(total > 0, total, 1)
        moved[mine] = np.where(total > 0, means, moved[mine])
    return Detections(moved.astype(np.float32), kept.labels, kept.scores)
