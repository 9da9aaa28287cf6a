"""The items that are arrays: Picture, Heat and Masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from explorer.core.layers import (
    Extent,
    Heat,
    Masks,
    Picture,
    extent_of,
    heat_index,
    lookup_table,
)
from explorer.ui.items.item_images import Lens, Pyramid, Raster, ViewCache, stroke_polylines
from explorer.ui.items.layer_item import LayerItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BORDERS = 60_000
"""Visible border segments above which regions are left without their outlines."""


class PictureItem(LayerItem):
    """A photo: averaged when small, nearest neighbor when magnified, smooth in between."""

    layer: Picture

    def __init__(self, layer: Picture) -> None:
        super().__init__(layer)
        self._pyramid = Pyramid(layer.rgb, average=True)
        self._cache = ViewCache()

    def take_over(self, old: LayerItem) -> None:
        if isinstance(old, PictureItem) and old.layer.rgb is self.layer.rgb:
            self._pyramid = old._pyramid

    def covers(self) -> bool:
        return self.layer.opacity >= 1.0 and fills(self.frame, extent_of(self.layer))

    def draw(self, painter: QPainter, lens: Lens) -> None:
        painter.setOpacity(self.layer.opacity)
        self._cache.paint_again(painter, lens, extent_of(self.layer), self._place)

    def _place(self, painter: QPainter, lens: Lens) -> None:
        shape, extent = self.layer.rgb.shape, extent_of(self.layer)
        place_image(painter, lens, self._pyramid, shape, extent, smooth=self.layer.smooth)


def fills(frame: tuple[float, float], extent: Extent) -> bool:
    x0, y0, x1, y1 = extent
    return x0 <= 0 and y0 <= 0 and x1 >= frame[0] and y1 >= frame[1]


def place_image(
    painter: QPainter,
    lens: Lens,
    pyramid: Pyramid,
    shape: tuple[int, ...],
    extent: Extent,
    *,
    smooth: bool,
    colors: list[int] | None = None,
    thin: bool = False,
) -> None:
    """Draw the right level of an array over `extent`, through the table `colors` if given."""
    x0, y0, x1, y1 = extent
    if not (x1 > x0 and y1 > y0):
        return
    across = (x1 - x0) / shape[1] * lens.scale * lens.dpr
    down = (y1 - y0) / shape[0] * lens.scale * lens.dpr
    image = pyramid.image(max(across, down))
    if colors is not None:
        image.setColorTable(colors)
        if image.width() * image.height() <= lens.width * lens.height * lens.dpr**2:
            # Qt enlarges what it need not look up in a table several times as fast.
            image = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    exact = across == down == 1.0
    soft = (smooth or max(across, down) <= 2.0) and not thin and not exact
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, soft)
    painter.drawImage(QRectF(x0, y0, x1 - x0, y1 - y0), image, QRectF(image.rect()))


class HeatItem(LayerItem):
    """Numbers as an indexed image: another color map or opacity only replaces the color table."""

    layer: Heat

    def __init__(self, layer: Heat) -> None:
        super().__init__(layer)
        self._pyramid: Pyramid | None = None
        self._holes = False
        self._cache = ViewCache()
        self._colors = self._table()

    def take_over(self, old: LayerItem) -> None:
        new = self.layer
        if (
            isinstance(old, HeatItem)
            and old.layer.values is new.values
            and (old.layer.low, old.layer.high) == (new.low, new.high)
        ):
            self._pyramid, self._holes = old._pyramid, old._holes

    def covers(self) -> bool:
        layer = self.layer
        solid = layer.opacity >= 1.0 and not layer.alpha_by_value
        if not solid or not fills(self.frame, extent_of(layer)):
            return False
        self._upload()
        return not self._holes

    def _upload(self) -> Pyramid:
        if self._pyramid is None:
            with np.errstate(invalid="ignore", over="ignore"):
                index = heat_index(self.layer)
            finite = np.isfinite(self.layer.values)
            self._holes = not bool(finite.all())
            if self._holes:  # index 0 is given up for "nothing here"
                np.maximum(index, 1, out=index)
                index[~finite] = 0
            self._pyramid = Pyramid(index, average=True)
        return self._pyramid

    def _table(self) -> list[int]:
        alpha = np.full(256, 255.0)
        if self.layer.alpha_by_value:
            alpha = np.linspace(0.0, 255.0, 256)
        return argb_table(lookup_table(self.layer.colormap), alpha * self.layer.opacity)

    def draw(self, painter: QPainter, lens: Lens) -> None:
        self._cache.paint_again(painter, lens, extent_of(self.layer), self._place)

    def _place(self, painter: QPainter, lens: Lens) -> None:
        pyramid = self._upload()
        colors = [0, *self._colors[1:]] if self._holes else self._colors
        shape, extent = self.layer.values.shape, extent_of(self.layer)
        place_image(painter, lens, pyramid, shape, extent, smooth=self.layer.smooth, colors=colors)


def argb_table(rgb: NDArray[np.uint8], alpha: NDArray[np.float64]) -> list[int]:
    """Qt's color table: 0xAARRGGBB per entry."""
    wide = rgb.astype(np.int64)
    opaque = np.clip(np.round(alpha), 0, 255).astype(np.int64)
    table: list[int] = (
        (opaque << 24) | (wide[:, 0] << 16) | (wide[:, 1] << 8) | wide[:, 2]
    ).tolist()
    return table


