"""What the colors mean: scales of heat maps, keys of regions and of curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Color, Heat, Masks, Text, UInt8, lookup_table
from explorer.render.blocks import Block, Style
from explorer.render.numbers import number
from explorer.render.typeface import line_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.render.surface import Surface

MOST_REGIONS = 12
"""Entries of a legend, the largest regions first; it says how many more there are."""


def scale_block(heat: Heat, width: int, style: Style) -> Block:
    """The color bar of a heat map with the values at both its ends and their unit."""
    face = style.typeface
    bar, size, line = style.px(10), style.small, line_height(style.small)
    wide = max(1, min(width, style.px(320)))
    low, high = number(heat.low), number(heat.high)
    free = wide - 2 * max(face.width(low, size), face.width(high, size)) - style.px(16)
    between = face.width(heat.unit or heat.name, size) <= free
    lines = face.wrapped(heat.unit or heat.name, free if between else wide, size)
    first = bar + style.px(2) + (0 if between else line)

    def opaque(index: UInt8) -> tuple[UInt8, float]:
        return lookup_table(heat.colormap)[index], 1.0

    def draw(surface: Surface, x: int, y: int) -> None:
        steps = np.linspace(0, 255, min(256, wide)).astype(np.intp)[None]
        box = (float(x), float(y), float(x + wide), float(y + bar))
        surface.image(steps.astype(np.uint8), box, opaque, name="scale")
        below = y + bar + style.px(2)
        surface.write(low, (x, below), size, style.ink)
        surface.write(high, (x + wide - face.width(high, size), below), size, style.ink)
        for row, text in enumerate(lines):
            middle = x + (wide - face.width(text, size)) / 2
            surface.write(text, (middle, y + first + row * line), size, style.muted)

    return Block(wide, first + line * len(lines), draw)


def regions_block(
    masks: Masks, width: int, style: Style, keys: Sequence[Text] = ()
) -> Block | None:
    """A legend of the named regions that the map holds, the largest first.

    Args:
        masks: The map.
        width: Of the legend, in pixels.
        style: Of its letters.
        keys: Color keys in the picture itself; what they explain is not listed again.
    """
    if not masks.names:
        return None
    inside = masks.index[(masks.index >= 0) & (masks.index < len(masks.names))]
    areas = np.bincount(inside, minlength=len(masks.names))
    present = [int(n) for n in np.argsort(-areas, kind="stable") if areas[n] > 0]
    present = [n for n in present if not _is_in(keys, masks.names[n], tuple(masks.colors[n]))]
    colors: list[Color] = [tuple(masks.colors[n].tolist()) for n in present[:MOST_REGIONS]]
    names = [masks.names[n] for n in present[:MOST_REGIONS]]
    more = len(present) - len(names)
    return _keys(names, colors, width, style, more=more, strokes=False) if names else None


def _is_in(keys: Sequence[Text], name: str, color: tuple[int, ...]) -> bool:
    """Whether a line of one of the keys begins with the name, behind a square of the color."""
    return any(
        line.startswith(name) and swatch == color
        for key in keys
        for line, swatch in zip(key.text.split("\n"), key.swatches, strict=False)
    )


def curves_block(names: Sequence[str], colors: Sequence[Color], width: int, style: Style) -> Block:
    """The names of curves, each behind a stroke of its color."""
    return _keys(names, colors, width, style, strokes=True)


def _keys(
    names: Sequence[str], colors: Sequence[Color], width: int, style: Style, *, strokes: bool,
    more: int = 0,
) -> Block:  # fmt: skip
    """Names behind squares or strokes of their colors, in as many lines as it takes.

    At the end stands how many `more` there are.
    """
    face, size, gap = style.typeface, style.small, style.px(16)
    side = style.px(14) if strokes else style.px(11)
    before = side + (style.px(6) if strokes else style.px(5))
    high = line_height(size) if strokes else style.px(20)
    entries: list[tuple[str, Color | None]] = list(zip(names, colors, strict=True))
    entries += [(f"and {more:,} more", None)] if more else []
    places: list[tuple[int, int, str, Color | None]] = []
    x, line = 0, 0
    for name, color in entries:
        text = face.elided(name, width - before, size)
        wide = (before if color is not None else 0) + face.width(text, size)
        if x and x + wide > width:
            x, line = 0, line + 1
        places.append((x, line * high, text, color))
        x += wide + gap

    def draw(surface: Surface, left: int, top: int) -> None:
        for dx, dy, text, color in places:
            x, y = left + dx, top + dy
            words = y + (high - line_height(size)) / 2
            if color is None:
                surface.write(text, (x, words), size, style.muted)
                continue
            if strokes:
                middle = y + high // 2
                surface.fill((x, middle - 1, x + side, middle + max(1, style.px(1))), color)
            else:
                edge = y + (high - side) / 2
                box = (float(x), edge, float(x + side), edge + side)
                surface.rounded(box, color, radius=style.px(3))
            surface.write(text, (x + before, words), size, style.ink)

    return Block(width, high * (line + 1), draw)
