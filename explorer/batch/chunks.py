"""The photos of a job cut into chunks, and the way of one photo after the other to its row."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from explorer.batch.job import EndsJob, Row
from explorer.batch.opening import stamp_of
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from explorer.batch.job import FolderJob
    from explorer.batch.opening import Stamp
    from explorer.batch.photos import Photo

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Chunk:
    """Photos that are computed together and whose rows are one file; `number` counts from 0."""

    number: int
    photos: tuple[Photo, ...]

    @property
    def digest(self) -> str:
        """Of the names and numbers of its photos: another listing has another one."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update(f"{photo.name}\0{photo.id}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:_DIGITS]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """How far a chunk is: `done` photos; `rows` and the files' stamps once that is all of them."""

    chunk: Chunk
    done: int
    rows: tuple[Row, ...] = ()
    stamps: tuple[Stamp, ...] = ()


def cut(photos: Iterable[Photo], size: int) -> Iterator[Chunk]:
    """Chunks of `size` photos; the last one may be smaller."""
    rest, number = iter(photos), 0
    while taken := tuple(islice(rest, size)):
        yield Chunk(number, taken)
        number += 1


def computed(
    job: FolderJob, chunks: Iterable[Chunk], *, batch: int, decoders: int
) -> Generator[Part, None, None]:
    """The chunks one after the other, their photos loaded by threads ahead of the one network.

    A batch depends on the photos of its chunk alone, never on time: the same chunk gives the same
    batches, and so the same rows to the last bit.

    Args:
        job: What is computed.
        chunks: Asked for as they are reached.
        batch: At most so many photos go through the network together.
        decoders: Threads that load.

    Yields:
        A part after every batch; the last one of a chunk has its rows.

    Raises:
        EndsJob: The job cannot go on.
    """
    feed = ((chunk, photo) for chunk in chunks for photo in chunk.photos)
    ahead: deque[tuple[Chunk, Photo, Future[_Loaded]]] = deque()
    pool = ThreadPoolExecutor(decoders, "explorer decode")
    current = _Rows(job, batch)
    try:
        while True:
            while len(ahead) <= decoders + batch and (following := next(feed, None)):
                ahead.append((*following, pool.submit(_loaded, job, following[1])))
            if not ahead:
                return
            chunk, photo, loading = ahead.popleft()
            before = current.done
            current.add(photo, loading.result(), last=current.met + 1 == len(chunk.photos))
            if current.done == len(chunk.photos):
                yield Part(chunk, current.done, tuple(current.rows), tuple(current.stamps))
                current = _Rows(job, batch)
            elif current.done > before:
                yield Part(chunk, current.done)
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    item: Any
    reason: str
    stamp: Stamp


def _loaded(job: FolderJob, photo: Photo) -> _Loaded:
    stamp = stamp_of(photo.address)
    try:
        return _Loaded(job.load(photo), "", stamp)
    except EndsJob:
        raise
    except ExplorerError as error:
        return _Loaded(None, error.message, stamp)


class _Rows:
    """The rows of one chunk while they come.

    Attributes:
        rows: In the order of the photos; those that wait for their batch are empty ones.
        met: Photos that were added.
        done: Those of them that have their row.
    """

    def __init__(self, job: FolderJob, batch: int) -> None:
        self._job, self._batch = job, batch
        self._waiting: list[tuple[int, Any]] = []
        self._kind: Any = None
        self.rows: list[Row] = []
        self.stamps: list[Stamp] = []

    @property
    def met(self) -> int:
        return len(self.rows)

    @property
    def done(self) -> int:
        return len(self.rows) - len(self._waiting)

    def add(self, photo: Photo, loaded: _Loaded, *, last: bool) -> None:
        self.rows.append(Row(name=photo.name, id=photo.id, reason=loaded.reason))
        self.stamps.append(loaded.stamp)
        if not loaded.reason:
            kind = self._job.alike(loaded.item) if self._batch > 1 else None
            if self._waiting and kind != self._kind:
                self._flush()
            self._kind = kind
            self._waiting.append((self.met - 1, loaded.item))
            if kind is None or len(self._waiting) >= self._batch:
                self._flush()
        if last and self._waiting:
            self._flush()

    def _flush(self) -> None:
        items = [item for _, item in self._waiting]
        for (at, _), row in zip(self._waiting, self._computed(items), strict=True):
            photo = self.rows[at]
            self.rows[at] = replace(row, name=photo.name, id=photo.id)
        self._waiting.clear()

    def _computed(self, items: Sequence[Any]) -> Sequence[Row]:
        try:
            return self._job.compute(items)
        except EndsJob:
            raise
        except ExplorerError as error:
            if len(items) == 1:
                return [Row(reason=error.message)]
        return [self._computed([item])[0] for item in items]  # only one of them is at fault
