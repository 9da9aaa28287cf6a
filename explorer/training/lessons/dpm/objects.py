"""Which objects a part model is trained on, and their cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.images.image import open_image
from explorer.training.data.canvases import pixels_of
from explorer.vision.dpm.features import CELL, Level, Scale, hog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.pool import Pool, PoolPhoto

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]
    Corners = tuple[float, float, float, float]

MARGIN = 2
"""Root cells around the root filter in an example, for parts that lie a little outside."""
SIZES = (1.0, 0.9, 1.11)
"""An object is tried a little larger and smaller than the root filter."""
ENLARGED = 1.6
"""At most: smaller objects are not trained on."""
FAR_SIDE = 3.0
"""Boxes closer to the photo's border, in pixels, may be cut off there."""
ASSUMED = 4 / 3
"""Width by height of stretched photos whose own is not known: most cameras' at the time."""
EVERY = 4
"""One photo with objects in this many is held out."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One component: objects with a width by height from `low` to `high`.

    Attributes:
        low: See above.
        high: See above.
        cells: Height and width of the root filter.
        parts: How many.
        turned: The object faces left or right; the component for the other side is its mirror.
    """

    low: float
    high: float
    cells: tuple[int, int]
    parts: int
    turned: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A class: `label` as COCO names it; `crops`: its objects are INRIA's crops of people.

    `threshold` is the score from which its detections are more often right than wrong: on the
    photos of VOC for people (3 of 5 detections in 50 photos), with held-out photos of cars beside
    them for cars (5 of 9 at most in 80). A slow test of the view `dpm` counts them.
    """

    label: str
    aspects: tuple[Aspect, ...]
    threshold: float
    crops: bool = False


PLANS = (
    Plan("person", (Aspect(0.0, 9.0, (13, 5), 6, turned=False),), 0.9, crops=True),
    Plan("car", (Aspect(1.4, 3.6, (6, 12), 8, turned=True),), 1.6),
)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """The cells around an object, at some sizes; its box (4,) xyxy in pixels of each of them.

    The root filter's upper left cell may lie in the rows and columns of `allowed` (first row and
    column, rows and columns).
    """

    scales: tuple[Scale, ...]
    boxes: tuple[Corners, ...]
    allowed: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """What is needed of a photo: `pixels`, (N, 4) `boxes` of the class, (M, 4) uncertain ones."""

    pixels: UInt8
    boxes: Float32
    ignored: Float32 = field(default_factory=lambda: np.zeros((0, 4), np.float32))


def example_of(pixels: UInt8, box: Float32, cells: tuple[int, int]) -> Example | None:
    """An object as an example for a root filter; None where it is too small.

    The photo is resized so that the box has the area of the filter.
    """
    rows, columns = cells
    wide, high = (float(side) for side in box[2:] - box[:2])
    fit = float(np.sqrt(rows * columns * CELL**2 / (wide * high)))
    if fit > ENLARGED:
        return None
    size = ((columns + 2 * MARGIN + 2) * CELL, (rows + 2 * MARGIN + 2) * CELL)
    middle = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    scales, boxes = [], []
    for factor in (fit * size_factor for size_factor in SIZES):
        patch = _patch(pixels, middle, factor, size)
        scales.append(scale_of(patch))
        x0, y0 = (size[0] - wide * factor) / 2, (size[1] - high * factor) / 2
        boxes.append((x0, y0, size[0] - x0, size[1] - y0))
    allowed = (MARGIN - 1, MARGIN - 1, 3, 3)
    return Example(tuple(scales), tuple(boxes), allowed)


def scale_of(patch: Float32) -> Scale:
    """The cells of a picture at its own size."""
    return Scale(Level(hog(patch, CELL), CELL), Level(hog(patch, CELL // 2), CELL / 2))


def _patch(
    pixels: UInt8, center: tuple[float, float], factor: float, size: tuple[int, int]
) -> Float32:
    """The part of the photo around a point, resized by `factor`, of `size`; the border repeats."""
    wide, high = (int(np.ceil(side / factor)) for side in size)
    x, y = (round(at - side / 2) for at, side in zip(center, (wide, high), strict=True))
    height, width = pixels.shape[:2]
    out = (max(-y, 0), max(y + high - height, 0), max(-x, 0), max(x + wide - width, 0))
    inner = pixels[max(y, 0) : y + high, max(x, 0) : x + wide]
    whole = cv2.copyMakeBorder(inner, *out, cv2.BORDER_REPLICATE).astype(np.float32)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(whole, size, interpolation=how), np.float32)


def person_examples(
    folder: Path, split: str, chosen: Callable[[list[Path]], list[Path]]
) -> list[Example]:
    """INRIA's crops that are chosen: a person of 96 pixels stands in the middle of 80 x 144."""
    paths = sorted((folder / "positives" / split).glob("*.jpg"))
    if not paths:
        raise ExplorerError(
            f"There are no crops in {folder / 'positives' / split}.",
            "Put INRIA's crops of people there.",
        )
    found = []
    for path in chosen(paths):
        scale = scale_of(open_image(path).pixels.astype(np.float32))
        found.append(Example((scale,), ((20.5, 24.0, 59.5, 120.0),), (1, 1, 2, 2)))
    return found


