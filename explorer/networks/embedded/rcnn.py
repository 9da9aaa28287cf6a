"""Two-stage detectors on `MiniResNet`, built from torchvision's own detection classes."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from explorer.networks.embedded.color_range import MEAN, STD
from explorer.networks.embedded.resnet import MiniResNet, stages

if TYPE_CHECKING:
    from collections.abc import Sequence


class MiniResNetFPN(nn.Module):
    """`MiniResNet` up to `layer4` with a feature pyramid (Lin et al. 2017) on its last two stages.

    The maps have strides 8, 16 and 32 (the last one is a max pooling of the second).
    """

    def __init__(self, width: int, body: MiniResNet) -> None:
        super().__init__()
        self.body = stages(body)
        channels = [_outputs(body.layer3), _outputs(body.layer4)]
        self.fpn = FeaturePyramidNetwork(channels, width, extra_blocks=LastLevelMaxPool())
        self.out_channels = width

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """(N, 3, H, W) -> maps "0", "1" and "pool" of (N, width, H/8, W/8), …/16, …/32."""
        features: OrderedDict[str, Tensor] = OrderedDict()
        x = images
        for name, module in self.body.named_children():
            x = module(x)
            if name in ("layer3", "layer4"):
                features[str(len(features))] = x
        maps: OrderedDict[str, Tensor] = self.fpn(features)
        return maps


class GroupPredictor(FastRCNNPredictor):  # type: ignore[misc]
    """A box predictor trained on many classes that outputs groups of them.

    The probability of a group is the sum of those of its classes, as in a word tree (Redmon &
    Farhadi 2017, section 4): log(sum(exp)) over their logits.

    Attributes:
        cls_score: (N, hidden) -> (N, 1 + fine) logits; 0 is the background.
        member: (groups, 1 + fine) bool buffer, which belongs to which; row and column 0 are the
            background. At first every group takes every so-manieth class.
    """

    def __init__(self, hidden: int, num_classes: int, fine: int) -> None:
        super().__init__(hidden, num_classes)
        self.cls_score = nn.Linear(hidden, 1 + fine)
        self.register_buffer("member", torch.empty(num_classes, 1 + fine, dtype=torch.bool))
        self.assign([1 + i % (num_classes - 1) for i in range(fine)])

    def assign(self, groups: Sequence[int]) -> None:
        """Sets the group, 1.., of each class; 0 = none, it is never predicted."""
        member = self.get_buffer("member")
        member.zero_()
        member[0, 0] = True
        for number, group in enumerate(groups, start=1):
            if group:
                member[group, number] = True

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, hidden) -> logits (N, groups) and box deltas (N, groups * 4)."""
        x = x.flatten(start_dim=1)
        return self.summed(self.cls_score(x)), self.bbox_pred(x)

    def summed(self, fine: Tensor) -> Tensor:
        """(N, 1 + fine) logits -> those of the groups (N, groups)."""
        member = self.get_buffer("member")
        if self.training:
            return fine[:, None, :].masked_fill(~member, -math.inf).logsumexp(dim=2)
        # The same by one product; only the slope of an impossible group is another one: zero.
        most = fine.max(dim=1, keepdim=True).values
        sums = (fine - most).exp() @ member.T.to(fine.dtype)
        found: Tensor = sums.clamp(min=torch.finfo(fine.dtype).tiny).log() + most
        return found


def mini_fasterrcnn(
    num_classes: int,
    *,
    fine: int = 0,
    width: int = 96,
    hidden: int = 256,
    side: int = 192,
    short_side: int | None = None,
) -> FasterRCNN:
    """A Faster R-CNN (Ren et al. 2015) of torchvision's own parts on `MiniResNetFPN`.

    Args:
        num_classes: With the background, which is class 0.
        fine: Classes that the box head was trained on, see `GroupPredictor`; 0 = `num_classes`.
        width: Channels of the feature pyramid and of the region proposal network.
        hidden: Width of the two fully connected layers of the box head.
        side: The side of the scenes it learns from, in pixels. Its anchors are 1/13 to 4/5 of it.
        short_side: To which the network resizes the short side of a photo; None = `side`.
    """
    anchors = anchors_for(side)
    resolution = 7
    predictor = GroupPredictor(hidden, num_classes, fine) if fine else None
    return FasterRCNN(
        MiniResNetFPN(width, MiniResNet()),
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(width, anchors.num_anchors_per_location()[0]),
        # Over half a scene -> the coarser map (Lin et al. 2017, eq. 1, with 224 for a scene).
        box_roi_pool=MultiScaleRoIAlign(
            ["0", "1"], output_size=resolution, sampling_ratio=2, canonical_scale=side // 2
        ),
        box_head=TwoMLPHead(width * resolution**2, hidden),
        num_classes=None,
        box_predictor=predictor or FastRCNNPredictor(hidden, num_classes),
        min_size=short_side or side,
        max_size=2 * (short_side or side),
        image_mean=list(MEAN),
        image_std=list(STD),
        rpn_pre_nms_top_n_train=600,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_train=300,
        rpn_post_nms_top_n_test=100,
        rpn_batch_size_per_image=128,
        box_batch_size_per_image=32,
        box_positive_fraction=0.5,
        box_score_thresh=0.02,
        box_nms_thresh=0.4,
        box_detections_per_img=50,
    )


def anchors_for(side: int) -> AnchorGenerator:
    """Two sizes and three shapes for each of the three maps of `MiniResNetFPN`.

    Args:
        side: Of the scenes in pixels; the anchors are 1/13 to 4/5 of it.
    """
    scales = [side / 12.8 * 1.6**i for i in range(6)]
    sizes = tuple((round(scales[i]), round(scales[i + 1])) for i in (0, 2, 4))
    return AnchorGenerator(sizes=sizes, aspect_ratios=((0.5, 1.0, 2.0),) * len(sizes))


def _outputs(stage: nn.Sequential) -> int:
    last = [m for m in stage.modules() if isinstance(m, nn.Conv2d)][-1]
    return last.out_channels
