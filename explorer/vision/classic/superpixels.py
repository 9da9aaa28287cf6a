"""Superpixels and the features of a region for selective search: color, texture, size, box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Int32 = NDArray[np.int32]
    UInt8 = NDArray[np.uint8]

COLOR_BINS, TEXTURE_BINS, DIRECTIONS = 25, 10, 8
SIGMA = 0.8
"""The blur before the segmentation, in pixels."""
LEAST = 100
"""Superpixels of this many pixels are large enough, however large k is."""


def _opencv(code: str) -> Callable[[UInt8], UInt8]:
    def convert(pixels: UInt8) -> UInt8:
        import cv2  # late: a window that only lists the views does without it

        return np.asarray(cv2.cvtColor(pixels, getattr(cv2, code)), np.uint8)

    return convert


def _normalized_rg(pixels: UInt8) -> UInt8:
    """The shares of red and green, and the intensity."""
    total = pixels.sum(axis=2, dtype=np.float32)
    shares = pixels[..., :2] * (np.float32(255) / np.maximum(total, np.float32(1)))[..., None]
    both = np.concatenate([shares, (total / np.float32(3))[..., None]], axis=2)
    return np.round(both).astype(np.uint8)


SPACES: dict[str, Callable[[UInt8], UInt8]] = {
    "HSV": _opencv("COLOR_RGB2HSV_FULL"),
    "Lab": _opencv("COLOR_RGB2Lab"),
    "rgI": _normalized_rg,
    "H": lambda pixels: np.ascontiguousarray(_opencv("COLOR_RGB2HSV_FULL")(pixels)[..., :1]),
    "I": lambda pixels: _opencv("COLOR_RGB2GRAY")(pixels)[..., None],
    "RGB": lambda pixels: pixels,
}
"""Color spaces by name: (H, W, 3) uint8 RGB -> (H, W, C) uint8 with C = 3 or 1."""


def superpixels(channels: UInt8, k: float) -> Int32:
    """The graph-based segmentation of Felzenszwalb & Huttenlocher 2004, by OpenCV.

    Two regions are joined while the edge between them is no heavier than the heaviest edge inside
    either plus `k` / size; those of fewer than `k` (at most `LEAST`) pixels are joined at the end.

    Args:
        channels: (H, W, C) uint8 in any color space.
        k: The scale: the larger, the larger the regions.

    Returns:
        (H, W) int32, numbered from 0 without gaps.
    """
    import cv2

    cut = cv2.ximgproc.segmentation.createGraphSegmentation(SIGMA, float(k), min(round(k), LEAST))
    found = np.asarray(cut.processImage(np.ascontiguousarray(channels)), np.int32)
    return found.reshape(channels.shape[:2])


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The histogram bins of every pixel of a photo, ready to be counted for any label map.

    Attributes:
        color: (C, H * W) int32, the column of the color histogram that each pixel counts in.
        pixel: (M,) int32, the pixels with an edge that is strong enough for a bin above the first,
            once per such bin.
        texture: (M,) int32, the columns of the texture histogram they count in.
    """

    color: Int32
    pixel: Int32
    texture: Int32

    @property
    def channels(self) -> int:
        return len(self.color)


def codes(channels: UInt8) -> Codes:
    """What `histograms` needs of (H, W, C) uint8 `channels`; any label map may follow.

    Color: 25 equal bins of 0..255 per channel. Texture: the derivative of a Gaussian with sigma =
    1 in eight directions, negative values taken as 0, in 10 equal bins from 0 to the largest value
    of that channel (Uijlings et al. 2013, section 3.2).
    """
    count = channels.shape[2]
    flat = channels.reshape(-1, count).T.astype(np.int32)
    color = flat * COLOR_BINS // 256
    color += np.arange(count, dtype=np.int32)[:, None] * COLOR_BINS
    pixels, columns = [], []
    for channel in range(count):
        slopes = directional_derivatives(channels[..., channel])
        top = max(float(slope.max()) for slope in slopes)
        if top <= 0:
            continue
        for direction, slope in enumerate(slopes):
            level = slope.ravel() * np.float32(TEXTURE_BINS / top)
            strong = np.flatnonzero(level >= 1).astype(np.int32)
            bins = np.minimum(level[strong].astype(np.int32), TEXTURE_BINS - 1)
            pixels.append(strong)
            columns.append(bins + (channel * DIRECTIONS + direction) * TEXTURE_BINS)
    nothing = np.empty(0, np.int32)
    return Codes(
        color, np.concatenate([nothing, *pixels]), np.concatenate([nothing, *columns])
    )  # fmt: skip


