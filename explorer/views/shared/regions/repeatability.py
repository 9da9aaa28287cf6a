"""The same proposals again on a changed photo (Hosang et al. 2016, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.images.pixels import shrunk
from explorer.views.shared.regions.proposals import proposals_of
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.detection.recall import repeatability, repeated
from explorer.vision.proposals.methods import LARGEST_SIDE

if TYPE_CHECKING:
    from explorer.core.layers import Float32
    from explorer.vision.detection.corruptions import Changed

MOST = 1000
"""Boxes that are compared, as in the paper."""


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """One method at one strength: boxes in the photo's pixels.

    Attributes:
        first: (N, 4), those of the photo as it is whose place the changed photo shows.
        boxes: (M, 4), those of the changed photo, brought back.
        best: (N,), the highest IoU of each of `first` with them.
        score: The repeatability.
    """

    first: Float32
    boxes: Float32
    best: Float32
    score: float


def changed_photos(scene: Scene, change: str) -> tuple[Changed, ...]:
    """The photo after one of `CHANGES` at every strength.

    A large photo is made smaller first, as every method does: a change of its scale would else be
    undone.
    """
    return scene.memo(("changed", change), lambda: _changed(scene, change))


def _changed(scene: Scene, change: str) -> tuple[Changed, ...]:
    pixels = scene.image.pixels
    small = np.ascontiguousarray(shrunk(pixels, LARGEST_SIDE))
    across, down = small.shape[1] / pixels.shape[1], small.shape[0] / pixels.shape[0]
    kind = CHANGES[change]
    return tuple(kind.make(small, each).of_larger(across, down) for each in kind.strengths)


def again(scene: Scene, name: str, change: str, number: int, most: int) -> Again:
    """A method's first boxes on the photo and after the change of that strength, computed once.

    Args:
        scene: Of the photo.
        name: The method's.
        change: A key of `CHANGES`.
        number: The place of the strength.
        most: The largest number of boxes, up to `MOST`.
    """
    return scene.memo(
        ("again", change, number, name, most), lambda: _again(scene, name, change, number, most)
    )


def _again(scene: Scene, name: str, change: str, number: int, most: int) -> Again:
    count = min(most, MOST)
    part = changed_photos(scene, change)[number]
    first = proposals_of(scene, name, most).boxes[:count]
    first = first[part.visible(first)]
    # New random boxes: a method that draws them is no more repeatable than that.
    other = Scene(scene.network, from_array(part.pixels, "changed"), scene.seed + 1 + number)
    boxes = part.back(proposals_of(other, name, most).boxes[:count])
    best = repeated(first, boxes)
    return Again(first, boxes, best, repeatability(first, best))
