"""The error types of one detector, or of two side by side: a pie each, bars and a table."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Pane, Picture, Plot, Table, Text, class_colors
from explorer.evaluation.errors import KINDS, MEANINGS
from explorer.evaluation.measures import BoxMeasures
from explorer.evaluation.report import percent
from explorer.views.shared.common import color

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Layer
    from explorer.evaluation.errors import Impact
    from explorer.evaluation.report import Report

PIE = 400.0
"""The side of the square that a pie stands in."""

RADIUS, HEAD = 172.0, 44.0
"""Of a pie, and the room above it."""

_NAMED_INSIDE, _NAMED = 0.06, 0.02
"""From these fractions on a part is named inside its sector, and named at all."""

CORRECT = "Correct"


def detectors(report: Report) -> list[tuple[Report, BoxMeasures]]:
    """The detectors of a report that have been evaluated: none, one, or both."""
    both = [report] if report.other is None else [report, report.other]
    return [(one, one.measures) for one in both if isinstance(one.measures, BoxMeasures)]


@lru_cache(maxsize=4)
def _impact(measures: BoxMeasures) -> Impact:
    return measures.impact()


@lru_cache(maxsize=4)
def _best(measures: BoxMeasures) -> dict[str, int]:
    return measures.kinds_of_best()


def kind_colors() -> dict[str, Color]:
    """A color for every part of a pie and every bar."""
    names = (CORRECT, *KINDS)
    return dict(zip(names, map(color, class_colors(len(names))), strict=True))


# -- the pies


def pies_pane(report: Report) -> Pane | None:
    """What the highest-scoring detections are; None while there is no detection to say it of."""
    parts = [(one.title, _best(measures)) for one, measures in detectors(report)]
    if not any(sum(counts.values()) for _, counts in parts):
        return None
    size = (PIE * len(parts), PIE)
    counts_of = tuple(tuple(counts.values()) for _, counts in parts)
    pies = _pies(counts_of, tuple(kind_colors().values()))
    layers: list[Layer] = [Picture(pies, (0.0, 0.0, *size), smooth=True, name="pies")]
    for place, (title, counts) in enumerate(parts):
        layers += _words(place, title, counts)
    return Pane(
        "errors", size, tuple(layers), title="Highest-scoring detections", frame="errors",
        readout=_readout([counts for _, counts in parts]),
    )  # fmt: skip


@lru_cache(maxsize=4)
def _pies(parts: tuple[tuple[int, ...], ...], colors: tuple[Color, ...]) -> NDArray[np.uint8]:
    """(2 PIE, 2 PIE n, 3): two pixels a unit, the edges averaged from four samples a pixel."""
    side = int(4 * PIE)
    place = (np.arange(side) + 0.5) / 4
    x, y = place[None] - PIE / 2, place[:, None] - (HEAD + PIE) / 2
    turn, far = _turn(x, y), np.hypot(x, y)
    shades = np.array(colors, np.float32)
    pictures = []
    for counts in parts:
        ends = np.cumsum(counts) / max(sum(counts), 1)
        pixels = np.full((side, side, 3), 36.0, np.float32)
        inside = far < RADIUS
        if sum(counts):
            which = np.searchsorted(ends, turn[inside], side="right").clip(max=len(counts) - 1)
            pixels[inside] = shades[which]
        else:
            pixels[inside] = 70.0
        pictures.append(pixels.reshape(side // 2, 2, side // 2, 2, 3).mean(axis=(1, 3)))
    return np.concatenate(pictures, axis=1).round().astype(np.uint8)


def _turn(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Parts of a turn in [0, 1), clockwise from the top."""
    turns: NDArray[np.float64] = (np.arctan2(x, -y) / (2 * np.pi)) % 1.0
    return turns


def _words(place: int, title: str, counts: dict[str, int]) -> list[Layer]:
    center, total = (place + 0.5) * PIE, sum(counts.values())
    found: list[Layer] = [Text(f"{title}: {total:,}", (center, 4.0), size=11.0, anchor=(0.5, 0.0))]
    start = 0.0
    for name, count in counts.items():
        share = count / max(total, 1)
        middle, start = (start + share / 2) * 2 * np.pi, start + share
        if share < _NAMED:
            continue
        far = RADIUS * (0.66 if share >= _NAMED_INSIDE else 1.02)
        at = (center + far * np.sin(middle), (HEAD + PIE) / 2 - far * np.cos(middle))
        found.append(Text(f"{name} {share:.0%}", at, size=10.0, anchor=(0.5, 0.5), name="part"))
    return found


