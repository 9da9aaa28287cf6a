"""Shows the state of the study: on the canvas, in the panels, in the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Pick, parameters
from explorer.core.runner import State, Update
from explorer.ui.dialogs.notice import Notice
from explorer.ui.form.around import Around
from explorer.ui.form.picks import PickSpec
from explorer.ui.live.same_object import SameObject
from explorer.ui.navigation.note_ways import ways_for_notes
from explorer.ui.photos.filmstrip import name_of, title_of
from explorer.ui.shell.layout import TITLE

if TYPE_CHECKING:
    from explorer.images.image import Image
    from explorer.ui.board.pinned_result import PinnedResult
    from explorer.ui.shell.desk import Panels

BARE_MILLISECONDS = 250
"""A new photo is shown by itself when its answer takes longer than this."""

STREAM_MILLISECONDS = 1000
"""Plots follow a stream of steps this often: axes are slow to paint, the picture is not."""

REST_SECONDS = 15.0
RECENT_VIEWS = 4
"""This many are offered above the list of all."""

DRAG_MILLISECONDS = 150
"""So often they follow a box that is dragged; the picture follows every move."""


class Presenter(QObject):
    """From the study's signals to the widgets of the window."""

    def __init__(self, panels: Panels, pinned: PinnedResult) -> None:
        super().__init__(panels.main)
        self._panels, self._pinned = panels, pinned
        self._results_wanted = True
        self._bare = QTimer(self)
        self._bare.setSingleShot(True)
        self._bare.setInterval(BARE_MILLISECONDS)
        self._bare.timeout.connect(self.bare)
        self._pending: Board | None = None
        self._same = SameObject()
        self._waits = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._show_results)
        study = panels.study
        study.subject_changed.connect(self.subject)
        study.params_changed.connect(self.params)
        study.board_changed.connect(self.board)
        study.news.connect(self.news)
        study.waiting.connect(self.waiting)
        study.rested.connect(self.rested)
        panels.docks["results"].toggleViewAction().triggered.connect(self._want_results)

    def stop(self) -> None:
        self._bare.stop()
        self._soon.stop()
        self._panels.inspector.form.stop()

    def _show_results(self) -> None:
        board, self._pending = self._pending, None
        self._soon.stop()
        if board is None:
            return
        self._panels.results.set_board(board)
        if (
            self._results_wanted and not self._panels.main.isFullScreen()
        ):  # no empty area where a view has nothing to list
            self._panels.docks["results"].setVisible(bool(board.plots or board.tables))

    def _want_results(self, wanted: bool) -> None:
        self._results_wanted = wanted

    def subject(self) -> None:
        study = self._panels.study
        view = study.view
        if view is not None:
            self._panels.views.set_recent(tuple(reversed(study.last_params))[:RECENT_VIEWS])
            self._panels.views.set_current(view.name)
            self._panels.inspector.set_view(view)
            self._panels.inspector.form.set_view(view, study.params, study.info)
            self.picks()
            self._panels.networks.set_tasks(view.tasks, view.title)
            self._panels.networks.setEnabled(view.needs.network)
        self._panels.inspector.form.set_around(self.around())
        if study.spec is not None:
            self._panels.networks.set_spec(study.spec)
        self._panels.views.set_companions(self.companions())
        self._same.forget()
        self._panels.board.set_selection(None)
        self._panels.results.set_selection(None)
        self.status()
        self._panels.refresh()
        self.title()
        if study.image is not None:
            self._bare.start(0 if self._panels.board.board is None else BARE_MILLISECONDS)

    def title(self) -> None:
        image = self._panels.study.image
        name = f"{image.name} — {TITLE}" if image is not None else TITLE
        self._panels.main.setWindowTitle(name)

    def params(self) -> None:
        study = self._panels.study
        if study.view is None:
            return
        self._panels.inspector.form.set_view(study.view, study.params, study.info)
        self.picks()
        if study.info is not None:
            self._panels.networks.set_info(study.info)
            self.status()

    def companions(self) -> dict[str, str]:
        """By view: the title of the network that it would bring along."""
        study = self._panels.study
        brought = {name: study.network_for(view) for name, view in study.views.items()}
        entries = {
            name: study.entry(spec)
            for name, spec in brought.items()
            if spec is not None and spec != study.spec
        }
        return {name: entry.title for name, entry in entries.items() if entry is not None}

    def around(self) -> Around:
        """What the form may offer: the photos of the strip, the networks of the catalog."""
        study, strip = self._panels.study, self._panels.strip
        photos = [(str(item), title_of(item)) for item in strip.items if isinstance(item, str)]
        photos += [(name_of(sample), title_of(sample)) for sample in strip.samples.items]
        entries = study.ready.entries if study.ready is not None else ()
        image = None if study.live else study.image
        size = (image.width, image.height) if image is not None else None
        name = "" if image is None else str(image.path or image.name)
        return Around(tuple(photos), entries, size, name)

    def picks(self) -> None:
        """What can be picked on the canvas: what applies to the other settings."""
        study = self._panels.study
        view, params = study.view, study.params
        if view is None:
            return
        picks = [
            PickSpec.of(entry)
            for entry in parameters(view.Params)
            if entry.meta.pick is not Pick.NONE and entry.applies(params, study.info)
        ]
        self._panels.board.set_picks(picks, {name: getattr(params, name) for name, *_ in picks})

    def board(self, board: object) -> None:
        assert isinstance(board, Board)
        self._bare.stop()
        self._panels.inspector.form.set_idle(board.idle)
        self.put(board)

    def put(self, board: Board) -> None:
        study = self._panels.study
        before, chosen = self._panels.board.board, self._panels.board.selection
        self._panels.board.set_board(board)
        if study.live:
            found = self._same.find(before, board, chosen)
            self._panels.board.set_selection(found)
            self._panels.results.set_selection(found)
        self._panels.inspector.set_notes(board.notes, ways_for_notes(self._panels))
        self._panels.inspector.form.set_plots(board.plots)
        self._pending = board
        streams = study.running and (study.live or (study.view is not None and study.view.film))
        slow = streams or self._panels.board.dragging
        if not slow or not self._panels.results.tabs.count():
            self._show_results()
        elif not self._soon.isActive():
            self._soon.start(STREAM_MILLISECONDS if streams else DRAG_MILLISECONDS)
        self._pinned.show(board, study.subject)
        self._panels.refresh()

    def bare(self) -> None:
        study = self._panels.study
        image = study.image
        if image is None or study.board is not None or not study.wants_photo:
            return
        pane = Pane("image", (image.width, image.height), (Picture(image.pixels, smooth=True),))
        self.put(Board((pane,), notes=image.notes))

    def preview(self, frame: Image) -> None:
        """A frame of a live source without a result yet."""
        self._panels.study.image = frame
        self.bare()

    def news(self, update: Update) -> None:
        study = self._panels.study
        if study.live and update.state is State.RUNNING and study.answer is not None:
            if self._waits:  # the frames after this one are no progress: nothing changes with them
                self._waits = False
                self._panels.inspector.strip.clear()
                self._panels.status.time.setText("")  # the bar under the picture shows it
                self._panels.inspector.clear_message()
                self._panels.inspector.form.set_busy(False)
                self._panels.refresh()
            return
        self._panels.inspector.set_update(update, study.can_pause)
        if update.state is State.FAILED:
            self.bare()
            self._leave_nothing_old(update)
        if update.state is not State.RUNNING:
            self._show_results()
            self._panels.inspector.form.set_busy(False)
        self.status(update)
        self._panels.refresh()

    def _leave_nothing_old(self, update: Update) -> None:
        """What another view has shown does not stay when one without a photo has no result."""
        study, failure = self._panels.study, update.failure
        if study.board is not None or study.wants_photo or failure is None:
            return
        self._pending = None
        self._panels.board.set_board(None, f"{failure.message} {failure.hint}".strip())
        self._panels.results.set_board(None)
        self._panels.inspector.set_notes(())
        self._panels.docks["results"].setVisible(False)

    def waiting(self) -> None:
        self._waits = True
        if not self._panels.study.wants_photo:  # an error about the settings may be fixed
            self._panels.inspector.clear_message()
            if self._panels.board.board is None:
                self._panels.board.set_board(None)  # without the hint about what was missing
        self._panels.inspector.set_waiting(self.tr("Waiting"), self._panels.study.can_pause)
        self._panels.inspector.form.set_busy(True)
        self._panels.refresh()

    def rested(self) -> None:
        """Nothing is computed for what is shown."""
        panels = self._panels
        panels.inspector.strip.clear()
        panels.inspector.form.set_busy(False)
        panels.status.time.setText("")
        self.status()
        panels.refresh()
        study = panels.study
        if study.answer is None and study.view is not None:
            self.bare()
            words = self.tr("{view} takes a long time: press F5 to run it.")
            run = ((self.tr("Run"), study.look),)
            panels.notices.show_notice(
                Notice(words.format(view=study.view.title), actions=run, seconds=REST_SECONDS)
            )

    def status(self, update: Update | None = None) -> None:
        study = self._panels.study
        info, entry = study.info, study.entry()
        if info is not None:
            self._panels.status.network.setText(f"{info.title}  ·  {info.device}  ·  {info.dtype}")
        else:
            self._panels.status.network.setText(entry.title if entry is not None else "")
        if update is None or update.seconds <= 0:
            return
        words = (
            f"{update.seconds * 1000:.0f} ms" if update.seconds < 1 else f"{update.seconds:.1f} s"
        )
        if update.steps > 5:
            rate = update.steps / update.seconds
            words = self.tr("{rate:.1f} steps/s  ·  {time}").format(rate=rate, time=words)
        self._panels.status.time.setText(words)
