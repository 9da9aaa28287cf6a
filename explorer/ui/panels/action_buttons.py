"""The actions of a view: a button each, with a sentence about its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.engine.view import Action


class ActionButton(QPushButton):
    """One action; `chosen` carries its name."""

    chosen = Signal(str)

    def __init__(self, action: Action) -> None:
        super().__init__(action.title)
        self._name = action.name
        self.setAccessibleDescription(action.help)
        self.clicked.connect(self._choose)

    def _choose(self) -> None:
        self.chosen.emit(self._name)


class ActionButtons(QWidget):
    """See the module.

    Signals:
        chosen: An action's name.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, ActionButton] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(UNIT // 2)
        self.hide()

    def set_actions(self, actions: Sequence[Action]) -> None:
        """Shows these instead of whatever there is."""
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                discard(widget)
        self.buttons = {}
        for action in actions:
            button = ActionButton(action)
            button.chosen.connect(self.chosen)
            self.buttons[action.name] = button
            self._layout.addWidget(button)
            self._layout.addWidget(Label(action.help, quiet=True, factor=0.92))
        self.setVisible(bool(actions))

    def set_ready(self, ready: bool) -> None:
        """Whether there is anything to act on, and nothing is being done already."""
        for button in self.buttons.values():
            button.setEnabled(ready)
