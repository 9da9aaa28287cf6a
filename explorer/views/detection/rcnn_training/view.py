"""R-CNN's training on one photo: regions by role, and the three objectives fitted live."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.listing import listed, quantity
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.views.detection.rcnn_training import panes, tables
from explorer.views.detection.rcnn_training.fitting import fits, lack
from explorer.views.detection.rcnn_training.result import Disk, Result
from explorer.views.detection.rcnn_training.samples import (
    HINGE,
    LOG,
    OBJECTIVES,
    SQUARES,
    samples_of,
)
from explorer.views.shared.anchors import passed_words, truth_boxes
from explorer.views.shared.common import photo_of
from explorer.views.shared.regions.rcnn import MOST, rcnn_of, regions_of, warped_regions
from explorer.vision.pipelines import rcnn
from explorer.vision.proposals.methods import METHODS
from explorer.vision.race.feature_cache import FeatureCache
from explorer.vision.race.networks import BODY

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.vision.pipelines.rcnn import RCNN, Features
    from explorer.vision.race.lanes import WarpedRegions

EXPLANATION = r"""
R-CNN is trained in three stages with three **objectives**, each on regions of its own choice. Draw
a box around an object, or load ground truth: the proposals of this photo become examples of its
class, and all three are fitted while you watch. Without ground truth the view begins with the
proposal that has the highest margin of the shipped R-CNN.

**Which regions train what** (upper row; green positive, red negative, gray ignored; the titles
count them), by the IoU of a region with the nearest object of the class:

- **Fine-tuning** of the network: positive from 0.5, all others are background. Many positives are
  inexact, but a network needs many examples.
- **SVM**: only the object's own box is positive, regions below 0.3 are negative, those between are
  ignored.
- **Box regressor**: regions from 0.6, each with the move to its object.

**Objectives** (lower row). A score $s$ is $w^\top \phi + b$ with features $\phi$; $y$ is 1 or
$-1$; $t$ are the four numbers of the move:

$$ \begin{aligned} \mathrm{log} \quad & \textstyle\sum \log (1 + e^{-y s}) \\
\mathrm{hinge} \quad & \tfrac{1}{2} |w|^2 + C \textstyle\sum \max(0, \, 1 - y s) \\
\mathrm{squares} \quad & \tfrac{\lambda}{2} |W|^2 + \tfrac{1}{2} \textstyle\sum | t - W \phi |^2
\end{aligned} $$

Each curve begins at 1, the value at weights of zero. The log loss never reaches 0: every region
has a gradient. The hinge loss is exactly 0 beyond the margin, so that few regions decide on the
boundary, the support vectors. *Mean score by IoU* shows the difference that the choice of
regions makes: to the log loss a half-covering box is as good as an exact one, to the SVM it is not.
This is why the paper does not detect with the network's own softmax.

**Fitted and shown on one photo.** No photo was held out: boxes of other photos will score lower.
The paper has 5,011 photos and $C = 0.001$; a single object needs a larger $C$. The network stays
as it is, only a last layer is trained for the log loss. All negatives are used at once; the paper
finds the hard ones in turn, because they do not fit into memory.

**Features on disk.** SVMs and regressors are trained on features that were written before. The
table multiplies the bytes of a region by regions and photos. fc7 alone takes

$$ 4096 \cdot 4 \cdot 2000 \cdot 5011 \approx 164 \, \mathrm{GB} $$

which is usually quoted as 200 GB. One loss for all, trained end to end, is what Fast R-CNN changed.

