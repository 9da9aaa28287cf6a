"""The published table of Hosang et al. with what was measured here beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Plot, Table
from explorer.core.listing import quantity
from explorer.views.detection.proposals.comparison import EXTRA, MEASURED, Comparison, Figures
from explorer.views.shared.regions.proposals import COLORS, headed
from explorer.vision.proposals.published import NO_DATA, SOURCE, TABLE, Row, grade

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = (
    "method", "approach", "segments", "score", "control",
    "s, paper", "s, here", "repeatability, paper", "here",
    "recall, paper", "AR, here", "detection, paper", "AP50, here", "source",
)  # fmt: skip

NO_PACKAGE = "no maintained package: published row only"


def row_of(name: str) -> Row | None:
    """The published row of a method here; None where the paper has none."""
    return next((row for row in TABLE if row.ours == name), None)


def published_table(measured: Mapping[str, Figures]) -> Table:
    """All rows of the paper, then the methods that it does not have."""
    rows = [_row(row, measured) for row in TABLE]
    rows += [_extra(name, measured) for name in EXTRA]
    return Table("published", COLUMNS, tuple(rows), title=f"{SOURCE}, and measured here")


def _row(row: Row, measured: Mapping[str, Figures]) -> tuple[str | int | float, ...]:
    seconds, again, recall, precision = _here(measured.get(row.ours))
    source = row.source if row.ours else f"{row.source}; {NO_PACKAGE}"
    return (
        row.name, row.approach or NO_DATA, *map(_mark, (row.segments, row.score, row.control)),
        f"{row.seconds:g}", seconds, grade(row.repeatability), again,
        grade(row.recall), recall, grade(row.detection), precision, source,
    )  # fmt: skip


def _extra(name: str, measured: Mapping[str, Figures]) -> tuple[str | int | float, ...]:
    seconds, again, recall, precision = _here(measured.get(name))
    return (
        headed(name), *[NO_DATA] * 5, seconds, NO_DATA, again, NO_DATA, recall, NO_DATA, precision,
        "not in the paper's table",
    )  # fmt: skip


def _mark(yes: bool) -> str:
    return "yes" if yes else ""


def _here(figures: Figures | None) -> tuple[str, str, str, str]:
    if figures is None:
        return "", "", "", ""
    return (
        f"{figures.seconds:.2f}", _digits(figures.repeatability), _digits(figures.recall),
        _digits(figures.precision),
    )  # fmt: skip


def _digits(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def method_row(name: str, seconds: float) -> Table | None:
    """The published row of one method, as properties; None where the paper has none."""
    row = row_of(name)
    if row is None:
        return None
    yes = {True: "yes", False: "no"}
    lines = (
        ("approach", row.approach or "baseline", ""),
        ("outputs segments", yes[row.segments], ""),
        ("outputs a score", yes[row.score], ""),
        ("number can be chosen", yes[row.control], ""),
        ("seconds", f"{row.seconds:g}", f"{seconds:.2f}"),
        ("repeatability", grade(row.repeatability), ""),
        ("recall", grade(row.recall), ""),
        ("detection", grade(row.detection), ""),
    )
    columns = (row.name, "published", "here")
    return Table("published row", columns, lines, title=SOURCE)


def bars(measured: Mapping[str, Figures]) -> tuple[Plot, ...]:
    """One bar per method for every figure that is known, the highest on top."""
    kinds = (
        ("precision", "AP50 of Fast R-CNN on the proposals"),
        ("recall", "Average recall"),
        ("repeatability", "Repeatability"),
    )
    plots = []
    for kind, title in kinds:
        values = {name: float(getattr(entry, kind)) for name, entry in measured.items()}
        order = sorted((n for n in values if np.isfinite(values[n])), key=lambda n: -values[n])
        if order:
            entries = tuple((headed(name), values[name], COLORS[name]) for name in order)
            plots.append(Plot(kind, title, bars=entries, bar_range=(0.0, 1.0)))
    return tuple(plots)


def words(known: Comparison, measured: Mapping[str, Figures], objects: int) -> str:
    """One line: what was measured, and the best of it."""
    photos = f" on {quantity(known.total, 'photo')} of {known.source}" if known.source else ""
    text = f"{len(measured)} of {len(MEASURED)} methods measured{photos}"
    for kind, title in (("precision", "highest AP50"), ("recall", "highest average recall")):
        values = {n: getattr(entry, kind) for n, entry in measured.items()}
        finite = {n: value for n, value in values.items() if np.isfinite(value)}
        if finite:
            best = max(finite, key=finite.__getitem__)
            text += f" · {title}: {headed(best)}, {finite[best]:.2f}"
    if not known.source and not objects:
        text += " · draw or load ground truth, or choose a data set, for recall and detection"
    return text


def numbers(measured: Mapping[str, Figures]) -> dict[str, Any]:
    """For files: every row of the table by its columns."""
    names = [*(row.name for row in TABLE), *(headed(name) for name in EXTRA)]
    keys = [*(row.ours for row in TABLE), *EXTRA]
    rows: list[Row | None] = [*TABLE, *([None] * len(EXTRA))]
    answer: dict[str, Any] = {"table_methods": names}
    for kind in ("seconds", "repeatability", "recall", "precision"):
        values = [getattr(measured[key], kind) if key in measured else np.nan for key in keys]
        answer[f"table_{kind}"] = np.array(values, np.float64)
    answer["published_seconds"] = np.array(
        [np.nan if row is None else row.seconds for row in rows], np.float64
    )
    for kind in ("repeatability", "recall", "detection"):
        grades = [None if row is None else getattr(row, kind) for row in rows]
        answer[f"published_{kind}"] = np.array([-1 if g is None else g for g in grades], np.int64)
    return answer
