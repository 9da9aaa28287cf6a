"""What lives on the runner's thread: networks, scenes, and the way from a question to its steps.

The window and the command line ask in the same words: an `Ask` goes in, steps of `Answer` come out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from explorer.errors import ExplorerError
from explorer.networks import catalogue
from explorer.scene import Scene
from explorer.view import Step, View, resolved
from explorer.vision.hooks import interruptible

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.image import Image
    from explorer.networks.network import Network, NetworkInfo, NetworkSpec
    from explorer.runner import Token

MOST_NETWORKS = 3
MOST_SCENES = 6


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One question: this view of this network on this photo with these parameters."""

    view: View[Any]
    spec: NetworkSpec
    image: Image
    params: Any
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came out so far: `result` is None while the network is loading."""

    ask: Ask
    info: NetworkInfo | None
    params: Any
    result: Any


class Engine:
    """Keeps the last few networks and scenes; every method runs on the runner's thread."""

    def __init__(self) -> None:
        self._networks: OrderedDict[NetworkSpec, Network] = OrderedDict()
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
        params = resolved(ask.params, info)
        scene = self.scene(network, ask.image, ask.seed)
        inner = ask.view.compute(scene, params)
        news: Any = None
        try:
            while True:
                out_of_memory = False
                try:
                    with interruptible(network.module, lambda: token.cancelled):
                        answer = inner.send(news)
                except StopIteration:
                    return
                except (RuntimeError, MemoryError) as error:
                    if not is_oom(error):
                        raise
                    out_of_memory = True
                if out_of_memory:  # outside the except: the traceback holds the tensors
                    self.forget()
                    raise ExplorerError(
                        "There is not enough memory for this.",
                        "Choose a smaller size, fewer layers, a smaller network or the CPU.",
                    )
                news = yield Step(
                    Answer(ask, info, params, answer.value), answer.done, answer.total, answer.note
                )
                if news is not None:
                    news = params = resolved(news, info)
                    ask = replace(ask, params=params)
        finally:
            inner.close()


def is_oom(error: BaseException) -> bool:
    """True when a device or the machine has run out of memory (a CPU raises RuntimeError)."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "not enough memory" in words or "can't allocate memory" in words or "out of memory" in words
    )