**Sources.** Girshick et al. 2014, *Rich Feature Hierarchies*, section 2.3, appendix B (positive and
negative examples), appendix C (box regression); Girshick 2015, *Fast R-CNN*, section 1.1; Hsieh et
al. 2008, *A Dual Coordinate Descent Method*, algorithm 1 (the fit of the SVM).
"""

STEPS = 24
"""Results that are shown on the way."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Draw a box around each object of the class, or load a file.",
        pick=Pick.TRUTH,
    )  # fmt: skip
    target: str = param(
        "", "Class", "The class to train, as the ground truth names it. Empty: the one with most "
        "objects; without ground truth, the one with the highest margin.",
    )  # fmt: skip
    count: int = param(
        200, "Proposals", "How many proposals of selective search are examples.",
        low=20, high=MOST, step=10, log=True,
    )  # fmt: skip
    cost: float = param(
        0.1, "C of the SVM",
        "What an example on the wrong side of its margin costs. The paper has 0.001, with the "
        "regions of 5,011 photos.",
        low=0.0001, high=10.0, step=0.0001, log=True,
    )  # fmt: skip
    alpha: float = param(
        1000.0, "Lambda of the regressor",
        "The penalty of large weights in the ridge regression; 1000 in the paper.",
        low=1.0, high=100_000.0, step=1.0, log=True,
    )  # fmt: skip
    passes: int = param(
        120, "Passes", "How many passes over the regions each fit makes.",
        low=1, high=1000, step=1, log=True,
    )  # fmt: skip
    top: int = param(
        5, "Boxes shown", "How many proposals with the highest scores are drawn.",
        effect=Effect.DRAW, low=1, high=50,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    own = rcnn_of(scene)
    result = Result(photo_of(scene), card=own.card)
    yield Step(result, 0, 0, "Computing proposals")
    found = regions_of(scene, next(iter(METHODS)))
    boxes = found[: params.count]
    for regions in warped_regions(scene, own, boxes):
        if not regions.complete:
            note = f"{regions.done} of {len(boxes):,} proposals warped"
            yield Step(result, regions.done, len(boxes), note)
    seen = regions.features()
    chosen = _objects(scene, own, params, boxes, seen)
    pixels, others = scene.image.pixels, np.arange(len(boxes)) != chosen.row
    crops = rcnn.warp(pixels, chosen.boxes, own.side, next(own.body.parameters()).device)
    exact = rcnn.features(own.body, crops)
    both = rcnn.Features(
        np.concatenate([seen.vector[others], exact.vector]),
        np.concatenate([seen.map[others], exact.map]),
    )
    samples = samples_of(chosen.name, boxes[others], chosen.boxes, both)
    disk = _written(scene, own, regions, len(found))
    result = replace(result, samples=samples, disk=disk, example=chosen.example)
    every = max(1, params.passes // STEPS)
    size = (pixels.shape[0], pixels.shape[1])
    for fit in fits(
        samples, cost=params.cost, alpha=params.alpha, passes=params.passes, every=every,
        size=size, seed=scene.seed,
    ):  # fmt: skip
        note = f"pass {fit.passes} of {params.passes}"
        yield Step(replace(result, fit=fit), fit.passes, params.passes, note)


@dataclass(frozen=True, slots=True, eq=False)
class _Objects:
    """`boxes` (G, 4) of class `name`; an example is proposal `row`, which is then no proposal."""

    name: str
    boxes: Float32
    row: int = -1
    example: str = ""


def _objects(scene: Scene, own: RCNN, params: Params, boxes: Float32, seen: Features) -> _Objects:
    """Those of the ground truth, or an example where there is none."""
    height, width = scene.image.pixels.shape[:2]
    wanted = params.target.strip()
    truth = [b for b in counting(params.truth) if _on_photo(b, width, height)]
    if truth:
        names = Counter(box.label for box in truth)
        name = wanted or names.most_common(1)[0][0]
        chosen = [box for box in truth if box.label == name]
        if not chosen:
            known = listed([word for word in names if word]) or "no classes"
            raise ExplorerError(
                f"The ground truth has no object of the class {name!r}.",
                f"It has {known}: choose one of them, or draw another box.",
            )
        limits = np.array([width, height] * 2, np.float32)
        return _Objects(name or "object", np.clip(truth_boxes(chosen), 0, limits))
    margins = rcnn.scores(own.heads, seen)
    if wanted and wanted not in own.classes:
        raise ExplorerError(
            f"The shipped R-CNN has no class {wanted!r} to begin with.",
            f"Draw a box of it, or choose among: {listed(own.classes)}.",
        )
    label = own.classes.index(wanted) if wanted else int(margins.max(axis=0).argmax())
    row = int(margins[:, label].argmax())
    words = f"margin {margins[row, label]:+.2f}"
    return _Objects(own.classes[label], boxes[row : row + 1], row, words)


def _on_photo(box: Box, width: int, height: int) -> bool:
    """Whether a pixel or more of it is."""
    across, down = min(box.x1, width) - max(box.x0, 0), min(box.y1, height) - max(box.y0, 0)
    return across >= 1 and down >= 1


def _written(scene: Scene, own: RCNN, regions: WarpedRegions, found: int) -> Disk:
    """The features of the proposals in a file, where they are not already."""
    cache = FeatureCache()
    seen = regions.features()
    disk = Disk(seen.vector.shape[1] + seen.map.shape[1], regions.done, found)
    entry = cache.entry(scene.image.key, own.body, own.side, regions.boxes)
    try:
        kept = entry.complete or cache.write(entry, regions)
    except ExplorerError as error:
        return replace(disk, why=f"The features cannot be written: {error.message}")
    return replace(disk, size=entry.size) if kept else disk


def draw(result: Result, params: Params) -> Board:
    samples, fit, disk = result.samples, result.fit, result.disk
    shown = panes.region_panes(result, params.truth)
    if samples is None or fit is None or disk is None:
        return Board(tuple(shown), summary=f"No region is scored yet.{passed_words(params.truth)}")
    tuning = tables.tuning_table(result.card, samples.name)
    return Board(
        panes=(*shown, *panes.fit_panes(result, params.top)),
        plots=(
            tables.loss_plot(fit),
            result.cache.get(("scores", fit.passes), lambda: tables.score_plot(samples, fit)),
            result.cache.get("shapes", tables.shape_plot),
        ),
        tables=(
            tables.objective_table(samples, fit),
            tables.disk_table(disk),
            tables.region_table(samples, fit),
            *(() if tuning is None else (tuning,)),
        ),
        summary=_summary(result) + passed_words(params.truth),
        notes=_notes(result),
    )


def _summary(result: Result) -> str:
    samples, fit, disk = result.samples, result.fit, result.disk
    assert samples is not None
    assert fit is not None
    assert disk is not None
    parts = [f"{samples.name}: {quantity(len(samples.boxes), 'region')}"]
    best = ~samples.own
    if HINGE in fit.states:
        margins = fit.states[HINGE].output
        parts.append(
            f"SVM {margins[samples.own].max():+.2f} on the object, "
            f"{margins[best].max():+.2f} on the best proposal"
        )
    if SQUARES in fit.states and (near := best & (samples.roles[SQUARES] > 0)).any():
        before, after = panes.mean_ious(samples, fit.states[SQUARES], near)
        parts.append(f"regressor: mean IoU {before:.2f} to {after:.2f}")
    size = tables.size_words(tables.extrapolated(disk))
    parts.append(f"features of VOC 2007 at this rate: {size}")
    return " · ".join(parts)


def _notes(result: Result) -> tuple[str, ...]:
    assert result.samples is not None
    assert result.disk is not None
    notes = []
    if result.example:
        notes.append(
            f"This object is an example: the proposal with the highest margin of the shipped "
            f"R-CNN ({result.example}). Draw a box around an object, or load ground truth."
        )
    for name in OBJECTIVES:
        if missing := lack(result.samples, name):
            notes.append(
                f"{panes.TITLES[name]}: there is no {missing} region. Use more proposals, or "
                "another box."
            )
    return (*notes, result.disk.why) if result.disk.why else tuple(notes)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The regions, their roles, and what the fits give.

    Keys: `class`, `regions` (N, 4) float32 xyxy in the photo's pixels, the objects' own boxes last,
    `objects` (G, 4), `iou` (N,), `fine_tuning`, `svm` and `regressor` (N,) int8 with 1 = positive,
    -1 = negative, 0 = ignored; where they were fitted `probability` (N,), `margin` (N,) and
    `refined` (N, 4), and the values of the objectives by pass, `log_losses`, `hinge_losses` and
    `squares_losses`; `bytes_extrapolated` the features of VOC 2007's trainval at this photo's rate.
    """
    samples, fit = result.samples, result.fit
    if samples is None:
        return {}
    answer: dict[str, Any] = {
        "class": samples.name,
        "regions": samples.boxes,
        "objects": samples.objects,
        "iou": samples.iou,
        "fine_tuning": samples.roles[LOG],
        "svm": samples.roles[HINGE],
        "regressor": samples.roles[SQUARES],
    }
    if result.disk is not None:
        answer["bytes_extrapolated"] = tables.extrapolated(result.disk)
    for name, key, word in (
        (LOG, "probability", "log"), (HINGE, "margin", "hinge"), (SQUARES, "refined", "squares"),
    ):  # fmt: skip
        if fit is not None and name in fit.states:
            answer[key] = fit.states[name].output
            answer[f"{word}_losses"] = fit.losses[name]
    return answer


VIEW = View(
    name="rcnn_training",
    title="R-CNN training",
    group=Group.DETECTION,
    summary="The regions of the photo as examples of a class: softmax, SVM and regressor fitted "
    "live.",
    explanation=EXPLANATION,
    reference="Girshick et al. 2014, Rich Feature Hierarchies, section 2.3 and appendices B and C",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.PHOTO,
    uses=(BODY,),
)
