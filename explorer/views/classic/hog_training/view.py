"""A HOG template is trained: crops, a linear SVM, hard negatives, errors on held-out windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, FolderRef, Pick, param
from explorer.engine.view import Group, Needs, View
from explorer.views.classic.hog_training import panes
from explorer.views.classic.hog_training.course import Course, Plan, Result
from explorer.views.classic.hog_training.sources import Wanted
from explorer.views.shared.anchors import passed_words
from explorer.views.shared.hog.templates import template_pane
from explorer.vision.hog.features import NORMS, PAPER, Settings
from explorer.vision.hog.files import written

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.step import Step
    from explorer.engine.scene import Scene
    from explorer.vision.hog.features import Norm

EXPLANATION = r"""
A **HOG template** is the weight vector $w$ of a linear SVM. It is trained on windows with the
object, the positives, and on windows of photos without it, the negatives:

$$ \min_{w, b} \; \tfrac{1}{2} \|w\|^2 + C \sum_i \xi_i $$

$$ \xi_i = \max(0, \; 1 - y_i (w^\top x_i + b)) $$

with $y_i = 1$ for positives and $-1$ for negatives. Examples with $\xi_i = 0$ beyond the margin do
not change the solution; the others are the **support vectors**. The SVM is trained by dual
coordinate descent: each step sets the multiplier of one example to its best value. The curve of the
objective and its lower bound meet where the solution is.

**Hard negatives.** A few windows at random are not enough: a photo has thousands, and most are
easy. So after each round the template is applied to all windows of all negative photos. Those with
a score above -1 lie inside the margin: they join the negatives, and the SVM is trained again. Their
crops show what the template confuses with the object.

**Test.** Crops and photos that are held out give the *detection error tradeoff*: the miss rate of
the positives against the false positives per window, for all thresholds. Lower is better. A typical
photo has 10,000 windows, so that 0.0001 per window is about one false positive per photo. Where no
crop is missed the curve is drawn at half a crop, because a logarithm has no 0.

**Cells.** *6 px, blocks of 3 x 3* describes a window more finely. On a quarter of INRIA's training
crops, which was kept apart, the recall at 0.001 false positives per window rises from 91.7% to
94.7%. Photos under *Negatives* count as much: on the set's own held-out crops, which are harder,
the finer cells reach 85.0% with 500 photos, 87.7% with 1,000 (*Max. negative photos*) and 88.3%
with 4,000, the larger ones 86.3% with 1,000. OpenCV's detector, which was trained on more crops,
finds 88.3%. A smaller *C* of 0.003 lowers the recall by 1.6 points.

**Try it.** Without a folder the positives are copies of the boxes drawn on this photo, or of its
middle: an *exemplar SVM*, which finds what looks like it. For a real training open a folder of
crops under *Positives*, or one of photos with COCO, VOC or YOLO annotations and the name of the
class, and a folder of photos without the object under *Negatives*. Subfolders named *validation* or
*test* are held out, else every fifth crop. Change the histograms and compare: fewer bins, signed
directions or no normalization give more errors (figures 3 and 4 of the paper).

**Sources.** Dalal and Triggs 2005, *Histograms of Oriented Gradients for Human Detection*, sections
4 and 6; Hsieh et al. 2008, *A Dual Coordinate Descent Method for Large-scale Linear SVM*, algorithm
1; Malisiewicz, Gupta and Efros 2011, *Ensemble of Exemplar-SVMs for Object Detection and Beyond*,
section 2.
"""

DATA, SVM, HISTOGRAMS, TESTED = "Data", "SVM", "Histograms", "Result"
STANDARD, FINER = "8 px, blocks of 2 x 2", "6 px, blocks of 3 x 3"
CELLS = {STANDARD: (8, 2), FINER: (6, 3)}
"""Side of a cell in pixels, and of a block in cells."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    positives: FolderRef | None = param(
        None, "Positives",
        "A folder of crops of the object, or of photos with COCO, VOC or YOLO annotations. By "
        "default boxes of this photo.",
        section=DATA,
    )  # fmt: skip
    negatives: FolderRef | None = param(
        None, "Negatives",
        "A folder of photos without the object. Where they are annotated, photos with the object "
        "are skipped. By default the samples.",
        section=DATA,
    )  # fmt: skip
    object: str = param(
        "person", "Class", "The class whose boxes are used, or avoided, in annotated folders.",
        section=DATA,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Boxes", "Boxes of the object on this photo, where no folder is open.",
        pick=Pick.TRUTH, section=DATA, when=lambda params, _info: params.positives is None,
    )  # fmt: skip
    border: int = param(
        0, "Border of crops", "Pixels of a crop beyond its window on each side (INRIA's: 8).",
        low=0, high=64, unit="px", section=DATA,
        when=lambda params, _info: params.positives is not None,
    )  # fmt: skip
    crops: int = param(
        400, "Max. positives", "Crops, or photos with them, in the training.",
        low=4, high=5000, log=True, advanced=True, section=DATA,
    )  # fmt: skip
    photos: int = param(
        200, "Max. negative photos", "A fifth of them is held out.",
        low=5, high=5000, log=True, advanced=True, section=DATA,
    )  # fmt: skip
    windows: int = param(
        10, "Windows per photo", "Negatives of the first round, at random places.",
        low=1, high=100, advanced=True, section=DATA,
    )  # fmt: skip
    rounds: int = param(
        2, "Rounds of hard negatives", "How often hard negatives are added.",
        low=0, high=5, section=SVM,
    )  # fmt: skip
    epochs: int = param(
        20, "Max. epochs", "Passes over all examples in a round.",
        low=1, high=200, log=True, section=SVM,
    )  # fmt: skip
    cost: float = param(
        0.01, "C", "The weight of violated margins: larger values fit the examples more closely.",
        low=0.0001, high=10.0, log=True, section=SVM,
    )  # fmt: skip
    score: float = param(
        0.0, "Score >=", "Windows of this photo with a lower score are not shown.",
        effect=Effect.DRAW, low=-2.0, high=5.0, step=0.05, section=TESTED,
    )  # fmt: skip
    round: int = param(
        0, "Hard negatives of round", "0 = the last one.",
        effect=Effect.DRAW, low=0, high=6, section=TESTED, kept=False,
    )  # fmt: skip
    cells: str = param(
        STANDARD, "Cells",
        "Smaller cells in larger blocks find more objects, and take about three times as long.",
        choices=tuple(CELLS), section=HISTOGRAMS,
    )  # fmt: skip
    bins: int = param(
        PAPER.bins, "Bins", "Directions that are told apart.",
        low=2, high=18, advanced=True, section=HISTOGRAMS,
    )  # fmt: skip
    norm: str = param(
        PAPER.norm, "Normalization", "How a block is normalized.",
        choices=NORMS, advanced=True, section=HISTOGRAMS,
    )  # fmt: skip
    signed: bool = param(
        PAPER.signed, "Signed directions", "Bins over 360° instead of 180°.",
        advanced=True, section=HISTOGRAMS,
    )  # fmt: skip
    root: bool = param(
        PAPER.root, "Square root first", "Takes the square root of the pixels first.",
        advanced=True, section=HISTOGRAMS,
    )  # fmt: skip


