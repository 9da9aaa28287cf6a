"""A convolution as one product of matrices: patches as columns, or the kernel as a large matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Pane
from explorer.views.inside.conv_arithmetic import sliding
from explorer.views.shared.grids import cells
from explorer.views.shared.grids.cells import BLUE, CELL, ORANGE, Scale
from explorer.vision.features.matrices import im2col, toeplitz

if TYPE_CHECKING:
    from explorer.core.layers import Boxes, Float32, Layer
    from explorer.views.inside.conv_arithmetic.source import Excerpt

OUTPUTS = {1: 4, 2: 3}
"""Rows and columns of outputs whose patches are easy to read, by the side of the kernel; else 2."""
MARGIN = 3.2
"""Cells at the left, for words."""
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


def matrices(part: Excerpt) -> tuple[Float32, Float32, Float32]:
    """The kernels as rows (O, kh * kw), the patches as columns, and their product."""
    columns = im2col(part.given, part.shape, part.stride, part.dilation)
    rows = part.kernels.reshape(len(part.kernels), -1)
    product = rows.astype(np.float64) @ columns.astype(np.float64)
    return rows, columns, product.astype(np.float32)


def im2col_pane(part: Excerpt, step: int) -> Pane:
    """Kernels at the left, patches above: an output is where a row meets a column."""
    kernels, columns, product = matrices(part)
    high, many = columns.shape
    at = min(step, many) - 1
    rows, wide = part.given.shape
    left = MARGIN + max(high, wide) + 1.0  # of patches and outputs
    tall = max(high, rows)
    top = 1.0 + tall + 1.3  # of kernels and outputs
    layers: list[Layer] = [
        cells.word("input", MARGIN + wide / 2, 0.5),
        cells.word("patches as columns", left + many / 2, 0.5),
        cells.word("kernels as rows", MARGIN + high / 2, top - 0.5),
        cells.word("outputs", left + many / 2, top - 0.5),
    ]
    layers += _given(part, step, (MARGIN, 1.0))
    layers += [
        cells.word(name, MARGIN - 0.25, top + k + 0.5, anchor=(1, 0.5), size=10.0)
        for k, name in enumerate(part.names)
    ]
    over = 1.0 + tall - high
    for values, corner, unit in (
        (kernels, (MARGIN, top), "weight"), (columns, (left, over), "input"),
        (product, (left, top), "output"),
    ):  # fmt: skip
        scale = Scale.of(values, unit=unit, most=2)
        layers += cells.layers_of(values, scale, at=corner, name=f"{unit} ", size=cells.SMALL)
    layers.append(_frame(left + at, over, 1, high, ORANGE, "column"))
    layers.append(_frame(MARGIN, top, high, 1, ORANGE, "row"))
    layers.append(_frame(left + at, top, 1, 1, BLUE, "outputs"))
    size = (CELL * (left + many + 0.3), CELL * (top + len(kernels) + 0.3))
    title = f"({len(kernels)} x {high}) times ({high} x {many})"
    return Pane("matrix", size, tuple(layers), title=title, frame="matrix", drawing=True)


def toeplitz_pane(part: Excerpt, step: int) -> Pane:
    """Each row, times the input cell by cell, is an output."""
    matrix = toeplitz(part.kernels[0], part.given.shape, part.stride, part.dilation)
    rows, columns = matrix.shape
    product = (matrix.astype(np.float64) @ part.given.ravel()).astype(np.float32)[:, None]
    at = min(step, rows) - 1
    high, wide = part.given.shape
    line = 2.8 + high
    top = line + 2.4
    right = MARGIN + columns + 1.0
    layers: list[Layer] = [
        cells.word("input", MARGIN + wide / 2, 0.5),
        cells.word("row after row", MARGIN - 0.25, line + 0.5, anchor=(1, 0.5), size=10.0),
        cells.word("matrix", MARGIN - 0.25, top + rows / 2, anchor=(1, 0.5), size=10.0),
        cells.word("x", MARGIN + columns / 2, line + 1.7),
        cells.word("=", MARGIN + columns + 0.5, top + rows / 2),
        cells.word("output", right + 0.5, top - 0.6),
    ]
    layers += _given(part, step, (MARGIN, 1.0))
    for values, corner, unit in (
        (part.given.reshape(1, -1), (MARGIN, line), "input"), (matrix, (MARGIN, top), "weight"),
        (product, (right, top), "output"),
    ):  # fmt: skip
        scale = Scale.of(values, unit=unit, most=2)
        layers += cells.layers_of(values, scale, at=corner, name=f"{unit} ", size=cells.SMALL)
    layers.append(_frame(MARGIN, top + at, columns, 1, ORANGE, "row"))
    layers.append(_frame(right, top + at, 1, 1, BLUE, "outputs"))
    size = (CELL * (right + 1.4), CELL * (top + rows + 0.4))
    title = f"({rows} x {columns}) times ({columns} x 1)"
    return Pane("matrix", size, tuple(layers), title=title, frame="matrix", drawing=True)


def _given(part: Excerpt, step: int, at: tuple[float, float]) -> list[Layer]:
    """The input, and a frame around the patch of the step."""
    _, reads = sliding.outputs(part)
    row, column = sliding.step_of(part, step)
    width = part.given.shape[1]
    frame = sliding.window(reads[row, column], width, part.dilation, at, ORANGE, "patch")
    return [*sliding.given_layers(part, at, cells.SMALL), frame]


def _frame(
    left: float, top: float, wide: float, high: float, color: tuple[int, int, int], name: str
) -> Boxes:
    box = np.array([[left, top, left + wide, top + high]], np.float32)
    return cells.frames(box, color, name)
