"""The numbers behind an output of a layer: what it reads, multiplies and adds, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.inside.conv_arithmetic import enlarging, product, sliding, unit
from explorer.views.inside.conv_arithmetic.params import (
    EXAMPLE,
    IM2COL,
    MATRIX,
    SLIDE,
    TRANSPOSED,
    UNIT,
    UNPOOL,
    Params,
)
from explorer.views.inside.conv_arithmetic.source import example, excerpt, opened
from explorer.views.shared.common import photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.grids import enlargements
from explorer.vision.features.arithmetic import Shares, Terms, Window

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Pane, Picture
    from explorer.engine.scene import Scene
    from explorer.views.inside.conv_arithmetic.enlarging import Enlargement
    from explorer.views.inside.conv_arithmetic.source import Excerpt, Opened
    from explorer.vision.features.arithmetic import Unit

EXPLANATION = r"""
Every number that a network computes is a short calculation. This view writes it out, with the
network's own numbers on your photo. Click a map, or move the mouse over it: the orange frame is
what the output in the blue frame reads.

**Convolution.** The patch $x$ is multiplied by the kernel $w$, weight by weight, and everything is
added, over all input channels $c$:

$$ y_{kij} = b_k + \sum_{c, u, v} w_{kcuv} \; x_{c,\,si + du - p,\,sj + dv - p} $$

with stride $s$, dilation $d$, padding $p$ and bias $b_k$. The channels with the largest
contribution come first; the others follow as one sum. Padding is zeros, in dotted frames. In a
grouped convolution a kernel reads the channels of its group only, in a depthwise one a single
channel. A linear layer is the same with one number for each input.

**Pooling, normalization, activation.** A max pooling takes the largest value of its window, an
average pooling multiplies by one weight. Batch normalization subtracts the mean $\mu$ of the
training photos and divides by their deviation, then scales and shifts:

$$ y = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta $$

**Softmax** turns logits $z$ into probabilities:

$$ p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} $$

**Sliding kernel.** *Play* moves the kernel over a few cells. An input of $W$ cells, a kernel of
$K$, stride $S$, padding $P$ and dilation $D$ give

$$ \left\lfloor \frac{W + 2P - D(K - 1) - 1}{S} \right\rfloor + 1 $$

outputs. *Numbers: an example* has small whole numbers to check by hand, in sizes of your choice.

**Transposed convolution.** Each cell puts the kernel, times its value, on a larger map, $S$ cells
apart; overlapping stamps are added. With the matrix $M$ of a convolution, $y = Mx$, it is the
product with the transpose:

$$ x' = M^\top y $$

For a stride of 2 it is no convolution of its input, and it does not undo one: only the size comes
back. A width of $W$ becomes $(W - 1) S + D (K - 1) + 1$.

**Unpooling** enlarges without weights: a value fills its block (nearest neighbor), stands in one
corner of it (bed of nails), or goes back to where the maximum was (the **switches**, in blue).

**Matrix product.** Convolutions are computed as products of matrices, which processors are fastest
at. *im2col* writes the patches as columns and the kernels as rows: all outputs of all kernels are
one product. The *Toeplitz matrix* has the kernel at every position as a row, zeros elsewhere.

The last four take a few cells of one input channel with its part of the kernel; the sum over all
channels is what the layer gives.

**Sources.** Dumoulin and Visin 2016, *A Guide to Convolution Arithmetic for Deep Learning*; Wang et
al. 2020, *CNN Explainer*; Ioffe and Szegedy 2015, *Batch Normalization*; Zeiler and Fergus 2014
(switches); Chellapilla et al. 2006, *High Performance Convolutional Neural Networks for Document
Processing* (im2col).
"""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`layer` is None for the numbers of an example; what is not shown is None, too."""

    photo: Picture
    show: str
    layer: Opened | None
    part: Excerpt | None = None
    larger: Enlargement | None = None
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield Step(_result(scene, params))


def _result(scene: Scene, params: Params) -> Result:
    photo, show = photo_of(scene), params.show
    by_hand = params.numbers == EXAMPLE and show != UNIT
    layer = None if by_hand else opened(scene, params)
    if show == UNIT:
        return Result(photo, show, layer)
    if show == TRANSPOSED:
        return Result(photo, show, layer, larger=enlarging.transposed(layer, scene, params))
    if show == UNPOOL:
        return Result(photo, show, layer, larger=enlarging.unpooled(layer, params))
    if layer is None:
        part = example(params)
    else:
        side = max(layer.size[0].kernel, layer.size[1].kernel) if layer.size else 1
        most = sliding.OUTPUTS if show == SLIDE else product.OUTPUTS
        count = most.get(side, 2)
        if show == MATRIX and params.form != IM2COL:
            count = product.POSITIONS
        part = excerpt(layer, count, scene)
    return Result(photo, show, layer, part=product.checked(part) if show == MATRIX else part)


def draw(result: Result, params: Params) -> Board:
    if result.larger is not None:
        return _enlarging_board(result, result.larger, params)
    if result.part is None:
        assert result.layer is not None
        return _unit_board(result, result.layer, params)
    if result.show == SLIDE:
        return _sliding_board(result, result.part, params)
    return _product_board(result, result.part, params)


def shown(result: Opened, params: Params) -> tuple[Unit, tuple[int, int]]:
    """The output under the mouse, else the chosen one, with its row and column."""
    cell = result.at(params.at.x, params.at.y) if params.at is not None else None
    cell = cell or result.cell
    return result.cache.get(("unit", cell), lambda: result.how.at(*cell)), cell


