"""The background jobs: a word in the status bar, and the list that it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.jobs.background import Background, BackgroundJobs, Phase
from explorer.ui.panels.progress import duration
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Card, IconButton, Label, PopupFrame
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QKeyEvent

WIDTH, MOST_HEIGHT = 420, 420


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
        self._id, self._rests, self._shows = job_id, False, shows
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
        self.show_wanted.emit(self._id)

    def _pause(self) -> None:
        self.pause_wanted.emit(self._id, not self._rests)

    def _cancel(self) -> None:
        self.cancel_wanted.emit(self._id)


class JobList(PopupFrame):
    """All jobs, in the order of their start; Tab goes through their buttons, Esc closes.

    Signals:
        show_wanted: A job's id: its result is to be shown.
    """

    show_wanted = Signal(str)

    def __init__(self, owner: QWidget, jobs: BackgroundJobs, shows: Callable[[str], bool]) -> None:
        super().__init__(owner)
        self._jobs, self._shows = jobs, shows
        self.rows: dict[str, JobRow] = {}
        self.setAccessibleName(self.tr("Background jobs"))
        self.nothing = Label(
            self.tr("No background jobs. Evaluations and trainings run here."),
            quiet=True,
        )
        column = QWidget()
        self._column = QVBoxLayout(column)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(UNIT)
        self._column.addStretch(1)
        self._scroll = scrolled(column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT * 2, UNIT * 2, UNIT * 2, UNIT * 2)
        layout.setSpacing(UNIT)
        layout.addWidget(Label(self.tr("Background jobs"), bold=True))
        layout.addWidget(self.nothing)
        layout.addWidget(self._scroll, 1)
        jobs.changed.connect(self._changed)
        self._arrange()

    def open_above(self, anchor: QWidget) -> None:
        """Opens over `anchor`, its right edge in line with that of `anchor`."""
        self._anchor = anchor
        self._place()
        self.show()
        first = next(iter(self.rows.values()), None)
        if first is not None:
            first.pause.setFocus(Qt.FocusReason.PopupFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _changed(self, job_id: str) -> None:
        found = self._jobs.find(job_id)
        row = self.rows.get(job_id)
        if found is None and row is not None:
            self._drop(job_id)
        elif found is not None and row is None:
            row = JobRow(job_id, shows=self._shows(found.job.kind))
            row.pause_wanted.connect(self._jobs.pause)
            row.cancel_wanted.connect(self._jobs.cancel)
            row.show_wanted.connect(self._show)
            self.rows[job_id] = row
            self._column.insertWidget(len(self.rows) - 1, row)
        if found is not None and row is not None:
            row.set_job(found)
        self._arrange()

    def _drop(self, job_id: str) -> None:
        row = self.rows.pop(job_id)
        self._column.removeWidget(row)
        if row.isAncestorOf(self.focusWidget()) and self.rows:
            next(iter(self.rows.values())).cancel.setFocus(Qt.FocusReason.OtherFocusReason)
        discard(row)

    def _show(self, job_id: str) -> None:
        self.hide()
        self.show_wanted.emit(job_id)

    def _arrange(self) -> None:
        self.nothing.setVisible(not self.rows)
        self._scroll.setVisible(bool(self.rows))
        if self.isVisible():
            self._place()

    def _place(self) -> None:
        anchor = self._anchor
        screen = anchor.screen().availableGeometry()
        width = round(WIDTH * text_scale())
        room = width - 4 * UNIT
        wanted = sum(row.heightForWidth(room) + UNIT for row in self.rows.values())
        title = self.fontMetrics().height()
        height = max(wanted, self.nothing.heightForWidth(room)) + title + 6 * UNIT
        size = QSize(width, min(height, round(MOST_HEIGHT * text_scale())))
        size = size.boundedTo(screen.size() - QSize(2 * UNIT, 2 * UNIT))
        corner = anchor.mapToGlobal(QPoint(anchor.width() - size.width(), -size.height()))
        corner.setX(max(screen.left(), min(corner.x(), screen.right() - size.width())))
        corner.setY(max(screen.top(), corner.y()))
        self.setGeometry(corner.x(), corner.y(), size.width(), size.height())


class JobButton(QToolButton):
    """Shows in the status bar how many jobs there are and how far they are; opens the list.

    It is there while there is a job.
    """

    def __init__(self, jobs: BackgroundJobs) -> None:
        super().__init__()
        self._jobs = jobs
        self.setAutoRaise(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(16, 16))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        jobs.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self, _job_id: str = "") -> None:
        jobs = self._jobs.all
        going = [found for found in jobs if not found.phase.over]
        self.setVisible(bool(jobs))
        if not jobs:
            return
        failed = any(found.phase is Phase.FAILED for found in jobs)
        rests = bool(going) and all(found.phase is Phase.PAUSED for found in going)
        if going:
            shares = [max(found.share, 0.0) for found in going]
            what = self.tr("1 job") if len(going) == 1 else self.tr("%n jobs", "", len(going))
            words = f"{what} · {sum(shares) / len(shares):.0%}"
            words = f"{words} · {self.tr('paused')}" if rests else words
        else:
            words = self.tr("a job failed") if failed else self.tr("jobs done")
        self.setIcon(icon("pause" if rests else "chart" if going else "check"))
        if failed and not going:
            self.setIcon(icon("warning"))
        self.setText(words)
        self.setToolTip(self.tr("Background jobs"))
        self.setAccessibleName(f"{self.tr('Background jobs')}: {words}")
