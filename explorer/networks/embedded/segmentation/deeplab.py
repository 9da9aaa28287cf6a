"""DeepLab on EfficientNet-Lite0: a class for every pixel (Chen et al. 2018, "DeepLabv3+")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.lite import STAGES, TAPS
from explorer.networks.embedded.segmentation.parts import LiteSegmenter, enlarged

RATES = (3, 6, 9)
"""Dilations of the parallel convolutions, in cells of stride 16."""


class LiteDeepLab(LiteSegmenter):
    """Parallel dilated convolutions on the last maps, sharpened by one of stride 8.

    The maps of strides 16 and 32 are concatenated at stride 16 and convolved with several
    dilations at once (Chen et al. 2017, section 3.3); the output is enlarged, joined with the map
    of stride 8 and refined by one convolution.

    Args:
        num_classes: With the background, which is class 0.
        between: Input channels of the dilated convolutions.
        width: Channels that they and the refinement give.
        low: Channels of the map of stride 8 that take part.
    """

    def __init__(
        self, num_classes: int, *, between: int = 96, width: int = 80, low: int = 24
    ) -> None:
        super().__init__()
        fine, middle, coarse = (STAGES[number].channels for number in TAPS)
        self.project = Conv2dNormActivation(middle + coarse, between, 1)
        self.aspp = ASPP(between, RATES, width)
        self.low = Conv2dNormActivation(fine, low, 1)
        self.refine = Conv2dNormActivation(width + low, width, 3)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def scores(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """The body's maps of strides 8, 16 and 32 -> (N, num_classes, H/8, W/8) logits."""
        both = torch.cat([middle, enlarged(coarse, middle)], dim=1)
        wide = enlarged(self.aspp(self.project(both)), fine)
        found: Tensor = self.classifier(self.refine(torch.cat([wide, self.low(fine)], dim=1)))
        return found


def lite_deeplab(num_classes: int) -> LiteDeepLab:
    """See `LiteDeepLab`."""
    return LiteDeepLab(num_classes)
