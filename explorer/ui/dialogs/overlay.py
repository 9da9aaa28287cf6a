"""A card over the dimmed window: no window of its own, so its round corners need no compositor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.widgets import fonts, tab_order, theme
from explorer.ui.widgets.lifetime import alive
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sheet(QFrame):
    """The card itself."""

    def paintEvent(self, event: QPaintEvent) -> None:
        shades = theme.colors()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(shades["line"]), 1))
            painter.setBrush(QColor(shades["raised"]))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)


class Overlay(QWidget):
    """Covers `window` while it is open; Esc or a click beside the card closes it.

    Args:
        window: What is covered.
        size: The card's; larger with larger text, and cut to the window. Height 0 = as high as
            what is in it.
        top: Distance of the card from the window's upper edge; None = centered.

    Signals:
        closed: The sheet is gone.
    """

    closed = Signal()

    def __init__(self, window: QWidget, size: QSize, top: int | None = None) -> None:
        super().__init__(window)
        self._window, self._size, self._top = window, size, top
        self._before: QWidget | None = None
        self.sheet = Sheet(self)
        self.body = QVBoxLayout(self.sheet)
        self.body.setContentsMargins(UNIT * 2, UNIT * 2, UNIT * 2, UNIT * 2)
        self.body.setSpacing(UNIT)
        self.hide()

    def lay_out(
        self,
        title: str,
        *parts: QWidget | QLayout,
        ok: QPushButton,
        others: Sequence[QPushButton] = (),
    ) -> None:
        """Title, parts and, at the bottom, Cancel and what the sheet is for.

        Args:
            title: Over the sheet.
            parts: Below it, from the top.
            ok: The button that Enter presses.
            others: Buttons before it.
        """
        cancel = QPushButton(self.tr("Cancel"))
        cancel.clicked.connect(self.close_sheet)
        ok.setDefault(True)
        foot = QHBoxLayout()
        foot.addStretch(1)
        for button in (cancel, *others, ok):
            foot.addWidget(button)
        self.body.setContentsMargins(UNIT * 3, UNIT * 2, UNIT * 3, UNIT * 3)
        self.body.setSpacing(UNIT * 2)
        self.body.addWidget(Label(title, factor=1.35, bold=True))
        for part in parts:
            if isinstance(part, QWidget):
                self.body.addWidget(part)
            else:
                self.body.addLayout(part)
        self.body.addStretch(1)
        self.body.addLayout(foot)

    def open(self, focus: QWidget) -> None:
        if not self.isVisible():
            self._before = QApplication.focusWidget()
        self._window.installEventFilter(self)
        self._place()
        self.show()
        self.raise_()
        focus.setFocus(Qt.FocusReason.PopupFocusReason)

    def fit(self) -> None:
        """What is in it needs more or less room than before."""
        if self.isVisible():
            self._place()

    def close_sheet(self) -> None:
        """Gives the focus back to where it was."""
        self._window.removeEventFilter(self)
        self.hide()
        before, self._before = alive(self._before), None
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)
        self.closed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        # The window's own shortcuts (A, D, Esc …) must not act behind an open sheet.
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_sheet()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._press()

    def _press(self) -> None:
        """Enter presses the button that has the keyboard, else the one that is marked for it."""
        buttons = [b for b in self.findChildren(QPushButton) if b.isVisible() and b.isEnabled()]
        for button in sorted(buttons, key=QPushButton.hasFocus, reverse=True):
            if button.hasFocus() or button.isDefault():
                button.click()
                return

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.sheet.geometry().contains(event.position().toPoint()):
            self.close_sheet()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes round within what is open."""
        return tab_order.step(self, forward)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(0, 0, 0, 120 if theme.is_dark() else 70))

    def _place(self) -> None:
        room = self._window.rect()
        self.setGeometry(room)
        size = self._size * fonts.text_scale()
        if not self._size.height():
            wide = min(size.width(), room.width() - UNIT * 4)
            self.body.activate()
            size.setHeight(self.body.totalHeightForWidth(wide))
        size = size.boundedTo(room.size() - QSize(UNIT * 4, UNIT * 6))
        place = QRect(room.center(), size)
        place.moveCenter(room.center())
        if self._top is not None:
            place.moveTop(min(self._top, room.height() - size.height() - UNIT * 2))
        self.sheet.setGeometry(place)
