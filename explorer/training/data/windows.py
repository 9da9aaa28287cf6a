"""What a localizer learns from: parts of a pool's photos about one object each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.matching import canonical
from explorer.training.data.canvases import Canvas, mirrored, pixels_of, recolored, repeats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.data.pool import Boxes, Pool, PoolPhoto

    Extent = tuple[int, int, int, int]

SHARE = (0.15, 0.9)
"""Least and largest part of a window that its object takes."""

ASPECT = (0.6, 1.7)
"""Width / height of a window in the photo as it was taken, before it is cut at the border."""

LEAST_SIDE = 48.0
"""Square root of the area of an object, in pixels of the pool's small photos."""

RIVAL = 0.45
"""Another object shows at most this part of the main one's area: else which one is meant?"""

COMMON, MOST_OFTEN = 2000, 5.0
"""Objects of classes with fewer than `COMMON` are drawn up to so much more often."""

TRIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class MainObject:
    """An object that a window can be about: a row of a photo, and its class from 0 on."""

    photo: PoolPhoto
    row: int
    label: int


class WindowMaker:
    """Draws objects and windows about them.

    Args:
        pool: With all its categories: an object of any may be one too many in a window.
        names: Of the classes, without a background; Pascal VOC's words are understood.
        side: To which every window is resized whatever its shape, in pixels.

    Raises:
        ExplorerError: No object is large and alone enough.
    """

    def __init__(self, pool: Pool, names: Sequence[str], side: int) -> None:
        self.side = side
        self.objects = main_objects(pool, names)
        if not self.objects:
            raise ExplorerError(
                "No photo shows a large object of the classes by itself.",
                "Give a folder with more photos.",
            )
        labels = [np.array([one.label]) for one in self.objects]
        often = repeats(labels, len(names), COMMON, MOST_OFTEN)
        self._chance = np.cumsum(often / often.sum())

    def batch(self, rng: np.random.Generator, count: int) -> list[Canvas]:
        """`count` windows, half of them mirrored, with their colors changed; see `window_of`."""
        found: list[Canvas] = []
        while len(found) < count:
            row = min(int(np.searchsorted(self._chance, rng.random())), len(self.objects) - 1)
            window = window_of(self.objects[row], rng, self.side)
            if window is not None:
                turned = mirrored(window) if rng.random() < 0.5 else window
                found.append(recolored(turned, rng))
        return found


def main_objects(pool: Pool, names: Sequence[str]) -> list[MainObject]:
    """The objects of the classes `names` that some window shows by the rules of this module."""
    label = {canonical(name): i for i, name in enumerate(names)}
    wanted = [label.get(canonical(name), -1) for name in pool.names]
    rng = np.random.default_rng(0)
    found = []
    for photo in pool.photos:
        for row, number in enumerate(photo.labels):
            one = MainObject(photo, row, wanted[number])
            if one.label >= 0 and part_about(one, rng) is not None:
                found.append(one)
    return found


def held_out_windows(pool: Pool, names: Sequence[str], side: int, each: int) -> list[Canvas]:
    """Windows of photos that are not learned from, always the same, as they are.

    Args:
        pool: See `WindowMaker`.
        names: See `WindowMaker`.
        side: See `WindowMaker`.
        each: How many about every object.
    """
    rng = np.random.default_rng(0)
    drawn = [window_of(one, rng, side) for one in main_objects(pool, names) for _ in range(each)]
    return [window for window in drawn if window is not None]


def window_of(one: MainObject, rng: np.random.Generator, side: int) -> Canvas | None:
    """A window about an object, resized to (side, side); its one box is in the window's pixels.

    None when none of a few tries keeps the rules.
    """
    part = part_about(one, rng)
    if part is None:
        return None
    x0, y0, x1, y1 = part
    pixels = pixels_of(one.photo)[y0:y1, x0:x1]
    smaller = pixels.shape[0] * pixels.shape[1] > side**2
    resized = cv2.resize(
        pixels, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    box = one.photo.boxes[one.row] - np.array([x0, y0, x0, y0], np.float32)
    box = box * side / np.array([x1 - x0, y1 - y0] * 2, np.float32)
    return Canvas(
        resized.astype(np.uint8, copy=False), box[None].clip(0, side).astype(np.float32),
        np.array([one.label], np.int64), np.zeros((0, 4), np.float32),
    )  # fmt: skip


def part_about(one: MainObject, rng: np.random.Generator) -> Extent | None:
    """A random part of the photo with all of the object: x0, y0, x1, y1 in whole pixels.

    The object takes a part of it in `SHARE`, and no other object more than `RIVAL` of that. None
    where a few tries find none.
    """
    photo = one.photo
    box = photo.boxes[one.row]
    size = (box[2:] - box[:2]).clip(1e-3)
    area = float(size.prod())
    if math.sqrt(area) < LEAST_SIDE or photo.extent is None:
        return None
    width, height = photo.extent
    stretch = photo.aspect * height / width if photo.aspect else 1.0
    others = np.delete(photo.boxes, one.row, axis=0)
    for _ in range(TRIES):
        aspect = math.exp(rng.uniform(*np.log(ASPECT))) / stretch
        whole = area / rng.uniform(*SHARE)
        wide = float(np.clip(math.sqrt(whole * aspect), size[0], whole / size[1]))
        sides = np.array([wide, whole / wide])
        start = box[:2] - rng.random(2) * (sides - size)
        low = np.floor(start).clip(0).astype(int)
        high = np.ceil(start + sides).clip(0, [width, height]).astype(int)
        seen = _overlap(box[None], low, high)[0]
        cut = seen / (high - low).prod()
        if SHARE[0] <= cut <= SHARE[1] and (_overlap(others, low, high) <= RIVAL * seen).all():
            return int(low[0]), int(low[1]), int(high[0]), int(high[1])
    return None


def _overlap(boxes: Boxes, low: NDArray[np.int_], high: NDArray[np.int_]) -> NDArray[np.float64]:
    """(N,) pixels of each box between the corners `low` and `high`."""
    sides = np.minimum(boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
    found: NDArray[np.float64] = sides.clip(0).prod(axis=1)
    return found
