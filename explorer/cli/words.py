"""The one place where the command line writes: answers to stdout, the rest to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Sequence

BAR = 24


def say(text: str) -> None:
    """A line of the answer."""
    _write(sys.stdout, text + "\n")


def complain(problem: ExplorerError | str) -> None:
    """One line on stderr that says what is wrong and what can be done."""
    text = f"{problem.message} {problem.hint}" if isinstance(problem, ExplorerError) else problem
    _write(sys.stderr, f"explorer: {' '.join(text.split())}\n")


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


class Progress:
    """How far a job is, on stderr: a bar that is drawn over on a terminal, else nothing.

    Where nobody watches, a log is better off with the lines of the answers alone.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream is not None and self._stream.isatty()
        self._shown = ""

    def show(self, title: str, done: int, total: int, note: str = "") -> None:
        """Draws the bar; `total` 0 means that nobody knows."""
        if not self._live:
            return
        share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        full = round(BAR * share)
        bar = "█" * full + "░" * (BAR - full) if total > 0 else "░" * BAR
        count = f" {done}/{total}" if total > 1 else ""
        line = f"{title} {bar}{count} {note}".rstrip()[: _columns(self._stream)]
        if line != self._shown:
            self._shown = line
            _write(self._stream, f"\r\x1b[2K{line}")

    def clear(self) -> None:
        """Takes the bar away, before something else is written."""
        if self._shown:
            self._shown = ""
            _write(self._stream, "\r\x1b[2K")


def _columns(stream: TextIO) -> int:
    import os

    try:
        return max(20, os.get_terminal_size(stream.fileno()).columns - 1)
    except (OSError, ValueError):
        return 79


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # a program without a console (pythonw)
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
