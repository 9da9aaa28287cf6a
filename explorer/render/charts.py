"""Plots, tables and scales as blocks of a board."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Color, Curve, Heat, Masks, Plot, Table, UInt8, lookup_table
from explorer.render.blocks import Block, Style, column, words
from explorer.render.fonts import elided, line_height, text_width, write
from explorer.render.surface import disc, fill, rounded, strokes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_ROWS = 16
"""Rows of a table that fit on a board; the last line says how many more there are."""

MOST_REGIONS = 12
"""Entries of a legend, the largest regions first."""


def number(value: float) -> str:
    """A value as a person would write it: four significant digits, whole numbers in full."""
    if isinstance(value, int) or not isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 3 - floor(log10(abs(value))))
        text = f"{value:.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3g}"


def numbers(values: Sequence[float]) -> list[str]:
    """A column of values: as many decimals for each as the largest one needs for four digits."""
    finite = [abs(value) for value in values if isfinite(value)]
    largest = max(finite, default=0.0)
    if all(isinstance(value, int) for value in values) or not 1e-3 <= largest < 1e5:
        return [number(value) for value in values]
    decimals = min(4, max(0, 3 - floor(log10(largest))))
    whole = all(value == round(value) for value in finite)
    return [f"{value:.{0 if whole else decimals}f}" for value in values]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between `low` and `high`, at most about `most` of them."""
    span = high - low
    if not (isfinite(span) and span > 0):
        return [low] if isfinite(low) else []
    rough = span / max(1, most)
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = np.ceil(low / step - 1e-9)
    last = np.floor(high / step + 1e-9)
    return [float(n * step) for n in np.arange(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Where 1, 2, 5, 10, 20 … lie on a logarithmic axis from 10^`low` to 10^`high`.

    Powers of ten alone where those are more than `most`, and round steps in between where they are
    fewer than two.

    Returns:
        Exponents of ten, rising.
    """
    powers = range(floor(low), floor(high) + 1)
    every = [power + log10(digit) for power in powers for digit in (1, 2, 5)]
    marks = [mark for mark in every if low - 1e-9 <= mark <= high + 1e-9]
    if len(marks) < 2:
        return [log10(value) for value in ticks(10.0**low, 10.0**high, most) if value > 0]
    decades = [mark for mark in marks if mark == round(mark)]
    if len(marks) <= most or len(decades) < 2:
        return marks
    apart = -(-len(decades) // most)
    return [mark for mark in decades if mark % apart == 0]


# -- plots ----------------------------------------------------------------------------------------


def plot_block(plot: Plot, width: int, style: Style) -> Block:
    """Horizontal bars or curves over axes, under their title."""
    parts = [words(plot.title, width, style.heading, style.ink, bold=True)] if plot.title else []
    if plot.bars:
        parts.append(_bars(plot, width, style))
    if plot.curves or not plot.bars:
        parts.append(_curves(plot, width, style))
    return column(parts, style.px(10))


def _bars(plot: Plot, width: int, style: Style) -> Block:
    size, high, gap = style.body, style.px(22), style.px(6)
    values = [value if isfinite(value) else 0.0 for _, value, _ in plot.bars]
    low, high_end = plot.bar_range or (min(0.0, *values, 0.0), max(0.0, *values, 0.0))
    if high_end <= low:
        high_end = low + 1.0
    name_room = min(max(text_width(label, size) for label, _, _ in plot.bars), round(0.42 * width))
    texts = numbers([value for _, value, _ in plot.bars])
    value_room = max(text_width(text, size) for text in texts)
    left, right = name_room + style.px(10), width - value_room - style.px(8)
    scale = max(1, right - left) / (high_end - low)
    zero = left + (min(max(0.0, low), high_end) - low) * scale
    drop = (high - line_height(size)) // 2

    def draw(canvas: UInt8, x: int, y: int) -> None:
        for (label, _, color), plain, text in zip(plot.bars, values, texts, strict=True):
            end = left + (min(max(plain, low), high_end) - low) * scale
            write(canvas, elided(label, name_room, size), (x, y + drop), size, style.ink)
            track = (float(x + left), float(y + 2), float(x + right), float(y + high - 2))
            rounded(canvas, track, style.stripe, radius=style.px(3))
            x0, x1 = sorted((x + zero, x + end))
            if plain and x0 < x + right and x1 > x + left:
                x1 = max(x1, x0 + style.px(2))  # something that is not nothing can be seen
                rounded(canvas, (x0, track[1], x1, track[3]), color, radius=style.px(3))
            at = (x + width - text_width(text, size), y + drop)
            write(canvas, text, at, size, style.muted)
            y += high + gap

    return Block(width, len(plot.bars) * (high + gap) - gap, draw)


def _curves(plot: Plot, width: int, style: Style) -> Block:
    height, size = round(min(0.55 * width, style.px(300))), style.small
    curves = [_drawable(curve, plot.log_x, plot.log_y) for curve in plot.curves]
    marker = _marked(plot)
    line = line_height(size)
    named = [curve for curve in curves if curve.label]
    if [curve.label for curve in named] in ([plot.y_label], [plot.title]):
        named = []  # the only curve is what the axis or the title says
    top = line + style.px(4) if named else style.px(6)
    bottom = 2 * line + style.px(8) if plot.x_label else line + style.px(6)
    head = line + style.px(4) if plot.y_label else 0
    xs, ys = _joined([curve.x for curve in curves]), _joined([curve.y for curve in curves])
    if len(ys) == 0:
        return words("No values yet.", width, style.body, style.muted)
    x_low, x_high = _range(xs if marker is None else np.append(xs, marker), margin=0.0)
    y_low, y_high = _range(ys, margin=0.06)
    y_ticks = (log_ticks if plot.log_y else ticks)(y_low, y_high, 5)
    x_ticks = (log_ticks if plot.log_x else ticks)(x_low, x_high, max(3, width // style.px(70)))
    marks = [number(10.0**tick if plot.log_y else tick) for tick in y_ticks]
    x_marks = [number(10.0**tick if plot.log_x else tick) for tick in x_ticks]
    left = max((text_width(mark, size) for mark in marks), default=0) + style.px(8)
    plot_width, plot_height = (
        max(1, width - left - style.px(6)),
        max(1, height - top - bottom - head),
    )

    def draw(canvas: UInt8, x: int, y: int) -> None:
        origin = np.array([x + left, y + head + top], np.float64)
        scale = np.array([plot_width / (x_high - x_low), plot_height / (y_high - y_low)])
        if plot.y_label:
            write(canvas, elided(plot.y_label, width, size), (x, y), size, style.muted)
        for tick, mark in zip(y_ticks, marks, strict=True):
            level = round(origin[1] + (y_high - tick) * scale[1])
            right = x + left + plot_width
            fill(canvas, x + left, level, right, level + max(1, style.px(1)), style.rule)
            at = (x + left - style.px(6) - text_width(mark, size), level - line / 2)
            write(canvas, mark, at, size, style.muted)
        for tick, mark in zip(x_ticks, x_marks, strict=True):
            centre = origin[0] + (tick - x_low) * scale[0] - text_width(mark, size) / 2
            centre = min(max(centre, x), x + width - text_width(mark, size))
            write(canvas, mark, (centre, origin[1] + plot_height + style.px(4)), size, style.muted)
        if plot.x_label:
            text = elided(plot.x_label, plot_width, size)
            centre = origin[0] + (plot_width - text_width(text, size)) / 2
            write(
                canvas,
                text,
                (centre, origin[1] + plot_height + line + style.px(4)),
                size,
                style.muted,
            )
        for curve in curves:
            points = np.stack([curve.x - x_low, y_high - curve.y], axis=1) * scale + origin
            _polyline(canvas, points, curve.color, 2.0 * style.density)
        if marker is not None:
            at = origin[0] + (marker - x_low) * scale[0]
            line_of = np.array([[[at, origin[1]], [at, origin[1] + plot_height]]])
            strokes(canvas, line_of, np.array([style.ink], np.uint8), 1.5 * style.density)
        _legend(canvas, named, x + left, y + head, plot_width, style)

    return Block(width, height, draw)


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


def _polyline(canvas: UInt8, points: NDArray[np.float64], color: Color, width: float) -> None:
    good: NDArray[np.bool_] = np.isfinite(points.sum(axis=1))
    both = good[:-1] & good[1:]
    pairs = np.stack([points[:-1], points[1:]], axis=1)[both]
    strokes(canvas, pairs, np.tile(np.array(color, np.uint8), (len(pairs), 1)), width)
    alone = good & ~np.append(False, both) & ~np.append(both, False)
    for x, y in points[alone]:
        disc(canvas, x, y, 1.5 * width, color)


def _legend(canvas: UInt8, curves: list[Curve], x: int, y: int, width: int, style: Style) -> None:
    right = x + width
    for curve in curves:
        text = elided(curve.label, width / 2, style.small)
        needed = style.px(20) + text_width(text, style.small)
        if x + needed > right:
            break
        middle = y + line_height(style.small) // 2
        fill(canvas, x, middle - 1, x + style.px(14), middle + max(1, style.px(1)), curve.color)
        write(canvas, text, (x + style.px(20), y), style.small, style.ink)
        x += needed + style.px(16)


# -- tables ---------------------------------------------------------------------------------------


def table_block(table: Table, width: int, style: Style) -> Block:
    """The first rows of a table under its title; it says how many more there are."""
    parts = [words(table.title, width, style.heading, style.ink, bold=True)] if table.title else []
    parts.append(_rows(table, width, style))
    left_out = len(table.rows) - MOST_ROWS
    if left_out > 0:
        parts.append(words(f"… and {left_out} more", width, style.small, style.muted))
    if not table.rows:
        parts.append(words("Nothing to list.", width, style.body, style.muted))
    return column(parts, style.px(8))


def table_width(table: Table, style: Style) -> int:
    """How wide a table has to be for every word and number of it to be read."""
    shown = table.rows[:MOST_ROWS]
    cells = [_cells([row[n] for row in shown]) for n in range(len(table.columns))]
    widths = [
        max(text_width(title, style.small), *(text_width(cell, style.body) for cell in column), 0)
        for title, column in zip(table.columns, cells, strict=True)
    ]
    return sum(widths) + style.px(9) * len(widths) + style.px(30)


def _rows(table: Table, width: int, style: Style) -> Block:
    size, high, gap = style.body, style.px(23), style.px(18)
    shown = table.rows[:MOST_ROWS]
    columns = [[row[n] for row in shown] for n in range(len(table.columns))]
    numeric = [bool(shown) and not any(isinstance(v, str) for v in column) for column in columns]
    cells = list(zip(*map(_cells, columns), strict=True)) if shown else []
    swatch = style.px(20) if table.swatches else style.px(6)
    wanted = [
        max(text_width(title, style.small), *(text_width(row[n], size) for row in cells), 0)
        for n, title in enumerate(table.columns)
    ]
    gaps = max(1, len(wanted) - 1)
    if sum(wanted) + gap * gaps > width - swatch - style.px(6):
        gap = style.px(9)
    room = shared_widths(wanted, numeric, width - swatch - gap * gaps - style.px(6))
    spare = width - swatch - style.px(6) - sum(room) - gap * gaps
    gap += min(max(0, spare // gaps), style.px(36))
    drop = (high - line_height(size)) // 2

    def line(
        canvas: UInt8, texts: Sequence[str], x: int, y: int, letters: float, ink: Color
    ) -> None:
        x += swatch
        for text, wide, right in zip(texts, room, numeric, strict=True):
            text = elided(text, wide, letters)
            shift = wide - text_width(text, letters) if right else 0
            write(canvas, text, (x + shift, y), letters, ink)
            x += wide + gap

    def draw(canvas: UInt8, x: int, y: int) -> None:
        line(canvas, table.columns, x, y + style.px(2), style.small, style.muted)
        y += high
        fill(canvas, x, y - max(1, style.px(1)), x + width, y, style.rule)
        for n, row in enumerate(cells):
            if n % 2:
                fill(canvas, x, y, x + width, y + high, style.stripe)
            if table.swatches:
                side = style.px(11)
                top = y + (high - side) / 2
                box = (x + style.px(3), top, x + style.px(3) + side, top + side)
                rounded(canvas, box, table.swatches[n], radius=style.px(3))
            line(canvas, row, x, y + drop, size, style.ink)
            y += high

    return Block(width, high * (1 + len(cells)), draw)


def _cells(column: Sequence[str | int | float]) -> list[str]:
    found = [value for value in column if not isinstance(value, str)]
    texts = iter(numbers(found))
    return [value if isinstance(value, str) else next(texts) for value in column]


def shared_widths(wanted: list[int], numeric: list[bool], width: int) -> list[int]:
    """Column widths that fit into `width`: the widest give way, words before numbers."""
    room = list(wanted)
    for kind, least in ((False, 40), (True, 1)):
        while sum(room) > width:
            at = [n for n, wide in enumerate(room) if numeric[n] == kind and wide > least]
            if not at:
                break
            widest = max(room[n] for n in at)
            second = max((room[n] for n in at if room[n] < widest), default=least)
            group = [n for n in at if room[n] == widest]
            step = min(widest - max(second, least), -(-(sum(room) - width) // len(group)))
            for n in group:
                room[n] -= max(1, step)
    return room


# -- scales ---------------------------------------------------------------------------------------


def scale_block(heat: Heat, width: int, style: Style) -> Block:
    """The color bar of a heat map with the values at both its ends and their unit."""
    bar, size = style.px(10), style.small
    wide = min(width, style.px(320))

    def draw(canvas: UInt8, x: int, y: int) -> None:
        table = lookup_table(heat.colormap)
        steps = np.linspace(0, 255, max(1, wide)).astype(np.intp)
        part = canvas[y : y + bar, x : x + wide]
        part[:] = table[steps][None, : part.shape[1]]
        below = y + bar + style.px(2)
        low, high, unit = number(heat.low), number(heat.high), heat.unit or heat.name
        at_high = x + wide - text_width(high, size)
        write(canvas, low, (x, below), size, style.ink)
        write(canvas, high, (at_high, below), size, style.ink)
        free = wide - 2 * max(text_width(low, size), text_width(high, size)) - style.px(16)
        unit = elided(unit, free, size)
        middle = x + (wide - text_width(unit, size)) / 2
        write(canvas, unit, (middle, below), size, style.muted)

    return Block(wide, bar + style.px(2) + line_height(size), draw)


def regions_block(masks: Masks, width: int, style: Style) -> Block | None:
    """A legend of the named regions that the map holds, the largest first."""
    if not masks.names:
        return None
    inside = masks.index[(masks.index >= 0) & (masks.index < len(masks.names))]
    areas = np.bincount(inside, minlength=len(masks.names))
    present = [int(n) for n in np.argsort(-areas, kind="stable") if areas[n] > 0]
    entries = [(masks.names[n], masks.colors[n]) for n in present[:MOST_REGIONS]]
    if not entries:
        return None
    size, high, gap = style.small, style.px(20), style.px(16)
    places, x, line = [], 0, 0
    for name, color in entries:
        name = elided(name, width - style.px(20), size)
        wide = style.px(16) + text_width(name, size)
        if x and x + wide > width:
            x, line = 0, line + 1
        places.append((x, line * high, name, color))
        x += wide + gap

    def draw(canvas: UInt8, left: int, top: int) -> None:
        side = style.px(11)
        for dx, dy, name, color in places:
            edge = top + dy + (high - side) / 2
            box = (left + dx, edge, left + dx + side, edge + side)
            rounded(canvas, box, (int(color[0]), int(color[1]), int(color[2])), radius=style.px(3))
            at = (left + dx + style.px(16), top + dy + (high - line_height(size)) / 2)
            write(canvas, name, at, size, style.ink)

    return Block(width, high * (line + 1), draw)
