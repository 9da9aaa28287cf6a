"""How panes share the window: the rows that show them largest, each as high as it needs to be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = tuple[tuple[int, ...], ...]
BORDERS = (30.0, 54.0)
"""Window pixels around a fitted pane, its caption included."""
LEAST = 110.0
"""Window pixels that a row has at least: a canvas is not made lower."""
KEEP = 1.25
"""A present arrangement stays unless another shows this much more."""
SAME = 0.06
"""Of the window: rows whose heights differ by less stay as they are."""


def rows_of(count: int, columns: int) -> Rows:
    """`count` places in rows of up to `columns`, as even as possible, the longer rows last."""
    rows = math.ceil(count / columns)
    cuts = [count * row // rows for row in range(rows + 1)]
    return tuple(tuple(range(cuts[row], cuts[row + 1])) for row in range(rows))


def heights(
    rows: Rows, sizes: Sequence[tuple[float, float]], room: tuple[float, float]
) -> tuple[float, ...]:
    """Window pixels for each row: one that needs less than its share leaves the rest to others."""
    needs = [
        max(
            LEAST,
            *(
                BORDERS[1]
                + max(room[0] / len(row) - BORDERS[0], 1.0) * sizes[index][1] / sizes[index][0]
                for index in row
            ),
        )
        for row in rows
    ]
    high = [0.0] * len(rows)
    waiting, left = list(range(len(rows))), room[1]
    while waiting:
        share = left / len(waiting)
        modest = [row for row in waiting if needs[row] < share]
        if len(modest) in (0, len(waiting)):
            for row in waiting:
                high[row] = share
            break
        for row in modest:
            high[row] = needs[row]
            left -= needs[row]
            waiting.remove(row)
    return tuple(high)


def alike(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether two sets of heights divide a window into nearly the same rows."""
    shares = zip(first, second, strict=True)
    whole, other = max(sum(first), 1.0), max(sum(second), 1.0)
    return all(abs(a / whole - b / other) <= SAME for a, b in shares)


def shown(rows: Rows, sizes: Sequence[tuple[float, float]], room: tuple[float, float]) -> float:
    """The window area that the panes fill, each as large as fits into its place."""
    total = 0.0
    for row, high in zip(rows, heights(rows, sizes, room), strict=True):
        place = max(room[0] / len(row) - BORDERS[0], 1.0), max(high - BORDERS[1], 1.0)
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
