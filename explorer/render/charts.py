"""Plots and tables as blocks of a board."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, log10
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Color, Curve, Plot, Table, numeric
from explorer.render.blocks import Block, Style, column, words
from explorer.render.legends import curves_block
from explorer.render.numbers import count, log_ticks, number, numbers, ticks
from explorer.render.typeface import line_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.render.surface import Surface

MOST_ROWS = 16
"""Rows of a table that fit on a board; the last line says how many more there are."""


SMALLEST = 0.65
"""Of the letters of a table that is too wide, in those of others."""


# -- plots ----------------------------------------------------------------------------------------


def plot_block(plot: Plot, width: int, style: Style) -> Block:
    """Horizontal bars or curves over axes, under their title."""
    parts = [words(plot.title, width, style, size=style.heading, bold=True)] if plot.title else []
    if plot.bars:
        parts.append(_bars(plot, width, style))
    if plot.curves or not plot.bars:
        parts.append(_curves(plot, width, style))
    return column(parts, style.px(10))


def _bars(plot: Plot, width: int, style: Style) -> Block:
    face = style.typeface
    size, high, gap = style.body, style.px(22), style.px(6)
    values = [value if isfinite(value) else 0.0 for _, value, _ in plot.bars]
    low, high_end = plot.bar_range or (min(0.0, *values, 0.0), max(0.0, *values, 0.0))
    if high_end <= low:
        high_end = low + 1.0
    name_room = min(max(face.width(label, size) for label, _, _ in plot.bars), round(0.42 * width))
    texts = numbers([value for _, value, _ in plot.bars])
    value_room = max(face.width(text, size) for text in texts)
    left, right = name_room + style.px(10), width - value_room - style.px(8)
    scale = max(1, right - left) / (high_end - low)
    zero = left + (min(max(0.0, low), high_end) - low) * scale
    line = line_height(size)
    names = [face.wrapped(label, name_room, size) for label, _, _ in plot.bars]
    drop = (high - line) // 2

    def draw(surface: Surface, x: int, y: int) -> None:
        for (_, _, color), name, plain, text in zip(plot.bars, names, values, texts, strict=True):
            end = left + (min(max(plain, low), high_end) - low) * scale
            surface.write("\n".join(name), (x, y + drop), size, style.ink)
            track = (float(x + left), float(y + 2), float(x + right), float(y + high - 2))
            surface.rounded(track, style.stripe, radius=style.px(3))
            x0, x1 = sorted((x + zero, x + end))
            if plain and x0 < x + right and x1 > x + left:
                x1 = max(x1, x0 + style.px(2))  # a value above zero is visible
                surface.rounded((x0, track[1], x1, track[3]), color, radius=style.px(3))
            at = (x + width - face.width(text, size), y + drop)
            surface.write(text, at, size, style.muted)
            y += high + gap + (len(name) - 1) * line

    more = sum(len(name) - 1 for name in names)
    return Block(width, len(names) * (high + gap) - gap + more * line, draw)


def _curves(plot: Plot, width: int, style: Style) -> Block:
    face = style.typeface
    height, size = round(min(0.55 * width, style.px(300))), style.small
    curves = [_drawable(curve, plot.log_x, plot.log_y) for curve in plot.curves]
    marker = _marked(plot)
    line = line_height(size)
    named = [curve for curve in curves if curve.label]
    if [curve.label for curve in named] in ([plot.y_label], [plot.title]):
        named = []  # the axis or the title names the only curve
    names, colors = [curve.label for curve in named], [curve.color for curve in named]
    key = curves_block(names, colors, width, style) if named else None
    top = key.height + style.px(4) if key is not None else style.px(6)
    height += max(0, top - line - style.px(4))  # many names take nothing away from the curves
    xs, ys = _joined([curve.x for curve in curves]), _joined([curve.y for curve in curves])
    if len(ys) == 0:
        return words("No values yet.", width, style, color=style.muted)
    across = _axis(xs if marker is None else np.append(xs, marker), plot.log_x, 0.0,
                   max(3, width // style.px(70)), plot.x_names, whole=plot.whole_x)  # fmt: skip
    upward = _axis(ys, plot.log_y, 0.06, 5, whole=plot.whole_y)
    left = max((face.width(mark, size) for mark in upward.marks), default=0) + style.px(8)
    plot_width = max(1, width - left - style.px(6))
    above = face.wrapped(plot.y_label, width, size) if plot.y_label else []
    below = face.wrapped(plot.x_label, plot_width, size) if plot.x_label else []
    head = line * len(above) + style.px(4) if above else 0
    bottom = line * (1 + len(below)) + style.px(8 if below else 6)
    height += line * (max(0, len(above) - 1) + max(0, len(below) - 1))
    plot_height = max(1, height - top - bottom - head)

    def draw(surface: Surface, x: int, y: int) -> None:
        origin = np.array([x + left, y + head + top], np.float64)
        scale = np.array([plot_width / across.span, plot_height / upward.span])
        surface.write("\n".join(above), (x, y), size, style.muted)
        for tick, mark in zip(upward.ticks, upward.marks, strict=True):
            level = round(origin[1] + (upward.high - tick) * scale[1])
            right = x + left + plot_width
            surface.fill((x + left, level, right, level + max(1, style.px(1))), style.rule)
            at = (x + left - style.px(6) - face.width(mark, size), level - line / 2)
            surface.write(mark, at, size, style.muted)
        for tick, mark in zip(across.ticks, across.marks, strict=True):
            middle = origin[0] + (tick - across.low) * scale[0] - face.width(mark, size) / 2
            middle = min(max(middle, x), x + width - face.width(mark, size))
            surface.write(mark, (middle, origin[1] + plot_height + style.px(4)), size, style.muted)
        for row, text in enumerate(below, 1):
            middle = origin[0] + (plot_width - face.width(text, size)) / 2
            down = origin[1] + plot_height + row * line + style.px(4)
            surface.write(text, (middle, down), size, style.muted)
        for curve in curves:
            points = np.stack([curve.x - across.low, upward.high - curve.y], axis=1)
            surface.polyline(points * scale + origin, curve.color, 2.0 * style.density)
        if marker is not None:
            at = origin[0] + (marker - across.low) * scale[0]
            upright = np.array([[at, origin[1], at, origin[1] + plot_height]])
            surface.segments(upright, np.array([style.ink], np.uint8), 1.5 * style.density)
        if key is not None:
            key.draw(surface, x, y + head)

    return Block(width, height, draw)


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `low` to `high` in the axis' own numbers, with marks at `ticks`."""

    low: float
    high: float
    ticks: list[float]
    marks: list[str]

    @property
    def span(self) -> float:
        return self.high - self.low


