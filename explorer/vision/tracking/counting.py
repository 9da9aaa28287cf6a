"""How many tracks cross a line, and how many come into a box."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.vision.tracking.tracks import Tracks

    Float64 = NDArray[np.float64]

MARGIN = 0.05
"""A center has to be this far off a border to lie on one side of it, in sides of its box (the root
of its area): what trembles on a line is not counted again and again."""


def _no_keys() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class LineCount:
    """Crossings of the piece of a line from (x0, y0) to (x1, y1), in pixels, y down.

    `into` counts those that come to the right-hand side of a person walking from the first end to
    the second, `out` those to the left. A path is the way of a track's center between two frames in
    which it was found, so what happened while it was lost is counted when it is found again.
    """

    line: tuple[float, float, float, float]
    into: int = 0
    out: int = 0
    keys: NDArray[np.int64] = field(default_factory=_no_keys)
    anchors: Float64 = field(default_factory=lambda: np.zeros((0, 2)))
    """Where each track was off the line the last time; NaN = never."""

    def after(self, tracks: Tracks) -> LineCount:
        """The counts after one more frame."""
        start, end = np.array(self.line).reshape(2, 2)
        way = end - start
        here = tracks.motion.place[:, :2]
        side = cross(way, here - start)
        clear = np.abs(side) > _margin(tracks) * np.hypot(*way)
        anchors = _carried(self.keys, self.anchors, tracks.keys, np.full_like(here, np.nan))
        path = here - anchors
        # NaN compares as False: a track that was never off the line crosses nothing.
        passes = cross(path, start - anchors) * cross(path, end - anchors) <= 0
        known = tracks.seen & clear
        crossed = known & tracks.numbered & passes
        before = cross(way, anchors - start)
        moves = known & (tracks.numbered | np.isnan(before))
        return replace(
            self,
            into=self.into + int((crossed & (before < 0) & (side > 0)).sum()),
            out=self.out + int((crossed & (before > 0) & (side < 0)).sum()),
            keys=tracks.keys,
            anchors=np.where(moves[:, None], here, anchors),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegionCount:
    """Tracks whose center lies in the box x0, y0, x1, y1, and how many came and went.

    Who is in the box from the beginning on has not entered it.
    """

    box: tuple[float, float, float, float]
    entered: int = 0
    left: int = 0
    inside: int = 0
    keys: NDArray[np.int64] = field(default_factory=_no_keys)
    within: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    def after(self, tracks: Tracks) -> RegionCount:
        """The counts after one more frame."""
        x, y = tracks.motion.place[:, :2].T
        x0, y0, x1, y1 = self.box
        depth = np.minimum(np.minimum(x - x0, x1 - x), np.minimum(y - y0, y1 - y))
        before = _carried(self.keys, self.within, tracks.keys, depth > 0)
        sure = tracks.seen & tracks.numbered & (np.abs(depth) > _margin(tracks))
        within = np.where(sure, depth > 0, before)
        return replace(
            self,
            entered=self.entered + int((within & ~before).sum()),
            left=self.left + int((before & ~within).sum()),
            inside=int((within & tracks.numbered).sum()),
            keys=tracks.keys,
            within=within,
        )


def cross(first: Float64, second: Float64) -> Float64:
    """Third component of the product of (…, 2) vectors; > 0: `second` points right of `first`."""
    product: Float64 = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return product


def _margin(tracks: Tracks) -> Float64:
    width, height = tracks.motion.place[:, 2:].T
    margin: Float64 = MARGIN * np.sqrt(width * height)
    return margin


def _carried(
    keys: NDArray[np.int64], values: Any, wanted: NDArray[np.int64], fresh: Any
) -> NDArray[Any]:
    """`values` of the ascending `keys` for those `wanted`; `fresh` for new ones."""
    answer: NDArray[Any] = fresh.copy()
    _, old, new = np.intersect1d(keys, wanted, assume_unique=True, return_indices=True)
    answer[new] = values[old]
    return answer
