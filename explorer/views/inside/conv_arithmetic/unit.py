"""The arithmetic of one output: what it reads, the weights, the products and their sum."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Heat, Lines, Pane, Plot, Table
from explorer.core.listing import quantity
from explorer.render.numbers import number
from explorer.views.inside.conv_arithmetic.params import OUTPUT
from explorer.views.shared.common import size_of
from explorer.views.shared.grids import cells
from explorer.views.shared.grids.cells import BLUE, CELL, GRAY, ORANGE, Scale
from explorer.vision.features.arithmetic import (
    FUNCTIONS,
    Chain,
    Shares,
    Terms,
    Window,
)
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, Float32, Layer, Picture
    from explorer.views.inside.conv_arithmetic.source import Opened, Size
    from explorer.vision.features.activations import Activation
    from explorer.vision.features.arithmetic import Unit

CUT = 0.995
"""The part of a map's values that its color scale spans."""
SHOWN = {1: 8, 2: 5, 3: 4, 4: 3, 5: 3, 6: 2, 7: 2}
"""Channels whose numbers are easy to read, by the rows of the kernel; one where it has more."""
LETTERS = 10.0
BARS = 12
POSITIVE: Color = (214, 84, 66)
NEGATIVE: Color = (86, 120, 220)
MARGIN = 3.3
"""Cells at the left, for the names of channels."""


def map_pane(
    result: Opened, unit: Unit, cell: tuple[int, int], photo: Picture, look: tuple[str, float]
) -> Pane:
    """What can be clicked: the output over the photo, with what it reads, or all units.

    Args:
        result: The layer.
        unit: The arithmetic of one output.
        cell: Its row and column.
        photo: The photo.
        look: Which map lies over the photo, and its opacity.
    """
    if result.found.frame is None:
        return _units_pane(result, cell)
    over, opacity = look
    channel = result.channel
    title = f"Output: channel {channel} of {len(result.found.values):,}"
    layers: list[Layer] = [photo]
    if over == OUTPUT:
        key = ("output", opacity)
        layers.append(
            result.cache.get(key, lambda: _heat(result.found, channel, opacity, "output"))
        )
    elif not result.colors:
        main = main_channel(result, unit)
        title = f"Input: {result.input_name(main)}"
        if result.given.frame is not None:
            layers.append(
                result.cache.get(
                    ("input", main, opacity), lambda: _heat(result.given, main, opacity, "input")
                )
            )
    else:
        title = "Input: the photo"
    box = np.array([[cell[1], cell[0], cell[1] + 1, cell[0] + 1]], np.float32)
    on_photo = result.found.frame.inverse().boxes(box)
    if result.given.frame is not None:
        reads = result.given.frame.inverse().boxes(_patch(unit, cell))
        tints = np.tile(np.array([ORANGE], np.uint8), (len(reads), 1))
        layers.append(Boxes(reads, tints, selectable=False, name="patch"))
        layers.append(pointers(reads if len(reads) else on_photo, photo))
    blue = np.array([BLUE], np.uint8)
    layers.append(Boxes(on_photo, blue, selectable=False, width=3.0, name="cell"))
    return Pane("image", size_of(photo), tuple(layers), title=title)


def pointers(boxes: Float32, photo: Picture) -> Lines:
    """Four lines that point at (N, 4) xyxy: a few pixels are easily overlooked."""
    width, height = size_of(photo)
    gap, long = 0.01 * max(width, height), 0.06 * max(width, height)
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    segments = np.array(
        [
            [x0 - long, y, x0 - gap, y], [x1 + long, y, x1 + gap, y],
            [x, y0 - long, x, y0 - gap], [x, y1 + long, x, y1 + gap],
        ],
        np.float32,
    )  # fmt: skip
    tints = np.tile(np.array([ORANGE], np.uint8), (4, 1))
    return Lines(segments, tints, width=2.0, name="pointers")


def _patch(unit: Unit, cell: tuple[int, int]) -> Float32:
    """(N, 4) xyxy of the input cells that are read: each alone where there are gaps."""
    if isinstance(unit, (Terms, Window)) and len(unit.rows) and len(unit.columns):
        rows, columns = unit.rows, unit.columns
        gaps = any(len(at) > 1 and at[1] - at[0] > 1 for at in (rows, columns))
        if gaps:
            at = np.stack([a.ravel() for a in np.meshgrid(columns, rows)], axis=1)
            return np.concatenate([at, at + 1], axis=1).astype(np.float32)
        box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        return np.array([box], np.float32)
    if isinstance(unit, (Terms, Window)):
        return np.zeros((0, 4), np.float32)
    row, column = cell
    return np.array([[column, row, column + 1, row + 1]], np.float32)


