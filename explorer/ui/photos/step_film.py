"""Keeps the steps of a view that makes films while they stream: a film needs no second run.

A step goes through three hands. The runner's thread stores its answer and continues; the window's
thread draws it, as it draws everything; the files runner paints the board and packs the picture.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from explorer.core.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from explorer.core.layers import UInt8
    from explorer.core.runner import JobSteps, Token, Update
    from explorer.engine.answer import Answer
    from explorer.engine.finish import FinishedAnswer

log = logging.getLogger(__name__)

MOST_FRAMES = 600
MOST_WAITING = 60
"""At most this many steps wait to be drawn or painted; of more every second one is dropped."""

QUALITY = 92
PAINT = "step film"


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """The picture of step `number` as JPEG."""

    number: int
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class KeptFrames:
    """The frames of a moment: (H, W, 3) uint8 RGB, in their order.

    `steps` are all that there were until then, those that were left out included.
    """

    steps: int
    jpegs: tuple[bytes, ...]

    def __iter__(self) -> Iterator[UInt8]:
        import cv2
        import numpy as np

        for jpeg in self.jpegs:
            frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            if frame is not None:
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


class StepFilm(QObject):
    """Frames as JPEG, thinned out to every second one whenever there are too many.

    Args:
        fetch: Submits a job under a key to the files runner (`Bridge.fetch`).
        parent: As always in Qt.
    """

    _came = Signal()

    def __init__(
        self,
        fetch: Callable[[str, Callable[[Token], JobSteps], Callable[[Update], object]], object],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._fetch = fetch
        self._lock = threading.Lock()
        self._painting = threading.Lock()
        self._answers: deque[tuple[int, Answer]] = deque()
        self._drawn: deque[tuple[int, FinishedAnswer]] = deque()
        self._frames: list[_Frame] = []
        self._stride, self._count, self._take = 1, 0, 0
        self._subject: tuple[Any, ...] = ()
        self._came.connect(self.draw, Qt.ConnectionType.QueuedConnection)

    def __len__(self) -> int:
        """How many steps are kept, those that are still to be painted included."""
        with self._lock:
            return len(self._answers) + len(self._drawn) + len(self._frames)

    def clear(self) -> None:
        """Begins a new film."""
        with self._lock:
            self._answers.clear()
            self._drawn.clear()
            self._frames = []
            self._stride, self._count = 1, 0
            self._take += 1

    def keep_only(self, answer: Answer) -> None:
        """The steps that led to `answer` stay, those of another question are dropped."""
        if self._subject != _subject(answer):
            self.clear()

    # -- the runner's thread ----------------------------------------------------------------------

    def recorded(
        self, steps: Generator[Step[Answer], Any, None]
    ) -> Generator[Step[Answer], Any, None]:
        """The same steps; each that shows something new leaves a frame."""
        self.clear()
        news: Any = None
        try:
            while True:
                try:
                    step = steps.send(news)
                except StopIteration:
                    return
                if step.value.result is not None:
                    self.keep(step.value)
                news = yield step
        finally:
            steps.close()

    def keep(self, answer: Answer) -> None:
        """Takes a step; the runner's thread continues at once."""
        with self._lock:
            self._subject = _subject(answer)
            number, self._count = self._count, self._count + 1
            if number % self._stride:
                return
            first = not self._answers
            self._answers.append((number, answer))
            if len(self._answers) + len(self._drawn) > MOST_WAITING:
                self._thin()
        if first:  # the window is woken once, however many come before it looks
            self._came.emit()

    # -- the window's thread ----------------------------------------------------------------------

    def draw(self) -> None:
        """Draws what has come, and has it painted."""
        from explorer.engine.finish import FinishedAnswer

        with self._lock:
            answers, take = list(self._answers), self._take
            self._answers.clear()
        all_of_them = [(number, FinishedAnswer(answer)) for number, answer in answers]
        finished = [each for each in all_of_them if each[1].board.panes]  # this draws them
        with self._lock:
            if not finished or take != self._take:
                return
            idle = not self._drawn
            self._drawn.extend(finished)
        if idle:
            self._fetch(PAINT, lambda _: self._painted(), self._told)

    def _told(self, update: Update) -> None:
        if update.failure is not None:  # the next step is painted all the same
            log.error("a step was not painted: %s", update.failure.traceback)

    # -- the files runner -------------------------------------------------------------------------

    def frames(self) -> KeptFrames:
        """Those of this moment; what is still to be painted is painted now."""
        for _ in self._painted():
            pass
        with self._lock:
            return KeptFrames(self._count, tuple(frame.jpeg for frame in self._frames))

    def _painted(self) -> JobSteps:
        while self._paint_next():
            yield Step(None, 0, 0)

    def _paint_next(self) -> bool:
        """Paints the oldest board; False when none is left."""
        with self._painting:  # a film that is written may come in between: the order stays
            with self._lock:
                if not self._drawn:
                    return False
                (number, finished), take = self._drawn[0], self._take
            jpeg = _packed(finished.frame())
            with self._lock:
                if take != self._take:
                    return bool(self._drawn)
                if self._drawn and self._drawn[0][0] == number:
                    self._drawn.popleft()
                if number % self._stride == 0:
                    self._frames.append(_Frame(number, jpeg))
                if len(self._frames) > MOST_FRAMES:
                    self._thin()
                return bool(self._drawn)

    def _thin(self) -> None:
        """Leaves every second frame out, those to come as well."""
        self._stride *= 2
        self._answers = deque(e for e in self._answers if e[0] % self._stride == 0)
        self._drawn = deque(e for e in self._drawn if e[0] % self._stride == 0)
        self._frames = [frame for frame in self._frames if frame.number % self._stride == 0]


def _packed(rgb: UInt8) -> bytes:
    import cv2

    flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), flags)
    return data.tobytes()


def _subject(answer: Answer) -> tuple[Any, ...]:
    ask = answer.ask
    return (ask.view.name, ask.image.key if ask.image is not None else "", ask.spec, ask.seed)
