"""The surface of pixels: an RGB array that OpenCV and numpy draw into."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.render.fonts import PIXEL_TYPEFACE, write
from explorer.render.surface import clipped, dashed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, UInt8
    from explorer.render.surface import Look
    from explorer.render.typeface import Typeface

_SHIFT = 4  # OpenCV takes coordinates in 1/16 pixel
CRISP = 2000  # up to so many boxes every edge has its width and a rim, above one pixel


@dataclass(frozen=True, slots=True, eq=False)
class RasterSurface:
    """A `Surface` whose units are the pixels of `canvas`, (H, W, 3) uint8."""

    canvas: UInt8

    @property
    def width(self) -> int:
        return int(self.canvas.shape[1])

    @property
    def height(self) -> int:
        return int(self.canvas.shape[0])

    @property
    def typeface(self) -> Typeface:
        return PIXEL_TYPEFACE

    def part(self, box: Extent, name: str = "") -> RasterSurface:
        x0, y0, x1, y1 = (max(0, round(side)) for side in box)
        return RasterSurface(self.canvas[y0:y1, x0:x1])

    def fill(self, box: Extent, color: Any, alpha: float = 1.0) -> None:
        x0, y0, x1, y1 = (max(0, round(side)) for side in box)
        part = self.canvas[y0:y1, x0:x1]
        if part.size:
            _blend(part, np.asarray(color, np.uint8), float(alpha))

    def rounded(
        self,
        box: Extent,
        color: Color,
        *,
        radius: float,
        alpha: float = 1.0,
        rim: Color | None = None,
    ) -> None:
        if rim is not None:
            self.rounded(box, rim, radius=radius, alpha=alpha)
            box = (box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1)
            radius -= 1
        x0, y0, x1, y1 = box
        top, bottom = max(0, int(y0)), min(self.height, ceil(y1))
        left, right = max(0, int(x0)), min(self.width, ceil(x1))
        if top >= bottom or left >= right:
            return
        radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
        across = np.arange(left, right, dtype=np.float32) + 0.5 - (x0 + x1) / 2
        down = np.arange(top, bottom, dtype=np.float32) + 0.5 - (y0 + y1) / 2
        across, down = np.abs(across) - (x1 - x0) / 2, np.abs(down) - (y1 - y0) / 2
        corner = np.hypot(
            np.maximum(across + radius, 0.0)[None, :], np.maximum(down + radius, 0.0)[:, None]
        )
        cover = np.clip(0.5 + radius - corner, 0.0, 1.0).astype(np.float32) * np.float32(alpha)
        _blend(self.canvas[top:bottom, left:right], np.asarray(color, np.uint8), cover)

    def outlines(
        self, xyxy: NDArray[np.float64], colors: UInt8, width: float, *, dotted: bool = False
    ) -> None:
        if not dotted and len(xyxy) <= CRISP:
            thick = max(1, round(width))
            for corners, color in zip(xyxy.round().astype(int).tolist(), colors, strict=True):
                self._frame(corners, thick, color)
            return
        x0, y0, x1, y1 = xyxy.T
        outline = np.stack([x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], axis=1)
        if dotted:
            thick = max(1, round(width))
            sides = outline[:, [0, 1, 2, 3, 2, 3, 4, 5, 6, 7, 4, 5, 0, 1, 6, 7]].reshape(-1, 4)
            sides, of_side = clipped(sides, self.width + width, self.height + width)
            pieces, of_piece = dashed(sides, 3.0 * thick, 2.5 * thick)
            tints = colors[of_side[of_piece] // 4]
            few = len(xyxy) <= CRISP
            self._strokes(pieces.reshape(-1, 2, 2), tints, thick if few else 1, smooth=few)
        else:
            self._strokes(outline.reshape(-1, 5, 2), colors, 1, smooth=False)

    def segments(
        self,
        rows: NDArray[np.float64],
        colors: UInt8,
        width: float,
        *,
        dashes: tuple[float, float] | None = None,
    ) -> None:
        if dashes is not None:
            rows, of = dashed(rows, *dashes)
            colors = colors[of]
        self._strokes(rows.reshape(-1, 2, 2), colors, width)

    def polyline(self, points: NDArray[np.float64], color: Color, width: float) -> None:
        good: NDArray[np.bool_] = np.isfinite(points.sum(axis=1))
        both = good[:-1] & good[1:]
        pairs = np.stack([points[:-1], points[1:]], axis=1)[both]
        self._strokes(pairs, np.tile(np.array(color, np.uint8), (len(pairs), 1)), width)
        alone = good & ~np.append(False, both) & ~np.append(both, False)
        for x, y in points[alone]:
            self.disc(x, y, 1.5 * width, color)

    def polygon(self, points: NDArray[np.float64], color: Any) -> None:
        fixed = np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(self.canvas, [fixed], tuple(int(c) for c in color), cv2.LINE_AA, _SHIFT)

    def disc(
        self, x: float, y: float, radius: float, color: Any, *, rim: float = 0.0, ink: Any = None
    ) -> None:
        if rim > 0:
            self.disc(x, y, radius + rim, ink)
        one = 1 << _SHIFT
        center = (round((x - 0.5) * one), round((y - 0.5) * one))
        size = round(max(radius - 0.5, 0.5) * one)  # the antialiased rim adds half a pixel
        solid = tuple(int(c) for c in color)
        cv2.circle(self.canvas, center, size, solid, -1, cv2.LINE_AA, _SHIFT)

    def grid(
        self,
        xs: NDArray[np.float64],
        ys: NDArray[np.float64],
        box: Extent,
        color: Color,
        width: float,
        opacity: float,
    ) -> None:
        # One coverage map, blended once: crossings are no brighter than the lines.
        x0, y0, x1, y1 = (round(side) for side in box)
        thick = max(1, round(width))
        cover = np.zeros(self.canvas.shape[:2], np.float32)
        half = thick // 2
        inside = (slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0)))
        for x in xs:
            left = min(max(round(x) - half, x0), x1 - thick)
            cover[inside[0], max(left, 0) : max(left + thick, 0)] = opacity
        for y in ys:
            top = min(max(round(y) - half, y0), y1 - thick)
            cover[max(top, 0) : max(top + thick, 0), inside[1]] = opacity
        _blend(self.canvas, np.asarray(color, np.uint8), cover)

    def image(
        self, array: NDArray[Any], box: Extent, look: Look, *, name: str, smooth: bool = False
    ) -> None:
        patch = _placed(array, box, (self.height, self.width), smooth=smooth)
        if patch is not None:
            _blend(self.canvas[patch.rows, patch.columns], *look(patch.values))

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
        # Twice as fine and averaged: class numbers cannot be interpolated, their colors can.
        x0, y0, x1, y1 = box
        fine = (2 * self.height, 2 * self.width)
        patch = _placed(index, (2 * x0, 2 * y0, 2 * x1, 2 * y1), fine, average=False)
        if patch is None:
            return
        found = np.full(fine, -1, np.int32)
        found[patch.rows, patch.columns] = patch.values
        found[found >= len(colors)] = -1
        # Row 0 is "nothing"; multiplied by their opacity, colors are averaged rightly.
        table = np.zeros((len(colors) + 1, 4), np.float32)
        table[1:, :3], table[1:, 3] = colors, 255
        rgba = (table * opacity).round().astype(np.uint8)[found + 1]
        if outline > 0:
            number = found.astype(np.float32)
            reach = max(1, round(outline))
            kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
            border = (cv2.dilate(number, kernel) != cv2.erode(number, kernel)) & (found >= 0)
            rgba[border] = table.astype(np.uint8)[found[border] + 1]
        size = (self.width, self.height)
        rgba = np.asarray(cv2.resize(rgba, size, interpolation=cv2.INTER_AREA), np.uint8)
        rest = 255 - rgba[..., 3:].astype(np.uint16)
        mixed = rgba[..., :3] + (self.canvas.astype(np.uint16) * rest + 127) // 255
        self.canvas[:] = np.minimum(mixed, 255).astype(np.uint8)

    def write(
        self, text: str, at: tuple[float, float], size: float, color: Color, *, bold: bool = False
    ) -> None:
        write(self.canvas, text, at, size, color, bold=bold)

    def _frame(self, corners: list[int], width: int, color: Any) -> None:
        """A rectangle of `width` pixels, half of them inside the box, a faint dark rim around."""
        x0, y0, x1, y1 = corners
        out, into = width // 2, width - width // 2
        for grow, ink, alpha in ((1, (0, 0, 0), 0.3), (0, color, 1.0)):
            reach = out + grow
            left, top, right, bottom = x0 - reach, y0 - reach, x1 + reach, y1 + reach
            thick = grow if grow else out + into
            thick_x, thick_y = min(thick, right - left), min(thick, bottom - top)
            self.fill((left, top, right, top + thick_y), ink, alpha)
            self.fill((left, bottom - thick_y, right, bottom), ink, alpha)
            self.fill((left, top + thick_y, left + thick_x, bottom - thick_y), ink, alpha)
            self.fill((right - thick_x, top + thick_y, right, bottom - thick_y), ink, alpha)

    def _strokes(
        self, paths: NDArray[np.float64], colors: UInt8, width: float, *, smooth: bool = True
    ) -> None:
        """Draws N paths: (N, P, 2) points, (N, 3) colors.

        Upright lines need no smoothing, and one pixel wide they are several times as fast without.

        Paths of one color go to OpenCV in one call; colors are drawn in the order they first occur.
        """
        if len(paths) == 0:
            return
        if smooth:
            # OpenCV's thin smooth line is about 1.4 pixels wide, a thick one 1.4 wider than asked.
            thickness, kind, shift = max(1, round(width - 0.6)), cv2.LINE_AA, _SHIFT
        else:
            thickness, kind, shift = max(1, round(width)), cv2.LINE_8, 0
        points = np.round((paths - 0.5) * (1 << shift)).astype(np.int32)
        codes = colors.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
        _, first, group = np.unique(codes, return_index=True, return_inverse=True)
        for number in np.argsort(first):
            color = tuple(int(c) for c in colors[first[number]])
            chosen = list(points[group.ravel() == number])
            cv2.polylines(self.canvas, chosen, False, color, thickness, kind, shift)


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """`values` for the pixels `rows` x `columns` of a canvas."""

    values: NDArray[Any]
    rows: slice
    columns: slice


def _placed(
    array: NDArray[Any],
    box: Extent,
    shape: tuple[int, int],
    *,
    smooth: bool = False,
    average: bool = True,
) -> _Placed | None:
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
        values = array[_run(v, height)][:, _run(u, width)]
    return _Placed(values, rows, columns)


def _run(places: NDArray[np.float64], count: int) -> slice | NDArray[np.intp]:
    """Which of `count` elements the places are in; a slice, that copies nothing, for neighbors."""
    index = np.clip(places.astype(np.intp), 0, count - 1)
    first = int(index[0])
    neighbors = np.array_equal(index, np.arange(first, first + len(index)))
    return slice(first, first + len(index)) if neighbors else index


def _blend(under: UInt8, over: NDArray[Any], alpha: float | NDArray[np.float32]) -> None:
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
