"""The thread that reads a source into a slot, at its pace, until it is stopped."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.live.slot import Shot, Slot
from explorer.live.source import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from explorer.live.source import Source

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""Between two tries to get a lost source back."""

HANDOVER_SECONDS = 2.0
"""So long a source is waited for that another one replaces."""

SAME_SECONDS = 1e-6
"""Positions that differ by less are those of one frame."""

STALL_SECONDS = 3.0
"""A source that is silent for longer has a hung read."""


class Phase(Enum):
    OPENING = "opening"
    PLAYING = "playing"
    PAUSED = "paused"
    LOST = "lost"
    ENDED = "ended"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """How the source is.

    `message` and `hint` are sentences for the user; both may be empty. `duration` is that of a
    film in seconds, else 0. `position` is that of its newest frame. `rate` is what was measured
    over the last second and `pace` the source's own rate, in frames a second.
    """

    phase: Phase
    message: str = ""
    hint: str = ""
    duration: float = 0.0
    position: float = 0.0
    rate: float = 0.0
    pace: float = 0.0


@dataclass(frozen=True, slots=True)
class Playback:
    """How a film is played; a camera should not be paused, its frames grow old in the driver.

    `first` and `last` are the in and out points in seconds; `last` 0 = the end.
    """

    paused: bool = False
    speed: float = 1.0
    loop: bool = True
    first: float = 0.0
    last: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.speed <= 64:
            raise ValueError(f"a film's speed is above 0 and at most 64, got {self.speed}")


