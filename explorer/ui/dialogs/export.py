"""What is to be written, how large and how fast: asked before the place is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QSpinBox, QWidget

from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import Combo
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.small_widgets import UNIT, Label, Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Options:
    """What was chosen, as far as the kind has it.

    Attributes:
        size: In pixels; 0 = as it is.
        rate: Frames a second.
        beside: With the views that are shown beside.
    """

    size: int = 0
    rate: int = 0
    beside: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ExportKind:
    """One thing that can be written.

    Attributes:
        title: For the list.
        suffixes: As for a file dialog: "*.png *.jpg"; the first is the usual one.
        write: Writes it to a path.
        size: Its usual size and the largest one, in pixels; None = it has none to choose.
        rate: Its usual rate in frames a second and the highest one.
        size_title: What the size is of.
        beside: It can show the views beside; the value it begins with.
    """

    title: str
    suffixes: str
    write: Callable[[str, Options], None]
    size: tuple[int, int] | None = None
    rate: tuple[int, int] | None = None
    size_title: str = ""
    beside: bool | None = None

    @property
    def suffix(self) -> str:
        return self.suffixes.split()[0].removeprefix("*")


class ExportSheet(Overlay):
    """A sheet over the window.

    Args:
        window: What it covers.
        title: Of the sheet.
        kinds: What there is to choose from.
        last: The options that were chosen before, by the titles of kinds; the newest kind is the
            last one. The sheet begins with them.

    Signals:
        accepted: ``(kind, options)``: an `ExportKind` and the `Options` to write it with.
    """

    accepted = Signal(object, object)

    def __init__(
        self,
        window: QWidget,
        title: str,
        kinds: Sequence[ExportKind],
        last: Mapping[str, Options] | None = None,
    ) -> None:
        super().__init__(window, QSize(UNIT * 60, 0))
        self._kinds, self._last = tuple(kinds), dict(last or {})
        self.what = Combo()
        titles = [kind.title for kind in kinds]
        self.what.addItems(titles)
        newest = next((name for name in reversed(self._last) if name in titles), titles[0])
        self.what.setCurrentIndex(titles.index(newest))
        self.what.currentIndexChanged.connect(self._fit)
        self.pixels = QSpinBox()
        self.pixels.setSuffix(self.tr(" px"))
        self.pixels.setSingleStep(100)
        self.rate = QSpinBox()
        self.rate.setSuffix(self.tr(" frames/s"))
        for number in (self.pixels, self.rate):
            number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.beside = Switch()
        self.formats = Label(quiet=True)
        self._size_title = Label()
        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT * 3)
        grid.setVerticalSpacing(UNIT * 2)
        grid.setColumnStretch(0, 1)
        self._rows: dict[QWidget, Label] = {}
        for row, (label, editor) in enumerate(
            (
                (Label(self.tr("What")), self.what),
                (self._size_title, self.pixels),
                (Label(self.tr("Max. frame rate")), self.rate),
                (Label(self.tr("Views beside")), self.beside),
                (Label(self.tr("File formats")), self.formats),
            )
        ):
            if editor is not self.beside:
                editor.setFixedWidth(round(UNIT * 32 * text_scale()))
            grid.addWidget(label, row, 0)
            grid.addWidget(editor, row, 1, Qt.AlignmentFlag.AlignRight)
            self._rows[editor] = label
        for widget, name in (
            (self.what, self.tr("What is exported")),
            (self.rate, self.tr("Max. frame rate")),
            (self.beside, self.tr("Views beside")),
        ):
            widget.setAccessibleName(name)
        self.go_on = QPushButton(self.tr("Choose a file…"))
        self.go_on.clicked.connect(self._accept)
        self.lay_out(title, grid, ok=self.go_on)
        self._fit()

    @property
    def kind(self) -> ExportKind:
        return self._kinds[max(0, self.what.currentIndex())]

    def _fit(self, _row: int = 0) -> None:
        """Only what the chosen kind has can be set."""
        kind = self.kind
        last = self._last.get(kind.title)
        for editor, choice, before in (
            (self.pixels, kind.size, last and last.size),
            (self.rate, kind.rate, last and last.rate),
        ):
            self._show(editor, choice is not None)
            if choice is not None:
                editor.setRange(1 if editor is self.rate else 64, choice[1])
                editor.setValue(before or choice[0])
        self._size_title.setText(kind.size_title)
        self.pixels.setAccessibleName(kind.size_title)
        self._show(self.beside, kind.beside is not None)
        self.beside.setChecked(bool(kind.beside if last is None else last.beside))
        words = (suffix.removeprefix("*.").upper() for suffix in kind.suffixes.split())
        self.formats.setText(", ".join(words))
        self.fit()

    def _show(self, editor: QWidget, shown: bool) -> None:
        editor.setVisible(shown)
        self._rows[editor].setVisible(shown)

    def _accept(self) -> None:
        kind = self.kind
        options = Options(
            self.pixels.value() if kind.size is not None else 0,
            self.rate.value() if kind.rate is not None else 0,
            kind.beside is not None and self.beside.isChecked(),
        )
        self.close_sheet()
        self.accepted.emit(kind, options)
