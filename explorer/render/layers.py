"""One function per layer type: draws the layer on a surface."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

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
    frame_widths,
    heat_index,
    lookup_table,
)
from explorer.render.labels import ink_on
from explorer.render.raster import CRISP
from explorer.render.surface import Mapped, clipped, ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import UInt8


def render_layer(surface: Mapped, layer: Layer) -> None:
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


def _picture(surface: Mapped, layer: Picture) -> None:
    def look(rgb: NDArray[Any]) -> tuple[UInt8, float]:
        return rgb, float(layer.opacity)

    box = surface.box(extent_of(layer))
    surface.on.image(layer.rgb, box, look, name=layer.name, smooth=layer.smooth)


def _heat(surface: Mapped, layer: Heat) -> None:
    # Numbers are averaged or interpolated, then looked up; those that are not finite take no part.
    finite = np.isfinite(layer.values)
    clean = np.where(finite, np.clip(layer.values, layer.low, layer.high), np.float32(0))
    both = np.stack([clean, finite], axis=2).astype(np.float32)

    def look(numbers: NDArray[Any]) -> tuple[UInt8, NDArray[np.float32]]:
        cover = numbers[..., 1]
        values = np.divide(numbers[..., 0], np.where(cover > 0, cover, 1), dtype=np.float32)
        index = heat_index(replace(layer, values=values))
        alpha = cover * np.float32(layer.opacity)
        if layer.alpha_by_value:
            alpha = alpha * index / np.float32(255)
        return lookup_table(layer.colormap)[index], alpha.astype(np.float32)

    box = surface.box(extent_of(layer))
    surface.on.image(both, box, look, name=layer.name, smooth=layer.smooth)


def _masks(surface: Mapped, layer: Masks) -> None:
    box = surface.box(extent_of(layer))
    outline = 1.5 * surface.density if layer.outline else 0.0
    surface.on.regions(
        layer.index, box, layer.colors, opacity=layer.opacity, outline=outline, name=layer.name
    )


def _boxes(surface: Mapped, layer: Boxes) -> None:
    rows = np.flatnonzero(np.isfinite(layer.xyxy).all(axis=1))
    if len(rows) == 0:
        return
    width = layer.width * surface.density
    corners = ordered(surface.scaled(layer.xyxy[rows]))
    # Far corners overflow OpenCV's fixed-point numbers and what readers of PDF take; a margin
    # keeps their lines out of sight.
    margin = 8 * width + 8
    corners = np.clip(corners, -margin, np.array([surface.width, surface.height] * 2) + margin)
    colors = layer.colors[rows]
    if layer.fill > 0:
        for (x0, y0, x1, y1), color in zip(corners.tolist(), colors, strict=True):
            surface.on.fill((x0, y0, x1, y1), color, layer.fill)
    if layer.width <= 0:
        return
    widths = frame_widths(layer.width, corners / surface.density) * surface.density
    if len(rows) > CRISP:
        widths[:] = width  # they are drawn as thin as can be, all at once
    for width in np.unique(widths)[::-1].tolist():  # the small ones on top
        mine = widths == width
        surface.on.outlines(corners[mine], colors[mine], width, dotted=layer.dotted)


def _points(surface: Mapped, layer: Points) -> None:
    radius, rim = layer.radius * surface.density, surface.density
    out = radius + rim
    for (x, y), color in zip(surface.scaled(layer.xy), layer.colors.tolist(), strict=True):
        near = -out <= x <= surface.width + out and -out <= y <= surface.height + out
        if near:  # not so either where a coordinate is not finite
            surface.on.disc(x, y, radius, color, rim=rim, ink=ink_on(color))


def _lines(surface: Mapped, layer: Lines) -> None:
    width = layer.width * surface.density
    whole = surface.scaled(layer.segments)
    pieces, rows = clipped(whole, float(surface.width), float(surface.height))
    dashes = (3 * width, 2.5 * width) if layer.dotted else None
    surface.on.segments(pieces, layer.colors[rows], width, dashes=dashes)
    if layer.arrow:
        for row in rows:
            _arrow_head(surface, whole[row], layer.colors[row], 4 * width + 3 * surface.density)


def _arrow_head(surface: Mapped, segment: NDArray[np.float64], color: Any, size: float) -> None:
    tip, way = segment[2:], segment[2:] - segment[:2]
    length = float(np.hypot(*way))
    inside = 0 <= tip[0] <= surface.width and 0 <= tip[1] <= surface.height
    if length > 0 and inside:
        ahead = way / length * min(size, length)
        aside = np.array([-ahead[1], ahead[0]]) * 0.4
        surface.on.polygon(np.stack([tip, tip - ahead + aside, tip - ahead - aside]), color)


def _grid(surface: Mapped, layer: Grid) -> None:
    x0, y0, x1, y1 = box = surface.box(layer.extent)
    xs, ys = layer.xs.astype(np.float64) * surface.sx, layer.ys.astype(np.float64) * surface.sy
    xs, ys = xs[(xs >= x0 - 0.5) & (xs <= x1 + 0.5)], ys[(ys >= y0 - 0.5) & (ys <= y1 + 0.5)]
    width = layer.width * surface.density
    surface.on.grid(xs, ys, box, layer.color, width, layer.opacity)
