"""Keypoint R-CNN (He et al. 2017, section 5): joints of the people that `lite_fasterrcnn` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNPredictor

from explorer.networks.embedded.lite_edges import EdgeLiteFPN, edge_channels, edge_pool
from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn, region_convolutions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchvision.models.detection import FasterRCNN

JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's, in its order; left and right are the person's own."""


class FewClassesPredictor(FastRCNNPredictor):  # type: ignore[misc]
    """A box predictor trained on many classes that outputs the first few of them.

    The others count as background: its probability is the sum of theirs.

    Args:
        hidden: Channels of its input.
        num_classes: Of the output, the background included.
        fine: The classes it was trained on.
    """

    def __init__(self, hidden: int, num_classes: int, fine: int) -> None:
        super().__init__(hidden, num_classes)
        self.cls_score = nn.Linear(hidden, fine)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, hidden) -> logits (N, num_classes) and box deltas (N, num_classes * 4)."""
        x = x.flatten(start_dim=1)
        scores, deltas = self.cls_score(x), self.bbox_pred(x)
        few = deltas.shape[1] // 4
        others = torch.cat([scores[:, :1], scores[:, few:]], dim=1)
        rest = others.logsumexp(dim=1, keepdim=True)
        return torch.cat([rest, scores[:, 1:few]], dim=1), deltas


def lite_keypointrcnn(
    num_classes: int,
    *,
    fine: int,
    layers: Sequence[int] = (96,) * 8,
    score: float = 0.1,
    most: int = 20,
    **options: Any,
) -> FasterRCNN:
    """`lite_fasterrcnn` that outputs people alone, with a heat map for each of 17 joints.

    torchvision's `KeypointRCNN` is a `FasterRCNN` whose `roi_heads` got three more parts; they get
    them here.

    Args:
        num_classes: With the background; the first ones of the detector's.
        fine: The number of the detector's own classes, with the background.
        layers: Channels of the 3x3 convolutions on 14x14 places of a box.
        score: Boxes with a lower score are dropped.
        most: Boxes per photo, as each one costs as much as a small photo.
        options: Of `lite_fasterrcnn`.
    """
    model = lite_fasterrcnn(num_classes, score=score, backbone=EdgeLiteFPN, **options)
    heads: Any = model.roi_heads
    hidden, width = heads.box_head.fc7.out_features, model.backbone.out_channels
    heads.detections_per_img = most
    heads.box_predictor = FewClassesPredictor(hidden, num_classes, fine)
    heads.keypoint_roi_pool = edge_pool()
    heads.keypoint_head = region_convolutions(edge_channels(width), layers)
    heads.keypoint_predictor = KeypointRCNNPredictor(layers[-1], len(JOINTS))
    return model