def _units_pane(result: Opened, cell: tuple[int, int]) -> Pane:
    """All units of a vector as one sheet; each can be chosen by a click."""
    values = result.found.values[:, cell[0], cell[1], None, None]
    tiling = Tiling.of(len(values), 1, 1)

    def layers() -> tuple[Layer, ...]:
        high = float(np.abs(values).max()) or 1.0
        heat = Heat(tiling.mosaic(values), -high, high, "coolwarm", unit="output", name="output")
        tints = np.zeros((len(values), 3), np.uint8)
        return heat, Boxes(tiling.boxes(), tints, width=0.0, name="units")

    def readout(x: float, y: float) -> str:
        at = int(y) * tiling.columns + int(x)
        inside = 0 <= x < tiling.columns and 0 <= at < len(values)
        return f"{result.unit_name(at)}: {values[at, 0, 0]:.4g}" if inside else ""

    box = tiling.boxes()[result.channel : result.channel + 1]
    mark = Boxes(box, np.array([BLUE], np.uint8), selectable=False, name="unit")
    width, height = tiling.size
    return Pane(
        "units", (float(width), float(height)), (*result.cache.get(("units", cell), layers), mark),
        title=f"Output: {result.unit_name(result.channel)}", frame="units", readout=readout,
    )  # fmt: skip


def _heat(maps: Activation, channel: int, opacity: float, unit: str) -> Heat:
    values = maps.values[channel]
    assert maps.frame is not None
    height, width = values.shape
    sizes = np.abs(values[np.isfinite(values)])
    high = (float(np.quantile(sizes, CUT)) or float(sizes.max()) or 1.0) if sizes.size else 1.0
    extent = maps.frame.inverse().extent(width, height)
    return Heat(
        values, -high, high, "coolwarm", extent=extent, opacity=opacity, unit=unit, name=unit
    )


def main_channel(result: Opened, unit: Unit) -> int:
    """The input channel that contributes most."""
    if isinstance(unit, Terms):
        return int(unit.channels[0])
    return min(result.channel, len(result.given.values) - 1)


def sum_pane(result: Opened, unit: Unit, shown: int | None) -> Pane:
    """The numbers of one output."""
    match unit:
        case Terms():
            return _terms_pane(result, unit, shown)
        case Window():
            return _window_pane(result, unit)
        case Chain():
            return _chain_pane(result, unit)
        case Shares():
            return _shares_pane(result, unit, shown)


def _board_of(name: str, title: str, width: float, height: float, layers: Sequence[Layer]) -> Pane:
    size = (CELL * width, CELL * height)
    return Pane(name, size, tuple(layers), title=title, frame=name, drawing=True)


def _terms_pane(result: Opened, unit: Terms, shown: int | None) -> Pane:
    """A row of grids for each channel: input, kernel, products, and their sum at the right."""
    count, (rows, columns) = len(unit.channels), unit.values.shape[1:]
    most = shown or SHOWN.get(rows, 1)
    if shown is None and count <= most + 1:
        most = count
    most = min(most, count) if rows and columns else 0  # a hole of a transposed convolution
    gap = 0.5 if rows > 1 else 0.15
    starts = [MARGIN + k * (columns + 0.9) for k in range(4)]
    kinds = [unit.values[:most], unit.weights[:most], unit.products[:most]]
    scales = [
        Scale.of(each.astype(np.float32), unit=word, most=2 if rows > 1 else 3)
        for each, word in zip(kinds, ("input", "weight", "product"), strict=True)
    ]
    totals = np.array([*unit.sums, unit.bias, unit.total], np.float32)
    total = replace(Scale.of(totals, unit="sum"), decimals=None)
    sums: list[Layer] = []  # before the grids: where there is little room, they are left
    layers: list[Layer] = [
        cells.word(word, start + columns / 2, 0.5)
        for word, start in zip(("input", "weights", "products"), starts, strict=False)
    ]
    layers.append(cells.word("sum", starts[3] + cells.WIDE / 2, 0.5))
    top = 1.0
    for k in range(most):
        middle = top + rows / 2
        layers.append(
            cells.word(
                result.input_name(int(unit.channels[k])),
                MARGIN - 0.25,
                middle,
                anchor=(1, 0.5),
                size=LETTERS,
            )
        )
        for values, scale, start, sign in zip(kinds, scales, starts, "x==", strict=False):
            grid = values[k].astype(np.float32)
            name = f"{scale.unit} {k} "
            size = LETTERS if columns <= 5 else cells.SMALL
            layers += cells.layers_of(grid, scale, at=(start, top), name=name, size=size)
            layers.append(cells.word(sign, start + columns + 0.45, middle))
        if unit.padded.any():
            at = np.argwhere(unit.padded)[:, ::-1]
            boxes = np.concatenate([at, at + 1], axis=1).astype(np.float32)
            boxes += np.array([starts[0], top] * 2, np.float32)
            layers.append(cells.frames(boxes, GRAY, "padding", width=1.5, dotted=True))
        sums += cells.single(
            float(unit.sums[k]), total, (starts[3], middle - 0.5), name=f"sum {k} "
        )
        top += rows + gap
    top += 0.35 - gap
    for words, value in _rest(unit, most):
        layers.append(cells.word(words, starts[3] - 0.3, top + 0.5, anchor=(1, 0.5), size=LETTERS))
        sums += cells.single(value, total, (starts[3], top), name=f"{words} ")
        top += 1.15
    layers.append(cells.word("output", starts[3] - 0.3, top + 0.7, anchor=(1, 0.5)))
    sums += cells.single(unit.total, total, (starts[3], top + 0.2), name="output ")
    box = np.array([[starts[3], top + 0.2, starts[3] + cells.WIDE, top + 1.2]], np.float32)
    layers.append(cells.frames(box, BLUE, "total"))
    title = f"{result.name}: {quantity(int(unit.products.size), 'product')}"
    return _board_of("sum", title, starts[3] + cells.WIDE + 0.3, top + 1.4, [*sums, *layers])


