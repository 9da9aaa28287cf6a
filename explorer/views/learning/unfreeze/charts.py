"""The pictures, curves and tables of a comparison of trainings."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.core.listing import quantity
from explorer.training.unfreezing.lane import EXTRACTION, LANES, SCRATCH, TUNING
from explorer.training.unfreezing.published import BAG, PUBLISHED
from explorer.training.unfreezing.run import lanes_of
from explorer.views.shared.folders.answers import (
    BLUE,
    GRAY,
    GREEN,
    RED,
    Answers,
    answers_pane,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Color, Pane
    from explorer.training.unfreezing.report import Report

    Floats = NDArray[np.float64]

SHADES: dict[str, Color] = {EXTRACTION: BLUE, TUNING: GREEN, SCRATCH: RED}
assert set(SHADES) == set(LANES)

MOST_SHOWN = 60


def tests_pane(report: Report, lane: str) -> Pane:
    """Held-out photos by class; a red frame around those that a training's network gets wrong."""
    shown = _spread(len(report.tests))
    found = report.predicted.get(lane, np.full(len(report.tests), -1, np.int64))
    answers = Answers(
        tuple(report.tests[row] for row in shown), report.labels[shown], found[shown], report.names
    )
    title = quantity(len(report.tests), "held-out photo")
    if len(shown) < len(report.tests):
        title = f"{len(shown)} of {title}"
    title = f"{title}: {lane}" if lane in report.predicted else title
    return answers_pane(answers, title, kept=report.drawn)


def _spread(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, max(0, count - 1), min(count, MOST_SHOWN)).round().astype(int))


def plots(report: Report) -> tuple[Plot, ...]:
    """Accuracies and losses over the steps; accuracies over photos per class where there are."""
    found = []
    counts = sorted({row.count for row in report.rows})
    if len(counts) > 1:
        found.append(_counts(report))
    if len(report.curve):
        curves = [
            Curve(report.curve[:, 0], report.curve[:, place], lane, SHADES[lane])
            for place, lane in enumerate(LANES, start=1)
        ]
        if not isnan(report.constant):
            ends = np.array([0.0, max(1.0, float(report.curve[-1, 0]))])
            level = np.full(2, report.constant)
            curves.append(Curve(ends, level, "most frequent class", GRAY))
        title = "Held-out accuracy" + _of(report)
        found.append(Plot("accuracy", title, "steps", "accuracy", tuple(curves), whole_x=True))
    if len(report.losses):
        shown = tuple(
            Curve(report.losses[:, 0], _smooth(report.losses[:, place]), lane, SHADES[lane])
            for place, lane in enumerate(LANES, start=1)
        )
        found.append(Plot("loss", "Loss, mean of 5 steps", "steps", "loss", shown, whole_x=True))
    return tuple(found)


def _of(report: Report) -> str:
    return f", {report.count} per class" if len({r.count for r in report.rows}) > 1 else ""


def _smooth(values: Floats, window: int = 5) -> Floats:
    """Means of the last steps."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    means: Floats = (sums[last] - sums[first]) / (last - first)
    return means


def _counts(report: Report) -> Plot:
    curves = []
    for lane in LANES:
        rows = lanes_of(report.rows, lane)
        x = np.array([row.count for row in rows], np.float64)
        curves.append(Curve(x, np.array([row.held_out for row in rows]), lane, SHADES[lane]))
    title = "Held-out accuracy over photos per class"
    return Plot("counts", title, "photos per class", "accuracy", tuple(curves), log_x=True)


def tables(report: Report) -> tuple[Table, ...]:
    """The own results beside the published ones; all numbers of photos where there are several."""
    found = [_beside(report)]
    if len({row.count for row in report.rows}) > 1:
        found.append(_by_count(report))
    if report.learns:
        found.append(_learns(report))
    return tuple(found)


def _beside(report: Report) -> Table:
    """Published accuracies, and those on the user's photos."""
    rows: list[tuple[str | int | float, ...]] = []
    for entry in PUBLISHED:
        own = report.words if entry.name == BAG else float("nan")
        train = float("nan")
        if entry.name in LANES:
            own = report.now(entry.name)
            finished = lanes_of(report.rows, entry.name)
            train = finished[-1].train if finished else float("nan")
        rows.append(
            (
                entry.name, _percent(own), _percent(train), _cell(entry.overfeat),
                _cell(entry.vgg16), _cell(entry.vgg16_map),
            )
        )  # fmt: skip
    columns = (
        "method", "held-out", "training", "OverFeat top-1", "VGG-16 top-1", "VGG-16 mAP",
    )  # fmt: skip
    return Table("published", columns, tuple(rows), title="Your photos beside Cadene's tables")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}%"


def _percent(value: float) -> str:
    return "" if isnan(value) else f"{value:.1%}"


def _by_count(report: Report) -> Table:
    counts = sorted({row.count for row in report.rows})
    rows = []
    for lane in LANES:
        known = {row.count: row.held_out for row in lanes_of(report.rows, lane)}
        rows.append((lane, *(_percent(known.get(count, float("nan"))) for count in counts)))
    columns = ("training", *(quantity(count, "photo") for count in counts))
    return Table("counts", columns, tuple(rows), title="Held-out accuracy by photos per class")


def _learns(report: Report) -> Table:
    what = {
        EXTRACTION: "the head",
        TUNING: f"{', '.join(report.unfrozen)} and the head",
        SCRATCH: "everything, from random weights",
    }
    rows = tuple((lane, what[lane], report.learns[lane]) for lane in LANES)
    return Table("trained", ("training", "trained", "parameters"), rows, title="What is trained")
