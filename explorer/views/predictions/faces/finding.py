"""The stages of the cascade as panes and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Pane, Picture, Points, Table, Text
from explorer.core.listing import quantity
from explorer.networks.faces.cascade import P_SIDE, P_STRIDE
from explorer.views.shared.anchors import BLUE, GRAY, GREEN, ORANGE, RED, WHITE, same
from explorer.views.shared.common import size_of

if TYPE_CHECKING:
    from explorer.core.layers import Color, Layer, UInt8
    from explorer.views.predictions.faces.result import Result
    from explorer.vision.faces.cascade import Level, Stage

SHADE = 32
GAP = 15
POINT_COLORS: UInt8 = np.array(
    [(90, 200, 255), (90, 200, 255), (255, 214, 80), (255, 110, 160), (255, 110, 160)], np.uint8
)
"""Eyes, nose, corners of the mouth."""
LABELED = 40
"""Pixels: levels that are less high have no room for their scale."""
MOST_DRAWN = 2000
"""Windows of P-Net: more could not be told apart."""
P_CONV = (3 * 3 * 3 * 10, 3 * 3 * 10 * 16, 3 * 3 * 16 * 32, 32 * 6)
"""Multiplications of P-Net's four layers for one cell of their maps."""


def image_pane(result: Result, chosen: int | None) -> Pane:
    """The photo with its faces and their points."""
    layers: list[Layer] = [result.photo]
    if result.read is not None and len(result.read.faces):
        faces = result.read.faces
        colors = same(GREEN, len(faces))
        if chosen is not None:
            colors[chosen] = ORANGE
        words = tuple(f"{score:.2f}" for score in faces.scores)
        keys = tuple(range(len(faces)))
        layers.append(Boxes(faces.boxes, colors, words, keys, width=2.5, name="faces"))
        layers.append(points_layer(result))
    elif result.read is None:
        layers += _so_far(result)
    return Pane("image", size_of(result.photo), tuple(layers), title=_found(result))


def points_layer(result: Result) -> Points:
    assert result.read is not None
    faces = result.read.faces
    sides = faces.boxes[:, 2] - faces.boxes[:, 0]
    radius = float(np.clip(np.median(sides) / 40, 2.0, 5.0))
    colors = np.tile(POINT_COLORS, (len(faces), 1))
    return Points(faces.points.reshape(-1, 2), colors, radius=radius, name="points")


def _found(result: Result) -> str:
    if result.read is None:
        return "Photo"
    return f"O-Net: {quantity(len(result.read.faces), 'face')} with five points"


def _so_far(result: Result) -> list[Layer]:
    if result.refined is not None:
        return [_boxes(result.refined.boxes[result.refined.kept], ORANGE, 2.0, "kept")]
    if result.proposals is not None:
        return [_boxes(result.proposals, ORANGE, 1.5, "kept")]
    if result.levels:
        return [_boxes(result.levels[-1].boxes, GRAY, 1.0, "windows")]
    return []


def _boxes(xyxy: np.ndarray, color: Color, width: float, name: str, dotted: bool = False) -> Boxes:
    return Boxes(
        xyxy.astype(np.float32), same(color, len(xyxy)), width=width, dotted=dotted,
        selectable=False, name=name,
    )  # fmt: skip


# -- the pyramid ----------------------------------------------------------------------------------


def corners(levels: tuple[Level, ...]) -> list[tuple[int, int]]:
    """Where the left upper corner of each level lies: columns that are hardly higher than the
    first level. They are odd, so that cells of all maps lie on one grid of two pixels.
    """  # noqa: D205
    found: list[tuple[int, int]] = []
    x, y, wide, tall = 1, 1, 0, 0
    for level in levels:
        height, width = level.pixels.shape[:2]
        if found and y + height > 1.4 * tall:
            x, y, wide = x + wide + GAP, 1, 0
        x += 1 - x % 2
        found.append((x, y))
        tall, wide = max(tall, height), max(wide, width)
        y += height + GAP
        y += 1 - y % 2
    return found