class MasksItem(LayerItem):
    """Regions: an indexed image under borders that run along the edges of the elements."""

    layer: Masks

    def __init__(self, layer: Masks) -> None:
        super().__init__(layer)
        self._cache = ViewCache()
        self._pyramid: Pyramid | None = None
        self._borders: tuple[NDArray[np.float64], NDArray[np.intp]] | None = None

    def take_over(self, old: LayerItem) -> None:
        if isinstance(old, MasksItem) and old.layer.index is self.layer.index:
            self._borders = old._borders
            if len(old.layer.colors) == len(self.layer.colors) <= 255:
                self._pyramid = old._pyramid

    def _known(self) -> NDArray[np.int32]:
        index = self.layer.index
        return np.where((index >= 0) & (index < len(self.layer.colors)), index, -1)

    def _table(self) -> list[int]:
        count = len(self.layer.colors)
        alpha = np.full(count, 255.0 * self.layer.opacity)
        return [0, *argb_table(self.layer.colors, alpha)]

    def draw(self, painter: QPainter, lens: Lens) -> None:
        def render(raster: Raster) -> None:
            self._render(raster, max(2, round(2 * lens.dpr)))

        self._cache.paint(painter, lens, extent_of(self.layer), None, render)

    def _render(self, raster: Raster, width: int) -> None:
        count = len(self.layer.colors)
        inner = raster.lens()
        extent = extent_of(self.layer)
        with QPainter(raster.image) as into:
            into.setTransform(raster.transform())
            if count <= 255:
                if self._pyramid is None:
                    self._pyramid = Pyramid((self._known() + 1).astype(np.uint8), average=False)
                place_image(
                    into,
                    inner,
                    self._pyramid,
                    self.layer.index.shape,
                    extent,
                    smooth=False,
                    colors=self._table(),
                    thin=True,
                )
            else:
                argb = np.array(self._table(), np.uint32)[self._known() + 1]
                rows, columns = argb.shape
                form = QImage.Format.Format_ARGB32
                image = QImage(argb.data, columns, rows, columns * 4, form)
                x0, y0, x1, y1 = extent
                into.drawImage(QRectF(x0, y0, x1 - x0, y1 - y0), image)
        if self.layer.outline:
            if self._borders is None:
                self._borders = borders(self._known())
                if len(self._borders[0]) > 8 * MOST_BORDERS:
                    self._borders = self._borders[0][:0], self._borders[1][:0]
            self._stroke(raster, *self._borders, width)

    def _stroke(
        self, raster: Raster, segments: NDArray[np.float64], owner: NDArray[np.intp], width: int
    ) -> None:
        if len(segments) == 0:
            return
        x0, y0, x1, y1 = extent_of(self.layer)
        rows, columns = self.layer.index.shape
        to_pane = np.array([(x1 - x0) / columns, (y1 - y0) / rows] * 2)
        points = raster.device(segments * to_pane + [x0, y0, x0, y0], (0, 1, 0, 1))
        seen = (points[:, 2] >= 0) & (points[:, 0] <= raster.image.width())
        seen &= (points[:, 3] >= 0) & (points[:, 1] <= raster.image.height())
        points, owner = points[seen], owner[seen]
        if len(points) > MOST_BORDERS:
            return  # noise has no outline that could be seen
        stroke_polylines(
            raster,
            points.reshape(-1, 2, 2),
            self.layer.colors[owner],
            width=width,
            closed=False,
            dotted=False,
        )


def borders(index: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The borders between regions as few level and upright segments.

    Args:
        index: (H, W) integers, -1 = nothing.

    Returns:
        Segments (N, 4) as x0, y0, x1, y1 in elements, and the region (N,) whose color each takes:
        the larger index of the two sides, which lies on top.
    """
    framed = np.pad(index, 1, constant_values=-1)
    found_segments, found_owners = [], []
    for upright in (False, True):
        grid = framed.T if upright else framed
        above, below = grid[:-1, 1:-1], grid[1:, 1:-1]
        owner = np.where(above != below, np.maximum(above, below), -1)
        # A run starts where the owner changes along the line and ends before the next change.
        change = np.ones((owner.shape[0], owner.shape[1] + 1), bool)
        change[:, 1:-1] = owner[:, 1:] != owner[:, :-1]
        line, start = np.nonzero(change[:, :-1])
        _, stop = np.nonzero(change[:, 1:])
        who = owner[line, start]
        keep = who >= 0
        line, start, stop, who = line[keep], start[keep], stop[keep] + 1, who[keep]
        parts = (line, start, line, stop) if upright else (start, line, stop, line)
        found_segments.append(np.stack(parts, axis=1).astype(np.float64))
        found_owners.append(who.astype(np.intp))
    return np.concatenate(found_segments), np.concatenate(found_owners)
