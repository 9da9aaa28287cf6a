"""A folder job from its sources to its result: what is done is skipped, the rest is computed."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from explorer.batch.chunks import computed, cut
from explorer.batch.job import Failure, OwnPhotos, packed, settings_of
from explorer.batch.photos import photos_of
from explorer.batch.store import MOST_FAILURES, changed_note, listing_of, opened
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.core.storage.checkpoint import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from explorer.batch.chunks import Chunk, Part
    from explorer.batch.job import FolderJob, Recipe
    from explorer.batch.store import Store

T = TypeVar("T")

_OFTEN = 0.1
"""Seconds between two steps: a caller need not hear of every photo."""

_RECENT = 30.0
"""Seconds that the rate is an average of."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done.

    Attributes:
        recipe: Of the job.
        sources: See `photos`.
        out: The folder of the result.
        batch: At most so many photos go through the network together.
        chunk: Photos in a chunk; 0 = as the job has it.
        limit: Only the first so many photos; 0 = all.
        retry: Photos that failed in an earlier run are tried again.
    """

    recipe: Recipe
    sources: tuple[str, ...]
    out: Path
    batch: int = 1
    chunk: int = 0
    limit: int = 0
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """How far a job is.

    Attributes:
        done: Photos with a row, those of earlier runs included.
        skipped: Of these, photos of earlier runs.
        rate: Photos a second, of this run.
        complete: The result is there.
        failed: How many photos have no result; before the end, of this run alone.
        failures: The first `store.MOST_FAILURES` of them.
        notes: Sentences for the user.
        outputs: Of a finished job: names in OUT.
    """

    done: int = 0
    skipped: int = 0
    rate: float = 0.0
    complete: bool = False
    failed: int = 0
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class Gain(NamedTuple):
    """What a back end has done since it was heard last: photos, and those of them that failed."""

    photos: int = 0
    failures: tuple[Failure, ...] = ()


class BackEnd(Protocol):
    """Computes chunks, here or elsewhere."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the user."""

    def begin(self, wish: Wish) -> tuple[FolderJob, Mapping[str, Any]]:
        """The job, which merges the result, and the settings of who computes.

        Raises:
            ExplorerError: What the job needs is missing.
        """

    def work(
        self,
        job: FolderJob,
        wish: Wish,
        chunks: Iterable[Chunk],
        store: Store,
        stopped: Callable[[], bool],
    ) -> Iterator[Gain]:
        """Computes the chunks and adds them to the store, until `stopped` at the end of one.

        Yields:
            What was done, now and then also nothing.
        """

    def close(self) -> None:
        """Ends what was started."""


