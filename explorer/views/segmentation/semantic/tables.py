"""The legend of semantic segmentation, the plot beside it, and the line that sums it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Plot, Table
from explorer.views.segmentation.semantic.params import BACKGROUND
from explorer.views.shared.common import color, percent

if TYPE_CHECKING:
    from explorer.views.segmentation.semantic.params import Params
    from explorer.views.segmentation.semantic.result import Result


MOST_BARS = 12
"""Classes in the plot, which says how many more there are."""


def legend(result: Result, params: Params) -> Table:
    """The classes that were found, the largest area first."""
    count = len(result.found.probabilities)
    sure = result.best >= params.min_probability
    pixels = np.bincount(result.found.classes[sure], minlength=count)
    shares = np.bincount(
        result.found.classes[sure], weights=result.best[sure].astype(np.float64), minlength=count
    )
    present = np.flatnonzero(pixels)
    order = present[np.argsort(-pixels[present], kind="stable")]
    colors = result.colors()
    rows = tuple(
        (
            result.names[int(k)],
            round(100.0 * float(pixels[k]) / sure.size, 2),
            int(pixels[k]),
            round(float(shares[k] / pixels[k]), 3),
        )
        for k in order
    )
    return Table(
        "legend",
        ("class", "area %", "pixels", "mean probability"),
        rows,
        title=f"Classes on the network's grid of {sure.shape[1]} x {sure.shape[0]} pixels",
        swatches=tuple(color(colors[k]) for k in order),
    )


def share_plot(result: Result, params: Params, table: Table) -> Plot:
    """The probabilities under the mouse, or the areas of all classes."""
    cell = None if params.at is None else result.cell(params.at.x, params.at.y)
    if cell is None:
        areas = tuple(
            (str(row[0]), float(row[1]) / 100.0, tint)
            for row, tint in zip(table.rows, table.swatches, strict=True)
        )
        title = "Area of each class"
        if len(areas) > MOST_BARS:
            title = f"Area of the {MOST_BARS} largest of {len(areas)} classes"
        return Plot("shares", title, bars=areas[:MOST_BARS], bar_range=(0.0, 1.0))
    shares = result.found.probabilities[:, cell[0], cell[1]]
    colors = result.colors()
    bars = tuple(
        (result.names[int(k)], float(shares[k]), color(colors[k]))
        for k in np.argsort(-shares, kind="stable")[:5]
    )
    return Plot("shares", "Highest probabilities at this pixel", bars=bars, bar_range=(0.0, 1.0))


def summary(table: Table) -> str:
    named = [row for row in table.rows if row[0] not in BACKGROUND]
    if not named:
        return "Only background."
    words = ", ".join(f"{row[0]} {percent(float(row[1]) / 100)}" for row in named[:5])
    return f"{len(named)} {'class' if len(named) == 1 else 'classes'}: {words}"
