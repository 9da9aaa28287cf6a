"""The tree half of the selective search view: regions of a level, one of them and its neighbors.

Everything here follows a slider or the mouse: what does not depend on the level is in `Grown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Board, Boxes, Curve, Layer, Masks, Pane, Picture, Plot, Table
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, same
from explorer.views.shared.common import color, size_of
from explorer.vision.classic.selective_search import TERMS, Strategy, Tree
from explorer.vision.classic.superpixels import COLOR_BINS, TEXTURE_BINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, UInt8
    from explorer.core.params import Point
    from explorer.views.shared.draw_cache import DrawCache
    from explorer.vision.classic.superpixels import Int32

PAINTS = ("mean color", "random color", "outlines only")
MOST_NEIGHBORS = 4
TERM_COLORS: tuple[Color, ...] = (
    (230, 120, 170), (150, 130, 240), (120, 190, 200), (200, 180, 90)
)  # fmt: skip
CHANNEL_COLORS: dict[str, tuple[Color, ...]] = {
    "RGB": ((230, 90, 90), (90, 200, 110), (100, 150, 250)),
    "rgI": ((230, 90, 90), (90, 200, 110), (160, 160, 160)),
}
OTHER_CHANNELS: tuple[Color, ...] = ((230, 150, 60), (90, 190, 200), (170, 140, 240))


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A tree and what every picture of it needs, for each of its 2 n - 1 regions.

    Attributes:
        photo: The photo itself, which may be larger than the map of superpixels.
        tree: The tree.
        strategy: How it was grown.
        seconds: How long that took.
        boxes: (2 n - 1, 4) float32 in the photo's pixels.
        means: (2 n - 1, 3) uint8 mean RGB.
        own: (2 n - 1, 3) uint8, one color each; a merged region has that of its larger part.
        parents: (2 n - 1,) int32, -1 for the photo.
    """

    photo: Picture
    tree: Tree
    strategy: Strategy
    seconds: float
    boxes: Float32
    means: UInt8
    own: UInt8
    parents: Int32

    @classmethod
    def of(
        cls, photo: Picture, tree: Tree, pixels: UInt8, scale: tuple[float, float],
        strategy: Strategy, seconds: float,
    ) -> Grown:  # fmt: skip
        """From a tree on `pixels` (H, W, 3), each of them `scale` pixels of the photo wide."""
        flat, n = tree.labels.ravel(), tree.leaves
        sums = np.stack([np.bincount(flat, pixels[..., c].ravel(), n) for c in range(3)], axis=1)
        means = tree.summed(sums.astype(np.float64)) / tree.regions.sizes[:, None]
        own = np.empty((2 * n - 1, 3), np.uint8)
        own[:n] = np.random.default_rng(1).integers(40, 240, (n, 3))
        larger = tree.children[
            np.arange(n - 1), tree.regions.sizes[tree.children].argmax(axis=1)
        ]  # fmt: skip
        for number, part in enumerate(larger.tolist()):
            own[n + number] = own[part]
        boxes = tree.regions.boxes * np.array([*scale, *scale], np.float32)
        return cls(
            photo, tree, strategy, seconds, boxes, np.round(means).astype(np.uint8), own,
            tree.parents(),
        )  # fmt: skip

    def left(self, merged: float) -> int:
        """How many regions are left when the slider is at `merged` percent."""
        left: float = float(self.tree.leaves) ** (1 - merged / 100)
        return max(1, round(left))

    def merged(self, left: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse: percent."""
        if self.tree.leaves == 1:
            return np.full(len(left), 100.0)
        percent: NDArray[np.float64] = 100 * (1 - np.log(left) / np.log(self.tree.leaves))
        return percent

    def left_after(self, region: int) -> int:
        """How many regions are left once `region` has been formed."""
        return min(self.tree.leaves, 2 * self.tree.leaves - 1 - region)

    def label_at(self, x: float, y: float) -> int | None:
        """The superpixel at a place of the photo."""
        wide, tall = size_of(self.photo)
        if not (0 <= x < wide and 0 <= y < tall):
            return None
        rows, columns = self.tree.labels.shape
        return int(self.tree.labels[int(y / tall * rows), int(x / wide * columns)])

    def share(self, region: int) -> float:
        """Of the photo's area."""
        return float(self.tree.regions.sizes[region]) / self.tree.regions.area


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """One region of a level and its neighbors there.

    Attributes:
        held: (n,) int32, the region that each superpixel lies in.
        region: The chosen one.
        sibling: What it will merge with; -1 when it is the photo.
        inside: (n,) bool, the superpixels of the sibling.
        around: (M,) its neighbors now, the most similar first.
        terms: (M, 4) their similarity terms.
        sums: (M,) of the terms that count.
    """

    held: Int32
    region: int
    sibling: int
    inside: NDArray[np.bool_]
    around: NDArray[np.intp]
    terms: NDArray[np.float64]
    sums: NDArray[np.float64]


def chosen_region(grown: Grown, at: Point | None, left: int) -> Chosen:
    """The region at `at` when `left` are left; the next to be merged without a click."""
    tree = grown.tree
    held = tree.level(left)
    label = None if at is None else grown.label_at(at.x, at.y)
    if label is not None:
        region = int(held[label])
    else:
        region = int(tree.children[tree.leaves - left, 0]) if left > 1 else 2 * tree.leaves - 2
    parent, sibling = int(grown.parents[region]), -1
    inside = np.zeros(tree.leaves, np.bool_)
    if parent >= 0:
        one, other = tree.children[parent - tree.leaves].tolist()
        sibling = other if one == region else one
        inside = tree.level(grown.left_after(parent) + 1) == sibling
    around = tree.around(region, left)
    terms = tree.regions.similarities(np.full(len(around), region), around)
    sums = terms @ np.array(tree.weights)
    order = np.argsort(-sums, kind="stable")
    return Chosen(held, region, sibling, inside, around[order], terms[order], sums[order])


def region_board(
    grown: Grown, cache: DrawCache, chosen: Chosen, left: int, strategy: str, *, paint: str,
    opacity: float, merged: float,
) -> Board:  # fmt: skip
    """The pane "image", what is known of the chosen region, and the way up as a curve."""
    tree = grown.tree
    layers: list[Layer] = [
        grown.photo,
        cache.get(
            ("regions", left, paint, opacity),
            lambda: _regions(grown, cache, chosen, left, paint, opacity),
        ),
        *cache.get(("chosen", left, chosen.region), lambda: _marked(grown, chosen)),
        Boxes(
            grown.boxes[[chosen.region]], same(ORANGE, 1), (f"region {chosen.region}",),
            width=2.0, selectable=False, name="chosen box",
        ),
    ]  # fmt: skip
    title = f"{left} of {tree.leaves} regions left ({strategy})"
    pane = Pane(
        "image", size_of(grown.photo), tuple(layers), title, readout=_readout(grown, chosen.held)
    )  # fmt: skip
    plots = (
        _term_bars(grown, chosen),
        cache.get(("color", chosen.region), lambda: _color_plot(grown, chosen.region)),
        cache.get(("texture", chosen.region), lambda: _texture_plot(grown, chosen.region)),
        _way_up(grown, cache, merged),
    )
    tables = (_fact_table(grown, chosen), _neighbor_table(grown, chosen))
    return Board((pane,), plots, tables, _summary(grown, chosen, left))


def _regions(
    grown: Grown, cache: DrawCache, chosen: Chosen, left: int, paint: str, opacity: float
) -> Masks:
    def index() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        there, numbers = np.unique(chosen.held, return_inverse=True)
        return there, numbers.astype(np.int32)[grown.tree.labels]

    there, numbers = cache.get(("index", left), index)
    colors = grown.own if paint == PAINTS[1] else grown.means
    if paint == PAINTS[2]:
        return Masks(
            numbers, np.full((len(there), 3), 255, np.uint8), extent=_extent(grown), opacity=0.0,
            name="regions",
        )  # fmt: skip
    return Masks(numbers, colors[there], extent=_extent(grown), opacity=opacity, name="regions")


def _extent(grown: Grown) -> tuple[float, float, float, float]:
    return (0.0, 0.0, *size_of(grown.photo))


def _marked(grown: Grown, chosen: Chosen) -> tuple[Masks, Masks]:
    """The neighbors, outlined only, and over them the two that will merge."""
    beside = np.where(np.isin(chosen.held, chosen.around), np.int32(0), np.int32(-1))
    pair = np.where(chosen.inside, np.int32(1), np.int32(-1))
    pair[chosen.held == chosen.region] = 0
    numbers = chosen.held[grown.tree.labels]
    apart = np.where(beside[grown.tree.labels] < 0, -1, numbers)
    return (
        Masks(
            apart, same(BLUE, 2 * grown.tree.leaves - 1), extent=_extent(grown), opacity=0.0,
            name="neighbors",
        ),
        Masks(
            pair[grown.tree.labels], np.array([ORANGE, GREEN], np.uint8),
            ("the chosen region", "region it merges with"), _extent(grown), 0.35, name="chosen",
        ),
    )  # fmt: skip


def _readout(grown: Grown, held: Int32) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        label = grown.label_at(x, y)
        if label is None:
            return ""
        region = int(held[label])
        parent = int(grown.parents[region])
        then = f", merges when {grown.left_after(parent) + 1} are left" if parent >= 0 else ""
        return f"region {region}: {grown.share(region):.1%} of the photo{then}"

    return words


def _term_bars(grown: Grown, chosen: Chosen) -> Plot:
    bars = []
    for row in range(min(MOST_NEIGHBORS, len(chosen.around))):
        for number, term in enumerate(TERMS):
            if grown.tree.weights[number]:
                label = f"{chosen.around[row]} {term}"
                bars.append((label, float(chosen.terms[row, number]), TERM_COLORS[number]))
    words = f"similarity to region {chosen.region}"
    return Plot("terms", "Similarity terms", words, bars=tuple(bars), bar_range=(0.0, 1.0))


def _channels(grown: Grown) -> tuple[tuple[str, Color], ...]:
    space = grown.strategy.space
    colors = CHANNEL_COLORS.get(space, OTHER_CHANNELS)
    if len(space) == 1:
        colors = ((160, 160, 160),)
    return tuple(zip(space, colors, strict=True))


def _color_plot(grown: Grown, region: int) -> Plot:
    channels = _channels(grown)
    parts = grown.tree.regions.color[region].reshape(len(channels), COLOR_BINS)
    xs = (np.arange(COLOR_BINS) + 0.5) * 256 / COLOR_BINS
    curves = tuple(
        Curve(xs, part.astype(np.float64) * len(channels), name, colors)
        for part, (name, colors) in zip(parts, channels, strict=True)
    )
    return Plot("color", "Colors", f"value in region {region}", "fraction of pixels", curves)


def _texture_plot(grown: Grown, region: int) -> Plot:
    """Bin 0 of every direction, no edge, is left out: nearly all pixels are in it."""
    channels = _channels(grown)
    parts = grown.tree.regions.texture[region].reshape(len(channels), -1, TEXTURE_BINS)
    count = parts.shape[1]
    step = 360 / count / TEXTURE_BINS
    xs = np.concatenate(
        [number * 360 / count + np.arange(TEXTURE_BINS) * step for number in range(count)]
    )
    curves = []
    for part, (name, colors) in zip(parts, channels, strict=True):
        share = part.astype(np.float64) * len(channels) * count
        share[:, 0] = 0
        curves.append(Curve(xs, share.ravel(), name, colors))
    return Plot(
        "texture", "Gradients",
        f"gradient direction in region {region}, degrees; each from weak to strong",
        "fraction of pixels", tuple(curves),
    )  # fmt: skip


def _way_up(grown: Grown, cache: DrawCache, merged: float) -> Plot:
    def curve() -> Curve:
        left = np.arange(grown.tree.leaves - 1, 0, -1, dtype=np.float64)
        return Curve(grown.merged(left), grown.tree.scores, "similarity", ORANGE)

    return Plot(
        "merges", "All merges", "merging level, %",
        "similarity", (cache.get("merging level", curve),), marker=merged, steers="merged",
    )  # fmt: skip


def _then(grown: Grown, chosen: Chosen, region: int) -> str:
    """When a neighbor becomes one with the chosen region, if it does so by the next merge."""
    if chosen.sibling < 0 or not chosen.inside[chosen.held == region].all():
        return ""
    left = grown.left_after(int(grown.parents[chosen.region])) + 1
    where = "" if region == chosen.sibling else f", in {chosen.sibling}"
    return f"{left} left{where}"


def _neighbor_table(grown: Grown, chosen: Chosen) -> Table:
    weights = grown.tree.weights
    names = tuple(
        term if weight else f"{term} (off)" for term, weight in zip(TERMS, weights, strict=True)
    )
    rows = tuple(
        (
            region, round(100 * grown.share(region), 2), *terms, total,
            _then(grown, chosen, region),
        )
        for region, terms, total in zip(
            chosen.around.tolist(), chosen.terms.round(3).tolist(), chosen.sums.round(3).tolist(),
            strict=True,
        )
    )  # fmt: skip
    return Table(
        "neighbors", ("region", "% of photo", *names, "similarity", "merges at"), rows,
        "Neighbors",
        swatches=tuple(color(rgb) for rgb in grown.means[chosen.around]),
    )  # fmt: skip


def _fact_table(grown: Grown, chosen: Chosen) -> Table:
    tree, region = grown.tree, chosen.region
    x0, y0, x1, y1 = grown.boxes[region].tolist()
    size = int(tree.regions.sizes[region])
    rows = [
        ("number", str(region)),
        ("size", f"{size} px, {grown.share(region):.2%} of the photo"),
        ("box", f"{x0:.0f}, {y0:.0f} to {x1:.0f}, {y1:.0f}"),
        ("formed", _merge_words(grown, region, "a superpixel")),
        ("then", _merge_words(grown, int(grown.parents[region]), "the whole photo")),
    ]
    return Table("region", ("property", "value"), tuple(rows), "Region")


def _merge_words(grown: Grown, region: int, instead: str) -> str:
    tree = grown.tree
    number = region - tree.leaves
    if number < 0:
        return instead
    one, other = tree.children[number].tolist()
    return (
        f"{one} + {other} = {region}, similarity {tree.scores[number]:.3f}, "
        f"{grown.left_after(region)} left"
    )


def _summary(grown: Grown, chosen: Chosen, left: int) -> str:
    if chosen.sibling < 0:
        return "One region left: the whole photo"
    parent = int(grown.parents[chosen.region])
    when = grown.left_after(parent) + 1
    then = "next" if when == left else f"when {when} are left"
    return (
        f"{left} of {grown.tree.leaves} regions left · {chosen.region} merges with "
        f"{chosen.sibling} {then}"
    )
