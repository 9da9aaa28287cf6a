"""Notices: sentences that lie over the lower right for a while, never over the picture."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from explorer.ui.widgets import theme
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label, blend, take_enter, tone

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

MOST = 3
WIDTH = UNIT * 50
"""Where no column gives them another."""

QUIET_SECONDS = 20.0
"""The same sentence is not shown again sooner than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Notice:
    """What to say; `actions` are (words, what to do) and close it; `details` can be copied."""

    text: str
    kind: str = "info"
    details: str = ""
    actions: tuple[tuple[str, Callable[[], None]], ...] = ()
    seconds: float = 0.0


class NoticeCard(QWidget):
    """One notice with its buttons."""

    closed = Signal(object)

    def __init__(self, notice: Notice, parent: QWidget) -> None:
        super().__init__(parent)
        self.notice = notice
        self.setAccessibleName(notice.text)
        picture = QLabel()
        name = {"error": "error", "warning": "warning"}.get(notice.kind, "info")
        picture.setPixmap(theme.icon(name).pixmap(QSize(20, 20)))
        close = IconButton("close", self.tr("Close this notice"))
        close.clicked.connect(self._close)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        self.words = Label(notice.text)
        top.addWidget(self.words, 1)
        top.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.buttons: list[QPushButton] = []
        for words, action in notice.actions:
            button = QPushButton(words)
            button.clicked.connect(action)
            button.clicked.connect(self._close)
            self.buttons.append(button)
        if notice.details:
            copy = QPushButton(self.tr("Copy details"))
            copy.clicked.connect(self._copy)
            self.buttons.append(copy)
        for button in self.buttons:
            take_enter(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT + 4, UNIT, UNIT, UNIT)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(top)
        if self.buttons:
            line = QHBoxLayout()
            line.setSpacing(UNIT)
            line.addStretch(1)
            for button in self.buttons:
                line.addWidget(button)
            layout.addLayout(line)
        if notice.seconds:
            timer = QTimer(self)
            timer.setSingleShot(True)
            timer.timeout.connect(self._close)
            timer.start(int(notice.seconds * 1000))

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        color = tone(self.notice.kind, palette)
        raised = QColor(theme.colors()["raised"])
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(blend(color, raised, 0.45), 1))
            painter.setBrush(blend(color, raised, 0.08))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.notice.text}\n\n{self.notice.details}")

    def _close(self) -> None:
        self.closed.emit(self)


class Notices(QWidget):
    """A column of notices over `host`.

    They lie over the foot of `column` (the explanation is there, never the picture) while it is
    seen in the window, else in the lower right of `room`.

    Args:
        host: What they lie over.
        room: The part of it where they may lie; by default all of it.
        column: A panel of it that gives them its width.
    """

    def __init__(
        self, host: QWidget, *, room: QWidget | None = None, column: QWidget | None = None
    ) -> None:
        super().__init__(host)
        self._host, self._room, self._column = host, room or host, column
        self._cards: list[NoticeCard] = []
        self._last: dict[str, float] = {}
        self._busy: NoticeCard | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(UNIT, 0, UNIT, UNIT)
        self._layout.setSpacing(UNIT)
        for widget in {host, self._room, column or host}:
            widget.installEventFilter(self)
        self.hide()

    @property
    def texts(self) -> list[str]:
        return [card.words.text() for card in self._cards]

    @property
    def cards(self) -> list[NoticeCard]:
        return list(self._cards)

    def show_notice(self, notice: Notice) -> None:
        """Shows `notice`, once: the same sentence takes the place of the one that is there.

        A defect (it has details) is shown once in a while: it may come with every paint. All else
        is a reply to the user: saving a file twice, or dropping the same wrong one, is told twice.
        """
        now = time.monotonic()
        defect = bool(notice.details) and not notice.actions
        if defect and now - self._last.get(notice.text, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        for card in self.cards:
            if card.notice.text == notice.text:
                self._drop(card)
        if len(self._last) > 200:
            self._last.clear()
        self._last[notice.text] = now
        while len(self._cards) >= MOST:
            self._drop(self._cards[0])
        card = NoticeCard(notice, self)
        card.closed.connect(self._drop)
        self._cards.append(card)
        self._layout.addWidget(card)
        self.show()
        card.show()  # what is hidden takes no room in a layout
        self._place()

    def say(
        self, text: str, kind: str = "info", *, details: str = "", seconds: float = 6.0
    ) -> None:
        """A sentence that goes away by itself (0 = stays until it is closed)."""
        self.show_notice(Notice(text, kind, details, (), seconds))

    def progress(self, text: str, cancel: Callable[[], None]) -> None:
        """A sentence about something slow, with a way out; `end_progress` takes it away."""
        if self._busy is None:
            self.show_notice(Notice(text, "info", "", ((self.tr("Cancel"), cancel),)))
            self._busy = self._cards[-1]

    def end_progress(self) -> None:
        busy, self._busy = self._busy, None
        self._drop(busy)

    def withdraw(self, notice: Notice) -> None:
        """Takes a notice away, if it is still there."""
        for card in self.cards:
            if card.notice is notice:
                self._drop(card)

    def reword(self, notice: Notice, text: str) -> None:
        """Gives a notice other words, if it is still there."""
        for card in self.cards:
            if card.notice is notice:
                card.words.setText(text)
                card.setAccessibleName(text)

    def clear(self) -> None:
        for card in self.cards:
            self._drop(card)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        moved = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide)
        if event.type() in moved and self._cards:
            self._place()
        return False

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self._cards:
            self._place()  # a card has got more words, or a larger font
        return done

    def _drop(self, card: object) -> None:
        if card not in self._cards:
            return
        assert isinstance(card, NoticeCard)
        self._cards.remove(card)
        self._layout.removeWidget(card)
        discard(card)
        self._place()

    def _place(self) -> None:
        self.setVisible(bool(self._cards))
        if not self._cards:
            return
        room = self._area()
        height = self._layout.totalHeightForWidth(room.width())
        top = max(room.top(), room.bottom() + 1 - height)
        self.setGeometry(QRect(room.left(), top, room.width(), height))
        self.raise_()

    def _area(self) -> QRect:
        column = self._column
        if column is not None and column.isVisible() and column.window() is self._host.window():
            return QRect(column.mapTo(self._host, QPoint()), column.size())
        origin = self._room.mapTo(self._host, QPoint())
        room = QRect(origin, self._room.size())
        room.setLeft(max(room.left(), room.right() + 1 - WIDTH))
        return room
