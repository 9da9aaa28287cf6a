"""How long each call of a module takes: the median over several warm passes."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from explorer.networks.hooks import observed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from explorer.networks.onnx.runtime import RuntimeModule
    from explorer.vision.graph.nodes import Graph

Key = tuple[str, int]
"""The dotted name of a module and how often it had been called before, in the same pass."""


class Stopwatch:
    """Times whole passes of a network; the one that recorded its graph was the warm-up.

    A GPU is waited for at both ends of every call, as its work would be counted somewhere else
    otherwise. So the sum is a little more than an undisturbed pass takes.

    Attributes:
        passes: How many were timed.
        spent: Seconds of all of them.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._module = module
        self._device = device
        self._seconds: dict[Key, list[float]] = defaultdict(list)
        self.passes = 0
        self.spent = 0.0

    @torch.no_grad()
    def time(self, run: Callable[[], object]) -> None:
        """One more pass; `run` calls the network once."""
        started: list[float] = []
        times: dict[str, int] = defaultdict(int)
        found: list[tuple[Key, float]] = []

        def before(name: str, _module: nn.Module, _inputs: tuple[Any, ...]) -> None:
            started.append(self._now())

        def after(name: str, _module: nn.Module, _inputs: tuple[Any, ...], _output: Any) -> None:
            found.append(((name, times[name]), self._now() - started.pop()))
            times[name] += 1

        start = self._now()
        with observed(self._module, before, after):
            run()
        self.spent += self._now() - start
        for key, seconds in found:
            self._seconds[key].append(seconds)
        self.passes += 1

    def medians(self) -> Mapping[Key, float]:
        """Seconds of every call, its parts included."""
        return {key: median(seconds) for key, seconds in self._seconds.items()}

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return perf_counter()


class RuntimeStopwatch(Stopwatch):
    """Times the nodes of a file that runs in ONNX Runtime, as it does itself."""

    def __init__(self, module: RuntimeModule, device: torch.device) -> None:
        super().__init__(module, device)
        self._runtime = module

    @torch.no_grad()
    def time(self, run: Callable[[], object]) -> None:
        """One more pass, and one before it to warm up; `run` calls the network once."""
        start = self._now()
        with self._runtime.profiled() as seconds:
            run()
            run()
        self.spent += self._now() - start
        for layer, duration in seconds.items():
            self._seconds[layer, 0].append(duration)
        self._seconds["", 0].append(sum(seconds.values()))
        self.passes += 1


def with_blocks(graph: Graph, seconds: Mapping[Key, float]) -> Mapping[Key, float]:
    """The times of all calls: those of blocks that are mere names are the sums of their nodes'."""
    found = dict(seconds)
    for call in graph.calls:
        key = call.path, call.number
        if not call.leaf and key not in found:
            inside = {graph.calls[node.call] for node in graph.inside(call.index)}
            times = [seconds[each.path, each.number] for each in inside
                     if (each.path, each.number) in seconds]  # fmt: skip
            if times:
                found[key] = sum(times)
    return found
