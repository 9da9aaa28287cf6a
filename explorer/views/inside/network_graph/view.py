"""The graph of a network: its layers, what depends on what, and what each of them costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, NetworkRef, Pick, param
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import Group, View
from explorer.networks.onnx.module import OnnxModule
from explorer.networks.onnx.runtime import RuntimeModule
from explorer.views.inside.network_graph.costs import COLORS, Costed, brief, milliseconds
from explorer.views.inside.network_graph.details import (
    detail_panes,
    details_of,
    formula_of,
    histograms,
    node_table,
)
from explorer.views.inside.network_graph.panes import (
    BLOCKS,
    cost_bars,
    described,
    graph_pane,
    highest,
    key_of,
    layer_table,
    matches,
    picture_of,
)
from explorer.views.inside.network_graph.spectrum import spectrum_pane, spectrum_table
from explorer.vision.graph.depth import REFERENCES, depths_of, reference
from explorer.vision.graph.layout import ASPECT
from explorer.vision.graph.recording import recorded
from explorer.vision.graph.stored import stored_graph
from explorer.vision.graph.timing import RuntimeStopwatch, Stopwatch, with_blocks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from explorer.core.layers import Table
    from explorer.core.network_info import NetworkInfo
    from explorer.views.inside.network_graph.details import Details
    from explorer.views.inside.network_graph.panes import Picture
    from explorer.vision.graph.nodes import Graph, Node

EXPLANATION = r"""
A network is a **graph**: every box is a layer, or a block of layers, and every arrow a tensor that
goes from one to the next. It is recorded while the network runs on the photo, so branches,
functional calls and layers that are used twice are shown as they ran.

**Boxes.** Each names the layer, the shape of its output (channels x height x width) and its cost:
the time it takes (median of several passes after a warm-up, its parts included), its parameters,
its floating-point operations (FLOPs: a multiplication and an addition are two) or the memory of the
tensors that it computes. The color is the cost, from 0 to the largest.

**Blocks.** Modules that the network's author put together are folded into one box: residual blocks,
inception modules, MBConv blocks. *Boxes* says how many there may be; blocks are opened from outside
in. Norms and activations stand with the layer before them. Click a block to see its layers; there
an orange arrow passes by other layers: a **shortcut** (skip connection). A dotted arrow is
inferred: the tensors were not followed through code outside of PyTorch.

**An ONNX file** is drawn as it is stored: its own nodes with their names, operators and attributes;
names that begin alike are a block. Click a node to see its tensor on the photo, also where the file
runs in ONNX Runtime. Nodes that only compute constants are not drawn.

**Output size.** A kernel of size $F$ with stride $S$ and padding $P$ on each side fits on an input
of width $W$ at this many places:

$$ \frac{W - F + 2P}{S} + 1 $$

Click a convolution or a pooling to see it with its numbers, its feature maps, its kernels and how
their values are distributed. A fraction is rounded down. With dilation $D$ the kernel covers
$D\,(F - 1) + 1$ cells.

**Depth.** *Show: depth* counts layers with weights along the longest way, as the names do: AlexNet
has 8, VGG-19 has 19, GoogLeNet 22, ResNet-152 has 152. Brackets are shortcuts. *Plain-34* has the
layers of ResNet-34 without them. Add your own networks with *Beside*.