class Capture:
    """Reads one source; its thread owns the source from `open` to `close`.

    The window's thread is never blocked: opening, reading and closing happen here, and `stop` does
    not wait for a read that hangs: that thread gives the device back whenever the read returns.

    Args:
        make: Makes the source; called on the thread.
        slot: Where the frames go. It is closed by `stop`.
        notify: Called on the thread when the phase changes; it must only wake the receiver up.
        after: Opens nothing before that one has given its device back, or `HANDOVER_SECONDS` long.
    """

    def __init__(
        self,
        make: Callable[[], Source],
        slot: Slot,
        notify: Callable[[], None] = lambda: None,
        after: Capture | None = None,
    ) -> None:
        self._make, self._slot, self._notify, self._after = make, slot, notify, after
        self._lock = threading.Condition()
        self._status = Status(Phase.OPENING)
        self._playback = Playback()
        self._seek: float | None = None
        self._steps = 0
        self._stopping = False
        self._number = 0
        self._reading: float | None = None  # since when the source is being read
        self._times: list[float] = []
        # Not joined at exit: a read in a dead driver may never return. It never touches torch.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    # -- any thread -------------------------------------------------------------------------------

    @property
    def slot(self) -> Slot:
        return self._slot

    @property
    def status(self) -> Status:
        """The phase of now; a read that hangs reads as LOST."""
        with self._lock:
            status = self._status
            silent = 0.0 if self._reading is None else time.perf_counter() - self._reading
        if status.phase is Phase.PLAYING and silent > STALL_SECONDS:
            return replace(
                status,
                phase=Phase.LOST,
                rate=0.0,
                message=f"No picture for {silent:.0f} seconds.",
                hint="It resumes automatically; or choose another source.",
            )
        return status

    @property
    def playback(self) -> Playback:
        with self._lock:
            return self._playback

    @playback.setter
    def playback(self, playback: Playback) -> None:
        with self._lock:
            self._playback = playback
            self._lock.notify_all()

    def seek(self, position: float) -> None:
        """Shows a film's frame at `position` seconds, playing or paused; the last call wins."""
        with self._lock:
            self._seek, self._steps = max(0.0, position), 0
            self._lock.notify_all()

    def step(self, frames: int) -> None:
        """Shows the frame this many after (or before) the newest one; calls add up."""
        with self._lock:
            self._steps += frames
            self._lock.notify_all()

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the thread; False when a hung read keeps it: it is then left to itself.

        Notifies no longer. With a timeout of 0 nothing is waited for.
        """
        with self._lock:
            self._stopping = True
            self._notify = _nobody
            self._lock.notify_all()
        self._slot.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        if self._thread.is_alive() and timeout > 0:
            log.warning("a source did not give its frame in time and was left behind")
        return not self._thread.is_alive()

    # -- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        source: Source | None = None
        try:
            before, self._after = self._after, None
            if before is not None:
                before.stop(HANDOVER_SECONDS)
            if self._stopping:
                return
            source = self._make()
            self._opened(source)
            self._play(source)
        except ExplorerError as error:
            self._say(Status(Phase.FAILED, error.message, error.hint))
        except Exception as error:  # a driver may raise anything: only this source ends
            log.exception("a source of frames failed")
            self._say(Status(Phase.FAILED, f"The source failed: {error}", "Choose another one."))
        finally:
            if source is not None:
                source.close()
            if self._stopping:
                self._say(Status(Phase.STOPPED))

    def _opened(self, source: Source) -> None:
        source.open()
        self._say(Status(Phase.PLAYING, duration=source.duration, pace=source.rate))

    def _play(self, source: Source) -> None:
        due = time.perf_counter()  # when the next frame is to be shown
        before: float | None = None  # position of the frame before, unless there was a jump
        while True:
            playback, target, steps = self._orders()
            if playback is None:
                return
            if target is not None:
                source.seek(target)
                before = None
            if steps:
                source.step(self.status.position if target is None else target, steps)
                before = None
            try:
                found = self._read(source)
            except Lost as lost:
                if not self._reopened(source, str(lost)):
                    return
                before = None
                continue
            # The frame after a jump is shown wherever it lies.
            over = bool(playback.last) and before is not None
            if found is None or (over and found[1] > playback.last + SAME_SECONDS):
                if found is None and before is None:
                    raise ExplorerError("The film has no more frames.", "Open it again.")
                due += 1 / source.rate / playback.speed if source.rate > 0 else 0.0
                if self._waited(due) and not self._at_end(source, playback):
                    return
                before = None
                continue
            pixels, position = found
            now = time.perf_counter()
            if before is None or source.rate <= 0:
                due = now
            else:
                step = position - before if source.duration else 1 / source.rate
                due = max(due + max(0.0, step) / playback.speed, now - 0.1)  # no catching up
                if not self._waited(due):
                    continue  # an order came: this frame is not the requested one
            before = position
            self._put(pixels, position, source)

    def _orders(self) -> tuple[Playback | None, float | None, int]:
        """Waits while paused; (None, …) = stop, else how to play, where to jump, frames to step."""
        with self._lock:
            while not self._stopping:
                target, self._seek = self._seek, None
                steps, self._steps = self._steps, 0
                if target is not None or steps or not self._playback.paused:
                    self._phase(Phase.PAUSED if self._playback.paused else Phase.PLAYING)
                    return self._playback, target, steps
                self._phase(Phase.PAUSED)
                self._lock.wait()
            return None, None, 0

    def _waited(self, due: float) -> bool:
        with self._lock:
            self._lock.wait_for(self._ordered, max(0.0, due - time.perf_counter()))
            return not self._ordered()

    def _ordered(self) -> bool:
        # With the lock held.
        return self._stopping or self._seek is not None or self._steps != 0

    def _at_end(self, source: Source, playback: Playback) -> bool:
        """Goes back to the in point, or waits there for an order; False = stop."""
        if playback.loop:
            source.seek(playback.first)
            return True
        with self._lock:
            self._phase(Phase.ENDED)
            self._lock.wait_for(lambda: self._ordered() or self._playback.loop)
            if self._stopping:
                return False
            if not self._ordered():
                self._seek = self._playback.first
        return True

    def _reopened(self, source: Source, why: str) -> bool:
        """Tries until the source is back; False = stop."""
        hint = "It resumes when the source is back."
        self._say(replace(self.status, phase=Phase.LOST, message=why, hint=hint, rate=0.0))
        while True:
            source.close()
            with self._lock:
                if self._lock.wait_for(lambda: self._stopping, RETRY_SECONDS):
                    return False
            try:
                self._opened(source)
            except (ExplorerError, Lost) as error:
                log.info("still lost: %s", error)
            else:
                return True

    def _put(self, pixels: NDArray[np.uint8], position: float, source: Source) -> None:
        now = time.perf_counter()
        self._times = [t for t in self._times if now - t < 1.0] + [now]
        span = now - self._times[0]
        rate = (len(self._times) - 1) / span if span > 0 else 0.0
        with self._lock:
            self._status = replace(
                self._status, position=position, duration=source.duration, rate=rate
            )
        pixels.setflags(write=False)
        self._slot.put(Shot(pixels, self._number, now, position))
        self._number += 1

    def _read(self, source: Source) -> tuple[NDArray[np.uint8], float] | None:
        with self._lock:
            self._reading = time.perf_counter()
        try:
            return source.read()
        finally:
            with self._lock:
                self._reading = None

    def _phase(self, phase: Phase) -> None:
        # With the lock held.
        if self._status.phase is not phase:
            self._status = replace(self._status, phase=phase, message="", hint="")
            self._notify()

    def _say(self, status: Status) -> None:
        with self._lock:
            changed = status.phase is not self._status.phase
            self._status = status
        if changed:
            self._notify()


def _nobody() -> None:
    """The receiver is gone."""
