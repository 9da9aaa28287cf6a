"""Every command of the window in one table, read by menus, toolbar, palette and shortcut sheet."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence

from explorer.ui.widgets import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from PySide6.QtWidgets import QWidget

log = logging.getLogger(__name__)

QT_NOOP = str
"""Marks the words below for translation; they are translated where they are shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the user can do.

    Attributes:
        name: The word in the settings file.
        title: The words in menus and in the palette.
        keys: Shortcuts, separated by "; ".
        icon: Name of a drawing in resources/icons.
        menu: The menu it is listed in; "" = only in the palette.
        checkable: It is on or off.
        rule: A line above it in its menu.
    """

    name: str
    title: str
    keys: str = ""
    icon: str = ""
    menu: str = ""
    checkable: bool = False
    rule: bool = False


FILM_COMMANDS = ("film_play", "film_back", "film_on", "film_in", "film_out", "film_clear")
MENUS = ("File", "Edit", "View", "Analyze", "Live", "Help")
COMMANDS = (
    Command("open", QT_NOOP("Open photos…"), "Ctrl+O", "open", "File"),
    Command("open_folder", QT_NOOP("Open folder…"), "Ctrl+U", "folder", "File"),
    Command("open_address", QT_NOOP("Open web address…"), "Ctrl+L", "globe", "File"),
    Command("gallery", QT_NOOP("Open the samples"), "Ctrl+G", "gallery", "File"),
    Command("open_network", QT_NOOP("Open network…"), "Ctrl+Shift+N", "network", "File", rule=True),
    Command("check_network", QT_NOOP("Check a network file…"), "", "search", "File"),
    Command("save", QT_NOOP("Save picture…"), "Ctrl+S", "save", "File", rule=True),
    Command("save_as", QT_NOOP("Export data, boxes or film…"), "Ctrl+Shift+S", "film", "File"),
    Command("screenshot", QT_NOOP("Save a screenshot of the window…"), "", "screenshot", "File"),
    Command("load_truth", QT_NOOP("Load ground truth…"), "", "box", "File", rule=True),
    Command("save_truth", QT_NOOP("Save ground truth…"), "", "save", "File"),
    Command("close_photo", QT_NOOP("Close photo"), "Ctrl+W", "close", "File", rule=True),
    Command("quit", QT_NOOP("Quit"), "Ctrl+Q", "quit", "File"),
    Command("undo", QT_NOOP("Undo"), "Ctrl+Z", "undo", "Edit"),
    Command("redo", QT_NOOP("Redo"), "Ctrl+Shift+Z; Ctrl+Y", "redo", "Edit"),
    Command("paste", QT_NOOP("Paste photo"), "Ctrl+V", "paste", "Edit", rule=True),
    Command("copy_view", QT_NOOP("Copy picture"), "Ctrl+Shift+C", "copy", "Edit"),
    Command("copy_python", QT_NOOP("Copy as Python"), "Ctrl+Alt+C", "copy", "Edit"),
    Command("preferences", QT_NOOP("Preferences…"), "Ctrl+,", "preferences", "Edit", rule=True),
    Command("go_back", QT_NOOP("Back"), "Alt+Left", "back", "View"),
    Command("go_forward", QT_NOOP("Forward"), "Alt+Right", "forward", "View"),
    Command("previous", QT_NOOP("Previous photo"), "A", "previous", "View", rule=True),
    Command("next", QT_NOOP("Next photo"), "D", "next", "View"),
    Command("zoom_in", QT_NOOP("Zoom in"), "Ctrl++; Ctrl+=", "zoom-in", "View", rule=True),
    Command("zoom_out", QT_NOOP("Zoom out"), "Ctrl+-", "zoom-out", "View"),
    Command("actual", QT_NOOP("Actual pixels"), "Ctrl+0", "actual", "View"),
    Command("fit", QT_NOOP("Fit to window"), "F", "fit", "View"),
    Command(
        "overlays", QT_NOOP("Overlays"), "V", "overlays", "View", checkable=True, rule=True
    ),
    Command("fullscreen", QT_NOOP("Full screen"), "F11", "fullscreen", "View", checkable=True),
    Command("theme", QT_NOOP("Next theme (system, light, dark)"), "", "theme", "View"),
    Command("theme_system", QT_NOOP("Follow system theme"), "", "theme", checkable=True),
    Command("theme_light", QT_NOOP("Light theme"), "", "sun", checkable=True),
    Command("theme_dark", QT_NOOP("Dark theme"), "", "moon", checkable=True),
    Command("reset_layout", QT_NOOP("Reset the layout"), "", "reset", "View"),
    Command("next_frame", QT_NOOP("Next frame or page of the file"), "Shift+D", "film", "View"),
    Command("choose_view", QT_NOOP("Choose a view…"), "Ctrl+E", "view", "Analyze"),
    Command("choose_network", QT_NOOP("Choose a network…"), "Ctrl+N", "network", "Analyze"),
    Command("run", QT_NOOP("Run again"), "F5; Ctrl+R", "play", "Analyze", rule=True),
    Command("pause", QT_NOOP("Pause"), "P", "pause", "Analyze", checkable=True),
    Command("cancel", QT_NOOP("Cancel"), "Esc", "stop", "Analyze"),
    Command("background", QT_NOOP("Continue in the background"), "", "recent", "Analyze"),
    Command(
        "compare", QT_NOOP("Compare with the current result"), "C", "compare", "Analyze",
        checkable=True, rule=True,
    ),
    Command("compare_mode", QT_NOOP("Switch between wipe and side by side"), "Shift+C", "split",
    "Analyze"),
    Command(
        "evaluate", QT_NOOP("Evaluate on a data set…"), "Ctrl+Shift+E", "chart", "Analyze",
        rule=True
    ),
    Command("run_folder", QT_NOOP("Run on a folder…"), "Ctrl+Shift+F", "folder", "Analyze"),
    Command("jobs", QT_NOOP("Background jobs"), "Ctrl+J", "recent", "Analyze"),
    Command("live_film", QT_NOOP("Open film…"), "", "film", "Live", rule=True),
    Command("live_address", QT_NOOP("Open network stream…"), "", "globe", "Live"),
    Command("live_screen", QT_NOOP("Part of the screen…"), "", "fullscreen", "Live"),
    Command("live_scene", QT_NOOP("Built-in moving scene"), "", "gallery", "Live"),
    Command("freeze", QT_NOOP("Freeze or resume"), "", "freeze", "Live", rule=True),
    Command("record", QT_NOOP("Start or stop recording…"), "Ctrl+Shift+R", "record", "Live"),
    Command("leave_live", QT_NOOP("Stop live"), "", "close", "Live"),
    Command("film_play", QT_NOOP("Play or pause the film"), "", "play", "Live", rule=True),
    Command("film_back", QT_NOOP("Previous frame"), ",", "previous", "Live"),
    Command("film_on", QT_NOOP("Next frame"), ".", "next", "Live"),
    Command("film_in", QT_NOOP("Set the in point"), "I", "mark-in", "Live"),
    Command("film_out", QT_NOOP("Set the out point"), "O", "mark-out", "Live"),
    Command("film_clear", QT_NOOP("Clear the in and out points"), "Shift+I", "close", "Live"),
    Command("guide", QT_NOOP("Guide"), "Ctrl+F1", "info", "Help"),
    Command("palette", QT_NOOP("All commands…"), "Ctrl+Shift+P", "search", "Help"),
    Command("shortcuts", QT_NOOP("Keyboard shortcuts"), "F1; ?", "keyboard", "Help"),
    Command("log", QT_NOOP("Show the log file"), "", "log", "Help", rule=True),
    Command("about", QT_NOOP("About Convnet Explorer"), "", "info", "Help"),
)  # fmt: skip

FIXED_KEYS = (
    (QT_NOOP("Previous and next photo"), "Left, Right"),
    (QT_NOOP("Pan while dragging"), "Space"),
    (QT_NOOP("Zoom at the pointer"), "Wheel"),
    (QT_NOOP("Open for comparison"), "Shift+drop"),
    (QT_NOOP("Draw a ground-truth box anywhere"), "Shift+drag"),
    (QT_NOOP("Move the selected box or point (Shift: by ten)"), "Arrows"),
    (QT_NOOP("Resize the selected box"), "Ctrl+arrows"),
    (QT_NOOP("Remove the selected box"), "Delete"),
    (QT_NOOP("Duplicate the ground-truth box"), "Ctrl+D"),
    (QT_NOOP("Place a point or a box in the center"), "Enter"),
)
"""What the mouse and the canvas understand; shown on the shortcut sheet."""

LIVE_KEYS = (
    (QT_NOOP("Freeze or resume"), "F"),
    (QT_NOOP("Play or pause the film"), "Space"),
    (QT_NOOP("First and last frame of the film"), "Home; End"),
)
"""What keys mean while frames are followed, beside the commands of the menu."""


def translated(words: str) -> str:
    return QCoreApplication.translate("Commands", words)


class Actions(QObject):
    """The commands as actions of `parent`, with the shortcuts of the settings file.

    They do nothing until `answer` has named who acts on them.
    """

    def __init__(self, parent: QWidget, shortcuts: Mapping[str, str]) -> None:
        super().__init__(parent)
        names = {command.name for command in COMMANDS}
        for name in sorted(set(shortcuts) - names):
            log.warning("there is no command %r to give the shortcut %r", name, shortcuts[name])
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(translated(command.title), parent)
            action.setObjectName(command.name)
            action.setCheckable(command.checkable)
            keys = parsed_keys(shortcuts.get(command.name, command.keys))
            action.setShortcuts(keys)
            if keys:
                shown = keys[0].toString(QKeySequence.SequenceFormat.NativeText)
                action.setToolTip(f"{translated(command.title).rstrip('…')} ({shown})")
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setEnabled(False)
            self._actions[command.name] = action
        # Their keys hold while the menu bar is hidden, too.
        parent.addActions(list(self._actions.values()))

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def draw_icons(self, names: Iterable[str] = ()) -> None:
        """Gives these commands their icons, by default all: a drawing takes its time."""
        for command in COMMANDS:
            if command.icon and (not names or command.name in names):
                self[command.name].setIcon(theme.icon(command.icon))

    def answer(self, *handlers: Mapping[str, Callable[..., object]]) -> None:
        """Connects every command to the one part that handles it."""
        known = [name for names in handlers for name in names]
        assert sorted(known) == sorted(command.name for command in COMMANDS), known
        for names in handlers:
            for name, act in names.items():
                self[name].triggered.connect(act)
                self[name].setEnabled(True)

    def set_live(self, live: bool) -> None:
        """What makes sense while frames are followed, and only then.

        F freezes while there is something to freeze, and fits the picture else.
        """
        for name, keys in (("fit", "" if live else "F"), ("freeze", "F" if live else "")):
            self[name].setShortcuts([QKeySequence(keys)] if keys else [])
            self[name].setEnabled(name == "fit" or live)
        for name in ("leave_live", "record"):
            self[name].setEnabled(live)
        self.set_film(False)

    def set_film(self, shown: bool) -> None:
        """The commands of a film are there while one is played."""
        for name in FILM_COMMANDS:
            self[name].setEnabled(shown)
            self[name].setVisible(shown)

    def items(self) -> list[tuple[Command, QAction]]:
        return [(command, self._actions[command.name]) for command in COMMANDS]


def parsed_keys(text: str) -> list[QKeySequence]:
    """The sequences in "Ctrl+O; O"; what Qt does not understand is dropped."""
    sequences = [QKeySequence(part.strip()) for part in text.split("; ") if part.strip()]
    return [keys for keys in sequences if not keys.isEmpty() and keys.toString()]