def usual_decoders() -> int:
    """Threads that decode photos, unless the user says otherwise."""
    return min(8, max(2, (os.cpu_count() or 2) // 2))


class Local:
    """This process: threads that decode, and one network."""

    notes: Sequence[str] = ()

    def __init__(self, decoders: int) -> None:
        self._decoders = decoders

    def begin(self, wish: Wish) -> tuple[FolderJob, Mapping[str, Any]]:
        """See `BackEnd`."""
        job = wish.recipe.make()
        size = wish.chunk or job.chunk
        return job, settings_of(wish.recipe, job, chunk=size, batch=wish.batch)

    def close(self) -> None:
        """Nothing is left."""

    def work(
        self,
        job: FolderJob,
        wish: Wish,
        chunks: Iterable[Chunk],
        store: Store,
        stopped: Callable[[], bool],
    ) -> Iterator[Gain]:
        """See `BackEnd`."""
        before = 0
        parts = computed(job, chunks, batch=wish.batch, decoders=self._decoders)
        with contextlib.closing(parts):
            for part in parts:
                if part.rows:
                    store.add(part.chunk, encoded_part(part))
                yield Gain(part.done - before, failures_in(part))
                before = 0 if part.rows else part.done
                if part.rows and stopped():
                    return


def failures_in(part: Part) -> tuple[Failure, ...]:
    """Of a chunk; none before all of it is computed."""
    if not part.rows:
        return ()
    both = zip(part.rows, part.chunk.photos, strict=True)
    return tuple(Failure(row.name, row.reason, at.address) for row, at in both if row.reason)


def encoded_part(part: Part) -> bytes:
    """The file of a chunk that is computed."""
    addresses = [photo.address for photo in part.chunk.photos]
    return encoded(packed(part.rows, part.stamps, addresses))


def run(
    wish: Wish,
    back_end: BackEnd,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[Step[Report], None, None]:
    """Does a job, or what is left of it.

    Args:
        wish: What is to be done.
        back_end: Who computes.
        stopped: Asked at the end of each chunk: True ends the run there.

    Yields:
        The report so far, a few times a second; the last one is complete unless it was stopped.

    Raises:
        ExplorerError: For whatever the user can mend. What was computed is kept.
    """
    with contextlib.closing(back_end):
        check_place(wish.out, wish.sources)
        job, found = back_end.begin(wish)
        sources = [_settled(word) for word in wish.sources]
        settings = {**found, "sources": sources, "limit": wish.limit}
        size = wish.chunk or job.chunk
        with opened(wish.out, settings) as store:
            if wish.retry:
                store.retry()
            if store.complete:
                yield from _finished(wish, size, job, store)
            else:
                yield from _worked(wish, size, job, store, back_end, stopped)


def check_place(out: Path, sources: Sequence[str]) -> None:
    """Raises where OUT lies in a folder of photos: results would become photos of the next run."""
    resolved = Path(out).resolve()
    for word in sources:
        place = Path(word).resolve() if "://" not in word else None
        if place is not None and os.path.isdir(place) and resolved.is_relative_to(place):
            raise ExplorerError(
                f"{out} lies in {word}, whose photos are read.", "Choose a folder beside it."
            )


def _settled(word: str) -> str:
    return word if "://" in word else str(Path(word).absolute())


def _chunks(wish: Wish, size: int, job: FolderJob, problems: list[str]) -> Iterator[Chunk]:
    photos = job.photos() if isinstance(job, OwnPhotos) else photos_of(wish.sources, problems)
    return cut(islice(photos, wish.limit) if wish.limit else photos, size)


def _finished(wish: Wish, size: int, job: FolderJob, store: Store) -> Iterator[Step[Report]]:
    """Nothing is left to be done, if the photos are still the same ones."""
    problems: list[str] = []
    chunks = _chunks(wish, size, job, problems)
    store.check_listing(listing_of(chunk.digest for chunk in chunks))
    store.tidy()  # what a program that was killed may have left
    count = int(store.manifest.get("photos", 0))
    notes = (*problems, "The job was finished before: nothing was computed.")
    yield Step(_complete(store, count, count, 0.0, notes), count, count)


def _worked(
    wish: Wish,
    size: int,
    job: FolderJob,
    store: Store,
    back_end: BackEnd,
    stopped: Callable[[], bool],
) -> Iterator[Step[Report]]:
    problems: list[str] = []
    pace, failed = _Pace(), _Failed()
    listed = _Listed(_chunks(wish, size, job, problems), store)
    with _Counter(wish, job) as counter:
        for gain in back_end.work(job, wish, listed, store, stopped):
            pace.add(gain.photos)
            failed.add(gain.failures)
            if pace.due():
                done = pace.done + listed.skipped
                yield Step(
                    failed.told(Report(done, listed.skipped, pace.rate)), done, counter.total,
                    pace.words(counter.total - done if counter.total else 0),
                )  # fmt: skip
    done = pace.done + listed.skipped
    report = failed.told(Report(done, listed.skipped, pace.overall))
    if not listed.ended or store.count < listed.count:
        yield Step(report, done, counter.total)
        return
    if not listed.count:
        raise ExplorerError(
            f"There are no photos in {', '.join(wish.sources)}.",
            problems[0] if problems else "Choose other photos.",
        )
    store.check_count(listed.count)
    writing = Step(report, done, done, "writing the result")
    note = changed_note((yield from _aside(partial(store.finish, job), writing)))
    notes = [*problems, *back_end.notes, *([note] if note else [])]
    yield Step(_complete(store, done, listed.skipped, pace.overall, notes), done, done)


def _complete(store: Store, done: int, skipped: int, rate: float, notes: Sequence[str]) -> Report:
    outputs = tuple(store.manifest.get("outputs", ()))
    failed = int(store.manifest.get("failures", 0))
    return Report(done, skipped, rate, True, failed, store.failures(), tuple(notes), outputs)


def _aside(
    work: Callable[[Callable[[], bool]], T], step: Step[Report]
) -> Generator[Step[Report], None, T]:
    """What `work` gives on a thread; `step` is said meanwhile.

    Its argument says whether it is to end, which is so when this generator is closed.
    """
    left = threading.Event()
    with ThreadPoolExecutor(1, "explorer write") as pool:
        future = pool.submit(work, left.is_set)
        try:
            yield step
            while not wait_for([future], _OFTEN).done:
                yield step
            return future.result()
        finally:
            left.set()


class _Failed:
    """The failures of this run, the first of them by name."""

    def __init__(self) -> None:
        self._count = 0
        self._first: tuple[Failure, ...] = ()

    def add(self, failures: tuple[Failure, ...]) -> None:
        self._count += len(failures)
        if room := MOST_FAILURES - len(self._first):
            self._first += failures[:room]

    def told(self, report: Report) -> Report:
        return replace(report, failed=self._count, failures=self._first)


class _Listed:
    """The chunks that are still to be computed, listed as they are asked for.

    Attributes:
        skipped: Photos of the chunks that were done before.
        count: Chunks so far.
        ended: All chunks were asked for.
    """

    def __init__(self, chunks: Iterator[Chunk], store: Store) -> None:
        self._chunks, self._store = chunks, store
        self.skipped = self.count = 0
        self.ended = False

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            self.count += 1
            if self._store.has(chunk):
                self.skipped += len(chunk.photos)
            else:
                yield chunk
        self.ended = True


class _Counter:
    """Counts the photos beside the work, for the time that is left; `total` is 0 until it knows."""

    def __init__(self, wish: Wish, job: FolderJob) -> None:
        self._wish, self._job = wish, job
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count, name="explorer count")
        self.total = 0

    def __enter__(self) -> _Counter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _count(self) -> None:
        try:
            count = 0
            for chunk in _chunks(self._wish, 1000, self._job, []):
                if self._stop.is_set():
                    return
                count += len(chunk.photos)
        except ExplorerError:
            return  # the work comes to the same sentence
        self.total = count


class _Pace:
    """Photos a second, lately and over all."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._marks: list[tuple[float, int]] = [(self._began, 0)]
        self.done = 0

    def add(self, more: int) -> None:
        self.done += more

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._told < _OFTEN:
            return False
        self._told = now
        self._marks.append((now, self.done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _RECENT:
            del self._marks[0]
        return True

    @property
    def rate(self) -> float:
        (began, before), (now, done) = self._marks[0], self._marks[-1]
        return (done - before) / (now - began) if now > began else 0.0

    @property
    def overall(self) -> float:
        return self.done / max(time.monotonic() - self._began, 1e-9)

    def words(self, left: int) -> str:
        rate = self.rate
        if rate <= 0:
            return ""
        shown = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
        return f"{shown} photos/s" + (f", {_duration(left / rate)} left" if left > 0 else "")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return quantity(round(seconds / 86400), "day")
