"""What lives on the runner's thread: networks, scenes, and the way from a question to its steps.

The window and the command line ask in the same words: an `Ask` goes in, steps of `Answer` come out.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import resolved
from explorer.core.step import Step
from explorer.engine.actions import joining
from explorer.engine.answer import Answer, Ask, Side
from explorer.engine.question import check_suits
from explorer.engine.references import Opened, Photos, check_task, named, spec_of
from explorer.engine.scene import Moment, Scene
from explorer.live.pace import Governor, Pace
from explorer.networks import catalog
from explorer.networks.fast.folding import at_share, fast
from explorer.networks.hooks import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from explorer.core.network_info import NetworkSpec
    from explorer.core.runner import Token
    from explorer.engine.actions import Made
    from explorer.engine.view import Action, View
    from explorer.images.image import Image
    from explorer.live.slot import Shot, Slot
    from explorer.networks.network import Network

log = logging.getLogger(__name__)

AS_IT_IS = Pace()
"""The network's own input size, whatever the rate."""

MOST_NETWORKS = 3
"""Kept in memory, unless one question needs more at once."""
MOST_SCENES = 6
WAIT_SECONDS = 0.1
"""So long a live job waits for a frame before other jobs get a turn."""


class Engine:
    """Keeps the last few networks and scenes; every method runs on the runner's thread."""

    def __init__(self) -> None:
        self._networks: OrderedDict[NetworkSpec, Network] = OrderedDict()
        self._fast: dict[NetworkSpec, Network] = {}
        self._scenes: OrderedDict[tuple[NetworkSpec | None, str, int], Scene] = OrderedDict()
        self._photos = Photos()

    def network(
        self, spec: NetworkSpec, keep: frozenset[NetworkSpec] = frozenset()
    ) -> Generator[Step[None], Any, Network]:
        """Loads the network of `spec`, at most once while it is among the last few used.

        The steps tell how far a download or a load is; the generator's return value is the network.

        Args:
            spec: Which one.
            keep: Networks of the same question, which must not make room for it.
        """
        if spec not in self._networks:
            network = yield from catalog.load(spec)
            self._networks[spec] = network
            others = [other for other in self._networks if other != spec and other not in keep]
            for old in others[: max(0, len(self._networks) - MOST_NETWORKS)]:
                self._drop(old)
        self._networks.move_to_end(spec)
        return self._networks[spec]

    def release(self, name: str) -> None:
        """Forgets the network of that name, which is another one now, and what it has computed."""
        for spec in [spec for spec in self._networks if spec.name == name]:
            self._drop(spec)

    def _drop(self, spec: NetworkSpec) -> None:
        del self._networks[spec]
        self._fast.pop(spec, None)
        for key in [key for key in self._scenes if key[0] == spec]:
            del self._scenes[key]

    def keep(self, network: Network) -> None:
        """Takes a network that was made elsewhere: its `spec` names it from now on."""
        self._networks[network.info.spec] = network

    def scene(self, network: Network | None, image: Image | None, seed: int) -> Scene:
        spec = None if network is None else network.info.spec
        key = (spec, "" if image is None else image.key, seed)
        if key not in self._scenes:
            self._scenes[key] = Scene(network, image, seed)
            while len(self._scenes) > MOST_SCENES:
                self._scenes.popitem(last=False)
        self._scenes.move_to_end(key)
        return self._scenes[key]

    def forget(self) -> None:
        """Frees every scene's memory (networks stay).

        Cycles are left to the window's own collector: collecting on this thread could free widgets.
        """
        for scene in self._scenes.values():
            scene.forget()
        self._scenes.clear()
        self._photos.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # -- questions --------------------------------------------------------------------------------

    def steps(self, ask: Ask, token: Token) -> Generator[Step[Answer], Any, None]:
        """A job for the runner: loads what is needed, then the view's own steps.

        Raises:
            ExplorerError: For whatever the user can mend; out of memory is one of those.
        """
        network, main, sides = yield from self._set_up(ask)
        info = network.info if network is not None else None
        scene = self.scene(network, ask.image, ask.seed)
        if ask.fresh:
            scene.forget()
            ask = replace(ask, fresh=False)
        scene.opened, params = main.opened or Opened(), main.params
        made: list[Made] = []
        inner = joining(_computation(ask)(scene, params), made)
        news: Any = None
        steered = False
        answer = Answer(ask, info, params, None)
        try:
            while (step := self._next(inner, scene, news, token)) is not None:
                answer = Answer(ask, info, params, step.value, steered=steered)
                news = yield Step(answer, step.done, step.total, step.note)
                if news is not None:
                    steered = True
                    news = params = resolved(news, info)
                    ask = replace(ask, params=params)
        finally:
            inner.close()
        if made:
            answer = replace(answer, made=tuple(made))
            yield Step(answer, 0, 0, made[0].title)
        for side in sides:
            answer = replace(answer, beside=(*answer.beside, self._side(side, scene, token)))
            news = yield Step(answer, 0, 0, side.view.title)
            if news is not None:  # the main view's listener is gone: it starts again
                yield from self.steps(replace(ask, params=resolved(news, info)), token)
                return

    def act(self, ask: Ask, action: Action, token: Token) -> Generator[Step[Answer], Any, None]:
        """A job for the runner: an action of the view, on the photo that it shows.

        The steps carry no result; the last one has the networks that were made.

        Raises:
            ExplorerError: As `steps`; what was made cannot be written.
        """
        network, main, _ = yield from self._set_up(replace(ask, beside=()))
        scene = self.scene(network, ask.image, ask.seed)
        scene.opened = main.opened or Opened()
        made: list[Made] = []
        assert action.run is not None, "it begins a job, which is the window's to do"
        inner = joining(action.run(scene, main.params), made)
        answer = Answer(ask, None if network is None else network.info, main.params, None)
        try:
            while (step := self._next(inner, scene, None, token)) is not None:
                yield Step(answer, step.done, step.total, step.note)
        finally:
            inner.close()
        yield Step(replace(answer, made=tuple(made)), 1, 1, action.title)

    def follow(
        self, ask: Ask, slot: Slot, token: Token, pace: Pace = AS_IT_IS
    ) -> Generator[Step[Answer], Any, None]:
        """A live job for the runner: the view on the newest frame, again and again.

        Every step is the whole answer about one frame, `Answer.shot`; frames that come meanwhile
        are left out. Parameters that are sent apply from the next frame on, or at once to the last
        one while none comes. It ends when the slot is closed.

        Args:
            ask: The question; its `image` stands for the source: frames have its name and key.
            slot: Where the frames come from.
            token: Asked inside every forward pass.
            pace: The network's input size for frames.

        Raises:
            ExplorerError: As `steps`; a view that cannot follow frames is one more reason.
        """
        if not ask.view.live:
            raise ExplorerError(
                f"{ask.view.title} does not support films or cameras.",
                "Freeze a frame to use this view.",
            )
        yield from self._frames(ask, _newest(slot), token, pace, {})

    def film(
        self, ask: Ask, shots: Iterable[Shot], token: Token, memory: dict[str, Any] | None = None
    ) -> Generator[Step[Answer], Any, None]:
        """The view on every one of `shots`, in their order; each is asked for when it is its turn.

        Args:
            ask: The question; its `image` stands for the film: frames have its name and key.
            shots: The frames.
            token: Asked inside every forward pass.
            memory: What views have carried up to the first of `shots`; it is changed on the way.

        Raises:
            ExplorerError: As `follow`.
        """
        if not ask.view.live:
            raise ExplorerError(
                f"{ask.view.title} does not support films.", "Choose another view, or a photo."
            )
        yield from self._frames(ask, shots, token, AS_IT_IS, {} if memory is None else memory)

    def _frames(
        self,
        ask: Ask,
        shots: Iterable[Shot | None],
        token: Token,
        pace: Pace,
        memory: dict[str, Any],
    ) -> Generator[Step[Answer], Any, None]:
        """The whole answer about every one of `shots`; None among them = none came in time."""
        whole, main, beside = yield from self._set_up(ask)
        network = None if whole is None else self._live(whole, ask)
        info = None if network is None else network.info
        sides = [main, *beside]
        shot: Shot | None = None
        answer = Answer(ask, info, main.params, None)
        changed = False
        layers: frozenset[str] = frozenset()
        governor = Governor(pace)
        tracer = 0
        for newer in shots:
            shot = newer or shot
            if shot is None or (newer is None and not changed):
                news = yield Step(answer, 0, 0, "waiting for a frame")
            else:
                assert ask.image is not None
                image = replace(ask.image, pixels=shot.pixels)
                share = governor.share
                sized = None if network is None else at_share(network, share)
                moment = Moment(shot.number, shot.position, memory, layers)
                scene = Scene(sized, image, ask.seed, moment)
                began = time.perf_counter()
                # A view that traces the network goes first: the others reuse its output.
                for at in sorted(range(len(sides)), key=lambda at: at != tracer):
                    before = scene.traced
                    sides[at] = self._side(sides[at], scene, token, own=at > 0)
                    if scene.traced and not before:
                        tracer = at
                governor.took(time.perf_counter() - began)
                layers = frozenset(scene.asked)
                main, *beside = sides
                answer = Answer(
                    replace(ask, image=image, params=main.params), info, main.params, main.result,
                    shot, tuple(beside), main.seconds, share if sized is not network else 1.0,
                )  # fmt: skip
                news = yield Step(answer, 0, 0, "live")
            changed = news is not None
            if changed:
                sides[0] = yield from self._prepared(ask, ask.view, news, whole)

    # -- before the first step --------------------------------------------------------------------

    def _set_up(
        self, ask: Ask
    ) -> Generator[Step[Answer], Any, tuple[Network | None, Side, list[Side]]]:
        """Everything that a question needs: its network, and what its parameters name."""
        view, network = ask.view, None
        if view.needs.photo and ask.image is None:
            raise ExplorerError(f"{view.title} needs a photo.", "Open one.")
        if view.needs.network and ask.spec is None:
            raise ExplorerError(f"{view.title} needs a network.", "Choose one.")
        wanted = view.needs.network or any(other.needs.network for other, _ in ask.beside)
        if ask.spec is not None and wanted:
            try:
                network = yield from self._loaded(ask, ask.spec, frozenset())
            except ExplorerError as error:
                error.about = error.about or "network"
                raise
        if network is not None:
            if not view.suits(network.info.task):  # told first: it may be in no list
                yield Step(Answer(ask, network.info, ask.params, None))
            check_suits(view, network.info)
        main = yield from self._prepared(ask, view, ask.params, network)
        sides = []
        for other, params in ask.beside:
            try:
                side = yield from self._prepared(ask, other, params, network)
            except ExplorerError as error:
                side = Side(other, params, None, 0.0, f"{other.title}: {error.message}")
            sides.append(side)
        return network, main, sides

    def _prepared(
        self, ask: Ask, view: View[Any, Any], params: Any, network: Network | None
    ) -> Generator[Step[Answer], Any, Side]:
        """A view with its parameters as this network takes them, and what they name opened."""
        if network is None and view.needs.network:
            raise ExplorerError("It needs a network.")
        if network is not None and not view.suits(network.info.task):
            raise ExplorerError(f"It does not suit {network.info.title}.")
        if ask.image is None and view.needs.photo:
            raise ExplorerError("It needs a photo.")
        info = None if network is None else network.info
        params = resolved(params, info)
        wanted = named(view, params, info)
        specs = {ref: spec_of(ref, ask.spec) for ref in wanted.networks}
        keep = frozenset(specs.values()) | ({ask.spec} if ask.spec is not None else set())
        networks = {}
        for ref, parameter in wanted.networks.items():
            networks[ref] = yield from self._loaded(ask, specs[ref], keep)
            check_task(networks[ref], parameter)
        images = {ref: self._photos.get(ref) for ref in wanted.images}
        return Side(view, params, None, 0.0, opened=Opened(networks, images))

    def _loaded(
        self, ask: Ask, spec: NetworkSpec, keep: frozenset[NetworkSpec]
    ) -> Generator[Step[Answer], Any, Network]:
        loading = self.network(spec, keep)
        try:
            while True:
                step = next(loading)
                yield Step(Answer(ask, None, ask.params, None), step.done, step.total, step.note)
        except StopIteration as end:
            network: Network = end.value
            return network
        finally:
            loading.close()

    def _live(self, network: Network, ask: Ask) -> Network:
        """The network for frames: a faster copy when no view needs the inside."""
        views = (ask.view, *(view for view, _ in ask.beside))
        if not all(view.answer_only for view in views if view.needs.network):
            return network
        spec = network.info.spec
        if spec not in self._fast:
            try:
                self._fast[spec] = fast(network)
            except (RuntimeError, TypeError) as error:  # a module that cannot be copied
                log.info("%s is used as it is: %s", network.info.title, error)
                self._fast[spec] = network
        return self._fast[spec]

    # -- one view on one scene --------------------------------------------------------------------

    def _side(self, side: Side, scene: Scene, token: Token, *, own: bool = True) -> Side:
        """The side with its result; with `own` its trouble is its own, else that of the job."""
        if side.opened is None:
            return side
        view, began = side.view, time.perf_counter()
        result, problem = None, ""
        scene.opened = side.opened
        try:
            result = self._whole(view, side.params, scene, token)
        except ExplorerError as error:
            if not own:
                raise
            problem = f"{view.title}: {error.message}"
        return replace(side, result=result, seconds=time.perf_counter() - began, problem=problem)

    def _whole(self, view: View[Any, Any], params: Any, scene: Scene, token: Token) -> Any:
        inner, result = view.compute(scene, params), None
        try:
            while (step := self._next(inner, scene, None, token)) is not None:
                result = step.value
        finally:
            inner.close()
        return result

    def _next(
        self, inner: Generator[Step[Any], Any, Any], scene: Scene, news: Any, token: Token
    ) -> Step[Any] | None:
        """The next step of a view's computation; None after the last."""
        try:
            with ExitStack() as stack:
                for network in scene.networks:
                    stack.enter_context(interruptible(network.module, lambda: token.cancelled))
                return inner.send(news)
        except StopIteration:
            return None
        except (RuntimeError, MemoryError) as error:
            if not is_oom(error):
                raise
        self.forget()  # outside the except: the traceback holds the tensors
        raise ExplorerError(
            "There is not enough memory for this.",
            "Choose a smaller size, fewer layers, a smaller network or the CPU.",
        )


def _computation(ask: Ask) -> Callable[[Scene, Any], Generator[Step[Any], Any, Any]]:
    job = ask.view.job
    return job.survey if ask.survey and job is not None and job.survey else ask.view.compute


def _newest(slot: Slot) -> Iterator[Shot | None]:
    """The newest frame of the slot again and again until it is closed; None = none in time."""
    seen = -1
    while not slot.closed:
        shot = slot.take(seen, WAIT_SECONDS)
        seen = seen if shot is None else shot.number
        yield shot


def is_oom(error: BaseException) -> bool:
    """True when a device or the machine has run out of memory (a CPU raises RuntimeError)."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "not enough memory" in words or "can't allocate memory" in words or "out of memory" in words
    )
