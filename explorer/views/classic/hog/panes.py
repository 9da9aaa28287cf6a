"""The pictures: detections, glyphs over the photo, scores, the block of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Grid, Heat, Lines, Pane, Picture, lookup_table
from explorer.core.listing import quantity
from explorer.views.classic.hog.result import block_box, inner_cells
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, WHITE, same
from explorer.views.shared.common import size_of
from explorer.views.shared.hog.glyphs import bin_angles, glyph_heat, glyph_scale
from explorer.vision.hog.detector import map_extent
from explorer.vision.hog.features import cell_histograms, cell_means, gradients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, Layer
    from explorer.views.classic.hog.result import Cell, Result, Window

VOTES, NORMALIZED = "votes of each cell", "normalized votes"
GLYPHS = (NORMALIZED, VOTES)
ALL, SHOWN = MAPS = ("all scales", "shown scale")
WEAK = 0.02
"""Gradients below this part of the block's largest one are not drawn."""


def bin_colors(bins: int) -> tuple[Color, ...]:
    """A color for each direction, around the color wheel."""
    hues = np.arange(bins) / bins
    sectors = (hues[:, None] * 6 + np.array([0.0, 4.0, 2.0])) % 6
    shares = np.clip(np.abs(sectors - 3) - 1, 0, 1)
    levels = np.round(70 + 185 * shares).astype(int).tolist()
    return tuple((red, green, blue) for red, green, blue in levels)


def detections(result: Result, rows: NDArray[np.intp], window: Window, found: int) -> Pane:
    """The photo with the windows that are left, and the chosen one."""
    scores = result.windows.scores
    boxes = Boxes(
        result.windows.xyxy[rows], same(GREEN, len(rows)),
        labels=tuple(f"{scores[row]:.2f}" for row in rows), keys=tuple(rows.tolist()),
        name="windows",
    )  # fmt: skip
    layers: tuple[Layer, ...] = (result.photo, boxes, _frame(window.xyxy[None], ORANGE, "chosen"))
    title = quantity(found, "window found", "windows found")
    return Pane("image", size_of(result.photo), layers, title=title)


def glyphs(
    result: Result, level: int, cell: Cell, window: Window, *, show: str, behind: float
) -> Pane:
    """The histograms of a level as glyphs over the photo."""
    settings = result.settings
    values, extent = result.cache.get(("cells", level, show), lambda: _cells(result, level, show))
    angles = bin_angles(settings.bins, signed=settings.signed)
    heat = result.cache.get(
        ("glyphs", level, show, behind),
        lambda: glyph_heat(
            values, angles, extent, high=_bright(values), signed=settings.signed,
            opacity=1 - behind, unit="normalized votes" if show == NORMALIZED else "votes",
        ),
    )  # fmt: skip
    one, block = block_box(result, level, cell)
    layers = (
        result.photo, heat,
        _frame(window.xyxy[None], ORANGE, "window"), _frame(block, BLUE, "block"),
        _frame(one, WHITE, "cell"),
    )  # fmt: skip
    rows, columns = values.shape[:2]

    def readout(x: float, y: float) -> str:
        across = int((x - extent[0]) / (extent[2] - extent[0]) * columns)
        down = int((y - extent[1]) / (extent[3] - extent[1]) * rows)
        if not (0 <= across < columns and 0 <= down < rows):
            return ""
        own = values[down, across]
        direction = np.degrees(angles[int(own.argmax())])
        return f"cell in row {down}, column {across}: most at {direction:.0f}°, {own.max():.3g}"

    title = f"HOG: {columns} x {rows} cells"
    return Pane("hog", size_of(result.photo), layers, title=title, readout=readout)


def _bright(values: Float32) -> float:
    """The upper end of the colors: one cell in ten is as bright as can be."""
    return float(np.quantile(values.max(axis=2), 0.9)) or glyph_scale(values)


def _cells(
    result: Result, level: int, show: str
) -> tuple[Float32, tuple[float, float, float, float]]:
    if show == NORMALIZED:
        return inner_cells(result, level, cell_means(result.blocks[level]))
    settings = result.settings
    found = gradients(result.levels[level].picture.pixels, root=settings.root)
    return inner_cells(result, level, cell_histograms(found, settings))


def score_map(result: Result, level: int, window: Window, *, show: str, opacity: float) -> Pane:
    """The scores of windows where they have their middles, 0 in the middle of the colors."""
    own = result.levels[level]
    if show == ALL:
        values, extent = result.best, (0.0, 0.0, *size_of(result.photo))
        title = "Score, highest of all scales"
    else:
        values, extent = own.scores, map_extent(own, result.template)
        title = f"Score, scale {level + 1} of {len(result.levels)}"
    finite = values[np.isfinite(values)]
    high = max(1.0, float(finite.max(initial=0.0)))
    heat = Heat(
        values, -high, high, "coolwarm", extent=extent, opacity=opacity, unit="score",
        name="scores",
    )  # fmt: skip
    layers = (result.photo, heat, _frame(window.xyxy[None], ORANGE, "chosen"))
    return Pane("scores", size_of(result.photo), layers, title=title)


def block_pane(result: Result, cell: Cell) -> Pane:
    """The pixels of a cell's block with their gradients, colored by direction."""
    settings = result.settings
    side, count = settings.cell, settings.block
    n = float(side * count)
    magnitude, angle = cell.gradients.magnitude, cell.gradients.angle
    top = float(magnitude.max())
    rows, columns = np.nonzero(magnitude > WEAK * top)
    half = magnitude[rows, columns] / max(top, 1e-6) * np.float32(0.48)
    across, down = np.cos(angle[rows, columns]) * half, np.sin(angle[rows, columns]) * half
    x, y = columns + np.float32(0.5), rows + np.float32(0.5)
    segments = np.stack([x - across, y - down, x + across, y + down], axis=1).astype(np.float32)
    turn = 2 * np.pi if settings.signed else np.pi
    own = np.floor((angle[rows, columns] % turn) / turn * settings.bins).astype(int)
    palette = np.array(bin_colors(settings.bins), np.uint8)
    colors = palette[np.minimum(own, settings.bins - 1)].reshape(-1, 3)
    inner = np.arange(0, n + 1, side, dtype=np.float32)
    y0, x0 = (place * side for place in cell.inside)
    frame = np.array([[x0, y0, x0 + side, y0 + side]], np.float32)
    layers: tuple[Layer, ...] = (
        Picture((cell.crop * np.float32(0.6)).astype(np.uint8), name="pixels"),
        Grid(inner, inner, (0.0, 0.0, n, n), color=BLUE, width=1.5, opacity=0.9),
        Lines(segments.reshape(-1, 4), colors, width=2.0, arrow=settings.signed, name="gradients"),
        _frame(frame, WHITE, "cell"),
    )

    def readout(x: float, y: float) -> str:
        if not (0 <= x < n and 0 <= y < n):
            return ""
        row, column = int(y), int(x)
        degrees = np.degrees(angle[row, column]) % (360 if settings.signed else 180)
        return f"gradient {magnitude[row, column]:.3f} at {degrees:.0f}°"

    return Pane(
        "block", (n, n), layers, title="Gradients of the block", frame="block", readout=readout
    )


def _frame(xyxy: Float32, color: Color, name: str) -> Boxes:
    return Boxes(xyxy, same(color, len(xyxy)), width=2.0, selectable=False, name=name)


def shades(count: int) -> Sequence[Color]:
    """Colors of steps that follow each other, from dark to light."""
    table = lookup_table("viridis")
    rows = np.linspace(80, 235, max(count, 1)).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in table[rows]]
