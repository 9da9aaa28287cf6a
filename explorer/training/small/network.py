"""Weights of a `SmallNet`, drawn anew; and a deeper network that computes the same function."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from explorer.networks.embedded.small_net import Block, SmallNet
from explorer.vision.statistics.layers import initialize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.vision.statistics.layers import Initialization


def convolutions(network: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """The layers with weights, from the first to the last."""
    for child in network.modules():
        if isinstance(child, (nn.Conv2d, nn.Linear)):
            yield child


def draw_weights(network: nn.Module, how: Initialization, generator: torch.Generator) -> None:
    """New weights in all layers; biases 0, norms as if they had not been trained."""
    for layer in convolutions(network):
        initialize(layer.weight, how, generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for child in network.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.reset_parameters()


def scale_branches(network: SmallNet) -> None:
    """Begins every block's last batch norm with a scale of 1 over the root of their number.

    So all blocks together add about as much to the signal as there is of it, whatever the depth (De
    and Smith 2020, section 3); without that a deep residual network begins slowly.
    """
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    for block in blocks:
        norm = block.second.norm
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.constant_(norm.weight, len(blocks) ** -0.5)


def with_identity_layers(network: SmallNet, more: int) -> nn.Sequential:
    """The same function, computed by a deeper network: what a shallow network can, a deep one can.

    Behind the last block come `more` convolutions whose kernels pass every channel on unchanged
    (1 in the middle, 0 elsewhere), each with a ReLU, which changes nothing: its input is a ReLU's
    output (He et al. 2016, section 1).

    Args:
        network: Copied; it has no batch norm in use, else its copies have.
        more: Identity layers.
    """
    own = copy.deepcopy(network)
    channels = own.width
    parts: list[nn.Module] = [own.stem, nn.ReLU(), *own.blocks]
    for _ in range(more):
        conv = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.dirac_(conv.weight)
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)
        parts += [conv.to(own.head.weight.device), nn.ReLU()]
    return nn.Sequential(*parts, _Pool(), own.head)


class _Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))
