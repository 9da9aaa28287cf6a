"""Which runtime computes the frames of a network: both are timed here, and the faster one is taken.

While ONNX Runtime is being prepared in the background, torch answers. Then both compute a few
frames, in turns, and the choice is remembered. Nothing of this happens where ONNX Runtime is not
installed, or the network is not on the CPU in single precision.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from explorer.networks.fast import kept
from explorer.networks.fast.dense import alone, dense_part
from explorer.networks.fast.kept import Decision
from explorer.networks.fast.report import RuntimeReport
from explorer.networks.fast.runtime import InRuntime, UnusableError, prepared
from explorer.networks.onnx import packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.storage.disk_cache import Entry
    from explorer.networks.fast.dense import DensePart
    from explorer.networks.network import Network

log = logging.getLogger(__name__)

ROUNDS = 6
"""Frames that both compute; the first one, in which memory is set up, does not count."""

LEAST_ROUNDS = 3
ENOUGH_SECONDS = 4.0
"""After which no more frames are timed."""

MOST_SIZES = 3
"""Of inputs, for which ONNX Runtime is kept ready."""


@dataclass(slots=True, eq=False)
class _Size:
    """One size of frames: what was found out about it."""

    entry: Entry | None = None
    report: RuntimeReport = field(default_factory=lambda: RuntimeReport("preparing"))
    thread: threading.Thread | None = None
    runtime: InRuntime | None = None
    decision: Decision | None = None
    problem: str = ""
    torch_times: list[float] = field(default_factory=list)
    onnx_times: list[float] = field(default_factory=list)


class Runtimes:
    """Of one network for frames; touched by the runner's thread only.

    Attributes:
        report: About the last frame; None = torch alone is used.
    """

    def __init__(self, network: Network) -> None:
        self.report: RuntimeReport | None = None
        self._network = network
        self._part: DensePart | None = None
        if _is_suited(network):
            self._part = dense_part(network.module, batched=network.preprocess.batched)
        self._sizes: OrderedDict[tuple[Any, ...], _Size] = OrderedDict()
        self._stopped = threading.Event()

    def form(self, sized: Network, pixels: NDArray[Any], share: float) -> Network:
        """`sized` in the runtime that its next frame is computed with.

        Args:
            sized: The network at its share of the input size.
            pixels: Of the frame, (H, W, 3).
            share: That share.
        """
        part = self._part
        if part is None:
            return sized
        key = (pixels.shape, share)
        if key not in self._sizes:
            self._begin(key, part, sized, pixels)
        self._sizes.move_to_end(key)
        size = self._sizes[key]
        self._settle(size)
        self.report = size.report
        if size.runtime is None or size.report.stage == "preparing":
            return sized
        form = part.replaced(sized.module, size.runtime).eval()
        if size.report.stage == "measuring":
            return replace(sized, module=_Both(sized.module, form, size))
        return replace(sized, module=form) if size.report.faster else sized

    def computes(self, pixels: NDArray[Any], share: float) -> bool:
        """Whether ONNX Runtime is in use for such frames."""
        size = self._sizes.get((pixels.shape, share))
        return size is not None and size.report.faster

    def stop(self) -> None:
        """What is being prepared is no longer needed."""
        self._stopped.set()

    def wait(self) -> None:
        """Returns when nothing is being prepared or written any more."""
        for size in self._sizes.values():
            if size.thread is not None:
                size.thread.join()

    # -- inside -----------------------------------------------------------------------------------

    @torch.no_grad()
    def _begin(
        self, key: tuple[Any, ...], part: DensePart, sized: Network, pixels: NDArray[Any]
    ) -> None:
        values = sized.preprocess(pixels)
        shown = values if sized.preprocess.batched else list(values)
        images = part.images(sized.module, shown)
        size, name, own = _Size(), self._network.info.spec.name, alone(part)

        def prepare() -> None:
            try:
                size.entry = kept.entry_for(name, own, tuple(images.shape))
                size.runtime, size.decision = prepared(
                    own, part, images, size.entry, lambda: not self._stopped.is_set()
                )
            except UnusableError as error:
                size.problem = str(error)
            # A defect here must not take the picture away: torch computes it anyway.
            except Exception as error:
                log.exception("ONNX Runtime could not be prepared")
                size.problem = f"{type(error).__name__}: {error}"

        self._start(size, prepare)
        self._sizes[key] = size
        while len(self._sizes) > MOST_SIZES:
            self._sizes.popitem(last=False)

    def _start(self, size: _Size, work: Callable[[], None]) -> None:
        # No daemon: one that ends inside torch, with the program, would abort it.
        size.thread = threading.Thread(target=work, name="runtime")
        size.thread.start()

    def _settle(self, size: _Size) -> None:
        """Brings the report up to date."""
        problem = size.problem or (size.runtime.problem if size.runtime is not None else "")
        if problem and size.report.stage != "failed":
            size.report = RuntimeReport(
                "failed",
                problem=f"ONNX Runtime cannot be used for {self._network.info.title}: {problem}.",
                hint="Live continues with PyTorch.",
            )
            size.runtime = None
        elif size.report.stage == "preparing" and size.thread and not size.thread.is_alive():
            if size.decision is not None:
                size.report = _chosen(size.decision)
            else:
                size.report = RuntimeReport("measuring")
        elif size.report.stage == "measuring" and _is_enough(size):
            assert size.runtime is not None
            assert size.entry is not None
            decision = Decision(
                median(size.torch_times[1:]), median(size.onnx_times[1:]), size.runtime.model
            )
            size.report = _chosen(decision)
            entry = size.entry
            self._start(size, lambda: kept.write(entry, decision))
            size.runtime.model = b""
            if not decision.faster:
                size.runtime = None


class _Both(nn.Module):
    """Computes an image in both runtimes and notes the times; the answer is torch's."""

    def __init__(self, module: nn.Module, form: nn.Module, size: _Size) -> None:
        super().__init__()
        self.module, self.form = module, form
        self._size = size

    def forward(self, shown: Any) -> Any:
        size = self._size
        pair = [(self.module, size.torch_times), (self.form, size.onnx_times)]
        answers = []
        # In turns: what the first one leaves in the caches helps the second.
        for module, times in pair if len(size.torch_times) % 2 else reversed(pair):
            began = time.perf_counter()
            answers.append((module, module(shown)))
            times.append(time.perf_counter() - began)
        return next(answer for module, answer in answers if module is self.module)


def _is_enough(size: _Size) -> bool:
    rounds = len(size.torch_times)
    spent = sum(size.torch_times) + sum(size.onnx_times)
    return rounds >= ROUNDS or (rounds >= LEAST_ROUNDS and spent > ENOUGH_SECONDS)


def _chosen(decision: Decision) -> RuntimeReport:
    return RuntimeReport("chosen", decision.faster, decision.torch_seconds, decision.onnx_seconds)


def _is_suited(network: Network) -> bool:
    single = network.dtype == torch.float32 and network.device.type == "cpu"
    return single and packages.has_runtime()
