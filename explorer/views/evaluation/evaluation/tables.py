"""The tables of an evaluation: its metrics, and the photos with the worst ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Table
from explorer.evaluation.keypoints.skeletons import PCK
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
    """The metrics with their meanings."""
    rows = tuple((key, value, FIGURES[key]) for key, value in report.figures.items())
    return Table("figures", ("metric", "value", "meaning"), rows, title="Metrics")


def photos_table(report: Report, min_score: float, label: int | None) -> Table:
    """The photos, the worst first.

    Args:
        report: Of any task.
        min_score: Of detections that count.
        label: Only what concerns this class; None = all of them.
    """
    measures = report.measures
    if isinstance(measures, BoxMeasures):
        return _of_boxes(report, measures, min_score, label)
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


def _of_boxes(report: Report, measures: BoxMeasures, min_score: float, label: int | None) -> Table:
    counts = measures.by_photo(min_score, label)
    order = sorted(counts, key=lambda k: (-counts[k][2] - counts[k][1], -counts[k][2], k))
    rows = [(k, (counts[k][2], counts[k][1], counts[k][0])) for k in order]
    return _table(report, ("FN", "FP", "TP"), rows)


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
