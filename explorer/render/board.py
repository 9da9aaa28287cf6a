"""A board laid out, and painted as a picture: what exports and the command line show, without Qt.

Coordinates and layers are those of `explorer.core.layers`. Screen units (pens, points, letters)
become pixels by a density, so a wide picture has letters as readable as a narrow one.
"""

from __future__ import annotations

from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.layers import Board, Color, Heat, Masks, Pane, Text, UInt8
from explorer.render.blocks import (
    Block,
    Style,
    Theme,
    banner,
    card,
    centered,
    column,
    lowered,
    room_in_card,
    row,
    style_of,
    words,
)
from explorer.render.charts import SMALLEST, plot_block, table_block, table_width
from explorer.render.labels import ink_on, render_words
from explorer.render.layers import render_layer
from explorer.render.legends import regions_block, scale_block
from explorer.render.raster import RasterSurface
from explorer.render.surface import Mapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.render.surface import Surface

LARGEST_SIDE = 16384
"""Of any picture that is painted here, in pixels."""

_LOWEST = 110  # screen units: panes of a row that are lower stand below one another instead
_UNITS = 1080  # the screen units across a board: density = width / _UNITS


def render_pane(
    pane: Pane,
    size: tuple[int, int] | None = None,
    *,
    scale: float = 1.0,
    density: float = 1.0,
    backdrop: Color = (24, 26, 30),
) -> UInt8:
    """The layers of one pane, nothing around them: (H, W, 3) uint8 RGB.

    Args:
        pane: What to paint.
        size: Width and height in pixels that the pane is fitted into, its proportions kept; by
            default its own size times `scale`.
        scale: Pixels for one unit of the pane's frame, without `size`.
        density: Pixels for one screen unit: pens, points and letters are that much thicker.
        backdrop: Where no layer covers the pane.
    """
    frame_width, frame_height = pane.size
    if not (frame_width > 0 and frame_height > 0 and isfinite(frame_width * frame_height)):
        raise ValueError(f"a pane needs a positive, finite size, got {pane.size}")
    if size is not None:
        scale = min(size[0] / frame_width, size[1] / frame_height)
    scale = min(scale, LARGEST_SIDE / max(frame_width, frame_height))
    width, height = max(1, round(frame_width * scale)), max(1, round(frame_height * scale))
    surface = _blank(width, height, backdrop)
    ink = ink_on(backdrop)
    draw_pane(surface, pane, width / frame_width, height / frame_height, density, ink)
    return surface.canvas


def draw_pane(
    surface: Surface, pane: Pane, sx: float, sy: float, density: float, ink: Color
) -> None:
    """The layers of a pane, then all their words, in `ink` where they have no color."""
    mapped = Mapped(surface, sx, sy, density, ink)
    for layer in pane.layers:
        render_layer(mapped, layer)
    render_words(mapped, pane.layers)


def _blank(width: int, height: int, color: Color) -> RasterSurface:
    canvas = np.empty((height, width, 3), np.uint8)
    cv2.rectangle(
        canvas, (0, 0), (width, height), color, cv2.FILLED
    )  # numpy takes six times as long
    return RasterSurface(canvas)


def render_board(
    board: Board,
    *,
    width: int = 1600,
    theme: Theme = "light",
    title: str = "",
    density: float | None = None,
) -> UInt8:
    """The whole board: (H, width, 3) uint8 RGB.

    The panes stand side by side with their titles and scales, plots and tables beside a single pane
    where they fit and below otherwise; the summary and the notes stand on top.

    Args:
        board: What to paint.
        width: Of the picture, in pixels; its height follows from what is on the board.
        theme: The colors around the panes.
        title: A heading above everything.
        density: Pixels for one screen unit; by default letters grow with the width.
    """
    width = max(160, min(width, LARGEST_SIDE))
    style = style_of(theme, density if density is not None else max(0.6, width / _UNITS))
    margin = style.px(20)
    whole = board_block(board, width - 2 * margin, style, title)
    height = min(whole.height + 2 * margin, LARGEST_SIDE)
    surface = _blank(width, height, style.page)
    whole.draw(surface, margin, margin)
    return surface.canvas


def board_block(board: Board, width: int, style: Style, title: str = "") -> Block:
    """Everything on a board, laid out on `width`: title, summary, notes, panes, charts."""
    parts: list[Block] = []
    if title:
        parts.append(words(title, width, style, size=1.25 * style.heading, bold=True))
    if board.summary:
        parts.append(words(board.summary, width, style, color=style.muted))
    parts += [banner(note, width, style) for note in board.notes]
    parts += _body(board, width, style)
    return column(parts, style.px(12))


def _body(board: Board, width: int, style: Style) -> list[Block]:
    gap = style.px(16)
    if len(board.panes) == 1 and (board.plots or board.tables):
        needed = max((table_width(table, style) for table in board.tables), default=0)
        least = max(round(0.36 * width), style.px(240))
        beside = max(least, needed + width - room_in_card(style, width))
        if beside > 0.48 * width:
            return _stacked(board, width, style)
        pane = _pane_block(board.panes[0], width - beside - gap, style)
        (pane,) = _titled([pane], board.panes, style)
        side = column(_charts(board, beside, style), gap)
        if side.height <= 1.2 * max(pane.height, style.px(360)):
            return [row([pane, side], gap)]
    return _stacked(board, width, style)


