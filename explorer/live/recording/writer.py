"""Paints and encodes what is recorded, with the processor time that is left.

What comes waits in a spool. A thread of the lowest priority paints and encodes it; a second one
does so as well when the spool is nearly full, and encodes what still waits when the recording is
stopped. Only when the spool is full are frames dropped, and counted. The film is written piece by
piece (`explorer.saving.film_pieces`): a writer that is killed loses what waits and the last seconds
of what is encoded, and no more.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.runner import lower_priority
from explorer.live.recording import unfinished
from explorer.live.recording.messages import unpacked
from explorer.live.recording.painting import rendered
from explorer.live.recording.spool import FILE_BYTES, MEMORY_BYTES, Spool, Waiting
from explorer.saving.film_pieces import LINES_SUFFIX, Pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from explorer.core.layers import UInt8

log = logging.getLogger(__name__)

NEARLY_FULL, HALF_FULL = 0.75, 0.5
"""Shares of the spool: both threads encode from the first on, until the second."""

PIECE_SECONDS = 2.0
"""A killed writer loses at most this much of what is encoded."""

LATE_SECONDS = 2.0
"""While nothing comes the last frame is repeated up to so long ago: an answer may still be due."""

TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """How the recording is.

    Attributes:
        seconds: Since its first frame.
        bytes: On the disk.
        frames: Taken for the film.
        encoded: Those of them that are in it.
        lines: Answers written.
        left_out: What was handed over and could not be taken.
        over: Nothing more comes: the film has its name, or there is a `problem`.
        problem: Why it has ended by itself.
    """

    seconds: float = 0.0
    bytes: int = 0
    frames: int = 0
    encoded: int = 0
    lines: int = 0
    left_out: int = 0
    over: bool = False
    problem: ExplorerError | None = None


class FilmWriter:
    """Writes `path` and the lines of `path` with the suffix .jsonl from now on until it is stopped.

    The frames are at their real times, in steps of `rate`: each is shown until the next one.

    Args:
        path: Ends in .mp4. The names appear when the recording is over.
        rate: Frames a second of the film; what comes faster is dropped.
        paint: From a board to pixels.
        notify: Called on a thread of the writer when it is over; it must return at once.
    """

    def __init__(
        self,
        path: Path,
        rate: float,
        *,
        paint: Callable[[Board], UInt8] = rendered,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self.path, self._rate = path, rate
        self._paint, self._notify = paint, notify
        self._condition = threading.Condition()
        self._spool: Spool | None = None  # while it can be written
        self._opening = True
        self._hurry = False  # the spool is nearly full
        self._broken = False  # nothing can be encoded any more
        self._status = RecordStatus()
        self._stopped = False
        self._ends: float | None = None  # a time; None = with the last frame
        self._canceled = False
        self._first: float | None = None  # time of the first frame
        self._next_place = 0  # in the film, behind the newest frame in the spool
        self._encoding = threading.Lock()  # of the thread that is at the pieces
        # Joined at the end of the process: what was recorded gets its name.
        self._thread = threading.Thread(target=self._run, name="film writer", daemon=False)
        self._thread.start()

    # -- any thread -------------------------------------------------------------------------------

    def put(self, at: float, frame: bytes, *, filmed: bool = True) -> None:
        """Takes a frame; it is dropped, and counted, when there is no room.

        Args:
            at: `time.perf_counter()` when it was complete.
            frame: A `messages.Frame`, packed.
            filmed: It is part of the film.
        """
        with self._condition:
            self._condition.wait_for(lambda: not self._opening)
            spool = self._spool
            if spool is None or self._stopping:
                return
            if self._first is None:
                self._first = at
            place = self._place(at)
        filmed = filmed and place >= self._next_place
        taken = spool.put(Waiting(place if filmed else None, frame))
        with self._condition:
            if not taken:
                self._status = replace(self._status, left_out=self._status.left_out + 1)
            elif filmed:
                self._next_place = place + 1
                self._status = replace(self._status, frames=self._status.frames + 1)
            self._hurry = self._hurry or spool.share >= NEARLY_FULL
            self._condition.notify_all()

    @property
    def status(self) -> RecordStatus:
        """How it is; without the seconds, which the program knows."""
        with self._condition:
            return self._status

    def stop(self, at: float | None = None) -> None:
        """No more frames; what has come is still written. It does not wait for that.

        The film ends `at` this time of `time.perf_counter`; with its last frame when none is given.
        """
        with self._condition:
            if not self._stopped:
                self._stopped, self._ends = True, at
            self._condition.notify_all()

    def cancel(self) -> None:
        """Stops, and drops what is not encoded yet: the film ends with the last frame that is."""
        with self._condition:
            self._canceled = True
        self.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """True when everything is written."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread that encodes when there is little time ----------------------------------------

    def _run(self) -> None:
        pieces: Pieces | None = None
        try:
            pieces = self._open()
            with contextlib.closing(Spool(pieces.folder, MEMORY_BYTES, FILE_BYTES)) as spool:
                self._begin(spool)
                self._record(pieces, spool)
                self._begin(None)
        except Exception as error:  # noqa: BLE001 - a defect of a layer's painter: one sentence
            self._fail(error)
            self._begin(None)
        if pieces is not None:
            self._finish(pieces)
        with self._condition:
            self._status = replace(self._status, over=True)
        self._notify()

    def _open(self) -> Pieces:
        lines = self.path.with_suffix(LINES_SUFFIX)
        pieces = Pieces(self.path, lines, self._rate, {"recording": True}, again=True, hold=True)
        unfinished.remember(self.path)
        return pieces

    def _begin(self, spool: Spool | None) -> None:
        with self._condition:
            self._spool, self._opening = spool, False
            self._condition.notify_all()

    def _record(self, pieces: Pieces, spool: Spool) -> None:
        lazy = threading.Thread(
            target=self._encode_lazily, args=(pieces, spool), name="film encoder", daemon=False
        )
        lazy.start()
        try:
            while self._must_encode():
                self._encode_next(pieces, spool)
        except Exception as error:  # noqa: BLE001 - as above; what came before is still encoded
            self._fail(error)
        lazy.join()
        if not self._broken:
            self._encode_rest(pieces, spool)

    def _must_encode(self) -> bool:
        """True when the spool is nearly full, False when no more will come."""
        with self._condition:
            self._condition.wait_for(lambda: self._hurry or self._stopping)
            return not self._stopping

    @property
    def _stopping(self) -> bool:
        return self._stopped or self._status.problem is not None

    def _place(self, at: float) -> int:
        """The number of the film's frame at that time."""
        return 0 if self._first is None else max(0, round((at - self._first) * self._rate))

    # -- encoding: by a thread that gets what processor time is left, else by the other one -------

    def _encode_lazily(self, pieces: Pieces, spool: Spool) -> None:
        lower_priority(least=True)
        try:
            while self._may_encode(spool):
                if len(spool):
                    self._encode_next(pieces, spool)
                else:
                    with self._at_pieces():
                        self._fill(time.perf_counter() - LATE_SECONDS, pieces)
        except Exception as error:  # noqa: BLE001 - a full disk, a defect: the other thread ends
            self._fail(error)

    @contextlib.contextmanager
    def _at_pieces(self) -> Iterator[None]:
        """For one thread at a time; after an error for none."""
        with self._encoding:
            try:
                yield
            except Exception:
                self._broken = True
                raise

    def _may_encode(self, spool: Spool) -> bool:
        """True when there is something to encode, or nothing has come for a while."""

        def turn() -> bool:
            return self._stopping or (len(spool) > 0 and not self._hurry)

        with self._condition:
            while not self._condition.wait_for(turn, TICK_SECONDS):
                if not len(spool):
                    return True
            return not self._stopping

    def _encode_next(self, pieces: Pieces, spool: Spool) -> None:
        with self._at_pieces():
            waiting = spool.take()
            if waiting is not None:
                self._encode(waiting, pieces)
            with self._condition:
                self._hurry = self._hurry and spool.share > HALF_FULL
            self._commit_when_due(pieces)

    def _encode(self, waiting: Waiting, pieces: Pieces) -> None:
        frame = unpacked(waiting.data)
        picture = frame.picture
        filmed = waiting.place is not None and picture is not None
        if waiting.place is not None and filmed:
            pieces.hold(waiting.place - pieces.written)
            if pieces.written <= waiting.place:
                pieces.add(self._paint(picture) if isinstance(picture, Board) else picture)
        if frame.line:
            pieces.line(frame.line)
        with self._condition:
            status = self._status
            self._status = replace(
                status, encoded=status.encoded + filmed, lines=status.lines + bool(frame.line)
            )

    def _encode_rest(self, pieces: Pieces, spool: Spool) -> None:
        lower_priority()  # what is live goes on
        if pieces.written > pieces.record.written:
            self._commit(pieces)  # its encoder has threads of low priority
        while len(spool) and not (self._canceled and pieces.written):
            self._encode_next(pieces, spool)
        with self._condition:
            dropped = self._status.frames - self._status.encoded
            self._status = replace(self._status, left_out=self._status.left_out + dropped)
        if self._ends is not None and not self._canceled:
            self._fill(self._ends, pieces)
        self._commit(pieces)

    def _fill(self, at: float, pieces: Pieces) -> None:
        """The last frame is shown until that time."""
        pieces.hold(self._place(at) - pieces.written)
        self._commit_when_due(pieces)

    def _commit_when_due(self, pieces: Pieces) -> None:
        if pieces.written - pieces.record.written >= PIECE_SECONDS * self._rate:
            self._commit(pieces)

    def _commit(self, pieces: Pieces) -> None:
        pieces.commit(self._status.lines)
        with self._condition:
            self._status = replace(self._status, bytes=pieces.weight)

    def _finish(self, pieces: Pieces) -> None:
        pieces.abandon()
        if not pieces.record.written:
            pieces.discard()
            unfinished.forget(self.path)
            if self._status.problem is None:
                self._fail(ExplorerError("Nothing was recorded.", "No frame arrived."))
            return
        try:
            pieces.finish()
        except ExplorerError as error:
            hint = f"{error.hint} What was recorded is kept in {pieces.folder}."
            self._fail(ExplorerError(error.message, hint))
        else:
            unfinished.forget(self.path)

    def _fail(self, error: Exception) -> None:
        log.info("the recording ended: %s", error, exc_info=not isinstance(error, ExplorerError))
        with self._condition:
            self._status = replace(self._status, problem=as_problem(error))
            self._condition.notify_all()


def as_problem(error: Exception) -> ExplorerError:
    """Why a recording ended, as a sentence."""
    if isinstance(error, ExplorerError):
        return error
    return ExplorerError(f"The recording failed: {error}", "Try again, or choose another folder.")
