"""The tables of an evaluation: its metrics, and the photos with the worst ones first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Table
from explorer.evaluation.errors import KINDS
from explorer.evaluation.keypoints.skeletons import PCK
from explorer.evaluation.matching import NO_THING, canonical
from explorer.evaluation.measures import BoxMeasures, LabelMeasures, PixelMeasures, PoseMeasures
from explorer.evaluation.report import FIGURES
from explorer.views.shared.common import class_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.evaluation.report import Report

    Row = tuple[str | int | float, ...]

MOST_PHOTOS = 1000
"""Rows of the table, the worst photos first."""

OPENED_WITH = {
    "classification": "classify", "localization": "localize", "detection": "detections",
    "segmentation": "semantic", "pose": "pose_regression",
}  # fmt: skip
"""By task: the view that shows a photo with the network's prediction."""


def figures_table(report: Report) -> Table:
    """The metrics with their meanings, of both networks where two are compared."""
    others = [] if report.other is None else [report.other]
    columns = (report.title, *(other.title for other in others)) if others else ("value",)
    rows = tuple(
        (key, value, *(other.figures.get(key, "") for other in others), FIGURES[key])
        for key, value in report.figures.items()
    )
    return Table("figures", ("metric", *columns, "meaning"), rows, title="Metrics")


def photos_table(report: Report, min_score: float, iou: float, label: int | None) -> Table:
    """The photos, the worst first.

    Args:
        report: Of any task.
        min_score: Of detections that count.
        iou: From which a detection matches an object.
        label: Only what concerns this class; None = all of them.
    """
    measures = report.measures
    if isinstance(measures, BoxMeasures):
        return _of_boxes(report, measures, min_score, iou, label)
    if isinstance(measures, LabelMeasures):
        return _of_labels(report, measures)
    if isinstance(measures, PixelMeasures):
        return _of_pixels(report, measures)
    if isinstance(measures, PoseMeasures):
        return _of_poses(report, measures)
    return _table(report, (), [])


def _of_poses(report: Report, measures: PoseMeasures) -> Table:
    errors = measures.keypoints
    count = np.bincount(errors.photo)
    right = np.bincount(errors.photo, errors.off <= PCK)
    far = np.bincount(errors.photo, errors.off) / np.maximum(count, 1)
    there = np.flatnonzero(count)
    order = there[np.argsort(-far[there], kind="stable")].tolist()
    rows = [(k, (float(far[k]), f"{int(right[k])} of {int(count[k])}")) for k in order]
    return _table(report, ("mean error in torsos", f"within {PCK}"), rows)


def _of_boxes(
    report: Report, measures: BoxMeasures, min_score: float, iou: float, label: int | None
) -> Table:
    counts = measures.by_photo(min_score, label, iou)
    errors = measures.errors_by_photo(min_score, label)
    order = sorted(counts, key=lambda k: (-counts[k][2] - counts[k][1], -counts[k][2], k))
    rows = [
        (k, (sum(counts[k][1:]), counts[k][2], counts[k][1], counts[k][0], *errors[k].tolist()))
        for k in order
    ]
    table = _table(report, ("errors", "FN", "FP", "TP", *KINDS), rows)
    return replace(table, photos_params=_shown(report, min_score, iou, label))


def _shown(report: Report, min_score: float, iou: float, label: int | None) -> dict[str, object]:
    """What a photo is opened with, so that it shows the matches that were counted."""
    classes: tuple[str, ...] = ()
    if report.info is not None:
        names = report.info.classes
        things = {name for name in names if canonical(name) not in NO_THING}
        if label is not None:
            classes = (names[label],)
        elif things - set(report.matched.values()):
            classes = tuple(name for name in names if name in set(report.matched.values()))
    return {"score": min_score, "iou": iou, "classes": classes}


def _of_labels(report: Report, measures: LabelMeasures) -> Table:
    classes = report.info.classes if report.info is not None else ()
    # Wrong ones first, those with the highest top-1 probability before the others.
    wrong, top = measures.predicted != measures.label, measures.predicted_p
    order = sorted(
        range(len(wrong)),
        key=lambda k: (
            not wrong[k],
            -measures.predicted_p[k] if wrong[k] else measures.predicted_p[k],
        ),
    )
    rows = [
        (
            int(measures.photo[k]),
            (
                class_name(classes, int(measures.label[k])),
                class_name(classes, int(measures.predicted[k])),
                float(top[k]),
                float(measures.label_p[k]),
            ),
        )
        for k in order[:MOST_PHOTOS]
    ]
    columns = (
        "true class",
        "predicted class",
        "top-1 probability",
        "probability of the true class",
    )
    return _table(report, columns, rows)


def _of_pixels(report: Report, measures: PixelMeasures) -> Table:
    rows = [
        (int(measures.photo[k]), (float(measures.iou[k]), float(measures.accuracy[k])))
        for k in measures.iou.argsort(kind="stable").tolist()
    ]
    return _table(report, ("mIoU", "pixel accuracy"), rows)


def _table(report: Report, columns: tuple[str, ...], rows: Sequence[tuple[int, Row]]) -> Table:
    shown = rows[:MOST_PHOTOS]
    return Table(
        "photos",
        ("photo", *columns),
        tuple((report.cases[number][0], *row) for number, row in shown),
        title="Worst photos first",
        photos=tuple(report.cases[number][1] for number, _ in shown),
        photos_view=OPENED_WITH.get(report.task, ""),
    )
