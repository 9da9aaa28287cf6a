"""Aligned pictures, read one by one until there are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.images.image import thumbnail

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Aligned:
    """Pictures of one size: that of the first one, reduced to `side` pixels at its longer side.

    Those of another size are resized to it, whatever their proportions. A file that is no picture
    is passed over.

    Attributes:
        resized: How many had another size.
        unreadable: How many files could not be read.
    """

    def __init__(self, side: int) -> None:
        self.resized = self.unreadable = 0
        self._side = side
        self._pictures: list[NDArray[np.uint8]] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def add(self, path: Path) -> None:
        try:
            picture = thumbnail(path, self._side)
        except ExplorerError:
            self.unreadable += 1
            return
        if self._pictures and picture.shape != self._pictures[0].shape:
            height, width = self._pictures[0].shape[:2]
            picture = resized(picture, (height, width))
            self.resized += 1
        self._pictures.append(picture)

    def array(self) -> NDArray[np.float32]:
        """(n, H, W, C) in [0, 1]; C is 1 where all pictures are gray, else 3.

        Raises:
            ExplorerError: No picture was read.
        """
        if not self._pictures:
            raise ExplorerError(
                "The folder has no pictures.",
                "Choose one with pictures that are aligned: the same things at the same places.",
            )
        levels = np.stack(self._pictures)
        if (levels == levels[..., :1]).all():
            levels = levels[..., :1]
        return (levels / np.float32(255.0)).astype(np.float32)

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said of them, in sentences."""
        found = []
        if self.resized:
            height, width = self._pictures[0].shape[:2]
            found.append(
                f"{quantity(self.resized, 'picture')} of another size than the first one: resized "
                f"to {width} x {height}."
            )
        if self.unreadable:
            found.append(f"{quantity(self.unreadable, 'file')} could not be read.")
        return tuple(found)


def resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 at H and W of `size`, averaged where it shrinks."""
    shrinks = picture.shape[0] * picture.shape[1] > size[0] * size[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    found: NDArray[np.uint8] = cv2.resize(picture, (size[1], size[0]), interpolation=method).astype(
        np.uint8
    )
    return found


def region(
    pixels: NDArray[np.uint8],
    box: tuple[float, float, float, float] | None,
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """A part of a photo as a picture of the given shape, and where it lies.

    Args:
        pixels: (h, w, 3) uint8.
        box: x0, y0, x1, y1 in pixels, stretched over the picture; None = the largest one in the
            middle that has the picture's proportions.
        shape: (H, W, C), C 1 = ITU-R 601 luma.

    Returns:
        (H, W, C) float32 in [0, 1], and x0, y0, x1, y1 in whole pixels.
    """
    high, wide = pixels.shape[:2]
    height, width, channels = shape
    if box is None:
        scale = min(high / height, wide / width)
        x, y = (wide - scale * width) / 2, (high - scale * height) / 2
        box = (x, y, wide - x, high - y)
    x0, x1 = (min(max(round(x), 0), wide) for x in (box[0], box[2]))
    y0, y1 = (min(max(round(y), 0), high) for y in (box[1], box[3]))
    x0, y0 = min(x0, wide - 1), min(y0, high - 1)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    part = resized(np.ascontiguousarray(pixels[y0:y1, x0:x1]), (height, width)) / 255.0
    if channels == 1:
        part = (part @ np.array([0.2989, 0.587, 0.114]))[..., None]
    return part.astype(np.float32), (float(x0), float(y0), float(x1), float(y1))