def directional_derivatives(channel: UInt8) -> list[Float32]:
    """Eight (H, W) float32: derivatives of a Gaussian toward 0, 45 … 315 degrees, y down."""
    import cv2

    at = np.arange(-4, 5, dtype=np.float32)
    bell = np.exp(-at * at / 2)
    bell /= bell.sum()
    slope = at * bell  # correlation: the sign of a derivative, whose ramp response is 1
    source = channel.astype(np.float32)
    dx = np.asarray(cv2.sepFilter2D(source, -1, slope, bell), np.float32)
    dy = np.asarray(cv2.sepFilter2D(source, -1, bell, slope), np.float32)
    half = np.float32(np.sqrt(0.5))
    down, up = (dx + dy) * half, (dx - dy) * half
    return [dx, down, dy, -up, -dx, -down, -dy, up]


def histograms(labels: Int32, found: Codes) -> tuple[Float32, Float32]:
    """Color and texture of every region, each row with the sum 1.

    Args:
        labels: (H, W) int32, 0..n-1.
        found: The `codes` of a picture of that size.

    Returns:
        (n, 25 C) and (n, 80 C) float32.
    """
    flat = labels.ravel()
    n = int(flat.max()) + 1
    sizes = np.bincount(flat, minlength=n)
    wide = COLOR_BINS * found.channels
    color = np.bincount((flat * wide + found.color).ravel(), minlength=n * wide)
    deep = TEXTURE_BINS * DIRECTIONS * found.channels
    cells = flat[found.pixel] * deep + found.texture
    texture = np.bincount(cells, minlength=n * deep).reshape(n, -1, TEXTURE_BINS)
    texture[..., 0] = sizes[:, None] - texture.sum(axis=2)  # all the others are weak there
    return (
        (color.reshape(n, wide) / (sizes * found.channels)[:, None]).astype(np.float32),
        (texture.reshape(n, deep) / (sizes * found.channels * DIRECTIONS)[:, None]).astype(
            np.float32
        ),
    )


def neighbors(labels: Int32) -> NDArray[np.int64]:
    """(E, 2): the pairs of labels that share a side of a pixel, the smaller first, in order."""
    return borders(labels)[0]


def borders(labels: Int32) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(E, 2) the `neighbors`, and (E,) how many sides of pixels each pair shares."""
    n = int(labels.max()) + 1
    keys = []
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differ = one != other
        a, b = one[differ].astype(np.int64), other[differ]
        keys.append(np.minimum(a, b) * n + np.maximum(a, b))
    pairs, lengths = np.unique(np.concatenate(keys), return_counts=True)
    return np.stack([pairs // n, pairs % n], axis=1), lengths.astype(np.int64)


def bounds(labels: Int32) -> Float32:
    """(n, 4) float32: the box around every label, x0, y0, x1, y1 with x1 and y1 outside."""
    height, width = labels.shape
    n = int(labels.max()) + 1
    found = np.empty((n, 4), np.float32)
    for axis, side in ((0, height), (1, width)):
        there = np.zeros((n, side), np.bool_)
        where = np.arange(side)
        there[labels, where[:, None] if axis == 0 else where[None]] = True
        found[:, 1 - axis] = there.argmax(axis=1)
        found[:, 3 - axis] = side - there[:, ::-1].argmax(axis=1)
    return found
