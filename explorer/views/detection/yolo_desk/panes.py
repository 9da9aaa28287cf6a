"""The panes: the cell, all boxes, the class map, the detections, and the tensor as maps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Boxes, Heat, Lines, Masks, Pane, Text, class_colors, colors_apart
from explorer.core.layers import Grid as GridLines
from explorer.render.numbers import fixed
from explorer.views.detection.yolo_desk.cells import channel_names
from explorer.views.shared.anchors import GRAY, ORANGE, WHITE, same, truth_layer
from explorer.views.shared.common import class_name, color, score_threshold, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Extent, Float32, Layer, Picture, UInt8
    from explorer.core.params import Box
    from explorer.views.detection.yolo_desk.cells import Grid
    from explorer.views.shared.detections import DetectorAnswer
    from explorer.views.shared.draw_cache import DrawCache

WIDEST = 5.0
"""Line width of a box with the confidence 1."""

BINS = 6
LEAST_BOX = 0.02
"""Boxes of a lower confidence are not drawn."""

KEYED = 6
"""Classes in the key of the class map."""

TILE, GAP = 12.0, 26.0
"""Of the tensor's maps: units of a cell, and between maps, where names stand."""

MARGIN = 110.0
"""Beside the maps of v2, where the priors are named."""

LOGITS = 4.0
"""The numbers of v2 are shown from minus this to this."""

ACROSS = 6
REFINED = 2
"""So many of a cell's boxes of v2 are drawn beside their priors."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What all panes are about; `cell` is a row and a column, `channel` a chosen number."""

    photo: Picture
    grid: Grid
    answer: DetectorAnswer
    cell: tuple[int, int]
    channel: int | None
    classes: tuple[str, ...]
    cache: DrawCache

    @property
    def extent(self) -> Extent:
        """Of the whole grid in the photo's pixels."""
        xs, ys = self.grid.lines
        return float(xs[0]), float(ys[0]), float(xs[-1]), float(ys[-1])

    def name(self, k: int) -> str:
        """Of the k-th class number."""
        return class_name(self.classes, k + 1)

    def pane(self, name: str, layers: Sequence[Layer], title: str) -> Pane:
        return Pane(
            name, size_of(self.photo), (self.photo, *layers), title=title, readout=self._readout()
        )

    def lines(self) -> GridLines:
        xs, ys = self.grid.lines
        return GridLines(xs, ys, self.extent, opacity=0.55, name="cells")

    def marked(self) -> Boxes:
        return Boxes(
            self.grid.cell_box(*self.cell), same(WHITE, 1), width=2.5, selectable=False, name="cell"
        )

    def _readout(self) -> Callable[[float, float], str]:
        grid = self.grid

        def words(x: float, y: float) -> str:
            place = grid.at(x, y)
            if place is None:
                return ""
            best = int(grid.classes[place].argmax())
            confidence = float(grid.confidence[place].max())
            return (
                f"row {place[0]}, column {place[1]}: {self.name(best)} "
                f"{grid.classes[place][best]:.2f}, highest confidence {fixed(confidence, 2)}"
            )

        return words


def cell_pane(shown: Shown, more: Sequence[Layer], truth: Sequence[Box]) -> Pane:
    """The photo with the grid, the cell, and its boxes."""
    grid = shown.grid
    row, column = shown.cell
    rows, columns, _ = grid.shape
    layers: list[Layer] = [shown.lines()]
    title = f"{rows} x {columns} cells: row {row}, column {column}"
    if grid.file is not None:
        title = f"Stride {grid.file.stride:g}: {title}"
    if shown.channel is not None and shown.channel < grid.numbers.shape[2]:
        names = channel_names(grid, shown.classes)
        values = np.ascontiguousarray(grid.numbers[..., shown.channel])
        low, high = _span(values)
        heat = Heat(
            values, low, high, extent=shown.extent, opacity=0.6, unit="value", name="number"
        )
        layers.insert(0, heat)
        title = f"{names[shown.channel]} of every cell"
    own = _first_boxes(grid, shown.cell) if grid.first else _prior_boxes(grid, shown.cell)
    layers += [shown.marked(), *([] if more else own), *more, *truth_layer(truth)]
    return shown.pane("image", layers, title)


