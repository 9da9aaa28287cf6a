"""How fields grow over the depth of the network: plots and the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.views.shared.common import percent

if TYPE_CHECKING:
    from explorer.views.inside.receptive_field.result import Result


def growth(result: Result) -> Plot:
    """The width of the fields over the layers that have maps."""
    widths = np.array([result.fields[name].size[0] for name in result.shown])
    return _over_layers(result, "growth", "Theoretical field", "width [px of the input]", widths)


def reach_plot(result: Result, pixel: tuple[float, float]) -> Plot:
    parts = [100.0 * float(result.fields[name].reached(*pixel).mean()) for name in result.shown]
    return _over_layers(result, "reach", "Projective field", "cells reached [%]", np.array(parts))


def _over_layers(
    result: Result, name: str, title: str, label: str, values: np.ndarray[Any, Any]
) -> Plot:
    x = np.arange(1.0, len(values) + 1)
    return Plot(
        name, title, "layers where fields or cells change, in their order", label,
        curves=(Curve(x, values.astype(np.float64)),), marker=float(max(result.depth, 1)),
        whole_x=True,
    )  # fmt: skip


def table(result: Result, pixel: tuple[float, float]) -> Table:
    rows = []
    area = result.fields.size[0] * result.fields.size[1]
    for name in result.shown:
        cells = result.fields[name]
        height, width = cells.xyxy.shape[:2]
        across, down = cells.size
        least = "at least " if cells.padded.all() else ""
        rows.append(
            (
                name, f"{width} x {height}", f"{least}{across:.0f} x {down:.0f}",
                percent(across * down / area), int(cells.reached(*pixel).sum()),
            )
        )  # fmt: skip
    columns = ("layer", "cells", "field [px]", "of the input", "cells reached")
    return Table("layers", columns, tuple(rows), title="Layers")
