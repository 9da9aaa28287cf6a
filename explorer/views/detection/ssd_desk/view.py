"""SSD, RetinaNet and FCOS, level by level: one pass predicts boxes and classes everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.errors import Incomplete
from explorer.core.layers import Board, Boxes, Heat, Lines, Pane, Plot, Table, class_colors
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.ssd_desk import focal
from explorer.views.detection.ssd_desk.result import NAMES, PLACES, Result, result_of
from explorer.views.shared.anchors import (
    RED,
    counted,
    passed_layer,
    passed_words,
    same,
    truth_layer,
)
from explorer.views.shared.common import class_name, color, score_threshold, size_of
from explorer.views.shared.detection_params import class_choices
from explorer.views.shared.plural import plural
from explorer.views.shared.training_pass import (
    TITLES,
    hardest,
    lesson_of,
    losses_table,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Layer
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.views.shared.training_pass import Samples

EXPLANATION = r"""
A **single-stage** detector has no proposals: at every cell of several maps it predicts classes and
a box for each default box (SSD), anchor (RetinaNet) or point (FCOS). Maps with a small stride have
many cells for small objects, maps with a large stride few cells for large ones.

**Reading it.** Each small pane is a level: its heat map is the score of the chosen class, the
highest of each cell. All have one color scale. Left, the detections in the color of their level,
each with the default box (dotted) that it came from.

**Matches.** Draw a ground-truth box: the left pane shows what a training step would use. SSD and
RetinaNet match by the IoU (from 0.5; every object also gets its best one), FCOS takes the points
inside the object whose level is for that size. Most of the others are background; two ways to keep
them from drowning the objects:

- **Hard negative mining** (SSD): per object box only the three background boxes with the highest
  loss count.
- **Focal loss** (RetinaNet, FCOS): all count, but those that are easy hardly do:

$$ \mathrm{FL}(p) = - \, (1 - p)^\gamma \log p $$

with $p$ for the probability of what is right. The curves show, for the background of this photo,
which share of the loss the easiest part of it has: at $\gamma = 0$ thousands of easy boxes have
most of it, at $\gamma = 2$ the few hard ones.

**Center-ness** (FCOS) lowers the score of points far from the middle of an object. With the
distances $l, t, r, b$ to the sides of the box, it is trained to become

$$ \sqrt{ \frac{\min(l, r)}{\max(l, r)} \cdot \frac{\min(t, b)}{\max(t, b)} } $$

