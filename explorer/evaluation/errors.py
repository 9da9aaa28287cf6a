"""What is wrong with detections: the error types of TIDE, and what each costs.

Bolya et al. 2020, TIDE: A General Toolbox for Identifying Object Detection Errors, section 2. Every
false positive has exactly one type; what it costs is how much the average precision rises when all
errors of that type are fixed, and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.evaluation.metrics import Objects

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

CLS, LOC, BOTH, DUPE, BKG, MISS = range(6)
KINDS = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
"""By these numbers: wrong class, imprecise box, both, duplicate, background, missed object."""

MEANINGS = {
    "Cls": "wrong class: IoU >= 0.5 with an object of another class",
    "Loc": "imprecise box: IoU of 0.1 to 0.5 with an object of its class",
    "Both": "wrong class and imprecise box",
    "Dupe": "duplicate: a higher-scoring detection has matched the object",
    "Bkg": "background: IoU <= 0.1 with every object",
    "Miss": "object that no detection matches, nor would without its error",
}
assert tuple(MEANINGS) == KINDS

CORRECT, IGNORED = -1, -2
"""What else a detection may be: a true positive, or one on an object that does not count."""

FOREGROUND_IOU, BACKGROUND_IOU = 0.5, 0.1
"""From the first on a box is accurate, up to the second it lies on background (section 2.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoErrors:
    """Of the detections of one photo.

    Attributes:
        kind: (N,) int8: a number of `KINDS`, CORRECT or IGNORED.
        aim: (N,) int64: among the objects that count the one that it matches, or would match
            without its error; -1 = none.
    """

    kind: NDArray[np.int8]
    aim: Ints


def photo_errors(cover: Floats, labels: Ints, there: Objects) -> PhotoErrors:
    """The error type of every detection of a photo.

    A detection takes the object of its class that it overlaps most among those that are still free.
    One that takes none and lies on a crowd or on a difficult object of its class is ignored.

    Args:
        cover: (N, M) as `metrics.overlaps` has them, the highest-scoring detection first.
        labels: (N,) of the detections.
        there: The M objects.
    """
    count = len(labels)
    kind: NDArray[np.int8] = np.full(count, BKG, np.int8)
    aim: Ints = np.full(count, -1, np.int64)
    counted = np.flatnonzero(~there.passed)
    same = labels[:, None] == there.labels[None]
    shielded = np.where(same & there.passed[None], cover, 0.0).max(axis=1, initial=0.0)
    ious, own_class = cover[:, counted], same[:, counted]
    if not len(counted):
        kind[shielded >= FOREGROUND_IOU] = IGNORED
        return PhotoErrors(kind, aim)
    own, other = np.where(own_class, ious, 0.0), np.where(own_class, 0.0, ious)
    free = own.copy()
    for row in np.flatnonzero(own.max(axis=1) >= FOREGROUND_IOU):
        best = int(free[row].argmax())
        if free[row, best] >= FOREGROUND_IOU:
            kind[row], aim[row] = CORRECT, best
            free[:, best] = 0.0
    kind[(kind != CORRECT) & (shielded >= FOREGROUND_IOU)] = IGNORED
    rest = np.flatnonzero(kind == BKG)
    near, far = own[rest].max(axis=1), other[rest].max(axis=1)
    imprecise = (near >= BACKGROUND_IOU) & (near <= FOREGROUND_IOU)
    named = far >= FOREGROUND_IOU
    kind[rest] = np.select(
        [imprecise, named, near >= FOREGROUND_IOU, np.maximum(near, far) <= BACKGROUND_IOU],
        [LOC, CLS, DUPE, BKG],
        BOTH,
    )
    boxed = rest[imprecise]
    aim[boxed] = own[boxed].argmax(axis=1)
    classed = rest[~imprecise & named]
    aim[classed] = other[classed].argmax(axis=1)
    return PhotoErrors(kind, aim)


@dataclass(frozen=True, slots=True, eq=False)
class Impact:
    """What the errors of a detector cost.

    Attributes:
        ap: Its average precision at an IoU of 0.5, of 101 recalls, mean over the classes with an
            object.
        by_kind: By the names of `KINDS`: by how much it rises when that type alone is fixed.
        false_positives: By how much it rises without any false positive.
        false_negatives: By how much without any false negative.
    """

    ap: float
    by_kind: dict[str, float]
    false_positives: float
    false_negatives: float


def impact(label: Ints, score: Floats, kind: NDArray[np.int8], aim: Ints, objects: Ints) -> Impact:
    """Fixes the errors of one type after the other (Bolya et al. 2020, section 2.3).

    - Loc, Cls: the highest-scoring one of an object that has no match becomes its true positive,
      with the object's class; the others are removed.
    - Both, Dupe, Bkg: they are removed.
    - Miss: these objects no longer count.

    TIDE's own program also counts classes without an object, with an AP of 0; here the mean is over
    the classes with one, as in the AP itself.

    Args:
        label: (D,) of all detections of all photos.
        score: (D,).
        kind: (D,) as `photo_errors` has it.
        aim: (D,) likewise, but as places in `objects`.
        objects: (M,) the class of every object that counts.
    """
    if not len(objects):
        return Impact(0.0, dict.fromkeys(KINDS, 0.0), 0.0, 0.0)
    size = int(max(label.max(initial=-1), objects.max(initial=-1))) + 1
    wanted = np.bincount(objects, minlength=size)
    right = kind == CORRECT
    met = np.zeros(len(objects), np.bool_)
    met[aim[right]] = True
    asking = np.flatnonzero(((kind == CLS) | (kind == LOC)) & ~met[aim])
    asking = asking[np.argsort(-score[asking], kind="stable")]
    reached, first = np.unique(aim[asking], return_index=True)
    best = np.zeros(len(kind), np.bool_)
    best[asking[first]] = True
    missed = ~met
    missed[reached] = False

    def precision(
        keep: NDArray[np.bool_],
        positive: NDArray[np.bool_],
        names: Ints = label,
        there: Ints = wanted,
        scores: Floats = score,
    ) -> float:
        return _mean_ap(names[keep], scores[keep], positive[keep], there, wanted > 0)

    counted = kind != IGNORED
    ap = precision(counted, right)
    fixed = {
        name: precision(counted & (kind != number), right)
        for number, name in ((BOTH, "Both"), (DUPE, "Dupe"), (BKG, "Bkg"))
    }
    for number, name in ((CLS, "Cls"), (LOC, "Loc")):
        mended = best & (kind == number)
        names = np.where(mended, objects[aim], label)
        fixed[name] = precision(counted & ((kind != number) | mended), right | mended, names)
    left = wanted - np.bincount(objects[missed], minlength=size)
    fixed["Miss"] = precision(counted, right, there=left)
    found = np.bincount(objects[met], minlength=size)
    return Impact(
        ap,
        {name: max(fixed[name] - ap, 0.0) for name in KINDS},
        precision(counted, right, scores=right.astype(np.float64)) - ap,
        precision(counted, right, there=found) - ap,
    )


def kinds_of_best(
    label: Ints, score: Floats, kind: NDArray[np.int8], objects: Ints
) -> dict[str, int]:
    """What the highest-scoring detections of every class are, as many as it has objects.

    After Hoiem et al. 2012, *Diagnosing Error in Object Detectors*, whose localization errors are
    Loc and Dupe here, and whose confusions with similar and other classes are Cls and Both.

    Returns:
        How many are "Correct", and how many of each of `KINDS` but the last.
    """
    found: Ints = np.zeros(len(KINDS), np.int64)
    for one in np.unique(objects):
        mine = np.flatnonzero((label == one) & (kind != IGNORED))
        top = mine[np.argsort(-score[mine], kind="stable")][: int((objects == one).sum())]
        found += np.bincount(kind[top].astype(np.int64) + 1, minlength=len(KINDS))
    return dict(zip(("Correct", *KINDS[:MISS]), found.tolist(), strict=True))


_RECALLS = np.arange(101) / 100


def _mean_ap(
    label: Ints, score: Floats, right: NDArray[np.bool_], wanted: Ints, part: NDArray[np.bool_]
) -> float:
    """The mean over the classes in `part`, but for those of which nothing is left."""
    order = np.lexsort((-score, label))
    label, right = label[order], right[order]
    values = []
    for one in np.flatnonzero(part).tolist():
        low, high = np.searchsorted(label, (one, one + 1))
        if high > low or wanted[one]:
            values.append(_ap(right[low:high], int(wanted[one])))
    return float(np.mean(values)) if values else 0.0


def _ap(right: NDArray[np.bool_], wanted: int) -> float:
    """The mean precision at 101 recalls, of detections in the order of their scores."""
    if not wanted:
        return 0.0
    true = np.cumsum(right)
    precision = true / np.arange(1, len(right) + 1)
    highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(highest[np.searchsorted(true / wanted, _RECALLS)].mean())
