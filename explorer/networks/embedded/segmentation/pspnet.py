"""Pyramid pooling on EfficientNet-Lite0 (Zhao et al. 2017, "Pyramid Scene Parsing Network")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.lite import STAGES, TAPS
from explorer.networks.embedded.segmentation.parts import LiteSegmenter, enlarged

BINS = (1, 2, 3, 6)
"""Rows and columns of the pooled grids."""


class PyramidPooling(nn.Module):
    """A map beside its means over 1x1, 2x2, 3x3 and 6x6 bins (section 3.2).

    Args:
        channels: Of the map; each level has a fourth of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(bins), Conv2dNormActivation(channels, channels // len(BINS), 1)
            )
            for bins in BINS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, 2 * channels, H, W)."""
        return torch.cat([x, *(enlarged(level(x), x) for level in self.levels)], dim=1)


class LitePSPNet(LiteSegmenter):
    """Every cell of stride 16 is classified with the means of the whole photo and its parts.

    The maps of strides 16 and 32 stand in for the paper's dilated last map.

    Args:
        num_classes: With the background, which is class 0.
        between: Channels that are pooled.
        width: Channels before the classifier.
    """

    taps = TAPS[1:]

    def __init__(self, num_classes: int, *, between: int = 128, width: int = 112) -> None:
        super().__init__()
        middle, coarse = (STAGES[number].channels for number in self.taps)
        self.project = Conv2dNormActivation(middle + coarse, between, 1)
        self.pyramid = PyramidPooling(between)
        self.fuse = Conv2dNormActivation(2 * between, width, 3)
        self.dropout = nn.Dropout2d(0.1)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def scores(self, middle: Tensor, coarse: Tensor) -> Tensor:
        """The body's maps of strides 16 and 32 -> (N, num_classes, H/16, W/16) logits."""
        both = self.project(torch.cat([middle, enlarged(coarse, middle)], dim=1))
        found: Tensor = self.classifier(self.dropout(self.fuse(self.pyramid(both))))
        return found


def lite_pspnet(num_classes: int) -> LitePSPNet:
    """See `LitePSPNet`."""
    return LitePSPNet(num_classes)
