"""How late the timers of the window's thread are: what somebody feels as a frozen window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

TICK_MS = 5


class Lateness(QObject):
    """How much later than asked for a timer of this thread fires, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self._due = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self._due = time.perf_counter() + TICK_MS / 1000
        self._timer.start(TICK_MS)

    def stop(self) -> None:
        self._timer.stop()

    def _beat(self) -> None:
        self.late.append((time.perf_counter() - self._due) * 1000)
        self.start()

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.late, share))

    def share_over(self, milliseconds: float) -> float:
        return sum(late > milliseconds for late in self.late) / max(1, len(self.late))


def measured(qtbot: QtBot, seconds: float) -> Lateness:
    """Runs the window's thread for so long."""
    lateness = Lateness()
    lateness.start()
    qtbot.wait(int(seconds * 1000))
    lateness.stop()
    return lateness
