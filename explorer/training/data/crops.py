"""People cut out of photos, turned, moved and recolored: what a pose network learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.training.data.canvases import pixels_of, recolored_pixels
from explorer.vision.features.person_crops import GRAY, square_around

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from explorer.training.data.pool import Joints, PoolPhoto

ZOOM = (0.75, 1.2)
"""Least and largest size of a person in the crop; 1 = the longer side of the box fills it."""

SHIFT = 0.1
"""Of the crop's side, each way."""

TURN = 40.0
"""Degrees, each way."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Someone in a photo: the box (4,) xyxy and the joints (J, 3) x, y, v, in its pixels."""

    photo: PoolPhoto
    box: NDArray[np.float32]
    joints: Joints


def persons(photos: Iterable[PoolPhoto], least: int) -> list[Person]:
    """Those with at least `least` known joints."""
    found = []
    for photo in photos:
        if photo.joints is not None:
            for box, joints in zip(photo.boxes, photo.joints, strict=True):
                if (joints[:, 2] > 0).sum() >= least:
                    found.append(Person(photo, box, joints))
    return found


def drawn_crop(
    person: Person, side: int, mirrored: Sequence[int], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Joints]:
    """A crop of the person, varied at random.

    Args:
        person: Who.
        side: Of the crop in pixels.
        mirrored: The joints' order with left and right exchanged.
        rng: Draws all of it.

    Returns:
        (side, side, 3) uint8 RGB; (J, 3) float32 joints x, y in parts of the side and 1, all 0
        where they are unknown or outside of the crop.

    Raises:
        ExplorerError: The photo cannot be read.
    """
    left, top, size = square_around(person.box)
    scale = side / size * math.exp(rng.uniform(*np.log(ZOOM)))
    angle = math.radians(rng.uniform(-TURN, TURN))
    shift = side * (0.5 + rng.uniform(-SHIFT, SHIFT, 2))
    flip = rng.random() < 0.5
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    if flip:
        turn[0] *= -1
    middle = np.array([left + size / 2, top + size / 2])
    matrix = np.concatenate([turn, (shift - turn @ middle)[:, None]], axis=1)
    # cv2 has the centers of pixels at integers, the frames here their edges
    centers = matrix.copy()
    centers[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    pixels = cv2.warpAffine(
        np.ascontiguousarray(pixels_of(person.photo)), centers, (side, side),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(GRAY,) * 3,
    )  # fmt: skip
    joints = person.joints.copy()
    joints[:, :2] = (joints[:, :2] @ matrix[:, :2].T + matrix[:, 2]) / side
    known = (joints[:, 2] > 0) & ((joints[:, :2] >= 0) & (joints[:, :2] <= 1)).all(axis=1)
    joints[:, 2] = 1
    joints[~known] = 0
    if flip:
        joints = joints[list(mirrored)]
    return recolored_pixels(pixels.astype(np.uint8, copy=False), rng), joints.astype(np.float32)
