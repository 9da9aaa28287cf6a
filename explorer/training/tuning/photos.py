"""The photos of a folder in memory: those to learn from small, those held out as they go in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from explorer.annotations.dataset import fitted
from explorer.core.errors import ExplorerError
from explorer.evaluation.metrics import Objects
from explorer.images.image import open_image
from explorer.training.data.pool import Pool, PoolPhoto

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.annotations.dataset import Annotated
    from explorer.core.values import Box

LONGEST = 560
"""Pixels of the long side that photos to learn from are shrunk to: a canvas zoomed in."""

SHOWN = 640
"""Likewise of those that are looked at."""

_MOST_DISTORTED = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """One photo that the network does not learn from.

    Attributes:
        name: Of its file.
        path: Of its file.
        size: (H, W) of the photo.
        inputs: (1, 3, h, w) float32, what the network's own transform makes of it.
        input_size: (H, W) of the photo in there, without what was added to the sides.
        objects: Its ground truth in pixels of the photo.
        picture: (h, w, 3) uint8, to be shown.
    """

    name: str
    path: str
    size: tuple[int, int]
    inputs: Tensor
    input_size: tuple[int, int]
    objects: Objects
    picture: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The boxes of one photo in its own pixels.

    Attributes:
        boxes: (N, 4) float32 of the objects.
        labels: (N,) int64, 1.. into the names.
        ignored: (M, 4) float32: crowds and difficult objects.
        ignored_labels: (M,) int64; 0 = of no class that is learned.
        crowd: (M,) bool.
        outside: Boxes that lie outside of the photo or have no area.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignored: NDArray[np.float32]
    ignored_labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    outside: int


def opened(photo: Annotated) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright.

    Raises:
        ExplorerError: It cannot be read, or is not the photo that its annotations are about.
    """
    pixels = open_image(photo.path).pixels
    height, width = pixels.shape[:2]
    if photo.size is not None:
        across, down = width / photo.size[0], height / photo.size[1]
        if abs(across / down - 1) > _MOST_DISTORTED:
            raise ExplorerError(
                f"{photo.name} has {width} × {height} pixels, its annotations are for "
                f"{photo.size[0]} × {photo.size[1]}."
            )
    return pixels


def fit(photo: Annotated, size: tuple[int, int], labels: Mapping[str, int]) -> Fitted:
    """The boxes of a photo of (H, W) `size`, clipped to it.

    Args:
        photo: With its annotations.
        size: As it is now; the boxes are scaled where the annotations are for another one.
        labels: By name; boxes of other classes are ignored regions.
    """
    inside, _ = fitted(photo, (size[1], size[0]))
    objects = [box for box in inside if box.counts]
    unknown = [box for box in objects if box.label not in labels]
    known = [box for box in objects if box.label in labels]
    crowds = [box for box in inside if box.crowd]
    ignored = [*crowds, *(box for box in inside if box.difficult and not box.crowd), *unknown]
    outside = sum(box.counts for box in photo.boxes) - len(objects)
    return Fitted(
        _corners(known), np.array([labels[box.label] for box in known], np.int64),
        _corners(ignored), np.array([labels.get(box.label, 0) for box in ignored], np.int64),
        np.arange(len(ignored)) < len(crowds), outside,
    )  # fmt: skip


def _corners(boxes: Sequence[Box]) -> NDArray[np.float32]:
    return np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], np.float32).reshape(-1, 4)


def to_learn_from(
    photo: Annotated, pixels: NDArray[np.uint8], labels: Mapping[str, int]
) -> tuple[PoolPhoto, int]:
    """A photo as the canvases take it, and how many of its boxes were dropped."""
    found = fit(photo, (pixels.shape[0], pixels.shape[1]), labels)
    small, scale = shrunk(pixels, LONGEST)
    aspect = pixels.shape[1] / pixels.shape[0]
    return (
        PoolPhoto(
            photo.path, found.boxes * scale, found.labels, found.ignored * scale, aspect,
            pixels=small,
        ),
        found.outside,
    )  # fmt: skip


@torch.no_grad()
def to_measure(
    photo: Annotated, pixels: NDArray[np.uint8], labels: Mapping[str, int], model: Any
) -> HeldOut:
    """A photo as the detector `model` takes it, after its own transform."""
    height, width = pixels.shape[:2]
    device = next(model.parameters()).device
    values = torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1).float() / 255
    batch, _ = model.transform([values])
    found = fit(photo, (height, width), labels)
    known = found.ignored_labels > 0
    passed = np.ones(int(known.sum()), np.bool_)
    none = np.zeros(len(found.labels), np.bool_)
    crowd = found.crowd[known]
    objects = Objects(
        np.concatenate([found.boxes, found.ignored[known]]).astype(np.float64),
        np.concatenate([found.labels, found.ignored_labels[known]]),
        np.concatenate([none, crowd]),
        np.concatenate([none, passed & ~crowd]),
    )
    return HeldOut(
        photo.name, str(photo.path), (height, width), batch.tensors, batch.image_sizes[0], objects,
        shrunk(pixels, SHOWN)[0],
    )  # fmt: skip


def shrunk(pixels: NDArray[np.uint8], longest: int) -> tuple[NDArray[np.uint8], Any]:
    """The photo with a long side of `longest` at most, and the (4,) factors of its boxes."""
    height, width = pixels.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = pixels
    if size != (width, height):
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    factors = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    return np.ascontiguousarray(small), factors


def pool_of(photos: Sequence[PoolPhoto], names: Sequence[str]) -> Pool:
    """The photos as the canvases take them."""
    return Pool(tuple(photos), ("background", *names), ())


def photos_of_the_most_frequent(photos: Sequence[PoolPhoto]) -> int:
    """How many photos show the class that most of them show."""
    seen = np.concatenate([np.zeros(0, np.int64), *(np.unique(p.labels) for p in photos)])
    return int(np.bincount(seen).max(initial=1)) if len(seen) else 1
