"""What was found out about a network's runtimes on this computer, kept on disk.

An entry holds both times, and the exported network where it is the faster one. What does not fit
its checksum, or is no entry at all, counts as missing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torchvision

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes
from explorer.core.storage.disk_cache import DiskCache
from explorer.networks.digest import weights_digest
from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from explorer.core.storage.disk_cache import Entry
    from explorer.networks.fast.dense import DensePart

log = logging.getLogger(__name__)

VERSION = 1
"""Of what is written; another one is another entry."""

KIND = "live-runtime"
MODEL, DECISION = "model.onnx", "decision.json"
MOST_SECONDS = 3600.0
"""Of a frame, in an entry that is not damaged."""

MOST_BYTES = 2 * 1024**3
"""Of an exported network: the most that one ONNX file can hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Which runtime is faster.

    Attributes:
        torch_seconds: Median for a frame.
        onnx_seconds: The same; it is the faster one when it is smaller.
        model: The ONNX file; b"" where it is the slower one.
    """

    torch_seconds: float
    onnx_seconds: float
    model: bytes

    @property
    def faster(self) -> bool:
        return self.onnx_seconds < self.torch_seconds


def entry_for(name: str, part: DensePart, shape: tuple[int, ...]) -> Entry:
    """Where the decision about a network is kept: by all that it depends on.

    Args:
        name: Of the network; its heads on regions, which take part in the times, are no weights of
            the part.
        part: Its dense part: weights, and the settings of layers.
        shape: Of the part's input.
    """
    structure = hashlib.sha256(repr(part).encode()).hexdigest()
    return DiskCache().entry(
        KIND, version=VERSION, network=name, digest=weights_digest(part),
        structure=structure, shape=list(shape), torch=torch.__version__,
        torchvision=torchvision.__version__, onnxruntime=needed("onnxruntime").__version__,
        threads=torch.get_num_threads(), cores=os.cpu_count(), processor=processor(),
    )  # fmt: skip


def read(entry: Entry) -> Decision | None:
    """What was decided; None when nothing was, or the entry is damaged."""
    if not entry.complete:
        return None
    try:
        found: dict[str, Any] = json.loads(entry.file(DECISION).read_bytes())
        by_torch, by_onnx = float(found["torch_seconds"]), float(found["onnx_seconds"])
        if not (0.0 < by_torch < MOST_SECONDS and 0.0 < by_onnx < MOST_SECONDS):
            raise ValueError(f"times of {by_torch} and {by_onnx} seconds")
        decision = Decision(by_torch, by_onnx, b"")
        if not decision.faster:
            return decision
        if os.path.getsize(entry.file(MODEL)) > MOST_BYTES:
            raise ValueError("the network is too large")
        model = entry.file(MODEL).read_bytes()
        if hashlib.sha256(model).hexdigest() != found["sha256"]:
            raise ValueError("the network does not fit its checksum")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        log.warning("%s is damaged and made again: %s", entry.path, error)
        return None
    return replace(decision, model=model)


def write(entry: Entry, decision: Decision) -> None:
    """Keeps a decision; where that is impossible, it is made again the next time."""
    model = decision.model if decision.faster else b""
    found = {
        "torch_seconds": decision.torch_seconds,
        "onnx_seconds": decision.onnx_seconds,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    try:
        with entry.filling() as free:
            if not free:
                return  # another program is writing the same
            if model:
                write_bytes(entry.file(MODEL), model)
            write_bytes(entry.file(DECISION), json.dumps(found).encode("ascii"))
            DiskCache().finish(entry)
    except (ExplorerError, OSError) as error:
        log.warning("the faster runtime is not remembered: %s", error)


@cache
def processor() -> str:
    """The processor's name, as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
