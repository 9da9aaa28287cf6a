"""What the parts of the window may ask of it. None of them has the window itself.

A part gets a `Desk` when it needs services (the study, workers, sentences for the user), and
`Panels` when it also arranges what is on the window. A part reports by
signals, which the window connects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtWidgets import QDockWidget, QMainWindow

    from explorer.core.settings import Preferences, Settings
    from explorer.ui.board.board import BoardView
    from explorer.ui.dialogs.notice import Notices
    from explorer.ui.jobs.background import BackgroundJobs
    from explorer.ui.panels.inspector import Inspector
    from explorer.ui.panels.pickers import NetworkPicker, ViewPicker
    from explorer.ui.panels.status import Status
    from explorer.ui.panels.welcome import Welcome
    from explorer.ui.photos.filmstrip import Filmstrip
    from explorer.ui.results.results import Results
    from explorer.ui.shell.bridge import Bridge
    from explorer.ui.study.study import Study


class Desk(Protocol):
    """The services that every part may use."""

    @property
    def main(self) -> QMainWindow:
        """Qt's window: what dialogs stand over, what docks and geometry belong to."""

    @property
    def study(self) -> Study:
        """What is shown."""

    @property
    def bridge(self) -> Bridge:
        """The workers."""

    @property
    def jobs(self) -> BackgroundJobs:
        """The long work behind the questions."""

    @property
    def notices(self) -> Notices:
        """Sentences for the user."""

    @property
    def settings(self) -> Settings:
        """As they are now."""

    def apply_preferences(self, preferences: Preferences) -> None:
        """Takes changed preferences at once, and saves them."""

    def refresh(self) -> None:
        """Enables the commands that make sense now."""


class Panels(Desk, Protocol):
    """The services, and what stands on the window."""

    @property
    def board(self) -> BoardView: ...
    @property
    def results(self) -> Results: ...
    @property
    def inspector(self) -> Inspector: ...
    @property
    def strip(self) -> Filmstrip: ...
    @property
    def welcome(self) -> Welcome: ...
    @property
    def views(self) -> ViewPicker: ...
    @property
    def networks(self) -> NetworkPicker: ...
    @property
    def status(self) -> Status: ...
    @property
    def docks(self) -> Mapping[str, QDockWidget]:
        """By name: photos, inspector, results."""
