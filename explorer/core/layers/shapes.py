"""Layers of shapes and words, and which of them lie where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers.checks import Extent, Float32, UInt8, expect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.color_sets import Color

FRAMED = 12.0
"""The ratio of a box's shorter side to the width of its frame, which is at least 1."""


def _expect_rows(what: str, array: Float32, width: int) -> None:
    ok = array.ndim == 2 and array.shape[1] == width and array.dtype == np.float32
    expect(ok, f"{what} must be (N, {width}) float32", array)


def _expect_colors(what: str, colors: UInt8, n: int) -> None:
    ok = colors.shape == (n, 3) and colors.dtype == np.uint8
    expect(ok, f"{what} must be ({n}, 3) uint8", colors)


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """`xyxy` is (N, 4) float32; `colors` is (N, 3) uint8; `labels` is empty or has N entries.

    `keys` (N integers, default 0..N-1) name the boxes across redraws: a selection is a key, so it
    survives a slider that hides other boxes. `dotted` is the project's sign for "before
    refinement". A `width` of 0 draws no frames: areas that can be selected, such as tiles.

    With `letters` the labels stand inside their boxes, in the middle, in letters of this many units
    of the pane, smaller where they are too wide or too high: they grow with the picture. They may
    have several lines, and the other boxes stay as bright while one is selected.
    """

    xyxy: Float32
    colors: UInt8
    labels: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    width: float = 2.0
    dotted: bool = False
    fill: float = 0.0
    letters: float = 0.0
    selectable: bool = True
    name: str = "boxes"

    def __post_init__(self) -> None:
        _expect_rows("Boxes.xyxy", self.xyxy, 4)
        _expect_colors("Boxes.colors", self.colors, len(self.xyxy))
        n = len(self.xyxy)
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
class Points:
    """`xy` is (N, 2) float32; `colors` is (N, 3) uint8; `radius` is in screen pixels."""

    xy: Float32
    colors: UInt8
    radius: float = 4.0
    labels: tuple[str, ...] = ()
    name: str = "points"

    def __post_init__(self) -> None:
        _expect_rows("Points.xy", self.xy, 2)
        _expect_colors("Points.colors", self.colors, len(self.xy))


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
        _expect_rows("Lines.segments", self.segments, 4)
        _expect_colors("Lines.colors", self.colors, len(self.segments))


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
            expect(
                values.ndim == 1 and values.dtype == np.float32,
                f"Grid.{what} must be 1-D float32",
                values,
            )


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """Words on a dark plate, of which the point `anchor` is at `xy`; `size` is in screen points.

    `color` None is the ink of the page, dark on light or light on dark: for words without a plate
    on the plain ground of a drawing (`Pane.drawing`).

    `anchor` is in parts of the plate: (0, 0) its upper left corner, (1, 0.5) the middle of its
    right side. It is moved as far as it takes to be on the pane. `swatches` put a colored square
    before each of the first lines: a color key, which may end in words about what it leaves out.
    `room` is the width in the pane that the words must fit into, such as that of a cell whose color
    they are written on: smaller letters, or none; 0 = any.
    """

    text: str
    xy: tuple[float, float]
    color: Color | None = (255, 255, 255)
    size: float = 11.0
    plate: bool = True
    anchor: tuple[float, float] = (0.0, 0.0)
    swatches: tuple[Color, ...] = ()
    name: str = "text"
    room: float = 0.0

    def __post_init__(self) -> None:
        lines = self.text.count("\n") + 1
        if len(self.swatches) > lines:
            raise ValueError(f"Text has {len(self.swatches)} swatches for {lines} lines")


SMALLEST_LETTERS = 4.0
"""Screen units: labels inside boxes that would be smaller are not drawn, since none can be read."""
_MARGIN, _LINE = 0.06, 1.25
"""Of a box on each side of its label, in parts of its shorter side; of a line, in letters."""


def letters_inside(wanted: float, box: tuple[float, float], lines: int, widest: float) -> float:
    """How large the letters of a label inside a box are.

    Args:
        wanted: Their size where the label fits.
        box: Width and height of the box, in the same units.
        lines: Of the label.
        widest: The width of its widest line in letters of size 1.
    """
    margin = 2 * _MARGIN * min(box)
    return min(
        wanted, (box[0] - margin) / max(widest, 1e-6), (box[1] - margin) / (_LINE * max(lines, 1))
    )


def lines_inside(letters: float, box: tuple[float, float], lines: int) -> list[float]:
    """The upper edge of every line of a label in the middle of a box, from the box's own."""
    first = (box[1] - lines * _LINE * letters) / 2
    return [first + (line * _LINE + (_LINE - 1) / 2) * letters for line in range(lines)]


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


def box_beside(xyxy: Float32, row: int, dx: int, dy: int) -> int | None:
    """The box next to box `row` in one of four directions, as tiles of a mosaic are.

    The nearest one whose center is more that way than aside; None where there is none.

    Args:
        xyxy: (N, 4).
        row: Of the box to start from.
        dx: -1 left, 1 right, or 0.
        dy: -1 up, 1 down, or 0.
    """
    centers = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    away = centers - centers[row]
    along = away @ np.array([dx, dy], np.float32)
    aside = np.abs(away @ np.array([dy, dx], np.float32))
    there = np.flatnonzero((along > 0) & (aside < along))
    if not len(there):
        return None
    return int(there[np.argmin(along[there] + 2 * aside[there])])


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
