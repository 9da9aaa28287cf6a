"""The life of one box: its anchor, its proposal, its detection, or what became of it instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes, Layer, Lines, Pane, Picture, Plot, Table
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.stages import trace_of
from explorer.engine.view import View
from explorer.views.detection.lineage.sentences import chapters, headline
from explorer.views.shared.anchors import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    WHITE,
    anchor_at,
    anchor_table,
    numbers,
    plain,
    same,
)
from explorer.views.shared.common import Kept, class_name, photo_of, size_of
from explorer.vision.detection.lineage import Biography, of_anchor, of_detection
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Colour, Float32
    from explorer.engine.scene import Scene
    from explorer.vision.detection.lineage import Fate
    from explorer.vision.trace import Trace

EXPLANATION = """
Every detection began as an **anchor**: a box that stands on a cell whatever the photo shows. This
view follows one of them.

**Forward, from a detection.** Choose a row of the table or a box on the photo. Dotted blue is the
anchor, orange the **proposal** that the first stage made of it, green the **detection** that the
second stage made of that. Arrows show what each stage did: they join the centres and the corners.
Red are the boxes that this one suppressed.

**Backwards, from an anchor.** Choose *an anchor* and click on the photo: the surest anchor of the
cell there is followed until it ends. It may be

- not among the best of its level, so that nobody looked at it again,
- too small, or its score under the network's threshold,
- **suppressed**: a surer box of the same level (second stage: of the same class) covers it with an
  IoU over the threshold of non-maximum suppression. The killer is red,
- background: the second stage looked and found no class sure enough,
- or a detection.

The four numbers of each stage move a box (xa, ya, wa, ha), divided by the weights of the coder:

    x = xa + wa·tx      w = wa·exp(tw)
    y = ya + ha·ty      h = ha·exp(th)

One-shot detectors have a single stage: the anchor becomes the detection at once.

