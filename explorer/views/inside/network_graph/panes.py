"""The graph of a network as boxes and arrows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Lines, Pane, Plot, Table
from explorer.core.listing import quantity
from explorer.views.inside.network_graph.costs import (
    COLORS,
    FLOPS,
    KIND,
    MEMORY,
    PARAMETERS,
    TIME,
    UNITS,
    Costed,
    colors_of,
    cost_words,
    kind_colors,
    shape_words,
)
from explorer.vision.graph.folding import folded
from explorer.vision.graph.layout import ASPECT, laid_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Layer, UInt8
    from explorer.vision.graph.folding import Group
    from explorer.vision.graph.layout import Drawn

LETTERS = 15.0
BLOCKS = 1 << 20
"""Keys of boxes from here on are blocks: this plus the index of their call."""
MOST_BARS = 10
LONGEST_NAME = 22
"""Letters of the name of a file's node in its box."""
EDGE, SHORTCUT, FOUND, CHOSEN = (140, 147, 158), (240, 140, 30), (255, 214, 40), (255, 160, 40)
NO_SCALE = np.full((1, 1), np.nan, np.float32)
"""Draws nothing: the layer is there for its color scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A folded graph with its layout."""

    groups: tuple[Group, ...]
    drawn: Drawn

    @property
    def keys(self) -> tuple[int, ...]:
        return tuple(map(key_of, self.groups))


def key_of(group: Group) -> int:
    """A number that names a box in every state of folding; 0 is the input."""
    if group.is_block:
        return BLOCKS + group.call
    return group.nodes[0] if group.nodes else 0


def picture_of(costed: Costed, most: int, within: int = 0, *, aspect: float = ASPECT) -> Picture:
    """The network, or the inside of one of its blocks with every layer by itself."""

    def make() -> Picture:
        joined = within == 0 and not costed.graph.stored
        groups = folded(costed.graph, most, within, joined=joined)
        return Picture(groups, laid_out([group.sources for group in groups], aspect))

    return costed.cache.get(("picture", most, within, aspect), make)


def highest(pictures: Sequence[tuple[Costed, Picture]], by: str) -> float:
    """The largest cost of any box: the end of the scale of all panes."""
    costs = [costed.cost(group, by) for costed, each in pictures for group in each.groups]
    return max((cost for cost in costs if np.isfinite(cost)), default=0.0)


def graph_pane(
    costed: Costed,
    picture: Picture,
    *,
    name: str,
    title: str,
    by: str,
    high: float,
    find: str = "",
    chosen: int | None = None,
) -> Pane:
    """Boxes with arrows, in colors of what they cost from 0 to `high`."""
    groups, drawn = picture.groups, picture.drawn
    colors = colors_in(costed, groups, by, high)
    boxes = Boxes(
        drawn.boxes, colors, labels=tuple(_label(costed, group, by) for group in groups),
        keys=picture.keys, width=1.0, fill=1.0, letters=LETTERS, name=name,
    )  # fmt: skip
    layers: list[Layer] = [*_edges(picture), boxes]
    matching = [row for row, group in enumerate(groups) if matches(costed, group, find)]
    if matching:
        layers.append(_frames(drawn, matching, FOUND, "found"))
    if chosen is not None and chosen in picture.keys:
        layers.append(_frames(drawn, [picture.keys.index(chosen)], CHOSEN, "chosen"))
    if by != KIND:
        layers.append(
            Heat(NO_SCALE, 0.0, high or 1.0, unit=UNITS[by], extent=(0, 0, 1, 1), name="scale")
        )
    return Pane(
        name,
        drawn.size,
        tuple(layers),
        title=title,
        frame=name,
        readout=_readout(costed, picture),
        drawing=True,
    )


def colors_in(costed: Costed, groups: Sequence[Group], by: str, high: float) -> UInt8:
    if by == KIND:
        return kind_colors(groups)
    return colors_of([costed.cost(group, by) for group in groups], high)


def matches(costed: Costed, group: Group, find: str) -> bool:
    """Whether the words are in the name or the type of the box or of anything in it."""
    words = find.strip().lower()
    if not words:
        return False
    graph = costed.graph
    names = [group.title, group.path]
    for at in group.nodes:
        node = graph.nodes[at]
        names += [node.kind, graph.calls[node.call].path, node.name]
    return any(words in name.lower() for name in names)


def _label(costed: Costed, group: Group, by: str) -> str:
    shown = FLOPS if by == KIND else by
    title, _, more = group.title.partition(" · ")
    if group.is_block:
        more = _short(group.path)
    elif costed.graph.stored:
        more = _tail(group.path)
    if costed.graph.stored and more == title:
        more = ""
    lines = [title, more, shape_words(group.shape), cost_words(costed.cost(group, shown), shown)]
    return "\n".join(line for line in lines if line)


def _short(path: str) -> str:
    """The end of a dotted name: "3.1" of "features.3.1"."""
    short = ".".join(path.split(".")[-2:])
    return short if len(short) <= 10 else path.rpartition(".")[2]


def _tail(path: str) -> str:
    """As many parts from the end of a dotted name as there is room for."""
    *before, found = path.split(".")
    while before and len(before[-1]) + len(found) < LONGEST_NAME:
        found = f"{before.pop()}.{found}"
    return found if len(found) <= LONGEST_NAME else f"…{found[1 - LONGEST_NAME :]}"


