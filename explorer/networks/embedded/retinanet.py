"""RetinaNet (Lin et al. 2017, "Focal Loss") on the body and pyramid of `mini_fasterrcnn`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.retinanet import RetinaNetHead

from explorer.networks.embedded.color_range import MEAN, STD
from explorer.networks.embedded.rcnn import MiniResNetFPN, anchors_for
from explorer.networks.embedded.resnet import MiniResNet

if TYPE_CHECKING:
    from collections.abc import Sequence


def mini_retinanet(
    num_classes: int,
    *,
    width: int = 96,
    depths: Sequence[int] = (3, 2),
    side: int = 192,
    short_side: int | None = None,
) -> RetinaNet:
    """The class and heads of torchvision, but with shorter heads.

    Args:
        num_classes: With the background, which is class 0 and never the answer.
        width: Channels of the pyramid and of the heads.
        depths: 3x3 convolutions before the last one, of the head for classes and for boxes
            (4 and 4 in the paper); each with a group normalization and a ReLU.
        side: Of the scenes it learns from, in pixels.
        short_side: To which the network resizes the short side of a photo; None = `side`.
    """
    anchors = anchors_for(side)
    per_cell = anchors.num_anchors_per_location()[0]
    head: Any = RetinaNetHead(width, per_cell, num_classes, partial(nn.GroupNorm, 16))
    parts = (head.classification_head, head.regression_head)
    for part, depth in zip(parts, depths, strict=True):
        part.conv = part.conv[:depth]
    return RetinaNet(
        MiniResNetFPN(width, MiniResNet()),
        num_classes,
        min_size=short_side or side,
        max_size=2 * (short_side or side),
        image_mean=list(MEAN),
        image_std=list(STD),
        anchor_generator=anchors,
        head=head,
        nms_thresh=0.4,
        detections_per_img=50,
        topk_candidates=300,
    )
