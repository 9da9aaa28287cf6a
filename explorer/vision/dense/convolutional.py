"""A classifier as a fully convolutional network: a score for every window in one forward pass.

What precedes the fully connected layers is convolutional already and takes a picture of any size.
A fully connected layer on the map of one window is a convolution whose kernel has the size of that
map; on the map of a larger picture it gives a score at every place (Long et al. 2015, section 3.1;
Sermanet et al. 2014, "OverFeat", section 3.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import input_until, observed, output_until
from explorer.vision.features.classification import class_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PER_VALUE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Tanh,
    nn.Dropout, nn.Identity, nn.Flatten,
)  # fmt: skip
"""What does the same to every value, in eval mode; the flattening is no more than an order."""
_NO_MAP = (nn.Flatten, nn.Dropout, nn.Identity)
_SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
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
        Cells of windows that end outside the picture, which some paddings add, are dropped.

        Raises:
            ExplorerError: The pictures are smaller than a window.
        """
        return self.slid(self.maps(pictures), self.head, self.bins, pictures.shape[-2:])

    @torch.no_grad()
    def slid(
        self, maps: Tensor, head: Sequence[nn.Module], bins: int, size: Sequence[int]
    ) -> Tensor:
        """What `head` makes of the last map of every window.

        Args:
            maps: (N, D, h, w), computed of the last maps of whole pictures cell by cell.
            head: Layers of which the first linear one takes `bins` x `bins` cells.
            bins: See `head`.
            size: Height and width of the pictures.

        Returns:
            (N, outputs, rows, columns) float32, a cell for every window within the pictures.

        Raises:
            ExplorerError: The pictures are smaller than a window.
        """
        height, width = size
        if min(height, width) < self.window:
            raise ExplorerError(
                f"The picture is smaller than a window of {self.window} pixels.",
                "Choose a larger size.",
            )
        rows, columns = ((side - self.window) // self.stride + 1 for side in (height, width))
        return _scored(maps, head, self.side, bins)[..., :rows, :columns]

    @torch.no_grad()
    def interleaved(self, run: Callable[[Tensor], Tensor], pictures: Tensor, finer: int) -> Tensor:
        """The cells of windows `stride / finer` pixels apart, of `finer` squared passes.

        Each pass begins at another offset. OverFeat does so before its last pooling only (Sermanet
        et al. 2014, section 3.3); with whole pictures it holds for any network (Long et al. 2015,
        section 3.2, shift-and-stitch).

        Args:
            run: ``pictures -> (..., rows, columns)``, such as `scores`.
            pictures: (N, C, H, W) normalized.
            finer: A divisor of the stride.

        Returns:
            (..., rows, columns), a cell for every window within the pictures.
        """
        if finer == 1:
            return run(pictures)
        step = self.stride // finer
        height, width = pictures.shape[-2:]
        downs, acrosses = (
            [offset for offset in range(finer) if side - offset * step >= self.window]
            for side in (height, width)
        )
        parts = [[run(pictures[..., i * step :, j * step :]) for j in acrosses] for i in downs]
        # The first part that has no cell for the next place ends the rows and the columns.
        rows = min(part[0].shape[-2] * finer + i for i, part in enumerate(parts))
        columns = min(part.shape[-1] * finer + j for j, part in enumerate(parts[0]))
        rows = min(rows, (height - self.window) // step + 1)
        columns = min(columns, (width - self.window) // step + 1)
        found = parts[0][0].new_empty((*parts[0][0].shape[:-2], rows, columns))
        for i, row in enumerate(parts):
            for j, part in enumerate(row):
                place = found[..., i::finer, j::finer]
                place.copy_(part[..., : place.shape[-2], : place.shape[-1]])
        return found

    @torch.no_grad()
    def crop_scores(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """The module's own scores of windows, and the last maps on the way to them.

        Args:
            crops: (N, C, window, window) normalized.

        Returns:
            (N, classes) logits and (N, D, side, side).
        """
        maps: list[Tensor] = []

        def before(name: str, _layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            if name == self.layer and not self.after:
                maps.append(inputs[0].clone())

        def behind(name: str, _layer: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            if name == self.layer and self.after:
                maps.append(output.clone())

        with observed(self.module, before, behind):
            scores = class_scores(self.module(crops))
        last = maps[0]
        return scores, functional.relu(last) if self.rectified else last

    @torch.no_grad()
    def sizes(self, pictures: Tensor) -> dict[str, tuple[int, int]]:
        """Height and width of the maps of the convolutions and poolings up to the last map."""
        found: dict[str, tuple[int, int]] = {}

        def behind(name: str, layer: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(layer, _SLIDING) and isinstance(output, Tensor) and output.ndim == 4:
                found[name] = (int(output.shape[-2]), int(output.shape[-1]))

        with observed(self.module, lambda *_: None, behind):
            self.maps(pictures)
        return found


@torch.no_grad()
def convolutionalized(module: nn.Module, picture: Tensor, *, apart: str = "") -> FullyConvolutional:
    """The classifier in its fully convolutional form, with its own weights.

    The form is found by the order of the modules and proved on `picture`: its one score must be the
    module's own output.

    Args:
        module: A classifier in eval mode: convolutional layers, perhaps a pooling to a fixed grid,
            then linear layers; or convolutions to scores that are averaged.
        picture: (1, C, W, W) normalized, of the size that the module classifies.
        apart: A part of the module that makes no scores, such as a box head, by its name.

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
    head, first = _head(module, apart)
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


def _head(module: nn.Module, apart: str) -> tuple[tuple[nn.Module, ...], str]:
    """The linear layers that end a module, with what stands between, and the first one's name."""
    leaves = [
        (name, layer)
        for name, layer in module.named_modules()
        if not list(layer.children()) and not (apart and f"{name}.".startswith(f"{apart}."))
    ]
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
    children = dict(module.named_children())
    top = first.partition(".")[0]
    earlier = list(children)[: list(children).index(top)] if top else []
    # A flattening keeps the values, but not the map.
    last = next((n for n in reversed(earlier) if not isinstance(children[n], _NO_MAP)), "")
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
