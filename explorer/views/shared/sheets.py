"""Pictures of equal size in a pane, with a few words below each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Pane, Picture
from explorer.vision.features.mosaics import picture_sheet

if TYPE_CHECKING:
    from explorer.core.layers import UInt8

WIDE = 900.0
"""Of a pane, in its own units."""
GROUND = (70, 76, 88)
"""Behind the words."""
WORDS = 26.0
"""Room below a row, in units of the pane."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """What is shown in a pane.

    Attributes:
        name: Of the pane.
        title: Of the pane.
        pictures: (N, H, W, 3) uint8.
        columns: In a row.
        labels: Below each; empty = none, and they stand closer together.
        smooth: Enlarged smoothly; else every pixel is a square.
    """

    name: str
    title: str
    pictures: UInt8
    columns: int
    labels: tuple[str, ...] = ()
    smooth: bool = True


def sheet_pane(sheet: Sheet) -> Pane:
    side = sheet.pictures.shape[1]
    columns = min(sheet.columns, len(sheet.pictures))
    scale = WIDE / (columns * side)
    gap = int(np.ceil(WORDS / scale)) if sheet.labels else max(1, side // 24)
    pictures, tiling = picture_sheet(list(sheet.pictures), columns=columns, gap=gap, shade=90)
    if sheet.labels:  # room below the last row, too
        pictures = np.pad(pictures, ((0, gap), (0, 0), (0, 0)), constant_values=90)
    scale = WIDE / pictures.shape[1]
    size = (WIDE, pictures.shape[0] * scale)
    layers: list[Picture | Boxes] = [
        Picture(
            pictures, extent=(0.0, 0.0, *size), smooth=sheet.smooth and not sheet.labels,
            name="pictures",
        )
    ]  # fmt: skip
    if sheet.labels:
        boxes = tiling.boxes() * scale
        boxes[:, 1] = boxes[:, 3] - gap * scale
        boxes[:, 2] -= gap * scale
        layers.append(
            Boxes(
                boxes, np.tile(np.array(GROUND, np.uint8), (len(boxes), 1)), labels=sheet.labels,
                width=1.0, fill=1.0, letters=17.0, selectable=False, name="words",
            )
        )  # fmt: skip

    def words(x: float, y: float) -> str:
        found = tiling.at(x / scale, y / scale)
        if found is None:
            return ""
        return sheet.labels[found[0]] if sheet.labels else f"picture {found[0] + 1}"

    return Pane(sheet.name, size, tuple(layers), title=sheet.title, frame=sheet.name, readout=words)
