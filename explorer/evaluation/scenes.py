"""Scenes for detectors: several photos in one picture at many scales, with real boxes.

Three layouts: photos cut out and pasted on a background with soft edges (Dwibedi et al. 2017, "Cut,
Paste and Learn"), photos laid side by side (the mosaic of Bochkovskiy et al. 2020), and one photo
that fills the picture, because that is what people open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.photo_set import PhotoSet

SCENES = 300
"""Of photos outside all training data: the metrics on the cards of detectors come from them."""

SIDE = 192
"""Of a scene in pixels: three times that of a photo."""

_SIZES = (0.15, 0.9)
"""Long side of what is pasted, as a part of the scene's: half to three times a photo's own size."""

_SMALLEST = 8.0
_WAYS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_LINEAR)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture with the objects in it.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        boxes: (N, 4) float32 xyxy, pixel edges, y down, inside the picture.
        labels: (N,) int64 >= 1: the groups.
        classes: (N,) int64 >= 0: the classes of the photos within the groups; -1 = not known.
        masks: (N, H, W) bool, the visible part of each object; None = not needed.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None


@dataclass(slots=True, eq=False)
class _Placed:
    """Photo `index` on the canvas: its box, and its mask as large as the canvas."""

    index: int
    box: NDArray[np.float32]
    mask: NDArray[np.bool_] | None


@dataclass(slots=True, eq=False)
class SceneMaker:
    """Makes scenes out of photos; all chance comes from the generator that `make` is given.

    Args:
        photos: What is pasted.
        group_labels: Label of each of the photos' classes, 0 = no object (used as background only).
        side: Of the scenes in pixels.
        masks: (N, H, W / 8) uint8, packed bits; with them the scenes have masks, and are the same
            otherwise.
    """

    photos: PhotoSet
    group_labels: Sequence[int]
    side: int = SIDE
    masks: NDArray[np.uint8] | None = None
    _members: list[NDArray[np.int64]] = field(init=False)
    _chances: NDArray[np.float64] = field(init=False)
    _empty: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        of_photo = np.asarray(self.group_labels, np.int64)[self.photos.labels]
        groups = [g for g in np.unique(of_photo) if g > 0]
        self._members = [np.flatnonzero(of_photo == g) for g in groups]
        # Between one vote per group and one vote per photo, so that no group is rare.
        weights = np.sqrt([len(m) for m in self._members])
        self._chances = weights / weights.sum()
        self._empty = np.flatnonzero(of_photo == 0)

    def make(self, rng: np.random.Generator) -> Scene:
        """One scene; it may be without objects."""
        layout = rng.random()
        if layout < 0.2:
            canvas, found = self._tiles(rng, [(0, 0, self.side, self.side)])
        elif layout < 0.45:
            canvas, found = self._tiles(rng, split_tiles(rng, self.side))
        else:
            canvas, found = self._pasted(rng)
        canvas = _shift_colors(canvas, rng)
        boxes = np.array([placed.box for placed in found], np.float32).reshape(-1, 4)
        classes = self.photos.labels[np.array([placed.index for placed in found], np.intp)]
        labels = np.asarray(self.group_labels, np.int64)[classes]
        masks = None
        if self.masks is not None:
            masks = np.zeros((len(found), self.side, self.side), np.bool_)
            for row, placed in zip(masks, found, strict=True):
                row[:] = placed.mask
        return Scene(canvas, boxes, labels, classes.astype(np.int64), masks)

    def _draw(self, rng: np.random.Generator) -> int:
        group = self._members[int(rng.choice(len(self._members), p=self._chances))]
        return int(rng.choice(group))

    def _tiles(
        self, rng: np.random.Generator, tiles: list[tuple[int, int, int, int]]
    ) -> tuple[NDArray[np.uint8], list[_Placed]]:
        canvas = np.empty((self.side, self.side, 3), np.uint8)
        found = []
        for x0, y0, x1, y1 in tiles:
            index = self._draw(rng)
            part = _crop_around(self.photos.boxes[index], rng, side=self.photos.pixels.shape[1])
            part = _match_ratio(part, (x1 - x0) / (y1 - y0), rng, self.photos.pixels.shape[1])
            patch, box, mask = self._cut(index, part, (x1 - x0, y1 - y0), rng)
            canvas[y0:y1, x0:x1] = patch
            seen = visible_part(box, (0, 0, x1 - x0, y1 - y0))
            if seen is not None:
                found.append(_Placed(index, _moved(seen, x0, y0), self._on_canvas(mask, x0, y0)))
        return canvas, found

    def _pasted(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[_Placed]]:
        canvas = self._background(rng)
        found: list[_Placed] = []
        for _ in range(int(rng.integers(1, 9))):
            index = self._draw(rng)
            part = _crop_around(self.photos.boxes[index], rng, side=self.photos.pixels.shape[1])
            longest = max(part[2] - part[0], part[3] - part[1])
            goal = self.side * math.exp(rng.uniform(*np.log(_SIZES)))
            stretch = math.exp(rng.uniform(-0.2, 0.2))
            width = _whole((part[2] - part[0]) / longest * goal * stretch, self.side)
            height = _whole((part[3] - part[1]) / longest * goal / stretch, self.side)
            patch, box, mask = self._cut(index, part, (width, height), rng)
            seen = visible_part(box, (0, 0, width, height))
            if seen is None:
                continue
            for _ in range(8):
                x, y = (int(rng.integers(0, self.side - s + 1)) for s in (width, height))
                if any(covered_share(p.box, (x, y, x + width, y + height)) > 0.25 for p in found):
                    continue
                opaque = _blend(canvas, patch, x, y, rng)
                for placed in found:
                    if placed.mask is not None:
                        placed.mask[y : y + height, x : x + width] &= ~opaque
                if mask is not None:
                    mask &= opaque
                found.append(_Placed(index, _moved(seen, x, y), self._on_canvas(mask, x, y)))
                break
        return canvas, found

    def _cut(
        self,
        index: int,
        part: NDArray[np.float32],
        size: tuple[int, int],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_] | None]:
        packed = None if self.masks is None else self.masks[index]
        return cut_patch(self.photos, index, part, size, rng, packed)

    def _on_canvas(
        self, mask: NDArray[np.bool_] | None, x: int, y: int
    ) -> NDArray[np.bool_] | None:
        if mask is None:
            return None
        canvas = np.zeros((self.side, self.side), np.bool_)
        canvas[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        return canvas

    def _background(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        side, kind = self.side, rng.random()
        if kind < 0.4 and len(self._empty):
            photo = self.photos.pixels[int(rng.choice(self._empty))]
            return _resize(photo, (side, side), rng)
        if kind < 0.75:  # any photo, blurred until nothing in it can be recognized
            photo = self.photos.pixels[int(rng.integers(len(self.photos)))]
            small = cv2.resize(photo, (int(rng.integers(2, 7)),) * 2, interpolation=cv2.INTER_AREA)
            image = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC).astype(
                np.float32
            )
        else:  # a gradient between two colors
            angle = rng.uniform(0, 2 * math.pi)
            axis = np.linspace(-0.7, 0.7, side, dtype=np.float32)
            ramp = 0.5 + axis[None] * math.cos(angle) + axis[:, None] * math.sin(angle)
            first, last = rng.uniform(0, 255, (2, 3)).astype(np.float32)
            image = first + (last - first) * ramp.clip(0, 1)[..., None]
        cells = int(rng.integers(8, side + 1))  # noise, fine or coarse
        noise = rng.normal(0, rng.uniform(0, 25), (cells, cells, 1)).astype(np.float32)
        image += cv2.resize(noise, (side, side))[..., None]
        background: NDArray[np.uint8] = image.clip(0, 255).astype(np.uint8)
        return background


def split_tiles(rng: np.random.Generator, side: int) -> list[tuple[int, int, int, int]]:
    """A square as one to nine tiles with uneven edges, x0, y0, x1, y1 each."""
    columns, rows = ((2, 1), (1, 2), (2, 2), (2, 2), (3, 2), (2, 3), (3, 3))[int(rng.integers(7))]

    def edges(count: int) -> list[int]:
        inner = [side * (i + rng.uniform(-0.25, 0.25)) / count for i in range(1, count)]
        return [0, *(round(e) for e in inner), side]

    xs, ys = edges(columns), edges(rows)
    return [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(rows) for c in range(columns)]


def _crop_around(
    box: NDArray[np.float32], rng: np.random.Generator, *, side: int
) -> NDArray[np.float32]:
    # The box with a random part of what is around it; sometimes a little of the object is lost.
    share = rng.uniform(-0.08, 1.0, 4)
    room = np.array([box[0], box[1], side - box[2], side - box[3]])
    extent = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    grow = np.where(share > 0, share * room, share * extent)
    part = box + grow * np.array([-1, -1, 1, 1])
    return _to_pixels(part, side)


def _match_ratio(
    part: NDArray[np.float32], ratio: float, rng: np.random.Generator, side: int
) -> NDArray[np.float32]:
    # Cut the longer direction until width / height is within a third of `ratio`.
    x0, y0, x1, y1 = (float(v) for v in part)
    wanted = ratio * math.exp(rng.uniform(-0.3, 0.3))
    width, height = min(x1 - x0, (y1 - y0) * wanted), min(y1 - y0, (x1 - x0) / wanted)
    x0 += rng.uniform(0, x1 - x0 - width) if x1 - x0 > width else 0
    y0 += rng.uniform(0, y1 - y0 - height) if y1 - y0 > height else 0
    return _to_pixels(np.array([x0, y0, x0 + width, y0 + height]), side)


def _to_pixels(part: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    x0, y0 = (int(np.clip(math.floor(v + 0.5), 0, side - 4)) for v in part[:2])
    x1, y1 = (
        int(np.clip(math.floor(v + 0.5), low + 4, side))
        for v, low in zip(part[2:], (x0, y0), strict=True)
    )
    return np.array([x0, y0, x1, y1], np.float32)


def cut_patch(
    photos: PhotoSet,
    index: int,
    part: NDArray[np.float32],
    size: tuple[int, int],
    rng: np.random.Generator,
    packed: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_] | None]:
    """A part of a photo resized to (width, height), perhaps mirrored, its box and mask in it."""
    x0, y0, x1, y1 = (int(v) for v in part)
    width, height = size
    patch = _resize(photos.pixels[index, y0:y1, x0:x1], size, rng)
    scale = np.array([width / (x1 - x0), height / (y1 - y0)] * 2, np.float32)
    box = (photos.boxes[index] - np.array([x0, y0, x0, y0], np.float32)) * scale
    mask = None
    if packed is not None:
        whole = unpacked(packed, photos.pixels.shape[2])[y0:y1, x0:x1].astype(np.float32)
        way = cv2.INTER_LINEAR if scale[0] > 1 else cv2.INTER_AREA
        mask = cv2.resize(whole, size, interpolation=way) > 0.5
    if rng.random() < 0.5:
        patch = np.ascontiguousarray(patch[:, ::-1])
        box = np.array([width - box[2], box[1], width - box[0], box[3]], np.float32)
        mask = None if mask is None else mask[:, ::-1]
    return patch, box, mask


def _resize(
    pixels: NDArray[np.uint8], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint8]:
    pixels = np.ascontiguousarray(pixels)
    factor = size[0] / pixels.shape[1]
    way = _WAYS[int(rng.integers(len(_WAYS)))] if factor > 1 else cv2.INTER_AREA
    result = cv2.resize(pixels, size, interpolation=way)
    if factor > 1.5 and rng.random() < 0.5:
        # Real photos are sharper than an enlarged small one: exaggerate the edges and add grain.
        soft = cv2.GaussianBlur(result, (0, 0), factor * 0.5)
        strength = rng.uniform(0.2, 0.9)
        result = cv2.addWeighted(result, 1 + strength, soft, -strength, 0)
        grain = rng.normal(0, rng.uniform(0, 10), (*result.shape[:2], 1)).astype(np.float32)
        result = (result + grain).clip(0, 255).astype(np.uint8)
    return result.astype(np.uint8, copy=False)


def _blend(
    canvas: NDArray[np.uint8], patch: NDArray[np.uint8], x: int, y: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Put `patch` at x, y; returns where it hides most of what was there."""
    height, width = patch.shape[:2]
    target = canvas[y : y + height, x : x + width]
    if rng.random() < 0.4:
        target[:] = patch
        return np.ones((height, width), np.bool_)
    # Opaque inside, fading out toward the patch's edge; square or rounded.
    across = 1 - np.abs(np.linspace(-1, 1, width, dtype=np.float32))
    down = 1 - np.abs(np.linspace(-1, 1, height, dtype=np.float32))
    soft = rng.uniform(0.04, 0.3)
    if rng.random() < 0.5:
        depth = np.minimum(across[None], down[:, None])
    else:
        depth = 1.3 - np.hypot(1 - across[None], 1 - down[:, None])
    alpha = (depth / soft).clip(0, 1)[..., None]
    target[:] = (target + (patch.astype(np.float32) - target) * alpha + 0.5).astype(np.uint8)
    opaque: NDArray[np.bool_] = alpha[..., 0] > 0.5
    return opaque


