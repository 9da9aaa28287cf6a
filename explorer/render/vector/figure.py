"""Figures for papers: a board or one of its panes drawn at a given width and size of letters.

The layout is that of `explorer.render.board`; only the surface is another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.render.blocks import Theme, style_of
from explorer.render.board import board_block, draw_pane
from explorer.render.vector import FONT_SIZE, FONT_SIZES, WIDTH_MM, WIDTHS_MM
from explorer.render.vector.drawing import UNITS, Drawing
from explorer.render.vector.font_files import OUTLINE_TYPEFACE

if TYPE_CHECKING:
    from explorer.core.layers import Board, Pane
    from explorer.render.blocks import Style

_WHITE = (255, 255, 255)
_LEAST = 18  # letters of body text that fit into the width of a figure, at least


@dataclass(frozen=True, slots=True)
class FigureSize:
    """`width_mm` of the figure and `font_size` of its body text, in points.

    Raises:
        ExplorerError: When one of them is out of range, or the letters are too large for the width.
    """

    width_mm: float = WIDTH_MM
    font_size: float = FONT_SIZE

    def __post_init__(self) -> None:
        for value, (low, high), what, unit in (
            (self.width_mm, WIDTHS_MM, "width", "mm"),
            (self.font_size, FONT_SIZES, "font size", "pt"),
        ):
            if not low <= value <= high:
                raise ExplorerError(
                    f"A {what} of {value:g} {unit} cannot be drawn.",
                    f"Choose one from {low:g} to {high:g} {unit}.",
                )
        if self.units < _LEAST * UNITS * self.font_size / 2:
            raise ExplorerError(
                f"A font size of {self.font_size:g} pt is too large for a width of "
                f"{self.width_mm:g} mm.",
                "Choose a smaller font or a wider figure.",
            )

    @property
    def units(self) -> int:
        """The width of the drawing."""
        return round(self.width_mm / 25.4 * 72 * UNITS)

    def style(self, theme: Theme) -> Style:
        """The theme at this size; a light figure stands on the white of its page."""
        style = style_of(theme, 1.0)
        density = self.font_size * UNITS / style.body
        page = _WHITE if theme == "light" else style.page
        return replace(style, density=density, typeface=OUTLINE_TYPEFACE, page=page)


def render_figure(
    board: Board, size: FigureSize = FigureSize(), *, theme: Theme = "light", title: str = ""
) -> Drawing:
    """The whole board, laid out for the size: as `render_board` lays it out on pixels."""
    style = size.style(theme)
    margin = style.px(8)
    whole = board_block(board, size.units - 2 * margin, style, title)
    drawing = Drawing(size.units, whole.height + 2 * margin)
    drawing.fill((0.0, 0.0, float(drawing.width), float(drawing.height)), style.page)
    whole.draw(drawing, margin, margin)
    return drawing


def render_pane_figure(
    pane: Pane, size: FigureSize = FigureSize(), *, theme: Theme = "light"
) -> Drawing:
    """The layers of one pane, nothing around them."""
    style = size.style(theme)
    scale = size.units / pane.size[0]
    drawing = Drawing(size.units, max(1, round(pane.size[1] * scale)))
    whole = (0.0, 0.0, float(drawing.width), float(drawing.height))
    part = drawing.part(whole, pane.name)
    part.fill(whole, style.ground(pane))
    draw_pane(part, pane, scale, scale, style.density, style.ink)
    return drawing
