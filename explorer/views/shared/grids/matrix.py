"""A matrix of numbers with words beside its rows and columns, and curves over layers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Heat, Pane, Plot, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Color, Colormap, Float32, Layer

BLUE, ORANGE, GREEN, RED, PURPLE = COLORS = (
    (90, 160, 250), (255, 160, 40), (70, 190, 120), (235, 90, 90), (180, 120, 230),
)  # fmt: skip
SIZE = (1000.0, 560.0)
"""Of the matrix itself; words are beside it."""
SIDE, FOOT = 210.0, 34.0
EDGE = 14.0
"""What is left of `SIDE` beside a word."""
ROW, COLUMN = 40.0, 200.0
"""The height and the width that a word has at most."""


def matrix_pane(
    name: str,
    title: str,
    values: Float32,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    scale: tuple[float, float],
    unit: str,
    colormap: Colormap = "viridis",
    over: Sequence[Layer] = (),
    words: bool = True,
    readout: Callable[[int, int], str] | None = None,
    size: tuple[float, float] = SIZE,
    left: float = SIDE,
    counted: str = "",
) -> Pane:
    """(R, C) numbers as colored cells.

    Args:
        name: Of the pane.
        title: Of the pane.
        values: The first row is on top; NaN is not drawn.
        rows: Words at the left of R rows; empty = none.
        columns: Words below some columns: "" = none below this one.
        scale: The values at both ends of the colors.
        unit: Of the values.
        colormap: Their colors.
        over: More layers, in the frame of the pane; `cell` gives places.
        words: Whether words are written.
        readout: ``(row, column) -> words`` under the mouse.
        size: Width and height of all cells.
        left: Width of the words at the left.
        counted: What the numbers below the columns count.
    """
    side = left if rows and words else 0.0
    foot = FOOT if any(columns) and words else 0.0
    high, wide = values.shape
    extent = (side, 0.0, side + size[0], size[1])
    whole = (side + size[0], size[1] + foot)
    layers: list[Layer] = [
        Heat(values, *scale, colormap=colormap, extent=extent, unit=unit, name=name),
        *over,
    ]
    if words:
        layers += _words(rows, columns, size, side)
        if counted and side:
            layers.append(_word(counted, (side - 8.0, size[1] + 4.0), (1.0, 0.0), side - EDGE))

    def under(x: float, y: float) -> str:
        row, column = int(y / size[1] * high), int((x - side) / size[0] * wide)
        inside = x >= side and 0 <= row < high and 0 <= column < wide
        return readout(row, column) if inside and readout is not None else ""

    return Pane(
        name, whole, tuple(layers), title=title, frame=name,
        readout=under, drawing=True,
    )  # fmt: skip


def _words(
    rows: Sequence[str], columns: Sequence[str], size: tuple[float, float], side: float
) -> list[Layer]:
    found: list[Layer] = [
        _word(word, (side - 8.0, (low + high) / 2), (1.0, 0.5), side - EDGE)
        for word, low, high in _spans(rows, size[1], ROW)
    ]
    found += [
        _word(word, (side + (low + high) / 2, size[1] + 4.0), (0.5, 0.0), high - low)
        for word, low, high in _spans(columns, size[0], COLUMN)
    ]
    return found


def _word(word: str, at: tuple[float, float], anchor: tuple[float, float], room: float) -> Text:
    return Text(word, at, color=None, plate=False, anchor=anchor, room=room, name=f"word {word}")


def _spans(words: Sequence[str], length: float, most: float) -> list[tuple[str, float, float]]:
    """Every word that is not empty, with its place along an axis: they do not overlap."""
    each = length / max(1, len(words))
    places = [at for at, word in enumerate(words) if word]
    apart = min((after - before for before, after in pairwise(places)), default=len(words))
    half = min(apart * each, most) / 2 - 1.0
    found = []
    for at in places:
        middle = (at + 0.5) * each
        found.append((words[at], max(0.0, middle - half), min(length, middle + half)))
    return found


def numbered(count: int) -> list[str]:
    """Words for columns: every one, or every second, fifth, tenth … of `count`."""
    step = next((s for s in (1, 2, 5, 10, 20, 50) if count / s <= 16), 100)
    return [str(at + 1) if (at + 1) % step == 0 else "" for at in range(count)]


def over_layers(
    name: str,
    title: str,
    curves: Sequence[tuple[str, Sequence[float], Color]],
    *,
    y_label: str,
    log: bool = False,
    x_label: str = "layer",
) -> Plot:
    """Curves over layers 1, 2, 3 …; with `log` what is not above 0 is left out."""
    drawn = []
    for label, values, color in curves:
        y = np.array(values, np.float64)
        if log:
            y = np.where(y > 0, y, np.nan)
        drawn.append(Curve(np.arange(1.0, len(y) + 1), y, label, color))
    return Plot(name, title, x_label, y_label, curves=tuple(drawn), log_y=log, whole_x=True)


def stairs(values: Float32, label: str, color: Color, edges: int = 48) -> Curve:
    """A histogram as a curve, in fractions of the values; 0.5% at each end is not drawn."""
    finite = values[np.isfinite(values)].astype(np.float64)
    ends = np.quantile(finite, (0.005, 0.995)) if finite.size else np.array([0.0, 1.0])
    counts, marks = np.histogram(finite, bins=edges, range=(float(ends[0]), float(ends[1])))
    y = np.repeat(counts / max(finite.size, 1), 2)
    return Curve(np.repeat(marks, 2)[1:-1], y, label, color)
