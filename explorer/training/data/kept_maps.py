"""What a frozen body says about crops of people, kept on disk: it is asked once for each crop.

The body takes ten times as long as a small head that learns on it.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.training.loop import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.training.data.pool import Joints

log = logging.getLogger(__name__)

CONTENT = "content.json"
"""Written last: a folder without it is not complete."""

AT_ONCE = 16
EVERY = 60.0
"""Seconds between two messages."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptMaps:
    """The maps of N crops, float16, one array for each map; and the crops' joints (N, J, 3)."""

    maps: tuple[NDArray[np.float16], ...]
    joints: Joints

    def __len__(self) -> int:
        return len(self.joints)

    def batch(
        self, numbers: NDArray[np.int64], device: torch.device
    ) -> tuple[list[Tensor], Tensor]:
        """Maps (n, C, h, w) float32, channels last, and joints (n, J, 3) of those numbers."""
        maps = [
            torch.from_numpy(kept[numbers]).to(device).float()
            .contiguous(memory_format=torch.channels_last)
            for kept in self.maps
        ]  # fmt: skip
        return maps, torch.from_numpy(self.joints[numbers]).to(device)


def kept_maps(
    folder: Path,
    content: dict[str, Any],
    crops: Iterator[tuple[NDArray[np.uint8], Joints]],
    count: int,
    look: Callable[[NDArray[np.uint8]], list[Tensor]],
) -> KeptMaps:
    """Those in `folder` when they are of this content; else they are made anew.

    Args:
        folder: Of its own; what it held before is overwritten.
        content: All that decides what the maps are: plain data.
        crops: Pixels (side, side, 3) and joints (J, 3), in order; asked for only when needed.
        count: How many there are.
        look: From pixels (n, side, side, 3) to the maps (n, C, h, w).
    """
    content = {**json.loads(json.dumps(content)), "crops": count}
    written = folder / CONTENT
    if written.exists() and json.loads(written.read_text(encoding="utf-8")) == content:
        return _opened(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written.unlink(missing_ok=True)
    files: list[NDArray[np.float16]] = []
    joints: list[Joints] = []
    said = time.monotonic()
    for start in range(0, count, AT_ONCE):
        some = [next(crops) for _ in range(min(AT_ONCE, count - start))]
        found = look(np.stack([pixels for pixels, _ in some]))
        joints += [places for _, places in some]
        if not files:
            files = [
                np.lib.format.open_memmap(
                    folder / f"{k}.npy", "w+", np.float16, (count, *maps.shape[1:])
                )
                for k, maps in enumerate(found)
            ]
        for file, maps in zip(files, found, strict=True):
            file[start : start + len(some)] = maps.half().cpu().numpy()
        if time.monotonic() - said > EVERY:
            said = time.monotonic()
            log.info("the body has seen %s of %s crops", f"{start + len(some):,}", f"{count:,}")
    for file in files:
        file.flush()  # type: ignore[attr-defined]
    np.save(folder / "joints.npy", np.stack(joints))
    write_json(written, content)
    return _opened(folder)


def _opened(folder: Path) -> KeptMaps:
    count = len(list(folder.glob("[0-9].npy")))
    maps = tuple(np.load(folder / f"{k}.npy", mmap_mode="r") for k in range(count))
    return KeptMaps(maps, np.load(folder / "joints.npy"))
