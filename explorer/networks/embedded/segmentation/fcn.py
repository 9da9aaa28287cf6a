"""A fully convolutional network on EfficientNet-Lite0 (Long, Shelhamer & Darrell 2015, "FCN")."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.lite import STAGES, TAPS
from explorer.networks.embedded.segmentation.parts import LiteSegmenter, twice_as_fine, widened


class LiteFCN(LiteSegmenter):
    """FCN-32s, FCN-16s and FCN-8s in one, with the names of the paper's own layers.

    The body's maps of strides 8, 16 and 32 are what `pool3`, `pool4` and `pool5` are in the paper;
    `fc6` and `fc7`, convolutions in place of a classifier's fully connected layers, look at the
    coarsest. Scores of the classes are made at all three and added from coarse to fine. The
    convolutions that enlarge them twofold begin as bilinear interpolation and are learned; the last
    enlargement is bilinear and fixed, as in the paper.

    Args:
        num_classes: With the background, which is class 0.
        hidden: Channels of `fc6` and `fc7`.
        skip: Channels between a map of the body and its scores.
    """

    def __init__(self, num_classes: int, *, hidden: int = 80, skip: int = 32) -> None:
        super().__init__()
        fine, middle, coarse = (STAGES[number].channels for number in TAPS)
        self.fc6 = Conv2dNormActivation(coarse, hidden, 1)
        self.fc7 = Conv2dNormActivation(hidden, hidden, 3)
        self.score_fr = nn.Conv2d(hidden, num_classes, 1)
        # One convolution more than in the paper, as the body is not trained along.
        self.score_pool4, self.score_pool3 = (
            nn.Sequential(
                Conv2dNormActivation(channels, skip, kernel), nn.Conv2d(skip, num_classes, 1)
            )
            for channels, kernel in ((middle, 1), (fine, 3))
        )
        self.upscore2 = twice_as_fine(num_classes)
        self.upscore_pool4 = twice_as_fine(num_classes)

    def scores(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The body's maps -> scores of the classes at strides 32, 16 and 8, sums so far."""
        at32 = self.score_fr(self.fc7(self.fc6(coarse)))
        at16 = self.score_pool4(middle)
        at16 = at16 + widened(self.upscore2(at32), at16)
        at8 = self.score_pool3(fine)
        at8 = at8 + widened(self.upscore_pool4(at16), at8)
        return at32, at16, at8

    def outputs(self, images: Tensor, *maps: Tensor) -> dict[str, Tensor]:
        """`out`, `out16` and `out32`: the logits of FCN-8s, FCN-16s and FCN-32s at their strides.

        `forward` gives all three at the size of the images.
        """
        at32, at16, at8 = self.scores(*maps)
        return {"out": at8, "out16": at16, "out32": at32}


def lite_fcn(num_classes: int) -> LiteFCN:
    """See `LiteFCN`."""
    return LiteFCN(num_classes)
