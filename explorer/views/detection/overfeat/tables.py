"""What stands below the panes: costs, sizes of the photo, merged boxes, differences by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Plot, Table
from explorer.core.listing import duration
from explorer.views.detection.overfeat.panes import BLUE, YELLOW
from explorer.views.shared.common import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.views.detection.overfeat.result import Candidates, Level, Result

GRAY = (130, 138, 152)
LISTED = 10


def cost_plots(result: Result, level: Level) -> tuple[Plot, ...]:
    """Multiply-adds, and the measured time where all windows were cropped."""
    crops = level.windows.count * result.one
    plots = [
        Plot(
            "multiply-adds", "Multiply-adds in billions",
            bars=(
                ("one window", result.one / 1e9, BLUE),
                ("the photo, one pass", level.multiply_adds / 1e9, YELLOW),
                ("crop by crop", crops / 1e9, GRAY),
            ),
        )
    ]  # fmt: skip
    if level.compared:
        bars = (
            ("the photo, one pass", level.seconds, YELLOW),
            ("crop by crop", level.crop_seconds, GRAY),
        )
        plots.append(Plot("time", "Time in seconds", bars=bars))
    return tuple(plots)


def levels_table(result: Result, label: int) -> Table:
    """A row for every size of the photo."""
    rows = []
    for number, (level, shares) in enumerate(
        zip(result.levels, result.shares(label), strict=True), start=1
    ):
        height, width = level.size
        crops = level.windows.count * result.one
        rows.append(
            (
                number, f"{width} x {height}", level.windows.count,
                percent(float(shares.max())), duration(level.seconds),
                duration(level.crop_seconds) if level.compared else "not measured",
                f"{crops / level.multiply_adds:.1f} x",
                _plain(float(np.abs(level.difference).max())) if level.compared else "",
            )
        )  # fmt: skip
    columns = (
        "size", "photo, px", "windows", "highest", "one pass", "crop by crop",
        "multiply-adds saved", "largest difference, logit",
    )  # fmt: skip
    return Table("scales", columns, tuple(rows), title="Sizes of the photo")


def merged_table(found: Candidates, merges: int) -> Table:
    """The boxes after some merges, the highest-scoring first."""
    rows = found.merges.alive(merges)[:LISTED]
    lines = []
    for rank, row in enumerate(rows.tolist(), start=1):
        parts = found.merges.within(row)
        scales = sorted(set((found.levels[parts] + 1).tolist()))
        x0, y0, x1, y1 = (round(float(side)) for side in found.merges.boxes[row])
        lines.append(
            (
                rank, round(float(found.merges.scores[row]), 3), len(parts),
                ", ".join(map(str, scales)), x0, y0, x1, y1,
            )
        )  # fmt: skip
    columns = ("rank", "sum of scores", "windows", "sizes", "x0", "y0", "x1", "y1")
    return Table(
        "merged", columns, tuple(lines), title="Merged boxes", layer="merged boxes",
        keys=tuple(rows.tolist()),
    )  # fmt: skip


def difference_table(level: Level) -> Table:
    """How far one pass and the crops are apart: by windows, and by places within a window."""
    away, known = np.abs(level.difference), level.known
    agree = level.scores.argmax(axis=0) == level.cropped.argmax(axis=0)
    rows: list[tuple[str | int | float, ...]] = []
    for name, where in (("border cells", level.border), ("interior cells", ~level.border)):
        some = where & known
        if some.any():
            rows.append(
                (
                    name, int(some.sum()), f"{_plain(float(away[:, some].mean()))} logit",
                    f"{_plain(float(away[:, some].max()))} logit",
                    f"{float(agree[some].mean()):.0%}",
                )
            )  # fmt: skip
    apart, side = level.apart[known], level.apart.shape[-1]
    for name, inner in (("outer cells of the last map", False), ("its other cells", True)):
        some = _inner(side) == inner
        if some.any() and len(apart):
            values = apart[:, some]
            rows.append(
                (
                    name, int(values.size), percent(float(values.mean())),
                    percent(float(values.max())), "",
                )
            )  # fmt: skip
    columns = ("where", "cells", "mean difference", "largest", "top class agrees")
    return Table("difference", columns, tuple(rows), title="One pass against crop by crop")


def _inner(side: int) -> NDArray[np.bool_]:
    found = np.zeros((side, side), bool)
    found[1:-1, 1:-1] = True
    return found


def _plain(value: float) -> str:
    return f"{value:.2g}"
