"""The one place where the command line writes: answers to stdout, the rest to stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.engine.progress import Progress, write

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OutputLost", "Progress", "columns", "complain", "say", "table", "wrapped"]

_LEAST_COLUMNS = 20
"""A narrower column of text is not worth reading: its lines are left whole."""


class OutputLost(Exception):
    """The answer could not be written: stdout goes to a full disk, say."""


def say(text: str) -> None:
    """A line of the answer.

    Raises:
        OutputLost: It could not be written.
        BrokenPipeError: The reader has closed it.
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


def columns() -> int | None:
    """Of the terminal; None when a file or another program reads, which get the whole lines."""
    if os.environ.get("COLUMNS") or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None


def wrapped(text: str, width: int | None, *, first: str = "", rest: str = "") -> str:
    """`text` in lines of at most `width` columns, which begin with `first`, then with `rest`."""
    if not text or width is None or width - len(rest) < _LEAST_COLUMNS:
        return first + text
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def table(
    rows: Sequence[Sequence[str]],
    *,
    indent: int = 2,
    gap: int = 2,
    width: int | None = None,
    most: int | None = None,
) -> str:
    """The rows with their columns aligned; the last column is wrapped to the `width`.

    A cell that is longer than `most` has the line to itself, and the row goes on below.
    """
    if not rows:
        return ""
    fitting = [row for row in rows if most is None or len(row[0]) <= most] or rows
    widths = [max(len(row[n]) for row in fitting) for n in range(len(rows[0]) - 1)]
    rest = " " * (indent + sum(widths) + gap * len(widths))
    lines = []
    for row in rows:
        if len(row[0]) > widths[0]:
            lines.append(wrapped(row[0], width, first=" " * indent, rest=" " * (indent + 2)))
            row = ("", *row[1:])
        cells = [cell.ljust(size + gap) for cell, size in zip(row, widths, strict=False)]
        lines.append(
            wrapped(row[-1], width, first=" " * indent + "".join(cells), rest=rest).rstrip()
        )
    return "\n".join(lines)
