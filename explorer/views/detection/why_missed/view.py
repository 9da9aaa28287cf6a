"""Why was this object missed? The stage that lost it, and what would bring it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.layers import Board, Boxes, Pane, Plot
from explorer.core.params import Box, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import trace_of
from explorer.engine.view import Group, View
from explorer.views.detection.why_missed.result import (
    DRAWN,
    EXAMPLE,
    OF_CLASS,
    TRUTH,
    Object,
    example_of,
    found_of,
    results_of,
)
from explorer.views.detection.why_missed.sentences import (
    cure,
    limits_table,
    reason,
    stages_table,
)
from explorer.views.shared.anchors import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    RED,
    passed_layer,
    passed_words,
    same,
)
from explorer.views.shared.common import class_name, photo_of, score_threshold, size_of
from explorer.views.shared.detection_params import class_choices
from explorer.views.shared.detections import detected
from explorer.views.shared.matches import YELLOW, matches

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Layer
    from explorer.engine.scene import Scene
    from explorer.views.detection.why_missed.result import Found, Result

EXPLANATION = r"""
An object that is not detected was lost somewhere. This view follows **all** boxes of the network
that fit the object, also those that were dropped on the way, and names the stage:

- **no anchor** comes near it: too small, too elongated, or at the border of the photo,
- **no box**: anchors come near, but no refined box has the IoU,
- the **RPN** drops the boxes that fit: their objectness is not among the highest of its level, a
  proposal suppresses them, or too many others score higher,
- the **class score** is below the threshold, or another class has a higher one,
- **NMS** of the last stage: a higher-scoring box of the same class suppresses it,
- too many **detections** score higher.

**Proof.** The stage is named at once. Then its limit alone (a threshold, a number of boxes) is
changed just as much as it takes, and the stages run again. The right pane shows the result: the
object in green, and in blue what comes with it. Where two limits must change, both are named. Where
none helps, the weights are to blame.

**Which object.** Drag a box around it and choose its class; or open ground truth, and every missed
object is listed: click one. Without either, the view begins with the highest-scoring detection
below the threshold, or the first one.

**Reading it.** Yellow is the object, orange the network's best box for it, red the box that
suppressed that one. The table counts the boxes after each stage, and those that fit:

$$ \mathrm{IoU}(\mathrm{box}, \mathrm{object}) \ge 0.5 $$

**Sources.** Ren et al. 2015, *Faster R-CNN*, section 3; Miller et al. 2022, *What's in the Black
Box? The False Negative Mechanisms Inside Object Detectors*.
"""


HIGHEST = "the class with the highest score there"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    box: Box | None = param(
        None, "Object", "Drag a box around an object that was not detected.", pick=Pick.DRAG
    )  # fmt: skip
    target: str = param(
        HIGHEST, "Class of the object", "Of the drawn box.",
        choices=lambda info: (HIGHEST, *class_choices(info)),
        when=lambda params, _: params.box is not None,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Every object of it that is not detected can be chosen.",
        pick=Pick.TRUTH,
    )  # fmt: skip
    selected: int | None = param(
        None, "Missed object", "Click one of the missed objects.",
        pick=Pick.SELECT, layer="missed", low=0, high=999,
        when=lambda params, _: params.box is None and bool(params.truth),
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score do not count. Default: the network card's threshold.",
        low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    iou: float = param(
        0.5, "IoU threshold", "From this IoU on a box has found the object.",
        low=0.1, high=0.95, step=0.05,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    least = score_threshold(scene.network.info) if params.score is None else params.score
    objects = _objects(scene, params, least)
    chosen = params.selected or 0
    chosen = chosen if params.box is None and chosen < len(objects) else 0
    for result in results_of(scene, objects, chosen, least, params.iou):
        proved = result.missed.proved
        yield Step(result, 2 if proved else 1, 2, "" if proved else "tries limits")


def _objects(scene: Scene, params: Params, least: float) -> tuple[Object, ...]:
    """The drawn one, those of the ground truth that were missed, or an example."""
    if params.box is not None:
        box = params.box
        label = "" if params.target == HIGHEST else params.target
        return (Object((box.x0, box.y0, box.x1, box.y1), label, DRAWN),)
    truth, info = counting(params.truth), scene.network.info
    if truth:
        found = detected(scene).found
        rows = np.flatnonzero(found.scores >= least)
        compared = matches(found, rows, truth, info, iou=params.iou)
        missed = [box for box, gone in zip(compared.truth, compared.missed, strict=True) if gone]
        if missed:
            return tuple(Object((b.x0, b.y0, b.x1, b.y1), b.label, TRUTH) for b in missed)
    size = size_of(photo_of(scene))
    return (example_of(found_of(trace_of(scene)), info.classes, least, size),)


def draw(result: Result, params: Params) -> Board:
    now = Pane("image", size_of(result.photo), _now_layers(result, params), title=_title(result))
    panes = [now]
    after = result.after if result.missed.proved else result.now
    if after is not None:
        words = f"With the limit changed: {1 + len(result.missed.others)} more"
        if not result.missed.proved:
            words = "With the limit changed: not computed yet"
        panes.append(
            Pane("after", size_of(result.photo), _after_layers(result, after), title=words)
        )
    bars = tuple(
        (row.title.removesuffix(OF_CLASS), row.fitting, BLUE) for row in result.stages
    )  # fmt: skip
    notes: tuple[str, ...] = ()
    if result.objects[0].origin == EXAMPLE:
        notes = (
            "This object is an example. Drag a box around an object that was not detected, or load "
            "ground truth.",
        )
    return Board(
        panes=tuple(panes),
        plots=(Plot("fitting", "Boxes that fit the object after each stage", bars=bars),),
        tables=(stages_table(result), limits_table(result)),
        summary=f"{reason(result)} {cure(result)}".rstrip() + passed_words(params.truth),
        notes=notes,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The answer.

    Keys: `object` (4,) xyxy in the photo's pixels, `class`, `reason` ("class score", "filter", …),
    `stage` of the filter, `in_rpn`, `limits` with the values of now and those that are needed
    (`proved`, or the first to be tried), `candidate` (n, 4) the box that the answer is about,
    `score` its class score, `answer` the sentence.
    """
    found = result.missed
    return {
        "object": np.array(result.objects[result.chosen].box, np.float32),
        "class": class_name(result.classes, found.label),
        "reason": found.reason,
        "stage": found.stage,
        "in_rpn": found.first,
        "limits": [
            {"limit": limit.key, "now": limit.now, "needed": limit.needed}
            for limit in found.limits
        ],
        "proved": found.proved,
        "candidate": result.candidate,
        "score": float(found.fits.scores[found.best]) if found.best >= 0 else 0.0,
        "answer": f"{reason(result)} {cure(result)}".rstrip(),
    }  # fmt: skip


