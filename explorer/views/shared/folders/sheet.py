"""Pictures side by side, each with room above it for its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes
from explorer.vision.features.mosaics import Tiling, picture_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32, UInt8

SHADE = 32
"""The gray between the pictures."""

_HIGH, _ABOVE, _LETTERS = 25.0, 3.0, 18.0
"""Of a caption: its height, what lies between it and its picture, and its letters."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A picture of pictures.

    Attributes:
        rgb: (H, W, 3) uint8.
        xyxy: (N, 4) float32, where each is.
    """

    rgb: UInt8
    xyxy: Float32
    _tiling: Tiling

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return float(self.rgb.shape[1]), float(self.rgb.shape[0])

    def at(self, x: float, y: float) -> int | None:
        """The number of the picture or of the label at a place."""
        place = self._tiling.at(x, y)
        return None if place is None or place[0] >= len(self.xyxy) else place[0]


def labeled_sheet(pictures: Sequence[UInt8], *, columns: int, gap: int = 12) -> Sheet:
    """A sheet of pictures of one size; none gives an empty one.

    Args:
        pictures: (h, w, 3) uint8.
        columns: In a row.
        gap: Pixels between two in a row; between rows, and above the first, there are three times
            as many, for labels.
    """
    if not pictures:
        blank = np.full((96, 96, 3), SHADE, np.uint8)
        return Sheet(blank, np.empty((0, 4), np.float32), Tiling(1, 96, 96, 1))
    height, width = pictures[0].shape[:2]
    above = 3 * gap
    # Each tile is the picture with its room above; the gap at the right is the sheet's own.
    tiles = [np.pad(each, ((above - gap, 0), (0, 0), (0, 0)), constant_values=SHADE)
             for each in pictures]  # fmt: skip
    sheet, tiling = picture_sheet(tiles, columns=columns, gap=gap, shade=SHADE)
    xyxy = tiling.boxes()[: len(pictures)]
    xyxy[:, 1] += above - gap
    xyxy[:, 2] = xyxy[:, 0] + width
    xyxy[:, 3] = xyxy[:, 1] + height
    return Sheet(sheet, xyxy, tiling)


def captions(
    xyxy: Float32, words: Sequence[str], colors: UInt8, *, inside: bool = False,
    name: str = "captions",
) -> Boxes:  # fmt: skip
    """Words in the room above pictures: they grow with the sheet and never cover a picture.

    Args:
        xyxy: (N, 4) of the pictures, or as wide as their words may be.
        words: N; where there are none, nothing is drawn.
        colors: (N, 3) uint8 under the words.
        inside: They are at the foot of the pictures instead.
        name: Of the layer.
    """
    rows = [row for row, word in enumerate(words) if word]
    boxes = xyxy[rows].copy()
    boxes[:, 3] = boxes[:, 3] if inside else boxes[:, 1] - _ABOVE
    boxes[:, 1] = boxes[:, 3] - _HIGH
    return Boxes(
        boxes, colors[rows], tuple(words[row] for row in rows), width=1.0, fill=1.0,
        letters=_LETTERS, selectable=False, name=name,
    )  # fmt: skip
