"""Which anchors learn from which ground-truth box, as while a detector trains (numpy).

Ren et al. 2015, section 3.1.2, in torchvision's wording (`models.detection._utils.Matcher`): an
anchor whose best IoU reaches `high` is positive, under `low` it is negative, between both it is
ignored. With `force` the best anchors of every box are positive whatever their IoU, so that a box
that fits no anchor is still learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.detection.boxes import iou_matrix

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

NEGATIVE, IGNORED = -1, -2
"""In `Match.matches`, torchvision's BELOW_LOW_THRESHOLD and BETWEEN_THRESHOLDS."""


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """For N anchors and G boxes.

    Attributes:
        matches: (N,) int64: the box that the anchor learns, or NEGATIVE, or IGNORED.
        best: (N,) float32: its highest IoU with any box (0 without boxes).
        owner: (N,) int64: the box of that IoU, the first one among equals.
        tops: (G,) float32: the highest IoU of every box with any anchor.
    """

    matches: NDArray[np.int64]
    best: Float32
    owner: NDArray[np.int64]
    tops: Float32

    @property
    def positive(self) -> NDArray[np.intp]:
        """Indices of the positive anchors, in order."""
        return np.flatnonzero(self.matches >= 0)

    @property
    def ignored(self) -> NDArray[np.intp]:
        """Indices of the ignored anchors, in order."""
        return np.flatnonzero(self.matches == IGNORED)

    @property
    def shares(self) -> NDArray[np.int64]:
        """(G,) the number of positive anchors of every box."""
        owned = self.matches[self.matches >= 0]
        return np.bincount(owned, minlength=len(self.tops)).astype(np.int64)

    def label_of(self, anchor: int) -> int:
        """The entry of `labels` for one anchor."""
        found = int(self.matches[anchor])
        return 1 if found >= 0 else -1 if found == IGNORED else 0

    @property
    def labels(self) -> NDArray[np.int8]:
        """(N,) 1 = positive, 0 = negative, -1 = ignored: what torchvision's sampler takes."""
        labels = (self.matches >= 0).astype(np.int8)
        labels[self.matches == IGNORED] = -1
        return labels


def match(
    overlaps: Sequence[Float32] | Float32,
    count: int,
    *,
    high: float = 0.7,
    low: float = 0.3,
    force: bool = True,
) -> Match:
    """Labels `count` anchors.

    A box that touches no anchor at all has the same IoU of 0 with every one of them: `force` then
    makes all anchors positive, here as in torchvision.

    Args:
        overlaps: IoU of every box with all anchors: G rows of (count,) float32.
        count: Number of anchors; without boxes all of them are negative.
        high: Positive from this IoU on.
        low: Negative under this IoU; not above `high`.
        force: torchvision's `allow_low_quality_matches`.

    Raises:
        ValueError: When `low` is above `high`, or a row has another length than `count`.
    """
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if any(row.shape != (count,) for row in overlaps):
        raise ValueError(f"overlaps must be rows of {count}, got {[row.shape for row in overlaps]}")
    owner = np.zeros(count, np.int64)
    best = np.zeros(count, np.float32)
    for number, row in enumerate(overlaps):
        np.copyto(owner, number, where=row > best)
        np.maximum(best, row, out=best)
    # The thresholds as float32: torch compares a tensor with a number in the tensor's own type.
    matches = owner.copy()
    matches[best < np.float32(high)] = IGNORED
    matches[best < np.float32(low)] = NEGATIVE
    if not len(overlaps):
        matches[:] = NEGATIVE
    tops = np.array([row.max(initial=0.0) for row in overlaps], np.float32)
    if force:
        for row, top in zip(overlaps, tops, strict=True):
            equal = np.flatnonzero(row == top)
            matches[equal] = owner[equal]
    return Match(matches, best, owner, tops)


class Overlaps:
    """The IoU of a few boxes with many anchors, box by box.

    Only a box that was not there at the last call costs anything: of five boxes one is dragged.
    """

    def __init__(self, anchors: Float32) -> None:
        # Column by column in memory, as `iou_matrix` reads it.
        self._anchors = np.ascontiguousarray(anchors.T).T
        self._rows: dict[Hashable, Float32] = {}

    def rows(self, boxes: Float32) -> list[Float32]:
        """G rows of (N,) for (G, 4) float32 `boxes` in the frame of the anchors."""
        keys = [box.tobytes() for box in boxes]
        self._rows = {
            key: self._rows[key] if key in self._rows else iou_matrix(box[None], self._anchors)[0]
            for key, box in zip(keys, boxes, strict=True)
        }
        return [self._rows[key] for key in keys]