Ren et al. 2015, *Faster R-CNN*, section 3.1; Girshick 2015, *Fast R-CNN*, section 2.
"""

DETECTION, ANCHOR = "a detection", "an anchor"
MOST_VICTIMS = 12
MOST_CLASSES = 8
MOST_OTHERS = 24
"""Other detections that are drawn; the table has all."""

NO_DETECTION = (
    "The network detects nothing here. Choose 'an anchor' and click on the photo to see why."
)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    start: str = param(
        DETECTION, "Start from", "A detection and back to its anchor, or any anchor and its fate.",
        choices=(DETECTION, ANCHOR),
    )  # fmt: skip
    selected: int | None = param(
        None, "Detection", "Its number: choose a row or a box. None: the surest, number 1.",
        pick=Pick.SELECT, layer="detections", low=1, high=9999,
    )  # fmt: skip
    place: Point | None = param(
        None, "Place of the anchor", "Click on the photo; needs 'an anchor'.",
        pick=Pick.CLICK, pane="image",
    )  # fmt: skip
    level: int = param(
        0, "Pyramid level", "The anchor's level, 1 is the finest; 0 means the surest one.",
        low=0, high=8, step=1, advanced=True,
    )  # fmt: skip
    prior: int = param(
        0, "Anchor of the cell", "Which of the cell's anchors, from 1; 0 means the surest one.",
        low=0, high=32, step=1, advanced=True,
    )  # fmt: skip
    victims: bool = param(
        True, "Suppressed boxes", "Draws what this box suppressed, or the box that suppressed it.",
        effect=Effect.DRAW,
    )  # fmt: skip
    arrows: bool = param(
        True, "Arrows", "Draws how far each stage moved the box.", effect=Effect.DRAW
    )


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """One biography in the photo's pixels; `chapters` are the rows of its table."""

    cell: Float32
    anchor: Float32
    moved: Float32
    box: Float32 | None
    label: str
    score: float
    first: Fate
    second: Fate | None
    killer: Float32 | None
    victims: Float32
    victim_scores: Float32
    victim_ious: Float32
    chances: tuple[tuple[str, float], ...]
    chapters: tuple[tuple[str, str, str], ...]
    headline: str
    detection: int | None
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`life` is None when there is no detection to follow."""

    photo: Picture
    boxes: Float32
    labels: tuple[str, ...]
    scores: Float32
    life: Life | None
    two: bool
    kept: Kept = field(default_factory=Kept)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    trace = trace_of(scene)
    (found,) = scene.output()
    classes = scene.network.info.classes
    life = _followed(scene, trace, params)
    yield Step(
        Result(
            photo_of(scene),
            scene.frame.inverse().boxes(plain(found["boxes"])),
            tuple(class_name(classes, int(label)) for label in numbers(found["labels"])),
            plain(found["scores"]),
            None if life is None else _told(scene, trace, life),
            isinstance(trace, TwoStage),
        )
    )


def draw(result: Result, params: Params) -> Board:
    life = result.life
    layers: list[Layer] = [result.photo, _others(result)]
    tables: tuple[Table, ...] = (_detections(result),)
    if life is None:
        pane = Pane("image", size_of(result.photo), tuple(layers))
        return Board(panes=(pane,), tables=tables, summary=NO_DETECTION)
    if params.victims:
        layers += _suppression(life)
    layers += _generations(result, life)
    if params.arrows:
        layers += _arrows(life)
    story = Table("life", ("step", "box", "what happened"), life.chapters, title="Its life")
    tables = (story, *tables)
    if len(life.victims):
        tables = (*tables, _victims(life))
    bars = tuple(
        (name, chance, GREEN if name == life.label else GREY) for name, chance in life.chances
    )
    plots = (Plot("classes", "Class probabilities", bars=bars, bar_range=(0.0, 1.0)),)
    return Board(
        panes=(Pane("image", size_of(result.photo), tuple(layers), title=_title(result, life)),),
        plots=plots if bars else (),
        tables=tables,
        summary=life.headline,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The followed box.

    Keys: `anchor`, `proposal`, `detection` (4,) xyxy in the photo's pixels (where there is one),
    `suppressed` (n, 4), `suppressed_iou` (n,), `probabilities` by class name (the surest first),
    `life` the story's rows and `anchor_index`. Empty when there is no detection.
    """
    life = result.life
    if life is None:
        return {}
    found: dict[str, Any] = {
        "anchor_index": life.index,
        "anchor": life.anchor,
        "suppressed": life.victims,
        "suppressed_iou": life.victim_ious,
        "probabilities": dict(life.chances),
        "life": life.chapters,
    }
    if result.two:
        found["proposal"] = life.moved
    if life.detection is not None:
        found["detection"] = life.moved if life.box is None else life.box
    return found


def _followed(scene: Scene, trace: Trace, params: Params) -> Biography | None:
    if params.start == DETECTION:
        count = len(trace.filter.survivors)
        if count == 0:
            return None
        return of_detection(trace, min(params.selected or 1, count) - 1)
    table = anchor_table(scene)
    index = None
    if params.place is not None:
        level = min(params.level, len(table.levels)) - 1
        index = anchor_at(table, params.place.x, params.place.y, level, params.prior - 1)
    return of_anchor(trace, int(table.best[0]) if index is None else index)


def _told(scene: Scene, trace: Trace, life: Biography) -> Life:
    back = trace.pyramid.frame.inverse()
    classes = scene.network.info.classes
    last = life.second or life.first
    killer = life.first.killer if life.first.killer is not None else last.killer
    chances: tuple[tuple[str, float], ...] = ()
    if life.probabilities is not None:
        order = np.argsort(-life.probabilities, kind="stable")[:MOST_CLASSES]
        chances = tuple(
            (_chance_name(classes, int(k)), float(life.probabilities[k])) for k in order
        )
    score = life.score
    if life.second is not None and life.probabilities is not None:
        score = float(life.probabilities[life.label])
    return Life(
        cell=back.boxes(life.cell[None]),
        anchor=back.boxes(life.anchor[None])[0],
        moved=back.boxes(life.moved[None])[0],
        box=None if life.box is None else back.boxes(life.box[None])[0],
        label=class_name(classes, life.label),
        score=score,
        first=life.first,
        second=life.second,
        killer=None if killer is None else back.boxes(killer[None]),
        victims=back.boxes(last.victims),
        victim_scores=last.victim_scores,
        victim_ious=last.victim_ious,
        chances=chances,
        chapters=chapters(trace, life, classes),
        headline=headline(trace, life, classes),
        detection=life.detection,
        index=life.index,
    )


