"""RetinaNet and SSD on the body of `lite_fasterrcnn`: boxes and classes in a single stage."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteHead
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.lite import (
    MEAN,
    STAGES,
    STD,
    TAPS,
    EfficientNetLite0,
    LiteFPN,
    body_maps,
    stages,
)
from explorer.networks.embedded.lite_rcnn import (
    ANCHOR_SHAPES,
    ANCHOR_SIZES,
    LONG_SIDE,
    SHORT_SIDE,
)

GROUPS = 16
"""Of the normalizations in RetinaNet's heads."""

SSD_SIDE = 320
"""SSD resizes every photo to a square of this side."""

SSD_RATIOS = ((2, 3),) * 5
"""Width / height of the default boxes of every map, beside 1; each also upright."""


def lite_retinanet(
    num_classes: int, *, width: int = 112, depth: int = 2, score: float = 0.05
) -> RetinaNet:
    """RetinaNet (Lin et al. 2017, "Focal Loss") on the pyramid of `lite_fasterrcnn`.

    Args:
        num_classes: With the background, which is class 0 and never predicted.
        width: Channels of the pyramid and of the heads.
        depth: 3x3 convolutions before the last one of each head (4 in the paper).
        score: Boxes with a lower score are dropped.
    """
    anchors = AnchorGenerator(ANCHOR_SIZES, (ANCHOR_SHAPES,) * len(ANCHOR_SIZES))
    per_cell = anchors.num_anchors_per_location()[0]
    head: Any = RetinaNetHead(width, per_cell, num_classes, partial(nn.GroupNorm, GROUPS))
    for part in (head.classification_head, head.regression_head):
        part.conv = part.conv[:depth]
    return RetinaNet(
        LiteFPN(width),
        num_classes,
        min_size=SHORT_SIDE,
        max_size=LONG_SIDE,
        image_mean=list(MEAN),
        image_std=list(STD),
        anchor_generator=anchors,
        head=head,
        score_thresh=score,
        nms_thresh=0.5,
        detections_per_img=100,
        topk_candidates=300,
    )


class LiteSSDBody(nn.Module):
    """Five maps, of strides 16, 32, 64, 128 and 256: two of the body's, three smaller ones.

    Args:
        width: Channels of every map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = stages(EfficientNetLite0())
        middle, coarse = (STAGES[number].channels for number in TAPS[1:])
        self.necks = nn.ModuleList(_looked_at(channels, width) for channels in (middle, coarse))
        self.extra = nn.ModuleList(_halved(width) for _ in range(3))

    def pyramid(self, middle: Tensor, coarse: Tensor) -> OrderedDict[str, Tensor]:
        """The body's maps of strides 16 and 32 -> the five maps by number."""
        found = [neck(x) for neck, x in zip(self.necks, (middle, coarse), strict=True)]
        for layer in self.extra:
            found.append(layer(found[-1]))
        return OrderedDict((str(i), x) for i, x in enumerate(found))

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """(N, 3, H, W) normalized RGB -> maps "0" to "4" of (N, width, H/16, W/16), …/256."""
        _, middle, coarse = body_maps(self.body, images)
        return self.pyramid(middle, coarse)


def lite_ssd(num_classes: int, *, width: int = 128, score: float = 0.01) -> SSD:
    """SSD (Liu et al. 2016) of torchvision's own class, its heads as in SSDLite.

    Sandler et al. 2018, "MobileNetV2", section 6.2, put a depthwise and a pointwise convolution in
    the place of each 3x3 convolution that predicts. Overlaps and counts of boxes that are kept are
    the paper's (section 2.2 and 3, "Inference time").

    Args:
        num_classes: With the background, which is class 0.
        width: Channels of the maps.
        score: Boxes with a lower score are dropped.
    """
    anchors = DefaultBoxGenerator([list(r) for r in SSD_RATIOS], min_ratio=0.12, max_ratio=0.95)
    per_cell = anchors.num_anchors_per_location()
    head = SSDLiteHead([width] * len(per_cell), per_cell, num_classes, nn.BatchNorm2d)
    return SSD(
        LiteSSDBody(width),
        anchors,
        (SSD_SIDE, SSD_SIDE),
        num_classes,
        image_mean=list(MEAN),
        image_std=list(STD),
        head=head,
        score_thresh=score,
        nms_thresh=0.45,
        detections_per_img=200,
        topk_candidates=400,
    )


def _looked_at(channels: int, width: int) -> nn.Module:
    return nn.Sequential(
        Conv2dNormActivation(channels, width, 1, activation_layer=nn.ReLU6),
        Conv2dNormActivation(width, width, 3, groups=width, activation_layer=nn.ReLU6),
        Conv2dNormActivation(width, width, 1, activation_layer=nn.ReLU6),
    )


def _halved(width: int) -> nn.Module:
    return nn.Sequential(
        Conv2dNormActivation(width, width // 2, 1, activation_layer=nn.ReLU6),
        Conv2dNormActivation(
            width // 2, width // 2, 3, 2, groups=width // 2, activation_layer=nn.ReLU6
        ),
        Conv2dNormActivation(width // 2, width, 1, activation_layer=nn.ReLU6),
    )
