"""Photos with COCO annotations, some of them unsure, and the pictures that detectors learn from.

Every annotation may have a `score` (1 when it is missing): sure ones are objects, and where unsure
ones lie nothing is learned, neither that there is an object nor that there is none.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.masks import read_mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Boxes = NDArray[np.float32]

SURE, UNSURE = 0.5, 0.2
"""From this score on an annotation is an object, or a region to ignore."""

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

GREY = 0.04

LEAST_SIDE, LEAST_SHARE = 4.0, 0.35
"""An object must show so many pixels each way, and so much of itself, else it is ignored."""

UNSURE_PIXEL = 255
"""In masks: the class is not known."""

MOST_OFTEN, COMMON = 3.0, 300
"""Photos of categories with fewer photos than `COMMON` are drawn up to so much more often."""


@dataclass(frozen=True, slots=True, eq=False)
class PoolPhoto:
    """One photo and what is known about it.

    Attributes:
        path: Of the picture.
        boxes: (N, 4) float32 xyxy of the objects, in its pixels.
        labels: (N,) int64, 1.. into `Pool.names`.
        ignored: (M, 4) float32 regions about which nothing is known.
        aspect: Width / height as the photo was taken; 0 = unknown, as it was squashed.
        mask: Of a palette PNG with the class of every pixel; None when it has none.
    """

    path: Path
    boxes: Boxes
    labels: NDArray[np.int64]
    ignored: Boxes
    aspect: float
    mask: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Photos with boxes.

    Attributes:
        photos: All of them.
        names: By label; 0 is the background.
        left_out: Categories of the file with too few objects.
    """

    photos: tuple[PoolPhoto, ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A picture to learn from: (H, W, 3) uint8 RGB with objects and ignored regions.

    `mask` is the class of every pixel, (H, W) uint8, `UNSURE_PIXEL` where nobody knows.
    """

    pixels: NDArray[np.uint8]
    boxes: Boxes
    labels: NDArray[np.int64]
    ignored: Boxes
    mask: NDArray[np.uint8] | None = None


def read_pool(folder: Path, least: int = 30) -> Pool:
    """Reads `folder`/instances.json; the photos are in `folder`/images and stay there.

    Args:
        folder: In COCO's format.
        least: Categories with fewer sure objects are left out; their regions are ignored.

    Raises:
        ExplorerError: There is no such file, or it is none of COCO's format.
    """
    path = folder / "instances.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        categories = {int(row["id"]): str(row["name"]) for row in content["categories"]}
        rows: dict[int, list[Any]] = {int(image["id"]): [] for image in content["images"]}
        for note in content["annotations"]:
            if note.get("score", 1.0) >= UNSURE:
                rows[int(note["image_id"])].append(note)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExplorerError(
            f"{path} cannot be read as annotations in COCO's format.",
            "Give a folder with instances.json and images/.",
        ) from error
    sure = Counter(
        int(note["category_id"]) for notes in rows.values() for note in notes if _is_object(note)
    )
    known = [number for number in sorted(categories) if sure[number] >= least]
    label = {number: i for i, number in enumerate(known, start=1)}
    photos = tuple(
        _photo(folder / "images", image, rows[int(image["id"])], label)
        for image in content["images"]
    )
    return Pool(
        photos,
        ("background", *(categories[number] for number in known)),
        tuple(name for number, name in categories.items() if number not in label),
    )


def masked(pool: Pool, folder: Path) -> Pool:
    """The photos that have a mask: `folder`/masks/NAME.png for the photo NAME.

    Raises:
        ExplorerError: None has.
    """
    masks = {path.stem: path for path in sorted((folder / "masks").glob("*.png"))}
    photos = tuple(
        replace(photo, mask=masks[photo.path.stem])
        for photo in pool.photos
        if photo.path.stem in masks
    )
    if not photos:
        raise ExplorerError(
            f"There are no masks in {folder / 'masks'}.",
            "Put a PNG with the class of every pixel there, named as the photo is.",
        )
    return Pool(photos, pool.names, pool.left_out)


def _is_object(note: dict[str, Any]) -> bool:
    return note.get("score", 1.0) >= SURE and not note.get("iscrowd")


def _photo(
    folder: Path, image: dict[str, Any], notes: list[Any], label: dict[int, int]
) -> PoolPhoto:
    boxes: list[list[float]] = []
    labels: list[int] = []
    ignored: list[list[float]] = []
    for note in notes:
        x, y, width, height = note["bbox"]
        corners = [x, y, x + width, y + height]
        number = label.get(int(note["category_id"]))
        if number is not None and _is_object(note):
            boxes.append(corners)
            labels.append(number)
        else:
            ignored.append(corners)
    aspect = float(image.get("aspect", 0.0 if image.get("squashed") else 1.0))
    if not image.get("squashed"):
        aspect = image["width"] / image["height"]
    return PoolPhoto(
        folder / image["file_name"],
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
        aspect,
    )


class CanvasMaker:
    """Draws photos and puts them onto canvases.

    Args:
        pool: The photos.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        often = _draws(pool)
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


def _draws(pool: Pool) -> NDArray[np.float64]:
    # Repeat factors as for LVIS (Gupta et al. 2019): the rarest category of a photo decides.
    seen = np.zeros(len(pool.names))
    for photo in pool.photos:
        seen[np.unique(photo.labels)] += 1
    factor = np.clip(np.sqrt(COMMON / np.maximum(seen, 1)), 1.0, MOST_OFTEN)
    return np.array([factor[photo.labels].max(initial=1.0) for photo in pool.photos])


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
        kind: Index of the canvas's shape, which says how a squashed photo was held.
        shape: (H, W) of the canvas.
        zoom: Least and largest size; 1 = the photo just fits.
        rng: Draws all of it.

    Raises:
        ExplorerError: The photo cannot be read.
    """
    pixels = cv2.imread(str(photo.path))
    if pixels is None:
        raise ExplorerError(f"{photo.path} cannot be read.", "Is the folder of photos complete?")
    pixels = pixels[..., ::-1]
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
        whole = cv2.resize(read_mask(photo.mask), size, interpolation=cv2.INTER_NEAREST)
        mask = _shifted(whole, np.full(shape, UNSURE_PIXEL, np.uint8), top, left)
    found = visible(
        Canvas(
            _shifted(resized, np.full((*shape, 3), 127, np.uint8), top, left),
            photo.boxes * scale + shift, photo.labels, photo.ignored * scale + shift, mask,
        )
    )  # fmt: skip
    return mirrored(found) if rng.random() < 0.5 else found


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
    return replace(canvas, boxes=boxes[shown], labels=canvas.labels[shown], ignored=ignored)


def mirrored(canvas: Canvas) -> Canvas:
    """Left and right exchanged."""
    width = canvas.pixels.shape[1]
    boxes, ignored = (
        np.stack([width - b[:, 2], b[:, 1], width - b[:, 0], b[:, 3]], axis=1)
        for b in (canvas.boxes, canvas.ignored)
    )
    mask = None if canvas.mask is None else canvas.mask[:, ::-1]
    return Canvas(canvas.pixels[:, ::-1], boxes, canvas.labels, ignored, mask)


def joined(parts: list[tuple[Canvas, int, int]], shape: tuple[int, int]) -> Canvas:
    """Canvases side by side: each with its top and left on the new one of (H, W) `shape`."""
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
    """Brightness, contrast, a tint and saturation changed a little; sometimes grey."""
    pixels = np.ascontiguousarray(canvas.pixels)
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, 3)
    table = (np.arange(256)[:, None] - 127) * gain + 127 + rng.uniform(-25, 25)
    tinted = cv2.LUT(pixels, table.clip(0, 255).astype(np.uint8)[None])
    share = 0.0 if rng.random() < GREY else rng.uniform(0.6, 1.4)
    grey = cv2.cvtColor(cv2.cvtColor(tinted, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed = cv2.addWeighted(tinted, share, grey, 1 - share, 0)
    return replace(canvas, pixels=mixed.astype(np.uint8, copy=False))
