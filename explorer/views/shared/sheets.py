"""Pictures of equal size in a pane, with a few words above each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Pane, Picture
from explorer.views.shared.folders.sheet import SHADE, captions, labeled_sheet
from explorer.vision.features.mosaics import picture_sheet

if TYPE_CHECKING:
    from explorer.core.layers import Layer, UInt8

WIDE = 900.0
"""Of a pane, in its own units."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """What is shown in a pane.

    Attributes:
        name: Of the pane.
        title: Of the pane.
        pictures: (N, H, W, 3) uint8.
        columns: In a row.
        labels: Above each; empty = none, and they stand closer together.
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
    if sheet.labels:
        # Large enough that a caption is small beside its picture.
        times = max(1, round(WIDE / (columns * side)))
        large = sheet.pictures.repeat(times, axis=1).repeat(times, axis=2)
        made = labeled_sheet(list(large), columns=columns)
        pictures, scale = made.rgb, WIDE / made.size[0]
        at = made.at
    else:
        pictures, tiling = picture_sheet(
            list(sheet.pictures), columns=columns, gap=max(1, side // 24), shade=SHADE
        )
        scale = WIDE / pictures.shape[1]

        def at(x: float, y: float) -> int | None:
            found = tiling.at(x, y)
            return None if found is None else found[0]

    size = (WIDE, pictures.shape[0] * scale)
    smooth = sheet.smooth and not sheet.labels
    layers: list[Layer] = [
        Picture(pictures, extent=(0.0, 0.0, *size), smooth=smooth, name="pictures")
    ]
    if sheet.labels:
        colors = np.full((len(sheet.labels), 3), SHADE, np.uint8)
        layers.append(captions(made.xyxy * scale, sheet.labels, colors))

    def words(x: float, y: float) -> str:
        number = at(x / scale, y / scale)
        if number is None:
            return ""
        return sheet.labels[number] if sheet.labels else f"picture {number + 1}"

    return Pane(sheet.name, size, tuple(layers), title=sheet.title, frame=sheet.name, readout=words)
