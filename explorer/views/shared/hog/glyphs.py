"""Histograms of oriented gradients as glyphs: in every cell one line per orientation.

A line stands for an edge: it is drawn across the direction of the gradients that it counts, and is
as bright as the histogram is high. Any array of histograms will do: a photo's, normalized or not,
of 9, 18 or 27 bins, or one sign of an SVM's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Heat

if TYPE_CHECKING:
    from explorer.core.layers import Colormap, Extent, Float32

WIDEST = 1440
"""Pixels of a drawing's longer side at most, where its cells do not get too small for lines."""
SMALLEST, LARGEST = 9, 41
"""Pixels of a cell's side; odd, so that all lines cross in the middle of a pixel."""
LENGTH, WIDTH = 0.92, 0.09
"""Of a line, in parts of its cell's side."""


def bin_angles(bins: int, *, signed: bool = False, centered: bool = True) -> Float32:
    """(bins,) float32 directions of the gradient in radians, x to the right, y down.

    Args:
        bins: Of half a turn or, `signed`, of a whole one.
        signed: Dark to light and light to dark are different directions.
        centered: The first bin's middle is half a bin above 0 (Dalal and Triggs, OpenCV), or at 0
            (Felzenszwalb et al. 2010).
    """
    turn = 2 * np.pi if signed else np.pi
    angles: Float32 = ((np.arange(bins) + 0.5 * centered) * turn / bins).astype(np.float32)
    return angles


def cell_side(rows: int, columns: int) -> int:
    """How many pixels wide the cells of a drawing are: odd, fewer where there are many cells."""
    side = int(np.clip(WIDEST // max(rows, columns, 1), SMALLEST, LARGEST))
    return side - (side + 1) % 2


def glyph_map(
    histograms: Float32, angles: Float32, *, signed: bool = False, side: int | None = None
) -> Float32:
    """The drawing as numbers: on each line the height of its bin, the highest where lines cross.

    Args:
        histograms: (H, W, O), at least 0.
        angles: (O,) directions of the gradient, see `bin_angles`; the lines are at right angles.
        signed: Half a line for each bin, from the middle of the cell, turned by +90 degrees from
            the gradient (a gradient to the right points down): the lighter side is on its left.
        side: Pixels of a cell; by default `cell_side`.

    Returns:
        (H * side, W * side) float32.

    Raises:
        ValueError: The shapes do not fit.
    """
    if histograms.ndim != 3 or histograms.shape[2:] != angles.shape:
        raise ValueError(
            f"glyphs need (H, W, O) histograms and (O,) angles, got {histograms.shape} and "
            f"{angles.shape}"
        )
    rows, columns = histograms.shape[:2]
    side = side or cell_side(rows, columns)
    drawn = np.zeros((rows, side, columns, side), np.float32)
    for stamp, heights in zip(_stamps(angles, side, signed), np.moveaxis(histograms, 2, 0),
                              strict=True):  # fmt: skip
        np.maximum(drawn, heights[:, None, :, None] * stamp[None, :, None, :], out=drawn)
    return drawn.reshape(rows * side, columns * side)


def glyph_heat(
    histograms: Float32,
    angles: Float32,
    extent: Extent,
    *,
    high: float | None = None,
    signed: bool = False,
    colormap: Colormap = "gray",
    opacity: float = 1.0,
    alpha_by_value: bool = False,
    unit: str = "",
    name: str = "glyphs",
) -> Heat:
    """The drawing of `glyph_map` as a layer over a rectangle of a pane.

    Args:
        histograms: (H, W, O), at least 0.
        angles: (O,), see `bin_angles`.
        extent: x0, y0, x1, y1 that the cells fill.
        high: The upper end of the color scale; by default the 99.5% quantile of the highest bins of
            all cells, so that a few strong edges do not leave everything else dark.
        signed: See `glyph_map`.
        colormap: See `Heat`, as for those that follow.
        opacity: Of the layer.
        alpha_by_value: Whether what is under the layer is seen between the lines.
        unit: Of the heights.
        name: Of the layer.
    """
    top = float(high) if high is not None else glyph_scale(histograms)
    values = glyph_map(histograms, angles, signed=signed)
    return Heat(
        values, 0.0, top, colormap, extent=extent, opacity=opacity, alpha_by_value=alpha_by_value,
        unit=unit, name=name,
    )  # fmt: skip


def glyph_scale(histograms: Float32) -> float:
    """The default upper end of a drawing's color scale, above 0; see `glyph_heat`."""
    highest = histograms.max(axis=2) if histograms.size else np.zeros(1, np.float32)
    return float(np.quantile(highest, 0.995)) or float(highest.max()) or 1.0


def _stamps(angles: Float32, side: int, signed: bool) -> Float32:
    """(O, side, side) in [0, 1]: a line through the middle of a cell for each direction."""
    middle = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    x, y = middle[None, None, :], middle[None, :, None]
    across, down = -np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]  # the edge
    along, beside = x * across + y * down, np.abs(x * down - y * across)
    reach, half = np.float32(LENGTH * side / 2), np.float32(max(0.5, WIDTH * side / 2))
    ends = np.clip(reach + 0.5 - np.abs(along), 0, 1)
    if signed:
        ends = np.where(along >= -half, ends, 0)
    stamps: Float32 = (ends * np.clip(half + 0.5 - beside, 0, 1)).astype(np.float32)
    return stamps