**Sources.** Krizhevsky et al. 2012; Simonyan and Zisserman 2015; Szegedy et al. 2015; He et al.
2016, *Deep Residual Learning for Image Recognition*, figure 3. Layout: Sugiyama, Tagawa and Toda
1981, *Methods for Visual Understanding of Hierarchical System Structures*.
"""

GRAPH, DEPTH = SHOW = ("graph", "depth")
PASSES = 5
SEVERAL = 1.0
"""Width over height of a graph that has another one beside it."""
LONGEST = 2.5
"""Seconds of measuring after which no other pass begins."""


def _shows_graph(params: Any, _info: NetworkInfo | None) -> bool:
    return bool(params.show == GRAPH)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        GRAPH, "Show",
        "The layers and what depends on what, or how deep networks are, side by side.",
        choices=SHOW,
    )  # fmt: skip
    color: str = param(
        COLORS[0], "Color by",
        "What the colors mean: time, parameters, floating-point operations, memory of the "
        "outputs, or the type of the layer.",
        effect=Effect.DRAW, choices=COLORS,
    )  # fmt: skip
    boxes: int = param(
        24, "Boxes",
        "How many boxes there may be: with more of them, more blocks are opened.",
        effect=Effect.DRAW, low=4, high=400, log=True, when=_shows_graph,
    )  # fmt: skip
    find: str = param(
        "", "Find", "Outlines layers and nodes whose name or type contains these letters.",
        effect=Effect.DRAW, when=_shows_graph,
    )  # fmt: skip
    beside: tuple[NetworkRef, ...] = param(
        (), "Beside", "Other networks, shown beside this one on one scale.", most=6
    )
    node: int | None = param(
        None, "Box", "The layer or block whose inside is shown: click it or its row in the table.",
        pick=Pick.SELECT, layer="graph", low=0, high=2 * BLOCKS, when=_shows_graph,
    )  # fmt: skip
    inner: int | None = param(
        None, "Layer of the block", "The layer of the chosen block whose maps are shown: click it.",
        pick=Pick.SELECT, layer="block", low=0, high=2 * BLOCKS, when=_shows_graph,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The networks, the first one's own first; `details` of the chosen layer or block.

    `depths` are (title, graph) of networks to be compared; empty where graphs are shown.
    """

    networks: tuple[Costed, ...]
    details: Details | None = None
    depths: tuple[tuple[str, Graph], ...] = ()


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    scenes = [scene]
    scenes += [
        Scene(scene.network_of(ref), scene.image, scene.seed)
        for ref in dict.fromkeys(params.beside)
    ]
    networks = tuple(Costed(each.network.info.title, graph_of(each), {}) for each in scenes)
    if params.show == DEPTH:
        depths = [(each.title, each.graph) for each in networks]
        for done, name in enumerate(REFERENCES, start=1):
            depths.append((name, reference(name)))
            yield Step(Result(networks, depths=tuple(depths)), done, len(REFERENCES), name)
        return
    details = _details(scene, networks[0].graph, params)
    yield Step(Result(networks, details), 0, PASSES, "measuring")
    for done, measured in enumerate(_measured(scenes, networks), start=1):
        yield Step(Result(measured, details), done, PASSES, "measuring")


def graph_of(scene: Scene) -> Graph:
    """Of the scene's network on its input; the same for all photos of one size."""
    given, module = scene.input(), scene.network.module

    def make() -> Graph:
        if isinstance(module, OnnxModule):
            return stored_graph(module, given)
        return recorded(module, lambda: scene.call(given), [given])

    return scene.network.memo(("graph", tuple(given.shape)), make)


def _measured(scenes: list[Scene], networks: tuple[Costed, ...]) -> Iterator[tuple[Costed, ...]]:
    """The networks with more and more of their times; measured once for inputs of one size."""
    found = list(networks)
    watches = [_stopwatch(each) for each in scenes]
    for _ in range(PASSES):
        for row, watch in enumerate(watches):
            if not _enough(watch):
                _time(watch, scenes[row])
            seconds = with_blocks(found[row].graph, watch.medians())
            found[row] = replace(found[row], seconds=seconds, passes=watch.passes)
        yield tuple(found)
        if all(map(_enough, watches)):
            return


def _stopwatch(scene: Scene) -> Stopwatch:
    network, size = scene.network, tuple(scene.input().shape)

    def make() -> Stopwatch:
        if isinstance(network.module, RuntimeModule):
            return RuntimeStopwatch(network.module, network.device)
        return Stopwatch(network.module, network.device)

    return network.memo(("stopwatch", size), make)


def _time(watch: Stopwatch, scene: Scene) -> None:
    given = scene.input()
    watch.time(lambda: scene.call(given))


