"""How large a figure for a paper is to be: asked before an SVG or a PDF is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QPushButton, QWidget

from explorer.render.vector import FONT_SIZE, FONT_SIZES, WIDTH_MM, WIDTHS_MM
from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import Combo
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.render.blocks import Theme


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """What is asked of a figure; without `whole` it is the first picture of the board alone."""

    width_mm: float = WIDTH_MM
    font_size: float = FONT_SIZE
    theme: Theme = "light"
    whole: bool = True


class FigureSheet(Overlay):
    """A sheet over the window.

    Signals:
        accepted: The `FigureOptions` to write the figure with.
    """

    accepted = Signal(object)

    def __init__(self, window: QWidget, path: Path, options: FigureOptions) -> None:
        super().__init__(window, QSize(UNIT * 56, 0))
        self.width_mm = _number(options.width_mm, WIDTHS_MM, self.tr(" mm"))
        self.font_size = _number(options.font_size, FONT_SIZES, self.tr(" pt"))
        self.theme = Combo()
        self.theme.addItem(self.tr("Light"), "light")
        self.theme.addItem(self.tr("Dark"), "dark")
        self.theme.setCurrentIndex(self.theme.findData(options.theme))
        self.content = Combo()
        self.content.addItem(self.tr("All panes"), True)
        self.content.addItem(self.tr("Picture only"), False)
        self.content.setCurrentIndex(self.content.findData(options.whole))

        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT * 3)
        grid.setVerticalSpacing(UNIT * 2)
        grid.setColumnStretch(0, 1)
        rows: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Width"), self.width_mm),
            (self.tr("Font size"), self.font_size),
            (self.tr("Colors"), self.theme),
            (self.tr("Content"), self.content),
        )
        for row, (title, editor) in enumerate(rows):
            editor.setAccessibleName(title)
            editor.setFixedWidth(round(UNIT * 26 * text_scale()))
            grid.addWidget(Label(title), row, 0)
            grid.addWidget(editor, row, 1, Qt.AlignmentFlag.AlignRight)
        self.save = QPushButton(self.tr("Save"))
        self.save.clicked.connect(self._accept)
        note = self.tr("{name}: boxes, lines and text stay editable.").format(name=path.name)
        self.lay_out(self.tr("Vector figure"), Label(note, quiet=True), grid, ok=self.save)

    def _accept(self) -> None:
        options = FigureOptions(
            self.width_mm.value(),
            self.font_size.value(),
            self.theme.currentData(),
            self.content.currentData(),
        )
        self.close_sheet()
        self.accepted.emit(options)


def _number(value: float, among: tuple[float, float], unit: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(1)
    box.setRange(*among)
    box.setSuffix(unit)
    box.setValue(value)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    return box
