"""Where objects may be: the proposals of a dozen methods, one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.layers import Board, Boxes, Curve, Heat, Layer, Pane, Picture, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.anchors import (
    BLUE,
    GREEN,
    ORANGE,
    counted,
    passed_layer,
    passed_words,
    same,
    truth_boxes,
)
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.proposals import (
    ALL_RPN,
    RPN,
    coverage,
    first_words,
    headed,
    methods_of,
    object_name,
    order_of,
    proposal_boxes,
    proposals_of,
    readout,
    truth_layers,
)
from explorer.vision.classic.proposals import METHODS, Proposals
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.recall import (
    average_recall,
    covered,
    first_ranks,
    recall_by_count,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A classifier takes one box at a time, but a photo has millions of boxes. A **proposal method**
selects some hundreds or thousands that may contain an object of any class, so that only these have
to be classified.

**Reading it.** Light boxes rank first, dark ones last. Move *Top boxes* or press its play button to
see where the next ones lie; *coverage* counts the boxes over every pixel. Click a box for its
score. Draw a box around an object: the proposal with the highest IoU is green, an object missed by
all of the top boxes is red. An object is found if its IoU with one of them reaches the threshold:

$$ \mathrm{IoU}(A, B) = \frac{|A \, \cap \, B|}{|A \, \cup \, B|} $$

$$ \mathrm{recall} = \frac{\text{objects found}}{\text{objects}} $$

with $|\cdot|$ for the area.

**From the pixels**

- *selective search* merges the most similar neighboring regions repeatedly; every region formed
  gives a box (Uijlings et al. 2013). This is its fast mode; *single* has one color space and one
  similarity measure, *quality* has many more.
- *Edge Boxes* counts the contours that lie wholly inside a box (Zitnick & Dollar 2014). The paper
  uses structured edges from a trained random forest, which does not ship with OpenCV; here they are
  thinned gradients, which separate texture from outlines less well. Expect a lower recall than the
  paper's.
- *objectness* is one term of Alexe et al. 2012 (section 3.4): few superpixels should straddle the
  border of a window (below). It ranks 10,000 windows. The complete measure and BING need trained
  parameters that no maintained package ships.
- *Felzenszwalb* (Felzenszwalb & Huttenlocher 2004) and *SLIC* (Achanta et al. 2012): a box around
  every superpixel, from a few large ones to many small ones.

The objectness of a window $w$, with $s$ for the superpixels:

$$ 1 - \sum_s \frac{\min(|s \, \setminus \, w|, \, |s \, \cap \, w|)}{|w|} $$

**Independent of the photo** (baselines)

- *sliding window*: a regular grid at several sizes and three shapes.
- *k-means boxes*: clusters of the objects in the training photos of this program's networks ("R-CNN
  minus R", Lenc & Vedaldi 2015).
- *Gaussian* and *uniform* draw center, size and shape at random, with the mean and covariance, or
  within the range, of those k-means boxes (Hosang et al. 2016).

**From the network**: the region proposal network, before and after non-maximum suppression, for
each pyramid level (Ren et al. 2015). Its seconds are those of the backbone and the RPN.

Photos are first resized to at most 640 pixels on the longer side for all but the RPN. Seconds are
measured in this run on this computer.

**Sources.** Hosang, Benenson, Dollar and Schiele 2016, *What makes for effective detection
proposals?*, section 2, reviews most of these methods and the baselines.
"""

