"""Which anchors learn from which ground-truth box, recolored while a box is dragged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Layer, Masks, Pane, Picture
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import trace_of
from explorer.engine.view import Group, View
from explorer.networks.preprocess import Frame
from explorer.views.detection.anchor_sandbox.labels import (
    AMBER,
    DIM,
    GREEN,
    Anchors,
    badges,
    best_cells,
    curve,
    drawn_rows,
    label_cells,
    level_table,
    target_layers,
    target_table,
    truth_table,
)
from explorer.views.shared.anchors import counted, passed_layer, passed_words, truth_boxes
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.anchors import AnchorRule
from explorer.vision.detection.boxes import encode
from explorer.vision.detection.matching import Match, Overlaps, match
from explorer.vision.trace import OneStage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A detector with anchors is trained on labels of **anchors**. Every anchor $a$ gets its label from
its overlap with the ground-truth boxes $g$:

$$ \mathrm{IoU}(a, g) = \frac{|a \, \cap \, g|}{|a \, \cup \, g|} $$

with $|\cdot|$ for the area. The highest IoU over all boxes, $o_a$, decides by the two thresholds:

$$ o_a = \max_g \, \mathrm{IoU}(a, g) $$

$$ \begin{aligned} o_a \ge 0.7 & : \text{ positive} \\ o_a \lt 0.3 & : \text{ negative} \\
\text{else} & : \text{ ignored, no loss} \end{aligned} $$

So that no box is left without an anchor, the anchors with the highest IoU with a box become
positive whatever that IoU is (**force best match**). These are the thresholds of Faster R-CNN;
RetinaNet has 0.5 and 0.4, SSD has 0.5 for both.

**Try it.** Draw a box on the photo and drag it, or load annotations: all anchors are labeled again
at every move. Green cells have a positive anchor, amber cells only ignored ones, dim cells only
negative ones; *best IoU* shows the value itself. A **red** box has no positive anchor. Make the box
small or elongated, or move it between the cells, and see it turn red without the forced match. Then
change scales, aspect ratios and stride until it is matched. (A box that touches no anchor at all
has the same IoU of 0 with all: torchvision's forced match then makes every anchor positive.)

**Targets.** Click an anchor. A positive anchor is also a regression target: four offsets from its
own center $(x_a, y_a)$, width $w_a$ and height $h_a$ to those of its box:

$$ \begin{aligned} t_x &= (x - x_a) / w_a & t_w &= \log(w / w_a) \\
t_y &= (y - y_a) / h_a & t_h &= \log(h / h_a) \end{aligned} $$

The arrows show them: the center moves by $w_a t_x$ and $h_a t_y$, the sides are multiplied by
$\exp(t_w)$ and $\exp(t_h)$.

The curve counts the anchors above each IoU; drag its line to change the upper threshold. A training
step uses only a sample of these anchors (256, at most half of them positive, in Faster R-CNN).

**Sources.** Ren et al. 2015, *Faster R-CNN*, sections 3.1.1 to 3.1.3, equation 2 (the targets); Lin
et al. 2017, *Feature Pyramid Networks*.
"""

OWN, MADE = "the network's own", "generated"
PAINTS = ("labels", "best IoU", "nothing")
RATIOS = {"1:1": 1, "1:1, 1:r, r:1": 3, "1:1, 1:r, r:1 and in between": 5}
MOST_ANCHORS = 1_500_000


RULE = "Anchor generator"
"""The section of what makes anchors."""


def _sources(info: NetworkInfo) -> tuple[str, ...]:
    return (OWN, MADE) if info.task == "detection" else (MADE,)


