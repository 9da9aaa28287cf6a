"""Deformable part models: root and part filters, placed with a cost for every displacement."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.colormaps import COLORMAPS
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.views.classic.dpm import drawings, layers, panes, tables
from explorer.views.classic.dpm.search import Chosen, Found, chosen, merged, working
from explorer.views.classic.dpm.source import EVERY, SHIPPED, filters_of
from explorer.views.shared.common import photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.dpm.features import scales
from explorer.vision.dpm.matching import (
    SUPPRESSED_FROM,
    Border,
    hypotheses,
    kept,
    respond,
)
from explorer.vision.dpm.network import layers as network_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Picture, Table
    from explorer.engine.scene import Scene
    from explorer.views.classic.dpm.search import Working
    from explorer.views.classic.dpm.source import Filters
    from explorer.vision.dpm.matching import Hypotheses
    from explorer.vision.dpm.network import LayerOutput

EXPLANATION = r"""
A deformable part model describes a class by a coarse **root filter** for the whole object and finer
**part filters**, each with an anchor and a cost for leaving it. Filters are weights on **HOG
cells**: 31 numbers for every 8 x 8 pixels, mostly histograms of gradient orientations (for parts
every 4 x 4 pixels). At every position and scale the score is

$$ \begin{aligned} s(p) = \; & F_0 \cdot \phi(p) + b \\
& + \sum_{i=1}^n D_i(2 p + v_i) \end{aligned} $$

with the cells $\phi(p)$ under a filter, the root filter $F_0$, the anchor $v_i$ of part $i$ and a
bias $b$. Each part takes the displacement $d$ from its anchor that gives most, less its cost:

$$ D_i(p) = \max_d \; F_i \cdot \phi(p + d) - c_i(d) $$

$$ c_i(d) = \alpha_i \, d_x + \beta_i \, d_y + \gamma_i \, d_x^2 + \delta_i \, d_y^2 $$

This is a **generalized distance transform** of the part's response. For all $p$ together it takes
linear time, rows first and then columns: in one dimension each value is a parabola, and $D_i$ is
their upper envelope.

**Reading it.** The photo shows the detections, and of one placement the root filter (white) and
every part (in its color) with an arrow from its anchor. The highest-scoring placement is chosen at
first; click anywhere to see the best one there. *Filters* shows the positive weights as glyphs, a
line for each edge direction, and the costs: dark around the anchor, bright where a displacement
costs most. The other panes follow the sum: the root's response, one part's response before and
after the transform, and the sum of root and parts; play *Parts added*. The bars and the table list
what each part adds to the score.

**As a CNN.** Every step is a layer. The filters are convolutions. The transform is a max pooling
with a cost, the **distance transform pooling**:

$$ D(p) = \max_{|d| \le k} \; f(p + d) - c(d) $$

With a cost of 0 it is ordinary max pooling. The **object geometry filter** is a convolution with a
single 1 for each part, at its anchor; its stride of 2 leads from the parts' cells to the root's.
The table compares each layer's output with that of the steps above: they agree up to rounding,
unless *reach k* is smaller than a displacement that pays.

**Detections** are placements whose score is above the threshold of their class; one is suppressed
if more than half of it lies within a higher-scoring one. A class may have several components, such
as cars from the side and from the front: the highest score counts. With the thresholds that ship
a detection is more often right than wrong on photos of Pascal VOC, but most objects are missed:
lower *Score above threshold* to see what else scores high.

**The filters** that ship were trained by this program on photos, as the paper describes: positions
of the parts are latent variables of an SVM, and hard examples come from photos without the class.
Their card is `resources/dpm/dpm.json`. A folder with other filters may be given: an npz file with
`meta_json` and, for each class and component, `root` and `part0` … of 31 channels.

