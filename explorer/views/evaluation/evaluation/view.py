"""How good a network is on a folder of photos with ground truth."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError, Incomplete
from explorer.core.layers import Board
from explorer.core.params import Effect, param
from explorer.core.values import FolderRef
from explorer.engine.view import BackgroundJob, Group, Needs, View
from explorer.evaluation.background import KIND, params_of, wish_of
from explorer.evaluation.datasets import open_source
from explorer.evaluation.report import counted, sentences
from explorer.evaluation.run import Wish, evaluate
from explorer.views.evaluation.evaluation import charts
from explorer.views.evaluation.evaluation.tables import figures_table, photos_table

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.core.step import Step
    from explorer.engine.scene import Scene
    from explorer.evaluation.report import Report

EXPLANATION = r"""
The network runs on every photo of a data set, and its predictions are compared with the ground
truth. In the window this is a background job: you can do something else meanwhile.

**Detection.** The detections of a class are taken in the order of their scores, the highest first.
Each one is compared with the object of its class that it overlaps most. It is a true positive (TP)
if their IoU is at least 0.5 and no earlier detection has matched the object, else a false positive
(FP); an object without a match is a false negative (FN). Objects marked as difficult or as a crowd
count neither way.

$$ \mathrm{precision} = \frac{TP}{TP + FP} $$

$$ \mathrm{recall} = \frac{TP}{TP + FN} $$

**Average precision** is the area under the curve of precision over recall. With $p_k$ and $r_k$ for
precision and recall after the first $k$ detections, and $r_0 = 0$,

$$ AP = \sum_k \, (r_k - r_{k-1}) \, \max_{j \ge k} \, p_j $$

The maximum makes precision fall monotonically. `voc_AP` is this area at an IoU of 0.5. `AP` is
COCO's: the mean over ten IoU thresholds from 0.5 to 0.95, each curve sampled at 101 recalls, where
a detection may match any unmatched object. Both are means over the classes.

**Instance masks.** For a network with masks and a data set with outlines (COCO's polygons or run
lengths), `mask_AP` and its relatives are the same metrics with the IoU of the masks' pixels in the
place of that of the boxes.

**Keypoints** of people, where network and data have them. The object keypoint similarity (OKS)
takes the place of the IoU, with the distance $d_i$ of keypoint $i$ from the labeled one, the area
$A$ of the person and a constant $\sigma_i$ for how far apart people mark that keypoint; the mean is
over the labeled ones:

$$ \mathrm{OKS} = \mathrm{mean}_i \, \exp \left( - \frac{d_i^2}{8 \, A \, \sigma_i^2} \right) $$

`PCK@0.2` is the percentage of correct keypoints: those within 0.2 of the torso's length, from the
left shoulder to the right hip. Keypoints of people who were not detected are wrong. A pose network
is given a crop around each annotated person.

**Classification.** `top1`: the class with the highest probability is correct; `top5`: the true
class is among the five with the highest probabilities.

**Segmentation.** The IoU of a class counts pixels, with $n_{ij}$ for those of class $i$ that were
predicted as class $j$; `mIoU` is its mean over the classes of the data:

$$ \mathrm{IoU}_i = \frac{n_{ii}}{\sum_j n_{ij} + \sum_j n_{ji} - n_{ii}} $$

`pixel_accuracy` is the fraction of all pixels whose class is correct. `boundary_F` says how well
the borders are met: precision is the fraction of the predicted border of a class within 0.75% of
the photo's diagonal of the true one, recall the reverse, and $F = 2PR / (P + R)$; it is the mean
over the photos with the class, and over the classes.

**Confusion matrix.** The row is the true class, the column the predicted one; what lies off the
diagonal is wrong. For detections the last row and column stand for the background: objects without
a detection, and detections without an object.

**Worst photos first.** Click a row to see the photo with the network's prediction.

