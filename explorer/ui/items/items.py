"""One graphics item per layer: the scene's units are the pane's, the painter's are the screen's.

An item is kept as long as its layer is the identical object, and takes over what it has already
uploaded when only the style of the layer is new (another color map over the same numbers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QApplication

from explorer.core.layers import Boxes, Grid, Heat, Layer, Lines, Masks, Picture, Points, Text
from explorer.render.placing import DARK, free_of_earlier, places_beside
from explorer.ui.items.box_item import BoxesItem
from explorer.ui.items.image_items import HeatItem, MasksItem, PictureItem
from explorer.ui.items.item_images import (
    PADDING,
    Lens,
    Raster,
    ViewCache,
    draw_plate,
    plate_rect,
    qcolor,
    small_font,
)
from explorer.ui.items.labeled_item import LabeledItem
from explorer.ui.items.layer_item import FEW, MANY, LayerItem, color_groups, cosmetic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Extent
    from explorer.ui.items.labeled_item import Size


LETTERS = (1.0, 0.85, 0.7, 0.55)
"""Sizes of texts that are in each other's way."""


KEY_SHARE, KEY_LETTERS = 0.5, 0.7
"""A color key that would be higher than this share of its picture gets letters of down to that."""


class PointsItem(LabeledItem):
    """Discs of a screen size with a dark rim."""

    layer: Points

    def __init__(self, layer: Points) -> None:
        rows = np.flatnonzero(np.isfinite(layer.xy).all(axis=1))
        super().__init__(layer, rows)
        self._groups = [
            (color, [QPointF(x, y) for x, y in layer.xy[part].tolist()])
            for color, part in color_groups(layer.colors, rows)
        ]
        self._count = len(rows)
        self._cache = ViewCache()

    def draw(self, painter: QPainter, lens: Lens) -> None:
        if self._count > FEW:

            def render(raster: Raster) -> None:
                with QPainter(raster.image) as into:
                    into.setTransform(raster.transform())
                    self._dots(into, lens.dpr)

            self._cache.paint(painter, lens, None, None, render)
        else:
            self._dots(painter, lens.dpr)

    def draw_words(self, painter: QPainter, lens: Lens) -> None:
        if self.layer.labels:
            self.label_all(painter, lens)

    def _dots(self, painter: QPainter, ratio: float) -> None:
        nice = self._count <= 4 * MANY
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, nice)
        radius = self.layer.radius * ratio
        for color, points in self._groups:
            for pen in (
                cosmetic(QColor(0, 0, 0, 170), 2 * radius + 2 * ratio),
                cosmetic(color, 2 * radius),
            ):
                pen.setCapStyle(Qt.PenCapStyle.RoundCap)
                painter.setPen(pen)
                painter.drawPoints(points)

    def places(self, row: int, scale: float, plate: Size, pane: Size) -> Sequence[Extent]:
        x, y = (self.layer.xy[row].astype(np.float64) * scale).tolist()
        return places_beside((x, y), self.layer.radius + 3, plate, pane)

    def paper(self, row: int) -> QColor:
        return qcolor(DARK)


class LinesItem(LayerItem):
    """Segments, with arrow heads of a screen size."""

    layer: Lines

    def __init__(self, layer: Lines) -> None:
        super().__init__(layer)
        self._rows = np.flatnonzero(np.isfinite(layer.segments).all(axis=1))
        self._groups = [
            (color, [QLineF(*entry) for entry in layer.segments[part].tolist()], part)
            for color, part in color_groups(layer.colors, self._rows)
        ]
        self._cache = ViewCache()

    def draw(self, painter: QPainter, lens: Lens) -> None:
        if len(self._rows) <= FEW:
            self._strokes(painter, lens.scale * lens.dpr, lens.dpr)
            return

        def render(raster: Raster) -> None:
            with QPainter(raster.image) as into:
                into.setTransform(raster.transform())
                self._strokes(into, raster.scale, lens.dpr)

        self._cache.paint(painter, lens, None, None, render)

    def _strokes(self, painter: QPainter, scale: float, ratio: float) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, len(self._rows) <= MANY)
        width = self.layer.width * ratio
        for color, lines, part in self._groups:
            painter.setPen(cosmetic(color, width, dotted=self.layer.dotted))
            painter.drawLines(lines)
            if self.layer.arrow:
                painter.setPen(cosmetic(color, width))
                painter.drawLines(
                    arrow_heads(self.layer.segments[part], (5.0 * ratio + 1.5 * width) / scale)
                )


