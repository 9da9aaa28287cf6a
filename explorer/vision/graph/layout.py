"""Where the boxes of a graph lie: ranks from top to bottom, wrapped into columns like a text.

Ranks and the order within them are those of `fast_sugiyama` (Sugiyama, Tagawa and Toda 1981), the
extra `graph`. Without it a box stands in the first free lane below what it depends on.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

from_edges: Any = None  # it is typed where it is installed, and unknown elsewhere
with suppress(ImportError):  # no wheel for this machine
    from_edges = import_module("fast_sugiyama").from_edges

BOX = (184.0, 86.0)
LANE, RANK = 204.0, 114.0
"""The distances of boxes side by side and one below another."""
GUTTER = 34.0
"""Between two columns."""
EDGE = 20.0
"""Around everything."""
ASPECT = 1.85
"""Width over height that is aimed at."""

Edge = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """`ranks` and `lanes` of every box; of an edge over several ranks also where it bends.

    A bend is (rank, lane); lanes may be fractions.
    """

    ranks: tuple[int, ...]
    lanes: tuple[float, ...]
    bends: Mapping[Edge, tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Boxes and edges in units of a pane.

    Attributes:
        boxes: (N, 4) float32 xyxy.
        edges: In the order of `paths`.
        paths: Corners (P, 2) float32 of each edge, its arrow head at the last one.
        size: Width and height of the pane.
    """

    boxes: NDArray[np.float32]
    edges: tuple[Edge, ...]
    paths: tuple[NDArray[np.float32], ...]
    size: tuple[float, float]


def laid_out(sources: Sequence[Sequence[int]], aspect: float = ASPECT) -> Drawn:
    """Boxes in reading order, in as many columns as bring the pane near to `aspect`.

    Args:
        sources: Of every box the boxes that it depends on, which come before it.
        aspect: Width over height.
    """
    ranked = ranked_of(sources)
    many = max(ranked.ranks, default=0) + 1
    choices = [_wrapped(ranked, columns) for columns in range(1, min(many, 16) + 1)]
    return min(choices, key=lambda drawn: abs(log(drawn.size[0] / drawn.size[1] / aspect)))


def ranked_of(sources: Sequence[Sequence[int]]) -> Ranked:
    """The rank and the lane of every box."""
    edges = [(at, box) for box, before in enumerate(sources) for at in before]
    if from_edges is None or not edges:
        return plain_columns(sources)
    places: dict[int, Point] = {}
    following: dict[int, list[int]] = defaultdict(list)
    beside = 0.0
    for positions, _, _, ways in from_edges(
        edges, vertex_spacing=1, dummy_vertices=True, ranking_type="up"
    ):
        left = min(x for _, (x, _) in positions)
        top = max(y for _, (_, y) in positions)
        for node, (x, y) in positions:
            places[int(node)] = (x - left + beside, top - y)
        beside += max(x for _, (x, _) in positions) - left + 1
        for start, end in ways:
            following[int(start)].append(int(end))
    count = len(sources)
    for box in range(count):  # what nothing depends on, and what depends on nothing
        if box not in places:
            places[box] = (beside, 0.0)
            beside += 1
    bends: dict[Edge, tuple[tuple[int, float], ...]] = {}
    for box in range(count):
        for at in following[box]:
            way, end = [], at
            while end >= count:
                way.append((round(places[end][1]), places[end][0]))
                (end,) = following[end]
            bends[box, end] = tuple(way)
    return Ranked(
        tuple(round(places[box][1]) for box in range(count)),
        tuple(places[box][0] for box in range(count)),
        bends,
    )


def plain_columns(sources: Sequence[Sequence[int]]) -> Ranked:
    """Every box one rank below the last that it depends on, in the first free lane from theirs."""
    ranks: list[int] = []
    for before in sources:
        ranks.append(1 + max((ranks[at] for at in before), default=-1))
    taken: dict[int, set[float]] = defaultdict(set)
    lanes: list[float] = []
    bends: dict[Edge, tuple[tuple[int, float], ...]] = {}
    for box, before in enumerate(sources):
        lane = _free(taken[ranks[box]], min((lanes[at] for at in before), default=0.0))
        lanes.append(lane)
        taken[ranks[box]].add(lane)
    for box, before in enumerate(sources):
        for at in before:
            between = range(ranks[at] + 1, ranks[box])
            lane = lanes[at]
            while any(lane in taken[rank] for rank in between):
                lane += 1.0
            for rank in between:
                taken[rank].add(lane)
            bends[at, box] = tuple((rank, lane) for rank in between)
    return Ranked(tuple(ranks), tuple(lanes), bends)


