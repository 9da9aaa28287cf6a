"""The shortcut sheet: every key on one page, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QKeySequence, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.shell.actions import FIXED_KEYS, LIVE_KEYS, MENUS, Actions, translated
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label, blend, line_color

if TYPE_CHECKING:
    from pathlib import Path


class Key(QWidget):
    """A key cap."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(max(24, metrics.horizontalAdvance(self._text) + 14), metrics.height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        text, window = palette.windowText().color(), palette.window().color()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(line_color(palette), 1))
            painter.setBrush(blend(text, window, 0.07))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
            painter.setPen(text)
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self._text)


class ShortcutSheet(Overlay):
    """A page over `window`; any click outside, Esc or the cross closes it."""

    def __init__(self, window: QWidget, actions: Actions, settings_file: Path) -> None:
        super().__init__(window, QSize(1000, 640))
        self.close_button = IconButton("close", self.tr("Close"))
        self.close_button.clicked.connect(self.close_sheet)
        head = QHBoxLayout()
        head.addWidget(Label(self.tr("Keyboard shortcuts"), factor=1.35, bold=True), 1)
        head.addWidget(self.close_button)
        self._parts = []
        for menus in (("File", "Edit", "Help"), ("View",), ("Analyze", "Live")):
            part = QWidget()
            column = QVBoxLayout(part)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(UNIT * 2)
            for menu in menus:
                rows = _rows(actions, menu)
                if menu == "Live":  # what has its key only while live is listed at any time
                    always = [(translated(words), keys) for words, keys in LIVE_KEYS]
                    taken = {keys for _, keys in always}
                    rows = always + [row for row in rows if row[1] not in taken]
                column.addWidget(self._group(translated(menu), rows))
            if menus == ("View",):
                rows = [(translated(words), keys) for words, keys in FIXED_KEYS]
                column.addWidget(self._group(self.tr("Canvas"), rows))
            column.addStretch(1)
            self._parts.append(part)
        self._columns = QGridLayout()
        self._columns.setHorizontalSpacing(UNIT * 5)
        self._columns.setVerticalSpacing(UNIT * 2)
        words = self.tr("Edit them under “shortcuts” in {path}: {example}")
        example = '"shortcuts": {"fit": "F; Home"}'
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT * 2)
        layout.addLayout(self._columns, 1)
        layout.addWidget(Label(words.format(path=settings_file, example=example), quiet=True))
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setAccessibleName(self.tr("Keyboard shortcuts"))
        scroll.setWidgetResizable(True)
        scroll.setWidget(body)
        scroll.viewport().setAutoFillBackground(False)
        body.setAutoFillBackground(False)
        self.body.setContentsMargins(UNIT * 3, UNIT * 2, UNIT * 2, UNIT * 3)
        self.body.setSpacing(UNIT * 2)
        self.body.addLayout(head)
        self.body.addWidget(scroll)
        self._arrange()

    def _place(self) -> None:
        super()._place()
        self._arrange()

    def _arrange(self) -> None:
        """Three columns, fewer where words would be cut."""
        room = self.sheet.width() - UNIT * 6
        wide = round(UNIT * 36 * text_scale())
        across = max(1, min(len(self._parts), room // wide))
        for number, part in enumerate(self._parts):
            self._columns.addWidget(part, number // across, number % across)
        for column in range(len(self._parts)):
            self._columns.setColumnStretch(column, int(column < across))

    def _group(self, title: str, rows: list[tuple[str, str]]) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(UNIT // 2)
        grid.setHorizontalSpacing(UNIT * 2)
        grid.setColumnStretch(0, 1)
        grid.addWidget(Label(title, quiet=True, bold=True), 0, 0, 1, 2)
        for row, (words, keys) in enumerate(rows, start=1):
            caps = QHBoxLayout()
            caps.setSpacing(UNIT // 2)
            caps.addStretch(1)
            for key in keys.split("; "):
                caps.addWidget(Key(key))
            label = Label(words)
            grid.addWidget(label, row, 0)
            grid.addLayout(caps, row, 1)
        return box


def _rows(actions: Actions, menu: str) -> list[tuple[str, str]]:
    assert menu in MENUS
    native = QKeySequence.SequenceFormat.NativeText
    return [
        (
            translated(command.title).rstrip("…"),
            "; ".join(key.toString(native) for key in action.shortcuts()[:2]),
        )
        for command, action in actions.items()
        if command.menu == menu and action.shortcuts()
    ]
