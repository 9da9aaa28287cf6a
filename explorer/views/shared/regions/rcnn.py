"""R-CNN's proposals on a scene with the features of each, for the views of its two halves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.views.shared.regions.proposals import proposals_of
from explorer.vision.race.lanes import WarpedRegions
from explorer.vision.race.networks import BODY, region_svms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.vision.pipelines.rcnn import RCNN

MOST = 2000
"""Proposals of a photo, as in the paper."""


def shipped_rcnn(scene: Scene) -> RCNN | None:
    """The network and its SVMs; None where they, or the network's weights, are missing."""
    body = scene.network_of(BODY)
    module: Any = body.module
    if body.info.untrained:
        return None
    return scene.memo("region SVMs", lambda: region_svms(module))


def rcnn_of(scene: Scene) -> RCNN:
    """The network and its SVMs.

    Raises:
        ExplorerError: They, or the network's weights, are missing.
    """
    own = shipped_rcnn(scene)
    if own is None:
        raise ExplorerError(
            "R-CNN's SVMs are missing, or the weights of EfficientNet-Lite0.",
            "`explorer doctor` lists the weights; `explorer train lite-rcnn --data DIR` trains "
            "the SVMs.",
        )
    return own


def regions_of(scene: Scene, method: str) -> Float32:
    """(N, 4) all proposals of a method in the photo's pixels; the whole photo where there are none.

    They are computed once, `MOST` at most, so that fewer of them cost nothing.
    """
    boxes = proposals_of(scene, method, MOST).boxes
    if len(boxes):
        return boxes
    height, width = scene.image.pixels.shape[:2]
    return np.array([[0, 0, width, height]], np.float32)


def warped_regions(scene: Scene, own: RCNN, boxes: Float32) -> Iterator[WarpedRegions]:
    """The features of (N, 4) boxes, N > 0, batch by batch, once per scene.

    It is one and the same object that is yielded; the last time, and only then, it is complete.
    """
    regions = scene.memo(("warped regions", boxes.tobytes()), lambda: WarpedRegions(boxes))
    while not regions.complete:
        regions.next_batch(own, scene.image.pixels)
        if not regions.complete:
            yield regions
    yield regions
