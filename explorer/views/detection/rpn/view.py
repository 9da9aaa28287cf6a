"""The stages of a detector's first pass, from the score map to the proposals, and its losses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.layers import Board, Boxes, Curve, Layer, Pane, Picture, Plot, Table
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.rpn.training import lesson_board
from explorer.views.shared.anchors import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    AnchorTable,
    anchor_table,
    counted,
    passed_words,
    same,
    score_heat,
    shades,
    truth_boxes,
    truth_layer,
)
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.filter_stages import StageBoxes, recalls, stages_of
from explorer.views.shared.training_pass import Lesson, lesson_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
The first stage of a two-stage detector is its **region proposal network** (RPN). It predicts for
every anchor an objectness score and four offsets. A filter then reduces hundreds of thousands of
anchors to some hundreds or a thousand **proposals**, which the second stage classifies.

**Reading it.** Step through the stages with the slider or its play button, or drag the line in the
plot. Light boxes have higher scores than dark ones. Boxes that a stage drops are red. The order is
that of the network:

1. score map: the probability $p = \sigma(z)$ of each anchor, from its logit $z$ by the sigmoid
   $\sigma$; the maximum of each cell over the photo
2. anchors refined by their offsets (below)
3. the top scores of each pyramid level
4. clipped to the photo
5. too small ones removed
6. low scores removed
7. non-maximum suppression within each level
8. the top scores of those left

An anchor with center $(x_a, y_a)$, width $w_a$ and height $h_a$ is refined by its offsets $t$ to

$$ \begin{aligned} x &= x_a + w_a t_x & w &= w_a \exp(t_w) \\
y &= y_a + h_a t_y & h &= h_a \exp(t_h) \end{aligned} $$

With **ground truth** (draw a box around an object) the table shows the recall at an IoU of 0.5 and
of 0.7 after every stage. An object lost here cannot be detected by the second stage.

**Training** shows the samples of a training step on this photo. Anchors matched to ground truth are
positive (green), a random sample of the others is background (red); the proposals are sampled in
the same way. Four losses are added up, two of the RPN and two of the second stage:

$$ L = L_\mathrm{obj} + L_\mathrm{rpn\,box} + L_\mathrm{class} + L_\mathrm{box} $$

They equal what the network returns in training mode with the same seed. The network is not changed.
Single-stage detectors (RetinaNet, SSD, FCOS) have no proposals: their stages end in detections, and
they have two or three losses.

**Sources.** Ren et al. 2015, *Faster R-CNN*, sections 3.1 to 3.1.3; Girshick 2015, *Fast R-CNN*,
section 2.3; Lin et al. 2017, *RetinaNet*.
"""

FORWARD, TRAINING = "forward pass", "training"
HINT = "Draw a box around an object and give it a class: it becomes ground truth."


