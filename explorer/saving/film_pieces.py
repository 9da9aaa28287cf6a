"""A film that takes long to make, kept piece by piece beside its place until it is whole.

The pieces lie in a hidden folder beside the film. Each is a short film of its own, with a line of
data for every frame, and counts once its record is there; whatever kills the program takes away no
more than the piece that it was at. A later `Pieces` with the same request continues behind the last
record. At the end an MP4 is joined from the coded frames as they are (`explorer.saving.mp4`); the
pieces of a GIF are kept without loss, for its colors are chosen from whole frames.

    .film.mp4.parts/
        lock             held by the program that writes
        request.json     what is being made: another request starts over
        000000.mp4       frames
        000000.jsonl     lines
        000000.json      the record: written last, atomically
        000000.memory    what the views remember at its end (only of the newest piece)
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import replacing, unwritable, write_bytes
from explorer.core.storage.lock import locked
from explorer.saving.film import film_size, film_suffix, fit, has_h264, open_sink, save_film
from explorer.saving.mp4 import join
from explorer.saving.plain_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from explorer.core.layers import UInt8
    from explorer.saving.film import Sink

LINES_SUFFIX = ".jsonl"
_REQUEST = "request.json"
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Record:
    """How far everything was at the end of a piece.

    Attributes:
        frames: Of the source that were answered.
        written: Frames of the film.
        size: Width and height of the film; (0, 0) while it has no frame.
        filmed: The piece has frames.
        times: How many frames of the film each of the piece's stands for; empty = one each.
    """

    frames: int = 0
    written: int = 0
    size: tuple[int, int] = (0, 0)
    filmed: bool = False
    times: tuple[int, ...] = ()


class Busy(ExplorerError):
    """Another program writes these pieces."""


class Pieces:
    """Writes one film, or its lines, or both.

    Args:
        film: Ends in .mp4 or .gif; None = lines only.
        lines: Gets one line of JSON for every answered frame; None = the film only.
        fps: Frames in a second of the film.
        request: What is made, in plain values: unfinished pieces are continued when theirs is
            equal; None = with whatever there is.
        again: Unfinished pieces are thrown away.
        hold: Of an MP4: what fills several frames is coded once and shown longer.

    Attributes:
        changed: Names in `request` that differed from that of the pieces that were thrown away.

    Raises:
        ExplorerError: When nothing can be written there.
    """

    def __init__(
        self,
        film: Path | None,
        lines: Path | None,
        fps: float,
        request: Mapping[str, Any] | None,
        *,
        again: bool = False,
        hold: bool = False,
    ) -> None:
        self._hold_frames = hold
        self.film, self.lines, self.fps = film, lines, fps
        self.folder = folder_of(film or lines)
        self._suffix = ".avi" if film is not None and film_suffix(film) == ".gif" else ".mp4"
        self._request = (
            None
            if request is None
            else plain({**request, "fps": fps, "coded": self._coded()}).value
        )
        self._records: list[Record] = []
        self._sink: Sink | None = None
        self._path = Path()
        self._text: list[str] = []
        self._times: list[int] = []
        self._last: UInt8 | None = None
        self._written, self._size, self._weight = 0, (0, 0), 0
        self._lock: int | None = None
        self.changed = self._begin(again)

    def _coded(self) -> str:
        if self.film is None:
            return ""
        return "without loss" if self._suffix == ".avi" else "H.264" if has_h264() else "MPEG-4"

    def _begin(self, again: bool) -> tuple[str, ...]:
        changed: tuple[str, ...] = ()
        before, wanted = _request_of(self.folder), self._request
        if wanted is not None and before is not None:
            names = sorted({*before, *wanted})
            changed = tuple(n for n in names if before.get(n) != wanted.get(n))
        self._hold()
        if wanted is not None and (again or changed or before is None):
            self._empty()
            write_bytes(self.folder / _REQUEST, json.dumps(wanted, indent=1).encode())
        self._records = _records(self.folder)
        self._written, self._size = self.record.written, self.record.size
        self._weight = sum(self._bytes_of(number) for number in range(len(self._records)))
        return changed

    # -- how far it is ----------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """That of the last piece that counts."""
        return self._records[-1] if self._records else Record()

    @property
    def memory(self) -> bytes | None:
        """What was remembered at its end."""
        if self._records:
            with contextlib.suppress(OSError):
                return self._file(len(self._records) - 1, ".memory").read_bytes()
        return None

    @property
    def written(self) -> int:
        """Frames of the film so far, those of the open piece included."""
        return self._written

    @property
    def weight(self) -> int:
        """Bytes on the disk, without the open piece."""
        return self._weight

    # -- writing ----------------------------------------------------------------------------------

    def add(self, frame: UInt8, times: int = 1) -> None:
        """Repeats `frame` this many times in the film, (H, W, 3) uint8 RGB.

        Raises:
            ExplorerError: When it cannot be written.
        """
        assert self.film is not None
        if self._size == (0, 0):
            self._size = film_size(frame, film_suffix(self.film))
        if times < 1:
            return
        if self._sink is None:
            self._path = self._file(len(self._records), self._suffix)
            how = {"in_order": True} if self._hold_frames else {}
            self._sink = open_sink(self._path, self._size, self.fps, **how)
        self._last = fit(frame, self._size)
        try:
            for _ in range(1 if self._hold_frames else times):
                self._sink.add(self._last)
        except OSError as error:
            raise unwritable(self.film, error) from error
        self._times.append(times)
        self._written += times

    def hold(self, times: int) -> None:
        """Repeats the last frame this many times; nothing happens while there is none.

        Raises:
            ExplorerError: When it cannot be written.
        """
        if self._last is None or times < 1:
            return
        if self._sink is None or not self._hold_frames:
            self.add(self._last, times)
            return
        self._times[-1] += times
        self._written += times

    def line(self, text: str) -> None:
        """One more line of data."""
        self._text.append(text)

    def commit(self, frames: int, memory: bytes | None = None) -> None:
        """What was added since the last time is kept, whatever happens from now on.

        Args:
            frames: Of the source that have been answered in all.
            memory: What is needed to resume from here.

        Raises:
            ExplorerError: When it cannot be written; the pieces before stay.
        """
        number = len(self._records)
        filmed = self._sink is not None
        times = tuple(self._times) if self._hold_frames else ()
        self._close(len(times) or self._written - self.record.written)
        if self.lines is not None:
            text = "".join(f"{line}\n" for line in self._text)
            write_bytes(self._file(number, LINES_SUFFIX), text.encode("utf-8", "replace"))
        if memory is not None:
            write_bytes(self._file(number, ".memory"), memory)
        record = Record(frames, self._written, self._size, filmed, times)
        write_bytes(self._file(number, ".json"), json.dumps(asdict(record)).encode())
        if number:
            self._file(number - 1, ".memory").unlink(missing_ok=True)
        self._text.clear()
        self._times.clear()
        self._records.append(record)
        self._weight += self._bytes_of(number)

    def abandon(self) -> None:
        """Leaves the open piece away; what was committed stays for a later time."""
        sink, self._sink = self._sink, None
        if sink is not None:
            with contextlib.suppress(Exception):  # its file is thrown away
                sink.close()
            self._path.unlink(missing_ok=True)
        self._text.clear()
        self._times.clear()
        self._written = self.record.written
        if not self._records:
            self.discard()
        self.release()

    def finish(self) -> None:
        """The film and the lines under their names; the pieces are gone then.

        Raises:
            ExplorerError: When they cannot be written; the pieces stay.
        """
        if self.film is not None:
            if not any(record.filmed for record in self._records):
                raise ExplorerError("There is no frame to make a film of.")
            self._finish_film(self.film)
        if self.lines is not None:
            with replacing(self.lines) as temporary, temporary.open("wb") as out:
                for number in range(len(self._records)):
                    with self._file(number, LINES_SUFFIX).open("rb") as file:
                        shutil.copyfileobj(file, out)
        self.discard()

    def discard(self) -> None:
        """No pieces any more."""
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._records = []

    def release(self) -> None:
        """Lets other runs at the pieces, which stay as they are."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)  # the system lets go of the lock, also when the program is killed

    # -- inside -----------------------------------------------------------------------------------

    def _hold(self) -> None:
        shown = self.film or self.lines or self.folder
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = locked(self.folder / _LOCK)
        except (OSError, ValueError) as error:
            raise unwritable(shown, error) from error
        if self._lock is None:
            raise Busy(
                f"{shown} is being written by another run.", "Wait for it, or choose another name."
            )

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                path.unlink(missing_ok=True)

    def _close(self, count: int) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        assert self.film is not None
        try:
            sink.close()
        except OSError as error:
            raise unwritable(self.film, error) from error
        if not sink.verify(count):  # OpenCV does not report a full disk
            raise ExplorerError(
                f"{self.film} could not be written: a piece of it is incomplete.",
                "Is the disk full? Free some space or save it elsewhere.",
            )

    def _finish_film(self, film: Path) -> None:
        filmed = [n for n, record in enumerate(self._records) if record.filmed]
        paths = [self._file(number, self._suffix) for number in filmed]
        if self._suffix == ".avi":
            save_film(film, _frames(paths), self.fps)
            return
        times = [time for record in self._records for time in record.times]
        with replacing(film) as temporary:
            count = join(paths, temporary, times)
            if count != (len(times) or self.record.written):
                raise ExplorerError(
                    f"{film} has {count} frames instead of {self.record.written}.",
                    "Render the film again.",
                )

    def _bytes_of(self, number: int) -> int:
        total = 0
        for suffix in (self._suffix, LINES_SUFFIX):
            with contextlib.suppress(OSError):
                total += self._file(number, suffix).stat().st_size
        return total

    def _file(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:06d}{suffix}"


