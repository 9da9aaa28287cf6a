"""The stages of a cascade that finds faces, each with everything that it looked at.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", section II.A. Boxes are xyxy in pixels of the photo, y down, the edges of
pixels at whole numbers; the authors' code adds one pixel to widths, which is not done here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from explorer.networks.faces.cascade import O_SIDE, P_SIDE, P_STRIDE, R_SIDE, normalized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8
    from explorer.networks.faces.cascade import Cascade

FACTOR = 0.709
"""Between the sizes of two neighboring levels of the pyramid: half of the area."""

WITHIN_LEVEL, ACROSS = 0.5, 0.7
"""IoU above which NMS removes a box: of one level, of all and after the later stages."""

AT_ONCE = 256
"""Regions in one batch."""

GRAY = 127
"""What lies beside the photo: nearly 0 for the networks."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`smallest` face in pixels of the photo; the scores from which P-, R- and O-Net keep a box."""

    smallest: float = 40.0
    proposed: float = 0.6
    refined: float = 0.7
    final: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One picture of the pyramid, and P-Net's answer.

    Attributes:
        scale: Pixels of the level for one of the photo.
        pixels: (H, W, 3) uint8, the photo at that scale.
        scores: (h, w) float32 in 0..1; cell (i, j) is the window of 12 x 12 pixels whose left upper
            corner is at (2 j, 2 i) of the level.
        windows: (n, 4) float32 xyxy, in the photo, of the cells above the threshold, the
            highest-scoring first.
        boxes: (n, 4) float32, the same moved by P-Net's offsets.
        confidence: (n,) float32, their scores.
        kept: (m,) rows of them that NMS within this level keeps.
    """

    scale: float
    pixels: UInt8
    scores: Float32
    windows: Float32
    boxes: Float32
    confidence: Float32
    kept: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What R-Net or O-Net made of its regions.

    Attributes:
        regions: (n, 4) float32 xyxy, the squares it was given.
        scores: (n,) float32 in 0..1.
        boxes: (n, 4) float32, the regions moved by its offsets.
        passed: (m,) rows above the threshold.
        kept: (k,) rows of those that NMS keeps, the highest-scoring first.
        points: (n, 5, 2) float32 x, y in the photo; NaN of R-Net.
    """

    regions: Float32
    scores: Float32
    boxes: Float32
    passed: NDArray[np.intp]
    kept: NDArray[np.intp]
    points: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """What was found: `boxes` (n, 4), `scores` (n,), `points` (n, 5, 2), the best first."""

    boxes: Float32
    scores: Float32
    points: Float32

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def largest(self) -> int:
        """The row of the face with the largest area; there must be one."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return int(sides.prod(axis=1).argmax())


def scales(height: int, width: int, smallest: float) -> tuple[float, ...]:
    """Of the pyramid: at the first one the smallest face is as large as P-Net's window."""
    found = []
    scale = P_SIDE / smallest
    while round(min(height, width) * scale) >= P_SIDE:
        found.append(scale)
        scale *= FACTOR
    return tuple(found)


