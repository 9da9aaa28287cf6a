"""Background jobs: long work that runs behind every question and survives a restart.

A job is the name of a registered kind, plain parameters, and now and then a checkpoint. A kind is
the importable name of a function, written in the program's own code and never read from a file:
what lies on the disk can only name a kind that is registered. The function makes a generator of
steps of at most 100 ms, so that a question never waits long for the runner::

    def evaluation(work: Work, params: Mapping[str, Any]) -> Generator[Step[Report], Any, None]:
        score = Score(work.resumed)             # what an earlier run had, or None
        work.keep(score.checkpoint)             # called between two steps, at most once a minute
        for photo in photos[score.done:]:
            score.add(photo)
            yield Step(score.report(), score.done, len(photos))

`work.keep` names the function that gives the state of the moment; it must be complete whenever the
generator has yielded, whatever the batch that is being put together.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.reading import listed
from explorer.core.storage import checkpoint as files
from explorer.core.storage.atomic import write_bytes
from explorer.core.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from explorer.core.runner import JobSteps, Token
    from explorer.core.storage.checkpoint import Checkpoint

log = logging.getLogger(__name__)

SAVE_SECONDS = 60.0
"""A checkpoint is written when the last one is older than this; a killed program loses no more."""

DESCRIPTION, STATE, LOCK = "job.json", "state.npz", "lock"

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """One long piece of work, as it is kept on the disk.

    Attributes:
        id: Letters and digits, its own.
        kind: The name of a registered kind.
        title: For people.
        params: What the kind's function needs, as JSON has it.
        paused: It does not continue by itself.
    """

    id: str
    kind: str
    title: str
    params: Mapping[str, Any] = field(default_factory=dict)
    paused: bool = False


@dataclass(slots=True, eq=False)
class Work:
    """What a job's function is given beside its parameters.

    Attributes:
        host: What the runner's thread lends it (the engine with its networks).
        token: Whether the job is to continue; checked inside long steps.
        resumed: The last checkpoint of an earlier run; None = it starts at the beginning.
    """

    host: Any
    token: Token
    resumed: Checkpoint | None = None
    _state: Callable[[], Checkpoint] | None = None

    def keep(self, state: Callable[[], Checkpoint]) -> None:
        """From now on `state()` is what a resumed run needs."""
        self._state = state

    def checkpoint(self) -> Checkpoint | None:
        """The state of the moment; None while there is nothing worth keeping."""
        return self._state() if self._state is not None else None


class JobStore:
    """The jobs that are not finished, one folder each.

    Args:
        folder: Theirs; made when the first job is kept.
        kinds: By name the function, as "package.module:function". Only these are ever run.
    """

    def __init__(self, folder: Path, kinds: Mapping[str, str]) -> None:
        self._folder = folder
        self._kinds = dict(kinds)
        self._locks: dict[str, int] = {}

    def new(self, kind: str, title: str, params: Mapping[str, Any]) -> Job:
        """A job that is not on the disk yet."""
        if kind not in self._kinds:
            raise ValueError(f"{kind!r} is not among {', '.join(self._kinds)}")
        return Job(secrets.token_hex(8), kind, title, params)

    def claim(self) -> list[Job]:
        """The unfinished jobs of earlier runs, oldest first, for this program alone.

        What another running program works on, what is damaged and what is of an unknown kind is
        left where it is.
        """
        found: list[tuple[float, Job]] = []
        for path in listed(self._folder, f"*/{DESCRIPTION}"):
            with contextlib.suppress(OSError):
                job = self._read(path)
                if job is not None and self._lock(job.id):
                    found.append((path.stat().st_mtime, job))
        return [job for _, job in sorted(found, key=lambda entry: entry[0])]

    def save(self, job: Job) -> None:
        """Keeps the job so that a later run of the program finds it.

        Raises:
            ExplorerError: It cannot be written.
        """
        place = self._place(job.id)
        with contextlib.suppress(OSError):  # writing says what is wrong
            place.mkdir(parents=True, exist_ok=True)
            self._lock(job.id)
        write_bytes(place / DESCRIPTION, json.dumps(asdict(job), allow_nan=False).encode("ascii"))

    def save_state(self, job: Job, state: Checkpoint) -> None:
        """Replaces the checkpoint of a job that `save` has kept.

        Raises:
            ExplorerError: It cannot be written; the one before is as it was.
        """
        files.write(self._place(job.id) / STATE, state)

    def state(self, job: Job) -> Checkpoint | None:
        """The last checkpoint; None when there is none, or a damaged one."""
        return files.read(self._place(job.id) / STATE)

    def remove(self, job: Job) -> None:
        """The job is finished or canceled."""
        # The description goes first: without it the rest is no job.
        place = self._place(job.id)
        with contextlib.suppress(OSError):
            (place / DESCRIPTION).unlink(missing_ok=True)
        self._unlock(job.id)
        shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        """Lets go of all jobs, for the next run of the program."""
        for job_id in tuple(self._locks):
            self._unlock(job_id)

    def steps(self, job: Job, host: Any, token: Token, wanted: Callable[[], bool]) -> JobSteps:
        """The job's work as a generator for the runner, from its last checkpoint on.

        The job is kept on the disk from its first step to its end; its state at most every
        `SAVE_SECONDS`, and once more when it is broken off because the program ends.

        Args:
            job: What to do.
            host: See `Work`.
            token: See `Work`.
            wanted: False when the user has canceled the job: nothing is kept any more.

        Raises:
            ExplorerError: For whatever the user can mend.
        """
        function = self._function(job.kind)
        work = Work(host, token, self.state(job))
        self._quietly(self.save, job)
        inner = function(work, job.params)
        saved = time.monotonic()
        try:
            for step in inner:
                yield step
                if time.monotonic() - saved >= SAVE_SECONDS:
                    self._keep(job, work)
                    saved = time.monotonic()
        except (GeneratorExit, Cancelled):
            if wanted():
                self._keep(job, work)
            raise
        finally:
            inner.close()
        self.remove(job)

    # -- inside -----------------------------------------------------------------------------------

    def _function(self, kind: str) -> Callable[[Work, Mapping[str, Any]], JobSteps]:
        module, _, name = self._kinds[kind].partition(":")
        function: Callable[[Work, Mapping[str, Any]], JobSteps] = getattr(
            importlib.import_module(module), name
        )
        return function

    def _keep(self, job: Job, work: Work) -> None:
        state = work.checkpoint()
        if state is not None:
            self._quietly(self.save_state, job, state)

    def _quietly(self, write: Callable[..., None], *what: Any) -> None:
        # A full disk must not end hours of work for the sake of a checkpoint.
        try:
            write(*what)
        except ExplorerError as error:
            log.warning("a job is not safe from a restart: %s", error)

    def _place(self, job_id: str) -> Path:
        return self._folder / job_id

    def _lock(self, job_id: str) -> bool:
        if job_id in self._locks:
            return True
        handle = locked(self._place(job_id) / LOCK)
        if handle is None:
            return False
        self._locks[job_id] = handle
        return True

    def _unlock(self, job_id: str) -> None:
        handle = self._locks.pop(job_id, None)
        if handle is not None:
            os.close(handle)

    def _read(self, path: Path) -> Job | None:
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError("it is too large")
            job = Job(**json.loads(path.read_text("ascii")))
            _check(job)
        except (ValueError, TypeError, RecursionError) as error:
            log.warning("the job in %s is left alone: %s", path, error)
            return None
        if job.kind not in self._kinds or job.id != path.parent.name:
            log.warning("the job in %s is of the unknown kind %r", path, job.kind)
            return None
        return job


def _check(job: Job) -> None:
    words = (job.id, job.kind, job.title)
    good = all(isinstance(word, str) for word in words)
    if not (good and isinstance(job.params, dict) and isinstance(job.paused, bool)):
        raise ValueError("its fields are of the wrong kinds")
