"""Maps, and pooling from them, for heads that say something about every place of a box."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor
from torchvision.ops import roi_align

from explorer.networks.embedded.lite import STAGES, TAPS, LiteFPN, body_maps
from explorer.networks.embedded.lite_rcnn import CANONICAL, AlignedRoIAlign

FINER = 4
"""Where every pixel counts, boxes up to so many times as large as for their class are looked at on
the finest map: on the one that tells what they are a joint or an edge has no place of its own."""

EDGES = 1
"""The stage whose map, of stride 4, shows where things end."""

EDGE_STRIDE = 4


class MapsWithEdges(OrderedDict[str, Tensor]):
    """The maps of a pyramid by name, and beside them one that only masks and joints look at.

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


def edge_pool(bins: int = 14) -> EdgeRoIAlign:
    """For the maps of `EdgeLiteFPN`."""
    scale = FINER * CANONICAL
    return EdgeRoIAlign(["0", "1", "2"], bins, 2, canonical_scale=scale)


def edge_channels(width: int) -> int:
    """Channels that `EdgeRoIAlign` makes of maps with so many."""
    return width + 4 * STAGES[EDGES].channels
