"""Plots and the table of a layer's channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.views.inside.feature_maps.result import Result

VECTOR_COLOR = (255, 160, 40)


def histogram(maps: NDArray[np.float32], channel: int) -> Plot:
    """How often which value occurs in one of (C, h, w) maps; of a vector, in all its numbers."""
    vector = maps[channel].size == 1
    values = maps if vector else maps[channel]
    finite = values[np.isfinite(values)]
    counts, edges = np.histogram(finite, bins=min(48, max(4, finite.size // 4)))
    x = np.repeat(edges, 2)[1:-1].astype(np.float64)
    curve = Curve(x, np.repeat(counts, 2).astype(np.float64))
    return Plot(
        "histogram",
        "Values of all channels" if vector else f"Values of channel {channel}",
        x_label="activation",
        y_label="channels" if vector else "cells",
        curves=(curve,),
        whole_y=True,
    )


def feature_vector(maps: NDArray[np.float32], cell: tuple[int, int] | None) -> Plot:
    """The values of all channels of (C, h, w) maps at a cell (row, column)."""
    row, column = cell or (0, 0)
    where = "" if cell is None else f" at row {row}, column {column}"
    x = np.arange(len(maps), dtype=np.float64)
    curve = Curve(x, maps[:, row, column].astype(np.float64), color=VECTOR_COLOR)
    return Plot(
        "vector",
        f"All channels{where}",
        x_label="channel",
        y_label="activation",
        curves=(curve,),
        whole_x=True,
    )


def channel_table(result: Result, order: NDArray[np.intp]) -> Table:
    """One row per channel in the given order; rows select the tiles of the mosaic."""
    numbers = result.statistics
    columns = {
        "min": numbers.low,
        "max": numbers.high,
        "mean": numbers.mean,
        "deviation": numbers.deviation,
    }
    if not numbers.deviation.any():
        columns = {"value": numbers.mean}
    if result.weights is not None:
        columns[f"weight of {result.weights.name}"] = result.weights.values
        columns["weight x mean"] = result.weights.values * numbers.mean
    plain = [np.round(column[order].astype(np.float64), 5).tolist() for column in columns.values()]
    words = [
        "dead" if dead else "saturated" if full else ""
        for dead, full in zip(numbers.dead[order], result.maps.saturated[order], strict=True)
    ]
    keys = tuple(order.tolist())
    return Table(
        "channels",
        ("channel", *columns, "state"),
        tuple(zip(keys, *plain, words, strict=True)),
        title="Channels",
        layer="tiles",
        keys=keys,
    )
