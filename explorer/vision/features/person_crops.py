"""The square part of a photo that a pose network looks at, and the way back from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GRAY = 127
"""Outside of the photo: the mean that the lite networks subtract."""

LEAST_SIDE = 8.0
"""Pixels: a smaller box is taken to be so large."""


EYES, NOSE = 0.42, 0.2
"""Of the side of a face's box: from eye to eye, and from between them down to the nose."""


def square_around(box: NDArray[np.float32]) -> tuple[float, float, float]:
    """Left, top and side of the square with the center of a box and the longer of its sides.

    Args:
        box: (4,) x0, y0, x1, y1 in pixels of the photo, y down. The square may leave the photo.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    side = max(x1 - x0, y1 - y0, LEAST_SIDE)
    return (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side


def person_crop(
    pixels: NDArray[np.uint8], box: NDArray[np.float32], side: int
) -> NDArray[np.uint8]:
    """What stands in the square around a box; `GRAY` outside of the photo.

    Toshev & Szegedy 2014, section 3.1, who stretch the box itself; a square keeps the proportions
    of a body.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        box: (4,) x0, y0, x1, y1 in its pixels.
        side: Of the answer in pixels.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    left, top, size = square_around(box)
    scale = side / size
    across = down = scale
    if scale < 1:  # smoothed, where a plain warp would skip pixels
        height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
        across, down = scale * pixels.shape[1] / width, scale * pixels.shape[0] / height
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
    # cv2 has the centers of pixels at integers, the frames here their edges
    matrix = np.array([
        [across, 0, across / 2 - 0.5 - left * scale],
        [0, down, down / 2 - 0.5 - top * scale],
    ])  # fmt: skip
    found = cv2.warpAffine(
        np.ascontiguousarray(pixels), matrix, (side, side),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(GRAY,) * 3,
    )  # fmt: skip
    return found.astype(np.uint8, copy=False)


def joints_back(joints: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """(J, 2) in parts of the side of `person_crop`'s answer -> pixels of the photo."""
    left, top, size = square_around(box)
    return joints * np.float32(size) + np.array([left, top], np.float32)


def face_boxes(
    points: NDArray[np.float32], names: Sequence[str], shown: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Squares around the faces of people whose eyes and nose are located.

    The proportions are those of an upright frontal face: the eyes are `EYES` of the side apart, and
    the nose lies `NOSE` of it below them. The larger side counts, as one of the two is
    foreshortened in a turned head.

    Args:
        points: (N, K, 2) x, y in the photo's pixels.
        names: Of the K keypoints.
        shown: (N, K): which of them are reliable.

    Returns:
        (M, 4) xyxy and (M,) whose they are; people without these keypoints are left out.
    """
    words = [name.replace("_", " ") for name in names]
    parts = ("left eye", "right eye", "nose")
    if any(part not in words for part in parts):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.intp)
    columns = [words.index(part) for part in parts]
    people = np.flatnonzero(shown[:, columns].all(axis=1))
    left, right, nose = points[people][:, columns].swapaxes(0, 1)
    apart = np.linalg.norm(left - right, axis=1) / EYES
    down = np.linalg.norm(nose - (left + right) / 2, axis=1) / NOSE
    side = np.maximum(np.maximum(apart, down), LEAST_SIDE)[:, None]
    boxes = np.concatenate([nose - side / 2, nose + side / 2], axis=1).astype(np.float32)
    return boxes, people
