"""Commands that concern several parts of the window, and when each command makes sense."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from explorer.core import settings
from explorer.ui.jobs.folder_jobs import runs_on_folders
from explorer.ui.shell import layout
from explorer.ui.widgets import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from explorer.ui.board.pinned_result import PinnedResult
    from explorer.ui.shell.actions import Actions
    from explorer.ui.shell.desk import Panels


class Commands(QObject):
    """Acts on the study and the panels. What one part does by itself is handled there."""

    def __init__(self, panels: Panels, pinned: PinnedResult, actions: Actions) -> None:
        super().__init__(panels.main)
        self._panels, self._pinned, self._actions = panels, pinned, actions
        actions["overlays"].setChecked(True)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here, or by a widget for them."""
        panels, board = self._panels, self._panels.board
        return {
            "gallery": self.gallery,
            "close_photo": self.close_photo,
            "quit": panels.main.close,
            "previous": panels.strip.previous,
            "next": panels.strip.next,
            "zoom_in": board.zoom_in,
            "zoom_out": board.zoom_out,
            "actual": board.actual_size,
            "fit": board.fit,
            "overlays": self.overlays,
            "fullscreen": self.fullscreen,
            "theme": self.next_theme,
            **{f"theme_{word}": partial(self.set_theme, word) for word in settings.THEMES},
            "reset_layout": self.reset_layout,
            "choose_view": panels.views.open,
            "choose_network": panels.networks.open,
            "run": panels.study.look_again,
            "pause": self.pause,
            "cancel": self.cancel,
            "compare": self.compare,
            "compare_mode": self.compare_mode,
        }

    def refresh(self) -> None:
        """Enables what makes sense now."""
        study, actions = self._panels.study, self._actions
        board, photo = study.board is not None, study.image is not None
        for name in ("save", "save_as", "copy_view", "copy_python"):
            actions[name].setEnabled(board)
        actions["load_truth"].setEnabled(photo)
        actions["run_folder"].setEnabled(runs_on_folders(study))
        actions["run"].setEnabled(photo or not study.wants_photo)
        actions["save_truth"].setEnabled(bool(study.truth))
        actions["compare"].setEnabled(board or self._pinned.there)
        actions["compare_mode"].setEnabled(self._pinned.there)
        for word in settings.THEMES:
            actions[f"theme_{word}"].setChecked(word == self._panels.settings.preferences.theme)
        actions["pause"].setEnabled(study.running and study.can_pause)
        actions["background"].setEnabled(study.can_leave)
        actions["choose_network"].setEnabled(self._panels.networks.isEnabled())
        if not study.running:
            actions["pause"].setChecked(False)
        actions["next_frame"].setEnabled(study.image is not None and study.image.frames > 1)

    # -- photos and networks ----------------------------------------------------------------------

    def gallery(self) -> None:
        samples = self._panels.strip.samples.items
        if samples:
            self._panels.docks["photos"].show()
            self._panels.strip.select_item(samples[0])

    def close_photo(self) -> None:
        strip = self._panels.strip
        if self._panels.study.live:
            self._actions["leave_live"].trigger()
        elif strip.current is None:
            self._panels.main.close()
        elif strip.current in strip.items:
            strip.remove_current()
        else:
            strip.clear()

    def open_checkpoint(self, name: str) -> None:
        """Asks for a file of weights for the network `name`, and uses it."""
        kinds = f"{self.tr('Weights')} (*.pth *.pt *.safetensors *.ckpt *.bin);;* (*)"
        title = self.tr("Open a checkpoint")
        study, last = self._panels.study, self._panels.study.checkpoint_folder
        start = last if os.path.isdir(last) else ""
        path, _ = QFileDialog.getOpenFileName(self._panels.main, title, start, kinds)
        if path:
            study.use(name, path)

    def choose_classes(self) -> None:
        """Asks for the class names of the checkpoint in use, and uses them."""
        study = self._panels.study
        if study.spec is None:
            return
        lists = "*.txt *.names *.yaml *.yml *.json *.data"
        kinds = f"{self.tr('Lists of class names')} ({lists});;* (*)"
        start = study.spec.classes or study.checkpoint_folder
        path, _ = QFileDialog.getOpenFileName(
            self._panels.main, self.tr("Class names"), start, kinds
        )
        if path:
            study.set_network(replace(study.spec, classes=path))

    # -- looking ----------------------------------------------------------------------------------

    def overlays(self, shown: bool) -> None:
        self._panels.board.set_overlays_visible(shown)
        self._actions["overlays"].setIcon(theme.icon("overlays" if shown else "overlays-off"))

    def fullscreen(self, full: bool) -> None:
        if full:
            self._panels.main.showFullScreen()
        else:
            self._panels.main.showNormal()

    def pause(self, paused: bool) -> None:
        self._panels.study.pause(paused)
        self._panels.inspector.strip.set_paused(paused)

    def show_paused(self, paused: bool) -> None:
        """A job is paused or resumed, whoever asked."""
        self._panels.inspector.strip.set_paused(paused)
        self._actions["pause"].setChecked(paused)

    def cancel(self) -> None:
        """Esc: ends what runs; when nothing does, leaves the selection, then the full screen.

        A background job is ended by its button only: it may be hours of work.
        """
        panels = self._panels
        if panels.study.running and not panels.study.job_id:
            panels.study.cancel()
        elif panels.board.selection is not None:
            panels.board.set_selection(None)
            panels.results.set_selection(None)
        elif panels.main.isFullScreen():
            panels.main.showNormal()

    def compare(self, on: bool) -> None:
        if on:
            self._pinned.pin(self._panels.study.board, self._panels.study.subject)
        else:
            self._pinned.clear()

    def compare_mode(self) -> None:
        panels = self._panels
        mode = self._pinned.switch_mode()
        panels.apply_preferences(replace(panels.settings.preferences, compare=mode))
        self._pinned.show(panels.study.board, panels.study.subject)

    def compare_arriving(self) -> None:
        """Photos come that are to be compared with what is shown: that is pinned, at the side."""
        if self._panels.study.board is not None:
            self._pinned.set_mode("split")
            self._pinned.pin(self._panels.study.board, self._panels.study.subject)

    # -- how it looks -----------------------------------------------------------------------------

    def next_theme(self) -> None:
        words, now = settings.THEMES, self._panels.settings.preferences.theme
        self.set_theme(words[(words.index(now) + 1) % len(words)])

    def set_theme(self, word: str, _checked: bool = True) -> None:
        preferences = self._panels.settings.preferences
        self._panels.apply_preferences(replace(preferences, theme=word))
        self.refresh()

    def reset_layout(self) -> None:
        layout.default_sizes(self._panels.main, dict(self._panels.docks))
