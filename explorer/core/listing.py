"""What there is, by name, for a script or a notebook: `explorer.views()`, `explorer.networks()`.

A name that changes is understood for one more release: `renamed` gives the new one.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


class Listing(dict[str, T]):
    """Entries by name; printed, a line for each says what it is."""

    def __init__(self, entries: Iterable[tuple[str, T]], words: Callable[[T], str]) -> None:
        super().__init__(entries)
        self._words = words

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:{width}}  {self._words(entry)}" for name, entry in self.items())


def call_lists(package: str, entries: Callable[[], Listing[Any]]) -> None:
    """Lets the package itself be called: `explorer.views` is a package, and its list too.

    An attribute of a package that is named like one of its sub-packages would be replaced by it at
    the first import, so one object has to be both.
    """

    class Listed(ModuleType):
        def __call__(self) -> Listing[Any]:
            return entries()

    sys.modules[package].__class__ = Listed


def quantity(count: int, one: str, many: str = "") -> str:
    """So many: "1 box", "1,200 boxes"; `many` is `one` with an s unless it is given."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """As in: 3 ms, 0.24 s, 12.3 s, 2 min 05 s, 8 h 30 min."""
    if seconds < 0.01:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def either(words: Iterable[str]) -> str:
    """An English list: "a", "a or b", "a, b or c"."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def listed(words: Sequence[str]) -> str:
    """Choices in a row: "a, b", or "a | b, c" where one of them has a comma in it."""
    return (" | " if any("," in word for word in words) else ", ").join(words)


def renamed(name: str, names: Mapping[str, str]) -> str:
    """Today's name of what may have been called `name`: the old name's entry, else `name`.

    The first time an old name is met, a line on stderr gives the new one.
    """
    if name not in names:
        return name
    tell_new_name(name, names[name])
    return names[name]


@cache  # one line for each name, however often a script gives it
def tell_new_name(old: str, new: str) -> None:
    """Says on stderr what is called `new` today, once for each old name."""
    if sys.stderr is not None:  # a program without a console (pythonw) has none
        sys.stderr.write(f"explorer: {old} is now called {new}; please use the new name.\n")