def _readout(parts: list[dict[str, int]]) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        place = int(x // PIE)
        across, down = x - (place + 0.5) * PIE, y - (HEAD + PIE) / 2
        if not 0 <= place < len(parts) or np.hypot(across, down) >= RADIUS:
            return ""
        counts = parts[place]
        total = sum(counts.values())
        ends = np.cumsum([*counts.values()]) / max(total, 1)
        turn = float(_turn(np.array(across), np.array(down)))
        which = min(int(np.searchsorted(ends, turn, side="right")), len(counts) - 1)
        name = [*counts][which]
        meaning = MEANINGS.get(name, "class correct, IoU >= 0.5 with an object")
        return f"{name}: {counts[name]:,} of {total:,} ({meaning})" if total else ""

    return words


# -- bars and tables


def impact_plot(report: Report) -> Plot | None:
    """By how much AP rises when the errors of a type are fixed; None without a detector."""
    both = detectors(report)
    if not both:
        return None
    shades = kind_colors()
    gray: Color = (140, 140, 140)
    bars = []
    costs = [(one.title, _costs(measures)) for one, measures in both]
    for kind in costs[0][1]:
        for title, cost in costs:
            name = kind if len(costs) == 1 else f"{kind} · {title}"
            bars.append((name, cost[kind], shades.get(kind, gray)))
    most = max(value for _, value, _ in bars)
    return Plot(
        "errors", "Cost of errors (dAP)", "rise of AP50 if fixed", bars=tuple(bars),
        bar_range=(0.0, max(most, 0.01)),
    )  # fmt: skip


FP, FN = "all FP", "all FN"


def _costs(measures: BoxMeasures) -> dict[str, float]:
    cost = _impact(measures)
    return {**cost.by_kind, FP: cost.false_positives, FN: cost.false_negatives}


def errors_table(report: Report, min_score: float, label: int | None) -> Table:
    """How many errors of each type there are at a score threshold, and what they cost."""
    both = detectors(report)
    costs = [_costs(measures) for _, measures in both]
    counts = []
    for one, measures in both:
        number = None if label is None else number_of(one, report, label)
        counts.append(measures.errors_by_photo(min_score, number).sum(axis=0))
    meanings = {**MEANINGS, FP: "every false positive", FN: "every false negative"}
    rows = []
    for place, (kind, meaning) in enumerate(meanings.items()):
        cells: list[str | int | float] = []
        for count, cost in zip(counts, costs, strict=True):
            cells += [int(count[place]) if place < len(KINDS) else "", cost[kind]]
        rows.append((kind, *cells, meaning))
    named = ("number", "dAP")
    columns = [
        f"{name}, {one.title}" if len(both) > 1 else name for one, _ in both for name in named
    ]
    return Table(
        "errors", ("error", *columns, "meaning"), tuple(rows) if both else (), title="Errors"
    )


def number_of(one: Report, report: Report, label: int) -> int:
    """The number that class `label` of `report` has in `one`; -1 = none.

    Two networks may call one class of the data by different names.
    """
    if one is report or one.info is None or report.info is None:
        return label
    name = report.info.classes[label]
    there = (one.matched.get(of) for of, own in report.matched.items() if own == name)
    names = one.info.classes
    return next((names.index(other) for other in there if other in names), -1)


def sizes_table(report: Report, min_score: float, iou: float, label: int | None) -> Table:
    """Objects by their area, how many of them are found, and COCO's metrics of each size."""
    measures = report.measures
    rows: list[tuple[str | int | float, ...]] = []
    if isinstance(measures, BoxMeasures):
        for size, (objects, found) in measures.found_by_size(min_score, label, iou).items():
            if objects:
                figures = (report.figures.get(f"{key}_{size}", "") for key in ("AP", "AR"))
                rows.append((size, objects, found, found / objects, *figures))
    columns = ("size", "objects", "TP", "recall", "AP (all classes)", "AR (all classes)")
    return Table("by_size", columns, tuple(rows), title="By size")


def against(report: Report) -> str:
    """Two detectors in a line: their AP, and what errors their highest-scoring detections are."""
    both = detectors(report)
    if len(both) < 2:
        return ""
    first, second = (one.figures for one, _ in both)
    words = [
        f"{key} {percent(first[key])} and {percent(second[key])}"
        for key in ("AP", "AP50")
        if key in first and key in second
    ]
    counts = [_best(measures) for _, measures in both]
    errors = []
    for kind, name in (("Bkg", "background"), ("Loc", "localization")):
        shares = [percent(count[kind] / max(sum(count.values()), 1)) for count in counts]
        errors.append(f"{name} {' and '.join(shares)}")
    return f"{', '.join(words)}; errors of the highest-scoring detections: {', '.join(errors)}"