**Sources.** Liu et al. 2016, *SSD*, section 2; Lin et al. 2017, *Focal Loss for Dense Object
Detection*, section 3 and figure 4; Tian et al. 2019, *FCOS*, section 3.
"""

HIGHEST = "of the highest-scoring detection"
SCORE, CENTERNESS, CLASS_ALONE = "score", "center-ness", "class without center-ness"
CONV = ("head.classification_head", "head.regression_head")


def _shows(info: NetworkInfo) -> tuple[str, ...]:
    fcos = any(name.endswith("bbox_ctrness") for name in info.layer_names())
    return (SCORE, CENTERNESS, CLASS_ALONE) if fcos else (SCORE,)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    target: str = param(
        HIGHEST, "Class", "Whose score maps are shown.",
        choices=lambda info: (HIGHEST, *class_choices(info)),
    )  # fmt: skip
    shown: str = param(
        SCORE, "Show", "FCOS multiplies the class with the center-ness; see each of them.",
        effect=Effect.DRAW, choices=_shows,
        when=lambda _, info: info is not None and len(_shows(info)) > 1,
    )  # fmt: skip
    opacity: float = param(
        0.7, "Heat map opacity", "Opacity of the score maps over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score do not count. Default: the network card's threshold.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    most: int = param(
        20, "Boxes drawn", "Detections, or boxes of the background with the highest loss.",
        effect=Effect.DRAW, low=1, high=300, log=True,
    )  # fmt: skip
    gamma: float = param(
        2.0, "Gamma", "Of the focal loss; 0 is the cross-entropy.",
        effect=Effect.DRAW, low=0.0, high=5.0, step=0.1,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Draw a box with a class: its matches and the losses appear.",
        pick=Pick.TRUTH,
    )  # fmt: skip
    stored: bool = param(
        True, "Stored statistics",
        "Batch normalization in the training step: on, its stored statistics; off, this photo's.",
        advanced=True, when=lambda params, _: bool(params.truth),
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    objects, lesson = counting(params.truth), None
    if objects:
        key = ("lesson", objects, params.stored)
        try:
            lesson = scene.memo(key, lambda: lesson_of(scene, objects, stored=params.stored))
        except Incomplete:  # all lie outside of the photo
            lesson = None
    yield Step(result_of(scene, params.target, lesson))


def draw(result: Result, params: Params) -> Board:
    samples = result.lesson.samples[0] if result.lesson is not None else None
    tables: list[Table] = []
    plots: list[Plot] = []
    if result.lesson is not None and samples is not None:
        costly = hardest(samples, result.lesson.classes)
        tables += [losses_table(result.lesson), replace(costly, layer="", keys=())]
        plots.append(_loss_bars(result))
    background = result.alone
    if samples is not None:
        background = np.delete(background, samples.rows[samples.positive])
    if result.kind != "ssd":
        plots.append(focal.plot(background, params.gamma))
    detected = _detected(result, params)
    tables.append(_levels_table(result, samples, detected))
    first = _detections_pane(result, params) if samples is None else _matches_pane(
        result, samples, params
    )  # fmt: skip
    return Board(
        panes=(first, *_level_panes(result, samples, params)),
        plots=tuple(plots),
        tables=tuple(tables),
        summary=_summary(result, samples, len(detected)) + passed_words(params.truth),
        notes=result.lesson.notes if result.lesson is not None else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """All anchors (default boxes, points) for the chosen class.

    Keys: `anchors` and `boxes` (N, 4) float32 xyxy in the photo's pixels, before and after the
    deltas, `scores` (N,) float32, `level` (N,) int64, `detected` (M,) the anchors of the
    detections; `centerness` (N,) of FCOS; with ground truth `positives` (P,) and `truth` (P,) what
    each is to become, `negatives` (Q,) the rest that takes part.
    """
    found: dict[str, Any] = {
        "class": class_name(result.classes, result.label),
        "anchors": result.anchors,
        "boxes": result.boxes,
        "scores": result.scores,
        "level": np.repeat(np.arange(len(result.levels)), [each.count for each in result.levels]),
        "detected": result.detected,
    }
    if result.centerness is not None:
        found["centerness"] = result.centerness
    if result.lesson is not None:
        samples = result.lesson.samples[0]
        found["positives"] = samples.rows[samples.positive]
        found["truth"] = samples.truth[samples.positive]
        found["negatives"] = samples.rows[~samples.positive]
    return found


# -- panes ----------------------------------------------------------------------------------------


def _values(result: Result, shown: str) -> tuple[Any, str]:
    """(N,) values, and what they are."""
    if shown == CENTERNESS and result.centerness is not None:
        return result.centerness, CENTERNESS
    name = class_name(result.classes, result.label)
    if shown == CLASS_ALONE:
        return result.alone, f"{name}, class alone"
    return result.scores, f"score of {name}"


def _colors(result: Result) -> Any:
    return class_colors(len(result.levels))


def _detections_pane(result: Result, params: Params) -> Pane:
    """The detections of the class and where they came from."""
    rows = _detected(result, params)[: params.most]
    levels = result.levels_of(rows)
    tints = _colors(result)[levels] if len(rows) else same(RED, 0)
    boxes, anchors = result.boxes[rows], result.anchors[rows]
    before, after = ((each[:, :2] + each[:, 2:]) / 2 for each in (anchors, boxes))
    labels = tuple(
        f"level {k + 1}: {result.scores[row]:.2f}" for k, row in zip(levels, rows, strict=True)
    )
    layers: tuple[Layer, ...] = (
        result.photo,
        Boxes(anchors, tints, width=1.2, dotted=True, selectable=False, name="anchors"),
        Lines(np.concatenate([before, after], axis=1).astype(np.float32), tints, arrow=True,
              name="moves"),
        Boxes(boxes, tints, labels, width=2.5, selectable=False, name="detections"),
        *passed_layer(params.truth),
    )  # fmt: skip
    name = class_name(result.classes, result.label)
    title = f"Detections of {name} and their {PLACES[result.kind]}"
    return Pane("image", size_of(result.photo), layers, title=title)


def _detected(result: Result, params: Params) -> NDArray[np.int64]:
    """The anchors of the detections from the threshold on."""
    least = result.threshold if params.score is None else params.score
    return result.detected[result.scores[result.detected] >= least]


def _matches_pane(result: Result, samples: Samples, params: Params) -> Pane:
    """The matches in the colors of their levels, and the hardest background in red."""
    good, bad = np.flatnonzero(samples.positive), np.flatnonzero(~samples.positive)[: params.most]
    tints = _colors(result)[result.levels_of(samples.rows[good])] if len(good) else same(RED, 0)
    layers: tuple[Layer, ...] = (
        result.photo,
        Boxes(samples.boxes[bad], same(RED, len(bad)), width=1.2, dotted=True, selectable=False,
              name="background"),
        Boxes(samples.boxes[good], tints, width=1.6, selectable=False, name="matches"),
        *truth_layer(params.truth),
    )  # fmt: skip
    title = f"{counted(len(good))} matches; hardest {len(bad)} of the background in red"
    return Pane("image", size_of(result.photo), layers, title=title)


def _level_panes(result: Result, samples: Samples | None, params: Params) -> list[Pane]:
    values, unit = _values(result, params.shown)
    high = 1.0 if params.shown == CENTERNESS else max(float(values.max(initial=0.0)), 1e-6)
    back = result.frame.inverse()
    grids = result.cache.get(
        ("grids", params.shown),
        lambda: [result.grid(number, values) for number in range(len(result.levels))],
    )
    panes = []
    for number, (level, grid) in enumerate(zip(result.levels, grids, strict=True)):
        x, y = level.stride
        heat = Heat(
            grid, 0.0, high, "inferno", back.extent(level.columns * x, level.rows * y),
            params.opacity, alpha_by_value=True, unit=unit, name=f"level {number + 1}",
        )  # fmt: skip
        layers: list[Layer] = [result.photo, heat]
        title = f"Level {number + 1}: {level.columns} x {level.rows}, best {grid.max():.2f}"
        if samples is not None:
            rows = samples.rows[samples.positive]
            own = rows[(rows >= level.first) & (rows < level.first + level.count)]
            tints = np.repeat(_colors(result)[number : number + 1], len(own), axis=0)
            layers += [
                Boxes(result.anchors[own], tints, width=1.6, selectable=False, name="matches"),
                *truth_layer(params.truth),
            ]
            title = f"Level {number + 1}: {level.columns} x {level.rows}, {len(own)} matches"
        panes.append(Pane(f"level {number + 1}", size_of(result.photo), tuple(layers), title=title))
    return panes


# -- plots, tables, words -------------------------------------------------------------------------


def _loss_bars(result: Result) -> Plot:
    assert result.lesson is not None
    tints: Sequence[Color] = tuple(map(color, class_colors(len(result.lesson.terms))))
    bars = tuple(
        (TITLES.get(term.name, term.name), term.value, tint)
        for term, tint in zip(result.lesson.terms, tints, strict=True)
    )
    return Plot("losses", "Losses on this photo", bars=bars)


def _levels_table(result: Result, samples: Samples | None, detected: NDArray[np.int64]) -> Table:
    found = result.levels_of(detected)
    matched: NDArray[np.int64] = (
        result.levels_of(samples.rows[samples.positive]) if samples is not None else found[:0]
    )
    rows: list[tuple[str | int | float, ...]] = []
    for number, level in enumerate(result.levels):
        sides = [(w / result.frame.sx, h / result.frame.sy) for w, h in level.shapes]
        areas = [w * h for w, h in sides]
        small, large = (sides[int(k)] for k in (np.argmin(areas), np.argmax(areas)))
        own = result.scores[level.first : level.first + level.count]
        words = f"{small[0]:.0f} x {small[1]:.0f}"
        if len(sides) > 1:
            words += f" to {large[0]:.0f} x {large[1]:.0f}"
        rows.append(
            (
                number + 1, f"{level.stride[0]:.0f}", f"{level.columns} x {level.rows}",
                level.per_cell, words, round(float(own.max(initial=0.0)), 3),
                int((found == number).sum()),
                *((int((matched == number).sum()),) if samples is not None else ()),
            )
        )  # fmt: skip
    place = PLACES[result.kind]
    matches = ("matches",) if samples is not None else ()
    columns = (
        "level", "stride", "cells", f"{place} per cell", "sizes in the photo", "best score",
        "detections", *matches,
    )  # fmt: skip
    return Table(
        "levels", columns, tuple(rows), title="Levels",
        swatches=tuple(map(color, _colors(result))),
    )  # fmt: skip


def _summary(result: Result, samples: Samples | None, count: int) -> str:
    name, place = NAMES[result.kind], PLACES[result.kind]
    words = f"{name}: {counted(len(result.anchors))} {place} on {len(result.levels)} levels"
    if samples is None:
        label = class_name(result.classes, result.label)
        return f"{words}, {count} {plural('detection', count)} of {label}"
    good = int(samples.positive.sum())
    bad = len(samples.positive) - good
    words += f", {counted(good)} matched"
    if result.kind == "ssd":
        return f"{words}, {counted(bad)} hard negatives ({bad / max(good, 1):.0f} : 1)"
    if samples.between:
        words += f", {counted(samples.between)} ignored"
    return f"{words}, {counted(bad)} background, weighted by the focal loss"


VIEW = View(
    name="ssd_desk",
    title="Single-stage levels",
    group=Group.DETECTION,
    summary="Class maps, default boxes and matches of every level of SSD, RetinaNet or FCOS.",
    explanation=EXPLANATION,
    reference="Liu et al. 2016, SSD, section 2",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    begins_with="lite-ssd",
    parts=CONV,
    data=data,
)
