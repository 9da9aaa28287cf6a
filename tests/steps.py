"""Driving a generator of steps by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.step import Step

R = TypeVar("R")


def finish(steps: Generator[Step[Any], Any, R]) -> tuple[R, list[Step[Any]]]:
    """The return value of a generator and all its steps."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen
