"""The one place where the command line writes: answers to stdout, the rest to stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.engine.progress import Progress, write

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OutputLost", "Progress", "complain", "say", "table"]


class OutputLost(Exception):
    """The answer could not be written: stdout goes to a full disk, say."""


def say(text: str) -> None:
    """A line of the answer.

    Raises:
        OutputLost: It could not be written.
        BrokenPipeError: Nobody reads it any more.
    """
    try:
        write(sys.stdout, text + "\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error.strerror or str(error)) from error


def complain(problem: ExplorerError | str) -> None:
    """One line on stderr that says what is wrong and what can be done."""
    text = f"{problem.message} {problem.hint}" if isinstance(problem, ExplorerError) else problem
    with contextlib.suppress(OSError):  # there is nowhere left to say it
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
