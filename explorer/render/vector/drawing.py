"""The surface of figures: it keeps what is drawn as a few kinds of marks, lengths in points.

A drawing is laid out in units of 1/20 point, so that whole numbers are fine enough, and its marks
are in points (1/72 inch), as SVG and PDF write them. Arrays stay arrays of their own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.render.typeface import line_height
from explorer.render.vector.font_files import OUTLINE_TYPEFACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, UInt8
    from explorer.render.surface import Look
    from explorer.render.typeface import Typeface

UNITS = 20
"""Of the surface, in one point."""

_HAIRLINE = 0.5
_FINEST_CELL = 72 / 150  # points; elements of an array that are smaller are not seen as cells


@dataclass(frozen=True, slots=True)
class Pen:
    """A stroke along an edge, half of it on either side; `dashes` are on and off."""

    color: Color
    width: float
    dashes: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rectangle:
    """x0, y0, x1, y1 with corners of `radius`."""

    box: Extent
    fill: Color | None = None
    pen: Pen | None = None
    radius: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Lines through (P, 2) points each; holes are left out of what is filled."""

    runs: tuple[NDArray[np.float64], ...]
    closed: bool = False
    fill: Color | None = None
    pen: Pen | None = None
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Circle:
    """A disc and its ring."""

    x: float
    y: float
    radius: float
    fill: Color
    pen: Pen | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """(H, W, 3) or (H, W, 4) uint8 over `box`; `cells` are sharp when enlarged."""

    pixels: UInt8
    box: Extent
    opacity: float = 1.0
    cells: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """One line of text; (x, y) is the left end of its baseline, `size` that of the em."""

    text: str
    x: float
    y: float
    size: float
    color: Color
    bold: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Marks that are visible within `box` only."""

    box: Extent
    name: str
    marks: list[Mark] = field(default_factory=list)


Mark = Rectangle | Path | Circle | Bitmap | Words | Part


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A `Surface` that collects `marks`; `width` and `height` are in its units."""

    width: int
    height: int
    marks: list[Mark] = field(default_factory=list)
    corner: tuple[float, float] = (0.0, 0.0)

    @property
    def typeface(self) -> Typeface:
        return OUTLINE_TYPEFACE

    def words(self) -> Iterator[Words]:
        """Every line of text, also those inside parts."""
        yield from _words(self.marks)

    # -- strokes ----------------------------------------------------------------------------------

    def part(self, box: Extent, name: str = "") -> Drawing:
        part = Part(self._box(box), name)
        self.marks.append(part)
        corner = (self.corner[0] + box[0], self.corner[1] + box[1])
        return Drawing(round(box[2] - box[0]), round(box[3] - box[1]), part.marks, corner)

    def fill(self, box: Extent, color: Any, alpha: float = 1.0) -> None:
        self.marks.append(Rectangle(self._box(box), _color(color), opacity=alpha))

    def rounded(
        self,
        box: Extent,
        color: Color,
        *,
        radius: float,
        alpha: float = 1.0,
        rim: Color | None = None,
    ) -> None:
        pen = Pen(rim, _HAIRLINE) if rim is not None else None
        shape = self._box(box)
        radius = min(radius / UNITS, (shape[2] - shape[0]) / 2, (shape[3] - shape[1]) / 2)
        self.marks.append(Rectangle(shape, _color(color), pen, radius, alpha))

    def outlines(
        self, xyxy: NDArray[np.float64], colors: UInt8, width: float, *, dotted: bool = False
    ) -> None:
        thick = width / UNITS
        dashes = (3.0 * thick, 2.5 * thick) if dotted else None
        for box, color in zip(xyxy.tolist(), colors, strict=True):
            self.marks.append(Rectangle(self._box(box), pen=Pen(_color(color), thick, dashes)))

    def segments(
        self,
        rows: NDArray[np.float64],
        colors: UInt8,
        width: float,
        *,
        dashes: tuple[float, float] | None = None,
    ) -> None:
        on_off = (dashes[0] / UNITS, dashes[1] / UNITS) if dashes is not None else None
        lines = zip(map(_color, colors), self._points(rows.reshape(-1, 2, 2)), strict=True)
        for color, group in groupby(lines, key=lambda line: line[0]):
            runs = tuple(points for _, points in group)
            self.marks.append(Path(runs, pen=Pen(color, width / UNITS, on_off)))

    def polyline(self, points: NDArray[np.float64], color: Color, width: float) -> None:
        good = np.isfinite(points).all(axis=1)
        pieces = np.split(self._points(points), np.flatnonzero(np.diff(good)) + 1)
        runs = [piece for piece in pieces if len(piece) and np.isfinite(piece).all()]
        lines = tuple(run for run in runs if len(run) > 1)
        if lines:
            self.marks.append(Path(lines, pen=Pen(color, width / UNITS)))
        for ((x, y),) in (run.tolist() for run in runs if len(run) == 1):
            self.marks.append(Circle(x, y, 1.5 * width / UNITS, color))

    def polygon(self, points: NDArray[np.float64], color: Any) -> None:
        self.marks.append(Path((self._points(points),), closed=True, fill=_color(color)))

    def disc(
        self, x: float, y: float, radius: float, color: Any, *, rim: float = 0.0, ink: Any = None
    ) -> None:
        x, y = self._points(np.array([x, y])).tolist()
        pen = Pen(_color(ink), rim / UNITS) if rim > 0 else None
        self.marks.append(Circle(x, y, (radius + rim / 2) / UNITS, _color(color), pen))

    def grid(
        self,
        xs: NDArray[np.float64],
        ys: NDArray[np.float64],
        box: Extent,
        color: Color,
        width: float,
        opacity: float,
    ) -> None:
        # One path, stroked once: crossings are no brighter than the lines.
        x0, y0, x1, y1 = box
        lines = [*([[x, y0], [x, y1]] for x in xs), *([[x0, y], [x1, y]] for y in ys)]
        if lines:
            runs = tuple(self._points(np.array(lines, np.float64)))
            self.marks.append(Path(runs, pen=Pen(color, width / UNITS), opacity=opacity))

    def image(
        self, array: NDArray[Any], box: Extent, look: Look, *, name: str, smooth: bool = False
    ) -> None:
        rgb, alpha = look(array)
        if isinstance(alpha, float):
            self._bitmap(rgb, box, name, opacity=alpha, smooth=smooth)
        else:
            cover = np.rint(alpha * 255).astype(np.uint8)
            self._bitmap(np.dstack([rgb, cover]), box, name, smooth=smooth)

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
        known = np.where(index < len(colors), index, -1)
        table = np.zeros((len(colors) + 1, 4), np.uint8)
        table[1:, :3], table[1:, 3] = colors, round(opacity * 255)
        self._bitmap(table[known + 1], box, name, smooth=False)
        if outline <= 0 or not _drawable(box):
            return
        corner = np.array(box[:2])
        cell = (np.array(box[2:]) - corner) / np.array(index.shape[::-1])
        for number in np.unique(known[known >= 0]):
            runs = tuple(self._points(loop * cell + corner) for loop in borders(known == number))
            pen = Pen(_color(colors[number]), outline / UNITS)
            self.marks.append(Path(runs, closed=True, pen=pen))

    def write(
        self, text: str, at: tuple[float, float], size: float, color: Color, *, bold: bool = False
    ) -> None:
        x, y = self._points(np.array(at, np.float64)).tolist()
        for number, line in enumerate(text.split("\n")):
            if line.strip():
                baseline = y + (number * line_height(size) + size) / UNITS
                self.marks.append(Words(line, x, baseline, size / UNITS, _color(color), bold))

    # -- inside -----------------------------------------------------------------------------------

    def _points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, 2) points of this surface as points of the whole drawing, in points."""
        moved: NDArray[np.float64] = (points + np.array(self.corner)) / UNITS
        return moved

    def _box(self, box: Extent | list[float]) -> Extent:
        x, y = self.corner
        return (
            (box[0] + x) / UNITS,
            (box[1] + y) / UNITS,
            (box[2] + x) / UNITS,
            (box[3] + y) / UNITS,
        )

    def _bitmap(
        self, pixels: UInt8, box: Extent, name: str, *, opacity: float = 1.0, smooth: bool
    ) -> None:
        unseen = pixels.shape[2] == 4 and not pixels[..., 3].any()
        if opacity <= 0 or unseen or not _drawable(box):
            return
        if pixels.shape[2] == 4 and (pixels[..., 3] == 255).all():
            pixels = pixels[..., :3]
        cell = (box[2] - box[0]) / pixels.shape[1] / UNITS
        cells = not smooth and cell > _FINEST_CELL
        pixels = np.ascontiguousarray(pixels)
        self.marks.append(Bitmap(pixels, self._box(box), min(opacity, 1.0), cells, name))


def borders(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The closed lines along the edges of the pixels around a mask (H, W) and around its holes.

    Returns:
        (P, 2) corners (x, y) of pixels each, the first one not repeated.
    """
    # OpenCV follows the centers of pixels. With each pixel doubled, those of the left and the
    # right half of column j are 2j and 2j + 1, and half of the next whole number is its edge.
    doubled = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    found, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    loops = []
    for contour in found:
        corners = (contour[:, 0, :] + 1) // 2
        moved = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
        loops.append(corners[moved].astype(np.float64))
    return loops


def _drawable(box: Extent) -> bool:
    return bool(np.isfinite(box).all()) and box[2] > box[0] and box[3] > box[1]


def _words(marks: list[Mark]) -> Iterator[Words]:
    for mark in marks:
        if isinstance(mark, Words):
            yield mark
        elif isinstance(mark, Part):
            yield from _words(mark.marks)


def _color(color: Any) -> Color:
    red, green, blue = color
    return (int(red), int(green), int(blue))
