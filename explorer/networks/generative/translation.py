"""Picture to picture: the U-Net of pix2pix, the patch discriminator, and CycleGAN's generator.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks" (Appendix 6.1,
with fewer channels); Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks" (Appendix 7.2, likewise).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

WIDTHS = (32, 64, 128, 128, 128)
"""Channels of the U-Net at 1/2, 1/4, ... of the picture's side."""

DROPPED = 2
"""The decoder's first steps drop half of their channels, in training and (as the paper's noise)
wherever it is asked for."""


class UNetGenerator(nn.Module):
    """Encoder and decoder of 4 x 4 convolutions with skip connections.

    Args:
        widths: Channels of the encoder's steps.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        inputs = 3
        for number, width in enumerate(widths):
            layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, 1, bias=number == 0)]
            if number:
                layers.append(nn.BatchNorm2d(width))
            self.down.append(nn.Sequential(*layers))
            inputs = width
        self.up = nn.ModuleList()
        for width, beside in zip((*widths[-2::-1], 3), (*widths[-2::-1], 0), strict=True):
            layers = [nn.ConvTranspose2d(inputs, width, 4, 2, 1, bias=not beside)]
            if beside:
                layers.append(nn.BatchNorm2d(width))
            self.up.append(nn.Sequential(*layers))
            inputs = width + beside
        self.drop = nn.Dropout2d(0.5)

    def forward(
        self,
        pictures: Tensor,
        *,
        without: Collection[int] = (),
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """(N, 3, H, W), -1..1 -> the same, translated; H and W are multiples of 32.

        Args:
            pictures: In the first domain.
            without: Skip connections that carry zeros: 1 = from half of the side, 2, 3, ...
            noise: Draws the channels that are dropped, as in training; None = as the mode says.
        """
        kept: list[Tensor] = []
        maps = pictures
        for number, step in enumerate(self.down):
            maps = step(functional.leaky_relu(maps, 0.2) if number else maps)
            kept.append(maps)
        for number, step in enumerate(self.up):
            maps = step(functional.relu(maps))
            if number < DROPPED:
                maps = self.drop(maps) if noise is None else _dropped(maps, self.drop.p, noise)
            level = len(self.up) - 1 - number
            if level:
                beside = kept[level - 1]
                maps = torch.cat([maps, beside * 0 if level in without else beside], dim=1)
        return maps.float().tanh()


def _dropped(maps: Tensor, share: float, noise: torch.Generator) -> Tensor:
    """(N, C, h, w) with that share of the channels at zero, the others larger to match."""
    kept = torch.rand(maps.shape[:2], generator=noise, device=noise.device) >= share
    return maps * (kept / (1 - share)).to(maps)[:, :, None, None]


class PatchDiscriminator(nn.Module):
    """A score for every patch of 34 x 34 pixels, above zero for real ones.

    Args:
        inputs: Channels: 6 for a picture beside its translation, 3 for one alone.
        widths: Channels of its steps.
        norm: Batch normalization; else instance normalization.
    """

    def __init__(
        self, inputs: int = 6, widths: Sequence[int] = (32, 64, 128), *, norm: bool = True
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, width in enumerate(widths):
            layers.append(nn.Conv2d(inputs, width, 4, 2 if number < len(widths) - 1 else 1, 1))
            if number:
                normed = nn.BatchNorm2d(width) if norm else nn.InstanceNorm2d(width)
                layers.append(normed)
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            inputs = width
        layers.append(nn.Conv2d(inputs, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, inputs, H, W), -1..1 -> (N, 1, h, w) scores."""
        found: Tensor = self.layers(pictures).float()
        return found


class MapTranslators(nn.Module):
    """Photo to map and back, photo to map by L1 alone, and what judges maps."""

    def __init__(self) -> None:
        super().__init__()
        self.to_map = UNetGenerator()
        self.to_photo = UNetGenerator()
        self.to_map_l1 = UNetGenerator()
        self.judges = nn.ModuleDict({"to_map": PatchDiscriminator()})

    def forward(self, photos: Tensor) -> Tensor:
        """(N, 3, H, W), -1..1 -> their maps."""
        found: Tensor = self.to_map(photos)
        return found


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with instance normalization beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=False),
            nn.InstanceNorm2d(width, affine=True), nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = maps + self.layers(maps)
        return found


class ResidualGenerator(nn.Module):
    """CycleGAN's: to a quarter of the side, residual blocks, and back.

    Args:
        width: Channels at the full side.
        blocks: Residual blocks.
    """

    def __init__(self, width: int = 20, blocks: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=False),
            nn.InstanceNorm2d(width, affine=True), nn.ReLU(inplace=True),
        ]  # fmt: skip
        for _ in range(2):
            layers += [
                nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False),
                nn.InstanceNorm2d(2 * width, affine=True), nn.ReLU(inplace=True),
            ]  # fmt: skip
            width *= 2
        layers += [ResidualBlock(width) for _ in range(blocks)]
        for _ in range(2):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(width, width // 2, 3, 1, 1, bias=False),
                nn.InstanceNorm2d(width // 2, affine=True), nn.ReLU(inplace=True),
            ]  # fmt: skip
            width //= 2
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7)]
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W), -1..1 -> the same, translated; H and W are multiples of 4."""
        found: Tensor = self.layers(pictures).float()
        return found.tanh()


class CycleTranslators(nn.Module):
    """Photo to map and back, learned without pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.to_map = ResidualGenerator()
        self.to_photo = ResidualGenerator()

    def forward(self, photos: Tensor) -> Tensor:
        """(N, 3, H, W), -1..1 -> their maps."""
        found: Tensor = self.to_map(photos)
        return found
