"""The program's side of a recording: packs what is followed and hands it to the process.

The caller never waits: only when packing falls behind are frames dropped, and counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.live.recording import process, unfinished
from explorer.live.recording.messages import (
    Frame,
    Kind,
    Start,
    packed,
    send,
    send_frame,
    stop_at,
    weight,
)
from explorer.live.recording.painting import filmed_part, rendered, rendered_whole
from explorer.live.recording.writer import RecordStatus, as_problem
from explorer.saving.film_pieces import recovered
from explorer.saving.lines import frame_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import IO

    from explorer.core.layers import Board
    from explorer.live.slot import Shot

log = logging.getLogger(__name__)

MOST_WAITING = 12
"""What is handed over while this much waits is dropped."""

MOST_BYTES = 3_000_000
"""Of a packed board, about a frame of 1280 x 720: a larger one is painted before it is handed over,
for painting it costs less than carrying it."""


PIPE_BYTES = 1 << 20
"""What Linux lets every user have."""


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


class FilmRecorder:
    """Writes `path` and the lines of `path` with the suffix .jsonl from now on until it is stopped.

    The frames are at their real times, in steps of `rate`: each is shown until the next one.

    Args:
        path: Ends in .mp4. The names appear when the recording is over.
        rate: Frames a second of the film at most; what comes faster is dropped.
        whole: All panes of the boards beside each other, not the first one alone.
        notify: Called on the recorder's thread when it is over; it must return at once.
    """

    def __init__(
        self,
        path: Path,
        rate: float = 25.0,
        *,
        whole: bool = False,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self._rate, self._whole, self._notify = min(max(rate, 1.0), 60.0), whole, notify
        self._condition = threading.Condition()
        self._waiting: deque[Look] = deque()
        self._left_out = 0  # before anything was handed over
        self._told = RecordStatus()  # what the process has said
        self._problem: ExplorerError | None = None
        self._over = self._canceled = False
        self._lost = False  # the process says nothing any more
        self._stopped_at: float | None = None
        self._first: float | None = None  # `Shot.at` of the first frame
        self.process: subprocess.Popen[bytes] | None = None
        # Joined at the end of the program: what was recorded gets its name.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=False)
        self._thread.start()

    # -- any thread -------------------------------------------------------------------------------

    def add(self, look: Look) -> bool:
        """Takes it over at once; False when it is dropped."""
        with self._condition:
            if self._stopping:
                return False
            if len(self._waiting) >= MOST_WAITING:
                self._left_out += 1
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
            self._left_out += count

    @property
    def status(self) -> RecordStatus:
        """How it is; what the process does is known to a tenth of a second."""
        with self._condition:
            told, first = self._told, self._first
            until = self._stopped_at or time.perf_counter()
            return replace(
                told,
                seconds=0.0 if first is None else max(0.0, until - first),
                left_out=told.left_out + self._left_out,
                problem=self._problem or told.problem,
                over=self._over,
            )

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

    @property
    def _stopping(self) -> bool:
        ended = self._problem is not None or self._told.problem is not None
        return self._over or self._lost or ended or self._stopped_at is not None

    # -- the recorder's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.process = begun = _begin()
        except OSError as error:
            self._fail(ExplorerError(f"The recording cannot start: {error}", "Try again."))
        else:
            assert begun.stdin is not None
            listener = threading.Thread(target=self._listen, args=(begun,), name="film status")
            listener.start()
            with contextlib.suppress(OSError), begun.stdin as pipe:  # it has ended: see below
                self._hand_over_all(pipe)
            listener.join()
            begun.wait()
            if not self._told.over:
                self._fail(self._rescued())
        with self._condition:
            self._waiting.clear()
            self._over = True
        self._notify()

    def _hand_over_all(self, pipe: IO[bytes]) -> None:
        send(pipe, Kind.START, packed(Start(self.path, self._rate, self._whole)))
        try:
            while (look := self._next()) is not None:
                self._hand_over(look, pipe)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of a view's data: live continues
            self._fail(error)
        ends = None if self._problem is not None else self._stopped_at
        send(pipe, Kind.STOP, stop_at(ends))
        with self._condition:
            self._condition.wait_for(lambda: self._canceled or self._told.over or self._lost)
        if self._canceled:
            send(pipe, Kind.CANCEL)

    def _next(self) -> Look | None:
        """The next look; None when no more will come."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._stopping)
            ended = self._canceled or self._lost or self._told.problem is not None
            if ended or not self._waiting:
                return None
            return self._waiting.popleft()

    def _hand_over(self, look: Look, pipe: IO[bytes]) -> None:
        shot = look.shot
        if self._first is None:
            with self._condition:
                self._first = shot.at
        picture: Any = None
        if look.filmed:
            board = look.board
            picture = shot.pixels if board is None else filmed_part(board, whole=self._whole)
        line = ""
        if look.data is not None:
            at, data = round(shot.at - self._first, 4), look.data()
            line = frame_line(
                shot.number, shot.position, look.view, look.network, data, recorded=at
            )
        if picture is None and not line:
            return
        parts = packed(Frame(picture, line))
        if look.board is not None and picture is not None and weight(parts) > MOST_BYTES:
            paint = rendered_whole if self._whole else rendered
            parts = packed(Frame(paint(look.board), line))
        send_frame(pipe, shot.at, parts, filmed=look.filmed)

    def _fail(self, error: Exception) -> None:
        log.info("the recording ended: %s", error, exc_info=not isinstance(error, ExplorerError))
        with self._condition:
            self._problem = as_problem(error)
            self._condition.notify_all()

    def _rescued(self) -> ExplorerError:
        """The process was killed: what it has written becomes the film."""
        words = "The process that writes the film was ended by the system."
        try:
            found = recovered(self.path)
        except ExplorerError as error:
            return ExplorerError(f"{words} {error.message}", error.hint)
        unfinished.forget(self.path)
        if found is None:
            return ExplorerError(words, "Nothing was recorded.")
        return ExplorerError(words, f"{self.path} has the part recorded before.")

    # -- the thread that listens ------------------------------------------------------------------

    def _listen(self, begun: subprocess.Popen[bytes]) -> None:
        assert begun.stdout is not None
        with begun.stdout as answers:
            for line in answers:
                told = process.status_of(line.decode("utf-8"))
                with self._condition:
                    self._told = told
                    self._condition.notify_all()
        with self._condition:
            self._lost = True
            self._condition.notify_all()


def _begin() -> subprocess.Popen[bytes]:
    """The process, with the program's own packages and nothing of the folder it is started in.

    Raises:
        OSError: It cannot be started.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    begun = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-P", "-c", f"from {process.__name__} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl+C is the program's
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert begun.stdin is not None
    _widen(begun.stdin)
    return begun


def _widen(pipe: IO[bytes]) -> None:
    """A frame fits into it where the system lets it: fewer turns from one process to the other."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
