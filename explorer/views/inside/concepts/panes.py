"""The photo in the colors of its concepts, and the patches that show each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.colormaps import class_colors
from explorer.core.layers import Boxes, Pane, Picture
from explorer.views.shared.common import color as plain_color
from explorer.views.shared.folders.sheet import SHADE, captions, labeled_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, Extent, Float32, UInt8

SIDE = 104
_LONGEST = 720


def colors_of(count: int) -> UInt8:
    """(count, 3) uint8, one color for each concept."""
    found: UInt8 = class_colors(max(count, 1))[:count]
    return found


def color_of(concept: int) -> Color:
    """Of one concept, as plain numbers."""
    return plain_color(colors_of(concept + 1)[concept])


def tinted(photo: UInt8, maps: Float32, extent: Extent, colors: UInt8, opacity: float) -> UInt8:
    """The photo in gray, its places in the color of what is there, at most `_LONGEST` wide or high.

    Args:
        photo: (H, W, 3) uint8.
        maps: (K, h, w) in [0, 1]: how strongly a place is colored.
        extent: Where they lie on the photo.
        colors: (K, 3) uint8.
        opacity: Of the strongest color.
    """
    height, width = photo.shape[:2]
    share = min(1.0, _LONGEST / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    base = np.repeat(gray[..., None], 3, axis=2) * 0.8 + 20
    x0, y0, x1, y1 = (round(side * share) for side in extent)
    wide, high = max(1, x1 - x0), max(1, y1 - y0)
    weights = np.stack([cv2.resize(each, (wide, high), interpolation=cv2.INTER_LINEAR)
                        for each in maps])  # fmt: skip
    # What lies beside the photo, as padding does, is cut off.
    top, left = max(0, -y0), max(0, -x0)
    y0, x0 = max(0, y0), max(0, x0)
    weights = weights[:, top : top + size[1] - y0, left : left + size[0] - x0]
    region = base[y0 : y0 + weights.shape[1], x0 : x0 + weights.shape[2]]
    strength = weights.max(axis=0)[..., None]
    # Where several are, the stronger ones decide the color.
    sharp = weights**3
    mixed = np.tensordot(sharp, colors.astype(np.float32), axes=(0, 0))
    mixed /= np.maximum(sharp.sum(axis=0), 1e-9)[..., None]
    cover = np.clip(strength * opacity, 0, 1)
    region[:] = region * (1 - cover) + mixed * cover * (0.45 + 0.55 * region.max(-1, keepdims=True)
                                                        / 255)  # fmt: skip
    return base.clip(0, 255).astype(np.uint8)


def sheet_pane(
    maps: Sequence[UInt8], patches: Sequence[Sequence[UInt8]], importance: Sequence[float]
) -> Pane:
    """A row for each concept: where it is on the open photo, and the patches that show it most."""
    columns = 1 + max((len(row) for row in patches), default=0)
    blank = np.full((SIDE, SIDE, 3), SHADE, np.uint8)
    tiles = []
    for picture, row in zip(maps, patches, strict=True):
        tiles += [_square(picture), *map(_square, row)]
        tiles += [blank] * (columns - 1 - len(row))
    sheet = labeled_sheet(tiles, columns=columns)
    boxes = sheet.xyxy[::columns].copy()
    boxes[:, 2] = sheet.size[0]
    words = tuple(
        f"concept {number + 1}: {100 * value:.0f}%" if np.isfinite(value) else
        f"concept {number + 1}" for number, value in enumerate(importance)
    )  # fmt: skip
    colors = colors_of(len(maps))
    layer = Boxes(boxes, colors, keys=tuple(range(len(maps))), width=3.0, name="concepts")
    above = boxes.copy()
    above[:, 2] = np.minimum(above[:, 0] + 2 * SIDE, boxes[:, 2])
    return Pane(
        "concepts", sheet.size,
        (Picture(sheet.rgb, name="sheet"), layer, captions(above, words, colors)),
        title="Where each is, and its patches", frame="concepts",
    )  # fmt: skip


def _square(picture: UInt8) -> UInt8:
    """The whole picture in a dark square of `SIDE`."""
    height, width = picture.shape[:2]
    share = SIDE / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    square = np.full((SIDE, SIDE, 3), SHADE + 8, np.uint8)
    y, x = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    way = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    square[y : y + size[1], x : x + size[0]] = cv2.resize(picture, size, interpolation=way)
    return square
