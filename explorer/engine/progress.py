"""How far a job is, shown while one waits: a bar on a terminal or in a notebook, else nothing.

In a log file only the lines of the results are written.
"""

from __future__ import annotations

import html
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing import TextIO

BAR = 24
PATIENCE = 0.5
"""Seconds before a notebook shows a bar: short work leaves no trace in it."""

OFTEN = 0.1
"""Seconds between two updates of a notebook, which keeps every one of them for a while."""


class Shows(Protocol):
    """The progress that a job reports."""

    def show(self, title: str, done: int, total: int, note: str = "") -> None:
        """`total` 0 means that it is not known."""

    def clear(self) -> None:
        """Takes the bar away, before something else is written."""


class Progress:
    """A bar on a stream that is drawn over when it is a terminal; nothing on any other."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream is not None and self._stream.isatty()
        self._shown = ""

    def show(self, title: str, done: int, total: int, note: str = "") -> None:
        """Draws the bar; `total` 0 means that it is not known."""
        if not self._live:
            return
        share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        full = round(BAR * share)
        bar = "█" * full + "░" * (BAR - full) if total > 0 else "░" * BAR
        count = f" {done}/{total}" if total > 1 else ""
        line = f"{title} {bar}{count} {note}".rstrip()[: _columns(self._stream)]
        if line != self._shown:
            self._shown = line
            write(self._stream, f"\r\x1b[2K{line}")

    def clear(self) -> None:
        """Takes the bar away, before something else is written."""
        if self._shown:
            self._shown = ""
            write(self._stream, "\r\x1b[2K")


class NotebookProgress:
    """A bar under the cell of a notebook, gone when the job is done."""

    def __init__(self, display: Any) -> None:
        self._display = display  # IPython.display.display
        self._handle: Any = None
        self._began = self._last = time.monotonic()

    def show(self, title: str, done: int, total: int, note: str = "") -> None:
        """Draws the bar; `total` 0 means that it is not known."""
        now = time.monotonic()
        if now - self._began < PATIENCE or now - self._last < OFTEN:
            return
        self._last = now
        bar = _Bar(title, done, total, note)
        if self._handle is None:
            self._handle = self._display(bar, display_id=True)
        else:
            self._handle.update(bar)

    def clear(self) -> None:
        """Takes the bar away."""
        if self._handle is not None:
            self._handle.update(_Bar())
            self._handle = None


class _Bar:
    """One state of a notebook's bar, in the two forms that a notebook asks for."""

    def __init__(self, title: str = "", done: int = 0, total: int = 0, note: str = "") -> None:
        self._title, self._done, self._total, self._note = title, done, total, note

    def __repr__(self) -> str:
        count = f"{self._done}/{self._total}" if self._total else ""
        return " ".join(word for word in (self._title, count, self._note) if word)

    def _repr_html_(self) -> str:
        if not self._title:
            return ""
        known = f' value="{self._done}" max="{self._total}"' if self._total else ""
        words = html.escape(f"{self._title} {self._note}".rstrip())
        return f"<progress{known}></progress> {words}"


def for_scripts() -> Shows:
    """What fits where a script runs: a notebook's cell, or the terminal."""
    ipython: Any = sys.modules.get("IPython")  # never imported: who is in one has it already
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import display

        return NotebookProgress(display)
    return Progress()


def write(stream: TextIO | None, text: str) -> None:
    """Writes at once; letters that the stream cannot encode become question marks."""
    if stream is None:  # a program without a console (pythonw)
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def _columns(stream: TextIO) -> int:
    import os

    try:
        return max(20, os.get_terminal_size(stream.fileno()).columns - 1)
    except (OSError, ValueError):
        return 79
