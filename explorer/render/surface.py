"""An RGB array that a frame is mapped onto, and the few strokes everything is made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32, UInt8

_SHIFT = 4  # OpenCV takes coordinates in 1/16 pixel


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """`canvas` is (H, W, 3) uint8; a point (x, y) of the frame lies at (x * sx, y * sy) of it.

    Pixel (i, j) of the canvas covers [j, j + 1) x [i, i + 1), as in the frame. `density` is the
    number of pixels in one screen unit: pens, points and letters are that much thicker.
    """

    canvas: UInt8
    sx: float
    sy: float
    density: float = 1.0

    @property
    def width(self) -> int:
        return int(self.canvas.shape[1])

    @property
    def height(self) -> int:
        return int(self.canvas.shape[0])

    def box(self, extent: Extent) -> Extent:
        """`extent` of the frame in pixels of the canvas."""
        x0, y0, x1, y1 = extent
        return (x0 * self.sx, y0 * self.sy, x1 * self.sx, y1 * self.sy)

    def scaled(self, rows: Float32) -> NDArray[np.float64]:
        """(N, 2) points or (N, 4) corner pairs of the frame in pixels of the canvas."""
        factors = np.array([self.sx, self.sy] * (rows.shape[1] // 2), np.float64)
        return np.multiply(rows, factors, dtype=np.float64)


def ordered(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) corner pairs with the upper left corner first."""
    upper_left = np.minimum(xyxy[:, :2], xyxy[:, 2:])
    return np.concatenate([upper_left, np.maximum(xyxy[:, :2], xyxy[:, 2:])], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """`values` for the pixels `rows` x `columns` of a canvas."""

    values: NDArray[Any]
    rows: slice
    columns: slice


def placed(
    array: NDArray[Any],
    box: Extent,
    shape: tuple[int, int],
    *,
    smooth: bool = False,
    average: bool = True,
) -> Placed | None:
    """`array` (H, W) or (H, W, C) stretched over `box` of a canvas of `shape` and clipped to it.

    Each pixel takes the element at its center; a shrunk array is averaged first (unless it holds
    class numbers: `average` False), an enlarged one is interpolated when `smooth`.
    """
    x0, y0, x1, y1 = box
    if not all(map(isfinite, box)) or x1 <= x0 or y1 <= y0:
        return None
    rows = slice(max(0, ceil(y0 - 0.5)), min(shape[0], ceil(y1 - 0.5)))
    columns = slice(max(0, ceil(x0 - 0.5)), min(shape[1], ceil(x1 - 0.5)))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    height, width = array.shape[:2]
    if average:
        smaller = (min(width, max(1, round(x1 - x0))), min(height, max(1, round(y1 - y0))))
        if smaller != (width, height):
            array = cv2.resize(array, smaller, interpolation=cv2.INTER_AREA)
    height, width = array.shape[:2]
    u = (np.arange(columns.start, columns.stop) + 0.5 - x0) / (x1 - x0) * width
    v = (np.arange(rows.start, rows.stop) + 0.5 - y0) / (y1 - y0) * height
    if smooth and (x1 - x0 > width or y1 - y0 > height):
        across, down = np.meshgrid(u.astype(np.float32) - 0.5, v.astype(np.float32) - 0.5)
        values: NDArray[Any] = cv2.remap(
            array, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    else:
        values = array[np.clip(v.astype(np.intp), 0, height - 1)][
            :, np.clip(u.astype(np.intp), 0, width - 1)
        ]
    return Placed(values, rows, columns)


def blend(under: UInt8, over: NDArray[Any], alpha: float | NDArray[np.float32]) -> None:
    """Lays `over` on `under` in place; `alpha` in [0, 1] is one number or one per pixel."""
    if isinstance(alpha, float):
        if alpha >= 1.0:
            under[:] = over
            return
        if alpha <= 0.0:
            return
    else:
        alpha = alpha[..., None]
    mixed = under + (np.asarray(over, np.float32) - under) * alpha
    under[:] = np.rint(mixed).astype(np.uint8)


def fill(canvas: UInt8, x0: int, y0: int, x1: int, y1: int, color: Any, alpha: float = 1.0) -> None:
    """Fills the pixels [x0, x1) x [y0, y1) that lie on the canvas."""
    part = canvas[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if part.size:
        blend(part, np.asarray(color, np.uint8), float(alpha))


def rounded(
    canvas: UInt8,
    box: Extent,
    color: Color,
    *,
    radius: float = 4.0,
    alpha: float = 1.0,
) -> None:
    """Fills `box` (pixels of the canvas) with rounded, antialiased corners."""
    x0, y0, x1, y1 = box
    top, bottom = max(0, int(y0)), min(canvas.shape[0], ceil(y1))
    left, right = max(0, int(x0)), min(canvas.shape[1], ceil(x1))
    if top >= bottom or left >= right:
        return
    radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    across = np.abs(np.arange(left, right, dtype=np.float32) + 0.5 - (x0 + x1) / 2) - (x1 - x0) / 2
    down = np.abs(np.arange(top, bottom, dtype=np.float32) + 0.5 - (y0 + y1) / 2) - (y1 - y0) / 2
    corner = np.hypot(
        np.maximum(across + radius, 0.0)[None, :], np.maximum(down + radius, 0.0)[:, None]
    )
    cover = np.clip(0.5 + radius - corner, 0.0, 1.0).astype(np.float32) * np.float32(alpha)
    blend(canvas[top:bottom, left:right], np.asarray(color, np.uint8), cover)


def strokes(
    canvas: UInt8,
    paths: NDArray[np.float64],
    colors: UInt8,
    width: float,
    *,
    smooth: bool = True,
) -> None:
    """Draws N paths: (N, P, 2) points in pixels of the canvas, (N, 3) colors.

    Upright lines need no smoothing, and one pixel wide they are several times as fast without.

    Paths of one color go to OpenCV in one call; colors are drawn in the order they first occur.
    """
    if len(paths) == 0:
        return
    if smooth:
        # OpenCV's thin smooth line is about 1.4 pixels wide, a thick one 1.4 more than it says.
        thickness, kind, shift = max(1, round(width - 0.6)), cv2.LINE_AA, _SHIFT
    else:
        thickness, kind, shift = max(1, round(width)), cv2.LINE_8, 0
    points = np.round((paths - 0.5) * (1 << shift)).astype(np.int32)
    codes = colors.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
    _, first, group = np.unique(codes, return_index=True, return_inverse=True)
    for number in np.argsort(first):
        color = tuple(int(c) for c in colors[first[number]])
        chosen = list(points[group.ravel() == number])
        cv2.polylines(canvas, chosen, False, color, thickness, kind, shift)


def polygon(canvas: UInt8, points: NDArray[np.float64], color: Any) -> None:
    """Fills one antialiased polygon: (P, 2) points in pixels of the canvas."""
    fixed = np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], tuple(int(c) for c in color), cv2.LINE_AA, _SHIFT)


def disc(canvas: UInt8, x: float, y: float, radius: float, color: Any) -> None:
    """Fills one antialiased circle around (x, y) in pixels of the canvas."""
    one = 1 << _SHIFT
    centre = (round((x - 0.5) * one), round((y - 0.5) * one))
    size = round(max(radius - 0.5, 0.5) * one)  # the antialiased rim adds half a pixel
    cv2.circle(canvas, centre, size, tuple(int(c) for c in color), -1, cv2.LINE_AA, _SHIFT)


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


def dashes(
    segments: NDArray[np.float64], on: float, off: float
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(N, 4) segments cut into dashes of `on` and gaps of `off` pixels, and each dash's row."""
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
