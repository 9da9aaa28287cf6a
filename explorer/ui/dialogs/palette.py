"""The command palette: type a few letters of any command, view or network and press Enter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.widgets.small_widgets import UNIT, Label, muted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
WIDTH = 560
ROWS = 11


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One line: `detail` stands on the right; `act` is called when it is chosen."""

    text: str
    act: Callable[[], object]
    detail: str = ""
    icon: QIcon | None = None


def score(query: str, text: str) -> float:
    """How well the letters of `query` are found in `text` in their order; 0 = they are not.

    Letters at the beginnings of words and letters in a row count more, long texts a little less.
    """
    query, low = query.lower().replace(" ", ""), text.lower()
    if not query:
        return 1.0
    total, place, row = 0.0, -1, 0
    for letter in query:
        found = low.find(letter, place + 1)
        # A later beginning of a word is a better match than the next letter somewhere inside one.
        start = _word_start(low, letter, place + 1)
        if found != place + 1 and start >= 0:
            found = start
        if found < 0:
            return 0.0
        row = row + 1 if found == place + 1 else 0
        at_start = found == 0 or not low[found - 1].isalnum()
        total += 1.0 + (2.0 if at_start else 0.0) + min(row, 4) * 0.8
        place = found
    return total / len(query) - len(text) * 0.004


def _word_start(text: str, letter: str, begin: int) -> int:
    for place in range(begin, len(text)):
        if text[place] == letter and (place == 0 or not text[place - 1].isalnum()):
            return place
    return -1


class ItemsModel(QAbstractListModel):
    """The items that match, the best first."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._all: Sequence[Item] = ()
        self.shown: list[Item] = []

    def set_items(self, items: Sequence[Item]) -> None:
        self._all = items
        self.search("")

    def search(self, query: str) -> None:
        self.beginResetModel()
        scored = [
            (max(score(query, item.text), score(query, item.detail) * 0.6), item)
            for item in self._all
        ]
        scored = [pair for pair in scored if pair[0] > 0]
        if query:
            scored.sort(key=lambda pair: -pair[0])
        self.shown = [item for _, item in scored]
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        item = self.shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return item.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{item.text} {item.detail}".strip()
        return None


class _Delegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(WIDTH, UNIT * 4)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, ItemsModel)
        item = model.shown[index.row()]
        palette = option.palette
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
            painter.drawRoundedRect(option.rect.adjusted(0, 1, 0, -1), 6, 6)
        text = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        area = option.rect.adjusted(UNIT, 0, -UNIT, 0)
        if item.icon is not None:
            mode = QIcon.Mode.Selected if selected else QIcon.Mode.Normal
            place = QRect(area.left(), area.top(), 20, area.height())
            item.icon.paint(painter, place, Qt.AlignmentFlag.AlignCenter, mode)
        middle = Qt.AlignmentFlag.AlignVCenter
        detail = option.fontMetrics.elidedText(
            item.detail, Qt.TextElideMode.ElideRight, area.width() // 2
        )
        painter.setPen(palette.color(text) if selected else muted(palette))
        painter.drawText(area, int(middle | Qt.AlignmentFlag.AlignRight), detail)
        room = area.adjusted(28, 0, -option.fontMetrics.horizontalAdvance(detail) - UNIT * 2, 0)
        painter.setPen(palette.color(text))
        words = option.fontMetrics.elidedText(item.text, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, int(middle | Qt.AlignmentFlag.AlignLeft), words)
        painter.restore()


class Palette(Overlay):
    """Opens over the upper part of `window`, closes when something is chosen."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, QSize(WIDTH, UNIT * 4 * ROWS + UNIT * 10), UNIT * 9)
        self.field = QLineEdit()
        self.field.setPlaceholderText(self.tr("Search commands, views and networks"))
        self.field.setAccessibleName(self.tr("Search commands, views and networks"))
        self.field.setMinimumHeight(UNIT * 4 + 2)
        self.model = ItemsModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_Delegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.viewport().setAutoFillBackground(False)
        self.body.setContentsMargins(UNIT, UNIT, UNIT, UNIT)
        self.body.addWidget(self.field)
        self.nothing = Label(self.tr("No matches."), quiet=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.nothing.setContentsMargins(0, UNIT * 2, 0, 0)
        self.body.addWidget(self.nothing)
        self.body.addWidget(self.list, 1)
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self._choose)
        self.list.clicked.connect(self._choose)
        self.field.installEventFilter(self)

    def open_with(self, items: Sequence[Item], query: str = "") -> None:
        """Shows `items`, searched for `query`."""
        self.model.set_items(items)
        self.field.setText(query)
        self._search(query)
        self.open(self.field)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            watched is self.field
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
        ):
            moves = {
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_PageDown: ROWS,
                Qt.Key.Key_PageUp: -ROWS,
            }
            move = moves.get(Qt.Key(event.key()))
            if move is not None and self.model.shown:
                row = self.list.currentIndex().row() + move
                row = max(0, min(len(self.model.shown) - 1, row))
                self.list.setCurrentIndex(self.model.index(row))
                return True
        return super().eventFilter(watched, event)

    def _search(self, query: str) -> None:
        self.model.search(query)
        self.nothing.setVisible(not self.model.shown)
        if self.model.shown:
            self.list.setCurrentIndex(self.model.index(0))

    def _choose(self) -> None:
        index = self.list.currentIndex()
        if not index.isValid():
            return
        item = self.model.shown[index.row()]
        self.close_sheet()
        item.act()
