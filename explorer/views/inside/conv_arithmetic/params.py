"""What can be chosen: the layer and the place, the kind of arithmetic, the example's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Effect, Pick, Point, param
from explorer.views.shared.common import default_layer
from explorer.vision.features.arithmetic import KINDS

if TYPE_CHECKING:
    from explorer.core.network_info import LayerInfo, NetworkInfo
    from explorer.core.params import When

SHOW = UNIT, SLIDE, TRANSPOSED, UNPOOL, MATRIX = (
    "one output value", "sliding kernel", "transposed convolution", "unpooling", "matrix product",
)  # fmt: skip
SOURCES = LAYER, EXAMPLE = ("the layer", "an example")
FORMS = IM2COL, TOEPLITZ = ("im2col", "Toeplitz matrix")
FILLS = NEAREST, NAILS, SWITCHES = ("nearest neighbor", "bed of nails", "max unpooling")
DIMENSIONS = TWO, ONE = ("2-D", "1-D")
MAPS = OUTPUT, _ = ("output", "input")
SOFTMAX = "softmax of the output"
MOST_STEPS = 64


def layers_of(info: NetworkInfo) -> tuple[str, ...]:
    """The layers whose arithmetic is known, the one to begin with first."""
    names = [layer.name for layer in info.layers if _known(layer)]
    if info.task == "classification":
        names.append(SOFTMAX)
    convolutions = [
        layer.name for layer in info.layers if layer.name in names and "Conv2d" in layer.kind
    ]
    first = convolutions[:1] or [name for name in names if name == default_layer(info)]
    return tuple(dict.fromkeys((*first, *names)))


def _known(layer: LayerInfo) -> bool:
    return layer.kind in KINDS or (layer.leaf and "Conv2d" in layer.kind)


def _shows(*words: str) -> When:
    return lambda params, _info: params.show in words


def _of_layer(params: Params, _info: NetworkInfo | None) -> bool:
    return params.show == UNIT or params.numbers == LAYER


def _example(params: Params, _info: NetworkInfo | None) -> bool:
    return params.show not in (UNIT, UNPOOL) and params.numbers == EXAMPLE


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        UNIT, "Show",
        "The sum behind one output, the kernel at all its positions, or what undoes a stride.",
        choices=SHOW,
    )  # fmt: skip
    numbers: str = param(
        LAYER, "Numbers", "A few real numbers of the layer, or small whole ones to check by hand.",
        choices=SOURCES, when=_shows(SLIDE, TRANSPOSED, UNPOOL, MATRIX),
    )  # fmt: skip
    layer: str = param(
        "", "Layer", "The layer whose output is worked out, by its name in the network.",
        choices=layers_of, when=_of_layer,
    )  # fmt: skip
    place: Point | None = param(
        None, "Place",
        "Click on a map: the output of the layer there. By default where it is largest.",
        pick=Pick.CLICK, when=_of_layer,
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "Works out the output under the mouse instead.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True, when=_shows(UNIT),
    )  # fmt: skip
    channel: int | None = param(
        None, "Output channel",
        "The output channel or unit; by default the one with the largest value at the place.",
        pick=Pick.SELECT, layer="units", low=0, high=65535, when=_of_layer,
    )  # fmt: skip
    over: str = param(
        OUTPUT, "Map", "The output channel over the photo, or the input channel that adds most.",
        effect=Effect.DRAW, choices=MAPS, when=_shows(UNIT),
    )  # fmt: skip
    shown: int | None = param(
        None, "Channels shown",
        "Input channels with their numbers, the largest contributions first; by default as many "
        "as are easy to read.",
        effect=Effect.DRAW, low=1, high=32, when=_shows(UNIT),
    )  # fmt: skip
    step: int = param(
        5, "Step", "The position of the kernel: play it, or move it to any output.",
        effect=Effect.DRAW, low=1, high=MOST_STEPS, play=True, kept=False,
        when=_shows(SLIDE, TRANSPOSED, MATRIX),
    )  # fmt: skip
    dimensions: str = param(
        TWO, "Dimensions", "A map, or a single row of it.",
        choices=DIMENSIONS, when=_shows(TRANSPOSED),
    )  # fmt: skip
    matrix: bool = param(
        False, "As a matrix", "Writes the same sum as a product of matrices.",
        effect=Effect.DRAW, when=_shows(TRANSPOSED),
    )  # fmt: skip
    fill: str = param(
        SWITCHES, "Unpooling", "Where the pooled values go in the larger map.",
        choices=FILLS, when=_shows(UNPOOL),
    )  # fmt: skip
    form: str = param(
        IM2COL, "Matrix",
        "The patches as columns, times the kernels as rows; or the kernel at every position as "
        "a matrix, times the whole input.",
        choices=FORMS, when=_shows(MATRIX),
    )  # fmt: skip
    cell: int | None = param(
        None, "Cell", "Click a cell with a number: its places in the larger map are framed.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="cells", low=0, high=63, advanced=True,
        when=_shows(TRANSPOSED, UNPOOL),
    )  # fmt: skip
    size: int = param(
        5, "Input size W", "Rows and columns of the example's input.",
        low=2, high=9, section="Example", when=_example,
    )  # fmt: skip
    kernel: int = param(
        3, "Kernel size K", "Rows and columns of the example's kernel.",
        low=1, high=5, section="Example", when=_example,
    )  # fmt: skip
    stride: int = param(
        1, "Stride S", "Cells between two positions of the kernel.",
        low=1, high=4, section="Example", when=_example,
    )  # fmt: skip
    padding: int = param(
        0, "Padding P", "Rows and columns of zeros at each side of the input.",
        low=0, high=3, section="Example", when=_example,
    )  # fmt: skip
    dilation: int = param(
        1, "Dilation D", "Cells between two neighboring weights of the kernel.",
        low=1, high=3, section="Example", when=_example,
    )  # fmt: skip
    call: int = param(
        0, "Call", "Index of the call, from 0, if the layer runs several times; at most the last.",
        low=0, high=255, advanced=True, when=_of_layer,
    )  # fmt: skip
    opacity: float = param(
        0.7, "Opacity", "Opacity of the maps over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, when=_shows(UNIT),
    )  # fmt: skip