def _enough(watch: Stopwatch) -> bool:
    return watch.passes >= PASSES or (watch.passes > 1 and watch.spent > LONGEST)


def _details(scene: Scene, graph: Graph, params: Params) -> Details | None:
    """Of the chosen layer of a block, else of the chosen box."""
    keys = [params.node]
    if params.inner is not None and _is_in(graph, params.inner, _block(graph, params.node)):
        keys.insert(0, params.inner)
    for key in keys:
        place = _place(graph, key)
        if place is not None:
            try:
                return details_of(scene, graph, *place)
            except ExplorerError:  # its output is no tensor, such as a detector's resized picture
                return None
    return None


def _block(graph: Graph, key: int | None) -> int | None:
    """The call of a block that `key` names; None for a layer, and where there is none."""
    if key is None or not BLOCKS < key < BLOCKS + len(graph.calls):
        return None
    call = graph.calls[key - BLOCKS]
    return None if call.leaf or call.first == call.last else call.index


def _place(graph: Graph, key: int | None) -> tuple[str, int, Node | None] | None:
    """Name and number of the call that a key names, and the layer; None where there is no module.

    Operations between layers have none, and neither has the input.
    """
    block = _block(graph, key)
    if block is not None and graph.stored:  # its output is that of its last node
        last = graph.calls[graph.nodes[graph.calls[block].last - 1].call]
        return last.path, last.number, None
    if block is not None:
        return graph.calls[block].path, graph.calls[block].number, None
    if key is None or not 0 < key < len(graph.nodes) or not graph.nodes[key].layer:
        return None
    node = graph.nodes[key]
    call = graph.calls[node.call]
    return call.path, call.number, node


def _is_in(graph: Graph, key: int, block: int | None) -> bool:
    if block is None:
        return False
    bounds = graph.calls[block]
    inner = _block(graph, key)
    first = graph.calls[inner].first if inner is not None else key
    return bounds.first <= first < bounds.last


def draw(result: Result, params: Params) -> Board:
    if result.depths:
        return _depth_board(result, params)
    main = result.networks[0]
    block = _block(main.graph, params.node)
    several = block is not None or len(result.networks) > 1
    aspect = SEVERAL if several else ASPECT
    pictures = [(each, picture_of(each, params.boxes, aspect=aspect)) for each in result.networks]
    high = highest(pictures, params.color)
    panes = []
    for row, (costed, each) in enumerate(pictures):
        panes.append(
            graph_pane(
                costed, each, name=f"graph {row}" if row else "graph", title=costed.title,
                by=params.color, high=high, find=params.find,
                chosen=None if row else params.node,
            )
        )  # fmt: skip
    picture = pictures[0][1]
    if block is not None:
        inside = picture_of(main, 60, block, aspect=aspect)
        panes.append(
            graph_pane(
                main, inside, name="block", title=main.graph.calls[block].path, by=params.color,
                high=highest([(main, inside)], params.color), find=params.find,
                chosen=params.inner,
            )
        )  # fmt: skip
    plots = [cost_bars(main, picture, params.color, high)]
    if result.details is not None:
        if block is None or _inner_layer(main.graph, params) is not None:
            panes += detail_panes(result.details)
        plots += histograms(result.details)
    return Board(
        panes=tuple(panes),
        plots=tuple(plots),
        tables=(*_node_table(result, params), layer_table(main, picture, params.color, high)),
        summary=_summary(main, picture, params),
        notes=_notes(main.graph),
    )


def _node_table(result: Result, params: Params) -> tuple[Table, ...]:
    """Of the chosen node of a file."""
    graph = result.networks[0].graph
    chosen = (_inner_layer(graph, params), (_place(graph, params.node) or (None,) * 3)[2])
    node = next((each for each in chosen if each is not None), None)
    if not graph.stored or node is None:
        return ()
    return (node_table(graph, node, result.details),)


