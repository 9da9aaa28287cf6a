"""Selective search opened: the merge tree from superpixels to the photo, and the boxes it gives."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.classic.selective_search.boxes import SHOWN, proposal_board
from explorer.views.classic.selective_search.tree import (
    PAINTS,
    Grown,
    chosen_region,
    region_board,
)
from explorer.views.shared.anchors import passed_words
from explorer.views.shared.common import photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.classic.selective_search import (
    MODES,
    TERMS,
    Strategy,
    grow,
    prepare,
    ranked,
    trees,
)
from explorer.vision.classic.superpixels import SPACES

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.vision.classic.selective_search import Start, Tree

EXPLANATION = r"""
Selective search supplied the proposals of R-CNN and Fast R-CNN. The photo is segmented into
**superpixels**, small homogeneous regions. The two most similar neighboring regions are then merged
repeatedly, until one region covers the photo. The bounding box of every region formed is a
proposal, so objects of all sizes are covered.

**Try it.** Play the slider. The chosen region is orange, the one that it will merge with green;
blue lines are its other neighbors. Click on the photo to choose the region there; it stays chosen
on every level. Without a click the next merge is shown. Then switch terms off and see which regions
merge too early.

**Similarity** of two neighbors $a$ and $b$ is the sum of the terms that are on, with $c$ and $t$
for their histograms of color and texture, and $|\cdot|$ for an area in pixels:

$$ \begin{aligned} s_\mathrm{color} &= \sum_k \min(c_{ak}, \, c_{bk}) \\
s_\mathrm{texture} &= \sum_k \min(t_{ak}, \, t_{bk}) \\
s_\mathrm{size} &= 1 - \frac{|a| + |b|}{|\mathrm{photo}|} \\
s_\mathrm{fill} &= 1 - \frac{|B_{ab}| - |a| - |b|}{|\mathrm{photo}|} \end{aligned} $$

where $B_{ab}$ is the bounding box around both. Color has 25 bins for each channel of the color
space. Texture has 8 directions with 10 bins each, for each channel: it counts the derivatives of a
Gaussian with a standard deviation of 1 pixel by their strength. Histograms have the sum 1, so that
the first two terms are 1 for equal histograms. *Size* makes small regions merge first, evenly over
the photo; *fill* closes holes.

The histogram of a merged region is computed without its pixels, for texture likewise:

$$ c_{a \, \cup \, b} = \frac{|a| \, c_a + |b| \, c_b}{|a| + |b|} $$

**Superpixels** are those of Felzenszwalb and Huttenlocher. An edge is the difference in color of
two neighboring pixels. Two regions $a$ and $b$ join if the weakest edge between them, $D_{ab}$, is
no stronger than the strongest edge $I$ of the minimum spanning tree of each, plus a margin:

$$ D_{ab} \le \min \left( I_a + \frac{k}{|a|}, \; I_b + \frac{k}{|b|} \right) $$

A larger $k$ makes larger superpixels.

**Proposals.** One hierarchy misses objects that its color space does not separate, so *fast* builds
8 and *quality* 80, as in the paper, with different color spaces, $k$ and terms. Their boxes are
ranked by the position of the region, counted from the top of its hierarchy, times a random number.
Draw or load ground truth to see which of your objects the first boxes find, and how many boxes are
needed.

