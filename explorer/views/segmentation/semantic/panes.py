"""The panes of semantic segmentation: classes over the photo, probabilities, uncertainty."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Layer, Masks, Pane, Text
from explorer.views.segmentation.semantic.params import BACKGROUND, ENTROPY
from explorer.views.segmentation.semantic.result import colored, entropy, margin
from explorer.views.shared.common import percent, size_of
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Table
    from explorer.views.segmentation.semantic.params import Params
    from explorer.views.segmentation.semantic.result import Result

KEYED = 8
"""Classes in the color key, which says how many more there are."""
MAPS = 9
"""Classes whose probabilities are shown side by side."""


def class_pane(result: Result, params: Params, legend: Table) -> Pane:
    """The classes over the photo, with the key of their colors."""
    key = ("classes", params.background, params.min_probability, params.classes)
    index = result.cache.get(key, lambda: _index(result, params))
    layers = (result.photo, _masks(index, result, params, "classes"), *_key(result, params, legend))
    return Pane(
        "image", size_of(result.photo), layers, title="Classes", readout=class_readout(result)
    )


def _index(result: Result, params: Params) -> NDArray[np.int32]:
    index = colored(result.found.classes, result, params)
    return np.where(result.best < params.min_probability, np.int32(-1), index)


def _masks(index: NDArray[np.int32], result: Result, params: Params, name: str) -> Masks:
    return Masks(
        index,
        result.colors(),
        names=result.names,
        extent=result.extent,
        opacity=params.opacity,
        outline=params.outline,
        name=name,
    )


def _key(result: Result, params: Params, legend: Table) -> list[Layer]:
    """The colors of the largest classes that are painted, in the corner of the photo."""
    painted = [
        (f"{row[0]} {percent(float(row[1]) / 100)}", tint)
        for row, tint in zip(legend.rows, legend.swatches, strict=True)
        if (params.background if row[0] in BACKGROUND else _chosen(str(row[0]), params))
    ]
    if not painted:
        return []
    words, tints = zip(*painted[:KEYED], strict=True)
    if len(painted) > KEYED:
        words += (f"and {len(painted) - KEYED} more",)
    below = (0.0, size_of(result.photo)[1])
    return [Text("\n".join(words), below, size=9.0, swatches=tints, name="key")]


def _chosen(name: str, params: Params) -> bool:
    return not params.classes or name in params.classes


def coarser_panes(result: Result, params: Params) -> list[Pane]:
    """An FCN's classes at its larger strides, the coarsest first."""
    size, panes = size_of(result.photo), []
    for stride, classes in result.coarser.items():
        key = ("stride", stride, params.background, params.classes)
        shown = result.cache.get(key, partial(colored, classes, result, params))
        masks = _masks(shown, result, params, f"classes {stride}")
        panes.append(Pane(f"stride {stride}", size, (result.photo, masks), title=f"FCN-{stride}s"))
    return panes


def probability_pane(result: Result, name: str) -> Pane:
    """The probability of one class everywhere."""
    chosen = result.classes.index(name)
    heat = result.cache.get(("probability_of", chosen), lambda: _heat(result, chosen))
    return Pane(
        "probability", size_of(result.photo), (result.photo, heat), title=f"Probability of {name}",
        readout=class_readout(result),
    )  # fmt: skip


def _heat(result: Result, chosen: int) -> Heat:
    return Heat(
        result.found.probabilities[chosen].astype(np.float32), 0.0, 1.0, colormap="magma",
        extent=result.extent, opacity=0.8, unit="probability", name="probability",
    )  # fmt: skip


def maps_pane(result: Result, legend: Table) -> Pane:
    """The probabilities of the largest classes side by side, with their names."""
    by_name = {name: k for k, name in reversed(list(enumerate(result.names)))}
    found = [by_name[str(row[0])] for row in legend.rows][:MAPS]
    height, width = result.found.classes.shape
    tiling = Tiling.of(max(len(found), 1), height, width)
    heat = result.cache.get(("maps", tuple(found)), lambda: _mosaic(result, found, tiling))
    tints = result.colors()
    boxes = tiling.boxes()[: len(found)]
    layers: list[Layer] = [heat]
    if found:
        layers.append(Boxes(boxes, tints[found], width=1.5, selectable=False, name="tiles"))
    for (x0, y0, *_), k in zip(boxes.tolist(), found, strict=True):
        layers.append(Text(result.names[k], (x0, y0), size=9.0, name=f"name {k}"))

    def words(x: float, y: float) -> str:
        place = tiling.at(x, y)
        if place is None or place[0] >= len(found):
            return ""
        k, row, column = found[place[0]], *place[1:]
        return f"{result.names[k]} {percent(float(result.found.probabilities[k, row, column]))}"

    across, down = tiling.size
    return Pane(
        "maps", (float(across), float(down)), tuple(layers), title="Probabilities by class",
        frame="maps", readout=words,
    )  # fmt: skip


def _mosaic(result: Result, found: list[int], tiling: Tiling) -> Heat:
    maps = result.found.probabilities[found].astype(np.float32)
    if not found:
        maps = np.full((1, *result.found.classes.shape), np.nan, np.float32)
    return Heat(tiling.mosaic(maps), 0.0, 1.0, "magma", unit="probability", name="maps")


def uncertainty_pane(result: Result, which: str) -> Pane:
    """Entropy in bits, up to that of a uniform distribution, or the margin."""
    heat = result.cache.get(("uncertainty", which), lambda: _uncertainty(result, which))
    title = "Entropy" if which == ENTROPY else "Margin of the two best classes"
    return Pane("uncertainty", size_of(result.photo), (result.photo, heat), title=title)


def _uncertainty(result: Result, which: str) -> Heat:
    values, high, unit = margin(result), 1.0, "probability"
    if which == ENTROPY:
        values, unit = entropy(result), "bits"
        high = float(np.log2(len(result.found.probabilities)))
    return Heat(
        values, 0.0, high, "viridis", extent=result.extent, opacity=0.85, unit=unit, name=which
    )


def class_readout(result: Result) -> Callable[[float, float], str]:
    """The most probable classes under the mouse."""

    def readout(x: float, y: float) -> str:
        cell = result.cell(x, y)
        if cell is None:
            return "outside the network's input"
        shares = result.found.probabilities[:, cell[0], cell[1]]
        best = np.argsort(-shares, kind="stable")[:3]
        return ", ".join(f"{result.names[int(k)]} {percent(float(shares[k]))}" for k in best)

    return readout
