"""What an evaluation keeps of every photo: for curves, confusions and the worst photos first.

Plain arrays, one entry for a photo, an object or a detection. Detections are matched in the order
of their scores, so that what a higher threshold leaves is the beginning of the same matches: every
metric at a threshold is a count and nothing is matched again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.evaluation.metrics import (
    NOTHING,
    RIGHT,
    SHIELDED,
    WRONG,
    Found,
    claimed,
    outcomes,
    overlaps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.keypoints.skeletons import KeypointErrors
    from explorer.evaluation.metrics import Objects

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

MATCH_IOU = 0.5
"""From this IoU on a detection matches an object (Everingham et al. 2010, section 4.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxMeasures:
    """Of a detector.

    Attributes:
        photo: (D,) the number of the photo of every detection.
        label: (D,) its class.
        score: (D,) its score, in [0, 1].
        mark: (D,) int8: RIGHT, WRONG or PASSED, see `metrics.outcomes`.
        lies_on: (D,) the class of the object it takes when classes are left aside, or NOTHING, or
            SHIELDED, see `metrics.claimed`.
        object_photo: (M,) the number of the photo of every object that counts.
        object_label: (M,) its class.
        keypoints: Of people, where network and data have some.
    """

    photo: Ints
    label: Ints
    score: Floats
    mark: NDArray[np.int8]
    lies_on: Ints
    object_photo: Ints
    object_label: Ints
    keypoints: KeypointErrors | None = None

    def curve(self, label: int | None = None) -> tuple[Floats, Floats, Floats]:
        """Recall, precision and score after each detection that counts, the highest score first.

        Args:
            label: Of one class; None = all detections together.
        """
        mine = self.mark >= 0
        objects = len(self.object_label)
        if label is not None:
            mine &= self.label == label
            objects = int((self.object_label == label).sum())
        order = np.argsort(-self.score[mine], kind="stable")
        right = np.cumsum(self.mark[mine][order] == RIGHT)
        precision = right / np.arange(1, len(order) + 1)
        return right / max(objects, 1), precision, self.score[mine][order]

    def by_photo(self, min_score: float, label: int | None = None) -> dict[int, tuple[int, ...]]:
        """(true positives, false positives, false negatives) by the number of the photo."""
        kept, there = self.score >= min_score, np.ones(len(self.object_label), np.bool_)
        if label is not None:
            kept, there = kept & (self.label == label), self.object_label == label
        size = int(max(self.photo.max(initial=-1), self.object_photo.max(initial=-1))) + 1
        right, wrong, wanted = (
            np.bincount(numbers, minlength=size)
            for numbers in (
                self.photo[kept & (self.mark == RIGHT)],
                self.photo[kept & (self.mark == WRONG)],
                self.object_photo[there],
            )
        )
        rows = np.stack([right, wrong, wanted - right], axis=1)
        return {int(k): tuple(rows[k].tolist()) for k in np.flatnonzero(rows.any(axis=1))}

    def confusion(self, classes: int, min_score: float) -> Ints:
        """(C + 1, C + 1): row = the object, column = the detection; the last = background.

        The last column counts objects that nothing lies on, the last row detections that lie on no
        object, or on one that a higher-scoring detection has taken.
        """
        kept = (self.score >= min_score) & (self.lies_on != SHIELDED)
        on = np.where(self.lies_on[kept] == NOTHING, classes, self.lies_on[kept])
        counts: Ints = np.zeros((classes + 1, classes + 1), np.int64)
        np.add.at(counts, (on, self.label[kept]), 1)
        wanted = np.bincount(self.object_label, minlength=classes)
        counts[:classes, classes] = wanted - counts[:classes].sum(axis=1)
        return counts


def box_measures(
    numbers: Sequence[int], truth: Sequence[Objects], found: Sequence[Found]
) -> BoxMeasures:
    """Matches the detections of every photo with its objects, at an IoU of `MATCH_IOU`.

    Args:
        numbers: Of the photos.
        truth: Of the same photos.
        found: Of the same photos.
    """
    none = np.zeros(0, np.int64)
    parts: list[tuple[NDArray[Any], ...]] = [(none, none, np.zeros(0), none, none)]
    objects: list[tuple[Ints, Ints]] = [(none, none)]
    for number, there, its in zip(numbers, truth, found, strict=True):
        order = np.argsort(-its.scores, kind="stable")
        labels = its.labels[order]
        boxes = its.xyxy[order]
        mark = outcomes(there, Found(boxes, labels, its.scores[order]), MATCH_IOU).marks
        cover = overlaps(boxes, there.xyxy, there.crowd)
        any_class = claimed(cover, there.passed, there.crowd, MATCH_IOU)
        lies_on = any_class.copy()
        lies_on[any_class >= 0] = there.labels[any_class[any_class >= 0]]
        scores = its.scores[order].astype(np.float64)
        parts.append((np.full(len(order), number), labels, scores, mark, lies_on))
        counted = there.labels[~there.passed]
        objects.append((np.full(len(counted), number), counted))
    photo, label, score, mark, lies_on = (np.concatenate(c) for c in zip(*parts, strict=True))
    object_photo, object_label = (np.concatenate(c) for c in zip(*objects, strict=True))
    return BoxMeasures(
        photo, label, score, mark.astype(np.int8), lies_on, object_photo, object_label
    )


@dataclass(frozen=True, slots=True, eq=False)
class LabelMeasures:
    """Of a network that names photos; all are (N,), one entry for each photo.

    Attributes:
        photo: Its number.
        label: Its class.
        predicted: The class with the highest probability.
        predicted_p: That probability.
        label_p: The probability of the photo's own class.
    """

    photo: Ints
    label: Ints
    predicted: Ints
    predicted_p: Floats
    label_p: Floats

    def confusion(self, classes: int) -> Ints:
        """(C, C) photos: row = the true class, column = the predicted one."""
        pairs = self.label * classes + self.predicted
        return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True, slots=True, eq=False)
class PixelMeasures:
    """Of a network that names pixels.

    Attributes:
        confusion: (C, C) pixels: row = the true class, column = the predicted one.
        photo: (N,) the number of every photo.
        iou: (N,) the mean IoU of the classes that occur in the photo.
        accuracy: (N,) the share of its pixels that are named right.
    """

    confusion: Ints
    photo: Ints
    iou: Floats
    accuracy: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PoseMeasures:
    """Of a network that locates the keypoints of one person."""

    keypoints: KeypointErrors


Measures = BoxMeasures | LabelMeasures | PixelMeasures | PoseMeasures