def _depth_board(result: Result, params: Params) -> Board:
    words = [f"{title}: {quantity(depths_of(graph).total, 'layer')}"
             for title, graph in result.depths[: len(result.networks)]]  # fmt: skip
    return Board(
        panes=(spectrum_pane(result.depths, params.color),),
        tables=(spectrum_table(result.depths),),
        summary=" · ".join(words),
    )


def _summary(main: Costed, picture: Picture, params: Params) -> str:
    chosen = next((g for g in picture.groups if key_of(g) == params.node), None)
    if params.find.strip():
        count = sum(matches(main, group, params.find) for group in picture.groups)
        return f"{quantity(count, 'box', 'boxes')} with {params.find.strip()!r}"
    node = _inner_layer(main.graph, params)
    if node is not None:
        formula = formula_of(main.graph, node)
        return " · ".join(
            [main.graph.calls[node.call].path, *([formula] if formula else [node.kind])]
        )
    if chosen is not None:
        formula = "" if chosen.is_block else _formula(main.graph, chosen.nodes[0])
        return " · ".join([described(main, chosen), *([formula] if formula else [])])
    depth = depths_of(main.graph).total
    words = [
        main.title,
        f"{brief(main.graph.parameters)} parameters",
        brief(main.graph.flops, "FLOPs"),
        f"depth {depth}",
    ]
    whole = main.seconds.get(("", 0))
    if whole is not None:
        passes = quantity(main.passes, "pass", "passes")
        words.append(f"{milliseconds(1000 * whole)} (median of {passes})")
    return " · ".join(words)


def _inner_layer(graph: Graph, params: Params) -> Node | None:
    """The chosen layer of the chosen block."""
    key, block = params.inner, _block(graph, params.node)
    place = _place(graph, key)
    if key is None or place is None or not _is_in(graph, key, block):
        return None
    return place[2]


def _formula(graph: Graph, index: int) -> str:
    return formula_of(graph, graph.nodes[index])


def _notes(graph: Graph) -> tuple[str, ...]:
    count = sum(len(node.inferred) for node in graph.nodes)
    if not count:
        return ()
    return (f"{quantity(count, 'arrow')} inferred (dotted): code outside of PyTorch ran there.",)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The recorded graph; without times, which differ from run to run.

    Keys: `names` (of modules, dotted), `types`, `outputs` and `inputs` (shapes, "1 x 64 x 56 x 56")
    of N nodes, with `layer` (N,) bool (False: an operation between layers), `call` (N,) how often
    its module had been called before, `node_flops` and `node_bytes` (N,); `edges` (E, 2) indices of
    nodes and `inferred` (E,) bool; `parameters`, `flops`, `depth` of the network. Of an ONNX file
    also `nodes`, their own names, and `attributes`.
    """
    graph = result.networks[0].graph
    nodes = graph.nodes
    edges = [(at, node.index) for node in nodes for at in node.sources]
    inferred = [at in node.inferred for node in nodes for at in node.sources]
    own = {"nodes": [node.name for node in nodes], "attributes": [node.about for node in nodes]}
    return {
        **(own if graph.stored else {}),
        "names": [graph.calls[node.call].path for node in nodes],
        "types": [node.kind for node in nodes],
        "outputs": [" x ".join(map(str, node.shape)) for node in nodes],
        "inputs": [" x ".join(map(str, node.given)) for node in nodes],
        "layer": np.array([node.layer for node in nodes], bool),
        "call": np.array([graph.calls[node.call].number for node in nodes], np.int64),
        "node_flops": np.array([node.flops for node in nodes], np.int64),
        "node_bytes": np.array([node.memory for node in nodes], np.int64),
        "edges": np.array(edges, np.int64).reshape(-1, 2),
        "inferred": np.array(inferred, bool),
        "parameters": graph.parameters,
        "flops": graph.flops,
        "depth": depths_of(graph).total,
    }


VIEW = View(
    name="network_graph",
    title="Network graph",
    group=Group.INSIDE,
    summary="The layers and blocks of a network, what depends on what, and what each costs.",
    explanation=EXPLANATION,
    reference="He et al. 2016, Deep Residual Learning for Image Recognition, figure 3",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
)
