"""Randomized Prim: boxes around random trees of superpixels that are likely to belong together.

Manen, Guillaumin & Van Gool 2013, "Prime Object Proposals with Randomized Prim's Algorithm". A tree
begins at a random superpixel; an edge out of it is drawn with a probability in proportion to its
weight, and the superpixel at its end joins, until a draw ends it. Trees are grown in several color
spaces. Their own code draws one tree after another; here all of them grow at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.classic.superpixels import (
    SPACES,
    borders,
    bounds,
    codes,
    histograms,
    superpixels,
)
from explorer.vision.detection.boxes import areas
from explorer.vision.proposals.baselines import fixed_boxes
from explorer.vision.proposals.tables import Tables, tables
from explorer.vision.proposals.windows import once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Int32 = NDArray[np.int32]
    Int64 = NDArray[np.int64]
    UInt8 = NDArray[np.uint8]

COLORS = ("HSV", "Lab", "rgI", "RGB")
"""The paper takes opponent colors in place of RGB."""

SCALE = 100
"""The k of the superpixels."""

SIMILARITIES = ("color", "common border", "size")

MORE = 1.5
"""So many trees are grown for every box that is asked for: some have the same box."""


def similarities(labels: Int32, channels: UInt8) -> tuple[Int64, Float64]:
    """The edges between superpixels and how alike both ends are (section 3.2).

    Args:
        labels: (H, W) int32 from 0 without gaps.
        channels: (H, W, C) uint8 in a color space.

    Returns:
        (E, 2) int64 and (E, 3) float64 in [0, 1]: the intersection of the color histograms; the
        common border as a part of the shorter outline, without the photo's border; one minus both
        sizes as a part of the photo.
    """
    edges, lengths = borders(labels)
    one, other = edges.T
    n = int(labels.max()) + 1
    outline = np.bincount(one, lengths, n) + np.bincount(other, lengths, n)
    color, _ = histograms(labels, codes(channels))
    sizes = np.bincount(labels.ravel()) / labels.size
    found = np.stack(
        [
            np.minimum(color[one], color[other]).sum(axis=1),
            lengths / np.minimum(outline[one], outline[other]),
            1 - sizes[one] - sizes[other],
        ],
        axis=1,
    )
    return edges, found


def edge_weights(values: Float64, known: Tables) -> Float64:
    """(E,) in (0, 1): how probable it is that both ends belong to one object (logistic)."""
    weights = known.prim_weights.astype(np.float64)
    found: Float64 = 1 / (1 + np.exp(-(values @ weights[:3] + weights[3])))
    return found


def object_share(areas_: Float64) -> Float64:
    """The part of the objects that are smaller than each area, a share of the photo's.

    Objects are the `fixed_boxes`, clusters of those in the training photos.
    """
    known = np.sort(areas(fixed_boxes())).astype(np.float64)
    found: Float64 = np.searchsorted(known, areas_) / len(known)
    return found


def grow(
    weights: Float64, sizes: Float64, starts: Int64, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Random trees (algorithm 1).

    A drawn edge of weight r ends a tree of size s with the probability (1 - r + F(s)) / 2, F(s) the
    part of the objects that are smaller (section 3.3).

    Args:
        weights: (n, n) symmetric, 0 where two superpixels do not touch.
        sizes: (n,) as shares of the photo.
        starts: (T,) where the trees begin.
        rng: For the draws.

    Returns:
        (T, n): which superpixels are in each tree.
    """
    trees = np.zeros((len(starts), len(sizes)), np.bool_)
    trees[np.arange(len(starts)), starts] = True
    growing = np.arange(len(starts))
    size = sizes[starts].copy()
    reach = weights[starts].copy()  # of the growing ones: the weight of all edges to each outside
    while len(growing):
        inside = trees[growing]
        reach[inside] = 0
        total = reach.cumsum(axis=1)
        some = total[:, -1] > 0
        growing, reach, total, inside = growing[some], reach[some], total[some], inside[some]
        if len(growing) == 0:
            break
        ends = (total > (rng.random(len(growing)) * total[:, -1])[:, None]).argmax(axis=1)
        # Of several edges to that end one is drawn, in proportion as well.
        ways = (weights[ends] * inside).cumsum(axis=1)
        begin = (ways > (rng.random(len(growing)) * ways[:, -1])[:, None]).argmax(axis=1)
        stop = (1 - weights[begin, ends] + object_share(size[growing])) / 2
        on = rng.random(len(growing)) >= stop
        growing, reach, ends = growing[on], reach[on], ends[on]
        trees[growing, ends] = True
        size[growing] += sizes[ends]
        reach = reach + weights[ends]
    return trees


def around(trees: NDArray[np.bool_], boxes: Float32) -> Float32:
    """(T, 4) float32: the box around each tree of superpixels with (n, 4) `boxes`."""
    far = np.float32(np.inf)
    low = [np.where(trees, boxes[:, side], far).min(axis=1) for side in (0, 1)]
    high = [np.where(trees, boxes[:, side], -far).max(axis=1) for side in (2, 3)]
    return np.stack([*low, *high], axis=1).astype(np.float32)


def randomized_prim(
    pixels: UInt8, most: int, seed: int, known: Tables | None = None
) -> tuple[Float32, None]:
    """Boxes (N, 4) float32 xyxy in the photo's pixels, in no order."""
    known = tables() if known is None else known
    rng = np.random.default_rng(seed)
    count = int(most * MORE / len(COLORS)) + 1
    found = []
    for space in COLORS:
        channels = SPACES[space](pixels)
        labels = superpixels(channels, SCALE)
        edges, values = similarities(labels, channels)
        n = int(labels.max()) + 1
        weights = np.zeros((n, n))
        weights[edges[:, 0], edges[:, 1]] = edge_weights(values, known)
        weights += weights.T
        sizes = np.bincount(labels.ravel()) / labels.size
        trees = grow(weights, sizes, rng.integers(0, n, count), rng)
        found.append(around(trees, bounds(labels)))
    boxes = once([rng.permutation(np.concatenate(found))])
    return boxes[:most], None
