"""One function per layer type: draws the layer on a `Surface`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

import cv2
import numpy as np

from explorer.core.layers import (
    Boxes,
    Grid,
    Heat,
    Layer,
    Lines,
    Masks,
    Picture,
    Points,
    Text,
    extent_of,
    heat_index,
    lookup_table,
)
from explorer.render.labels import ink_on
from explorer.render.surface import (
    Surface,
    blend,
    clipped,
    dashes,
    disc,
    fill,
    ordered,
    placed,
    polygon,
    strokes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CRISP = 2000  # up to so many boxes every edge has its width and a rim, above one pixel


def render_layer(surface: Surface, layer: Layer) -> None:
    """Draws the shapes of `layer` over what `surface` holds; its words come with `render_words`."""
    match layer:
        case Picture():
            _picture(surface, layer)
        case Heat():
            _heat(surface, layer)
        case Masks():
            _masks(surface, layer)
        case Boxes():
            _boxes(surface, layer)
        case Points():
            _points(surface, layer)
        case Lines():
            _lines(surface, layer)
        case Grid():
            _grid(surface, layer)
        case Text():
            pass  # words lie on top of everything: `render_words`
        case _:
            assert_never(layer)


def _picture(surface: Surface, layer: Picture) -> None:
    shape = surface.canvas.shape[:2]
    patch = placed(layer.rgb, surface.box(extent_of(layer)), shape, smooth=layer.smooth)
    if patch is not None:
        blend(surface.canvas[patch.rows, patch.columns], patch.values, float(layer.opacity))


def _heat(surface: Surface, layer: Heat) -> None:
    # Numbers are averaged or interpolated, then looked up; those that are not finite take no part.
    box, shape = surface.box(extent_of(layer)), surface.canvas.shape[:2]
    finite = np.isfinite(layer.values)
    clean = np.where(finite, np.clip(layer.values, layer.low, layer.high), np.float32(0))
    both = np.stack([clean, finite], axis=2).astype(np.float32)
    patch = placed(both, box, shape, smooth=layer.smooth)
    if patch is None:
        return
    cover = patch.values[..., 1]
    values = np.divide(patch.values[..., 0], np.where(cover > 0, cover, 1), dtype=np.float32)
    index = heat_index(replace(layer, values=values))
    alpha = cover * np.float32(layer.opacity)
    if layer.alpha_by_value:
        alpha = alpha * index / np.float32(255)
    under = surface.canvas[patch.rows, patch.columns]
    blend(under, lookup_table(layer.colormap)[index], alpha.astype(np.float32))


def _masks(surface: Surface, layer: Masks) -> None:
    # Twice as fine and averaged: class numbers cannot be interpolated, their colours can.
    x0, y0, x1, y1 = surface.box(extent_of(layer))
    fine = (2 * surface.height, 2 * surface.width)
    patch = placed(layer.index, (2 * x0, 2 * y0, 2 * x1, 2 * y1), fine, average=False)
    if patch is None:
        return
    index = np.full(fine, -1, np.int32)
    index[patch.rows, patch.columns] = patch.values
    index[index >= len(layer.colors)] = -1
    # Row 0 is "nothing"; multiplied by their opacity, colours are averaged rightly.
    table = np.zeros((len(layer.colors) + 1, 4), np.float32)
    table[1:, :3], table[1:, 3] = layer.colors, 255
    rgba = (table * layer.opacity).round().astype(np.uint8)[index + 1]
    if layer.outline:
        number = index.astype(np.float32)
        reach = max(1, round(1.5 * surface.density))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        border = (cv2.dilate(number, kernel) != cv2.erode(number, kernel)) & (index >= 0)
        rgba[border] = table.astype(np.uint8)[index[border] + 1]
    size = (surface.width, surface.height)
    rgba = np.asarray(cv2.resize(rgba, size, interpolation=cv2.INTER_AREA), np.uint8)
    rest = 255 - rgba[..., 3:].astype(np.uint16)
    under = surface.canvas.astype(np.uint16)
    mixed = rgba[..., :3] + (under * rest + 127) // 255
    surface.canvas[:] = np.minimum(mixed, 255).astype(np.uint8)


def _boxes(surface: Surface, layer: Boxes) -> None:
    finite = np.isfinite(layer.xyxy).all(axis=1)
    rows = np.flatnonzero(finite)
    if len(rows) == 0:
        return
    corners = ordered(surface.scaled(layer.xyxy[rows]))
    # Far corners overflow OpenCV's fixed-point numbers; a margin keeps their lines out of sight.
    margin = 8 * layer.width * surface.density + 8
    limit = np.array([surface.width, surface.height] * 2) + margin
    corners = np.clip(corners, -margin, limit)
    colors = layer.colors[rows]
    width = max(1, round(layer.width * surface.density))
    if layer.fill > 0:
        for (x0, y0, x1, y1), color in zip(corners.round().astype(int), colors, strict=True):
            fill(surface.canvas, x0, y0, x1, y1, color, layer.fill)
    if layer.dotted or len(rows) > _CRISP:
        x0, y0, x1, y1 = corners.T
        outline = np.stack([x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], axis=1)
        if layer.dotted:
            sides = outline[:, [0, 1, 2, 3, 2, 3, 4, 5, 6, 7, 4, 5, 0, 1, 6, 7]].reshape(-1, 4)
            sides, of_side = clipped(sides, *limit[:2])
            pieces, of_piece = dashes(sides, 3.0 * width, 2.5 * width)
            tints = colors[of_side[of_piece] // 4]
            few = len(rows) <= _CRISP
            pieces = pieces.reshape(-1, 2, 2)
            strokes(surface.canvas, pieces, tints, width if few else 1, smooth=few)
        else:
            strokes(surface.canvas, outline.reshape(-1, 5, 2), colors, 1, smooth=False)
    else:
        for (x0, y0, x1, y1), color in zip(corners.round().astype(int), colors, strict=True):
            _frame(surface.canvas, x0, y0, x1, y1, width, color)


def _frame(canvas: Any, x0: int, y0: int, x1: int, y1: int, width: int, color: Any) -> None:
    """A rectangle of `width` pixels, half of them inside the box, with a faint dark rim outside."""
    out, into = width // 2, width - width // 2
    for grow, ink, alpha in ((1, (0, 0, 0), 0.3), (0, color, 1.0)):
        reach = out + grow
        left, top, right, bottom = x0 - reach, y0 - reach, x1 + reach, y1 + reach
        thick = grow if grow else out + into
        thick_x, thick_y = min(thick, right - left), min(thick, bottom - top)
        fill(canvas, left, top, right, top + thick_y, ink, alpha)
        fill(canvas, left, bottom - thick_y, right, bottom, ink, alpha)
        fill(canvas, left, top + thick_y, left + thick_x, bottom - thick_y, ink, alpha)
        fill(canvas, right - thick_x, top + thick_y, right, bottom - thick_y, ink, alpha)


def _points(surface: Surface, layer: Points) -> None:
    radius = layer.radius * surface.density
    rim = radius + surface.density
    for (x, y), color in zip(surface.scaled(layer.xy), layer.colors.tolist(), strict=True):
        near = -rim <= x <= surface.width + rim and -rim <= y <= surface.height + rim
        if near:  # not so either where a coordinate is not finite
            disc(surface.canvas, x, y, rim, ink_on(color))
            disc(surface.canvas, x, y, radius, color)


def _lines(surface: Surface, layer: Lines) -> None:
    width = layer.width * surface.density
    whole = surface.scaled(layer.segments)
    pieces, rows = clipped(whole, float(surface.width), float(surface.height))
    if layer.dotted:
        pieces, of = dashes(pieces, 3 * width, 2.5 * width)
        colors = layer.colors[rows[of]]
    else:
        colors = layer.colors[rows]
    strokes(surface.canvas, pieces.reshape(-1, 2, 2), colors, width)
    if layer.arrow:
        for row in rows:
            _arrow_head(surface, whole[row], layer.colors[row], 4 * width + 3 * surface.density)


def _arrow_head(surface: Surface, segment: NDArray[np.float64], color: Any, size: float) -> None:
    tip, way = segment[2:], segment[2:] - segment[:2]
    length = float(np.hypot(*way))
    on_canvas = 0 <= tip[0] <= surface.width and 0 <= tip[1] <= surface.height
    if length > 0 and on_canvas:
        ahead = way / length * min(size, length)
        aside = np.array([-ahead[1], ahead[0]]) * 0.4
        polygon(surface.canvas, np.stack([tip, tip - ahead + aside, tip - ahead - aside]), color)


def _grid(surface: Surface, layer: Grid) -> None:
    # One coverage map, blended once: crossings are no brighter than the lines.
    x0, y0, x1, y1 = (round(side) for side in surface.box(layer.extent))
    width = max(1, round(layer.width * surface.density))
    cover = np.zeros(surface.canvas.shape[:2], np.float32)
    half = width // 2
    inside = (slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0)))
    for x in layer.xs[np.isfinite(layer.xs)].astype(np.float64) * surface.sx:
        if x0 - 0.5 <= x <= x1 + 0.5:
            left = min(max(round(x) - half, x0), x1 - width)
            cover[inside[0], max(left, 0) : max(left + width, 0)] = layer.opacity
    for y in layer.ys[np.isfinite(layer.ys)].astype(np.float64) * surface.sy:
        if y0 - 0.5 <= y <= y1 + 0.5:
            top = min(max(round(y) - half, y0), y1 - width)
            cover[max(top, 0) : max(top + width, 0), inside[1]] = layer.opacity
    blend(surface.canvas, np.asarray(layer.color, np.uint8), cover)
