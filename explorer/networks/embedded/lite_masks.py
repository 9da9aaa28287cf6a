"""Mask R-CNN (He et al. 2017): masks of the objects that `lite_fasterrcnn` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

from explorer.networks.embedded.lite_edges import EdgeLiteFPN, edge_channels, edge_pool
from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn, region_convolutions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torchvision.models.detection import FasterRCNN


class OneMaskPredictor(MaskRCNNPredictor):  # type: ignore[misc]
    """One mask for a box, whatever its class (He et al. 2017, table 2b, "class-agnostic").

    Args:
        inputs: Channels of its input.
        between: Channels of the transposed convolution, which doubles height and width.
        num_classes: The mask is given to each of them, as torchvision picks that of a box's class.
    """

    def __init__(self, inputs: int, between: int, num_classes: int) -> None:
        super().__init__(inputs, between, 1)
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> logits (N, num_classes, 2 h, 2 w), the same for all classes."""
        logits: Tensor = super().forward(x)
        return logits.expand(-1, self.num_classes, -1, -1)


def lite_maskrcnn(
    num_classes: int,
    *,
    layers: Sequence[int] = (96,) * 4,
    between: int = 96,
    most: int = 40,
    **options: Any,
) -> FasterRCNN:
    """`lite_fasterrcnn` that also gives a mask of 28x28 for each of its boxes.

    torchvision's `MaskRCNN` is a `FasterRCNN` whose `roi_heads` got three more parts; they get them
    here.

    Args:
        num_classes: With the background, which is class 0.
        layers: Channels of the 3x3 convolutions of the mask branch, on 14x14 places of a box.
        between: Channels of the transposed convolution that makes 28x28 of them.
        most: Boxes per photo, as each mask takes its time.
        options: Of `lite_fasterrcnn`.
    """
    model = lite_fasterrcnn(num_classes, backbone=EdgeLiteFPN, **options)
    heads: Any = model.roi_heads
    width: Any = model.backbone.out_channels
    heads.detections_per_img = most
    heads.mask_roi_pool = edge_pool()
    heads.mask_head = region_convolutions(edge_channels(width), layers)
    heads.mask_predictor = OneMaskPredictor(layers[-1], between, num_classes)
    return model
