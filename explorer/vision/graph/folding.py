"""Folds the nodes of a graph into blocks, by the hierarchy of its modules.

A block is one call of a module with parts. Calls lie one inside another or one after another, so a
folded graph has no cycles either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.vision.graph.nodes import INPUT, Call, Graph, Node, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLLOWERS = {
    "BatchNorm2d": "BN", "FrozenBatchNorm2d": "BN", "batch norm": "BN", "BatchNorm1d": "BN",
    "LayerNorm": "LN", "LayerNorm2d": "LN", "layer norm": "LN", "GroupNorm": "GN",
    "InstanceNorm2d": "IN", "ReLU": "ReLU", "ReLU6": "ReLU6", "SiLU": "SiLU", "GELU": "GELU",
    "LeakyReLU": "LeakyReLU", "Hardswish": "h-swish", "hard-swish": "h-swish",
    "Hardsigmoid": "h-sigmoid", "Sigmoid": "sigmoid", "Softmax": "softmax", "Tanh": "tanh",
    "ELU": "ELU", "PReLU": "PReLU", "Dropout": "dropout", "Dropout2d": "dropout",
    "LocalResponseNorm": "LRN", "Flatten": "flatten",
}  # fmt: skip
"""Layers that join the one before them, where nothing else depends on it; their short names."""

NAMES = {
    "Conv2d": "Conv", "ConvTranspose2d": "Transposed conv", "MaxPool2d": "Max pool",
    "AvgPool2d": "Average pool", "AdaptiveAvgPool2d": "Average pool",
    "AdaptiveMaxPool2d": "Max pool", "BatchNorm2d": "Batch norm", "LayerNorm": "Layer norm",
    "MultiheadAttention": "Attention",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """One box of a folded graph.

    Attributes:
        nodes: Indices of its nodes, in order; none of what comes from outside of a block.
        call: The call that was folded; -1 = single layers.
        title: What it is, in a few words: "Conv 3 x 3 / 2 · BN · ReLU", "Bottleneck".
        path: Dotted name of its (first) module.
        shape: Of its output.
        sources: Places of the groups that it depends on.
        inferred: Those among them that no tensor operation led to.
        parameters: Weights and biases.
        flops: Products as 2 operations each.
        memory: Bytes of the tensors that it allocates.
    """

    nodes: tuple[int, ...]
    call: int
    title: str
    path: str
    shape: Shape
    sources: tuple[int, ...]
    inferred: frozenset[int]
    parameters: int
    flops: int
    memory: int

    @property
    def is_block(self) -> bool:
        return self.call >= 0


def folded(graph: Graph, most: int, within: int = 0, *, joined: bool = True) -> tuple[Group, ...]:
    """The graph in about `most` boxes: blocks are opened from outside in as long as these suffice.

    All blocks of one class and one depth are opened together, or none of them.

    Args:
        graph: Of a network.
        most: Boxes at most; the parts of `within` are shown however many there are.
        within: The call that is shown; what its parts depend on outside of it is one box, "Input".
        joined: Norms, activations and dropout stand in the box of the layer before them.
    """
    opened = {within}
    groups = _groups(graph, within, opened, joined=joined)
    while True:
        for calls in _closed(graph, groups):
            trial = _groups(graph, within, opened | calls, joined=joined)
            if len(trial) <= most:
                opened |= calls
                groups = trial
                break
        else:
            return groups


def _closed(graph: Graph, groups: Iterable[Group]) -> list[set[int]]:
    """Sets of blocks that could be opened, the outermost first, then those with most nodes."""
    sets: dict[tuple[int, str], list[Group]] = {}
    for group in groups:
        if group.is_block:
            depth = 0
            parent = graph.calls[group.call].parent
            while parent >= 0:
                depth, parent = depth + 1, graph.calls[parent].parent
            sets.setdefault((depth, graph.calls[group.call].kind), []).append(group)
    order = sorted(sets.items(), key=lambda item: (item[0][0], -sum(len(g.nodes) for g in item[1])))
    return [{group.call for group in same} for _, same in order]


def _groups(graph: Graph, within: int, opened: set[int], *, joined: bool) -> tuple[Group, ...]:
    bounds = graph.calls[within]
    shown = graph.nodes if within == 0 else graph.nodes[bounds.first : bounds.last]
    members: dict[tuple[str, int], list[int]] = {}
    where: dict[int, tuple[str, int]] = {}
    outside = sorted({at for node in shown for at in node.sources if at < shown[0].index})
    if outside:
        members["input", 0] = []
    for node in shown:
        key = _key(graph, node, within, opened)
        members.setdefault(key, []).append(node.index)
        where[node.index] = key
    for at in outside:
        where[at] = ("input", 0)
    if joined:
        _join(graph, members, where)
    places = {key: place for place, key in enumerate(members)}
    found = []
    for key, nodes in members.items():
        sources, followed = set(), set()
        for index in nodes:
            node = graph.nodes[index]
            for at in node.sources:
                place = places[where[at]]
                if place != places[key]:
                    sources.add(place)
                    if at not in node.inferred:
                        followed.add(place)
        inferred = sources - followed
        shape = graph.calls[key[1]].shape if key[0] == "call" else ()
        shape = shape or graph.nodes[(nodes or outside)[-1]].shape
        found.append(_group(graph, key, nodes, shape, sources, inferred))
    return tuple(found)


def _key(graph: Graph, node: Node, within: int, opened: set[int]) -> tuple[str, int]:
    scopes = graph.scopes(node)
    start = scopes.index(within) if within in scopes else 0
    for call in scopes[start:]:
        if call not in opened:
            return "call", call
    return "node", node.index


def _join(
    graph: Graph,
    members: dict[tuple[str, int], list[int]],
    where: dict[int, tuple[str, int]],
) -> None:
    """Moves norms, activations and dropout to the layer before them, where only they use it."""
    users: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for index, key in where.items():
        if index in (entry for entry in members.get(key, ())):
            for at in graph.nodes[index].sources:
                if where[at] != key:
                    users.setdefault(where[at], set()).add(key)
    for key in list(members):
        nodes = members[key]
        if key[0] != "node" or graph.nodes[nodes[0]].kind not in FOLLOWERS:
            continue
        sources = {where[at] for at in graph.nodes[nodes[0]].sources}
        if len(sources) != 1:
            continue
        (before,) = sources
        if before[0] != "node" or users[before] != {key} or graph.nodes[before[1]].kind == INPUT:
            continue
        members[before] += nodes
        del members[key]
        users[before] = users.get(key, set())
        for index in nodes:
            where[index] = before


def _group(
    graph: Graph,
    key: tuple[str, int],
    nodes: Sequence[int],
    shape: Shape,
    sources: set[int],
    inferred: set[int],
) -> Group:
    calls = [graph.calls[graph.nodes[at].call] for at in nodes]
    if key[0] == "call":
        call = graph.calls[key[1]]
        title, path, parameters = call.kind, call.path, call.parameters
    elif key[0] == "input":
        title, path, parameters = INPUT, "", 0
    else:
        title, path = title_of(graph, nodes), calls[0].path
        parameters = sum(
            call.own for at, call in zip(nodes, calls, strict=True) if graph.nodes[at].layer
        )
    return Group(
        tuple(nodes), key[1] if key[0] == "call" else -1, title, path, shape,
        tuple(sorted(sources)), frozenset(inferred), parameters,
        sum(graph.nodes[at].flops for at in nodes), sum(graph.nodes[at].memory for at in nodes),
    )  # fmt: skip


def title_of(graph: Graph, nodes: Sequence[int]) -> str:
    """A layer and those that stand with it: "Conv 3 x 3 / 2 · BN · ReLU"."""
    first = graph.nodes[nodes[0]]
    words = [_layer_title(first, graph.calls[first.call])]
    words += [FOLLOWERS[graph.nodes[at].kind] for at in nodes[1:]]
    return " · ".join(words)


def _layer_title(node: Node, call: Call) -> str:
    name = NAMES.get(node.kind, node.kind)
    window = call.window if node.layer else None
    if window is None:
        return name[:1].upper() + name[1:]
    if window.groups > 1 and len(node.given) > 1 and window.groups == node.given[-3]:
        name = "Depthwise"
    down, across = window.kernel
    stride = max(window.stride)
    dilation = max(window.dilation)
    words = f"{name} {across} x {down}"
    words += f" / {stride}" if stride > 1 else ""
    return words + (f", dilation {dilation}" if dilation > 1 else "")
