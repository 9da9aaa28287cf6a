"""A detector that ships is trained on the classes of the user's own folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import Incomplete
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.engine.view import Action, BackgroundJob, Group, Needs, View
from explorer.training.tuning import wish as wishes
from explorer.training.tuning.background import KIND, kept
from explorer.training.tuning.run import survey, tune
from explorer.training.tuning.trainer import FROZEN
from explorer.training.tuning.wish import Wish, identity, params_of, wish_of
from explorer.views.learning.fine_tune import charts
from explorer.views.shared.learning.made import made_with

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.network_info import NetworkSpec
    from explorer.engine.actions import Made
    from explorer.engine.scene import Scene
    from explorer.training.tuning.report import Report

EXPLANATION = """
**Fine-tuning** takes a network that was trained on many photos and trains it a little longer on
yours. Most of its weights, those for edges, textures, parts and for where an object may be, suit
your classes as well; a few dozen photos and ten minutes on two processor cores are often enough.

**Your folder** holds photos with boxes: a COCO JSON, Pascal VOC's XML files or YOLO's label files.
Folders or files called *train* and *val* are used as such. Otherwise a fifth of the photos is
**held out**: the network is not trained on them, and AP50 is measured on them.

**What changes.** The last layer has one row of weights for each class. A class that the network has
already keeps its row (*dog*, and *sofa* for *couch*); every other class gets a new one, which
begins as the mean of all rows and a little noise. The classes of the network that your folder does
not have are dropped. The normalizations always stay as they are, and so do the parts under
*Frozen*. The loss is that of Faster R-CNN, for proposals p and boxes t:

$$ L = L_{cls}(p, p^*) + \\lambda \\, [p^* > 0] \\, L_{1}^{smooth}(t, t^*) $$

**Few photos** are varied: zoomed, shifted, mirrored, recolored, four of them put together. The
weights that are kept are a moving average over the steps.

**Reading it.** Each photo stands there twice, before the training and now, with the ground truth
dotted in white. *AP50* is the average precision at an IoU of 0.5, the mean over the classes. With
few photos held out it is uncertain: one box more or less changes it a lot. If the loss falls and
AP50 falls, too, the network overfits: train for a shorter time, freeze more, or add photos.

The training runs in the background: it goes on whatever you look at, and after a restart. When it
is done, the new network is in the catalog, under *Made here*.

Ren et al. 2015, *Faster R-CNN*, section 3; Girshick et al. 2014, *Rich Feature Hierarchies*,
section 2.3 (fine-tuning); Yosinski et al. 2014, *How transferable are features in deep neural
networks?*
"""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "Your photos with boxes: a COCO JSON, Pascal VOC XML files or YOLO label files.",
    )  # fmt: skip
    minutes: float = param(
        wishes.MINUTES, "Minutes",
        "How long the training works. The learning rate falls to zero over this time.",
        low=wishes.LEAST_MINUTES, high=wishes.MOST_MINUTES, step=0.1, log=True,
    )  # fmt: skip
    rate: float = param(
        wishes.RATE, "Learning rate",
        "The highest one, of the box head; other parts learn at 0.3 of it. Smaller is safer.",
        low=wishes.LEAST_RATE, high=wishes.MOST_RATE, log=True,
    )  # fmt: skip
    frozen: str = param(
        FROZEN[0], "Frozen",
        "What keeps its weights. The fewer photos there are, the more should be frozen.",
        choices=FROZEN,
    )  # fmt: skip
    held_out: float = param(
        wishes.HELD_OUT, "Held-out fraction",
        "The part of the photos that AP50 is measured on, where the folder has no val of its own.",
        low=0.0, high=wishes.MOST_HELD_OUT, step=0.05, advanced=True,
    )  # fmt: skip
    steps: int = param(
        0, "Steps",
        "Ends after this many steps instead of by time, which gives the same result on every run. "
        "0 = by time.",
        low=0, high=1_000_000, advanced=True,
    )  # fmt: skip
    training_seed: int = param(
        0, "Seed", "Of the held-out photos, the new rows and the training.",
        low=0, high=1_000_000, advanced=True,
    )  # fmt: skip
    photos: int = param(
        2, "Photos shown", "Held-out photos with their boxes before and now.",
        effect=Effect.DRAW, low=1, high=4,
    )  # fmt: skip
    min_score: float = param(
        0.5, "Min. score", "Detections with a lower score are not drawn. AP50 takes them all.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    truth: bool = param(
        True, "Ground truth", "Draws the ground-truth boxes, dotted and white.", effect=Effect.DRAW
    )


def _wish(spec: NetworkSpec, params: Params) -> Wish:
    """What is to be trained.

    Raises:
        Incomplete: No folder is chosen.
    """
    if params.folder is None:
        raise Incomplete("No folder is chosen.", "Choose a folder of photos with boxes.")
    return Wish(
        spec, Path(params.folder.path), params.minutes, params.rate, params.frozen,
        params.held_out, params.training_seed, params.steps,
    )  # fmt: skip


def _asked(job: Mapping[str, Any]) -> tuple[NetworkSpec, Params]:
    wish = wish_of(job)
    params = Params(
        FolderRef(str(wish.data)), wish.minutes, wish.rate, wish.frozen, wish.held_out,
        wish.steps, wish.seed,
    )  # fmt: skip
    return wish.spec, params


def compute(scene: Scene, params: Params) -> Generator[Step[Report], Any, None]:
    yield from kept(tune(_wish(scene.network.info.spec, params), scene.network))


def _survey(scene: Scene, params: Params) -> Generator[Step[Report], Any, None]:
    yield from survey(_wish(scene.network.info.spec, params), scene.network)


def use(scene: Scene, params: Params) -> Generator[Step[None], Any, Made]:
    """The network that a finished training with these parameters has made."""
    yield Step(None)
    return made_with(identity(_wish(scene.network.info.spec, params)))


def draw(report: Report, params: Params) -> Board:
    return Board(
        charts.photo_panes(report, params.photos, params.min_score, truth=params.truth),
        plots=charts.plots(report),
        tables=(charts.classes_table(report),),
        summary=_summary(report),
        notes=report.notes,
    )


def _summary(report: Report) -> str:
    words = [report.headline(), report.counts()]
    if report.steps:
        words.append(f"{report.seconds / 60:.1f} min, {quantity(report.steps, 'step')}")
    if report.made:
        words.append(f"in the catalog as {report.made}")
    return " · ".join(word for word in words if word)


def data(report: Report, params: Params) -> dict[str, Any]:
    """The content of the new network's card, and the curves.

    `losses` is (steps, 5) float64: seconds of work, then objectness, RPN boxes, classes and boxes.
    `curve` is (measurements, 2) float64: seconds of work and AP50.
    """
    return {**report.content(), "losses": report.losses, "curve": report.curve}


VIEW = View(
    name="fine_tune",
    title="Fine-tune",
    group=Group.LEARNING,
    summary="Trains the detector on the classes of your own folder of photos.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN, section 3; Girshick et al. 2014, R-CNN, section 2.3",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
    live=False,
    needs=Needs.NETWORK,
    actions=(
        Action(
            "train", "Train",
            "Starts the training in the background. It can be paused, canceled and resumed.",
        ),
        Action(
            "use", "Use this network",
            "Uses the network that the finished training has added to the catalog.", use,
        ),
    ),
    job=BackgroundJob(
        KIND, lambda spec, params: params_of(_wish(spec, params)), _asked, survey=_survey
    ),
)  # fmt: skip
