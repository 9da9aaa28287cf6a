"""How much of a trained network to train: its head, its last stages, or all of it anew."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from explorer.core.layers import Board
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.engine.view import Action, BackgroundJob, Group, Needs, View
from explorer.training.tuning.background import kept
from explorer.training.unfreezing.background import KIND
from explorer.training.unfreezing.lane import EXTRACTION, LANES, TUNING
from explorer.training.unfreezing.run import compare, survey
from explorer.training.unfreezing.wish import (
    SAMPLES,
    Wish,
    identity,
    params_of,
    wish_of,
)
from explorer.views.learning.unfreeze import charts
from explorer.views.shared.learning.made import made_with

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.network_info import NetworkSpec
    from explorer.engine.actions import Made
    from explorer.engine.scene import Scene
    from explorer.training.unfreezing.report import Report

EXPLANATION = r"""
A trained network suits new classes in two ways. **Feature extraction** keeps all its weights and
trains a new head. **Fine-tuning** *unfreezes* the last stages as well: they begin with their
trained weights and learn at a share $s$ of the head's rate $\eta$:

$$ \theta_b \leftarrow \theta_b - s \, \eta \, \nabla L $$

**From scratch** begins with random weights everywhere. All three are trained here on the same
photos, in the same order, and measured on the same held-out photos, each a step in turn.

**Which is better?** It depends on how many photos there are and how much they are like those that
the network was trained on. With few photos extraction is hard to beat, since there is little to
overfit; with more, fine-tuning is better; from scratch needs by far the most. The published table
has one data set on which training from scratch is better than extraction and another on which it is
far worse. Your own rows stand beside it: they are of other photos and another network, so compare
the order, not the values.

**Photos.** Annotated photos (COCO, VOC, YOLO), of which the boxes are cut out, or a folder of
photos for each class. By default crops of the samples. The inputs are mirrored and shifted at
random.

**What changes.** Until *Train* is pressed only extraction and the bag of visual words are computed,
on features without variations. Normalizations keep their statistics in fine-tuning. *Smaller sets
first* repeats everything with 1, 3, 10 and 30 photos per class.

The training runs in the background and resumes after a restart. The fine-tuned network then is in
the catalog, under *Made here*.

