"""What the graphics items share: images over numpy, and a picture of the visible part.

Qt draws from 32-bit images several times faster than from indexed or 24-bit ones, and a thousand
rectangles cost more than one blit. Whatever is expensive is drawn once into a picture that is a
little larger than the window (`ViewCache`) and only moved while the user pans.
"""

from __future__ import annotations

import functools
import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSizeF, Qt, QThread
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QTransform

from explorer.render import labels
from explorer.ui.widgets.fonts import text_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, UInt8

log = logging.getLogger(__name__)

BIG_PICTURE = 16_000_000
"""Pixels above which a picture is not copied to 32 bits."""
MARGIN = 96
"""Device pixels that a cached picture reaches beyond the window on every side."""
PADDING = 4.0
"""Window pixels beside the words of a plate."""


def assert_gui_thread() -> None:
    """Raise where a widget is touched from another thread: Qt would crash later and elsewhere."""
    app = QCoreApplication.instance()
    if app is not None and QThread.currentThread() is not app.thread():
        raise RuntimeError("a widget may be touched on the window's thread only")


@contextmanager
def saved(painter: QPainter) -> Iterator[QPainter]:
    """The painter's state comes back, whatever happens inside."""
    painter.save()
    try:
        yield painter
    finally:
        painter.restore()


class Contained:
    """Runs drawing code so that nothing escapes into a paint event: the first error is logged."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.failed = False

    def retry(self) -> None:
        self.failed = False

    def __call__(self, draw: Callable[..., None], painter: QPainter, *args: Any) -> None:
        if self.failed:
            return
        try:
            with saved(painter):
                draw(painter, *args)
        except Exception:  # it would come back at every frame
            self.failed = True
            log.exception("%s cannot be drawn and is left out", self._what)


def qcolor(color: Color | UInt8, alpha: float = 1.0) -> QColor:
    red, green, blue = (int(channel) for channel in color)
    return QColor(red, green, blue, round(255 * min(1.0, max(0.0, alpha))))


def ink_on(color: QColor) -> QColor:
    """Black or white, whichever has more contrast with `color`."""
    return QColor(*labels.ink_on((color.red(), color.green(), color.blue())))


def dark(widget_color: QColor) -> bool:
    """Whether a palette's window color belongs to a dark theme."""
    return widget_color.lightness() < 128


def rgb_image(rgb: UInt8) -> tuple[QImage, UInt8]:
    """An image of (H, W, 3) uint8 and the array that it looks at, which must outlive it."""
    height, width = rgb.shape[:2]
    rgb = np.ascontiguousarray(rgb)
    packed = QImage(rgb.data, width, height, width * 3, QImage.Format.Format_RGB888)
    if height * width > BIG_PICTURE:
        return packed, rgb
    return packed.convertToFormat(QImage.Format.Format_RGB32), rgb


def index_image(index: UInt8) -> tuple[QImage, UInt8]:
    """An Indexed8 image of (H, W) uint8 and its array; the colors are set apart."""
    index = np.ascontiguousarray(index)
    height, width = index.shape
    return QImage(index.data, width, height, width, QImage.Format.Format_Indexed8), index


class Pyramid:
    """An array's images at 1, 1/2, 1/4 …, made when first asked for.

    Averaging table indices is averaging the numbers they stand for, so heat maps shrink correctly;
    class indices must not be averaged, so they are thinned (`average=False`).
    """

    def __init__(self, array: UInt8, *, average: bool) -> None:
        self._arrays = [array]
        self._images: list[tuple[QImage, UInt8] | None] = [None]
        self._average = average

    def image(self, scale: float) -> QImage:
        """The smallest level with an element per device pixel, at `scale` pixels an element."""
        wanted = max(0, math.floor(math.log2(1.0 / scale))) if 0.0 < scale < 1.0 else 0
        while len(self._arrays) <= wanted and min(self._arrays[-1].shape[:2]) > 1:
            self._arrays.append(self._half(self._arrays[-1]))
            self._images.append(None)
        level = min(wanted, len(self._arrays) - 1)
        found = self._images[level]
        if found is None:
            array = self._arrays[level]
            found = rgb_image(array) if array.ndim == 3 else index_image(array)
            self._images[level] = found
        return found[0]

    def _half(self, array: UInt8) -> UInt8:
        if not self._average:
            return np.ascontiguousarray(array[::2, ::2])
        import cv2  # late: the window shows before it

        size = ((array.shape[1] + 1) // 2, (array.shape[0] + 1) // 2)
        return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True)
