"""A classifier as a fully convolutional network: a score for every window in one forward pass.

What precedes the fully connected layers is convolutional already and takes a picture of any size.
A fully connected layer on the map of one window is a convolution whose kernel has the size of that
map; on the map of a larger picture it gives a score at every place (Long et al. 2015, section 3.1;
Sermanet et al. 2014, "OverFeat", section 3.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import input_until, output_until
from explorer.vision.features.classification import class_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PER_VALUE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Tanh,
    nn.Dropout, nn.Identity, nn.Flatten,
)  # fmt: skip
"""What does the same to every value, in eval mode; the flattening is no more than an order."""
TOLERANCE = 1e-3
"""Of the scores of one window, relative to the largest of them."""


@dataclass(frozen=True, slots=True, eq=False)
class FullyConvolutional:
    """A classifier that scores every window of a picture of any size.

    Cell (i, j) of its scores belongs to the window of `window` x `window` pixels whose upper left
    corner is at (j * stride, i * stride).

    Attributes:
        module: The classifier, in eval mode.
        window: Side of the pictures that it classifies.
        stride: Pixels between neighboring windows: those between cells of the last map.
        side: Rows and columns of the last map of one window.
        bins: Rows and columns of that map after the pooling, before the first linear layer.
        head: The layers from the first linear one on, in their order; empty where the last map is
            made of scores.
        layer: The module whose input (or with `after` the output) is the last map.
        after: See `layer`.
        rectified: A ReLU that is no module follows.
    """

    module: nn.Module
    window: int
    stride: int
    side: int
    bins: int
    head: tuple[nn.Module, ...]
    layer: str
    after: bool
    rectified: bool

    @torch.no_grad()
    def maps(self, pictures: Tensor) -> Tensor:
        """The last map of (N, C, H, W) normalized pictures: (N, D, h, w)."""
        return _last_map(self.module, pictures, self.layer, self.after, self.rectified)

    @torch.no_grad()
    def scores(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) normalized pictures -> (N, classes, h, w) logits of their windows.

        The pooling to a fixed grid becomes one with a fixed bin at every place, the first linear
        layer a convolution of `bins` x `bins` cells a bin apart, the others convolutions of 1x1.

        Raises:
            ExplorerError: The pictures are smaller than a window.
        """
        if min(pictures.shape[-2:]) < self.window:
            raise ExplorerError(
                f"The picture is smaller than a window of {self.window} pixels.",
                "Choose a larger size.",
            )
        return _scored(self.maps(pictures), self.head, self.side, self.bins)


