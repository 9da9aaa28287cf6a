"""The curves and the table of a training of heads."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.training.heads.report import CURVE
from explorer.training.heads.sets import BOTH, CLASS, JOINTS
from explorer.views.shared.folders.answers import BLUE, GRAY, GREEN, ORANGE

if TYPE_CHECKING:
    from explorer.core.layers import Color
    from explorer.training.heads.report import Report

SMOOTH = 5
"""Steps that a point of the loss is the mean of."""

_SHADES: tuple[Color, ...] = (BLUE, ORANGE, GREEN, (190, 110, 240))


def plots(report: Report) -> tuple[Plot, ...]:
    """The metrics and the loss over the steps, as far as there are any."""
    found = []
    if len(report.curve):
        found.append(_metrics(report))
    if len(report.losses):
        found.append(_loss(report))
    return tuple(found)


def _loss(report: Report) -> Plot:
    steps = np.arange(1.0, len(report.losses) + 1)
    window = min(SMOOTH, len(steps))
    kernel = np.ones(window) / window
    curves: list[Curve] = []
    box = "joints" if report.kind == JOINTS else "box"
    for column, name in enumerate(("class", box)):
        values = report.losses[:, column]
        if values.any():
            means = np.convolve(values, kernel, "valid")
            curves.append(Curve(steps[window - 1 :], means, name, _SHADES[column]))
    title = f"Loss, mean of {SMOOTH} steps"
    return Plot("loss", title, "steps", "loss", tuple(curves), whole_x=True)


def _metrics(report: Report) -> Plot:
    curves: list[Curve] = []
    for column, name in enumerate(CURVE[1:], start=1):
        values = report.curve[:, column]
        known = ~np.isnan(values)
        if known.any():
            shade = _SHADES[len(curves) % len(_SHADES)]
            words = name if name.startswith("held-out") else f"training {name}"
            curves.append(Curve(report.curve[known, 0], values[known], words, shade))
    if not isnan(report.constant):
        ends = np.array([0.0, float(max(1, report.steps))])
        curves.append(Curve(ends, np.full(2, report.constant), constant_words(report), GRAY))
    title = {CLASS: "Accuracy", BOTH: "Accuracy and IoU", JOINTS: "PCK"}.get(report.kind, "IoU")
    return Plot("metrics", title, "steps", title, tuple(curves), whole_x=True)


def constant_words(report: Report) -> str:
    """What one prediction for all photos is."""
    if report.has_class:
        return "most frequent class"
    return "mean joints" if report.kind == JOINTS else "mean box"


def table(report: Report) -> Table:
    """One row for each way to predict, with its metrics."""
    held = "held-out " if report.held_out else ""
    head = {CLASS: "class head", BOTH: "class and box head", JOINTS: "joint head"}.get(
        report.kind, "box head"
    )
    names = [name for name in CURVE[1:] if not isnan(report.value(name))]
    main = next((name for name in names if name.startswith(held)), "")
    rows: list[tuple[str | int | float, ...]] = []
    if not isnan(report.constant):
        rows.append(_row(constant_words(report), {main: report.constant}, names))
    if not isnan(report.words):
        rows.append(_row("bag of visual words, SVM", {main: report.words}, names))
    if names:
        values = {name: report.value(name) for name in names}
        rows.append(_row(f"{head} on {report.network}", values, names))
    columns = ("prediction", *(n if n.startswith("held-out") else f"training {n}" for n in names))
    return Table("results", columns, tuple(rows), title="Metrics")


def _row(name: str, values: dict[str, float], names: list[str]) -> tuple[str | int | float, ...]:
    found = (f"{values[one]:.1%}" if one in values else "" for one in names)
    return (name, *found)