BOXES, COVERAGE, BOTH = "boxes", "coverage", "both"
MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    method: str = param(
        next(iter(METHODS)), "Method", "The proposal method. RPN needs a two-stage detector.",
        choices=methods_of,
    )  # fmt: skip
    top: int = param(
        50, "Top boxes", "How many of the top-ranked boxes are drawn and counted.",
        effect=Effect.DRAW, low=1, high=10_000, step=1, log=True, play=True,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Ground-truth boxes: the table shows which of them are found.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    iou: float = param(
        0.5, "Found if IoU >=", "An object is found when a box overlaps it with at least this IoU.",
        effect=Effect.DRAW, low=0.3, high=0.95, step=0.05,
    )  # fmt: skip
    show: str = param(
        BOXES, "Show", "The boxes, their number over every pixel, or both.",
        effect=Effect.DRAW, choices=(BOXES, COVERAGE, BOTH),
    )  # fmt: skip
    level: int = param(
        0, "Pyramid level", "Only boxes of this level; 1 is the finest, 0 means all.",
        effect=Effect.DRAW, low=0, high=8, step=1,
        when=lambda params, _: params.method in (RPN, ALL_RPN),
    )  # fmt: skip
    most: int = param(
        2000, "Max. proposals",
        "How many boxes the method may propose; some methods distribute them differently.",
        low=10, high=10_000, step=10, log=True, advanced=True,
    )  # fmt: skip
    opacity: float = param(
        0.7, "Coverage opacity", "Opacity of the coverage map over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True,
        when=lambda params, _: params.show != BOXES,
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected box", "Click a box to see its score and overlaps.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="proposals",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The proposals of one method."""

    photo: Picture
    method: str
    found: Proposals
    cache: DrawCache = field(default_factory=DrawCache)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """`rows` of the proposals that count (one level or all); `table` is `covered` of them.

    `best` (G,) is each object's best IoU with the top ones and `owners` (G,) its place in `rows`.
    """

    rows: NDArray[np.intp]
    top: int
    table: Float32
    best: Float32
    owners: NDArray[np.int64]


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    found = proposals_of(scene, params.method, params.most)
    yield Step(Result(photo_of(scene), params.method, found))


def draw(result: Result, params: Params) -> Board:
    marked, params = params.truth, replace(params, truth=counting(params.truth))
    state = _state(result, params)
    found, shown = result.found, state.rows[: state.top]
    layers: list[Layer] = [result.photo]
    if params.show != BOXES:
        layers.append(_coverage(result, params, shown))
    if params.show != COVERAGE:
        key = ("boxes", params.level, state.top)
        layers.append(result.cache.get(key, lambda: proposal_boxes(found, shown)))
    layers += truth_layers(params.truth, found.boxes[shown], state.best, state.owners, params.iou)
    layers += [*passed_layer(marked), *_selected(result, params)]
    title = first_words(result.method, state.top, len(state.rows))
    pane = Pane(
        "image", size_of(result.photo), tuple(layers), title,
        readout=readout(found, shown, params.truth),
    )  # fmt: skip
    return Board(
        panes=(pane,),
        plots=_plots(result, params, state),
        tables=_tables(result, params, state),
        summary=_summary(result, params, state) + passed_words(marked),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """All proposals of the method; a level that is chosen leaves the others out.

    Keys: `boxes` (N, 4) float32 xyxy in the photo's pixels, the best first; `scores` (N,) and
    `levels` (N,) where there are some; `method`, `order`; with ground truth `truth` (G, 4),
    `best_iou` (G,) with the top boxes, `rank` (G,) of the first box that finds each object (0 =
    none) and `recall` (N + 1,) of the first 0 … N. Difficult objects and crowds are no part of it.
    """
    params = replace(params, truth=counting(params.truth))
    state, found = _state(result, params), result.found
    answer: dict[str, Any] = {
        "method": result.method, "order": order_of(result.method), "boxes": found.boxes[state.rows],
    }  # fmt: skip
    if found.scores is not None:
        answer["scores"] = found.scores[state.rows]
    if found.levels is not None:
        answer["levels"] = found.levels[state.rows]
    if params.truth:
        answer["truth"] = truth_boxes(params.truth)
        answer["best_iou"] = state.best
        answer["rank"] = first_ranks(state.table, params.iou)
        answer["recall"] = recall_by_count(state.table, params.iou)
    return answer


def _state(result: Result, params: Params) -> State:
    found = result.found
    rows = np.arange(len(found.boxes))
    if params.level and found.levels is not None:
        last = int(found.levels.max(initial=0)) + 1
        rows = np.flatnonzero(found.levels == min(params.level, last) - 1)
    top = min(params.top, len(rows))
    wanted = truth_boxes(params.truth)
    table, overlaps = result.cache.get(
        ("truth", params.truth, params.level),
        lambda: (covered(wanted, found.boxes[rows]), iou_matrix(wanted, found.boxes[rows])),
    )
    owners = overlaps[:, :top].argmax(axis=1) if top else np.zeros(len(wanted), np.int64)
    return State(rows, top, table, table[:, top], owners)


def _coverage(result: Result, params: Params, shown: NDArray[np.intp]) -> Heat:
    return result.cache.get(
        ("coverage", params.level, len(shown), params.opacity),
        lambda: coverage(result.found.boxes[shown], size_of(result.photo), params.opacity),
    )


def _chosen(result: Result, params: Params) -> int | None:
    row = params.selected
    return row if row is not None and 0 <= row < len(result.found.boxes) else None


def _selected(result: Result, params: Params) -> list[Layer]:
    row = _chosen(result, params)
    if row is None:
        return []
    box = result.found.boxes[row : row + 1]
    return [Boxes(box, same(BLUE, 1), width=3.0, fill=0.12, selectable=False, name="selected")]


def _tables(result: Result, params: Params, state: State) -> tuple[Table, ...]:
    tables = []
    row = _chosen(result, params)
    if row is not None:
        tables.append(_box_table(result, params, row))
    if params.truth:
        tables.append(_object_table(params, state))
    tables.append(_proposal_table(result, params, state))
    return tuple(tables)


def _box_table(result: Result, params: Params, row: int) -> Table:
    found = result.found
    x0, y0, x1, y1 = found.boxes[row].tolist()
    rows: list[tuple[str, str]] = [("rank", f"{row + 1} of {counted(len(found.boxes))}")]
    if found.scores is not None:
        rows.append(("score", f"{found.scores[row]:.4f}"))
    if found.levels is not None:
        rows.append(("pyramid level", str(int(found.levels[row]) + 1)))
    rows += [
        ("corners", f"{x0:.1f}, {y0:.1f}, {x1:.1f}, {y1:.1f}"),
        ("size", f"{x1 - x0:.1f} x {y1 - y0:.1f} px"),
    ]
    overlaps = iou_matrix(truth_boxes(params.truth), found.boxes[row : row + 1])
    for number, overlap in enumerate(overlaps[:, 0]):
        rows.append((f"IoU with {object_name(params.truth, number)}", f"{overlap:.3f}"))
    return Table("box", ("", "this box"), tuple(rows), title="Selected box")


def _object_table(params: Params, state: State) -> Table:
    """Which objects are found at which IoU by which rank, among all boxes."""
    marks = (0.5, 0.7, 0.9)
    ranks = [first_ranks(state.table, mark) for mark in marks]
    rows: list[tuple[str | int | float, ...]] = []
    for number, box in enumerate(params.truth):
        size = f"{box.x1 - box.x0:.0f} x {box.y1 - box.y0:.0f}"
        places = tuple(f"#{rank[number]}" if rank[number] else "never" for rank in ranks)
        best = round(float(state.best[number]), 3)
        rows.append((object_name(params.truth, number), size, best, *places))
    columns = ("object", "size", "best IoU", *(f"IoU {mark} by" for mark in marks))
    return Table("objects", columns, tuple(rows), title="Objects")


def _proposal_table(result: Result, params: Params, state: State) -> Table:
    found, shown = result.found, state.rows[: min(state.top, MOST_ROWS)]
    best = iou_matrix(truth_boxes(params.truth), found.boxes[shown]).max(axis=0, initial=0.0)
    columns: tuple[str, ...] = ("rank", "size")
    rows: list[tuple[str | int | float, ...]] = []
    if found.scores is not None:
        columns += ("score",)
    if params.truth:
        columns += ("best IoU",)
    for place, row in enumerate(shown):
        x0, y0, x1, y1 = found.boxes[row].tolist()
        entry: tuple[str | int | float, ...] = (int(row) + 1, f"{x1 - x0:.0f} x {y1 - y0:.0f}")
        if found.scores is not None:
            entry += (round(float(found.scores[row]), 4),)
        if params.truth:
            entry += (round(float(best[place]), 3),)
        rows.append(entry)
    keys = tuple(int(row) for row in shown)
    return Table("proposals", columns, tuple(rows), title="Top boxes", layer="proposals", keys=keys)


def _plots(result: Result, params: Params, state: State) -> tuple[Plot, ...]:
    count = len(state.rows)
    if count == 0:
        return ()
    xs, marker = np.arange(1, count + 1, dtype=np.float64), float(state.top)
    plots = []
    if params.truth:
        shares = recall_by_count(state.table, params.iou)[1:]
        plots.append(
            Plot(
                "recall", "Recall", "boxes", f"recall at IoU {params.iou:.2f}",
                (Curve(xs, shares, color=GREEN),), log_x=True, marker=marker, steers="top",
            )
        )  # fmt: skip
    if result.found.scores is not None:
        scores = result.found.scores[state.rows].astype(np.float64)
        plots.append(
            Plot(
                "scores", "Scores", "rank", "score", (Curve(xs, scores, color=ORANGE),),
                log_x=True, marker=marker, steers="top",
            )
        )  # fmt: skip
    return tuple(plots)


def _summary(result: Result, params: Params, state: State) -> str:
    found = result.found
    if len(found.boxes) == 0:
        return f"{headed(result.method)} gives no proposals on this photo. Choose another method."
    words = f"{quantity(len(found.boxes), 'proposal')} in {found.seconds:.2f} s"
    if not params.truth:
        return f"{words} · draw a box around an object to see whether it is found"
    hits = int((state.best >= np.float32(params.iou)).sum())
    return (
        f"{words} · the top {counted(state.top)} find {hits} of "
        f"{quantity(len(params.truth), 'object')} at IoU {params.iou:.2f} · average recall "
        f"{average_recall(state.best):.2f}"
    )


VIEW = View(
    name="proposals",
    title="Proposals",
    group=Group.DETECTION,
    summary="Boxes that may contain objects, by many methods, and the objects that they find.",
    explanation=EXPLANATION,
    reference="Hosang et al. 2016, What makes for effective detection proposals?",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
