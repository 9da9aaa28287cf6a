"""One background job in the list: what it is, how far it is, and its buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout

from explorer.core.listing import duration
from explorer.ui.jobs.background import Phase
from explorer.ui.widgets.small_widgets import UNIT, Card, IconButton, Label
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from explorer.ui.jobs.background import Background


class JobRow(Card):
    """One job: what it is, how far it is, and its buttons.

    Signals:
        pause_wanted: Its id, and True = pause, False = resume.
        cancel_wanted: Its id.
        show_wanted: Its id.
    """

    pause_wanted = Signal(str, bool)
    cancel_wanted = Signal(str)
    show_wanted = Signal(str)

    def __init__(self, job_id: str, *, shows: bool) -> None:
        super().__init__()
        self.job_id, self._rests, self._shows = job_id, False, shows
        self.title = Label(bold=True)
        self.words = Label(quiet=True, factor=0.92)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.show_button = QPushButton(self.tr("Show"))
        self.pause = IconButton("pause", self.tr("Pause"))
        self.cancel = IconButton("stop", self.tr("Cancel"))
        self.show_button.clicked.connect(self._show)
        self.pause.clicked.connect(self._pause)
        self.cancel.clicked.connect(self._cancel)
        head = QHBoxLayout()
        head.setSpacing(UNIT // 2)
        head.addWidget(self.title, 1)
        head.addWidget(self.show_button)
        head.addWidget(self.pause)
        head.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT + 4, UNIT, UNIT, UNIT + 2)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(head)
        layout.addWidget(self.bar)
        layout.addWidget(self.words)

    def set_job(self, found: Background) -> None:
        phase, title = found.phase, found.job.title
        self._rests = phase in (Phase.PAUSED, Phase.FAILED)
        self.title.setText(title)
        self.words.setText(self._words(found))
        endless = found.share < 0 and phase is Phase.RUNNING
        self.bar.setRange(0, 0 if endless else 1000)
        if not endless:
            self.bar.setValue(round(1000 * max(found.share, 0.0)))
        self.bar.setVisible(not phase.over)
        self.show_button.setVisible(self._shows)
        self.show_button.setAccessibleName(self.tr("Show {job}").format(job=title))
        self.pause.setVisible(phase is not Phase.DONE)
        verb = self.tr("Pause")
        if self._rests:
            verb = self.tr("Try again") if phase is Phase.FAILED else self.tr("Resume")
        self.pause.setIcon(icon("play" if self._rests else "pause"))
        self.pause.rename(f"{verb}: {title}")
        self.cancel.setIcon(icon("close" if phase.over else "stop"))
        leave = self.tr("Remove from the list") if phase.over else self.tr("Cancel")
        self.cancel.rename(f"{leave}: {title}")

    def _words(self, found: Background) -> str:
        share = f"{found.share:.0%}" if found.share >= 0 and not found.phase.over else ""
        spent = duration(found.seconds) if found.seconds > 0 else ""
        if found.failure is not None and found.phase is Phase.FAILED:
            return f"{found.failure.message} {found.failure.hint}".strip()
        state = {
            Phase.WAITING: self.tr("Waiting"),
            Phase.RUNNING: "",
            Phase.PAUSED: self.tr("Paused"),
            Phase.DONE: self.tr("Done"),
            Phase.FAILED: self.tr("Failed"),
        }[found.phase]
        return " · ".join(part for part in (state, share, spent, found.note) if part)

    def _show(self) -> None:
        self.show_wanted.emit(self.job_id)

    def _pause(self) -> None:
        self.pause_wanted.emit(self.job_id, not self._rests)

    def _cancel(self) -> None:
        self.cancel_wanted.emit(self.job_id)
