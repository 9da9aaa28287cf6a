"""What the window remembers from one run to the next: layout, photos, view, network, parameters."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from explorer.core import settings as store
from explorer.core.errors import ExplorerError
from explorer.core.settings import Preferences, Session, Settings
from explorer.ui.shell import geometry, session
from explorer.ui.shell.layout import default_sizes

if TYPE_CHECKING:
    from explorer.ui.shell.bridge import Ready
    from explorer.ui.shell.desk import Panels

log = logging.getLogger(__name__)

MOST_PHOTOS = 2000
SAVE_SECONDS = 20
LAYOUT_VERSION = 1


class Restore(QObject):
    """Between the window and the settings file.

    A crash loses at most the last few seconds: whatever has changed is saved by a timer.
    """

    def __init__(self, panels: Panels, known: Settings, wishes: dict[str, Any]) -> None:
        super().__init__(panels.main)
        self._panels, self._main = panels, panels.main
        self._wishes = wishes
        self._docks_state = geometry.decoded(known.session.docks)
        self._page_shown = False
        self._restored = False
        self._presenting = False
        self.settings = known
        self._saved = known
        preferences = known.preferences
        study = panels.study
        study.device = wishes.get("device") or preferences.device
        study.half = preferences.half
        study.any_runtime = preferences.live_runtime == "automatic"
        seed = wishes.get("seed")
        study.seed = seed if isinstance(seed, int) else preferences.seed
        panels.board.restore_view_state(known.session.canvas)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.save)
        self._timer.start(SAVE_SECONDS * 1000)

    # -- at the start -----------------------------------------------------------------------------

    def show_docks(self, shown: bool) -> None:
        """The panels come with the first photo and go with the last."""
        if shown == self._page_shown and self._restored:
            return
        if self._page_shown and not shown:
            self._remember_docks()
        self._page_shown, self._restored = shown, True
        self._arrange()

    def present(self, full: bool) -> None:
        """In full screen only the canvas and the toolbar are there; the panels come back after."""
        if full == self._presenting:
            return
        if full:
            self._remember_docks()
        self._presenting = full
        for part in (self._main.menuBar(), self._panels.status):
            part.setVisible(not full)
        self._arrange()

    def _arrange(self) -> None:
        """Shows the panels as they were, or none of them."""
        docks = self._panels.docks.values()
        if not self._page_shown or self._presenting:
            for dock in docks:
                dock.hide()
        elif self._docks_state.isEmpty() or not self._main.restoreState(
            self._docks_state, LAYOUT_VERSION
        ):
            default_sizes(self._main, dict(self._panels.docks))

    def _remember_docks(self) -> None:
        if self._page_shown and not self._presenting:
            self._docks_state = self._main.saveState(LAYOUT_VERSION)

    def photos(self, others: bool) -> None:
        """The photos of the last time; `others` = new ones are opened anyway."""
        last = self.settings.session
        if not self.settings.preferences.restore_session:
            return
        there = [path for path in last.images if os.path.isfile(path)]
        missing = len(last.images) - len(there)
        if missing:
            words = self.tr("%n photo(s) of the last session not found.", "", missing)
            words = words.replace("(s)", "" if missing == 1 else "s")
            self._panels.notices.say(words, "warning", seconds=0)
        self._panels.strip.set_items(there)
        if others or not 0 <= last.current < len(last.images):
            return
        current = last.images[last.current]
        if current in there:
            self._panels.strip.select(there.index(current))

    def study(self, ready: Ready) -> None:
        """View, network and parameters of the last time, or those of the command line."""
        from explorer.core.network_info import NetworkSpec, file_and_part
        from explorer.views import current_name

        study, last = self._panels.study, self.settings.session
        restore = self.settings.preferences.restore_session
        if restore:
            params = {current_name(name): values for name, values in last.params.items()}
            known = {
                name: session.unpacked(ready.views[name], values)
                for name, values in params.items()
                if name in ready.views and isinstance(values, dict)
            }
            study.restore(known)
            study.photo_truth.restore(last.truth)
            study.checkpoint_folder = last.checkpoint_folder
            study.save_folder = last.save_folder
        names = {entry.name for entry in ready.entries}
        network = self._wishes.get("network") or (last.network.name if restore else "")
        asked = bool(self._wishes.get("network"))
        folder = restore and not network and bool(last.network.weights)  # it says what it is
        if folder or (network and (network in names or _elsewhere(network, asked=asked))):
            weights = "" if asked else last.network.weights
            classes = last.network.classes if weights else ""
            spec = NetworkSpec(network, weights, study.device, study.half, classes)
            file, _ = file_and_part(Path(weights))
            if os.path.isabs(file) and not os.path.exists(file):
                words = self.tr("{path} no longer exists.")
                self._panels.notices.say(words.format(path=weights), "warning")
            else:
                study.start_with(spec)
        elif network:
            words = self.tr("The network {name} is no longer available.").format(name=repr(network))
            self._panels.notices.say(words, "warning")
        view = current_name(self._wishes.get("view") or (last.view if restore else ""))
        if view in ready.views:
            study.set_view(view)

    # -- while it runs ----------------------------------------------------------------------------

    def set_preferences(self, preferences: Preferences) -> None:
        self.settings = replace(self.settings, preferences=preferences)
        self.save()

    def add_recent(self, paths: list[str]) -> None:
        for path in reversed(paths):
            self.settings = self.settings.with_recent(path)

    def clear_recent(self) -> None:
        self.settings = replace(self.settings, recent=())

    def save(self) -> None:
        """Writes what has changed; a disk that refuses is only logged."""
        self.settings = replace(self.settings, session=self._session())
        if self.settings == self._saved:
            return
        try:
            store.save(self.settings)
            self._saved = self.settings
        except OSError as error:
            log.warning("the settings could not be saved: %s", error)

    def _session(self) -> Session:
        panels, study = self._panels, self._panels.study
        if study.ready is None and study.view is None:  # nothing is known yet: keep the last one
            return replace(self.settings.session, geometry=self._geometry(), docks=self._docks())
        paths = [item for item in panels.strip.items if isinstance(item, str)][:MOST_PHOTOS]
        current = panels.strip.current
        index = paths.index(current) if isinstance(current, str) and current in paths else -1
        return Session(
            tuple(paths),
            index,
            study.view.name if study.view is not None else "",
            session.chosen(study.spec),
            {name: session.packed(params) for name, params in study.last_params.items()},
            session.json_safe(panels.board.view_state()),
            self._geometry(),
            self._docks(),
            study.photo_truth.packed(),
            study.checkpoint_folder,
            study.save_folder,
        )

    def _geometry(self) -> str:
        return geometry.encoded(self._main.saveGeometry())

    def _docks(self) -> str:
        self._remember_docks()
        return geometry.encoded(self._docks_state)


def _elsewhere(name: str, *, asked: bool) -> bool:
    """A network that is in no list: one of timm, or a program that builds it.

    Whoever names a program on the command line agrees to run it; one of an earlier session asks.
    """
    from explorer.networks.external import python_file, timm_models

    program = python_file.file_and_function(name)
    if program is not None and asked:
        with contextlib.suppress(ExplorerError):  # loading says what is wrong with it
            python_file.trust(program[0])
    return program is not None or name.startswith(timm_models.PREFIX)