class Lens:
    """How the pane lies in the window: pane * scale + (dx, dy), of `dpr` device pixels each."""

    scale: float
    dx: float
    dy: float
    dpr: float
    width: float
    height: float

    def at(self, x: float, y: float) -> QPointF:
        return QPointF(x * self.scale + self.dx, y * self.scale + self.dy)

    def rect(self, x0: float, y0: float, x1: float, y1: float) -> QRectF:
        return QRectF(self.at(x0, y0), self.at(x1, y1))

    @property
    def seen(self) -> tuple[float, float, float, float]:
        """The visible part of the pane's plane, x0, y0, x1, y1."""
        x0, y0 = -self.dx / self.scale, -self.dy / self.scale
        return x0, y0, x0 + self.width / self.scale, y0 + self.height / self.scale


def lens_of(painter: QPainter, width: float, height: float) -> Lens:
    world = painter.worldTransform()
    # The device's own transform holds its pixel ratio, also when the window is drawn into an image.
    dpr = painter.deviceTransform().m11() / world.m11() if world.m11() else 1.0
    return Lens(world.m11() or 1.0, world.dx(), world.dy(), dpr or 1.0, width, height)


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A picture to draw into: `scale` pixels a pane unit, its corner at (u, v) from the origin."""

    image: QImage
    scale: float
    u: int
    v: int

    def transform(self) -> QTransform:
        return QTransform(self.scale, 0, 0, self.scale, -self.u, -self.v)

    def lens(self) -> Lens:
        """As if the picture were a window of plain pixels."""
        return Lens(self.scale, -self.u, -self.v, 1.0, self.image.width(), self.image.height())

    def device(
        self, xy: NDArray[np.floating[Any]], axis_offsets: tuple[int, ...]
    ) -> NDArray[np.int32]:
        """Columns of `xy` in this picture's pixels, cut off outside (exact for level lines)."""
        limits = (self.image.width() + 64, self.image.height() + 64)
        out = np.empty(xy.shape, np.int32)
        for column, axis in enumerate(axis_offsets):
            pixels = xy[:, column].astype(np.float64) * self.scale - (self.u, self.v)[axis]
            out[:, column] = np.clip(np.floor(pixels + 0.5), -64, limits[axis])
        return out


