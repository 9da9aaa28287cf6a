"""Windows around superpixels and their neighbors, ranked by edges, symmetry and superpixels.

After Rahtu, Kannala & Blaschko 2011, "Learning a Category Independent Object Detection Cascade":
the windows around every superpixel and every two or three that touch, and windows drawn from
where objects were in the training photos (section 3); a linear ranking of four features (section
4), fitted to overlap. Its features are computed on superpixel boundaries and edges at full
resolution and with its own binning; these are the same ideas with integral images of fewer cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.classic.superpixels import bounds, neighbors, superpixels
from explorer.vision.detection.boxes import areas, clip
from explorer.vision.proposals.baselines import fixed_boxes
from explorer.vision.proposals.objectness import coarse_superpixels, straddling
from explorer.vision.proposals.tables import Tables, tables
from explorer.vision.proposals.windows import apart, box_sums, cells, integral, once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Int64 = NDArray[np.int64]
    UInt8 = NDArray[np.uint8]

FEATURES = (
    "superpixel straddling", "superpixel boundary", "boundary edges", "window symmetry"
)  # fmt: skip

SCALE = 100
"""The k of the superpixels that windows are made of."""

MOST_GROUPS = 12_000
"""At most this many windows around superpixels; of more, a random part."""

COARSE_SIDE = 160
"""Cells of the maps along the photo's longer side."""

BAND = 0.25
"""Edges along a side count up to this part of the window's width or height away from it."""

ROWS = 3
"""Rows of cells that the two halves of a window are compared in."""

ANGLES = 4
"""Bins of the direction of an edge, without its sign."""


def groups(labels: NDArray[np.int32]) -> Float32:
    """(N, 4) float32: boxes around one superpixel, around two that touch, and around three.

    Three are one and any two of its neighbors.
    """
    alone = bounds(labels)
    edges = neighbors(labels)

    def joined(*members: Int64) -> Float32:
        parts = np.stack([alone[each] for each in members])
        low, high = parts[..., :2].min(axis=0), parts[..., 2:].max(axis=0)
        return np.concatenate([low, high], axis=1)

    around: list[list[int]] = [[] for _ in alone]
    for one, other in edges.tolist():
        around[one].append(other)
        around[other].append(one)
    triples = [
        (middle, first, second)
        for middle, beside in enumerate(around)
        for place, first in enumerate(beside)
        for second in beside[place + 1 :]
    ]
    three = np.array(triples, np.int64).reshape(-1, 3)
    return once([alone, joined(*edges.T), joined(*three.T)])


def candidates(pixels: UInt8, seed: int) -> Float32:
    """(N, 4) float32: the windows that are ranked, of at least four pixels."""
    height, width = pixels.shape[:2]
    found = groups(superpixels(pixels, SCALE))
    if len(found) > MOST_GROUPS:
        chosen = np.random.default_rng(seed).choice(len(found), MOST_GROUPS, replace=False)
        found = found[np.sort(chosen)]
    prior = fixed_boxes() * np.array([width, height] * 2, np.float32)
    windows = once([found, np.round(clip(prior, (height, width)))])
    return windows[areas(windows) >= 4]


def on_boundary(boundary: NDArray[np.bool_], boxes: Int64) -> Float64:
    """(N,) in [0, 1]: the part of each window's outline that lies on superpixel boundaries.

    Args:
        boundary: (H, W), True where two superpixels meet or within a cell of it.
        boxes: (N, 4) cells; the outline is their outermost cells.
    """
    sums = integral(boundary)
    low = boxes[:, :2] + 1
    high = np.maximum(low, boxes[:, 2:] - 1)  # a window one cell wide has no inside
    inner = np.concatenate([low, high], axis=1)
    count = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - np.prod(high - low, axis=1)
    found: Float64 = (box_sums(sums, boxes) - box_sums(sums, inner)) / count
    return found


