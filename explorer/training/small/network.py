"""A convolutional network of any depth, plain or residual, that can be changed while it trains.

As the CIFAR networks of He et al. 2016, section 4.2: 3 x 3 convolutions in three stages, the next
one with half the side and twice the channels, global average pooling and a linear layer. A shortcut
over a change of stage drops every second pixel and adds channels of zeros (their option A), so that
plain and residual networks have the same weights. Where we differ: the first convolution is 5 x 5
with a stride of 2, and batch norm, shortcuts and dropout are switches.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.vision.statistics.layers import initialize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.vision.statistics.layers import Initialization

STAGES = 3
KERNEL = 5
"""Of the first convolution."""


@dataclass(slots=True)
class Switches:
    """What is used of a network; may change between two steps."""

    norm: bool = True
    shortcuts: bool = False


class Unit(nn.Module):
    """A convolution with its batch norm."""

    def __init__(
        self, inputs: int, outputs: int, switches: Switches, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)
        self._switches = switches

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return self.norm(y) if self._switches.norm else y


class Block(nn.Module):
    """Two convolutions, with a shortcut around them where those are switched on."""

    def __init__(self, inputs: int, outputs: int, switches: Switches, stride: int) -> None:
        super().__init__()
        self.first = Unit(inputs, outputs, switches, stride=stride)
        self.second = Unit(outputs, outputs, switches)
        self._switches = switches
        self._stride, self._more = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x).relu())
        if self._switches.shortcuts:
            kept = x[:, :, :: self._stride, :: self._stride]
            y = y + F.pad(kept, (0, 0, 0, 0, 0, self._more))
        return y.relu()


class SmallNet(nn.Module):
    """See the module.

    Args:
        classes: Number of outputs.
        layers: Convolutions and the linear layer, at least 2.
        width: Channels of the first stage.
        switches: Kept: whoever holds them can change them.
    """

    def __init__(self, classes: int, layers: int, width: int, switches: Switches) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"a network has at least 2 layers, got {layers}")
        self.switches = switches
        self.stem = Unit(3, width, switches, KERNEL, 2)
        blocks, odd = divmod(layers - 2, 2)
        parts: list[nn.Module] = []
        channels = width
        for stage in range(STAGES):
            # The first stages get what does not divide evenly.
            for place in range(len(range(stage, blocks, STAGES))):
                wide = width * 2**stage
                parts.append(Block(channels, wide, switches, 2 if stage and place == 0 else 1))
                channels = wide
        if odd:
            parts.append(nn.Sequential(Unit(channels, channels, switches), nn.ReLU()))
        self.blocks = nn.ModuleList(parts)
        self.head = nn.Linear(channels, classes)

    def features(self, x: Tensor) -> Tensor:
        """(N, C) pooled features of (N, 3, h, w) pictures."""
        x = self.stem(x).relu()
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, classes) logits; `mask` (N, C) multiplies the features (dropout)."""
        features = self.features(x)
        logits: Tensor = self.head(features if mask is None else features * mask)
        return logits

    @property
    def width(self) -> int:
        """Of the features."""
        return self.head.in_features


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
        nn.init.constant_(block.second.norm.weight, len(blocks) ** -0.5)


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