def _forward(params: Params, _info: NetworkInfo | None) -> bool:
    # Until there is ground truth, a training step has nothing but the forward pass.
    return params.show == FORWARD or not params.truth


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        FORWARD, "Show",
        "The stages of the forward pass, or the samples and losses of a training step.",
        choices=(FORWARD, TRAINING),
    )  # fmt: skip
    stage: int = param(
        1, "Stage", "From the score map (1) to the proposals (8). Nothing is computed again.",
        effect=Effect.DRAW, low=1, high=8, step=1, play=True, when=_forward,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Ground-truth boxes, for the recall and the losses.",
        pick=Pick.TRUTH,
    )  # fmt: skip
    level: int = param(
        0, "Pyramid level", "Only boxes of this level, 1 is the finest; 0 means all.",
        effect=Effect.DRAW, low=0, high=8, step=1, when=_forward,
    )  # fmt: skip
    most: int = param(
        20, "Max. boxes drawn", "How many are drawn, highest score first. All are counted.",
        effect=Effect.DRAW, low=5, high=1000, step=5, log=True,
    )  # fmt: skip
    dropped: bool = param(
        True, "Show dropped boxes",
        "Draws the highest-scoring boxes that the stage removes, in red.",
        effect=Effect.DRAW, when=_forward,
    )  # fmt: skip
    opacity: float = param(
        0.75, "Heat map opacity", "Opacity of the score map over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True, when=_forward,
    )  # fmt: skip
    stored: bool = param(
        False, "Stored batch statistics",
        "In training mode, batch normalization uses the statistics of this photo. On: the stored "
        "ones.",
        advanced=True, when=lambda params, _: params.show == TRAINING,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`covered` is the recall at IoU 0.5 and 0.7 after every stage; empty without truth.

    Difficult objects and crowds take no part in it, nor in the training step.
    """

    photo: Picture
    table: AnchorTable
    stages: tuple[StageBoxes, ...]
    truth: tuple[Box, ...]
    covered: tuple[tuple[float, float], ...]
    lesson: Lesson | None
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    stages = stages_of(scene)
    objects = counting(params.truth)
    wanted = truth_boxes(objects)
    covered = recalls(stages, wanted) if len(wanted) else ()
    result = Result(photo_of(scene), anchor_table(scene), stages, params.truth, covered, None)
    if params.show != TRAINING or not objects:
        yield Step(result)
        return
    yield Step(result, 1, 2, "training step")
    key = ("lesson", objects, params.stored)
    lesson = scene.memo(key, lambda: lesson_of(scene, objects, stored=params.stored))
    yield Step(
        Result(result.photo, result.table, stages, params.truth, covered, lesson), 2, 2, "losses"
    )


def draw(result: Result, params: Params) -> Board:
    if result.lesson is not None:
        return lesson_board(result.lesson, result.photo, result.truth, params.most)
    number = min(params.stage, len(result.stages)) - 1
    stage = result.stages[number]
    notes = () if counting(result.truth) or params.show != TRAINING else (HINT,)
    title = f"{number + 1}. {stage.title}"
    if number:
        title += f": {counted(len(stage.boxes))} boxes, top {_most(params, number)} drawn"
    layers = [result.photo, *_drawn(result, params, number), *truth_layer(result.truth)]
    return Board(
        panes=(Pane("image", size_of(result.photo), tuple(layers), title=title),),
        plots=_plots(result, number),
        tables=(_table(result, number),),
        summary=_summary(result, number) + passed_words(result.truth),
        notes=notes,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The stage that is shown, and how many boxes each leaves; with truth also the losses.

    Keys: `boxes` (n, 4) float32 xyxy in the photo's pixels and `scores` (n,), highest score first;
    `stages` their titles, `left` (S,) int64 counts, `recall` (S, 2) at IoU 0.5 and 0.7 (NaN without
    truth), `losses` the network's own numbers by name in training.
    """
    stage = result.stages[min(params.stage, len(result.stages)) - 1]
    covered = result.covered or ((math.nan, math.nan),) * len(result.stages)
    found: dict[str, Any] = {
        "boxes": stage.boxes,
        "scores": stage.scores,
        "stages": tuple(entry.title for entry in result.stages),
        "left": np.array([len(entry.boxes) for entry in result.stages]),
        "recall": np.array(covered, np.float64),
    }
    if result.lesson is not None:
        found["losses"] = {term.name: term.value for term in result.lesson.terms}
        for samples in result.lesson.samples:
            found[f"{samples.name}_boxes"] = samples.boxes
            found[f"{samples.name}_truth"] = samples.truth
    return found


def _drawn(result: Result, params: Params, number: int) -> list[Layer]:
    stage, level = result.stages[number], params.level - 1
    if number == 0:
        level = min(level, len(result.table.levels) - 1)
        heat = result.cache.get(
            ("heat", level, params.opacity),
            lambda: score_heat(result.table, level, -1, params.opacity),
        )
        return [heat]
    rows = _rows(stage.levels, level)[: _most(params, number)]
    rows = rows[::-1]  # the highest score on top
    brightest = float(stage.scores.max(initial=1e-6))
    colors = shades(stage.scores[rows] / brightest)
    layers: list[Layer] = []
    if params.dropped and stage.dropped is not None and stage.dropped_levels is not None:
        gone = _rows(stage.dropped_levels, level)[: _most(params, number)]
        layers.append(
            Boxes(
                stage.dropped[gone], same(RED, len(gone)), width=1.0, selectable=False,
                name="dropped",
            )
        )  # fmt: skip
    if stage.before is not None:
        layers.append(
            Boxes(
                stage.before[rows], colors, width=1.0, dotted=True, selectable=False, name="before"
            )
        )
    labels = tuple(f"{score:.2f}" for score in stage.scores[rows]) if len(rows) <= 12 else ()
    keys = tuple(int(row) for row in rows)
    layers.append(Boxes(stage.boxes[rows], colors, labels, keys, name="boxes"))
    return layers


def _most(params: Params, number: int) -> int:
    # Before and after in one picture need more room.
    return params.most if number > 1 else max(1, params.most // 4)


def _rows(levels: Any, level: int) -> Any:
    return np.arange(len(levels)) if level < 0 else np.flatnonzero(levels == level)


def _table(result: Result, number: int) -> Table:
    columns: tuple[str, ...] = ("", "stage", "boxes left", "dropped")
    if result.covered:
        columns += ("recall at 0.5", "recall at 0.7")
    rows = []
    for position, stage in enumerate(result.stages):
        mark = "•" if position == number else ""
        row: tuple[str | int | float, ...] = (mark, stage.title, len(stage.boxes), stage.lost)
        if result.covered:
            row += tuple(round(share, 3) for share in result.covered[position])
        rows.append(row)
    return Table("stages", columns, tuple(rows), title="Stages")


def _plots(result: Result, number: int) -> tuple[Plot, ...]:
    xs = np.arange(1, len(result.stages) + 1, dtype=np.float64)
    left = np.array([max(1, len(stage.boxes)) for stage in result.stages], np.float64)
    marker = float(number + 1)
    names = tuple(stage.short for stage in result.stages)
    plots = [
        Plot(
            "left", "Boxes left", "stage", "boxes", (Curve(xs, left, "", ORANGE),),
            log_y=True, marker=marker, steers="stage", stop=xs[-1], x_names=names,
        )
    ]  # fmt: skip
    if result.covered:
        shares = np.array(result.covered, np.float64)
        curves = (
            Curve(xs, shares[:, 0], "IoU 0.5", GREEN), Curve(xs, shares[:, 1], "IoU 0.7", BLUE)
        )  # fmt: skip
        plots.append(
            Plot(
                "recall", "Recall after each stage", "stage", "recall", curves,
                marker=marker, steers="stage", stop=xs[-1], x_names=names,
            )
        )  # fmt: skip
    return tuple(plots)


def _summary(result: Result, number: int) -> str:
    stage = result.stages[number]
    words = f"{stage.sentence}"
    if number > 1:
        words += f" {counted(len(stage.boxes))} left"
        words += f", {counted(stage.lost)} dropped." if stage.lost else "."
    if result.covered:
        half, more = result.covered[number]
        words += f" Recall {half:.0%} at IoU 0.5, {more:.0%} at 0.7."
    return words


VIEW = View(
    name="rpn",
    title="RPN step by step",
    group=Group.DETECTION,
    summary="From the score map to the proposals, stage by stage, with the training losses.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN, section 3.1",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
)
