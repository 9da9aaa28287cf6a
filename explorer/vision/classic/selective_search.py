"""Selective search: regions merged by similarity from superpixels to the whole photo, as a tree.

Uijlings, van de Sande, Gevers & Smeulders 2013, "Selective Search for Object Recognition". Every
region of every tree gives a box; trees differ in color space, similarity and first segmentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.vision.classic.superpixels import (
    SPACES,
    Codes,
    bounds,
    codes,
    histograms,
    neighbors,
    superpixels,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from explorer.vision.classic.superpixels import Float32, Int32, UInt8

TERMS = ("color", "texture", "size", "fill")
"""What two regions are compared by, in this order everywhere."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to grow a tree: color space, scale of the superpixels, and the terms that count."""

    space: str = "HSV"
    k: float = 100.0
    terms: tuple[str, ...] = TERMS


def _strategies(
    spaces: Sequence[str], scales: Sequence[float], terms: Sequence[tuple[str, ...]]
) -> tuple[Strategy, ...]:
    return tuple(Strategy(s, k, t) for s in spaces for k in scales for t in terms)


MODES: dict[str, tuple[Strategy, ...]] = {
    "single": (Strategy(),),
    "fast": _strategies(("HSV", "Lab"), (50, 100), (TERMS, TERMS[1:])),
    "quality": _strategies(
        ("HSV", "Lab", "rgI", "H", "I"),
        (50, 100, 150, 300),
        (TERMS, TERMS[1:], ("fill",), ("size",)),
    ),
}
"""The combinations of table 5 of the paper: 1, 8 and 80 strategies."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """R regions: sizes in pixels (R,) float64, boxes (R, 4) float32 xyxy, histograms with sum 1.

    `color` is (R, 25 C) and `texture` (R, 80 C) float32; `area` is the photo's, in pixels.
    """

    sizes: NDArray[np.float64]
    boxes: Float32
    color: Float32
    texture: Float32
    area: int

    def similarities(
        self, first: NDArray[np.integer[Any]], second: NDArray[np.integer[Any]]
    ) -> NDArray[np.float64]:
        """(P, 4) float64: the four terms of P pairs of regions, each about 0 to 1 (section 3.2)."""
        found = np.empty((len(first), 4))
        for column, table in enumerate((self.color, self.texture)):
            found[:, column] = np.minimum(table[first], table[second]).sum(axis=1)
        both = self.sizes[first] + self.sizes[second]
        found[:, 2] = 1 - both / self.area
        low = np.minimum(self.boxes[first, :2], self.boxes[second, :2])
        high = np.maximum(self.boxes[first, 2:], self.boxes[second, 2:])
        around = np.prod((high - low).astype(np.float64), axis=1)
        found[:, 3] = 1 - (around - both) / self.area
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """All regions from the superpixels to the whole photo.

    Attributes:
        labels: (H, W) int32, the superpixels 0..n-1.
        children: (n - 1, 2) int32; merge number m makes region n + m of these two.
        regions: What is known of the 2 n - 1 regions, the superpixels first; the last is the photo.
        weights: (4,) 1 for the terms that counted, else 0.
        scores: (n - 1,) float64, the similarity each merge was chosen for.
        edges: (E, 2) int64, the superpixels that touch.
    """

    labels: Int32
    children: Int32
    regions: Regions
    weights: tuple[float, ...]
    scores: NDArray[np.float64]
    edges: NDArray[np.int64]

    @property
    def leaves(self) -> int:
        """How many superpixels there are."""
        return len(self.children) + 1

    def terms(self) -> NDArray[np.float64]:
        """(n - 1, 4) float64: the similarity terms of the two regions of every merge."""
        return self.regions.similarities(self.children[:, 0], self.children[:, 1])

    def parents(self) -> Int32:
        """(2 n - 1,) int32: the region that each one is merged into; -1 for the whole photo."""
        found = np.full(len(self.regions.sizes), -1, np.int32)
        found[self.children] = np.arange(self.leaves, len(found), dtype=np.int32)[:, None]
        return found

    def level(self, count: int) -> Int32:
        """(n,) int32: the region that each superpixel lies in when `count` regions are left."""
        merges = self.leaves - min(max(count, 1), self.leaves)
        held = np.arange(self.leaves + merges, dtype=np.int32)
        for number in range(merges - 1, -1, -1):  # from the top: a parent already has its own
            held[self.children[number]] = held[self.leaves + number]
        return held[: self.leaves]

    def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2 n - 1, C) sums over every region of (n, C) `values` of the superpixels."""
        found = np.empty((2 * self.leaves - 1, values.shape[1]))
        found[: self.leaves] = values
        for number, (one, other) in enumerate(self.children.tolist()):
            found[self.leaves + number] = found[one] + found[other]
        return found

    def around(self, region: int, count: int) -> NDArray[np.intp]:
        """The neighbors of `region` when `count` regions are left, in order."""
        ends = self.level(count)[self.edges]
        met = np.concatenate([ends[ends[:, 0] == region, 1], ends[ends[:, 1] == region, 0]])
        return np.unique(met[met != region]).astype(np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A photo before any merge: `labels` (H, W) int32, what is known of each, and who touches."""

    labels: Int32
    leaves: Regions
    edges: NDArray[np.int64]


def prepare(
    channels: UInt8, k: float, *, bins: Codes | None = None, labels: Int32 | None = None
) -> Start:
    """The superpixels of a photo, ready to be merged by any terms.

    Args:
        channels: (H, W, C) uint8 in a color space of `SPACES`.
        k: Scale of the superpixels.
        bins: The `codes` of `channels`, where they are known.
        labels: (H, W) int32 from 0 without gaps, in place of the superpixels of that scale.
    """
    if labels is None:
        labels = superpixels(channels, k)
    sizes = np.bincount(labels.ravel()).astype(np.float64)
    known = histograms(labels, bins or codes(channels))
    leaves = Regions(sizes, bounds(labels), *known, labels.size)
    return Start(labels, leaves, neighbors(labels))


def segment_tree(
    pixels: UInt8, strategy: Strategy | None = None, *, labels: Int32 | None = None
) -> Tree:
    """One photo merged from superpixels to the whole.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        strategy: Color space, scale and terms; the paper's single strategy by default.
        labels: See `prepare`.
    """
    strategy = strategy or Strategy()
    channels = SPACES[strategy.space](pixels)
    return grow(prepare(channels, strategy.k, labels=labels), strategy.terms)


def grow(start: Start, terms: Sequence[str]) -> Tree:
    """Merges the two most similar neighbors until one region is left (algorithm 1).

    Of equally similar pairs the one with the lowest numbers goes first. The histograms of a merged
    region are the mean of its two, weighted by their sizes; no pixel is read again.

    Args:
        start: The n superpixels.
        terms: Those of `TERMS` that count.
    """
    leaves, edges = start.leaves, start.edges
    n, area = len(leaves.sizes), leaves.area
    weights = tuple(float(term in terms) for term in TERMS)
    wide = leaves.color.shape[1]
    table = np.empty((2 * n - 1, wide + leaves.texture.shape[1]), np.float32)
    table[:n, :wide], table[:n, wide:] = leaves.color, leaves.texture
    begin, end = (0 if weights[0] else wide), (table.shape[1] if weights[1] else wide)
    seen = table[:, begin:end] if end > begin else None
    sizes: list[float] = leaves.sizes.tolist()
    boxes: list[list[float]] = leaves.boxes.tolist()
    by_size, by_fill = weights[2], weights[3]

    around: list[set[int]] = [set() for _ in range(n)]
    for a, b in edges.tolist():
        around[a].add(b)
        around[b].add(a)
    first = leaves.similarities(edges[:, 0], edges[:, 1]) @ np.array(weights)
    queue = [(-s, a, b) for s, (a, b) in zip(first.tolist(), edges.tolist(), strict=True)]
    heapify(queue)
    alive = bytearray([1]) * (2 * n - 1)
    children = np.empty((n - 1, 2), np.int32)
    scores = np.empty(n - 1)
    for number in range(n - 1):
        score, a, b = heappop(queue)
        while not (alive[a] and alive[b]):
            score, a, b = heappop(queue)
        new = n + number
        children[number], scores[number] = (a, b), -score
        alive[a] = alive[b] = 0
        size = sizes[a] + sizes[b]
        table[new] = table[a] * (sizes[a] / size) + table[b] * (sizes[b] / size)
        x0, y0, x1, y1 = (*map(min, boxes[a][:2], boxes[b][:2]),
                          *map(max, boxes[a][2:], boxes[b][2:]))  # fmt: skip
        sizes.append(size)
        boxes.append([x0, y0, x1, y1])
        met = sorted((around[a] | around[b]) - {a, b})
        around.append(set(met))
        around[a] = around[b] = set()
        alike = (
            np.minimum(seen[met], seen[new]).sum(axis=1).tolist()
            if seen is not None
            else [0.0] * len(met)
        )
        for other, similarity in zip(met, alike, strict=True):
            beside = around[other]
            beside -= {a, b}
            beside.add(new)
            both = size + sizes[other]
            p0, q0, p1, q1 = boxes[other]
            box = (max(x1, p1) - min(x0, p0)) * (max(y1, q1) - min(y0, q0))
            similarity += by_size * (1 - both / area) + by_fill * (1 - (box - both) / area)
            heappush(queue, (-similarity, other, new))
    regions = Regions(
        np.array(sizes), np.array(boxes, np.float32), table[:, :wide], table[:, wide:], area
    )
    return Tree(start.labels, children, regions, weights, scores, edges)


def trees(
    pixels: UInt8, strategies: Sequence[Strategy]
) -> Generator[tuple[Strategy, Tree], None, None]:
    """The tree of one strategy after the other; what they share is computed once."""
    space, scale = "", -1.0
    for strategy in strategies:
        if strategy.space != space:
            channels = SPACES[strategy.space](pixels)
            bins = codes(channels)
        if (strategy.space, strategy.k) != (space, scale):
            start = prepare(channels, strategy.k, bins=bins)
        space, scale = strategy.space, strategy.k
        yield strategy, grow(start, strategy.terms)


def ranked(
    hierarchies: Sequence[Float32], seed: int | None = 0, most: int | None = None
) -> Float32:
    """The boxes of several trees in one list, the best first, every box once (section 3.3).

    A region's place in its tree counts from the top: the whole photo is 1. Boxes are sorted by that
    place times a random number in [0, 1), so that large regions tend to come early and no strategy
    goes before the others; without a seed by the place alone, strategies taking turns.

    Args:
        hierarchies: (R, 4) float32 of each tree, in the order of its regions.
        seed: Of the random numbers; None = none.
        most: The largest number of boxes.

    Returns:
        (N, 4) float32.
    """
    if not hierarchies:
        return np.empty((0, 4), np.float32)
    boxes = np.concatenate(hierarchies)
    place = np.concatenate([np.arange(len(tree), 0, -1) for tree in hierarchies]).astype(float)
    if seed is not None:
        place *= np.random.default_rng(seed).random(len(place))
    boxes = boxes[np.argsort(place, kind="stable")]
    _, first = np.unique(boxes, axis=0, return_index=True)
    return np.ascontiguousarray(boxes[np.sort(first)][:most])


def regions(
    pixels: UInt8, mode: str = "fast", seed: int | None = 0, most: int | None = 2000
) -> Float32:
    """Box proposals by selective search.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        mode: One of `MODES`: "single", "fast" or "quality".
        seed: See `ranked`.
        most: The largest number of boxes.

    Returns:
        (N, 4) float32 x0, y0, x1, y1 in the photo's pixels, the best first; x1, y1 lie outside.
    """
    found = [tree.regions.boxes for _, tree in trees(pixels, MODES[mode])]
    return ranked(found, seed, most)
