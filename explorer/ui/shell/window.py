"""The window: puts the parts together and carries words between them.

What is being looked at is the `Study`'s, photos come in through the `Intake`, results go out
through the `Exporter`; the window shows what they say.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QPaintEvent,
    QUndoStack,
)
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from explorer.core import settings as store
from explorer.core.params import Pick, parameters
from explorer.core.runner import Failure, State, Update
from explorer.ui.board.board import BoardView
from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pinned_result import Comparison
from explorer.ui.dialogs.notice import Notice, Notices
from explorer.ui.live.live import Live
from explorer.ui.panels.inspector import Inspector
from explorer.ui.panels.pickers import NetworkPicker, ViewPicker
from explorer.ui.panels.welcome import Welcome
from explorer.ui.photos.filmstrip import Filmstrip
from explorer.ui.photos.intake import Intake
from explorer.ui.results.results import Results
from explorer.ui.shell import layout
from explorer.ui.shell.actions import Actions
from explorer.ui.shell.bridge import START, Bridge, Ready
from explorer.ui.shell.commands import Commands
from explorer.ui.shell.history import ParamsCommand
from explorer.ui.shell.presenter import Presenter
from explorer.ui.shell.restore import Memory
from explorer.ui.shell.study import Study
from explorer.ui.truth.truth_files import TruthDesk
from explorer.ui.widgets import theme
from explorer.ui.widgets.small_widgets import UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.settings import Settings
    from explorer.images.image import Image
    from explorer.ui.photos.exporter import Exporter

log = logging.getLogger(__name__)

LIVE = "live"
"""Stands for the item of the filmstrip while frames are followed."""


class Window(QMainWindow):
    """See the module.

    Args:
        known: The settings; the window saves changed ones.
        paths: Photos and folders to open.
        wishes: "view", "network", "device" and "seed" of the command line.
        bridge: For tests; by default a new one.

    Signals:
        loaded: Views and networks are here.
        painted: What was waiting to be painted has been.
    """

    loaded = Signal()
    painted = Signal()

    def __init__(
        self,
        known: Settings,
        *,
        paths: Sequence[str] = (),
        wishes: dict[str, Any] | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Convnet Explorer")
        self.setAcceptDrops(True)
        self._begun = False
        self._space = False
        self._finished = False
        self._item: object = None
        self._beside = False
        self._paths = tuple(paths)
        self.bridge = bridge or Bridge(self)
        self.study = Study(self.bridge, self)
        self.board = BoardView()
        self.results = Results()
        self.inspector = Inspector()
        self.strip = Filmstrip()
        self.welcome = Welcome(self.strip.thumbnails)
        self.views = ViewPicker()
        self.networks = NetworkPicker()
        self.undo = QUndoStack(self)
        self.undo.setUndoLimit(200)
        self.stack = QStackedWidget()
        self.welcome.setMinimumSize(UNIT * 50, UNIT * 50)  # its own hint is for its narrowest shape
        self.stack.addWidget(self.welcome)
        self.stack.addWidget(self.board)
        self.live = Live(self)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.stack, 1)
        column.addWidget(self.live.bar)
        self.setCentralWidget(middle)
        self.notices = Notices(self.stack)
        self.comparison = Comparison(self.board, known.preferences.compare, self)
        self.intake = Intake(self, self.bridge, self.notices)
        self._exporter: Exporter | None = None
        self.status = layout.Status()
        self.setStatusBar(self.status)
        self.commands = Commands(self)
        self.actions_ = Actions(self, self.commands.handlers(), known.shortcuts)
        self.docks = layout.make_docks(self, self.strip, self.inspector, self.results)
        self.commands.build(self.actions_)
        self.memory = Memory(self, known, wishes or {})
        self.presenter = Presenter(self)
        self._connect()
        self.truth = TruthDesk(self)
        self.memory.restore_layout()
        self.show_page()

    def _connect(self) -> None:
        study, bridge = self.study, self.bridge
        bridge.ready.connect(self._on_ready)
        bridge.updated.connect(self._on_update)
        self.views.chosen.connect(study.set_view)
        self.networks.chosen.connect(study.set_network)
        self.networks.checkpoint_wanted.connect(self.commands.open_checkpoint)
        study.said.connect(self.notices.say)
        self.inspector.form.changed.connect(self._form_changed)
        self.inspector.cancel_requested.connect(study.cancel)
        self.inspector.pause_toggled.connect(study.pause)
        self.board.picked.connect(self._picked)
        self.board.status.connect(self.status.readout.setText)
        self.board.selection_changed.connect(self.results.set_selection)
        self.results.selection_changed.connect(self.board.set_selection)
        self.results.steered.connect(self.inspector.form.steer)
        self.strip.current_changed.connect(self._item_chosen)
        self.welcome.sample_chosen.connect(self.strip.select_item)
        self.welcome.open_requested.connect(self.intake.open_dialog)
        self.welcome.folder_requested.connect(self.intake.open_folder_dialog)
        self.intake.found.connect(self._found)
        self.intake.opened.connect(self._opened)
        self.intake.failed.connect(self._not_opened)
        self.intake.film.connect(self.live.film)
        self.comparison.changed.connect(self._compare_changed)

    # -- beginning and end ------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._begun:  # the first paint comes before the long imports
            self._begun = True
            QTimer.singleShot(0, self.begin)

    def begin(self) -> None:
        """What follows the first paint: the imports, the gallery, the photos of the last time."""
        from explorer.images.sources import gallery

        self._begun = True
        log.info("the window is painted")
        self.setWindowIcon(theme.app_icon())
        self.inspector.set_waiting(self.tr("Loading PyTorch"))
        self.bridge.start()
        samples = gallery()
        self.strip.set_samples(samples)
        self.welcome.set_samples(samples)
        self.memory.restore_photos(bool(self._paths))
        if self._paths:
            self.intake.open_paths(self._paths)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest:  # what was waiting has been painted in it
            self.painted.emit()
        return done

    def closeEvent(self, event: QCloseEvent) -> None:
        self.finish()
        super().closeEvent(event)

    def finish(self) -> bool:
        """Saves, cancels and joins; False when a worker did not end in time."""
        if not self._finished:
            self._finished = True
            self.memory.save()
            self.presenter.stop()
            self.live.stop()
            self._ended = self.bridge.close()
            self.strip.close_worker()
            self.welcome.close_worker()
        return self._ended

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.actions_["fullscreen"].setChecked(self.isFullScreen())

    @property
    def exporter(self) -> Exporter:
        """Made when something is to be written for the first time."""
        if self._exporter is None:
            from explorer.ui.photos.exporter import Exporter

            self._exporter = Exporter(self)
        return self._exporter

    # -- what the bridge says ---------------------------------------------------------------------

    def _on_ready(self, ready: object) -> None:
        assert isinstance(ready, Ready)
        self.study.set_ready(ready)
        self.views.set_views(tuple(ready.views.values()))
        self.networks.set_entries(ready.entries)
        self.networks.set_devices(ready.devices)
        self.inspector.strip.clear()
        self.memory.restore_study(ready)
        self.loaded.emit()
        self.commands.refresh_palette()
        self.presenter.subject()
        self.study.look()

    def _on_update(self, update: Update) -> None:
        if update.key == START:
            if update.state is State.RUNNING and update.note:
                self.inspector.set_update(update, False)
            elif update.state is State.FAILED and update.failure is not None:
                self._show_failure(update.failure)
        if self._exporter is not None:
            self._exporter.on_update(update)

    # -- what the study says ----------------------------------------------------------------------

    def show_page(self) -> None:
        """The docks come with the first item; the welcome page goes with the first photo of one."""
        looking = self.study.image is not None or self.board.board is not None
        self.memory.show_docks(self._item is not None)
        self.stack.setCurrentWidget(
            self.board if self._item is not None and looking else self.welcome
        )

    def words(self) -> str:
        """What is shown, in a few words: for titles, comparisons and file names."""
        study = self.study
        parts = [study.view.title if study.view else "", study.image.name if study.image else ""]
        return " · ".join(part for part in parts if part)

    def subject(self) -> tuple[str, str, str]:
        """Photo, view and network: what tells the two sides of a comparison apart."""
        study = self.study
        entry = study.entry()
        return (
            Path(study.image.name).stem if study.image else "",
            study.view.title if study.view else "",
            entry.title if entry else "",
        )

    # -- what the user does -----------------------------------------------------------------------

    def _form_changed(self, params: object, effect: object) -> None:
        self._push(params)
        self.study.set_params(params)
        self.presenter.pick_values()

    def _picked(self, name: str, value: object) -> None:
        study = self.study
        if study.params is None or not hasattr(study.params, name):
            return
        after = replace(study.params, **{name: value})
        if after == study.params:
            return
        kind = next(p.meta.pick for p in parameters(type(after)) if p.name == name)
        if kind not in (Pick.HOVER, Pick.SELECT):
            self._push(after)
        study.set_params(after)
        self.inspector.form.set_params(after)

    def _push(self, after: Any) -> None:
        study = self.study
        if study.view is None or type(study.params) is not type(after) or study.params == after:
            return
        place = (study.image.key if study.image else "", study.view.name)
        text = study.view.title
        self.undo.push(ParamsCommand(place, study.params, after, study.revisit, text))
        self.commands.refresh()

    def show_live(self, title: str) -> None:
        """A source of frames takes the place of the photo."""
        self._item = LIVE
        self.strip.deselect()
        self.setWindowTitle(f"{title} — Convnet Explorer")

    def leave_live(self) -> None:
        """There never was a frame: as before the first photo."""
        self._item_chosen(None)

    def _item_chosen(self, item: object) -> None:
        self.live.stop_for_photo()
        self._item = item
        if item is None:
            self.study.clear()
            self.board.set_board(None)
            self.results.set_board(None)
            self.show_page()
            self.status.time.setText("")
            self.setWindowTitle("Convnet Explorer")
        else:
            self.show_page()
            self.intake.show(item)

    def _found(self, items: object, beside: bool) -> None:
        assert isinstance(items, tuple)
        if beside and self.study.board is not None:
            self.comparison.set_mode("split")
            self.comparison.pin(self.study.board, self.subject())
        self.strip.add([str(item) for item in items])
        self.memory.add_recent([str(item) for item in items[:1]])

    def _opened(self, item: object, image: Image) -> None:
        if item is not self._item:
            return
        self.setWindowTitle(f"{image.name} — Convnet Explorer")
        self.commands.show_frames(image)
        self.study.set_image(image)

    def _not_opened(self, item: object, failure: Failure) -> None:
        self._show_failure(failure)

    def _show_failure(self, failure: Failure) -> None:
        details = "" if failure.expected else failure.traceback
        self.inspector.show_error(failure.message, failure.hint, details)
        self.docks["inspector"].show()

    def _compare_changed(self, pinned: bool) -> None:
        self.actions_["compare"].setChecked(pinned)
        if pinned:
            self.notices.say(
                self.tr(
                    "Pinned as A. Change anything - photo, view, network, settings - to compare."
                )
            )

    # -- drops and keys ---------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if Intake.accepts(event.mimeData()):
            event.acceptProposedAction()
            self.welcome.set_drag_active(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.welcome.set_drag_active(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.welcome.set_drag_active(False)
        event.acceptProposedAction()
        beside = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.intake.take(event.mimeData(), beside=beside)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Only what nobody with the focus wanted arrives here: sliders and fields keep their arrows.
        if event.key() == Qt.Key.Key_Right and not event.modifiers():
            self.strip.next()
        elif event.key() == Qt.Key.Key_Left and not event.modifiers():
            self.strip.previous()
        elif event.key() == Qt.Key.Key_Space:
            self._space = True
            super().keyPressEvent(event)
        elif not self.live.film_key(event.key()):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        # The canvas pans while Space is held: a short press arrives when it ends. A field takes the
        # press and lets the end pass, which is then nobody's.
        ends = event.key() == Qt.Key.Key_Space and not event.isAutoRepeat()
        meant = self._space or isinstance(self.focusWidget(), Canvas)
        if ends:
            self._space = False
        if not (ends and meant and self.live.film_key(event.key())):
            super().keyReleaseEvent(event)

    # -- trouble ----------------------------------------------------------------------------------

    def show_problem(self, sentence: str, details: str) -> None:
        """A defect that a hook caught: everything goes on, and it can be copied."""
        self.notices.show_notice(
            Notice(
                self.tr("Something went wrong: {what}").format(what=sentence),
                "error",
                details,
                ((self.tr("Show the log"), self.commands.show_log),),
            )
        )

    def offer_log(self, text: str) -> None:
        """An earlier run has crashed."""
        self.notices.show_notice(
            Notice(
                self.tr("The program ended unexpectedly last time."),
                "warning",
                text,
                ((self.tr("Show the log"), self.commands.show_log),),
            )
        )

    # -- preferences ------------------------------------------------------------------------------

    def apply_preferences(self, preferences: store.Preferences) -> None:
        """Takes changed preferences at once."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        before = self.memory.settings.preferences
        self.memory.set_preferences(preferences)
        if preferences.theme != before.theme:
            theme.apply(app, preferences.theme)
            self.commands.refresh()
        self.comparison.set_mode(preferences.compare)
        self.study.set_device(preferences.device, preferences.half, preferences.seed)

    def log_file(self) -> Path:
        return store.log_folder() / "explorer.log"
