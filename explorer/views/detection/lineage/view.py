"""The life of one box: its anchor, its proposal, its detection, or what became of it instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes, Layer, Lines, Pane, Picture, Plot, Table
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.stages import trace_of
from explorer.engine.view import Group, View
from explorer.views.detection.lineage.sentences import headline, lineage_rows
from explorer.views.shared.anchors import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    RED,
    WHITE,
    anchor_at,
    anchor_table,
    numbers,
    plain,
    same,
)
from explorer.views.shared.common import class_name, photo_of, score_threshold, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.trace import TwoStage
from explorer.vision.trace.lineage import Lineage, of_anchor, of_detection

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Color, Float32
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.trace import Trace
    from explorer.vision.trace.lineage import Outcome

EXPLANATION = r"""
Every detection of an anchor-based detector starts from an **anchor**, a reference box of a cell
that does not depend on the photo. This view traces one of them through all stages.

**Back, from a detection.** Choose a row of the table or a box on the photo. The anchor is dotted
blue, the **proposal** that the first stage refined it to is orange, and the **detection** after the
second stage is green. Arrows show how each stage moved the center and the corners. The boxes that
it suppressed are red.

**Forward, from an anchor.** Choose *an anchor* and click on the photo: the highest-scoring anchor
of the cell there is traced until it is dropped or becomes a detection. It may be

- not among the top scores of its level,
- too small, or its score below the network's threshold,
- **suppressed**: a higher-scoring box of the same level (second stage: of the same class) has an
  IoU with it above the NMS threshold. That box is red,
- background: no class score of the second stage is above the threshold,
- or a detection.

In each stage four offsets $t$ refine a box with center $(x_a, y_a)$, width $w_a$ and height $h_a$,
after division by the weights of the box coder:

$$ \begin{aligned} x &= x_a + w_a t_x & w &= w_a \exp(t_w) \\
y &= y_a + h_a t_y & h &= h_a \exp(t_h) \end{aligned} $$

In torchvision the weights are 1 in the RPN and in RetinaNet; in the second stage and in SSD they
are 10 for $t_x$ and $t_y$ and 5 for $t_w$ and $t_h$.

Single-stage detectors refine the anchor to the detection in one step.

