"""What stands below the panes: plots and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.core.layers.checks import expect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.color_sets import Color


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """`x` and `y` are 1-D float64 of equal length."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str = ""
    color: Color = (90, 160, 250)

    def __post_init__(self) -> None:
        expect(
            self.x.ndim == 1 and self.x.shape == self.y.shape,
            f"Curve.x must be 1-D like y {self.y.shape}",
            self.x,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """Curves over common axes, or horizontal `bars` (label, value, color), the first on top.

    `marker` is a vertical line at that x; dragging it writes the number parameter `steers`. Playing
    that parameter ends at the x `stop`, and its slider, too; None = where the curves end.
    `x_names` stand on the axis in the place of the numbers 1, 2, 3 … `whole_x` and `whole_y`: the
    axis counts something, and only whole numbers are written along it.
    """

    name: str
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    curves: tuple[Curve, ...] = ()
    bars: tuple[tuple[str, float, Color], ...] = ()
    bar_range: tuple[float, float] | None = None
    log_y: bool = False
    log_x: bool = False
    marker: float | None = None
    steers: str = ""
    stop: float | None = None
    x_names: tuple[str, ...] = ()
    whole_x: bool = False
    whole_y: bool = False


def numeric(cells: Sequence[str | int | float]) -> bool:
    """Whether a column of a table holds numbers; a cell without one is empty, which is ""."""
    return any(cell != "" for cell in cells) and not any(
        isinstance(cell, str) for cell in cells if cell != ""
    )


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of plain values; "" is an empty cell, also among numbers.

    `layer` names the Boxes layer that the rows select; `keys` name its boxes. `photos` are the
    files that the rows are about ("" = none), which are opened with the view `photos_view`;
    `photos_params` are values of its parameters, the others stay as they were used last.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    title: str = ""
    layer: str = ""
    keys: tuple[int, ...] = ()
    swatches: tuple[Color, ...] = ()
    photos: tuple[str, ...] = ()
    photos_view: str = ""
    photos_params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = set(map(len, self.rows)) - {len(self.columns)}  # not a loop: rows are many
        if lengths:
            raise ValueError(
                f"a row of table {self.name} has {min(lengths)} entries for "
                f"{len(self.columns)} columns"
            )
        named = (("keys", self.keys), ("swatches", self.swatches), ("photos", self.photos))
        for what, entries in named:
            if entries and len(entries) != len(self.rows):
                raise ValueError(
                    f"table {self.name} has {len(entries)} {what} for {len(self.rows)} rows"
                )
