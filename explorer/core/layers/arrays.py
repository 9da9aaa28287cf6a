"""Layers that stretch an array over a rectangle, and what of it is drawn where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers.checks import Extent, Float32, UInt8, expect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.colormaps import Colormap


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Colors: `rgb` is (H, W, 3) uint8; it fills `extent`, by default its own size."""

    rgb: UInt8
    extent: Extent | None = None
    opacity: float = 1.0
    smooth: bool = False
    name: str = "picture"

    def __post_init__(self) -> None:
        ok = self.rgb.ndim == 3 and self.rgb.shape[2] == 3 and self.rgb.dtype == np.uint8
        expect(
            ok and self.rgb.size > 0, "Picture.rgb must be a non-empty (H, W, 3) uint8", self.rgb
        )


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Numbers through a lookup table: `values` is (H, W) float32, not finite = not drawn.

    `low` and `high` are the values at both ends of the table (shared between panes by the view that
    makes them); `unit` names what is shown. `alpha_by_value` fades low values out over a photo.
    A mosaic of feature maps is one Heat, with the tiles' own scale folded in or shared.
    """

    values: Float32
    low: float
    high: float
    colormap: Colormap = "viridis"
    extent: Extent | None = None
    opacity: float = 1.0
    smooth: bool = False
    alpha_by_value: bool = False
    unit: str = ""
    name: str = "heat"

    def __post_init__(self) -> None:
        ok = self.values.ndim == 2 and self.values.dtype == np.float32
        expect(
            ok and self.values.size > 0,
            "Heat.values must be a non-empty (H, W) float32",
            self.values,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """An index map: `index` is (H, W) int32, -1 = nothing; `colors` is (K, 3) uint8, one per index.

    Serves classes (semantic) and instances (later ones lie on top). `names` is empty or has K
    entries. `outline` draws the border of every region in its full color.
    """

    index: NDArray[np.int32]
    colors: UInt8
    names: tuple[str, ...] = ()
    extent: Extent | None = None
    opacity: float = 0.5
    outline: bool = True
    name: str = "masks"

    def __post_init__(self) -> None:
        expect(
            self.index.ndim == 2 and self.index.dtype == np.int32 and self.index.size > 0,
            "Masks.index must be a non-empty (H, W) int32",
            self.index,
        )
        expect(
            self.colors.ndim == 2 and self.colors.shape[1] == 3 and self.colors.dtype == np.uint8,
            "Masks.colors must be (K, 3) uint8",
            self.colors,
        )
        if self.names and len(self.names) != len(self.colors):
            raise ValueError(
                f"Masks.names has {len(self.names)} entries for {len(self.colors)} colors"
            )


def shape_of(layer: Picture | Heat | Masks) -> tuple[int, int]:
    """Rows and columns of the layer's array."""
    match layer:
        case Picture(rgb=array) | Heat(values=array) | Masks(index=array):
            return array.shape[0], array.shape[1]


def extent_of(layer: Picture | Heat | Masks) -> Extent:
    """The rectangle that the layer's array fills."""
    if layer.extent is not None:
        return layer.extent
    height, width = shape_of(layer)
    return (0.0, 0.0, float(width), float(height))


def cell_at(layer: Picture | Heat | Masks, x: float, y: float) -> tuple[int, int] | None:
    """Row and column of the array element drawn at (x, y) of the pane, or None outside it."""
    x0, y0, x1, y1 = extent_of(layer)
    rows, columns = shape_of(layer)
    if not (x0 <= x < x1 and y0 <= y < y1):
        return None
    row = int((y - y0) / (y1 - y0) * rows)
    column = int((x - x0) / (x1 - x0) * columns)
    return min(row, rows - 1), min(column, columns - 1)


def heat_index(heat: Heat) -> UInt8:
    """The lookup-table index of every value: (H, W) uint8, `low` -> 0 and `high` -> 255, clipped.

    Not-finite values become 0; painters leave them out by `np.isfinite`.
    """
    span = heat.high - heat.low
    scale = np.float32(255.0 / span if span > 0 else 0.0)
    above = heat.values - np.float32(heat.low)  # all in its place: mosaics have millions of values
    np.fmax(above, np.float32(0.0), out=above)  # NaN becomes 0, too
    np.minimum(above, np.float32(max(span, 0.0)), out=above)
    above *= scale
    index: UInt8 = above.astype(np.uint8)
    return index
