"""A convolutional network of any depth, plain or residual, that can be changed while it trains.

As the CIFAR networks of He et al. 2016, section 4.2: 3 x 3 convolutions in three stages, the next
one with half the side and twice the channels, global average pooling and a linear layer. A shortcut
over a change of stage drops every second pixel and adds channels of zeros (their option A), so that
plain and residual networks have the same weights. Where we differ: the first convolution is 5 x 5
with a stride of 2, and batch norm, shortcuts and dropout are switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        self._switches = switches

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        if self._switches.norm:
            y = self.norm(y)
        return y


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


def small_net(
    num_classes: int = 8,
    *,
    layers: int = 8,
    width: int = 16,
    norm: bool = True,
    shortcuts: bool = False,
) -> SmallNet:
    """One whose switches stay as they are: without batch norm it has none."""
    network = SmallNet(num_classes, layers, width, Switches(norm, shortcuts))
    if not norm:
        for unit in [child for child in network.modules() if isinstance(child, Unit)]:
            unit.norm = nn.Identity()
    return network


def layers_in(state: Mapping[str, Tensor] | None) -> dict[str, Any]:
    """What the tensors of a `small_net` say about its options; nothing where there are none."""
    stem = (state or {}).get("stem.conv.weight")
    if state is None or stem is None:
        return {}
    weights = [name for name, tensor in state.items() if name.endswith("weight")]
    convolutions = [name for name in weights if name.endswith("conv.weight")]
    norm = any(name.endswith("norm.weight") for name in weights)
    return {"layers": len(convolutions) + 1, "width": len(stem), "norm": norm}


def frozen(network: SmallNet) -> SmallNet:
    """A copy for inference with the switches as they are: equal outputs in evaluation mode."""
    switches = network.switches
    state = network.state_dict()
    if not switches.norm:
        state = {name: value for name, value in state.items() if ".norm." not in name}
    options = {**layers_in(state), "norm": switches.norm}
    own = small_net(network.head.out_features, shortcuts=switches.shortcuts, **options)
    own.load_state_dict(state)
    return own.to(network.head.weight.device).eval()
