"""Buttons with an icon and a word, in a row that fits where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from explorer.ui.widgets.small_widgets import UNIT
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QResizeEvent


class TextButton(QToolButton):
    """A flat button with a symbol, words and a tip."""

    def __init__(self, symbol: str, words: str, tip: str) -> None:
        super().__init__()
        self.setIcon(icon(symbol))
        self.setText(words)
        self.setToolTip(tip)
        self.setAccessibleName(words.rstrip("…"))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)


class ButtonRow(QWidget):
    """Buttons with an icon and a word each; icons alone where the words have no room."""

    def __init__(self, buttons: Sequence[QToolButton]) -> None:
        super().__init__()
        self._buttons = tuple(buttons)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        for button in buttons:
            line.addWidget(button)
        line.addStretch(1)

    def minimumSizeHint(self) -> QSize:
        high = max(button.sizeHint().height() for button in self._buttons)
        return QSize(len(self._buttons) * 4 * UNIT, high)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # a button came, went or has grown
            self._fit()
        return super().event(event)

    def _fit(self) -> None:
        shown = [button for button in self._buttons if not button.isHidden()]
        words = sum(
            button.fontMetrics().horizontalAdvance(button.text()) + 5 * UNIT for button in shown
        )
        kind = Qt.ToolButtonStyle
        fits = words <= self.width()
        wanted = kind.ToolButtonTextBesideIcon if fits else kind.ToolButtonIconOnly
        for button in self._buttons:
            if button.toolButtonStyle() is not wanted:
                button.setToolButtonStyle(wanted)