**Sources.** Everingham et al. 2010, *The Pascal Visual Object Classes Challenge*, section 4.2 (the
whole area since VOC 2010); Lin et al. 2014, *Microsoft COCO*; Yang and Ramanan 2013, *Articulated
Human Detection with Flexible Mixtures of Parts*, section 8 (PCK); Russakovsky et al. 2015,
*ImageNet Large Scale Visual Recognition Challenge*, section 4; Long, Shelhamer and Darrell 2015,
*Fully Convolutional Networks*, section 5; Csurka et al. 2013, *What is a good evaluation measure
for semantic segmentation?*, section 2.
"""

ALL = "all"
EVERY_CLASS = "all classes"


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (EVERY_CLASS, *dict.fromkeys(info.classes[1:]))


def _detector(_params: Params, info: NetworkInfo | None) -> bool:
    return info is None or info.task == "detection"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Data set",
        "A folder with a folder of photos for every class, with COCO, Pascal VOC or YOLO "
        "annotations, with class masks, or with an npz of photos.",
    )  # fmt: skip
    annotations: str = param(
        "", "Annotation file",
        "The name of a COCO file in the folder, or of an npz, where there are several.",
        advanced=True,
    )  # fmt: skip
    images: FolderRef | None = param(
        None, "Folder of the photos",
        "Where the photos are that the annotations name, if not beside them.",
        advanced=True,
    )  # fmt: skip
    photos: str = param(
        "500", "Max. photos",
        "At most this many photos, sampled at random with a fixed seed.",
        choices=("100", "500", "2000", ALL),
    )  # fmt: skip
    min_score: float = param(
        0.5, "Min. score",
        "Detections with a lower score count neither in the confusion matrix nor in the photos. "
        "Average precision uses all of them.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, when=_detector,
    )  # fmt: skip
    of: str = param(
        EVERY_CLASS, "Class",
        "Shows the curve and the worst photos of one class.",
        effect=Effect.DRAW, choices=_classes, when=_detector,
    )  # fmt: skip
    normalize: bool = param(
        True, "Normalize rows",
        "Divides every row of the confusion matrix by its sum, so that rare classes can be seen.",
        effect=Effect.DRAW,
    )  # fmt: skip


def _wish(spec: NetworkSpec, params: Params) -> Wish:
    """What is to be evaluated.

    Raises:
        Incomplete: No data set is chosen.
        ExplorerError: The folder has no file of that name.
    """
    if params.folder is None:
        raise Incomplete("No data set is chosen.", "Choose a folder of photos with ground truth.")
    data, name = Path(params.folder.path), params.annotations.strip()
    if name:
        data = data / name
        if not os.path.isfile(data) or data.parent != Path(params.folder.path):
            raise ExplorerError(
                f"{params.folder.path} has no file {name}.", "Give the name of a file in it."
            )
    images = None if params.images is None else Path(params.images.path)
    return Wish(spec, data, images, limit=0 if params.photos == ALL else int(params.photos))


def _asked(job: Mapping[str, Any]) -> tuple[NetworkSpec, Params]:
    wish = wish_of(job)
    file = os.path.isfile(wish.data)
    folder = wish.data.parent if file else wish.data
    photos = str(wish.limit) if wish.limit else ALL
    images = None if wish.images is None else FolderRef(str(wish.images))
    name = wish.data.name if file else ""
    return wish.spec, Params(FolderRef(str(folder)), name, images, photos)


def compute(scene: Scene, params: Params) -> Generator[Step[Report], Any, None]:
    network = scene.network
    wish = _wish(network.info.spec, params)
    source = open_source(wish.data, network.info.task, wish.images)
    yield from evaluate(network, source, limit=wish.limit)


def draw(report: Report, params: Params) -> Board:
    classes = report.info.classes if report.info is not None else ()
    label = classes.index(params.of) if params.of in classes else None
    matrix = charts.confusion(report, params.min_score)
    worst = photos_table(report, params.min_score, label)
    confusions = charts.confusions(matrix)
    tables = (worst, report.table(), confusions, figures_table(report))
    cloud = charts.keypoint_pane(report.measures)
    panes = [] if cloud is None else [cloud]
    if cloud is None or matrix.names:
        panes.insert(0, charts.confusion_pane(matrix, shares=params.normalize))
    return Board(
        tuple(panes),
        plots=charts.plots(report, params.min_score, label),
        tables=tuple(table for table in tables if table.rows),
        summary=_summary(report),
        notes=tuple(sentences(report)[1:]),
    )


def _summary(report: Report) -> str:
    figures = report.headline() or "no metric yet"
    return f"{report.title} on {report.data}: {figures} · {counted(report)}"


def data(report: Report, params: Params) -> dict[str, Any]:
    """What `explorer evaluate --json` gives but for the time, and the confusion matrix.

    `confusion` is (C, C) int64: row = the true class, column = the predicted one, both in the order
    of `confusion_classes`; of detections those at the chosen threshold.
    """
    matrix = charts.confusion(report, params.min_score)
    content = report.content()
    content.pop("seconds", None)  # the same question gives the same data
    return {
        **content,
        "confusion_classes": list(matrix.names),
        "confusion": matrix.counts,
    }


VIEW = View(
    name="evaluation",
    title="Evaluation",
    group=Group.EVALUATION,
    summary="Metrics of the network on a data set with ground truth.",
    explanation=EXPLANATION,
    reference="Everingham et al. 2010, The Pascal VOC Challenge; Lin et al. 2014, Microsoft COCO",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization", "detection", "segmentation", "pose"}),
    data=data,
    live=False,
    needs=Needs.NETWORK,
    job=BackgroundJob(KIND, lambda spec, params: params_of(_wish(spec, params)), _asked),
)
