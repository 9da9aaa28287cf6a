"""How panes share the window: the rows that show them largest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = tuple[tuple[int, ...], ...]
BORDERS = (30.0, 54.0)
"""Window pixels around a fitted pane, its caption included."""
KEEP = 1.25
"""A present arrangement stays unless another shows this much more."""


def rows_of(count: int, columns: int) -> Rows:
    """`count` places in rows of up to `columns`, as even as possible, the longer rows last."""
    rows = math.ceil(count / columns)
    cuts = [count * row // rows for row in range(rows + 1)]
    return tuple(tuple(range(cuts[row], cuts[row + 1])) for row in range(rows))


def shown(rows: Rows, sizes: Sequence[tuple[float, float]], room: tuple[float, float]) -> float:
    """The window area that the panes fill, each as large as fits into its place."""
    total = 0.0
    for row in rows:
        place = (
            max(room[0] / len(row) - BORDERS[0], 1.0),
            max(room[1] / len(rows) - BORDERS[1], 1.0),
        )
        for index in row:
            width, height = sizes[index]
            scale = min(place[0] / width, place[1] / height)
            total += width * height * scale**2
    return total


def arranged(
    sizes: Sequence[tuple[float, float]], room: tuple[float, float], present: Rows | None = None
) -> Rows:
    """The rows of panes of these sizes that fill `room` best."""
    count = len(sizes)
    if count == 0:
        return ()
    choices = [rows_of(count, columns) for columns in range(count, 0, -1)]
    best = max(choices, key=lambda rows: shown(rows, sizes, room))
    if present in choices and shown(present, sizes, room) * KEEP >= shown(best, sizes, room):
        return present
    return best
