"""What a board is drawn on: a few strokes that pixels, an SVG and a PDF can all make.

Layers, labels, charts and the layout are written once, in these strokes. Every coordinate is in the
surface's own units, x to the right and y down from its upper left corner; a pixel (row i, column j)
covers ``[j, j + 1) x [i, i + 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32, UInt8
    from explorer.render.typeface import Typeface

    Look = Callable[[NDArray[Any]], tuple[UInt8, float | NDArray[np.float32]]]
    """From (H, W) or (H, W, C) numbers to (H, W, 3) colors and their opacity in [0, 1]."""


class Surface(Protocol):
    """Colors are RGB; `alpha` and `opacity` lie in [0, 1]; what lies outside is not drawn."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def typeface(self) -> Typeface: ...

    def part(self, box: Extent, name: str = "") -> Surface:
        """The surface within `box`: its origin is the box's corner, and it clips at its edges."""

    def fill(self, box: Extent, color: Any, alpha: float = 1.0) -> None:
        """A filled rectangle."""

    def rounded(
        self,
        box: Extent,
        color: Color,
        *,
        radius: float,
        alpha: float = 1.0,
        rim: Color | None = None,
    ) -> None:
        """A filled rectangle with round corners, within a hairline of the color `rim`."""

    def outlines(
        self, xyxy: NDArray[np.float64], colors: UInt8, width: float, *, dotted: bool = False
    ) -> None:
        """The edges of (N, 4) finite boxes, upper left corner first, in (N, 3) colors."""

    def segments(
        self,
        rows: NDArray[np.float64],
        colors: UInt8,
        width: float,
        *,
        dashes: tuple[float, float] | None = None,
    ) -> None:
        """(N, 4) lines in (N, 3) colors; `dashes` are the lengths of a dash and of a gap."""

    def polyline(self, points: NDArray[np.float64], color: Color, width: float) -> None:
        """A line through (P, 2) points with a gap at those that are not finite."""

    def polygon(self, points: NDArray[np.float64], color: Any) -> None:
        """A filled polygon with (P, 2) corners."""

    def disc(
        self, x: float, y: float, radius: float, color: Any, *, rim: float = 0.0, ink: Any = None
    ) -> None:
        """A filled circle; around it a ring as wide as `rim` in the color `ink`."""

    def grid(
        self,
        xs: NDArray[np.float64],
        ys: NDArray[np.float64],
        box: Extent,
        color: Color,
        width: float,
        opacity: float,
    ) -> None:
        """Lines across `box`, upright at `xs` and level at `ys`; crossings are no brighter."""

    def image(
        self, array: NDArray[Any], box: Extent, look: Look, *, name: str, smooth: bool = False
    ) -> None:
        """`array` stretched over `box`; its elements are cells unless it is `smooth`.

        A surface of pixels averages or interpolates the numbers first and looks them up then.
        """

    def regions(
        self,
        index: NDArray[np.int32],
        box: Extent,
        colors: UInt8,
        *,
        opacity: float,
        outline: float,
        name: str,
    ) -> None:
        """A map of region numbers stretched over `box`; those without a color are not drawn.

        `outline` is the width of the regions' borders, which are drawn in full color; 0 = none.
        """

    def write(
        self, text: str, at: tuple[float, float], size: float, color: Color, *, bold: bool = False
    ) -> None:
        """Lines of text, the upper left corner of the first one at `at`."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A surface that the frame of a pane is mapped onto: (x, y) lies at (x * sx, y * sy) of it.

    `density` is the length of one screen unit on the surface: pens, points and letters are that
    much thicker. `ink` is the color of words that have none of their own.
    """

    on: Surface
    sx: float
    sy: float
    density: float = 1.0
    ink: Color = (0, 0, 0)

    @property
    def width(self) -> int:
        return self.on.width

    @property
    def height(self) -> int:
        return self.on.height

    def box(self, extent: Extent) -> Extent:
        """`extent` of the frame in units of the surface."""
        x0, y0, x1, y1 = extent
        return (x0 * self.sx, y0 * self.sy, x1 * self.sx, y1 * self.sy)

    def scaled(self, rows: Float32) -> NDArray[np.float64]:
        """(N, 2) points or (N, 4) corner pairs of the frame in units of the surface."""
        factors = np.array([self.sx, self.sy] * (rows.shape[1] // 2), np.float64)
        return np.multiply(rows, factors, dtype=np.float64)


def ordered(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) corner pairs with the upper left corner first."""
    upper_left = np.minimum(xyxy[:, :2], xyxy[:, 2:])
    return np.concatenate([upper_left, np.maximum(xyxy[:, :2], xyxy[:, 2:])], axis=1)


def clipped(segments: NDArray[np.float64], width: float, height: float) -> tuple[
    NDArray[np.float64], NDArray[np.intp]
]:  # fmt: skip
    """The parts of (N, 4) segments inside [0, width] x [0, height], and which rows they come from.

    Liang and Barsky (1984), for all rows at once. OpenCV's fixed-point numbers overflow without it.
    """
    start, step = segments[:, :2], segments[:, 2:] - segments[:, :2]
    enter, leave = np.zeros(len(segments)), np.ones(len(segments))
    inside = np.isfinite(segments).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for axis, limit in ((0, width), (1, height)):
            near, far = -start[:, axis] / step[:, axis], (limit - start[:, axis]) / step[:, axis]
            flat = step[:, axis] == 0
            inside &= ~flat | ((start[:, axis] >= 0) & (start[:, axis] <= limit))
            enter = np.where(flat, enter, np.maximum(enter, np.minimum(near, far)))
            leave = np.where(flat, leave, np.minimum(leave, np.maximum(near, far)))
    rows = np.flatnonzero(inside & (enter <= leave))
    low, high = enter[rows, None], leave[rows, None]
    ends = [start[rows] + low * step[rows], start[rows] + high * step[rows]]
    return np.concatenate(ends, axis=1), rows


def dashed(
    segments: NDArray[np.float64], on: float, off: float
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(N, 4) segments cut into dashes of `on` and gaps of `off`, and each dash's row."""
    step = segments[:, 2:] - segments[:, :2]
    length = np.hypot(step[:, 0], step[:, 1])
    count = np.maximum(1, np.ceil(length / (on + off))).astype(np.intp)
    rows = np.repeat(np.arange(len(segments)), count)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.nan_to_num(step / length[:, None])[rows]
    begin = (number * (on + off))[:, None]
    end = np.minimum(begin + on, length[rows, None])
    start = segments[rows, :2]
    return np.concatenate([start + begin * unit, start + end * unit], axis=1), rows
