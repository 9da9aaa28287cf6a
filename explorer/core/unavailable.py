"""What could not be used, and why: a view or a network that another file or package brings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Something that was found and cannot be offered.

    Attributes:
        name: The word it would have had on the command line, as far as it is known.
        origin: Where it comes from: a module, or an entry point with its package.
        reason: One sentence for the user.
    """

    name: str
    origin: str
    reason: str


def sentence(error: BaseException) -> str:
    """An exception of a plug-in's code in one line, as in: `ImportError: no module 'x'.`"""
    lines = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return words if words.endswith((".", "!", "?")) else f"{words}."
