"""What the views of anchors and proposals share: anchors as numpy in the photo's frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from explorer.annotations.truth import LAYER, counting, named, not_counted
from explorer.core.layers import Boxes, Heat, lookup_table
from explorer.engine.stages import anchor_answers_of
from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Color, Float32, UInt8
    from explorer.core.params import Box
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.trace import Level

BLUE: Color = (90, 170, 255)
ORANGE: Color = (255, 160, 40)
GREEN: Color = (80, 220, 120)
RED: Color = (240, 80, 80)
WHITE: Color = (255, 255, 255)
GRAY: Color = (150, 150, 150)


@dataclass(frozen=True, slots=True, eq=False)
class AnchorTable:
    """N anchors and the network's outputs for each, in the photo's pixels.

    Attributes:
        frame: From the photo's pixels to the network's transformed image, where levels count.
        levels: Where the anchors stand.
        anchors: (N, 4) float32.
        moved: (N, 4) float32: the anchors after the network's deltas, not clipped.
        scores: (N,) float32 in [0, 1].
        labels: (N,) int64 classes, or None.
        meaning: What a score is.
        best: (N,) int64: all anchors, highest score first.
    """

    frame: Frame
    levels: tuple[Level, ...]
    anchors: Float32
    moved: Float32
    scores: Float32
    labels: NDArray[np.int64] | None
    meaning: str
    best: NDArray[np.int64]
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))


def anchor_table(scene: Scene) -> AnchorTable:
    """The anchors of the scene's network on its photo, made once."""
    return scene.memo("anchor_table", lambda: _table(scene))


def _table(scene: Scene) -> AnchorTable:
    found = anchor_answers_of(scene)
    back = found.frame.inverse()
    scores = plain(found.scores)
    return AnchorTable(
        found.frame,
        found.levels,
        back.boxes(plain(found.anchors)),
        back.boxes(plain(found.refined)),
        scores,
        None if found.labels is None else found.labels.cpu().numpy(),
        found.meaning,
        np.argsort(-scores, kind="stable"),
    )


def photo_size(scene: Scene) -> tuple[int, int]:
    """Height and width of the photo."""
    height, width = scene.image.pixels.shape[:2]
    return height, width


def plain(values: Tensor) -> Float32:
    """Any tensor as float32 numpy."""
    array: Float32 = values.detach().float().cpu().numpy()
    return array


def numbers(values: Tensor) -> NDArray[np.int64]:
    """A tensor of ids as numpy."""
    array: NDArray[np.int64] = values.cpu().numpy()
    return array


def counted(count: int) -> str:
    """217413 as "217,413"."""
    return f"{count:,}"


def score_map(table: AnchorTable, level: int, prior: int) -> Float32:
    """(rows, columns) of one level: the best score of each cell, or that of one of its anchors."""
    place = table.levels[level]
    scores = table.scores[place.first : place.first + place.count]
    grid = scores.reshape(place.rows, place.columns, place.per_cell)
    return grid.max(axis=2) if prior < 0 else grid[:, :, min(prior, place.per_cell - 1)]


