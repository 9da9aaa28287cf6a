"""What is inside a chosen box: its maps, its kernels, how its values are distributed, its sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from explorer.core.layers import Curve, Heat, Link, Pane, Plot, Table
from explorer.core.listing import quantity
from explorer.engine.stages import activation_of
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.kernels import Kernels
from explorer.vision.features.mosaics import Statistics, Tiling, stretched
from explorer.vision.graph.nodes import INPUT

if TYPE_CHECKING:
    from explorer.core.layers import Extent, Float32, Picture
    from explorer.engine.scene import Scene
    from explorer.vision.graph.nodes import Graph, Node

MOST_TILES = 64
"""Maps and kernels that are shown; the views behind the panes show all."""
MOST_CELLS = 96
"""Rows and columns of a shown map; a larger one is thinned."""
BINS = 48


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    """Of one layer or block.

    Attributes:
        path: Dotted name of its module.
        kind: The class of the module.
        maps: (C, h, w) float32, the first channels of its output, each from 0 to 1.
        channels: Of the output.
        kernels: (K, kh, kw) float32: the first input's slices of the first kernels; of kernels of a
            single cell (1, inputs, K), the first of each; None = none.
        kernel_count: Of the layer, and how many inputs each has.
        activations: Counts and edges of the bins of all output values.
        weights: The same of the kernels' weights; None = none.
        formula: How its output size follows from its input size; "" = it has no window.
        mean: (h, w) float32, the mean over the channels; None where cells are no places of the
            photo.
        extent: Of `mean` in the photo's pixels.
        photo: The photo.
        shape: Of the output tensor.
        spread: The smallest, the mean and the largest of all output values.
    """

    path: str
    kind: str
    maps: Float32
    channels: int
    kernels: Float32 | None
    kernel_count: tuple[int, int]
    activations: tuple[Float32, Float32]
    weights: tuple[Float32, Float32] | None
    formula: str
    mean: Float32 | None
    extent: Extent
    photo: Picture
    shape: tuple[int, ...]
    spread: tuple[float, float, float]
    cache: DrawCache = field(default_factory=DrawCache)


def details_of(scene: Scene, graph: Graph, path: str, number: int, node: Node | None) -> Details:
    """Of the module called `path`, at its call `number`.

    Args:
        scene: Its network and photo.
        graph: Of the network.
        path: Dotted name.
        number: Of the call, from 0.
        node: The layer itself, where it is one.
    """
    found = activation_of(scene, path, call=number)
    module = scene.network.module.get_submodule(path)
    maps = found.values[:MOST_TILES]
    step = max(1, -(-max(maps.shape[1:]) // MOST_CELLS))
    maps = maps[:, ::step, ::step]
    height, width = found.values.shape[1:]
    placed = found.frame is not None and height * width > 1
    values = found.values if found.values.size else np.zeros(1, np.float32)
    kernels, count, weights = None, (0, 0), None
    if isinstance(module, nn.Conv2d):
        kernels, count, weights = _kernels(scene, path, module)
    return Details(
        path, type(module).__name__, stretched(maps, Statistics.of(maps)), len(found.values),
        kernels, count, _histogram(found.values), weights,
        "" if node is None else formula_of(graph, node),
        found.values.mean(axis=0) if placed else None,
        (0.0, 0.0, 1.0, 1.0) if found.frame is None
        else found.frame.inverse().extent(float(width), float(height)),
        photo_of(scene), found.shape,
        (float(values.min()), float(values.mean()), float(values.max())),
    )  # fmt: skip


@torch.no_grad()
def _kernels(
    scene: Scene, path: str, conv: nn.Conv2d
) -> tuple[Float32, tuple[int, int], tuple[Float32, Float32]]:
    def make() -> tuple[Float32, tuple[int, int], tuple[Float32, Float32]]:
        all_of_them = Kernels.of(conv).weights
        first = all_of_them[:MOST_TILES, 0]
        if first[0].size == 1:
            first = all_of_them[:MOST_TILES, :MOST_TILES, 0, 0].T[None]
        return first.copy(), all_of_them.shape[:2], _histogram(all_of_them)

    return scene.network.memo(("kernel tiles", path), make)


def formula_of(graph: Graph, node: Node) -> str:
    """(W - F + 2P) / S + 1 with the layer's numbers, for both sides where they differ."""
    window = graph.calls[node.call].window if node.layer else None
    if window is None or len(node.given) < 3:
        return ""
    down, across = window.formula(node.given[-2], 0), window.formula(node.given[-1], 1)
    name = "(W - 1) S - 2P + F" if window.transposed else "(W - F + 2P) / S + 1"
    if down == across:
        return f"{name} = {across[0]}"
    return f"{name} = {across[0]} across, {down[0]} down"


