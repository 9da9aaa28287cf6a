"""The anchors of any cell of any pyramid level, and the network's outputs for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Layer,
    Lines,
    Pane,
    Picture,
    Plot,
    Table,
    class_colors,
)
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.anchors.mosaic import map_title, maps_pane
from explorer.views.shared.anchors import (
    GRAY,
    WHITE,
    AnchorTable,
    anchor_at,
    anchor_table,
    counted,
    same,
    score_heat,
    shades,
)
from explorer.views.shared.common import class_name, color, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.boxes import centers, clip, encode
from explorer.vision.trace.parts import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene

EXPLANATION = r"""
An **anchor** (SSD: default box, YOLO: prior) is a reference box at a fixed place of the photo,
whatever the photo shows. Every cell of a feature map has several, of different sizes and aspect
ratios. For each, with center $(x_a, y_a)$, width $w_a$ and height $h_a$, the network predicts a
score and four offsets $t$ that turn it into a refined box:

$$ \begin{aligned} x &= x_a + w_a t_x & w &= w_a \exp(t_w) \\
y &= y_a + h_a t_y & h &= h_a \exp(t_h) \end{aligned} $$

YOLO keeps the center within its cell, whose column is $c$ and row $r$, here in cells:

$$ x = c + \sigma(t_x) \qquad y = r + \sigma(t_y) $$

with $\sigma$ for the sigmoid.

**Reading it.** Move over the photo: the square is the cell under the mouse, dotted boxes are its
anchors, solid boxes of the same color are the refined boxes of the highest-scoring ones. Click to
keep a cell. The heat map shows the highest score of every cell: light means a high score.

**Small maps**: one for each level (row) and each of its anchors (column). Choose one to overlay it
on the photo and to see the cells of that level. A level with a small stride has many cells with
small anchors, for small objects; a level with a large stride has few cells with large anchors.

The score is the *objectness* of a region proposal network, or the highest class score of a
single-stage detector. FCOS has no anchors but points: each is drawn as a square of the stride's
width, and its score is the geometric mean of the class probability and the predicted center-ness.
torchvision centers anchors on the upper left corner of their cell, SSD on the middle of it.

**Sources.** Ren et al. 2015, *Faster R-CNN*, section 3.1.1; Liu et al. 2016, *SSD*, section 2.2;
Lin et al. 2017, *RetinaNet*, section 4; Redmon and Farhadi 2017, *YOLO9000*, section 2; Tian et al.
2019, *FCOS*, section 3.
"""

CELL, BEST = "one cell", "the best of the photo"
MOST_BARS = 9


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        CELL, "Show",
        "The anchors of the cell under the mouse, or the highest-scoring of the whole photo.",
        effect=Effect.DRAW, choices=(CELL, BEST),
    )  # fmt: skip
    tile: int | None = param(
        None, "Map",
        "One level and one anchor shape: click a small map or its row. None: the maximum over all.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="maps", low=0, high=255,
    )  # fmt: skip
    refined: int = param(
        3, "Refined boxes",
        "How many of the cell's highest-scoring anchors are drawn with their refined boxes.",
        effect=Effect.DRAW, low=0, high=15, step=1,
    )  # fmt: skip
    most: int = param(
        12, "Top anchors", "How many of the whole photo are drawn, highest score first.",
        effect=Effect.DRAW, low=1, high=300, step=1, log=True,
    )  # fmt: skip
    opacity: float = param(
        0.6, "Heat map opacity", "Opacity of the score map over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "The cell under the mouse.",
        effect=Effect.DRAW, pick=Pick.HOVER, pane="image", advanced=True,
    )  # fmt: skip
    place: Point | None = param(
        None, "Cell", "Click on the photo: that cell stays selected when the mouse leaves.",
        effect=Effect.DRAW, pick=Pick.CLICK, pane="image",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`tiles` are the (level, prior) of the small maps, in their order."""

    photo: Picture
    table: AnchorTable
    classes: tuple[str, ...]
    tiles: tuple[tuple[int, int], ...]
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    table = anchor_table(scene)
    tiles = tuple(
        (number, prior)
        for number, level in enumerate(table.levels)
        for prior in range(level.per_cell)
    )
    yield Step(Result(photo_of(scene), table, scene.network.info.classes, tiles))


