"""The class of every pixel, by a segmentation network."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import (
    Board,
    Heat,
    Layer,
    Masks,
    Pane,
    Picture,
    Plot,
    Table,
    Text,
    class_colors,
    colors_apart,
)
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import class_name, color, percent, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.segmentation import Segmentation, coarser_answers, segmentation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Extent, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
The network computes one number $z_c$ per class for every pixel $(x, y)$. The softmax converts them
to probabilities, and the most probable class colors the pixel:

$$ p_c(x, y) = \frac{\exp z_c(x, y)}{\sum_j \exp z_j(x, y)} $$

$$ \mathrm{class}(x, y) = \arg\max_c \, p_c(x, y) $$

**Reading it.** The legend lists the classes found with the fraction of the photo they cover. The
status bar shows the most probable classes under the mouse, and the plot their probabilities. *Min.
probability* leaves pixels uncolored whose top class has a lower probability: borders between
objects are the first.

**One class.** Choose one to see its probability everywhere as a heat map with a scale from 0 to 1,
also where another class is more probable.

**FCN stages.** A fully convolutional network (FCN) first predicts classes on a grid of stride 32,
from its last feature map, then adds the scores of finer maps with stride 16 and 8. *FCN stages*, a
switch of Lite FCN, shows FCN-32s, FCN-16s and FCN-8s side by side: the classes are mostly right at
stride 32, the borders become sharper with finer strides.

The scores are computed on a coarse grid (every 8th or 16th pixel) and enlarged bilinearly, as the
network itself does: borders are smoother than those of the objects.

**Sources.** Long, Shelhamer and Darrell 2015, *Fully Convolutional Networks*, section 4.2 (the
stages); Chen et al. 2017, *Rethinking Atrous Convolution* (DeepLabV3); Howard et al. 2019,
*Searching for MobileNetV3* (LR-ASPP).
"""

NOTHING = "none"
KEYED, MOST_BARS = 8, 12
"""Classes in the color key and in the plot, which both say how many more there are."""
BACKGROUND = frozenset({"__background__", "background"})


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (NOTHING, *dict.fromkeys(info.classes))


