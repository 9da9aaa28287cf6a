"""The pictures of an evaluation: its confusion matrix and its curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import (
    Curve,
    Heat,
    Lines,
    Pane,
    Picture,
    Plot,
    Points,
    Table,
    Text,
    class_colors,
    label_colors,
)
from explorer.evaluation.keypoints.skeletons import PCK
from explorer.evaluation.measures import BoxMeasures, LabelMeasures, PixelMeasures, PoseMeasures
from explorer.evaluation.report import in_words
from explorer.views.evaluation.evaluation.errors import detectors, impact_plot, number_of
from explorer.views.shared.common import class_name, color

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Layer
    from explorer.evaluation.keypoints.skeletons import KeypointErrors
    from explorer.evaluation.measures import Measures
    from explorer.evaluation.report import Report

    Floats = NDArray[np.float64]

BACKGROUND = "background"
MOST_CURVES, MOST_BARS, MOST_CONFUSIONS = 8, 30, 100
MOST_TORSO = 0.5
"""Up to this distance the curve of correct keypoints is drawn."""
MOST_SHIFTS, CLOUD = 6000, 400.0
"""Points drawn at most, and the side of their pane."""
MOST_POINTS = 1000
"""Of a curve: more than a screen has columns."""

CELL, NAMES, HEAD, GAP = 32.0, 200.0, 32.0, 4.0
"""Of the matrix, in units of its pane: a cell's side, the room for names at its left and for a line
of numbers above, and between names and cells."""

MOST_NAMED, MOST_NUMBERED = 24, 12
"""Up to this many classes their names, and the numbers in the cells, can be read."""

_ORDINALS = {2: "second", 3: "third"}


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A confusion matrix of the classes that occur.

    Attributes:
        names: (C,) of the rows and columns.
        counts: (C, C): row = the true class, column = the predicted one.
        unit: What is counted: "photos", "detections" or "pixels".
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    unit: str


def confusion(report: Report, min_score: float, iou: float) -> Matrix:
    """The confusion matrix of a report of any task; empty while there is none.

    Args:
        report: What was found so far.
        min_score: Of detections that count.
        iou: From which a detection matches an object.
    """
    classes = report.info.classes if report.info is not None else ()
    return _matrix(report.measures, classes, min_score, iou)


@lru_cache(maxsize=4)
def _matrix(
    measures: Measures | None, classes: tuple[str, ...], min_score: float, iou: float
) -> Matrix:
    if isinstance(measures, BoxMeasures):
        most = max(measures.label.max(initial=0), measures.object_label.max(initial=0)) + 1
        count = max(len(classes), int(most))
        counts, unit = measures.confusion(count, min_score, iou), "detections"
    elif isinstance(measures, LabelMeasures):
        count = max(len(classes), int(measures.predicted.max(initial=0)) + 1)
        counts, unit = measures.confusion(count), "photos"
    elif isinstance(measures, PixelMeasures):
        counts, unit = measures.confusion, "pixels"
    else:
        counts, unit = np.zeros((0, 0), np.int64), ""
    used = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
    names = [class_name(classes, k) for k in range(len(counts))]
    if isinstance(measures, BoxMeasures):
        names[-1] = BACKGROUND
    return Matrix(tuple(names[k] for k in used), counts[np.ix_(used, used)], unit)


def confusion_pane(matrix: Matrix, *, shares: bool) -> Pane:
    """The matrix as a picture, with the classes at its sides and numbers while they can be read.

    The rows have numbers and names, the columns the numbers, in two lines where they are many.
    Of more than `MOST_NAMED` classes only every second, third … is named, which the corner says.

    Args:
        matrix: Of any size; an empty one gives an empty pane.
        shares: Every row is divided by its sum.
    """
    size = len(matrix.names)
    every = max(-(-size // MOST_NAMED), 1)
    large = max(size / MOST_NAMED, 1.0)  # letters have a size on the screen: they need more room
    lines = 1 if size <= MOST_NUMBERED else 2
    left, top = NAMES * large, HEAD * lines * large
    side = max(size, 1) * CELL
    layers: list[Layer] = [_heat(matrix, left, top, shares=shares)] if matrix.names else []
    for nth, k in enumerate(range(0, size, every)):
        middle = (k + 0.5) * CELL
        name = f"{k + 1} {_short(matrix.names[k])}"
        layers.append(_word(name, (left - GAP * large, top + middle), (1.0, 0.5)))
        line = (nth % lines + 0.5) * HEAD * large
        layers.append(_word(str(k + 1), (left + middle, line), (0.5, 0.5)))
    if every > 1:
        words = f"every {_ORDINALS.get(every, f'{every}th')} class named"
        layers.append(_word(words, (GAP * large, top / 2), (0.0, 0.5)))
    if size <= MOST_NUMBERED:
        layers += [
            _word(_number(matrix.counts[i, j]),
                  (left + (j + 0.5) * CELL, top + (i + 0.5) * CELL), (0.5, 0.5))
            for i, j in np.argwhere(matrix.counts).tolist()
        ]  # fmt: skip
    return Pane(
        "confusion",
        (left + side, top + side),
        tuple(layers),
        title="Confusion matrix: rows = true class, columns = predicted class",
        frame="confusion",
        readout=_readout(matrix, left, top),
    )


@lru_cache(maxsize=4)
def _heat(matrix: Matrix, left: float, top: float, *, shares: bool) -> Heat:
    counts, side = matrix.counts.astype(np.float64), len(matrix.names) * CELL
    if shares:
        counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Heat(
        counts.astype(np.float32),
        0.0,
        1.0 if shares else float(counts.max()),
        colormap="viridis",
        extent=(left, top, left + side, top + side),
        unit=f"fraction of the row's {matrix.unit}" if shares else matrix.unit,
        name="confusion",
    )


def _word(text: str, at: tuple[float, float], anchor: tuple[float, float]) -> Text:
    return Text(text, at, size=9.0, anchor=anchor)


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"


def _number(count: int) -> str:
    for unit, name in ((1_000_000, "M"), (10_000, "k")):
        if count >= unit:
            return f"{count / (1000 if name == 'k' else unit):.0f}{name}"
    return str(count)


def _readout(matrix: Matrix, left: float, top: float) -> Callable[[float, float], str]:
    sums = np.maximum(matrix.counts.sum(axis=1), 1)

    def words(x: float, y: float) -> str:
        row, column = int((y - top) // CELL), int((x - left) // CELL)
        if not (0 <= row < len(matrix.names) and 0 <= column < len(matrix.names)):
            return ""
        count = int(matrix.counts[row, column])
        share = f"{100 * count / sums[row]:.1f}%"
        return f"{matrix.names[row]} → {matrix.names[column]}: {count} {matrix.unit} ({share})"

    return words


def confusions(matrix: Matrix) -> Table:
    """Pairs of true and predicted class, the most frequent first, without the diagonal."""
    off = matrix.counts.copy()
    np.fill_diagonal(off, 0)
    sums = np.maximum(matrix.counts.sum(axis=1), 1)
    places = np.argwhere(off)
    order = np.argsort(-off[tuple(places.T)], kind="stable")[:MOST_CONFUSIONS]
    rows = tuple(
        (matrix.names[i], matrix.names[j], int(off[i, j]), float(off[i, j] / sums[i]))
        for i, j in places[order].tolist()
    )
    columns = ("true class", "predicted class", matrix.unit or "count", "fraction of the class")
    return Table("confusions", columns, rows, title="Confusions")


# -- curves


def plots(report: Report, min_score: float, iou: float, label: int | None) -> tuple[Plot, ...]:
    """The curves of a detector, else the classes as bars with the worst first.

    Args:
        report: What was found so far.
        min_score: Where the marker stands.
        iou: From which a detection matches an object.
        label: The class whose curves are drawn; None = several, and all detections together.
    """
    measures = report.measures
    if isinstance(measures, BoxMeasures):
        cost = impact_plot(report)
        return (
            _precision_recall(report, measures, iou, label),
            _threshold(measures, min_score, iou, label),
            *(() if cost is None else (cost,)),
            *_of_keypoints(measures.keypoints),
        )
    if isinstance(measures, PoseMeasures):
        return _of_keypoints(measures.keypoints)
    key = "IoU" if isinstance(measures, PixelMeasures) else "top1"
    rows = sorted((row[key], name) for name, row in report.by_class.items() if key in row)
    if not rows:
        return ()
    (shade,) = class_colors(1)
    bars = tuple((name, value, color(shade)) for value, name in rows[:MOST_BARS])
    words = in_words(key)
    title = f"{words} by class, worst first"
    title += f" ({MOST_BARS} of {len(rows)})" if len(rows) > MOST_BARS else ""
    return (Plot("by_class_bars", title, x_label=words, bars=bars, bar_range=(0.0, 1.0)),)


def _of_keypoints(errors: KeypointErrors | None) -> tuple[Plot, ...]:
    return (_correct(errors), _by_keypoint(errors)) if errors and len(errors.kind) else ()


def keypoint_pane(measures: Measures | None) -> Pane | None:
    """Where keypoints lie relative to the labeled ones, all torsos of one length; None without any.

    Those farther than `MOST_TORSO`, and of people who were not found, lie outside.
    """
    errors = getattr(measures, "keypoints", None)
    if errors is None or not len(errors.kind):
        return None
    near = np.flatnonzero(np.abs(errors.shift).max(axis=1) < MOST_TORSO)
    if len(near) > MOST_SHIFTS:
        near = near[np.linspace(0, len(near) - 1, MOST_SHIFTS).astype(np.intp)]
    scale = CLOUD / (2 * MOST_TORSO)
    xy = ((errors.shift[near] + MOST_TORSO) * scale).astype(np.float32)
    tints = class_colors(len(errors.names))[errors.kind[near]]
    turn = np.linspace(0, 2 * np.pi, 65)
    ring = (np.stack([np.cos(turn), np.sin(turn)], axis=1) * PCK + MOST_TORSO) * scale
    segments = np.concatenate([ring[:-1], ring[1:]], axis=1).astype(np.float32)
    gray = np.full((len(segments), 3), 200, np.uint8)
    ground = Picture(np.full((1, 1, 3), 36, np.uint8), (0.0, 0.0, CLOUD, CLOUD), name="ground")
    layers: tuple[Layer, ...] = (
        ground,
        Points(xy, tints, radius=2.0, name="keypoints"),
        Lines(segments, gray, width=2.0, name="limit"),
        Text(f"{PCK} of the torso", (CLOUD / 2, CLOUD / 2 + PCK * scale), size=9.0,
             anchor=(0.5, 0.0), name="limit"),
    )  # fmt: skip

    def words(x: float, y: float) -> str:
        return f"{np.hypot(x / scale - MOST_TORSO, y / scale - MOST_TORSO):.2f} of the torso away"

    title = "Keypoints around their labeled places"
    return Pane("keypoints", (CLOUD, CLOUD), layers, title, frame="keypoints", readout=words)


def _correct(errors: KeypointErrors) -> Plot:
    """PCK over its limit."""
    limits = np.linspace(0, MOST_TORSO, 101)
    shares = np.array([errors.correct(limit) or 0.0 for limit in limits])
    title = "Correct keypoints (PCK) by distance"
    curve = Curve(limits, shares, "all keypoints", color(class_colors(1)[0]))
    return Plot("pck", title, "max. distance, in lengths of the torso", "PCK", (curve,), marker=PCK)


def _by_keypoint(errors: KeypointErrors) -> Plot:
    shares = {name: errors.correct(kind=kind) for kind, name in enumerate(errors.names)}
    shades = class_colors(len(shares))
    bars = tuple(
        (name.replace("_", " "), share, color(shade))
        for (name, share), shade in zip(shares.items(), shades, strict=True)
        if share is not None
    )
    return Plot("by_keypoint", f"PCK@{PCK} by keypoint", bars=bars, bar_range=(0.0, 1.0))


def _precision_recall(report: Report, measures: BoxMeasures, iou: float, label: int | None) -> Plot:
    both = detectors(report)
    if len(both) > 1:
        curves, more = _of_both(report, both, iou, label), ""
    else:
        frequent = by_frequency(measures)
        wanted = frequent[:MOST_CURVES] if label is None else [label]
        curves = class_curves(report, measures, iou, wanted)
        cut = label is None and len(frequent) > MOST_CURVES
        more = f" ({MOST_CURVES} most frequent classes)" if cut else ""
    return Plot("precision_recall", f"Precision and recall at IoU {iou:.2f}{more}", "recall",
                "precision", curves)  # fmt: skip


def by_frequency(measures: BoxMeasures) -> list[int]:
    """The classes with an object, that with most of them first."""
    labels, counts = np.unique(measures.object_label, return_counts=True)
    found: list[int] = labels[np.argsort(-counts, kind="stable")].tolist()
    return found


def class_curves(
    report: Report, measures: BoxMeasures, iou: float, wanted: Sequence[int]
) -> tuple[Curve, ...]:
    """Precision over recall of each class in `wanted`."""
    classes = report.info.classes if report.info is not None else ()
    curves = []
    for k, shade in zip(wanted, label_colors(np.array(wanted, np.int64)), strict=True):
        recall, precision, _ = _points(measures, k, iou)
        curves.append(Curve(recall, precision, class_name(classes, k), color(shade)))
    return tuple(curves)


def _of_both(
    report: Report, both: Sequence[tuple[Report, BoxMeasures]], iou: float, label: int | None
) -> tuple[Curve, ...]:
    """A curve for each of two detectors: of one class, or of all detections together."""
    curves = []
    for (one, measures), shade in zip(both, class_colors(len(both)), strict=True):
        own = None if label is None else number_of(one, report, label)
        recall, precision, _ = _points(measures, own, iou)
        curves.append(Curve(recall, precision, one.title, color(shade)))
    return tuple(curves)


def _threshold(measures: BoxMeasures, min_score: float, iou: float, label: int | None) -> Plot:
    recall, precision, score = _points(measures, label, iou)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    shades = class_colors(3)
    curves = tuple(
        Curve(score[::-1], values[::-1], name, color(shade))
        for values, name, shade in (
            (precision, "precision", shades[0]), (recall, "recall", shades[1]),
            (f1, "F1", shades[2]),
        )
    )  # fmt: skip
    title = "Precision, recall and F1 by threshold"
    return Plot("threshold", title, "min. score", "", curves, marker=min_score, steers="min_score")


@lru_cache(maxsize=32)
def _points(measures: BoxMeasures, label: int | None, iou: float) -> tuple[Floats, Floats, Floats]:
    """A curve with as many points as are visible."""
    curve = measures.curve(label, iou)
    count = len(curve[0])
    if count <= MOST_POINTS:
        return curve
    chosen = np.unique(np.linspace(0, count - 1, MOST_POINTS).round().astype(np.int64))
    recall, precision, score = (values[chosen] for values in curve)
    return recall, precision, score
