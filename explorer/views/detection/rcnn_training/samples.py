"""The regions of one photo as examples of one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.detection.boxes import encode, iou_matrix
from explorer.vision.pipelines.region_roles import (
    fine_tuning_roles,
    norm_scale,
    regressor_roles,
    svm_roles,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.vision.pipelines.rcnn import Features
    from explorer.vision.pipelines.region_roles import Roles

LOG, HINGE, SQUARES = "log loss", "hinge loss", "least squares"
OBJECTIVES = (LOG, HINGE, SQUARES)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N regions: proposals, and behind them the G objects' own boxes.

    Attributes:
        name: The class.
        boxes: (N, 4) float32, pixels of the photo.
        objects: (G, 4) of the class.
        iou: (N,) with the nearest object, whose number is `nearest`.
        own: (N,) bool: the region is an object's own box.
        roles: By objective, (N,) int8; see `region_roles`.
        vectors: (N, D) features of mean length `NORM`.
        maps: (N, R) features of the regressor.
    """

    name: str
    boxes: Float32
    objects: Float32
    iou: Float32
    nearest: NDArray[np.intp]
    own: NDArray[np.bool_]
    roles: dict[str, Roles]
    vectors: Float32
    maps: Float32

    def rows(self, objective: str, role: int) -> NDArray[np.intp]:
        """The regions with a role in an objective."""
        return np.flatnonzero(self.roles[objective] == role)

    def targets(self, rows: NDArray[np.intp]) -> Float32:
        """(n, 4) tx, ty, tw, th from regions to their nearest objects."""
        return encode(self.objects[self.nearest[rows]], self.boxes[rows])


def samples_of(name: str, proposals: Float32, objects: Float32, seen: Features) -> Samples:
    """The roles of all regions.

    Args:
        name: The class.
        proposals: (P, 4) in the photo's pixels.
        objects: (G, 4) of the class, G > 0.
        seen: Features of the proposals and, behind them, of the objects.
    """
    boxes = np.concatenate([proposals, objects])
    overlaps = iou_matrix(objects, boxes)
    iou, nearest = overlaps.max(axis=0), overlaps.argmax(axis=0)
    own = np.arange(len(boxes)) >= len(proposals)
    roles = {
        LOG: fine_tuning_roles(iou),
        HINGE: svm_roles(iou, own),
        SQUARES: regressor_roles(iou),
    }
    vectors = seen.vector * np.float32(norm_scale(seen.vector))
    return Samples(name, boxes, objects, iou, nearest, own, roles, vectors, seen.map)
