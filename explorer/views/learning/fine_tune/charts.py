"""The pictures of a fine-tuning: photos before and after, its curves, its classes."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.truth import LAYER
from explorer.core.layers import Boxes, Curve, Pane, Plot, Table, Text, class_colors, colors_apart
from explorer.training.tuning.trainer import LOSSES
from explorer.views.shared.common import color

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Layer
    from explorer.evaluation.metrics import Found
    from explorer.training.tuning.report import OwnClass, Report, ShownPhoto

    Floats = NDArray[np.float64]

SMOOTH = 10
"""Steps that a point of the loss is the mean of: one step has few photos."""

MOST_POINTS = 1000
"""Of a curve: more than a screen has columns."""


def photo_panes(report: Report, most: int, min_score: float, *, truth: bool) -> tuple[Pane, ...]:
    """Each photo twice: with what was found before the training, and with what is found now.

    Args:
        report: Of the training.
        most: Photos.
        min_score: Detections with a lower score are not drawn.
        truth: The ground truth is drawn, too.
    """
    panes = []
    for number, shown in enumerate(report.shown[:most], start=1):
        height, width = shown.picture.rgb.shape[:2]
        for name, title, found in (
            ("before", "before", shown.before), ("now", _now(report), shown.now),
        ):  # fmt: skip
            if found is None:
                continue
            layers: list[Layer] = [shown.picture]
            if truth:
                layers.append(_truth(report, shown))
            layers.append(_found(report, found, min_score))
            panes.append(
                Pane(
                    f"{name}_{number}", (float(width), float(height)), tuple(layers),
                    title=f"{shown.name}: {title}", frame=f"photo_{number}",
                )
            )  # fmt: skip
    return tuple(panes) or (_blank(report),)


def _blank(report: Report) -> Pane:
    """Words where there is no photo to show."""
    words = "Reading the photos" if report.held_out and not report.steps else "No photo is held out"
    text = Text(words, (24.0, 24.0), size=14.0, plate=False, color=(150, 150, 150))
    return Pane("blank", (480.0, 120.0), (text,), frame="blank")


def _now(report: Report) -> str:
    return "after" if report.complete else "now"


def _truth(report: Report, shown: ShownPhoto) -> Boxes:
    counted = ~shown.truth.passed
    boxes = shown.truth.xyxy[counted].astype(np.float32)
    names = [report.classes[label - 1].name for label in shown.truth.labels[counted].tolist()]
    white = np.full((len(boxes), 3), 255, np.uint8)
    return Boxes(boxes, white, tuple(names), width=1.0, dotted=True, selectable=False, name=LAYER)


def _found(report: Report, found: Found, min_score: float) -> Boxes:
    rows = np.flatnonzero(found.scores >= min_score)
    labels = found.labels[rows].tolist()
    words = tuple(
        f"{report.classes[label - 1].name} {score:.2f}"
        for label, score in zip(labels, found.scores[rows].tolist(), strict=True)
    )
    every = range(len(report.classes) + 1)
    shades = colors_apart(every, len(every))[labels].reshape(-1, 3)
    return Boxes(
        found.xyxy[rows].astype(np.float32), shades, words, selectable=False, name="detections"
    )


def plots(report: Report) -> tuple[Plot, ...]:
    """The loss and the metric over the minutes of work, as far as there are any."""
    found = []
    if len(report.losses):
        found.append(_loss(report.losses))
    if len(report.curve):
        minutes, figure = report.curve[:, 0] / 60, report.curve[:, 1]
        shade = color(class_colors(2)[1])
        curve = Curve(minutes, figure, "mean over the classes", shade)
        title = "AP50 on the held-out photos"
        found.append(Plot("ap50", title, "minutes of training", "AP50", (curve,)))
    return tuple(found)


def _loss(losses: Floats) -> Plot:
    minutes, parts = losses[:, 0] / 60, losses[:, 1:]
    by_name = dict(zip(LOSSES, parts.T, strict=True))
    sums = {
        "all": parts.sum(axis=1),
        "classes": by_name["classifier"],
        "boxes": by_name["box_reg"],
        "RPN": by_name["objectness"] + by_name["rpn_box_reg"],
    }
    shades = class_colors(len(sums))
    curves = tuple(
        Curve(*_smooth(minutes, values), name, color(shade))
        for (name, values), shade in zip(sums.items(), shades, strict=True)
    )
    title = f"Loss, mean of {SMOOTH} steps"
    return Plot("loss", title, "minutes of training", "loss", curves)


def _smooth(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Running means that end at each step, thinned to what is visible."""
    sums = np.concatenate([[0.0], np.cumsum(y)])
    last = np.arange(1, len(y) + 1)
    first = np.maximum(last - SMOOTH, 0)
    means = (sums[last] - sums[first]) / (last - first)
    if len(x) > MOST_POINTS:
        chosen = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64))
        return x[chosen], means[chosen]
    return x, means


def classes_table(report: Report) -> Table:
    """The classes of the folder with their counts and metrics."""
    rows = tuple(
        (
            entry.name, f"kept: {entry.known_as}" if entry.known_as else "new", entry.photos,
            entry.boxes, entry.held_out, *_figures(report, entry),
        )
        for entry in report.classes
    )  # fmt: skip
    figures = ("AP50 before", f"AP50 {_now(report)}") if len(report.curve) else ()
    columns = ("class", "row of the last layer", "photos", "boxes", "held-out boxes", *figures)
    every = range(len(rows) + 1)
    swatches = tuple(color(shade) for shade in colors_apart(every, len(every))[1:])
    return Table("classes", columns, rows, title="Classes of the folder", swatches=swatches)


def _figures(report: Report, entry: OwnClass) -> tuple[float | str, ...]:
    """Of one class, once anything is measured; "" = none of its boxes is held out."""
    if not len(report.curve):
        return ()
    return tuple("" if isnan(value) else value for value in (entry.before, entry.now))
