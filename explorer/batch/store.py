"""The folder OUT of a folder job: its manifest, the chunks that are done, the merged result.

Every chunk is one file that is written completely or not at all; its name holds a digest of its
photos' names. `chunks/` goes once the result is there, which the manifest then says, unless photos
have failed: to try these again, the rows of the others are needed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from explorer.batch.job import Failure, digest_of, unpacked
from explorer.batch.opening import NO_STAMP, stamp_of
from explorer.batch.outputs import csv_file
from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.reading import display_name, unreadable
from explorer.core.storage import checkpoint as files
from explorer.core.storage.atomic import unwritable, write_bytes
from explorer.core.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from explorer.batch.chunks import Chunk
    from explorer.batch.job import FolderJob, Row

MANIFEST, CHUNKS, LOCK, FAILURES = "manifest.json", "chunks", "lock", "failures.csv"

MOST_FAILURES = 1000
"""So many are kept in memory; `FAILURES` has all of them."""

_PER_FOLDER = 1000
_NAME = re.compile(r"(\d+)-([0-9a-f]+)\.npz")
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.part.*")
_FORMAT = 1


class Store:
    """One job's folder; `opened` makes it, locked for this program alone."""

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self._out, self._settings = out, dict(settings)
        self._chunks: dict[int, str] = {}
        self.manifest: dict[str, Any] = {}
        self._left: Callable[[], bool] = bool

    # -- chunks -----------------------------------------------------------------------------------

    def has(self, chunk: Chunk) -> bool:
        """Whether the chunk was done before.

        Raises:
            ExplorerError: A chunk of this number was done, but of other photos.
        """
        there = self._chunks.get(chunk.number)
        if there is not None and there != chunk.digest:
            raise self._other_photos()
        return there is not None

    def add(self, chunk: Chunk, data: bytes) -> None:
        """Keeps a chunk that was computed.

        Raises:
            ExplorerError: It cannot be written; those before are as they were.
        """
        place = self._place(chunk.number, chunk.digest)
        with suppress(OSError):  # writing says what is wrong
            place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, data)
        self._chunks[chunk.number] = chunk.digest

    def listing(self) -> str:
        """A digest of all photos, in their order."""
        return listing_of(self._chunks[number] for number in range(len(self._chunks)))

    def rows(self) -> Iterator[Row]:
        """All rows in the order of the photos.

        Raises:
            ExplorerError: A chunk's file is damaged; it is removed, to be computed again.
        """
        for chunk in self._read():
            yield from unpacked(chunk)

    # -- the result -------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """The merged result is there, as the manifest says it."""
        there = all(os.path.lexists(self._out / name) for name in self._outputs())
        return bool(self.manifest.get("complete")) and there

    def finish(self, job: FolderJob, left: Callable[[], bool] = bool) -> list[str]:
        """Merges the chunks into the result and lists the failures.

        Args:
            job: It merges.
            left: Asked at each chunk: True breaks it off, and the result is not there.

        Returns:
            The addresses of files that are no longer those that were computed.

        Raises:
            Cancelled: It was broken off.
            ExplorerError: It cannot be written; the chunks are still there.
        """
        self._left = left
        for name in self._outputs():
            _remove(self._out / name)  # of an earlier run whose result was damaged
        outputs = list(job.merge(self.rows, self._out))
        photos, failed, changed = self._list_failures()
        self.manifest |= {
            "complete": True,
            "photos": photos,
            "failures": failed,
            "listing": self.listing(),
            "outputs": [*outputs, FAILURES],
        }
        self._save()
        self.tidy()
        return changed

    def tidy(self) -> None:
        """Removes the chunks of a finished job without failures."""
        if not self.manifest.get("failures"):
            shutil.rmtree(self._out / CHUNKS, ignore_errors=True)

    def retry(self) -> None:
        """Forgets the chunks with a photo that has failed: they are computed again.

        Whole chunks, for a batch depends on all of its photos: the result is what it would be if
        none of them had failed the first time.

        Raises:
            ExplorerError: The manifest cannot be written.
        """
        if self.manifest.get("complete"):
            if not self.manifest.get("failures"):
                return
            self.manifest["complete"] = False
            self._save()
        for number, digest in sorted(self._chunks.items()):
            place = self._place(number, digest)
            chunk = files.read(place)
            if chunk is None or any(row.reason for row in unpacked(chunk)):
                place.unlink(missing_ok=True)
                del self._chunks[number]

    def check_listing(self, listing: str) -> None:
        """Raises where a finished job was done on other photos."""
        if self.manifest.get("listing") != listing:
            raise self._other_photos()

    @property
    def count(self) -> int:
        """Chunks that are done."""
        return len(self._chunks)

    def check_count(self, chunks: int) -> None:
        """Raises where an earlier run has done more chunks than there are."""
        if len(self._chunks) != chunks:
            raise self._other_photos()

    def failures(self) -> tuple[Failure, ...]:
        """The first `MOST_FAILURES` of a finished job."""
        try:
            place = self._out / FAILURES
            with place.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = islice(csv.reader(file), 1, MOST_FAILURES + 1)
                return tuple(Failure(*row) for row in rows if len(row) == len(Failure._fields))
        except (OSError, csv.Error):
            return ()

    # -- inside -----------------------------------------------------------------------------------

    def _list_failures(self) -> tuple[int, int, list[str]]:
        """Writes them; how many photos there are, how many failures, and which files changed."""
        photos = failed = 0
        changed: dict[str, None] = {}
        with csv_file(self._out / FAILURES) as write:
            write(("photo", "reason", "file"))
            for chunk in self._read():
                changed.update(dict.fromkeys(_changed(chunk)))
                for row, address in zip(unpacked(chunk), chunk.content["addresses"], strict=True):
                    photos += 1
                    if row.reason:
                        failed += 1
                        write(Failure(row.name, row.reason, address))
        return photos, failed, list(changed)

    def _outputs(self) -> list[str]:
        """What the manifest names; it is a file that anybody may have written."""
        names = self.manifest.get("outputs")
        return [
            name
            for name in (names if isinstance(names, list) else [])
            if isinstance(name, str) and os.path.basename(name) == name and name not in ("", "..")
        ]

    def _read(self) -> Iterator[files.Checkpoint]:
        for number in range(len(self._chunks)):
            if self._left():
                raise Cancelled
            place = self._place(number, self._chunks[number])
            chunk = files.read(place)
            if chunk is None:
                place.unlink(missing_ok=True)
                raise ExplorerError(f"{place} is damaged and was removed.", "Run the job again.")
            yield chunk

    def _place(self, number: int, digest: str) -> Path:
        folder = self._out / CHUNKS / f"{number // _PER_FOLDER:06d}"
        return folder / f"{number:09d}-{digest}.npz"

    def _begin(self) -> None:
        """Reads what an earlier run has left, or begins."""
        place = self._out / MANIFEST
        there = _manifest(place)
        if there is None:
            self.manifest = {
                "program": "Convnet Explorer", "format": _FORMAT, "settings": self._settings,
                "digest": digest_of(self._settings), "complete": False,
            }  # fmt: skip
            self._save()
        else:
            self._check(there)
            self.manifest = there
        for folder in (self._out, *sorted((self._out / CHUNKS).glob("*"))):
            for entry in os.scandir(folder):
                if _TEMPORARY.fullmatch(entry.name) and entry.is_file():
                    os.unlink(entry.path)  # of a program that was killed
                elif found := _NAME.fullmatch(entry.name):
                    self._chunks[int(found[1])] = found[2]

    def _check(self, there: Mapping[str, Any]) -> None:
        if there.get("digest") == digest_of(self._settings):
            return
        before = there.get("settings")
        old = before if isinstance(before, dict) else {}
        names = [name for name in self._settings if old.get(name) != self._settings[name]]
        names += [name for name in old if name not in self._settings]
        words = ", ".join(
            f"{name} {_short(old.get(name))} instead of {_short(self._settings.get(name))}"
            for name in names[:3]
        )
        raise ExplorerError(
            f"{self._out} holds a job with other settings: {words}.",
            "Choose another folder, or give the same settings.",
        )

    def _save(self) -> None:
        text = json.dumps(self.manifest, indent=1, ensure_ascii=True) + "\n"
        write_bytes(self._out / MANIFEST, text.encode("ascii"))

    def _other_photos(self) -> ExplorerError:
        return ExplorerError(
            f"The photos are not those of the job in {self._out}: some were added, removed or "
            "renamed.",
            "Choose another folder for the result.",
        )


