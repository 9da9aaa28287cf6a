"""What is computed for a whole folder, where the result goes and for how many photos: asked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QPushButton, QSpinBox, QWidget

from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import Combo
from explorer.ui.widgets.field import Field
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_PHOTOS = 100_000_000


@dataclass(frozen=True, slots=True)
class FolderResult:
    """One kind of result.

    Attributes:
        title: For the list.
        job: Which job gives it, see `explorer.jobs.FOLDER_JOBS`.
        format: Its format there.
    """

    title: str
    job: str
    format: str


class PathField(QWidget):
    """The path of a folder: typed, or chosen in a dialog.

    Args:
        name: For screen readers.
        choose: What the button says, and the dialog.

    Signals:
        changed: The path is another one.
    """

    changed = Signal()

    def __init__(self, name: str, choose: str) -> None:
        super().__init__()
        self._title = choose
        self.field = Field()
        self.field.setAccessibleName(name)
        self.field.textChanged.connect(self.changed)
        self.choose = IconButton("folder", choose)
        self.choose.clicked.connect(self._choose)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        line.addWidget(self.field, 1)
        line.addWidget(self.choose)

    @property
    def path(self) -> str:
        return os.path.expanduser(self.field.text().strip())

    def set_path(self, path: str) -> None:
        self.field.setText(path)

    def _choose(self) -> None:
        start = next((str(each) for each in (Path(self.path), *Path(self.path).parents)
                      if os.path.isdir(each)), "")  # fmt: skip
        path = QFileDialog.getExistingDirectory(self, self._title, start)
        if path:
            self.set_path(path)


class FolderSheet(Overlay):
    """A sheet over the window.

    Args:
        window: What it covers.
        subject: View and network, in a line.
        results: The kinds that there are, the usual one first.
        photos: The folder that it proposes.
        place: ``(photos, result) -> path``: the folder that is proposed for the result.
        remark: ``(photos, out) -> (sentence, allowed)``: what is to be said about them; "" =
            nothing.

    Signals:
        accepted: ``(result, photos, out, limit)``: a `FolderResult`, two paths, and at most how
            many photos (0 = all).
    """

    accepted = Signal(object, str, str, int)

    def __init__(
        self,
        window: QWidget,
        subject: str,
        results: Sequence[FolderResult],
        photos: str,
        place: Callable[[str, FolderResult], str],
        remark: Callable[[str, str], tuple[str, bool]],
    ) -> None:
        super().__init__(window, QSize(UNIT * 76, 0))
        self._results, self._place_for, self._remark = tuple(results), place, remark
        self._proposed = ""
        self.photos = PathField(self.tr("Photos"), self.tr("Choose the folder of the photos"))
        self.what = Combo()
        self.what.setAccessibleName(self.tr("Result"))
        self.what.addItems([result.title for result in self._results])
        self.out = PathField(self.tr("Folder of the result"), self.tr("Choose a folder for it"))
        self.limit = QSpinBox()
        self.limit.setRange(0, MOST_PHOTOS)
        self.limit.setSpecialValueText(self.tr("all"))
        self.limit.setGroupSeparatorShown(True)
        self.limit.setSingleStep(100)
        self.limit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.limit.setAccessibleName(self.tr("Max. photos"))
        self.remark = Label(quiet=True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT * 3)
        grid.setVerticalSpacing(UNIT * 2)
        grid.setColumnStretch(1, 1)
        for row, (words, editor) in enumerate((
            (self.tr("Photos"), self.photos), (self.tr("Result"), self.what),
            (self.tr("Folder of the result"), self.out), (self.tr("Max. photos"), self.limit),
        )):  # fmt: skip
            label = Label(words)
            label.hug()
            grid.addWidget(label, row, 0)
            grid.addWidget(editor, row, 1)
        self.limit.setFixedWidth(round(UNIT * 20 * text_scale()))
        self.begin = QPushButton(self.tr("Start"))
        self.begin.clicked.connect(self._accept)
        self.lay_out(
            self.tr("Run on a folder"), Label(subject, quiet=True), grid, self.remark, ok=self.begin
        )
        self.photos.set_path(photos)
        self._propose()
        self.photos.changed.connect(self._propose)
        self.what.currentIndexChanged.connect(self._propose)
        self.out.changed.connect(self._check)

    @property
    def result(self) -> FolderResult:
        return self._results[max(0, self.what.currentIndex())]

    def _propose(self) -> None:
        """A folder for the result, unless the user has named one."""
        if self.out.path == self._proposed:
            photos = self.photos.path
            self._proposed = self._place_for(photos, self.result) if photos else ""
            self.out.set_path(self._proposed)
        self._check()

    def _check(self) -> None:
        words, allowed = self._remark(self.photos.path, self.out.path)
        self.remark.setText(words)
        self.remark.setVisible(bool(words))
        self.begin.setEnabled(allowed)
        self.fit()

    def _accept(self) -> None:
        chosen = self.result, self.photos.path, self.out.path, self.limit.value()
        self.close_sheet()
        self.accepted.emit(*chosen)
