"""How wide words are, on every surface: the measuring that every layout rests on.

Sizes are those of the em, in the units of the surface; a line of text is `line_height(size)` high.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def line_height(size: float) -> int:
    return round(size * 1.3)


def shortened(text: str, room: float, width: Callable[[str], float], end: str = "") -> str:
    """As much of `text` as fits into `room` with "…" and `end` behind it; "" when nothing does."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if width(f"{text[:middle].rstrip()}…{end}") <= room:
            fits = middle
        else:
            too_long = middle
    return f"{text[:fits].rstrip()}…{end}" if fits else ""


class Typeface(ABC):
    """The letters of one kind of surface."""

    @abstractmethod
    def line_width(self, line: str, size: float, *, bold: bool) -> int:
        """The width of one line, which holds no line break."""

    def width(self, text: str, size: float, *, bold: bool = False) -> int:
        """The width of the widest line of `text`."""
        return max((self.line_width(line, size, bold=bold) for line in text.split("\n")), default=0)

    def elided(self, text: str, room: float, size: float, *, bold: bool = False) -> str:
        """`text`, or as much of it as fits into `room` with "…" behind it."""
        if self.width(text, size, bold=bold) <= room:
            return text
        return shortened(text, room, partial(self.width, size=size, bold=bold))

    def wrapped(self, text: str, room: float, size: float, *, bold: bool = False) -> list[str]:
        """The lines of `text` broken at spaces so that each fits into `room`."""
        lines: list[str] = []
        for paragraph in text.split("\n"):
            line = ""
            for word in paragraph.split():
                longer = f"{line} {word}" if line else word
                if line and self.width(longer, size, bold=bold) > room:
                    lines.append(line)
                    line = word
                else:
                    line = longer
            lines.append(self.elided(line, room, size, bold=bold))
        return lines
