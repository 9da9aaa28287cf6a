"""Edits of a photo: an area filled, blurred or inpainted, a part of a photo pasted.

All change `pixels`, (H, W, 3) uint8, in place. They read and write only the surroundings of what
they change, so that a brush can be followed on a photo of many megapixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.images.pixels import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]
    Area = NDArray[np.bool_]
    Color = tuple[float, float, float]

GRAY: Color = (127.5, 127.5, 127.5)
"""Half of the largest value in each channel."""
AROUND = 0.35
"""Inpainting takes this part of an area's longer side into account on each side of it."""
LEAST_AROUND = 12
"""The same in pixels, at least."""
REACH = 2
"""Pixels around a new one that its color is worked out from."""
FINE_SIGMA = 4.0
"""Standard deviation from which a blur is worked out on a smaller copy."""


def mean_color(pixels: UInt8) -> Color:
    """The mean of each channel."""
    red, green, blue = cv2.mean(pixels)[:3]
    return red, green, blue


def span_of(area: Area) -> tuple[slice, slice] | None:
    """The rows and columns of the smallest rectangle around an area; None for an empty one."""
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def widened(span: tuple[slice, slice], margin: int, size: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns with `margin` more on each side, where (H, W) `size` has that many."""
    rows, columns = (
        slice(max(part.start - margin, 0), min(part.stop + margin, side))
        for part, side in zip(span, size[:2], strict=True)
    )
    return rows, columns


def fill(pixels: UInt8, area: Area, color: Color) -> None:
    """Gives every pixel of `area` (H, W) one color."""
    span = span_of(area)
    if span is not None:
        pixels[span][area[span]] = np.array(color).round().astype(np.uint8)


def blur(pixels: UInt8, area: Area, sigma: float) -> None:
    """Replaces every pixel of `area` (H, W) by a Gaussian mean around it.

    Args:
        pixels: Changed in place.
        area: What is blurred; its surroundings go into the mean, too.
        sigma: Standard deviation of the Gaussian in pixels.
    """
    span = span_of(area)
    if span is None:
        return
    wide = widened(span, round(3 * sigma) + 1, area.shape)
    # A copy: what is written must not be read again.
    pixels[wide][area[wide]] = _soft(np.ascontiguousarray(pixels[wide]), sigma)[area[wide]]


def _soft(part: UInt8, sigma: float) -> UInt8:
    """A Gaussian blur; a wide one is that of a smaller copy, which costs far less."""
    share = FINE_SIGMA / sigma
    if share >= 1:
        return np.asarray(cv2.GaussianBlur(part, (0, 0), sigma), np.uint8)
    height, width = part.shape[:2]
    size = (max(1, round(width * share)), max(1, round(height * share)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    # Averaging over a pixel of the copy, and interpolating between its pixels, blur as well.
    small = cv2.GaussianBlur(small, (0, 0), (FINE_SIGMA**2 - 0.25) ** 0.5)
    soft = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft, np.uint8)


def inpaint(pixels: UInt8, area: Area, longest: int = 96) -> None:
    """Continues the surroundings of `area` (H, W) into it (Telea 2004, fast marching).

    An area without any pixel around it becomes `GRAY`.

    Args:
        pixels: Changed in place.
        area: What is replaced.
        longest: It is worked out on a copy of the surroundings of at most this many pixels on its
            longer side: there is no detail in what it gives, and its cost grows with the area.
    """
    span = span_of(area)
    if span is None:
        return
    sides = max(part.stop - part.start for part in span)
    wide = widened(span, max(LEAST_AROUND, round(AROUND * sides)), area.shape)
    part, hole = pixels[wide], area[wide]
    if hole.all():
        fill(pixels, area, GRAY)
        return
    small = shrunk(np.ascontiguousarray(part), longest)
    height, width = small.shape[:2]
    # A pixel of the copy with any pixel of the area in it holds some of its color.
    cover = cv2.resize(hole.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    if bool((cover > 0).all()):
        fill(pixels, area, mean_color(part[~hole][None]))
        return
    filled = cv2.inpaint(small, (cover > 0).astype(np.uint8), REACH, cv2.INPAINT_TELEA)
    size = (hole.shape[1], hole.shape[0])
    part[hole] = cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR)[hole]


def paste(pixels: UInt8, part: UInt8, shape: Area, center: tuple[float, float]) -> Area:
    """Puts a part of a photo on another one.

    Args:
        pixels: Changed in place.
        part: (h, w, 3) uint8.
        shape: (h, w), the pixels of `part` that are taken.
        center: x and y in `pixels` of the middle of `part`; what lies outside is cut off.

    Returns:
        (H, W), the pixels that were replaced.
    """
    changed = np.zeros(pixels.shape[:2], np.bool_)
    rows, into_rows = _overlap(center[1], part.shape[0], pixels.shape[0])
    columns, into_columns = _overlap(center[0], part.shape[1], pixels.shape[1])
    taken = shape[rows, columns]
    changed[into_rows, into_columns] = taken
    pixels[into_rows, into_columns][taken] = part[rows, columns][taken]
    return changed


def resized(part: UInt8, shape: Area, scale: float) -> tuple[UInt8, Area]:
    """A part of a photo (h, w, 3) with its shape (h, w), `scale` times as large."""
    height, width = shape.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return part, shape
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    given = np.ascontiguousarray(part), shape.astype(np.float32)
    colors, cover = (cv2.resize(array, size, interpolation=mode) for array in given)
    return np.asarray(colors, np.uint8), np.asarray(cover >= 0.5, np.bool_)


def _overlap(middle: float, size: int, room: int) -> tuple[slice, slice]:
    """What of `size` pixels around `middle` lies within 0 … room, and where."""
    start = round(min(max(middle, -1e6), 1e6) - size / 2)
    first, last = max(start, 0), min(start + size, room)
    last = max(first, last)
    return slice(first - start, last - start), slice(first, last)
