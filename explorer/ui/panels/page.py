"""The middle of the window: the welcome page, or the picture with its bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from explorer.ui.widgets.small_widgets import UNIT

if TYPE_CHECKING:
    from explorer.ui.board.board import BoardView
    from explorer.ui.panels.welcome import Welcome

WELCOME_SIDE = UNIT * 50
"""The least that the welcome page needs, each way."""


class Page(QWidget):
    """Shows one of the two, and where something that is dragged may be dropped.

    Attributes:
        stack: The welcome page and the canvas.
        drop_frame: Around the canvas while something is dragged over the window.
    """

    def __init__(self, welcome: Welcome) -> None:
        super().__init__()
        self._welcome = welcome
        self.stack = QStackedWidget()
        self.stack.addWidget(welcome)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.stack, 1)

    def add_board(self, board: BoardView) -> None:
        """The other page: hidden at first."""
        from explorer.ui.photos.drop_frame import DropFrame

        self._board = board
        self.stack.addWidget(board)
        self.drop_frame = DropFrame(board)

    def add_bar(self, bar: QWidget) -> None:
        """Puts `bar` below the picture."""
        self._column.addWidget(bar)

    def show_board(self, shown: bool) -> None:
        """The canvas, or the welcome page."""
        # Only the page that is shown may ask for room: the panels get the rest.
        side = 0 if shown else WELCOME_SIDE  # its own hint is for its narrowest shape
        policy = QSizePolicy.Policy.Ignored if shown else QSizePolicy.Policy.Preferred
        self._welcome.setMinimumSize(side, side)
        self._welcome.setSizePolicy(policy, policy)
        self.stack.setCurrentWidget(self._board if shown else self._welcome)

    def set_drag_active(self, active: bool) -> None:
        """Shows that what is dragged may be dropped: on the first page, or over the picture."""
        self._welcome.set_drag_active(active)
        self.drop_frame.set_active(active and self.stack.currentWidget() is self._board)
