"""A component as a convolutional network (Girshick et al. 2015, section 3).

Root and part filters are convolutions, the distance transform is a pooling layer, and the geometry
of the object a convolution whose kernel has a single 1 for each part: every layer is one that a
network may be trained through. The HOG cells are its input; they can be written as layers as well
(gradients and bins as convolutions, cells as average pooling).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.vision.dpm.matching import FIRST, bordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.vision.dpm.features import Scale
    from explorer.vision.dpm.matching import Border
    from explorer.vision.dpm.models import Component

    Float32 = NDArray[np.float32]


class DistancePooling(nn.Module):
    """Max pooling with a cost for the distance (section 3.2), stride 1, (N, P, h, w) to the same.

        D(p) = max over q in {-k .. k} of  f(p + q) - cost(q)

    With all costs 0 it is ordinary max pooling. Rows come first, then columns.

    Args:
        costs: (P, 4) coefficients of dx, dy, dx^2, dy^2 for each channel.
        reach: k, in cells.
    """

    costs: Tensor

    def __init__(self, costs: Tensor, reach: int) -> None:
        super().__init__()
        self.register_buffer("costs", costs)
        self.reach = reach

    def forward(self, values: Tensor) -> Tensor:
        a, b, c, d = self.costs.T[:, :, None, None]
        return _pooled(_pooled(values, a, c, self.reach, 3), b, d, self.reach, 2)


def _pooled(values: Tensor, slope: Tensor, curve: Tensor, reach: int, axis: int) -> Tensor:
    length = values.shape[axis]
    found = values  # no displacement, no cost
    for offset in range(-min(reach, length - 1), min(reach, length - 1) + 1):
        if offset:
            taken = values.narrow(axis, max(offset, 0), length - abs(offset))
            outside = [max(-offset, 0), max(offset, 0)]
            sides = outside if axis == 3 else [0, 0, *outside]
            moved = F.pad(taken - slope * offset - curve * offset**2, sides, value=-torch.inf)
            found = torch.maximum(found, moved)
    return found


class ComponentNetwork(nn.Module):
    """The layers of one component, from the cells of a scale to the score of every root position.

    Args:
        component: Its filters and costs become the weights.
        reach: See `DistancePooling`.
    """

    def __init__(self, component: Component, reach: int) -> None:
        super().__init__()
        self.root = _convolution(component.root)
        self.parts = nn.ModuleList(_convolution(part.filter) for part in component.parts)
        self.pooling = nn.ModuleList(
            DistancePooling(torch.tensor([part.cost]), reach) for part in component.parts
        )
        self.geometry = _geometry([part.anchor for part in component.parts])
        self.bias = component.bias

    def forward(self, coarse: Tensor, fine: Tensor) -> dict[str, Tensor]:
        """The output of each layer, by its name.

        Args:
            coarse: (1, 31, H, W) cells of the root filter, with a border.
            fine: (1, 31, h, w) cells of the parts, with a border.

        Returns:
            `root` (1, 1, …), `parts` and `pooled` (1, P, h, w), zeros where a filter does not fit,
            `geometry` (1, P, …), what each part adds, and `score` (1, 1, …).
        """
        root = self.root(coarse)
        found = {"root": root}
        added = root.new_zeros(1, 0, *root.shape[2:])
        if len(self.parts):
            size = fine.shape[2:]
            maps = [part(fine) for part in self.parts]
            found["parts"] = torch.cat([_filled(values, size) for values in maps], dim=1)
            # Each at its own size: where a filter does not fit, there is no value to pool.
            pooled = [pool(values) for pool, values in zip(self.pooling, maps, strict=True)]
            found["pooled"] = torch.cat([_filled(values, size) for values in pooled], dim=1)
            reach = self.geometry.kernel_size
            most = [
                2 * (side - 1) + int(of) for side, of in zip(root.shape[2:], reach, strict=True)
            ]
            added = self.geometry(_filled(found["pooled"], most))
        found["geometry"] = added
        found["score"] = root + added.sum(dim=1, keepdim=True) + self.bias
        return found


def _convolution(values: Float32) -> nn.Conv2d:
    """The filter (h, w, 31) as a layer: what is called a convolution there is one here."""
    height, width, channels = values.shape
    layer = nn.Conv2d(channels, 1, (height, width), bias=False)
    layer.weight = nn.Parameter(torch.from_numpy(values.transpose(2, 0, 1).copy())[None])
    return layer.requires_grad_(False)


def _geometry(anchors: Sequence[tuple[int, int]]) -> nn.Conv2d:
    """The object geometry filter: channel p of its output is channel p at the part's anchor.

    The stride of 2 takes the fine cells to the root's.
    """
    width = 1 + FIRST + max((x for x, _ in anchors), default=0)
    height = 1 + FIRST + max((y for _, y in anchors), default=0)
    count = max(len(anchors), 1)
    layer = nn.Conv2d(count, count, (height, width), stride=2, groups=count, bias=False)
    weight = torch.zeros(count, 1, height, width)
    for number, (x, y) in enumerate(anchors):
        weight[number, 0, y + FIRST, x + FIRST] = 1.0
    layer.weight = nn.Parameter(weight)
    return layer.requires_grad_(False)


def _filled(values: Tensor, size: Sequence[int]) -> Tensor:
    """The map with zeros below and on the right, or cut, so that it has `size`."""
    down, across = (int(side) - there for side, there in zip(size, values.shape[2:], strict=True))
    return F.pad(values, (0, across, 0, down))


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutput:
    """One layer: its kind and kernel in words, its output (C, h, w), float32, its weights."""

    name: str
    words: str
    values: Float32
    weights: int


@torch.no_grad()
def layers(
    scale: Scale, component: Component, border: Border, reach: int
) -> tuple[LayerOutput, ...]:
    """Every layer of the component's network at a scale."""
    network = ComponentNetwork(component, reach)
    coarse = _batch(bordered(scale.root.cells, border.down, border.across))
    fine = _batch(bordered(scale.fine.cells, 2 * border.down, 2 * border.across))
    outputs = network(coarse, fine)
    height, width = component.root.shape[:2]
    count = len(component.parts)
    shapes = dict.fromkeys(f"{p.filter.shape[1]} x {p.filter.shape[0]}" for p in component.parts)
    down, across = network.geometry.kernel_size
    words = {
        "root": (f"convolution {width} x {height}", component.root.size),
        "parts": (
            f"convolution {', '.join(shapes)}", sum(p.filter.size for p in component.parts)
        ),
        "pooled": (f"distance transform pooling, k = {reach}", 4 * count),
        "geometry": (f"sparse convolution {across} x {down}, stride 2", count),
        "score": ("sum and bias", 1),
    }  # fmt: skip
    return tuple(LayerOutput(name, *_said(words[name], values)) for name, values in outputs.items())


def _said(words: tuple[str, int], values: Tensor) -> tuple[str, Float32, int]:
    return words[0], values[0].numpy(), words[1]


def _batch(cells: Float32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(cells.transpose(2, 0, 1)))[None]
