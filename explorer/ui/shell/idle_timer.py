"""A slow timer: lets Python handle signals, collects garbage, shows that the window responds."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from PySide6.QtWidgets import QApplication, QWidget

INTERVAL_MILLISECONDS = 100
ALIVE_SECONDS = 5.0


class IdleTimer(QObject):
    """Ticks on the window's thread while the program runs.

    Args:
        app: Ended after `window` has closed, when a signal asks for it.
        window: Closed first.
        alive: Called every few seconds.
    """

    def __init__(self, app: QApplication, window: QWidget, alive: Callable[[], None]) -> None:
        super().__init__()
        self._app, self._window, self._alive = app, window, alive
        self._stop = False
        self._next = 0.0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self._timer.start(INTERVAL_MILLISECONDS)

    def stop(self) -> None:
        self._timer.stop()

    def stop_soon(self, number: int, frame: FrameType | None) -> None:
        """A signal handler: only sets a flag."""
        self._stop = True

    def _tick(self) -> None:
        if self._stop:
            self._stop = False
            self._window.close()
            self._app.quit()
            return
        now = time.monotonic()
        if now >= self._next:
            self._next = now + ALIVE_SECONDS
            self._alive()
        collect()


def settle() -> None:
    """What was imported stays: no collection looks through it again.

    Torch alone is 400 000 objects; a full collection among them stops every thread for a third of a
    second.
    """
    gc.freeze()


def collect() -> None:
    """What the automatic collection would do now, on this thread and between two events."""
    counts, limits = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > limits[generation] > 0:
            gc.collect(generation)
            return
