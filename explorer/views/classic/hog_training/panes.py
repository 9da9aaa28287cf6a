"""What is drawn of a training: crops, the template, hard negatives, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Heat, Pane, Picture, Plot, Table, Text
from explorer.core.listing import quantity
from explorer.views.shared.anchors import BLUE, GRAY, GREEN, ORANGE, RED, same, truth_layer
from explorer.views.shared.common import size_of
from explorer.views.shared.folders.sheet import labeled_sheet
from explorer.vision.features.mosaics import Tiling, picture_sheet
from explorer.vision.hog.detector import kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color
    from explorer.core.values import Box
    from explorer.views.classic.hog_training.course import Result, Round
    from explorer.vision.hog.training import Det

COLORS: tuple[Color, ...] = (BLUE, ORANGE, GREEN, RED, (190, 130, 255), (240, 220, 90))
"""Of the rounds."""
PER_WINDOW = 1e-3
"""False positives per window at which the recall is written."""
PROPORTIONS = 1.6
"""Width / height of a sheet of crops, about."""


def crops_pane(result: Result) -> Pane:
    """The positives, and their mean gradient."""
    if result.crops is None or result.mean is None:
        return _blank("positives", "Positives: not read yet")
    height, width = result.mean.shape
    sheet, _ = picture_sheet(list(result.crops), columns=_columns(result.crops.shape))
    scale = sheet.shape[0] / height
    across = width * scale + 8
    mean = Heat(
        result.mean, 0.0, float(result.mean.max()) or 1.0, "gray",
        extent=(0.0, 0.0, width * scale, float(sheet.shape[0])), smooth=True, unit="magnitude",
        name="mean",
    )  # fmt: skip
    crops = Picture(sheet, extent=(across, 0.0, across + sheet.shape[1], float(sheet.shape[0])))
    size = across + sheet.shape[1], float(sheet.shape[0])
    title = f"Mean gradient and crops of {quantity(result.positives, 'positive')}"
    return Pane("positives", size, (mean, crops), title=title, frame="positives")


def hard_pane(result: Result, chosen: int) -> Pane:
    """The hard negatives that a round was given, the highest scores first, with their scores."""
    with_some = [r for r in result.rounds if r.hard]
    if not with_some:
        return _blank("hard", "Hard negatives: none yet")
    shown = next((r for r in with_some if r.number == chosen), with_some[-1])
    sheet = labeled_sheet(list(shown.crops), columns=_columns(shown.crops.shape))
    boxes = sheet.xyxy
    labels = tuple(f"{score:.2f}" for score in shown.scores)
    frames = Boxes(boxes, same(RED, len(boxes)), labels=labels, width=1.0, name="hard negatives")
    title = f"{quantity(shown.hard, 'hard negative')} of round {shown.number + 1}"
    return Pane("hard", sheet.size, (Picture(sheet.rgb), frames), title=title, frame="hard")


def _columns(shape: tuple[int, ...]) -> int:
    """Crops in a row, of (n, h, w, 3) crops."""
    return Tiling.of(shape[0], shape[1], shape[2], PROPORTIONS).columns


def photo_pane(result: Result, score: float, iou: float, truth: Sequence[Box]) -> Pane:
    """What the template finds on the photo, and the drawn boxes where they are the positives."""
    drawn = truth_layer(truth) if result.own else []
    if result.found is None:
        return Pane("image", size_of(result.photo), (result.photo, *drawn), title="Photo")
    found = result.found
    rows = result.cache.get(("kept", score, iou), lambda: kept(found, score, iou))
    best = f", highest {float(found.scores[0]):.2f}" if len(found.scores) else ""
    boxes = Boxes(
        found.xyxy[rows], same(GREEN, len(rows)),
        labels=tuple(f"{found.scores[row]:.2f}" for row in rows), keys=tuple(rows.tolist()),
        name="windows",
    )  # fmt: skip
    title = f"{quantity(len(rows), 'window found', 'windows found')}{best}"
    return Pane("image", size_of(result.photo), (result.photo, *drawn, boxes), title=title)


def _blank(name: str, title: str) -> Pane:
    size = (160.0, 120.0)
    words = Text("not yet", (80.0, 60.0), anchor=(0.5, 0.5), name="words")
    return Pane(name, size, (words,), title=title, frame=name, drawing=True)


def det_plot(result: Result) -> Plot:
    """Miss rate against false positives per window, both on logarithmic axes."""
    curves = []
    if result.reference is not None:
        curves.append(_det_curve(result.reference, "OpenCV's person", GRAY))
    curves += [
        _det_curve(each.det, f"round {each.number + 1}", COLORS[each.number % len(COLORS)])
        for each in result.rounds
        if each.det is not None
    ]
    return Plot(
        "det", "Held-out windows: detection error tradeoff", "false positives per window",
        "miss rate", curves=tuple(curves), log_x=True, log_y=True,
    )  # fmt: skip


def _det_curve(det: Det, label: str, color: Color) -> Curve:
    """A miss rate of 0 is drawn as half a positive: a logarithm has no 0."""
    rows = np.flatnonzero(det.false > 0)
    # Where the miss rate stays the same only the ends of the line are needed.
    missed = det.missed[rows]
    turns = np.ones(len(rows), bool)
    turns[1:-1] = (missed[1:-1] != missed[:-2]) | (missed[1:-1] != missed[2:])
    low = 0.5 / max(det.positives, 1)
    return Curve(det.false[rows][turns], np.maximum(missed[turns], low), label, color)


def objective_plot(result: Result) -> Plot:
    """The SVM's objective and its lower bound, epoch by epoch."""
    place = np.arange(1.0, len(result.objectives) + 1)
    primal = np.array([each.primal for each in result.objectives])
    dual = np.array([each.dual for each in result.objectives])
    curves = (
        Curve(place, primal, "objective", ORANGE),
        Curve(place, dual, "lower bound (dual)", BLUE),
    )
    return Plot(
        "objective", "The SVM's objective", "epoch", "objective",
        curves=curves if len(place) else (), whole_x=True,
    )  # fmt: skip


def round_table(result: Result) -> Table:
    rows = tuple(_row(each) for each in result.rounds)
    columns = (
        "round", "negatives", "hard ones among them", "support vectors",
        "recall at 0.001 per window", "miss rate at 0.0001",
    )  # fmt: skip
    swatches = tuple(COLORS[each.number % len(COLORS)] for each in result.rounds)
    if result.reference is not None:
        rows = (*rows, ("OpenCV's", "", "", "", *_rates(result.reference)))
        swatches = (*swatches, GRAY)
    return Table("rounds", columns, rows, title="Rounds", swatches=swatches)


def _row(each: Round) -> tuple[str | int | float, ...]:
    rates = ("", "") if each.det is None else _rates(each.det)
    return (str(each.number + 1), each.negatives, each.hard, each.support or "", *rates)


def _rates(det: Det) -> tuple[float | str, float | str]:
    """Recall at `PER_WINDOW` and miss rate at a tenth of it; empty where windows are too few."""
    recall, missed = 1 - det.miss_rate(PER_WINDOW), det.miss_rate(PER_WINDOW / 10)
    enough = [det.negatives * false >= 1 for false in (PER_WINDOW, PER_WINDOW / 10)]
    return round(recall, 4) if enough[0] else "", round(missed, 4) if enough[1] else ""
