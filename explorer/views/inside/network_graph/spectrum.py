"""The depth of networks side by side on one scale: a bar for every layer with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Lines, Pane, Table, Text
from explorer.core.listing import quantity
from explorer.views.inside.network_graph.costs import (
    FLOPS,
    MEMORY,
    PARAMETERS,
    UNITS,
    brief,
    colors_of,
    cost_words,
    shape_words,
)
from explorer.views.inside.network_graph.panes import NO_SCALE, SHORTCUT
from explorer.vision.graph.depth import depths_of
from explorer.vision.graph.folding import title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Float32, Layer
    from explorer.vision.graph.depth import Depths
    from explorer.vision.graph.nodes import Graph, Node

TALL = 640.0
"""The height that the deepest network has."""
WIDE, COLUMN = 110.0, 168.0
HEAD, LEFT, TOP = 62.0, 46.0, 78.0
RULE = (150, 156, 166)
STEPS = (5, 10, 20, 25, 50, 100, 200)


def spectrum_pane(networks: Sequence[tuple[str, Graph]], by: str) -> Pane:
    """The layers of each network from top to bottom, colored by what they cost."""
    by = by if by in (PARAMETERS, MEMORY) else FLOPS
    depths = [depths_of(graph) for _, graph in networks]
    deepest = max(1, *(each.total for each in depths))
    unit = min(TALL / deepest, 26.0)
    size = (LEFT + COLUMN * len(networks), TOP + deepest * unit + 12.0)
    boxes, costs, words, lines = [], [], [], []
    for column, ((title, graph), found) in enumerate(zip(networks, depths, strict=True)):
        left = LEFT + column * COLUMN + 12.0
        for node, box in _bars(graph, found, left, unit):
            boxes.append(box)
            costs.append(_cost(graph, node, by))
            name = graph.calls[node.call].path
            words.append(
                f"{title}: {name}: {title_of(graph, [node.index])} · "
                f"output {shape_words(node.shape)} · {cost_words(costs[-1], by)}"
            )
        lines += _brackets(found, left + WIDE + 3.0, unit)
    powers = np.log10(np.maximum(np.array(costs or [1.0]), 1.0))  # they differ by thousands
    low, high = float(powers.min()), float(powers.max())
    colors = colors_of((powers - low)[: len(costs)].tolist(), high - low)
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    layers: list[Layer] = [
        *_rules(deepest, unit, size[0]),
        Boxes(xyxy, colors, width=1.0, fill=1.0, selectable=False, name="depths"),
        _heads(networks, depths),
        Heat(
            NO_SCALE,
            low,
            high if high > low else low + 1.0,
            unit=f"power of ten of the {UNITS[by]}",
            extent=(0, 0, 1, 1),
            name="scale",
        ),
    ]
    if lines:
        segments = np.array(lines, np.float32).reshape(-1, 4)
        tint = np.tile(np.array(SHORTCUT, np.uint8), (len(segments), 1))
        layers.insert(1, Lines(segments, tint, width=1.5, name="shortcuts"))
    return Pane(
        "depth", size, tuple(layers), title="Depth: layers with weights", frame="depth",
        readout=_readout(xyxy, words), drawing=True,
    )  # fmt: skip


def _bars(
    graph: Graph, found: Depths, left: float, unit: float
) -> list[tuple[Node, tuple[float, float, float, float]]]:
    """A bar for each layer; those of one depth share the width."""
    rows: dict[int, list[int]] = {}
    for index, depth in found.layers:
        rows.setdefault(depth, []).append(index)
    bars = []
    for depth, nodes in rows.items():
        each = WIDE / len(nodes)
        top = TOP + (depth - 1) * unit
        for place, index in enumerate(nodes):
            x = left + place * each
            gap = 1.0 if len(nodes) > 1 else 0.0
            bars.append((graph.nodes[index], (x, top, x + each - gap, top + 0.86 * unit)))
    return bars


def _brackets(found: Depths, x: float, unit: float) -> list[tuple[float, float, float, float]]:
    """For every shortcut a bracket beside the layers that it passes by."""
    lines = []
    for start, end in found.shortcuts:
        top, bottom = TOP + (start + 0.1) * unit, TOP + (end - 0.24) * unit
        out = x + 9.0
        lines += [(x, top, out, top), (out, top, out, bottom), (out, bottom, x, bottom)]
    return lines


def _rules(deepest: int, unit: float, width: float) -> list[Layer]:
    step = next((step for step in STEPS if deepest / step <= 10), STEPS[-1])
    at = list(range(step, deepest + 1, step))
    ys = [TOP + depth * unit for depth in at]
    rules = np.array([(LEFT - 8.0, y, width, y) for y in ys], np.float32).reshape(-1, 4)
    colors = np.tile(np.array(RULE, np.uint8), (len(rules), 1))
    return [
        Lines(rules, colors, width=0.75, dotted=True, name="rules"),
        *(
            Text(str(depth), (LEFT - 10.0, y), size=10.0, anchor=(1.0, 0.5), name="depth")
            for depth, y in zip(at, ys, strict=True)
        ),
    ]


def _heads(networks: Sequence[tuple[str, Graph]], depths: Sequence[Depths]) -> Boxes:
    boxes, labels = [], []
    for column, ((title, graph), found) in enumerate(zip(networks, depths, strict=True)):
        left = LEFT + column * COLUMN + 2.0
        boxes.append((left, 6.0, left + COLUMN - 14.0, 6.0 + HEAD))
        labels.append(
            f"{title}\n{quantity(found.total, 'layer')}\n{brief(graph.parameters)} parameters"
        )
    colors = np.tile(np.array((38, 76, 112), np.uint8), (len(boxes), 1))
    return Boxes(
        np.array(boxes, np.float32), colors, labels=tuple(labels), width=1.0, fill=1.0,
        letters=17.0, selectable=False, name="networks",
    )  # fmt: skip


def _cost(graph: Graph, node: Node, by: str) -> float:
    match by:
        case "parameters":
            return float(graph.calls[node.call].own)
        case "memory":
            return float(node.memory)
        case _:
            return float(node.flops)


def _readout(boxes: Float32, words: Sequence[str]) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        x0, y0, x1, y1 = boxes.T
        hit = np.flatnonzero((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1))
        return words[int(hit[0])] if len(hit) else ""

    return readout


def spectrum_table(networks: Sequence[tuple[str, Graph]]) -> Table:
    """One row for each network."""
    rows = []
    for title, graph in networks:
        found = depths_of(graph)
        rows.append((title, found.total, len(found.shortcuts), graph.parameters, graph.flops))
    return Table(
        "depths", ("network", "layers", "shortcuts", "parameters", "FLOPs"), tuple(rows),
        title="Layers with weights on the longest way",
    )  # fmt: skip
