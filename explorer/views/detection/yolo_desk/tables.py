"""The tables: the boxes of the cell, all its numbers, and the way down the tree of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Table, class_colors
from explorer.render.numbers import fixed
from explorer.views.detection.yolo_desk.cells import channel_names
from explorer.views.shared.common import class_name, color

if TYPE_CHECKING:
    from explorer.views.detection.yolo_desk.cells import Grid
    from explorer.views.detection.yolo_desk.loss import Loss

SIBLINGS = 4
"""So many words of every level are listed."""


def cell_table(grid: Grid, cell: tuple[int, int], classes: tuple[str, ...]) -> Table:
    """A row for each box of the cell."""
    boxes, confidence = grid.boxes[cell], grid.confidence[cell]
    best = int(grid.classes[cell].argmax())
    # Plain numbers, which may leave [0, 1]: the network clips them before it multiplies.
    scores = confidence.clip(0, 1) * grid.classes[cell][best].clip(0, 1)
    size = len(grid.names)
    numbers = grid.numbers[cell].reshape(-1)[: size * len(boxes)].reshape(-1, size)
    rows = tuple(
        (
            f"{grid.word} {k + 1}",
            *(round(float(value), 3) for value in numbers[k]),
            *_offsets(grid, cell, k),
            *(round(float(side), 1) for side in boxes[k]),
            *(() if grid.file is not None else (round(float(confidence[k]), 3),)),
            *((round(float(scores[k]), 3),) if grid.first else ()),
            *_best(grid, cell, k, classes),
        )
        for k in range(len(boxes))
    )
    score = (f"score of {class_name(classes, best + 1)}",) if grid.first else ()
    last: tuple[str, ...] = ("confidence" if grid.first else "objectness", *score)
    meanings: tuple[str, ...] = ()
    if grid.file is not None:
        last, meanings = ("class", "score"), grid.file.meanings
    return Table(
        "cell", ("of the cell", *grid.names, *meanings, "x0", "y0", "x1", "y1", *last), rows,
        title="Boxes of this cell",
        swatches=tuple(map(color, class_colors(len(boxes)))),
    )  # fmt: skip


def _offsets(grid: Grid, cell: tuple[int, int], box: int) -> tuple[float, ...]:
    """Of a file: where the box lies from its cell."""
    if grid.file is None:
        return ()
    return tuple(round(float(value), 3) for value in grid.file.offsets[(*cell, box)])


def _best(
    grid: Grid, cell: tuple[int, int], box: int, classes: tuple[str, ...]
) -> tuple[str | float, ...]:
    """Of a file: the box's most probable class and its score."""
    if grid.file is None:
        return ()
    place = (*cell, box)
    name = class_name(classes, int(grid.file.best[place]) + 1)
    return name, round(float(grid.file.scores[place]), 3)


def tensor_table(grid: Grid, cell: tuple[int, int], classes: tuple[str, ...]) -> Table:
    """v1: all numbers of the cell, the classes after the boxes."""
    names = channel_names(grid, classes)
    rows = tuple(
        (number, name, round(float(value), 4))
        for number, (name, value) in enumerate(zip(names, grid.numbers[cell], strict=True), start=1)
    )
    return Table(
        "numbers", ("number", "meaning", "value"), rows,
        title="Numbers of this cell",
    )  # fmt: skip


def descent_table(grid: Grid, cell: tuple[int, int], least: float) -> Table:
    """v2: the most probable words of every level on the way of the cell's best prior."""
    words = grid.words
    assert words is not None
    box = int(grid.confidence[cell].argmax())
    way = words.descent(*cell, box, least)
    given, total = words.given[(*cell, box)], words.total[(*cell, box)]
    rows: list[tuple[str | int | float, ...]] = []
    above = -1
    for level in range(len(way) + 1):
        children = words.children(above)
        if not len(children):
            break
        order = children[np.argsort(-total[children], kind="stable")][:SIBLINGS].tolist()
        for word in order:
            chosen = level < len(way) and word == way[level]
            rows.append(
                (
                    level + 1, words.words[word], round(float(given[word]), 3),
                    round(float(total[word]), 3), "taken" if chosen else "",
                )
            )  # fmt: skip
        if level == len(way):
            break
        above = way[level]
    return Table(
        "descent",
        ("level", "word", "given its parent", "probability", f"descent at {least:.2f}"),
        tuple(rows),
        title=f"Tree of words for prior {box + 1} of this cell",
    )


def summary(
    grid: Grid, cell: tuple[int, int], classes: tuple[str, ...], loss: Loss | None, least: float
) -> str:
    """The cell in a sentence."""
    row, column = cell
    best, box = int(grid.classes[cell].argmax()), int(grid.confidence[cell].argmax())
    name, sure = class_name(classes, best + 1), float(grid.confidence[cell][box])
    words = f"Row {row}, column {column}: {name} {grid.classes[cell][best]:.2f}, "
    if grid.file is not None:
        place = (*cell, int(grid.file.scores[cell].argmax()))
        name = class_name(classes, int(grid.file.best[place]) + 1)
        return (
            f"Stride {grid.file.stride:g} (map {grid.file.level} of {grid.file.levels}), "
            f"row {row}, column {column}, {grid.word} {place[2] + 1}: {name} with score "
            f"{grid.file.scores[place]:.2f}"
        )
    if grid.first:
        words += f"box {box + 1} with confidence {fixed(sure, 2)}"
        if loss is not None:
            place = loss.cells[0].tolist()
            words = (
                f"Responsible: row {place[0]}, column {place[1]}, box {loss.responsible[0] + 1} "
                f"(IoU {loss.overlaps[0].max():.2f}). {words}"
            )
        return words
    words += f"prior {box + 1} with objectness {sure:.2f}"
    if grid.words is not None:
        way = grid.words.descent(row, column, box, least)
        named = " → ".join(grid.words.words[word] for word in way) or "no word"
        words += f": {named}"
    return words
