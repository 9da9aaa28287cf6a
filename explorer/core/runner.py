"""The one worker thread: latest wins, cancel between steps, newest-only inbox.

The runner knows nothing of torch, views or Qt: a job is a generator of steps. Each turn advances
the job that was submitted last, so a short question is answered while a dream waits. A job marked
`live` (a camera that never ends) takes turns with that one instead: it neither starves nor is
starved. Jobs marked `background` (an evaluation of a thousand photos) stand behind every question:
they take turns with each other, and with live ones, while there is no question.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.step import Step

log = logging.getLogger(__name__)

JobSteps = Generator[Step[Any], Any, None]


def lower_priority(*, least: bool = False) -> None:
    """Gives other threads priority over this one, for good, where the system can: on Linux.

    With `least` it runs in the time that nobody else wants.
    """
    if sys.platform == "linux":  # a thread has its own nice value there
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19 if least else 10)


class _Gate:
    """Every runner's steps pass it; a measurement closes it for all but its own thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside: set[int] = set()
        self._alone: int | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around a step of a job: it begins when nothing is measured."""
        me = threading.get_ident()
        with self._condition:
            self._condition.wait_for(lambda: self._alone in (None, me))
            self._inside.add(me)
        try:
            yield
        finally:
            with self._condition:
                self._inside.discard(me)
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        me = threading.get_ident()
        with self._condition:
            if self._alone == me:
                outer = True
            else:
                outer = False
                self._condition.wait_for(lambda: self._alone is None)
                self._alone = me
                self._condition.wait_for(lambda: self._inside <= {me}, PATIENCE)
        try:
            yield
        finally:
            if not outer:
                with self._condition:
                    self._alone = None
                    self._condition.notify_all()


PATIENCE = 2.0
"""Seconds that a measurement waits for others' steps: one may hang on the web."""

_gate = _Gate()


def measuring() -> AbstractContextManager[None]:
    """Inside, no other runner begins a step, so that nothing else uses the processor.

    Never `yield` inside: the others would wait until the next step is taken.
    """
    return _gate.alone()


