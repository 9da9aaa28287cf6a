"""A large JSON object piece by piece."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\n\r]*")


def members(text: str) -> Iterator[tuple[str, Any]]:
    """The members of the outermost object; those of its lists come one by one.

    One `json.loads` of half a gigabyte would hold the interpreter's lock, and with it the window,
    for many seconds; between two pieces other threads get their turn.

    Yields:
        ``(key, value)``; for a list first ``(key, [])``, then ``(key, element)`` for each element.

    Raises:
        ValueError: The text is not one JSON object.
        RecursionError: It is nested too deeply.
    """
    decode = json.JSONDecoder().raw_decode
    at = _after(text, 0, "{")
    if text.startswith("}", at):
        _end(text, at + 1)
        return
    while True:
        key, at = decode(text, at)
        if not isinstance(key, str):
            raise ValueError("a name is missing")
        at = _after(text, at, ":")
        if text.startswith("[", at):
            yield key, []
            at = _after(text, at, "[")
            more = not text.startswith("]", at)
            while more:
                value, at = decode(text, at)
                yield key, value
                at = _skip(text, at)
                more = text.startswith(",", at)
                if more:
                    at = _after(text, at, ",")
            at = _after(text, at, "]")
        else:
            value, at = decode(text, at)
            yield key, value
            at = _skip(text, at)
        if not text.startswith(",", at):
            break
        at = _after(text, at, ",")
    _end(text, _after(text, at, "}"))


def _after(text: str, at: int, sign: str) -> int:
    """The place of the next word after `sign`, which stands at `at` (or after white space)."""
    at = _skip(text, at)
    if not text.startswith(sign, at):
        found = repr(text[at]) if at < len(text) else "the end"
        raise ValueError(f"expected {sign!r} at character {at}, found {found}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None  # it matches nothing at all as well
    return space.end()


def _end(text: str, at: int) -> None:
    if _skip(text, at) < len(text):
        raise ValueError(f"extra data after the end, at character {at}")
