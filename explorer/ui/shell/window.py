"""The window: makes the parts, gives each what it needs, and carries words between them.

What is shown is the `Study`'s, photos come in through the `Intake`, results go out
through the `Exporter`; the window shows their state. To the parts it is a `Desk` only.

It is painted with the few parts that are visible at first. `complete` makes the others right after
that, so that a start waits for no more than Qt; what is imported before is listed in a test.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QMainWindow

from explorer.core.color_sets import choose_color_set
from explorer.ui.panels.page import Page
from explorer.ui.panels.pickers import NetworkPicker, ViewPicker
from explorer.ui.panels.status import Status
from explorer.ui.panels.welcome import Welcome
from explorer.ui.shell import geometry, layout
from explorer.ui.shell.actions import Actions
from explorer.ui.widgets import fonts, tab_order, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import (
        QCloseEvent,
        QDragEnterEvent,
        QDragLeaveEvent,
        QDropEvent,
        QKeyEvent,
        QPaintEvent,
    )
    from PySide6.QtWidgets import QWidget

    from explorer.core.runner import Failure, Update
    from explorer.core.settings import Preferences, Settings
    from explorer.ui.shell.bridge import Bridge, Ready

log = logging.getLogger(__name__)


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
        self.setAcceptDrops(True)
        self._known, self._wishes, self._paths = known, wishes or {}, tuple(paths)
        self._own_bridge = bridge
        self._crash = ""
        self._begun = self._complete = self._finished = self._space = False
        self.actions_ = Actions(self, known.shortcuts)
        self.welcome = Welcome()
        self.views = ViewPicker()
        self.networks = NetworkPicker()
        self.status = Status()
        self.page = Page(self.welcome)
        self.page.show_board(False)
        self.menus = layout.Menus(self, self.actions_, (self.views, self.networks))
        self.welcome.set_live_menu(self.menus["Live"])
        self.setCentralWidget(self.page)
        self.setStatusBar(self.status)
        self.setWindowTitle(layout.TITLE)
        self.welcome.open.setFocus()
        geometry.place(self, known.session.geometry)

    def complete(self) -> None:
        """Makes the parts that are hidden at first, gives each what it needs, and connects them.

        Their modules are imported here, and with them numpy.
        """
        if self._complete:
            return
        self._make_services()
        self._make_widgets()
        self._make_parts()
        self._answer_commands()
        self._connect()
        self.refresh()
        self.presenter.title()
        self.current.show_page()
        self._complete = True
        self._show_state()

    def _make_services(self) -> None:
        from explorer.ui.jobs.background import BackgroundJobs
        from explorer.ui.jobs.job_look import JobLook
        from explorer.ui.shell.bridge import Bridge
        from explorer.ui.study.study import Study

        self.bridge = self._own_bridge or Bridge(self)
        self.study = Study(self.bridge, self)
        self.jobs = BackgroundJobs(self.bridge, self)
        self.study.follow_jobs(JobLook(self.jobs, self.study))

    def _make_widgets(self) -> None:
        from explorer.ui.board.board import BoardView
        from explorer.ui.dialogs.notice import Notices
        from explorer.ui.jobs.job_list import JobButton
        from explorer.ui.panels.inspector import Inspector
        from explorer.ui.photos.filmstrip import Filmstrip
        from explorer.ui.results.results import Results

        self.board = BoardView()
        self.page.add_board(self.board)
        self.results = Results()
        self.inspector = Inspector()
        self.strip = Filmstrip()
        self.docks = layout.make_docks(self, self.strip, self.inspector, self.results)
        self.notices = Notices(self, room=self.page.stack, column=self.docks["inspector"])
        self.job_button = JobButton(self.jobs)
        self.status.add_jobs(self.job_button)

    def _make_parts(self) -> None:
        from explorer.ui.board.pinned_result import PinnedResult
        from explorer.ui.dialogs.sheets import Sheets
        from explorer.ui.jobs.folder_jobs import FolderJobs
        from explorer.ui.jobs.job_list import JobList
        from explorer.ui.jobs.job_results import JobResults
        from explorer.ui.jobs.view_jobs import ViewJobs
        from explorer.ui.live.live import Live
        from explorer.ui.navigation.checkpoints import Checkpoints
        from explorer.ui.navigation.current_item import CurrentItem
        from explorer.ui.navigation.move_notice import MoveNotice
        from explorer.ui.navigation.network_trouble import NetworkTrouble
        from explorer.ui.navigation.trail import Trail
        from explorer.ui.panels.making import Making
        from explorer.ui.photos.exporter import Exporter
        from explorer.ui.photos.intake import Intake
        from explorer.ui.shell.commands import Commands
        from explorer.ui.shell.history import Edits
        from explorer.ui.shell.presenter import Presenter
        from explorer.ui.shell.restore import Restore
        from explorer.ui.truth.truth_files import TruthFiles

        self.restore = Restore(self, self._known, self._wishes)
        self.pinned = PinnedResult(self.board, self._known.preferences.compare, self)
        self.commands = Commands(self, self.pinned, self.actions_)
        self.presenter = Presenter(self, self.pinned)
        self.edits = Edits(self.study, self.inspector.form, self.board, self)
        self.undo = self.edits.group
        self.trail = Trail(self.study, self.strip, self)
        self.intake = Intake(self, self.strip)
        self.exporter = Exporter(self, self.board)
        self.live = Live(self)
        self.page.add_bar(self.live.bar)
        self.trouble = NetworkTrouble(self, self.trail, self.commands.open_checkpoint)
        self.moves = MoveNotice(self, self.trail)
        self.checkpoints = Checkpoints(self)
        self.making = Making(self)
        self.sheets = Sheets(self, self.actions_)
        self.job_results = JobResults(self)
        self.folder_jobs = FolderJobs(self)
        self.view_jobs = ViewJobs(self)
        self.job_list = JobList(self, self.jobs, self.job_results.shows)
        self.truth_files = TruthFiles(self, self.inspector.form, self.board)
        self.menus.fill(self)
        self.live.fill(self.menus["Live"], self.menus["Live"].actions()[0])
        self.current = CurrentItem(self, self.page, self.restore, self.intake, self.live)

    def _answer_commands(self) -> None:
        actions, undo = self.actions_, self.undo
        actions.answer(
            self.commands.handlers(),
            self.checkpoints.handlers(),
            self.intake.handlers(),
            self.exporter.handlers(),
            self.live.handlers(),
            self.sheets.handlers(),
            self.job_results.handlers(),
            self.folder_jobs.handlers(),
            self.view_jobs.handlers(),
            self.trail.handlers(),
            {"jobs": self.open_jobs},
            {"undo": undo.undo, "redo": undo.redo, "load_truth": self.truth_files.load},
        )
        actions.set_live(False)
        for name, changed in (("undo", undo.canUndoChanged), ("redo", undo.canRedoChanged)):
            actions[name].setEnabled(False)
            changed.connect(actions[name].setEnabled)

    def _connect(self) -> None:
        study = self.study
        study.said.connect(self.notices.say)
        study.paused.connect(self.commands.show_paused)
        self.trail.changed.connect(self.refresh)
        self.edits.edited.connect(self.refresh)
        self.edits.edited.connect(self.presenter.picks)
        self.inspector.form.brush_changed.connect(self.board.set_brush)
        self.inspector.form.placing_changed.connect(self.board.set_placing)
        self.board.placing_ended.connect(self.inspector.form.end_placing)
        self.inspector.form.said.connect(self.notices.say)
        self.board.brush_changed.connect(self.inspector.form.show_brush)
        self.views.chosen.connect(study.set_view)
        self.networks.chosen.connect(self.inspector.settle)
        self.networks.chosen.connect(study.set_network)
        self.networks.checkpoint_wanted.connect(self.commands.open_checkpoint)
        self.networks.classes_wanted.connect(self.commands.choose_classes)
        self.inspector.cancel_requested.connect(study.cancel)
        self.inspector.background_requested.connect(self.view_jobs.begin)
        self.inspector.pause_toggled.connect(study.pause)
        self.board.link_followed.connect(study.follow_link)
        self.board.status.connect(self.status.readout.setText)
        self.board.selection_changed.connect(self.results.set_selection)
        self.results.selection_changed.connect(self.board.set_selection)
        self.results.photo_wanted.connect(self.truth_files.accept)
        self.results.photo_wanted.connect(self.trail.open)
        self.results.steered.connect(self.inspector.form.steer)
        self.welcome.sample_chosen.connect(self.strip.select_item)
        self.welcome.open_requested.connect(self.intake.open_dialog)
        self.welcome.folder_requested.connect(self.intake.open_folder_dialog)
        self.menus.recent_chosen.connect(self.intake.open_path)
        self.menus.recent_cleared.connect(self.restore.clear_recent)
        self.intake.found.connect(self._found)
        self.intake.opened.connect(self.inspector.settle)
        self.intake.opened.connect(study.set_image)
        self.intake.failed.connect(self._cannot_open)
        self.intake.film.connect(self.live.film)
        self.intake.checkpoint.connect(self.checkpoints.open)
        self.loaded.connect(self.checkpoints.ready)
        self.checkpoints.run_wanted.connect(self.trouble.run_program)
        self.live.followed.connect(self.actions_.set_live)
        self.live.followed.connect(self.moves.expect)
        self.live.film_shown.connect(self.actions_.set_film)
        self.live.runtime.named.connect(self.status.name_runtime)
        self.live.previewed.connect(self.presenter.preview)
        self.painted.connect(self.live.painted)
        self.loaded.connect(self.live.recording.recover)
        self.making.report_wanted.connect(self.exporter.save_report)
        self.truth_files.save_wanted.connect(self.exporter.save_truth)
        self.pinned.changed.connect(self._pinned_changed)
        self.job_button.clicked.connect(self.open_jobs)
        self.job_list.show_wanted.connect(self.job_results.show)
        self.job_list.act_wanted.connect(self.folder_jobs.act)
        self.job_list.photo_wanted.connect(self.folder_jobs.open_photo)
        self.folder_jobs.photo_wanted.connect(self.trail.open)
        self.folder_jobs.photos_found.connect(partial(self.strip.add, select=False))
        self.folder_jobs.first_wanted.connect(self.intake.open_path)
        self.folder_jobs.truth_wanted.connect(self.truth_files.follow)

    # -- what the parts ask -----------------------------------------------------------------------

    @property
    def main(self) -> QMainWindow:
        return self

    @property
    def settings(self) -> Settings:
        return self.restore.settings

    def refresh(self) -> None:
        """Enables the commands that make sense now."""
        self.commands.refresh()
        self.actions_["go_back"].setEnabled(self.trail.can_go_back)
        self.actions_["go_forward"].setEnabled(self.trail.can_go_forward)

    def apply_preferences(self, preferences: Preferences) -> None:
        """Takes changed preferences at once, and saves them."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        before = self.settings.preferences
        self.restore.set_preferences(preferences)
        if preferences.theme != before.theme:
            theme.apply(app, preferences.theme)
            self.refresh()
        if preferences.text_size != before.text_size:
            fonts.set_text_size(app, preferences.text_size)
        if preferences.colors != before.colors:
            choose_color_set(preferences.colors)
            self.study.draw()
        self.pinned.set_mode(preferences.compare)
        computing = (preferences.device, preferences.half, preferences.seed)
        if computing != (before.device, before.half, before.seed):
            self.study.set_device(*computing)
        self.study.set_runtime(any_runtime=preferences.live_runtime == "automatic")

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
        try:
            self.complete()
        except Exception:
            QApplication.exit(1)  # half a window is of no use
            raise
        self.setWindowIcon(theme.app_icon())
        self.inspector.set_waiting(self.tr("Loading PyTorch"))
        self.bridge.start(self._starting)
        samples = gallery()
        self.strip.set_samples(samples)
        self.welcome.set_samples(samples, self.strip.thumbnails)
        self.restore.photos(bool(self._paths))
        if self._paths:
            self.intake.open_paths(self._paths)
        if self._crash:
            self.sheets.say_crash(self._crash)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest:  # what was waiting has been painted in it
            self.painted.emit()
        return done

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._complete and not self._finished and not self.live.may_close():
            event.ignore()
            return
        self.finish()
        super().closeEvent(event)

    def finish(self) -> bool:
        """Saves, cancels and joins; False when a worker did not end in time."""
        if not self._complete:  # closed before anything was begun
            return self._own_bridge.close() if self._own_bridge is not None else True
        if not self._finished:
            self._finished = True
            self.restore.save()
            self.presenter.stop()
            self.live.stop()
            self._ended = self.bridge.close()
            self.jobs.close()
            self.strip.close_worker()
        return self._ended

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and self._complete:
            self._show_state()

    def _show_state(self) -> None:
        self.actions_["fullscreen"].setChecked(self.isFullScreen())
        self.restore.present(self.isFullScreen())

    def _starting(self, update: Update) -> None:
        from explorer.core.runner import State

        if update.state is State.DONE:
            self.set_ready(update.value)
        elif update.failure is not None:
            self._show_failure(update.failure)
        elif update.note:
            self.inspector.set_update(update, False)

    def set_ready(self, ready: Ready) -> None:
        """Views and networks are known; what was shown the last time is shown again."""
        self.complete()
        self.study.set_ready(ready)
        self.views.set_views(tuple(ready.views.values()), ready.unavailable)
        self.networks.set_entries(ready.entries, ready.unavailable_networks)
        self.networks.set_devices(ready.devices)
        self.inspector.strip.clear()
        self.restore.study(ready)
        self.loaded.emit()
        self.sheets.networks_came()
        self.presenter.subject()
        self.study.look(start=False)
        self.jobs.restore()

    def open_jobs(self) -> None:
        """The list of background jobs, over the status bar."""
        self.job_list.open_above(self.status)

    # -- what comes in ----------------------------------------------------------------------------

    def _found(self, items: tuple[str, ...], beside: bool) -> None:
        if beside:
            self.commands.compare_arriving()
        self.restore.add_recent([items[0]])

    def _cannot_open(self, failure: Failure) -> None:
        """What was asked for cannot be shown: nor is what was there before, above the reason."""
        self.current.clear()
        self.presenter.title()
        self._show_failure(failure)

    def _show_failure(self, failure: Failure) -> None:
        self.inspector.show_error(failure.message, failure.hint, failure.details, stays=True)
        self.docks["inspector"].show()
        self.docks["inspector"].raise_()  # it may be a tab behind another

    def _pinned_changed(self, there: bool) -> None:
        self.actions_["compare"].setChecked(there)
        if there:
            self.notices.say(
                self.tr("Pinned as A. Change the photo, view, network or settings to compare.")
            )

    # -- drops and keys ---------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._complete and self.intake.accepts(event.mimeData()):
            event.acceptProposedAction()
            self.page.set_drag_active(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.page.set_drag_active(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.page.set_drag_active(False)
        event.acceptProposedAction()
        beside = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.intake.take(event.mimeData(), beside=beside)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes round in reading order: the toolbar, the photos, the middle, and what follows.

        A panel that floats is a window with a ring of its own.
        """
        middle: tuple[QWidget, ...] = (self.page,)
        if self._complete:
            docks = self.docks
            middle = (docks["photos"], self.page, docks["results"], docks["inspector"])
        parts = (self.menus.toolbar, *middle, self.status)
        return tab_order.step(self, forward, parts)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Only keys that the focused widget did not use come here: sliders and fields keep theirs.
        if not self._complete:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Right and not event.modifiers():
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
        # press and lets the end pass, which then has no owner.
        from explorer.ui.board.canvas import Canvas

        ends = event.key() == Qt.Key.Key_Space and not event.isAutoRepeat()
        meant = self._space or isinstance(self.focusWidget(), Canvas)
        if ends:
            self._space = False
        if not (self._complete and ends and meant and self.live.film_key(event.key())):
            super().keyReleaseEvent(event)

    # -- trouble ----------------------------------------------------------------------------------

    def show_problem(self, sentence: str, details: str) -> None:
        """A defect that a hook caught; before there is a place for it, it is in the log only."""
        if self._complete:
            self.sheets.say_problem(sentence, details)

    def offer_log(self, text: str) -> None:
        """An earlier run has crashed: a notice tells it as soon as there is a place for it."""
        self._crash = text
        if self._complete:
            self.sheets.say_crash(text)