def _chance_name(classes: tuple[str, ...], label: int) -> str:
    return "background" if label == 0 else class_name(classes, label)


def _title(result: Result, life: Life) -> str:
    if life.detection is not None:
        return f"Detection {life.detection + 1}: {life.label} {life.score:.2f}"
    return f"Anchor {life.index}"


def _others(result: Result) -> Boxes:
    boxes = result.boxes[:MOST_OTHERS]
    keys = tuple(range(1, len(boxes) + 1))
    return Boxes(boxes, same((205, 205, 205), len(boxes)), keys=keys, width=1.0, name="detections")


def _generations(result: Result, life: Life) -> list[Layer]:
    """Anchor, proposal and detection, each with its name."""
    ended = life.detection is None
    layers: list[Layer] = [
        Boxes(life.cell, same(WHITE, 1), width=1.5, fill=0.3, selectable=False, name="cell"),
        _box(life.anchor, BLUE, "anchor", dotted=True),
    ]
    if not result.two:
        words = "box" if ended else f"{life.label} {life.score:.2f}"
        return [*layers, _box(life.moved, ORANGE if ended else GREEN, words, width=3.0)]
    alive = life.first.stage == ""
    layers.append(_box(life.moved, ORANGE, "proposal" if alive else "moved anchor"))
    if life.box is not None and life.detection is not None:
        layers.append(_box(life.box, GREEN, f"{life.label} {life.score:.2f}", width=3.5))
    elif life.box is not None:
        layers.append(_box(life.box, GREY, f"{life.label} {life.score:.2f}"))
    return layers


def _box(
    box: Float32, tint: Colour, words: str, *, dotted: bool = False, width: float = 2.5
) -> Boxes:
    return Boxes(
        box[None].astype(np.float32), same(tint, 1), (words,), width=width, dotted=dotted,
        selectable=False, name=words,
    )  # fmt: skip


def _arrows(life: Life) -> list[Layer]:
    steps = [(life.anchor, life.moved, ORANGE)]
    if life.box is not None:
        steps.append((life.moved, life.box, GREEN if life.detection is not None else GREY))
    return [
        Lines(_joined(before, after), same(tint, 3), width=2.0, arrow=True, name="moves")
        for before, after, tint in steps
    ]


def _joined(before: Float32, after: Float32) -> Float32:
    """(3, 4): centre to centre, upper left to upper left, lower right to lower right."""

    def points(box: Float32) -> Float32:
        return np.array([(box[:2] + box[2:]) / 2, box[:2], box[2:]], np.float32)

    return np.concatenate([points(before), points(after)], axis=1)


def _suppression(life: Life) -> list[Layer]:
    layers: list[Layer] = []
    few = life.victims[:MOST_VICTIMS]
    if len(few):
        layers.append(
            Boxes(few, same(RED, len(few)), width=1.0, selectable=False, name="suppressed")
        )
    if life.killer is not None:
        layers.append(
            Boxes(
                life.killer, same(RED, 1), ("killer",), width=3.0, selectable=False, name="killer"
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


def _victims(life: Life) -> Table:
    rows = tuple(
        (round(float(score), 3), round(float(iou), 3), *(round(float(side), 1) for side in box))
        for score, iou, box in zip(life.victim_scores, life.victim_ious, life.victims, strict=True)
    )
    return Table(
        "suppressed", ("score", "IoU", "x0", "y0", "x1", "y1"), rows,
        title="Boxes that it suppressed",
    )  # fmt: skip


VIEW = View(
    name="box_biography",
    title="Life of a box",
    group="Detection, opened",
    summary="From a detection back to its anchor, and from any anchor to what became of it.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN, section 3.1",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
)
