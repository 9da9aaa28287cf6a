"""Shows what the study says: on the canvas, in the panels, in the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Pick, parameters
from explorer.core.runner import State, Update
from explorer.ui.form.picks import PickSpec

if TYPE_CHECKING:
    from explorer.ui.shell.window import Window

BARE_MILLISECONDS = 250
"""A new photo is shown by itself when its answer takes longer than this."""


STREAM_MILLISECONDS = 1000
"""Plots follow a stream of steps this often: axes are slow to paint, the picture is not."""

DRAG_MILLISECONDS = 150
"""So often they follow a box that is dragged; the picture follows every move."""


class Presenter(QObject):
    """From the study's signals to the widgets of the window."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._results_wanted = True
        self._bare = QTimer(self)
        self._bare.setSingleShot(True)
        self._bare.setInterval(BARE_MILLISECONDS)
        self._bare.timeout.connect(self.bare)
        self._pending: Board | None = None
        self._waits = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._show_results)
        study = window.study
        study.subject_changed.connect(self.subject)
        study.params_changed.connect(self.params)
        study.board_changed.connect(self.board)
        study.news.connect(self.news)
        study.waiting.connect(self.waiting)
        window.docks["results"].toggleViewAction().triggered.connect(self._want_results)

    def stop(self) -> None:
        self._bare.stop()
        self._soon.stop()
        self._window.inspector.form.stop()

    def _show_results(self) -> None:
        board, self._pending = self._pending, None
        self._soon.stop()
        if board is None:
            return
        self._window.results.set_board(board)
        if self._results_wanted:  # no empty area where a view has nothing to list
            self._window.docks["results"].setVisible(bool(board.plots or board.tables))

    def _want_results(self, wanted: bool) -> None:
        self._results_wanted = wanted

    def subject(self) -> None:
        study = self._window.study
        view, entry = study.view, study.entry()
        if view is not None:
            self._window.views.set_current(view.name)
            self._window.inspector.set_view(view)
            self._window.inspector.form.set_view(view, study.params, study.info)
            self.picks()
            self._window.networks.set_tasks(view.tasks, view.title)
        if study.spec is not None:
            self._window.networks.set_spec(study.spec)
        if entry is not None:
            self._window.views.set_network(entry.task, entry.title)
        self._window.board.set_selection(None)
        self._window.results.set_selection(None)
        self._window.show_page()
        self.status()
        self._window.commands.refresh()
        if study.image is not None:
            self._bare.start(0 if self._window.board.board is None else BARE_MILLISECONDS)

    def params(self) -> None:
        study = self._window.study
        if study.view is None:
            return
        self._window.inspector.form.set_view(study.view, study.params, study.info)
        self.picks()
        if study.info is not None:
            self._window.networks.set_info(study.info)
            self.status()

    def picks(self) -> None:
        view, params = self._window.study.view, self._window.study.params
        if view is None:
            return
        picks = [
            PickSpec.of(entry)
            for entry in parameters(view.Params)
            if entry.meta.pick is not Pick.NONE
        ]
        self._window.board.set_picks(picks, {name: getattr(params, name) for name, *_ in picks})

    def board(self, board: object) -> None:
        assert isinstance(board, Board)
        self._bare.stop()
        self.put(board)

    def put(self, board: Board) -> None:
        study = self._window.study
        self._window.board.set_board(board)
        self._window.inspector.set_notes(board.notes)
        self._window.inspector.form.set_plots(board.plots)
        self._pending = board
        streams = study.running and (study.live or (study.view is not None and study.view.film))
        slow = streams or self._window.board.dragging
        if not slow or not self._window.results.tabs.count():
            self._show_results()
        elif not self._soon.isActive():
            self._soon.start(STREAM_MILLISECONDS if streams else DRAG_MILLISECONDS)
        self._window.comparison.show(board, self._window.subject())
        self._window.commands.refresh()

    def bare(self) -> None:
        image = self._window.study.image
        if image is None or self._window.study.board is not None:
            return
        pane = Pane("image", (image.width, image.height), (Picture(image.pixels, smooth=True),))
        self.put(Board((pane,), notes=image.notes))

    def news(self, update: Update) -> None:
        study = self._window.study
        if study.live and update.state is State.RUNNING and study.answer is not None:
            self._window.live.answered(study.answer)
            if self._waits:  # the frames after this one are no progress: nothing changes with them
                self._waits = False
                self._window.inspector.strip.clear()
                self._window.status.time.setText("")  # the bar under the picture says it
                self._window.inspector.clear_message()
                self._window.inspector.form.set_busy(False)
                self._window.commands.refresh()
            return
        view = study.view
        self._window.inspector.set_update(update, view is not None and view.film)
        if update.state is State.FAILED:
            self.bare()
        if update.state is not State.RUNNING:
            self._show_results()
            self._window.inspector.form.set_busy(False)
        self.status(update)
        self._window.commands.refresh()

    def waiting(self) -> None:
        self._waits = True
        view = self._window.study.view
        self._window.inspector.set_waiting(self.tr("Waiting"), view is not None and view.film)
        self._window.inspector.form.set_busy(True)
        self._window.commands.refresh()

    def status(self, update: Update | None = None) -> None:
        study = self._window.study
        info, entry = study.info, study.entry()
        if info is not None:
            self._window.status.network.setText(f"{info.title}  ·  {info.device}  ·  {info.dtype}")
        else:
            self._window.status.network.setText(entry.title if entry is not None else "")
        if update is None or update.seconds <= 0:
            return
        words = (
            f"{update.seconds * 1000:.0f} ms" if update.seconds < 1 else f"{update.seconds:.1f} s"
        )
        if update.steps > 5:
            rate = update.steps / update.seconds
            words = self.tr("{rate:.1f} steps/s  ·  {time}").format(rate=rate, time=words)
        self._window.status.time.setText(words)

    def pick_values(self) -> None:
        params = self._window.study.params
        if params is not None:
            names = [p.name for p in parameters(type(params)) if p.meta.pick is not Pick.NONE]
            self._window.board.set_pick_values({name: getattr(params, name) for name in names})