def _has_stages(info: NetworkInfo | None) -> bool:
    """Whether scores of finer maps are added to coarser ones, by the paper's names of the layers.

    Source: Long, Shelhamer and Darrell 2015, the layers `score_pool3` and `score_pool4`.
    """
    names = info.layer_names() if info is not None else ()
    return any(name.rpartition(".")[2].startswith("score_pool") for name in names)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    opacity: float = param(
        0.55, "Opacity", "Opacity of the colors over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    outline: bool = param(
        True, "Borders", "Draws lines between regions of different classes.", effect=Effect.DRAW
    )
    background: bool = param(
        False, "Color the background", "Colors the background class, too.",
        effect=Effect.DRAW,
    )  # fmt: skip
    min_probability: float = param(
        0.0, "Min. probability", "Pixels whose top class has a lower probability stay uncolored.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    probability_of: str = param(
        NOTHING, "Probability of", "Shows the probability of this class everywhere as a heat map.",
        effect=Effect.DRAW, choices=_classes,
    )  # fmt: skip
    fcn_stages: bool = param(
        False, "FCN stages",
        "Shows an FCN's predictions before and after it adds finer feature maps.",
        effect=Effect.DRAW, when=lambda _, info: _has_stages(info),
    )  # fmt: skip
    at: Point | None = param(
        None, "Position", "The pixel under the mouse, whose probabilities are plotted.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`extent` is the network's input in the photo's pixels; `best` is (H, W) float16.

    `coarser` are the classes at larger strides, see `coarser_answers`; empty without FCN stages.
    """

    photo: Picture
    found: Segmentation
    best: NDArray[np.float16]
    extent: Extent
    classes: tuple[str, ...]
    coarser: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield Step(_segmented(scene))


def draw(result: Result, params: Params) -> Board:
    size = size_of(result.photo)
    readout = _readout(result)
    key = ("classes", params.background, params.min_probability)
    index = result.cache.get(key, lambda: _index(result, params))
    masks = _masks(index, result, params, "classes")
    table = result.cache.get(("legend", params.min_probability), lambda: _legend(result, params))
    layers = (result.photo, masks, *_key(result, params, table))
    panes = [Pane("image", size, layers, title="Classes", readout=readout)]
    if params.fcn_stages:
        panes[:0] = _coarser(result, params)
    if params.probability_of in result.classes:
        title = f"Probability of {params.probability_of}"
        heat = (result.photo, _heat(result, params))
        panes.append(Pane("probability", size, heat, title=title, readout=readout))
    return Board(
        panes=tuple(panes),
        plots=_plots(result, params, table),
        tables=(table,),
        summary=_summary(table),
        notes=_notes(params),
    )


def _masks(index: NDArray[np.int32], result: Result, params: Params, name: str) -> Masks:
    return Masks(
        index,
        _colors(result),
        names=_names(result),
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
        if params.background or row[0] not in BACKGROUND
    ]
    if not painted:
        return []
    words, tints = zip(*painted[:KEYED], strict=True)
    if len(painted) > KEYED:
        words += (f"and {len(painted) - KEYED} more",)
    below = (0.0, size_of(result.photo)[1])
    return [Text("\n".join(words), below, size=9.0, swatches=tints, name="key")]


def _coarser(result: Result, params: Params) -> list[Pane]:
    size, panes = size_of(result.photo), []
    for stride, classes in result.coarser.items():
        key = ("stride", stride, params.background)
        shown = result.cache.get(key, partial(_hidden, classes, result, params))
        masks = _masks(shown, result, params, f"classes {stride}")
        panes.append(Pane(f"stride {stride}", size, (result.photo, masks), title=f"FCN-{stride}s"))
    return panes


def _notes(params: Params) -> tuple[str, ...]:
    if params.min_probability <= 0:
        return ()
    return (f"Pixels with a probability below {params.min_probability:.0%} are not colored.",)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The whole answer.

    Keys: `index` (H, W) int32 over the network's input, `classes` the names by index, `extent`
    (x0, y0, x1, y1 of `index` in the photo's pixels), and `probability` (H, W) float32 of the
    chosen class.
    """
    answer: dict[str, Any] = {
        "index": result.found.classes,
        "classes": _names(result),
        "extent": result.extent,
    }
    if params.probability_of in result.classes:
        chosen = result.classes.index(params.probability_of)
        answer["probability"] = result.found.probabilities[chosen].astype(np.float32)
    return answer


def _segmented(scene: Scene) -> Result:
    height, width = scene.input().shape[-2:]
    found = scene.memo("segmentation", lambda: segmentation_of(scene.output(), (height, width)))
    coarser: dict[str, NDArray[np.int32]] = {}
    if _has_stages(scene.network.info):
        coarser = scene.memo("FCN stages", lambda: coarser_answers(scene.output(), (height, width)))
    return Result(
        photo=photo_of(scene),
        found=found,
        best=found.probabilities.max(axis=0),
        extent=scene.frame.inverse().extent(float(width), float(height)),
        classes=scene.network.info.classes,
        coarser=coarser,
    )


def _colors(result: Result) -> UInt8:
    """(C, 3): the colors of all classes, those in the picture told apart."""

    def found() -> list[int]:
        maps = (result.found.classes, *result.coarser.values())
        return [int(k) for k in np.unique(np.concatenate([each.ravel() for each in maps]))]

    present = result.cache.get("present", found)
    colors = class_colors(len(result.found.probabilities)).copy()
    colors[present] = colors_apart(present, len(colors))
    return colors


def _names(result: Result) -> tuple[str, ...]:
    return tuple(class_name(result.classes, k) for k in range(len(result.found.probabilities)))


def _index(result: Result, params: Params) -> NDArray[np.int32]:
    index = _hidden(result.found.classes, result, params)
    return np.where(result.best < params.min_probability, np.int32(-1), index)


def _hidden(index: NDArray[np.int32], result: Result, params: Params) -> NDArray[np.int32]:
    if not params.background and result.classes and result.classes[0] in BACKGROUND:
        return np.where(index == 0, np.int32(-1), index)
    return index


def _heat(result: Result, params: Params) -> Heat:
    chosen = result.classes.index(params.probability_of)
    key = ("probability_of", chosen)
    return result.cache.get(
        key,
        lambda: Heat(
            result.found.probabilities[chosen].astype(np.float32),
            0.0,
            1.0,
            colormap="magma",
            extent=result.extent,
            opacity=0.8,
            unit="probability",
            name="probability",
        ),
    )


def _legend(result: Result, params: Params) -> Table:
    count = len(result.found.probabilities)
    sure = result.best >= params.min_probability
    pixels = np.bincount(result.found.classes[sure], minlength=count)
    shares = np.bincount(
        result.found.classes[sure], weights=result.best[sure].astype(np.float64), minlength=count
    )
    present = np.flatnonzero(pixels)
    order = present[np.argsort(-pixels[present], kind="stable")]
    colors = _colors(result)
    rows = tuple(
        (
            class_name(result.classes, int(k)),
            round(100.0 * float(pixels[k]) / sure.size, 2),
            int(pixels[k]),
            round(float(shares[k] / pixels[k]), 3),
        )
        for k in order
    )
    return Table(
        "legend",
        ("class", "area %", "pixels", "mean probability"),
        rows,
        title=f"Classes on the network's grid of {sure.shape[1]} x {sure.shape[0]} pixels",
        swatches=tuple(color(colors[k]) for k in order),
    )


def _plots(result: Result, params: Params, legend: Table) -> tuple[Plot, ...]:
    cell = None if params.at is None else _cell(result, params.at.x, params.at.y)
    if cell is None:
        areas = tuple(
            (str(row[0]), float(row[1]) / 100.0, tint)
            for row, tint in zip(legend.rows, legend.swatches, strict=True)
        )
        title = "Area of each class"
        if len(areas) > MOST_BARS:
            title = f"Area of the {MOST_BARS} largest of {len(areas)} classes"
        return (Plot("shares", title, bars=areas[:MOST_BARS], bar_range=(0.0, 1.0)),)
    shares = result.found.probabilities[:, cell[0], cell[1]]
    colors = _colors(result)
    bars = tuple(
        (class_name(result.classes, int(k)), float(shares[k]), color(colors[k]))
        for k in np.argsort(-shares, kind="stable")[:5]
    )
    return (Plot("shares", "Highest probabilities at this pixel", bars=bars, bar_range=(0.0, 1.0)),)


def _cell(result: Result, x: float, y: float) -> tuple[int, int] | None:
    """Row and column of the network's pixel at (x, y) of the photo."""
    x0, y0, x1, y1 = result.extent
    height, width = result.found.classes.shape
    row, column = (y - y0) / (y1 - y0) * height, (x - x0) / (x1 - x0) * width
    return (int(row), int(column)) if 0 <= row < height and 0 <= column < width else None


def _readout(result: Result) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        cell = _cell(result, x, y)
        if cell is None:
            return "outside the network's input"
        shares = result.found.probabilities[:, cell[0], cell[1]]
        best = np.argsort(-shares, kind="stable")[:3]
        words = [f"{class_name(result.classes, int(k))} {percent(float(shares[k]))}" for k in best]
        return ", ".join(words)

    return readout


def _summary(legend: Table) -> str:
    named = [row for row in legend.rows if row[0] not in BACKGROUND]
    if not named:
        return "Only background."
    words = ", ".join(f"{row[0]} {percent(float(row[1]) / 100)}" for row in named[:5])
    return f"{len(named)} {'class' if len(named) == 1 else 'classes'}: {words}"


VIEW = View(
    name="semantic",
    title="Semantic segmentation",
    group=Group.SEGMENTATION,
    summary="The class of every pixel, with areas, and the probability of any class as a heat map.",
    explanation=EXPLANATION,
    reference="Long, Shelhamer and Darrell 2015, Fully Convolutional Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"segmentation"}),
    data=data,
    answer_only=True,
)
