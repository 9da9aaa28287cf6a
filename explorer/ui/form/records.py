"""The editor of a list of rows: added, removed, reordered, each with fields of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from explorer.core.params import parameters, resolved
from explorer.ui.form.around import Around
from explorer.ui.form.editor import Editor
from explorer.ui.form.row import Column
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, Card, IconButton, Label
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Parameter
    from explorer.ui.form.row import Make


class Record(Card):
    """One row: its number, its buttons and its fields.

    Signals:
        changed: The row with its new values.
        moved: -1 up, 1 down, 0 removed.
    """

    changed = Signal(object)
    moved = Signal(int)

    def __init__(self, kind: type, make: Make) -> None:
        super().__init__()
        self._row: Any = kind()
        self._info: NetworkInfo | None = None
        self._number = Label("", bold=True)
        self.up = IconButton("chevron-up", self.tr("Move up"))
        self.down = IconButton("chevron-down", self.tr("Move down"))
        self.remove = IconButton("close", self.tr("Remove"))
        self.column = Column(parameters(kind), make, spacing=UNIT)
        self.column.edited.connect(self._edited)
        line = QHBoxLayout()
        line.setSpacing(0)
        line.addWidget(self._number, 1)
        for button, way in ((self.up, -1), (self.down, 1), (self.remove, 0)):
            button.clicked.connect(partial(self.moved.emit, way))
            line.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT + 2, UNIT // 2, UNIT + 2, UNIT + 2)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(line)
        layout.addWidget(self.column)

    def show_row(self, row: Any, number: int, count: int) -> None:
        """Shows `row`, the `number`-th of `count`; silent."""
        self._row = row
        self._number.setText(str(number))
        self.up.setEnabled(number > 1)
        self.down.setEnabled(number < count)
        for button in (self.up, self.down, self.remove):
            words = f"{button.toolTip().partition(':')[0]}: {number}"
            button.setAccessibleName(words)
        for name, entry in self.column.rows.items():
            entry.show_value(getattr(row, name))
        self.column.show_applying(row, self._info)

    def set_surroundings(self, info: NetworkInfo | None, around: Around) -> None:
        """Takes over the network's choices and what is there to choose from."""
        self._info = info
        default = resolved(type(self._row)(), info)
        for name, entry in self.column.rows.items():
            entry.default = getattr(default, name)
            entry.set_info(info)
            entry.set_around(around)

    def _edited(self, name: str, value: object) -> None:
        self._row = replace(self._row, **{name: value})
        self.column.rows[name].mark(value)
        self.column.show_applying(self._row, self._info)
        self.changed.emit(self._row)


class RecordsEditor(Editor):
    """All rows, and a button that adds one."""

    def __init__(self, parameter: Parameter, parent: QObject, make: Make) -> None:
        super().__init__(parameter, parent)
        assert parameter.item is not None
        self._kind: type = parameter.item
        self._make = make
        self._value: tuple[Any, ...] = ()
        self._info: NetworkInfo | None = None
        self._around = Around()
        self.records: list[Record] = []
        self.count = Label(quiet=True)
        self.count.hug()
        self.beside = self.count
        self.below = QWidget()
        self._list = QVBoxLayout()
        self._list.setSpacing(UNIT)
        self.add = QToolButton()
        self.add.setIcon(icon("plus"))
        self.add.setText(self.tr("Add"))
        self.add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.add.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.add.clicked.connect(self._add)
        layout = QVBoxLayout(self.below)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(self._list)
        layout.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        self.show_value(())

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        return (self.add,)

    def set_info(self, info: NetworkInfo | None) -> None:
        self._info = info
        for record in self.records:
            record.set_surroundings(info, self._around)

    def set_around(self, around: Around) -> None:
        self._around = around
        for record in self.records:
            record.set_surroundings(self._info, around)

    def show_value(self, value: Any) -> None:
        self._value = rows = tuple(value)
        while len(self.records) > len(rows):
            gone = self.records.pop()
            self._list.removeWidget(gone)
            discard(gone)
        while len(self.records) < len(rows):
            record = Record(self._kind, self._make)
            record.set_surroundings(self._info, self._around)
            place = len(self.records)
            record.changed.connect(partial(self._changed, place))
            record.moved.connect(partial(self._moved, place))
            self.records.append(record)
            self._list.addWidget(record)
        for number, (record, row) in enumerate(zip(self.records, rows, strict=True), 1):
            record.show_row(row, number, len(rows))
        self.count.setText(self.text(rows))
        most = self.parameter.meta.most
        self.add.setEnabled(most is None or len(rows) < most)

    def text(self, value: Any) -> str:
        if not value:
            return self.tr("none")
        return self.tr("1 row") if len(value) == 1 else self.tr("{n} rows").format(n=len(value))

    def _tell(self, rows: tuple[Any, ...]) -> None:
        self.show_value(rows)
        self.edited.emit(rows)

    def _add(self) -> None:
        self._tell((*self._value, resolved(self._kind(), self._info)))

    def _changed(self, place: int, row: object) -> None:
        self._value = (*self._value[:place], row, *self._value[place + 1 :])
        self.edited.emit(self._value)

    def _moved(self, place: int, way: int) -> None:
        rows = list(self._value)
        row = rows.pop(place)
        if way:
            rows.insert(place + way, row)
        self._tell(tuple(rows))
        if way:  # the focus stays on the row that it has moved
            record = self.records[place + way]
            (record.up if way < 0 else record.down).setFocus()
