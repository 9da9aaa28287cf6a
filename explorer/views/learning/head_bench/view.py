"""A new head is trained on the frozen features of a network, while one looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from explorer.annotations.truth import counting
from explorer.core.layers import Board
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.core.storage.disk_cache import files_state
from explorer.engine.view import Action, Group, View
from explorer.training.heads.bench import Bench
from explorer.training.heads.body import Body
from explorer.training.heads.head import Plan
from explorer.training.heads.report import CURVE, Report
from explorer.training.heads.sets import CLASS, JOINTS, Wanted, set_for
from explorer.views.learning.head_bench import charts, panes
from explorer.views.learning.head_bench.params import ATTACHED, BOXES, Params
from explorer.views.shared.anchors import passed_words
from explorer.views.shared.common import photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.keeping import Kept, keeping

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Picture
    from explorer.engine.scene import Scene
    from explorer.networks.embedded.localizer import Attach
    from explorer.networks.made import NewNetwork

EXPLANATION = r"""
A network that was trained on many photos computes features that suit other photos as well. Its last
layer is removed and a new one, a **head**, is trained on your classes. The rest keeps its weights
(**feature extraction**), so the features of each photo are computed only once, and the head is
trained in seconds.

**Your photos.** Draw boxes on this photo and name their classes, or choose a folder: annotated
photos (COCO, VOC, YOLO) or a folder of photos for each class. Part of them is held out. Without
either the samples are used.

**Class head.** Softmax of a linear layer on the vector $f$ before the last layer, with the loss

$$ L_{cls} = -\log \frac{\exp(w_y^T f + b_y)}{\sum_k \exp(w_k^T f + b_k)} $$

**Box head.** Localization as regression: four numbers $t$, the corners as fractions of the input's
sides, from the last map, whose places are kept apart, or from the pooled features, in which they
are averaged. L2 is least squares; L1 and GIoU are the usual alternatives:

$$ L_2 = \sum_{i=1}^{4} (t_i - t_i^*)^2 $$

It has one box for all classes, or one per class, of which only that of the true class is trained.
*Class and box* adds both losses. As the features are frozen and the heads share no weights, they
are the same as if trained one after the other; with the same network unfrozen they are not.

**K boxes, K joints.** The same for exactly K objects, from left to right, or for K points. The
number of outputs is fixed: photos with another number of objects need a detector. Joints begin with
their mean over the training examples; with few of them little is gained on that.

**Reading it.** Frames are green where the class of a held-out example is correct and red where it
is wrong; ground-truth boxes are dotted, predicted ones orange. IoU is the mean over held-out
examples, PCK the share of joints within a tenth of the input. A head at the line of the *most
frequent class*, or of the *mean box*, has found nothing in the features.

**Bag of visual words.** The method before convolutional networks: SIFT descriptors of patches,
k-means, a histogram per photo, a linear SVM.

*Keep this network* puts it in the catalog under *Made here*. A training that was left goes on where
it was, with exactly the same numbers on the same number of threads; *Start over* forgets it.

Simonyan and Zisserman 2014, appendix A; Sermanet et al. 2014, *OverFeat*; Toshev and Szegedy 2014,
*DeepPose*; Razavian et al. 2014, *CNN Features off-the-shelf*; Csurka et al. 2004, *Visual
Categorization with Bags of Keypoints*; Rezatofighi et al. 2019 (GIoU).
"""

NEXT = (
    "These are the program's samples. Draw boxes with classes on this photo, or choose a folder of "
    "your own."
)

_KEPT = "heads"
MOST_BYTES = 2**28
"""Features that take more are computed again when a training is resumed."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What is known so far, and the open photo."""

    report: Report
    photo: Picture
    ready: bool
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield from _trained(scene, params)


def _trained(scene: Scene, params: Params) -> Generator[Step[Result], Any, Bench]:
    """Trains the heads, or takes those that this scene has trained with these parameters."""
    key = replace(params, chosen=None)
    kept: dict[Params, Bench] = scene.memo(_KEPT, dict)
    photo, ready = photo_of(scene), params.folder is None and not counting(params.boxes)
    found = kept.get(key)
    if found is not None:
        yield Step(Result(replace(found.report(), complete=True), photo, ready))
        return found
    title = scene.network.info.title
    yield Step(Result(Report(params.trained, (), "your photos", title), photo, ready))
    bench, place = _bench(scene, params)
    if (state := place.read()) is not None:
        bench.resume(state.arrays)
    for step in keeping(bench.run(), lambda: _write(bench, place)):
        yield Step(Result(step.value, photo, ready), step.done, step.total, step.note)
    kept.clear()
    kept[key] = bench
    return bench


