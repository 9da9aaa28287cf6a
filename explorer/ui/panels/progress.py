"""The job strip: how far the work is, for how long, and the buttons that stop or pause it."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from explorer.core.listing import duration
from explorer.core.runner import State, Update
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label
from explorer.ui.widgets.theme import icon

TICK_MS = 200
QUICK_MS = 150
"""A job that is done sooner shows no bar: nothing flickers while a slider moves."""

SEPARATOR = " · "


class JobStrip(QWidget):
    """A thin bar over a line of words and its buttons; its height never changes.

    Attributes:
        can_leave: What runs may be completed in the background.

    Signals:
        cancel_requested: Cancel was pressed.
        background_requested: It is to be completed in the background.
        pause_toggled: The new state of Pause.
    """

    cancel_requested = Signal()
    background_requested = Signal()
    pause_toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.can_leave = False
        self._running = False
        self._note = ""
        self._done = -1.0
        self._seconds = 0.0
        self._since = 0.0
        self.words = Label(quiet=True)
        self.words.setWordWrap(False)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.pause = IconButton("pause", self.tr("Pause"), checkable=True)
        self.cancel = IconButton("stop", self.tr("Cancel (Esc)"))
        self.background = IconButton("recent", self.tr("Continue in the background"))
        self.background.hide()
        self.background.clicked.connect(self.background_requested)
        for widget in (self.bar, self.pause, self.cancel):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
            widget.hide()
        self.pause.toggled.connect(self._paused)
        self.cancel.clicked.connect(self.cancel_requested)
        line = QHBoxLayout()
        line.setSpacing(UNIT // 2)
        line.addWidget(self.words, 1)
        line.addWidget(self.pause)
        line.addWidget(self.background)
        line.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(self.bar)
        layout.addLayout(line)
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._show)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(QUICK_MS)
        self._late.timeout.connect(self._show_controls)
        self._can_pause = False

    def set_waiting(self, note: str, can_pause: bool) -> None:
        """A job was submitted: its first news is awaited."""
        self.show_progress(note, -1.0, 0.0, can_pause)

    def set_update(self, update: Update, can_pause: bool) -> None:
        if update.state is not State.RUNNING:
            self._finish(update)
            return
        share = max(0.0, update.done / update.total) if update.total > 0 else -1.0
        self.show_progress(update.note, share, update.seconds, can_pause)

    def show_progress(self, note: str, share: float, seconds: float, can_pause: bool) -> None:
        """A job runs and is so far: `share` in [0, 1], or below 0 when not known."""
        self._note, self._done, self._seconds = note, share, seconds
        self._since = time.monotonic()
        if not self._running:
            self._running = True
            self._tick.start()
            self._late.start()
        elif can_pause != self._can_pause and not self._late.isActive():
            self.pause.setVisible(can_pause)
        self._can_pause = can_pause

    @property
    def counting(self) -> bool:
        """The seconds of a job are counted, or about to be."""
        return self._tick.isActive() or self._late.isActive()

    def clear(self) -> None:
        """As at the start: no job, no words."""
        self._stop()
        self.words.setText("")

    def set_paused(self, paused: bool) -> None:
        """Shows Pause pressed or not, without a signal (a shortcut did it)."""
        blocked = self.pause.blockSignals(True)
        self.pause.setChecked(paused)
        self.pause.blockSignals(blocked)
        self._show_pause(paused)

    def _show_controls(self) -> None:
        self.bar.show()
        self.cancel.show()
        self.pause.setVisible(self._can_pause)
        self.background.setVisible(self.can_leave)
        self._show()

    def _show(self) -> None:
        """The news of the moment; a few times a second, as a bar paints at every change."""
        if self._late.isActive():
            return
        seconds, share = self._seconds, ""
        if not self.pause.isChecked():
            seconds += time.monotonic() - self._since
        if self._done >= 0:
            done = min(self._done, 1.0)
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(done * 1000))
            share = f"{done:.0%}"
        else:
            self.bar.setRange(0, 0)
        self._set_words(self._note, share, duration(seconds))

    def _set_words(self, note: str, *figures: str) -> None:
        """Where room is short, first the share goes (the bar shows it), then the note's end."""
        parts = [part for part in (note.replace("\n", " "), *figures) if part]
        self.words.setToolTip(SEPARATOR.join(parts))
        metrics, width = self.words.fontMetrics(), self.words.width()
        if len(parts) > 2 and metrics.horizontalAdvance(SEPARATOR.join(parts)) > width:
            parts = [parts[0], parts[-1]]
        tail = "".join(SEPARATOR + part for part in parts[1:])
        room = max(40, width - metrics.horizontalAdvance(tail))
        self.words.setText(metrics.elidedText(parts[0], Qt.TextElideMode.ElideRight, room) + tail)

    def _finish(self, update: Update) -> None:
        self._stop()
        parts = [duration(update.seconds)]
        if update.steps > 1:
            parts.append(self.tr("{count} steps").format(count=update.steps))
        if update.state is State.CANCELLED:
            parts.insert(0, self.tr("Canceled"))
        elif update.state is State.FAILED:
            parts.insert(0, self.tr("Failed"))
        self._set_words(*parts)

    def _stop(self) -> None:
        self._running = False
        self._tick.stop()
        self._late.stop()
        self.bar.setRange(0, 1000)  # an endless bar animates even when hidden
        self.bar.hide()
        self.cancel.hide()
        self.pause.hide()
        self.background.hide()
        self.set_paused(False)

    def _paused(self, paused: bool) -> None:
        self._seconds += 0.0 if not paused else time.monotonic() - self._since
        self._since = time.monotonic()
        self._show_pause(paused)
        self.pause_toggled.emit(paused)

    def _show_pause(self, paused: bool) -> None:
        self.pause.setIcon(icon("play" if paused else "pause"))
        self.pause.rename(self.tr("Resume") if paused else self.tr("Pause"))