def _title(result: Result) -> str:
    wanted = result.objects[result.chosen]
    name = wanted.label or class_name(result.classes, result.missed.label)
    count = len(result.objects)
    return f"{name}, {result.chosen + 1} of {count} missed" if count > 1 else f"Object: {name}"


def _now_layers(result: Result, params: Params) -> tuple[Layer, ...]:
    """The detections in gray, the object, its candidate, and what suppressed that one."""
    rows = np.flatnonzero(result.now.scores >= result.least)
    layers: list[Layer] = [
        result.photo,
        Boxes(
            result.now.boxes[rows], same(GRAY, len(rows)), _labels(result, result.now, rows),
            width=1.2, selectable=False, name="detections",
        ),
    ]  # fmt: skip
    if len(result.candidate):
        best = float(result.missed.fits.scores[result.missed.best])
        layers.append(
            Boxes(
                result.candidate, same(ORANGE, 1), (f"best box: {best:.2f}",), width=2.0,
                selectable=False, name="candidate",
            )
        )  # fmt: skip
    if len(result.suppressor):
        layers.append(
            Boxes(
                result.suppressor, same(RED, 1), ("suppressed it",), width=2.0, selectable=False,
                name="suppressor",
            )
        )  # fmt: skip
    layers += passed_layer(params.truth)
    boxes = np.array([each.box for each in result.objects], np.float32)
    layers.append(
        Boxes(
            boxes, same(YELLOW, len(boxes)), tuple(each.label for each in result.objects),
            tuple(range(len(boxes))), width=2.0, dotted=True, name="missed",
        )
    )  # fmt: skip
    return tuple(layers)


def _after_layers(result: Result, after: Found) -> tuple[Layer, ...]:
    """The detections with the limit changed: the object green, new ones blue, the others gray."""
    changed = result.missed.limits if result.missed.proved else ()
    least = next((limit.needed for limit in changed if limit.key == "score"), result.least)
    rows = np.flatnonzero(after.scores >= least)
    tints = same(GRAY, len(rows))
    tints[np.isin(rows, result.missed.others)] = BLUE
    tints[rows == result.missed.detection] = GREEN
    order = np.argsort(rows == result.missed.detection, kind="stable")
    box = np.array([result.objects[result.chosen].box], np.float32)
    return (
        result.photo,
        Boxes(
            after.boxes[rows[order]], tints[order], _labels(result, after, rows[order]), width=2.0,
            selectable=False, name="detections after",
        ),
        Boxes(box, same(YELLOW, 1), width=1.5, dotted=True, selectable=False, name="object"),
    )  # fmt: skip


def _labels(result: Result, found: Found, rows: Any) -> tuple[str, ...]:
    return tuple(
        f"{class_name(result.classes, int(label))} {score:.2f}"
        for label, score in zip(found.labels[rows], found.scores[rows], strict=True)
    )


VIEW = View(
    name="why_missed",
    title="Why was it missed?",
    group=Group.DETECTION,
    summary="The stage that lost an object, and the limit that would bring it back.",
    explanation=EXPLANATION,
    reference="Miller et al. 2022, What's in the Black Box?",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    parts=("backbone",),  # as torchvision's detectors have it: their stages can be traced
    data=data,
)
