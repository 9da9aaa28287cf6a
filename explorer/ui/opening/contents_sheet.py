"""What is in a file of weights or of a network, before anything of it is used."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

FILLS = 1000
"""Of the part that takes all room there is."""


class ContentsSheet(Overlay):
    """A sheet over the window.

    Args:
        window: What it covers.
        title: Of the sheet.
        lines: A heading and words for each fact.
        uses: What each button says, and the name of the network that it uses the file with; the
            first is pressed by Enter.

    Signals:
        chosen: The name of a network, as in `uses`.
    """

    chosen = Signal(str)

    def __init__(
        self,
        window: QWidget,
        title: str,
        lines: Sequence[tuple[str, str]],
        uses: Sequence[tuple[str, str]],
    ) -> None:
        super().__init__(window, QSize(UNIT * 88, UNIT * (20 + 4 * len(lines))))
        self.setAccessibleName(title)
        self.lines = tuple(lines)
        self.buttons = [QPushButton(words) for words, _ in uses]
        for button, (_, name) in zip(self.buttons, uses, strict=True):
            button.clicked.connect(partial(self._choose, name))
        area = scrolled(self._table())
        main, *others = self.buttons
        self.lay_out(title, area, ok=main, others=others)
        self.body.setStretchFactor(area, FILLS)
        self.first = main

    def _table(self) -> QWidget:
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, UNIT, 0)
        grid.setHorizontalSpacing(UNIT * 3)
        grid.setVerticalSpacing(UNIT + UNIT // 2)
        grid.setColumnStretch(1, 1)
        before = ""
        for row, (head, words) in enumerate(self.lines):
            title = Label(head if head != before else "", quiet=True)
            title.hug()
            before = head
            said = Label(words)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            said.setAccessibleName(f"{head}: {words}")
            grid.addWidget(title, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(said, row, 1)
        grid.setRowStretch(len(self.lines), 1)
        return inner

    def _choose(self, name: str, _checked: bool = False) -> None:
        self.close_sheet()
        self.chosen.emit(name)
