"""A template out of crops: windows, an SVM, hard negatives, and how good it is on held-out windows.

The training of Dalal and Triggs 2005, section 4: the first negatives are windows at random; the SVM
scans all negative photos, and windows that it scores too high join the negatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.hog.detector import (
    Level,
    crop,
    levels,
    of_window,
    scales_of,
    windows,
)
from explorer.vision.hog.features import PAPER, describe
from explorer.vision.hog.template import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.vision.hog.features import Settings

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    UInt8 = NDArray[np.uint8]

AREA = 64 * 128
"""Pixels of a window; its sides follow from the proportions of the crops."""
LEAST_CELLS, MOST_CELLS = 4, 24
NEARLY = 0.05
"""A crop whose sides are off by no more is not resized, which would blur it."""
SCAN_STEP = 1.2
"""Ratio of one scale to the next while negatives are scanned."""
SCANNED = 320
"""Negative photos are at most so long."""
MARGIN = 1.0
"""A negative is hard when it scores more than minus this: it lies inside the margin."""
MOST_HARD = 20
"""Of a photo in a round."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A window of `rows` x `columns` cells.

    `context` pixels of a crop lie beyond each side of it, at the window's size: gradients at its
    border are then those of the photo.
    """

    rows: int
    columns: int
    settings: Settings = PAPER

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rows * self.settings.cell, self.columns * self.settings.cell

    @property
    def blocks(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        less = self.settings.block - 1
        return self.rows - less, self.columns - less

    @property
    def length(self) -> int:
        """Components of a window."""
        down, across = self.blocks
        return down * across * self.settings.length

    def template(self, weights: Float32, bias: float) -> Template:
        """Of an SVM's weights, (length,)."""
        own = self.settings
        shape = (*self.blocks, own.block, own.block, own.bins)
        return Template(weights.reshape(shape), bias, own)


def shape_of(aspects: Sequence[float], settings: Settings = PAPER) -> Shape:
    """A window of about `AREA` pixels with the median proportions (width / height)."""
    aspect = float(np.median(aspects)) if len(aspects) else 1.0
    sides = np.array([np.sqrt(AREA / aspect), np.sqrt(AREA * aspect)]) / settings.cell
    rows, columns = np.clip(np.round(sides), LEAST_CELLS, MOST_CELLS).astype(int).tolist()
    return Shape(rows, columns, settings)


