"""The parts of the window and where they stand: toolbar, docks, menus."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QWidget,
)

from explorer.core.settings import THEMES
from explorer.ui.shell.actions import MENUS, translated
from explorer.ui.widgets.fonts import text_scale
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.ui.shell.actions import Actions
    from explorer.ui.shell.desk import Panels


TITLE = "Convnet Explorer"

TOOLBAR = frozenset({
    "open", "open_folder", "go_back", "go_forward", "fit", "overlays", "compare", "copy_view",
    "save", "save_as", "theme", "palette",
})  # fmt: skip
"""The commands whose icons are seen at once."""

USUAL = {"photos": UNIT * 19, "inspector": UNIT * 40, "results": UNIT * 32}
"""Widths, and the height of the results."""

MOST_ACROSS, MOST_BELOW = 0.5, 0.4
"""Of the window: what panels beside and below the picture take at most when text grows."""

TRIES = 5
"""So often panels are given their size after the text size has changed: parts follow one by one."""

REST_MILLISECONDS = 150
"""So long after the window has changed its size the panels may still be moving into place."""


class DockTitle(QWidget):
    """A quiet title; the dock is dragged by it."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        title = Label(dock.windowTitle(), quiet=True, factor=0.92, bold=True)
        title.setWordWrap(False)
        title.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        floating = IconButton("float", self.tr("Detach or attach this panel"), size=14)
        floating.clicked.connect(self._float)
        close = IconButton("close", self.tr("Hide this panel"), size=14)
        close.clicked.connect(dock.toggleViewAction().trigger)
        line = QHBoxLayout(self)
        line.setContentsMargins(UNIT * 2, UNIT // 2, UNIT // 2, 0)
        line.setSpacing(0)
        line.addWidget(title, 1)
        line.addWidget(floating)
        line.addWidget(close)

    def _float(self) -> None:
        self._dock.setFloating(not self._dock.isFloating())
        if self._dock.isFloating():
            # A window of its own, with a frame: on another screen, in full size, behind this one.
            self._dock.setWindowFlags(Qt.WindowType.Window)
            self._dock.show()


def make_docks(
    window: QMainWindow, strip: QWidget, inspector: QWidget, results: QWidget
) -> dict[str, QDockWidget]:
    """Filmstrip left, inspector right, results below the canvas; all of them can be moved."""
    window.setDockNestingEnabled(True)
    window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    docks = {}
    for name, title, widget, area in (
        ("photos", window.tr("Photos"), strip, Qt.DockWidgetArea.LeftDockWidgetArea),
        ("inspector", window.tr("Inspector"), inspector, Qt.DockWidgetArea.RightDockWidgetArea),
        ("results", window.tr("Results"), results, Qt.DockWidgetArea.BottomDockWidgetArea),
    ):
        dock = QDockWidget(title, window)
        dock.setObjectName(name)
        dock.setWidget(widget)
        dock.setTitleBarWidget(DockTitle(dock))
        window.addDockWidget(area, dock)
        docks[name] = dock
    default_sizes(window, docks)
    DockSizes(window, docks)
    return docks


def default_sizes(window: QMainWindow, docks: dict[str, QDockWidget]) -> None:
    """The proportions at the first start."""
    for name, area in (
        ("photos", Qt.DockWidgetArea.LeftDockWidgetArea),
        ("inspector", Qt.DockWidgetArea.RightDockWidgetArea),
        ("results", Qt.DockWidgetArea.BottomDockWidgetArea),
    ):
        docks[name].setFloating(False)
        window.addDockWidget(area, docks[name])
        docks[name].show()
    sizes = scaled(window, USUAL, text_scale())
    across = ("photos", "inspector")
    window.resizeDocks(
        [docks[name] for name in across],
        [sizes[name] for name in across],
        Qt.Orientation.Horizontal,
    )
    window.resizeDocks([docks["results"]], [sizes["results"]], Qt.Orientation.Vertical)


def scaled(window: QMainWindow, sizes: Mapping[str, int], factor: float) -> dict[str, int]:
    """Sizes of panels for larger text, as far as the picture keeps its half of the window.

    For smaller text they shrink to their usual ones at most.
    """
    below = sizes.get("results", 0)
    across = sum(sizes.values()) - below
    wide = min(factor, max(1.0, window.width() * MOST_ACROSS / across)) if across else factor
    high = min(factor, max(1.0, window.height() * MOST_BELOW / below)) if below else factor
    made = {
        name: round(size * (high if name == "results" else wide)) for name, size in sizes.items()
    }
    least = {name: min(size, USUAL.get(name, 0)) for name, size in sizes.items()}
    return made if factor >= 1 else {name: max(made[name], least[name]) for name in made}


class DockSizes(QObject):
    """Gives panels back the size that they had before the window was made too small for it.

    What a panel is given while the window keeps its size is the user's choice; what it loses while
    the window shrinks is not.
    """

    def __init__(self, window: QMainWindow, docks: dict[str, QDockWidget]) -> None:
        super().__init__(window)
        self._window, self._docks = window, docks
        self._wanted: dict[str, int] = {}
        self._plain: dict[str, int] = {}  # the size before the text size changed
        self._scale = self._plain_scale = text_scale()
        self._moving, self._size = False, window.size()
        self._tries = 0
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._give_back)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self._settled)
        for watched in (window, *docks.values()):
            watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            if watched is self._window:
                self._moving = True
                self._settle.start(0)
            elif isinstance(watched, QDockWidget):
                self._note(watched)
        elif event.type() == QEvent.Type.FontChange and watched is self._window:
            self._follow_text()
        return False

    def _follow_text(self) -> None:
        """Larger text needs larger panels."""
        scale = text_scale()
        if scale == self._scale:
            return
        if not self._plain:
            there = {
                name: dock.width() if self._across(dock) else dock.height()
                for name, dock in self._docks.items()
                if dock.isVisible() and not dock.isFloating()
            }
            self._plain, self._plain_scale = {**there, **self._wanted}, self._scale
        self._scale = scale
        self._wanted = scaled(self._window, self._plain, scale / self._plain_scale)
        self._moving, self._tries = True, TRIES
        self._settle.start(0)

    @property
    def steady(self) -> bool:
        """The window has its size, and the panels have moved into place."""
        return not self._moving and self._window.size() == self._size

    def _note(self, dock: QDockWidget) -> None:
        # The layout gets a new size of the window, and moves the panels, before this does.
        # After a change of the text size the layout moves them, too: the user has a button down.
        dragged = not self._plain or QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        if dragged and self.steady and dock.isVisible() and not dock.isFloating():
            self._wanted[dock.objectName()] = dock.width() if self._across(dock) else dock.height()
            self._plain = {}

    def _across(self, dock: QDockWidget) -> bool:
        sides = Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea
        return bool(self._window.dockWidgetArea(dock) & sides)

    def _give_back(self) -> None:
        if self._plain:  # a larger window has more room for larger text
            self._wanted = scaled(self._window, self._plain, self._scale / self._plain_scale)
        for across, way in ((True, Qt.Orientation.Horizontal), (False, Qt.Orientation.Vertical)):
            docks = [
                dock
                for name, dock in self._docks.items()
                if name in self._wanted
                and dock.isVisible()
                and not dock.isFloating()
                and self._across(dock) == across
            ]
            if docks:
                sizes = [self._wanted[dock.objectName()] for dock in docks]
                self._window.resizeDocks(docks, sizes, way)
        self._rest.start(REST_MILLISECONDS)

    def _amiss(self) -> bool:
        """Whether a panel has another size than it should have."""
        return any(
            abs((dock.width() if self._across(dock) else dock.height()) - self._wanted[name]) > 1
            for name, dock in self._docks.items()
            if name in self._wanted and dock.isVisible() and not dock.isFloating()
        )

    def _settled(self) -> None:
        if self._tries and self._amiss():  # not all parts have taken the new text size yet
            self._tries -= 1
            self._give_back()
            return
        self._tries = 0
        self._moving, self._size = self._settle.isActive(), self._window.size()


