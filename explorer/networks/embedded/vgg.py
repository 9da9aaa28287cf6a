"""The plain classifier: convolutions, ReLUs and max poolings in one line, and two matrices."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS = ((32,), (64,), (128, 128), (256, 256, 256))
"""Channels of the convolutions before each max pooling."""


class MiniVGG(nn.Module):
    """A plain network (Simonyan & Zisserman 2014) with torchvision's layer names.

    Nothing but 3x3 convolutions with a bias, ReLUs and 2x2 max poolings up to `avgpool`, so that
    everything that runs a network backwards (unpooling, deconvolution) has an exact meaning here.

    Args:
        num_classes: Number of outputs.
        blocks: Channels of the convolutions in each block; a max pooling ends every block.
        hidden: Width of the fully connected layer before the last one.
        dropout: The part of the hidden layer that is dropped in training.
        norm: With batch normalization behind every convolution, which is how it is trained;
            `without_norm` makes the same function without it.
    """

    def __init__(
        self,
        num_classes: int = 200,
        *,
        blocks: Sequence[Sequence[int]] = BLOCKS,
        hidden: int = 512,
        dropout: float = 0.3,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        layers: list[nn.Module] = []
        inputs = 3
        for block in blocks:
            for outputs in block:
                layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
                if norm:
                    layers.append(nn.BatchNorm2d(outputs))
                layers.append(nn.ReLU(inplace=True))
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(4 * inputs, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        _initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalized RGB, sides of at least 16 -> (N, num_classes) logits."""
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def mini_vgg(num_classes: int = 200) -> MiniVGG:
    """2.4 million parameters, 0.17 GMAC for a photo of 64x64."""
    return MiniVGG(num_classes)


def without_norm(model: MiniVGG) -> MiniVGG:
    """The same function in eval mode, each normalization taken into the convolution before it."""
    plain = copy.deepcopy(model).eval()
    plain.features = fused(plain.features)
    return plain


def fused(sequence: nn.Sequential) -> nn.Sequential:
    """A sequence in eval mode without the normalizations that follow its convolutions."""
    layers: list[nn.Module] = []
    for layer in sequence:
        if isinstance(layer, nn.BatchNorm2d):
            convolution = layers.pop()
            assert isinstance(convolution, nn.Conv2d)
            layer = fuse_conv_bn_eval(convolution, layer)
        layers.append(layer)
    return nn.Sequential(*layers)


def _initialize(model: nn.Module) -> None:
    # He et al. 2015, "Delving Deep into Rectifiers"
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            wide = isinstance(module, nn.Conv2d)
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out" if wide else "fan_in", nonlinearity="relu"
            )
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    nn.init.normal_(last.weight, std=0.01)
