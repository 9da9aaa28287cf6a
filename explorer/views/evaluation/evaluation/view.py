"""How good a network is on a folder of photos with ground truth."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError, Incomplete
from explorer.core.layers import Board, Plot
from explorer.core.network_info import NetworkSpec
from explorer.core.params import Effect, param
from explorer.core.values import FolderRef, NetworkRef
from explorer.engine.view import Action, BackgroundJob, Group, Needs, View
from explorer.evaluation.background import KIND, params_of, wish_of
from explorer.evaluation.datasets import open_source
from explorer.evaluation.measures import MATCH_IOU, BoxMeasures
from explorer.evaluation.report import counted, sentences
from explorer.evaluation.run import Wish, compare
from explorer.views.evaluation.evaluation import charts
from explorer.views.evaluation.evaluation.errors import (
    against,
    errors_table,
    pies_pane,
    sizes_table,
)
from explorer.views.evaluation.evaluation.tables import figures_table, photos_table

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.layers import Pane
    from explorer.core.network_info import NetworkInfo
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

The IoU threshold can be moved: it changes TP, FP and FN, the curves and the confusion matrix.

**Average precision** is the area under the curve of precision over recall. With $p_k$ and $r_k$ for
precision and recall after the first $k$ detections, and $r_0 = 0$,

$$ AP = \sum_k \, (r_k - r_{k-1}) \, \max_{j \ge k} \, p_j $$

The maximum makes precision fall monotonically. `voc_AP` is this area at an IoU of 0.5. `AP` is
COCO's: the mean over ten IoU thresholds from 0.5 to 0.95, each curve sampled at 101 recalls, where
a detection may match any unmatched object. Both are means over the classes. `voc_AP_11`, in use
before 2010, is the mean of the precision at the recalls 0, 0.1 … 1. `AR` is the recall with at most
100 detections of a class in each photo, mean over the same IoU thresholds, `AR1` and `AR10` that
with 1 and 10. `AP_small` and the like count objects by the area that the data set gives them.

**Error types** (TIDE). A false positive has exactly one:

| type | IoU with objects |
| --- | --- |
| Loc | of its class, 0.1 to 0.5 |
| Cls | of another class, 0.5 or more |
| Dupe | of its class, 0.5 or more, but matched already |
| Bkg | with any, at most 0.1 |
| Both | everything else |

Miss is an object that no detection matches, nor would without its error. *dAP* is by how much the
AP at an IoU of 0.5 rises if all errors of a type are fixed: a Loc or Cls error becomes a match, the
others are removed. It uses all detections; the numbers are those at the score threshold.

**The pie chart** shows the highest-scoring detections of each class, as many as it has objects
(Hoiem et al. 2012). With *Compare with*, a second network has its own beside it: Redmon et al. 2016
found so that YOLO makes fewer background errors than Fast R-CNN, and more localization errors.

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
diagonal is wrong. Detections are matched whatever their class. For them the last row and column
stand for the background: objects without a detection, and detections without an object.

**Worst photos first.** Click a row to see the photo with the network's prediction, for a detector
with its matches at the same thresholds; click a column to sort by it. Detections of classes that
the data set does not have are not counted.

**Sources.** Everingham et al. 2010, *The Pascal Visual Object Classes Challenge*, section 4.2 (the
whole area since VOC 2010); Lin et al. 2014, *Microsoft COCO*; Bolya et al. 2020, *TIDE: A General
Toolbox for Identifying Object Detection Errors*, section 2; Hoiem et al. 2012, *Diagnosing Error in
Object Detectors*; Redmon et al. 2016, *You Only Look Once*, section 4.2 (figure 4); Yang and
Ramanan 2013, *Articulated Human Detection with Flexible Mixtures of Parts*, section 8 (PCK);
Russakovsky et al. 2015, *ImageNet Large Scale Visual Recognition Challenge*, section 4; Long,
Shelhamer and Darrell 2015, *Fully Convolutional Networks*, section 5; Csurka et al. 2013, *What is
a good evaluation measure for semantic segmentation?*, section 2.
"""

