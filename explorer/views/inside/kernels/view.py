"""The kernels of a convolution layer, and the response of one of them on the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from explorer.core.colormaps import COLORMAPS
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import layer_input_of
from explorer.engine.view import Group, View
from explorer.views.inside.kernels import panes
from explorer.views.inside.kernels.panes import EACH, SCALES, SHOW, Layer, Look, Response
from explorer.views.shared.common import photo_of
from explorer.vision.features.kernels import Kernels, order_of, response

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.layers import Colormap, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.features.kernels import Order

EXPLANATION = r"""
A convolution layer slides **kernels** over its input. Kernel $k$ has a slice of weights $w_{kc}$
for each input channel $c$. At every position $(i, j)$ its weights are multiplied with the input $x$
and added up:

$$ y_{kij} = b_k + \sum_{c, u, v} w_{kcuv} \; x_{cmn} $$

$$ m = si + u - p \qquad n = sj + v - p $$

with stride $s$, padding $p$ and bias $b_k$. The map $y_k$ is channel $k$ of the layer's output,
before batch normalization and the activation function.

**Kernels.** In the first layer each kernel is a small color picture: gray is a weight of 0, a color
is a positive weight of that color, its complement a negative one. A trained first layer has edges
of many directions, color contrasts and blobs; noise is a sign of too little training, and plain
gray is a kernel that does nothing. Deeper kernels have too many channels for that. They stand side
by side: a column for each kernel, a row for each of its slices, red for positive and blue for
negative weights. Kernels of a single slice stand in rows. *L2 norms* shows one number for each
slice:

$$ \| w_{kc} \|_2 = \sqrt{\sum_{u, v} w_{kcuv}^2} $$

A dark row is an input channel that the layer hardly uses, a dark column a kernel that hardly
responds.

**Order.** *Similarity* begins with the kernel of the largest norm; next is always the kernel left
whose cosine to the last one is largest. Kernels of a kind then stand together, and many equal ones
in a row show that the layer has more of them than it needs.

**Response.** Click a kernel, or its row in the table: its slices are shown beside it, and its
response lies over the photo, red where the sum is positive, blue where it is negative. The colors
end at the value that 0.5% of the positions exceed. Click a slice as well: its input channel is
shown, and what it alone gives, without the bias. The responses of all slices and the bias add up to
the output channel.

In a grouped convolution a kernel has slices for the channels of its group only, in a depthwise one
a single slice. A layer that is called several times, such as the head of a detector, is shown at
its first call.

**Sources.** Krizhevsky, Sutskever and Hinton 2012, *ImageNet Classification with Deep Convolutional
Neural Networks*, figure 3 (the first kernels of AlexNet); Zeiler and Fergus 2014, *Visualizing and
Understanding Convolutional Networks*, section 4.1 (dead and aliased kernels, found this way); Li et
al. 2017, *Pruning Filters for Efficient ConvNets*, section 3.1 (kernels of small norm, there the L1
norm, are removed).
"""

ORDERS: tuple[Order, ...] = ("index", "L2 norm", "similarity")


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    return tuple(
        layer.name
        for layer in info.layers
        if "Conv2d" in layer.kind and (layer.leaf or layer.kind.startswith("Parametrized"))
    )


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = param(
        "", "Layer", "The convolution layer whose kernels are shown.", choices=_layers
    )
    kernel: int | None = param(
        None, "Kernel",
        "The kernel (output channel) that is applied to the photo: click one or its row in the "
        "table. By default the one with the largest L2 norm.",
        pick=Pick.SELECT, layer="kernels", low=0, high=65535,
    )  # fmt: skip
    channel: int | None = param(
        None, "Input channel",
        "Applies only the kernel's slice for this input channel: click one. By default all.",
        pick=Pick.SELECT, layer="slices", low=0, high=65535,
    )  # fmt: skip
    show: str = param(
        SHOW[0], "Show", "All weights, or one number for each slice: its L2 norm.",
        effect=Effect.DRAW, choices=SHOW,
    )  # fmt: skip
    order: str = param(
        ORDERS[0], "Order",
        "Kernels and slices by number, the largest L2 norm first, or similar ones side by side.",
        choices=ORDERS,
    )  # fmt: skip
    scale: str = param(
        EACH, "Scale",
        "Each kernel up to its own largest weight, or all kernels of the layer on one scale.",
        effect=Effect.DRAW, choices=SCALES,
    )  # fmt: skip
    contrast: float = param(
        1.0, "Contrast", "Draws small weights in stronger colors; large ones are cut off.",
        effect=Effect.DRAW, low=0.25, high=16.0, log=True,
    )  # fmt: skip
    colormap: str = param(
        "coolwarm", "Colormap", "Maps weights and responses to colors.",
        effect=Effect.DRAW, choices=tuple(COLORMAPS),
    )  # fmt: skip
    opacity: float = param(
        1.0, "Opacity", "Opacity of the response over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A layer, `order` (O,) of its kernels and `slices` (I,) of the chosen one, its response."""

    photo: Picture
    layer: Layer
    order: NDArray[np.intp]
    slices: NDArray[np.intp]
    response: Response


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    layers = _layers(scene.network.info)
    if not layers:
        raise ExplorerError(
            "This network has no convolution layers (Conv2d).", "Choose another network."
        )
    yield Step(_result(scene, params, params.layer or layers[0], layers[0]))


