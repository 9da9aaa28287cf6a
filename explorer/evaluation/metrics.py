"""The metrics that are computed here: top-k, VOC's average precision, mean IoU; `coco` has COCO's.

Boxes are x0, y0, x1, y1 in pixels of the photo, pixel edges, y down. Classes are indices into the
network's own classes. All metrics lie in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's areas of objects in square pixels of the photo: from, and below (Lin et al. 2014)."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects in one photo that should be found.

    Attributes:
        xyxy: (N, 4) float64.
        labels: (N,) int64.
        crowd: (N,) bool: a region with many objects. A detection with enough of its own area in
            it is ignored, and any number of them may lie there.
        difficult: (N,) bool: whether it is found does not count.
        area: (N,) float64 in square pixels, of the outline where the data set has it (COCO sorts
            objects by size so); None = that of the box.
    """

    xyxy: NDArray[np.float64]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    area: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.xyxy.shape != (n, 4):
            raise ValueError(f"Objects.xyxy must be ({n}, 4), got {self.xyxy.shape}")
        for name, flags in (("crowd", self.crowd), ("difficult", self.difficult)):
            if flags.shape != (n,):
                raise ValueError(f"Objects.{name} must be ({n},), got {flags.shape}")
        if self.area is not None and self.area.shape != (n,):
            raise ValueError(f"Objects.area must be ({n},), got {self.area.shape}")

    @property
    def areas(self) -> NDArray[np.float64]:
        """(N,) `area`, or that of the boxes."""
        if self.area is not None:
            return self.area
        sides: NDArray[np.float64] = (self.xyxy[:, 2:] - self.xyxy[:, :2]).prod(axis=1)
        return sides

    @property
    def passed(self) -> NDArray[np.bool_]:
        """(N,) bool: neither found nor missed."""
        return self.difficult | self.crowd

    @classmethod
    def plain(cls, xyxy: NDArray[Any], labels: NDArray[Any]) -> Objects:
        """Objects that all count."""
        none = np.zeros(len(labels), np.bool_)
        boxes = np.asarray(xyxy, np.float64).reshape(-1, 4)
        return cls(boxes, np.asarray(labels, np.int64), none, none)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a detector found in one photo: (N, 4) `xyxy`, (N,) `labels`, (N,) `scores`."""

    xyxy: NDArray[np.floating[Any]]
    labels: NDArray[np.int64]
    scores: NDArray[np.floating[Any]]

    def of(self, rows: NDArray[Any]) -> Found:
        """Those of `rows`, indices or flags."""
        return Found(self.xyxy[rows], self.labels[rows], self.scores[rows])


# -- boxes


def overlaps(
    boxes: NDArray[Any], truth: NDArray[np.float64], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(N, M) intersection over union; over the area of the box alone for a crowd."""
    first, second = np.asarray(boxes, np.float64)[:, None], np.asarray(truth, np.float64)[None]
    low, high = np.maximum(first, second)[..., :2], np.minimum(first, second)[..., 2:]
    shared = (high - low).clip(min=0).prod(-1)
    own, other = ((b[..., 2:] - b[..., :2]).prod(-1) for b in (first, second))
    union = np.where(crowd[None], own, own + other - shared)
    found: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=found, where=union > 0)
    return found


@dataclass(frozen=True, slots=True)
class VocAP:
    """Of one class: the area under the curve, its eleven-point mean, and the objects that count."""

    every_point: float
    eleven_point: float
    objects: int


def voc_ap(truth: Sequence[Objects], found: Sequence[Found], iou: float = 0.5) -> dict[int, VocAP]:
    """Average precision by the rules of Pascal VOC (Everingham et al. 2010, section 4.2).

    A detection, taken in the order of the scores, is a true positive when its IoU with the object
    of its class that it overlaps most is at least `iou` and no earlier detection has matched that
    object. Difficult objects (and crowds) are no false negatives, and detections on them are
    ignored. Since 2010 the metric is the whole area under the precision made monotone; before, it
    was the mean of that at recalls 0, 0.1 … 1.

    Args:
        truth: One for every photo.
        found: The same photos.
        iou: Least overlap.

    Returns:
        By label, for every class with an object that counts.
    """
    labels = np.concatenate([np.zeros(0, np.int64), *(t.labels[~t.passed] for t in truth)])
    return {int(label): _voc_class(int(label), truth, found, iou) for label in np.unique(labels)}


def _voc_class(label: int, truth: Sequence[Objects], found: Sequence[Found], iou: float) -> VocAP:
    scores: list[NDArray[np.float64]] = [np.zeros(0)]
    marks: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    wanted = 0
    for objects, boxes in zip(truth, found, strict=True):
        mine, its = objects.labels == label, boxes.labels == label
        passed = objects.passed[mine]
        wanted += int((~passed).sum())
        order = np.argsort(-boxes.scores[its], kind="stable")
        cover = overlaps(boxes.xyxy[its][order], objects.xyxy[mine], objects.crowd[mine])
        scores.append(boxes.scores[its][order].astype(np.float64))
        marks.append(marks_of(claimed(cover, passed, objects.crowd[mine], iou)))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    mark = np.concatenate(marks)[order]
    mark = mark[mark != PASSED]
    right = np.cumsum(mark == RIGHT)
    recall, precision = right / wanted, right / np.arange(1, len(mark) + 1)
    return VocAP(area_under(recall, precision), eleven_points(recall, precision), wanted)


