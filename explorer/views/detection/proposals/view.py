"""Where objects may be: the proposals of one method, or all methods beside a published table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Layer, Pane
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.proposals.charts import chosen, plots, tables
from explorer.views.detection.proposals.comparison import Comparison, compared, figures
from explorer.views.detection.proposals.params import (
    ALL,
    BOXES,
    COVERAGE,
    ONE,
    Params,
    Result,
    State,
)
from explorer.views.detection.proposals.table import (
    bars,
    numbers,
    published_table,
)
from explorer.views.detection.proposals.table import words as comparison_words
from explorer.views.shared.anchors import (
    BLUE,
    counted,
    passed_layer,
    passed_words,
    same,
    truth_boxes,
)
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.regions.proposals import (
    coverage,
    first_words,
    headed,
    order_of,
    proposal_boxes,
    proposals_of,
    readout,
    truth_layers,
)
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.recall import (
    average_recall,
    covered,
    first_ranks,
    recall_by_count,
)
from explorer.vision.proposals.bing_files import read_bing
from explorer.vision.proposals.methods import BING
from explorer.vision.race.networks import has_proposals

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.params import Box
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

**The published table.** *Compare: all methods* measures every method that runs here, on the open
photo or on the photos of a data set, and puts the numbers beside table 1 of Hosang et al. 2016. The
first 1,000 boxes of a method count.

- *s*: seconds for a photo; the paper's are those of computers of 2014.
- *repeatability*: the mean IoU of a box with the nearest one on a changed photo (made smaller,
  blurred, rotated, compressed, brighter or darker; the middle strength of each, see *Proposal
  recall*).
- *recall*: AR, twice the area under the recall for IoU from 0.5 to 1.
- *detection*: **AP50**, the mean over the classes of the average precision at IoU 0.5 (VOC's rules)
  when the boxes go through the second stage of a Faster R-CNN in place of its own proposals. That
  is Fast R-CNN (Girshick 2015). The head was trained with its RPN's boxes, so RPN has an advantage.

The paper's grades run from $\cdot$ (poorest) over one and two to three stars; a dash means no data.
Methods without a maintained package (CPMC, Endres, Geodesic, MCG, Rantalankila, Rigor) have their
published row only. A few objects of one photo say little about a method: choose a data set.

**Windows that are scored**

- *Edge Boxes* counts the contours that lie wholly inside a box (Zitnick & Dollar 2014). The paper
  uses structured edges from a trained random forest, which does not ship with OpenCV; here they are
  thinned gradients, which separate texture from outlines less well. Expect a lower recall than the
  paper's.
- *BING* (Cheng et al. 2014) resizes the photo such that a window is $8 \times 8$ and scores it by a
  template on the gradient's magnitude. The template is a weighted sum of two templates of $\pm 1$
  ($a_j^{+}$ has their ones, $\beta_j$ is the weight) and the gradient is cut to its first four bits
  ($b_k$), so that a score is a few bit counts:

$$ \begin{aligned} s &= \sum_j \beta_j \sum_k 2^{8-k} c_{jk} \\
c_{jk} &= 2 \langle a_j^{+}, b_k \rangle - |b_k| \end{aligned} $$

- *objectness* (Alexe et al. 2012) multiplies the likelihoods of four cues: saliency at several
  scales, color contrast with the surroundings, edges near the border, and superpixels that do not
  straddle it. It ranks 10,000 windows. The last cue of a window $w$, with $s$ for the superpixels:

$$ 1 - \sum_s \frac{\min(|s \, \setminus \, w|, \, |s \, \cap \, w|)}{|w|} $$

- *Rahtu* (Rahtu et al. 2011) ranks windows around one to three superpixels that touch, by
  straddling, superpixel boundaries and edges along the sides, and symmetry.

The template, likelihoods and weights of these three and of *Randomized Prim* were fitted by this
program to photos with boxes, not by the papers' authors. BING's own tables can be opened under
*BING tables*: OpenCV has them with its saliency module (`ObjNessB2W8MAXBGR`).

**Superpixels that are grouped**

- *selective search* merges the most similar neighboring regions repeatedly; every region formed
  gives a box (Uijlings et al. 2013). This is its fast mode with 8 hierarchies; *single* has one
  color space and one combination of similarity terms, *quality* has 80 hierarchies.
- *Randomized Prim* (Manen et al. 2013) grows random trees of superpixels. Neighbors join with a
  probability in proportion to how alike they are in color, border and size.
- *Felzenszwalb* (Felzenszwalb & Huttenlocher 2004) and *SLIC* (Achanta et al. 2012): a box around
  every superpixel, from a few large ones to many small ones.

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
proposals?*, section 2 (methods and baselines), table 1 (the published rows), sections 3 to 5
(repeatability, recall, detection); Cheng, Zhang, Lin and Torr 2014, *BING*, equations 4 to 6.
"""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    known = None
    if params.bing is not None and (params.compare == ALL or params.method == BING):
        known = read_bing(Path(params.bing.path))
    found = proposals_of(scene, params.method, params.most, known)
    result = Result(photo_of(scene), params.method, found)
    if params.compare == ONE:
        yield Step(result)
        return
    own = scene.network
    detector = own if has_proposals(own.info) else scene.network_of(params.detector)
    if detector.info.untrained and detector is not own:
        raise ExplorerError(
            f"{detector.info.title} has no trained weights here.", "Choose another detector."
        )
    steps = compared(
        scene, detector, params.folder, params.photos, repeat=params.repeat, known=known
    )
    for step in steps:
        yield Step(replace(result, comparison=step.value), step.done, step.total, step.note)


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
    if result.comparison is not None:
        return _comparison_board(result, result.comparison, pane, marked)
    return Board(
        panes=(pane,),
        plots=plots(result, params, state),
        tables=tables(result, params, state),
        summary=_summary(result, params, state) + passed_words(marked),
    )


def _comparison_board(
    result: Result, known: Comparison, pane: Pane, marked: tuple[Box, ...]
) -> Board:
    key = ("figures", marked, known.done, len(known.samples))
    measured = result.cache.get(key, lambda: figures(known, marked))
    return Board(
        panes=(pane,),
        plots=bars(measured),
        tables=(published_table(measured),),
        summary=comparison_words(known, measured, len(counting(marked))) + passed_words(marked),
        notes=known.notes,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """All proposals of the method; a level that is chosen leaves the others out.

    Keys: `boxes` (N, 4) float32 xyxy in the photo's pixels, the best first; `scores` (N,) and
    `levels` (N,) where there are some; `method`, `order`; with ground truth `truth` (G, 4),
    `best_iou` (G,) with the top boxes, `rank` (G,) of the first box that finds each object (0 =
    none) and `recall` (N + 1,) of the first 0 … N. Difficult objects and crowds are no part of it.

    Of all methods, `table_methods` are the R rows; `table_seconds`, `table_repeatability`,
    `table_recall` (AR) and `table_precision` (AP50) are (R,) float64 measured here, NaN where
    nothing is known; `published_seconds` (R,) and the grades `published_repeatability`,
    `published_recall`, `published_detection` (R,) from 0 to 3, -1 = no data.
    """
    truth = params.truth
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
    if result.comparison is not None:
        answer |= numbers(figures(result.comparison, truth))
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


def _selected(result: Result, params: Params) -> list[Layer]:
    row = chosen(result, params)
    if row is None:
        return []
    box = result.found.boxes[row : row + 1]
    return [Boxes(box, same(BLUE, 1), width=3.0, fill=0.12, selectable=False, name="selected")]


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