def along_sides(across: Float32, down: Float32, boxes: Int64) -> Float64:
    """(N,): edges along the sides of each window, in the sides' direction.

    The mean over the four sides of the gradient across that side, in the band beside it, minus the
    mean of both gradients in the whole window.

    Args:
        across: (H, W) magnitude of the horizontal derivative, which is that of upright edges.
        down: The same of the vertical one.
        boxes: (N, 4) cells.
    """
    x0, y0, x1, y1 = boxes.T
    wide = np.maximum(1, np.rint((x1 - x0) * BAND).astype(np.int64))
    tall = np.maximum(1, np.rint((y1 - y0) * BAND).astype(np.int64))
    upright, level = integral(across), integral(down)
    sides = (
        _mean(upright, x0, y0, x0 + wide, y1) + _mean(upright, x1 - wide, y0, x1, y1)
        + _mean(level, x0, y0, x1, y0 + tall) + _mean(level, x0, y1 - tall, x1, y1)
    ) / 4  # fmt: skip
    found: Float64 = sides - (_mean(upright, x0, y0, x1, y1) + _mean(level, x0, y0, x1, y1)) / 2
    return found


def _mean(sums: Float64, x0: Int64, y0: Int64, x1: Int64, y1: Int64) -> Float64:
    found: Float64 = box_sums(sums, np.stack([x0, y0, x1, y1], axis=1)) / ((x1 - x0) * (y1 - y0))
    return found


def symmetry(directions: NDArray[np.float64], boxes: Int64) -> Float64:
    """(N,) in [0, 1]: how alike the edges of a window's left and mirrored right half are.

    In each of `ROWS` rows the histograms of edge directions, where a mirror swaps the slanted ones;
    the sum of the smaller entries over that of the larger ones. 0 without any edge.

    Args:
        directions: (H, W, 4) strength of the edges whose normal has 0, 45, 90, 135 degrees.
        boxes: (N, 4) cells.
    """
    sums = integral(directions)
    x0, y0, x1, y1 = boxes.T
    half = np.maximum(1, (x1 - x0) // 2)
    least, most = np.zeros(len(boxes)), np.zeros(len(boxes))
    for row in range(ROWS):
        top = y0 + (y1 - y0) * row // ROWS
        end = np.maximum(top + 1, y0 + (y1 - y0) * (row + 1) // ROWS)
        left = box_sums(sums, np.stack([x0, top, x0 + half, end], axis=1))
        right = box_sums(sums, np.stack([x1 - half, top, x1, end], axis=1))[:, [0, 3, 2, 1]]
        least += np.minimum(left, right).sum(axis=1)
        most += np.maximum(left, right).sum(axis=1)
    return np.divide(least, most, out=np.zeros_like(least), where=most > 0)


def by_direction(across: Float32, down: Float32) -> NDArray[np.float64]:
    """(H, W, 4): the gradient's magnitude in the bin of its direction, without sign."""
    size = np.hypot(across, down)
    turn = np.mod(np.arctan2(down, across), np.pi) / np.pi * ANGLES
    bins = np.rint(turn).astype(np.int64) % ANGLES
    found: NDArray[np.float64] = (bins[..., None] == np.arange(ANGLES)) * size[..., None]
    return found


def features(pixels: UInt8, boxes: Float32) -> Float32:
    """(N, 4) float32: every window's value of each of `FEATURES`.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        boxes: (N, 4) in its pixels.
    """
    import cv2

    height, width = pixels.shape[:2]
    shrink = min(1.0, COARSE_SIDE / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    inside = cells(boxes, (size[1] / width, size[0] / height), size)
    labels = coarse_superpixels(pixels, size, SCALE)
    small = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    across, down = (
        np.asarray(cv2.Scharr(gray, cv2.CV_32F, *way), np.float32) for way in ((1, 0), (0, 1))
    )
    flat = labels.astype(np.float32)
    meets = cv2.dilate(flat, np.ones((3, 3), np.uint8)) != flat
    values = (
        straddling(labels, inside.astype(np.float32)),
        on_boundary(meets, inside),
        along_sides(np.abs(across), np.abs(down), inside),
        symmetry(by_direction(across, down), inside),
    )
    return np.stack(values, axis=1).astype(np.float32)


def rahtu(
    pixels: UInt8, most: int, seed: int, known: Tables | None = None
) -> tuple[Float32, Float32]:
    """Boxes (N, 4) float32 xyxy in the photo's pixels, the best first, and their scores (N,)."""
    windows = candidates(pixels, seed)
    if len(windows) == 0:
        return windows, np.empty(0, np.float32)
    weights = (tables() if known is None else known).rahtu_weights
    scores: Float32 = features(pixels, windows) @ weights
    kept = apart(windows, scores, most)
    return windows[kept], scores[kept]
