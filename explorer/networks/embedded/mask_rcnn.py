"""Mask R-CNN (He et al. 2017): `mini_fasterrcnn` with a mask branch of torchvision's own parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from explorer.networks.embedded.rcnn import mini_fasterrcnn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchvision.models.detection import FasterRCNN


def mini_maskrcnn(
    num_classes: int, *, layers: Sequence[int] = (96, 96, 96), between: int = 96, **options: Any
) -> FasterRCNN:
    """A Faster R-CNN that also gives a mask of 28x28 for each of its boxes and every class.

    torchvision's `MaskRCNN` is a `FasterRCNN` whose `roi_heads` got three more parts; they get them
    here.

    Args:
        num_classes: With the background, which is class 0.
        layers: Channels of the 3x3 convolutions of the mask branch, on 14x14 places of a box.
        between: Channels of the transposed convolution that makes 28x28 of them.
        options: Of `mini_fasterrcnn`.
    """
    model = mini_fasterrcnn(num_classes, **options)
    heads = model.roi_heads
    box_pool: Any = heads.box_roi_pool
    heads.mask_roi_pool = MultiScaleRoIAlign(
        ["0", "1"], output_size=14, sampling_ratio=2, canonical_scale=box_pool.canonical_scale
    )
    width: Any = model.backbone.out_channels
    heads.mask_head = MaskRCNNHeads(width, layers, dilation=1)
    heads.mask_predictor = MaskRCNNPredictor(layers[-1], between, num_classes)
    return model