def _first_boxes(grid: Grid, cell: tuple[int, int]) -> list[Layer]:
    """v1: the boxes of the cell with their confidence."""
    boxes, confidence = grid.boxes[cell], grid.confidence[cell]
    labels = tuple(f"box {k + 1}: {value:.2f}" for k, value in enumerate(confidence))
    tints = class_colors(len(boxes))
    return [Boxes(boxes, tints, labels, width=2.5, selectable=False, name="boxes of the cell")]


def _prior_boxes(grid: Grid, cell: tuple[int, int]) -> list[Layer]:
    """v2 and files: the priors of the cell, dotted, and what becomes of the best ones."""
    x0, y0, x1, y1 = grid.cell_box(*cell)[0]
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float32)
    priors = np.concatenate([middle - grid.priors / 2, middle + grid.priors / 2], axis=1)
    best = np.argsort(-grid.confidence[cell], kind="stable")[:REFINED]
    tints = class_colors(len(priors))
    moved = grid.boxes[cell][best]
    after = (moved[:, :2] + moved[:, 2:]) / 2
    before = np.repeat(middle[None], len(best), axis=0)
    labels = tuple(f"{grid.word} {k + 1}: {grid.confidence[cell][k]:.2f}" for k in best.tolist())
    return [
        Boxes(priors.astype(np.float32), tints, width=1.2, dotted=True, selectable=False,
              name="priors of the cell"),
        Lines(np.concatenate([before, after], axis=1).astype(np.float32), tints[best],
              width=2.0, arrow=True, name="moves"),
        Boxes(moved, tints[best], labels, width=2.5, selectable=False, name="refined boxes"),
    ]  # fmt: skip


def boxes_pane(shown: Shown) -> Pane:
    """All boxes of all cells, as wide as they are confident."""
    grid = shown.grid

    def made() -> tuple[Layer, ...]:
        boxes, sure = grid.boxes.reshape(-1, 4), grid.confidence.reshape(-1).clip(0, 1)
        best = grid.classes.argmax(axis=2)
        labels = np.repeat(best.reshape(-1), grid.shape[2])
        tints = _tints(shown)[labels]
        found: list[Layer] = []
        edges = np.linspace(LEAST_BOX, 1.0, BINS + 1)
        for low, high in pairwise(edges.tolist()):
            rows = np.flatnonzero((sure >= low) & ((sure < high) | (high == 1.0)))
            if len(rows):
                found.append(
                    Boxes(
                        boxes[rows], tints[rows], width=max(0.6, WIDEST * (low + high) / 2),
                        selectable=False, name=f"boxes from {low:.2f}",
                    )
                )  # fmt: skip
        return tuple(found)

    count = int((grid.confidence >= LEAST_BOX).sum())
    layers = shown.cache.get("all boxes", made)
    return shown.pane("boxes", layers, f"All boxes: {grid.confidence.size:,}, {count:,} drawn")


def class_pane(shown: Shown) -> Pane:
    """Every cell in the color of its most probable class."""

    def made() -> tuple[Layer, ...]:
        best = shown.grid.classes.argmax(axis=2)
        tints = _tints(shown)
        map_ = Masks(
            best.astype(np.int32), tints, tuple(map(shown.name, range(len(tints)))),
            extent=shown.extent, opacity=0.55, outline=False, name="classes",
        )  # fmt: skip
        labels, counts = np.unique(best, return_counts=True)
        first = labels[np.argsort(-counts, kind="stable")][:KEYED].tolist()
        words = [shown.name(k) for k in first]
        if len(labels) > KEYED:
            words.append(f"and {len(labels) - KEYED} more")
        key = Text(
            "\n".join(words), (0.0, size_of(shown.photo)[1]), size=9.0,
            swatches=tuple(color(tints[k]) for k in first), name="key",
        )  # fmt: skip
        return map_, shown.lines(), key

    layers = shown.cache.get("class map", made)
    return shown.pane("class map", (*layers, shown.marked()), "Class map")


def _tints(shown: Shown) -> UInt8:
    """(K, 3): those that are the most probable class of some cell lie far apart."""

    def made() -> Any:
        grid = shown.grid
        best = grid.classes.argmax(axis=2).reshape(-1)
        sure = grid.confidence.max(axis=2).reshape(-1)
        weight = np.bincount(best, sure + 1e-3, minlength=grid.classes.shape[2])
        order = np.argsort(-weight, kind="stable")
        tints = np.empty((len(order), 3), np.uint8)
        tints[order] = colors_apart(order.tolist(), len(order))
        return tints

    return shown.cache.get("tints", made)


