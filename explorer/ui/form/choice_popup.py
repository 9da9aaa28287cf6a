"""The pop-up of a long choice: a search field over rows, a tree of layers or ticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QPalette, QPen, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.widgets.small_widgets import UNIT, Label, PopupFrame, muted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a pop-up list: `word` is None for a heading of the tree."""

    text: str
    depth: int = 0
    word: str | None = None
    detail: str = ""


def flat_rows(words: Sequence[str]) -> tuple[Row, ...]:
    return tuple(Row(word, 0, word) for word in words)


def tree_rows(words: Sequence[str], kinds: Mapping[str, str]) -> tuple[Row, ...]:
    """Dotted names as an indented tree; parents that are no choice themselves become headings."""
    rows: list[Row] = []
    above: list[str] = []
    for word in words:
        parts = word.split(".")
        common = 0
        while common < min(len(parts) - 1, len(above)) and parts[common] == above[common]:
            common += 1
        for depth in range(common, len(parts) - 1):
            path = ".".join(parts[: depth + 1])
            rows.append(Row(parts[depth], depth, None, kinds.get(path, "")))
        rows.append(Row(parts[-1], len(parts) - 1, word, kinds.get(word, "")))
        above = parts
    return tuple(rows)


class RowsModel(QAbstractListModel):
    """The rows that match the search; ticks are kept by word, so they survive a search."""

    ticked = Signal()

    def __init__(self, parent: QObject, *, ticks: bool) -> None:
        super().__init__(parent)
        self._all: tuple[Row, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._ticks = ticks
        self.filtered = False
        self.words: frozenset[str] = frozenset()

    def set_rows(self, rows: tuple[Row, ...]) -> None:
        self.beginResetModel()
        self._all = self._rows = rows
        self.filtered = False
        self.endResetModel()

    def search(self, text: str) -> None:
        parts = text.lower().split()
        self.beginResetModel()
        self.filtered = bool(parts)
        self._rows = (
            tuple(
                row
                for row in self._all
                if row.word is not None
                and all(part in f"{row.word} {row.detail}".lower() for part in parts)
            )
            if parts
            else self._all
        )
        self.endResetModel()

    def row(self, index: Index) -> Row:
        return self._rows[index.row()]

    def place(self, word: str) -> int:
        return next((i for i, row in enumerate(self._rows) if row.word == word), -1)

    def first(self) -> int:
        return next((i for i, row in enumerate(self._rows) if row.word is not None), -1)

    def toggle(self, index: Index) -> None:
        word = self.row(index).word
        if word is None:
            return
        self.words = self.words ^ {word}
        self.dataChanged.emit(index, index, [Qt.ItemDataRole.CheckStateRole])
        self.ticked.emit()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.row(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return row.word if self.filtered else row.text
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.word or row.text} {row.detail}".strip()
        if role == Qt.ItemDataRole.CheckStateRole and self._ticks and row.word is not None:
            return Qt.CheckState.Checked if row.word in self.words else Qt.CheckState.Unchecked
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or self.row(index).word is None:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class _RowDelegate(QStyledItemDelegate):
    """Indents by depth, draws headings quietly and the detail on the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, option.fontMetrics.height() + UNIT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, RowsModel)
        row = model.row(index)
        palette = option.palette
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        over = bool(option.state & QStyle.StateFlag.State_MouseOver) and row.word is not None
        strong = palette.color(
            QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        )
        quiet = strong if selected else muted(palette)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or over:
            role = QPalette.ColorRole.Highlight if selected else QPalette.ColorRole.Midlight
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(palette.color(role))
            painter.drawRoundedRect(QRectF(option.rect).adjusted(0, 0, -UNIT // 2, 0), 5, 5)
        area = option.rect.adjusted(UNIT, 0, -UNIT - UNIT // 2, 0)
        area.setLeft(area.left() + (0 if model.filtered else row.depth * 12))
        ticked = index.data(Qt.ItemDataRole.CheckStateRole)
        if ticked is not None:
            self._tick(painter, area, palette, on=Qt.CheckState(ticked) == Qt.CheckState.Checked)
            area.setLeft(area.left() + 24)
        metrics = option.fontMetrics
        detail = metrics.horizontalAdvance(row.detail) + UNIT if row.detail else 0
        detail = detail if detail < area.width() * 0.6 else 0
        painter.setFont(option.font)
        painter.setPen(quiet if row.word is None else strong)
        room = area.adjusted(0, 0, -detail, 0)
        text = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideLeft, room.width())
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, int(middle | Qt.AlignmentFlag.AlignLeft), text)
        if detail:
            painter.setPen(quiet)
            painter.drawText(area, int(middle | Qt.AlignmentFlag.AlignRight), row.detail)
        painter.restore()

    @staticmethod
    def _tick(painter: QPainter, area: QRect, palette: QPalette, *, on: bool) -> None:
        box = QRectF(area.left() + 0.5, area.center().y() - 7.5, 15, 15)
        edge = QPalette.ColorRole.HighlightedText if on else QPalette.ColorRole.PlaceholderText
        painter.setPen(QPen(palette.color(edge), 1))
        fill = QPalette.ColorRole.Highlight if on else QPalette.ColorRole.Base
        painter.setBrush(palette.color(fill))
        painter.drawRoundedRect(box, 4, 4)
        if on:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.HighlightedText), 1.8))
            hook = [(3.5, 7.8), (6.4, 10.8), (11.5, 4.8)]
            painter.drawPolyline([QPointF(box.left() + x, box.top() + y) for x, y in hook])


class ChoicePopup(PopupFrame):
    """A search field over a list. Single choices close it, ticks do not.

    Signals:
        chosen: A word (single choice).
        ticked: A frozenset of words (several).
    """

    chosen = Signal(str)
    ticked = Signal(object)

    def __init__(self, owner: QWidget, *, several: bool) -> None:
        super().__init__(owner)
        self._several = several
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(self.tr("Search the choices"))
        self.search.installEventFilter(self)
        self.model = RowsModel(self, ticks=several)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_RowDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.viewport().setAutoFillBackground(False)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setFocusProxy(self.search)
        self._none = Label(self.tr("No matches."), quiet=True)
        self._none.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT, UNIT, UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        layout.addWidget(self._none)
        if several:
            foot = QHBoxLayout()
            foot.addWidget(Label(self.tr("None checked means all."), quiet=True, factor=0.9), 1)
            self.clear = QToolButton()
            self.clear.setText(self.tr("Uncheck all"))
            self.clear.setAutoRaise(True)
            self.clear.clicked.connect(self._untick)
            foot.addWidget(self.clear)
            layout.addLayout(foot)
        self.search.textChanged.connect(self._search)
        self.list.clicked.connect(self._take)
        self.model.ticked.connect(self._tell)

    def open_below(self, anchor: QWidget, current: str) -> None:
        """Opens under `anchor`, or above it where the screen ends, with `current` visible."""
        self.search.clear()
        self._current = current
        rows = self.model.rowCount()
        row_height = self.list.sizeHintForRow(0) if rows else 24
        height = min(360, max(2, rows) * row_height + 4)
        self.list.setFixedHeight(height)
        self.resize(max(anchor.width(), 280), self.sizeHint().height())
        screen = anchor.screen().availableGeometry()
        corner = anchor.mapToGlobal(QPoint(0, anchor.height() + 2))
        if corner.y() + self.height() > screen.bottom():
            above = anchor.mapToGlobal(QPoint(0, -2)).y() - self.height()
            corner.setY(max(screen.top(), above))
        corner.setX(max(screen.left(), min(corner.x(), screen.right() - self.width())))
        self.move(corner)
        self.show()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.search.setFocus()
        self._point_at(self.model.place(self._current))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            watched is self.search
            and event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and self._key(event)
        ):
            return True
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        match event.key():
            case Qt.Key.Key_Down | Qt.Key.Key_Up | Qt.Key.Key_PageDown | Qt.Key.Key_PageUp:
                steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 10}
                self._move(steps.get(Qt.Key(event.key()), -10))
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._take(self.list.currentIndex())
            case Qt.Key.Key_Space if self._several and not self.search.text():
                self._take(self.list.currentIndex())
            case _:
                return False
        return True

    def _move(self, steps: int) -> None:
        count = self.model.rowCount()
        at = self.list.currentIndex().row()
        target = at
        while 0 <= at + (1 if steps > 0 else -1) < count and steps:
            at += 1 if steps > 0 else -1
            if self.model.row(self.model.index(at)).word is not None:
                target = at
                steps -= 1 if steps > 0 else -1
        self._point_at(target)

    def _point_at(self, row: int) -> None:
        row = row if row >= 0 else self.model.first()
        index = self.model.index(row)
        self.list.setCurrentIndex(index)
        if row >= 0:
            self.list.scrollTo(index, QListView.ScrollHint.EnsureVisible)

    def _search(self, text: str) -> None:
        self.model.search(text)
        self._none.setVisible(self.model.rowCount() == 0)
        self._point_at(self.model.place(self._current))

    def _take(self, index: Index) -> None:
        if not index.isValid():
            return
        word = self.model.row(index).word
        if word is None:
            return
        if self._several:
            self.model.toggle(index)
        else:
            self.hide()
            self.chosen.emit(word)

    def _untick(self) -> None:
        self.model.words = frozenset()
        self.list.viewport().update()
        self._tell()

    def _tell(self) -> None:
        self.ticked.emit(self.model.words)
