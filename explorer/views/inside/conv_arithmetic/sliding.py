"""A kernel at all its positions: what it covers, the products there, and the output as it fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Pane, Plot
from explorer.render.numbers import number
from explorer.views.inside.conv_arithmetic.params import MOST_STEPS
from explorer.views.inside.conv_arithmetic.unit import pointers
from explorer.views.shared.common import size_of
from explorer.views.shared.grids import cells
from explorer.views.shared.grids.cells import BLUE, CELL, GRAY, ORANGE, Scale
from explorer.vision.features.matrices import read_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32, Layer, Picture
    from explorer.views.inside.conv_arithmetic.source import Excerpt

OUTPUTS = {1: 5, 2: 4, 3: 3, 4: 3}
"""Rows and columns of outputs that are easy to read, by the side of the kernel; else 2."""
WRITTEN = 9
"""Products that the summary writes out."""


def outputs(part: Excerpt) -> tuple[Float32, NDArray[np.intp]]:
    """All outputs (R, C) with the first kernel, and the cells (R, C, kh, kw) that each reads."""
    at = read_by(part.given.shape, part.shape, part.stride, part.dilation)
    values = part.given.ravel().astype(np.float64)[at]
    if len(part.kernels):
        found = (values * part.kernels[0]).sum(axis=(2, 3))
    else:
        found = np.where(part.padded.ravel()[at], -np.inf, values).max(axis=(2, 3))
    return found.astype(np.float32), at


def step_of(part: Excerpt, step: int) -> tuple[int, int]:
    """Row and column of the output at a step; beyond the last = the last."""
    found, _ = outputs(part)
    at = min(step, found.size) - 1
    return at // found.shape[1], at % found.shape[1]


def photo_pane(place: Extent | None, title: str, photo: Picture) -> list[Pane]:
    """Where on the photo the cells are; nothing where they are of an example."""
    if place is None:
        return []
    box = Boxes(
        np.array([place], np.float32), np.array([ORANGE], np.uint8), selectable=False,
        name="window",
    )  # fmt: skip
    marks = pointers(box.xyxy, photo)
    return [Pane("image", size_of(photo), (photo, box, marks), title=title)]


def photo_of(part: Excerpt, photo: Picture) -> list[Pane]:
    """The photo with the cells of an excerpt."""
    height, width = part.given.shape
    return photo_pane(part.place, f"{width} x {height} cells, {part.words}", photo)


def slide_pane(part: Excerpt, step: int) -> Pane:
    """Input, kernel and products, output: one row of grids."""
    found, reads = outputs(part)
    row, column = step_of(part, step)
    height, width = part.given.shape
    kh, kw = part.shape
    tall = max(height, found.shape[0], 2 * kh + 1.5 if len(part.kernels) else kh) + 1.0
    starts = [0.2, width + 1.5, width + kw + 2.8]

    def top(rows: float) -> float:
        return float(1.0 + (tall - 1.0 - rows) / 2)

    layers: list[Layer] = [cells.word("input", starts[0] + width / 2, 0.5)]
    at = (starts[0], top(height))
    layers += given_layers(part, at)
    mine = reads[row, column]
    layers.append(window(mine, width, part.dilation, at, ORANGE, "kernel"))
    patch = part.given.ravel()[mine]
    middle = 1.0 + (tall - 1.0) / 2
    if len(part.kernels):
        kernel = part.kernels[0]
        over, under = top(2 * kh + 1.5), top(2 * kh + 1.5) + kh + 1.5
        layers.append(cells.word(part.names[0], starts[1] + kw / 2, over - 0.4))
        layers += cells.layers_of(kernel, Scale.of(part.kernels, unit="weight", most=2),
                                  at=(starts[1], over), name="weight ")  # fmt: skip
        products = (patch.astype(np.float64) * kernel).astype(np.float32)
        every = (part.given.ravel()[reads] * kernel).astype(np.float32)  # one scale for all steps
        scale = Scale.of(every, unit="product", most=2)
        layers.append(cells.word("products", starts[1] + kw / 2, under - 0.4))
        layers += cells.layers_of(products, scale, at=(starts[1], under), name="product ")
        layers.append(cells.word("x", starts[1] - 0.65, over + kh / 2))
        layers.append(cells.word("sum", starts[2] - 0.65, under + kh / 2))
    else:
        layers.append(cells.word("maximum", starts[1] + kw / 2, middle))
    filled = found.copy()
    filled.ravel()[row * found.shape[1] + column + 1 :] = np.nan
    out = (starts[2], top(found.shape[0]))
    layers.append(cells.word("output", starts[2] + found.shape[1] / 2, 0.5))
    layers += cells.layers_of(
        filled, Scale.of(found, unit="output", most=2), at=out, name="output "
    )
    box = np.array([[column, row, column + 1, row + 1]], np.float32)
    layers.append(cells.frames(box + np.array([*out, *out], np.float32), BLUE, "filled"))
    size = (CELL * (starts[2] + found.shape[1] + 0.2), CELL * (tall + 0.2))
    title = f"Step {row * found.shape[1] + column + 1} of {found.size}"
    return Pane("slide", size, tuple(layers), title=title, frame="slide", drawing=True)


def given_layers(part: Excerpt, at: tuple[float, float], size: float | None = None) -> list[Layer]:
    """The input with its numbers; padding has dotted frames."""
    scale = Scale.of(part.given, unit="input", most=2)
    layers: list[Layer] = [*cells.layers_of(part.given, scale, at=at, name="input ", size=size)]
    there = np.argwhere(part.padded)[:, ::-1]
    if len(there):
        boxes = np.concatenate([there, there + 1], axis=1).astype(np.float32)
        boxes += np.array([*at, *at], np.float32)
        layers.append(cells.frames(boxes, GRAY, "padding", width=1.5, dotted=True))
    return layers


def window(
    reads: NDArray[np.intp], width: int, dilation: int, at: tuple[float, float], color: Color,
    name: str,
) -> Boxes:  # fmt: skip
    """A frame around the cells of a position, or one around each where there are gaps."""
    rows, columns = np.divmod(reads.ravel(), width)
    boxes = np.stack([columns, rows, columns + 1, rows + 1], axis=1).astype(np.float32)
    if dilation == 1:
        boxes = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
    return cells.frames(boxes + np.array([*at, *at], np.float32), color, name)


def plot_of(part: Excerpt, step: int) -> Plot:
    """The outputs in their order; the marker moves the kernel."""
    found, _ = outputs(part)
    row, column = step_of(part, step)
    count = found.size
    curve = Curve(np.arange(1.0, count + 1), found.ravel().astype(np.float64))
    return Plot(
        "outputs", "Outputs in their order", "step", "output", curves=(curve,),
        marker=float(row * found.shape[1] + column + 1), steers="step",
        stop=float(min(count, MOST_STEPS)), whole_x=True,
    )  # fmt: skip


def summary(part: Excerpt, step: int) -> str:
    """The sum at the step, and the size of the output."""
    found, reads = outputs(part)
    row, column = step_of(part, step)
    patch = part.given.ravel()[reads[row, column]]
    if len(part.kernels) and patch.size <= WRITTEN:
        pairs = zip(patch.ravel().tolist(), part.kernels[0].ravel().tolist(), strict=True)
        terms = " + ".join(f"{_word(x)} x {_word(w)}" for x, w in pairs)
        words = f"{terms} = {number(float(found[row, column]))}"
    else:
        kind = "sum" if len(part.kernels) else "maximum"
        words = f"{kind} of {patch.size}: {number(float(found[row, column]))}"
    if part.sizes:
        words += f" · output {part.sizes[0].of} {part.sizes[0].formula}"
    return words


def _word(value: float) -> str:
    return f"({number(round(value, 3))})" if value < 0 else number(round(value, 3))
