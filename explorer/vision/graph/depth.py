"""How deep networks are: layers with weights along the longest way from input to output."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torchvision.models as tv
from torchvision.models.resnet import BasicBlock, ResNet

from explorer.vision.graph.recording import recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from explorer.vision.graph.nodes import Graph


@dataclass(frozen=True, slots=True)
class Depths:
    """Of one network.

    Attributes:
        layers: Index and depth of every layer with weights that multiplies; the first has depth 1.
        total: The depth of the deepest.
        shortcuts: Of every addition whose inputs have different depths, the smallest and the
            largest of them: the layers that a residual connection passes by.
    """

    layers: tuple[tuple[int, int], ...]
    total: int
    shortcuts: tuple[tuple[int, int], ...]


def depths_of(graph: Graph) -> Depths:
    """The depth of every layer, as it is counted in names: VGG-19, ResNet-152."""
    depth: list[int] = []
    layers, shortcuts = [], []
    for node in graph.nodes:
        before = [depth[at] for at in node.sources]
        deep = max(before, default=0)
        if node.layer and node.flops and graph.calls[node.call].own:
            deep += 1
            layers.append((node.index, deep))
        if node.kind in ("add", "Add") and len(before) > 1 and min(before) < max(before):
            shortcuts.append((min(before), max(before)))
        depth.append(deep)
    return Depths(tuple(layers), max(depth, default=0), tuple(shortcuts))


class PlainBlock(BasicBlock):  # type: ignore[misc]
    """The block of ResNet-34 without its shortcut (He et al. 2016, figure 3, middle)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.downsample = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to a map of the block's width and stride."""
        y = self.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.relu(self.bn2(self.conv2(y)))
        return out


def _torchvision(name: str, **kwargs: Any) -> nn.Module:
    module: nn.Module = tv.get_model(name, weights=None, **kwargs)
    return module


REFERENCES: dict[str, Callable[[], nn.Module]] = {
    "AlexNet": lambda: _torchvision("alexnet"),
    "VGG-19": lambda: _torchvision("vgg19", init_weights=False),
    "GoogLeNet": lambda: _torchvision("googlenet", init_weights=False, aux_logits=False),
    "Plain-34": lambda: ResNet(PlainBlock, [3, 4, 6, 3]),
    "ResNet-34": lambda: _torchvision("resnet34"),
    "ResNet-152": lambda: _torchvision("resnet152"),
}
"""First and second places of ILSVRC 2012 to 2015, and 34 layers with and without shortcuts."""


@cache
def reference(name: str) -> Graph:
    """The graph of one of `REFERENCES` on 224 x 224 pixels: shapes and costs, but no weights."""
    with torch.device("meta"):
        module = REFERENCES[name]().eval()
        picture = torch.empty(1, 3, 224, 224)
    return recorded(module, lambda: module(picture), [picture])