**Sources.** Felzenszwalb, Girshick, McAllester and Ramanan 2010, *Object Detection with
Discriminatively Trained Part-Based Models*, sections 3 to 6; Felzenszwalb and Huttenlocher 2012,
*Distance Transforms of Sampled Functions*; Girshick, Iandola, Darrell and Malik 2015, *Deformable
Part Models are Convolutional Neural Networks*, section 3.
"""

STEPS, NETWORK = SHOW = ("step by step", "as a CNN")
MOST_PARTS = 16
MOST_PLACED = 3000
"""Of the highest-scoring placements, which go into the suppression."""
LEAST = -1.5
"""The lowest score that a detection can be asked for with, above its class's threshold."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    of: str = param(
        EVERY, "Class", "The class whose filters are applied, of those that ship.",
        choices=(EVERY, *SHIPPED), when=lambda params, _: params.folder is None,
    )  # fmt: skip
    at: Point | None = param(
        None, "Place", "Click on the photo: the highest-scoring placement around that point is "
        "shown. By default that of the whole photo.",
        pick=Pick.CLICK, pane="image",
    )  # fmt: skip
    show: str = param(
        STEPS, "Show", "The responses and their sum, or the same as the layers of a CNN.",
        effect=Effect.DRAW, choices=SHOW,
    )  # fmt: skip
    part: int = param(
        1, "Part", "The part whose response is shown before and after the distance transform.",
        effect=Effect.DRAW, low=1, high=MOST_PARTS, when=lambda params, _: params.show == STEPS,
    )  # fmt: skip
    added: int = param(
        MOST_PARTS, "Parts added", "How many parts are added to the root's response; with all of "
        "them the bias is, too.",
        effect=Effect.DRAW, low=0, high=MOST_PARTS, play=True,
        when=lambda params, _: params.show == STEPS,
    )  # fmt: skip
    reach: int = param(
        40, "Reach k", "How many cells the distance transform pooling looks at on each side.",
        low=1, high=100, log=True, when=lambda params, _: params.show == NETWORK,
    )  # fmt: skip
    score: float = param(
        0.0, "Score above threshold",
        "Detections are shown that score at least this much above the threshold of their class.",
        effect=Effect.DRAW, low=LEAST, high=5.0, step=0.05,
    )  # fmt: skip
    opacity: float = param(
        0.75, "Opacity", "Opacity of the responses over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    colormap: str = param(
        "viridis", "Colormap", "Maps responses to colors.",
        effect=Effect.DRAW, choices=tuple(COLORMAPS), advanced=True,
    )  # fmt: skip
    folder: FolderRef | None = param(
        None, "Other filters",
        "A folder with filters in an npz file, or the file itself. Empty: those that ship.",
        advanced=True,
    )  # fmt: skip
    other: str = param(
        "", "Class in the folder", "The class whose filters are applied. Empty: the first one.",
        advanced=True, when=lambda params, _: params.folder is not None,
    )  # fmt: skip
    overlap: float = param(
        SUPPRESSED_FROM, "Suppressed from",
        "The share of a detection that may lie within a higher-scoring one.",
        effect=Effect.DRAW, low=0.05, high=1.0, step=0.05, advanced=True,
    )  # fmt: skip
    interval: int = param(
        5, "Scales in an octave", "How many scales there are from one size to half of it.",
        low=1, high=10, advanced=True,
    )  # fmt: skip
    side: int = param(
        480, "Max. side", "A larger photo is resized first.",
        low=128, high=1024, step=32, unit="px", advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The placements of the filters so far, the highest score first, and one of them in detail.

    Attributes:
        photo: The photo.
        working: The same at the size that is searched.
        filters: What was searched for.
        placed: Boxes in the photo's pixels.
        chosen: The placement in detail; None where no filter fits into the photo.
        layers: The same scale as a CNN; () before the last step.
        seconds: The time for all scales, when they were computed.
    """

    photo: Picture
    working: Working
    filters: Filters
    placed: Hypotheses
    chosen: Chosen | None
    layers: tuple[LayerOutput, ...]
    seconds: float
    scales: int
    cache: DrawCache = field(default_factory=lambda: DrawCache(48))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    filters = filters_of(params.folder, params.of, params.other)
    model = filters.model
    photo, border = photo_of(scene), Border.of(model)
    small = scene.memo(("dpm photo", params.side), lambda: working(scene.image.pixels, params.side))
    at = None
    if params.at is not None:
        at = params.at.x * small.share[0], params.at.y * small.share[1]

    def result(found: Found, seconds: float, *, last: bool = False) -> Result:
        picked = chosen(found, model, border, at) or chosen(found, model, border, None)
        outputs: tuple[LayerOutput, ...] = ()
        if last and picked is not None:
            outputs = network_layers(picked.scale, picked.component, border, params.reach)
        placed = merged(found, small, MOST_PLACED)
        return Result(photo, small, filters, placed, picked, outputs, seconds, len(found.scales))

    # Kept as a whole: half a search must not be taken for the search.
    kept_before: list[tuple[Found, float]] = scene.memo(
        ("dpm", model, params.interval, params.side), list
    )
    if not kept_before:
        found, start = Found(), time.perf_counter()
        for number, total, scale in scales(small.pixels, params.interval):
            found.scales.append(scale)
            several = [respond(scale, component, border) for component in model.components]
            found.responses.append(several)
            for index, responses in enumerate(several):
                if responses is not None:
                    found.placed.append(
                        hypotheses(
                            scale, responses, model.components[index], border, (index, number),
                            filters.thresholds[index] + LEAST, small.size,
                        )
                    )  # fmt: skip
            if number < total - 1:
                spent = time.perf_counter() - start
                yield Step(result(found, spent), number + 1, total, f"scale {number + 1}")
        kept_before.append((found, time.perf_counter() - start))
    found, seconds = kept_before[0]
    count = len(found.scales)
    yield Step(result(found, seconds, last=True), count, count)


def detections(result: Result, params: Params) -> Hypotheses:
    """The placements that are shown: above the score threshold, and not suppressed."""
    placed = result.placed

    def rows() -> NDArray[np.intp]:
        found = []
        classes = np.array(result.filters.classes)[placed.places[:, 0]]
        for name, threshold in result.filters.by_class().items():
            high = placed.scores >= threshold + params.score
            own = np.flatnonzero(high & (classes == name))
            found.append(own[kept(placed.boxes[own], params.overlap)])
        return np.sort(np.concatenate(found))

    found = result.cache.get(("rows", params.score, params.overlap), rows)
    return type(placed)(placed.boxes[found], placed.scores[found], placed.places[found])


def draw(result: Result, params: Params) -> Board:
    shown, picked = detections(result, params), result.chosen
    by_class = result.filters.by_class()
    look = panes.Look(params.colormap, params.opacity)  # type: ignore[arg-type]
    image = panes.photo_pane(result.photo, result.working, result.filters, shown, picked)
    count = quantity(len(shown.scores), "detection")
    least = ", ".join(
        f"{threshold + params.score:.2f}" + (f" ({name})" if len(by_class) > 1 else "")
        for name, threshold in by_class.items()
    )
    summary = [f"{result.filters.model.name}: {count} with score >= {least}"]
    if picked is None:
        return Board((image,), summary=summary[0], notes=("No filter fits into the photo.",))
    name = result.filters.classes[picked.index]
    summary.append(f"placement of {name} {picked.score:.2f} at scale {picked.number + 1}")
    summary.append(f"{quantity(result.scales, 'scale')} in {result.seconds:.1f} s")
    cache = result.cache
    parts = len(picked.component.parts)
    model = cache.get("filters", lambda: drawings.pane(picked, result.filters))
    plots = (cache.get("bars", lambda: tables.bars(picked)),)
    listed: tuple[Table, ...] = (
        cache.get("parts", lambda: tables.parts(picked)),
        tables.detections(shown, result.filters),
    )
    idle: tuple[str, ...] = () if parts else ("part", "added")
    if params.show == NETWORK:
        if result.layers:
            compared = cache.get("layers", lambda: layers.compared(picked, result.layers))
            listed = (compared.table, *listed)
            summary.append(compared.words)
        shown_panes = (image, *layers.panes(result.photo, result.working, picked, result.layers,
                                            look, cache))  # fmt: skip
    else:
        shown_panes = (
            image, model,
            *panes.responses(
                result.photo, result.working, picked, look, part=min(params.part, parts),
                added=min(params.added, parts), cache=cache,
            ),
        )  # fmt: skip
    return Board(
        panes=shown_panes, plots=plots, tables=listed, summary=" · ".join(summary), idle=idle,
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """The detections, and the placement in detail.

    Keys: `thresholds`, the score threshold of each class; `boxes` (N, 4) float32 xyxy in the
    photo's pixels, `scores` (N,), `labels` of the detections; of the placement `class`,
    `component`, `scale`, `score`, `root_response`, `bias`, `root_box` (4,) and `part_boxes` (P, 4)
    in the photo's pixels, `displacements` (P, 2) int64 in cells of the parts, `part_responses` and
    `costs` (P,) float64; at its scale, with the border, `root_map` (H, W), `part_maps` (P, H, W),
    what each part adds, and `score_map` (H, W) float32.
    """
    shown, picked = detections(result, params), result.chosen
    found: dict[str, Any] = {
        "thresholds": result.filters.by_class(),
        "boxes": shown.boxes,
        "scores": shown.scores,
        "labels": tuple(result.filters.classes[at] for at in shown.places[:, 0]),
    }
    if picked is None:
        return found
    small = result.working
    boxes = [small.in_photo(part.box) for part in picked.parts]
    return {
        **found,
        "class": result.filters.classes[picked.index],
        "component": picked.index,
        "scale": picked.number,
        "score": picked.score,
        "root_response": picked.root_response,
        "bias": picked.component.bias,
        "root_box": small.in_photo(picked.root),
        "part_boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "displacements": np.array([(p.dx, p.dy) for p in picked.parts], np.int64).reshape(-1, 2),
        "part_responses": np.array([part.response for part in picked.parts]),
        "costs": np.array([part.cost for part in picked.parts]),
        "root_map": picked.responses.root,
        "part_maps": picked.responses.added,
        "score_map": picked.responses.score,
    }


VIEW = View(
    name="dpm",
    title="Deformable part models",
    group=Group.CLASSIC,
    summary="Root and part filters on HOG cells, distance transforms, and the same as a CNN.",
    explanation=EXPLANATION,
    reference="Felzenszwalb et al. 2010, Object Detection with Discriminatively Trained Part-Based "
    "Models",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.PHOTO,
)