@torch.no_grad()
def convolutionalized(module: nn.Module, picture: Tensor) -> FullyConvolutional:
    """The classifier in its fully convolutional form, with its own weights.

    The form is found by the order of the modules and proved on `picture`: its one score must be the
    module's own output.

    Args:
        module: A classifier in eval mode: convolutional layers, perhaps a pooling to a fixed grid,
            then linear layers; or convolutions to scores that are averaged.
        picture: (1, C, W, W) normalized, of the size that the module classifies.

    Raises:
        ExplorerError: The module is of another kind.
    """
    own = class_scores(module(picture))
    window = int(picture.shape[-1])
    refusal = ExplorerError(
        "This network cannot be made fully convolutional: it is not a chain of convolutional layers"
        ", a pooling and linear layers.",
        "Choose a convolutional classifier, such as Mini VGG or EfficientNet-Lite0.",
    )
    head, first = _head(module)
    for layer, after, rectified in _candidates(module, first):
        try:
            found = _last_map(module, picture, layer, after, rectified)
        except ExplorerError:  # the layer does not run for a picture
            continue
        if found.ndim != 4 or found.shape[-1] != found.shape[-2]:
            continue
        side, channels = int(found.shape[-1]), int(found.shape[1])
        inputs = head[0].in_features if head and isinstance(head[0], nn.Linear) else channels
        bins = isqrt(inputs // channels)
        if bins * bins * channels != inputs or side % max(bins, 1):
            continue
        scores = _scored(found, head, side, bins)
        if scores.shape[1:] != (own.shape[1], 1, 1) or not _close(scores[:, :, 0, 0], own):
            continue
        wide = functional.pad(picture, (0, 3 * window))
        more = _last_map(module, wide, layer, after, rectified).shape[-1] - side
        if more > 0:
            stride = round(3 * window / more)
            return FullyConvolutional(
                module, window, stride, side, bins, head, layer, after, rectified
            )
    raise refusal


def padded_layers(module: nn.Module) -> tuple[str, ...]:
    """The layers that add zeros around their input.

    At the rim of a window that is cropped they add them; in one pass over the whole picture there
    are the neighboring pixels. So these layers make the two differ.
    """
    found = []
    for name, layer in module.named_modules():
        amount = getattr(layer, "padding", 0)
        sides = amount if isinstance(amount, tuple | list) else (amount,)
        if any(side not in (0, "valid") for side in sides):
            found.append(name)
    return tuple(found)


def multiply_adds(run: Callable[[], object]) -> int:
    """The multiply-adds of the convolutions and matrix products that `run()` computes."""
    with FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total // 2


def _head(module: nn.Module) -> tuple[tuple[nn.Module, ...], str]:
    """The linear layers that end a module, with what stands between, and the first one's name."""
    leaves = [(name, layer) for name, layer in module.named_modules() if not list(layer.children())]
    start = len(leaves)
    while start and isinstance(leaves[start - 1][1], (*_PER_VALUE, nn.Linear, nn.BatchNorm1d)):
        start -= 1
    while start < len(leaves) and not isinstance(leaves[start][1], nn.Linear):
        start += 1
    if start == len(leaves):
        return (), ""
    return tuple(layer for _, layer in leaves[start:]), leaves[start][0]


def _candidates(module: nn.Module, first: str) -> list[tuple[str, bool, bool]]:
    """Where the last map may be: before the last pooling, or else behind what precedes the head."""
    names = [name for name, _ in module.named_modules() if name]
    before = names[: names.index(first)] if first else names
    layers = dict(module.named_modules())
    pools = [n for n in before if isinstance(layers[n], nn.AdaptiveAvgPool2d | nn.AvgPool2d)]
    found = [(pools[-1], False, False)] if pools else []
    children = [name for name, _ in module.named_children()]
    top = first.partition(".")[0]
    last = children[children.index(top) - 1] if top and children.index(top) else ""
    if last:
        found += [(last, True, False), (last, True, True)]
    return found


def _last_map(
    module: nn.Module, pictures: Tensor, layer: str, after: bool, rectified: bool
) -> Tensor:
    reach = output_until if after else input_until
    found: Tensor = reach(module, layer, lambda: module(pictures))
    return functional.relu(found) if rectified else found


def _scored(maps: Tensor, head: Sequence[nn.Module], side: int, bins: int) -> Tensor:
    """(N, D, h, w) last maps -> (N, classes, h - side + 1, w - side + 1) float32."""
    each = side // bins
    x = functional.avg_pool2d(maps, each, stride=1) if each > 1 else maps
    first = True
    for layer in head:
        if isinstance(layer, nn.Linear):
            grid = bins if first else 1
            kernel = layer.weight.view(layer.out_features, -1, grid, grid)
            x = functional.conv2d(x, kernel, layer.bias, dilation=each if first else 1)
            first = False
        elif isinstance(layer, nn.BatchNorm1d):
            x = functional.batch_norm(
                x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
            )
        elif not isinstance(layer, nn.Flatten):
            x = layer(x)
    return x.float()


def _close(found: Tensor, own: Tensor) -> bool:
    # bfloat16 has 8 bits: sums in another order differ by more than a thousandth.
    tolerance = TOLERANCE * max(float(own.abs().max()), 1.0)
    return bool(torch.allclose(found, own, rtol=0.0, atol=tolerance))
