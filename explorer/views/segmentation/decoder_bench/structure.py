"""The decoders of networks, part by part: what each adds and what changes without it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.layers import Boxes, Grid, Masks, Pane, Points, class_colors
from explorer.views.segmentation.decoder_bench.maps import (
    ClassMap,
    array,
    colors_of,
    heat,
    present_in,
)
from explorer.views.shared.common import class_name, color, percent, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.dense.decoders import atrous, fcn, pyramid, skips, stream
from explorer.vision.dense.grids import CellGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from explorer.core.layers import Float32, Picture, UInt8
    from explorer.core.layers import Layer as Drawn
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.dense.decoders import Decoder

METHODS = FCN, ATROUS, PYRAMID, STREAM, UNET = (
    "FCN: skips", "DeepLab: atrous rates", "PSPNet: pyramid pooling", "FRRN: residual stream",
    "U-Net: skips",
)  # fmt: skip
_OPENED: dict[str, Callable[[nn.Module, Tensor], Decoder]] = {
    FCN: fcn, ATROUS: atrous, PYRAMID: pyramid, STREAM: stream, UNET: skips,
}  # fmt: skip
assert set(_OPENED) == set(METHODS)

TINTS = np.array(class_colors(8, "standard"))
ORANGE = (255, 150, 30)
CUT = 0.998
"""The part of the values that the color scale spans."""


def structure_of(info: NetworkInfo) -> str:
    """Which of `METHODS` the network itself has, by the names of its layers; "" = none."""
    kinds = {layer.kind for layer in info.layers}
    names = set(info.layer_names())
    if any(name.rpartition(".")[2].startswith("score_pool") for name in names):
        return FCN
    for kind, method in (
        ("ASPP", ATROUS), ("PyramidPooling", PYRAMID), ("FullResolutionUnit", STREAM),
    ):  # fmt: skip
        if kind in kinds:
            return method
    return UNET if {"skips.0", "up.0", "join.0"} <= names else ""


@dataclass(frozen=True, slots=True, eq=False)
class PartMap:
    """What a part adds over the photo, and the classes without it.

    Attributes:
        name: Of the part.
        adds: (h, w) float32: a class's score, or the L2 norm over the channels.
        place: Of its cells.
        rate: Cells between the samples of a dilated convolution, or 0.
        bins: Rows and columns of a pooled grid, or 0.
        without: The network's classes if the part is 0; None = not computed.
        changed: The part of the pixels whose class is another one then.
    """

    name: str
    adds: Float32
    place: CellGrid
    rate: int
    bins: int
    without: ClassMap | None = None
    changed: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A network's decoder: `own` are its classes, `shown` those with some parts off.

    `part` is the chosen one's place, `shown_words` names the parts that are on ("" = all), `label`
    is the class whose scores the parts add ("" where they add channels).
    """

    network: str
    parts: tuple[PartMap, ...]
    part: int
    own: ClassMap
    shown: ClassMap
    shown_words: str
    label: str
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))

    def colors(self) -> UInt8:
        """Of all classes, the same in all panes."""
        without = [part.without for part in self.parts if part.without is not None]
        present = self.cache.get("present", lambda: present_in(self.own, self.shown, *without))
        return colors_of(present, len(self.own.names))


@torch.no_grad()
def _decoder(scene: Scene, network: Network, method: str) -> tuple[Decoder, tuple[int, int]]:
    images = network.preprocess(scene.image.pixels).to(network.device, network.dtype)
    height, width = images.shape[-2:]
    return _OPENED[method](network.module, images), (int(height), int(width))


def structures(
    scene: Scene, network: Network, *, method: str, part: int, off: frozenset[int], label: str
) -> Iterator[tuple[Structure, int, int]]:
    """The decoder, at first with the chosen part, then with all: the result and how far it is.

    Args:
        scene: Its photo is what the network is shown.
        network: One that has the structure.
        method: Which.
        part: The place of the chosen part; beyond the last = the last.
        off: The places of parts that give zeros in `Structure.shown`.
        label: The class whose scores are drawn; another word: the one with most pixels.
    """
    key = ("decoder", network.info.spec, method)
    decoder, source = scene.memo(key, lambda: _decoder(scene, network, method))
    frame = network.preprocess.frame(*scene.image.pixels.shape[:2])
    names = network.info.classes

    def classes(scores: Tensor) -> ClassMap:
        return ClassMap.of(scores, frame, source, names)

    count = len(decoder.parts)
    part = min(part, count - 1)
    own = scene.memo((*key, "own"), lambda: classes(decoder.own))
    on = [place for place in range(count) if place not in off]
    shown = own if len(on) == count else classes(decoder.scores(on))
    index = _label(own, label)

    def without(place: int) -> ClassMap:
        others = [other for other in range(count) if other != place]
        return scene.memo((*key, place), lambda: classes(decoder.scores(others)))

    parts = []
    for each in decoder.parts:
        adds = array(each.adds[index] if decoder.of_classes else each.adds.norm(dim=0))
        parts.append(
            PartMap(each.name, adds, CellGrid.of(frame, source, adds.shape), each.rate, each.bins)
        )
    result = Structure(
        network.info.title, tuple(parts), part, own, shown,
        ", ".join(decoder.parts[place].name for place in on) if len(on) < count else "",
        class_name(names, index) if decoder.of_classes else "",
    )  # fmt: skip
    order = [part, *(place for place in range(count) if place != part)]
    if scene.moment is not None:  # a film shows the chosen part only
        order = order[:1]
    for done, place in enumerate(order, start=1):
        found = without(place)
        changed = float((found.index != own.index).mean())
        parts[place] = replace(parts[place], without=found, changed=changed)
        result = replace(result, parts=tuple(parts), cache=DrawCache(24))
        if done in (1, len(order)):
            yield result, done, len(order)