ALL = "all"
PICTURES = BOTH, CONFUSION, ERRORS = "both", "confusion matrix", "error types"
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
    iou: float = param(
        MATCH_IOU, "IoU threshold",
        "A detection is a true positive if its IoU with an object is at least this. AP and the "
        "error types keep their own thresholds.",
        effect=Effect.DRAW, low=0.05, high=0.95, step=0.05, when=_detector,
    )  # fmt: skip
    other: NetworkRef | None = param(
        None, "Compare with",
        "A second detector is evaluated on the same photos; its errors stand beside those of the "
        "first.",
        tasks=frozenset({"detection"}), when=_detector,
    )  # fmt: skip
    shown: str = param(
        BOTH, "Picture", "The confusion matrix, the error types, or both side by side.",
        effect=Effect.DRAW, choices=PICTURES, when=_detector,
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
    limit = 0 if params.photos == ALL else int(params.photos)
    other = None
    if params.other is not None:
        other = NetworkSpec(params.other.name, params.other.weights, spec.device, spec.half)
    return Wish(spec, data, images, limit, eleven_point=True, other=other)


def _asked(job: Mapping[str, Any]) -> tuple[NetworkSpec, Params]:
    wish = wish_of(job)
    file = os.path.isfile(wish.data)
    folder = wish.data.parent if file else wish.data
    photos = str(wish.limit) if wish.limit else ALL
    images = None if wish.images is None else FolderRef(str(wish.images))
    name = wish.data.name if file else ""
    other = None if wish.other is None else NetworkRef(wish.other.name, wish.other.weights)
    return wish.spec, Params(FolderRef(str(folder)), name, images, photos, other=other)


def compute(scene: Scene, params: Params) -> Generator[Step[Report], Any, None]:
    network = scene.network
    wish = _wish(network.info.spec, params)
    source = open_source(wish.data, network.info.task, wish.images)
    other = None
    if params.other is not None and _detector(params, network.info):
        other = scene.network_of(params.other)
    yield from compare(network, other, source, limit=wish.limit, eleven_point=wish.eleven_point)


def draw(report: Report, params: Params) -> Board:
    label, score, iou = _label(report, params), params.min_score, params.iou
    matrix = charts.confusion(report, score, iou)
    tables = (
        photos_table(report, score, iou, label),
        report.table(),
        errors_table(report, score, label),
        sizes_table(report, score, iou, label),
        charts.confusions(matrix),
        figures_table(report),
    )
    return Board(
        _panes(report, params, matrix),
        plots=charts.plots(report, score, iou, label),
        tables=tuple(table for table in tables if table.rows),
        summary=_summary(report),
        notes=tuple(sentences(report)[1:]),
    )


def _label(report: Report, params: Params) -> int | None:
    classes = report.info.classes if report.info is not None else ()
    return classes.index(params.of) if params.of in classes else None


def _panes(report: Report, params: Params, matrix: charts.Matrix) -> tuple[Pane, ...]:
    pies = pies_pane(report) if params.shown != CONFUSION else None
    cloud = charts.keypoint_pane(report.measures)
    panes = [pane for pane in (pies, cloud) if pane is not None]
    if not panes or (matrix.names and params.shown != ERRORS):
        panes.insert(0, charts.confusion_pane(matrix, shares=params.normalize))
    return tuple(panes)


def page(report: Report, params: Params) -> Board:
    """What is written as a report: the board, and the precision-recall curves of every class."""
    board, measures = draw(report, params), report.measures
    if not isinstance(measures, BoxMeasures):
        return board
    labels, most = charts.by_frequency(measures), charts.MOST_CURVES
    curves = tuple(
        Plot(
            f"precision_recall_{start}", f"Precision and recall at IoU {params.iou:.2f}", "recall",
            "precision", charts.class_curves(report, measures, params.iou, labels[start:][:most]),
        )
        for start in range(0, len(labels), most)
    )  # fmt: skip
    first = board.plots[:1] if report.other is not None else ()
    return replace(board, plots=(*first, *curves, *board.plots[1:]))


def _summary(report: Report) -> str:
    title, figures = report.title, report.headline() or "no metric yet"
    if report.other is not None and (both := against(report)):
        title, figures = f"{title} and {report.other.title}", both
    return f"{title} on {report.data}: {figures} · {counted(report)}"


def data(report: Report, params: Params) -> dict[str, Any]:
    """What `explorer evaluate --json` gives but for the time, and the confusion matrix.

    `confusion` is (C, C) int64: row = the true class, column = the predicted one, both in the order
    of `confusion_classes`; of detections those at the chosen threshold.
    """
    matrix = charts.confusion(report, params.min_score, params.iou)
    content = report.content()
    for part in (content, content.get("compared_with", {})):
        part.pop("seconds", None)  # the same question gives the same data
    return {
        **content,
        "confusion_classes": list(matrix.names),
        "confusion": matrix.counts,
    }


REPORT = Action(
    "report", "Save report…",
    "Saves these metrics, curves and tables as one web page. File > Export saves them as JSON or "
    "CSV.",
    report=True,
)  # fmt: skip

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
    page=page,
    actions=(REPORT,),
    live=False,
    needs=Needs.NETWORK,
    job=BackgroundJob(KIND, lambda spec, params: params_of(_wish(spec, params)), _asked),
)
