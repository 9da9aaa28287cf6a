"""The evaluation sheet: how good a network is on a folder of photos with known answers.

The work is a background job: it goes on behind every question whatever is looked at, with the sheet
closed too, and after a restart. The sheet starts it, and shows what it has found.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from explorer.core.errors import ExplorerError
from explorer.core.layers import Table
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.jobs import EVALUATION
from explorer.ui.dialogs.messages import ErrorCard
from explorer.ui.dialogs.notice import Notice
from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import Combo
from explorer.ui.jobs.background import Background, Phase
from explorer.ui.panels.progress import JobStrip
from explorer.ui.results.table import TableWidget
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label

if TYPE_CHECKING:
    from collections.abc import Generator

    from PySide6.QtGui import QKeyEvent

    from explorer.core.network_info import NetworkSpec
    from explorer.evaluation.datasets import Sight
    from explorer.evaluation.report import Report
    from explorer.ui.shell.desk import Desk

FIND, WRITE = "evaluate-find", "evaluate-write"
LIMITS = (100, 500, 2000, 0)
FIRST_LIMIT = 500

EMPTY = (
    "Choose a folder with one folder of photos per class, with COCO or Pascal VOC annotations, "
    "or with masks; or a COCO JSON or npz file of photos."
)


class EvaluationSheet(Overlay):
    """Data, network and number of photos above; figures below. Closing it does not end the work."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main, QSize(1000, 720))
        self._desk = desk
        self._job = ""  # the one that is shown
        self._report: Report | None = None
        self._offered: set[Path] = set()  # places that were found beside a photo once
        self.data: Path | None = None
        self.folder = QPushButton(self.tr("Folder…"))
        self.file = QPushButton(self.tr("File…"))
        self.place = Label()
        self.network = Combo()
        self.limit = Combo()
        for count in LIMITS:
            words = self.tr("at most {count}").format(count=count) if count else self.tr("all")
            self.limit.addItem(words, count)
        self.limit.setCurrentIndex(LIMITS.index(FIRST_LIMIT))
        self.start_button = QPushButton(self.tr("Evaluate"))
        self.start_button.setDefault(True)
        self.strip = JobStrip()
        self.strip.cancel.rename(self.tr("Cancel"))  # Esc closes the sheet; the work goes on
        self.error = ErrorCard()
        self.empty = Label(self.tr(EMPTY), quiet=True)
        self.headline = Label(factor=1.2, bold=True)
        self.words = Label(quiet=True)
        self.figures = TableWidget()
        self.classes = TableWidget()
        self.save = QPushButton(self.tr("Save…"))
        self.close_button = IconButton("close", self.tr("Close"))
        self.said = Label(quiet=True)
        self._lay_out()
        self._connect()
        self._refresh()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(Label(self.tr("Evaluate on a data set"), factor=1.35, bold=True), 1)
        head.addWidget(self.close_button)
        data = QHBoxLayout()
        data.setSpacing(UNIT)
        data.addWidget(self.folder)
        data.addWidget(self.file)
        data.addWidget(self.place, 1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT * 3)
        grid.setVerticalSpacing(UNIT)
        grid.setColumnStretch(1, 1)
        choice = QHBoxLayout()
        choice.setSpacing(UNIT * 2)
        choice.addWidget(self.network, 3)
        choice.addWidget(Label(self.tr("Photos")))
        choice.addWidget(self.limit, 1)
        choice.addWidget(self.start_button)
        for row, (title, line) in enumerate(
            ((self.tr("Data"), data), (self.tr("Network"), choice))
        ):
            label = Label(title)
            label.hug()
            grid.addWidget(label, row, 0)
            grid.addLayout(line, row, 1)
        self.network.setAccessibleName(self.tr("Network"))
        self.limit.setAccessibleName(self.tr("Photos"))
        self.figures.horizontalHeader().setStretchLastSection(True)
        found = QWidget()
        column = QVBoxLayout(found)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addWidget(self.headline)
        column.addWidget(self.words)
        column.addWidget(self.figures)
        column.addSpacing(UNIT)
        column.addWidget(self.classes, 1)
        column.addStretch(0)  # before there are figures, the words stay together
        self._found = found
        foot = QHBoxLayout()
        foot.addWidget(self.said, 1)
        foot.addWidget(self.save)
        self.body.setContentsMargins(UNIT * 3, UNIT * 2, UNIT * 3, UNIT * 3)
        self.body.setSpacing(UNIT * 2)
        self.body.addLayout(head)
        self.body.addLayout(grid)
        self.body.addWidget(self.strip)
        self.body.addWidget(self.error)
        self.body.addWidget(self.empty)
        self.body.addWidget(found, 1)
        self.body.addStretch(0)
        self.body.addLayout(foot)

    def _connect(self) -> None:
        self.close_button.clicked.connect(self.close_sheet)
        self.folder.clicked.connect(self._ask_folder)
        self.file.clicked.connect(self._ask_file)
        self.start_button.clicked.connect(self.start)
        self.save.clicked.connect(self._ask_save)
        self.strip.cancel_requested.connect(self._cancel)
        self.strip.pause_toggled.connect(self._pause)
        self._desk.jobs.changed.connect(self._job_changed)
        self._desk.jobs.ended.connect(self._job_ended)

    @property
    def running(self) -> bool:
        """The evaluation that is shown is not over."""
        found = self._desk.jobs.find(self._job)
        return found is not None and not found.phase.over

    # -- opening ----------------------------------------------------------------------------------

    def show_sheet(self) -> None:
        """Opens it; annotations beside the photo of the moment are used at once."""
        if not self._job and (left := self._desk.jobs.newest(EVALUATION)) is not None:
            self._take(left.job.id)  # of an earlier run of the program
        if not self.running:
            self._fill_networks()
            self._look_around()
        self._refresh()
        self.open(self.start_button if self.data is not None else self.folder)

    def show_job(self, job_id: str) -> None:
        """Opens it with the evaluation that this background job is."""
        if job_id != self._job:
            self._take(job_id)
        self._refresh()
        self.open(self.close_button)

    def _look_around(self) -> None:
        image = self._desk.study.image
        if image is None or image.path is None:
            return
        photo = image.path

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.evaluation.datasets import annotated_near

            yield Step(annotated_near(photo))

        self._desk.bridge.fetch(FIND, lambda _: job(), self._looked_around)

    def _use(self, sight: Sight) -> None:
        if self.running or sight.place in self._offered:
            return
        self._offered.add(sight.place)
        self.set_data(sight.place)
        wanted = ["detection", *(["segmentation"] if "mask" in sight.offers else [])]
        if self._task_of(self.network.currentData()) not in wanted:
            rows = range(self.network.count())
            fitting = (r for r in rows if self._task_of(self.network.itemData(r)) == wanted[0])
            self.network.setCurrentIndex(next(fitting, self.network.currentIndex()))
        self.start()

    def _fill_networks(self) -> None:
        study = self._desk.study
        ready = study.ready
        before = self.network.currentData()
        self.network.clear()
        if ready is None:
            return
        from explorer.core.network_info import NetworkSpec

        specs = [study.spec] if study.spec is not None else []
        at_hand = [entry for entry in ready.entries if entry.at_hand is not None]
        for entry in at_hand:
            specs.append(NetworkSpec(entry.name, "", study.device, study.half))
        for spec in dict.fromkeys(specs):
            self.network.addItem(self._title_of(spec), spec)
        kept = before if before in specs else study.spec
        if kept is not None:
            self.network.setCurrentIndex(self.network.findData(kept))

    def networks_came(self) -> None:
        """The catalog is known now."""
        self._fill_networks()
        self._refresh()

    def _title_of(self, spec: NetworkSpec) -> str:
        entry = self._desk.study.entry(spec)
        title = entry.title if entry is not None else spec.name
        if spec.weights and spec.weights != "none":
            title = f"{title} · {Path(spec.weights).name}".lstrip(" ·")
        return title

    def _task_of(self, spec: NetworkSpec | None) -> str:
        entry = self._desk.study.entry(spec) if spec is not None else None
        return entry.task if entry is not None else ""

    # -- data -------------------------------------------------------------------------------------

    def set_data(self, place: Path) -> None:
        """What to evaluate on: a folder or a file."""
        self.data = place
        self.error.hide()
        self._refresh()

    def _ask_folder(self) -> None:
        start = str(self.data or "")
        words = self.tr("Choose a data set folder")
        path = QFileDialog.getExistingDirectory(self._desk.main, words, start)
        if path:
            self.set_data(Path(path))

    def _ask_file(self) -> None:
        kinds = f"{self.tr('Data')} (*.json *.npz *.xml);;* (*)"
        words = self.tr("Choose a data set file")
        path, _ = QFileDialog.getOpenFileName(self._desk.main, words, str(self.data or ""), kinds)
        if path:
            self.set_data(Path(path))

    # -- the work ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Evaluates, behind whatever else is asked."""
        spec, place, limit = self.network.currentData(), self.data, self.limit.currentData()
        if spec is None or place is None or self.running:
            return
        from explorer.evaluation.background import params_of
        from explorer.evaluation.run import Wish

        device, half = self._desk.study.device, self._desk.study.half
        wish = Wish(replace(spec, device=device, half=half), place, limit=limit)
        title = self.tr("{network} on {data}").format(network=self._title_of(spec), data=place.name)
        self._show_nothing()
        self.strip.set_waiting(self.tr("Starting"), can_pause=True)
        self._job = self._desk.jobs.start(EVALUATION, title, params_of(wish))
        self._refresh()

    def _show_nothing(self) -> None:
        self._report = None
        self.said.setText("")
        self.error.hide()
        self.strip.clear()

    def _take(self, job_id: str) -> None:
        """Shows this evaluation from now on: what it was asked, and what it has found."""
        found = self._desk.jobs.find(job_id)
        if found is None:
            return
        from explorer.evaluation.background import wish_of

        self._job = job_id
        self._show_nothing()
        try:
            wish = wish_of(found.job.params)
        except ExplorerError as error:
            self.error.set_error(error.message, error.hint, "")
            return
        self.data = wish.data
        if self.limit.findData(wish.limit) < 0:
            self.limit.addItem(self.tr("at most {count}").format(count=wish.limit), wish.limit)
        self.limit.setCurrentIndex(self.limit.findData(wish.limit))
        self._fill_networks()
        if self.network.findData(wish.spec) < 0:
            self.network.addItem(self._title_of(wish.spec), wish.spec)
        self.network.setCurrentIndex(self.network.findData(wish.spec))
        self._job_changed(job_id)

    def _cancel(self) -> None:
        # What it has found stays to be read; the job itself is gone.
        self._desk.jobs.cancel(self._job)

    def _pause(self, on: bool) -> None:
        self._desk.jobs.pause(self._job, on)

    def _looked_around(self, update: Update) -> None:
        if update.state is State.DONE and update.value is not None and self.isVisible():
            self._use(update.value)

    def _job_changed(self, job_id: str) -> None:
        if job_id != self._job:
            return
        found = self._desk.jobs.find(job_id)
        if found is None:
            self.strip.clear()
        else:
            self._report = found.value or self._report
            self.strip.show_progress(found.note, found.share, found.seconds, can_pause=True)
            self.strip.set_paused(found.phase is Phase.PAUSED)
            if found.phase.over:
                self.strip.clear()
            if found.failure is not None:
                details = "" if found.failure.expected else found.failure.traceback
                self.error.set_error(found.failure.message, found.failure.hint, details)
            else:
                self.error.hide()
        self._refresh()

    def _job_ended(self, job_id: str) -> None:
        found = self._desk.jobs.find(job_id)
        if found is None or found.job.kind != EVALUATION:
            return
        if job_id != self._job or not self.isVisible():
            self._tell(found)

    def _tell(self, found: Background) -> None:
        report, failure = found.value, found.failure
        if failure is not None:
            text = self.tr("Evaluation failed. {words}").format(words=failure.message)
        else:
            words = f"{report.title}: {report.headline()}." if report is not None else ""
            text = self.tr("Evaluation finished. {words}").format(words=words)
        show = ((self.tr("Show"), partial(self.show_job, found.job.id)),)
        kind = "info" if failure is None else "error"
        self._desk.notices.show_notice(Notice(text, kind, "", show))

    # -- what is shown ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        report = self._report
        self.place.setText(
            str(self.data) if self.data is not None else self.tr("No data set chosen")
        )
        ready = self.data is not None and self.network.currentData() is not None
        for widget in (self.folder, self.file, self.network, self.limit):
            widget.setEnabled(not self.running)
        self.start_button.setEnabled(ready and not self.running)
        self.save.setEnabled(report is not None and bool(report.figures) and not self.running)
        self.empty.setVisible(report is None and not self.running and self.error.isHidden())
        self._found.setVisible(report is not None)
        if report is not None:
            self._show(report)

    def _show(self, report: Report) -> None:
        from explorer.evaluation.report import FIGURES, by_class_table, sentences

        self.headline.setText(f"{report.title}: {report.headline()}".rstrip(": "))
        self.words.setText("\n".join(sentences(report)))
        for table in (self.figures, self.classes):
            table.setVisible(bool(report.figures))
        if not report.figures:
            return
        rows = tuple((key, value, FIGURES[key]) for key, value in report.figures.items())
        columns = (self.tr("figure"), self.tr("value"), self.tr("meaning"))
        self.figures.set_table(Table("figures", columns, rows, title=self.tr("Metrics")))
        self.classes.set_table(by_class_table(report))
        line = self.figures.verticalHeader().defaultSectionSize()
        head = self.figures.horizontalHeader().sizeHint().height()
        self.figures.setFixedHeight(head + line * len(rows) + 4)

    # -- saving -----------------------------------------------------------------------------------

    def _ask_save(self) -> None:
        report = self._report
        if report is None:
            return
        name = f"{report.network or 'network'}-{Path(report.data).stem}.json"
        start = str((self.data.parent if self.data is not None else Path.home()) / name)
        kinds = f"{self.tr('All results')} (*.json);;{self.tr('Tables only')} (*.csv)"
        path, kind = QFileDialog.getSaveFileName(
            self._desk.main, self.tr("Save metrics"), start, kinds
        )
        if path:
            suffix = ".csv" if "csv" in kind else ".json"
            self.write(Path(path) if Path(path).suffix else Path(path).with_suffix(suffix))

    def write(self, path: Path) -> None:
        """The figures as JSON, or as CSV where the name ends so."""
        report = self._report
        assert report is not None

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.core.storage.atomic import write_bytes
            from explorer.evaluation.report import csv_of, json_of

            content = csv_of(report) if path.suffix.lower() == ".csv" else json_of(report)
            write_bytes(path, content)
            yield Step(path)

        self._desk.bridge.fetch(WRITE, lambda _: job(), self._written)

    def _written(self, update: Update) -> None:
        if update.state is State.DONE and update.value is not None:
            self.said.setText(self.tr("Saved as {path}.").format(path=update.value))
        elif update.failure is not None:
            self.error.set_error(update.failure.message, update.failure.hint, "")

    # -- keys -------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and self.start_button.isEnabled():
            self.start()
        else:
            super().keyPressEvent(event)
