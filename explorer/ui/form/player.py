"""The button beside a slider that moves it on by itself."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from explorer.ui.widgets.small_widgets import UNIT, IconButton
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from explorer.ui.form.slider import Slider

STEP_MS, SLOWEST_MS = 1000 // 12, 700
SHORTEST_SECONDS, LONGEST_SECONDS = 4, 20


class Player(QObject):
    """Steps a slider from where it is to its end, then stops; from the end it starts again.

    A few positions are shown one after the other so that each can be seen, of many some are left
    out. Anything else that moves the slider stops it.

    Attributes:
        last: The position behind which nothing changes any more, if it is not the slider's end.

    Attributes:
        timer: Runs while it plays.

    Signals:
        moved: The slider's new position.
    """

    moved = Signal(int)

    def __init__(self, slider: Slider, parent: QObject) -> None:
        super().__init__(parent)
        self._slider = slider
        self._busy = False
        self._at = 0
        self.last: int | None = None
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.step)
        self.widget = QWidget()
        self.button = IconButton("play", self.tr("Play"))
        self.button.clicked.connect(self._toggle)
        line = QHBoxLayout(self.widget)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        line.addWidget(self.button)
        line.addWidget(slider, 1)

    @property
    def playing(self) -> bool:
        return self.timer.isActive()

    def set_busy(self, busy: bool) -> None:
        """While an answer is computed the next step waits: every one of them is to be seen."""
        self._busy = busy

    def start(self) -> None:
        """Plays on, or from the beginning when it has arrived at the end."""
        if self._slider.value() >= self._end:
            self._go(self._slider.minimum())
        self._at = self._slider.value()
        span = max(1, self._end - self._slider.minimum())
        self.timer.start(min(max(STEP_MS, SHORTEST_SECONDS * 1000 // span), SLOWEST_MS))
        self._show()

    def stop(self) -> None:
        self.timer.stop()
        self._show()

    def check(self) -> None:
        """Something has set the slider: if it was not the player, it plays no longer."""
        if self.playing and self._slider.value() != self._at:
            self.stop()

    @property
    def _end(self) -> int:
        most = self._slider.maximum()
        return most if self.last is None else max(min(self.last, most), self._slider.minimum() + 1)

    def _toggle(self) -> None:
        if self.playing:
            self.stop()
        else:
            self.start()

    def step(self) -> None:
        """One step on, unless an answer is waited for."""
        if self._busy:
            return
        span = self._end - self._slider.minimum()
        stride = max(1, ceil(span * STEP_MS / (LONGEST_SECONDS * 1000)))
        self._go(min(self._slider.value() + stride, self._end))
        if self._slider.value() >= self._end:
            self.stop()

    def _go(self, position: int) -> None:
        self._at = position
        self.moved.emit(position)

    def _show(self) -> None:
        self.button.setIcon(icon("pause" if self.playing else "play"))
        self.button.rename(self.tr("Pause") if self.playing else self.tr("Play"))
