"""What boxes of a graph cost, in numbers and words, and the colors of costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import lookup_table
from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.core.layers import UInt8
    from explorer.vision.graph.folding import Group
    from explorer.vision.graph.nodes import Graph, Shape
    from explorer.vision.graph.timing import Key

TIME, PARAMETERS, FLOPS, MEMORY, KIND = COLORS = (
    "time", "parameters", "FLOPs", "memory", "layer type",
)  # fmt: skip
UNITS = {TIME: "ms", PARAMETERS: "parameters", FLOPS: "FLOPs", MEMORY: "bytes"}

_KINDS = (
    ("input", (92, 98, 108)),
    ("conv", (66, 133, 214)),
    ("pool", (60, 160, 110)),
    ("linear", (150, 96, 200)),
    ("gemm", (150, 96, 200)),
    ("matmul", (150, 96, 200)),
    ("attention", (200, 90, 140)),
    ("add", (224, 138, 40)),
    ("concat", (224, 138, 40)),
    ("mul", (224, 138, 40)),
)
_LAYER, _BLOCK = (118, 128, 140), (38, 150, 160)


@dataclass(frozen=True, slots=True, eq=False)
class Costed:
    """The graph of one network and how long its calls took, in seconds; {} = not measured."""

    title: str
    graph: Graph
    seconds: Mapping[Key, float]
    passes: int = 0
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    def cost(self, group: Group, by: str) -> float:
        """Milliseconds, a count or bytes; NaN = not known."""
        match by:
            case "parameters":
                return float(group.parameters)
            case "FLOPs":
                return float(group.flops)
            case "memory":
                return float(group.memory)
            case _:
                return self._milliseconds(group)

    def _milliseconds(self, group: Group) -> float:
        calls = {group.call} if group.is_block else self._layers(group)
        keys = [(self.graph.calls[at].path, self.graph.calls[at].number) for at in calls]
        known = [self.seconds[key] for key in keys if key in self.seconds]
        return 1000 * sum(known) if known else float("nan")

    def _layers(self, group: Group) -> set[int]:
        nodes = (self.graph.nodes[at] for at in group.nodes)
        return {node.call for node in nodes if node.layer}


def brief(number: float, unit: str = "") -> str:
    """Three digits: "4.65 M", "768", "1.23 G"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g} {letter}{unit}"
    return f"{number:.3g} {unit}".strip()


def cost_words(cost: float, by: str) -> str:
    if not np.isfinite(cost):
        return ""
    match by:
        case "time":
            return milliseconds(cost)
        case "memory":
            return brief(cost, "B")
        case _:
            return f"{brief(cost)} {'parameters' if by == PARAMETERS else 'FLOPs'}"


def milliseconds(time: float) -> str:
    """Three digits: "0.35 ms", "98.7 ms", "1.3 s"."""
    return f"{time / 1000:.3g} s" if time >= 999.5 else f"{time:.3g} ms"


def shape_words(shape: Shape) -> str:
    """Without a batch of one: "64 x 56 x 56"."""
    sides = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    return " x ".join(map(str, sides))


def colors_of(costs: Sequence[float], high: float) -> UInt8:
    """(N, 3): from 0 in dark to `high` in bright; gray where the cost is not known."""
    table = lookup_table("viridis")
    found = np.full((len(costs), 3), _LAYER, np.uint8)
    for row, cost in enumerate(costs):
        if np.isfinite(cost):
            found[row] = table[min(255, int(255 * cost / high)) if high > 0 else 0]
    return found


def kind_colors(groups: Sequence[Group]) -> UInt8:
    """(N, 3): one color for each type of layer."""
    found = []
    for group in groups:
        words = group.title.lower()
        color = _BLOCK if group.is_block else _LAYER
        if not group.is_block:
            color = next((color for word, color in _KINDS if word in words), color)
        found.append(color)
    return np.array(found, np.uint8).reshape(-1, 3)