def _stacked(board: Board, width: int, style: Style) -> list[Block]:
    """Rows of panes, plots and tables below them."""
    parts = _pane_rows(board.panes, width, style)
    if board.plots or board.tables:
        parts.append(_masonry(board, width, style, style.px(16)))
    return parts


def _charts(board: Board, width: int, style: Style) -> list[Block]:
    room = room_in_card(style, width)
    return [
        *(card(plot_block(plot, room, style), style, width) for plot in board.plots),
        *(card(table_block(table, room, style), style, width) for table in board.tables),
    ]


def _masonry(board: Board, width: int, style: Style, gap: int) -> Block:
    """Plots and tables in as many columns as there is room for, each in the shortest one."""
    needed = SMALLEST * max((table_width(table, style) for table in board.tables), default=0)
    count = min(len(board.plots) + len(board.tables), max(1, width // style.px(380)))
    while count > 1 and room_in_card(style, (width - gap * (count - 1)) // count) < needed:
        count -= 1
    each = (width - gap * (count - 1)) // count
    columns: list[list[Block]] = [[] for _ in range(count)]
    for block in _charts(board, each, style):
        shortest = min(columns, key=lambda blocks: sum(b.height for b in blocks))
        shortest.append(block)
    return row([column(blocks, gap) for blocks in columns], gap)


def _pane_rows(panes: Sequence[Pane], width: int, style: Style) -> list[Block]:
    """Rows of panes of equal height, as many side by side as look well."""
    if not panes:
        return []
    across = len(panes) if len(panes) <= 3 else ceil(sqrt(1.3 * len(panes)))
    gap, tallest = style.px(14), 0.66 * width
    while across > 1 and _row_height(panes[:across], width, gap) < style.px(_LOWEST):
        across -= 1
    rows = []
    for start in range(0, len(panes), across):
        line = panes[start : start + across]
        tallest = min(_row_height(line, width, gap), tallest)  # a short last row outgrows no other
        blocks = [_pane_block(pane, max(1, int(tallest * _aspect(pane))), style) for pane in line]
        rows.append(centered(row(_titled(blocks, line, style), gap), width))
    return rows


def _row_height(panes: Sequence[Pane], width: int, gap: int) -> float:
    """That panes of one height have when together they are `width` wide."""
    return (width - gap * (len(panes) - 1)) / sum(map(_aspect, panes))


def _titled(blocks: Sequence[Block], panes: Sequence[Pane], style: Style) -> list[Block]:
    """The blocks under their panes' titles, which take equal room: pictures stand in line."""
    if not any(pane.title for pane in panes):
        return list(blocks)
    titles = [
        words(pane.title, block.width, style, bold=True)
        for pane, block in zip(panes, blocks, strict=True)
    ]
    high = max(title.height for title in titles)
    return [
        column([lowered(title, high), block], style.px(6))
        for title, block in zip(titles, blocks, strict=True)
    ]


def _aspect(pane: Pane) -> float:
    return min(max(pane.size[0] / pane.size[1], 0.25), 8.0)


def _pane_block(pane: Pane, width: int, style: Style) -> Block:
    """Layers and scales of one pane."""
    tallest = max(style.px(120), round(1.1 * width))
    frame_width, frame_height = pane.size
    scale = min(width / frame_width, max(tallest, width / 8) / frame_height)
    if _aspect(pane) != frame_width / frame_height:
        scale = min(scale, width / _aspect(pane) / frame_height)
    size = (max(1, round(frame_width * scale)), max(1, round(frame_height * scale)))

    def draw(surface: Surface, x: int, y: int) -> None:
        box = (float(x), float(y), float(x + size[0]), float(y + size[1]))
        part = surface.part(box, pane.name)
        if part.width > 0 and part.height > 0:  # the surface may end before the board does
            part.fill((0.0, 0.0, float(size[0]), float(size[1])), style.ground(pane))
            sx, sy = size[0] / frame_width, size[1] / frame_height
            draw_pane(part, pane, sx, sy, style.density, style.ink)

    parts = [centered(Block(size[0], size[1], draw), width), *_scales(pane, width, style)]
    return column(parts, style.px(6))


def _scales(pane: Pane, width: int, style: Style) -> list[Block]:
    """One color bar for each different scale of the pane, one legend for each map of regions."""
    found: list[Block] = []
    seen: set[tuple[str, float, float, str]] = set()
    keys = [layer for layer in pane.layers if isinstance(layer, Text) and layer.swatches]
    for layer in pane.layers:
        if isinstance(layer, Heat) and layer.opacity > 0:
            key = (layer.colormap, layer.low, layer.high, layer.unit)
            if key not in seen:
                seen.add(key)
                found.append(scale_block(layer, width, style))
        elif isinstance(layer, Masks) and layer.opacity > 0:
            legend = regions_block(layer, width, style, keys)
            if legend is not None:
                found.append(legend)
    return found


__all__ = ["LARGEST_SIDE", "Theme", "render_board", "render_pane"]
