"""Decoders that enlarge the last map of EfficientNet-Lite0 by learned steps, with skips and not.

Both have the same widths, so that what differs is the skip connections.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.lite import STAGES
from explorer.networks.embedded.segmentation.parts import LiteSegmenter, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL_STRIDES = (0, 1, 2, 4, 6)
"""The last stages of the body at strides 2, 4, 8, 16 and 32."""

WIDTHS = (56, 48, 32, 24, 16)
"""Channels of the decoders at strides 32, 16, 8, 4 and 2."""


class LiteDeconvNet(LiteSegmenter):
    """Four transposed convolutions of the last map, one after another, and nothing else.

    As in Noh et al. 2015, "Learning Deconvolution Network", but without their unpooling, as the
    body has no max poolings.

    Args:
        num_classes: With the background, which is class 0.
    """

    taps = ALL_STRIDES[-1:]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.project = Conv2dNormActivation(STAGES[-1].channels, WIDTHS[0], 1)
        self.decoder = nn.Sequential()
        for inputs, outputs in pairwise(WIDTHS):
            self.decoder.append(_upward(inputs, outputs, kernel=4))
        self.classifier = nn.Conv2d(WIDTHS[-1], num_classes, 1)

    def scores(self, coarse: Tensor) -> Tensor:
        """The body's map of stride 32 -> (N, num_classes, H/2, W/2) logits.

        Where a side is no multiple of 32 the last pixels have no cell; `outputs` repeats the rim.
        """
        found: Tensor = self.classifier(self.decoder(self.project(coarse)))
        return found

    def outputs(self, images: Tensor, *maps: Tensor) -> dict[str, Tensor]:
        """See `LiteSegmenter`."""
        return {"out": widened(self.scores(*maps), images[..., ::2, ::2])}


class LiteUNet(LiteSegmenter):
    """An enlarged map is joined with the body's own of that stride, step by step to stride 2.

    Ronneberger et al. 2015, "U-Net": an up-convolution of 2x2, a concatenation, a convolution of
    3x3 (two in the paper).

    Args:
        num_classes: With the background, which is class 0.
    """

    taps: Sequence[int] = ALL_STRIDES
    widths: Sequence[int] = WIDTHS
    """Channels of the decoder at the strides of `taps`, from the largest."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        *skips, last = (STAGES[number].channels for number in self.taps)
        self.project = Conv2dNormActivation(last, self.widths[0], 1)
        self.up = nn.ModuleList(
            _upward(inputs, outputs, kernel=2) for inputs, outputs in pairwise(self.widths)
        )
        # The body's maps are not normalized: as they are they would drown what comes from below.
        self.skips = nn.ModuleList(nn.BatchNorm2d(channels) for channels in reversed(skips))
        self.join = nn.ModuleList(
            Conv2dNormActivation(width + skip, width, 3)
            for width, skip in zip(self.widths[1:], reversed(skips), strict=True)
        )
        self.classifier = nn.Conv2d(self.widths[-1], num_classes, 1)

    def scores(self, *maps: Tensor) -> Tensor:
        """The body's maps at `taps` -> (N, num_classes, h, w) logits, as large as the first."""
        x = self.project(maps[-1])
        steps = zip(self.up, self.skips, self.join, reversed(maps[:-1]), strict=True)
        for up, normalize, join, skip in steps:
            x = join(torch.cat([widened(up(x), skip), normalize(skip)], dim=1))
        found: Tensor = self.classifier(x)
        return found


def lite_deconvnet(num_classes: int) -> LiteDeconvNet:
    """See `LiteDeconvNet`."""
    return LiteDeconvNet(num_classes)


def lite_unet(num_classes: int) -> LiteUNet:
    """See `LiteUNet`."""
    return LiteUNet(num_classes)


def _upward(inputs: int, outputs: int, *, kernel: int) -> nn.Sequential:
    """A transposed convolution that doubles the sides."""
    convolution = nn.ConvTranspose2d(
        inputs, outputs, kernel, stride=2, padding=(kernel - 2) // 2, bias=False
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
