"""The sheets over the window: palette, preferences, shortcuts; the log and a word.

Each is imported when it is opened for the first time: few starts need one.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices

from explorer import __version__
from explorer.core import settings
from explorer.ui.dialogs.notice import Notice
from explorer.ui.shell.crash_log import log_path
from explorer.ui.widgets import theme
from explorer.ui.widgets.lifetime import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from explorer.ui.dialogs.guide import GuideWindow
    from explorer.ui.dialogs.palette import Item, Palette
    from explorer.ui.dialogs.preferences import PreferencesSheet
    from explorer.ui.dialogs.shortcuts import ShortcutSheet
    from explorer.ui.shell.actions import Actions
    from explorer.ui.shell.desk import Desk


class Sheets(QObject):
    """Opens them; what was opened once is kept.

    Attributes:
        palette: Every command, view and network; None until it was opened.
        preferences: The sheet that was opened last, or None.
        shortcuts: Every key; None until it was opened.
        guide: The window of the guide; None until it was opened.
    """

    def __init__(self, desk: Desk, actions: Actions) -> None:
        super().__init__(desk.main)
        self._desk, self._actions = desk, actions
        self.palette: Palette | None = None
        self.preferences: PreferencesSheet | None = None
        self.shortcuts: ShortcutSheet | None = None
        self.guide: GuideWindow | None = None

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {
            "guide": self.open_guide,
            "palette": self.open_palette,
            "preferences": self.open_preferences,
            "shortcuts": self.open_shortcuts,
            "log": self.show_log,
            "about": self.say_about,
        }

    def networks_came(self) -> None:
        """Views and networks have arrived while a sheet was open."""
        if self.palette is not None and self.palette.isVisible():
            self.palette.open_with(self._palette_items(), self.palette.field.text())

    def open_preferences(self) -> None:
        from explorer.ui.dialogs.cache_row import CacheRow
        from explorer.ui.dialogs.preferences import PreferencesSheet

        ready = self._desk.study.ready
        devices = tuple(name for name, _ in ready.devices) if ready is not None else ()
        known, cache = self._desk.settings.preferences, CacheRow(self._desk.bridge)
        sheet = PreferencesSheet(self._desk.main, known, devices, cache)
        sheet.changed.connect(self._desk.apply_preferences)
        sheet.closed.connect(partial(discard, sheet))
        sheet.open(sheet.theme)
        self.preferences = sheet

    def open_shortcuts(self) -> None:
        if self.shortcuts is None:
            from explorer.ui.dialogs.shortcuts import ShortcutSheet

            place = settings.settings_path()
            self.shortcuts = ShortcutSheet(self._desk.main, self._actions, place)
        self.shortcuts.open(self.shortcuts.close_button)

    def open_guide(self) -> None:
        """The pages about how it is used and built; the window stays usable beside them."""
        if self.guide is None:
            from explorer.ui.dialogs.guide import GuideWindow

            self.guide = GuideWindow(self._desk.main)
        self.guide.show_page()

    def show_log(self) -> None:
        path = log_path()
        target = path if os.path.isfile(path) else path.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(target)))

    def say_about(self) -> None:
        words = self.tr(
            "Convnet Explorer {version}: see what a convolutional network computes, on your own "
            "photo. Everything runs on this computer. MIT license."
        )
        self._desk.notices.say(words.format(version=__version__), seconds=0)

    def say_problem(self, sentence: str, details: str) -> None:
        """A defect that a hook caught: the program continues, and it can be copied."""
        words = self.tr("Something went wrong: {what}").format(what=sentence)
        self._say_trouble(words, "error", details)

    def say_crash(self, text: str) -> None:
        """An earlier run has crashed."""
        self._say_trouble(self.tr("The program closed unexpectedly last time."), "warning", text)

    def _say_trouble(self, words: str, kind: str, details: str) -> None:
        ways = ((self.tr("Show the log"), self.show_log),)
        self._desk.notices.show_notice(Notice(words, kind, details, ways))

    # -- the palette ------------------------------------------------------------------------------

    def open_palette(self) -> None:
        """Every command, view and network in one searchable list."""
        if self.palette is None:
            from explorer.ui.dialogs.palette import Palette

            self.palette = Palette(self._desk.main)
        self.palette.open_with(self._palette_items())

    def _palette_items(self) -> list[Item]:
        from explorer.ui.dialogs.palette import Item

        items = [
            Item(
                action.text().rstrip("…"),
                action.trigger,
                "; ".join(key.toString() for key in action.shortcuts()[:1]),
                action.icon(),
            )
            for command, action in self._actions.items()
            if action.isEnabled() and command.name != "palette"
        ]
        study = self._desk.study
        view_icon, network_icon = theme.icon("view"), theme.icon("network")
        for name, view in study.views.items():
            act = _call(study.set_view, name)
            items.append(Item(view.title, act, self.tr("view"), view_icon))
        for view in study.offered():
            act = _call(study.show_beside, view.name)
            title = self.tr("Show beside: {view}").format(view=view.title)
            items.append(Item(title, act, self.tr("view"), view_icon))
        ready = study.ready
        for entry in ready.entries if ready is not None else ():
            act = _call(study.use, entry.name)
            items.append(Item(entry.title, act, entry.task, network_icon))
        return items


def _call(function: Callable[[Any], object], value: Any) -> Callable[[], object]:
    def act() -> object:
        return function(value)

    return act
