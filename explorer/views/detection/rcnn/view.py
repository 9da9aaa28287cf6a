"""R-CNN step by step on one proposal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.views.detection.rcnn import panes, sentences
from explorer.views.detection.rcnn.result import Result, best_row, nothing_yet, opened, scored
from explorer.views.shared.anchors import GRAY, GREEN, RED
from explorer.views.shared.common import photo_of
from explorer.views.shared.regions.rcnn import MOST, rcnn_of, regions_of, warped_regions
from explorer.vision.proposals.methods import METHODS
from explorer.vision.race.networks import BODY

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.views.detection.rcnn.result import Region
    from explorer.vision.pipelines.rcnn import RCNN

EXPLANATION = r"""
R-CNN turns a classifier into a detector: it classifies **regions**, one after the other. Click a
proposal on the photo, or drag a box of your own, and follow it from the pixels to the detection.

1. **Proposals** come from a search in the photo that uses no classes. Light boxes have a high
   margin.
2. **Warping.** The proposal is stretched to the square that the network takes, whatever its shape,
   with some of the photo around it: 16 of 227 pixels on every side in the paper, and the same part
   of the square here. A square of side $s$ with $p$ pixels of context shows, of a proposal that is
   $w$ pixels wide, the width

$$ w \, \frac{s}{s - 2 p} $$

and likewise for the height. What lies outside the photo has the mean color.

3. **Features** $\phi$: what the network computes for this square. Nothing is shared between
   proposals; this is what makes R-CNN slow.
4. **SVMs.** One for each class is positive or negative (yes or no) by the sign of its margin

$$ m_c = w_c^\top \phi + b_c $$

The map shows the products that are added. The bars are the margins of all classes.

5. **Box regression.** Four numbers move the proposal with center $x, y$ and sides $w, h$:

$$ \begin{aligned} x' &= x + w \, t_x & \quad y' &= y + h \, t_y \\
w' &= w \, e^{t_w} & h' &= h \, e^{t_h} \end{aligned} $$

All four are 0 where the proposal fits; $t_x > 0$ means that it is too far left, $t_w < 0$ that it
is too wide. Dotted is the proposal, solid the refined box, which is cut at the
borders of the photo afterwards.

6. **Detections** are what NMS leaves in each class, at an IoU of 0.3.

**What differs from the paper.** The network is EfficientNet-Lite0 on squares of 96 pixels, its
features are the mean of its last convolution instead of fc7, one regressor serves all classes, and
NMS comes after the regression. The SVMs were trained on 400 photos: most margins of correct boxes
are near 0. *R-CNN training* shows where SVMs and regressors come from.

**Sources.** Girshick, Donahue, Darrell and Malik 2014, *Rich Feature Hierarchies*, section 2 and
appendices A (warping), B (SVMs) and C (box regression).
"""

HIGHEST = "the class with the highest margin"
CLASSES = VOC_CLASSES[1:]


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    selected: int | None = param(
        None, "Proposal", "Click a proposal on the photo or in the table. By default the one with "
        "the highest margin.",
        pick=Pick.SELECT, layer="proposals", when=lambda params, _: params.box is None,
    )  # fmt: skip
    box: Box | None = param(
        None, "Own region", "Drag a box: it is warped and scored as a proposal would be.",
        pick=Pick.DRAG,
    )  # fmt: skip
    target: str = param(
        HIGHEST, "Class", "Whose SVM and regressor are shown; without a selected proposal, the "
        "proposal with the highest margin of this class.",
        choices=(HIGHEST, *CLASSES),
    )  # fmt: skip
    count: int = param(
        200, "Proposals", "How many proposals are warped and scored, in the order of the method.",
        low=10, high=MOST, step=10, log=True,
    )  # fmt: skip
    proposer: str = param(
        next(iter(METHODS)), "Proposal method", "Where the proposals come from.",
        choices=tuple(METHODS),
    )  # fmt: skip
    least: float = param(
        0.0, "Min. margin",
        "Of the detections. Many correct boxes have a margin a little below 0: lower it to have "
        "them detected.",
        effect=Effect.DRAW, low=-1.0, high=2.0, step=0.05,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    own = rcnn_of(scene)
    result = nothing_yet(photo_of(scene), own)
    yield Step(result, 0, 0, "Computing proposals")
    boxes = regions_of(scene, params.proposer)[: params.count]
    for regions in warped_regions(scene, own, boxes):
        some = _shown(scene, params, own, scored(result, own, boxes, regions.features()))
        note = "" if regions.complete else f"{regions.done} of {len(boxes):,} proposals scored"
        yield Step(some, regions.done, len(boxes), note)


def _shown(scene: Scene, params: Params, own: RCNN, result: Result) -> Result:
    """The same with the region that is asked for opened."""
    label = own.classes.index(params.target) if params.target in own.classes else None
    row: int | None
    if params.box is not None and (drawn := _inside(params.box, result)) is not None:
        return replace(result, region=opened(scene, own, drawn, None, label))
    row = params.selected
    if row is None or not 0 <= row < len(result.boxes):
        row = best_row(result.margins, label)
    return replace(result, region=opened(scene, own, result.boxes[row], row, label))


def _inside(box: Box, result: Result) -> Float32 | None:
    """The part of a drawn box on the photo; None where less than a pixel of it is."""
    height, width = result.photo.rgb.shape[:2]
    x0, x1 = (min(max(x, 0.0), width) for x in (box.x0, box.x1))
    y0, y1 = (min(max(y, 0.0), height) for y in (box.y0, box.y1))
    if x1 - x0 < 1 or y1 - y0 < 1:
        return None
    return np.array([x0, y0, x1, y1], np.float32)


def draw(result: Result, params: Params) -> Board:
    region = result.region
    if region is None:
        return Board((panes.proposal_pane(result),), summary="No proposal is scored yet.")
    return Board(
        panes=(
            panes.proposal_pane(result),
            panes.crop_pane(region),
            panes.feature_pane(result, region),
            panes.sum_pane(result, region),
            panes.regression_pane(result, region),
            panes.detection_pane(result, params.least),
        ),
        plots=(_margin_bars(result, region), _feature_bars(result, region)),
        tables=(_move_table(region), _proposal_table(result)),
        summary=_summary(result, region),
        notes=("Drag a larger box: this one is not on the photo.",)
        if params.box is not None and region.row is not None
        else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The opened region, and all proposals.

    Keys: `proposals` (N, 4) float32 in the photo's pixels, `margins` (N, C) and `refined` (N, C, 4)
    of every class, `classes` their C names; of the region `box` and `context` (4,), `crop` (side,
    side, 3) uint8, `features` (D,), `region_margins` (C,), `deltas` (C, 4) tx, ty, tw, th, `class`
    the name that is looked at, `verdict` the move in words; `detections` (M, 4), `labels` (M,) from
    1 and `scores` (M,) their margins.
    """
    found = panes.detections(result, params.least)
    answer: dict[str, Any] = {
        "proposals": result.boxes,
        "margins": result.margins,
        "refined": result.moved,
        "classes": result.classes,
        "detections": found.xyxy,
        "labels": found.labels,
        "scores": found.scores,
    }
    region = result.region
    if region is not None:
        answer |= {
            "box": region.box,
            "context": region.context,
            "crop": region.crop.rgb,
            "features": region.vector,
            "region_margins": region.margins,
            "deltas": region.deltas,
            "class": result.classes[region.label],
            "verdict": sentences.verdict(region.deltas[region.label].tolist()),
        }
    return answer