def _edges(picture: Picture) -> list[Layer]:
    """Gray arrows; orange ones that pass by other boxes, dotted ones that are inferred."""
    found: list[Layer] = []
    kinds: dict[tuple[bool, bool], list[int]] = {}
    for row, (start, end) in enumerate(picture.drawn.edges):
        long = len(picture.drawn.paths[row]) > 2 and _passes_by(picture, start, end)
        kinds.setdefault((long, start in picture.groups[end].inferred), []).append(row)
    for (long, inferred), rows in sorted(kinds.items()):
        color = SHORTCUT if long else EDGE
        legs = [_legs(picture.drawn.paths[row]) for row in rows]
        name = ("shortcuts" if long else "edges") + (" inferred" if inferred else "")
        before = np.concatenate([leg[:-1] for leg in legs])
        if len(before):
            found.append(_lines(before, color, name, dotted=inferred, arrow=False))
        last = np.concatenate([leg[-1:] for leg in legs])
        found.append(_lines(last, color, f"{name} to", dotted=inferred, arrow=True))
    return found


def _passes_by(picture: Picture, start: int, end: int) -> bool:
    """Whether there is another way from `start` to `end`, through other boxes."""
    waiting, seen = [at for at in picture.groups[end].sources if at != start], set[int]()
    while waiting:
        at = waiting.pop()
        if at == start:
            return True
        if at > start and at not in seen:
            seen.add(at)
            waiting += picture.groups[at].sources
    return False


def _legs(path: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray[
    tuple[int, ...], np.dtype[np.float32]
]:  # fmt: skip
    return np.concatenate([path[:-1], path[1:]], axis=1)


def _lines(
    segments: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    color: tuple[int, int, int],
    name: str,
    *,
    dotted: bool,
    arrow: bool,
) -> Lines:
    colors = np.tile(np.array(color, np.uint8), (len(segments), 1))
    return Lines(segments, colors, width=2.0, dotted=dotted, arrow=arrow, name=name)


def _frames(drawn: Drawn, rows: Sequence[int], color: tuple[int, int, int], name: str) -> Boxes:
    around = np.array([-3, -3, 3, 3], np.float32)
    colors = np.tile(np.array(color, np.uint8), (len(rows), 1))
    return Boxes(drawn.boxes[list(rows)] + around, colors, width=3.0, selectable=False, name=name)


def _readout(costed: Costed, picture: Picture) -> Callable[[float, float], str]:
    boxes = picture.drawn.boxes

    def readout(x: float, y: float) -> str:
        x0, y0, x1, y1 = boxes.T
        hit = np.flatnonzero((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1))
        return described(costed, picture.groups[int(hit[0])]) if len(hit) else ""

    return readout


def described(costed: Costed, group: Group) -> str:
    """Everything about a box in one line."""
    name = _name(costed, group)
    words = [f"{name}: {group.title}" if name and name != group.title else group.title]
    words.append(f"output {shape_words(group.shape)}")
    if not group.is_block and group.nodes and costed.graph.nodes[group.nodes[0]].about:
        words.append(costed.graph.nodes[group.nodes[0]].about)
    words += [cost_words(cost, by) for by in COLORS[:-1] if (cost := costed.cost(group, by)) > 0]
    if group.is_block:
        layers = sum(costed.graph.nodes[at].layer for at in group.nodes)
        words.append(quantity(layers, "layer"))
    return " · ".join(words)


def _name(costed: Costed, group: Group) -> str:
    """The file's own name of a node, else the dotted name of the (first) module."""
    own = "" if group.is_block or not group.nodes else costed.graph.nodes[group.nodes[0]].name
    return own or group.path


def cost_bars(costed: Costed, picture: Picture, by: str, high: float) -> Plot:
    """The boxes that cost most."""
    shown = TIME if by == KIND else by
    rows = [(costed.cost(group, shown), group) for group in picture.groups]
    rows = sorted((row for row in rows if row[0] > 0), key=lambda row: -row[0])[:MOST_BARS]
    total = {
        TIME: 1000 * costed.seconds.get(("", 0), 0.0), PARAMETERS: float(costed.graph.parameters),
        FLOPS: float(costed.graph.flops),
        MEMORY: float(sum(node.memory for node in costed.graph.nodes)),
    }[shown]  # fmt: skip
    scale = highest([(costed, picture)], shown) if by == KIND else high
    bars = tuple(
        (
            f"{group.path or group.title}, {cost_words(cost, shown)}",
            100 * cost / total if total else 0.0,
            _plain(colors_of([cost], scale)[0]),
        )
        for cost, group in rows
    )
    return Plot(
        "cost", f"Largest parts of the {shown}, in %", x_label="% of the network", bars=bars
    )


def _plain(rgb: UInt8) -> tuple[int, int, int]:
    red, green, blue = rgb.tolist()
    return red, green, blue


def layer_table(costed: Costed, picture: Picture, by: str, high: float) -> Table:
    """A row for each box."""
    rows, keys = [], []
    for group in picture.groups:
        milliseconds = costed.cost(group, TIME)
        rows.append(
            (
                _name(costed, group) or "(input)", group.title, shape_words(group.shape),
                group.parameters, group.flops, group.memory,
                round(milliseconds, 3) if np.isfinite(milliseconds) else "",
            )
        )  # fmt: skip
        keys.append(key_of(group))
    colors = colors_in(costed, picture.groups, by, high).tolist()
    return Table(
        "layers", ("name", "type", "output", "parameters", "FLOPs", "bytes", "ms"), tuple(rows),
        title="Layers and blocks", layer="graph", keys=tuple(keys),
        swatches=tuple((red, green, blue) for red, green, blue in colors),
    )  # fmt: skip
