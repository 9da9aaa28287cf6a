"""What an evaluation keeps of every photo: for curves, confusions and the worst photos first.

Plain arrays, one entry for a photo, an object or a detection. Which object a detection overlaps
most, and how much, depends on no threshold, and detections are matched in the order of their
scores: every count at another score or IoU comes from the same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.evaluation.errors import (
    KINDS,
    MISS,
    Impact,
    impact,
    kinds_of_best,
    photo_errors,
)
from explorer.evaluation.metrics import (
    NOTHING,
    RIGHT,
    SHIELDED,
    SIZES,
    WRONG,
    Found,
    Objects,
    marks_of,
    overlaps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.keypoints.skeletons import KeypointErrors

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

MATCH_IOU = 0.5
"""From this IoU on a detection matches an object (Everingham et al. 2010, section 4.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The object that each detection overlaps most; all are (D,).

    Attributes:
        owner: Its place among the objects that count; `SHIELDED` = it is one that does not,
            `NOTHING` = there is none.
        iou: With it, in [0, 1].
        crowd: The largest fraction of the detection's own area in a crowd region.
    """

    owner: Ints
    iou: Floats
    crowd: Floats

    def taken(self, iou: float) -> Ints:
        """(D,) the object that each detection takes, as `metrics.claimed` has it for one photo.

        The detections of a photo must be in the order of their scores.
        """
        found: Ints = np.full(len(self.owner), NOTHING, np.int64)
        near = self.iou >= iou
        found[near & (self.owner == SHIELDED)] = SHIELDED
        asking = np.flatnonzero(near & (self.owner >= 0))
        wanted, first = np.unique(self.owner[asking], return_index=True)
        found[asking[first]] = wanted
        found[(self.crowd >= iou) & (found == NOTHING)] = SHIELDED
        return found


@dataclass(frozen=True, slots=True, eq=False)
class BoxMeasures:
    """Of a detector. The detections of a photo stand in the order of their scores.

    Attributes:
        photo: (D,) the number of the photo of every detection.
        label: (D,) its class.
        score: (D,) its score, in [0, 1].
        own: The object of its class that it overlaps most.
        any: The same whatever the class.
        error: (D,) int8: its error type at an IoU of `MATCH_IOU`, see `errors`.
        aim: (D,) the object that it matches, or would match without its error; -1 = none.
        object_photo: (M,) the number of the photo of every object that counts.
        object_label: (M,) its class.
        object_area: (M,) its area in square pixels of the photo.
        keypoints: Of people, where network and data have some.
    """

    photo: Ints
    label: Ints
    score: Floats
    own: Nearest
    any: Nearest
    error: NDArray[np.int8]
    aim: Ints
    object_photo: Ints
    object_label: Ints
    object_area: Floats
    keypoints: KeypointErrors | None = None

    def marks(self, iou: float = MATCH_IOU) -> NDArray[np.int8]:
        """(D,) RIGHT, WRONG or PASSED, see `metrics.outcomes`."""
        return marks_of(self.own.taken(iou))

    def curve(
        self, label: int | None = None, iou: float = MATCH_IOU
    ) -> tuple[Floats, Floats, Floats]:
        """Recall, precision and score after each detection that counts, the highest score first.

        Args:
            label: Of one class; None = all detections together.
            iou: From which a detection matches.
        """
        mark = self.marks(iou)
        mine = mark >= 0
        objects = len(self.object_label)
        if label is not None:
            mine &= self.label == label
            objects = int((self.object_label == label).sum())
        order = np.argsort(-self.score[mine], kind="stable")
        right = np.cumsum(mark[mine][order] == RIGHT)
        precision = right / np.arange(1, len(order) + 1)
        return right / max(objects, 1), precision, self.score[mine][order]

    def by_photo(
        self, min_score: float, label: int | None = None, iou: float = MATCH_IOU
    ) -> dict[int, tuple[int, ...]]:
        """(true positives, false positives, false negatives) by the number of the photo."""
        kept, there = self.score >= min_score, np.ones(len(self.object_label), np.bool_)
        if label is not None:
            kept, there = kept & (self.label == label), self.object_label == label
        mark = self.marks(iou)
        right, wrong, wanted = (
            np.bincount(numbers, minlength=self._photos)
            for numbers in (
                self.photo[kept & (mark == RIGHT)],
                self.photo[kept & (mark == WRONG)],
                self.object_photo[there],
            )
        )
        rows = np.stack([right, wrong, wanted - right], axis=1)
        return {int(k): tuple(rows[k].tolist()) for k in np.flatnonzero(rows.any(axis=1))}

    def errors_by_photo(self, min_score: float, label: int | None = None) -> Ints:
        """(P, 6) how many errors of each of `errors.KINDS` are in each photo, by its number."""
        kept, missed = self.score >= min_score, self.missed(min_score)
        if label is not None:
            kept, missed = kept & (self.label == label), missed & (self.object_label == label)
        counts: Ints = np.zeros((self._photos, len(KINDS)), np.int64)
        wrong = kept & (self.error >= 0)
        np.add.at(counts, (self.photo[wrong], self.error[wrong]), 1)
        counts[:, MISS] = np.bincount(self.object_photo[missed], minlength=self._photos)
        return counts

    def missed(self, min_score: float) -> NDArray[np.bool_]:
        """(M,) which objects no detection matches, nor would match without its error."""
        missed = np.ones(len(self.object_label), np.bool_)
        aim = self.aim[self.score >= min_score]
        missed[aim[aim >= 0]] = False
        return missed

    def found_by_size(
        self, min_score: float, label: int | None = None, iou: float = MATCH_IOU
    ) -> dict[str, tuple[int, int]]:
        """(objects, those that are matched) by the names of `SIZES`."""
        taken = self.own.taken(iou)[self.score >= min_score]
        met = np.zeros(len(self.object_label), np.bool_)
        met[taken[taken >= 0]] = True
        mine = np.ones(len(met), np.bool_) if label is None else self.object_label == label
        found = {}
        for name, (low, high) in SIZES.items():
            there = mine & (self.object_area >= low) & (self.object_area < high)
            found[name] = (int(there.sum()), int((there & met).sum()))
        return found

    def confusion(self, classes: int, min_score: float, iou: float = MATCH_IOU) -> Ints:
        """(C + 1, C + 1): row = the object, column = the detection; the last = background.

        Detections are matched whatever their class. The last column counts objects that nothing
        lies on, the last row detections that lie on no object, or on one that a higher-scoring
        detection has taken.
        """
        taken = self.any.taken(iou)
        kept = (self.score >= min_score) & (taken != SHIELDED)
        taken, label = taken[kept], self.label[kept]
        on: Ints = np.full(len(taken), classes, np.int64)
        on[taken >= 0] = self.object_label[taken[taken >= 0]]
        counts: Ints = np.zeros((classes + 1, classes + 1), np.int64)
        np.add.at(counts, (on, label), 1)
        wanted = np.bincount(self.object_label, minlength=classes)
        counts[:classes, classes] = wanted - counts[:classes].sum(axis=1)
        return counts

    def impact(self) -> Impact:
        """What each error type costs in average precision."""
        return impact(self.label, self.score, self.error, self.aim, self.object_label)

    def kinds_of_best(self) -> dict[str, int]:
        """What the highest-scoring detections are, see `errors.kinds_of_best`."""
        return kinds_of_best(self.label, self.score, self.error, self.object_label)

    @property
    def _photos(self) -> int:
        return int(max(self.photo.max(initial=-1), self.object_photo.max(initial=-1))) + 1


def box_measures(
    numbers: Sequence[int],
    truth: Sequence[Objects],
    found: Sequence[Found],
    annotated: NDArray[np.int64] | None = None,
) -> BoxMeasures:
    """Compares the detections of every photo with its objects.

    Args:
        numbers: Of the photos.
        truth: Of the same photos.
        found: Of the same photos.
        annotated: The classes that the data set has: of others nothing is known, and detections of
            them count nowhere. None = all.
    """
    parts = [_compared(-1, *_NO_PHOTO, 0)]
    objects: list[tuple[Ints, Ints, Floats]] = [(_NONE, _NONE, np.zeros(0))]
    first = 0
    for number, there, its in zip(numbers, truth, found, strict=True):
        kept = its if annotated is None else its.of(np.isin(its.labels, annotated))
        parts.append(_compared(number, there, kept, first))
        counted = ~there.passed
        labels = there.labels[counted]
        objects.append((np.full(len(labels), number), labels, there.areas[counted]))
        first += len(labels)
    photo, label, score, *near, error, aim = (np.concatenate(c) for c in zip(*parts, strict=True))
    object_photo, object_label, area = (np.concatenate(c) for c in zip(*objects, strict=True))
    return BoxMeasures(
        photo, label, score, Nearest(*near[:3]), Nearest(*near[3:]), error.astype(np.int8), aim,
        object_photo, object_label, area,
    )  # fmt: skip


_NONE = np.zeros(0, np.int64)
_NO_PHOTO = (
    Objects.plain(np.zeros((0, 4)), _NONE),
    Found(np.zeros((0, 4)), _NONE, np.zeros(0)),
)


def _compared(number: int, there: Objects, found: Found, first: int) -> tuple[NDArray[Any], ...]:
    """The columns of one photo's detections; `first` is the place of its first counted object."""
    its = found.of(np.argsort(-found.scores, kind="stable"))
    cover = overlaps(its.xyxy, there.xyxy, there.crowd)
    own = np.where(its.labels[:, None] == there.labels[None], cover, -1.0)
    places = np.full(len(there.labels), SHIELDED, np.int64)
    places[~there.passed] = first + np.arange(int((~there.passed).sum()))
    errors = photo_errors(cover, its.labels, there)
    aim = np.where(errors.aim >= 0, errors.aim + first, errors.aim)
    return (
        np.full(len(its.labels), number), its.labels, its.scores.astype(np.float64),
        *_nearest(own, places, there.crowd), *_nearest(cover, places, there.crowd),
        errors.kind, aim,
    )  # fmt: skip


def _nearest(
    cover: NDArray[np.float64], places: Ints, crowd: NDArray[np.bool_]
) -> tuple[Ints, Floats, Floats]:
    """See `Nearest`; `cover` is (N, M), -1 for objects that do not come into question."""
    count = len(cover)
    if not cover.shape[1]:
        return np.full(count, NOTHING), np.zeros(count), np.zeros(count)
    single = np.where(crowd, -1.0, cover)
    best = single.argmax(axis=1)
    iou = single[np.arange(count), best]
    owner = np.where(iou >= 0, places[best], NOTHING)
    in_crowd = np.where(crowd, cover, 0.0).max(axis=1).clip(min=0)
    return owner, iou.clip(min=0), in_crowd


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