def _by_rule(params: Params, _info: NetworkInfo | None) -> bool:
    return params.anchors == MADE


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Ground-truth boxes: draw, drag or load them.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    high: float = param(
        0.7, "Positive if IoU >=",
        "Anchors with at least this IoU with a ground-truth box are positive.",
        effect=Effect.DRAW, low=0.05, high=1.0, step=0.01,
    )  # fmt: skip
    low: float = param(
        0.3, "Negative if IoU <",
        "Anchors with a smaller IoU with every box are background. A value above the upper "
        "threshold counts as equal to it.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    force: bool = param(
        True, "Force best match",
        "The anchors with the highest IoU with each box are positive, even if it is low.",
        effect=Effect.DRAW,
    )  # fmt: skip
    color_by: str = param(
        PAINTS[0], "Color cells by",
        "The best label or the highest IoU of the anchors of each cell.",
        effect=Effect.DRAW, choices=PAINTS,
    )  # fmt: skip
    level: int = param(
        0, "Pyramid level", "Only anchors of this level; 1 is the finest, 0 means all.",
        effect=Effect.DRAW, low=0, high=8, step=1,
    )  # fmt: skip
    most: int = param(
        24, "Max. anchors drawn",
        "Limit for each label, highest IoU first. All anchors are counted.",
        effect=Effect.DRAW, low=0, high=500, step=1,
    )  # fmt: skip
    ignored: bool = param(
        False, "Draw ignored anchors", "Draws ignored anchors as boxes, too.",
        effect=Effect.DRAW,
    )  # fmt: skip
    anchors: str = param(
        "", "Anchors", "The network's own anchors, or generated ones.",
        choices=_sources,
    )  # fmt: skip
    scale: float = param(
        128.0, "Scale", "Side of the smallest square anchor on the finest level.",
        low=8, high=512, step=1, unit="px", log=True, section=RULE, when=_by_rule,
    )  # fmt: skip
    scales: int = param(
        3, "Scales per level", "Number of anchor sizes per cell.",
        low=1, high=4, step=1, section=RULE, when=_by_rule,
    )  # fmt: skip
    factor: float = param(
        2.0, "Scale factor", "Each size is the one before it times this factor.",
        low=1.1, high=3.0, step=0.05, section=RULE,
        when=lambda params, info: _by_rule(params, info) and params.scales > 1,
    )  # fmt: skip
    ratio: float = param(
        2.0, "Max. aspect ratio r",
        "Ratio of the longer to the shorter side of the most elongated anchor.",
        low=1.1, high=5.0, step=0.1, section=RULE,
        when=lambda params, info: _by_rule(params, info) and RATIOS[params.ratios] > 1,
    )  # fmt: skip
    ratios: str = param(
        "1:1, 1:r, r:1", "Aspect ratios", "Shapes of the anchors of each cell.",
        choices=tuple(RATIOS), section=RULE, when=_by_rule,
    )  # fmt: skip
    stride: int = param(
        16, "Stride", "Pixels between neighboring cells on the finest level.",
        low=4, high=64, step=4, unit="px", section=RULE, when=_by_rule,
    )  # fmt: skip
    levels: int = param(
        1, "Levels", "Number of pyramid levels; each doubles stride and scale.",
        low=1, high=5, step=1, section=RULE, when=_by_rule,
    )  # fmt: skip
    short_side: int = param(
        600, "Short side of the input", "Size of the input that anchors are generated for.",
        low=64, high=1200, step=8, unit="px", advanced=True, when=_by_rule,
    )  # fmt: skip
    opacity: float = param(
        0.45, "Opacity", "Opacity of the colored cells over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True,
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected anchor", "Click an anchor on the photo to see its four regression targets.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="anchors",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`title` tells where the anchors come from; `note` why they are not those that were chosen."""

    photo: Picture
    anchors: Anchors
    overlaps: Overlaps
    title: str
    note: str = ""
    cache: DrawCache = field(default_factory=DrawCache)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What one position of the boxes means: `truth` (G, 4) in the frame of the anchors."""

    truth: NDArray[np.float32]
    found: Match
    chosen: int | None


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    own = params.anchors == OWN or (not params.anchors and scene.network.info.task == "detection")
    note = ""
    if own:
        try:
            anchors, title = _own(scene)
        except ExplorerError as error:
            own, note = False, f"{error.message} Generated anchors are used instead."
    if not own:
        anchors, title = _made(scene, params)
    yield Step(Result(photo_of(scene), anchors, Overlaps(anchors.xyxy), title, note))


def draw(result: Result, params: Params) -> Board:
    marked, params = params.truth, replace(params, truth=counting(params.truth))
    anchors = result.anchors
    state = result.cache.get(
        ("state", params.truth, params.high, params.low, params.force, params.selected),
        lambda: _state(result, params),
    )
    counts = anchors.counts(state.found)
    layers: list[Layer] = [result.photo]
    heat = result.cache.get(
        ("cells", params.truth, params.high, params.low, params.force, params.color_by,
         params.level, params.opacity),
        lambda: _cells(result, params, state),
    )  # fmt: skip
    layers += [heat] if heat is not None else []
    layers.append(_boxes(anchors, params, state))
    layers += [*badges(params.truth, state.found, params.high), *passed_layer(marked)]
    chosen = state.chosen
    tables = [level_table(anchors, counts), truth_table(anchors, params.truth, state.found)]
    if chosen is not None:
        layers += target_layers(anchors, state.truth, state.found, chosen)
        tables.insert(0, target_table(anchors, state.truth, state.found, chosen))
    pane = Pane(
        "image", size_of(result.photo), tuple(layers), result.title,
        readout=_readout(anchors, params, state),
    )  # fmt: skip
    return Board(
        panes=(pane,),
        plots=(curve(state.found, params.high),) if params.truth else (),
        tables=tuple(tables),
        summary=_summary(anchors, params, state) + passed_words(marked),
        notes=_notes(result, params, state),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Labels and targets of all anchors.

    Keys: `anchors` (N, 4) float32 xyxy in pixels of the network's input; `truth` (G, 4) in the same
    frame; `matches` (N,) int64, the box of each anchor, -1 = negative, -2 = ignored; `iou` (N,)
    float32, the highest with any box; `positive` (P,) int64 and their `targets` (P, 4) float32 as
    tx, ty, tw, th; `frame` as sx, sy, tx, ty from the photo's pixels to the input's. Difficult
    objects and crowds have no part in any of it.
    """
    params = replace(params, truth=counting(params.truth))
    state = _state(result, params)
    found, anchors = state.found, result.anchors
    rows = found.positive
    frame = anchors.frame
    return {
        "anchors": anchors.xyxy,
        "truth": state.truth,
        "matches": found.matches,
        "iou": found.best,
        "positive": rows,
        "targets": _targets(anchors, state, rows),
        "frame": (frame.sx, frame.sy, frame.tx, frame.ty),
    }


def _targets(anchors: Anchors, state: State, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):  # a box without an area: log 0
        return encode(state.truth[state.found.matches[rows]], anchors.xyxy[rows])


def _own(scene: Scene) -> tuple[Anchors, str]:
    trace = trace_of(scene)
    pyramid = trace.pyramid
    xyxy = pyramid.anchors.float().cpu().numpy()
    module: Any = scene.network.module
    matcher = getattr(getattr(module, "rpn", module), "proposal_matcher", None)
    title = f"Anchors of {scene.network.info.title}"
    if isinstance(trace, OneStage) and trace.kind == "fcos":
        title = "FCOS has no anchors: a square with the side of the stride around every point"
    elif matcher is not None:
        title += f" (in training {matcher.high_threshold:g} / {matcher.low_threshold:g})"
    return Anchors(xyxy, pyramid.levels, pyramid.frame), title


def _made(scene: Scene, params: Params) -> tuple[Anchors, str]:
    height, width = scene.image.pixels.shape[:2]
    factor = params.short_side / min(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    steps = {1: (0.0,), 3: (-1.0, 0.0, 1.0), 5: (-1.0, -0.5, 0.0, 0.5, 1.0)}[RATIOS[params.ratios]]
    rule = AnchorRule(
        params.stride, params.levels, params.scale, params.scales, params.factor,
        tuple(params.ratio**power for power in steps),
    )  # fmt: skip
    if (count := rule.count(size)) > MOST_ANCHORS:
        raise ExplorerError(
            f"There are too many anchors: {counted(count)}.",
            "Choose a larger stride or a smaller input.",
        )
    frame = Frame(size[1] / width, size[0] / height)
    title = f"{quantity(rule.per_cell, 'anchor')} per cell on {size[1]} x {size[0]} pixels"
    return Anchors(*rule.stand(size), frame), title


def _state(result: Result, params: Params) -> State:
    anchors = result.anchors
    truth = anchors.frame.boxes(truth_boxes(params.truth))
    found = match(
        result.overlaps.rows(truth), len(anchors.xyxy), high=params.high,
        low=min(params.low, params.high), force=params.force,
    )  # fmt: skip
    chosen = params.selected
    if chosen is not None and not 0 <= chosen < len(anchors.xyxy):
        chosen = None
    if chosen is None and len(found.tops):
        chosen = int(found.best.argmax())
    return State(truth, found, chosen if len(found.tops) else None)


def _cells(result: Result, params: Params, state: State) -> Masks | Heat | None:
    anchors = result.anchors
    if params.color_by == "nothing" or not params.truth:
        return None
    level = min(params.level, len(anchors.levels))
    if params.color_by == "labels":
        return Masks(
            label_cells(anchors, state.found, level), np.array([DIM, AMBER, GREEN], np.uint8),
            names=("negative", "ignored", "positive"), extent=anchors.extent(level),
            opacity=params.opacity, outline=False, name="labels",
        )  # fmt: skip
    return Heat(
        best_cells(anchors, state.found.best, level), 0.0, 1.0, "viridis",
        extent=anchors.extent(level), opacity=min(1.0, params.opacity + 0.2), alpha_by_value=True,
        unit="highest IoU of the cell's anchors", name="iou",
    )  # fmt: skip


def _boxes(anchors: Anchors, params: Params, state: State) -> Boxes:
    """A few anchors of every kind; without ground truth all those of the cell in the middle."""
    found = state.found
    level = min(params.level, len(anchors.levels))
    if not params.truth:
        place = anchors.levels[max(level - 1, 0)]
        first = place.index(place.rows // 2, place.columns // 2)
        rows = np.arange(first, first + place.per_cell)
        return Boxes(
            anchors.on_photo(rows), np.tile(np.array([(120, 180, 255)], np.uint8), (len(rows), 1)),
            keys=tuple(rows.tolist()), width=1.5, dotted=True, name="anchors",
        )  # fmt: skip
    most = params.most if params.ignored else 0
    ignored = drawn_rows(anchors, found.ignored, found.best, level, most)
    positive = drawn_rows(anchors, found.positive, found.best, level, params.most)
    rows = np.concatenate([ignored, positive])
    colors = np.repeat(np.array([AMBER, GREEN], np.uint8), [len(ignored), len(positive)], axis=0)
    return Boxes(
        anchors.on_photo(rows), colors, keys=tuple(rows.tolist()), width=1.5, name="anchors"
    )


def _readout(anchors: Anchors, params: Params, state: State) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        level = max(min(params.level, len(anchors.levels)) - 1, 0)
        place = anchors.levels[level]
        cell = anchors.cell_at(level + 1, x, y)
        if cell is None or not params.truth:
            return ""
        first = place.index(*cell)
        rows = slice(first, first + place.per_cell)
        best = first + int(state.found.best[rows].argmax())
        label = {1: "positive", 0: "negative", -1: "ignored"}[state.found.label_of(best)]
        wide, tall = place.shapes[best - first]
        return (
            f"level {level + 1}, row {cell[0]}, column {cell[1]}: best of {place.per_cell} anchors "
            f"{wide:g} x {tall:g}, IoU {state.found.best[best]:.3f}, {label}"
        )

    return words


def _summary(anchors: Anchors, params: Params, state: State) -> str:
    total = counted(len(anchors.xyxy))
    if not params.truth:
        return f"{total} anchors. Draw a ground-truth box on the photo and drag it."
    found = state.found
    positive, ignored = len(found.positive), len(found.ignored)
    words = (
        f"{counted(positive)} positive, {counted(ignored)} ignored, "
        f"{counted(len(anchors.xyxy) - positive - ignored)} negative of {total} anchors"
    )
    missed = int((found.shares == 0).sum())
    if missed:
        words += (
            f" · no positive anchor for {missed} of {quantity(len(params.truth), 'box', 'boxes')}"
        )
    else:
        few, top = int(found.shares.min()), float(found.tops.min())
        words += f" · every box has at least {few}; lowest best IoU {top:.2f}"
    return words


def _notes(result: Result, params: Params, state: State) -> tuple[str, ...]:
    notes = [result.note] if result.note else []
    if params.force and len(state.found.tops) and state.found.tops.min() == 0:
        notes.append(
            "A box overlaps no anchor: its highest IoU is 0 with every anchor, so the forced "
            "match makes all anchors positive. torchvision does the same."
        )
    return tuple(notes)


VIEW = View(
    name="anchor_sandbox",
    title="Anchor matching",
    group=Group.DETECTION,
    summary="How anchors are matched to ground-truth boxes: positive, ignored or negative.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN, section 3.1.2",
    best="detection",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