@torch.no_grad()
def _result(scene: Scene, params: Params, name: str, first: str) -> Result:
    network, order = scene.network, cast("Order", params.order)
    conv = dict(network.module.named_modules()).get(name)
    if not isinstance(conv, nn.Conv2d):
        raise ExplorerError(f"The layer {name!r} is not a Conv2d.", "Choose another layer.")

    def layer() -> Layer:
        colors = name == first and network.preprocess.channels == conv.in_channels == 3
        return Layer(name, _words(conv), Kernels.of(conv), colors and conv.groups == 1)

    shown = network.memo(("kernels", name), layer)
    kernels = shown.kernels
    kernel = int(kernels.norms.argmax())
    if params.kernel is not None:
        kernel = min(params.kernel, len(kernels.weights) - 1)
    channel = params.channel
    if channel is not None:
        start = kernels.first_input(kernel)
        channel = min(max(channel, start), start + kernels.weights.shape[1] - 1)
    given = layer_input_of(scene, name)
    return Result(
        photo_of(scene),
        shown,
        network.memo(("kernels", name, order), lambda: order_of(kernels.weights, order)),
        shown.cache.get(
            ("slice order", kernel, order),
            # Colors keep their order.
            lambda: order_of(kernels.weights[kernel], "index" if shown.colors else order),
        ),
        Response(
            kernel,
            channel,
            given.placed(response(conv, given.values, kernel, channel)),
            None if channel is None else given.placed(given.values[:, channel : channel + 1]),
        ),
    )


def _words(conv: nn.Conv2d) -> str:
    """The geometry of the layer: "3 to 32 channels, 3 x 3, stride 2"."""
    height, width = conv.kernel_size
    words = [f"{conv.in_channels:,} to {conv.out_channels:,} channels", f"{width} x {height}"]
    for name, (down, across) in (("stride", conv.stride), ("dilation", conv.dilation)):
        if name == "stride" or (down, across) != (1, 1):
            words.append(f"{name} {across}" if down == across else f"{name} {across} x {down}")
    if conv.groups > 1:
        words.append("depthwise" if conv.groups == conv.in_channels else f"{conv.groups} groups")
    return ", ".join(words)


def draw(result: Result, params: Params) -> Board:
    layer, answer = result.layer, result.response
    look = Look(
        params.show, params.order, params.scale, params.contrast,
        cast("Colormap", params.colormap), params.opacity,
    )  # fmt: skip
    values = answer.maps.values
    summary = [f"{layer.name}: {layer.words}"]
    if layer.kernels.near_zero:
        summary.append(f"{quantity(layer.kernels.near_zero, 'kernel')} near zero")
    summary.append(f"response of kernel {answer.kernel}: {values.min():.3g} to {values.max():.3g}")
    return Board(
        panes=(
            panes.overview(layer, answer, result.order, look),
            panes.slices(layer, answer, result.slices, look),
            panes.given(result.photo, layer, answer, look),
            panes.response(result.photo, answer, look),
        ),
        plots=(layer.cache.get("curve", lambda: panes.norm_curve(layer)),),
        tables=(layer.cache.get(("table", look.order), lambda: panes.table(layer, result.order)),),
        summary=" · ".join(summary),
        notes=panes.notes(layer),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The weights, and the response as a map.

    Keys: `layer`, `weights` (O, I, kh, kw) and `bias` (O,) float32, `norms` (O,) and `slice_norms`
    (O, I) float32, `order` (O,) numbers of the kernels as they are shown; `kernel`, `channel` (-1 =
    all), `response` (h, w) float32 and, where its cells are places of the photo, `extent` (x0, y0,
    x1, y1 in the photo's pixels).
    """
    kernels, answer = result.layer.kernels, result.response
    found: dict[str, Any] = {
        "layer": result.layer.name,
        "weights": kernels.weights,
        "bias": kernels.bias,
        "norms": kernels.norms,
        "slice_norms": kernels.slice_norms,
        "order": result.order,
        "kernel": answer.kernel,
        "channel": -1 if answer.channel is None else answer.channel,
        "response": answer.maps.values[0],
    }
    extent = panes.extent(answer.maps)
    return found if extent is None else {**found, "extent": extent}


VIEW = View(
    name="kernels",
    title="Kernels",
    group=Group.INSIDE,
    summary="The kernels of a convolution layer, and the response of one of them on the photo.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, "
    "section 4.1",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
