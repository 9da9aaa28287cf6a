"""Between the source of frames and their readers: the newest one, and the last few seconds."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REWIND_SECONDS = 5.0
"""So far back one can go after the fact."""

REWIND_BYTES = 256 * 1024 * 1024
"""And never more than this, whatever the size of the frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright, read-only.
        number: Counts the frames of one source from 0, unused ones included.
        at: `time.perf_counter()` when it was complete.
        position: Seconds from the start of a film; of a camera, since it was opened.
    """

    pixels: NDArray[np.uint8]
    number: int
    at: float
    position: float

    @property
    def age(self) -> float:
        """Seconds since it was complete."""
        return time.perf_counter() - self.at


class Slot:
    """Holds the newest frame; a late reader gets that one and never a queue.

    Any thread may call anything.
    """

    def __init__(self, seconds: float = REWIND_SECONDS, most_bytes: int = REWIND_BYTES) -> None:
        self._condition = threading.Condition()
        self._seconds, self._most_bytes = seconds, most_bytes
        self._past: deque[Shot] = deque()
        self._bytes = 0
        self._newest: Shot | None = None
        self._taken = -1
        self._dropped = 0
        self._closed = False

    def put(self, shot: Shot) -> None:
        """The newest frame from now on; the one before counts as dropped if it was not taken."""
        with self._condition:
            if self._closed:
                return
            before, self._newest = self._newest, shot
            if before is not None and before.number > self._taken:
                self._dropped += 1
            self._past.append(shot)
            self._bytes += shot.pixels.nbytes
            while len(self._past) > 1 and (
                self._bytes > self._most_bytes or shot.at - self._past[0].at > self._seconds
            ):
                self._bytes -= self._past.popleft().pixels.nbytes
            self._condition.notify_all()

    def take(self, after: int = -1, timeout: float = 0.0) -> Shot | None:
        """The newest frame if its number is above `after`; waits up to `timeout` seconds for one.

        Returns:
            None when none came in time or the slot is closed.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._newer(after), timeout)
            if self._closed or not self._newer(after):
                return None
            shot = self._newest
            assert shot is not None
            self._taken = max(self._taken, shot.number)
            return shot

    def _newer(self, after: int) -> bool:
        return self._newest is not None and self._newest.number > after

    @property
    def newest(self) -> Shot | None:
        """A glance: it does not count as taken."""
        with self._condition:
            return self._newest

    @property
    def dropped(self) -> int:
        """Frames that were replaced before anybody took them."""
        with self._condition:
            return self._dropped

    @property
    def past(self) -> tuple[Shot, ...]:
        """The last `seconds` of frames, oldest first: views of the same arrays, no copies."""
        with self._condition:
            return tuple(self._past)

    def close(self) -> None:
        """Wakes up all that wait; frames that come later are ignored. Past frames stay."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        with self._condition:
            return self._closed
