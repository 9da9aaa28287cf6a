"""The evaluation sheet: how good a network is on a folder of photos with known answers.

The work is a job of the runner that looks at photos for the window too: a network is never used by
two threads, and a look that the user asks for meanwhile goes first.
"""

from __future__ import annotations

from dataclasses import replace
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

from explorer.core.layers import Table
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.ui.dialogs.messages import ErrorCard
from explorer.ui.dialogs.notice import Notice
from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import Combo
from explorer.ui.panels.progress import JobStrip
from explorer.ui.results.table import TableWidget
from explorer.ui.shell.bridge import is_over
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label

if TYPE_CHECKING:
    from collections.abc import Generator

    from PySide6.QtGui import QKeyEvent

    from explorer.core.network_info import NetworkSpec
    from explorer.core.runner import JobSteps, Token
    from explorer.engine.engine import Engine
    from explorer.evaluation.datasets import Sight
    from explorer.evaluation.report import Report
    from explorer.ui.shell.desk import Desk

EVALUATE, FIND, WRITE = "evaluate", "evaluate-find", "evaluate-write"
LIMITS = (100, 500, 2000, 0)
FIRST_LIMIT = 500

EMPTY = (
    "Choose a folder with a folder of photos for every class, one with COCO or Pascal VOC "
    "annotations or with masks, or a file: a COCO JSON or an npz of photos."
)


class EvaluationSheet(Overlay):
    """Data, network and number of photos above; figures below. Closing it does not end the work."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main, QSize(1000, 720))
        self._desk = desk
        self._report: Report | None = None
        self._offered: set[Path] = set()  # places that were found beside a photo once
        self.running = False
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
        head.addWidget(Label(self.tr("Evaluate on a folder"), factor=1.35, bold=True), 1)
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

    # -- opening ----------------------------------------------------------------------------------

    def show_sheet(self) -> None:
        """Opens it; annotations beside the photo of the moment are used at once."""
        if not self.running:
            self._fill_networks()
            self._look_around()
        self._refresh()
        self.open(self.start_button if self.data is not None else self.folder)

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
        """The catalogue is known now."""
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
        words = self.tr("Choose a folder with known answers")
        path = QFileDialog.getExistingDirectory(self._desk.main, words, start)
        if path:
            self.set_data(Path(path))

    def _ask_file(self) -> None:
        kinds = f"{self.tr('Data')} (*.json *.npz *.xml);;* (*)"
        words = self.tr("Choose data with known answers")
        path, _ = QFileDialog.getOpenFileName(self._desk.main, words, str(self.data or ""), kinds)
        if path:
            self.set_data(Path(path))

    # -- the work ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Evaluates; whatever is running is replaced."""
        spec, place, limit = self.network.currentData(), self.data, self.limit.currentData()
        if spec is None or place is None:
            return
        device, half = self._desk.study.device, self._desk.study.half
        spec = replace(spec, device=device, half=half)

        def begin(engine: Engine, token: Token) -> JobSteps:
            from explorer.evaluation.run import Wish, fulfil

            return fulfil(Wish(spec, place, limit=limit), engine, lambda: token.cancelled)

        self.running = True
        self._report = None
        self.said.setText("")
        self.error.hide()
        self.strip.set_waiting(self.tr("Starting"), can_pause=False)
        self._desk.bridge.compute(EVALUATE, begin, self._worked)
        self._refresh()

    def _cancel(self) -> None:
        self._desk.bridge.cancel(EVALUATE)

    def _looked_around(self, update: Update) -> None:
        if update.state is State.DONE and update.value is not None and self.isVisible():
            self._use(update.value)

    def _worked(self, update: Update) -> None:
        self.strip.set_update(update, False)
        if update.value is not None:
            self._report = update.value
        if is_over(update):
            self._end(update)
        self._refresh()

    def _end(self, update: Update) -> None:
        self.running = False
        failure = update.failure
        if failure is not None:
            details = "" if failure.expected else failure.traceback
            self.error.set_error(failure.message, failure.hint, details)
        if not self.isVisible() and update.state is not State.CANCELLED:
            self._tell(failure.message if failure is not None else "")

    def _tell(self, problem: str) -> None:
        report = self._report
        words = problem or (f"{report.title}: {report.headline()}." if report is not None else "")
        text = self.tr("Evaluation finished. {words}").format(words=words)
        show = ((self.tr("Show"), self.show_sheet),)
        self._desk.notices.show_notice(Notice(text, "error" if problem else "info", "", show))

    # -- what is shown ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        report = self._report
        self.place.setText(str(self.data) if self.data is not None else self.tr("Nothing chosen"))
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
        self.figures.set_table(Table("figures", columns, rows, title=self.tr("Figures")))
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
        kinds = f"{self.tr('Everything')} (*.json);;{self.tr('Tables')} (*.csv)"
        path, kind = QFileDialog.getSaveFileName(
            self._desk.main, self.tr("Save figures"), start, kinds
        )
        if path:
            suffix = ".csv" if "csv" in kind else ".json"
            self.write(Path(path) if Path(path).suffix else Path(path).with_suffix(suffix))

    def write(self, path: Path) -> None:
        """The figures as JSON, or as CSV where the name ends so."""
        report = self._report
        assert report is not None

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.core.atomic import write_bytes
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
        if event.key() == Qt.Key.Key_Escape and self.running:
            self._cancel()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.start_button.isEnabled():
            self.start()
        else:
            super().keyPressEvent(event)
