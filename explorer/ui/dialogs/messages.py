"""Cards that say something: an error with its details, a note that must not be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.widgets.fonts import set_own_font
from explorer.ui.widgets.small_widgets import UNIT, Card, IconButton, Label, take_enter
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_BOLD = 120
"""Letters of a message."""

Way = tuple[str, "Callable[[], object]"]
"""A way out of trouble: the words of a button and what it does."""


class Symbol(QWidget):
    """An icon among words, in the tone of its card."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setFixedWidth(UNIT * 2)

    def show_icon(self, name: str) -> None:
        self._name = name
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            icon(self._name).paint(painter, QRect(0, 1, UNIT * 2, UNIT * 2))


class NoteCard(Card):
    """One sentence on an amber plate, with buttons where something can be done about it."""

    def __init__(self, note: str, ways: Sequence[Way] = ()) -> None:
        super().__init__("warning")
        self.note = note
        self.setAccessibleName(note)
        self.ways: list[QPushButton] = []
        words = QHBoxLayout()
        words.setSpacing(UNIT)
        words.addWidget(Symbol("warning"))
        words.addWidget(Label(note), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT + 4, UNIT, UNIT + 4, UNIT)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(words)
        for text, act in ways:
            button = QPushButton(text)
            take_enter(button)
            button.clicked.connect(act)
            self.ways.append(button)
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)


class ErrorCard(Card):
    """What went wrong, what can be done, and the details for a report.

    It may also say what is still missing: then it is no error, and looks it.

    Attributes:
        ways: The buttons that lead out of it, in their order; each closes the card.
    """

    def __init__(self) -> None:
        super().__init__("error")
        self._message = Label(bold=True)
        self._hint = Label()
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        set_own_font(self.details, 0.95, fixed=True)
        self.details.setFixedHeight(UNIT * 20)
        self.details.setAccessibleName(self.tr("Details of the error"))
        self.details.hide()
        self.dismiss = IconButton("close", self.tr("Dismiss"))
        self.dismiss.clicked.connect(self.hide)
        self.more = self._button(self.tr("Details"))
        self.more.clicked.connect(self._unfold)
        self.copy = self._button(self.tr("Copy"))
        self.copy.setIcon(icon("copy"))
        self.copy.setToolTip(self.tr("Copy the message and its details"))
        self.copy.clicked.connect(self._copy)

        self._symbol = Symbol("error")
        self._full = "", ""
        self.ways: list[QPushButton] = []
        self._ways = QVBoxLayout()
        self._ways.setContentsMargins(UNIT * 3, UNIT // 2, UNIT // 2, 0)
        self._ways.setSpacing(UNIT // 2)
        words = QVBoxLayout()
        words.setSpacing(UNIT // 2)
        words.addWidget(self._message)
        words.addWidget(self._hint)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addWidget(self._symbol)
        top.addLayout(words, 1)
        top.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(UNIT * 2 + 2, 0, 0, 0)
        foot.setSpacing(UNIT // 2)
        foot.addWidget(self.more)
        foot.addWidget(self.copy)
        foot.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT + 4, UNIT, UNIT, UNIT)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(top)
        layout.addLayout(self._ways)
        layout.addWidget(self._foot)
        layout.addWidget(self.details)
        self.hide()

    def set_error(
        self,
        message: str,
        hint: str,
        details: str,
        ways: Sequence[Way] = (),
        *,
        kind: Literal["error", "info"] = "error",
    ) -> None:
        self._full = message, hint
        self.kind = kind
        self._symbol.show_icon(kind)
        self.copy.setVisible(kind == "error")
        head, rest = _parted(message)
        self._message.setText(head)
        self._hint.setText(f"{rest} {hint}".strip())
        self._hint.setVisible(bool(rest or hint))
        self.details.setPlainText(details)
        self._show_details(False)
        self.more.setVisible(bool(details))
        self.copy.setText(self.tr("Copy"))
        self.setAccessibleName(f"{message} {hint}".strip())
        for old in self.ways:
            self._ways.removeWidget(old)
            old.hide()
            old.deleteLater()  # never at once: it may be the one that was pressed
        self.ways = []
        for text, act in ways:
            self.add_way(text, act)
        self.show()

    def add_way(self, text: str, act: Callable[[], object], *, first: bool = False) -> None:
        """One more button; `first` puts it above the others."""
        button = QPushButton(text)
        take_enter(button)
        button.clicked.connect(self.hide)
        button.clicked.connect(act)
        place = 0 if first else len(self.ways)
        self.ways.insert(place, button)
        self._ways.insertWidget(place, button)

    @property
    def message(self) -> str:
        return self._full[0]

    @property
    def hint(self) -> str:
        return self._full[1]

    def _button(self, text: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setAutoRaise(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _unfold(self) -> None:
        self._show_details(self.details.isHidden())

    def _show_details(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self.more.setIcon(icon("chevron-down" if shown else "chevron-right"))

    def _copy(self) -> None:
        parts = (self.message, self.hint, self.details.toPlainText())
        QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))
        self.copy.setText(self.tr("Copied"))


def _parted(message: str) -> tuple[str, str]:
    """What is set in bold, and the rest: fifteen bold lines are not read."""
    head, colon, rest = message.partition(": ")
    if len(message) <= MOST_BOLD or not colon:
        return message, ""
    return f"{head}.", f"{rest[:1].upper()}{rest[1:]}"
