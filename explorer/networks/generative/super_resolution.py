"""Four times as many pixels a side: residual blocks at the small size, then pixel shuffling.

Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution" (EDSR, without
normalization); the last step is Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution
Using an Efficient Sub-Pixel Convolutional Neural Network".
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

SCALE = 4


class SuperResolution(nn.Module):
    """What it adds to the bicubic enlargement is learned.

    Args:
        width: Channels.
        blocks: Residual blocks.
    """

    def __init__(self, width: int = 48, blocks: int = 8) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.tail = nn.Conv2d(width, width, 3, padding=1)
        self.up = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.LeakyReLU(0.1),
            nn.Conv2d(width, 4 * 32, 3, padding=1), nn.PixelShuffle(2), nn.LeakyReLU(0.1),
            nn.Conv2d(32, 3, 3, padding=1),
        )  # fmt: skip
        last = self.up[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.normal_(last.weight, std=1e-3)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) RGB, 0..1 -> (N, 3, 4 H, 4 W), a little beyond 0..1 at sharp edges."""
        first = self.head(pictures - 0.5)
        maps = first
        for block in self.blocks:
            maps = block(maps)
        added: Tensor = self.up(self.tail(maps) + first).float()
        return bicubic(pictures, SCALE) + added


class _Block(nn.Module):
    """Two convolutions, a ReLU between them, beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = maps + self.conv2(functional.relu(self.conv1(maps)))
        return found


def bicubic(pictures: Tensor, scale: float) -> Tensor:
    """(N, C, H, W) resized by cubic convolution, low-pass filtered where it gets smaller."""
    size = [max(1, round(scale * side)) for side in pictures.shape[2:]]
    return functional.interpolate(
        pictures.float(), size, mode="bicubic", antialias=scale < 1, align_corners=False
    )
