"""A convolution as one product of matrices: patches as columns, or the kernel as a large matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Pane
from explorer.views.inside.conv_arithmetic import sliding
from explorer.views.shared import cells
from explorer.views.shared.cells import BLUE, CELL, ORANGE, Scale
from explorer.vision.features.matrices import im2col, toeplitz

if TYPE_CHECKING:
    from explorer.core.layers import Boxes, Float32, Layer
    from explorer.views.inside.conv_arithmetic.source import Excerpt

OUTPUTS = {1: 4, 2: 3, 3: 3}
"""Rows and columns of outputs whose patches are easy to read, by the side of the kernel; else 2."""
POSITIONS = 2
"""Of the kernel in a Toeplitz matrix, down and across."""


def checked(part: Excerpt) -> Excerpt:
    """The same, if there is a kernel.

    Raises:
        ExplorerError: A maximum is no product.
    """
    if not len(part.kernels):
        raise ExplorerError(
            "A max pooling is no product of matrices.",
            "Choose a convolution or an average pooling, or the numbers of an example.",
        )
    return part


def given_pane(part: Excerpt, step: int) -> Pane:
    """The input, and the patch that is one column."""
    _, reads = sliding.outputs(part)
    row, column = sliding.step_of(part, step)
    height, width = part.given.shape
    frame = sliding.window(reads[row, column], width, part.dilation, (0.0, 0.0), ORANGE, "patch")
    layers = (*sliding.given_layers(part, (0.0, 0.0)), frame)
    size = (CELL * width, CELL * height)
    return Pane("given", size, layers, title=f"Input: {width} x {height}", frame="given")


def matrices(part: Excerpt) -> tuple[Float32, Float32, Float32]:
    """The kernels as rows (O, kh * kw), the patches as columns, and their product."""
    columns = im2col(part.given, part.shape, part.stride, part.dilation)
    rows = part.kernels.reshape(len(part.kernels), -1)
    product = rows.astype(np.float64) @ columns.astype(np.float64)
    return rows, columns, product.astype(np.float32)


def im2col_pane(part: Excerpt, step: int) -> Pane:
    """Kernels times patches equals outputs."""
    kernels, columns, product = matrices(part)
    high, many = columns.shape
    at = min(step, many) - 1
    middle = 1.0 + high / 2
    left = 3.2
    starts = (left, left + high + 1.2, left + high + many + 2.4)
    top = middle - len(kernels) / 2
    letters = cells.LARGE if high <= 9 else cells.SMALL
    layers: list[Layer] = [
        cells.word(word, start + wide / 2, 0.5)
        for word, start, wide in zip(
            ("kernels", "patches as columns", "outputs"), starts, (high, many, many), strict=True
        )
    ]
    layers += [
        cells.word(name, left - 0.3, top + k + 0.5, anchor=(1, 0.5))
        for k, name in enumerate(part.names)
    ]
    for values, start, begin, unit in (
        (kernels, starts[0], top, "weight"), (columns, starts[1], 1.0, "input"),
        (product, starts[2], top, "output"),
    ):  # fmt: skip
        layers += cells.layers_of(values, Scale.of(values, unit=unit), at=(start, begin),
                                  name=f"{unit} ", size=letters)  # fmt: skip
    layers += [cells.word("x", starts[1] - 0.6, middle), cells.word("=", starts[2] - 0.6, middle)]
    layers.append(_frame(starts[1] + at, 1.0, 1, high, ORANGE, "column"))
    layers.append(_frame(starts[2] + at, top, 1, len(kernels), BLUE, "outputs"))
    size = (CELL * (starts[2] + many + 0.2), CELL * (high + 1.3))
    title = f"({len(kernels)} x {high}) times ({high} x {many})"
    return Pane("matrix", size, (cells.ground(*size), *layers), title=title, frame="matrix")


def toeplitz_pane(part: Excerpt, step: int) -> Pane:
    """Each row, times the input cell by cell, is an output."""
    kernel = part.kernels[0]
    matrix = toeplitz(kernel, part.given.shape, part.stride, part.dilation)  # type: ignore[arg-type]
    rows, columns = matrix.shape
    product = (matrix.astype(np.float64) @ part.given.ravel()).astype(np.float32)[:, None]
    at = min(step, rows) - 1
    left, top = 2.4, 3.2
    letters = cells.LARGE if columns <= 16 else cells.SMALL
    line = part.given.reshape(1, -1)
    layers: list[Layer] = [
        cells.word("input", left - 0.3, 1.5, anchor=(1, 0.5)),
        cells.word("matrix", left - 0.3, top + rows / 2, anchor=(1, 0.5)),
        cells.word("one row after the other", left + columns / 2, 0.5),
        cells.word("x", left + columns / 2, 2.6),
        cells.word("=", left + columns + 0.6, top + rows / 2),
        cells.word("output", left + columns + 1.7, 2.6),
    ]
    for values, start, begin, unit in (
        (line, left, 1.0, "input"), (matrix, left, top, "weight"),
        (product, left + columns + 1.2, top, "output"),
    ):  # fmt: skip
        layers += cells.layers_of(values, Scale.of(values, unit=unit), at=(start, begin),
                                  name=f"{unit} ", size=letters)  # fmt: skip
    layers.append(_frame(left, top + at, columns, 1, ORANGE, "row"))
    layers.append(_frame(left + columns + 1.2, top + at, 1, 1, BLUE, "outputs"))
    size = (CELL * (left + columns + 2.6), CELL * (top + rows + 0.4))
    title = f"({rows} x {columns}) times ({columns} x 1)"
    return Pane("matrix", size, (cells.ground(*size), *layers), title=title, frame="matrix")


def _frame(
    left: float, top: float, wide: float, high: float, color: tuple[int, int, int], name: str
) -> Boxes:
    box = np.array([[left, top, left + wide, top + high]], np.float32)
    return cells.frames(box, color, name)