class ViewCache:
    """The visible part of something, drawn once and moved while the scale and the content stay."""

    def __init__(self) -> None:
        self._raster: Raster | None = None
        self._key: tuple[object, ...] = ()
        self._scale: float | None = None
        self.renders = 0

    def clear(self) -> None:
        self._raster = None

    def paint(
        self,
        painter: QPainter,
        lens: Lens,
        bounds: tuple[float, float, float, float] | None,
        token: object,
        render: Callable[[Raster], None],
    ) -> None:
        """Blit; call `render` first when the scale, the `token` or the visible part is new.

        Args:
            painter: In pane coordinates.
            lens: The painter's.
            bounds: What the content covers in the pane, None for everywhere.
            token: Anything that differs when the content does.
            render: Draws into an empty raster.
        """
        scale = lens.scale * lens.dpr
        tx, ty = lens.dx * lens.dpr, lens.dy * lens.dpr
        need = [-tx, -ty, lens.width * lens.dpr - tx, lens.height * lens.dpr - ty]
        most = [need[0] - MARGIN, need[1] - MARGIN, need[2] + MARGIN, need[3] + MARGIN]
        if bounds is not None:
            for side in (0, 1):
                low, high = bounds[side] * scale - 2, bounds[side + 2] * scale + 2
                need[side], need[side + 2] = max(need[side], low), min(need[side + 2], high)
                most[side], most[side + 2] = max(most[side], low), min(most[side + 2], high)
        if need[0] >= need[2] or need[1] >= need[3]:
            return
        key = (scale, lens.dpr, token)
        if self._raster is None or key != self._key or not self._covers(self._raster, need):
            u, v = int(np.floor(most[0])), int(np.floor(most[1]))
            width, height = int(np.ceil(most[2])) - u, int(np.ceil(most[3])) - v
            image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
            image.fill(Qt.GlobalColor.transparent)
            self._raster, self._key = Raster(image, scale, u, v), key
            self.renders += 1
            render(self._raster)
        raster = self._raster
        with saved(painter):
            painter.setWorldTransform(QTransform())
            corner = QPointF((raster.u + tx) / lens.dpr, (raster.v + ty) / lens.dpr)
            size = QSizeF(raster.image.width() / lens.dpr, raster.image.height() / lens.dpr)
            painter.drawImage(QRectF(corner, size), raster.image)

    def paint_again(
        self,
        painter: QPainter,
        lens: Lens,
        bounds: tuple[float, float, float, float],
        draw: Callable[[QPainter, Lens], None],
    ) -> None:
        """`draw` itself at a new scale, and what it drew from the second time on.

        What stays (panning, hovering) is resampled once; the frame of a film comes only once.
        """
        again, self._scale = lens.scale == self._scale, lens.scale
        if not again:
            draw(painter, lens)
            return

        def render(raster: Raster) -> None:
            with QPainter(raster.image) as into:
                into.setTransform(raster.transform())
                draw(into, raster.lens())

        self.paint(painter, lens, bounds, None, render)

    @staticmethod
    def _covers(raster: Raster, need: list[float]) -> bool:
        return (
            raster.u <= need[0] + 1
            and raster.v <= need[1] + 1
            and raster.u + raster.image.width() >= need[2] - 1
            and raster.v + raster.image.height() >= need[3] - 1
        )


def stroke_polylines(
    raster: Raster,
    points: NDArray[np.int32],
    colors: UInt8,
    *,
    width: int,
    closed: bool,
    dotted: bool,
) -> None:
    """Draw many polylines: `points` (N, P, 2) in the raster's pixels, `colors` (N, 3), by color.

    Lines are drawn one pixel wide and then grown, which is several times faster than wide lines.
    """
    import cv2  # late: the window shows before it

    rows, columns = raster.image.height(), raster.image.width()
    code = colors.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    if len(code) > 60_000:  # more colors than pens, and than anybody can tell apart
        code &= np.uint32(0xF0F0F0)
    codes, which = np.unique(code, return_inverse=True)
    # Pens are numbers into a table: an image of one byte is drawn, and grown, much faster.
    table = np.concatenate([[0], codes | 0xFF000000]).astype(np.uint32)
    pens = np.zeros((rows, columns), np.uint8 if len(codes) < 256 else np.uint16)
    order = np.argsort(which, kind="stable")
    cuts = np.flatnonzero(np.diff(which[order])) + 1
    for group in np.split(order, cuts):
        if len(group):
            cv2.polylines(pens, list(points[group]), closed, int(which[group[0]]) + 1)
    for step in range(1, width):
        # Alternately to the right and down, and to the left and up: the line stays centered.
        _grow(pens, 1 if step % 2 else -1)
    if dotted:
        # A checker fixed to the pane makes dashes of every level and upright line.
        dash = 3 + width
        down = (np.arange(rows)[:, None] + raster.v) // dash
        across = (np.arange(columns)[None, :] + raster.u) // dash
        pens[(down + across) % 2 == 1] = 0
    drawn = np.take(table, pens)
    crowd = float(np.count_nonzero(pens)) / pens.size
    with QPainter(raster.image) as painter:
        # A crowd turns into a veil, so that the photo under it can still be seen.
        painter.setOpacity(1.0 if crowd < 0.2 else 1.1 - 0.6 * crowd)
        form = QImage.Format.Format_ARGB32_Premultiplied
        painter.drawImage(0, 0, QImage(drawn.data, columns, rows, columns * 4, form))


