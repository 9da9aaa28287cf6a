"""What lives on the runner's thread: networks, scenes, and the way from a question to its steps.

The window and the command line ask in the same words: an `Ask` goes in, steps of `Answer` come out.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import resolved
from explorer.core.step import Step
from explorer.engine.scene import Moment, Scene
from explorer.live.pace import Governor, Pace
from explorer.networks import catalogue
from explorer.networks.fast.folding import at_share, fast
from explorer.networks.hooks import interruptible

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.core.runner import Token
    from explorer.engine.view import View
    from explorer.images.image import Image
    from explorer.live.slot import Shot, Slot
    from explorer.networks.network import Network

log = logging.getLogger(__name__)

AS_IT_IS = Pace()
"""The network's own input size, whatever the rate."""

MOST_NETWORKS = 3
MOST_SCENES = 6
WAIT_SECONDS = 0.1
"""So long a live job waits for a frame before other jobs get a turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One question: this view of this network on this photo with these parameters.

    `beside` are more views, with their parameters, that look at the same photo with the same
    network.
    """

    view: View[Any]
    spec: NetworkSpec
    image: Image
    params: Any
    seed: int = 0
    beside: tuple[tuple[View[Any], Any], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What a view beside the main one found: a `result`, or a `problem` in a sentence."""

    view: View[Any]
    params: Any
    result: Any
    seconds: float
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came out so far: `result` is None while the network is loading.

    `shot` is the frame that it is about when a film or a camera is followed, `seconds` how long the
    view took for it, `share` the part of the network's own input size that it was looked at with.
    """

    ask: Ask
    info: NetworkInfo | None
    params: Any
    result: Any
    shot: Shot | None = None
    beside: tuple[Side, ...] = ()
    seconds: float = 0.0
    share: float = 1.0


class Engine:
    """Keeps the last few networks and scenes; every method runs on the runner's thread."""

    def __init__(self) -> None:
        self._networks: OrderedDict[NetworkSpec, Network] = OrderedDict()
        self._fast: dict[NetworkSpec, Network] = {}
        self._scenes: OrderedDict[tuple[NetworkSpec, str, int], Scene] = OrderedDict()

    def network(self, spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
        """Loads the network of `spec`, at most once while it is among the last few used.

        The steps tell how far a download or a load is; the generator's return value is the network.
        """
        if spec not in self._networks:
            network = yield from catalogue.load(spec)
            self._networks[spec] = network
            while len(self._networks) > MOST_NETWORKS:
                old, _ = self._networks.popitem(last=False)
                self._fast.pop(old, None)
                for key in [key for key in self._scenes if key[0] == old]:
                    del self._scenes[key]
        self._networks.move_to_end(spec)
        return self._networks[spec]

    def scene(self, network: Network, image: Image, seed: int) -> Scene:
        key = (network.info.spec, image.key, seed)
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
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def steps(self, ask: Ask, token: Token) -> Generator[Step[Answer], Any, None]:
        """A job for the runner: loads what is needed, then the view's own steps.

        Raises:
            ExplorerError: For whatever the user can mend; out of memory is one of those.
        """
        network = yield from self._loaded(ask)
        info = network.info
        params = resolved(ask.params, info)
        scene = self.scene(network, ask.image, ask.seed)
        inner = ask.view.compute(scene, params)
        news: Any = None
        answer = Answer(ask, info, params, None)
        try:
            while (step := self._next(inner, network, news, token)) is not None:
                answer = Answer(ask, info, params, step.value)
                news = yield Step(answer, step.done, step.total, step.note)
                if news is not None:
                    news = params = resolved(news, info)
                    ask = replace(ask, params=params)
        finally:
            inner.close()
        for view, its_params in ask.beside:
            side = self._side(Side(view, its_params, None, 0.0), scene, token)
            answer = replace(answer, beside=(*answer.beside, side))
            news = yield Step(answer, 0, 0, view.title)
            if news is not None:  # the main view has nobody to listen any more: it starts again
                yield from self.steps(replace(ask, params=resolved(news, info)), token)
                return

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
            pace: How large the network looks at frames.

        Raises:
            ExplorerError: As `steps`; a view that cannot follow frames is one more reason.
        """
        if not ask.view.live:
            raise ExplorerError(
                f"{ask.view.title} cannot follow a film or a camera.",
                "Freeze a frame to look at it with this view.",
            )
        whole = yield from self._loaded(ask)
        network = self._live(whole, ask)
        params = resolved(ask.params, network.info)
        shot: Shot | None = None
        answer = Answer(ask, network.info, params, None)
        changed = False
        memory: dict[str, Any] = {}
        layers: frozenset[str] = frozenset()
        governor = Governor(pace)
        tracer = 0
        while not slot.closed:
            newer = slot.take(-1 if shot is None else shot.number, WAIT_SECONDS)
            shot = newer or shot
            if shot is None or (newer is None and not changed):
                news = yield Step(answer, 0, 0, "waiting for a frame")
                if news is not None:
                    params, changed = resolved(news, network.info), True
                continue
            image = replace(ask.image, pixels=shot.pixels)
            moment = Moment(shot.number, shot.position, memory, layers)
            share = governor.share
            scene = Scene(at_share(network, share), image, ask.seed, moment)
            began = time.perf_counter()
            main = Side(ask.view, params, None, 0.0)
            sides = [main, *(Side(view, its, None, 0.0) for view, its in ask.beside)]
            # Who follows the network step by step goes first: the others then read its answer.
            for at in sorted(range(len(sides)), key=lambda at: at != tracer):
                before = scene.traced
                sides[at] = self._side(sides[at], scene, token, own=at > 0)
                if scene.traced and not before:
                    tracer = at
            main, *beside = sides
            governor.took(time.perf_counter() - began)
            layers = frozenset(scene.asked)
            answered = replace(ask, image=image, params=params)
            answer = Answer(
                answered, network.info, params, main.result, shot, tuple(beside), main.seconds,
                share if scene.network is not network else 1.0,
            )  # fmt: skip
            news = yield Step(answer, 0, 0, "live")
            changed = news is not None
            if changed:
                params = resolved(news, network.info)

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
                f"{ask.view.title} cannot follow a film.", "Choose another view, or a photo."
            )
        whole = yield from self._loaded(ask)
        network = self._live(whole, ask)
        params = resolved(ask.params, network.info)
        memory = {} if memory is None else memory
        layers: frozenset[str] = frozenset()
        for shot in shots:
            image = replace(ask.image, pixels=shot.pixels)
            scene = Scene(
                network, image, ask.seed, Moment(shot.number, shot.position, memory, layers)
            )
            result = self._whole(ask.view, params, scene, token)
            layers = frozenset(scene.asked)
            answered = replace(ask, image=image, params=params)
            yield Step(Answer(answered, network.info, params, result, shot))

    def _live(self, network: Network, ask: Ask) -> Network:
        """The network for frames: a faster copy when no view looks inside."""
        views = (ask.view, *(view for view, _ in ask.beside))
        if not all(view.answer_only for view in views):
            return network
        spec = network.info.spec
        if spec not in self._fast:
            try:
                self._fast[spec] = fast(network)
            except (RuntimeError, TypeError) as error:  # a module that cannot be copied
                log.info("%s is used as it is: %s", network.info.title, error)
                self._fast[spec] = network
        return self._fast[spec]

    def _side(self, side: Side, scene: Scene, token: Token, *, own: bool = True) -> Side:
        """The side with its result; with `own` its trouble is its own, else that of the job."""
        view, info, began = side.view, scene.network.info, time.perf_counter()
        result, problem = None, ""
        try:
            if not view.suits(info.task):
                raise ExplorerError(f"It does not go with {info.title}.")
            result = self._whole(view, resolved(side.params, info), scene, token)
        except ExplorerError as error:
            if not own:
                raise
            problem = f"{view.title}: {error.message}"
        return replace(side, result=result, seconds=time.perf_counter() - began, problem=problem)

    def _whole(self, view: View[Any], params: Any, scene: Scene, token: Token) -> Any:
        inner, result = view.compute(scene, params), None
        try:
            while (step := self._next(inner, scene.network, None, token)) is not None:
                result = step.value
        finally:
            inner.close()
        return result

    def _loaded(self, ask: Ask) -> Generator[Step[Answer], Any, Network]:
        loading = self.network(ask.spec)
        try:
            while True:
                step = next(loading)
                yield Step(Answer(ask, None, ask.params, None), step.done, step.total, step.note)
        except StopIteration as end:
            network: Network = end.value
        finally:
            loading.close()
        info = network.info
        if not ask.view.suits(info.task):
            raise ExplorerError(
                f"{ask.view.title} needs a network for {' or '.join(sorted(ask.view.tasks))}; "
                f"{info.title} does {info.task}.",
                "Choose another network.",
            )
        return network

    def _next(
        self, inner: Generator[Step[Any], Any, None], network: Network, news: Any, token: Token
    ) -> Step[Any] | None:
        """The next step of a view's computation; None after the last."""
        try:
            with interruptible(network.module, lambda: token.cancelled):
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


def is_oom(error: BaseException) -> bool:
    """True when a device or the machine has run out of memory (a CPU raises RuntimeError)."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "not enough memory" in words or "can't allocate memory" in words or "out of memory" in words
    )