def _rest(unit: Terms, most: int) -> list[tuple[str, float]]:
    """What is added to the sums that are shown."""
    found = []
    if len(unit.channels) > most:
        more = quantity(len(unit.channels) - most, "channel")
        found.append((f"and {more.replace(' ', ' more ', 1)}", float(unit.sums[most:].sum())))
    if unit.bias:
        found.append(("bias", unit.bias))
    return found


def _window_pane(result: Opened, unit: Window) -> Pane:
    """The pooling window, its largest value and the output."""
    rows, columns = unit.values.shape
    values = unit.values.astype(np.float32)
    scale = Scale.of(values[np.isfinite(values)], unit="input")
    height, width = max(rows, 1) + 1.3, columns + 4.6
    down, across = unit.best
    best = np.array([[across, 1 + down, across + 1, 2 + down]], np.float32)
    middle = 1 + rows / 2
    out = (columns + 2.6, middle - 0.5)
    layers: list[Layer] = [
        cells.word("input", columns / 2, 0.5),
        cells.word("largest", out[0] + cells.WIDE / 2, 0.5),
        *cells.layers_of(values, scale, at=(0, 1), name="input "),
        cells.frames(best, ORANGE, "largest"),
        cells.word("max =", columns + 1.3, middle),
        *cells.single(unit.total, scale, out, name="output "),
        cells.frames(
            np.array([[*out, out[0] + cells.WIDE, out[1] + 1]], np.float32), BLUE, "total"
        ),
    ]  # fmt: skip
    at = np.argwhere(np.isnan(unit.values))[:, ::-1] + [0, 1]
    if len(at):
        boxes = np.concatenate([at, at + 1], axis=1).astype(np.float32)
        layers.append(cells.frames(boxes, GRAY, "padding", width=1.5, dotted=True))
    title = f"{result.name}: the largest of {int(np.isfinite(values).sum())}"
    return _board_of("sum", title, width, height, layers)


def _chain_pane(result: Opened, unit: Chain) -> Pane:
    """One number below the other, each with what it is."""
    words = result.kind if unit.function is None else f"f(x) = {FUNCTIONS[result.kind][0]}"
    steps = [*unit.steps, ("output" if unit.function is None else words, unit.total)]
    values = np.array([value for _, value in steps], np.float32)
    scale = replace(Scale.of(values, unit="value"), decimals=None)
    left = 7.5
    layers: list[Layer] = []
    for k, (name, value) in enumerate(steps):
        top = 0.3 + 1.15 * k
        layers.append(cells.word(name, left - 0.3, top + 0.5, anchor=(1, 0.5)))
        layers += cells.single(value, scale, (left, top), name=f"{name} ")
    top = 0.3 + 1.15 * (len(steps) - 1)
    layers.append(
        cells.frames(np.array([[left, top, left + cells.WIDE, top + 1]], np.float32), BLUE, "total")
    )
    return _board_of(
        "sum", f"{result.name}: {result.kind}", left + cells.WIDE + 0.4, top + 1.3, layers
    )


