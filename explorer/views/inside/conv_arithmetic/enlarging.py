"""What undoes a stride: transposed convolution as stamps and as a matrix, and unpooling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.core.layers import Curve, Pane, Plot
from explorer.views.inside.conv_arithmetic.params import NEAREST, ONE, SWITCHES
from explorer.views.inside.conv_arithmetic.source import example
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.grids import cells
from explorer.views.shared.grids.cells import CELL, ORANGE, Scale
from explorer.views.shared.grids.enlargements import chosen_cell
from explorer.vision.features.arithmetic import Weighted
from explorer.vision.features.matrices import dilated, toeplitz
from explorer.vision.features.resampling import (
    bed_of_nails,
    max_pool,
    max_unpool,
    nearest,
    spread,
    stamped,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, Layer
    from explorer.engine.scene import Scene
    from explorer.views.inside.conv_arithmetic.params import Params
    from explorer.views.inside.conv_arithmetic.source import Opened

WINDOW = 4
"""Rows and columns that are pooled."""


@dataclass(frozen=True, slots=True, eq=False)
class Enlargement:
    """The numbers, as `explorer.views.shared.grids.enlargements` draws them.

    Attributes:
        matrix: (R * C, r * c) float32 of a transposed convolution: times `given`, it is `found`.
        stride: Of it.
        words: What the given cells are.
        place: Where they are on the photo.
    """

    given: Float32
    found: Float32
    words: str
    place: Extent | None
    spread: Float32 | None = None
    before: Float32 | None = None
    switches: NDArray[np.int64] | None = None
    kernel: Float32 | None = None
    stamps: NDArray[np.int64] | None = None
    matrix: Float32 | None = None
    stride: int = 2
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))


@torch.no_grad()
def transposed(found: Opened | None, scene: Scene, params: Params) -> Enlargement:
    """A few cells, stamped with a kernel: the layer's, or that of the example.

    Of a convolution the cells are of its output, which go back to the input channel that
    contributes most; of a transposed convolution they are of its input.
    """
    if found is None:
        part = example(params, padded=False)
        given, kernel, stride = part.given, part.kernels[0], part.stride
        spacing, words, place = part.dilation, part.words, None
    else:
        given, kernel, stride, spacing, words, place = _of_layer(found, scene, params)
    if params.dimensions == ONE:
        given, kernel = given[len(given) // 2][None], kernel[len(kernel) // 2][None]
    wide = dilated(kernel, spacing)
    weight = torch.from_numpy(wide)[None, None]
    one = torch.from_numpy(np.ascontiguousarray(given))[None, None]
    larger = stamped(one, weight, stride)[0, 0].numpy()
    matrix = toeplitz(wide, larger.shape, stride).T
    ones = toeplitz(np.ones_like(wide), larger.shape, stride).T.sum(axis=1)
    return Enlargement(
        given, larger, words, place, spread=matrix.T.reshape(-1, *larger.shape), kernel=wide,
        stamps=ones.reshape(larger.shape).astype(np.int64), matrix=matrix, stride=stride,
    )  # fmt: skip


def _of_layer(
    found: Opened, scene: Scene, params: Params
) -> tuple[Float32, Float32, int, int, str, Extent | None]:
    layer: Any = dict(scene.network.module.named_modules()).get(found.name)
    how = found.how
    if not (isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(how, Weighted)):
        raise ExplorerError(
            f"The layer {found.name!r} has no kernel to put down.",
            "Choose a convolution or a transposed convolution, or the numbers of an example.",
        )
    if len(set(layer.stride)) > 1 or len(set(layer.dilation)) > 1:
        raise ExplorerError(
            f"The layer {found.name!r} has different strides or dilations down and across.",
            "Choose another layer, or the numbers of an example.",
        )
    terms = how.at(*found.cell)
    cell: tuple[int, ...]
    many = 3 if params.dimensions == ONE else 2
    if isinstance(layer, nn.Conv2d):
        maps, channel, cell = found.found, found.channel, found.cell
        weight = layer.weight[found.channel, int(terms.channels[0]) - how.first]
        words = f"outputs of channel {channel}"
    else:
        maps, channel = found.given, int(terms.channels[0])
        cell = tuple(int(at[0]) if len(at) else 0 for at in (terms.rows, terms.columns))
        weight = layer.weight[channel, found.channel % (layer.out_channels // layer.groups)]
        words = f"inputs, {found.input_name(channel)}"
    values, place = _crop(maps.values[channel], (cell[0], cell[1]), many, maps.frame)
    return (
        values, weight.detach().float().cpu().numpy(), int(layer.stride[0]),
        int(layer.dilation[0]), words, place,
    )  # fmt: skip


def _crop(
    values: Float32, cell: tuple[int, int], many: int, frame: Any
) -> tuple[Float32, Extent | None]:
    rows, columns = (min(many, side) for side in values.shape)
    top = min(max(cell[0] - rows // 2, 0), values.shape[0] - rows)
    left = min(max(cell[1] - columns // 2, 0), values.shape[1] - columns)
    place = None
    if frame is not None:
        box = np.array([[left, top, left + columns, top + rows]], np.float32)
        x0, y0, x1, y1 = frame.inverse().boxes(box)[0].tolist()
        place = (x0, y0, x1, y1)
    return np.ascontiguousarray(values[top : top + rows, left : left + columns]), place


@torch.no_grad()
def unpooled(found: Opened | None, params: Params) -> Enlargement:
    """A few outputs of the layer, or small numbers, max-pooled by two and unpooled again.

    Raises:
        ExplorerError: When the layer's map is too small to pool.
    """
    place: Extent | None
    if found is None:
        down, across = np.mgrid[0:WINDOW, 0:WINDOW]
        values, place = ((3 * down + 5 * across + down * across) % 8).astype(np.float32), None
        words = "cells of an example"
    else:
        rows, columns = found.found.values.shape[1:]
        if min(rows, columns) < 2:
            raise ExplorerError(
                f"The output of {found.name!r} has {columns} x {rows} cells, too few to pool.",
                "Choose another layer, or the numbers of an example.",
            )
        # whole blocks of two, as a pooling of the whole map has them
        even = min(WINDOW, rows // 2 * 2, columns // 2 * 2)
        cell = tuple(at // 2 * 2 for at in found.cell)
        values, place = _crop(
            found.found.values[found.channel, : rows // 2 * 2, : columns // 2 * 2],
            (cell[0], cell[1]), even, found.found.frame,
        )  # fmt: skip
        words = f"outputs of channel {found.channel}"
    maps = torch.from_numpy(values)[None, None]
    pooled = max_pool(maps, 2)
    given = pooled.values[0, 0].numpy()
    if params.fill == SWITCHES:
        larger = max_unpool(pooled.values, pooled.switches, pooled.size)[0, 0].numpy()
        return Enlargement(
            given, larger, words, place, before=values, switches=pooled.switches[0, 0].numpy()
        )
    enlarge = nearest if params.fill == NEAREST else bed_of_nails
    return Enlargement(
        given, enlarge(pooled.values, 2)[0, 0].numpy(), f"pooled {words}", place,
        spread=spread(lambda one: enlarge(one, 2), (given.shape[0], given.shape[1])).numpy(),
    )  # fmt: skip


def so_far(result: Enlargement, step: int) -> Enlargement:
    """With the first stamps only."""
    count = result.given.size
    if result.spread is None or step >= count:
        return result

    def made() -> Enlargement:
        assert result.spread is not None
        weights = np.where(np.arange(count) < step, result.given.ravel(), 0)
        found = np.tensordot(weights, result.spread, axes=1).astype(np.float32)
        return Enlargement(
            result.given, found, result.words, result.place, result.spread, None, None,
            result.kernel, result.stamps, result.matrix, result.stride,
        )  # fmt: skip

    return result.cache.get(("so far", step), made)


def matrix_pane(result: Enlargement, cell: int | None) -> Pane:
    """Each row of the transposed matrix is a stamp, written as a line; times its input, added."""
    assert result.matrix is not None
    matrix = np.ascontiguousarray(result.matrix.T)
    rows, columns = matrix.shape
    product = (result.given.ravel() @ matrix.astype(np.float64)).astype(np.float32)[None]
    given = result.given.reshape(-1, 1)
    scale = Scale.of(given, product, unit="value", most=2)
    left, end = 2.4, 1.0 + rows + 1.0
    middle = 1.0 + rows / 2
    layers: list[Layer] = [
        cells.word("input", 0.2, 0.5, anchor=(0, 0.5)),
        cells.word("x", 1.8, middle),
        cells.word("one stamp in each row", left + columns / 2, 0.5),
        cells.word("sum: the larger map, row after row", left + columns / 2, end - 0.5),
        cells.word("=", 1.8, end + 0.5),
    ]
    for values, tints, at, name in (
        (given, scale, (0.2, 1.0), "input "),
        (matrix, Scale.of(matrix, unit="weight", most=2), (left, 1.0), "weight "),
        (product, scale, (left, end), "output "),
    ):
        layers += cells.layers_of(values, tints, at=at, name=name, size=cells.SMALL)
    row, column = chosen_cell(result, cell)
    at_row = row * result.given.shape[1] + column
    for start, wide, name in ((0.2, 1, "given"), (left, columns, "row")):
        box = np.array([[start, 1.0 + at_row, start + wide, 2.0 + at_row]], np.float32)
        layers.append(cells.frames(box, ORANGE, name))
    size = (CELL * (left + columns + 0.3), CELL * (end + 1.3))
    title = f"(1 x {rows}) times ({rows} x {columns})"
    return Pane("matrix", size, tuple(layers), title=title, frame="matrix", drawing=True)


def plot_of(result: Enlargement, step: int) -> Plot:
    """How many stamps have been put down; the marker moves it."""
    count = result.given.size
    x = np.arange(1.0, count + 1)
    curve = Curve(x, result.given.ravel().astype(np.float64))
    return Plot(
        "stamps", "Inputs in their order", "stamp", "input", curves=(curve,),
        marker=float(min(step, count)), steers="step", stop=float(count), whole_x=True,
    )  # fmt: skip


def summary(result: Enlargement, params: Params) -> str:
    """How the sizes follow from one another, and that all ways give the same."""
    if result.kernel is None or result.matrix is None:
        zeros = float((result.found == 0).mean())
        words = f"{params.fill}: {result.found.shape[1]} x {result.found.shape[0]} cells"
        return f"{words}, {zeros:.0%} of them 0"
    side, kernel, stride = result.given.shape[1], result.kernel.shape[1], result.stride
    size = f"({side} - 1) x {stride} + {kernel} = {result.found.shape[1]}"
    product = result.matrix.astype(np.float64) @ result.given.ravel()
    apart = float(np.abs(product - result.found.ravel()).max())
    same = "equals the sum of the stamps" if apart <= 1e-5 * max(1.0, np.abs(product).max()) else (
        f"differs from the sum of the stamps by {apart:.2g}"
    )  # fmt: skip
    return f"Transposed convolution: width {size} · the matrix product {same}"
