"""What can be drawn: a closed list of layers, and the board a view arranges them on.

A layer is a frozen picture of some numbers: numpy only, no Qt, no torch. The window, an image file
and a notebook paint the same board. Layers are compared by identity: a `draw` that returns the very
same layer object again tells the painter that nothing has to be uploaded or built anew, so a view
keeps its heavy layers in its result and only makes the cheap ones afresh.

Frames. Every coordinate is in the frame of the pane it lies in: x to the right, y down, in units of
that pane's pixels, where pixel ``(row i, column j)`` covers ``[j, j + 1) x [i, i + 1)``. A pane
that shows the photo uses the photo's own pixels (``Pane.frame == "image"``), whatever size the
network saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.core.colormaps import COLORMAPS, Color, Colormap, class_colors, lookup_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Extent = tuple[float, float, float, float]
"""x0, y0, x1, y1 in the pane's frame: the rectangle that an array is stretched over."""


def _expect(ok: bool, what: str, array: NDArray[Any]) -> None:
    if not ok:
        raise ValueError(f"{what}, got shape {array.shape} and dtype {array.dtype}")


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
        _expect(
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
        _expect(
            ok and self.values.size > 0,
            "Heat.values must be a non-empty (H, W) float32",
            self.values,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """`xyxy` is (N, 4) float32; `colors` is (N, 3) uint8; `labels` is empty or has N entries.

    `keys` (N integers, default 0..N-1) name the boxes across redraws: a selection is a key, so it
    survives a slider that hides other boxes. `dotted` is the project's sign for "before
    refinement".
    """

    xyxy: Float32
    colors: UInt8
    labels: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    width: float = 2.0
    dotted: bool = False
    fill: float = 0.0
    selectable: bool = True
    name: str = "boxes"

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        _expect(
            self.xyxy.shape == (n, 4) and self.xyxy.dtype == np.float32,
            "Boxes.xyxy must be (N, 4) float32",
            self.xyxy,
        )
        _expect(
            self.colors.shape == (n, 3) and self.colors.dtype == np.uint8,
            "Boxes.colors must be (N, 3) uint8",
            self.colors,
        )
        for what, entries in (("labels", self.labels), ("keys", self.keys)):
            if entries and len(entries) != n:
                raise ValueError(f"Boxes.{what} has {len(entries)} entries for {n} boxes")

    def key(self, row: int) -> int:
        return self.keys[row] if self.keys else row

    def row(self, key: int) -> int | None:
        """The row that carries `key`, or None where it is not drawn."""
        if not self.keys:
            return key if 0 <= key < len(self.xyxy) else None
        return self.keys.index(key) if key in self.keys else None


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
        _expect(
            self.index.ndim == 2 and self.index.dtype == np.int32 and self.index.size > 0,
            "Masks.index must be a non-empty (H, W) int32",
            self.index,
        )
        _expect(
            self.colors.ndim == 2 and self.colors.shape[1] == 3 and self.colors.dtype == np.uint8,
            "Masks.colors must be (K, 3) uint8",
            self.colors,
        )
        if self.names and len(self.names) != len(self.colors):
            raise ValueError(
                f"Masks.names has {len(self.names)} entries for {len(self.colors)} colors"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """`xy` is (N, 2) float32; `colors` is (N, 3) uint8; `radius` is in screen pixels."""

    xy: Float32
    colors: UInt8
    radius: float = 4.0
    labels: tuple[str, ...] = ()
    name: str = "points"

    def __post_init__(self) -> None:
        n = len(self.xy)
        _expect(
            self.xy.shape == (n, 2) and self.xy.dtype == np.float32,
            "Points.xy must be (N, 2) float32",
            self.xy,
        )
        _expect(
            self.colors.shape == (n, 3) and self.colors.dtype == np.uint8,
            "Points.colors must be (N, 3) uint8",
            self.colors,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """`segments` is (N, 4) float32 as x0, y0, x1, y1; `arrow` puts a head at the second end."""

    segments: Float32
    colors: UInt8
    width: float = 1.5
    dotted: bool = False
    arrow: bool = False
    name: str = "lines"

    def __post_init__(self) -> None:
        n = len(self.segments)
        _expect(
            self.segments.shape == (n, 4) and self.segments.dtype == np.float32,
            "Lines.segments must be (N, 4) float32",
            self.segments,
        )
        _expect(
            self.colors.shape == (n, 3) and self.colors.dtype == np.uint8,
            "Lines.colors must be (N, 3) uint8",
            self.colors,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Vertical lines at `xs` and horizontal lines at `ys` (both float32), within `extent`."""

    xs: Float32
    ys: Float32
    extent: Extent
    color: Color = (255, 255, 255)
    width: float = 1.0
    opacity: float = 0.6
    name: str = "grid"

    def __post_init__(self) -> None:
        for what, values in (("xs", self.xs), ("ys", self.ys)):
            _expect(
                values.ndim == 1 and values.dtype == np.float32,
                f"Grid.{what} must be 1-D float32",
                values,
            )


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """Words with their upper left corner at `xy`; `size` is in screen points, on a dark plate.

    It is moved as far as it takes to be on the pane. `swatches` put a colored square before each
    line: a color key.
    """

    text: str
    xy: tuple[float, float]
    color: Color = (255, 255, 255)
    size: float = 11.0
    plate: bool = True
    swatches: tuple[Color, ...] = ()
    name: str = "text"

    def __post_init__(self) -> None:
        lines = self.text.count("\n") + 1
        if self.swatches and len(self.swatches) != lines:
            raise ValueError(f"Text has {len(self.swatches)} swatches for {lines} lines")


FRAMED = 12.0
"""A box's shorter side is so many times as long as its frame is wide, or the frame is 1 wide."""

Layer = Picture | Heat | Boxes | Masks | Points | Lines | Grid | Text


@dataclass(frozen=True, slots=True, eq=False)
class Pane:
    """One image-like surface.

    Attributes:
        name: Stable within a view ("image", "mosaic"): zoom and pan are kept per name.
        size: Width and height of the frame that is fitted into the window.
        frame: "image" when coordinates are the photo's own pixels; picks are taken in such panes.
            Panes with an equal frame pan and zoom together. Any other word is a frame of its own.
        readout: ``(x, y) -> str`` for the status bar under the mouse, in the pane's frame. Pure and
            cheap. Without it the values of the topmost Picture, Heat or Masks are shown.
    """

    name: str
    size: tuple[float, float]
    layers: tuple[Layer, ...] = ()
    title: str = ""
    frame: str = "image"
    readout: Callable[[float, float], str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """`x` and `y` are 1-D float64 of equal length."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str = ""
    color: Color = (90, 160, 250)

    def __post_init__(self) -> None:
        _expect(
            self.x.ndim == 1 and self.x.shape == self.y.shape,
            f"Curve.x must be 1-D like y {self.y.shape}",
            self.x,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """Curves over common axes, or horizontal `bars` (label, value, color), the first on top.

    `marker` is a vertical line at that x; dragging it writes the number parameter `steers`. Playing
    that parameter ends at the x `stop`, and its slider, too; None = where the curves end.
    `x_names` stand on the axis in the place of the numbers 1, 2, 3 …
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


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of plain values.

    `layer` names the Boxes layer that the rows select; `keys` name its boxes. `photos` are the
    files that the rows are about ("" = none), which are opened with the view `photos_view`.
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

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of table {self.name} has {len(row)} entries for "
                    f"{len(self.columns)} columns"
                )
        named = (("keys", self.keys), ("swatches", self.swatches), ("photos", self.photos))
        for what, entries in named:
            if entries and len(entries) != len(self.rows):
                raise ValueError(
                    f"table {self.name} has {len(entries)} {what} for {len(self.rows)} rows"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """What a view shows: panes side by side, plots and tables below, one line of summary, notes.

    `notes` are sentences that must not be missed (an untrained network, a damaged photo).
    """

    panes: tuple[Pane, ...]
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    summary: str = ""
    notes: tuple[str, ...] = field(default=())

    def pane(self, name: str) -> Pane:
        return next(pane for pane in self.panes if pane.name == name)

    def boxes(self, name: str) -> Boxes | None:
        """The first Boxes layer called `name` in any pane."""
        for pane in self.panes:
            for layer in pane.layers:
                if isinstance(layer, Boxes) and layer.name == name:
                    return layer
        return None


def joined(main: Board, title: str, others: Sequence[tuple[str, str, Board]]) -> Board:
    """The main board with the first pane of each of the others beside its own panes.

    Args:
        main: Its plots, tables and summary stay; its first pane gets `title` before its own.
        title: Of the main board.
        others: Name, title and board of each; the names keep their panes apart.
    """
    panes = [_titled(pane, "" if at else title) for at, pane in enumerate(main.panes)]
    notes = list(main.notes)
    for name, words, board in others:
        panes += [replace(_titled(p, words), name=f"{name} {p.name}") for p in board.panes[:1]]
        notes += [note for note in board.notes if note not in notes]
    return replace(main, panes=tuple(panes), notes=tuple(notes))


def _titled(pane: Pane, title: str) -> Pane:
    return replace(pane, title=" · ".join(word for word in (title, pane.title) if word))


UNTRAINED = "UNTRAINED"


def stamped(board: Board, words: str) -> Board:
    """The same board with `words` written in the corner of every pane."""
    mark = Text(words, (0.0, 0.0), color=(255, 196, 0), size=13.0, name="stamp")
    panes = tuple(replace(pane, layers=(*pane.layers, mark)) for pane in board.panes)
    return replace(board, panes=panes)


def extent_of(layer: Picture | Heat | Masks) -> Extent:
    """The rectangle that the layer's array fills."""
    if layer.extent is not None:
        return layer.extent
    array = (
        layer.rgb
        if isinstance(layer, Picture)
        else layer.values
        if isinstance(layer, Heat)
        else layer.index
    )
    return (0.0, 0.0, float(array.shape[1]), float(array.shape[0]))


def cell_at(layer: Picture | Heat | Masks, x: float, y: float) -> tuple[int, int] | None:
    """Row and column of the array element drawn at (x, y) of the pane, or None outside it."""
    x0, y0, x1, y1 = extent_of(layer)
    array = (
        layer.rgb
        if isinstance(layer, Picture)
        else layer.values
        if isinstance(layer, Heat)
        else layer.index
    )
    if not (x0 <= x < x1 and y0 <= y < y1):
        return None
    row = int((y - y0) / (y1 - y0) * array.shape[0])
    column = int((x - x0) / (x1 - x0) * array.shape[1])
    return min(row, array.shape[0] - 1), min(column, array.shape[1] - 1)


def boxes_at(xyxy: Float32, x: float, y: float, *, slack: float = 0.0) -> NDArray[np.intp]:
    """Rows of the boxes that contain (x, y), the smallest first.

    `slack` widens the boxes, in pane units. Pure and vectorized: 20 000 boxes take some tens of
    microseconds.
    """
    if len(xyxy) == 0:
        return np.empty(0, np.intp)
    hit = (
        (xyxy[:, 0] - slack <= x)
        & (x <= xyxy[:, 2] + slack)
        & (xyxy[:, 1] - slack <= y)
        & (y <= xyxy[:, 3] + slack)
    )
    rows = np.flatnonzero(hit)
    found = xyxy[rows]
    areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    return rows[np.argsort(areas, kind="stable")]


def frame_widths(width: float, xyxy: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(N,) how wide the frames of (N, 4) boxes are: thinner on small ones, which they would hide.

    Args:
        width: Of a large box, in screen units.
        xyxy: Corners in screen units; x0 and x1 may be swapped, y0 and y1 too.
    """
    sides = np.abs(xyxy[:, 2:].astype(np.float64) - xyxy[:, :2]).min(axis=1, initial=np.inf)
    steps = np.floor(2 * sides / FRAMED) / 2  # so that many boxes are drawn at once
    widths: NDArray[np.float64] = np.minimum(width, np.maximum(1.0, steps))
    return widths


def heat_index(heat: Heat) -> UInt8:
    """The lookup-table index of every value: (H, W) uint8, `low` -> 0 and `high` -> 255, clipped.

    Not-finite values become 0; painters leave them out by `np.isfinite`.
    """
    span = heat.high - heat.low
    scale = np.float32(255.0 / span if span > 0 else 0.0)
    above = np.clip(heat.values - np.float32(heat.low), 0.0, max(span, 0.0)) * scale
    index: UInt8 = np.nan_to_num(above, nan=0.0).astype(np.uint8)
    return index


__all__ = [
    "COLORMAPS",
    "UNTRAINED",
    "Board",
    "Boxes",
    "Color",
    "Colormap",
    "Curve",
    "Extent",
    "Float32",
    "Grid",
    "Heat",
    "Layer",
    "Lines",
    "Masks",
    "Pane",
    "Picture",
    "Plot",
    "Points",
    "Table",
    "Text",
    "UInt8",
    "boxes_at",
    "cell_at",
    "class_colors",
    "extent_of",
    "frame_widths",
    "heat_index",
    "lookup_table",
    "stamped",
]
