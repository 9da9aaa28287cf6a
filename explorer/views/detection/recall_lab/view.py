"""Which proposals find the objects: recall of many methods, and whether they repeat themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Layer, Pane, Picture
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import trace_of
from explorer.engine.view import Group, View
from explorer.views.detection.recall_lab.charts import (
    COUNTS,
    Scored,
    method_table,
    recall_plots,
    scored,
    time_table,
    winner,
)
from explorer.views.detection.recall_lab.repeatability import RepeatResult, repeat, repeat_board
from explorer.views.shared.anchors import passed_layer, passed_words, truth_boxes
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.regions.proposals import (
    ALL_RPN,
    NAMES,
    RPN,
    first_words,
    methods_of,
    proposal_boxes,
    proposals_of,
    readout,
    truth_layers,
)
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.detection.recall import average_recall
from explorer.vision.proposals.methods import METHODS
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.proposals.methods import Proposals

EXPLANATION = r"""
An object that the proposals miss cannot be detected by the stages after them. Proposals are
therefore evaluated by **recall**: the fraction of objects found, as a function of the number of
boxes, the IoU and the time.

**Recall.** Draw boxes around the objects of the photo or load annotations. Then drag the lines: the
number of boxes in the first plot, the IoU in the second. All plots follow, and the photo shows the
boxes of one method (*Boxes of*): the box with the highest IoU with an object is green, a missed
object red.

With $o_g$ for the highest IoU of object $g$ with one of the first $N$ boxes, $G$ for the number of
objects, and $t$ for the IoU threshold,

$$ \mathrm{recall}(t) = \frac{1}{G} \, \left| \{ g : o_g \ge t \} \right| $$

$$ \begin{aligned} AR &= 2 \int_{0.5}^{1} \mathrm{recall}(t) \, dt \\
&= \frac{2}{G} \sum_g \max(o_g - 0.5, \; 0) \end{aligned} $$

That is the average recall (AR) of Hosang et al., exact; COCO's AR, the mean over ten thresholds
from 0.5 to 0.95, differs from it by 0.05 at most. The third plot marks the seconds that each method
took for all of its boxes and the recall that they reach. Few objects make coarse curves: one photo
tells little about a method, so compare on several. Objects marked as difficult or as a crowd do not
count.

**Repeatability.** A detector is easier to train with proposals that do not change when the photo
changes slightly. The photo is made smaller, blurred, rotated, compressed or brightened; every
method proposes again; the boxes are mapped back and compared with those of the original photo. With
$o_b$ for the highest IoU of box $b$ of the original photo with one of the new boxes, repeatability
is the area under the fraction of boxes with $o_b \ge t$, over $t$ from 0 to 1. That area is the
mean of $o_b$:

$$ R = \frac{1}{B} \sum_b o_b $$

taken over the $B$ boxes of one of ten bins of box size, and averaged over the bins, since large
boxes overlap more. Up to 1,000 boxes are compared. A rotated box is mapped back by its center and
keeps its sides; boxes whose center falls outside are ignored. Methods that do not depend on the
photo repeat by construction; random methods draw new boxes.

The methods are explained in the view *Proposals*. Seconds are measured in this run on this
computer.