def _label(own: ClassMap, label: str) -> int:
    if label in own.names:
        return own.names.index(label)
    found = own.shown[own.shown >= 0]
    return int(np.bincount(found.ravel()).argmax()) if found.size else min(1, len(own.names) - 1)


def panes_of(
    result: Structure, photo: Picture, at: tuple[float, float], opacity: float
) -> list[Pane]:
    """Where the parts look, what the chosen one adds, and what changes without it.

    The pane of the classes, which comes between the last two, is the same for all methods.
    """
    part = result.parts[result.part]
    size = size_of(photo)
    layers, title = _geometry(result, at)
    panes = [Pane("image", size, (photo, *layers), title=title)]
    high = float(np.quantile(np.abs(part.adds), CUT)) or 1.0
    drawn = result.cache.get(
        ("adds", result.part, opacity),
        lambda: heat(
            part.adds, part.place, high=high, opacity=max(opacity, 0.7),
            colormap="coolwarm" if result.label else "viridis",
            unit=f"score of {result.label}" if result.label else "L2 norm",
        ),
    )  # fmt: skip

    def readout(x: float, y: float) -> str:
        cell = part.place.cell(x, y)
        if cell is None:
            return "outside the network's input"
        return f"{part.name}, row {cell[0]}, column {cell[1]}: {part.adds[cell]:.4g}"

    panes.append(Pane("part", size, (photo, drawn), title=f"Added by {part.name}", readout=readout))
    return panes


def without_pane(result: Structure, photo: Picture, opacity: float) -> Pane:
    """The pixels whose class is another one without the chosen part."""
    part, size = result.parts[result.part], size_of(photo)
    if part.without is None:
        return Pane("without", size, (photo,), title=f"Without {part.name}")

    colors = result.colors()

    def changes() -> Masks:
        assert part.without is not None
        return part.without.layer(max(opacity, 0.6), colors, part.without.differs(result.own))

    masks = result.cache.get(("without", result.part, opacity, colors.tobytes()), changes)
    title = f"Without {part.name}: {percent(part.changed)} change"
    without, own = part.without, result.own

    def readout(x: float, y: float) -> str:
        cell = own.place.cell(x, y)
        if cell is None:
            return "outside the network's input"
        before, after = own.names[own.index[cell]], without.names[without.index[cell]]
        return before if before == after else f"{before}, without {part.name}: {after}"

    return Pane("without", size, (photo, masks), title=title, readout=readout)


def _geometry(result: Structure, at: tuple[float, float]) -> tuple[list[Drawn], str]:
    """At a place of the photo: the samples of each rate, the bins, or the cells of each stride."""
    part = result.parts[result.part]
    if part.bins > 1 or (part.bins and not any(other.rate for other in result.parts)):
        place = part.place
        x0, y0, x1, y1 = place.extent
        edges = np.linspace(0, 1, part.bins + 1, dtype=np.float32)
        grid = Grid(
            x0 + (x1 - x0) * edges, y0 + (y1 - y0) * edges, place.extent, color=ORANGE, width=2.0,
            opacity=1.0, name="bins",
        )  # fmt: skip
        return [grid], f"Means of {part.name}"
    if any(other.rate for other in result.parts):
        return _samples(result, at), "Samples of each rate"
    layers: list[Drawn] = []
    for number, other in enumerate(result.parts):
        cell = other.place.cell(*at)
        if cell is None:
            continue
        row, column = cell
        box = other.place.boxes(np.array([[column, row, column + 1, row + 1]], np.float32))
        chosen = number == result.part
        tint = ORANGE if chosen else color(TINTS[(number + 1) % len(TINTS)])
        layers.append(
            Boxes(
                box, np.array([tint], np.uint8), labels=(other.name,) if chosen else (),
                width=3.0 if chosen else 1.5, selectable=False, name=f"cell {number}",
            )
        )  # fmt: skip
    return layers, "A cell of each stride"


def _samples(result: Structure, at: tuple[float, float]) -> list[Drawn]:
    """The 3 x 3 cells that a dilated kernel multiplies, for all rates; outside: zeros."""
    layers: list[Drawn] = []
    for number, part in enumerate(result.parts):
        cell = part.place.cell(*at)
        if cell is None or part.bins:
            continue
        steps = np.arange(-1, 2) * part.rate if part.rate else np.array([0])
        down, across = np.meshgrid(cell[0] + steps, cell[1] + steps, indexing="ij")
        centers = np.stack([across.ravel() + 0.5, down.ravel() + 0.5], axis=1).astype(np.float32)
        corners = np.concatenate([centers, centers], axis=1)
        xy = part.place.boxes(corners)[:, :2]
        tint = TINTS[number % len(TINTS)]
        first = tuple(part.name if k == 0 else "" for k in range(len(xy)))
        layers.append(
            Points(
                np.ascontiguousarray(xy), np.tile(tint, (len(xy), 1)).astype(np.uint8),
                radius=7.0 if number == result.part else 4.0, labels=first, name=part.name,
            )
        )  # fmt: skip
    return layers


def summary_of(result: Structure) -> str:
    words = [f"{result.network}, {len(result.parts)} parts"]
    if result.shown_words:
        words.append(f"only {result.shown_words}")
    part = result.parts[result.part]
    if part.without is not None:
        words.append(f"without {part.name}, {percent(part.changed)} of the pixels change")
    return " · ".join(words)