def _grow(pixels: NDArray[Any], by: int) -> None:
    for axis in (0, 1):
        here: list[slice] = [slice(None), slice(None)]
        there: list[slice] = [slice(None), slice(None)]
        here[axis], there[axis] = (
            (slice(1, None), slice(None, -1)) if by > 0 else (slice(None, -1), slice(1, None))
        )
        target, source = pixels[tuple(here)], pixels[tuple(there)].copy()
        np.copyto(target, source, where=target == 0)


def small_font(base: QFont, points: float = 9.0) -> QFont:
    """`base` in a size for marks on a picture; `points` are those of the usual text size."""
    font = QFont(base)
    font.setPointSizeF(points * text_scale())
    return font


def plate_rect(
    painter: QPainter, corner: QPointF, text: str, swatches: Sequence[Color] = ()
) -> QRectF:
    """What `draw_plate` covers."""
    metrics = QFontMetricsF(painter.font())
    lines = text.split("\n")
    width = max(metrics.horizontalAdvance(line) for line in lines)
    width += metrics.height() if swatches else 0.0
    return QRectF(corner, QSizeF(width + 2 * PADDING, metrics.height() * len(lines) + 2))


@functools.lru_cache(maxsize=512)
def plate_picture(text: str, font: str, paper: int, ratio: float) -> QImage:
    """What `draw_plate` draws, kept: live labels come back at every frame.

    Args:
        text: One line.
        font: As `QFont.toString` gives it.
        paper: The plate's color, as `QColor.rgb` gives it; the ink is black or white.
        ratio: Device pixels per window pixel.
    """
    words, color = QFont(), QColor(paper)
    words.fromString(font)
    metrics = QFontMetricsF(words)
    width, height = metrics.horizontalAdvance(text) + 2 * PADDING, metrics.height() + 2
    image = QImage(
        math.ceil(width * ratio), math.ceil(height * ratio),
        QImage.Format.Format_ARGB32_Premultiplied,
    )  # fmt: skip
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    with QPainter(image) as painter:
        painter.setFont(words)
        draw_plate(painter, QPointF(0, 0), text, ink=ink_on(color), paper=color)
    return image


def draw_plate(
    painter: QPainter,
    corner: QPointF,
    text: str,
    *,
    ink: QColor,
    paper: QColor,
    swatches: Sequence[Color] = (),
    size: QSizeF | None = None,
) -> None:
    """Words on a small rounded plate with its upper left corner at `corner` (window pixels).

    `swatches` are the colors of squares before the lines; `size` is that of `plate_rect`, where it
    is known.
    """
    metrics = QFontMetricsF(painter.font())
    known = None if size is None else QRectF(corner, size)
    rect = known or plate_rect(painter, corner, text, swatches)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(paper)
    painter.drawRoundedRect(rect, 3, 3)
    high, side = metrics.height(), metrics.ascent() * 0.8
    for row, color in enumerate(swatches):
        top = rect.top() + 1 + row * high + (high - side) / 2
        painter.setBrush(qcolor(color))
        painter.drawRoundedRect(QRectF(rect.left() + PADDING, top, side, side), 2, 2)
    painter.setPen(ink)
    across = PADDING + (high if swatches else 0.0)
    for row, line in enumerate(text.split("\n")):
        down = 1 + row * high + metrics.ascent()
        painter.drawText(rect.topLeft() + QPointF(across, down), line)
