"""Blocks: rectangles with a size and a function that draws them; they can be stacked.

A board is laid out by measuring first and drawing afterwards, because the height of the picture is
only known once everything has its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from explorer.render.fonts import PIXEL_TYPEFACE
from explorer.render.typeface import Typeface, line_height

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Color, Pane
    from explorer.render.surface import Surface

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Style:
    """Colors and sizes; `density` is the length of one screen unit on the surface.

    `typeface` measures the words as that surface writes them.
    """

    page: Color
    card: Color
    ink: Color
    muted: Color
    rule: Color
    stripe: Color
    backdrop: Color
    warning: Color
    warning_ink: Color
    density: float = 1.0
    typeface: Typeface = PIXEL_TYPEFACE

    def px(self, units: float) -> int:
        return round(units * self.density)

    def ground(self, pane: Pane) -> Color:
        """What is under the layers of a pane."""
        return self.card if pane.drawing else self.backdrop

    @property
    def body(self) -> float:
        return 13.0 * self.density

    @property
    def small(self) -> float:
        return 11.5 * self.density

    @property
    def heading(self) -> float:
        return 14.0 * self.density


def style_of(theme: Theme, density: float) -> Style:
    """The colors of a theme at a density."""
    if theme == "light":
        return Style(
            page=(244, 245, 247), card=(255, 255, 255), ink=(27, 31, 36), muted=(101, 109, 118),
            rule=(216, 222, 228), stripe=(246, 248, 250), backdrop=(226, 229, 233),
            warning=(255, 243, 205), warning_ink=(102, 77, 3), density=density,
        )  # fmt: skip
    return Style(
        page=(24, 26, 30), card=(33, 36, 41), ink=(230, 233, 237), muted=(154, 163, 173),
        rule=(58, 63, 71), stripe=(38, 42, 48), backdrop=(16, 18, 21),
        warning=(77, 60, 12), warning_ink=(255, 222, 130), density=density,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """`draw(surface, x, y)` fills `width` x `height` units whose upper left corner is (x, y)."""

    width: int
    height: int
    draw: Callable[[Surface, int, int], None]


def column(blocks: Sequence[Block], gap: int) -> Block:
    """The blocks below one another."""

    def draw(surface: Surface, x: int, y: int) -> None:
        for block in blocks:
            block.draw(surface, x, y)
            y += block.height + gap

    height = sum(block.height for block in blocks) + gap * max(0, len(blocks) - 1)
    return Block(max((block.width for block in blocks), default=0), height, draw)


def row(blocks: Sequence[Block], gap: int) -> Block:
    """The blocks side by side, their upper edges in line."""

    def draw(surface: Surface, x: int, y: int) -> None:
        for block in blocks:
            block.draw(surface, x, y)
            x += block.width + gap

    width = sum(block.width for block in blocks) + gap * max(0, len(blocks) - 1)
    return Block(width, max((block.height for block in blocks), default=0), draw)


def centered(block: Block, width: int) -> Block:
    """The block in the middle of `width`."""
    if block.width >= width:
        return block
    shift = (width - block.width) // 2
    return Block(width, block.height, lambda surface, x, y: block.draw(surface, x + shift, y))


def lowered(block: Block, height: int) -> Block:
    """The block at the bottom of `height`."""
    drop = height - block.height
    return Block(block.width, height, lambda surface, x, y: block.draw(surface, x, y + drop))


def card(inside: Block, style: Style, width: int) -> Block:
    """The block on a plate of `width`, with room around it."""
    pad, radius = style.px(14), style.px(7)

    def draw(surface: Surface, x: int, y: int) -> None:
        box = (float(x), float(y), float(x + width), float(y + inside.height + 2 * pad))
        surface.rounded(box, style.card, radius=radius, rim=style.rule)
        inside.draw(surface, x + pad, y + pad)

    return Block(width, inside.height + 2 * pad, draw)


def room_in_card(style: Style, width: int) -> int:
    """How wide a block may be to fit into a card of `width`."""
    return max(1, width - 2 * style.px(14))


def words(
    text: str,
    width: int,
    style: Style,
    *,
    size: float | None = None,
    color: Color | None = None,
    bold: bool = False,
) -> Block:
    """A paragraph broken to `width`; by default in the size and color of body text."""
    letters, ink = size or style.body, color or style.ink
    lines = style.typeface.wrapped(text, width, letters, bold=bold)

    def draw(surface: Surface, x: int, y: int) -> None:
        surface.write("\n".join(lines), (x, y), letters, ink, bold=bold)

    return Block(width, line_height(letters) * len(lines), draw)


def banner(text: str, width: int, style: Style) -> Block:
    """A sentence that must not be missed."""
    pad = style.px(9)
    inside = words(text, width - 4 * pad, style, color=style.warning_ink, bold=True)

    def draw(surface: Surface, x: int, y: int) -> None:
        box = (float(x), float(y), float(x + width), float(y + inside.height + 2 * pad))
        surface.rounded(box, style.warning, radius=style.px(6))
        inside.draw(surface, x + 2 * pad, y + pad)

    return Block(width, inside.height + 2 * pad, draw)