NMS_IOU = 0.3
"""Of the windows of the photo."""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    cell, block = CELLS[params.cells]
    norm = cast("Norm", params.norm)
    settings = Settings(cell, block, params.bins, params.signed, params.root, norm)
    wanted = Wanted(
        params.positives, params.negatives, params.object, params.border, params.crops,
        params.photos, params.truth, settings,
    )  # fmt: skip
    plan = Plan(params.rounds, params.epochs, params.cost, params.windows)
    yield from Course(scene, wanted, plan).run()


def draw(result: Result, params: Params) -> Board:
    shape = result.shape
    template = result.cache.get(
        "template",
        lambda: template_pane(result.template, (shape.rows, shape.columns), shape.settings.cell),
    )
    shown = (
        panes.photo_pane(result, params.score, NMS_IOU, params.truth),
        template,
        result.cache.get("positives", lambda: panes.crops_pane(result)),
        panes.hard_pane(result, params.round - 1),
    )
    height, width = shape.size
    words = [
        f"{quantity(result.positives, 'positive')} ({result.words})",
        f"window of {width} x {height}",
    ]
    if result.rounds:
        last = result.rounds[-1]
        words.append(f"round {last.number + 1}: {quantity(last.negatives, 'negative')}")
    tested = [each for each in result.rounds if each.det is not None]
    if tested and tested[-1].det is not None:
        det = tested[-1].det
        if det.negatives * panes.PER_WINDOW >= 1:
            recall = 1 - det.miss_rate(panes.PER_WINDOW)
            words.append(
                f"recall {recall:.1%} at {panes.PER_WINDOW:g} false positives per window "
                f"({det.positives:,} held-out crops, {det.negatives:,} windows)"
            )
    return Board(
        panes=shown,
        plots=(panes.det_plot(result), panes.objective_plot(result)),
        tables=(panes.round_table(result),),
        summary=" · ".join(words) + (passed_words(params.truth) if result.own else ""),
        notes=result.notes,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The template, the course of the objective and the errors.

    Keys: `cells` (rows, columns) of the window; `weights` (rows, columns, block, block, bins)
    float32 and `bias`, 0 before the first epoch; `cell`, `block`, `bins`, `signed`, `root` and
    `norm`, how its histograms are made (an npz with all of these is opened by the view `hog`);
    `primal` and `dual` (epochs,) float64; `false` and `missed` (N,) float64, the error tradeoff of
    the last round, empty before it is known; `boxes` (N, 4) float32 and `scores` (N,) float32 of
    the windows of the photo.
    """
    shape, template, found = result.shape, result.template, result.found
    blank = shape.template(np.zeros(shape.length, np.float32), 0.0)
    own = template or blank
    tested = [each.det for each in result.rounds if each.det is not None]
    return {
        "cells": (shape.rows, shape.columns),
        **written(own),
        "primal": np.array([each.primal for each in result.objectives]),
        "dual": np.array([each.dual for each in result.objectives]),
        "false": tested[-1].false if tested else np.zeros(0),
        "missed": tested[-1].missed if tested else np.zeros(0),
        "boxes": found.xyxy if found is not None else np.zeros((0, 4), np.float32),
        "scores": found.scores if found is not None else np.zeros(0, np.float32),
    }


VIEW = View(
    name="hog_training",
    title="HOG training",
    group=Group.CLASSIC,
    summary="Trains a HOG template with a linear SVM and hard negatives, and tests it.",
    explanation=EXPLANATION,
    reference="Dalal and Triggs 2005, Histograms of Oriented Gradients, section 4",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.PHOTO,
)