@torch.no_grad()
def level(cascade: Cascade, pixels: UInt8, scale: float, threshold: float) -> Level:
    """P-Net on the photo at one scale, (H, W, 3) uint8."""
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
    picture = torch.from_numpy(small).to(cascade.device).permute(2, 0, 1)[None]
    scores, offsets = (found[0].cpu().numpy() for found in cascade.pnet(normalized(picture)))
    rows, columns = np.nonzero(scores > threshold)
    order = np.argsort(-scores[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    corners = P_STRIDE * np.stack([columns, rows], axis=1)
    # each side by itself: sizes are rounded, so both scales are only nearly the same
    ratio = np.array([pixels.shape[1] / size[0], pixels.shape[0] / size[1]] * 2)
    windows = np.concatenate([corners, corners + P_SIDE], axis=1) * ratio
    windows = windows.astype(np.float32)
    boxes = moved(windows, offsets[:, rows, columns].T)
    confidence = scores[rows, columns].astype(np.float32)
    kept = suppressed(boxes, confidence, WITHIN_LEVEL)
    return Level(scale, small, scores.astype(np.float32), windows, boxes, confidence, kept)


def merged(levels: list[Level]) -> tuple[Float32, Float32]:
    """The proposals (n, 4) of all levels after NMS among them, and their scores (n,)."""
    if not levels:
        return np.empty((0, 4), np.float32), np.empty(0, np.float32)
    boxes = np.concatenate([each.boxes[each.kept] for each in levels])
    scores = np.concatenate([each.confidence[each.kept] for each in levels])
    kept = suppressed(boxes, scores, ACROSS)
    return boxes[kept], scores[kept]


@torch.no_grad()
def refined(cascade: Cascade, pixels: UInt8, proposals: Float32, threshold: float) -> Stage:
    """R-Net on proposals (n, 4)."""
    regions = squares(proposals)
    scores, offsets = [np.empty(0, np.float32)], [np.empty((0, 4), np.float32)]
    for batch in _batches(cascade, pixels, regions, R_SIDE):
        answers = cascade.rnet(batch)
        scores.append(answers[0].cpu().numpy())
        offsets.append(answers[1].cpu().numpy())
    nowhere = np.full((len(regions), 5, 2), np.nan, np.float32)
    return _stage(regions, np.concatenate(scores), np.concatenate(offsets), nowhere, threshold)


@torch.no_grad()
def finished(cascade: Cascade, pixels: UInt8, boxes: Float32, threshold: float) -> Stage:
    """O-Net on the boxes (n, 4) that R-Net kept."""
    regions = squares(boxes)
    scores, offsets = [np.empty(0, np.float32)], [np.empty((0, 4), np.float32)]
    points = [np.empty((0, 5, 2), np.float32)]
    for batch in _batches(cascade, pixels, regions, O_SIDE):
        answers = cascade.onet(batch)
        scores.append(answers[0].cpu().numpy())
        offsets.append(answers[1].cpu().numpy())
        points.append(answers[2].cpu().numpy())
    sides = (regions[:, 2:] - regions[:, :2])[:, None]
    places = (regions[:, None, :2] + np.concatenate(points) * sides).astype(np.float32)
    found = np.concatenate(scores), np.concatenate(offsets)
    return _stage(regions, *found, places, threshold, smaller=True)


def faces_of(stage: Stage) -> Faces:
    """What the last stage keeps."""
    kept = stage.kept
    return Faces(stage.boxes[kept], stage.scores[kept], stage.points[kept])


def found_faces(cascade: Cascade, pixels: UInt8, settings: Settings) -> Faces:
    """All stages at once, (H, W, 3) uint8 RGB -> the faces."""
    height, width = pixels.shape[:2]
    levels = [
        level(cascade, pixels, scale, settings.proposed)
        for scale in scales(height, width, settings.smallest)
    ]
    proposals, _ = merged(levels)
    middle = refined(cascade, pixels, proposals, settings.refined)
    return faces_of(finished(cascade, pixels, middle.boxes[middle.kept], settings.final))


@torch.no_grad()
def window_score(cascade: Cascade, found: Level, row: int, column: int) -> float:
    """P-Net on the one window of a cell of its map, cut out: a sliding window's way."""
    y, x = P_STRIDE * row, P_STRIDE * column
    window = np.ascontiguousarray(found.pixels[y : y + P_SIDE, x : x + P_SIDE])
    picture = torch.from_numpy(window).to(cascade.device).permute(2, 0, 1)[None]
    scores, _ = cascade.pnet(normalized(picture))
    return float(scores[0, 0, 0])


def _stage(
    regions: Float32, scores: Float32, offsets: Float32, points: Float32, threshold: float,
    smaller: bool = False,
) -> Stage:  # fmt: skip
    boxes = moved(regions, offsets)
    passed = np.flatnonzero(scores > threshold)
    kept = passed[suppressed(boxes[passed], scores[passed], ACROSS, smaller=smaller)]
    return Stage(regions, scores, boxes, passed, kept, points)


def moved(boxes: Float32, offsets: Float32) -> Float32:
    """(n, 4) xyxy with each border moved by its offset times the width or height."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    found: Float32 = (boxes + offsets * sides).astype(np.float32)
    return found


def squares(boxes: Float32) -> Float32:
    """(n, 4): around the same middles, with the longer side on both axes."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    found: Float32 = np.concatenate([middles - half, middles + half], axis=1).astype(np.float32)
    return found


def suppressed(
    boxes: Float32, scores: Float32, threshold: float, *, smaller: bool = False
) -> NDArray[np.intp]:
    """Rows that greedy NMS keeps, the highest-scoring first.

    Args:
        boxes: (n, 4) xyxy.
        scores: (n,).
        threshold: A box goes if its overlap with a kept one is above it.
        smaller: The overlap is the intersection over the smaller box, not over the union: of a
            face in a face only one stays.
    """
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(first)
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        if smaller:
            whole = np.minimum(areas[first], areas[rest])
        else:
            whole = areas[first] + areas[rest] - shared
        order = rest[shared <= threshold * np.maximum(whole, 1e-9)]
    return np.array(kept, np.intp)


def _batches(
    cascade: Cascade, pixels: UInt8, regions: Float32, side: int
) -> Iterator[torch.Tensor]:
    for start in range(0, len(regions), AT_ONCE):
        crops = [cut(pixels, region, side) for region in regions[start : start + AT_ONCE]]
        batch = torch.from_numpy(np.stack(crops)).to(cascade.device)
        yield normalized(batch.permute(0, 3, 1, 2))


def cut(pixels: UInt8, region: Float32, side: int) -> UInt8:
    """(side, side, 3) uint8 of a square xyxy of a photo; what lies beside the photo is gray."""
    height, width = pixels.shape[:2]
    x0, y0 = math.floor(region[0] + 0.5), math.floor(region[1] + 0.5)
    size = max(1, round(float(region[2] - region[0])))
    left, top = max(0, x0), max(0, y0)
    right, bottom = min(width, x0 + size), min(height, y0 + size)
    if (left, top, right, bottom) == (x0, y0, x0 + size, y0 + size):
        square = np.ascontiguousarray(pixels[top:bottom, left:right])
    else:
        square = np.full((size, size, 3), GRAY, np.uint8)
        if left < right and top < bottom:
            square[top - y0 : bottom - y0, left - x0 : right - x0] = pixels[top:bottom, left:right]
    method = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(square, (side, side), interpolation=method), np.uint8)