**Sources.** Uijlings, van de Sande, Gevers and Smeulders 2013, *Selective Search for Object
Recognition*, sections 3.1 to 3.3 (the terms: equations 1 to 6); Felzenszwalb and Huttenlocher 2004,
*Efficient Graph-Based Image Segmentation*, section 3.1.
"""

ONE_TREE = "this hierarchy"


SIMILARITY = "Similarity terms"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    merged: float = param(
        50.0, "Merging level",
        "0 = superpixels, 100 = the whole photo. Each step reduces the number of regions by the "
        "same factor.",
        effect=Effect.DRAW, low=0.0, high=100.0, step=1.0, unit="%", play=True,
    )  # fmt: skip
    at: Point | None = param(
        None, "Region", "Click on the photo: the region there is compared with its neighbors.",
        effect=Effect.DRAW, pick=Pick.CLICK, pane="image",
    )  # fmt: skip
    space: str = param("HSV", "Color space", "Color space of superpixels and histograms.",
                       choices=tuple(SPACES))  # fmt: skip
    k: float = param(
        100.0, "Scale k", "A larger k makes larger superpixels.",
        low=20.0, high=1000.0, step=5.0, log=True,
    )  # fmt: skip
    color: bool = param(
        True, "Color", "Regions with similar colors merge early.", section=SIMILARITY
    )
    texture: bool = param(
        True, "Texture", "Regions with similar texture merge early.", section=SIMILARITY
    )
    size: bool = param(True, "Size", "Small regions merge early.", section=SIMILARITY)
    fill: bool = param(
        True, "Fill", "Regions that fill their common bounding box merge early.", section=SIMILARITY
    )
    color_by: str = param(
        PAINTS[0], "Color regions by",
        "The mean color, a random color (a merged region keeps that of its larger part), or "
        "outlines.",
        effect=Effect.DRAW, choices=PAINTS,
    )  # fmt: skip
    opacity: float = param(
        0.75, "Opacity", "Opacity of the regions over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    mode: str = param(
        ONE_TREE, "Hierarchies",
        "The hierarchy shown, the 8 of the paper's fast mode, or the 80 of its quality mode.",
        choices=(ONE_TREE, "fast", "quality"),
    )  # fmt: skip
    shown: str = param(
        SHOWN[0], "Boxes shown",
        "The top-ranked, those of the regions on this level, or all formed so far.",
        effect=Effect.DRAW, choices=SHOWN,
    )  # fmt: skip
    most: int = param(
        50, "Proposals", "How many of the ranked proposals are used.",
        effect=Effect.DRAW, low=1, high=10_000, step=1, log=True,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Ground-truth boxes: draw, drag or load them.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    randomized: bool = param(
        True, "Randomized ranking",
        "The position in the hierarchy is multiplied by a random number.",
        advanced=True,
    )  # fmt: skip
    side: int = param(
        640, "Max. side", "A larger photo is resized first.",
        low=128, high=2048, step=32, unit="px", advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`proposals` (N, 4) float32 in the photo's pixels, the best first, of `done` trees of `total`.

    `seconds` is what those trees took.
    """

    grown: Grown
    proposals: Float32
    seconds: float
    done: int
    total: int
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    pixels, scale = _working_size(scene, params.side)
    terms = tuple(term for term in TERMS if getattr(params, term))
    strategy = Strategy(params.space, params.k, terms)
    tree, seconds = _tree(scene, pixels, strategy, params.side)
    grown = Grown.of(photo_of(scene), tree, pixels, scale, strategy, seconds)
    own = _listed([tree.regions.boxes], scene, params, scale)
    plan = MODES.get(params.mode, ())
    total = max(1, len(plan))
    result = Result(grown, own, seconds, 0 if plan else 1, total)
    yield Step(result, result.done, total)
    if not plan:
        return
    known = scene.memo(("selective search", params.side), dict[Strategy, tuple[Any, float]])
    missing = [wanted for wanted in plan if wanted not in known]
    growing, start = trees(pixels, missing), time.perf_counter()
    for number, wanted in enumerate(plan, start=1):
        if wanted not in known:
            _, found = next(growing)
            now = time.perf_counter()
            known[wanted], start = (found.regions.boxes, now - start), now
        last = number == len(plan)
        if last or plan[number].k != wanted.k:  # a list per first segmentation is often enough
            spent = sum(known[done][1] for done in plan[:number])
            boxes = _listed([known[done][0] for done in plan[:number]], scene, params, scale)
            result = replace(
                result, proposals=boxes, seconds=spent, done=number, cache=DrawCache(16)
            )
            yield Step(result, number, total, f"{wanted.space}, k = {wanted.k:g}")
            start = time.perf_counter()


