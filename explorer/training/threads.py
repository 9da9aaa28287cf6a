"""How many threads a training in the background should use while other programs are busy too."""

from __future__ import annotations

from statistics import median

import torch


class ThreadPilot:
    """Tries all threads and one thread now and then, and keeps what is faster.

    Threads that wait for each other collapse when another program takes one of the cores (measured:
    two threads on two cores fell to a twentieth of their speed, where one keeps half of it). What
    the steps compute does not depend on the number of threads, but for the rounding of sums.

    Args:
        largest: The number of threads when nothing else runs.
        trial: Steps per attempt.
        hold: Steps before the next attempt; a step that takes much longer than usual ends it early.
    """

    def __init__(self, largest: int, *, trial: int = 6, hold: int = 150) -> None:
        self._candidates = sorted({largest, 1}, reverse=True)
        self._trial, self._hold = trial, hold
        self._times: dict[int, list[float]] = {}
        self._left = 0
        self._slow = 0
        self._usual = 0.0
        self._begin_trial()

    @property
    def threads(self) -> int:
        return self._now

    def add(self, seconds: float) -> None:
        """Tell how long the last step took; may change the number of threads for the next one."""
        if self._left:  # the chosen number is in use
            self._left -= 1
            self._slow = self._slow + 1 if seconds > 2 * self._usual else 0
            if not self._left or self._slow >= 3:
                self._begin_trial()
            return
        times = self._times[self._now]
        times.append(seconds)
        if len(times) < self._trial:
            return
        if self._waiting:
            self._use(self._waiting.pop(0))
            return
        middle = {count: median(values) for count, values in self._times.items()}
        best = min(middle, key=lambda count: middle[count])
        self._usual, self._left, self._slow = middle[best], self._hold, 0
        self._use(best)

    def _begin_trial(self) -> None:
        self._times = {count: [] for count in self._candidates}
        self._waiting = list(self._candidates)
        self._left = 0
        self._use(self._waiting.pop(0))

    def _use(self, count: int) -> None:
        self._now = count
        torch.set_num_threads(count)
