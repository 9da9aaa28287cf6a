"""What is being looked at: photo, network, view and parameters, and the newest answer.

The window only shows what the study says and tells it what the user did. A change of a parameter
asks for no more than it must: `DRAW` draws the last answer again, `STEER` reaches a running
computation, `COMPUTE` replaces it.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.params import Effect, effect_of, inside, parameters, references, resolved
from explorer.core.runner import State, Update
from explorer.engine.finish import FinishedAnswer
from explorer.live.pace import Pace
from explorer.ui.shell.bridge import LOOK, TASKS, Bridge, Ready
from explorer.ui.truth.photo_truth import PhotoTruth, Truth

if TYPE_CHECKING:
    from explorer.core.layers import Board
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.view import Action, View
    from explorer.images.image import Image
    from explorer.live.slot import Slot
    from explorer.networks.entry import Entry
    from explorer.ui.shell.bridge import Receiver

log = logging.getLogger(__name__)

MOST_REMEMBERED = 500
FIRST_VIEW = "classify"


class Study(QObject):
    """The state behind the window.

    Signals:
        subject_changed: The photo, the view or the network is another one.
        params_changed: Parameters were changed by something else than the form.
        board_changed: The new `Board`.
        news: The `Update` of the look in progress.
        waiting: A look was submitted.
        said: A sentence for the user, about something the program did by itself.
        made: Networks that a look has made: `engine.actions.Made`s.
    """

    subject_changed = Signal()
    params_changed = Signal()
    board_changed = Signal(object)
    news = Signal(object)
    waiting = Signal()
    said = Signal(str)
    made = Signal(object)

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._ready: Ready | None = None
        self._remembered: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._last: dict[str, Any] = {}  # by view: the parameters that were used last, on any photo
        self.photo_truth = PhotoTruth()
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
        self.slot = slot
        self.image = image
        self._forget_answer()
        self._recall()
        self.subject_changed.emit()
        self.look()

    def clear(self) -> None:
        """No photo: nothing to look at."""
        self.cancel()
        self.image = self.slot = None
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
        self.view = view
        entry = self.entry()
        unfit = entry is not None and not view.suits(entry.task)
        if view.needs.network and (self.spec is None or unfit):
            self._switch_network(view, entry)
        self._recall(params)
        self.subject_changed.emit()
        self.look()

    def set_network(self, spec: NetworkSpec) -> None:
        """Looks with another network; a view that cannot use it gives way, and that is said."""
        self.device, self.half = spec.device, spec.half
        if spec == self.spec:
            return
        self._forget_answer()
        self.spec = spec
        self.info = None
        entry = self.entry()
        if self.view is not None and entry is not None and not self.view.suits(entry.task):
            other = next((view for view in self.views.values() if view.suits(entry.task)), None)
            if other is not None:
                self.said.emit(
                    self.tr("{view} cannot use {network}: showing {other} instead.").format(
                        view=self.view.title, network=entry.title, other=other.title
                    )
                )
                self.view = other
                self._recall()
        self.subject_changed.emit()
        self.look()

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

    def revisit(self, place: tuple[str, str], params: Any) -> None:
        """Parameters of an earlier time (undo), of the photo and the view that `place` names.

        They are shown on the photo of the moment; the ground truth stays with its own photo.
        """
        key, view = place
        self.photo_truth.take(params, key)
        if self.view is None or self.view.name != view:
            self.set_view(view, params)
            return
        here = self.image.key if self.image is not None else ""
        self.set_params(params if here == key else self.photo_truth.into(params, here))
        self.params_changed.emit()

    def restore(self, params: dict[str, Any]) -> None:
        """Parameters by view, from a session."""
        self._last.update(params)

    # -- looking ----------------------------------------------------------------------------------

    def look(self) -> None:
        """Asks for an answer when everything is there; whatever runs is replaced."""
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
        self.running = True
        self.submitted += 1
        offered = self.offered()
        beside = tuple((v, self._params_of(v)) for v in offered if v.name in self.beside)
        question = (self.view, self.spec, self.image, self.params, self.seed, beside)
        if self.slot is not None:
            self._bridge.follow(*question, self.slot, self.pace, receiver=self._on_update)
        else:
            self._bridge.look(*question, receiver=self._on_update)
        self.waiting.emit()

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

    def pause(self, paused: bool) -> None:
        self._bridge.pause(paused)

    def draw(self) -> None:
        """The board of the newest answer with the parameters of the moment."""
        if self.answer is None or self.answer.result is None or self.view is None:
            return
        began = time.perf_counter()
        self._sides.update((side.view.name, side) for side in self.answer.beside)
        # One that is still being worked out keeps its place with what it said before.
        sides = [self._sides[name] for name in self.beside if name in self._sides]
        self.finished = FinishedAnswer(self.answer, self._drawn_params(), sides)
        self.board = self.finished.bare
        self.board_changed.emit(self.board)
        self.drawing = time.perf_counter() - began

    # -- inside -----------------------------------------------------------------------------------

    def _params_of(self, view: View[Any, Any]) -> Any:
        """What a view beside the main one is asked with: what it was last used with."""
        image, last = self.image, self._last.get(view.name)
        key = image.key if image is not None else ""
        params = self._remembered.get((key, view.name))
        if params is None and isinstance(last, view.Params):
            # Of frames only a stand-in is known, which does not say where their edges are.
            still = image if image is not None and not self.live else None
            params = last if still is None else inside(last, still.width, still.height)
        if not isinstance(params, view.Params):
            params = view.Params()
        return self.photo_truth.into(params, key) if key else params

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
            if answer.info is not None and answer.info is not self.info:
                self.info = answer.info
                self.params = resolved(self.params, answer.info)
                self.params_changed.emit()
            if answer.result is not None and answer is not self.answer:
                self.answer = answer
                if answer.shot is not None:
                    self.image = answer.ask.image
                self.draw()
        if answer is not None and answer.made and update.state is State.DONE:
            self.made.emit(answer.made)
        self.news.emit(update)

    def _switch_network(self, view: View[Any, Any], old: Entry | None) -> None:
        assert self._ready is not None
        fitting = [task for task in TASKS if view.suits(task) and task in self._ready.defaults]
        if not fitting:
            if old is not None:
                self.said.emit(
                    self.tr("No network for {view} is at hand: choose one.").format(view=view.title)
                )
            return
        self.spec = self._on_device(self._ready.defaults[fitting[0]])
        self.info = None
        entry = self.entry()
        if old is not None and entry is not None:
            self.said.emit(
                self.tr("{view} needs another kind of network: using {network}.").format(
                    view=view.title, network=entry.title
                )
            )

    def _on_device(self, spec: NetworkSpec) -> NetworkSpec:
        return replace(spec, device=self.device, half=self.half)

    def _forget_answer(self) -> None:
        # The picture stays on the canvas until the next one; redraws of it make no sense any more.
        self.answer = None
        self.board = None
        self.finished = None
        self._sides.clear()

    def _recall(self, params: Any = None) -> None:
        if self.view is None:
            return
        if not isinstance(params, self.view.Params):
            params = self._params_of(self.view)
        self.params = resolved(params, self.info) if self.info is not None else params
        if self.image is not None:
            self.params = self.photo_truth.into(self.params, self.image.key)
        self._remember()

    def _remember(self) -> None:
        if self.view is None:
            return
        self._last[self.view.name] = self.params
        if self.image is not None:
            key = (self.image.key, self.view.name)
            self.photo_truth.take(self.params, self.image.key)
            self._remembered[key] = self.params
            self._remembered.move_to_end(key)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)

    @property
    def last_params(self) -> dict[str, Any]:
        """By view name: the parameters used last."""
        return dict(self._last)