def _working_size(scene: Scene, side: int) -> tuple[UInt8, tuple[float, float]]:
    """The photo, smaller where it is larger than `side`; photo pixels per pixel of it."""

    def made() -> tuple[UInt8, tuple[float, float]]:
        pixels = scene.image.pixels
        height, width = pixels.shape[:2]
        if max(height, width) <= side:
            return pixels, (1.0, 1.0)
        import cv2

        factor = side / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        return small, (width / size[0], height / size[1])

    return scene.memo(("selective search pixels", side), made)


def _tree(scene: Scene, pixels: UInt8, strategy: Strategy, side: int) -> tuple[Tree, float]:
    """The tree of one strategy and the seconds it took, superpixels included."""

    def begin() -> tuple[Start, float]:
        at = time.perf_counter()
        return prepare(SPACES[strategy.space](pixels), strategy.k), time.perf_counter() - at

    def merge() -> tuple[Tree, float]:
        at = time.perf_counter()
        return grow(start, strategy.terms), seconds + time.perf_counter() - at

    start, seconds = scene.memo(("selective search", side, strategy.space, strategy.k), begin)
    return scene.memo(("selective search", side, strategy), merge)


def _listed(
    hierarchies: list[Float32], scene: Scene, params: Params, scale: tuple[float, float]
) -> Float32:
    boxes = ranked(hierarchies, scene.seed if params.randomized else None)
    return boxes * np.array([*scale, *scale], np.float32)


def draw(result: Result, params: Params) -> Board:
    grown, cache = result.grown, result.cache
    left = grown.left(params.merged)
    chosen = chosen_region(grown, params.at, left)
    words = f"{grown.strategy.space}, k = {grown.strategy.k:g}"
    regions = region_board(
        grown, cache, chosen, left, words, paint=params.color_by, opacity=params.opacity,
        merged=params.merged,
    )  # fmt: skip
    taken = proposal_board(
        grown, cache, result.proposals, left, shown=params.shown, most=params.most,
        truth=params.truth,
    )  # fmt: skip
    one = result.done == 0 or result.total == 1
    source = ONE_TREE if one else f"{result.done} hierarchies"
    summary = (
        f"{regions.summary} · {quantity(len(result.proposals), 'box', 'boxes')} of {source} in "
        f"{result.seconds:.1f} s{taken.summary}{passed_words(params.truth)}"
    )
    notes = (
        ()
        if grown.strategy.terms
        else ("All similarity terms are off: regions merge in order of their index.",)
    )
    return Board(
        panes=regions.panes + taken.panes, plots=regions.plots + taken.plots,
        tables=regions.tables + taken.tables, summary=summary, notes=notes,
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """The tree and the list of proposals.

    Keys: `superpixels` (H, W) int32, at the size that was worked on; `children` (n - 1, 2)
    int32, merge m makes region n + m of these; `terms` (n - 1, 4) float64 color, texture, size,
    fill of each merge; `similarity` (n - 1,) what it was chosen for; `sizes` (2 n - 1,) in pixels
    of `superpixels`; `regions` (2 n - 1, 4) float32 boxes and `boxes` (N, 4), the proposals, the
    best first, both in the photo's pixels.
    """
    grown, tree = result.grown, result.grown.tree
    return {
        "superpixels": tree.labels,
        "children": tree.children,
        "terms": tree.terms(),
        "similarity": tree.scores,
        "sizes": tree.regions.sizes,
        "regions": grown.boxes,
        "boxes": result.proposals,
    }


VIEW = View(
    name="selective_search",
    title="Selective search",
    group=Group.CLASSIC,
    summary="Hierarchical merging of superpixels: the bounding box of every region is a proposal.",
    explanation=EXPLANATION,
    reference="Uijlings et al. 2013, Selective Search for Object Recognition",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
