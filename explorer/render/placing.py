"""Where the labels of boxes go: near their box, off one another; in files and in the window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from explorer.render.typeface import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent

DARK: Color = (20, 22, 26)
"""Under the labels of points: these have many colors, and the words are white."""
MOST_LABELS = 300
"""Labels of one layer that are drawn; more cannot be read, and each needs a free place."""


def label_within(label: str, room: float, width: Callable[[str], float]) -> str:
    """The label, shortened where it is wider than `room`: its name before the score behind it."""
    if width(label) <= room:
        return label
    name, _, score = label.rpartition(" ")
    if name and score.rstrip("%").replace(".", "", 1).isdecimal():
        brief = shortened(name, room, width, f" {score}")
        if brief:
            return brief
    return shortened(label, room, width) or "…"


class Plates:
    """The plates that lie on a surface already.

    Attributes:
        left_out: How many labels have found no place.
    """

    def __init__(self, height: float, plates: Sequence[Extent] = ()) -> None:
        """Starts with `plates` on a surface that is `height` high."""
        self._height = height
        self._plates = np.array(plates, np.float64).reshape(-1, 4)
        self.left_out = 0

    def choose(self, plates: Sequence[Extent]) -> Extent | None:
        """The first of `plates` that is on the surface and free: now taken.

        Where all are taken the label is not drawn: overlapping words cannot be read.
        """
        inside = [p for p in plates if p[0] >= 0 and p[1] >= 0 and p[3] <= self._height]
        free = np.flatnonzero(self._free(np.array(inside, np.float64).reshape(-1, 4)))
        chosen = inside[free[0]] if len(free) else None
        if chosen is not None:
            self._plates = np.vstack([self._plates, chosen])
        else:
            self.left_out += 1
        return chosen

    def _free(self, plates: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of (N, 4) plates touch none that is there."""
        low = np.maximum(plates[:, None, :2], self._plates[None, :, :2])
        high = np.minimum(plates[:, None, 2:], self._plates[None, :, 2:])
        touching = np.logical_and.reduce(low < high, axis=2)
        taken: NDArray[np.bool_] = np.logical_or.reduce(touching, axis=1)
        return np.logical_not(taken)


def free_of_earlier(plates: Sequence[Sequence[float]]) -> list[bool]:
    """Which of (N, 4) plates overlap none before them that is free itself, by half a unit."""
    corners = np.array(plates, np.float64).reshape(-1, 4)
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    touching = np.logical_and.reduce(low + 0.5 < high, axis=2)
    free = np.ones(len(corners), bool)
    for row in range(1, len(corners)):
        free[row] = not np.logical_and(touching[row, :row], free[:row]).any()
    return [bool(entry) for entry in free]


def places_at(
    box: Sequence[float], plate: tuple[float, float], surface: tuple[float, float]
) -> list[Extent]:
    """Places for the plate of a box, the best first: above it, inside, below; left, then right.

    Args:
        box: x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, in the surface's units.
        plate: Its width and height.
        surface: Width and height.
    """
    x0, y0, x1, y1 = box
    wide, high = plate
    most = surface[0] - wide
    lefts = [max(0, min(round(left), most)) for left in (max(x0 - 1, 0), x1 + 1 - wide)]
    tops = [y0 - high, y0, y1 - high, y1, y0 + high, y0 - 2 * high, y0 + 2 * high, 0.0]
    return [(left, round(top), left + wide, round(top) + high) for left in lefts for top in tops]


def places_beside(
    point: Sequence[float], gap: float, plate: tuple[float, float], surface: tuple[float, float]
) -> list[Extent]:
    """Places for the plate of a point, the best first: to its right, below, above, to its left.

    Args:
        point: x and y, in the surface's units; off the surface it has no place.
        gap: Between the point and its plate.
        plate: Its width and height.
        surface: Width and height.
    """
    (x, y), (wide, high) = point, plate
    if not (0 <= x <= surface[0] and 0 <= y <= surface[1]):
        return []
    left = max(0.0, min(x - wide / 2, surface[0] - wide))
    top = max(0.0, min(y - high / 2, surface[1] - high))
    corners = [(left, y + gap), (left, y - gap - high)]
    if x + gap + wide <= surface[0]:
        corners.insert(0, (x + gap, top))
    if x - gap - wide >= 0:
        corners.append((x - gap - wide, top))
    whole = [(math.floor(x0), math.floor(y0)) for x0, y0 in corners]
    return [(x0, y0, x0 + wide, y0 + high) for x0, y0 in whole]
