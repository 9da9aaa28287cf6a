"""Seconds of every stage of a detector."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

A = TypeVar("A")

STAGES = ("proposals", "resize", "network", "pooling", "head", "suppression")
"""In their order; R-CNN's "resize" is the warping of every region."""

RUNS = 5
"""So often a pass is measured, after one run to warm up; the median run counts."""

PATIENCE = 10.0
"""Seconds: what has been measured for longer is not measured again after three runs."""


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


@dataclass(slots=True, eq=False)
class Runs(Generic[A]):
    """The measured runs of one computation, of which the median counts.

    Attributes:
        kept: Of every run its seconds, its number and what is known of it.
    """

    kept: list[tuple[float, int, A]] = field(default_factory=list)

    def add(self, seconds: float, what: A) -> None:
        self.kept.append((seconds, len(self.kept), what))

    @property
    def enough(self) -> bool:
        """After `RUNS`, or after three slow ones."""
        slow = len(self.kept) == 3 and sum(seconds for seconds, *_ in self.kept) > PATIENCE
        return len(self.kept) >= RUNS or slow

    @property
    def median(self) -> A:
        """What is known of the median run."""
        return self._ascending()[len(self.kept) // 2][2]

    @property
    def seconds(self) -> tuple[float, ...]:
        """Of every run, ascending."""
        return tuple(seconds for seconds, *_ in self._ascending())

    def _ascending(self) -> list[tuple[float, int, A]]:
        return sorted(self.kept, key=lambda run: run[:2])