**Sources.** Ren et al. 2015, *Faster R-CNN*, section 3.1; Girshick 2015, *Fast R-CNN*, section 2.
"""

DETECTION, ANCHOR = "a detection", "an anchor"
MOST_SUPPRESSED = 12
MOST_CLASSES = 8
MOST_OTHERS = 24
"""Other detections that are drawn; the table has all."""

NO_DETECTION = "There are no detections. Choose 'an anchor' and click on the photo to see why."


def _anchor(params: Params, _info: NetworkInfo | None) -> bool:
    return params.start == ANCHOR


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    start: str = param(
        DETECTION, "Start from",
        "Trace a detection back to its anchor, or an anchor forward to its last stage.",
        choices=(DETECTION, ANCHOR),
    )  # fmt: skip
    selected: int | None = param(
        None, "Detection",
        "Its rank: choose a row or a box. None: the highest-scoring one, number 1.",
        pick=Pick.SELECT, layer="detections", low=1, high=9999,
        when=lambda params, _: params.start == DETECTION,
    )  # fmt: skip
    place: Point | None = param(
        None, "Anchor cell", "Click on the photo to choose the cell.",
        pick=Pick.CLICK, pane="image", when=_anchor,
    )  # fmt: skip
    level: int = param(
        0, "Pyramid level", "The anchor's level; 1 is the finest, 0 the highest-scoring one.",
        low=0, high=8, step=1, advanced=True, when=_anchor,
    )  # fmt: skip
    anchor: int = param(
        0, "Anchor of the cell",
        "Which anchor of the cell, from 1; 0 means the highest-scoring one.",
        low=0, high=32, step=1, advanced=True, when=_anchor,
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score are faded. Default: 0.5, or the threshold on the "
        "network's card.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    suppressed: bool = param(
        True, "Suppressed boxes",
        "Draws the boxes that this one suppressed, or the box that suppressed it.",
        effect=Effect.DRAW,
    )  # fmt: skip
    arrows: bool = param(True, "Arrows", "Draws how each stage moved the box.", effect=Effect.DRAW)


@dataclass(frozen=True, slots=True, eq=False)
class PhotoLineage:
    """One lineage in the photo's pixels; `rows` are the rows of its table."""

    cell: Float32
    anchor: Float32
    moved: Float32
    box: Float32 | None
    label: str
    score: float
    first: Outcome
    second: Outcome | None
    suppressor: Float32 | None
    suppressed: Float32
    suppressed_scores: Float32
    suppressed_ious: Float32
    chances: tuple[tuple[str, float], ...]
    rows: tuple[tuple[str, str, str], ...]
    headline: str
    detection: int | None
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`lineage` is None when there is no detection to follow."""

    photo: Picture
    boxes: Float32
    labels: tuple[str, ...]
    scores: Float32
    lineage: PhotoLineage | None
    two: bool
    score_threshold: float
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    trace = trace_of(scene)
    (found,) = scene.output()
    classes = scene.network.info.classes
    lineage = _followed(scene, trace, params)
    yield Step(
        Result(
            photo_of(scene),
            scene.frame.inverse().boxes(plain(found["boxes"])),
            tuple(class_name(classes, int(label)) for label in numbers(found["labels"])),
            plain(found["scores"]),
            None if lineage is None else _told(scene, trace, lineage),
            isinstance(trace, TwoStage),
            scene.network.info.score_threshold,
        )
    )


def draw(result: Result, params: Params) -> Board:
    lineage = result.lineage
    layers: list[Layer] = [result.photo, *_others(result, params)]
    tables: tuple[Table, ...] = (_detections(result),)
    if lineage is None:
        pane = Pane("image", size_of(result.photo), tuple(layers))
        return Board(panes=(pane,), tables=tables, summary=NO_DETECTION)
    if params.suppressed:
        layers += _suppression(lineage)
    layers += _generations(result, lineage)
    if params.arrows:
        layers += _arrows(lineage)
    story = Table("life", ("step", "box", "result"), lineage.rows, title="Stages")
    tables = (story, *tables)
    if len(lineage.suppressed):
        tables = (*tables, _suppressed_table(lineage))
    bars = tuple(
        (name, chance, GREEN if name == lineage.label else GRAY) for name, chance in lineage.chances
    )
    plots = (Plot("classes", "Class probabilities", bars=bars, bar_range=(0.0, 1.0)),)
    return Board(
        panes=(Pane("image", size_of(result.photo), tuple(layers), title=_title(result, lineage)),),
        plots=plots if bars else (),
        tables=tables,
        summary=lineage.headline,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The followed box.

    Keys: `anchor`, `proposal`, `detection` (4,) xyxy in the photo's pixels (where there is one),
    `suppressed` (n, 4), `suppressed_iou` (n,), `probabilities` by class name (highest first),
    `stages` the rows of the table and `anchor_index`. Empty when there is no detection.
    """
    lineage = result.lineage
    if lineage is None:
        return {}
    found: dict[str, Any] = {
        "anchor_index": lineage.index,
        "anchor": lineage.anchor,
        "suppressed": lineage.suppressed,
        "suppressed_iou": lineage.suppressed_ious,
        "probabilities": dict(lineage.chances),
        "stages": lineage.rows,
    }
    if result.two:
        found["proposal"] = lineage.moved
    if lineage.detection is not None:
        found["detection"] = lineage.moved if lineage.box is None else lineage.box
    return found


def _followed(scene: Scene, trace: Trace, params: Params) -> Lineage | None:
    if params.start == DETECTION:
        count = len(trace.filter.survivors)
        if count == 0:
            return None
        return of_detection(trace, min(params.selected or 1, count) - 1)
    table = anchor_table(scene)
    index = None
    if params.place is not None:
        level = min(params.level, len(table.levels)) - 1
        index = anchor_at(table, params.place.x, params.place.y, level, params.anchor - 1)
    return of_anchor(trace, int(table.best[0]) if index is None else index)


def _told(scene: Scene, trace: Trace, lineage: Lineage) -> PhotoLineage:
    back = trace.pyramid.frame.inverse()
    classes = scene.network.info.classes
    last = lineage.second or lineage.first
    suppressor = (
        lineage.first.suppressor if lineage.first.suppressor is not None else last.suppressor
    )
    chances: tuple[tuple[str, float], ...] = ()
    if lineage.probabilities is not None:
        order = np.argsort(-lineage.probabilities, kind="stable")[:MOST_CLASSES]
        chances = tuple(
            (_chance_name(classes, int(k)), float(lineage.probabilities[k])) for k in order
        )
    score = lineage.score
    if lineage.second is not None and lineage.probabilities is not None:
        score = float(lineage.probabilities[lineage.label])
    return PhotoLineage(
        cell=back.boxes(lineage.cell[None]),
        anchor=back.boxes(lineage.anchor[None])[0],
        moved=back.boxes(lineage.moved[None])[0],
        box=None if lineage.box is None else back.boxes(lineage.box[None])[0],
        label=class_name(classes, lineage.label),
        score=score,
        first=lineage.first,
        second=lineage.second,
        suppressor=None if suppressor is None else back.boxes(suppressor[None]),
        suppressed=back.boxes(last.suppressed),
        suppressed_scores=last.suppressed_scores,
        suppressed_ious=last.suppressed_ious,
        chances=chances,
        rows=lineage_rows(trace, lineage, classes),
        headline=headline(trace, lineage, classes),
        detection=lineage.detection,
        index=lineage.index,
    )


def _chance_name(classes: tuple[str, ...], label: int) -> str:
    return "background" if label == 0 else class_name(classes, label)


