"""The pictures that the lite networks learn from: photos of a pool, zoomed, shifted, mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.annotations.masks import read_numbers
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.data.pool import Boxes, Joints, Pool, PoolPhoto

SHAPES = ((256, 320), (320, 256), (288, 288))
"""(H, W) of the canvases: wide, high, square. Few shapes, as each one costs its first step."""

MIDDLE = 0.12
"""A photo whose log aspect is nearer to 0 goes onto the square canvas."""

ASPECTS = (4 / 3, 4 / 3, 4 / 3, 4 / 3, 3 / 2, 3 / 2, 16 / 9, 1.15)
"""What squashed photos of unknown aspect are taken to have been, upright or lying."""

LYING = 0.7
"""The part of those that were wider than high."""

ZOOM, MOSAIC_ZOOM = (0.65, 1.5), (0.8, 1.7)
"""Least and largest size of a photo on its canvas; 1 = it just fits."""

ASPECT_JITTER = 0.14

MOSAICS = 0.3
"""The part of the canvases that are made of four photos."""

GRAY = 0.04

LEAST_SIDE, LEAST_SHARE = 4.0, 0.35
"""An object with fewer visible pixels each way, or a smaller visible part, is ignored."""

MIRRORED_JOINTS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""COCO's 17 joints with left and right exchanged."""

UNSURE_PIXEL = 255
"""In masks: the class is not known."""

MOST_OFTEN, COMMON = 3.0, 300
"""Photos of categories with fewer photos than `COMMON` are drawn up to this much more often."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A picture to learn from: (H, W, 3) uint8 RGB with objects and ignored regions.

    `mask` is the class of every pixel, (H, W) uint8, `UNSURE_PIXEL` where it is not known; `joints`
    as in `PoolPhoto`.
    """

    pixels: NDArray[np.uint8]
    boxes: Boxes
    labels: NDArray[np.int64]
    ignored: Boxes
    mask: NDArray[np.uint8] | None = None
    joints: Joints | None = None


class CanvasMaker:
    """Draws photos and puts them onto canvases.

    Args:
        pool: The photos.
        common: Photos of categories with fewer photos than this are drawn more often.
        often: (photos,) how often each is drawn compared with the others; None = by `common`.
    """

    def __init__(
        self, pool: Pool, common: int = COMMON, often: NDArray[np.float64] | None = None
    ) -> None:
        self._pool = pool
        if often is None:
            often = repeats([photo.labels for photo in pool.photos], len(pool.names), common)
        shares = np.stack([_shape_shares(photo.aspect) for photo in pool.photos])
        weights = often[:, None] * shares
        self._shape = np.cumsum(weights.sum(0) / weights.sum())
        self._photo = np.cumsum(weights / np.maximum(weights.sum(0), 1e-9), axis=0)

    def batch(self, rng: np.random.Generator, count: int, mosaics: float = MOSAICS) -> list[Canvas]:
        """`count` canvases of one shape."""
        kind = min(int(np.searchsorted(self._shape, rng.random())), len(SHAPES) - 1)
        return [self._canvas(rng, kind, mosaics) for _ in range(count)]

    def _canvas(self, rng: np.random.Generator, kind: int, mosaics: float) -> Canvas:
        shape = SHAPES[kind]
        if rng.random() >= mosaics:
            return recolored(placed(self._drawn(rng, kind), kind, shape, ZOOM, rng), rng)
        y, x = (round(side * rng.uniform(0.35, 0.65)) for side in shape)
        parts = []
        for top, bottom in ((0, y), (y, shape[0])):
            for left, right in ((0, x), (x, shape[1])):
                size = (bottom - top, right - left)
                part = placed(self._drawn(rng, kind), kind, size, MOSAIC_ZOOM, rng)
                parts.append((part, top, left))
        return recolored(joined(parts, shape), rng)

    def _drawn(self, rng: np.random.Generator, kind: int) -> PoolPhoto:
        row = int(np.searchsorted(self._photo[:, kind], rng.random()))
        return self._pool.photos[min(row, len(self._pool.photos) - 1)]


