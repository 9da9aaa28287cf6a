"""The panes of an enlargement with its numbers: cells before, kernel or stamps, cells after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Pane
from explorer.views.segmentation.decoder_bench import cells
from explorer.views.segmentation.decoder_bench.arithmetic import (
    BILINEAR,
    NAILS,
    NEAREST,
    TRANSPOSED,
    UNPOOLING,
    Arithmetic,
)
from explorer.views.segmentation.decoder_bench.cells import Scale
from explorer.views.segmentation.decoder_bench.maps import heat
from explorer.views.shared.common import size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Heat, Layer, Picture
    from explorer.views.segmentation.decoder_bench.maps import ClassMap

ORANGE, BLUE = (255, 150, 30), (40, 130, 255)


def score_pane(result: Arithmetic, photo: Picture, opacity: float) -> Pane:
    """The enlarged scores of the class over the photo, and the cells whose numbers are written."""
    place = result.score_place
    finite = np.abs(result.score[np.isfinite(result.score)])
    high = float(finite.max(initial=0.0)) or 1.0

    def drawn() -> Heat:
        return heat(
            result.score, place, high=high, colormap="coolwarm", unit=f"score of {result.label}",
            opacity=max(opacity, 0.7),
        )  # fmt: skip

    def readout(x: float, y: float) -> str:
        cell = place.cell(x, y)
        if cell is None:
            return "outside the network's input"
        value = float(result.score[cell])
        words = f"{value:.4g}" if np.isfinite(value) else "0, nothing came to lie here"
        return f"row {cell[0]}, column {cell[1]}: {words}"

    window = Boxes(
        result.place.boxes(result.window), np.array([ORANGE], np.uint8), selectable=False,
        name="window",
    )  # fmt: skip
    title = f"{result.window_words} of {result.place.columns} x {result.place.rows}"
    layers = (photo, result.cache.get(("score", opacity), drawn), window)
    return Pane("image", size_of(photo), layers, title=title, readout=readout)


def panes_of(result: Arithmetic, cell: int | None) -> list[Pane]:
    """The numbers: the cells before, the kernel or the stamps, the cells after."""
    if result.before is not None and result.switches is not None:
        return _unpooling(result, result.before, result.switches, cell)
    return _linear(result, cell)


def chosen_cell(result: Arithmetic, cell: int | None) -> tuple[int, int]:
    """Row and column of the cell that is followed; by default one off the edge."""
    rows, columns = result.given.shape
    if cell is None or cell >= rows * columns:
        return min(1, rows - 1), min(1, columns - 1)
    return cell // columns, cell % columns


def _scale(result: Arithmetic) -> Scale:
    shown = (result.given, result.found)
    return Scale.of(*shown) if result.before is None else Scale.of(*shown, result.before)


def _drawn(result: Arithmetic, name: str, values: Float32) -> tuple[Layer, ...]:
    return result.cache.get(name, lambda: cells.layers_of(values, _scale(result)))


def _linear(result: Arithmetic, cell: int | None) -> list[Pane]:
    assert result.spread is not None
    given, found, spread_of = result.given, result.found, result.spread
    row, column = chosen_cell(result, cell)
    rows, columns = given.shape
    follows = [((row, column), ORANGE)]
    if result.kernel is not None:
        beside = column + 1 if column + 1 < columns else column - 1
        if beside >= 0:
            follows.append(((row, beside), BLUE))
    before, after = [], []
    for (at_row, at_column), tint in follows:
        box = cells.of_all(rows, columns)[at_row * columns + at_column][None]
        before.append(cells.frames(box, tint, f"chosen {tint}"))
        after.append(
            cells.frames(_covered(spread_of[at_row * columns + at_column]), tint, f"put {tint}")
        )
    scale = _scale(result)

    def in_words(at_row: int, at_column: int) -> str:
        weights = spread_of[:, at_row, at_column]
        parts = [
            f"{weights[k]:.3g} x {scale.word(float(given.flat[k]))}"
            for k in np.flatnonzero(np.abs(weights) > 1e-6)
        ]
        total = f" = {scale.word(float(found[at_row, at_column]))}"
        return f"row {at_row}, column {at_column}: {' + '.join(parts) or 'nothing'}{total}"

    found_rows, found_columns = found.shape
    return [
        cells.pane(
            "given", f"{columns} x {rows} scores: {result.label}", (rows, columns),
            (*_drawn(result, "given", given), cells.clickable(rows, columns), *before),
            lambda r, c: f"row {r}, column {c}: {given[r, c]:.4g}",
        ),
        *_kernel_pane(result),
        cells.pane(
            "found", f"{_title(result)}: {found_columns} x {found_rows}", found.shape,
            (*_drawn(result, "found", found), *after), in_words,
        ),
    ]  # fmt: skip


def _title(result: Arithmetic) -> str:
    return {
        NEAREST: "Nearest, x2", BILINEAR: "Bilinear, x2", NAILS: "Nails, x2",
        TRANSPOSED: "Sum of the stamps",
    }[result.method]  # fmt: skip


def _kernel_pane(result: Arithmetic) -> list[Pane]:
    if result.kernel is None or result.stamps is None:
        return []
    kernel, stamps = result.kernel, result.stamps
    side = len(kernel)
    if (kernel == 1).all():
        counts = stamps.astype(np.float32)
        scale = Scale(0.0, float(counts.max()), 0, "viridis", "stamps")
        layers = result.cache.get("stamps", lambda: cells.layers_of(counts, scale))
        title = f"Stamps on a cell, kernel {side} x {side}"
        return [
            cells.pane(
                "kernel", title, counts.shape, layers,
                lambda r, c: f"row {r}, column {c}: {stamps[r, c]} stamps",
            )
        ]  # fmt: skip
    layers = result.cache.get("kernel", lambda: cells.layers_of(kernel, _weights(kernel)))
    return [
        cells.pane(
            "kernel", f"Kernel {side} x {side}, stride 2", kernel.shape, layers,
            lambda r, c: f"row {r}, column {c}: weight {kernel[r, c]:.4g}",
        )
    ]  # fmt: skip


def _weights(kernel: Float32) -> Scale:
    high = float(np.abs(kernel).max()) or 1.0
    # 0.5625 of the bilinear kernel needs its digits.
    return Scale(-high, high, 2, "coolwarm", "weight")


def _covered(weights: Float32) -> Float32:
    """(1, 4), the box around the cells with a weight; (0, 4) when there is none."""
    rows, columns = np.nonzero(np.abs(weights) > 1e-9)
    if not len(rows):
        return np.zeros((0, 4), np.float32)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return np.array([box], np.float32)


def _unpooling(
    result: Arithmetic, before: Float32, switches: NDArray[np.int64], cell: int | None
) -> list[Pane]:
    given, found = result.given, result.found
    rows, columns = given.shape
    row, column = chosen_cell(result, cell)
    wide = before.shape[1]
    shape = (before.shape[0], wide)
    winners = cells.of_all(*shape)[switches.ravel()]
    winner = winners[row * columns + column][None]
    block = np.array([[2 * column, 2 * row, 2 * column + 2, 2 * row + 2]], np.float32)
    marks = cells.frames(winners, BLUE, "switches", width=2.0)
    grid = cells.rules(*shape, 2, width=2.5)
    chosen: list[Boxes] = [cells.frames(block, ORANGE, "block")]

    def source(r: int, c: int) -> str:
        switch = int(switches[r, c])
        return f"row {r}, column {c}: from row {switch // wide}, column {switch % wide}"

    def after(r: int, c: int) -> str:
        at = int(switches[r // 2, c // 2])
        words = f"pooled row {r // 2}, column {c // 2}" if at == r * wide + c else "no switch: 0"
        return f"row {r}, column {c}: {words}"

    def given_words(r: int, c: int) -> str:
        return f"{source(r, c)}, {given[r, c]:.4g}"

    own = cells.of_all(rows, columns)[row * columns + column][None]
    return [
        cells.pane(
            "before", f"{wide} x {shape[0]} scores: {result.label}", shape,
            (*_drawn(result, "before", before), grid, marks, *chosen),
            lambda r, c: f"row {r}, column {c}: {before[r, c]:.4g}",
        ),
        cells.pane(
            "given", "Max-pooled, with switches", (rows, columns),
            (
                *_drawn(result, "given", given), cells.clickable(rows, columns),
                cells.frames(own, ORANGE, "chosen"),
            ),
            given_words,
        ),
        cells.pane(
            "found", "Unpooled by the switches", shape,
            (*_drawn(result, "found", found), grid, marks, cells.frames(winner, ORANGE, "put")),
            after,
        ),
    ]  # fmt: skip


def summary_of(result: Arithmetic) -> str:
    rows, columns = result.place.rows, result.place.columns
    words = [f"{columns} x {rows} cells, output stride {result.stride}"]
    if result.stride == 1:
        words.append("the scores have the size of the input already")
    if result.stamps is not None:
        inner = result.stamps[2:-2, 2:-2] if min(result.stamps.shape) > 4 else result.stamps
        counts = sorted({int(count) for count in inner.ravel()})
        even = len(counts) == 1
        words.append(
            f"{counts[0]} stamps on every inner cell" if even
            else f"{counts[0]} to {counts[-1]} stamps on a cell: a checkerboard"
        )  # fmt: skip
    elif result.method in (NAILS, UNPOOLING):
        zeros = float((result.found == 0).mean())
        words.append(f"{zeros:.0%} of the enlarged cells are 0")
    return " · ".join(words)


def rows_of(result: Arithmetic) -> Sequence[tuple[str, ClassMap, float]]:
    """Name, classes and the part equal to the network's own classes, of several enlargements."""
    own, place = result.own, result.own.place
    found = [("the network's own", own, 1.0)]
    for name, classes in result.ways:
        rows = ((np.arange(place.rows) + 0.5) * classes.place.rows / place.rows).astype(int)
        across = (np.arange(place.columns) + 0.5) * classes.place.columns / place.columns
        same = classes.index[np.ix_(rows, across.astype(int))] == own.index
        found.append((name, classes, float(same.mean())))
    return found
