"""Which box of a detector's output after a change is which one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.vision.detection.boxes import iou_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from explorer.vision.detection.detections import Detections

KEPT, LOST, NEW, OTHER = "kept", "lost", "new", "other class"


@dataclass(frozen=True, slots=True)
class Pair:
    """A box before, the box after it that is the same, and their IoU; one of both may be None.

    `before` and `after` are rows of the detections.
    """

    before: int | None
    after: int | None
    iou: float = 0.0
    kind: str = KEPT


def paired(
    before: Detections,
    after: Detections,
    *,
    iou: float,
    rows_before: NDArray[np.intp],
    rows_after: NDArray[np.intp],
) -> tuple[Pair, ...]:
    """Pairs the boxes of some rows, each with one at most.

    The two of the highest IoU among those of one class go first, until none reaches `iou`. What is
    left over is paired whatever its class: a box that got another class.

    Returns:
        The pairs and the lost boxes in the order of `rows_before`, then the new boxes.
    """
    overlap = iou_matrix(before.xyxy[rows_before], after.xyxy[rows_after])
    same = before.labels[rows_before][:, None] == after.labels[rows_after][None]
    of_before: dict[int, Pair] = {}
    free = np.ones(overlap.shape, np.bool_)
    for allowed, kind in ((same, KEPT), (~same, OTHER)):
        for one, other in _best_first(np.where(allowed, overlap, -1.0), free, iou):
            row, after_row = int(rows_before[one]), int(rows_after[other])
            of_before[row] = Pair(row, after_row, float(overlap[one, other]), kind)
    first = tuple(of_before.get(row, Pair(row, None, kind=LOST)) for row in map(int, rows_before))
    taken = {pair.after for pair in first}
    return first + tuple(
        Pair(None, row, kind=NEW) for row in map(int, rows_after) if row not in taken
    )


def _best_first(
    overlap: NDArray[np.floating[Any]], free: NDArray[np.bool_], least: float
) -> Iterator[tuple[int, int]]:
    """Row and column of the largest entry that is free, again and again; takes both from `free`."""
    while overlap.size:
        left = np.where(free, overlap, -1.0)
        one, other = divmod(int(left.argmax()), left.shape[1])
        if left[one, other] < least:
            return
        free[one, :] = free[:, other] = False
        yield one, other
