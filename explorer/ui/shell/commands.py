"""What the commands do: handlers of the action table, menus, the palette and small pages."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QAction, QActionGroup, QDesktopServices
from PySide6.QtWidgets import QFileDialog, QInputDialog, QLineEdit, QMenu

from explorer import __version__
from explorer.core import settings
from explorer.ui.board.beside import BesideMenu
from explorer.ui.live.live_options import LiveOptions
from explorer.ui.shell import layout
from explorer.ui.shell.crash_log import log_path
from explorer.ui.widgets import theme

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from explorer.core.network_info import NetworkSpec
    from explorer.images.image import Image
    from explorer.ui.dialogs.evaluation import EvaluationSheet
    from explorer.ui.dialogs.palette import Item, Palette
    from explorer.ui.dialogs.preferences import PreferencesSheet
    from explorer.ui.dialogs.shortcuts import ShortcutSheet
    from explorer.ui.shell.actions import Actions
    from explorer.ui.shell.window import Window


class Commands(QObject):
    """Acts on the window's parts. Pages that few starts need are imported when they are opened."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._actions: Actions
        self.open_palette: Palette | None = None
        self.open_sheet: ShortcutSheet | None = None
        self.open_preferences: PreferencesSheet | None = None
        self.open_evaluation: EvaluationSheet | None = None
        self._frame, self._frames = 0, 1

    def handlers(self) -> dict[str, Callable[..., object]]:
        """By the command's name."""
        w = self._window
        return {
            "open": w.intake.open_dialog,
            "open_folder": w.intake.open_folder_dialog,
            "open_address": self.open_address,
            "gallery": self.gallery,
            "save": self._out("save_picture"),
            "save_as": self._out("export"),
            "screenshot": self._out("screenshot"),
            "load_truth": self.load_truth,
            "save_truth": self._out("save_truth"),
            "close_photo": self.close_photo,
            "quit": w.close,
            "undo": w.undo.undo,
            "redo": w.undo.redo,
            "paste": w.intake.paste,
            "copy_view": self._out("copy"),
            "preferences": self.preferences,
            "previous": w.strip.previous,
            "next": w.strip.next,
            "zoom_in": w.board.zoom_in,
            "zoom_out": w.board.zoom_out,
            "actual": w.board.actual_size,
            "fit": w.board.fit,
            "overlays": self.overlays,
            "fullscreen": self.fullscreen,
            "theme": self.next_theme,
            "reset_layout": self.reset_layout,
            "next_frame": self.next_frame,
            "choose_view": w.views.open,
            "choose_network": w.networks.open,
            "run": w.study.look,
            "pause": self.pause,
            "cancel": self.cancel,
            "compare": self.compare,
            "compare_mode": self.compare_mode,
            "evaluate": self.evaluate,
            "live_scene": w.live.scene,
            "live_film": w.live.film_dialog,
            "live_address": w.live.address_dialog,
            "live_screen": w.live.screen_dialog,
            "freeze": w.live.toggle_freeze,
            "record": w.live.recording.toggle,
            "leave_live": w.live.leave,
            "film_play": w.live.bar.film.toggle_play,
            "film_back": w.live.bar.film.one_back,
            "film_on": w.live.bar.film.one_on,
            "film_in": w.live.bar.film.mark_in,
            "film_out": w.live.bar.film.mark_out,
            "film_clear": w.live.bar.film.clear_marks,
            "palette": self.palette,
            "shortcuts": self.shortcuts,
            "log": self.show_log,
            "about": self.about,
        }

    def _out(self, name: str) -> Callable[[], object]:
        def act() -> object:
            return getattr(self._window.exporter, name)()

        return act

    def build(self, actions: Actions) -> None:
        """Menus and toolbar."""
        self._actions = actions
        window = self._window
        menus = layout.make_menus(window, actions)
        self._recent = QMenu(self.tr("Open recent"), window)
        self._recent.aboutToShow.connect(self._fill_recent)
        menus["File"].insertMenu(actions["save"], self._recent)
        docks = QMenu(self.tr("Panels"), window)
        for dock in window.docks.values():
            docks.addAction(dock.toggleViewAction())
        menus["View"].addSeparator()
        menus["View"].addMenu(docks)
        window.live.fill(menus["Live"], menus["Live"].actions()[0])
        window.welcome.set_live_menu(menus["Live"])
        menus["Live"].insertMenu(actions["freeze"], LiveOptions(window.study, window))
        menus["Look"].insertMenu(actions["run"], BesideMenu(window.study, window))
        self._themes = QMenu(self.tr("Theme"), window)
        self._theme_group = QActionGroup(window)
        for word, title in (
            ("system", self.tr("As the system")),
            ("light", self.tr("Light")),
            ("dark", self.tr("Dark")),
        ):
            action = self._themes.addAction(title)
            action.setCheckable(True)
            action.setData(word)
            self._theme_group.addAction(action)
        self._theme_group.triggered.connect(self._theme_chosen)
        self._themes.aboutToShow.connect(self._mark_theme)
        menus["View"].addMenu(self._themes)
        pickers = (window.views, window.networks)
        layout.make_toolbar(window, actions, pickers, self._themes, menus["Live"])
        actions["overlays"].setChecked(True)
        actions["undo"].setEnabled(False)
        actions["redo"].setEnabled(False)
        window.undo.canUndoChanged.connect(actions["undo"].setEnabled)
        window.undo.canRedoChanged.connect(actions["redo"].setEnabled)
        self.refresh()

    def refresh(self) -> None:
        """Enables what makes sense now."""
        window, study = self._window, self._window.study
        board = study.board is not None
        for name in ("save", "save_as", "copy_view"):
            self._actions[name].setEnabled(board)
        self._actions["load_truth"].setEnabled(study.image is not None)
        truth = study.image is not None and bool(study.truths.of(study.image.key))
        self._actions["save_truth"].setEnabled(truth)
        self._actions["compare"].setEnabled(board or window.comparison.pinned)
        self._actions["compare_mode"].setEnabled(window.comparison.pinned)
        film = study.view is not None and study.view.film
        self._actions["pause"].setEnabled(study.running and film)
        if not study.running:
            self._actions["pause"].setChecked(False)
        self._actions["run"].setEnabled(study.image is not None)
        self._actions["close_photo"].setEnabled(True)
        self._actions["next_frame"].setEnabled(self._frames > 1)

    # -- photos -----------------------------------------------------------------------------------

    def open_address(self) -> None:
        words = self.tr("Address of a picture (http or https):")
        title = self.tr("Open web address")
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle(title)
        dialog.setLabelText(words)
        dialog.setTextEchoMode(QLineEdit.EchoMode.Normal)
        dialog.setOkButtonText(self.tr("Fetch"))
        dialog.setMinimumWidth(480)
        dialog.textValueSelected.connect(self._fetch)
        dialog.open()
        self._dialog = dialog

    def _fetch(self, address: str) -> None:
        if address.strip():  # typed and confirmed: no second question
            self._window.intake.fetch(address.strip())

    def gallery(self) -> None:
        samples = self._window.strip.samples.items
        if samples:
            self._window.docks["photos"].show()
            self._window.strip.select_item(samples[0])

    def close_photo(self) -> None:
        if self._window.strip.current is None:
            self._window.close()
        elif self._window.strip.current in self._window.strip.items:
            self._window.strip.remove_current()
        else:
            self._window.strip.clear()

    def show_frames(self, image: Image) -> None:
        """An animation or a many-page file can be stepped through."""
        self._frame, self._frames = image.frame, image.frames
        self.refresh()

    def next_frame(self) -> None:
        if self._frames > 1:
            self._window.intake.show(self._window.strip.current, (self._frame + 1) % self._frames)

    def open_checkpoint(self, name: str) -> None:
        kinds = f"{self.tr('Weights')} (*.pth *.pt *.safetensors *.ckpt *.bin);;* (*)"
        path, _ = QFileDialog.getOpenFileName(self._window, self.tr("Open a checkpoint"), "", kinds)
        if path:
            from explorer.core.network_info import NetworkSpec

            study = self._window.study
            study.set_network(NetworkSpec(name, path, study.device, study.half))

    def load_truth(self) -> None:
        self._window.truth.load()

    def _fill_recent(self) -> None:
        self._recent.clear()
        for path in self._window.memory.settings.recent:
            action = self._recent.addAction(path.replace("&", "&&"))
            action.setData(path)
            action.setEnabled(os.path.exists(path))
            action.triggered.connect(self._open_recent)
        if self._recent.isEmpty():
            self._recent.addAction(self.tr("Nothing yet")).setEnabled(False)
        else:
            self._recent.addSeparator()
            self._recent.addAction(self.tr("Clear"), self._window.memory.clear_recent)

    def _open_recent(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self._window.intake.open_paths([action.data()])

    # -- looking ----------------------------------------------------------------------------------

    def overlays(self, shown: bool) -> None:
        self._window.board.set_overlays_visible(shown)
        self._actions["overlays"].setIcon(theme.icon("overlays" if shown else "overlays-off"))

    def fullscreen(self, full: bool) -> None:
        if full:
            self._window.showFullScreen()
        else:
            self._window.showNormal()

    def pause(self, paused: bool) -> None:
        self._window.study.pause(paused)
        self._window.inspector.strip.set_paused(paused)

    def cancel(self) -> None:
        """Esc: ends what runs; when nothing does, leaves the selection, then the full screen."""
        window = self._window
        if window.study.running:
            window.study.cancel()
        elif window.board.selection is not None:
            window.board.set_selection(None)
            window.results.set_selection(None)
        elif window.isFullScreen():
            window.showNormal()

    def compare(self, on: bool) -> None:
        window = self._window
        if on:
            window.comparison.pin(window.study.board, window.subject())
        else:
            window.comparison.clear()

    def compare_mode(self) -> None:
        window = self._window
        mode = window.comparison.switch_mode()
        window.memory.set_preferences(replace(window.memory.settings.preferences, compare=mode))
        window.comparison.show(window.study.board, window.subject())

    def evaluate(self) -> None:
        """One sheet for the whole session: what it shows stays, what runs goes on."""
        if self.open_evaluation is None:
            from explorer.ui.dialogs.evaluation import EvaluationSheet

            self.open_evaluation = EvaluationSheet(self._window)
        self.open_evaluation.show_sheet()

    # -- themes and pages -------------------------------------------------------------------------

    def next_theme(self) -> None:
        preferences = self._window.memory.settings.preferences
        words = settings.THEMES
        word = words[(words.index(preferences.theme) + 1) % len(words)]
        self._window.apply_preferences(replace(preferences, theme=word))

    def _theme_chosen(self, action: QAction) -> None:
        preferences = self._window.memory.settings.preferences
        self._window.apply_preferences(replace(preferences, theme=action.data()))

    def _mark_theme(self) -> None:
        for action in self._theme_group.actions():
            action.setChecked(action.data() == self._window.memory.settings.preferences.theme)

    def reset_layout(self) -> None:
        layout.default_sizes(self._window, self._window.docks)

    def preferences(self) -> None:
        from explorer.ui.dialogs.preferences import PreferencesSheet

        ready = self._window.study.ready
        devices = tuple(name for name, _ in ready.devices) if ready is not None else ()
        known = self._window.memory.settings.preferences
        sheet = PreferencesSheet(self._window, known, devices)
        sheet.changed.connect(self._window.apply_preferences)
        sheet.closed.connect(sheet.deleteLater)
        sheet.open(sheet.theme)
        self.open_preferences = sheet

    def shortcuts(self) -> None:
        if self.open_sheet is None:
            from explorer.ui.dialogs.shortcuts import ShortcutSheet

            self.open_sheet = ShortcutSheet(self._window, self._actions, settings.settings_path())
        self.open_sheet.open(self.open_sheet.close_button)

    def show_log(self) -> None:
        path = log_path()
        target = path if path.is_file() else path.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(target)))

    def about(self) -> None:
        words = self.tr(
            "Convnet Explorer {version}: see what a convolutional vision network does, on your own "
            "photo. Everything happens on this computer. MIT licence."
        )
        self._window.notices.say(words.format(version=__version__), seconds=0)

    def palette(self) -> None:
        """Every command, view and network in one searchable list."""
        if self.open_palette is None:
            from explorer.ui.dialogs.palette import Palette

            self.open_palette = Palette(self._window)
        self.open_palette.open_with(self.palette_items())

    def refresh_palette(self) -> None:
        """Views and networks have arrived while it was open."""
        if self.open_palette is not None and self.open_palette.isVisible():
            self.open_palette.open_with(self.palette_items(), self.open_palette.field.text())

    def palette_items(self) -> list[Item]:
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
        window = self._window
        view_icon, network_icon = theme.icon("view"), theme.icon("network")
        for name, view in window.study.views.items():
            act = _call(window.study.set_view, name)
            items.append(Item(view.title, act, self.tr("view"), view_icon))
        for view in window.study.offered():
            act = _call(window.study.show_beside, view.name)
            title = self.tr("Show beside: {view}").format(view=view.title)
            items.append(Item(title, act, self.tr("view"), view_icon))
        ready = window.study.ready
        for entry in ready.entries if ready is not None else ():
            act = _call(self._use_network, entry.name)
            items.append(Item(entry.title, act, entry.task, network_icon))
        return items

    def _use_network(self, name: str) -> None:
        from explorer.core.network_info import NetworkSpec

        study = self._window.study
        spec: NetworkSpec = NetworkSpec(name, "", study.device, study.half)
        study.set_network(spec)

    def log_folder(self) -> Path:
        return settings.log_folder()


def _call(function: Callable[[Any], object], value: Any) -> Callable[[], object]:
    def act() -> object:
        return function(value)

    return act
