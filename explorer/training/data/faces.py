"""Faces with five points: read from archives, and varied at random.

A set is NAME.npz with `webp` (B,) uint8, all files end to end, `offset` (n + 1,), `split` (n,): 0 =
for training, 1 = held out; and NAME_points.npz with `points` (n, 5, 2) float32 x, y of `POINTS` as
fractions of the crop, NaN where they are not known. The points can be those of another network::

    from mtcnn import MTCNN  # its "left" is the side of the picture

    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    (face,) = MTCNN().detect_faces(pixels)
    points = [face["keypoints"][name] for name in names]
"""

from __future__ import annotations

import math
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.face_points import MIRRORED, SIDE
from explorer.training.data.canvases import recolored_pixels
from explorer.training.data.face_sets import decoded
from explorer.vision.features.person_crops import GRAY

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Points = NDArray[np.float32]

POINTS_FILE = "_points.npz"

ZOOM = (0.62, 1.15)
"""Least and largest side of the given crop in the new one."""

SHIFT = 0.12
"""Of the crop's side, each way."""

TURN = 30.0
"""Degrees, each way."""

BLUR, COARSE, COVERED = 0.35, 0.3, 0.2
"""Shares of the crops that are blurred, reduced and enlarged again, or covered in a rectangle."""

APART = (0.15, 0.8)
"""From eye to eye in parts of the crop: points that lie closer or farther are no frontal face's."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """`pixels` (n, 64, 64, 3) uint8 RGB and `points` (n, 5, 2) float32 as fractions of the crop."""

    pixels: Pixels
    points: Points

    def __len__(self) -> int:
        return len(self.pixels)


def read_faces(folder: Path, split: int) -> Faces:
    """All faces of a split whose points are known, set after set by name.

    Raises:
        ExplorerError: There are none, or a file is damaged.
    """
    pixels: list[Pixels] = []
    points: list[Points] = []
    for labels in sorted(folder.glob(f"*{POINTS_FILE}")):
        photos = labels.with_name(labels.name.removesuffix(POINTS_FILE) + ".npz")
        if not os.path.isfile(photos):
            continue
        try:
            with np.load(labels, allow_pickle=False) as archive:
                known = archive["points"].astype(np.float32)
            with np.load(photos, allow_pickle=False) as archive:
                files, offset, own = archive["webp"], archive["offset"], archive["split"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ExplorerError(
                f"{photos.name} and {labels.name} are not archives of faces with points.",
                "They must have the arrays webp, offset and split, and points.",
            ) from error
        if known.shape != (len(offset) - 1, len(MIRRORED), 2) or len(own) != len(known):
            raise ExplorerError(
                f"{labels.name} has points of shape {known.shape} for {len(offset) - 1} faces.",
                "It must have five points for each face.",
            )
        apart = np.linalg.norm(known[:, 0] - known[:, 1], axis=1)
        usable = (own == split) & (apart > APART[0]) & (apart < APART[1])
        rows = np.flatnonzero(usable)
        points += list(known[rows])
        for face in decoded(files, offset, rows, "face"):
            if face.shape[:2] != (SIDE, SIDE):
                face = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
            pixels.append(face)
    if not pixels:
        raise ExplorerError(
            f"{folder} has no faces with points.",
            f"It needs NAME.npz with faces and NAME{POINTS_FILE} with their points.",
        )
    return Faces(np.stack(pixels), np.stack(points))


def drawn_face(
    pixels: Pixels, points: Points, rng: np.random.Generator, *, plain: bool = False
) -> tuple[Pixels, Points]:
    """A crop of a face: moved, turned and scaled; its colors, sharpness and parts changed.

    Args:
        pixels: (64, 64, 3) uint8 RGB.
        points: (5, 2) float32 as fractions of it.
        rng: Draws all of it.
        plain: Only moved and scaled, half as much: as boxes drawn by hand are.

    Returns:
        The same of the new crop; points may lie outside of it.
    """
    strength = 0.5 if plain else 1.0
    scale = math.exp(rng.uniform(*np.log(ZOOM)) * strength)
    angle = 0.0 if plain else math.radians(rng.uniform(-TURN, TURN))
    shift = SIDE * (0.5 + strength * rng.uniform(-SHIFT, SHIFT, 2))
    flip = not plain and rng.random() < 0.5
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    if flip:
        turn[0] *= -1
    middle = np.array([SIDE / 2, SIDE / 2])
    matrix = np.concatenate([turn, (shift - turn @ middle)[:, None]], axis=1)
    # cv2 has the centers of pixels at integers, the frames here their edges
    centers = matrix.copy()
    centers[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    border = cv2.BORDER_REPLICATE if plain or rng.random() < 0.6 else cv2.BORDER_CONSTANT
    shade = tuple(rng.integers(0, 256, 3).tolist()) if rng.random() < 0.5 else (GRAY,) * 3
    found = cv2.warpAffine(
        np.ascontiguousarray(pixels), centers, (SIDE, SIDE),
        flags=cv2.INTER_LINEAR, borderMode=border, borderValue=shade,
    ).astype(np.uint8, copy=False)  # fmt: skip
    moved = (points * SIDE) @ matrix[:, :2].T + matrix[:, 2]
    places = (moved / SIDE).astype(np.float32)
    if flip:
        places = places[list(MIRRORED)]
    return (found if plain else _worn(recolored_pixels(found, rng), rng)), places


def _worn(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Blurred, coarse or partly covered, sometimes."""
    if rng.random() < BLUR:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.3)).astype(np.uint8)
    if rng.random() < COARSE:
        small = int(rng.integers(SIDE // 4, SIDE // 2 + 1))
        reduced = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(reduced, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if rng.random() < COVERED:
        pixels = pixels.copy()
        x, y = rng.integers(0, SIDE, 2)
        wide, tall = rng.integers(6, 24, 2)
        pixels[y : y + tall, x : x + wide] = rng.integers(0, 256, 3)
    return pixels
