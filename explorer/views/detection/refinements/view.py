"""Multi-scale testing, flips, box refinement, voting and ensembles: what each one changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, NetworkRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.refinements import charts
from explorer.views.detection.refinements.variants import (
    AGAIN,
    DETECTIONS,
    ENSEMBLE,
    FLIP,
    PLAIN,
    PROPOSALS,
    REFINEMENTS,
    SCALES,
    TOGETHER,
    VOTING,
    Wish,
    plain_of,
    with_variant,
)
from explorer.views.shared.anchors import passed_words
from explorer.views.shared.before_after.changes import Look
from explorer.views.shared.before_after.pairs import LOST, NEW
from explorer.views.shared.common import score_threshold

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene
    from explorer.views.detection.refinements.charts import Compared
    from explorer.views.detection.refinements.variants import Result

EXPLANATION = r"""
A trained detector gives better boxes if it runs more than once on a photo, and on its own boxes.
Nothing is trained here: every refinement runs alone beside the plain detections, and then all of
them together.

- **Box refinement.** A detected box differs from the proposal that it came from. The second stage
  pools a new feature from the regressed box, and gives a new score and a new box. All old and new
  boxes go into the suppression. It needs a two-stage detector.
- **Box voting.** Each box that NMS keeps moves to the mean of the boxes $b_j$ of its class around
  it (IoU at least the threshold), suppressed ones included, weighted by their scores $s_j$:

$$ b = \frac{\sum_j s_j \, b_j}{\sum_j s_j} $$

- **Multi-scale testing.** The photo goes through the network in several sizes; the boxes are
  scaled back into the photo: small objects profit from a larger photo.
- **Flip.** The mirrored photo goes through the network, and its boxes are mirrored back:

$$ x_0' = W - x_1 \qquad x_1' = W - x_0 $$

- **Ensemble.** The boxes of several networks, for the classes that they have in common. With *union
  of proposals* two-stage detectors share all their proposals, and the scores and boxes of their
  heads are averaged.

**Reading it.** On the left the plain detections, on the right those of the chosen refinement. Green
boxes are new, red ones are lost, orange ones have another class. A dotted box is where a box was
before, and the arrow shows how its center moved. More boxes are not always better ones: with ground
truth there are average precision and TP, FP and FN at an IoU of 0.5, of this photo alone (use
*Evaluation* for a data set). The first table compares the refinements, the second one lists every
box.

**Context** is the fifth item of the ResNet paper's list: a feature of the whole photo stands beside
that of each box. It changes the head, which must be trained with it, so it cannot be switched on in
a network that was trained without. The last table has its published gain.

**What differs from the paper.** There, multi-scale testing takes the larger one of the features of
two neighboring sizes (maxout) for the same proposals; here the boxes of all sizes are joined, as is
usual for networks of any kind. The suppression of the union has the network's own IoU threshold
unless you set one (0.3 in the paper). Masks and keypoints are not refined.

