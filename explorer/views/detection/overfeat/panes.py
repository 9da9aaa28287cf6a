"""The panes: windows over the photo, score cells, the maps of every stage, boxes, differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Grid, Heat, Pane, Picture
from explorer.core.listing import quantity
from explorer.views.detection.overfeat.result import INPUT
from explorer.views.shared.common import class_name, size_of
from explorer.views.shared.grids import cells as numbered
from explorer.views.shared.grids.cells import Scale
from explorer.views.shared.windows import cell_words, difference_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Color, Extent, Float32, Layer, UInt8
    from explorer.views.detection.overfeat.result import Candidates, Level, Result

ORANGE, BLUE, YELLOW, GREEN = (255, 150, 30), (64, 128, 255), (250, 205, 60), (60, 220, 90)
PALE, FAINT = (190, 200, 215), (120, 140, 130)
"""Of boxes before merging, and of those with lower scores after it."""
ROOMY = 9
"""Columns of cells that have room for numbers with a sign and two decimals."""
WIDE = 14
"""Columns of cells that have room for numbers."""
LABELED = 3
"""Merged boxes with words, the highest-scoring ones."""
TILE, GAP, WORDS, COLUMNS = 200.0, 16.0, 64.0, 4
"""Of the drawing of stages, in units of its pane; the words stand above each tile."""
SCORES = "scores"
LETTERS = 25.0
GROUND = (30, 32, 38)
"""Under the words: that of the pane."""
FEW = 24
"""Cells along a side that are drawn as a grid."""
_BLUE, _YELLOW = (np.full((1, 1, 3), tint, np.uint8) for tint in (BLUE, YELLOW))


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is drawn: the class, the level and the chosen window of it.

    Attributes:
        label: Of the class.
        number: Of the level, from 0.
        cell: Row and column of the window.
        opacity: Of the maps over the photo.
    """

    label: int
    number: int
    cell: tuple[int, int]
    opacity: float


def _high(shares: Float32) -> float:
    """The end of a level's scale of probabilities: larger photos often have lower ones."""
    return float(shares.max()) or 1.0


def score_pane(result: Result, look: Look) -> Pane:
    """The photo under the probabilities of the windows, each in the middle of its own."""
    level, name = result.levels[look.number], class_name(result.classes, look.label)
    shares = result.shares(look.label)[look.number]

    def make() -> Heat:
        return Heat(
            shares, 0.0, _high(shares), "viridis", extent=level.windows.cells.extent,
            opacity=look.opacity, smooth=True, alpha_by_value=True, unit="probability",
            name="heat map",
        )  # fmt: skip

    heat = result.cache.get(("heat", look.label, look.number, look.opacity), make)
    layers = (result.photo, heat, _frame(result, look))
    return Pane(
        "image", size_of(result.photo), layers, title=f"Heat map: {name}",
        readout=_readout(result, look),
    )  # fmt: skip


def _frame(result: Result, look: Look, *, dotted: bool = False) -> Boxes:
    """The chosen window."""
    box = result.levels[look.number].windows.box(*look.cell)
    tint = np.array([ORANGE], np.uint8)
    return Boxes(box, tint, width=3.0, dotted=dotted, selectable=False, name="window")


def _readout(result: Result, look: Look) -> Callable[[float, float], str]:
    windows = result.levels[look.number].windows

    def readout(x: float, y: float) -> str:
        return _words(result, look, windows.nearest(x, y))

    return readout


def _words(result: Result, look: Look, cell: tuple[int, int]) -> str:
    label, number = look.label, look.number
    ways = result.shares(label)[number], result.cropped(label)[number]
    return cell_words(cell, label, result.classes, result.levels[number].scores, ways)


def cells_pane(result: Result, look: Look) -> Pane:
    """The score map as cells with numbers; that of the chosen window is framed."""
    shares = result.shares(look.label)[look.number]
    scale = Scale(0.0, _high(shares), 2, "viridis", "probability")
    rows, columns = shares.shape
    drawn = result.cache.get(("cells", look.label, look.number), lambda: _numbers(shares, scale))
    title = f"Scores: {columns} x {rows} cells"
    return numbered.pane(
        "scores", title, (rows, columns), (*drawn, _lit(look)),
        lambda row, column: _words(result, look, (row, column)),
    )  # fmt: skip


