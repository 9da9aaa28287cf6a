"""A folder job from its sources to its result: what is done is skipped, the rest is computed."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from explorer.batch.chunks import computed, cut
from explorer.batch.job import packed, settings_of
from explorer.batch.photos import photos_of
from explorer.batch.store import changed_note, listing_of, opened
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.core.storage.checkpoint import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from explorer.batch.chunks import Chunk, Part
    from explorer.batch.job import FolderJob, Recipe
    from explorer.batch.store import Store

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
    """

    recipe: Recipe
    sources: tuple[str, ...]
    out: Path
    batch: int = 1
    chunk: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """How far a job is.

    Attributes:
        done: Photos with a row, those of earlier runs included.
        skipped: Of these, photos of earlier runs.
        rate: Photos a second, of this run.
        complete: The result is there.
        failures: Of a finished job: photos without a result, and why.
        notes: Sentences for the user.
        outputs: Of a finished job: names in OUT.
    """

    done: int = 0
    skipped: int = 0
    rate: float = 0.0
    complete: bool = False
    failures: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


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
    ) -> Iterator[int]:
        """Computes the chunks and adds them to the store, until `stopped` at the end of one.

        Yields:
            How many more photos were done, now and then also 0.
        """

    def close(self) -> None:
        """Ends what was started."""


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
    ) -> Iterator[int]:
        """See `BackEnd`."""
        before = 0
        parts = computed(job, chunks, batch=wish.batch, decoders=self._decoders)
        with contextlib.closing(parts):
            for part in parts:
                if part.rows:
                    store.add(part.chunk, encoded_part(part))
                yield part.done - before
                before = 0 if part.rows else part.done
                if part.rows and stopped():
                    return


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
        check_places(wish)
        job, found = back_end.begin(wish)
        sources = [_settled(word) for word in wish.sources]
        settings = {**found, "sources": sources, "limit": wish.limit}
        size = wish.chunk or job.chunk
        with opened(wish.out, settings) as store:
            if store.complete:
                yield from _finished(wish, size, store)
            else:
                yield from _worked(wish, size, job, store, back_end, stopped)


def check_places(wish: Wish) -> None:
    """Raises where OUT lies in a folder of photos: results would become photos of the next run."""
    out = Path(wish.out).resolve()
    for word in wish.sources:
        place = Path(word).resolve() if "://" not in word else None
        if place is not None and os.path.isdir(place) and out.is_relative_to(place):
            raise ExplorerError(
                f"{wish.out} lies in {word}, whose photos are read.", "Choose a folder beside it."
            )


def _settled(word: str) -> str:
    return word if "://" in word else str(Path(word).absolute())


def _chunks(wish: Wish, size: int, problems: list[str]) -> Iterator[Chunk]:
    photos = photos_of(wish.sources, problems)
    return cut(islice(photos, wish.limit) if wish.limit else photos, size)


def _finished(wish: Wish, size: int, store: Store) -> Iterator[Step[Report]]:
    """Nothing is left to be done, if the photos are still the same ones."""
    problems: list[str] = []
    store.check_listing(listing_of(chunk.digest for chunk in _chunks(wish, size, problems)))
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
    pace = _Pace()
    listed = _Listed(_chunks(wish, size, problems), store)
    with _Counter(wish) as counter:
        for more in back_end.work(job, wish, listed, store, stopped):
            pace.add(more)
            if pace.due():
                done = pace.done + listed.skipped
                yield Step(
                    Report(done, listed.skipped, pace.rate), done, counter.total,
                    pace.words(counter.total - done if counter.total else 0),
                )  # fmt: skip
    done = pace.done + listed.skipped
    if not listed.ended or store.count < listed.count:
        yield Step(Report(done, listed.skipped, pace.overall), done, counter.total)
        return
    if not listed.count:
        raise ExplorerError(
            f"There are no photos in {', '.join(wish.sources)}.",
            problems[0] if problems else "Choose other photos.",
        )
    store.check_count(listed.count)
    yield Step(Report(done, listed.skipped, pace.overall), done, done, "writing the result")
    note = changed_note(store.finish(job))
    notes = [*problems, *back_end.notes, *([note] if note else [])]
    yield Step(_complete(store, done, listed.skipped, pace.overall, notes), done, done)


def _complete(store: Store, done: int, skipped: int, rate: float, notes: Sequence[str]) -> Report:
    outputs = tuple(store.manifest.get("outputs", ()))
    return Report(done, skipped, rate, True, tuple(store.failures()), tuple(notes), outputs)


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

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
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
            for chunk in _chunks(self._wish, 1000, []):
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
