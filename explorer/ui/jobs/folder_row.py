"""A folder job in the list: how far it is, what has failed, what can be done with its result."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from explorer.ui.jobs.background import Phase
from explorer.ui.jobs.job_row import JobRow
from explorer.ui.widgets.button_row import ButtonRow, TextButton
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from explorer.batch.job import Failure
    from explorer.batch.run import Report
    from explorer.ui.jobs.background import Background

TRUTH, EVALUATE, OPEN, RETRY = "truth", "evaluate", "open", "retry"

BOXES = frozenset({"predictions.json", "labels", "annotations"})
"""Outputs of a folder job that hold boxes in a format with classes."""

GROUND_TRUTH = BOXES | {"masks"}
"""Those that a network can be evaluated on."""

_MOST_LINES = 5
_ADDRESS = Qt.ItemDataRole.UserRole


class FolderRow(JobRow):
    """See the module.

    Signals:
        act_wanted: Its id, and one of `TRUTH`, `EVALUATE`, `OPEN`, `RETRY`.
        photo_wanted: Its id, and the file of a photo that failed.
    """

    act_wanted = Signal(str, str)
    photo_wanted = Signal(str, str)

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id, shows=False)
        self._listed: tuple[Failure, ...] = ()
        self.remarks = Label(quiet=True, factor=0.92)
        self.failures = QListWidget()
        self.failures.setAccessibleName(self.tr("Photos that failed"))
        self.failures.setUniformItemSizes(True)
        self.failures.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.failures.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.failures.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.failures.itemClicked.connect(self._open)
        self.failures.itemActivated.connect(self._open)
        self.buttons = {
            TRUTH: TextButton("box", self.tr("Ground truth"),
                              self.tr("Use the boxes as ground truth of these photos")),
            EVALUATE: TextButton("chart", self.tr("Evaluate"),
                                 self.tr("Evaluate a network on this result")),
            OPEN: TextButton("folder", self.tr("Open folder"), self.tr("Show the files")),
            RETRY: TextButton("reset", self.tr("Retry failed"),
                              self.tr("Try the photos that failed again")),
        }  # fmt: skip
        for what, button in self.buttons.items():
            button.setProperty("what", what)
            button.clicked.connect(self._act)
        self.button_row = ButtonRow(tuple(self.buttons.values()))
        layout = self.layout()
        assert layout is not None
        for widget in (self.remarks, self.failures, self.button_row):
            layout.addWidget(widget)

    def set_job(self, found: Background) -> None:
        super().set_job(found)
        report: Report | None = found.value
        self._list(report.failures if report is not None else ())
        notes = report.notes if report is not None and report.complete else ()
        self.remarks.setText("\n".join(notes))
        self.remarks.setVisible(bool(notes))
        done = found.phase is Phase.DONE and report is not None and report.complete
        self.button_row.setVisible(done)
        outputs = set(report.outputs) if report is not None else set()
        for what, names in ((TRUTH, BOXES), (EVALUATE, GROUND_TRUTH)):
            self.buttons[what].setVisible(bool(outputs & names))
        self.buttons[RETRY].setVisible(report is not None and report.failed > 0)

    def _words(self, found: Background) -> str:
        words = super()._words(found)
        report: Report | None = found.value
        if report is None or found.phase is Phase.FAILED:
            return words
        photos = self.tr("1 photo") if report.done == 1 else f"{report.done:,} {self.tr('photos')}"
        failed = f"{report.failed:,} {self.tr('failed')}" if report.failed else ""
        return " · ".join(part for part in (words, photos, failed) if part)

    def _list(self, failures: tuple[Failure, ...]) -> None:
        before = len(self._listed)
        if failures[:before] != self._listed:
            self.failures.clear()
            before = 0
        for name, reason, address in failures[before:]:
            words = reason if os.path.basename(name) in reason else f"{name}: {reason}"
            item = QListWidgetItem(words)
            item.setToolTip(words)
            item.setData(_ADDRESS, address)
            if "://" in address or os.path.splitext(address)[1].lower() == ".tar":
                item.setFlags(Qt.ItemFlag.ItemIsEnabled)  # it is no file of its own
                item.setData(_ADDRESS, "")
            self.failures.addItem(item)
        if failures != self._listed:
            self._listed = failures
            line = self.failures.sizeHintForRow(0) if failures else 0
            shown = min(len(failures), _MOST_LINES)
            self.failures.setFixedHeight(line * shown + 2 * self.failures.frameWidth() + UNIT)
        self.failures.setVisible(bool(failures))

    def _open(self, item: QListWidgetItem) -> None:
        if address := item.data(_ADDRESS):
            self.photo_wanted.emit(self.job_id, address)

    def _act(self) -> None:
        self.act_wanted.emit(self.job_id, str(self.sender().property("what")))