def photos_with(pool: Pool, label: str) -> list[PoolPhoto]:
    """The photos that show an object of a class."""
    number = pool.names.index(label)
    return [photo for photo in pool.photos if (photo.labels == number).any()]


def photos_without(pool: Pool, label: str) -> list[PoolPhoto]:
    """The photos in which nothing of the class is known, of sets that are not stretched."""
    number = pool.names.index(label)
    return [
        photo
        for photo in pool.photos
        if photo.aspect
        and not len(photo.ignored)
        and photo.shows != number
        and not (photo.labels == number).any()
    ]


def opened(photo: PoolPhoto, number: int, most: int = 320) -> Photo:
    """A photo with its own aspect, and the boxes of class `number` in it."""
    pixels = pixels_of(photo)
    height, width = pixels.shape[:2]
    stretched = photo.aspect == 0 or abs(photo.aspect - width / height) > 0.02
    aspect = photo.aspect or ASSUMED
    new = (round(height * aspect), height) if stretched else (width, height)
    down = min(1.0, most / max(new))
    new = (round(new[0] * down), round(new[1] * down))
    if new != (width, height):
        pixels = np.asarray(cv2.resize(pixels, new, interpolation=cv2.INTER_AREA), np.uint8)
    factor = np.array([new[0] / width, new[1] / height] * 2, np.float32)
    return Photo(pixels, photo.boxes[photo.labels == number] * factor, photo.ignored * factor)


def counts(box: Float32, plan: Plan) -> bool:
    """Whether an object is of one of the plan's aspects, and large enough for its root filter."""
    wide, high = (float(side) for side in box[2:] - box[:2])
    if min(wide, high) < 2:
        return False
    for aspect in plan.aspects:
        rows, columns = aspect.cells
        least = rows * columns * (CELL / ENLARGED) ** 2
        if aspect.low <= wide / high < aspect.high and wide * high >= least:
            return True
    return False


def natural(photo: PoolPhoto) -> bool:
    """Whether the aspect of the photo is its own: known, if it was squashed."""
    return photo.aspect > 0


def object_examples(photos: Sequence[Photo], aspect: Aspect) -> list[tuple[Example, Example]]:
    """The objects of an aspect that are whole and large enough, and their mirrors."""
    found = []
    for photo in photos:
        height, width = photo.pixels.shape[:2]
        flipped = np.ascontiguousarray(photo.pixels[:, ::-1])
        for box in photo.boxes:
            wide, high = (float(side) for side in box[2:] - box[:2])
            inside = (box[:2] > FAR_SIDE).all() and (
                box[2:] < [width - FAR_SIDE, height - FAR_SIDE]
            ).all()
            if not inside or min(wide, high) < 2 or not aspect.low <= wide / high < aspect.high:
                continue
            one = example_of(photo.pixels, box, aspect.cells)
            x0, y0, x1, y1 = box
            turned = np.array([width - x1, y0, width - x0, y1], np.float32)
            other = example_of(flipped, turned, aspect.cells)
            if one is not None and other is not None:
                found.append((one, other))
    return found