RIGHT, WRONG, PASSED = 1, 0, -1
"""What becomes of a detection: true positive, false positive, or ignored."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What becomes of the detections and the objects of one photo.

    Attributes:
        marks: (N,) int8: RIGHT, WRONG or PASSED for each detection, in the order given.
        owners: (N,) int64: the object of its class that it has found, else the one that it
            overlaps most; -1 = there is none.
        ious: (N,) float64: by how much, as `overlaps` has it.
        missed: (M,) bool: objects that count and that no detection has found.
    """

    marks: NDArray[np.int8]
    owners: NDArray[np.int64]
    ious: NDArray[np.float64]
    missed: NDArray[np.bool_]


def outcomes(truth: Objects, found: Found, iou: float = 0.5) -> Outcomes:
    """True positives, false positives and false negatives of one photo, by the rule of `voc_ap`."""
    marks = np.zeros(len(found.labels), np.int8)
    owners = np.full(len(found.labels), -1, np.int64)
    ious = np.zeros(len(found.labels))
    missed = ~truth.passed
    for label in np.unique(found.labels):
        mine = np.flatnonzero(truth.labels == label)
        if not len(mine):
            continue
        rows = np.flatnonzero(found.labels == label)
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        cover = overlaps(found.xyxy[rows], truth.xyxy[mine], truth.crowd[mine])
        taken = claimed(cover, truth.passed[mine], truth.crowd[mine], iou)
        marks[rows] = marks_of(taken)
        best = np.where(taken >= 0, taken, cover.argmax(axis=1))
        owners[rows], ious[rows] = mine[best], cover[np.arange(len(rows)), best]
    missed[owners[marks == RIGHT]] = False
    return Outcomes(marks, owners, ious, missed)


def marks_of(taken: NDArray[np.int64]) -> NDArray[np.int8]:
    """(N,) int8: RIGHT, WRONG or PASSED for detections, from what `claimed` gives for them."""
    return np.where(taken >= 0, RIGHT, np.where(taken == SHIELDED, PASSED, WRONG)).astype(np.int8)


NOTHING, SHIELDED = -1, -2
"""What a detection takes that takes no object: nothing, or something that does not count."""


def claimed(
    cover: NDArray[np.float64], passed: NDArray[np.bool_], crowd: NDArray[np.bool_], iou: float
) -> NDArray[np.int64]:
    """(N,) the object that each detection of a photo takes, or `NOTHING`, or `SHIELDED`.

    A detection asks for the object that it overlaps most, when by at least `iou`; the first one to
    ask gets it. A crowd shields what has taken nothing else (Lin et al. 2014): single objects may
    lie in it.

    Args:
        cover: (N, M) as `overlaps` has them, the highest-scoring detection first.
        passed: (M,) objects that count neither as found nor as missed.
        crowd: (M,) which of these are crowds.
        iou: Least overlap.
    """
    found = np.full(len(cover), NOTHING, np.int64)
    if cover.shape[1] == 0:
        return found
    taken = np.zeros(cover.shape[1], np.bool_)
    single = np.where(crowd, -1.0, cover)
    best = single.argmax(axis=1)
    for i in np.flatnonzero(single[np.arange(len(cover)), best] >= iou):
        if passed[best[i]]:
            found[i] = SHIELDED
        elif not taken[best[i]]:
            taken[best[i]] = True
            found[i] = best[i]
    in_crowd = (cover[:, crowd] >= iou).any(axis=1)
    found[in_crowd & (found == NOTHING)] = SHIELDED
    return found


def area_under(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """The area under the precision made monotone from the right, step by step of the recall."""
    steps = np.diff(np.concatenate([[0.0], recall]))
    return float((steps * np.maximum.accumulate(precision[::-1])[::-1]).sum())


def eleven_points(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """The mean over r = 0, 0.1 … 1 of the largest precision at a recall of at least r.

    The steps are numpy's, of which 0.3, 0.6 and 0.7 are a hair above their names: a recall of
    exactly 3/10 misses its step. Published values are computed so, and these are to equal them.
    """
    points = [precision[recall >= r].max(initial=0.0) for r in np.linspace(0, 1, 11)]
    return float(np.mean(points))


# -- whole photos and pixels


def ranks(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes have a higher score than the true one: (N,), 0 = top-1 is correct.

    Among equal scores the one with the smaller index comes first.

    Args:
        logits: (N, C).
        labels: (N,) in 0..C-1.
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    before = np.arange(logits.shape[1])[None] < labels[:, None]
    found: NDArray[np.int64] = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return found


class Confusion:
    """Counts pixels by true and predicted class.

    Attributes:
        counts: (C, C) int64: row = true, column = predicted.
    """

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, truth: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> None:
        """Two arrays of one shape; pixels where either is negative are ignored."""
        if truth.shape != predicted.shape:
            raise ValueError(f"the prediction must be {truth.shape}, got {predicted.shape}")
        size = len(self.counts)
        known = (truth >= 0) & (predicted >= 0)
        pairs = truth[known].astype(np.int64) * size + predicted[known]
        self.counts += np.bincount(pairs, minlength=size * size).reshape(size, size)

    def iou(self) -> dict[int, float]:
        """Intersection over union of every class of the ground truth (Long et al. 2015)."""
        wanted, predicted = self.counts.sum(1), self.counts.sum(0)
        right = np.diag(self.counts)
        return {
            int(k): float(right[k] / (wanted[k] + predicted[k] - right[k]))
            for k in np.flatnonzero(wanted)
        }
