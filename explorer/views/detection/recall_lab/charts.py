"""The plots and tables of the recall lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.views.shared.regions.proposals import COLORS
from explorer.vision.detection.recall import (
    average_recall,
    covered,
    recall_by_count,
    recall_by_iou,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.vision.proposals.methods import Proposals

COUNTS = (100, 1000, 2000)
"""Numbers of boxes at which the table has the average recall."""

IOUS = np.linspace(0.5, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One method against the ground truth: `table` is `covered` (G, N + 1) of its boxes."""

    name: str
    found: Proposals
    table: Float32

    def best(self, count: int) -> Float32:
        """(G,): the best IoU of each object with the first `count` boxes, or all there are."""
        best: Float32 = self.table[:, min(count, self.table.shape[1] - 1)]
        return best

    def recall(self, count: int, iou: float) -> float:
        return float(recall_by_iou(self.best(count), np.array([iou]))[0])


def scored(runs: Sequence[tuple[str, Proposals]], truth: Float32) -> tuple[Scored, ...]:
    """Every method's boxes against (G, 4) `truth`."""
    return tuple(Scored(name, found, covered(truth, found.boxes)) for name, found in runs)


def winner(methods: Sequence[Scored], count: int, iou: float) -> Scored:
    """The method that finds most; of several the one with the highest average recall."""

    def merit(method: Scored) -> tuple[float, float]:
        return method.recall(count, iou), average_recall(method.best(count))

    return max(methods, key=merit)


def recall_plots(methods: Sequence[Scored], count: int, iou: float, most: int) -> tuple[Plot, ...]:
    """Recall against the number of boxes, the IoU and the seconds; the first two steer."""
    by_count, by_iou, by_seconds = [], [], []
    for method in methods:
        color, total = COLORS[method.name], method.table.shape[1] - 1
        if total:
            xs = _places(total)
            shares = recall_by_count(method.table[:, xs], iou)
            by_count.append(Curve(xs.astype(np.float64), shares, method.name, color))
        shares = recall_by_iou(method.best(count), IOUS)
        by_iou.append(Curve(IOUS, shares, method.name, color))
        seconds, top = max(method.found.seconds, 1e-5), method.recall(count, iou)
        flag = np.array([seconds, seconds, 1.35 * seconds])
        by_seconds.append(Curve(flag, np.array([0.0, top, top]), method.name, color))
    first = f"{min(count, most)} boxes"
    return (
        Plot(
            "count", "Recall by number of boxes", "number of boxes", f"recall at IoU {iou:.2f}",
            tuple(by_count), log_x=True, marker=float(min(count, most)), steers="top",
        ),
        Plot(
            "iou", "Recall by IoU", "IoU threshold", f"recall of {first}", tuple(by_iou),
            marker=iou, steers="iou",
        ),
        Plot(
            "seconds", "Recall by time", "seconds for all boxes",
            f"recall of {first} at IoU {iou:.2f}",
            tuple(by_seconds), log_x=True,
        ),
    )  # fmt: skip


def _places(total: int) -> NDArray[np.int64]:
    """Some hundred of 1 … total, evenly on a log axis: a curve needs no more."""
    exact = np.geomspace(1, total, 160)
    places: NDArray[np.int64] = np.unique(np.round(exact).astype(np.int64))
    return places


def method_table(methods: Sequence[Scored], count: int, iou: float, most: int) -> Table:
    """Average recall at 100, 1000 and 2000 boxes, and the seconds, of every method."""
    rows: list[tuple[str | int | float, ...]] = []
    for method in methods:
        means = (
            round(average_recall(method.best(number)), 3) if number <= most else "–"
            for number in COUNTS
        )
        rows.append(
            (
                method.name, len(method.found.boxes), round(method.found.seconds, 3),
                round(method.recall(count, iou), 3), *means,
            )
        )  # fmt: skip
    recall = f"recall of {min(count, most)}"
    columns = ("method", "boxes", "seconds", recall, *(f"AR {number}" for number in COUNTS))
    swatches = tuple(COLORS[method.name] for method in methods)
    return Table("methods", columns, tuple(rows), title="Methods", swatches=swatches)


def time_table(runs: Sequence[tuple[str, Proposals]]) -> Table:
    """Without ground truth: how many boxes and how long."""
    rows = tuple((name, len(found.boxes), round(found.seconds, 3)) for name, found in runs)
    swatches = tuple(COLORS[name] for name, _ in runs)
    return Table("methods", ("method", "boxes", "seconds"), rows, "Methods", swatches=swatches)