**Sources.** Hosang, Benenson, Dollar and Schiele 2016, *What makes for effective detection
proposals?*, sections 3 (repeatability) and 4 (recall).
"""

RECALL, REPEAT = "recall", "repeatability"
BEST = "the best method"


def _shown(info: NetworkInfo) -> tuple[str, ...]:
    return (BEST, *methods_of(info))


def _recall(params: Params, _info: NetworkInfo | None) -> bool:
    return params.measure == RECALL


def _repeat(params: Params, _info: NetworkInfo | None) -> bool:
    return params.measure == REPEAT


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    measure: str = param(
        RECALL, "Measure",
        "Recall of the objects, or repeatability under changes of the photo.",
        choices=(RECALL, REPEAT),
    )  # fmt: skip
    methods: tuple[str, ...] = param(
        (), "Methods", "The methods to compare; none chosen means all.", choices=methods_of
    )
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Ground-truth boxes of the objects to find: draw or load them.",
        effect=Effect.DRAW, pick=Pick.TRUTH, when=_recall,
    )  # fmt: skip
    top: int = param(
        100, "Number of boxes", "How many boxes of each method are used and drawn.",
        effect=Effect.DRAW, low=1, high=10_000, step=1, log=True, play=True,
    )  # fmt: skip
    iou: float = param(
        0.5, "IoU threshold", "An object is found when a box overlaps it with at least this IoU.",
        effect=Effect.DRAW, low=0.5, high=1.0, step=0.01, play=True, when=_recall,
    )  # fmt: skip
    of: str = param(
        BEST,
        "Boxes of",
        "The method whose boxes are drawn on the photo.",
        effect=Effect.DRAW,
        choices=_shown,
    )
    change: str = param(
        "blur",
        "Change",
        "The change that is applied to the photo.",
        choices=tuple(CHANGES),
        when=_repeat,
    )
    strength: int = param(
        3, "Strength", "Strength of the change, in five levels.",
        effect=Effect.DRAW, low=1, high=5, step=1, play=True, when=_repeat,
    )  # fmt: skip
    most: int = param(
        2000, "Max. proposals", "How many boxes each method may propose.",
        low=10, high=10_000, step=10, log=True, advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RecallResult:
    """The proposals of the methods that are done."""

    photo: Picture
    runs: tuple[tuple[str, Proposals], ...]
    total: int
    missing: str
    cache: DrawCache = field(default_factory=DrawCache)


Result = RecallResult | RepeatResult


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    names, missing = _names(scene, params)
    if params.measure == REPEAT:
        yield from repeat(scene, names, params.change, params.most, missing)
        return
    photo, runs = photo_of(scene), []
    for number, name in enumerate(names):
        runs.append((name, proposals_of(scene, name, params.most)))
        following = names[number + 1] if number + 1 < len(names) else ""
        result = RecallResult(photo, _listed(runs), len(names), missing)
        yield Step(result, number + 1, len(names), following)


def _listed(runs: list[tuple[str, Proposals]]) -> tuple[tuple[str, Proposals], ...]:
    """In the order of menus, whatever came first."""
    return tuple(sorted(runs, key=lambda run: NAMES.index(run[0])))


def _patience(name: str) -> int:
    """The quick ones go first, so that there is something to see."""
    if name in METHODS:
        return 3 if name.endswith("quality") else 2 if METHODS[name].looks else 0
    return 1


def _names(scene: Scene, params: Params) -> tuple[list[str], str]:
    """The methods that can run here, quick ones first, and a sentence about those that cannot."""
    known = methods_of(scene.network.info)
    names = [name for name in known if name in (params.methods or known)]
    names.sort(key=_patience)
    if not {RPN, ALL_RPN} & set(names):
        return names, ""
    try:
        two = isinstance(trace_of(scene), TwoStage)
        words = f"{scene.network.info.title} is a single-stage detector: it has no RPN to compare."
    except ExplorerError as error:
        two, words = False, f"No RPN to compare: {error.message}"
    if two:
        return names, ""
    others = [name for name in names if name not in (RPN, ALL_RPN)]
    if not others:
        raise ExplorerError(words, "Choose other methods, or a network of the R-CNN family.")
    return others, words


def draw(result: Result, params: Params) -> Board:
    if isinstance(result, RepeatResult):
        return repeat_board(result, params.strength, params.top, params.of)
    notes = (result.missing,) if result.missing else ()
    marked, params = params.truth, replace(params, truth=counting(params.truth))
    methods = _scored(result, params)
    asked = max((len(found.boxes) for _, found in result.runs), default=0)
    best = winner(methods, params.top, params.iou) if params.truth else methods[0]
    chosen = next((method for method in methods if method.name == params.of), best)
    rows = np.arange(min(params.top, len(chosen.found.boxes)))
    pane = Pane(
        "image", size_of(result.photo),
        (*_layers(result, params, chosen, rows), *passed_layer(marked)),
        _title(chosen, params), readout=readout(chosen.found, rows, params.truth),
    )  # fmt: skip
    if not params.truth:
        return Board(
            (pane,), tables=(time_table(result.runs),),
            summary=_without_truth(result) + passed_words(marked), notes=notes,
        )  # fmt: skip
    top = max(1, min(params.top, asked))
    return Board(
        panes=(pane,),
        plots=recall_plots(methods, top, params.iou, max(asked, 1)),
        tables=(method_table(methods, params.top, params.iou, params.most),),
        summary=_summary(result, params, methods, best) + passed_words(marked),
        notes=notes,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The boxes of every method and what they are worth.

    Keys, recall: `truth` (G, 4), without difficult objects and crowds, and for every method by its
    name `boxes` (N, 4) float32 xyxy in the
    photo's pixels, with truth also `best_iou` (G,) with the first `top` ones and `average_recall`
    (3,) at 100, 1000 and 2000 boxes. Repeatability: `change`, `strengths` (S,), for every method
    `repeatability` (S,), NaN where it is not known yet.
    """
    if isinstance(result, RepeatResult):
        scores = {}
        for name, parts in result.runs:
            row = np.full(len(result.strengths), np.nan)
            row[: len(parts)] = [part.score for part in parts]
            scores[f"repeatability {name}"] = row
        return {"change": result.change, "strengths": np.array(result.strengths), **scores}
    params = replace(params, truth=counting(params.truth))
    answer: dict[str, Any] = {"truth": truth_boxes(params.truth)}
    for method in _scored(result, params):
        answer[f"boxes {method.name}"] = method.found.boxes
        if params.truth:
            answer[f"best_iou {method.name}"] = method.best(params.top)
            answer[f"average_recall {method.name}"] = np.array(
                [average_recall(method.best(count)) for count in COUNTS]
            )
    return answer