def _shares_pane(result: Opened, unit: Shares, shown: int | None) -> Pane:
    """The largest logits, their exponentials and their shares of the sum."""
    most = min(shown or SHOWN[1], len(unit.order))
    order = [int(k) for k in unit.order[:most]]
    if unit.unit not in order:
        order[-1] = unit.unit
    heads = ("logit z", "exp(z - max)", "softmax")
    columns = [unit.logits, unit.exponentials, unit.shares]
    units = ("logit", "exponential", "probability")
    scales = [
        replace(Scale.of(values.astype(np.float32), unit=each), decimals=None)
        for values, each in zip(columns, units, strict=True)
    ]
    starts = [6.5 + 2.9 * k for k in range(3)]
    layers: list[Layer] = [
        cells.word(word, start + cells.WIDE / 2, 0.5)
        for word, start in zip(heads, starts, strict=True)
    ]
    for row, k in enumerate(order):
        top = 1.0 + 1.15 * row
        name = result.unit_name(k)
        name = name if len(name) <= 22 else f"{name[:21]}…"
        layers.append(cells.word(name, starts[0] - 0.3, top + 0.5, anchor=(1, 0.5)))
        for values, scale, start in zip(columns, scales, starts, strict=True):
            layers += cells.single(float(values[k]), scale, (start, top), name=f"{k} {start} ")
        if k == unit.unit:
            box = np.array([[starts[2], top, starts[2] + cells.WIDE, top + 1]], np.float32)
            layers.append(cells.frames(box, BLUE, "total"))
    rest = np.setdiff1d(unit.order, order)
    top = 1.0 + 1.15 * len(order)
    for words, at in ((f"and {len(rest):,} more", rest), ("sum", unit.order)):
        if len(at):
            layers.append(cells.word(words, starts[0] - 0.3, top + 0.5, anchor=(1, 0.5)))
            for values, scale, start in zip(columns[1:], scales[1:], starts[1:], strict=True):
                # The sum of exponentials is what each is divided by.
                layers += cells.single(
                    float(values[at].sum()), scale, (start, top), name=f"{words} {start} "
                )
            top += 1.15
    title = f"Softmax over {quantity(len(unit.order), 'unit')}"
    return _board_of("sum", title, starts[2] + cells.WIDE + 0.4, top + 0.2, layers)


def plots(result: Opened, unit: Unit) -> tuple[Plot, ...]:
    """The contributions of the input channels, or the activation function."""
    if isinstance(unit, Terms) and len(unit.channels) > 1:
        bars = [
            (result.input_name(int(channel)), float(value), _tint(float(value)))
            for channel, value in zip(unit.channels[:BARS], unit.sums, strict=False)
        ]
        for words, value in _rest(unit, min(BARS, len(unit.channels))):
            bars.append((words, value, _tint(value)))
        return (Plot("terms", "Contributions to the output", bars=tuple(bars)),)
    if isinstance(unit, Chain) and unit.function is not None:
        x = unit.steps[0][1]
        far = max(8.0, abs(x) * 1.2)
        xs = np.linspace(-far, far, 201)
        curve = Curve(xs, np.array([unit.function(float(value)) for value in xs]))
        return (Plot("function", result.kind, "input x", "f(x)", curves=(curve,), marker=x),)
    return ()


def _tint(value: float) -> Color:
    return POSITIVE if value >= 0 else NEGATIVE


def table(result: Opened, unit: Unit) -> tuple[Table, ...]:
    """All input channels of a weighted sum, the largest contribution first."""
    if not isinstance(unit, Terms):
        return ()
    products = unit.products.reshape(len(unit.sums), -1)
    rows = tuple(
        (result.input_name(int(channel)), round(float(unit.sums[k]), 5),
         round(float(products[k].max(initial=0.0)), 5),
         round(float(products[k].min(initial=0.0)), 5))
        for k, channel in enumerate(unit.channels)
    )  # fmt: skip
    columns = ("input", "sum of products", "largest product", "smallest product")
    return (Table("terms", columns, rows, title="Input channels"),)


def summary(result: Opened, unit: Unit, cell: tuple[int, int]) -> str:
    """The place, the sum and what the layer itself gave."""
    own = float(result.found.values[result.channel, cell[0], cell[1]])
    place = result.unit_name(result.channel)
    if result.found.frame is not None:
        place += f", row {cell[0]}, column {cell[1]}"
    words = {Terms: "sum", Window: "maximum", Chain: "result", Shares: "softmax"}[type(unit)]
    found = f"{result.name}, {place}: {words} {number(unit.total)}, the network's output "
    found += number(own)
    if result.size:
        found += f" · output {result.size[0].of} {result.size[0].formula}"
    return found


def size_table(result: Sequence[Size]) -> tuple[Table, ...]:
    """W, K, S, P, D and the output size with its formula."""
    rows = tuple(
        (each.of, each.size, each.kernel, each.stride, _ends(each.padding), each.dilation,
         each.output, each.formula)
        for each in result
    )  # fmt: skip
    columns = ("of", "input W", "kernel K", "stride S", "padding P", "dilation D", "output",
               "(W + 2 P - D (K - 1) - 1) / S + 1")  # fmt: skip
    return (Table("size", columns, rows, title="Output size"),) if rows else ()


def _ends(padding: tuple[int, int]) -> str:
    before, after = padding
    return str(before) if before == after else f"{before} and {after}"