@contextmanager
def opened(out: Path, settings: Mapping[str, Any]) -> Iterator[Store]:
    """The folder of a job, which is begun or resumed; it is locked meanwhile.

    Raises:
        ExplorerError: Another program works on it, it holds something else or a job with other
            settings, or it cannot be written.
    """
    try:
        os.makedirs(out, exist_ok=True)
        if not (_ours(out) or not _foreign(out)):
            raise ExplorerError(
                f"{out} holds files of something else.", "Choose a new or empty folder."
            )
        handle = locked(out / LOCK)
    except OSError as error:
        raise unwritable(out, error) from error
    if handle is None:
        raise ExplorerError(
            f"Another program is running a job into {out}.", "Wait for it or choose another folder."
        )
    try:
        store = Store(out, settings)
        store._begin()
        yield store
    finally:
        os.close(handle)


def listing_of(digests: Iterable[str]) -> str:
    """One digest of those of all chunks."""
    digest = hashlib.sha256()
    for each in digests:
        digest.update(each.encode("ascii"))
    return digest.hexdigest()


def _changed(chunk: files.Checkpoint) -> Iterator[str]:
    """The addresses of files that are other ones than when they were computed."""
    for address, stamp in zip(chunk.content["addresses"], chunk.content["stamps"], strict=True):
        # A worker's path may mean nothing on this machine.
        if tuple(stamp) != NO_STAMP and stamp_of(address) not in (tuple(stamp), NO_STAMP):
            yield address


def _ours(out: Path) -> bool:
    return _manifest(out / MANIFEST) is not None


def _manifest(place: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(place.read_text("ascii"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return None
    except OSError as error:
        raise unreadable(place, error) from error
    known = isinstance(found, dict) and found.get("format") == _FORMAT
    return found if known and "digest" in found else None


def _foreign(out: Path) -> bool:
    """Whether there is anything that no job leaves behind before its manifest."""
    return any(name != LOCK and not _TEMPORARY.fullmatch(name) for name in os.listdir(out))


def _remove(place: Path) -> None:
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _short(value: Any) -> str:
    words = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return words if len(words) <= 40 else f"{words[:37]}…"


def changed_note(changed: list[str]) -> str:
    """A sentence about photos that were replaced while the job ran; "" = none was."""
    if not changed:
        return ""
    name = display_name(changed[0])
    if len(changed) == 1:
        return f"{name} was changed after it was processed: its result is of the earlier file."
    return (
        f"{len(changed):,} files were changed after they were processed, the first of them {name}: "
        "their results are of the earlier files."
    )