def _free(taken: set[float], lane: float) -> float:
    while lane in taken:
        lane += 1.0
    return lane


def _wrapped(ranked: Ranked, columns: int) -> Drawn:
    """The ranks in `columns` columns, one after another."""
    many = max(ranked.ranks, default=0) + 1
    starts = _breaks(ranked, many, columns)
    column = [sum(start <= rank for start in starts) - 1 for rank in range(many)]
    wide: list[tuple[float, float]] = []
    points = [*zip(ranked.ranks, ranked.lanes, strict=True)]
    points += [bend for way in ranked.bends.values() for bend in way]
    for number in range(len(starts)):
        inside = [lane for rank, lane in points if column[rank] == number]
        wide.append((min(inside, default=0.0), max(inside, default=0.0)))
    lefts, x = [], EDGE
    for low, high in wide:
        lefts.append(x - low * LANE)
        x += (high - low) * LANE + BOX[0] + GUTTER
    width = x - GUTTER + EDGE
    tall = max(end - start for start, end in zip(starts, [*starts[1:], many], strict=True))
    height = 2 * EDGE + (tall - 1) * RANK + BOX[1]
    if len(starts) > 1:  # edges to the next column run below and above the boxes
        height += GUTTER

    def middle(rank: int, lane: float) -> Point:
        number = column[rank]
        top = EDGE + (GUTTER / 2 if len(starts) > 1 else 0.0)
        return (
            lefts[number] + lane * LANE + BOX[0] / 2,
            top + (rank - starts[number]) * RANK + BOX[1] / 2,
        )

    boxes = np.array(
        [
            (x - BOX[0] / 2, y - BOX[1] / 2, x + BOX[0] / 2, y + BOX[1] / 2)
            for x, y in map(middle, ranked.ranks, ranked.lanes)
        ],
        np.float32,
    ).reshape(-1, 4)
    paths = []
    used: dict[int, int] = defaultdict(int)
    for (start, end), way in ranked.bends.items():
        stops = [
            (ranked.ranks[start], ranked.lanes[start]), *way, (ranked.ranks[end], ranked.lanes[end])
        ]  # fmt: skip
        x, y = middle(*stops[0])
        path = [(x, y + BOX[1] / 2)]
        for before, after in pairwise(stops):
            x, y = middle(*after)
            number = column[after[0]]
            if column[before[0]] != number:
                shift = 5.0 * (used[number] % 3)
                used[number] += 1
                gutter = lefts[number] + wide[number][0] * LANE - GUTTER / 2 - 5.0 + shift
                below, above = height - EDGE / 2 - shift, EDGE / 2 + shift
                path += [(path[-1][0], below), (gutter, below), (gutter, above), (x, above)]
            path.append((x, y - BOX[1] / 2))
            # A bend is as high as a box: an edge passes beside boxes, not across them.
            path.append((x, y + BOX[1] / 2))
        paths.append(np.array(path[:-1], np.float32))
    return Drawn(boxes, tuple(ranked.bends), tuple(paths), (width, height))


def _breaks(ranked: Ranked, many: int, columns: int) -> list[int]:
    """The first rank of each column: where as few edges as possible cross."""
    crossing = [0] * (many + 1)
    for start, end in ranked.bends:
        for rank in range(ranked.ranks[start] + 1, ranked.ranks[end] + 1):
            crossing[rank] += 1
    room = -(-many // columns)
    starts = [0]
    while many - starts[-1] > room:
        end = starts[-1] + room
        near = range(end, max(end - max(1, room // 4), starts[-1]), -1)
        starts.append(min(near, key=lambda rank: (crossing[rank], -rank)))
    return starts