def _scored(result: RecallResult, params: Params) -> tuple[Scored, ...]:
    return result.cache.get(
        ("scored", params.truth), lambda: scored(result.runs, truth_boxes(params.truth))
    )


def _layers(
    result: RecallResult, params: Params, chosen: Scored, rows: NDArray[np.intp]
) -> list[Layer]:
    drawn = result.cache.get(
        ("boxes", chosen.name, len(rows)), lambda: proposal_boxes(chosen.found, rows)
    )
    wanted, boxes = truth_boxes(params.truth), chosen.found.boxes[rows]
    owners = iou_matrix(wanted, boxes).argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
    best = chosen.best(params.top)
    return [result.photo, drawn, *truth_layers(params.truth, boxes, best, owners, params.iou)]


def _title(chosen: Scored, params: Params) -> str:
    count = len(chosen.found.boxes)
    return first_words(chosen.name, min(params.top, count), count)


def _without_truth(result: RecallResult) -> str:
    done, total = len(result.runs), result.total
    of = f"{done} of {total} methods" if done < total else f"All {total} methods"
    return (
        f"{of} are done. Draw boxes around the objects, or load annotations, to see their recall."
    )


def _summary(
    result: RecallResult, params: Params, methods: tuple[Scored, ...], best: Scored
) -> str:
    share = best.recall(params.top, params.iou)
    boxes = quantity(params.top, "box", "boxes")
    hits, total = round(share * len(params.truth)), len(params.truth)
    words = (
        f"With {boxes} at IoU {params.iou:.2f}, {best.name} finds the most: "
        f"{hits} of {quantity(total, 'object')}, in {best.found.seconds:.2f} s"
    )
    if hits == 0:
        one_of = "the object" if total == 1 else f"any of the {total} objects"
        words = f"With {boxes} no method finds {one_of} at IoU {params.iou:.2f}"
    if len(methods) < result.total:
        words += f" · {len(methods)} of {result.total} methods so far"
    return words


VIEW = View(
    name="recall_lab",
    title="Proposal recall",
    group=Group.DETECTION,
    summary="Recall and repeatability of proposal methods, measured on your ground truth.",
    explanation=EXPLANATION,
    reference="Hosang et al. 2016, What makes for effective detection proposals?",
    best="detection",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
)
