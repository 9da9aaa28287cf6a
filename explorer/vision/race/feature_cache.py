"""R-CNN's features on disk, as in the paper: one entry per photo, network and list of regions."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.storage import checkpoint
from explorer.core.storage.checkpoint import Checkpoint
from explorer.core.storage.disk_cache import DiskCache, Entry
from explorer.networks.digest import weights_digest
from explorer.vision.pipelines.rcnn import Features
from explorer.vision.race.lanes import WarpedRegions

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)

KIND, FORMAT, FILE = "rcnn-features", 2, "features.npz"


class FeatureCache:
    """The part of a disk cache that holds them; a damaged file counts as missing."""

    def __init__(self, cache: DiskCache | None = None) -> None:
        self._cache = cache or DiskCache()

    def entry(self, photo: str, body: nn.Module, side: int, boxes: Float32) -> Entry:
        """The entry of the features that this network computes for these regions of a photo.

        Args:
            photo: A hash of its pixels.
            body: Its weights count.
            side: Of the warped squares.
            boxes: (N, 4), in their order.
        """
        regions = hashlib.sha256(np.ascontiguousarray(boxes, np.float32).tobytes()).hexdigest()
        network = weights_digest(body)
        return self._cache.entry(
            KIND, format=FORMAT, photo=photo, network=network, side=side, regions=regions
        )

    def read(self, entry: Entry, boxes: Float32) -> WarpedRegions | None:
        """What `write` kept there, or None."""
        if not entry.complete or (found := checkpoint.read(entry.file(FILE))) is None:
            return None
        try:
            seen = Features(found.arrays["vector"], found.arrays["map"])
            if len(seen.vector) != len(boxes) or len(seen.map) != len(boxes):
                raise ValueError(f"{len(seen.vector)} features for {len(boxes)} regions")
            known = {str(stage): float(value) for stage, value in found.content.items()}
        except (KeyError, ValueError, TypeError) as error:
            log.warning("the features in %s cannot be used: %s", entry.path, error)
            return None
        return WarpedRegions(boxes, known, [seen])

    def write(self, entry: Entry, regions: WarpedRegions) -> bool:
        """Keep the features of all regions; False when another program is doing that just now.

        Raises:
            ExplorerError: The disk is full, say.
        """
        seen = regions.features()
        with entry.filling() as mine:
            if mine:
                arrays = {"vector": seen.vector, "map": seen.map}
                checkpoint.write(entry.file(FILE), Checkpoint(regions.seconds, arrays))
                self._cache.finish(entry)
        return mine