class State(Enum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Why a job ended: a sentence and a hint for the user, a traceback for a report.

    `about` and `instead` are those of the `ExplorerError`; empty for a defect.
    """

    message: str
    hint: str
    traceback: str
    expected: bool
    about: str = ""
    instead: tuple[str, ...] = ()

    @property
    def details(self) -> str:
        """What helps beyond the sentence: the traceback of a defect, nothing otherwise."""
        return "" if self.expected else self.traceback


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """The newest news of one job.

    `ticket` is the number `submit` gave: an update with an older ticket than the last submit of its
    key is stale (the runner drops its own, the receiver compares). `value` is the newest
    step's value, also on a failure or a cancel (the last good picture stays); None before the
    first. `seconds` is the time the job has worked, without waiting.
    """

    key: Hashable
    ticket: int
    state: State
    value: Any
    done: int
    total: int
    note: str
    seconds: float
    steps: int
    failure: Failure | None = None


class Token:
    """Whether the job is to continue; checked between steps and inside long forwards."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()


class _Job:
    __slots__ = (
        "background",
        "key",
        "live",
        "paused",
        "seconds",
        "start",
        "steer",
        "steps",
        "steps_done",
        "ticket",
        "token",
        "turn",
        "value",
    )

    def __init__(
        self,
        key: Hashable,
        ticket: int,
        start: Callable[[Token], JobSteps],
        live: bool,
        background: bool,
    ) -> None:
        self.key, self.ticket, self.start = key, ticket, start
        self.live, self.background = live, background
        self.token = Token()
        self.steps: JobSteps | None = None
        self.steer: Any = None
        self.paused = False
        self.turn = 0
        self.seconds = 0.0
        self.steps_done = 0
        self.value: Any = None


class Runner:
    """Runs jobs on one plain, joined thread.

    Args:
        notify: Called on the runner's thread when the inbox goes from empty to non-empty, never
            while it holds news already. It must only wake the receiver up (emit a queued signal).
        name: The thread's name.
    """

    def __init__(self, notify: Callable[[], None], name: str = "runner") -> None:
        self._notify = notify
        self._condition = threading.Condition()
        self._jobs: dict[Hashable, _Job] = {}
        self._closing: list[_Job] = []
        self._inbox: dict[Hashable, Update] = {}
        self._tickets = itertools.count(1)
        self._turns = itertools.count(1)
        self._current: _Job | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=False)
        self._thread.start()

    # -- any thread -------------------------------------------------------------------------------

    def submit(
        self,
        key: Hashable,
        start: Callable[[Token], JobSteps],
        *,
        live: bool = False,
        background: bool = False,
    ) -> int:
        """Replaces the job of `key`, waiting or running, and returns the new job's ticket.

        Args:
            key: One job of a key at a time.
            start: Makes the generator, on the runner's thread.
            live: It never ends: it takes turns with whatever else runs.
            background: It waits while any question is open.
        """
        with self._condition:
            if self._stopping:
                raise RuntimeError("the runner is closed")
            self._retire(key)
            self._inbox.pop(key, None)
            job = _Job(key, next(self._tickets), start, live, background)
            self._jobs[key] = job
            self._condition.notify()
            return job.ticket

    def steer(self, key: Hashable, params: Any) -> bool:
        """Hands `params` to the running job at its next step; False when there is none."""
        with self._condition:
            job = self._jobs.get(key)
            if job is None:
                return False
            job.steer = params
            return True

    def pause(self, key: Hashable, paused: bool) -> bool:
        """Stops giving turns to the job of `key`, or resumes; False when there is none."""
        with self._condition:
            job = self._jobs.get(key)
            if job is None:
                return False
            job.paused = paused
            self._condition.notify()
            return True

    def cancel(self, key: Hashable) -> bool:
        """Asks the job of `key` to end; a last update says CANCELLED. False when there is none."""
        with self._condition:
            job = self._jobs.get(key)
            if job is None:
                return False
            self._retire(key)
            self._post(self._update(job, State.CANCELLED, note="canceled"))
            self._condition.notify()
        return True

    def cancel_all(self) -> None:
        with self._condition:
            keys = tuple(self._jobs)
        for key in keys:
            self.cancel(key)

    def take(self) -> list[Update]:
        """The newest update of every key since the last call, oldest first; empties the inbox."""
        with self._condition:
            updates = list(self._inbox.values())
            self._inbox.clear()
        return updates

    @property
    def busy(self) -> bool:
        """True while any job is waiting, paused or running, background ones included."""
        with self._condition:
            return bool(self._jobs) or bool(self._closing) or self._current is not None

    def close(self, timeout: float = 3.0) -> bool:
        """Cancels everything and joins the thread; False when it did not end in time."""
        with self._condition:
            self._stopping = True
            for key in tuple(self._jobs):
                self._retire(key)
            self._condition.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- with the lock held -----------------------------------------------------------------------

    def _retire(self, key: Hashable) -> None:
        job = self._jobs.pop(key, None)
        if job is None:
            return
        job.token.cancel()
        if job.steps is not None and job is not self._current:
            self._closing.append(job)  # a generator is closed on the thread that runs it

    def _next_job(self) -> _Job | None:
        ready = [job for job in self._jobs.values() if not job.paused]
        if not ready:
            return None
        questions = [job for job in ready if not (job.live or job.background)]
        newest = max(questions, key=lambda job: job.ticket, default=None)
        candidates = [
            job for job in ready if job.live or job is newest or (job.background and newest is None)
        ]
        return min(
            candidates, key=lambda job: job.turn
        )  # the one that waited longest; 0 = never had a turn

    def _post(self, update: Update) -> None:
        was_empty = not self._inbox
        self._inbox.pop(update.key, None)
        self._inbox[update.key] = update
        if was_empty:
            self._notify()

    def _update(
        self,
        job: _Job,
        state: State,
        done: int = 0,
        total: int = 0,
        note: str = "",
        failure: Failure | None = None,
    ) -> Update:
        return Update(
            job.key,
            job.ticket,
            state,
            job.value,
            done,
            total,
            note,
            job.seconds,
            job.steps_done,
            failure,
        )

    # -- the runner's thread ----------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            with self._condition:
                while not (self._stopping or self._closing or self._next_job()):
                    self._condition.wait()
                closing, self._closing = self._closing, []
                job = None if closing else self._next_job()
                self._current = job
                if job is not None:
                    job.turn = next(self._turns)
                stop = self._stopping and job is None and not closing
            for old in closing:
                self._close_steps(old)
            if stop:
                return
            if job is not None:
                self._turn(job)

    def _turn(self, job: _Job) -> None:
        with _gate.step():
            self._advance(job)

    def _advance(self, job: _Job) -> None:
        began = time.perf_counter()
        step: Step[Any] | None = None
        ended = False
        failure: Failure | None = None
        try:
            if job.steps is None:
                job.steps = job.start(job.token)
                step = next(job.steps)
            else:
                with self._condition:
                    params, job.steer = job.steer, None
                step = job.steps.send(params)
        except StopIteration:
            ended = True
        except Cancelled:
            job.token.cancel()
        except Exception as error:  # noqa: BLE001 - the one place where any failure of a job becomes news
            failure = _failure(error)
        job.seconds += time.perf_counter() - began
        with self._condition:
            self._current = None
            wanted = self._jobs.get(job.key) is job
            if step is not None:
                job.value = step.value
                job.steps_done += 1
            if wanted:
                if failure is not None:
                    del self._jobs[job.key]
                    self._post(self._update(job, State.FAILED, failure=failure))
                elif ended:
                    del self._jobs[job.key]
                    self._post(self._update(job, State.DONE, 1, 1))
                elif job.token.cancelled:
                    del self._jobs[job.key]
                    self._post(self._update(job, State.CANCELLED, note="canceled"))
                elif step is not None:
                    self._post(self._update(job, State.RUNNING, step.done, step.total, step.note))
        if not wanted or job.token.cancelled:
            self._close_steps(job)

    @staticmethod
    def _close_steps(job: _Job) -> None:
        if job.steps is None:
            return
        try:
            job.steps.close()
        except (
            Exception
        ):  # the user has already left this job; its clean-up must not end the thread
            log.exception("closing the job %r failed", job.key)
        job.steps = None


def _failure(error: Exception) -> Failure:
    text = "".join(traceback.format_exception(error))
    if isinstance(error, ExplorerError):
        return Failure(error.message, error.hint, text, True, error.about, error.instead)
    log.error("a job failed\n%s", text)
    sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Failure(
        f"Something went wrong: {sentence}",
        "Copy the details to report it; the program continues.",
        text,
        expected=False,
    )