def _numbers(values: Float32, scale: Scale) -> tuple[Layer, ...]:
    drawn = numbered.layers_of(values, scale)
    return drawn if values.shape[1] <= WIDE else drawn[:2]


def _lit(look: Look) -> Boxes:
    row, column = look.cell
    box = np.array([[column, row, column + 1, row + 1]], np.float32)
    return numbered.frames(box, ORANGE, "lit cell", width=4.0)


def stages_pane(result: Result, look: Look) -> Pane:
    """The maps of every stage: blue what one window takes, yellow what the larger photo adds."""
    level = result.levels[look.number]
    height, width = level.size
    rows, columns = level.scores.shape[1:]
    row, column = look.cell
    step, side = level.windows.step, result.window
    tall = TILE * height / width
    left, top = column * step / width, row * step / height
    tiles = [
        (stage.layer, (stage.side, stage.side), size)
        for stage, size in zip(result.stages, level.sizes, strict=True)
    ]
    layers: list[Layer] = []
    spots, words = [], []
    for number, (layer, one, whole) in enumerate([*tiles, (SCORES, (1, 1), (rows, columns))]):
        down, across = divmod(number, COLUMNS)
        x, y = across * (TILE + GAP), down * (tall + WORDS + GAP) + WORDS
        if layer == SCORES:
            part = (column / columns, row / rows, 1 / columns, 1 / rows)
        else:
            part = (left, top, side / width, side / height)
        blue = (
            x + part[0] * TILE, y + part[1] * tall,
            x + (part[0] + part[2]) * TILE, y + (part[1] + part[3]) * tall,
        )  # fmt: skip
        extent = (x, y, x + TILE, y + tall)
        # Names of layers are too long to stand here; the readout has them.
        name = layer if layer in (INPUT, SCORES) else f"stage {number}"
        words.append(f"{name}\n{one[1]} of {whole[1]} x {whole[0]}")
        layers += [
            Picture(_YELLOW, extent, name=f"{layer} photo"),
            Picture(_BLUE, blue, name=f"{layer} window"),
            *_grid(whole, extent, layer),
        ]  # fmt: skip
        spots.append((layer, one, whole, extent))
    size = (
        COLUMNS * TILE + (COLUMNS - 1) * GAP,
        -(-len(spots) // COLUMNS) * (tall + WORDS + GAP) - GAP,
    )

    def readout(x: float, y: float) -> str:
        for layer, one, whole, (x0, y0, x1, y1) in spots:
            if x0 <= x < x1 and y0 <= y < y1:
                cells, window = whole[0] * whole[1], one[0] * one[1]
                return f"{layer}: {cells:,} cells, {window:,} of them for one window"
        return ""

    above = [(x0, y0 - WORDS, x1, y0) for *_, (x0, y0, x1, _) in spots]
    said = Boxes(
        np.array(above, np.float32), _tints(len(spots), GROUND), tuple(words), width=0.0, fill=1.0,
        letters=LETTERS, selectable=False, name="words",
    )  # fmt: skip
    return Pane(
        "stages", size, (*layers, said), title="Blue: one window; yellow: the rest",
        frame="stages", readout=readout, drawing=True,
    )  # fmt: skip


def _grid(cells: tuple[int, int], extent: Extent, layer: str) -> list[Layer]:
    rows, columns = cells
    if max(cells) > FEW:
        return []
    x0, y0, x1, y1 = extent
    xs = np.linspace(x0, x1, columns + 1, dtype=np.float32)
    ys = np.linspace(y0, y1, rows + 1, dtype=np.float32)
    return [Grid(xs, ys, extent, color=numbered.DARK, opacity=0.55, name=f"{layer} grid")]


def boxes_pane(result: Result, look: Look, found: Candidates) -> Pane:
    """The boxes of all windows with the class, and those of the chosen window."""
    shares = result.shares(look.label)[look.number]
    own = result.boxes(look.label)[look.number][look.cell][None]
    boxes = Boxes(
        found.boxes[::-1], _tints(len(found.boxes), PALE), width=1.0, selectable=False,
        name="regressed boxes",
    )  # fmt: skip
    name = class_name(result.classes, look.label)
    words = (f"{name} {float(shares[look.cell]):.0%}",)
    chosen = Boxes(own, _tints(1, ORANGE), words, width=3.0, selectable=False, name="chosen box")
    layers = (result.photo, boxes, _frame(result, look, dotted=True), chosen)
    count = quantity(len(found.boxes), "box", "boxes")
    title = f"Before merging: {count}"
    return Pane("image", size_of(result.photo), layers, title=title, readout=_readout(result, look))


def merged_pane(result: Result, look: Look, found: Candidates, merges: int) -> Pane:
    """What is there after some merges."""
    rows = found.merges.alive(merges)
    name = class_name(result.classes, look.label)
    labels = tuple(
        f"{name} {found.merges.scores[row]:.2f}" if rank < LABELED else ""
        for rank, row in enumerate(rows.tolist())
    )
    tints = _tints(len(rows), GREEN)
    tints[LABELED:] = FAINT
    boxes = Boxes(
        found.merges.boxes[rows[::-1]], tints[::-1], labels[::-1],
        keys=tuple(rows[::-1].tolist()), width=2.5, name="merged boxes",
    )  # fmt: skip
    title = f"After {quantity(merges, 'merge')}: {quantity(len(rows), 'box', 'boxes')}"
    return Pane("merged", size_of(result.photo), (result.photo, boxes), title=title)


def _tints(count: int, color: Color) -> UInt8:
    return np.full((count, 3), color, np.uint8)


def difference_pane(result: Result, look: Look) -> Pane:
    """Over the photo, the logit in one pass minus that of the cropped window."""
    level = result.levels[look.number]
    heat = result.cache.get(
        ("difference", look.label, look.number, look.opacity),
        lambda: Heat(
            level.difference[look.label], *_ends(level, look.label), "coolwarm",
            extent=level.windows.cells.extent, opacity=look.opacity, unit="logit",
            name="difference",
        ),
    )  # fmt: skip
    name = class_name(result.classes, look.label)
    return Pane(
        "image", size_of(result.photo), (result.photo, heat, _frame(result, look)),
        title=f"Difference: {name}", readout=_readout(result, look),
    )  # fmt: skip


def _ends(level: Level, label: int) -> tuple[float, float]:
    high = difference_limit(level.difference[label])
    return -high, high


def difference_cells_pane(result: Result, look: Look) -> Pane:
    """The same as cells with numbers; the line separates border cells from interior ones."""
    level = result.levels[look.number]
    low, high = _ends(level, look.label)
    rows, columns = level.scores.shape[1:]
    decimals = 2 if high < 10 and columns < ROOMY else 1
    drawn = result.cache.get(
        ("difference cells", look.label, look.number),
        lambda: _numbers(level.difference[look.label], Scale(low, high, decimals, unit="logit")),
    )
    layers = [*drawn, _lit(look)]
    if rows > 2 and columns > 2:
        inner = np.array([[1, 1, columns - 1, rows - 1]], np.float32)
        layers.insert(-1, numbered.frames(inner, numbered.DARK, "interior", width=3.0, dotted=True))

    def readout(row: int, column: int) -> str:
        where = "border" if level.border[row, column] else "interior"
        value = float(level.difference[look.label, row, column])
        if not np.isfinite(value):
            return f"row {row}, column {column}: not cropped yet"
        return f"row {row}, column {column} ({where}): {value:+.4g} logit"

    title = "One pass minus crop, logit"
    return numbered.pane("difference", title, (rows, columns), layers, readout)


def last_map_pane(result: Result, look: Look) -> Pane:
    """Where in the chosen window the last map of the crop is another one."""
    level = result.levels[look.number]
    values = level.apart[look.cell] * np.float32(100)
    side = values.shape[0]
    highest = result.cache.get(
        ("apart", look.number), lambda: max(float(np.nanmax(level.apart, initial=0.0)), 1e-4)
    )
    scale = Scale(0.0, 100 * highest, 0 if highest > 0.1 else 1, "magma", "% of mean activation")
    drawn = result.cache.get(("last map", look.number, look.cell), lambda: _numbers(values, scale))

    def readout(row: int, column: int) -> str:
        value = float(values[row, column])
        if not np.isfinite(value):
            return "not cropped yet"
        return f"row {row}, column {column} of the window's last map: {value:.3g}% apart"

    title = "Last map: % apart"
    return numbered.pane("last map", title, (side, side), drawn, readout)
