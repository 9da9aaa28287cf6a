"""A button that shows the present choice, and the pop-up that it opens."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from explorer.ui.widgets.badges import badge_size, draw_badge
from explorer.ui.widgets.fonts import scaled_font, text_scale
from explorer.ui.widgets.small_widgets import UNIT, HoverButton, PopupFrame
from explorer.ui.widgets.theme import icon

LEAST_LETTERS = 12
"""Of a choice that are readable in the narrowest button."""


class Popup(PopupFrame):
    """A panel that opens under its button and closes by Esc or a click elsewhere."""

    def __init__(self, owner: QWidget, panel: QWidget) -> None:
        super().__init__(owner)
        self._panel = panel
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT, UNIT, UNIT)
        layout.addWidget(panel)

    def open_at(self, anchor: QWidget, size: QSize) -> None:
        screen = anchor.screen().availableGeometry()
        size = (size * text_scale()).boundedTo(screen.size() - QSize(2 * UNIT, 2 * UNIT))
        self.resize(size)
        corner = anchor.mapToGlobal(QPoint(0, anchor.height() + UNIT // 2))
        corner.setX(max(screen.left(), min(corner.x(), screen.right() - size.width() - UNIT)))
        corner.setY(max(screen.top(), min(corner.y(), screen.bottom() - size.height() - UNIT)))
        self.move(corner)
        self.show()
        self._panel.setFocus(Qt.FocusReason.PopupFocusReason)


class PickerButton(HoverButton):
    """Shows the present choice and its state; a click opens the pop-up."""

    def __init__(self, symbol: str) -> None:
        super().__init__()
        self._symbol = symbol
        self._badge, self._kind = "", "quiet"
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_choice(self, title: str, badge: str = "", kind: str = "quiet") -> None:
        self.setText(title)
        self._badge, self._kind = badge, kind
        self.updateGeometry()
        self.update()

    @property
    def badge(self) -> str:
        return self._badge

    def sizeHint(self) -> QSize:
        bold = QFontMetrics(scaled_font(self.font(), 1.0, bold=True))
        badge = badge_size(self._badge, self.font()).width() + UNIT if self._badge else 0
        return QSize(bold.horizontalAdvance(self.text()) + badge + 68, bold.height() + 15)

    def minimumSizeHint(self) -> QSize:
        """Room for the beginning and the end of a name; the badge is hidden before that."""
        wanted = self.sizeHint()
        least = 68 + self.fontMetrics().averageCharWidth() * LEAST_LETTERS
        return QSize(min(least, wanted.width()), wanted.height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        role = QPalette.ColorRole
        over = self.underMouse() or self.isDown()
        height = self.height()
        wide = self.width() >= self.sizeHint().width()
        badge = badge_size(self._badge, self.font()) if self._badge and wide else QSize(0, 0)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(palette.color(role.Highlight if self.hasFocus() else role.Mid), 1))
            painter.setBrush(palette.color(role.Midlight if over else role.Button))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            icon(self._symbol).paint(painter, QRect(10, (height - 16) // 2, 16, 16))
            icon("chevron-down").paint(
                painter, QRect(self.width() - 24, (height - 16) // 2, 16, 16)
            )
            room = self.width() - 62 - (badge.width() + UNIT if badge.width() else 0)
            painter.setFont(scaled_font(self.font(), 1.0, bold=True))
            painter.setPen(palette.color(role.ButtonText))
            metrics = QFontMetrics(painter.font())
            text = metrics.elidedText(self.text(), Qt.TextElideMode.ElideMiddle, room)
            painter.drawText(QRect(34, 0, room, height), int(Qt.AlignmentFlag.AlignVCenter), text)
            if badge.width():
                left = 34 + metrics.horizontalAdvance(text) + UNIT
                top = (height - badge.height()) / 2
                place = QRectF(left, top, badge.width(), badge.height())
                draw_badge(painter, place, self._badge, self._kind, self.font(), palette)
