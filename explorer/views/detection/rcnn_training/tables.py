"""Curves and tables: losses, scores by IoU, roles of regions, features on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.views.detection.rcnn_training.panes import (
    COLORS,
    ROLE_NAMES,
    RULES,
    TITLES,
    ious_after,
)
from explorer.views.detection.rcnn_training.samples import HINGE, LOG, OBJECTIVES, SQUARES
from explorer.vision.pipelines import objectives

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.views.detection.rcnn_training.fitting import Fit
    from explorer.views.detection.rcnn_training.result import Disk
    from explorer.views.detection.rcnn_training.samples import Samples

VOC_PHOTOS = 5011
"""Of Pascal VOC 2007's trainval (Everingham et al. 2010)."""

REGIONS = 2000
"""Of a photo in the paper, about."""

FC7, POOL5 = 4096, 6 * 6 * 256
"""Numbers of the paper's network (AlexNet) for the SVMs and for the box regressors."""

BINS = np.linspace(0.0, 1.0, 11)
"""Of the IoU."""

LISTED = 30
"""Regions in the table."""

_SHAPES = {LOG: objectives.LOG, HINGE: objectives.HINGE, SQUARES: objectives.SQUARES}
TRAINS = {LOG: "network: last layer", HINGE: "SVM", SQUARES: "box regressor"}


def loss_plot(fit: Fit) -> Plot:
    """Every objective by pass, as a part of its value at weights of zero."""
    curves = tuple(
        Curve(np.arange(len(values), dtype=np.float64), values / values[0], name, COLORS[name])
        for name, values in fit.losses.items()
        if values[0] > 0
    )
    return Plot(
        "losses", "Objectives by pass over the regions", "pass", "part of the first value", curves,
        log_y=True, whole_x=True,
    )  # fmt: skip


def score_plot(samples: Samples, fit: Fit) -> Plot:
    """Mean probability and margin of proposals by their IoU with the object."""
    bins = np.clip(np.digitize(samples.iou, BINS) - 1, 0, len(BINS) - 2)
    bins[samples.own] = -1
    there = [k for k in range(len(BINS) - 1) if (bins == k).any()]
    middle = np.array([(BINS[k] + BINS[k + 1]) / 2 for k in there])
    words = {LOG: "softmax probability", HINGE: "SVM margin"}
    curves = tuple(
        Curve(
            middle, np.array([fit.states[name].output[bins == k].mean() for k in there], float),
            label, COLORS[name],
        )
        for name, label in words.items()
        if name in fit.states
    )  # fmt: skip
    return Plot(
        "scores", "Mean score of proposals by IoU", "IoU with the object",
        "probability, margin", curves,
    )  # fmt: skip


def shape_plot() -> Plot:
    """What a positive example costs at each score."""
    scores = np.linspace(-2.0, 3.0, 101)
    curves = tuple(
        Curve(scores, shape.value(scores, np.ones_like(scores)), name, COLORS[name])
        for name, shape in _SHAPES.items()
    )
    return Plot("shapes", "Loss of a positive example by its score", "score", "loss", curves)


def objective_table(samples: Samples, fit: Fit) -> Table:
    """One row for each objective."""
    rows = []
    for name in OBJECTIVES:
        counts = [len(samples.rows(name, role)) for role in ROLE_NAMES]
        state = fit.states.get(name)
        ends: tuple[str | float | int, ...] = ("", "", "", "")
        if state is not None:
            gap = "" if state.gap is None else _digits(max(state.gap, 0.0))
            ends = (_digits(fit.losses[name][0]), _digits(state.value), gap, state.active)
        rows.append((TITLES[name], TRAINS[name], RULES[name], *counts, *ends))
    columns = (
        "objective", "trains", "rule", *ROLE_NAMES.values(), "first value", "value",
        "gap to optimum", "regions with a gradient",
    )  # fmt: skip
    return Table(
        "objectives", columns, tuple(rows), title="Three objectives",
        swatches=tuple(COLORS[name] for name in OBJECTIVES),
    )  # fmt: skip


def _digits(value: float) -> float:
    return float(f"{value:.3g}")


def region_table(samples: Samples, fit: Fit) -> Table:
    """The regions with the highest IoU: what they train, and what the fits give for them."""
    order = np.lexsort((samples.own, -samples.iou))[:LISTED]
    after = ious_after(samples, fit.states[SQUARES]) if SQUARES in fit.states else None
    rows = []
    for row in order.tolist():
        roles = (ROLE_NAMES[int(samples.roles[name][row])] for name in OBJECTIVES)
        rows.append(
            (
                "object" if samples.own[row] else f"#{row + 1}",
                round(float(samples.iou[row]), 2),
                *roles,
                *(_score(fit, name, row) for name in (LOG, HINGE)),
                "" if after is None else round(float(after[row]), 2),
            )
        )
    columns = (
        "region", "IoU", "fine-tuning", "SVM", "regressor", "probability", "margin", "IoU after",
    )  # fmt: skip
    return Table("regions", columns, tuple(rows), title="Regions with the highest IoU")


def _score(fit: Fit, name: str, row: int) -> float | str:
    state = fit.states.get(name)
    return "" if state is None else round(float(state.output[row]), 2)


def disk_table(disk: Disk) -> Table:
    """Bytes per region x regions x photos."""
    here = disk.numbers * 4
    own = size_words(here * disk.regions)
    if disk.size:
        own += f" ({size_words(disk.size)} on disk)"
    rows = [("this photo, so far", disk.numbers, here, disk.regions, 1, own)]
    for words, numbers, regions in (
        ("VOC 2007 trainval at this rate", disk.numbers, disk.found),
        ("the paper: fc7", FC7, REGIONS),
        ("the paper: fc7 and pool5", FC7 + POOL5, REGIONS),
    ):
        size = numbers * 4 * regions * VOC_PHOTOS
        rows.append((words, numbers, numbers * 4, regions, VOC_PHOTOS, size_words(size)))
    columns = ("features of", "numbers", "bytes per region", "regions", "photos", "product")
    return Table("disk", columns, tuple(rows), title="Features on disk")


def extrapolated(disk: Disk) -> int:
    """Bytes of all photos of VOC 2007's trainval at the rate of this one."""
    return disk.numbers * 4 * disk.found * VOC_PHOTOS


def size_words(size: int) -> str:
    """A number of bytes in powers of 1000, such as "164 GB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def tuning_table(card: Mapping[str, Any], name: str) -> Table | None:
    """AP50 of the shipped R-CNN with and without its fine-tuning, from its card."""
    metrics = card.get("metrics", {})
    before, after = metrics.get("R-CNN before fine-tuning"), metrics.get("R-CNN")
    if not before or not after:
        return None
    rows = [("mean", _percent(before["AP50"]), _percent(after["AP50"]))]
    classes = after["AP50 by class"]
    for each in sorted(classes, key=lambda word: (word != name, word)):
        rows.append((each, _percent(before["AP50 by class"][each]), _percent(classes[each])))
    return Table(
        "tuning", ("class", "AP50 before, %", "AP50 after, %"), tuple(rows),
        title="Fine-tuning of the shipped R-CNN",
    )  # fmt: skip


def _percent(part: float) -> float:
    return round(100 * part, 1)
