"""Objects followed from frame to frame (Bewley et al. 2016, "SORT"), in seconds, not in frames.

Live, frames are dropped at unequal intervals. So the motion model is one of continuous time:
two predictions of 0.1 s equal one of 0.2 s.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.vision.detection.boxes import iou_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.vision.detection.detections import Detections

    Float64 = NDArray[np.float64]
    Int64 = NDArray[np.int64]

MEASURED = np.array([0.05, 0.05, 0.1, 0.1])
"""Standard deviation of a detected box, in widths (x, width) and heights (y, height)."""

SHAKEN = np.array([3.0, 3.0, 0.5, 0.5])
"""How much its speed wanders: deviation after a second, in widths or heights a second.

At ten frames a second this keeps an object that turns back at once at four widths a second; with
less the prediction runs away from it, with more it follows every tremble of the detector.
"""

FIRST_SPEED = np.array([2.0, 2.0, 0.5, 0.5])
"""Standard deviation of the speed after one detection, in widths or heights a second."""

SMALLEST = 1.0
"""A predicted side is never shorter, in pixels."""

LONGEST_GAP = 2.0
"""After this many seconds without a frame (and longer than a lost track is kept) all tracks end."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """N boxes that move: four independent constant-velocity Kalman filters for each.

    Of the four numbers x, y (the center), width and height of a box each has a filter of its own:
    what is measured is the number itself, and no noise is shared, so the (8, 8) covariance of the
    usual formulation is block-diagonal and stays so.

    Attributes:
        place: (N, 4) float64: center x, center y, width, height in pixels.
        speed: (N, 4) float64: the same per second.
        spread: (3, N, 4) float64: variance of the place, covariance, variance of the speed.
    """

    place: Float64
    speed: Float64
    spread: Float64

    @classmethod
    def first(cls, place: Float64) -> Motion:
        """The state of (N, 4) boxes after one detection."""
        scale = _scale(place)
        known, moving = (MEASURED * scale) ** 2, (FIRST_SPEED * scale) ** 2
        return cls(place, np.zeros_like(place), np.stack([known, np.zeros_like(known), moving]))

    def after(self, seconds: float) -> Motion:
        """Predicted: the speed stays, but its change is white noise.

        Bar-Shalom et al. 2001, *Estimation with Applications to Tracking and Navigation*, 6.2.2.
        """
        place = self.place + seconds * self.speed
        place[:, 2:] = np.maximum(place[:, 2:], SMALLEST)
        noise = (SHAKEN * _scale(self.place)) ** 2
        where, both, fast = self.spread
        return Motion(
            place,
            self.speed,
            np.stack([
                where + 2 * seconds * both + seconds**2 * fast + noise * seconds**3 / 3,
                both + seconds * fast + noise * seconds**2 / 2,
                fast + noise * seconds,
            ]),
        )  # fmt: skip

    def seen(self, rows: NDArray[np.intp], measured: Float64) -> Motion:
        """Corrected: the boxes `rows` were found at (n, 4) `measured`."""
        place, speed, spread = self.place.copy(), self.speed.copy(), self.spread.copy()
        where, both, fast = self.spread[:, rows]
        noise = (MEASURED * _scale(self.place[rows])) ** 2
        gain, turn = where / (where + noise), both / (where + noise)
        surprise = measured - self.place[rows]
        place[rows] += gain * surprise
        place[:, 2:] = np.maximum(place[:, 2:], SMALLEST)
        speed[rows] += turn * surprise
        spread[:, rows] = np.stack([(1 - gain) * where, (1 - gain) * both, fast - turn * both])
        return Motion(place, speed, spread)

    @property
    def xyxy(self) -> NDArray[np.float32]:
        """(N, 4) float32: x0, y0, x1, y1."""
        half = self.place[:, 2:] / 2
        middle = self.place[:, :2]
        return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Settings:
    """How boxes become tracks.

    Attributes:
        gate: Smallest IoU of a detection and a predicted box that may be one object.
        hits: Consecutive frames with a detection before a track gets its number.
        keep: Seconds that a track waits for the next detection.
        agnostic: Boxes of different classes may be one object; it has the class of its
            highest-scoring detection.
        trail: Seconds for which the centers are kept.
        first: Smallest score of a box that begins a track; a lower one may only continue a track
            that no higher one continues (Zhang et al. 2022, "ByteTrack").
    """

    gate: float = 0.3
    hits: int = 3
    keep: float = 1.0
    agnostic: bool = False
    trail: float = 10.0
    first: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """N tracks after a frame, the oldest first; the next frame's are made by `after`.

    Attributes:
        seconds: When the frame was taken.
        keys: (N,) int64, ascending; names a track from the first box on, never used again.
        numbers: (N,) int64: 1 for the first track that was found often enough, and so on, never
            used again; 0 for one that was not yet.
        labels: (N,) int64, index into the network's classes.
        scores: (N,) float32 of the last detection.
        best: (N,) float32, the highest so far.
        born: (N,) float64, seconds of the first detection.
        found: (N,) float64, seconds of the last one.
        hits: (N,) int64, how many there were.
        motion: Where they are and how they move; predicted for those that are lost.
        trail: (M, 4) float64: number, seconds, x and y of the centers of numbered tracks in the
            last seconds, in the order of time, also of tracks that have ended.
        births: Keys that were given so far.
        count: Numbers that were given so far.
    """

    seconds: float
    keys: Int64
    numbers: Int64
    labels: Int64
    scores: NDArray[np.float32]
    best: NDArray[np.float32]
    born: Float64
    found: Float64
    hits: Int64
    motion: Motion
    trail: Float64
    births: int
    count: int

    @classmethod
    def none(cls) -> Tracks:
        """Before the first frame."""
        whole, real, score = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.float32)
        return cls(
            0.0, whole, whole, whole, score, score, real, real, whole,
            Motion.first(np.zeros((0, 4))), np.zeros((0, 4)), births=0, count=0,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,) whether it was found in this very frame."""
        seen: NDArray[np.bool_] = self.found == self.seconds
        return seen

    @property
    def numbered(self) -> NDArray[np.bool_]:
        """(N,) whether it was found often enough to count."""
        return self.numbers > 0

    def after(self, found: Detections, seconds: float, settings: Settings) -> Tracks:
        """The tracks after the detections `found` at `seconds`.

        Raises:
            ValueError: When `seconds` lies before this frame: a film that jumped back starts over.
        """
        gap = seconds - self.seconds if self.births else 0.0
        if gap < 0:
            raise ValueError(f"tracks go forward in time, got {gap:g} s")
        old = self._only(np.full(len(self), gap <= max(settings.keep, LONGEST_GAP)))
        moved = replace(old, seconds=seconds, motion=old.motion.after(gap))
        rows, columns = moved._pairs(found, settings)
        hit = moved._hit(rows, columns, found)
        waited = seconds - hit.found
        waits = np.where(hit.numbered, waited <= settings.keep, hit.seen)
        born = np.setdiff1d(np.flatnonzero(found.scores >= settings.first), columns)
        return hit._only(hit.seen | waits)._joined(found, born)._counted(settings)

    def _only(self, stay: NDArray[np.bool_]) -> Tracks:
        motion = self.motion
        kept = Motion(motion.place[stay], motion.speed[stay], motion.spread[:, stay])
        rows: dict[str, Any] = {name: getattr(self, name)[stay] for name in _ROWS}
        return replace(self, motion=kept, **rows)

    def _pairs(
        self, found: Detections, settings: Settings
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of tracks and of their detections: strong ones first, weak ones for who is left."""
        xyxy, free = self.motion.xyxy, np.arange(len(self))
        strong = found.scores >= settings.first
        pairs = []
        for columns in (np.flatnonzero(strong), np.flatnonzero(~strong)):
            same = self.labels[free][:, None] == found.labels[columns]
            mine, theirs = matched(
                xyxy[free], found.xyxy[columns], settings.gate, None if settings.agnostic else same
            )
            pairs.append((free[mine], columns[theirs]))
            free = np.delete(free, mine)
        rows, columns = (np.concatenate(side) for side in zip(*pairs, strict=True))
        return rows, columns

    def _hit(self, rows: NDArray[np.intp], columns: NDArray[np.intp], found: Detections) -> Tracks:
        scores, best, labels = self.scores.copy(), self.best.copy(), self.labels.copy()
        last, hits = self.found.copy(), self.hits.copy()
        scores[rows] = found.scores[columns]
        higher = rows[scores[rows] > best[rows]]
        labels[higher] = found.labels[columns[scores[rows] > best[rows]]]
        best[higher] = scores[higher]
        last[rows] = self.seconds
        hits[rows] += 1
        motion = self.motion.seen(rows, centered(found.xyxy[columns]))
        return replace(
            self, scores=scores, best=best, labels=labels, found=last, hits=hits, motion=motion
        )

    def _joined(self, found: Detections, born: NDArray[np.intp]) -> Tracks:
        """With new tracks for the detections `born`."""
        n, motion = len(born), self.motion
        new = Motion.first(centered(found.xyxy[born]))
        now = np.full(n, self.seconds)
        new_rows = {
            "keys": self.births + 1 + np.arange(n),
            "numbers": np.zeros(n, np.int64),
            "labels": found.labels[born],
            "scores": found.scores[born],
            "best": found.scores[born],
            "born": now,
            "found": now,
            "hits": np.ones(n, np.int64),
        }
        rows: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), new_rows[name]]) for name in _ROWS
        }
        return replace(
            self,
            births=self.births + n,
            motion=Motion(
                np.concatenate([motion.place, new.place]),
                np.concatenate([motion.speed, new.speed]),
                np.concatenate([motion.spread, new.spread], axis=1),
            ),
            **rows,
        )

    def _counted(self, settings: Settings) -> Tracks:
        """With numbers for those that were found often enough, and the trails of all that have."""
        ripe = np.flatnonzero(~self.numbered & (self.hits >= settings.hits))
        numbers = self.numbers.copy()
        numbers[ripe] = self.count + 1 + np.arange(len(ripe))
        here = self.seen & (numbers > 0)
        steps = np.column_stack([
            numbers[here], np.full(here.sum(), self.seconds), self.motion.place[here, :2]
        ])  # fmt: skip
        young = self.trail[self.trail[:, 1] >= self.seconds - settings.trail]
        return replace(
            self, numbers=numbers, count=self.count + len(ripe),
            trail=np.concatenate([young, steps]),
        )  # fmt: skip


_ROWS = ("keys", "numbers", "labels", "scores", "best", "born", "found", "hits")
assert set(_ROWS) < {entry.name for entry in fields(Tracks)}


def matched(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    gate: float,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of boxes with the largest sum of IoUs, each box in one pair at most.

    Args:
        first: (N, 4) float32 x0, y0, x1, y1.
        second: (M, 4), in the same frame.
        gate: Pairs with a smaller IoU, or none at all, are no pairs.
        allowed: (N, M), which pairs may be; by default all.

    Returns:
        The rows of `first`, ascending, and the rows of `second` that belong to them.
    """
    # Not at the top: it takes a fifth of a second that only those pay who track.
    from scipy.optimize import linear_sum_assignment

    overlap = iou_matrix(first, second)
    fits = (overlap >= gate) & (overlap > 0)
    if allowed is not None:
        fits &= allowed
    rows, columns = linear_sum_assignment(np.where(fits, overlap, 0.0), maximize=True)
    good = fits[rows, columns]
    return rows[good], columns[good]


def centered(xyxy: NDArray[np.float32]) -> Float64:
    """(N, 4) corners -> (N, 4) float64 center x, center y, width, height."""
    corners = xyxy.astype(np.float64)
    sides = np.maximum(corners[:, 2:] - corners[:, :2], SMALLEST)
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, sides], axis=1)


def _scale(place: Float64) -> Float64:
    return np.maximum(place[:, [2, 3, 2, 3]], SMALLEST)