def draw(result: Result, params: Params) -> Board:
    level, prior = _chosen(result, params)
    opacity = params.opacity * (0.5 if params.show == BEST else 1.0)  # many boxes lie over it
    index = _anchor(result, params, level, prior)
    layers: list[Layer] = [
        result.photo,
        result.cache.get(
            ("heat", level, prior, opacity),
            lambda: score_heat(result.table, level, prior, opacity),
        ),
    ]
    plots: tuple[Plot, ...] = ()
    if params.show == BEST:
        rows = _best(result, level, prior, params.most)
        layers += _best_layers(result, rows)
        table, summary = _best_table(result, rows), _best_words(result, rows)
    else:
        cell = _Cell.of(result, index, params.refined)
        layers += cell.layers()
        table, summary, plots = cell.table(), cell.words(), (cell.bars(),)
    panes = (
        Pane(
            "image", size_of(result.photo), tuple(layers),
            title=map_title(result.table, level, prior), readout=_readout(result),
        ),
        maps_pane(result.table, result.tiles, result.cache, params.tile),
    )  # fmt: skip
    levels = result.cache.get("levels", lambda: _levels_table(result.table))
    return Board(panes=panes, plots=plots, tables=(table, levels), summary=summary)


def data(result: Result, params: Params) -> dict[str, Any]:
    """All anchors, in their own order (level, row, column, anchor of the cell).

    Keys: `anchors` and `moved` (N, 4) float32 xyxy in the photo's pixels (moved ones not clipped),
    `scores` (N,) float32, `level` (N,) int64, `labels` (N,) where anchors have classes.
    """
    table = result.table
    counts = [level.count for level in table.levels]
    found: dict[str, Any] = {
        "anchors": table.anchors,
        "moved": table.moved,
        "scores": table.scores,
        "level": np.repeat(np.arange(len(counts)), counts),
    }
    if table.labels is not None:
        found["labels"] = table.labels
    return found


def _chosen(result: Result, params: Params) -> tuple[int, int]:
    """Level and anchor of the chosen small map; -1, -1 when none is."""
    if params.tile is None:
        return -1, -1
    return result.tiles[min(params.tile, len(result.tiles) - 1)]


def _anchor(result: Result, params: Params, level: int, prior: int) -> int:
    """The anchor shown: under the mouse, at the clicked place, or the highest-scoring of all."""
    for place in (params.at, params.place):
        if place is not None:
            found = anchor_at(result.table, place.x, place.y, level, prior)
            if found is not None:
                return found
    return int(_best(result, level, prior, 1)[0])


def _best(result: Result, level: int, prior: int, most: int) -> NDArray[np.int64]:
    table = result.table
    if level < 0:
        return table.best[:most]
    place = table.levels[level]
    own = np.arange(place.first, place.first + place.count)
    if prior >= 0:
        own = own[min(prior, place.per_cell - 1) :: place.per_cell]
    return own[np.argsort(-table.scores[own], kind="stable")][:most]


def _size(result: Result) -> tuple[int, int]:
    height, width = result.photo.rgb.shape[:2]
    return height, width


def _shape_words(box: Float32) -> str:
    return f"{box[2] - box[0]:.0f} x {box[3] - box[1]:.0f}"


# -- one cell -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Cell:
    """The k anchors of one cell, highest scores first; `drawn` of them with their refined boxes."""

    result: Result
    rows: NDArray[np.int64]
    place: tuple[int, int, int]
    drawn: int

    @staticmethod
    def of(result: Result, index: int, drawn: int) -> _Cell:
        table = result.table
        number, row, column, _ = place_of(table.levels, index)
        level = table.levels[number]
        first = level.index(row, column)
        rows = np.arange(first, first + level.per_cell)
        rows = rows[np.argsort(-table.scores[rows], kind="stable")]
        return _Cell(result, rows, (number, row, column), min(drawn, len(rows)))

    def colors(self) -> UInt8:
        """The drawn ones have colors of their own, the others are gray."""
        colors = same(GRAY, len(self.rows))
        colors[: self.drawn] = class_colors(self.drawn)
        return colors

    def layers(self) -> list[Layer]:
        table, n = self.result.table, self.drawn
        number, row, column = self.place
        square = np.array([table.levels[number].cell_box(row, column)], np.float32)
        square = table.frame.inverse().boxes(square)
        anchors, colors = table.anchors[self.rows], self.colors()
        moved = clip(table.moved[self.rows[:n]], _size(self.result))
        before, after = centers(anchors[:n])[:, :2], centers(moved)[:, :2]
        labels = tuple(f"{table.scores[row]:.2f}" for row in self.rows[:n])
        return [
            Boxes(
                anchors[::-1], colors[::-1], width=1.5, dotted=True, selectable=False,
                name="anchors",
            ),
            Boxes(square, same(WHITE, 1), width=2.0, fill=0.25, selectable=False, name="cell"),
            Lines(np.concatenate([before, after], axis=1), colors[:n], arrow=True, name="moves"),
            Boxes(
                moved, colors[:n], labels, tuple(range(n)), width=2.5, name="refined"
            ),
        ]  # fmt: skip

    def table(self) -> Table:
        table = self.result.table
        anchors, moved = table.anchors[self.rows], table.moved[self.rows]
        deltas = encode(moved, anchors)
        rows: list[tuple[str | int | float, ...]] = []
        for i, row in enumerate(self.rows):
            rows.append(
                (
                    _shape_words(anchors[i]),
                    round(float(table.scores[row]), 3), *self._label(int(row)),
                    *(round(float(delta), 2) for delta in deltas[i]), _shape_words(moved[i]),
                )
            )  # fmt: skip
        label = () if table.labels is None else ("class",)
        return Table(
            "cell",
            ("anchor", "score", *label, "tx", "ty", "tw", "th", "refined box"),
            tuple(rows),
            title="Anchors of this cell",
            layer="refined",
            keys=tuple(range(len(rows))),
            swatches=tuple(color(tint) for tint in self.colors()),
        )

    def _label(self, row: int) -> tuple[str, ...]:
        labels = self.result.table.labels
        return () if labels is None else (class_name(self.result.classes, int(labels[row])),)

    def bars(self) -> Plot:
        table = self.result.table
        bars = tuple(
            (_shape_words(table.anchors[row]), float(table.scores[row]), color(tint))
            for row, tint in zip(self.rows[:MOST_BARS], self.colors(), strict=False)
        )
        title = f"Scores of this cell's anchors ({table.meaning})"
        title += f", {MOST_BARS} of {len(self.rows)}" if len(self.rows) > MOST_BARS else ""
        return Plot("scores", title, bars=bars, bar_range=(0.0, 1.0))

    def words(self) -> str:
        table = self.result.table
        number, row, column = self.place
        best = int(self.rows[0])
        label = "".join(f", {name}" for name in self._label(best))
        return (
            f"Level {number + 1} (stride {table.levels[number].stride[0]:g}), row {row}, column "
            f"{column}: the highest-scoring of its {len(self.rows)} anchors: "
            f"{_shape_words(table.anchors[best])} with {table.meaning} "
            f"{table.scores[best]:.2f}{label}."
        )


