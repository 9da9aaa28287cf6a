"""A board as a picture: what an export writes and the command line shows, without Qt and torch.

Coordinates and layers are those of `explorer.core.layers`. Screen units (pens, points, letters)
become pixels by a density, so a wide picture has letters as readable as a narrow one.
"""

from __future__ import annotations

from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Board, Color, Heat, Masks, Pane, UInt8
from explorer.render.blocks import (
    Block,
    Style,
    Theme,
    banner,
    card,
    centred,
    column,
    room_in_card,
    row,
    style_of,
    words,
)
from explorer.render.charts import (
    plot_block,
    regions_block,
    scale_block,
    table_block,
    table_width,
)
from explorer.render.labels import render_words
from explorer.render.layers import render_layer
from explorer.render.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_SIDE = 16384
"""Of any picture that is painted here, in pixels."""

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
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = backdrop
    surface = Surface(canvas, width / frame_width, height / frame_height, density)
    for layer in pane.layers:
        render_layer(surface, layer)
    render_words(surface, pane.layers)
    return canvas


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
    inside = width - 2 * margin
    parts: list[Block] = []
    if title:
        parts.append(words(title, inside, 1.25 * style.heading, style.ink, bold=True))
    if board.summary:
        parts.append(words(board.summary, inside, style.body, style.muted))
    parts += [banner(note, inside, style) for note in board.notes]
    parts += _body(board, inside, style)
    whole = column(parts, style.px(12))
    height = min(whole.height + 2 * margin, LARGEST_SIDE)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = style.page
    whole.draw(canvas, margin, margin)
    return canvas


def _body(board: Board, width: int, style: Style) -> list[Block]:
    gap = style.px(16)
    if len(board.panes) == 1 and (board.plots or board.tables):
        needed = max((table_width(table, style) for table in board.tables), default=0)
        beside = max(round(0.36 * width), needed + width - room_in_card(style, width))
        if beside > 0.48 * width:
            return _stacked(board, width, style)
        pane = _pane_block(board.panes[0], width - beside - gap, style)
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
    count = min(len(board.plots) + len(board.tables), max(1, width // style.px(460)))
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
    rows = []
    for start in range(0, len(panes), across):
        line = panes[start : start + across]
        shapes = [_aspect(pane) for pane in line]
        height = min((width - gap * (len(line) - 1)) / sum(shapes), tallest)
        tallest = height  # a short last row does not outgrow the one above it
        blocks = [
            _pane_block(pane, max(1, int(height * shape)), style)
            for pane, shape in zip(line, shapes, strict=True)
        ]
        rows.append(centred(row(_levelled(blocks, line, style), gap), width))
    return rows


def _levelled(blocks: Sequence[Block], panes: Sequence[Pane], style: Style) -> list[Block]:
    """With a title over one pane of a row, room is left over the others: pictures stand in line."""
    if not any(pane.title for pane in panes):
        return list(blocks)
    level = []
    for block, pane in zip(blocks, panes, strict=True):
        blank = words("", block.width, style.body, style.ink)
        level.append(block if pane.title else column([blank, block], style.px(6)))
    return level


def _aspect(pane: Pane) -> float:
    return min(max(pane.size[0] / pane.size[1], 0.25), 8.0)


def _pane_block(pane: Pane, width: int, style: Style) -> Block:
    """Title, layers and scales of one pane."""
    tallest = max(style.px(120), round(1.1 * width))
    frame_width, frame_height = pane.size
    scale = min(width / frame_width, max(tallest, width / 8) / frame_height)
    if _aspect(pane) != frame_width / frame_height:
        scale = min(scale, width / _aspect(pane) / frame_height)
    size = (max(1, round(frame_width * scale)), max(1, round(frame_height * scale)))

    def draw(canvas: UInt8, x: int, y: int) -> None:
        picture = render_pane(pane, size, density=style.density, backdrop=style.backdrop)
        part = canvas[y : y + picture.shape[0], x : x + picture.shape[1]]
        part[:] = picture[: part.shape[0], : part.shape[1]]

    parts = []
    if pane.title:
        parts.append(words(pane.title, width, style.body, style.ink, bold=True))
    parts.append(centred(Block(size[0], size[1], draw), width))
    parts += _scales(pane, width, style)
    return column(parts, style.px(6))


def _scales(pane: Pane, width: int, style: Style) -> list[Block]:
    """One color bar for each different scale of the pane, one legend for each map of regions."""
    found: list[Block] = []
    seen: set[tuple[str, float, float, str]] = set()
    for layer in pane.layers:
        if isinstance(layer, Heat) and layer.opacity > 0:
            key = (layer.colormap, layer.low, layer.high, layer.unit)
            if key not in seen:
                seen.add(key)
                found.append(scale_block(layer, width, style))
        elif isinstance(layer, Masks) and layer.opacity > 0:
            legend = regions_block(layer, width, style)
            if legend is not None:
                found.append(legend)
    return found


__all__ = ["LARGEST_SIDE", "Theme", "render_board", "render_pane"]
