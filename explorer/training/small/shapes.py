"""Small pictures of shapes and textures, drawn from random numbers: a data set for any computer.

Place, size, angle, colors and background are random and say nothing about the class, so that a
network has to use the form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8

CLASSES = ("disk", "ring", "square", "triangle", "star", "cross", "stripes", "checks")
FINER = 3
"""Forms are drawn this many times as large and averaged down."""
BACK, FRONT = (15.0, 125.0), (95.0, 240.0)
"""Gray levels between which the color channels of background and shape are."""
LEAST_CONTRAST = 40.0
"""By which the mean of a shape's channels is above that of its background, in gray levels."""
PATCHES = 16.0
"""Standard deviation of the clouds of a background, in gray levels."""
NOISE = 10.0
"""Standard deviation of the noise, in gray levels."""


def shapes(count: int, side: int, seed: int) -> tuple[UInt8, NDArray[np.int64]]:
    """Pictures with their classes, as many of each, in random order.

    Args:
        count: Of pictures.
        side: Of a picture, in pixels.
        seed: Equal seeds give equal pictures.

    Returns:
        (count, side, side, 3) uint8 RGB, and (count,) indices into `CLASSES`.
    """
    random = np.random.default_rng([seed, side])
    labels = np.arange(count, dtype=np.int64) % len(CLASSES)
    random.shuffle(labels)
    fine = side * FINER
    yx = np.mgrid[:fine, :fine].astype(np.float32)
    forms = np.stack([_small(_mask(CLASSES[label], yx, random), side) for label in labels])
    lines = np.stack([_small(_line(fine, random), side) for _ in labels])
    back, front = (random.uniform(*ends, (count, 1, 1, 3)) for ends in (BACK, FRONT))
    missing = back.mean(axis=3) + LEAST_CONTRAST - front.mean(axis=3)
    front += np.maximum(missing, 0)[:, :, :, None]
    clouds = random.normal(0, PATCHES, (count, 4, 4, 3)).astype(np.float32)
    pictures = back + np.stack([cv2.resize(each, (side, side)) for each in clouds])
    for masks, colors in ((lines, random.uniform(*FRONT, (count, 1, 1, 3))), (forms, front)):
        pictures += masks[:, :, :, None] * (colors - pictures)
    pictures += random.normal(0, NOISE, pictures.shape)
    return np.clip(np.round(pictures), 0, 255).astype(np.uint8), labels


def _small(mask: Float32, side: int) -> Float32:
    found: Float32 = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return found


def _line(fine: int, random: np.random.Generator) -> Float32:
    """A thin line somewhere behind: not every edge belongs to the shape."""
    canvas = np.zeros((fine, fine), np.float32)
    start, end = random.integers(0, fine, (2, 2)).tolist()
    cv2.line(canvas, start, end, 1.0, FINER - 1)
    return canvas


def _mask(name: str, yx: Float32, random: np.random.Generator) -> Float32:
    """(h, w) 1 on the shape, 0 beside it; `yx` (2, h, w) are the places of the pixels."""
    fine = yx.shape[1]
    radius = random.uniform(0.26, 0.42) * fine
    center = fine / 2 + random.uniform(-1, 1, 2) * (0.5 * fine - radius) * 0.8
    angle = random.uniform(0, 2 * np.pi)
    mask = np.zeros((fine, fine), np.float32)
    if name in _TEXTURES:
        period = random.uniform(0.35, 0.55) * radius
        _fill(mask, _polygon(24, 1.0, center, radius, angle))
        x, y = yx[1] - np.float32(center[0]), yx[0] - np.float32(center[1])
        u = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
        v = np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x
        found: Float32 = mask * _TEXTURES[name](u, v, float(np.pi / period))
        return found
    corners, inner = _FORMS[name]
    _fill(mask, _polygon(corners, inner, center, radius, angle))
    if name == "ring":
        hole = _polygon(corners, inner, center, radius * random.uniform(0.45, 0.65), angle)
        _fill(mask, hole, 0.0)
    return mask


_TEXTURES: dict[str, Callable[[Float32, Float32, float], NDArray[np.bool_]]] = {
    "stripes": lambda u, _v, turn: np.sin(u * turn) > 0,
    "checks": lambda u, v, turn: np.sin(u * turn) * np.sin(v * turn) > 0,
}
_FORMS = {
    "disk": (24, 1.0), "ring": (24, 1.0), "square": (4, 1.0), "triangle": (3, 1.0),
    "star": (5, 0.42), "cross": (4, 0.30),
}  # fmt: skip
"""Outer corners, and how far the inner ones are from the center; 1 = there are none."""
assert {*_TEXTURES, *_FORMS} == set(CLASSES)


def _polygon(
    corners: int, inner: float, center: NDArray[np.float64], radius: float, angle: float
) -> NDArray[np.int32]:
    count = corners if inner == 1.0 else 2 * corners
    turns = angle + np.arange(count) * 2 * np.pi / count
    far = np.full(count, radius)
    if inner != 1.0:
        far[1::2] *= inner
    points = center + far[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    found: NDArray[np.int32] = np.round(points).astype(np.int32)
    return found


def _fill(mask: Float32, polygon: NDArray[np.int32], value: float = 1.0) -> None:
    cv2.fillPoly(mask, [polygon], value)
