"""What an evaluation has found, and how it is written: JSON, CSV or words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.core.layers import Table
from explorer.core.listing import quantity
from explorer.evaluation.errors import KINDS, MEANINGS
from explorer.evaluation.measures import BoxMeasures
from explorer.evaluation.metrics import SIZES
from explorer.saving.data import as_csv, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.core.network_info import NetworkInfo, Task
    from explorer.evaluation.measures import Measures

FIGURES = {
    "top1": "the top class is correct",
    "top5": "one of the top five classes is correct",
    "localization_error": "wrong class, or box with IoU < 0.5",
    "localization_error_top5": "no class and box of the five most probable is correct (ILSVRC)",
    "AP": "COCO's average precision, mean over IoU 0.5 to 0.95",
    "AP50": "COCO's average precision at IoU 0.5",
    "AP75": "COCO's average precision at IoU 0.75",
    "AR": "COCO's average recall with 100 boxes",
    "AR1": "COCO's average recall with 1 box",
    "AR10": "COCO's average recall with 10 boxes",
    "AP_small": "AP of objects with an area below 32 x 32 pixels",
    "AP_medium": "AP of objects with an area of 32 x 32 to 96 x 96 pixels",
    "AP_large": "AP of objects with an area from 96 x 96 pixels on",
    "AR_small": "AR of objects with an area below 32 x 32 pixels",
    "AR_medium": "AR of objects with an area of 32 x 32 to 96 x 96 pixels",
    "AR_large": "AR of objects with an area from 96 x 96 pixels on",
    "voc_AP": "Pascal VOC's average precision at IoU 0.5, every point",
    "voc_AP_11": "Pascal VOC's average precision at IoU 0.5, eleven points",
    "keypoint_AP": "COCO's average precision of keypoints, mean over OKS 0.5 to 0.95",
    "keypoint_AP50": "COCO's average precision of keypoints at OKS 0.5",
    "keypoint_AP75": "COCO's average precision of keypoints at OKS 0.75",
    "keypoint_AR": "COCO's average recall of keypoints with 20 people",
    "PCK@0.2": "keypoints within 0.2 of the torso; a detector's in boxes found with IoU >= 0.5",
    "PCK@0.5": "keypoints within 0.5 of the torso",
    "mask_AP": "COCO's average precision of instance masks, mean over IoU 0.5 to 0.95",
    "mask_AP50": "COCO's average precision of instance masks at IoU 0.5",
    "mask_AP75": "COCO's average precision of instance masks at IoU 0.75",
    "mask_AR": "COCO's average recall of instance masks with 100 boxes",
    "mIoU": "intersection over union of the pixels, mean over the classes",
    "pixel_accuracy": "the class of the pixel is correct",
    "boundary_F": "borders within 0.75% of the diagonal, mean over photos and classes",
    "IoU": "intersection over union of the pixels",
}
"""Every metric with its meaning; all lie in [0, 1]."""

_WORDS = {
    "top1": "top-1", "top5": "top-5", "localization_error": "localization error",
    "pixel_accuracy": "pixel accuracy",
}  # fmt: skip


def in_words(key: str) -> str:
    """A key of `FIGURES` as axes and sentences have it."""
    return _WORDS.get(key, key)


_DETAILS = frozenset(
    ("AR1", "AR10", "voc_AP_11", *(f"{key}_{size}" for key in ("AP", "AR") for size in SIZES))
)
"""What a line of the most important metrics does without."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The metrics so far; plain values only.

    Attributes:
        network: The catalog's name.
        title: Of the network, for people.
        weights: Of the network, for people.
        task: Of the network.
        data: The name of the data.
        kind: Of the data, see `cases.Source`.
        figures: By the keys of `FIGURES`, those that make sense for network and data.
        by_class: By the network's class: metrics, and "objects" or "photos".
        photos: How many were evaluated.
        wanted: How many are to be evaluated.
        objects: In those photos, of the classes that are known (without ignored ones).
        objects_left_out: Of other classes.
        matched: The data's class -> the network's.
        left_out: The data's classes that the network does not have.
        skipped: Photos that could not be read, with the reason.
        seconds: Of work; 0 = not measured.
        notes: Sentences for the user.
        complete: All photos were evaluated.
        info: Of the network.
        cases: Of every photo its name and its file ("" = it has none), by its number.
        measures: What is kept of every photo; it may be older than `figures` while it runs.
        other: That of a second network on the same photos, where two are compared.
    """

    network: str
    title: str
    weights: str
    task: Task
    data: str
    kind: str
    figures: Mapping[str, float] = field(default_factory=dict)
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    photos: int = 0
    wanted: int = 0
    objects: int = 0
    objects_left_out: int = 0
    matched: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    complete: bool = False
    info: NetworkInfo | None = None
    cases: tuple[tuple[str, str], ...] = ()
    measures: Measures | None = None
    other: Report | None = None

    def content(self) -> dict[str, Any]:
        """For programs: the metrics are at the top, under their own keys."""
        return {
            "network": self.network,
            "weights": self.weights,
            "task": self.task,
            "data": self.data,
            "kind": self.kind,
            **self.figures,
            "photos": self.photos,
            "objects": self.objects,
            "objects_left_out": self.objects_left_out,
            "classes": {"matched": dict(self.matched), "left_out": list(self.left_out)},
            "by_class": {name: dict(row) for name, row in self.by_class.items()},
            **self._errors(),
            "skipped": [{"photo": name, "reason": reason} for name, reason in self.skipped],
            "notes": list(self.notes),
            **({"seconds": round(self.seconds, 2)} if self.seconds else {}),
            "complete": self.complete,
            **({} if self.other is None else {"compared_with": self.other.content()}),
        }

    def _errors(self) -> dict[str, Any]:
        """A detector's error types: their number, what they cost, and those of the best boxes."""
        found = self.measures
        if not isinstance(found, BoxMeasures):
            return {}
        impact = found.impact()
        kinds = zip(KINDS, found.errors_by_photo(0.0).sum(axis=0).tolist(), strict=True)
        return {
            "errors": {
                kind: {"count": count, "dAP": impact.by_kind[kind]} for kind, count in kinds
            },
            "errors_AP50": impact.ap,
            "dAP_false_positives": impact.false_positives,
            "dAP_false_negatives": impact.false_negatives,
            "best_detections": found.kinds_of_best(),
        }

    def table(self) -> Table:
        """One row for every class."""
        return by_class_table(self)

    def headline(self) -> str:
        """The metrics in one line: "top-1 49.9%, top-5 76.7%"."""
        shown = [(key, value) for key, value in self.figures.items() if key not in _DETAILS]
        return ", ".join(f"{in_words(key)} {percent(value)}" for key, value in shown)


def percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def by_class_table(report: Report) -> Table:
    """The classes with their metrics; NaN where a class has none."""
    keys = list(dict.fromkeys(key for row in report.by_class.values() for key in row))
    counts = [key for key in keys if key in ("photos", "objects", "pixels")]
    ordered = [*(key for key in keys if key not in counts), *counts]
    rows: tuple[tuple[str | float, ...], ...] = tuple(
        (name, *(row.get(key, float("nan")) for key in ordered))
        for name, row in report.by_class.items()
    )
    return Table("by_class", ("class", *ordered), rows, title="By class")


def error_rows(report: Report) -> list[tuple[str, ...]]:
    """A detector's error types: their number, cost, and meaning; [] for others."""
    found = report.measures
    if not isinstance(found, BoxMeasures):
        return []
    cost = found.impact()
    counts = zip(KINDS, found.errors_by_photo(0.0).sum(axis=0).tolist(), strict=True)
    rows = [(kind, f"{count:,}", f"{cost.by_kind[kind]:.4f}", MEANINGS[kind])
            for kind, count in counts]  # fmt: skip
    return [("error", "number", "dAP", ""), *rows]


def json_of(report: Report) -> bytes:
    return as_json(report.content())


def csv_of(report: Report) -> bytes:
    """Two tables: the metrics, and the classes."""
    figures = Table(
        "metrics", ("metric", "value", "meaning"),
        tuple((key, value, FIGURES[key]) for key, value in report.figures.items()),
    )  # fmt: skip
    return as_csv({"metrics": figures, "by_class": by_class_table(report)})


def sentences(report: Report) -> list[str]:
    """What was counted and what was not."""
    words = [counted(report)]
    if report.left_out:
        more = len(report.left_out) - 6
        names = ", ".join(report.left_out[:6]) + (f" and {more} more" if more > 0 else "")
        count = len(report.left_out)
        classes = quantity(count, "class", "classes")
        objects = (
            f" with {quantity(report.objects_left_out, 'object')} in these photos"
            if report.objects_left_out
            else ""
        )
        words.append(
            f"{report.title} has no class for {classes} of the data set{objects}: {names}."
        )
    if report.skipped:
        name, reason = report.skipped[0]
        count = len(report.skipped)
        photos = "1 photo was" if count == 1 else f"{count:,} photos were"
        named = reason if name in reason else f"{name}: {reason}"
        words.append(f"{photos} skipped: {named}")
    return [*words, *report.notes]


def counted(report: Report) -> str:
    """How much was evaluated, as in: 1,000 photos, 200 classes, 12.3 s."""
    unit = "scene" if report.kind == "npz" and report.task == "detection" else "photo"
    shown = quantity(report.photos, unit)
    if report.task == "pose":
        shown = quantity(report.photos, "person", "people")
    if not report.complete:
        shown += f" of {report.wanted:,}"
    objects = f", {quantity(report.objects, 'object')}" if report.task == "detection" else ""
    count = len(report.by_class)
    classes = f", {quantity(count, 'class', 'classes')}" if count else ""
    return f"{shown}{objects}{classes}, {report.seconds:.1f} s."