def _axis(
    values: NDArray[np.float64], log: bool, margin: float, most: int, names: Sequence[str] = (),
    *, whole: bool = False,
) -> _Axis:  # fmt: skip
    """An axis that holds all `values` and has at most about `most` marks, or these names."""
    low, high = _range(values, margin)
    if names:
        return _Axis(low, high, [float(n) for n in range(1, len(names) + 1)], list(names))
    at = log_ticks(low, high, most) if log else ticks(low, high, most, whole=whole)
    return _Axis(low, high, at, [number(10.0**tick if log else tick) for tick in at])


def _drawable(curve: Curve, log_x: bool, log_y: bool) -> Curve:
    """The curve in the axis' own numbers; gaps (not finite, not positive on a log axis) are NaN."""
    x, y = curve.x.astype(np.float64), curve.y.astype(np.float64)
    if log_x:
        x = np.log10(np.where(x > 0, x, np.nan))
    if log_y:
        y = np.log10(np.where(y > 0, y, np.nan))
    y = np.where(np.isfinite(y) & np.isfinite(x), y, np.nan)
    return Curve(x, y, curve.label, curve.color)


def _marked(plot: Plot) -> float | None:
    """Where the marker is in the axis' own numbers; None when there is none to draw."""
    at = plot.marker
    if at is None or not isfinite(at) or (plot.log_x and at <= 0):
        return None
    return log10(at) if plot.log_x else float(at)


