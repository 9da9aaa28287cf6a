"""Faster R-CNN on EfficientNet-Lite0: the detector of ordinary photos."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import Conv2dNormActivation, MultiScaleRoIAlign, roi_align

from explorer.networks.embedded.lite import MEAN, STD, LiteFPN

if TYPE_CHECKING:
    from collections.abc import Sequence

ANCHOR_SIZES = ((22, 36), (59, 97), (159, 260))
"""Pixels, for the maps of strides 8, 16 and 32; each a factor of 1.64 above the one before."""

ANCHOR_SHAPES = (0.5, 1.0, 2.0)
"""Height / width."""

BINS = 5
"""Rows and columns that a box is cut into; one point in each, which finds as much as four."""

CANONICAL = 72
"""Boxes of at least this side (the root of the area) go to stride 16, of twice as much to 32."""

GROUPS = 8
"""Of the normalizations in convolutions on boxes, which learn faster with them."""

SHORT_SIDE, LONG_SIDE = 264, 352
"""A photo is resized to this short side, or less where its long side would become too long."""


class AlignedRoIAlign(MultiScaleRoIAlign):  # type: ignore[misc]
    """RoIAlign with the half cell taken off (Wu et al. 2019, Detectron2's `aligned=True`).

    torchvision's own pooling of several maps takes cell i to stand at i, though it covers
    [i, i + 1): boxes are cut half a cell too far down and to the right.
    """

    aligned = True

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        """As torchvision's: maps by name, (R, 4) xyxy for each image -> (sum of R, C, h, w)."""
        if self.scales is None:  # torchvision's own finds them with its first boxes
            super().forward(x, boxes, image_shapes)
        maps = [values for name, values in x.items() if name in self.featmap_names]
        levels = self.map_levels(boxes)
        images = torch.cat([torch.full_like(b[:, :1], i) for i, b in enumerate(boxes)])
        rows = torch.cat([images, torch.cat(boxes)], dim=1)
        found = maps[0].new_zeros((len(rows), maps[0].shape[1], *self.output_size))
        for level, (values, scale) in enumerate(zip(maps, self.scales, strict=True)):
            (here,) = torch.where(levels == level)
            found[here] = roi_align(
                values, rows[here], self.output_size, scale, self.sampling_ratio, aligned=True
            ).to(found.dtype)
        return found


def lite_fasterrcnn(
    num_classes: int,
    *,
    width: int = 112,
    hidden: int = 384,
    short_side: int = SHORT_SIDE,
    long_side: int = LONG_SIDE,
    score: float = 0.03,
    backbone: type[LiteFPN] = LiteFPN,
) -> FasterRCNN:
    """A Faster R-CNN (Ren et al. 2015) of torchvision's own class on `LiteFPN`.

    Args:
        num_classes: With the background, which is class 0.
        width: Channels of the feature pyramid and of the region proposal network.
        hidden: Width of the two fully connected layers of the box head.
        short_side: To which the network resizes the short side of a photo, in pixels.
        long_side: Which the long side may not exceed then.
        score: Boxes with a lower score are dropped.
        backbone: The class of the backbone.
    """
    anchors = AnchorGenerator(ANCHOR_SIZES, (ANCHOR_SHAPES,) * len(ANCHOR_SIZES))
    per_cell = anchors.num_anchors_per_location()[0]
    pool: Any = AlignedRoIAlign(["0", "1", "2"], BINS, 1, canonical_scale=CANONICAL)
    return FasterRCNN(
        backbone(width),
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(width, per_cell),
        box_roi_pool=pool,
        box_head=TwoMLPHead(width * BINS**2, hidden),
        box_predictor=FastRCNNPredictor(hidden, num_classes),
        min_size=short_side,
        max_size=long_side,
        image_mean=list(MEAN),
        image_std=list(STD),
        rpn_pre_nms_top_n_train=600,
        rpn_pre_nms_top_n_test=600,
        rpn_post_nms_top_n_train=300,
        rpn_post_nms_top_n_test=300,
        rpn_batch_size_per_image=256,
        box_batch_size_per_image=64,
        box_positive_fraction=0.3,
        box_score_thresh=score,
        box_nms_thresh=0.5,
        box_detections_per_img=100,
    )


def region_convolutions(inputs: int, layers: Sequence[int]) -> nn.Sequential:
    """3x3 convolutions with group normalization on the places of a box.

    Args:
        inputs: Channels of the maps.
        layers: Channels of each.
    """
    norm = partial(nn.GroupNorm, GROUPS)
    return nn.Sequential(
        *(
            Conv2dNormActivation(before, after, 3, norm_layer=norm)
            for before, after in pairwise((inputs, *layers))
        )
    )