def all_levels_map(table: AnchorTable) -> tuple[Float32, int]:
    """The best score of all levels at each cell of the finest one, and that level's position."""
    finest = max(range(len(table.levels)), key=lambda i: table.levels[i].count)
    fine = table.levels[finest]
    best = np.zeros((fine.rows, fine.columns), np.float32)
    xs = (np.arange(fine.columns) + 0.5) * fine.stride[0]
    ys = (np.arange(fine.rows) + 0.5) * fine.stride[1]
    for number, level in enumerate(table.levels):
        columns = np.minimum((xs // level.stride[0]).astype(int), level.columns - 1)
        rows = np.minimum((ys // level.stride[1]).astype(int), level.rows - 1)
        best = np.maximum(best, score_map(table, number, -1)[rows[:, None], columns])
    return best, finest


def score_heat(table: AnchorTable, level: int, prior: int, opacity: float) -> Heat:
    """The scores laid over the photo; `level` and `prior` -1 mean the best of all."""

    def values() -> tuple[Float32, int]:
        if level >= 0:
            return score_map(table, level, prior), level
        return all_levels_map(table)

    grid, number = table.cache.get(("map", level, prior), values)
    place = table.levels[number]
    x, y = place.stride
    extent = table.frame.inverse().extent(place.columns * x, place.rows * y)
    high = float(max(grid.max(), 1e-6))
    return Heat(
        np.ascontiguousarray(grid) if not grid.flags.c_contiguous else grid, 0.0, high, "inferno",
        extent, opacity, alpha_by_value=True, unit=table.meaning, name="scores",
    )  # fmt: skip


def anchor_at(table: AnchorTable, x: float, y: float, level: int, prior: int) -> int | None:
    """The index of the anchor at a place of the photo; the highest-scoring of those left open.

    `level` and `prior` -1 leave them open. None where no cell covers the place.
    """
    u, v = table.frame.point(x, y)
    found: list[int] = []
    for number, place in enumerate(table.levels):
        cell = place.cell_at(u, v)
        if cell is None or level not in (-1, number):
            continue
        if prior >= 0:
            found.append(place.index(*cell, min(prior, place.per_cell - 1)))
        else:
            first = place.index(*cell)
            found += range(first, first + place.per_cell)
    return max(found, key=lambda index: float(table.scores[index]), default=None)


def shades(scores: Float32, low: float = 0.25) -> UInt8:
    """(N, 3) colors of scores in [0, 1]: dark orange to light yellow."""
    table = lookup_table("inferno")
    where = (low + (1.0 - low) * np.clip(scores, 0.0, 1.0)) * 235
    colors: UInt8 = table[where.astype(np.uint8)]
    return colors


def same(color: Color, count: int) -> UInt8:
    """(N, 3) of one color."""
    return np.tile(np.array([color], np.uint8), (count, 1))


def truth_layer(truth: Sequence[Box]) -> list[Boxes]:
    """The ground truth as layers for pictures; the window draws its handles over it."""
    objects = counting(truth)
    if not objects:
        return passed_layer(truth)
    labels = tuple(box.label for box in objects)
    return [
        Boxes(
            truth_boxes(objects), same(WHITE, len(objects)), labels if any(labels) else (),
            width=2.5, selectable=False, name=LAYER,
        ),
        *passed_layer(truth),
    ]  # fmt: skip


def passed_layer(truth: Sequence[Box]) -> list[Boxes]:
    """The difficult objects and crowds among `truth`, which count neither way: blue, dashed."""
    passed = [box for box in truth if not box.counts]
    if not passed:
        return []
    return [
        Boxes(
            truth_boxes(passed), same(BLUE, len(passed)), tuple(map(named, passed)), width=2.5,
            dotted=True, selectable=False, name=f"{LAYER}, not counted",
        )
    ]  # fmt: skip


def passed_words(truth: Sequence[Box]) -> str:
    """Behind a summary, as in " · 1 difficult object (not counted)"; "" where all count."""
    return "".join(f" · {some} (not counted)" for some in not_counted(truth))


def truth_boxes(truth: Sequence[Box]) -> Float32:
    """(G, 4) in the photo's pixels."""
    rows = [(box.x0, box.y0, box.x1, box.y1) for box in truth]
    return np.array(rows, np.float32).reshape(-1, 4)


def level_name(level: Level) -> str:
    """A level in a few words: its stride and its grid."""
    return f"stride {cast('float', round(level.stride[0])):g}, {level.columns} x {level.rows}"


def prior_words(table: AnchorTable, level: int, prior: int) -> str:
    """The size of one anchor of a level's cells, in the photo's pixels."""
    place = table.levels[level]
    width, height = place.shapes[min(prior, place.per_cell - 1)]
    return f"{width / table.frame.sx:.0f} x {height / table.frame.sy:.0f}"
