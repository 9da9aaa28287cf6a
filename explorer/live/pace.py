"""The network's input size for frames, so that it keeps up with them."""

from __future__ import annotations

from dataclasses import dataclass

SHARES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.33, 0.25)
"""Of the network's own input size; the steps that `Governor` takes."""

SETTLE = 4
"""Frames after a change that are not judged: the first ones at a new size are slow."""

SMOOTH = 0.3
"""Weight of the newest frame in the mean time."""

ROOM = 0.85
"""A larger size is tried when it is expected to need no more than this part of the time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The goals for a live job.

    Attributes:
        share: Of the network's own input size, at most; above 0 up to 1.
        rate: Frames a second to hold with a smaller input; 0 = the size stays.
    """

    share: float = 1.0
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"a share of a size is above 0 and at most 1, got {self.share}")
        if self.rate < 0.0:
            raise ValueError(f"a rate is not negative, got {self.rate}")


class Governor:
    """Chooses the share of the input size from the time that frames take."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._steps = [share for share in SHARES if share < pace.share]
        self._steps.insert(0, pace.share)
        self._at = 0
        self._mean: float | None = None
        self._settling = SETTLE

    @property
    def share(self) -> float:
        return self._steps[self._at]

    def took(self, seconds: float) -> None:
        """A frame at the share of now took so long; the next one may get another share."""
        if self._pace.rate <= 0.0:
            return
        if self._settling > 0:
            self._settling -= 1
            return
        before = seconds if self._mean is None else self._mean
        self._mean = before + SMOOTH * (seconds - before)
        wanted = 1.0 / self._pace.rate
        if self._mean > wanted:
            self._move(1)
        elif self._at > 0:
            grown = (self._steps[self._at - 1] / self._steps[self._at]) ** 2
            if self._mean * grown < ROOM * wanted:
                self._move(-1)

    def _move(self, by: int) -> None:
        to = min(max(self._at + by, 0), len(self._steps) - 1)
        if to != self._at:
            self._at, self._settling, self._mean = to, SETTLE, None
