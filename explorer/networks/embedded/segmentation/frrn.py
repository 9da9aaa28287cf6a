"""A full-resolution residual network on EfficientNet-Lite0 (Pohlen et al. 2016).

"Full-Resolution Residual Networks for Semantic Segmentation in Street Scenes".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.lite import STAGES, TAPS
from explorer.networks.embedded.segmentation.parts import LiteSegmenter, enlarged

STREAM = 8
"""Channels of the residual stream, which has the size of the image."""

WIDTH = 28
"""Channels of the pooling stream."""

LAST = 16
"""Channels of both streams together, before the classifier."""

UNITS = ((WIDTH, 8), (2 * WIDTH, 16), (2 * WIDTH, 32), (WIDTH, 16), (WIDTH, 8))
"""Channels that the units' pooling streams come in with, and their strides."""


class FullResolutionUnit(nn.Module):
    """One step of both streams (figure 2b).

    The residual stream is max-pooled to the cells of the pooling stream and joined with it; two
    convolutions make the new pooling stream, and a third makes of that what is added to the
    residual stream, each value to all pixels of its cell.

    Args:
        inputs: Channels of the pooling stream.
        stride: Pixels of the residual stream between its cells.
    """

    def __init__(self, inputs: int, stride: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(stride)
        self.conv1 = Conv2dNormActivation(inputs + STREAM, WIDTH, 3)
        self.conv2 = Conv2dNormActivation(WIDTH, WIDTH, 3)
        self.to_stream = nn.Conv2d(WIDTH, STREAM, 1)

    def forward(self, pooled: Tensor, stream: Tensor) -> tuple[Tensor, Tensor]:
        """(N, inputs, h, w), (N, STREAM, H, W) -> (N, WIDTH, h, w), (N, STREAM, H, W)."""
        pooled = self.conv2(self.conv1(torch.cat([pooled, self.pool(stream)], dim=1)))
        added = functional.interpolate(self.to_stream(pooled), stream.shape[-2:])
        return pooled, stream + added


class LiteFRRN(LiteSegmenter):
    """A residual stream at the size of the image exchanges with a pooling stream.

    The pooling stream goes through strides 8, 16, 32, 16 and 8. On its way down it takes up the
    frozen body's maps, which stand in for most of the paper's units.

    Args:
        num_classes: With the background, which is class 0.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        fine, middle, coarse = (STAGES[number].channels for number in TAPS)
        self.stem = Conv2dNormActivation(3, STREAM, 3)
        self.reduce = nn.ModuleList(
            Conv2dNormActivation(channels, WIDTH, 1) for channels in (fine, middle, coarse)
        )
        self.units = nn.ModuleList(FullResolutionUnit(inputs, stride) for inputs, stride in UNITS)
        self.pool = nn.MaxPool2d(2)
        self.join = Conv2dNormActivation(STREAM + WIDTH, LAST, 1)
        self.classifier = nn.Conv2d(LAST, num_classes, 1)

    def scores(self, images: Tensor, *maps: Tensor) -> Tensor:
        """Images (N, 3, H, W), the body's maps of strides 8, 16, 32 -> (N, num_classes, H, W)."""
        stream = self.stem(images)
        fine, middle, coarse = (
            reduce(values) for reduce, values in zip(self.reduce, maps, strict=True)
        )
        first, down, bottom, up, top = self.units
        pooled, stream = first(fine, stream)
        pooled, stream = down(torch.cat([self.pool(pooled), middle], dim=1), stream)
        pooled, stream = bottom(torch.cat([self.pool(pooled), coarse], dim=1), stream)
        pooled, stream = up(enlarged(pooled, middle), stream)
        pooled, stream = top(enlarged(pooled, fine), stream)
        joined = self.join(torch.cat([stream, enlarged(pooled, stream)], dim=1))
        found: Tensor = self.classifier(joined)
        return found

    def outputs(self, images: Tensor, *maps: Tensor) -> dict[str, Tensor]:
        """See `LiteSegmenter`."""
        return {"out": self.scores(images, *maps)}


def lite_frrn(num_classes: int) -> LiteFRRN:
    """See `LiteFRRN`."""
    return LiteFRRN(num_classes)