**Sources.** He et al. 2016, *Deep Residual Learning*, appendix B and table 9; Gidaris and Komodakis
2015, *Object Detection via a Multi-Region and Semantic Segmentation-Aware CNN Model*, section 3
(iterative localization, box voting); He et al. 2014, *SPP-net*, section 4 (several scales).
"""

SIZES = ("0.5", "0.75", "1.25", "1.5", "2")


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    shown: str = param(
        TOGETHER, "Show", "The refinement that stands beside the plain detections.",
        effect=Effect.DRAW, choices=(TOGETHER, *REFINEMENTS),
    )  # fmt: skip
    refine: bool = param(
        True, "Box refinement", "The second stage takes its own boxes once more.",
    )  # fmt: skip
    rounds: int = param(
        1, "Rounds", "How often the boxes are regressed again; 1 in the paper.", low=1, high=4,
        when=lambda params, _: params.refine,
    )  # fmt: skip
    vote: bool = param(
        True, "Box voting", "Boxes move to the mean of those around them, weighted by score.",
    )  # fmt: skip
    voting_iou: float = param(
        0.5, "Voting IoU", "Boxes of the class with at least this IoU vote.",
        low=0.1, high=0.95, step=0.05, when=lambda params, _: params.vote,
    )  # fmt: skip
    multi_scale: bool = param(
        True, "Multi-scale testing", "The photo goes through the network in other sizes too.",
    )  # fmt: skip
    scales: tuple[str, ...] = param(
        ("0.75", "1.5"), "Sizes",
        "Factors of the size that the network uses; none chosen means all.",
        choices=SIZES, when=lambda params, _: params.multi_scale,
    )  # fmt: skip
    flip: bool = param(True, "Flip", "The mirrored photo goes through the network too.")
    ensemble: bool = param(
        True, "Ensemble", "Boxes of other networks with common classes are added.",
    )  # fmt: skip
    members: tuple[NetworkRef, ...] = param(
        (NetworkRef("lite-fasterrcnn"), NetworkRef("lite-retinanet")), "Networks",
        "Of the ensemble, besides the chosen one.",
        tasks=frozenset({"detection"}), most=4, when=lambda params, _: params.ensemble,
    )  # fmt: skip
    union: str = param(
        DETECTIONS, "Union of",
        "Detections: the boxes of all networks. Proposals: two-stage detectors classify the "
        "proposals of all, and their scores and boxes are averaged.",
        choices=(DETECTIONS, PROPOSALS), when=lambda params, _: params.ensemble,
    )  # fmt: skip
    nms: float | None = param(
        None, "NMS threshold",
        "Of the union: of two boxes of a class with a larger IoU, the lower-scoring one is "
        "suppressed. Default: the network's own threshold.",
        low=0.1, high=0.9, step=0.05, advanced=True,
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score are hidden. Default: 0.5, or the threshold on the network's "
        "card.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    same_box: float = param(
        0.5, "Same box from IoU",
        "A box is the same as a plain one if their IoU is at least this.",
        effect=Effect.DRAW, low=0.1, high=0.95, step=0.05, advanced=True,
    )  # fmt: skip
    labels: bool = param(True, "Labels", "Shows class and score at every box.", effect=Effect.DRAW)
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "With it, average precision, TP, FP and FN are compared.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected box", "The box that is selected in the table or on the photo.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="found",
    )  # fmt: skip


def _wish(params: Params) -> Wish:
    switches = {
        AGAIN: params.refine, VOTING: params.vote, SCALES: params.multi_scale,
        FLIP: params.flip, ENSEMBLE: params.ensemble,
    }  # fmt: skip
    return Wish(
        tuple(name for name in REFINEMENTS if switches[name]),
        tuple(float(word) for word in params.scales or SIZES),
        params.rounds, params.voting_iou, params.nms, params.members, params.union,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    wish = _wish(params)
    names = (*wish.on, *((TOGETHER,) if len(wish.on) > 1 else ()))
    result = plain_of(scene)
    yield Step(result, 1, 1 + len(names), names[0] if names else "")
    for done, name in enumerate(names, start=2):
        result = with_variant(scene, wish, result, name)
        yield Step(result, done, 1 + len(names), names[done - 1] if done <= len(names) else "")


def draw(result: Result, params: Params) -> Board:
    truth = params.truth if counting(params.truth) else ()
    least = result.info.score_threshold if params.score is None else params.score
    found = _all_compared(result, params, least)
    name = _shown(result, params)
    now = found[name]
    panes = charts.panes(result, now, name, params.truth, labels=params.labels)
    return Board(
        panes=panes if name != PLAIN else panes[:1],
        plots=charts.bars(result, found, truth),
        tables=(
            charts.variants_table(result, found, truth, least),
            now.change.table,
            charts.published_table(),
        ),
        summary=_summary(now, name) + passed_words(params.truth),
        notes=_notes(result, params, name),
    )


def _all_compared(result: Result, params: Params, least: float) -> dict[str, Compared]:
    look = Look(score=least, iou=params.same_box)
    return {
        name: result.cache.get((name, look), partial(charts.compared, result, variant, look))
        for name, variant in result.variants.items()
    }


def _shown(result: Result, params: Params) -> str:
    """The chosen variant; while it has not run, the last one that has."""
    names = list(result.variants)
    return params.shown if params.shown in names else names[-1]


def _summary(found: Compared, name: str) -> str:
    if name == PLAIN:
        return f"Plain: {quantity(len(found.change.pairs), 'detection')}"
    moved = found.moved
    far = f" by {np.mean(moved):.1f} px on average" if moved else ""
    return (
        f"{name[:1].upper()}{name[1:]}: {found.count(NEW)} new, {found.count(LOST)} lost, "
        f"{len(moved)} moved{far}, {found.scores_up(up=True)} with a higher score, "
        f"{found.scores_up(up=False)} with a lower one"
    )


def _notes(result: Result, params: Params, name: str) -> tuple[str, ...]:
    notes = [f"{name[:1].upper()}{name[1:]}: {why}" for name, why in result.missing.items()]
    if params.shown not in (name, TOGETHER) and params.shown not in result.missing:
        notes.append(f"{params.shown} is switched off or has not run yet.")
    notes += [] if result.nms is None or params.nms in (None, result.nms) else [
        f"The union has an NMS threshold of {params.nms:.2f}, the network {result.nms:.2f}: boxes "
        "are lost or new for this reason, too."
    ]  # fmt: skip
    return tuple(notes)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The detections of every variant that has run, whatever their score.

    Keys: `classes` the names by label, and for each variant, its name with underscores: `…_boxes`
    (N, 4) float32 xyxy in the photo's pixels, `…_labels` (N,) int64, `…_scores` (N,) float32,
    `…_passes` how many forward passes it takes.
    """
    answer: dict[str, Any] = {"classes": result.info.classes}
    for name, variant in result.variants.items():
        word = name.replace(" ", "_").replace("-", "_")
        answer |= {
            f"{word}_boxes": variant.found.xyxy,
            f"{word}_labels": variant.found.labels,
            f"{word}_scores": variant.found.scores,
            f"{word}_passes": variant.passes,
        }
    return answer


VIEW = View(
    name="refinements",
    title="Refinements",
    group=Group.DETECTION,
    summary="What multi-scale testing, flips, box refinement, voting and ensembles change.",
    explanation=EXPLANATION,
    reference="He et al. 2016, Deep Residual Learning, appendix B; Gidaris and Komodakis 2015",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
    live=False,
)
