"""The body of the lite networks in a training: the same function in fewer steps.

A normalization with fixed statistics is a factor and a shift per channel, which cost more memory
traffic than the convolution before it when they stand alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.embedded.lite import MEAN, STD, TAPS, InvertedResidual, SeparableBlock
from explorer.networks.embedded.lite_edges import EDGES, MapsWithEdges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.data.canvases import Canvas

FROZEN_STAGES = 3
"""Of the body: edges and textures are the same in other photos as in ImageNet's."""

LARGE = 5
"""oneDNN's bfloat16 gradients of depthwise convolutions of this size are ten times too slow."""


def normalized(canvases: Sequence[Canvas], device: torch.device) -> Tensor:
    """Canvases of one shape -> (N, 3, H, W) float32 as the body needs it, channels last."""
    images = torch.from_numpy(np.stack([canvas.pixels for canvas in canvases])).to(device)
    mean, std = (torch.tensor(v, device=device).view(-1, 1, 1) for v in (MEAN, STD))
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


def folded_maps(body: Any, pixels: Tensor, taps: Sequence[int] = TAPS) -> list[Tensor]:
    """`lite.body_maps` in the caller's autocast, normalizations taken into the filters.

    The first `FROZEN_STAGES` get no gradients.
    """
    learns = torch.is_grad_enabled()
    found = []
    with torch.no_grad():
        x = functional.relu6(_convolved(body.pad(pixels), body.conv_stem, body.bn1))
    for number, stage in enumerate(body.blocks):
        with torch.set_grad_enabled(learns and number >= FROZEN_STAGES):
            for block in stage:
                x = _block(block, x)
        if number in taps:
            found.append(x)
    return found


@torch.no_grad()
def edge_maps(backbone: Any, pixels: Tensor) -> MapsWithEdges:
    """The maps of a frozen `EdgeLiteFPN`, in float32, from `folded_maps` of its body."""
    edges, *stages = folded_maps(backbone.body, pixels, (EDGES, *TAPS))
    maps = backbone.fpn({str(number): x for number, x in enumerate(stages)})
    return MapsWithEdges({name: x.float() for name, x in maps.items()}, edges.float())


def _block(block: SeparableBlock | InvertedResidual, x: Tensor) -> Tensor:
    relu6 = partial(functional.relu6, inplace=True)
    if isinstance(block, SeparableBlock):
        return _convolved(relu6(_convolved(x, block.conv_dw, block.bn1)), block.conv_pw, block.bn2)
    y = relu6(_convolved(x, block.conv_pw, block.bn1))
    slow = block.conv_dw.kernel_size[0] >= LARGE and block.conv_dw.stride[0] > 1
    if slow and torch.is_grad_enabled():
        with torch.autocast(x.device.type, enabled=False):
            y = relu6(_convolved(block.pad(y.float()), block.conv_dw, block.bn2))
    else:
        y = relu6(_convolved(block.pad(y), block.conv_dw, block.bn2))
    y = _convolved(y, block.conv_pwl, block.bn3)
    return x + y if block.adds else y


def _convolved(x: Tensor, conv: nn.Conv2d, norm: Any) -> Tensor:
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return functional.conv2d(
        x, conv.weight * factor.view(-1, 1, 1, 1), norm.bias - norm.running_mean * factor,
        conv.stride, conv.padding, groups=conv.groups,
    )  # fmt: skip
