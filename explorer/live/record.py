"""Records what is followed: a film, and a line of data for every answered frame, beside the rest.

A thread of its own paints, which is quick; the frames then wait in a spool (`explorer.live.spool`)
for a second thread, which encodes with the processor time that is left. Only that one has the
lowest priority, for it computes without Python's lock: a thread that waits for a processor while it
holds the lock would stop all others. What still waits when the recording is stopped, or when the
spool is nearly full, is encoded by the first thread. The caller never waits: only when both fall
behind are frames dropped, and counted. The film is written piece by piece
(`explorer.saving.film_pieces`): a program that is killed loses what waits and the last seconds of
what is encoded, and no more.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.runner import lower_priority
from explorer.live.spool import FILE_BYTES, MEMORY_BYTES, Painted, Spool
from explorer.saving.lines import frame_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from explorer.core.layers import Board, UInt8
    from explorer.live.slot import Shot
    from explorer.saving.film_pieces import Pieces

log = logging.getLogger(__name__)

MOST_WAITING = 12
"""What is handed over while this much waits is dropped."""

NEARLY_FULL, HALF_FULL = 0.75, 0.5
"""Shares of the spool: the painting thread encodes as well from the first, until the second."""

PIECE_SECONDS = 2.0
"""A killed program loses at most this much of what is encoded."""

LATE_SECONDS = 2.0
"""While nothing comes the last frame is repeated up to so long ago: an answer may still be due."""

TICK_SECONDS = 0.5
LONGEST_SIDE = 1280
"""Of a rendered frame: more would cost more than it shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is handed over about one frame.

    Attributes:
        shot: The frame.
        filmed: It is part of the film.
        board: What is rendered; None = the frame as it is.
        view: The name of the view that has answered.
        network: The name of the network.
        data: Gives the view's data, on the recorder's thread; None = there is no answer to write.
    """

    shot: Shot
    filmed: bool = True
    board: Board | None = None
    view: str = ""
    network: str = ""
    data: Callable[[], Mapping[str, Any]] | None = None


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


class FilmRecorder:
    """Writes `path` and the lines of `path` with the suffix .jsonl from now on until it is stopped.

    The frames are at their real times, in steps of `rate`: each is shown until the next one.

    Args:
        path: Ends in .mp4. The names appear when the recording is over.
        rate: Frames a second of the film at most; what comes faster is dropped.
        render: From a pane of a board to pixels; by default `explorer.render.board.render_pane`.
        notify: Called on the recorder's thread when it is over; it must return at once.
    """

    def __init__(
        self,
        path: Path,
        rate: float = 25.0,
        *,
        render: Callable[[Board], UInt8] | None = None,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self._rate = min(max(rate, 1.0), 60.0)
        self._render, self._notify = render or rendered, notify
        self._condition = threading.Condition()
        self._waiting: deque[Look] = deque()
        self._taking = False  # one is being painted
        self._hurry = False  # the spool is nearly full
        self._broken = False  # nothing can be encoded any more
        self._status = RecordStatus()
        self._stopped_at: float | None = None
        self._canceled = False
        self._first: float | None = None  # `Shot.at` of the first frame
        self._next_place = 0  # in the film, behind the newest frame in the spool
        self._encoding = threading.Lock()  # of the thread that is at the pieces
        # Joined at the end of the program: what was recorded gets its name.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=False)
        self._thread.start()

    # -- any thread -------------------------------------------------------------------------------

    def add(self, look: Look) -> bool:
        """Takes it over at once; False when it is dropped."""
        with self._condition:
            if self._stopping or self._status.over:
                return False
            if len(self._waiting) >= MOST_WAITING:
                self._leave_out(1)
                return False
            self._waiting.append(look)
            self._condition.notify_all()
        return True

    @property
    def room(self) -> int:
        """How many more can be handed over now."""
        with self._condition:
            return MOST_WAITING - len(self._waiting)

    def leave_out(self, count: int) -> None:
        """Frames that will not be handed over; they are counted."""
        with self._condition:
            self._leave_out(count)

    def _leave_out(self, count: int) -> None:
        self._status = replace(self._status, left_out=self._status.left_out + count)

    @property
    def status(self) -> RecordStatus:
        with self._condition:
            status, first = self._status, self._first
            until = self._stopped_at or time.perf_counter()
        return replace(status, seconds=0.0 if first is None else max(0.0, until - first))

    def stop(self, at: float | None = None) -> None:
        """No more frames; what was handed over is still written. It does not wait for that.

        The film ends `at` this time of `time.perf_counter`, now when none is given.
        """
        with self._condition:
            if self._stopped_at is None:
                self._stopped_at = time.perf_counter() if at is None else at
            self._condition.notify_all()

    def cancel(self) -> None:
        """Stops, and drops what is not encoded yet: the film ends with the last frame that is."""
        with self._condition:
            self._canceled = True
        self.stop()

    def wait(self, timeout: float) -> bool:
        """True when everything is written."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the painting thread ----------------------------------------------------------------------

    def _run(self) -> None:
        pieces: Pieces | None = None
        try:
            pieces = self._open()
            with contextlib.closing(Spool(pieces.folder, MEMORY_BYTES, FILE_BYTES)) as spool:
                self._record(pieces, spool)
        except Exception as error:  # noqa: BLE001 - a defect of a view's data: live continues
            self._fail(error)
        if pieces is not None:
            self._finish(pieces)
        with self._condition:
            self._waiting.clear()
            self._status = replace(self._status, over=True)
        self._notify()

    def _open(self) -> Pieces:
        from explorer.live import unfinished
        from explorer.saving.film_pieces import LINES_SUFFIX, Pieces

        lines = self.path.with_suffix(LINES_SUFFIX)
        pieces = Pieces(self.path, lines, self._rate, {"recording": True}, again=True, hold=True)
        unfinished.remember(self.path)
        return pieces

    def _record(self, pieces: Pieces, spool: Spool) -> None:
        lazy = threading.Thread(
            target=self._encode_lazily, args=(pieces, spool), name="film encoder", daemon=False
        )
        lazy.start()
        try:
            while (look := self._next()) is not None or not self._stopping:
                if look is not None:
                    self._take(look, spool)
                else:  # the spool is nearly full
                    self._encode_next(pieces, spool)
        except Exception as error:  # noqa: BLE001 - as above; what came before is still encoded
            self._fail(error)
        lazy.join()
        if not self._broken:
            self._encode_rest(pieces, spool)

    def _next(self) -> Look | None:
        """The next look; None when something is to be encoded instead, or no more will come."""
        with self._condition:
            self._taking = False
            self._condition.wait_for(lambda: self._waiting or self._hurry or self._stopping)
            if self._broken or self._canceled or not self._waiting:
                return None
            self._taking = True
            return self._waiting.popleft()

    @property
    def _stopping(self) -> bool:
        return self._stopped_at is not None or self._status.problem is not None

    def _take(self, look: Look, spool: Spool) -> None:
        shot, board = look.shot, look.board
        if self._first is None:
            with self._condition:
                self._first = shot.at
        place, frame, line = self._place(shot.at), None, ""
        if look.filmed and place >= self._next_place:
            frame = shot.pixels if board is None else self._render(board)
        if look.data is not None:
            at, data = round(shot.at - self._first, 4), look.data()
            line = frame_line(
                shot.number, shot.position, look.view, look.network, data, recorded=at
            )
        if frame is None and not line:
            return
        taken = spool.put(Painted(place, frame, line))
        with self._condition:
            if not taken:
                self._leave_out(1)
            elif frame is not None:
                self._next_place = place + 1
                self._status = replace(self._status, frames=self._status.frames + 1)
            self._hurry = self._hurry or spool.share >= NEARLY_FULL
            self._condition.notify_all()

    def _place(self, at: float) -> int:
        """The number of the film's frame at that time."""
        return 0 if self._first is None else max(0, round((at - self._first) * self._rate))

    # -- encoding: by a thread that gets what processor time is left, else by the painting one ----

    def _encode_lazily(self, pieces: Pieces, spool: Spool) -> None:
        lower_priority(least=True)
        try:
            while self._may_encode(spool):
                if len(spool):
                    self._encode_next(pieces, spool)
                else:
                    with self._at_pieces():
                        self._fill(time.perf_counter() - LATE_SECONDS, pieces)
        except Exception as error:  # noqa: BLE001 - a full disk, a defect: the painting thread ends
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
                if not (self._waiting or self._taking or len(spool)):
                    return True
            return not self._stopping

    def _encode_next(self, pieces: Pieces, spool: Spool) -> None:
        with self._at_pieces():
            painted = spool.take()
            if painted is not None and painted.frame is not None:
                pieces.hold(painted.place - pieces.written)
                if pieces.written <= painted.place:
                    pieces.add(painted.frame)
            if painted is not None and painted.line:
                pieces.line(painted.line)
            with self._condition:
                if painted is not None:
                    self._count(painted)
                self._hurry = self._hurry and spool.share > HALF_FULL
            self._commit_when_due(pieces)

    def _count(self, painted: Painted) -> None:
        status = self._status
        encoded = status.encoded + (painted.frame is not None)
        self._status = replace(status, encoded=encoded, lines=status.lines + bool(painted.line))

    def _encode_rest(self, pieces: Pieces, spool: Spool) -> None:
        lower_priority()  # what is live goes on
        if pieces.written > pieces.record.written:
            self._commit(pieces)  # its encoder has threads of low priority
        while len(spool) and not (self._canceled and pieces.written):
            self._encode_next(pieces, spool)
        if self._canceled:
            with self._condition:
                self._leave_out(self._status.frames - self._status.encoded)
        elif self._stopped_at is not None:
            self._fill(self._stopped_at, pieces)
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
        from explorer.live import unfinished

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
        if not isinstance(error, ExplorerError):
            error = ExplorerError(
                f"The recording failed: {error}", "Try again, or choose another folder."
            )
        with self._condition:
            self._status = replace(self._status, problem=error)
            self._condition.notify_all()


def rendered(board: Board) -> UInt8:
    """The first pane of a board with everything that is drawn on it."""
    from explorer.render.board import render_pane

    pane = board.panes[0]
    return render_pane(pane, scale=min(1.0, LONGEST_SIDE / max(pane.size)))


def rendered_whole(board: Board, width: int = 0) -> UInt8:
    """All panes of a board beside each other, as the window shows views beside the main one.

    Args:
        board: What to paint; its plots, tables and words are not drawn.
        width: Of the frame in pixels; 0 = that of the panes, as far as a film is as large.
    """
    from explorer.render.board import render_board

    panes = replace(board, plots=(), tables=(), notes=(), summary="")
    whole = sum(pane.size[0] for pane in board.panes)
    share = min(1.0, LONGEST_SIDE / max(whole, *(pane.size[1] for pane in board.panes)))
    return render_board(panes, width=width or round(whole * share), theme="dark")