def fitted(pixels: UInt8, shape: Shape, around: int = 0) -> UInt8:
    """A crop at the window's size, with one cell of its surroundings on every side.

    Args:
        pixels: (h, w, 3) the crop.
        shape: The window.
        around: Pixels of the crop beyond the window on each side. Without any, its outermost pixels
            are repeated.

    Returns:
        ((rows + 2) * cell, (columns + 2) * cell, 3) uint8.
    """
    cell, (height, width) = shape.settings.cell, shape.size
    inside = [max(1, side - 2 * around) for side in pixels.shape[:2]]
    wanted = [
        max(1, round(side * whole / part))
        for side, whole, part in zip(pixels.shape[:2], (height, width), inside, strict=True)
    ]
    small = wanted[0] < pixels.shape[0]
    way = cv2.INTER_AREA if small else cv2.INTER_LINEAR
    found = pixels
    if any(abs(new / old - 1) > NEARLY for new, old in zip(wanted, pixels.shape, strict=False)):
        found = np.asarray(cv2.resize(pixels, (wanted[1], wanted[0]), interpolation=way), np.uint8)
    for axis, side in ((0, height + 2 * cell), (1, width + 2 * cell)):
        more = side - found.shape[axis]
        if more > 0:
            pad = [(0, 0)] * 3
            pad[axis] = (more // 2, more - more // 2)
            found = np.pad(found, pad, mode="edge")
        elif more < 0:
            start = -more // 2
            found = found[start : start + side] if axis == 0 else found[:, start : start + side]
    return np.ascontiguousarray(found)


def vector_of(picture: UInt8, shape: Shape) -> Float32:
    """(length,) the blocks of the window in the middle of a `fitted` crop."""
    down, across = shape.blocks
    return describe(picture, shape.settings)[1 : 1 + down, 1 : 1 + across].ravel()


def scan(pixels: UInt8, template: Template) -> list[Level]:
    """All windows of a negative photo, with their scores."""
    steps = scales_of(pixels.shape[:2], template.size, step=SCAN_STEP, longest=SCANNED)
    return list(levels(pixels, template, steps))


@dataclass(frozen=True, slots=True, eq=False)
class Negatives:
    """N windows: `vectors` (N, length) float32, `crops` (N, h, w, 3) uint8, `scores` (N,)."""

    vectors: Float32
    crops: UInt8
    scores: Float32

    @classmethod
    def none(cls, shape: Shape) -> Negatives:
        return cls(
            np.zeros((0, shape.length), np.float32),
            np.zeros((0, *shape.size, 3), np.uint8),
            np.zeros(0, np.float32),
        )


def joined(parts: Sequence[Negatives], shape: Shape) -> Negatives:
    """All of them, the highest score first."""
    parts = [Negatives.none(shape), *parts]
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    return Negatives(
        np.concatenate([part.vectors for part in parts])[order],
        np.concatenate([part.crops for part in parts])[order],
        scores[order],
    )


def random_windows(
    pixels: UInt8,
    shape: Shape,
    count: int,
    random: np.random.Generator,
    forbidden: Float32 | None = None,
) -> Negatives:
    """Windows of a photo at random places of random scales; their scores are 0.

    Args:
        pixels: (H, W, 3) of a photo.
        shape: Of the windows.
        count: At most.
        random: Draws them.
        forbidden: (N, 4) boxes in the photo's pixels that windows may not touch by more than
            `TOUCHED` of their union.
    """
    blank = shape.template(np.zeros(shape.length, np.float32), 0.0)
    scales = scales_of(pixels.shape[:2], blank.size, step=SCAN_STEP, longest=SCANNED)
    picked = random.integers(len(scales), size=count)
    found = []
    for number in np.unique(picked).tolist():
        level = next(levels(pixels, blank, [scales[number]]))
        places = np.stack(np.nonzero(_allowed(level, blank, forbidden)), axis=1)
        wanted = min(int((picked == number).sum()), len(places))
        for row, column in places[random.permutation(len(places))[:wanted]].tolist():
            found.append((level, row, column, 0.0))
    return _taken(found, blank, shape)


def hard_windows(
    pixels: UInt8,
    template: Template,
    shape: Shape,
    forbidden: Float32 | None = None,
    most: int = MOST_HARD,
) -> Negatives:
    """The windows of a photo that lie inside the margin or beyond, the highest scores first."""
    found = scan(pixels, template)
    for level in found:
        level.scores[~_allowed(level, template, forbidden)] = -np.inf
    best = windows(found, template, -MARGIN, most)
    rows = [
        (found[level], row, column, float(score))
        for (level, row, column), score in zip(best.places.tolist(), best.scores, strict=True)
    ]
    return _taken(rows, template, shape)


TOUCHED = 0.2
"""IoU up to which a window of a photo with objects is a negative."""


def _allowed(level: Level, template: Template, forbidden: Float32 | None) -> NDArray[np.bool_]:
    """(rows, columns) of the windows that are negatives."""
    shape = level.scores.shape
    if forbidden is None or not len(forbidden) or not level.scores.size:
        return np.ones(shape, np.bool_)
    side, (height, width) = template.settings.cell, template.size
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * side
    boxes = np.stack([x, y, x + width, y + height], axis=2).reshape(-1, 4)
    iou = iou_matrix(level.picture.to_photo(boxes), forbidden.astype(np.float32))
    allowed: NDArray[np.bool_] = (iou.max(axis=1) <= TOUCHED).reshape(shape)
    return allowed


def _taken(
    found: Sequence[tuple[Level, int, int, float]], template: Template, shape: Shape
) -> Negatives:
    if not found:
        return Negatives.none(shape)
    return Negatives(
        np.stack([of_window(level, template, i, j).ravel() for level, i, j, _ in found]),
        np.stack([crop(level.picture, template, i, j) for level, i, j, _ in found]),
        np.array([score for *_, score in found], np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Det:
    """Detection error tradeoff (Dalal and Triggs 2005, section 4).

    Attributes:
        false: (N,) false positives per window, rising.
        missed: (N,) miss rate of the positives at that many, falling.
        positives: How many there are.
        negatives: How many windows.
    """

    false: Float64
    missed: Float64
    positives: int
    negatives: int

    def miss_rate(self, false: float) -> float:
        """At a number of false positives per window; 1 where none is allowed yet."""
        row = int(np.searchsorted(self.false, false, side="right")) - 1
        return float(self.missed[row]) if row >= 0 else 1.0


def det_curve(positive: Float32, negative: Float32) -> Det:
    """The curve over all thresholds that change something.

    A threshold is the score of a negative window: those that score at least as much are false
    positives, and the positives below it are missed.

    Args:
        positive: (P,) scores of held-out crops.
        negative: (N,) scores of held-out windows without an object.
    """
    thresholds = np.sort(negative.astype(np.float64))[::-1]
    ranked = np.sort(positive.astype(np.float64))
    highest = thresholds[0] if len(thresholds) else -np.inf
    # The first threshold is above every negative.
    missed = np.concatenate(
        [np.searchsorted(ranked, [highest], "right"), np.searchsorted(ranked, thresholds)]
    )
    false = np.concatenate([[0], np.searchsorted(-thresholds, -thresholds, "right")])
    return Det(
        false / max(len(negative), 1),
        missed / max(len(positive), 1),
        len(positive),
        len(negative),
    )