def repeats(
    labels: Sequence[NDArray[Any]], classes: int, common: int, most: float = MOST_OFTEN
) -> NDArray[np.float64]:
    """Repeat factors as for LVIS (Gupta et al. 2019): the rarest class of a photo decides.

    Args:
        labels: Of every photo the classes that it shows, each below `classes`.
        classes: How many there are.
        common: A class with this many photos or more is drawn as it comes.
        most: The largest factor.

    Returns:
        (photos,) in [1, most]: sqrt(common / photos with the class).
    """
    seen = np.zeros(classes)
    for shown in labels:
        seen[np.unique(shown)] += 1
    factor = np.clip(np.sqrt(common / np.maximum(seen, 1)), 1.0, most)
    return np.array([factor[shown].max(initial=1.0) for shown in labels])


def _shape_shares(aspect: float) -> tuple[float, float, float]:
    if not aspect:
        return (LYING, 1 - LYING, 0.0)
    if abs(math.log(aspect)) < MIDDLE:
        return (0.0, 0.0, 1.0)
    return (1.0, 0.0, 0.0) if aspect > 1 else (0.0, 1.0, 0.0)


def placed(
    photo: PoolPhoto,
    kind: int,
    shape: tuple[int, int],
    zoom: tuple[float, float],
    rng: np.random.Generator,
) -> Canvas:
    """One photo on a canvas: its own aspect but for a jitter, zoomed, shifted, perhaps mirrored.

    Args:
        photo: The photo.
        kind: Index of the canvas's shape, which tells how a squashed photo was oriented.
        shape: (H, W) of the canvas.
        zoom: Least and largest size; 1 = the photo just fits.
        rng: Draws all of it.

    Raises:
        ExplorerError: The photo cannot be read.
    """
    pixels = pixels_of(photo)
    aspect = photo.aspect
    if not aspect:
        aspect = ASPECTS[int(rng.integers(len(ASPECTS)))]
        aspect = 1 / aspect if kind == 1 else aspect
    aspect *= math.exp(rng.uniform(-ASPECT_JITTER, ASPECT_JITTER))
    height, width = shape
    high = min(height, width / aspect) * math.exp(rng.uniform(*np.log(zoom)))
    size = (max(8, round(high * aspect)), max(8, round(high)))
    scale = np.array([size[0] / pixels.shape[1], size[1] / pixels.shape[0]] * 2, np.float32)
    smaller = size[1] < pixels.shape[0]
    resized = cv2.resize(
        pixels, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    left, top = (
        int(rng.integers(min(0, room), max(0, room) + 1))
        for room in (width - size[0], height - size[1])
    )
    shift = np.array([left, top, left, top], np.float32)
    mask = None
    if photo.mask is not None:
        whole = cv2.resize(read_numbers(photo.mask), size, interpolation=cv2.INTER_NEAREST)
        mask = _shifted(whole, np.full(shape, UNSURE_PIXEL, np.uint8), top, left)
    found = visible(
        Canvas(
            _shifted(resized, np.full((*shape, 3), 127, np.uint8), top, left),
            photo.boxes * scale + shift, photo.labels, photo.ignored * scale + shift, mask,
            None if photo.joints is None else _moved(photo.joints, scale[:2], shift[:2]),
        )
    )  # fmt: skip
    return mirrored(found) if rng.random() < 0.5 else found


def pixels_of(photo: PoolPhoto) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a photo.

    Raises:
        ExplorerError: The photo cannot be read.
    """
    if photo.pixels is not None:
        return photo.pixels
    pixels = cv2.imread(str(photo.path))
    if pixels is None:
        raise ExplorerError(
            f"{photo.path} cannot be read.", "Check that the folder of photos is complete."
        )
    return pixels[..., ::-1].astype(np.uint8, copy=False)


def _moved(joints: Joints, scale: Joints, shift: Joints) -> Joints:
    found = joints.copy()
    found[..., :2] = joints[..., :2] * scale + shift
    found[joints[..., 2] == 0] = 0
    return found


def _shifted(
    values: NDArray[Any], onto: NDArray[np.uint8], top: int, left: int
) -> NDArray[np.uint8]:
    """`onto` with `values` laid over it at `top`, `left`, which may be negative."""
    target = onto[max(0, top) : top + values.shape[0], max(0, left) : left + values.shape[1]]
    rows, columns = target.shape[:2]
    target[:] = values[max(0, -top) :, max(0, -left) :][:rows, :columns]
    return onto


def visible(canvas: Canvas) -> Canvas:
    """Boxes cut off at the canvas's sides; objects of which too little is left are ignored."""
    height, width = canvas.pixels.shape[:2]
    most = np.array([width, height, width, height], np.float32)
    boxes, ignored = canvas.boxes.clip(0, most), canvas.ignored.clip(0, most)
    sides = boxes[:, 2:] - boxes[:, :2]
    whole = (canvas.boxes[:, 2:] - canvas.boxes[:, :2]).prod(axis=1)
    shown = (sides.min(axis=1, initial=np.inf) >= LEAST_SIDE) & (
        sides.prod(axis=1) >= LEAST_SHARE * whole
    )
    ignored = np.concatenate([ignored, boxes[~shown]])
    ignored = ignored[((ignored[:, 2:] - ignored[:, :2]) >= 1).all(axis=1)]
    joints = canvas.joints
    if joints is not None:
        joints = joints[shown]
        outside = (joints[..., :2] < 0).any(axis=-1) | (joints[..., :2] >= most[:2]).any(axis=-1)
        joints[outside] = 0
    return replace(
        canvas, boxes=boxes[shown], labels=canvas.labels[shown], ignored=ignored, joints=joints
    )


def mirrored(canvas: Canvas) -> Canvas:
    """Left and right exchanged."""
    width = canvas.pixels.shape[1]
    boxes, ignored = (
        np.stack([width - b[:, 2], b[:, 1], width - b[:, 0], b[:, 3]], axis=1)
        for b in (canvas.boxes, canvas.ignored)
    )
    mask = None if canvas.mask is None else canvas.mask[:, ::-1]
    joints = canvas.joints
    if joints is not None:
        joints = joints[:, MIRRORED_JOINTS]
        joints[..., 0] = np.where(joints[..., 2] > 0, width - joints[..., 0], 0)
    return Canvas(canvas.pixels[:, ::-1], boxes, canvas.labels, ignored, mask, joints)


def joined(parts: list[tuple[Canvas, int, int]], shape: tuple[int, int]) -> Canvas:
    """Canvases side by side: each with its top and left on the new one of (H, W) `shape`.

    Joints are dropped.
    """
    pixels, mask = np.empty((*shape, 3), np.uint8), np.full(shape, UNSURE_PIXEL, np.uint8)
    boxes, ignored = [], []
    for part, top, left in parts:
        height, width = part.pixels.shape[:2]
        pixels[top : top + height, left : left + width] = part.pixels
        if part.mask is not None:
            mask[top : top + height, left : left + width] = part.mask
        shift = np.array([left, top, left, top], np.float32)
        boxes.append(part.boxes + shift)
        ignored.append(part.ignored + shift)
    labels = np.concatenate([part.labels for part, _, _ in parts])
    has_mask = any(part.mask is not None for part, _, _ in parts)
    return Canvas(
        pixels, np.concatenate(boxes), labels, np.concatenate(ignored), mask if has_mask else None
    )


def recolored(canvas: Canvas, rng: np.random.Generator) -> Canvas:
    """See `recolored_pixels`."""
    return replace(canvas, pixels=recolored_pixels(canvas.pixels, rng))


def recolored_pixels(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: brightness, contrast, tint, saturation changed a little; sometimes gray."""
    pixels = np.ascontiguousarray(pixels)
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, 3)
    table = (np.arange(256)[:, None] - 127) * gain + 127 + rng.uniform(-25, 25)
    tinted = cv2.LUT(pixels, table.clip(0, 255).astype(np.uint8)[None])
    share = 0.0 if rng.random() < GRAY else rng.uniform(0.6, 1.4)
    gray = cv2.cvtColor(cv2.cvtColor(tinted, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed = cv2.addWeighted(tinted, share, gray, 1 - share, 0)
    return mixed.astype(np.uint8, copy=False)
