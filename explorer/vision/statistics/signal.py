"""Signal and gradient through deep random networks, plain and residual.

All layers are alike, so what each of them does to the size of the signal is done again by the next:
it vanishes or grows with a power of the depth (Glorot and Bengio 2010; He et al. 2015). A residual
block adds to the signal instead of replacing it (He et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from explorer.vision.statistics.layers import initialize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.vision.statistics.layers import Initialization

CHANNELS = 16
SIDE = 24


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Of one random network.

    Attributes:
        signal: (D,) float64, the standard deviation of the output of each layer.
        gradient: (D,) float64, that of the derivatives with respect to it.
    """

    signal: NDArray[np.float64]
    gradient: NDArray[np.float64]


def random_flow(
    picture: Tensor,
    depth: int,
    how: Initialization,
    generator: torch.Generator,
    *,
    residual: bool,
    norm: bool = False,
) -> Flow:
    """Sends a picture through 3 x 3 convolutions with ReLUs and a random gradient back.

    Args:
        picture: (1, C, H, W), resized to `SIDE` and normalized.
        depth: Number of convolutions after the first, which is from the picture to `CHANNELS`.
        how: Their weights.
        generator: On the CPU.
        residual: Every two convolutions are a block whose input is added to its output.
        norm: Batch norm behind every convolution, over the places of the one picture.
    """
    x = F.interpolate(picture.detach().double().cpu(), (SIDE, SIDE), mode="area")
    x = (x - x.mean()) / x.std().clamp_min(1e-6)
    weights = [_weight(x.shape[1], how, generator)]
    weights += [_weight(CHANNELS, how, generator) for _ in range(depth)]
    outputs: list[Tensor] = []
    with torch.enable_grad():
        x.requires_grad_()
        x = _layer(x, weights[0], norm=norm).relu()
        before = x
        for number, weight in enumerate(weights[1:]):
            if number % 2 == 0:
                before = x
            x = _layer(x, weight, norm=norm)
            if residual and number % 2 == 1:
                x = x + before
            x = x.relu()
            outputs.append(x)
        random = torch.randn(x.shape, generator=generator).to(x)
        gradients = torch.autograd.grad((x * random).sum(), outputs)
    return Flow(_spread(outputs), _spread(gradients))


def _weight(inputs: int, how: Initialization, generator: torch.Generator) -> Tensor:
    weight = torch.empty(CHANNELS, inputs, 3, 3, dtype=torch.float64)
    initialize(weight, how, generator)
    return weight


def _layer(x: Tensor, weight: Tensor, *, norm: bool) -> Tensor:
    y = F.conv2d(x, weight, padding=1)
    return F.batch_norm(y, None, None, training=True) if norm else y


def _spread(tensors: list[Tensor] | tuple[Tensor, ...]) -> NDArray[np.float64]:
    return np.array([float(each.detach().std(correction=0)) for each in tensors], np.float64)
