"""A face turned, scaled and moved so that its five points lie where those of all others lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.vision.faces.cascade import Settings, found_faces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8
    from explorer.networks.faces.cascade import Cascade


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """From pixels of the photo to those of the aligned face; `matrix` is (2, 3) float64.

    Both have the edges of pixels at whole numbers.
    """

    matrix: NDArray[np.float64]

    @property
    def scale(self) -> float:
        """Pixels of the aligned face for one of the photo."""
        return math.hypot(*self.matrix[:, 0])

    @property
    def degrees(self) -> float:
        """How far the face is turned, clockwise as the photo is looked at."""
        return math.degrees(math.atan2(self.matrix[1, 0], self.matrix[0, 0]))

    def __call__(self, points: Float32) -> Float32:
        """(n, 2) x, y of the photo -> of the aligned face."""
        found: Float32 = (points @ self.matrix[:, :2].T + self.matrix[:, 2]).astype(np.float32)
        return found

    def inverse(self) -> Similarity:
        """From the aligned face to the photo."""
        turn = np.linalg.inv(self.matrix[:, :2])
        return Similarity(np.concatenate([turn, -turn @ self.matrix[:, 2:]], axis=1))


def similarity(points: Float32, wanted: Float32) -> Similarity:
    """The one that brings points (n, 2) closest to the wanted ones (n, 2) by least squares.

    Scale, rotation and translation have four numbers, so their equations are linear (the closed
    form of Umeyama 1991, "Least-Squares Estimation of Transformation Parameters Between Two Point
    Patterns", in the plane and without reflections).
    """
    source, target = points.astype(np.float64), wanted.astype(np.float64)
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    source, target = source - middle, target - goal
    spread = max(float((source**2).sum()), 1e-12)
    along = float((source * target).sum()) / spread
    across = float((source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return Similarity(np.concatenate([turn, (goal - turn @ middle)[:, None]], axis=1))


def aligned(pixels: UInt8, change: Similarity, side: int) -> UInt8:
    """(side, side, 3) uint8 of a photo (H, W, 3); beside the photo its border goes on."""
    # A large face is drawn larger and then averaged: sampling alone would skip pixels.
    finer = max(1, min(8, math.ceil(1 / max(change.scale, 1e-6))))
    matrix = change.matrix * finer
    # cv2 has the centers of pixels at whole numbers
    matrix = np.concatenate(
        [matrix[:, :2], (matrix[:, 2] + matrix[:, :2].sum(axis=1) / 2 - 0.5)[:, None]], axis=1
    )
    large = cv2.warpAffine(
        np.ascontiguousarray(pixels), matrix, (side * finer, side * finer),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    if finer > 1:
        large = cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(large, np.uint8)


def largest_aligned(
    cascade: Cascade, pixels: UInt8, positions: Float32, side: int
) -> tuple[UInt8, Float32] | None:
    """The largest face of a photo (H, W, 3), (side, side, 3) uint8, and its box xyxy.

    Args:
        cascade: Finds the faces.
        pixels: The photo, uint8 RGB.
        positions: (5, 2) fractions of the crop, where the five points come to lie.
        side: Of the crop.

    Returns:
        None where no face is found.
    """
    faces = found_faces(cascade, pixels, Settings())
    if len(faces) == 0:
        return None
    row = faces.largest
    change = similarity(faces.points[row], positions * side)
    return aligned(pixels, change, side), faces.boxes[row]


def gray(face: UInt8) -> UInt8:
    """(..., 3) uint8 RGB -> (...) uint8, ITU-R 601 luma."""
    found: UInt8 = (face @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    return found