def make_toolbar(
    window: QMainWindow,
    actions: Actions,
    pickers: Sequence[QWidget],
    theme_menu: QMenu,
    live_menu: QMenu,
) -> QToolBar:
    bar = QToolBar(window.tr("Tools"), window)
    bar.setObjectName("tools")
    bar.setMovable(False)
    bar.setIconSize(QSize(20, 20))
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    actions.draw_icons(TOOLBAR)
    bar.addAction(actions["open"])
    bar.addAction(actions["open_folder"])
    live = QToolButton()
    live.setText(window.tr("Live: camera, film or built-in scene"))
    live.setToolTip(live.text())
    live.setAccessibleName(live.text())
    live.setIcon(icon("camera"))
    live.setMenu(live_menu)
    live.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    live.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    bar.addWidget(live)
    bar.addSeparator()
    bar.addAction(actions["go_back"])
    bar.addAction(actions["go_forward"])
    # In a narrow window the network's long name is shortened first.
    pickers[0].setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    for picker in pickers:
        bar.addWidget(picker)
    space = QWidget()
    space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    bar.addWidget(space)
    for name in ("fit", "overlays", "compare"):
        bar.addAction(actions[name])
    bar.addSeparator()
    for name in ("copy_view", "save", "save_as"):
        bar.addAction(actions[name])
    bar.addSeparator()
    button = QToolButton()
    button.setDefaultAction(actions["theme"])
    button.setMenu(theme_menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    bar.addWidget(button)
    bar.addAction(actions["palette"])
    for action in bar.actions():
        widget = bar.widgetForAction(action)
        if isinstance(widget, QToolButton):
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            widget.setAccessibleName(widget.accessibleName() or action.text().rstrip("…"))
    more = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    if more is not None:  # what a narrow window has no room for is behind it
        more.setIcon(icon("chevron-down"))
        more.setToolTip(window.tr("More"))
        more.setAccessibleName(window.tr("More"))
    window.addToolBar(bar)
    return bar


def make_menus(window: QMainWindow, actions: Actions) -> dict[str, QMenu]:
    """The menu bar; the caller adds what is not a command (recent files, views, docks)."""
    menus = {name: window.menuBar().addMenu(translated(name)) for name in MENUS}
    for command, action in actions.items():
        if command.menu:
            if command.rule:
                menus[command.menu].addSeparator()
            menus[command.menu].addAction(action)
    return menus


class Menus(QObject):
    """The menu bar and the toolbar, with what is in them beside the commands.

    Attributes:
        toolbar: Under the menu bar.

    Signals:
        recent_chosen: The path of a photo that was opened lately.
        recent_cleared: The list of them is to be forgotten.
    """

    recent_chosen = Signal(str)
    recent_cleared = Signal()

    def __init__(self, window: QMainWindow, actions: Actions, pickers: Sequence[QWidget]) -> None:
        super().__init__(window)
        self._window, self._actions = window, actions
        self._menus = make_menus(window, actions)
        self._themes = self._theme_menu(actions)
        self.toolbar = make_toolbar(window, actions, pickers, self._themes, self._menus["Live"])

    def fill(self, panels: Panels) -> None:
        """Adds what is not a command: it is hidden until a menu is opened."""
        from explorer.ui.live.live_options import LiveOptions
        from explorer.ui.study.beside import BesideMenu

        self._panels = panels
        window, actions = self._window, self._actions
        self._recent = QMenu(self.tr("Open recent"), window)
        self._recent.aboutToShow.connect(self._fill_recent)
        self._menus["File"].insertMenu(actions["save"], self._recent)
        docks = QMenu(self.tr("Panels"), window)
        for dock in panels.docks.values():
            docks.addAction(dock.toggleViewAction())
        self._menus["View"].addSeparator()
        self._menus["View"].addMenu(docks)
        self._menus["View"].addMenu(self._themes)
        self._menus["Live"].insertMenu(actions["freeze"], LiveOptions(panels.study, window))
        self._menus["Analyze"].insertMenu(actions["run"], BesideMenu(panels.study, window))
        actions.draw_icons()

    def __getitem__(self, name: str) -> QMenu:
        return self._menus[name]

    def _fill_recent(self) -> None:
        self._recent.clear()
        for path in self._panels.settings.recent:
            action = self._recent.addAction(path.replace("&", "&&"))
            action.setData(path)
            action.setEnabled(os.path.exists(path))
            action.triggered.connect(self._open_recent)
        if self._recent.isEmpty():
            self._recent.addAction(self.tr("None yet")).setEnabled(False)
        else:
            self._recent.addSeparator()
            self._recent.addAction(self.tr("Clear"), self._clear_recent)

    def _open_recent(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.recent_chosen.emit(action.data())

    def _clear_recent(self) -> None:
        self.recent_cleared.emit()

    def _theme_menu(self, actions: Actions) -> QMenu:
        menu = QMenu(self.tr("Theme"), self._window)
        for word in THEMES:
            menu.addAction(actions[f"theme_{word}"])
        return menu
