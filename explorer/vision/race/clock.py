"""Seconds of every stage of a detector."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

STAGES = ("proposals", "resize", "network", "pooling", "head", "suppression")
"""In their order; R-CNN's "resize" is the warping of every region."""


class Clock:
    """Adds up the seconds that were spent in each stage.

    On a graphics processor, which works on while Python goes ahead, it waits at both ends.

    Attributes:
        seconds: By stage.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._wait: Callable[[], Any] | None = None
        if device.type == "cuda":
            self._wait = lambda: torch.cuda.synchronize(device)

    def now(self) -> float:
        """Seconds of a clock that only goes forward, after everything asked for is done."""
        if self._wait is not None:
            self._wait()
        return perf_counter()

    def add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What happens inside counts for `name`."""
        start = self.now()
        yield
        self.add(name, self.now() - start)

    @contextmanager
    def watching(self, parts: dict[str, tuple[nn.Module, ...]], rest: str) -> Iterator[None]:
        """The forwards of modules count for the stage they are listed under, all else for `rest`.

        Args:
            parts: By stage; none of the modules may lie inside another one.
            rest: The stage that gets what is left.
        """
        begun = self.now()
        before = sum(self.seconds.values())
        with ExitStack() as stack:
            for stage, modules in parts.items():
                for module in modules:
                    for handle in self._watch(module, stage):
                        stack.callback(handle.remove)
            yield
        within = sum(self.seconds.values()) - before
        self.add(rest, max(0.0, self.now() - begun - within))

    def _watch(self, module: nn.Module, stage: str) -> tuple[Any, Any]:
        starts: list[float] = []

        def enter(_module: nn.Module, _inputs: Any) -> None:
            starts.append(self.now())

        def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
            self.add(stage, self.now() - starts.pop())

        return module.register_forward_pre_hook(enter), module.register_forward_hook(leave)
