"""Ways to make one box of many that overlap, with everything they do on the way remembered.

numpy only. Boxes are (N, 4) float32 as x0, y0, x1, y1 in pixels, y down, in any one frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from explorer.vision.detection.boxes import iou_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Indices = NDArray[np.intp]

Decay = Literal["greedy", "linear", "gaussian"]

MOST_SHIFTED = 1000
"""torchvision's batched_nms shifts the groups of up to this many boxes apart (on a CPU)."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One suppression of N boxes in S steps; each step keeps the highest-scoring box that is left.

    Attributes:
        picks: (S,) the row that each step kept, so the rows that stay in their order.
        suppressors: (N,) the row that suppressed each; -1 = none did.
        ious: (N,) float32, the overlap with it; 0 where there is none.
        ended: (N,) the step (1 … S) in which each was suppressed; 0 = never.
        scores: (S + 1, N) float32, before the first step and after each.
    """

    picks: Indices
    suppressors: Indices
    ious: Float32
    ended: Indices
    scores: Float32

    @property
    def steps(self) -> int:
        return len(self.picks)

    def waiting(self, step: int) -> Indices:
        """Rows that are neither kept nor suppressed after `step` steps."""
        left = (self.ended == 0) | (self.ended > step)
        left[self.picks[:step]] = False
        return np.flatnonzero(left)

    def suppressed(self, step: int) -> Indices:
        """Rows that were suppressed in the first `step` steps."""
        return np.flatnonzero((self.ended > 0) & (self.ended <= step))


@dataclass(frozen=True, slots=True, eq=False)
class Merges:
    """N boxes merged two by two, M times, until no two may be (`until` is where to stop).

    Rows 0 … N - 1 are the boxes themselves, row N + m is what merge m made.

    Attributes:
        boxes: (N + M, 4) float32.
        scores: (N + M,) float32, of a merged box the sum of all that are in it.
        pairs: (M, 2) the two rows that each merge takes away, the higher-scoring one first.
        matches: (M,) float32, their match score: 0 = the same box.
        ious: (M,) float32.
        into: (N + M,) the row that each went into; -1 = it is there to the end.
    """

    boxes: Float32
    scores: Float32
    pairs: Indices
    matches: Float32
    ious: Float32
    into: Indices

    @property
    def count(self) -> int:
        """N."""
        return len(self.boxes) - len(self.pairs)

    def until(self, limit: float) -> int:
        """How many merges come before the first pair whose match score is larger than `limit`."""
        over = np.flatnonzero(self.matches > limit)
        return int(over[0]) if len(over) else len(self.pairs)

    def alive(self, step: int) -> Indices:
        """Rows that are there after `step` merges, the highest score first."""
        there = np.ones(self.count + step, bool)
        there[self.pairs[:step].ravel()] = False
        rows = np.flatnonzero(there)
        return rows[np.argsort(-self.scores[rows], kind="stable")]

    def within(self, row: int) -> Indices:
        """Rows 0 … N - 1 that the box of `row` is made of."""
        found, waiting = [], [row]
        while waiting:
            now = waiting.pop()
            if now < self.count:
                found.append(now)
            else:
                waiting += self.pairs[now - self.count].tolist()
        return np.array(sorted(found), np.intp)


def by_score(scores: Float32) -> Indices:
    """Rows, highest scores first; equal scores keep their order, as in torchvision."""
    return np.argsort(-scores, kind="stable")


def overlaps(boxes: Float32, groups: Indices | None = None, rows: Indices | None = None) -> Float32:
    """The overlaps that a suppression compares.

    With groups (classes, levels) it is what `torchvision.ops.batched_nms` compares on a CPU, bit
    for bit: up to 1000 boxes are shifted apart by their group, whose rounding changes the last
    digits; of more boxes only those of a group are compared.

    Args:
        boxes: (N, 4).
        groups: (N,); boxes of different groups leave each other alone. None = one group.
        rows: (n,) those that are asked for; the shift is that of all N. None = all.

    Returns:
        (n, n) IoU in [0, 1].
    """
    chosen = np.arange(len(boxes)) if rows is None else rows
    if groups is None or len(boxes) == 0:
        return iou_matrix(boxes[chosen], boxes[chosen])
    if len(boxes) > MOST_SHIFTED:
        found = iou_matrix(boxes[chosen], boxes[chosen])
        found[groups[chosen, None] != groups[chosen]] = 0
        return found
    offsets = groups[chosen].astype(np.float32) * (boxes.max() + np.float32(1))
    moved = boxes[chosen] + offsets[:, None]
    return iou_matrix(moved, moved)


def suppress(
    iou: Float32,
    scores: Float32,
    decay: Decay = "greedy",
    *,
    threshold: float = 0.5,
    sigma: float = 0.5,
    floor: float = 0.0,
) -> History:
    """Keeps the highest-scoring box, lowers the scores of those that overlap it, and so on.

    With f the factor of a box whose overlap with the kept one is o:

    - "greedy": f = 0 where o > threshold. Equal to `torchvision.ops.nms`.
    - "linear": f = 1 - o where o >= threshold (Bodla et al. 2017, Soft-NMS, equation 2).
    - "gaussian": f = exp(-o² / sigma) (equation 3).

    Args:
        iou: (N, N), see `overlaps`.
        scores: (N,), of the same boxes.
        decay: See above.
        threshold: Not for "gaussian".
        sigma: For "gaussian".
        floor: A box whose score falls below it is suppressed by the box that did that; not for
            "greedy".

    Raises:
        ValueError: When sigma is not positive.
    """
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    # torchvision compares the float32 overlap with a double threshold.
    over = iou.astype(np.float64)
    if decay == "greedy":
        factors = np.where(over > threshold, 0.0, 1.0)
    elif decay == "linear":
        factors = np.where(over >= threshold, 1.0 - over, 1.0)
    else:
        factors = np.exp(-(over**2) / sigma)
    return _played(iou, scores, factors, None if decay == "greedy" else floor)


def _played(
    iou: Float32, scores: Float32, factors: NDArray[np.float64], floor: float | None
) -> History:
    """`floor` None: a factor of 0 suppresses, and a score of 0 by itself does not."""
    count = len(scores)
    now = scores.astype(np.float64)
    left = np.ones(count, bool)
    suppressors, ended = np.full(count, -1, np.intp), np.zeros(count, np.intp)
    ious = np.zeros(count, np.float32)
    picks: list[int] = []
    kept = [scores.astype(np.float32)]
    while left.any():
        rows = np.flatnonzero(left)
        pick = int(rows[now[rows].argmax()])  # the first of equal ones
        left[pick] = False
        picks.append(pick)
        hit = left & (factors[pick] < 1)
        now = np.where(hit, now * factors[pick], now)
        gone = hit & ((factors[pick] == 0) if floor is None else (now < floor))
        suppressors[gone], ious[gone], ended[gone] = pick, iou[pick, gone], len(picks)
        left &= ~gone
        kept.append(now.astype(np.float32))
    return History(np.array(picks, np.intp), suppressors, ious, ended, np.stack(kept))


def match_scores(box: Float32, boxes: Float32) -> Float32:
    """How badly (4,) `box` and each of (N, 4) `boxes` match: 0 = the same, above 1 = apart.

    Sermanet et al. 2014 (OverFeat, section 4.3) take "the sum of the distance between centers of
    the two bounding boxes and the intersection area of the boxes" and merge where it is smallest.
    Pixels and areas do not add up, and a larger intersection must not part two boxes: here the
    distance is in units of the mean of both diagonals, and the intersection counts as 1 - IoU.
    """
    sides = box[2:] - box[:2], boxes[:, 2:] - boxes[:, :2]
    middles = (box[:2] + box[2:]) / 2, (boxes[:, :2] + boxes[:, 2:]) / 2
    distance = np.hypot(*(middles[1] - middles[0]).T)
    diagonal = (np.hypot(*sides[0]) + np.hypot(*sides[1].T)) / 2
    away = np.divide(distance, diagonal, out=np.zeros_like(distance), where=diagonal > 0)
    found: Float32 = (away + 1 - iou_matrix(box[None], boxes)[0]).astype(np.float32)
    return found


def merge(boxes: Float32, scores: Float32, groups: Indices | None = None) -> Merges:
    """OverFeat's greedy merge (Sermanet et al. 2014, section 4.3), to its very end.

    The two boxes that match best (`match_scores`) are replaced by the mean of their coordinates,
    whose score is the sum of both. The paper stops at a limit, see `Merges.until`.

    Args:
        boxes: (N, 4).
        scores: (N,).
        groups: (N,); boxes of different groups are not merged. None = one group.
    """
    count = len(boxes)
    kinds = (
        np.zeros(count, np.intp) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    merges = count - len(np.unique(kinds))
    corners = np.zeros((count + merges, 4), np.float32)
    corners[:count] = boxes
    sums = np.zeros(count + merges, np.float32)
    sums[:count] = scores
    # Slot i of the square holds row names[i]; a merged box takes the slot of its first.
    names = np.arange(count)
    held, kind = corners[:count].copy(), kinds.copy()
    square = np.full((count, count), np.inf, np.float32)
    for slot in range(count):
        square[slot, slot + 1 :] = match_scores(held[slot], held[slot + 1 :])
    square[kind[:, None] != kind] = np.inf
    pairs = np.zeros((merges, 2), np.intp)
    matches, ious = np.zeros(merges, np.float32), np.zeros(merges, np.float32)
    into = np.full(count + merges, -1, np.intp)
    for number in range(merges):
        one, other = divmod(int(square.argmin()), count)
        matches[number] = square[one, other]
        if sums[names[other]] > sums[names[one]]:
            one, other = other, one
        pairs[number] = names[one], names[other]
        ious[number] = iou_matrix(held[one : one + 1], held[other : other + 1])[0, 0]
        row = count + number
        corners[row] = held[one] = (held[one] + held[other]) / 2
        sums[row] = sums[names[one]] + sums[names[other]]
        into[pairs[number]] = row
        names[one], kind[other] = row, -1
        square[other], square[:, other] = np.inf, np.inf
        fresh = match_scores(held[one], held)
        fresh[(kind != kind[one]) | (np.arange(count) == one)] = np.inf
        square[one, one + 1 :], square[:one, one] = fresh[one + 1 :], fresh[:one]
    return Merges(corners, sums, pairs, matches, ious, into)