def pyramid_pane(result: Result, opacity: float) -> Pane:
    """Every level with P-Net's scores at the windows' middles, and its highest-scoring window."""
    levels = result.levels
    places = corners(levels)
    sides = [
        (x + level.pixels.shape[1], y + level.pixels.shape[0])
        for (x, y), level in zip(places, levels, strict=True)
    ]
    size = tuple(max(side[axis] for side in sides) + 1 for axis in (0, 1))
    size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    picture, heat = result.cache.get(
        ("pyramid", len(levels), opacity), lambda: _pyramid(levels, places, size, opacity)
    )
    best = np.array([_best(level, place) for level, place in zip(levels, places, strict=True)])
    windows = _boxes(best, WHITE, 1.0, "windows")
    words = [
        Text(f"{level.scale:.2g}", (float(x), float(y)), size=8.0, name=f"scale {row}")
        for row, ((x, y), level) in enumerate(zip(places, levels, strict=True))
        if level.pixels.shape[0] >= LABELED
    ]

    def readout(x: float, y: float) -> str:
        for number, (corner, level) in enumerate(zip(places, levels, strict=True), 1):
            cell = _cell(level, x - corner[0], y - corner[1])
            if cell is not None:
                score = level.scores[cell]
                side = P_SIDE / level.scale
                return f"level {number}, cell {cell}: a window of {side:.0f} px, score {score:.3f}"
        return ""

    cells = sum(level.scores.size for level in levels)
    return Pane(
        "pyramid", (float(size[0]), float(size[1])), (picture, heat, windows, *words),
        title=f"Pyramid: {quantity(cells, 'window')}", frame="pyramid",
        readout=readout,
    )  # fmt: skip