def _unit_board(result: Result, layer: Opened, params: Params) -> Board:
    value, cell = shown(layer, params)
    numbers = layer.cache.get(
        ("numbers", cell, params.shown),
        lambda: (
            unit.sum_pane(layer, value, params.shown), unit.plots(layer, value),
            unit.table(layer, value),
        ),
    )  # fmt: skip
    pane, plots, tables = numbers
    return Board(
        panes=(
            unit.map_pane(layer, value, cell, result.photo, (params.over, params.opacity)),
            pane,
        ),
        plots=plots,
        tables=(*tables, *unit.size_table(layer.size)),
        summary=unit.summary(layer, value, cell),
        idle=_idle(layer, value),
    )


def _idle(layer: Opened, value: Unit) -> tuple[str, ...]:
    """Parameters that change nothing with this layer."""
    found = () if isinstance(value, (Terms, Shares)) else ("shown",)
    return found if layer.found.frame is not None else (*found, "place", "at", "over", "opacity")


def _sliding_board(result: Result, part: Excerpt, params: Params) -> Board:
    panes = sliding.photo_of(part, result.photo)
    panes.append(
        result.cache.get(("slide", params.step), lambda: sliding.slide_pane(part, params.step))
    )
    return Board(
        panes=tuple(panes),
        plots=(sliding.plot_of(part, params.step),),
        tables=unit.size_table(part.sizes),
        summary=f"{_name(result)}: {sliding.summary(part, params.step)}",
    )


def _product_board(result: Result, part: Excerpt, params: Params) -> Board:
    make = product.im2col_pane if params.form == IM2COL else product.toeplitz_pane
    step = params.step
    matrix = result.cache.get(("matrix", step), lambda: make(part, step))
    words = f"{_name(result)}: {params.form}, {matrix.title}"
    # A Toeplitz matrix is wide: it needs the room of the photo.
    photo = sliding.photo_of(part, result.photo) if params.form == IM2COL else []
    return Board(
        panes=(*photo, matrix),
        plots=(sliding.plot_of(part, step),),
        tables=unit.size_table(part.sizes),
        summary=words,
    )


def _enlarging_board(result: Result, larger: Enlargement, params: Params) -> Board:
    summary = f"{_name(result)}: {enlarging.summary(larger, params)}"
    if larger.matrix is None:
        title = params.fill[0].upper() + params.fill[1:]
        return Board(panes=_grids(result, larger, larger, title, params), summary=summary)
    if params.matrix:
        pane = larger.cache.get(
            ("matrix pane", params.cell), lambda: enlarging.matrix_pane(larger, params.cell)
        )
        return Board(panes=(pane,), summary=summary)
    count = min(params.step, larger.given.size)
    now = enlarging.so_far(larger, params.step)
    title = f"Sum of {quantity(count, 'stamp')}"
    return Board(
        panes=_grids(result, larger, now, title, params),
        plots=(enlarging.plot_of(larger, params.step),), summary=summary,
    )  # fmt: skip


def _grids(
    result: Result, larger: Enlargement, now: Enlargement, title: str, params: Params
) -> tuple[Pane, ...]:
    return (
        *sliding.photo_pane(larger.place, f"Cells: {larger.words}", result.photo),
        *enlargements.panes_of(
            now, params.cell, given=larger.words, found=title,
            kernel=f", stride {larger.stride}", unit="value",
        ),
    )  # fmt: skip


def _name(result: Result) -> str:
    return "Example" if result.layer is None else result.layer.name


def data(result: Result, params: Params) -> dict[str, Any]:
    """The numbers that are shown.

    Keys: `show` and, of an output of the network, `layer`, `cell` (row, column), `channel`,
    `total` and `output`, what the layer gave. Of a weighted sum `channels` (n,), `values` and
    `weights` (n, kh, kw) float64, `bias`; of a pooling `values` (kh, kw), NaN = padding; of a
    softmax `logits` and `shares` (C,). Of cells that a kernel slides over `given` (h, w) float32,
    `kernels` (O, kh, kw) and `outputs` (R, C); of a transposed convolution or an unpooling `given`,
    `found`, and `kernel` and `matrix`, or `switches`.
    """
    found: dict[str, Any] = {"show": result.show}
    layer, part, larger = result.layer, result.part, result.larger
    if layer is not None:
        found |= {"layer": layer.name, "cell": layer.cell, "channel": layer.channel}
    if part is not None:
        outputs, _ = sliding.outputs(part)
        return found | {"given": part.given, "kernels": part.kernels, "outputs": outputs}
    if larger is not None:
        arrays = {"kernel": larger.kernel, "matrix": larger.matrix, "switches": larger.switches}
        found |= {"given": larger.given, "found": larger.found}
        return found | {name: array for name, array in arrays.items() if array is not None}
    assert layer is not None
    value, cell = shown(layer, params)
    found |= {"cell": cell, "total": value.total}
    found["output"] = float(layer.found.values[layer.channel, cell[0], cell[1]])
    match value:
        case Terms():
            found |= {"channels": value.channels, "values": value.values}
            found |= {"weights": value.weights, "bias": value.bias}
        case Window():
            found["values"] = value.values
        case Shares():
            found |= {"logits": value.logits, "shares": value.shares}
        case _:
            found["steps"] = dict(value.steps)
    return found


VIEW = View(
    name="conv_arithmetic",
    title="Convolution arithmetic",
    group=Group.INSIDE,
    summary="The numbers behind any output of a layer: patch, kernel, products and their sum.",
    explanation=EXPLANATION,
    reference="Dumoulin and Visin 2016, A Guide to Convolution Arithmetic for Deep Learning",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
