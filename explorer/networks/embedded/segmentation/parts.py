"""What the segmentation networks share: the frozen body and ways to enlarge a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.embedded.lite import TAPS, EfficientNetLite0, body_maps, stages

if TYPE_CHECKING:
    from collections.abc import Sequence


class LiteSegmenter(nn.Module):
    """A network on the body of EfficientNet-Lite0. What follows the body is `scores`."""

    taps: Sequence[int] = TAPS
    """The stages of the body whose maps `scores` takes, finest first."""

    scores: Any
    """Those maps -> (N, num_classes, h, w) logits of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.body = stages(EfficientNetLite0())

    def outputs(self, images: Tensor, *maps: Tensor) -> dict[str, Tensor]:
        """The logits by name before they are enlarged to the size of the images.

        Args:
            images: (N, 3, H, W) normalized RGB.
            maps: What the body makes of them at `taps`.
        """
        return {"out": self.scores(*maps)}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) normalized RGB -> `out` (N, num_classes, H, W) logits."""
        found = self.outputs(images, *body_maps(self.body, images, self.taps))
        return {name: enlarged(values, images) for name, values in found.items()}


def enlarged(values: Tensor, like: Tensor) -> Tensor:
    """`values` (N, C, h, w) resized bilinearly to the height and width of `like`."""
    return functional.interpolate(values, like.shape[-2:], mode="bilinear", align_corners=False)


def widened(values: Tensor, like: Tensor) -> Tensor:
    """`values` with the last row and column repeated until it has the size of `like`.

    The body rounds sides down: twice a map of half the size lacks a row where there was an odd
    number.
    """
    down, right = (like.shape[axis] - values.shape[axis] for axis in (-2, -1))
    return functional.pad(values, (0, right, 0, down), mode="replicate")


def twice_as_fine(channels: int) -> nn.ConvTranspose2d:
    """Enlarges twofold; at first bilinearly, every channel for itself (Long et al. 2015, 3.3)."""
    layer = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(channels), range(channels)] = torch.outer(line, line)
    return layer
