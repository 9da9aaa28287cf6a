"""The background jobs of the window: started, listed, paused, canceled, kept over a restart.

They run on the runner behind every question, whatever is shown. Files are written on the
runner's thread too: nothing here waits for a disk.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.errors import ExplorerError
from explorer.core.runner import State
from explorer.core.step import Step
from explorer.jobs import store as user_store
from explorer.ui.shell.bridge import is_over

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.jobs import Job, JobStore
    from explorer.core.runner import Failure, JobSteps, Token, Update
    from explorer.engine.engine import Engine
    from explorer.ui.shell.bridge import Bridge

RESTORE = "jobs-restore"

MOST_OVER = 20
"""So many jobs that have ended stay in the list; the oldest leave it first."""


class Phase(Enum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        return self in (Phase.DONE, Phase.FAILED)


@dataclass(slots=True, eq=False)
class Background:
    """One job as the list shows it.

    Attributes:
        job: What is done.
        phase: Where it stands.
        share: Of the work, in [0, 1]; -1 = not known.
        note: What it is at.
        seconds: Of work since it was started or resumed.
        value: Of its newest step.
        failure: Why it ended.
        wanted: The user has not canceled it.
    """

    job: Job
    phase: Phase = Phase.WAITING
    share: float = -1.0
    note: str = ""
    seconds: float = 0.0
    value: Any = None
    failure: Failure | None = None
    wanted: bool = True


class BackgroundJobs(QObject):
    """See the module.

    Args:
        bridge: The runners.
        store: Where they are kept; by default the user's.

    Signals:
        changed: A job's id: it is new, it is elsewhere, or it is gone.
        ended: A job's id: it is done, or has failed.
    """

    changed = Signal(str)
    ended = Signal(str)

    def __init__(
        self, bridge: Bridge, parent: QObject | None = None, store: JobStore | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store or user_store()
        self._jobs: dict[str, Background] = {}
        self._pending: dict[str, Callable[[], None]] = {}  # what is still to be done to its files

    @property
    def all(self) -> tuple[Background, ...]:
        """In the order in which they were started."""
        return tuple(self._jobs.values())

    def find(self, job_id: str) -> Background | None:
        return self._jobs.get(job_id)

    def newest(self, kind: str) -> Background | None:
        """The job of this kind that was started last."""
        return next((found for found in reversed(self.all) if found.job.kind == kind), None)

    # -- what the user asks -----------------------------------------------------------------------

    def restore(self) -> None:
        """Takes up what earlier runs of the program have left; what was paused stays so."""

        def job() -> Generator[Step[list[Job]], Any, None]:
            yield Step(self._store.claim())

        self._bridge.work(RESTORE, lambda _: job(), self._restored)

    def start(self, kind: str, title: str, params: Mapping[str, Any]) -> str:
        """Starts a job of a registered kind; returns its id."""
        job = self._store.new(kind, title, params)
        self._jobs[job.id] = Background(job)
        self._submit(job)
        return job.id

    def pause(self, job_id: str, on: bool = True) -> None:
        """Pauses a job, also over a restart, or resumes it; one that has failed is tried again."""
        found = self._jobs[job_id]
        rests = found.phase in (Phase.PAUSED, Phase.FAILED)
        if found.phase is Phase.DONE or rests == on:
            return
        again = not on and not self._bridge.pause(on, job_id)  # it never ran, or it has failed
        if on:
            self._bridge.pause(on, job_id)
        found.job = replace(found.job, paused=on)
        found.phase = Phase.PAUSED if on else Phase.WAITING
        self._file(job_id, partial(self._store.save, found.job))
        if again:
            self._submit(found.job)
        else:
            self.changed.emit(job_id)

    def cancel(self, job_id: str) -> None:
        """Ends a job and takes it off the list; nothing of it is kept."""
        found = self._jobs.pop(job_id, None)
        if found is None:
            return
        found.wanted = False
        self._bridge.cancel(job_id)
        if found.phase is not Phase.DONE:
            self._file(job_id, partial(self._store.remove, found.job))
        self.changed.emit(job_id)

    def close(self) -> None:
        """After the runners have ended: unfinished jobs are left to the next run."""
        for act in self._pending.values():
            with contextlib.suppress(ExplorerError):  # a full disk can no longer be told
                act()
        self._pending.clear()
        self._store.close()

    # -- inside -----------------------------------------------------------------------------------

    def _submit(self, job: Job) -> None:
        found = self._jobs[job.id]
        found.phase, found.failure, found.share = Phase.WAITING, None, -1.0

        def begin(engine: Engine, token: Token) -> JobSteps:
            return self._store.steps(job, engine, token, lambda: found.wanted)

        self._bridge.compute(job.id, begin, self._news, background=True)
        self.changed.emit(job.id)

    def _restored(self, update: Update) -> None:
        if update.state is not State.DONE:
            return
        for job in update.value:
            phase = Phase.PAUSED if job.paused else Phase.WAITING
            self._jobs.setdefault(job.id, Background(job, phase))
            if job.paused:
                self.changed.emit(job.id)
            else:
                self._submit(job)

    def _news(self, update: Update) -> None:
        found = self._jobs.get(str(update.key))
        if found is None:
            return
        found.seconds = update.seconds
        found.value = update.value if update.value is not None else found.value
        if update.state is State.RUNNING:
            found.phase = Phase.PAUSED if found.phase is Phase.PAUSED else Phase.RUNNING
            found.note = update.note
            known = update.total > 0 and found.value is not None  # before that it is made ready
            found.share = min(update.done / update.total, 1.0) if known else -1.0
        elif update.state is State.DONE:
            found.phase, found.share = Phase.DONE, 1.0
        else:
            found.phase, found.failure = Phase.FAILED, update.failure
            found.job = replace(found.job, paused=True)  # the next run waits for the user
            self._file(found.job.id, partial(self._store.save, found.job))
        self.changed.emit(found.job.id)
        if is_over(update):
            self.ended.emit(found.job.id)
            for old in [other for other in self.all if other.phase.over][:-MOST_OVER]:
                self.cancel(old.job.id)

    def _file(self, job_id: str, act: Callable[[], None]) -> None:
        """Writes or removes a job's files, on the thread that runs it."""
        self._pending[job_id] = act

        def job() -> Generator[Step[None], Any, None]:
            act()
            if self._pending.get(job_id) is act:
                del self._pending[job_id]
            yield Step(None)

        self._bridge.work(("job-file", job_id), lambda _: job(), self._filed)

    def _filed(self, _update: Update) -> None:
        """The store logs what goes wrong."""
