"""Between an aerial photo and its map: a drawing in the colors of the legend, and who judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from explorer.training.data.map_pairs import CLASSES, COLORS, classes_of
from explorer.views.shared.translation.networks import SIDE, cut, resized, tensor_of

if TYPE_CHECKING:
    from torch import nn

    from explorer.core.layers import Color, Extent, Float32, UInt8
    from explorer.core.params import Mask
    from explorer.views.shared.translation.networks import Region

LEGEND: dict[str, Color] = {
    name: next(color for color, label in COLORS if label == number)
    for number, name in enumerate(CLASSES)
}
"""The color of each class of a map."""

CELL = 4
"""Pixels from one patch of the discriminator to the next; the first one's middle is at 6."""


def empty_land() -> UInt8:
    """(SIDE, SIDE, 3) in the color of land."""
    return np.full((SIDE, SIDE, 3), LEGEND["land"], np.uint8)


def drawing(base: UInt8, strokes: Mask | None, region: Region, size: tuple[int, ...]) -> UInt8:
    """A map with what was painted over it.

    Args:
        base: (SIDE, SIDE, 3).
        strokes: On the whole photo; the k-th label is the k-th class. None = nothing.
        region: Of the photo, that the map is of.
        size: Height and width of the photo; strokes of another size are for another photo.
    """
    if strokes is None or (strokes.height, strokes.width) != size:
        return base
    index = cut(strokes.index(), region)
    small = cv2.resize(index, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    painted = base.copy()
    for number, color in enumerate(LEGEND.values(), 1):
        painted[small == number] = color
    return painted


def square(pixels: UInt8, region: Region) -> UInt8:
    """(SIDE, SIDE, 3): a square region as the networks take it."""
    return resized(cut(pixels, region), SIDE, SIDE)


@torch.no_grad()
def judged(discriminator: nn.Module, given: UInt8, made: UInt8) -> tuple[Float32, Extent]:
    """The probability of each patch that it is made, (h, w), and where the patches' middles are.

    Args:
        discriminator: A `PatchDiscriminator` of pairs.
        given: (H, W, 3) uint8.
        made: Its translation, or the real one.
    """
    scores = discriminator(torch.cat([tensor_of(given), tensor_of(made)], dim=1))[0, 0]
    height, width = scores.shape
    values: Float32 = (-scores).sigmoid().numpy()
    return values, (CELL, CELL, CELL * (1.0 + width), CELL * (1.0 + height))


def shares(picture: UInt8) -> list[float]:
    """The fraction of the pixels of a map in each class, by the nearest color of the legend."""
    counts = np.bincount(classes_of(picture).ravel(), minlength=len(CLASSES))
    return [float(count / counts.sum()) for count in counts]
