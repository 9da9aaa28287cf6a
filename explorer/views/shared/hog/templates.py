"""A HOG template and what it gives for a window, as panes of glyphs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Heat, Pane, Picture, Text
from explorer.views.shared.hog.glyphs import bin_angles, glyph_heat, glyph_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Float32, Layer, UInt8
    from explorer.vision.hog.template import Template

GAP = 8.0
"""Pixels of a window between two pictures, and the room above them for their words."""
DARK = 18


def template_pane(template: Template | None, cells: tuple[int, int], side: int) -> Pane:
    """The weights of a template: their positive and their negative part, on one scale.

    Args:
        template: None = not trained yet.
        cells: Rows and columns of the window.
        side: Pixels of a cell.
    """
    size = cells[1] * side, cells[0] * side
    if template is None:
        return _strip("template", size, (), "Template: not trained yet", None)
    weights = template.cell_weights()
    angles = bin_angles(template.settings.bins, signed=template.settings.signed)
    parts = [np.clip(sign * weights, 0, None) for sign in (1, -1)]
    high = glyph_scale(np.concatenate(parts))
    words = ("positive", "negative")

    def picture(part: Float32) -> Callable[[tuple[float, float]], Heat]:
        return lambda at: glyph_heat(
            part, angles, (*at, at[0] + size[0], at[1] + size[1]), high=high,
            signed=template.settings.signed, unit="|weight|",
        )  # fmt: skip

    def readout(tile: int, x: float, y: float) -> str:
        row, column = int(y // side), int(x // side)
        own = weights[row, column]
        return (
            f"cell in row {row}, column {column}: weights {own.min():.3f} to {own.max():.3f}, "
            f"sum {own.sum():.3f}"
        )

    pictures = [(word, picture(part)) for word, part in zip(words, parts, strict=True)]
    return _strip("template", size, pictures, "SVM template: weights", readout)


def window_pane(
    crop: UInt8, blocks: Float32, means: Float32, template: Template, title: str
) -> Pane:
    """A window: its pixels, its histograms, and by how much they raise and lower its score.

    Args:
        crop: (h, w, 3) of the window's size.
        blocks: Of the window, shaped as the weights.
        means: (rows, columns, bins) of its cells.
        template: Gives the score.
        title: Of the pane.
    """
    own, (height, width) = template.settings, template.size
    angles = bin_angles(own.bins, signed=own.signed)
    added = template.contributions(blocks)
    parts = [np.clip(sign * added, 0, None) for sign in (1, -1)]
    high = glyph_scale(np.concatenate(parts))

    def photo(at: tuple[float, float]) -> Picture:
        return Picture(crop, extent=(*at, at[0] + width, at[1] + height), name="window")

    def picture(part: Float32, top: float, unit: str) -> Callable[[tuple[float, float]], Heat]:
        return lambda at: glyph_heat(
            part, angles, (*at, at[0] + width, at[1] + height), high=top, signed=own.signed,
            unit=unit,
        )  # fmt: skip

    def readout(tile: int, x: float, y: float) -> str:
        row, column = int(y // own.cell), int(x // own.cell)
        return (
            f"cell in row {row}, column {column}: adds {added[row, column].sum():+.3f} to the "
            f"score of {added.sum() + template.bias:.2f} (bias {template.bias:.2f})"
        )

    pictures: list[tuple[str, Callable[[tuple[float, float]], Layer]]] = [
        ("window", photo),
        ("HOG", picture(means, glyph_scale(means), "normalized votes")),
        (f"+{parts[0].sum():.2f}", picture(parts[0], high, "of the score")),
        (f"-{parts[1].sum():.2f}", picture(parts[1], high, "of the score")),
    ]
    return _strip("window", (width, height), pictures, title, readout)


def _strip(
    name: str,
    size: tuple[float, float],
    pictures: Sequence[tuple[str, Callable[[tuple[float, float]], Layer]]],
    title: str,
    readout: Callable[[int, float, float], str] | None,
) -> Pane:
    """Pictures of one size in a row, each under its words."""
    width, height = size
    above = 2.5 * GAP
    whole = max(1, len(pictures)) * (width + GAP) - GAP, height + above
    shade = np.full((1, 1, 3), DARK, np.uint8)
    layers: list[Layer] = [Picture(shade, extent=(0.0, 0.0, *whole), name="ground")]
    for tile, (words, make) in enumerate(pictures):
        x = tile * (width + GAP)
        layers.append(make((x, above)))
        middle = (x + width / 2, above / 2)
        layers.append(Text(words, middle, size=9.0, plate=False, anchor=(0.5, 0.5), name="words"))

    def under(x: float, y: float) -> str:
        tile, across = divmod(x, width + GAP)
        inside = readout is not None and 0 <= across < width and above <= y < whole[1]
        if not inside or readout is None or not 0 <= tile < len(pictures):
            return ""
        return readout(int(tile), across, y - above)

    return Pane(name, whole, tuple(layers), title=title, frame=name, readout=under)
