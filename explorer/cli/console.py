"""The one place where the command line writes: answers to stdout, the rest to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.engine.progress import Progress, write

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Progress", "complain", "say", "table"]


def say(text: str) -> None:
    """A line of the answer."""
    write(sys.stdout, text + "\n")


def complain(problem: ExplorerError | str) -> None:
    """One line on stderr that says what is wrong and what can be done."""
    text = f"{problem.message} {problem.hint}" if isinstance(problem, ExplorerError) else problem
    write(sys.stderr, f"explorer: {' '.join(text.split())}\n")


def table(rows: Sequence[Sequence[str]], *, indent: int = 2, gap: int = 2) -> str:
    """The rows with their columns in line; the last column may be as long as it likes."""
    if not rows:
        return ""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width + gap) for cell, width in zip(row, widths, strict=False)]
        lines.append((" " * indent + "".join(cells) + row[-1]).rstrip())
    return "\n".join(lines)