def arrow_heads(segments: NDArray[np.float32], length: float) -> list[QLineF]:
    """Two short strokes at every second end, `length` long in the segments' units."""
    tail, tip = segments[:, :2].astype(np.float64), segments[:, 2:].astype(np.float64)
    along = tip - tail
    norm = np.linalg.norm(along, axis=1, keepdims=True)
    along = np.divide(along, norm, out=np.zeros_like(along), where=norm > 0)
    across = along[:, ::-1] * [1.0, -1.0]
    ends = [tip - length * (along + side * 0.5 * across) for side in (-1.0, 1.0)]
    return [QLineF(*entry) for end in ends for entry in np.concatenate([tip, end], axis=1).tolist()]


class GridItem(LayerItem):
    """Level and upright lines, clipped to the extent."""

    layer: Grid

    def __init__(self, layer: Grid) -> None:
        super().__init__(layer)
        x0, y0, x1, y1 = layer.extent
        xs = layer.xs[(layer.xs >= x0) & (layer.xs <= x1)].tolist()
        ys = layer.ys[(layer.ys >= y0) & (layer.ys <= y1)].tolist()
        self._lines = [QLineF(x, y0, x, y1) for x in xs] + [QLineF(x0, y, x1, y) for y in ys]

    def draw(self, painter: QPainter, lens: Lens) -> None:
        if self._lines:
            color = qcolor(self.layer.color, self.layer.opacity)
            painter.setPen(cosmetic(color, self.layer.width * lens.dpr))
            painter.drawLines(self._lines)