def _histogram(values: Float32) -> tuple[Float32, Float32]:
    finite = values[np.isfinite(values)]
    counts, edges = np.histogram(finite, bins=BINS)
    return counts.astype(np.float32), edges.astype(np.float32)


def detail_panes(details: Details) -> tuple[Pane, ...]:
    """The output on the photo, its maps, and the kernels of a convolution.

    A click leads to the view that shows all of them.
    """
    maps = details.maps
    panes = [] if details.mean is None else [_on_photo(details, details.mean)]
    if maps[0].size > 1:
        shown = _count(len(maps), details.channels, "map")
        panes.append(
            _tiles(
                details, maps, "maps", f"Output: {shown}", (0.0, 1.0), "viridis",
                "0 = each map's minimum, 1 = its maximum",
                Link("feature_maps", {"layer": details.path}, "all feature maps"),
            )
        )  # fmt: skip
    if details.kernels is not None:
        shown = _kernel_words(details.kernels, *details.kernel_count)
        high = float(np.abs(details.kernels).max()) or 1.0
        panes.append(
            _tiles(
                details, details.kernels, "kernels", f"Weights: {shown}", (-high, high), "coolwarm",
                "weight", Link("kernels", {"layer": details.path}, "all kernels"),
            )
        )  # fmt: skip
    return tuple(panes)


def _kernel_words(kernels: Float32, count: int, inputs: int) -> str:
    if len(kernels) == 1 < count:  # a matrix
        _, down, across = kernels.shape
        return f"{_count(across, count, 'kernel')}, {_count(down, inputs, 'input')} each"
    return _count(len(kernels), count, "kernel")


def _on_photo(details: Details, mean: Float32) -> Pane:
    low, high = float(mean.min()), float(mean.max())
    heat = details.cache.get(
        "on the photo",
        lambda: Heat(
            mean, low, high if high > low else low + 1.0, "viridis", details.extent, 0.75,
            unit="mean activation", name="output",
        ),
    )  # fmt: skip
    title = "On the photo" if details.channels == 1 else "On the photo: mean of all maps"
    return Pane("image", size_of(details.photo), (details.photo, heat), title=title)


def node_table(graph: Graph, node: Node, details: Details | None) -> Table:
    """What the file says of a node, and the numbers that it computed for the photo."""
    rows = [("name", node.name), ("operator", node.kind)]
    for words in filter(None, node.about.split(" · ")):
        name, _, value = words.partition(" = ")
        rows.append((name, value))
    before = [graph.nodes[at] for at in node.sources]
    rows += [("input", f"{each.name or INPUT} ({_sides(each.shape)})") for each in before]
    rows.append(("output", _sides(node.shape)))
    if details is not None:
        low, mean, high = details.spread
        rows.append(("values", f"{low:.4g} to {high:.4g}, mean {mean:.4g}"))
    return Table("node", ("of the node", "value"), tuple(rows), title="Node of the file")


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one value"


def _tiles(
    details: Details,
    tiles: Float32,
    name: str,
    title: str,
    scale: tuple[float, float],
    colormap: str,
    unit: str,
    link: Link,
) -> Pane:
    gap = 1 if max(tiles.shape[1:]) < 16 else 2
    spaced = np.full((len(tiles), tiles.shape[1] + gap, tiles.shape[2] + gap), np.nan, np.float32)
    spaced[:, :-gap, :-gap] = tiles
    tiling = Tiling.of(*spaced.shape)
    heat = details.cache.get(
        name,
        lambda: Heat(
            tiling.mosaic(spaced), *scale, "coolwarm" if colormap == "coolwarm" else "viridis",
            unit=unit, name=name,
        ),
    )  # fmt: skip
    width, height = tiling.size
    return Pane(
        name,
        (float(width), float(height)),
        (heat,),
        title=title,
        frame=name,
        link=link,
        drawing=True,
    )


def _count(shown: int, whole: int, word: str) -> str:
    return quantity(whole, word) if shown == whole else f"{shown} of {quantity(whole, word)}"


def histograms(details: Details) -> tuple[Plot, ...]:
    """How often which value occurs in the output, and among the weights."""
    found = [("activations", "Output values", "activation", details.activations)]
    if details.weights is not None:
        found.append(("weights", "Weights", "weight", details.weights))
    return tuple(
        Plot(
            name, f"{title} of {details.path or 'the network'}", label, "count",
            curves=(_steps(*numbers),), whole_y=True,
        )
        for name, title, label, numbers in found
    )  # fmt: skip


def _steps(counts: Float32, edges: Float32) -> Curve:
    x = np.repeat(edges.astype(np.float64), 2)[1:-1]
    return Curve(x, np.repeat(counts.astype(np.float64), 2))