def _shift_colors(canvas: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3)
    table = np.arange(256)[:, None] * gain + rng.uniform(-20, 20)
    lut = table.clip(0, 255).astype(np.uint8)[None]
    return cv2.LUT(canvas, lut).astype(np.uint8, copy=False)


def visible_part(
    box: NDArray[np.float32], window: tuple[float, float, float, float]
) -> NDArray[np.float32] | None:
    """The part of a box inside the window; None when most is outside or nothing is visible."""
    x0, y0 = np.maximum(box[:2], window[:2])
    x1, y1 = np.minimum(box[2:], window[2:])
    if min(x1 - x0, y1 - y0) < _SMALLEST:
        return None
    if (x1 - x0) * (y1 - y0) < 0.4 * (box[2] - box[0]) * (box[3] - box[1]):
        return None
    return np.array([x0, y0, x1, y1], np.float32)


def covered_share(box: NDArray[np.float32], by: tuple[float, float, float, float]) -> float:
    """How much of a box lies under another one, in [0, 1]."""
    width = min(box[2], by[2]) - max(box[0], by[0])
    height = min(box[3], by[3]) - max(box[1], by[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return float(max(0.0, width) * max(0.0, height) / area)


def _moved(box: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
    return box + np.array([x, y, x, y], np.float32)


def _whole(length: float, largest: int) -> int:
    return int(np.clip(round(length), 8, largest))


def held_out_scenes(maker: SceneMaker, count: int = SCENES, seed: int = 2_015) -> list[Scene]:
    """The same scenes every time, made of photos outside all training data."""
    return [held_out_scene(maker, i, seed) for i in range(count)]


def held_out_scene(maker: SceneMaker, index: int, seed: int = 2_015) -> Scene:
    """One of `held_out_scenes`."""
    return maker.make(np.random.default_rng([seed, index]))


def unpacked(packed: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """(…, H, W / 8) uint8, eight pixels in a byte, the leftmost one highest -> (…, H, W) bool."""
    return np.unpackbits(packed, axis=-1, count=width).astype(np.bool_)