def folder_of(path: Path | None) -> Path:
    """Where the pieces of the file `path` lie."""
    if path is None:
        raise ValueError("there is nothing to write")
    return path.with_name(f".{path.name}.parts")


def recovered(film: Path) -> Record | None:
    """Makes the film, and its lines, of the pieces that a killed program has left.

    Returns:
        How much there was; None when there is nothing to make a film of.

    Raises:
        ExplorerError: When it cannot be written; the pieces stay.
    """
    request = _request_of(folder_of(film))
    if request is None:
        return None
    lines = film.with_suffix(LINES_SUFFIX) if any(folder_of(film).glob("*.jsonl")) else None
    pieces = Pieces(film, lines, float(request.get("fps", 25.0)), None)
    record = pieces.record
    if not record.written:
        pieces.discard()
        return None
    pieces.finish()
    return record


def _request_of(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / _REQUEST).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _records(folder: Path) -> list[Record]:
    """Of the pieces from the first to the last without a gap."""
    found: list[Record] = []
    while True:
        try:
            raw = json.loads((folder / f"{len(found):06d}.json").read_bytes())
            width, height = raw["size"]
            size = (int(width), int(height))
            times = tuple(int(time) for time in raw["times"])
            counts = int(raw["frames"]), int(raw["written"])
            record = Record(*counts, size, bool(raw["filmed"]), times)
        except (OSError, ValueError, KeyError, TypeError):
            return found
        found.append(record)


def _frames(paths: list[Path]) -> Iterator[UInt8]:
    for path in paths:
        film = cv2.VideoCapture(str(path))
        try:
            while (found := film.read())[0]:
                yield np.asarray(cv2.cvtColor(found[1], cv2.COLOR_BGR2RGB), np.uint8)
        finally:
            film.release()