def _margin_bars(result: Result, region: Region) -> Plot:
    order = np.argsort(-region.margins, kind="stable").tolist()
    bars = tuple(
        (
            f"{result.classes[k]}? {_answer(region.margins[k])}",
            float(region.margins[k]),
            GREEN if region.margins[k] > 0 else (GRAY if k != region.label else RED),
        )
        for k in order
    )
    return Plot("margins", "Margin of each SVM", x_label="margin", bars=bars)


def _answer(margin: float) -> str:
    return "yes" if margin > 0 else "no"


def _feature_bars(result: Result, region: Region) -> Plot:
    parts = panes.contributions(result, region)
    bars = tuple(
        (f"feature {k}", float(parts[k]), RED if parts[k] > 0 else (90, 130, 230))
        for k in panes.strongest(np.abs(parts)).tolist()
    )
    rest = float(parts.sum()) - sum(value for _, value, _ in bars)
    bias = float(result.bias[region.label])
    title = f"Largest terms of the SVM of {result.classes[region.label]}"
    others = (f"{len(parts) - len(bars)} other features", rest, GRAY)
    return Plot(
        "terms", title, x_label="weight x feature", bars=(*bars, others, ("bias", bias, GRAY))
    )


def _move_table(region: Region) -> Table:
    x0, y0, x1, y1 = region.box.tolist()
    rows = sentences.rows(region.deltas[region.label].tolist(), (x1 - x0, y1 - y0))
    return Table(
        "move", ("number", "value", "the proposal is", "pixels"), rows, title="Box regression"
    )


def _proposal_table(result: Result, most: int = 20) -> Table:
    best = result.margins.max(axis=1)
    order = np.argsort(-best, kind="stable")[:most].tolist()
    rows = tuple(
        (
            f"#{row + 1}",
            result.classes[int(result.margins[row].argmax())],
            _answer(best[row]),
            round(float(best[row]), 2),
            " x ".join(f"{side:.0f}" for side in result.boxes[row, 2:] - result.boxes[row, :2]),
        )
        for row in order
    )
    return Table(
        "proposals", ("proposal", "best class", "positive", "margin", "size"), rows,
        title="Proposals with the highest margins", layer="proposals", keys=tuple(order),
    )  # fmt: skip


def _summary(result: Result, region: Region) -> str:
    which = "Drawn region" if region.row is None else f"Proposal {region.row + 1}"
    margin = region.margins[region.label]
    words = sentences.verdict(region.deltas[region.label].tolist())
    yes = int((result.margins > 0).any(axis=1).sum())
    return (
        f"{which}: {result.classes[region.label]}? {_answer(margin)}, {panes.signed(margin)} · "
        f"regressor: {words} · {yes} of {quantity(len(result.margins), 'proposal')} positive"
    )


VIEW = View(
    name="rcnn",
    title="R-CNN step by step",
    group=Group.DETECTION,
    summary="One proposal warped, described by features, judged by SVMs and moved by a regressor.",
    explanation=EXPLANATION,
    reference="Girshick et al. 2014, Rich Feature Hierarchies, section 2",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    needs=Needs.PHOTO,
    uses=(BODY,),
)
