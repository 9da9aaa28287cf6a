"""Choosing words: a combo box, and a searchable pop-up for long lists, trees and subsets."""

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
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QIcon,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.bits import UNIT, Label, muted
from explorer.ui.theme import icon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Index = QModelIndex | QPersistentModelIndex
LONG = 12
"""More choices than this get the pop-up with a search field."""


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
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        text, shown.text = shown.text, ""
        style = shown.widget.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, shown, painter, shown.widget)
        selected = bool(shown.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        strong = shown.palette.color(role)
        quiet = strong if selected else muted(shown.palette)
        indent = 0 if model.filtered else row.depth * 12
        ticks = index.data(Qt.ItemDataRole.CheckStateRole) is not None
        area = shown.rect.adjusted(UNIT + indent + (UNIT * 2 + 4 if ticks else 0), 0, -UNIT, 0)
        metrics = shown.fontMetrics
        detail = metrics.horizontalAdvance(row.detail) + UNIT if row.detail else 0
        detail = detail if detail < area.width() * 0.6 else 0
        painter.save()
        painter.setFont(shown.font)
        painter.setPen(quiet if row.word is None else strong)
        room = QRect(area.left(), area.top(), area.width() - detail, area.height())
        elided = metrics.elidedText(text, Qt.TextElideMode.ElideLeft, room.width())
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, int(middle | Qt.AlignmentFlag.AlignLeft), elided)
        if detail:
            painter.setPen(quiet)
            painter.drawText(area, int(middle | Qt.AlignmentFlag.AlignRight), row.detail)
        painter.restore()


class ChoicePopup(QFrame):
    """A search field over a list. Single choices close it, ticks do not.

    Signals:
        chosen: A word (single choice).
        ticked: A frozenset of words (several).
    """

    chosen = Signal(str)
    ticked = Signal(object)

    def __init__(self, owner: QWidget, *, several: bool) -> None:
        super().__init__(owner, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
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
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setFocusProxy(self.search)
        self._none = Label(self.tr("Nothing matches."), quiet=True)
        self._none.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT, UNIT, UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        layout.addWidget(self._none)
        if several:
            foot = QHBoxLayout()
            foot.addWidget(Label(self.tr("None ticked means all."), quiet=True, factor=0.9), 1)
            self.clear = QToolButton()
            self.clear.setText(self.tr("Untick all"))
            self.clear.setAutoRaise(True)
            self.clear.clicked.connect(self._untick)
            foot.addWidget(self.clear)
            layout.addLayout(foot)
        self.search.textChanged.connect(self._search)
        self.list.clicked.connect(self._take)
        self.model.ticked.connect(self._tell)

    def open_below(self, anchor: QWidget, current: str) -> None:
        """Opens under `anchor`, or above it where the screen ends, with `current` in sight."""
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


class Combo(QComboBox):
    """A combo box that shrinks, leaves the wheel to the page, and shows a path's end first."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def shown_text(self) -> str:
        return self.currentText()

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.fontMetrics().height() + 13)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        group = QPalette.ColorGroup.Normal if self.isEnabled() else QPalette.ColorGroup.Disabled
        edge = QPalette.ColorRole.Highlight if self.hasFocus() else QPalette.ColorRole.Mid
        over = self.underMouse() and self.isEnabled()
        fill = QPalette.ColorRole.Midlight if over else QPalette.ColorRole.Button
        words = self.rect().adjusted(9, 0, -26, 0)
        text = self.fontMetrics().elidedText(
            self.shown_text(), Qt.TextElideMode.ElideLeft, words.width()
        )
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(palette.color(edge), 1))
            painter.setBrush(palette.color(fill))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            painter.setPen(palette.color(group, QPalette.ColorRole.ButtonText))
            painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), text)
            mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
            place = QRect(self.width() - 23, (self.height() - 16) // 2, 16, 16)
            icon("chevron-down").paint(painter, place, Qt.AlignmentFlag.AlignCenter, mode)


class ChoiceBox(Combo):
    """One word of `words`; long lists and layer trees open with a search field.

    Signals:
        picked: The word, when the user chose another one.
    """

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._popup: ChoicePopup | None = None
        self.currentIndexChanged.connect(self._changed)

    def set_words(self, words: tuple[str, ...], kinds: Mapping[str, str]) -> None:
        """`kinds` names the module class of every layer; a list of layers is shown as a tree."""
        self._words = words
        layers = bool(words) and all(word in kinds for word in words)
        self._rows = (
            tree_rows(words, kinds) if layers else flat_rows(words) if len(words) > LONG else ()
        )
        blocked = self.blockSignals(True)
        current = self.currentText()
        self.clear()
        self.addItems(list(words))
        self.setCurrentIndex(words.index(current) if current in words else -1)
        self.blockSignals(blocked)
        self.setEnabled(bool(words))

    def show_word(self, word: str) -> None:
        if word == "" and self._words:
            word = self._words[0]
        blocked = self.blockSignals(True)
        self.setCurrentIndex(self._words.index(word) if word in self._words else -1)
        self.blockSignals(blocked)
        self.setToolTip(word)

    def showPopup(self) -> None:
        if not self._rows:
            super().showPopup()
            return
        if self._popup is None:
            self._popup = ChoicePopup(self, several=False)
            self._popup.chosen.connect(self._take)
        self._popup.model.set_rows(self._rows)
        self._popup.open_below(self, self.currentText())

    def _take(self, word: str) -> None:
        self.setCurrentIndex(self._words.index(word))

    def _changed(self, row: int) -> None:
        if 0 <= row < len(self._words):
            self.setToolTip(self._words[row])
            self.picked.emit(self._words[row])


class SubsetBox(Combo):
    """Any subset of words, in their order; the empty one means all.

    Signals:
        picked: The tuple of words.
    """

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._chosen: tuple[str, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._popup: ChoicePopup | None = None

    def set_words(self, words: tuple[str, ...], kinds: Mapping[str, str]) -> None:
        self._words = words
        layers = bool(words) and all(word in kinds for word in words)
        self._rows = tree_rows(words, kinds) if layers else flat_rows(words)
        self.setEnabled(bool(words))
        self.update()

    def show_words(self, chosen: tuple[str, ...]) -> None:
        self._chosen = chosen
        self.setToolTip(", ".join(chosen[:40]))
        self.update()

    def shown_text(self) -> str:
        if not self._chosen:
            return self.tr("all {count}").format(count=len(self._words)) if self._words else "—"
        if len(self._chosen) == 1:
            return self._chosen[0]
        return self.tr("{chosen} of {count}").format(
            chosen=len(self._chosen), count=len(self._words)
        )

    def showPopup(self) -> None:
        if self._popup is None:
            self._popup = ChoicePopup(self, several=True)
            self._popup.ticked.connect(self._take)
        self._popup.model.set_rows(self._rows)
        self._popup.model.words = frozenset(self._chosen)
        self._popup.open_below(self, self._chosen[0] if self._chosen else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        opening = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Down, Qt.Key.Key_F4)
        if event.key() in opening and self.isEnabled():
            self.showPopup()
            return
        event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _take(self, words: frozenset[str]) -> None:
        self.show_words(tuple(word for word in self._words if word in words))
        self.picked.emit(self._chosen)
