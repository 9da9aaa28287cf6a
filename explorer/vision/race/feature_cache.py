"""R-CNN's features on disk, as in the paper: one file per photo, network and list of regions."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.atomic import write_bytes
from explorer.vision.pipelines.rcnn import Features
from explorer.vision.race.lanes import WarpedRegions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024 * 1024
"""Of all files together; those not used for longest go first."""

FORMAT = "features 1"

DAMAGED = (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile)
"""What numpy raises for one."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A file: where, and its size in bytes."""

    path: Path
    size: int


class FeatureCache:
    """A folder of `.npz` files; a damaged one counts as missing."""

    def __init__(self, folder: Path, most: int = MOST_BYTES) -> None:
        self.folder = folder
        self.most = most

    def path(self, photo: str, body: nn.Module, side: int, boxes: Float32) -> Path:
        """Where the features belong that this network computes for these regions of a photo.

        Args:
            photo: A hash of its pixels.
            body: Its weights count.
            side: Of the warped squares.
            boxes: (N, 4), in their order.
        """
        digest = hashlib.sha256(f"{FORMAT} {photo} {side}".encode())
        for name, value in body.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        digest.update(np.ascontiguousarray(boxes, np.float32).tobytes())
        return self.folder / f"{digest.hexdigest()[:40]}.npz"

    def read(self, path: Path, boxes: Float32) -> WarpedRegions | None:
        """What `write` kept there, or None."""
        try:
            content = io.BytesIO(path.read_bytes())  # numpy leaves a damaged file open
            with np.load(content, allow_pickle=False) as file:
                seen = Features(file["vector"], file["map"])
                seconds = json.loads(str(file["seconds"]))
            if len(seen.vector) != len(boxes) or len(seen.map) != len(boxes):
                raise ValueError(f"{len(seen.vector)} features for {len(boxes)} regions")
            known = {str(stage): float(value) for stage, value in seconds.items()}
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            log.warning("the features in %s cannot be read: %s", path, error)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it was used
        return WarpedRegions(boxes, known, [seen])

    def write(self, path: Path, regions: WarpedRegions) -> Cached:
        """Keep the features of all regions; older files go where there are too many.

        Raises:
            ExplorerError: The disk is full, say.
        """
        seen = regions.features()
        content = io.BytesIO()
        np.savez(
            content, vector=seen.vector, map=seen.map,
            seconds=np.array(json.dumps(regions.seconds)),
        )  # fmt: skip
        self.make_folder()
        write_bytes(path, content.getvalue())
        self._shrink(path)
        return Cached(path, len(content.getvalue()))

    def make_folder(self) -> None:
        """See `write`; where that is impossible, writing says so."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)

    def size(self, path: Path) -> int:
        """Bytes of the file; 0 when it is not there."""
        try:
            return path.stat().st_size
        except OSError:
            return 0

    def _shrink(self, newest: Path) -> None:
        files = []
        for path in self.folder.glob("*.npz"):
            with contextlib.suppress(OSError):
                status = path.stat()
                files.append((path == newest, status.st_mtime, status.st_size, path))
        total = sum(size for _, _, size, _ in files)
        for new, _, size, path in sorted(files, key=lambda entry: entry[:2]):
            if total <= self.most or new:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
