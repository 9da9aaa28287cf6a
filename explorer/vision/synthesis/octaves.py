"""Sizes of a picture on its way from coarse to fine, and pictures as tensors and as pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SMALLEST_SIDE = 32
"""Of an octave: below this most networks have no cells left."""


def octave_sizes(
    height: int, width: int, *, longest: int, octaves: int, scale: float
) -> list[tuple[int, int]]:
    """(H, W) of every octave, the coarsest first; the last one has `longest` as its longer side.

    Every octave is `scale` times smaller than the next; octaves that would be too small for a
    network are left out, but the last one always stays.
    """
    grow = longest / max(height, width)
    sizes = []
    for octave in range(octaves - 1, -1, -1):
        factor = grow / scale**octave
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        if octave == 0 or min(size) >= SMALLEST_SIDE:
            sizes.append((max(SMALLEST_SIDE, size[0]), max(SMALLEST_SIDE, size[1])))
    return sizes


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, C, H, W) at another size: bilinear, antialiased where it shrinks."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return F.interpolate(picture, size=size, mode="bilinear", antialias=True, align_corners=False)


def pictured(pixels: NDArray[np.uint8], size: tuple[int, int], channels: int) -> Tensor:
    """A photo as a picture to climb from.

    Args:
        pixels: (H, W, 3) uint8.
        size: Height and width of the picture.
        channels: 3, or 1 for a network that sees gray: ITU-R 601 luma, as in the preprocessing.

    Returns:
        (1, channels, *size) float32 in [0, 1], on the CPU.
    """
    whole = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
    picture = resized(whole.float().div_(255.0), size).clamp_(0.0, 1.0)
    if channels == 1:
        weights = torch.tensor([0.2989, 0.587, 0.114]).view(1, 3, 1, 1)
        picture = (picture * weights).sum(dim=1, keepdim=True)
    return picture


def zoomed(picture: Tensor, factor: float) -> Tensor:
    """(1, C, H, W) enlarged about its center by `factor`; under 1 the rim is mirrored."""
    if factor == 1.0:
        return picture
    turn = torch.tensor([[[1 / factor, 0, 0], [0, 1 / factor, 0]]], device=picture.device)
    places = F.affine_grid(turn.to(picture.dtype), list(picture.shape), align_corners=False)
    return F.grid_sample(picture, places, padding_mode="reflection", align_corners=False)


def preview(picture: Tensor) -> NDArray[np.uint8]:
    """(1, C, H, W) float in [0, 1] -> (H, W, 3) uint8."""
    levels = picture[0].detach().mul(255.0).add_(0.5).to(torch.uint8)
    rgb = levels.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()
    return np.ascontiguousarray(rgb)
