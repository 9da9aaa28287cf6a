"""An index that is filled while somebody looks: photo by photo, kept on the disk, resumed."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.batch.chunks import computed, cut
from explorer.batch.index.job import entry_of
from explorer.batch.index.store import Segments, key_of
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from explorer.batch.index.job import Index
    from explorer.batch.index.store import Entry, Key
    from explorer.batch.photos import Photo
    from explorer.core.storage.disk_cache import DiskCache
    from explorer.core.storage.disk_cache import Entry as CacheEntry

log = logging.getLogger(__name__)

BATCH, DECODERS = 8, 2
SAVED_EVERY, LEAST_SAVED = 256, 64
"""Rows of a segment while it is filled, and those for which it is worth having one when the work is
broken off: they are computed again in a second or two.
"""


@dataclass(slots=True, eq=False)
class Filling:
    """How far an index is.

    Attributes:
        total: Photos of the folder.
        entries: Of those with a row so far, in the order of the folder once it is complete.
        computed: Of these, how many were not known before.
        failures: Names of photos without a row, and why.
    """

    total: int
    entries: list[Entry] = field(default_factory=list)
    computed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return len(self.entries) + len(self.failures)

    @property
    def complete(self) -> bool:
        return self.done == self.total


def filled(
    job: Index, photos: Sequence[Photo], cache: DiskCache, folder: str
) -> Generator[Filling, None, None]:
    """Computes what is not known of the photos; it is kept, and resumed after it was closed.

    Args:
        job: What is computed of each photo.
        photos: All of the folder.
        cache: Keeps the rows, where the network's weights have a digest.
        folder: By which the rows are found again.

    Yields:
        The same object, first with all rows that are known, then after every batch.

    Raises:
        ExplorerError: Of `EndsJob`: nothing can be computed of this layer.
    """
    about = job.about()
    place = cache.entry("photo-index", folder=folder, rows=about)
    segments = Segments(place.path)
    known: Mapping[Key, Entry] = segments.read() if about["weights"] else {}
    keys = [key_of(photo) for photo in photos]
    rows: dict[int, Entry] = {
        at: known[key] for at, key in enumerate(keys) if key is not None and key in known
    }
    missing = [at for at in range(len(photos)) if at not in rows]
    state = Filling(len(photos), list(rows.values()))
    yield state
    fresh: list[Entry] = []
    with _held(place, wanted=bool(about["weights"] and missing)) as mine:
        chunks = cut([photos[at] for at in missing], BATCH)
        parts = computed(job, chunks, batch=BATCH, decoders=DECODERS)
        try:
            with contextlib.closing(parts):
                for part in parts:
                    for at, row in zip(missing[state.computed :], part.rows, strict=False):
                        if row.reason:
                            state.failures.append((row.name, row.reason))
                            continue
                        rows[at] = entry_of(row)
                        fresh.append(rows[at])
                        state.entries.append(rows[at])
                    state.computed += len(part.rows)
                    if len(fresh) >= SAVED_EVERY and mine:
                        _kept(segments, fresh)
                        fresh = []
                    if part.rows:
                        yield state
        finally:
            if mine and fresh and (len(fresh) >= LEAST_SAVED or state.complete):
                _kept(segments, fresh)
        state.entries = [rows[at] for at in sorted(rows)]
        if mine and segments.wasteful(len(rows)):
            with contextlib.suppress(ExplorerError):
                segments.rewrite([entry for entry in state.entries if entry.key is not None])
        if mine:
            with contextlib.suppress(ExplorerError):
                cache.finish(place)
    yield state


def _kept(segments: Segments, entries: Sequence[Entry]) -> None:
    # A full disk must not end the work for the sake of the next time.
    try:
        segments.append(entries)
    except ExplorerError as error:
        log.warning("rows of an index are not kept: %s", error)


@contextlib.contextmanager
def _held(place: CacheEntry, *, wanted: bool) -> Iterator[bool]:
    """Whether this program alone may write the rows."""
    with contextlib.ExitStack() as stack:
        mine = False
        if wanted:
            try:
                mine = stack.enter_context(place.filling())
            except ExplorerError as error:
                log.warning("rows of an index are not kept: %s", error)
        yield mine
