"""Records what is followed: a film, and a line of data for every answered frame, beside the rest.

A thread of its own paints and encodes. The caller never waits: when the thread
cannot keep up, frames are dropped and counted. The film is written piece by piece
(`explorer.saving.film_pieces`): a program that is killed loses the last seconds and no more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.saving.lines import frame_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from explorer.core.layers import Board, UInt8
    from explorer.live.slot import Shot
    from explorer.saving.film_pieces import Pieces

log = logging.getLogger(__name__)

MOST_WAITING = 12
"""What is handed over while this much waits is dropped."""

PIECE_SECONDS = 2.0
"""A killed program loses at most this much."""

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
        lines: Answers written.
        left_out: What was handed over and could not be taken.
        over: Nothing more comes: the film has its name, or there is a `problem`.
        problem: Why it has ended by itself.
    """

    seconds: float = 0.0
    bytes: int = 0
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
        self._status = RecordStatus()
        self._stopped_at: float | None = None
        self._first: float | None = None  # `Shot.at` of the first frame
        # Joined at the end of the program: what was recorded gets its name.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=False)
        self._thread.start()

    # -- any thread -------------------------------------------------------------------------------

    def add(self, look: Look) -> bool:
        """Takes it over at once; False when it is dropped."""
        with self._condition:
            if self._stopped_at is not None or self._status.over:
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

    def wait(self, timeout: float) -> bool:
        """True when everything is written."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        _be_polite()
        pieces: Pieces | None = None
        try:
            pieces = self._open()
            while (look := self._next()) is not None or self._stopped_at is None:
                if look is not None:
                    self._take(look, pieces)
                else:
                    self._fill(time.perf_counter() - LATE_SECONDS, pieces)
            assert self._stopped_at is not None
            self._fill(self._stopped_at, pieces)
            self._commit(pieces)
        except ExplorerError as error:
            self._fail(error)
        except Exception as error:  # a defect of a view's data: live continues
            log.exception("the recording failed")
            self._fail(
                ExplorerError(
                    f"The recording failed: {error}", "Try again, or choose another folder."
                )
            )
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

    def _next(self) -> Look | None:
        with self._condition:
            self._condition.wait_for(
                lambda: self._waiting or self._stopped_at is not None, TICK_SECONDS
            )
            return self._waiting.popleft() if self._waiting else None

    def _take(self, look: Look, pieces: Pieces) -> None:
        if self._first is None:
            with self._condition:
                self._first = look.shot.at
        if look.filmed:
            self._fill(look.shot.at, pieces)
            if pieces.written <= self._place(look.shot.at):
                board = look.board
                pieces.add(look.shot.pixels if board is None else self._render(board))
        if look.data is not None:
            shot, at = look.shot, round(look.shot.at - self._first, 4)
            data = look.data()
            pieces.line(
                frame_line(shot.number, shot.position, look.view, look.network, data, recorded=at)
            )
            with self._condition:
                self._status = replace(self._status, lines=self._status.lines + 1)
        self._commit_when_due(pieces)

    def _place(self, at: float) -> int:
        """The number of the film's frame at that time."""
        return 0 if self._first is None else max(0, round((at - self._first) * self._rate))

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

    def _fail(self, problem: ExplorerError) -> None:
        log.info("the recording ended: %s", problem)
        with self._condition:
            self._status = replace(self._status, problem=problem)


def _be_polite() -> None:
    """Gives live threads priority; on Linux a thread has its own nice value."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


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
