"""The background jobs: a word in the status bar, and the list that it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from explorer.ui.jobs.background import BackgroundJobs, Phase
from explorer.ui.jobs.folder_row import FolderRow
from explorer.ui.jobs.job_row import JobRow
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Label, PopupFrame
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QKeyEvent

    from explorer.ui.jobs.background import Background

WIDTH, MOST_HEIGHT = 520, 480

FOLDER = "folder"
"""The kind of background job that is a folder job."""

VIEW = "view"
"""The kind that is the rest of a view's computation."""


class JobList(PopupFrame):
    """All jobs, in the order of their start; Tab goes through their buttons, Esc closes.

    Signals:
        show_wanted: A job's id: its result is to be shown.
        act_wanted: A folder job's id and what is to be done with it, see `FolderRow`.
        photo_wanted: A folder job's id, and a file: that photo is to be shown.
    """

    show_wanted = Signal(str)
    act_wanted = Signal(str, str)
    photo_wanted = Signal(str, str)

    def __init__(self, owner: QWidget, jobs: BackgroundJobs, shows: Callable[[str], bool]) -> None:
        super().__init__(owner)
        self._jobs, self._shows = jobs, shows
        self.rows: dict[str, JobRow] = {}
        self.setAccessibleName(self.tr("Background jobs"))
        self.nothing = Label(
            self.tr("No background jobs. Evaluations, trainings and work on folders run here."),
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
            row = self._row(found)
            row.pause_wanted.connect(self._jobs.pause)
            row.cancel_wanted.connect(self._jobs.cancel)
            row.show_wanted.connect(self._show)
            self.rows[job_id] = row
            self._column.insertWidget(len(self.rows) - 1, row)
        if found is not None and row is not None:
            row.set_job(found)
        self._arrange()

    def _row(self, found: Background) -> JobRow:
        if found.job.kind != FOLDER:
            return JobRow(found.job.id, shows=self._shows(found.job.kind))
        row = FolderRow(found.job.id)
        row.act_wanted.connect(self._act)
        row.photo_wanted.connect(self._open_photo)
        return row

    def _drop(self, job_id: str) -> None:
        row = self.rows.pop(job_id)
        self._column.removeWidget(row)
        if row.isAncestorOf(self.focusWidget()) and self.rows:
            next(iter(self.rows.values())).cancel.setFocus(Qt.FocusReason.OtherFocusReason)
        discard(row)

    def _show(self, job_id: str) -> None:
        self.hide()
        self.show_wanted.emit(job_id)

    def _act(self, job_id: str, what: str) -> None:
        self.hide()
        self.act_wanted.emit(job_id, what)

    def _open_photo(self, job_id: str, path: str) -> None:
        self.hide()
        self.photo_wanted.emit(job_id, path)

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