def _pyramid(
    levels: tuple[Level, ...], places: list[tuple[int, int]], size: tuple[int, ...], opacity: float
) -> tuple[Picture, Heat]:
    canvas = np.full((size[1], size[0], 3), SHADE, np.uint8)
    scores = np.full((size[1] // 2, size[0] // 2), np.nan, np.float32)
    middle = P_SIDE // 2 - 1
    for (x, y), level in zip(places, levels, strict=True):
        height, width = level.pixels.shape[:2]
        canvas[y : y + height, x : x + width] = level.pixels
        rows, columns = level.scores.shape
        left, top = (x + middle) // 2, (y + middle) // 2
        scores[top : top + rows, left : left + columns] = level.scores
    heat = Heat(
        scores, 0.0, 1.0, colormap="magma", extent=(0.0, 0.0, float(size[0]), float(size[1])),
        opacity=opacity, unit="score", name="scores",
    )  # fmt: skip
    return Picture(canvas, name="levels"), heat


def _best(level: Level, place: tuple[int, int]) -> list[int]:
    """Where the highest-scoring window lies in the pyramid, xyxy."""
    row, column = divmod(int(level.scores.argmax()), level.scores.shape[1])
    x, y = place[0] + P_STRIDE * column, place[1] + P_STRIDE * row
    return [x, y, x + P_SIDE, y + P_SIDE]


def _cell(level: Level, x: float, y: float) -> tuple[int, int] | None:
    """The cell whose window has its middle at a place of the level."""
    column = math.floor((x - P_SIDE // 2 + 1) / P_STRIDE)
    row = math.floor((y - P_SIDE // 2 + 1) / P_STRIDE)
    rows, columns = level.scores.shape
    return (row, column) if 0 <= row < rows and 0 <= column < columns else None


# -- the stages -----------------------------------------------------------------------------------


def proposals_pane(result: Result) -> Pane:
    """The windows that P-Net takes for faces, and what NMS leaves of them."""
    layers: list[Layer] = [result.photo]
    above = np.concatenate([level.boxes for level in result.levels])
    scores = np.concatenate([level.confidence for level in result.levels])
    order = np.argsort(-scores, kind="stable")[:MOST_DRAWN]
    layers.append(_boxes(above[order], GRAY, 0.8, "above the threshold"))
    words = f"P-Net: {quantity(len(above), 'window')}"
    if result.proposals is not None:
        layers.append(_boxes(result.proposals, ORANGE, 1.5, "after NMS"))
        words += f", {len(result.proposals):,} after NMS"
    return Pane("proposals", size_of(result.photo), tuple(layers), title=words)


def refined_pane(result: Result, stage: Stage) -> Pane:
    """R-Net's regions: those it rejects, and how it moves the others."""
    rejected = np.setdiff1d(np.arange(len(stage.regions)), stage.passed)
    layers: tuple[Layer, ...] = (
        result.photo,
        _boxes(stage.regions[rejected], RED, 0.8, "rejected"),
        _boxes(stage.regions[stage.kept], BLUE, 1.2, "regions", dotted=True),
        _boxes(stage.boxes[stage.kept], GREEN, 2.0, "refined"),
    )
    title = f"R-Net: {quantity(len(stage.regions), 'region')}, {len(stage.kept):,} kept"
    return Pane("refined", size_of(result.photo), layers, title=title)


def levels_table(result: Result) -> Table:
    """One row for each level: its windows, and what sharing their convolutions saves."""
    rows = []
    for number, level in enumerate(result.levels):
        height, width = level.pixels.shape[:2]
        alone = round(result.alone[number], 5) if number < len(result.alone) else ""
        shared, separate = multiplications(height, width)
        rows.append(
            (
                number + 1, round(level.scale, 4), f"{width} x {height}", level.scores.size,
                len(level.windows), len(level.kept), round(float(level.scores.max()), 5), alone,
                round(separate / shared, 1),
            )
        )  # fmt: skip
    columns = (
        "level", "scale", "pixels", "windows", "above threshold", "after NMS", "highest score",
        "that window cut out", "cost of cut windows",
    )  # fmt: skip
    return Table("pyramid", columns, tuple(rows), title="Pyramid: P-Net as a sliding window")


def multiplications(height: int, width: int) -> tuple[int, int]:
    """Of P-Net on a picture of that size at once, and on each of its 12 x 12 windows by itself."""

    def of(rows: int, columns: int) -> tuple[int, int]:
        first = (rows - 2) * (columns - 2)
        rows, columns = math.ceil((rows - 2) / 2), math.ceil((columns - 2) / 2)
        second = (rows - 2) * (columns - 2)
        last = (rows - 4) * (columns - 4)
        each = (first, second, last, last)
        return sum(a * b for a, b in zip(each, P_CONV, strict=True)), last

    whole, windows = of(height, width)
    one, _ = of(P_SIDE, P_SIDE)
    return whole, one * windows


def stages_table(result: Result) -> Table:
    """How many boxes each stage is given and keeps."""
    rows: list[tuple[str | int, ...]] = []
    cells = sum(level.scores.size for level in result.levels)
    above = sum(len(level.windows) for level in result.levels)
    if result.proposals is not None:
        rows.append(("P-Net, 12 x 12", cells, above, len(result.proposals)))
    for name, stage in (("R-Net, 24 x 24", result.refined), ("O-Net, 48 x 48", result.finished)):
        if stage is not None:
            rows.append((name, len(stage.regions), len(stage.passed), len(stage.kept)))
    return Table(
        "stages", ("network", "given", "above threshold", "after NMS"), tuple(rows), title="Stages"
    )


def faces_table(result: Result) -> Table:
    """The faces with their points."""
    assert result.read is not None
    faces = result.read.faces
    rows = []
    for row in range(len(faces)):
        x0, y0, x1, y1 = (round(float(side), 1) for side in faces.boxes[row])
        change = result.read.changes[row]
        apart = float(np.linalg.norm(faces.points[row, 0] - faces.points[row, 1]))
        rows.append(
            (
                row + 1, round(float(faces.scores[row]), 4), x0, y0, round(x1 - x0, 1),
                round(y1 - y0, 1), round(apart, 1), round(-change.degrees, 1),
            )
        )  # fmt: skip
    columns = ("face", "score", "x", "y", "width", "height", "eye to eye (px)", "turned (degrees)")
    return Table(
        "faces", columns, tuple(rows), title="Faces", layer="faces",
        keys=tuple(range(len(faces))),
    )  # fmt: skip
