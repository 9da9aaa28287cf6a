"""Mask R-CNN (He et al. 2017): masks of the objects that `lite_fasterrcnn` finds."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.ops import roi_align

from explorer.networks.embedded.lite import STAGES, TAPS, LiteFPN, body_maps
from explorer.networks.embedded.lite_rcnn import (
    AlignedRoIAlign,
    finer_pool,
    lite_fasterrcnn,
    region_convolutions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchvision.models.detection import FasterRCNN


EDGES = 1
"""The stage whose map, of stride 4, shows where an object ends."""

EDGE_STRIDE = 4


class MapsWithEdges(OrderedDict[str, Tensor]):
    """The maps of a pyramid by name, and beside them one that only the masks look at.

    Args:
        maps: Of the pyramid.
        edges: (N, C, H/4, W/4), of the stage `EDGES`.
    """

    def __init__(self, maps: dict[str, Tensor], edges: Tensor) -> None:
        super().__init__(maps)
        self.edges = edges


class EdgeLiteFPN(LiteFPN):
    """`LiteFPN` that also hands out the map of the stage `EDGES`."""

    def forward(self, images: Tensor) -> MapsWithEdges:
        """As `LiteFPN`'s."""
        edges, *features = body_maps(self.body, images, (EDGES, *TAPS))
        maps = self.fpn(OrderedDict((str(i), x) for i, x in enumerate(features)))
        return MapsWithEdges(maps, edges)


class EdgeRoIAlign(AlignedRoIAlign):
    """RoIAlign on the pyramid, and twice as fine on the map of the stage `EDGES`.

    The 2 x 2 finer places of each place follow as further channels: (R, C + 4 E, h, w).
    """

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        """As `AlignedRoIAlign`'s, for `MapsWithEdges`."""
        assert isinstance(x, MapsWithEdges)
        pooled = super().forward(x, boxes, image_shapes)
        height, width = self.output_size
        finer = roi_align(x.edges, boxes, (2 * height, 2 * width), 1 / EDGE_STRIDE, 1, aligned=True)
        # `pixel_unshuffle`, which does nothing where there are no boxes.
        parts = finer.unflatten(3, (width, 2)).unflatten(2, (height, 2))
        parts = parts.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
        return torch.cat([pooled, parts.to(pooled.dtype)], dim=1)


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
    heads.mask_roi_pool = finer_pool(kind=EdgeRoIAlign)
    heads.mask_head = region_convolutions(width + 4 * STAGES[EDGES].channels, layers)
    heads.mask_predictor = OneMaskPredictor(layers[-1], between, num_classes)
    return model