class TextItem(LayerItem):
    """Words of a screen size. Stamp and color key stay in the window however the pane is moved."""

    layer: Text

    def __init__(self, layer: Text) -> None:
        super().__init__(layer)
        self.letters = 1.0
        """Their size, 0 where there is no room at all; `keep_apart` sets it."""
        self.covered = QRectF()
        """Where a pinned one was drawn last."""
        self._measured: tuple[float, QSizeF] | None = None

    def draw(self, painter: QPainter, lens: Lens) -> None:
        """Nothing but words."""

    @property
    def pinned(self) -> bool:
        return self.layer.name in ("stamp", "key")

    def plate(self, painter: QPainter, lens: Lens, letters: float) -> QRectF:
        """What it covers with letters of that size; a pinned one before it is moved into sight."""
        painter.setFont(small_font(QApplication.font(), self.layer.size * letters))
        plate = self._anchored(painter, lens)
        if not self.pinned:
            self._measured = (letters, plate.size())
            plate.moveTopLeft(self._on_pane(plate, lens))
        return plate

    def _as_measured(self, lens: Lens) -> QRectF | None:
        """What it covers, from when room was found for it: a measurement costs half a drawing."""
        if self._measured is None or self._measured[0] != self.letters:
            return None
        at, size = lens.at(*self.layer.xy), self._measured[1]
        across, down = self.layer.anchor
        return QRectF(at, size).translated(-across * size.width(), -down * size.height())

    def fits(self, plate: QRectF, lens: Lens) -> bool:
        """Whether its words, of which `plate` is the plate, stay in their room."""
        room = self.layer.room * lens.scale
        return not room or plate.width() - 2 * PADDING <= room

    def _anchored(self, painter: QPainter, lens: Lens) -> QRectF:
        """What it covers in the painter's letters, before it is moved onto the pane."""
        at = lens.at(*self.layer.xy)
        plate = plate_rect(painter, at, self.layer.text, self.layer.swatches)
        across, down = self.layer.anchor
        return plate.translated(-across * plate.width(), -down * plate.height())

    def draw_words(self, painter: QPainter, lens: Lens) -> None:
        if not self.layer.text or not self.letters:
            return
        painter.resetTransform()
        letters, measured = self.letters, None
        if self.pinned:  # all of it is seen, however small the window
            plate = self.plate(painter, lens, letters)
            if self.layer.name == "key" and self.frame[1]:
                share = KEY_SHARE * self.frame[1] * lens.scale / plate.height()
                letters *= min(1.0, max(share, KEY_LETTERS))
                plate = self.plate(painter, lens, letters)
            fits = min((lens.width - 12) / plate.width(), (lens.height - 12) / plate.height())
            letters *= 1.0 if fits >= 1 else 0.95 * fits
        elif self.layer.plate and self.frame[0]:
            measured = self._as_measured(lens) or self.plate(painter, lens, letters)
            wide = measured.width() / (self.frame[0] * lens.scale)
            if wide > 1:
                letters, measured = letters * max(0.95 / wide, LETTERS[-1]), None
        painter.setFont(small_font(QApplication.font(), max(self.layer.size * letters, 1.0)))
        plate = measured or self._anchored(painter, lens)
        corner = self._seen(plate, lens) if self.pinned else self._on_pane(plate, lens)
        self.covered = plate.translated(corner - plate.topLeft()) if self.pinned else QRectF()
        paper = QColor(0, 0, 0, 165 if self.layer.plate else 0)
        color = self.layer.color
        ink = QApplication.palette().text().color() if color is None else qcolor(color)
        draw_plate(
            painter, corner, self.layer.text,
            ink=ink, paper=paper, swatches=self.layer.swatches, size=plate.size(),
        )  # fmt: skip

    def _on_pane(self, plate: QRectF, lens: Lens) -> QPointF:
        """The corner of `plate` moved as far as it takes to be on the pane."""
        room = lens.rect(0, 0, *self.frame)
        if not self.layer.plate or room.isEmpty():
            return plate.topLeft()
        left = max(min(plate.left(), room.right() - plate.width()), room.left())
        top = max(min(plate.top(), room.bottom() - plate.height()), room.top())
        return QPointF(left, top)

    def _seen(self, plate: QRectF, lens: Lens) -> QPointF:
        """The corner of `plate` moved to where pane and window both are."""
        window = QRectF(0, 0, lens.width, lens.height)
        room = window & lens.rect(0, 0, *self.frame)
        room = window if room.isEmpty() else room
        room.adjust(6, 6, -6 - plate.width(), -6 - plate.height())
        left = max(min(plate.left(), room.right()), room.left())
        left = max(min(left, lens.width - 6 - plate.width()), 6.0)  # it may be wider than the pane
        return QPointF(left, max(min(plate.top(), room.bottom()), room.top()))


def keep_apart(texts: Sequence[TextItem], painter: QPainter, lens: Lens) -> int:
    """Texts of a pane get smaller letters until none lies on another or leaves its room.

    Returns:
        How many are not drawn, because the smallest letters still do.
    """
    painter.resetTransform()
    group = [text for text in texts if text.layer.text and not text.pinned]
    for letters in LETTERS:
        plates = [text.plate(painter, lens, letters) for text in group]
        fits = [text.fits(plate, lens) for text, plate in zip(group, plates, strict=True)]
        rects = [
            (p.left(), p.top(), p.right(), p.bottom())
            for p, fitting in zip(plates, fits, strict=True)
            if fitting
        ]
        apart = iter(free_of_earlier(rects))
        free = [fitting and next(apart) for fitting in fits]
        if all(free):
            break
    for text, shown in zip(group, free, strict=True):
        text.letters = letters if shown else 0.0
    return free.count(False)


def make_item(layer: Layer) -> LayerItem:
    """The item that draws `layer`."""
    match layer:
        case Picture():
            return PictureItem(layer)
        case Heat():
            return HeatItem(layer)
        case Boxes():
            return BoxesItem(layer)
        case Masks():
            return MasksItem(layer)
        case Points():
            return PointsItem(layer)
        case Lines():
            return LinesItem(layer)
        case Grid():
            return GridItem(layer)
        case Text():
            return TextItem(layer)