def _bench(scene: Scene, params: Params) -> tuple[Bench, Kept]:
    """The training, and where its state is kept."""
    wanted = Wanted(
        params.trained, params.folder, params.boxes, scene.image.pixels, params.most,
        params.objects, scene.seed,
    )  # fmt: skip
    plan = Plan(
        params.trained, cast("Attach", ATTACHED[params.attached]), BOXES[params.per_class],
        params.loss, params.balance, params.steps, params.batch,
        params.joints_rate if params.trained == JOINTS else params.rate, params.optimizer,
        scene.seed,
    )  # fmt: skip
    body = Body(scene.network, whole=params.trained != CLASS)
    classes = set_for(wanted)
    bench = Bench(body, classes, plan, words=params.words, photo=scene.image.pixels)
    examples = [(e.label, e.name, e.path, e.boxes, e.points) for e in classes.train + classes.test]
    files = files_state(Path(e.path) for e in classes.train + classes.test if e.path)
    return bench, Kept(
        "heads", network=scene.network.info.digest, photo=scene.image.key, plan=asdict(plan),
        examples=examples, files=files, drawn=[asdict(box) for box in params.boxes],
    )  # fmt: skip


def _write(bench: Bench, place: Kept) -> None:
    arrays = bench.arrays()
    if sum(each.nbytes for each in arrays.values()) <= MOST_BYTES:
        place.write(Checkpoint({}, arrays))


def start_over(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets the kept training with these settings."""
    yield Step(None)
    _bench(scene, params)[1].forget()
    scene.memo(_KEPT, dict).clear()


def keep(scene: Scene, params: Params) -> Generator[Step[Any], Any, NewNetwork]:
    """The network with the heads that these parameters train."""
    bench = yield from _trained(scene, params)
    return bench.network()


def draw(result: Result, params: Params) -> Board:
    report = result.report
    shown = [
        panes.photo_pane(report, result.photo, params.boxes),
        result.cache.get("tests", lambda: panes.tests_pane(report)),
    ]
    if params.chosen is not None and params.chosen < len(report.tests):
        shown.append(panes.example_pane(report, params.chosen))
    return Board(
        tuple(shown),
        plots=charts.plots(report),
        tables=(charts.table(report),) if len(report.curve) else (),
        summary=_summary(report) + passed_words(params.boxes),
        notes=(*((NEXT,) if result.ready else ()), *report.notes),
    )


def _summary(report: Report) -> str:
    words = [f"{report.network} on {report.source}"]
    held = "held-out " if report.held_out else ""
    for name in CURVE[1:]:
        value = report.value(name)
        if not isnan(value) and name.startswith("held-out") == bool(held):
            words.append(f"{name} {value:.1%}")
    if not isnan(report.constant):
        words.append(f"{charts.constant_words(report)} {report.constant:.1%}")
    if not isnan(report.words):
        words.append(f"bag of visual words {report.words:.1%}")
    words.append(f"{report.train:,} examples")
    return " · ".join(words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """Metrics, and what is predicted.

    Keys: those of the new network's card; `losses` (steps, 2) float64 of class and box or joints;
    `curve` (measurements, 7) float64, columns as `curve_columns` names them; `labels` and
    `predicted` (M,) of the held-out examples, -1 = not known; `probabilities` (K,) float32 and
    `boxes` (B, 4) float32 xyxy in pixels of the open photo, empty before they are known.
    """
    report = result.report
    found = report.photo
    return {
        **report.content(),
        "losses": report.losses,
        "curve": report.curve,
        "curve_columns": list(CURVE),
        "labels": [test.label for test in report.tests],
        "predicted": [test.predicted for test in report.tests],
        "probabilities": [] if found is None else found.probabilities,
        "boxes": [] if found is None else found.boxes,
    }


VIEW = View(
    name="head_bench",
    title="Train a head on your photos",
    group=Group.LEARNING,
    summary="Trains a new class, box or joint head on frozen features of the network, in seconds.",
    explanation=EXPLANATION,
    reference="Razavian et al. 2014, CNN Features off-the-shelf; Simonyan and Zisserman 2014, "
    "appendix A",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification"}),
    begins_with="efficientnet-lite0",
    data=data,
    live=False,
    film=True,
    actions=(
        Action(
            "keep", "Keep this network",
            "Adds the network with its new head to the catalog, under Made here.", keep,
        ),
        Action(
            "start_over", "Start over",
            "Deletes the kept training with these settings and trains anew.", start_over,
        ),
    ),
)  # fmt: skip
