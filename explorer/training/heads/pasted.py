"""A small set with known boxes that is always there: samples pasted on blurred samples."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.images.samples import gallery, sample
from explorer.training.data.class_photos import Classes, Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import UInt8

    Floats = NDArray[np.float64]

SIDE = 192
"""Of a picture in pixels."""

OBJECTS = 5
"""Samples that are pasted; the others are backgrounds only."""

CORNERS = 4
_SHARE = (0.3, 0.6)
"""The longer side of what is pasted, in parts of the picture's."""
_TURN = 25.0


def pasted(train: int, test: int, seed: int, *, count: int = 1, turned: bool = False) -> Classes:
    """Pictures of one or several pasted samples.

    Args:
        train: Pictures of each class to train on.
        test: To test on; they have other backgrounds, places and sizes.
        seed: Of all that is drawn.
        count: Different samples in each picture, from left to right; the class is the first's.
        turned: They are turned a little, and their four corners are the points.
    """
    every = gallery()
    names = tuple(each.name for each in every[:OBJECTS])
    fields = [each.name for each in every[OBJECTS:]]
    generator = np.random.default_rng((seed, count, turned))
    parts: tuple[list[Example], list[Example]] = ([], [])
    for which, (number, part) in enumerate(zip((train, test), parts, strict=True)):
        half = fields[which::2]
        for label in range(len(names)):
            for k in range(number):
                objects = [names[label]]
                others = [name for name in names if name != objects[0]]
                objects += generator.permutation(others)[: count - 1].tolist()
                scene = _Scene(
                    tuple(objects), half[int(generator.integers(len(half)))],
                    int(generator.integers(2**31)), turned,
                )  # fmt: skip
                boxes, points = scene.places()
                name = f"{every[label].title} {k + 1}"
                part.append(Example(label, name, scene, "", boxes, points))
    titles = tuple(each.title for each in every[:OBJECTS])
    return Classes(titles, tuple(parts[0]), tuple(parts[1]), "samples pasted on samples")


Boxes = tuple[tuple[float, float, float, float], ...]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Scene:
    """One picture; called, it is painted."""

    objects: tuple[str, ...]
    background: str
    seed: int
    turned: bool

    def _maps(self) -> list[Floats]:
        """For each object the (2, 3) affine map from its own picture's pixels."""
        generator = np.random.default_rng(self.seed)
        found = []
        count = len(self.objects)
        for place, name in enumerate(self.objects):
            height, width = _picture(name).shape[:2]
            low, high = _SHARE if count == 1 else (0.8 / (count + 1), 1.1 / (count + 1))
            scale = SIDE * generator.uniform(low, high) / max(height, width)
            turn = np.deg2rad(generator.uniform(-_TURN, _TURN)) if self.turned else 0.0
            cos, sin = scale * np.cos(turn), scale * np.sin(turn)
            affine = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
            corners = _corners(name) @ affine[:, :2].T
            low_corner, size = corners.min(axis=0), np.ptp(corners, axis=0)
            left, right = (place * SIDE / count, (place + 1) * SIDE / count)
            room = np.maximum(0.0, np.array([right - left, SIDE]) - size)
            affine[:, 2] = np.array([left, 0.0]) + generator.random(2) * room - low_corner
            found.append(affine)
        return found

    def places(self) -> tuple[Boxes, Points]:
        """The boxes from left to right, and the corners of the first object where it is turned."""
        boxes, points = [], []
        for name, affine in zip(self.objects, self._maps(), strict=True):
            corners = _corners(name) @ affine[:, :2].T + affine[:, 2]
            low, high = corners.min(axis=0).clip(0, SIDE), corners.max(axis=0).clip(0, SIDE)
            boxes.append((float(low[0]), float(low[1]), float(high[0]), float(high[1])))
            points.append(tuple((float(x), float(y)) for x, y in corners.tolist()))
        return tuple(boxes), points[0] if self.turned else ()

    def __call__(self) -> UInt8:
        canvas = cv2.resize(_picture(self.background), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        canvas = cv2.GaussianBlur(canvas, (0, 0), 3.0)
        for name, affine in zip(self.objects, self._maps(), strict=True):
            picture = _picture(name)
            mask = np.full(picture.shape[:2], 255, np.uint8)
            warped = cv2.warpAffine(picture, affine, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
            inside = cv2.warpAffine(mask, affine, (SIDE, SIDE), flags=cv2.INTER_NEAREST) > 0
            canvas[inside] = warped[inside]
        return np.ascontiguousarray(canvas, np.uint8)


def _corners(name: str) -> Floats:
    height, width = _picture(name).shape[:2]
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


@functools.lru_cache(maxsize=24)
def _picture(name: str) -> UInt8:
    """A sample of at most `SIDE` pixels."""
    found = sample(name)
    assert found is not None
    pixels = found.load().pixels
    share = min(1.0, SIDE / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share))
    small: UInt8 = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    small.setflags(write=False)
    return small
