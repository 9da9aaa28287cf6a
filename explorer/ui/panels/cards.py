"""A searchable list of cards under headings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPalette,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.widgets.badges import badge_size, draw_badge
from explorer.ui.widgets.fonts import scaled_font
from explorer.ui.widgets.small_widgets import UNIT, Label, blend, muted
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.unavailable import Unavailable

Index = QModelIndex | QPersistentModelIndex
MOST_LINES = 4
"""Of a card's text, and of its reason."""


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card; `reason` is a last line, `words` are further words that a search finds.

    A `dead` one is there to be read and cannot be chosen.
    """

    key: str
    group: str
    title: str
    text: str = ""
    badge: str = ""
    kind: str = "quiet"
    reason: str = ""
    words: str = ""
    dim: bool = False
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    title: str


def unavailable_cards(owner: QObject, unavailable: Sequence[Unavailable]) -> tuple[CardRow, ...]:
    """A card for everything that could not be loaded, with its reason; none can be chosen."""
    return tuple(
        CardRow(
            f"unavailable {number}",
            owner.tr("Unavailable"),
            entry.name,
            entry.origin,
            reason=entry.reason,
            dim=True,
            dead=True,
        )
        for number, entry in enumerate(unavailable)
    )


def rank(card: CardRow, search: str) -> int | None:
    """How well a card matches a search, 0 the best; None = not at all.

    Its title before the beginning of its title, before a word and a part of its title, before its
    words (name, group, reference), before its text.
    """
    search = " ".join(search.lower().split())
    title, parts = card.title.lower(), search.split()
    if search in (title, card.key.lower()):
        return 0
    if title.startswith(search):
        return 1
    if all(any(word.startswith(part) for word in title.split()) for part in parts):
        return 2
    words = f"{title} {card.key} {card.group} {card.words}".lower()
    for place, haystack in enumerate((title, words, f"{words} {card.text.lower()}")):
        if all(part in haystack for part in parts):
            return 3 + place
    return None


class CardsModel(QAbstractListModel):
    """The cards that match the search, each group under its heading."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._cards: tuple[CardRow, ...] = ()
        self._above: tuple[CardRow, ...] = ()
        self._lines: list[CardRow | Heading] = []
        self._search = ""
        self.current = ""

    def set_cards(self, cards: tuple[CardRow, ...], above: tuple[CardRow, ...] = ()) -> None:
        """`above` are some of the cards once more, on top while nothing is searched for."""
        self._cards, self._above = cards, above
        self._arrange()

    def search(self, text: str) -> None:
        self._search = text
        self._arrange()

    def _arrange(self) -> None:
        self.beginResetModel()
        self._lines = self._found() if self._search.strip() else self._listed()
        self.endResetModel()

    def _listed(self) -> list[CardRow | Heading]:
        groups: dict[str, list[CardRow]] = {}
        for card in (*self._above, *self._cards):
            groups.setdefault(card.group, []).append(card)
        lines: list[CardRow | Heading] = []
        for group, cards in groups.items():
            lines += [Heading(group), *cards] if group else cards
        return lines

    def _found(self) -> list[CardRow | Heading]:
        """What a search finds, the best first; dim cards after the others."""
        ranked = [(card.dim, rank(card, self._search), card) for card in self._cards]
        found = [entry for entry in ranked if entry[1] is not None]
        return [card for *_, card in sorted(found, key=lambda entry: entry[:2])]

    def line(self, row: int) -> CardRow | Heading:
        return self._lines[row]

    def row_of(self, key: str) -> int:
        return next(
            (
                n
                for n, line in enumerate(self._lines)
                if isinstance(line, CardRow) and line.key == key
            ),
            -1,
        )

    def next_card(self, row: int, step: int) -> int:
        """The nearest card after `row` in the direction of `step`; `row` when there is none."""
        at = row + step
        while 0 <= at < len(self._lines):
            if isinstance(self._lines[at], CardRow):
                return at
            at += step
        return row

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._lines)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._lines):
            return None
        line = self._lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line.title
        if role == Qt.ItemDataRole.AccessibleTextRole and isinstance(line, CardRow):
            return ". ".join(part for part in (line.title, line.badge, line.reason) if part)
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(line, CardRow):
            return "\n".join(part for part in (line.text, line.reason) if part)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or isinstance(self._lines[index.row()], Heading):
            return Qt.ItemFlag.NoItemFlags
        line = self._lines[index.row()]
        if isinstance(line, CardRow) and line.dead:  # the cursor may rest on it, to read why
            return Qt.ItemFlag.ItemIsSelectable
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class CardDelegate(QStyledItemDelegate):
    """Title with its badge, then the text, then the reason for dimming."""

    PAD = UNIT

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        model, view = index.model(), option.widget
        assert isinstance(model, CardsModel)
        line = model.line(index.row())
        metrics = QFontMetrics(option.font)
        if isinstance(line, Heading):
            return QSize(100, metrics.height() + UNIT + UNIT // 2)
        width = view.viewport().width() if isinstance(view, QListView) else 300
        height = metrics.height() + 2 * self.PAD
        for text in (line.text, line.reason):
            if text:
                height += self._lines(text, option, width) + 2
        return QSize(100, height)

    def _lines(self, text: str, option: QStyleOptionViewItem, width: int) -> int:
        metrics = QFontMetrics(scaled_font(option.font, 0.92))
        most = MOST_LINES * metrics.lineSpacing()
        room = QRect(0, 0, max(40, width - 4 * self.PAD), most)
        flags = int(Qt.TextFlag.TextWordWrap)
        height = metrics.boundingRect(room, flags, text).height()
        return min(height, most)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, CardsModel)
        line = model.line(index.row())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(line, Heading):
            self._heading(painter, option, line)
        else:
            self._card(painter, option, line, line.key == model.current)
        painter.restore()

    def _heading(self, painter: QPainter, option: QStyleOptionViewItem, line: Heading) -> None:
        painter.setFont(scaled_font(option.font, 0.88, bold=True))
        painter.setPen(muted(option.palette))
        area = option.rect.adjusted(2 * self.PAD, 0, -self.PAD, -UNIT // 4)
        painter.drawText(
            area, int(Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft), line.title
        )

    def _card(
        self, painter: QPainter, option: QStyleOptionViewItem, line: CardRow, chosen: bool
    ) -> None:
        palette = option.palette
        base = palette.color(QPalette.ColorRole.Window)
        accent = palette.color(QPalette.ColorRole.Highlight)
        plate = QRectF(option.rect).adjusted(UNIT // 2, 1, -UNIT // 2, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setBrush(blend(accent, base, 0.16))
            painter.drawRoundedRect(plate, 6, 6)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(palette.color(QPalette.ColorRole.Midlight))
            painter.drawRoundedRect(plate, 6, 6)
        if chosen:
            painter.setBrush(accent)
            painter.drawRoundedRect(
                QRectF(plate.left(), plate.top() + 8, 3, plate.height() - 16), 1.5, 1.5
            )
        area = option.rect.adjusted(2 * self.PAD, self.PAD, -2 * self.PAD, -self.PAD)
        metrics = QFontMetrics(option.font)
        strong = palette.color(QPalette.ColorRole.Text)
        quiet = muted(palette)
        badge = badge_size(line.badge, option.font) if line.badge else QSize(0, 0)
        painter.setFont(scaled_font(option.font, 1.0, bold=True))
        painter.setPen(blend(strong, base, 0.7) if line.dim else strong)
        room = area.width() - (badge.width() + UNIT if line.badge else 0)
        bold = QFontMetrics(painter.font())
        painter.drawText(
            QRect(area.left(), area.top(), room, metrics.height()),
            int(Qt.AlignmentFlag.AlignVCenter),
            # What tells variants apart is at the end of their names.
            bold.elidedText(line.title, Qt.TextElideMode.ElideMiddle, room),
        )
        if line.badge:
            place = QRectF(
                area.right() - badge.width(),
                area.top() + (metrics.height() - badge.height()) / 2,
                badge.width(),
                badge.height(),
            )
            draw_badge(painter, place, line.badge, line.kind, option.font, palette)
        top = area.top() + metrics.height() + 2
        painter.setFont(scaled_font(option.font, 0.92))
        for text, color in (
            (line.text, quiet),
            (line.reason, quiet),
        ):
            if not text:
                continue
            height = self._lines(text, option, option.rect.width())
            painter.setPen(color)
            place_of_text = QRect(area.left(), top, area.width(), height)
            painter.drawText(place_of_text, int(Qt.TextFlag.TextWordWrap), text)
            top += height + 2


class CardList(QWidget):
    """A search field over cards; arrow keys in the field move through the list.

    Signals:
        current_changed: The key of the card under the cursor.
        activated: A card was clicked or Enter was pressed on it.
        double_clicked: A card was double-clicked.
    """

    current_changed = Signal(str)
    activated = Signal(str)
    entered = Signal(str)

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self.search = QLineEdit()
        self.search.setPlaceholderText(placeholder)
        self.search.setAccessibleName(placeholder)
        self.search.setClearButtonEnabled(True)
        self.search.addAction(icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.installEventFilter(self)
        self.model = CardsModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(CardDelegate(self.list))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.viewport().setAutoFillBackground(False)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setMouseTracking(True)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.nothing = Label(self.tr("No matches."), quiet=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.nothing)
        self.setFocusProxy(self.search)
        self.search.textChanged.connect(self._search)
        self.list.clicked.connect(self._clicked)
        self.list.doubleClicked.connect(self._doubled)
        self.list.selectionModel().currentChanged.connect(self._moved)

    def set_cards(self, cards: tuple[CardRow, ...], above: tuple[CardRow, ...] = ()) -> None:
        at = self.current_key() or self.model.current
        self.model.set_cards(cards, above)
        self._after(at)

    def set_current(self, key: str) -> None:
        """Marks the card in use and puts the cursor on it."""
        self.model.current = key
        self.point_at(key)
        self.list.viewport().update()

    def point_at(self, key: str) -> None:
        row = self.model.row_of(key)
        if row >= 0:
            self._go(row)

    def _go(self, row: int) -> None:
        self.list.setCurrentIndex(self.model.index(row))
        if row == self.model.next_card(-1, 1):
            self.list.scrollToTop()  # with the heading above it
        else:
            self.list.scrollTo(self.model.index(row))

    def current_key(self) -> str:
        index = self.list.currentIndex()
        if not index.isValid() or index.row() >= self.model.rowCount():
            return ""
        line = self.model.line(index.row())
        return line.key if isinstance(line, CardRow) else ""

    def _after(self, key: str) -> None:
        count = self.model.rowCount()
        self.nothing.setVisible(count == 0)
        row = self.model.row_of(key)
        if row < 0 and count:
            row = self.model.next_card(-1, 1)
        if row >= 0:
            self._go(row)

    def _search(self, text: str) -> None:
        self.model.search(text)
        # The best match of a search is the first one; without a search it is the one in use.
        self._after("" if text.strip() else self.model.current)

    def _moved(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and self.current_key():
            self.current_changed.emit(self.current_key())

    def _clicked(self, index: QModelIndex) -> None:
        line = self.model.line(index.row())
        if isinstance(line, CardRow) and not line.dead:
            self.activated.emit(line.key)

    def _doubled(self, index: QModelIndex) -> None:
        line = self.model.line(index.row())
        if isinstance(line, CardRow) and not line.dead:
            self.entered.emit(line.key)

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
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: 8,
            Qt.Key.Key_PageUp: -8,
        }.get(Qt.Key(event.key()), 0)
        if steps:
            row = self.list.currentIndex().row()
            for _ in range(abs(steps)):
                row = self.model.next_card(row, 1 if steps > 0 else -1)
            if row >= 0:
                self.list.setCurrentIndex(self.model.index(row))
            return True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.list.currentIndex().isValid():
                self._doubled(self.list.currentIndex())
            return True
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.list.scheduleDelayedItemsLayout()