Yosinski et al. 2014, *How transferable are features in deep neural networks?*; Razavian et al.
2014, *CNN Features off-the-shelf*; Zeiler and Fergus 2014, section 5.2; Cadene, *Deep Learning for
Visual Recognition* (master's thesis; both tables).
"""

NEXT = (
    "These are crops of the program's samples. Choose a folder of your own; Train adds fine-tuning "
    "and training from scratch."
)
BEGIN = "Extraction only so far: Train adds fine-tuning and training from scratch."


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "Photos with COCO, VOC or YOLO annotations, or a folder of photos for each class. By "
        "default crops of the samples.",
    )  # fmt: skip
    stages: int = param(
        3, "Unfrozen stages", "The last stages, which fine-tuning trains with the head.",
        low=1, high=8,
    )  # fmt: skip
    rate: float = param(
        5e-3, "Learning rate", "Of the head, the highest one.", low=1e-5, high=0.1, log=True
    )
    share: float = param(
        0.1, "Rate of the unfrozen stages", "As a share of that of the head. 0 = they stay frozen.",
        low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    scratch_rate: float = param(
        2e-3, "Rate from scratch", "Of all layers, from random weights.", low=1e-5, high=0.1,
        log=True,
    )  # fmt: skip
    steps: int = param(80, "Steps", "Of each training.", low=1, high=5000, log=True)
    most: int = param(
        20, "Photos per class", "Training photos of each class at most.", low=1, high=500, log=True
    )
    curve: bool = param(
        False, "Smaller sets first", "Repeats everything with 1, 3, 10 and 30 photos per class."
    )
    side: int = param(
        0, "Input side",
        "Smaller inputs train faster and are less accurate. 0 = the network's own, at most 128.",
        low=0, high=320, unit="px", advanced=True,
    )  # fmt: skip
    batch: int = param(8, "Batch size", "Photos of one step.", low=2, high=64, advanced=True)
    training_seed: int = param(
        0, "Seed", "Of the held-out photos, the weights and the order.", low=0, high=1_000_000,
        advanced=True,
    )  # fmt: skip
    shown: str = param(
        TUNING, "Predictions of", "Whose errors are marked on the held-out photos.",
        effect=Effect.DRAW, choices=LANES,
    )  # fmt: skip


def _wish(spec: NetworkSpec, params: Params) -> Wish:
    data = SAMPLES if params.folder is None else params.folder.path
    return Wish(
        spec, data, params.stages, params.rate, params.share, params.scratch_rate, params.side,
        params.steps, params.batch, params.most, params.curve, params.training_seed,
    )  # fmt: skip


def _asked(job: Mapping[str, Any]) -> tuple[NetworkSpec, Params]:
    wish = wish_of(job)
    params = Params(
        None if wish.data == SAMPLES else FolderRef(wish.data), wish.stages, wish.rate, wish.share,
        wish.scratch_rate, wish.steps, wish.most, wish.curve, wish.side, wish.batch, wish.seed,
    )  # fmt: skip
    return wish.spec, params


def compute(scene: Scene, params: Params) -> Generator[Step[Report], Any, None]:
    yield from kept(compare(_wish(scene.network.info.spec, params), scene.network))


def _survey(scene: Scene, params: Params) -> Generator[Step[Report], Any, None]:
    yield from survey(_wish(scene.network.info.spec, params), scene.network)


def use(scene: Scene, params: Params) -> Generator[Step[None], Any, Made]:
    """The network that a finished training with these parameters has made."""
    yield Step(None)
    return made_with(identity(_wish(scene.network.info.spec, params)))


def draw(report: Report, params: Params) -> Board:
    lane = params.shown if params.shown in report.predicted else EXTRACTION
    notes = report.notes
    if not report.learns:
        notes = (NEXT if report.source.startswith("crops of the samples") else BEGIN, *notes)
    return Board(
        (charts.tests_pane(report, lane),),
        plots=charts.plots(report),
        tables=charts.tables(report),
        summary=_summary(report),
        notes=notes,
    )


def _summary(report: Report) -> str:
    words = [f"{report.info.title} on {report.source}"]
    for lane in LANES:
        if not isnan(report.now(lane)):
            words.append(f"{lane} {report.now(lane):.1%}")
    if not isnan(report.words):
        words.append(f"bag of visual words {report.words:.1%}")
    if report.made:
        words.append(f"in the catalog as {report.made}")
    return " · ".join(words)


def data(report: Report, params: Params) -> dict[str, Any]:
    """The content of the new network's card, and the curves.

    `losses` is (steps, 4) float64: step, then extraction, fine-tuning and from scratch; `curve` is
    (measurements, 4) float64: step, then their held-out accuracies in [0, 1].
    """
    return {**report.content(), "losses": report.losses, "curve": report.curve}


VIEW = View(
    name="unfreeze",
    title="Extraction, fine-tuning, from scratch",
    group=Group.LEARNING,
    summary="Trains the head, the last stages too, or all from scratch, on the same photos.",
    explanation=EXPLANATION,
    reference="Yosinski et al. 2014, How transferable are features in deep neural networks?",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification"}),
    begins_with="efficientnet-lite0",
    data=data,
    live=False,
    needs=Needs.NETWORK,
    actions=(
        Action(
            "train", "Train",
            "Starts the three trainings in the background. They can be paused, canceled and "
            "resumed.",
        ),
        Action(
            "use", "Use this network",
            "Uses the fine-tuned network that the finished training has added to the catalog.", use,
        ),
    ),
    job=BackgroundJob(
        KIND, lambda spec, params: params_of(_wish(spec, params)), _asked, survey=_survey
    ),
)  # fmt: skip