# -- the best of the photo ------------------------------------------------------------------------


def _best_layers(result: Result, rows: NDArray[np.int64]) -> list[Layer]:
    table = result.table
    order = rows[::-1]  # the highest score on top
    colors = shades(table.scores[order] / float(max(table.scores.max(), 1e-6)))
    labels = tuple(f"{table.scores[row]:.2f}" for row in order) if len(rows) <= 5 else ()
    keys = tuple(int(row) for row in order)
    moved = clip(table.moved[order], _size(result))
    return [
        Boxes(
            table.anchors[order], colors, width=1.0, dotted=True, selectable=False, name="anchors"
        ),
        Boxes(moved, colors, labels, keys, name="refined"),
    ]


def _best_table(result: Result, rows: NDArray[np.int64]) -> Table:
    table = result.table
    lines = []
    for row in rows:
        number, down, across, _ = place_of(table.levels, int(row))
        name = () if table.labels is None else (
            class_name(result.classes, int(table.labels[row])),
        )  # fmt: skip
        lines.append(
            (
                round(float(table.scores[row]), 3), *name, number + 1, down, across,
                _shape_words(table.anchors[row]), _shape_words(table.moved[row]),
            )
        )  # fmt: skip
    label = () if table.labels is None else ("class",)
    return Table(
        "best",
        ("score", *label, "level", "row", "column", "anchor", "refined box"),
        tuple(lines),
        title="Highest-scoring anchors",
        layer="refined",
        keys=tuple(int(row) for row in rows),
    )


def _best_words(result: Result, rows: NDArray[np.int64]) -> str:
    table = result.table
    half = int((table.scores >= 0.5).sum())
    return (
        f"{counted(half)} of {counted(len(table.scores))} anchors have a score >= 0.50. Drawn: "
        f"the top {len(rows)}, anchors dotted, refined boxes solid."
    )


# -- maps and levels ------------------------------------------------------------------------------


def _readout(result: Result) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        words = []
        for number, level in enumerate(result.table.levels):
            index = anchor_at(result.table, x, y, number, -1)
            if index is not None:
                words.append(f"stride {level.stride[0]:g}: {result.table.scores[index]:.2f}")
        return f"best {result.table.meaning}: {', '.join(words)}" if words else ""

    return readout


def _levels_table(table: AnchorTable) -> Table:
    rows = []
    for number, level in enumerate(table.levels):
        own = table.scores[level.first : level.first + level.count]
        rows.append(
            (
                number + 1, f"{level.stride[0]:g}", f"{level.columns} x {level.rows}",
                level.per_cell, level.count, round(float(own.max()), 3), int((own >= 0.5).sum()),
            )
        )  # fmt: skip
    columns = ("level", "stride", "cells", "anchors each", "anchors", "best", "score >= 0.50")
    return Table("levels", columns, tuple(rows), title="Levels")


VIEW = View(
    name="anchors",
    title="Anchors",
    group=Group.DETECTION,
    summary="The anchors of every cell of the feature maps, with their scores and refined boxes.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN, section 3.1.1",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
)
