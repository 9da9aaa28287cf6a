"""What is shown: photo, network, view and parameters, and the newest answer.

The window only shows the study's state and passes on what the user did. A change of a parameter
asks for no more than it must: `DRAW` draws the last answer again, `STEER` reaches a running
computation, `COMPUTE` replaces it.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal

from explorer.core.params import Effect, effect_of, references
from explorer.core.runner import State, Update
from explorer.ui.study.asking import Asking
from explorer.ui.study.choice import Choice
from explorer.ui.study.choosing import natural_view
from explorer.ui.study.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtCore import QObject

    from explorer.core.layers import Board, Link
    from explorer.core.network_info import NetworkSpec
    from explorer.core.runner import Failure
    from explorer.engine.answer import Answer
    from explorer.engine.finish import FinishedAnswer
    from explorer.engine.view import Action, View
    from explorer.images.image import Image
    from explorer.live.pace import Pace
    from explorer.live.slot import Slot
    from explorer.ui.jobs.job_look import JobLook
    from explorer.ui.shell.bridge import Bridge, Receiver

FIRST_VIEW = "classify"


class Study(Choice):
    """The state behind the window: a choice that is asked about and drawn.

    What goes together is the `Choice`'s, where a question goes `Asking`'s, what is drawn `Shown`'s.

    Attributes:
        running: A computation is in progress.
        seconds: How long it has taken.
        submitted: How many computations there were.
        drawing: How many seconds the last board took, the window's part included.
        checkpoint_folder: Where the last file of weights was.
        save_folder: Where something was saved last; "" = nothing was.

    Signals:
        subject_changed: The photo, the view or the network is another one.
        still_wanted: A view was chosen: True = it needs a picture that stands still.
        board_changed: The new `Board`.
        news: The `Update` of the computation in progress.
        waiting: A computation begins.
        rested: What is shown is there without a computation: it was kept, or none was asked for.
        network_failed: A NetworkSpec and the `Failure`: it cannot be had.
        paused: A question that is a background job is paused, or resumed.
        made: Networks that a computation has made: `engine.actions.Made`s.
    """

    subject_changed = Signal()
    still_wanted = Signal(bool)
    board_changed = Signal(object)
    news = Signal(object)
    waiting = Signal()
    rested = Signal()
    network_failed = Signal(object, object)
    paused = Signal(bool)
    made = Signal(object)

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asking = Asking(bridge, self._on_update)
        self._shown = Shown()
        self._photo_comes = False
        self._changes: dict[str, Any] = {}  # of the view's parameters, for the photo that comes
        self.checkpoint_folder = ""
        self.save_folder = ""
        self.running = False
        self.seconds = 0.0
        self.submitted = 0
        self.drawing = 0.0

    @property
    def answer(self) -> Answer | None:
        """The newest answer; None while the first one is awaited."""
        return self._shown.answer

    @property
    def finished(self) -> FinishedAnswer | None:
        """The answer as it was drawn last."""
        return self._shown.finished

    @property
    def board(self) -> Board | None:
        """What is drawn of it."""
        return self._shown.board

    # -- what the user chooses --------------------------------------------------------------------

    def follow(self, slot: Slot, source: Image) -> None:
        """Shows the newest frame of `slot`, again and again; `source` stands for all of them."""
        self.set_image(source, slot)

    def set_image(self, image: Image, slot: Slot | None = None) -> None:
        """Shows `image` with the view and the network in use (the first time: defaults)."""
        self._shown.forget()
        self.slot = slot
        self.image = image
        if slot is not None and self.view is not None and not self.view.live:
            self._give_way(self.tr("{view} does not support films: showing {other} instead."))
        self._recall()
        changes, self._changes = self._changes, {}
        if changes and self._photo_comes and self.view is not None:
            self._recall(replace(self.params, **changes))
        self.subject_changed.emit()
        again, self._photo_comes = self._photo_comes, False
        if again and slot is None:
            self.show_again()
        else:
            self.look()

    def clear(self) -> None:
        """No photo: nothing to show."""
        self._asking.end()
        self.image = self.slot = None
        self._photo_comes = False
        self._shown.forget()
        self.subject_changed.emit()
        if not self.wants_photo:
            self.look()

    def set_view(self, name: str, params: Any = None) -> None:
        """Chooses the view `name`; a network that it cannot use is replaced, with a message."""
        view = self.views.get(name)
        if view is None or (view is self.view and params is None):
            return
        self._shown.forget()
        self._photo_comes = False
        self.bring_network(view)
        self.view = view
        self._recall(params)
        image = self.image
        self.still_wanted.emit(not view.live)
        if self.image is image:  # else that frame, or the source again, is shown by now
            self.subject_changed.emit()
            self.look()

    def follow_link(self, link: Link) -> None:
        """Chooses the view that `link` leads to, with its values among the last ones."""
        view = self.views.get(link.view)
        if view is not None:
            params = self._used.of(view, self.image, live=self.live)
            self.set_view(link.view, replace(params, **link.params))

    def set_network(self, spec: NetworkSpec) -> None:
        """Chooses another network; a view that cannot use it is replaced, with a message."""
        self.device, self.half = spec.device, spec.half
        if spec == self.spec:
            return
        if os.path.isabs(spec.weights):
            self.checkpoint_folder = os.path.dirname(spec.weights)
        self._shown.forget()
        self._photo_comes = False
        self.spec = spec
        self.info = None
        entry = self.entry()
        if self.view is not None and entry is not None and not self.view.suits(entry.task):
            self._give_way(self.tr("{view} does not support {network}: showing {other} instead."))
            self._recall()
        self.subject_changed.emit()
        self.look()

    def look_with(self, spec: NetworkSpec) -> None:
        """As `set_network`; with the network in use, the result is computed again."""
        if spec == self.spec:
            self.look()
        else:
            self.set_network(spec)

    def stand(
        self,
        view: str,
        spec: NetworkSpec | None,
        *,
        photo_comes: bool = False,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Goes back to a view and a network: what is kept is shown, else it is computed.

        Args:
            view: Its name.
            spec: The network; None = the one in use.
            photo_comes: Another photo is about to be set: it is shown in the same way.
            changes: Values of parameters of the view; the others are as they were used last.
        """
        self._shown.forget()
        self.view = self.views.get(view, self.view)
        if spec is not None and spec != self.spec:
            self.spec, self.info = spec, None
        self._photo_comes = photo_comes
        if photo_comes:
            self._asking.leave()
            self.running = False
        self._recall()
        self._changes = dict(changes or {}) if photo_comes else {}
        if changes and not photo_comes:
            self._recall(replace(self.params, **changes))
        self.subject_changed.emit()
        if not photo_comes:
            self.show_again()

    def fall_back(self) -> None:
        """Takes the network that worked last, in the place of one that cannot be had."""
        entry = self.entry()
        if self.spec is None or self.view is None:
            return
        before = self._networks.instead_of(self.spec, entry.task if entry is not None else "")
        if before is None and entry is None:  # nobody knows what it is for: the view's usual one
            usual = self._networks.suiting(self.view)
            before = None if usual is None else ("", usual)
        if before is None:
            return
        name, spec = before
        entry = self.entry(spec)
        if not name or (entry is not None and self.view.suits(entry.task)):
            name = self.view.name
        self.stand(name, self._on_device(spec))

    def use(self, name: str, weights: str = "") -> None:
        """Uses the network `name` of the catalog, by default with its own weights."""
        from explorer.core.network_info import NetworkSpec

        self.set_network(NetworkSpec(name, weights, self.device, self.half))

    def renew(self, name: str) -> None:
        """The network of that name is another one now: what was computed with it holds no more."""
        self._networks.forget(name)
        self._shown.drop(name)
        if self.spec is not None and self.spec.name == name:
            spec, self.spec = self.spec, None
            self.set_network(spec)

    def set_device(self, device: str, half: bool, seed: int) -> None:
        """From the preferences or the picker: applies to the network in use at once."""
        changed = (device, half, seed) != (self.device, self.half, self.seed)
        self.device, self.half, self.seed = device, half, seed
        if changed and self.spec is not None:
            self.spec = self._on_device(self.spec)
            self.info = None
            self.subject_changed.emit()
            self.look()

    def set_beside(self, name: str, shown: bool) -> None:
        """Shows the view `name` beside the main one, with its last parameters, or no longer."""
        others = tuple(other for other in self.beside if other != name)
        beside = (*others, name) if shown else others
        if beside != self.beside:
            self.beside = beside
            self._shown.drop_side(name)
            if shown or self.live:
                self.look()
            self.draw()

    def show_beside(self, name: str) -> None:
        """Shows the view `name` beside the main one, or no longer when it is there."""
        self.set_beside(name, name not in self.beside)

    def set_pace(self, pace: Pace) -> None:
        """The network's input size for frames."""
        if pace != self.pace:
            self.pace = pace
            if self.live:
                self.look()

    def set_runtime(self, *, any_runtime: bool) -> None:
        """Frames are computed by the fastest runtime there is, or by torch alone."""
        if any_runtime != self.any_runtime:
            self.any_runtime = any_runtime
            if self.live:
                self.look()

    def set_params(self, params: Any) -> None:
        """Takes new parameters and does what their change asks for."""
        before, self.params = self.params, params
        self._remember()
        if before is None or type(before) is not type(params):
            return
        effect = effect_of(before, params)
        following = self.live and self.answer is not None  # before that there is no listener
        steers = effect is Effect.STEER or (effect is Effect.COMPUTE and following)
        # Another network may have to be loaded first, while there is no listener.
        steered = steers and self._references(before) == self._references(params)
        steered = steered and self.running and self._asking.steer(params)
        if effect is Effect.DRAW or steered:
            self.draw()
        elif effect is not None:
            self.look()

    def set_param(self, name: str, value: Any) -> None:
        """One parameter, written by the canvas."""
        if self.params is None or getattr(self.params, name, value) == value:
            return
        self.set_params(replace(self.params, **{name: value}))
        self.params_changed.emit()

    def put_params(self, values: dict[str, Any]) -> None:
        """Values of an earlier time (undo), by the names of their parameters."""
        self.set_params(replace(self.params, **values))
        self.params_changed.emit()

    # -- looking ----------------------------------------------------------------------------------

    def follow_jobs(self, job_look: JobLook) -> None:
        """From now on views with a background job are shown through it."""
        self._asking.follow_jobs(job_look)
        job_look.paused.connect(self.paused)

    @property
    def job_id(self) -> str:
        """The background job that is shown; "" when none is."""
        return self._asking.job_id

    @property
    def can_pause(self) -> bool:
        """What runs here may be paused."""
        return self.view is not None and (self.view.film or self.view.job is not None)

    @property
    def can_leave(self) -> bool:
        """What runs here may be completed in the background."""
        return self.running and not self.live and self.view is not None and self.view.keeps

    def show(self, name: str, spec: NetworkSpec, params: Any) -> None:
        """Shows the view `name` of a network with these parameters: what a job has found."""
        self._shown.forget()
        self.view = self.views[name]
        if spec != self.spec:
            self.spec, self.info = spec, None
        self._recall(params)
        self.subject_changed.emit()
        self.look()

    def look_again(self) -> None:
        """As `look`, and nothing that was computed or measured before is reused."""
        self.look(fresh=True)

    def look(self, *, fresh: bool = False, start: bool = True) -> None:
        """Asks for an answer when everything is there; whatever runs is replaced.

        Args:
            fresh: Nothing that was computed or measured before is reused.
            start: A background job is started where there is none.
        """
        if self.view is not None and self.view.job is None:
            self._asking.leave_job()
        if self._ready is None or (self.image is None and self.wants_photo):
            return
        if self.view is None:
            first = self._first_view()
            if first is None:
                return
            self.set_view(first.name)
            return
        if self.spec is None and self.view.needs.network:
            return
        self.running = True
        self.submitted += 1
        if not self._asking.by_job(self):
            self._asking.ask(self, fresh=fresh)
            self.waiting.emit()
            return
        self._look_through_job(fresh=fresh, start=start)

    def _first_view(self) -> View[Any, Any] | None:
        """The view to begin with: one for the network that was chosen before, if any."""
        first, entry = self.views.get(FIRST_VIEW), self.entry()
        task = entry.task if entry is not None else ""
        if first is not None and (not task or first.suits(task)):
            return first
        return natural_view(self.views, task, live=self.live)

    def begin_job(self) -> None:
        """Begins the background job of a view that waits for it, or tries a failed one again."""
        if self._asking.by_job(self) and self.spec is not None:
            self.running = True
            self.submitted += 1
            self._look_through_job(begin=True)

    def _look_through_job(
        self, *, fresh: bool = False, start: bool = True, begin: bool = False
    ) -> None:
        self.waiting.emit()  # first: what the job has found already is told at once
        if not self._asking.ask_job(self, fresh=fresh, start=start, begin=begin):
            self.running = False
            self.rested.emit()

    def show_again(self) -> None:
        """What is kept of this place; else it is computed, but not for a film, which takes long."""
        answer = self._kept_answer()
        film = self.view is not None and self.view.film
        if answer is None and not film:
            self.look(start=False)
            return
        self._asking.leave()
        self.running = False
        if answer is not None:
            self._asking.show_kept(answer)
            self.take_info(answer.info)
            self._shown.take(answer, whole=True)
            self.draw()
        self.rested.emit()

    def act(self, action: Action, receiver: Receiver) -> bool:
        """Runs an action of the view on what is shown; False when nothing is."""
        return self._asking.act(action, self, receiver)

    def cancel(self) -> None:
        self._asking.cancel()

    def pause(self, paused: bool) -> None:
        self._asking.pause(paused)

    def draw(self) -> None:
        """The board of the newest answer with the parameters of the moment."""
        began = time.perf_counter()
        board = self._shown.draw(self.params, self.beside)
        if board is not None:
            self.board_changed.emit(board)
            self.drawing = time.perf_counter() - began

    # -- inside -----------------------------------------------------------------------------------

    def _references(self, params: Any) -> list[object]:
        """The photos, networks and folders that parameters name."""
        return [ref for _, ref in references(params, self.info)]

    def _on_update(self, update: Update) -> None:
        self.seconds = update.seconds
        self.running = update.state is State.RUNNING
        answer = update.value
        if answer is not None and answer.ask.view is self.view:
            self.take_info(answer.info)
            if self._shown.take(answer, whole=update.state is State.DONE):
                if answer.shot is not None:
                    self.image = answer.ask.image
                self.draw()
        if update.state is State.FAILED and self._moved_to_its_task():
            return
        if answer is not None and answer.made and update.state is State.DONE:
            self.made.emit(answer.made)
        self.news.emit(update)
        if update.state is State.FAILED and update.failure is not None:
            self._failed(update.failure)

    def _moved_to_its_task(self) -> bool:
        """Of a network in no list it is known only now that it does not suit the view."""
        view, info = self.view, self.info
        if view is None or info is None or not view.needs.network or view.suits(info.task):
            return False
        self._give_way(self.tr("{view} does not support {network}: showing {other} instead."))
        if self.view is view:
            return False
        self._recall()
        self.subject_changed.emit()
        self.look()
        return True

    def _failed(self, failure: Failure) -> None:
        # A defect before the network was known counts as well: it has not worked yet.
        lost = failure.about in ("network", "program") or (
            not failure.expected and self.info is None
        )
        # Only on another device or in another precision it does not work: those are to be mended.
        if not lost or self.spec is None or self._networks.settled(self.spec):
            return
        self.network_failed.emit(self.spec, failure)

    def _kept_answer(self) -> Answer | None:
        if self.view is None or (self.image is None and self.wants_photo) or self.live:
            return None
        if self.view.job is not None:
            return None  # the job keeps it
        return self._shown.kept(self.question())