def _joined(arrays: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    every = np.concatenate(arrays) if arrays else np.empty(0)
    return every[np.isfinite(every)]


def _range(values: NDArray[np.float64], margin: float) -> tuple[float, float]:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if high <= low:
        half = abs(low) * 0.1 or 0.5
        return low - half, high + half
    return low - (high - low) * margin, high + (high - low) * margin


# -- tables ---------------------------------------------------------------------------------------


def table_block(table: Table, width: int, style: Style) -> Block:
    """The first rows of a table under its title; it says how many more there are."""
    parts = [words(table.title, width, style, size=style.heading, bold=True)] if table.title else []
    needed = table_width(table, style)
    scale = min(1.0, max(SMALLEST, width / needed))  # small letters say more than cut words
    small = replace(style, density=style.density * scale)
    parts += [_rows(part, width, small) for part in _parts(table, width, small)]
    left_out = len(table.rows) - MOST_ROWS
    if left_out > 0:
        parts.append(
            words(f"… and {left_out} more", width, style, size=style.small, color=style.muted)
        )
    if not table.rows:
        parts.append(words("Nothing to list.", width, style, color=style.muted))
    return column(parts, style.px(8))


def _parts(table: Table, width: int, style: Style) -> list[Table]:
    """Tables below one another where one would cut its numbers; each begins with the first column.

    Words are broken before that; what is left of them is at least their longest one.
    """
    shown = table.rows[:MOST_ROWS]
    least = [_least(title, [row[n] for row in shown], style)
             for n, title in enumerate(table.columns)]  # fmt: skip
    gap = style.px(9)
    room = width - style.px(20 if table.swatches else 6) - style.px(6)
    groups: list[list[int]] = [[]]
    for n, wide in enumerate(least):
        group = groups[-1]
        taken = sum(least[m] + gap for m in group)
        if len(group) > 1 and taken + wide > room:
            groups.append([0, n])
        else:
            group.append(n)
    if len(groups) == 1:
        return [table]
    return [
        replace(
            table,
            columns=tuple(table.columns[n] for n in group),
            rows=tuple(tuple(row[n] for n in group) for row in table.rows),
        )
        for group in groups
    ]


def _least(title: str, column: Sequence[str | int | float], style: Style) -> int:
    """The width below which a column would lose something: words can be broken at spaces."""
    face = style.typeface
    whole = [cell for cell, value in zip(cells_of(column), column, strict=True)
             if not isinstance(value, str)]  # fmt: skip
    words_of = [word for value in column if isinstance(value, str) for word in value.split()]
    return max(
        *(face.width(cell, style.body) for cell in whole),
        *(face.width(word, style.body) for word in words_of),
        *(face.width(word, style.small) for word in title.split()),
        0,
    )


def table_width(table: Table, style: Style) -> int:
    """How wide a table has to be for every word and number of it to be read."""
    face = style.typeface
    shown = table.rows[:MOST_ROWS]
    cells = [cells_of([row[n] for row in shown]) for n in range(len(table.columns))]
    widths = [
        max(
            face.width(title, style.small),
            *(face.width(cell, style.body) for cell in column),
            0,
        )
        for title, column in zip(table.columns, cells, strict=True)
    ]
    return sum(widths) + style.px(9) * len(widths) + style.px(30)


def _rows(table: Table, width: int, style: Style) -> Block:
    face = style.typeface
    size, high, gap = style.body, style.px(23), style.px(18)
    shown = table.rows[:MOST_ROWS]
    columns = [[row[n] for row in shown] for n in range(len(table.columns))]
    numbers = [numeric(column) for column in columns]
    cells = list(zip(*map(cells_of, columns), strict=True)) if shown else []
    swatch = style.px(20) if table.swatches else style.px(6)
    wanted = [
        max(
            face.width(title, style.small),
            *(face.width(row[n], size) for row in cells),
            0,
        )
        for n, title in enumerate(table.columns)
    ]
    gaps = max(1, len(wanted) - 1)
    if sum(wanted) + gap * gaps > width - swatch - style.px(6):
        gap = style.px(9)
    inside = width - swatch - gap * gaps - style.px(6)
    room = shared_widths(wanted, numbers, inside, style.px(30))
    spare = width - swatch - style.px(6) - sum(room) - gap * gaps
    gap += min(max(0, spare // gaps), style.px(36))
    line, drop = line_height(size), (high - line_height(size)) // 2
    heads = [face.wrapped(title, wide, style.small)
             for title, wide in zip(table.columns, room, strict=True)]  # fmt: skip
    broken = [
        [face.wrapped(text, wide, size) for text, wide in zip(row, room, strict=True)]
        for row in cells
    ]
    heights = [high + line * (max(map(len, row), default=1) - 1) for row in (heads, *broken)]

    def write(
        surface: Surface, row: Sequence[list[str]], x: int, y: int, letters: float, ink: Color
    ) -> None:
        for lines, wide, right in zip(row, room, numbers, strict=True):
            for below, text in enumerate(lines):
                shift = wide - face.width(text, letters) if right else 0
                surface.write(text, (x + shift, y + below * line), letters, ink)
            x += wide + gap

    def draw(surface: Surface, x: int, y: int) -> None:
        write(surface, heads, x + swatch, y + style.px(2), style.small, style.muted)
        y += heights[0]
        surface.fill((x, y - max(1, style.px(1)), x + width, y), style.rule)
        for n, (row, tall) in enumerate(zip(broken, heights[1:], strict=True)):
            if n % 2:
                surface.fill((x, y, x + width, y + tall), style.stripe)
            if table.swatches:
                side = style.px(11)
                top = y + (high - side) / 2
                box = (x + style.px(3), top, x + style.px(3) + side, top + side)
                surface.rounded(box, table.swatches[n], radius=style.px(3))
            write(surface, row, x + swatch, y + drop, size, style.ink)
            y += tall

    return Block(width, sum(heights), draw)


def cells_of(column: Sequence[str | int | float]) -> list[str]:
    """The words of a column of a table: numbers with as many decimals as they need together."""
    found = [value for value in column if not isinstance(value, str)]
    whole = [value for value in found if isinstance(value, int)]
    texts = iter(map(count, whole) if len(whole) == len(found) else numbers(found))
    return [value if isinstance(value, str) else next(texts) for value in column]


def shared_widths(
    wanted: list[int], numbers: list[bool], width: int, least_word: int = 40
) -> list[int]:
    """Column widths that fit into `width`: the widest shrink, words before numbers."""
    room = list(wanted)
    for kind, least in ((False, least_word), (True, 1)):
        while sum(room) > width:
            at = [n for n, wide in enumerate(room) if numbers[n] == kind and wide > least]
            if not at:
                break
            widest = max(room[n] for n in at)
            second = max((room[n] for n in at if room[n] < widest), default=least)
            group = [n for n in at if room[n] == widest]
            step = min(widest - max(second, least), -(-(sum(room) - width) // len(group)))
            for n in group:
                room[n] -= max(1, step)
    return room
