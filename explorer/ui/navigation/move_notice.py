"""The program has chosen another view or network by itself: a notice tells it, with a way back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from explorer.ui.dialogs.notice import Notice

if TYPE_CHECKING:
    from explorer.ui.navigation.trail import Trail
    from explorer.ui.shell.desk import Desk

MOVED_SECONDS = 15.0
"""Long enough to read what has changed and to press its button."""


class MoveNotice(QObject):
    """Shows it until the user has made another choice, or it is no longer true."""

    def __init__(self, desk: Desk, trail: Trail) -> None:
        super().__init__(desk.main)
        self._notices, self._trail = desk.notices, trail
        self._said: Notice | None = None
        self._on_the_way = False  # the place that it leads to has not been reached
        desk.study.moved.connect(self._say)
        desk.study.network_failed.connect(self.withdraw)
        trail.changed.connect(self._gone_on)

    def expect(self, comes: bool) -> None:
        """The next place of the trail, if one comes, is not the user's going on."""
        self._on_the_way = comes

    def withdraw(self) -> None:
        """The notice of an earlier move is no longer true."""
        if self._said is not None:
            self._notices.withdraw(self._said)

    def _say(self, sentence: str) -> None:
        self.withdraw()
        here = self._trail.here
        undo = ((self.tr("Undo"), partial(self._trail.return_to, here)),) if here else ()
        self._said, self._on_the_way = Notice(sentence, "info", "", undo, MOVED_SECONDS), True
        self._notices.show_notice(self._said)

    def _gone_on(self) -> None:
        if not self._on_the_way:
            self.withdraw()
        self._on_the_way = False
