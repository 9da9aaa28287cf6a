"""What is being looked at: photo, network, view and parameters, and the newest answer.

The window only shows what the study says and tells it what the user did. A change of a parameter
asks for no more than it must: `DRAW` draws the last answer again, `STEER` reaches a running
computation, `COMPUTE` replaces it.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.params import Effect, effect_of, parameters, references, resolved
from explorer.core.runner import State, Update
from explorer.live.pace import Pace
from explorer.ui.shell.bridge import LOOK, Bridge, Ready
from explorer.ui.study.choosing import natural_view
from explorer.ui.study.kept_answers import KeptAnswers
from explorer.ui.study.used_networks import UsedNetworks
from explorer.ui.study.used_params import UsedParams
from explorer.ui.truth.photo_truth import PhotoTruth, Truth

if TYPE_CHECKING:
    from explorer.core.layers import Board
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.core.runner import Failure
    from explorer.engine.engine import Answer
    from explorer.engine.finish import FinishedAnswer
    from explorer.engine.view import Action, View
    from explorer.images.image import Image
    from explorer.live.slot import Slot
    from explorer.networks.entry import Entry
    from explorer.ui.jobs.job_look import JobLook
    from explorer.ui.shell.bridge import Receiver

log = logging.getLogger(__name__)

FIRST_VIEW = "classify"


class Study(QObject):
    """The state behind the window.

    Signals:
        subject_changed: The photo, the view or the network is another one.
        params_changed: Parameters were changed by something else than the form.
        board_changed: The new `Board`.
        news: The `Update` of the look in progress.
        waiting: A look was submitted.
        said: A sentence for the user.
        moved: A sentence about a view or a network that the program is choosing by itself; where
            the user was before can be gone back to.
        rested: What is shown is there without a computation: it was kept, or none was asked for.
        network_failed: A NetworkSpec and the `Failure`: it cannot be had.
        paused: A look that is a background job rests, or goes on.
        made: Networks that a look has made: `engine.actions.Made`s.
    """

    subject_changed = Signal()
    params_changed = Signal()
    board_changed = Signal(object)
    news = Signal(object)
    waiting = Signal()
    said = Signal(str)
    moved = Signal(str)
    rested = Signal()
    network_failed = Signal(object, object)
    paused = Signal(bool)
    made = Signal(object)

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._ready: Ready | None = None
        self._networks = UsedNetworks()
        self._kept = KeptAnswers()
        self._job_look: JobLook | None = None
        self._whole = False  # the answer is not one on the way
        self._photo_comes = False
        self.photo_truth = PhotoTruth()
        self._used = UsedParams(self.photo_truth)
        self.checkpoint_folder = ""
        self.image: Image | None = None
        self.view: View[Any, Any] | None = None
        self.spec: NetworkSpec | None = None
        self.info: NetworkInfo | None = None
        self.params: Any = None
        self.answer: Any = None
        self.board: Board | None = None
        self.finished: FinishedAnswer | None = None
        self.running = False
        self.seed = 0
        self.device = "auto"
        self.half = False
        self.seconds = 0.0
        self.submitted = 0
        self.slot: Slot | None = None
        self.beside: tuple[str, ...] = ()
        self._sides: dict[str, Any] = {}
        self.pace = Pace()
        self.drawing = 0.0

    # -- what there is ----------------------------------------------------------------------------

    @property
    def ready(self) -> Ready | None:
        return self._ready

    @property
    def views(self) -> dict[str, View[Any, Any]]:
        return dict(self._ready.views) if self._ready else {}

    def entry(self, spec: NetworkSpec | None = None) -> Entry | None:
        """The catalog's entry of `spec`, by default of the network in use."""
        spec = spec or self.spec
        if self._ready is None or spec is None:
            return None
        return next((entry for entry in self._ready.entries if entry.name == spec.name), None)

    @property
    def wants_photo(self) -> bool:
        """Nothing can be shown before there is a photo."""
        return self.view is None or self.view.needs.photo

    def set_ready(self, ready: Ready) -> None:
        self._ready = ready
        self._networks.defaults = ready.defaults

    @property
    def title(self) -> str:
        """What is shown, in a few words: for titles and file names."""
        parts = (self.view.title if self.view else "", self.image.name if self.image else "")
        return " · ".join(part for part in parts if part)

    @property
    def subject(self) -> tuple[str, str, str]:
        """Photo, view and network: what tells the two sides of a comparison apart."""
        entry = self.entry()
        return (
            Path(self.image.name).stem if self.image else "",
            self.view.title if self.view else "",
            entry.title if entry else "",
        )

    @property
    def truth(self) -> Truth:
        """The ground truth of the photo that is shown."""
        return self.photo_truth.of(self.image.key) if self.image is not None else ()

    # -- what the user chooses --------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Frames are followed: `image` is the newest one that was answered."""
        return self.slot is not None

    def follow(self, slot: Slot, source: Image) -> None:
        """Looks at the newest frame of `slot`, again and again; `source` stands for all of them."""
        self.set_image(source, slot)

    def set_image(self, image: Image, slot: Slot | None = None) -> None:
        """Looks at `image` with the view and the network in use (the first time: defaults)."""
        self._forget_answer()
        self.slot = slot
        self.image = image
        if slot is not None and self.view is not None and not self.view.live:
            self._give_way(self.tr("{view} does not support films: showing {other} instead."))
        self._recall()
        self.subject_changed.emit()
        again, self._photo_comes = self._photo_comes, False
        if again and slot is None:
            self.show_again()
        else:
            self.look()

    def clear(self) -> None:
        """No photo: nothing to look at."""
        self._bridge.cancel(LOOK)
        self.image = self.slot = None
        self._photo_comes = False
        self._forget_answer()
        self.subject_changed.emit()
        if not self.wants_photo:
            self.look()

    def set_view(self, name: str, params: Any = None) -> None:
        """Looks with the view `name`; a network that it cannot use is replaced, which is said."""
        view = self.views.get(name)
        if view is None or (view is self.view and params is None):
            return
        self._forget_answer()
        self._photo_comes = False
        self._bring_network(view)
        self.view = view
        self._recall(params)
        self.subject_changed.emit()
        self.look()

    def set_network(self, spec: NetworkSpec) -> None:
        """Looks with another network; a view that cannot use it gives way, and that is said."""
        self.device, self.half = spec.device, spec.half
        if spec == self.spec:
            return
        if os.path.isabs(spec.weights):
            self.checkpoint_folder = os.path.dirname(spec.weights)
        self._forget_answer()
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
        """As `set_network`; the network in use is looked with again."""
        if spec == self.spec:
            self.look()
        else:
            self.set_network(spec)

    def stand(self, view: str, spec: NetworkSpec | None, *, photo_comes: bool = False) -> None:
        """Goes back to a view and a network: what is kept is shown, else it is looked at.

        Args:
            view: Its name.
            spec: The network; None = the one in use.
            photo_comes: Another photo is about to be set: it is shown in the same way.
        """
        self._forget_answer()
        self.view = self.views.get(view, self.view)
        if spec is not None and spec != self.spec:
            self.spec, self.info = spec, None
        self._photo_comes = photo_comes
        if photo_comes:
            self._bridge.leave()
            self._leave_job()
            self.running = False
        self._recall()
        self.subject_changed.emit()
        if not photo_comes:
            self.show_again()

    def fall_back(self) -> None:
        """Takes the network that worked last, in the place of one that cannot be had."""
        entry = self.entry()
        if self.spec is None or self.view is None:
            return
        before = self._networks.instead_of(self.spec, entry.task if entry is not None else "")
        if before is None:
            return
        name, spec = before
        entry = self.entry(spec)
        if not name or (entry is not None and self.view.suits(entry.task)):
            name = self.view.name
        self.stand(name, self._on_device(spec))

    def use(self, name: str, weights: str = "") -> None:
        """Looks with the network `name` of the catalog, by default with its own weights."""
        from explorer.core.network_info import NetworkSpec

        self.set_network(NetworkSpec(name, weights, self.device, self.half))

    def start_with(self, spec: NetworkSpec) -> None:
        """The network to begin with, before anything is looked at."""
        self.spec = self._on_device(spec)

    def set_device(self, device: str, half: bool, seed: int) -> None:
        """From the preferences or the picker: applies to the network in use at once."""
        changed = (device, half, seed) != (self.device, self.half, self.seed)
        self.device, self.half, self.seed = device, half, seed
        if changed and self.spec is not None:
            self.spec = self._on_device(self.spec)
            self.info = None
            self.subject_changed.emit()
            self.look()

    def offered(self) -> tuple[View[Any, Any], ...]:
        """The views that can be shown beside the main one, with the network in use."""
        entry = self.entry()
        return tuple(
            view
            for view in self.views.values()
            if view is not self.view
            and view.job is None
            and (entry is None or view.suits(entry.task))
            and (view.live or not self.live)
        )

    def set_beside(self, name: str, shown: bool) -> None:
        """Shows the view `name` beside the main one, with its last parameters, or no longer."""
        others = tuple(other for other in self.beside if other != name)
        beside = (*others, name) if shown else others
        if beside != self.beside:
            self.beside = beside
            self._sides.pop(name, None)
            if shown or self.live:
                self.look()
            self.draw()

    def show_beside(self, name: str) -> None:
        """Shows the view `name` beside the main one, or no longer when it is there."""
        self.set_beside(name, name not in self.beside)

    def set_pace(self, pace: Pace) -> None:
        """How large the network looks at frames."""
        if pace != self.pace:
            self.pace = pace
            if self.live:
                self.look()

    def set_params(self, params: Any) -> None:
        """Takes new parameters and does what their change asks for."""
        before, self.params = self.params, params
        self._remember()
        if before is None or type(before) is not type(params):
            return
        effect = effect_of(before, params)
        following = self.live and self.answer is not None  # before that nobody listens
        steers = effect is Effect.STEER or (effect is Effect.COMPUTE and following)
        # Another network may have to be loaded first, while nobody listens.
        steered = steers and self._references(before) == self._references(params)
        steered = steered and self.running and self._bridge.steer(params)
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

    def restore(self, params: dict[str, Any]) -> None:
        """Parameters by view, from a session."""
        self._used.last.update(params)

    # -- looking ----------------------------------------------------------------------------------

    def follow_jobs(self, job_look: JobLook) -> None:
        """From now on views with a background job are looked at through it."""
        self._job_look = job_look
        job_look.news.connect(self._on_update)
        job_look.paused.connect(self.paused)

    @property
    def job_id(self) -> str:
        """The background job that is shown; "" when none is."""
        return self._job_look.job_id if self._job_look is not None else ""

    @property
    def can_pause(self) -> bool:
        """What runs here may be paused."""
        return self.view is not None and (self.view.film or self.view.job is not None)

    def show(self, name: str, spec: NetworkSpec, params: Any) -> None:
        """Shows the view `name` of a network with these parameters: what a job has found."""
        self._forget_answer()
        self.view = self.views[name]
        if spec != self.spec:
            self.spec, self.info = spec, None
        self._recall(params)
        self.subject_changed.emit()
        self.look()

    def look_again(self) -> None:
        """As `look`, and nothing of what was worked out or measured before is taken again."""
        self.look(fresh=True)

    def look(self, *, fresh: bool = False, start: bool = True) -> None:
        """Asks for an answer when everything is there; whatever runs is replaced.

        Args:
            fresh: Nothing of what was worked out or measured before is taken again.
            start: A background job is started where there is none.
        """
        if self.view is not None and self.view.job is None:
            self._leave_job()
        if self._ready is None or (self.image is None and self.wants_photo):
            return
        if self.view is None:
            first = self.views.get(FIRST_VIEW) or next(iter(self.views.values()), None)
            if first is None:
                return
            self.set_view(first.name)
            return
        if self.spec is None and self.view.needs.network:
            return
        if self.view.job is not None and self.slot is None and self._job_look is not None:
            if fresh:
                self._job_look.forget()
            self._look_through_job(self._job_look, start=start)
            return
        self.running = True
        self.submitted += 1
        beside = tuple(
            (view, self._used.of(view, self.image, live=self.live)) for view in self._sides_wanted()
        )
        question = (self.view, self.spec, self.image, self.params, self.seed, beside)
        if self.slot is not None:
            self._bridge.follow(*question, self.slot, self.pace, receiver=self._on_update)
        else:
            self._bridge.look(*question, fresh, receiver=self._on_update)
        self.waiting.emit()

    def _look_through_job(self, job_look: JobLook, *, start: bool) -> None:
        assert self.view is not None
        assert self.spec is not None
        self._bridge.leave()
        self.running = True
        self.submitted += 1
        self.waiting.emit()
        if not job_look.look(self.view, self.spec, self.params, self.seed, start=start):
            self.running = False
            self.rested.emit()

    def _leave_job(self) -> None:
        if self._job_look is not None:
            self._job_look.leave()

    def show_again(self) -> None:
        """What is kept of this place; else it is looked at, but for a film, which is long."""
        answer = self._kept_answer()
        film = self.view is not None and self.view.film
        if answer is None and not film:
            self.look(start=False)
            return
        self._bridge.leave()
        self._leave_job()
        self.running = False
        if answer is not None:
            self._bridge.step_film.keep_only(answer)
            self._take_info(answer.info)
            self.answer, self._whole = answer, True
            self.draw()
        self.rested.emit()

    def act(self, action: Action, receiver: Receiver) -> bool:
        """Does an action of the view on what is looked at; False when nothing is."""
        if self.view is None or self.spec is None or self.image is None:
            return False
        self._bridge.act(
            action, self.view, self.spec, self.image, self.params, self.seed, receiver=receiver
        )
        return True

    def cancel(self) -> None:
        self._bridge.cancel(LOOK)
        if self._job_look is not None:
            self._job_look.cancel()

    def pause(self, paused: bool) -> None:
        if self.job_id and self._job_look is not None:
            self._job_look.pause(paused)
        else:
            self._bridge.pause(paused)

    def draw(self) -> None:
        """The board of the newest answer with the parameters of the moment."""
        if self.answer is None or self.answer.result is None or self.view is None:
            return
        from explorer.engine.finish import FinishedAnswer  # not before the first paint

        began = time.perf_counter()
        self._sides.update((side.view.name, side) for side in self.answer.beside)
        # One that is still being worked out keeps its place with what it said before.
        sides = [self._sides[name] for name in self.beside if name in self._sides]
        self.finished = FinishedAnswer(self.answer, self._drawn_params(), sides)
        self.board = self.finished.bare
        self.board_changed.emit(self.board)
        self.drawing = time.perf_counter() - began

    # -- inside -----------------------------------------------------------------------------------

    def _references(self, params: Any) -> list[object]:
        """The photos, networks and folders that parameters name."""
        return [ref for _, ref in references(params, self.info)]

    def _drawn_params(self) -> Any:
        # What was computed belongs to the answer's own parameters; the rest follows the form.
        computed = self.answer.params
        free = {
            parameter.name: getattr(self.params, parameter.name)
            for parameter in parameters(type(computed))
            if parameter.meta.effect is Effect.DRAW
        }
        params = replace(computed, **free)
        return resolved(params, self.answer.info) if self.answer.info is not None else params

    def _on_update(self, update: Update) -> None:
        self.seconds = update.seconds
        if update.state is not State.RUNNING:
            self.running = False
        answer = update.value
        if answer is not None and answer.ask.view is self.view:
            self._take_info(answer.info)
            if answer.result is not None:
                self._whole = update.state is State.DONE
            if answer.result is not None and answer is not self.answer:
                self.answer = answer
                if answer.shot is not None:
                    self.image = answer.ask.image
                self.draw()
        if answer is not None and answer.made and update.state is State.DONE:
            self.made.emit(answer.made)
        self.news.emit(update)
        if update.state is State.FAILED and update.failure is not None:
            self._failed(update.failure)

    def _take_info(self, info: NetworkInfo | None) -> None:
        """A network has been loaded."""
        if info is None:
            return
        entry = self.entry(info.spec)
        if entry is not None and self.view is not None:
            self._networks.worked(self.view.name, entry.task, info.spec)
        if info is not self.info:
            self.info = info
            self.params = resolved(self.params, info)
            self.params_changed.emit()

    def _failed(self, failure: Failure) -> None:
        # A defect before the network was known counts as well: it has not worked yet.
        lost = failure.about == "network" or (not failure.expected and self.info is None)
        # Only on another device or in another precision it does not work: those are to be mended.
        if not lost or self.spec is None or self._networks.settled(self.spec):
            return
        self.network_failed.emit(self.spec, failure)

    def network_for(self, view: View[Any, Any]) -> NetworkSpec | None:
        """The network that `view` will look at: the one in use where it suits, else another one."""
        entry = self.entry()
        if not view.needs.network or (entry is not None and view.suits(entry.task)):
            return self.spec
        return self._networks.suiting(view)

    def _bring_network(self, view: View[Any, Any]) -> None:
        """Before `view` is shown: a network that it can look at."""
        old, spec = self.entry(), self.network_for(view)
        if spec == self.spec:
            return
        if spec is None:
            self.said.emit(
                self.tr("No network for {view} is available: choose one.").format(view=view.title)
            )
            return
        entry = self.entry(spec)
        if old is not None and entry is not None:
            self.moved.emit(
                self.tr("{view} needs a different network: using {network}.").format(
                    view=view.title, network=entry.title
                )
            )
        self.spec = self._on_device(spec)
        self.info = None

    def _give_way(self, words: str) -> None:
        """A view that cannot go on gives way to the natural one of the network, which is said."""
        view, entry = self.view, self.entry()
        other = natural_view(self.views, entry.task if entry is not None else "", live=self.live)
        if view is None or other is None:
            return
        network = entry.title if entry is not None else ""
        self.moved.emit(words.format(view=view.title, network=network, other=other.title))
        self.view = other

    def _sides_wanted(self) -> list[View[Any, Any]]:
        return [view for view in self.offered() if view.name in self.beside]

    def _kept_answer(self) -> Answer | None:
        if self.view is None or (self.image is None and self.wants_photo) or self.live:
            return None
        if self.view.job is not None:
            return None  # the job keeps it
        from explorer.engine.engine import Ask

        answer = self._kept.find(Ask(self.view, self.spec, self.image, self.params, self.seed))
        if answer is None or self.view.film:
            return answer
        shown = {side.view.name for side in answer.beside}
        return answer if shown == {view.name for view in self._sides_wanted()} else None

    def _on_device(self, spec: NetworkSpec) -> NetworkSpec:
        return replace(spec, device=self.device, half=self.half)

    def _forget_answer(self) -> None:
        # The picture stays on the canvas until the next one; redraws of it make no sense any more.
        if self.answer is not None:
            self._kept.put(self.answer, whole=self._whole)
        self._whole = False
        self.answer = None
        self.board = None
        self.finished = None
        self._sides.clear()

    def _recall(self, params: Any = None) -> None:
        if self.view is None:
            return
        if not isinstance(params, self.view.Params):
            params = self._used.of(self.view, self.image, live=self.live)
        self.params = resolved(params, self.info) if self.info is not None else params
        if self.image is not None:
            self.params = self.photo_truth.into(self.params, self.image.key)
        self._remember()

    def _remember(self) -> None:
        if self.view is not None:
            self._used.put(self.view, self.image, self.params)

    @property
    def last_params(self) -> dict[str, Any]:
        """By view name, in the order of use: the parameters used last."""
        return dict(self._used.last)