def detections_pane(shown: Shown, score: float | None) -> Pane:
    """What remains after the threshold and NMS."""
    answer = shown.answer
    least = score_threshold(answer.info) if score is None else score
    rows = np.flatnonzero(answer.found.scores >= least)
    labels = answer.found.labels[rows]
    tints = _tints(shown)[labels - 1] if len(rows) else np.zeros((0, 3), np.uint8)
    names = tuple(
        f"{class_name(shown.classes, int(k))} {value:.2f}"
        for k, value in zip(labels, answer.found.scores[rows], strict=True)
    )
    boxes = Boxes(
        answer.found.xyxy[rows], tints, names, width=2.5, selectable=False, name="detections"
    )
    title = f"Detections: {len(rows)} with score >= {least:.2f} after NMS"
    return shown.pane("detections", (boxes,), title)


def tensor_pane(shown: Shown) -> Pane:
    """One small map for every number of a cell; a click chooses it."""
    grid = shown.grid
    rows, columns, boxes = grid.shape
    count = grid.numbers.shape[2]
    across = ACROSS if grid.first else count // boxes
    wide, high = columns * TILE, rows * TILE
    left, above, below = (0.0, GAP, GAP) if grid.first else (MARGIN, 2 * GAP, GAP / 2)
    column, row = np.arange(count) % across, np.arange(count) // across
    corners = np.stack(
        [left + column * (wide + GAP / 2), above + row * (high + below)], axis=1
    ).astype(np.float32)
    size = corners[-1] + np.array([wide, high]) + 1.0

    def made() -> tuple[Layer, ...]:
        centered = not grid.first and grid.file is None
        low, top = (-LOGITS, LOGITS) if centered else (0.0, 1.0)
        unit = "value" if grid.file is None else "0 = each map's minimum, 1 = its maximum"
        maps: list[Layer] = [
            Heat(
                _map(grid, k), low, top, "coolwarm" if centered else "viridis",
                extent=(x, y, x + wide, y + high), unit=unit, name=f"map {k}",
            )
            for k, (x, y) in enumerate(corners.tolist())
        ]  # fmt: skip
        return (*maps, *_map_names(shown, corners, high))

    here = corners + np.array([shown.cell[1] * TILE, shown.cell[0] * TILE], np.float32)
    cells = np.concatenate([here, here + np.float32(TILE)], axis=1)
    outer = np.concatenate([corners, corners + np.array([wide, high], np.float32)], axis=1)
    tints = same(GRAY, count)
    if shown.channel is not None and shown.channel < count:
        tints[shown.channel] = ORANGE
    layers = (
        *shown.cache.get("tensor", made),
        Boxes(cells, same(WHITE, count), width=1.5, selectable=False, name="cell in every map"),
        Boxes(outer, tints, keys=tuple(range(count)), width=1.5, name="maps"),
    )
    title = f"Tensor {rows} x {columns} x {grid.depth}: click a map"
    if grid.depth > count:
        title = f"{count} of the {rows} x {columns} x {grid.depth} numbers: click a map"
    return Pane(
        "tensor",
        (float(size[0]), float(size[1])),
        layers,
        title=title,
        frame="tensor",
        drawing=True,
    )


def _map(grid: Grid, number: int) -> Float32:
    """One number of every cell; those of files, pixels and probabilities, from 0 to 1."""
    values = np.ascontiguousarray(grid.numbers[..., number])
    if grid.file is None:
        return values
    low, high = _span(values)
    return (values - low) / np.float32(high - low)


def _map_names(shown: Shown, corners: Float32, high: float) -> list[Text]:
    """v1: above every map. v2: above the columns, and the priors beside the rows."""
    names = channel_names(shown.grid, shown.classes)
    tops = [(x, y) for x, y in corners.tolist()]
    places = [(name, top, (0.0, 1.0)) for name, top in zip(names, tops, strict=True)]
    if not shown.grid.first:
        across = len(names) // shown.grid.shape[2]
        places = [(name.split()[0], place, anchor) for name, place, anchor in places[:across]]
        places += [
            (f"{shown.grid.word} {k + 1}", (MARGIN - 4.0, y + high / 2), (1.0, 0.5))
            for k, (_, y) in enumerate(tops[::across])
        ]
    return [
        Text(name, place, size=8.0, plate=False, color=GRAY, anchor=anchor, name=f"name {name}")
        for name, place, anchor in places
    ]


def _span(values: np.ndarray[Any, np.dtype[np.float32]]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1.0)
