"""A table of the board: sortable, selectable by keys, quick with a hundred thousand rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QColor, QGuiApplication, QIcon, QKeySequence, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from explorer.core.layers import Color, Table, numeric
from explorer.render.numbers import count, fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QKeyEvent, QResizeEvent

Index = QModelIndex | QPersistentModelIndex
MEASURED_ROWS = 200
MOST_WIDTH = 360
"""Of a column, in pixels, where there is no room for all."""

ROOT = QModelIndex()


def decimals(values: Sequence[float]) -> int | None:
    """Digits after the point for a column of numbers, None where it needs the exponent."""
    finite = [abs(value) for value in values if math.isfinite(value)]
    largest = max(finite, default=0.0)
    if largest == 0.0:
        return 1
    if largest < 1e-3 or largest >= 1e7:
        return None
    return 4 if largest < 0.1 else 3 if largest <= 1.0 else 2 if largest < 100 else 1


def written(value: str | int | float, places: int | None) -> str:
    """A cell's words."""
    if isinstance(value, float):
        return fixed(value, places) if places is not None else f"{value:.3g}"
    return count(value) if isinstance(value, int) else value


class TableModel(QAbstractTableModel):
    """Rows of a `Table` in the user's order, which `set_table` keeps."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = Table("", (), ())
        self._order: list[int] = []
        self._places: list[int | None] = []
        self._numeric: list[bool] = []
        self._sort: tuple[int, Qt.SortOrder] | None = None
        self._icons: dict[Color, QIcon] = {}
        self._rows_of_keys: dict[int, int] | None = None

    @property
    def table(self) -> Table:
        return self._table

    def set_table(self, table: Table) -> None:
        before, self_order = self._table, self._order
        if table.columns != before.columns:
            self.beginResetModel()
            self._sort = None
            self._take(table)
            self.endResetModel()
            return
        old, new = len(self_order), len(table.rows)
        if new > old:
            self.beginInsertRows(QModelIndex(), old, new - 1)
        elif new < old:
            self.beginRemoveRows(QModelIndex(), new, old - 1)
        self._take(table)
        if new > old:
            self.endInsertRows()
        elif new < old:
            self.endRemoveRows()
        if new:
            self.dataChanged.emit(self.index(0, 0), self.index(new - 1, len(table.columns) - 1))

    def _take(self, table: Table) -> None:
        self._table = table
        columns = range(len(table.columns))
        self._numeric = [numeric([row[column] for row in table.rows]) for column in columns]
        self._places = [
            decimals([value for row in table.rows if isinstance(value := row[column], float)])
            for column in columns
        ]
        self._reorder()

    def _reorder(self) -> None:
        self._rows_of_keys = None
        rows = self._table.rows
        self._order = list(range(len(rows)))
        if self._sort is not None and self._sort[0] < len(self._table.columns):
            column, direction = self._sort
            down = direction == Qt.SortOrder.DescendingOrder
            if self._numeric[column]:
                # NaN and an empty cell compare with nothing: they go to the end either way.
                worst = -math.inf if down else math.inf

                def number(row: int) -> float:
                    cell = rows[row][column]
                    return worst if isinstance(cell, str) or cell != cell else cell

                self._order.sort(key=number, reverse=down)
            else:
                self._order.sort(key=lambda r: str(rows[r][column]).casefold(), reverse=down)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        self._sort = (column, order) if column >= 0 else None
        before = self._order
        self._reorder()
        places = {row: place for place, row in enumerate(self._order)}
        old = self.persistentIndexList()
        self.changePersistentIndexList(
            old, [self.index(places[before[index.row()]], index.column()) for index in old]
        )
        self.layoutChanged.emit()

    def key(self, row: int) -> int:
        """The key of the row at a place of the view."""
        there = self._order[row]
        return self._table.keys[there] if self._table.keys else there

    def photo(self, row: int) -> str:
        """The file that the row at a place of the view is about; "" = none."""
        photos = self._table.photos
        return photos[self._order[row]] if photos else ""

    def row_of(self, key: int) -> int | None:
        """Where the row with a key is shown."""
        if self._rows_of_keys is None:
            self._rows_of_keys = {self.key(row): row for row in range(len(self._order))}
        return self._rows_of_keys.get(key)

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._table.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._order):
            return None
        there, column = self._order[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return written(self._table.rows[there][column], self._places[column])
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(self._table.rows[there][column])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = (
                Qt.AlignmentFlag.AlignRight if self._numeric[column] else Qt.AlignmentFlag.AlignLeft
            )
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 0 and self._table.swatches:
            return self._icon(self._table.swatches[there])
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or section >= len(self._table.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._table.columns[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = (
                Qt.AlignmentFlag.AlignRight
                if self._numeric[section]
                else Qt.AlignmentFlag.AlignLeft
            )
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def tsv(self, rows: Sequence[int]) -> str:
        """A header and the rows at these places, as a spreadsheet pastes them."""
        lines = ["\t".join(self._table.columns)]
        for row in rows:
            cells = self._table.rows[self._order[row]]
            lines.append(
                "\t".join(str(cell).replace("\t", " ").replace("\n", " ") for cell in cells)
            )
        return "\n".join(lines) + "\n"

    def _icon(self, color: Color) -> QIcon:
        found = self._icons.get(color)
        if found is None:
            pixmap = QPixmap(32, 32)
            pixmap.fill(Qt.GlobalColor.transparent)
            with QPainter(pixmap) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(*(int(channel) for channel in color)))
                painter.drawRoundedRect(4, 4, 24, 24, 6, 6)
            found = self._icons[color] = QIcon(pixmap)
        return found


class TableWidget(QTableView):
    """Shows a `Table`; its current row is a key.

    Signals:
        key_chosen: The key of the row that the user has gone to (int), None for no row.
        photo_wanted: The file that a row is about, the view to show it with, and values of that
            view's parameters: the row was clicked, or Enter pressed on it.
    """

    key_chosen = Signal(object)
    photo_wanted = Signal(str, str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = TableModel(self)
        self._key: int | None = None
        self._silent = self._fitting = False
        self._dragged: set[int] = set()
        self._longest = 0
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(False)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSortIndicatorClearable(True)
        self.setSortingEnabled(True)
        self.horizontalHeader().sectionResized.connect(self._resized)
        self.selectionModel().currentRowChanged.connect(self._went)
        self.clicked.connect(self._open)
        copy = QAction(self.tr("Copy"), self)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self.copy)
        copy_all = QAction(self.tr("Copy the whole table"), self)
        copy_all.triggered.connect(self.copy_all)
        self.addActions([copy, copy_all])
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    @property
    def layer(self) -> str:
        return self._model.table.layer

    def table_model(self) -> TableModel:
        return self._model

    def set_table(self, table: Table) -> None:
        """Show `table`; order, column widths, scroll position and selection stay."""
        fresh = table.columns != self._model.table.columns
        longest = _longest(table)
        self._silent = True
        self._model.set_table(table)
        if fresh:
            self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            self._dragged.clear()
        if fresh or longest > self._longest:
            self._longest = longest
            self._fit_columns()
        self._go(self._key, scroll=False)
        self._silent = False
        self.setAccessibleName(table.title or table.name)

    def set_key(self, key: int | None) -> None:
        """Go to the row with a key and show it; silent."""
        if key == self._key:
            return  # where the user may have scrolled away from
        self._key = key
        self._silent = True
        self._go(key, scroll=True)
        self._silent = False

    def copy(self) -> None:
        """The selected rows, or all when none is, to the clipboard."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        QGuiApplication.clipboard().setText(self._model.tsv(rows or range(self._model.rowCount())))

    def copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self._model.tsv(range(self._model.rowCount())))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._open(self.currentIndex()):
            event.accept()
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> bool:
        """Asks for the photo of a row; False where it has none."""
        path = self._model.photo(index.row()) if index.isValid() else ""
        several = len(self.selectionModel().selectedRows()) > 1  # they are being marked
        if not path or several:
            return False
        table = self._model.table
        self.photo_wanted.emit(path, table.photos_view, table.photos_params)
        return True

    def _go(self, key: int | None, *, scroll: bool) -> None:
        chosen = self.selectionModel()
        row = None if key is None else self._model.row_of(key)
        if row is None:
            chosen.clearSelection()
            chosen.clearCurrentIndex()
            return
        if chosen.currentIndex().row() == row and chosen.isRowSelected(row):
            return
        index = self._model.index(row, 0)
        flags = QItemSelectionModel.SelectionFlag
        self.setAutoScroll(scroll)  # a live update must not move what the user looks at
        chosen.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.setAutoScroll(True)
        if scroll:
            self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def _went(self, current: QModelIndex, previous: QModelIndex) -> None:
        if not self._silent:
            self._key = self._model.key(current.row()) if current.isValid() else None
            self.key_chosen.emit(self._key)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_columns()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
            self._fit_columns()

    def _fit_columns(self) -> None:
        """As wide as the words are, while there is room; a column that was dragged stays.

        Measured on the first rows: measuring all of a long table would be felt.
        """
        header = self.horizontalHeader()
        header.setResizeContentsPrecision(MEASURED_ROWS)
        columns = range(self._model.columnCount())
        wanted = [
            max(self.sizeHintForColumn(column), header.sectionSizeHint(column)) + 4
            for column in columns
        ]
        most = MOST_WIDTH if sum(wanted) > self.viewport().width() else max(wanted, default=0)
        self._fitting = True
        for column in columns:
            if column not in self._dragged:
                self.setColumnWidth(column, min(wanted[column], most))
        self._fitting = False

    def _resized(self, column: int, _before: int, _now: int) -> None:
        if not self._fitting:
            self._dragged.add(column)


def _longest(table: Table) -> int:
    """Letters of the longest word among the first rows: whether columns must grow."""
    rows = table.rows[:MEASURED_ROWS]
    return max((len(cell) for row in rows for cell in row if isinstance(cell, str)), default=0)