def _title(result: Result, lineage: PhotoLineage) -> str:
    if lineage.detection is not None:
        return f"Detection {lineage.detection + 1}: {lineage.label} {lineage.score:.2f}"
    return f"Anchor {lineage.index}"


def _others(result: Result, params: Params) -> list[Layer]:
    """The other detections; those with a low score are thin and dark, and nothing hits them."""
    boxes, scores = result.boxes[:MOST_OTHERS], result.scores[:MOST_OTHERS]
    least = result.score_threshold if params.score is None else params.score
    faded, clear = np.flatnonzero(scores < least), np.flatnonzero(scores >= least)
    layers: list[Layer] = []
    if len(faded):
        layers.append(
            Boxes(
                boxes[faded], same((110, 110, 110), len(faded)), width=0.5, selectable=False,
                name="low scores",
            )
        )  # fmt: skip
    keys = tuple((clear + 1).tolist())
    shown = same((205, 205, 205), len(clear))
    return [*layers, Boxes(boxes[clear], shown, keys=keys, width=1.0, name="detections")]


def _generations(result: Result, lineage: PhotoLineage) -> list[Layer]:
    """Anchor, proposal and detection, each with its name."""
    ended = lineage.detection is None
    layers: list[Layer] = [
        Boxes(lineage.cell, same(WHITE, 1), width=1.5, fill=0.3, selectable=False, name="cell"),
        _box(lineage.anchor, BLUE, "anchor", dotted=True),
    ]
    if not result.two:
        words = "box" if ended else f"{lineage.label} {lineage.score:.2f}"
        return [*layers, _box(lineage.moved, ORANGE if ended else GREEN, words, width=3.0)]
    alive = lineage.first.stage == ""
    layers.append(_box(lineage.moved, ORANGE, "proposal" if alive else "moved anchor"))
    if lineage.box is not None and lineage.detection is not None:
        layers.append(_box(lineage.box, GREEN, f"{lineage.label} {lineage.score:.2f}", width=3.5))
    elif lineage.box is not None:
        layers.append(_box(lineage.box, GRAY, f"{lineage.label} {lineage.score:.2f}"))
    return layers


def _box(
    box: Float32, tint: Color, words: str, *, dotted: bool = False, width: float = 2.5
) -> Boxes:
    return Boxes(
        box[None].astype(np.float32), same(tint, 1), (words,), width=width, dotted=dotted,
        selectable=False, name=words,
    )  # fmt: skip


def _arrows(lineage: PhotoLineage) -> list[Layer]:
    steps = [(lineage.anchor, lineage.moved, ORANGE)]
    if lineage.box is not None:
        steps.append((lineage.moved, lineage.box, GREEN if lineage.detection is not None else GRAY))
    return [
        Lines(_joined(before, after), same(tint, 3), width=2.0, arrow=True, name="moves")
        for before, after, tint in steps
    ]


def _joined(before: Float32, after: Float32) -> Float32:
    """(3, 4): center to center, upper left to upper left, lower right to lower right."""

    def points(box: Float32) -> Float32:
        return np.array([(box[:2] + box[2:]) / 2, box[:2], box[2:]], np.float32)

    return np.concatenate([points(before), points(after)], axis=1)


def _suppression(lineage: PhotoLineage) -> list[Layer]:
    layers: list[Layer] = []
    few = lineage.suppressed[:MOST_SUPPRESSED]
    if len(few):
        layers.append(
            Boxes(few, same(RED, len(few)), width=1.0, selectable=False, name="suppressed")
        )
    if lineage.suppressor is not None:
        layers.append(
            Boxes(
                lineage.suppressor,
                same(RED, 1),
                ("suppressed by",),
                width=3.0,
                selectable=False,
                name="suppressed by",
            )
        )
    return layers


def _detections(result: Result) -> Table:
    rows = tuple(
        (number + 1, label, round(float(score), 3))
        for number, (label, score) in enumerate(zip(result.labels, result.scores, strict=True))
    )
    return Table(
        "detections", ("", "class", "score"), rows, title="Detections", layer="detections",
        keys=tuple(range(1, len(rows) + 1)),
    )  # fmt: skip


def _suppressed_table(lineage: PhotoLineage) -> Table:
    rows = tuple(
        (round(float(score), 3), round(float(iou), 3), *(round(float(side), 1) for side in box))
        for score, iou, box in zip(
            lineage.suppressed_scores, lineage.suppressed_ious, lineage.suppressed, strict=True
        )
    )
    return Table(
        "suppressed", ("score", "IoU", "x0", "y0", "x1", "y1"), rows,
        title="Suppressed by this box",
    )  # fmt: skip


VIEW = View(
    name="lineage",
    title="Lineage of a box",
    group=Group.DETECTION,
    summary="Traces a detection back to its anchor, or an anchor to the stage that drops it.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN, section 3.1",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
)
