"""Random transforms between a picture and the network, so that no single alignment is exploited.

Mordvintsev et al. 2015 shift the picture; Olah et al. 2017, "Feature Visualization" (section "The
Enemy of Feature Visualization"), pad, shift, scale and rotate it. They are differentiable.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampled:
    """One draw of `Transforms`: the same for all evaluations of one step.

    Attributes:
        padding: Pixels of mid-gray around.
        shift: Rows and columns; what leaves at one side comes in at the other.
        scale: Enlargement about the center.
        degrees: Rotation about the center.
        crop: Rows and columns of the corner that is cut off, and the height and width that stay;
            None = all.
    """

    padding: int = 0
    shift: tuple[int, int] = (0, 0)
    scale: float = 1.0
    degrees: float = 0.0
    crop: tuple[int, int, int, int] | None = None

    def __call__(self, picture: Tensor) -> Tensor:
        """(N, C, H, W) -> the same as the network is to see it."""
        if self.padding:
            picture = F.pad(picture, (self.padding,) * 4, value=0.5)
        if self.shift != (0, 0):
            picture = picture.roll(self.shift, (2, 3))
        if self.scale != 1.0 or self.degrees:
            picture = self._turned(picture)
        if self.crop is not None:
            top, left, height, width = self.crop
            picture = picture[..., top : top + height, left : left + width]
        return picture

    def _turned(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        angle, aspect = radians(self.degrees), width / height
        c, s = cos(angle) / self.scale, sin(angle) / self.scale
        matrix = [[c, -s / aspect, 0.0], [s * aspect, c, 0.0]]
        turn = torch.tensor([matrix], device=picture.device, dtype=picture.dtype)
        places = F.affine_grid(
            turn.expand(len(picture), -1, -1), list(picture.shape), align_corners=False
        )
        return F.grid_sample(picture, places, padding_mode="reflection", align_corners=False)


@dataclass(frozen=True, slots=True)
class Transforms:
    """How much a picture may be moved before each step; all zero = not at all.

    Attributes:
        padding: Pixels of mid-gray added around.
        jitter: Largest shift in pixels, in both directions.
        scale: Largest enlargement or reduction, 0.1 = between 1 / 1.1 and 1.1.
        rotation: Largest angle in degrees.
        crop: Largest part of each side that is cut off, 0 to 0.5.
    """

    padding: int = 0
    jitter: int = 0
    scale: float = 0.0
    rotation: float = 0.0
    crop: float = 0.0

    def sample(self, size: tuple[int, int], generator: torch.Generator) -> Sampled:
        """Draw one.

        Args:
            size: Height and width of the picture.
            generator: On the CPU.
        """

        def uniform() -> float:
            return float(torch.rand((), generator=generator)) * 2 - 1

        shift = (0, 0)
        if self.jitter:
            offsets = torch.randint(-self.jitter, self.jitter + 1, (2,), generator=generator)
            shift = (int(offsets[0]), int(offsets[1]))
        scale = (1 + self.scale) ** uniform() if self.scale else 1.0
        degrees = self.rotation * uniform() if self.rotation else 0.0
        crop = None
        if self.crop:
            sides = [side + 2 * self.padding for side in size]
            kept = [max(1, round(side * (1 - self.crop * abs(uniform())))) for side in sides]
            corner = [
                int(torch.randint(0, side - keep + 1, (), generator=generator))
                for side, keep in zip(sides, kept, strict=True)
            ]
            crop = (corner[0], corner[1], kept[0], kept[1])
        return Sampled(self.padding, shift, scale, degrees, crop)
