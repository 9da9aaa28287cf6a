"""Undo: one entry per change of a parameter, whole slider drags in one."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from collections.abc import Callable

MERGE_SECONDS = 1.0


class ParamsCommand(QUndoCommand):
    """Goes from `before` to `after` through `show`, unless the user stands elsewhere by then.

    Args:
        place: What the parameters belong to (photo and view); `show(place, params)` returns there.
        before: The parameters as they were.
        after: The parameters as the user made them; they are in force already.
        show: Puts parameters in force.
        text: For the menu.
    """

    def __init__(
        self,
        place: tuple[str, str],
        before: Any,
        after: Any,
        show: Callable[[tuple[str, str], Any], None],
        text: str,
    ) -> None:
        super().__init__(text)
        self._place, self._before, self._after, self._show = place, before, after, show
        self._names = changed_names(before, after)
        self._when = time.monotonic()
        self._fresh = True

    def id(self) -> int:
        return 1

    def redo(self) -> None:
        if self._fresh:  # pushing a command redoes it, but the change is already there
            self._fresh = False
            return
        self._show(self._place, self._after)

    def undo(self) -> None:
        self._show(self._place, self._before)

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ParamsCommand):
            return False
        same = other._place == self._place and other._names == self._names and len(self._names) == 1
        # A list that grows or shrinks is a step of its own; its entries are moved in one.
        same = same and _length(other._before, self._names) == _length(other._after, self._names)
        if not same or other._when - self._when > MERGE_SECONDS:
            return False
        self._after, self._when = other._after, other._when
        return True


def changed_names(before: Any, after: Any) -> tuple[str, ...]:
    """The parameters in which two sets of the same kind differ."""
    return tuple(
        entry.name
        for entry in fields(after)
        if getattr(before, entry.name) != getattr(after, entry.name)
    )


def _length(params: Any, names: tuple[str, ...]) -> int:
    values = (getattr(params, name) for name in names)
    return sum(len(value) for value in values if isinstance(value, tuple))
