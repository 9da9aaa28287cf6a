"""What is drawn of networks that are trained side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Pane, Plot, Table
from explorer.views.shared.grids.matrix import matrix_pane
from explorer.views.shared.learning.charts import (
    accuracy_plot,
    blank_pane,
    curve_of,
    loss_plot,
    training_curve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.views.shared.learning.lanes import Lane

SIZE, LEFT = (360.0, 250.0), 104.0
"""Small, so that the words can be read in small windows as well."""
LOWEST = 1e-12
"""Gradient norms below it are drawn as the smallest one."""


def flow_panes(lanes: Sequence[Lane]) -> tuple[Pane, ...]:
    """The size of the gradient in every layer over time, with one scale for all networks."""
    known = [lane.flow for lane in lanes if lane.flow.size]
    found = [f[np.isfinite(f) & (f > LOWEST)] for f in known]
    logs = np.log10(np.concatenate(found or [np.ones(1, np.float32)]))
    low, high = (float(logs.min()), float(logs.max())) if logs.size else (-1.0, 0.0)
    scale = (low, high if high > low else low + 1.0)
    return tuple(_flow_pane(place, lane, scale) for place, lane in enumerate(lanes))


def _flow_pane(place: int, lane: Lane, scale: tuple[float, float]) -> Pane:
    name = f"flow_{place}"
    if not lane.flow.size:
        return blank_pane(name, lane.name, "begins later")
    values = np.log10(np.maximum(lane.flow, LOWEST)).T
    steps = [int(step) for step in lane.looks[:, 0]]
    count = len(steps)
    marked = {round(part * (count - 1) / 3) for part in range(4)}

    def readout(row: int, column: int) -> str:
        return (
            f"{lane.name}, layer {row + 1}, step {steps[column]}: gradient norm "
            f"{lane.flow[column, row]:.3g}"
        )

    return matrix_pane(
        name, lane.name, np.ascontiguousarray(values, np.float32), _rows(len(values)),
        [str(step) if at in marked else "" for at, step in enumerate(steps)],
        scale=scale, unit="log10 of norm", colormap="magma", readout=readout, size=SIZE,
        left=LEFT,
    )  # fmt: skip


def _rows(count: int) -> list[str]:
    """Words beside the first layer, the last one and some between."""
    step = 5 if count <= 24 else 10
    between = range(1 + step // 2, count - step + 1)  # apart from the words at both ends
    rows = [f"layer {n}" if n % step == 0 and n in between else "" for n in range(1, count + 1)]
    rows[0], rows[-1] = "first", "last"
    return rows


def plots(lanes: Sequence[Lane]) -> tuple[Plot, ...]:
    losses = [
        _moved(training_curve(lane.losses, lane.name, lane.color), lane.first)
        for lane in lanes
        if len(lane.losses)
    ]
    accuracies = [
        curve_of([(x, y) for x, _, y in lane.looks], lane.name, lane.color)
        for lane in lanes
        if len(lane.looks)
    ]
    return (
        loss_plot(losses, "Training loss, mean of 20 steps"),
        accuracy_plot(accuracies, "Validation accuracy"),
    )


def _moved(curve: Curve, first: int) -> Curve:
    return Curve(curve.x + first, curve.y, curve.label, curve.color)


def table(lanes: Sequence[Lane]) -> Table:
    columns = (
        "network", "layers", "parameters", "step", "training loss", "training accuracy",
        "validation accuracy",
    )  # fmt: skip
    rows = tuple(
        (
            lane.name + (" (diverged)" if lane.diverged else ""), lane.layers or "", lane.weights,
            lane.first + len(lane.losses), *_numbers(lane.loss(), lane.accuracy(), lane.validation),
        )
        for lane in lanes
    )  # fmt: skip
    swatches = tuple(lane.color for lane in lanes)
    return Table("networks", columns, rows, title="Networks", swatches=swatches)


def _numbers(*values: float) -> tuple[float | str, ...]:
    return tuple(round(value, 4) if np.isfinite(value) else "" for value in values)
