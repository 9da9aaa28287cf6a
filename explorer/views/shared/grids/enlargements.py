"""How a few cells become more of them, with every number: unpooling and transposed convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from explorer.views.shared.grids import cells
from explorer.views.shared.grids.cells import BLUE, ORANGE, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Boxes, Float32, Layer, Pane
    from explorer.views.shared.draw_cache import DrawCache


class Enlarged(Protocol):
    """What is drawn.

    Attributes:
        given: (r, c) float32, the cells that are enlarged; of an unpooling the pooled ones.
        found: (R, C) float32, the enlarged ones.
        spread: (r * c, R, C) float32, what a 1 in each given cell becomes; None for an unpooling.
        before: (R, C) float32, the cells before the pooling of an unpooling.
        switches: (r, c) int64, where in `before` the largest were: ``row * C + column``.
        kernel: (kh, kw) float32 of a transposed convolution.
        stamps: (R, C) int64, how many stamps lie on each found cell.
    """

    @property
    def given(self) -> Float32: ...
    @property
    def found(self) -> Float32: ...
    @property
    def spread(self) -> Float32 | None: ...
    @property
    def before(self) -> Float32 | None: ...
    @property
    def switches(self) -> NDArray[np.int64] | None: ...
    @property
    def kernel(self) -> Float32 | None: ...
    @property
    def stamps(self) -> NDArray[np.int64] | None: ...
    @property
    def cache(self) -> DrawCache: ...


def panes_of(
    result: Enlarged,
    cell: int | None,
    *,
    given: str,
    found: str,
    kernel: str = "",
    unit: str = "score",
) -> list[Pane]:
    """The cells before, the kernel or the stamps, the cells after.

    Args:
        result: The numbers.
        cell: The given cell that is followed, counted row by row; None = one off the edge.
        given: What the first cells are, for their title.
        found: What the last ones are.
        kernel: What stands behind the size of a kernel.
        unit: What the numbers are.
    """
    arrays = (result.given, result.found, result.before)
    scale = Scale.of(*(values for values in arrays if values is not None), unit=unit)
    if result.before is not None and result.switches is not None:
        return _unpooling(result, result.before, result.switches, cell, given, scale)
    return _linear(result, cell, given, found, kernel, scale)


def chosen_cell(result: Enlarged, cell: int | None) -> tuple[int, int]:
    """Row and column of the cell that is followed; by default one off the edge."""
    rows, columns = result.given.shape
    if cell is None or cell >= rows * columns:
        return min(1, rows - 1), min(1, columns - 1)
    return cell // columns, cell % columns


def _drawn(result: Enlarged, name: str, values: Float32, scale: Scale) -> tuple[Layer, ...]:
    return result.cache.get(name, lambda: cells.layers_of(values, scale))


def _linear(
    result: Enlarged, cell: int | None, label: str, title: str, behind: str, scale: Scale
) -> list[Pane]:
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
            "given", f"{columns} x {rows} {label}", (rows, columns),
            (*_drawn(result, "given", given, scale), cells.clickable(rows, columns), *before),
            lambda r, c: f"row {r}, column {c}: {given[r, c]:.4g}",
        ),
        *_kernel_pane(result, behind),
        cells.pane(
            "found", f"{title}: {found_columns} x {found_rows}", found.shape,
            (*_drawn(result, "found", found, scale), *after), in_words,
        ),
    ]  # fmt: skip


def _kernel_pane(result: Enlarged, behind: str) -> list[Pane]:
    if result.kernel is None or result.stamps is None:
        return []
    kernel, stamps = result.kernel, result.stamps
    size = f"{kernel.shape[1]} x {kernel.shape[0]}"
    if (kernel == 1).all():
        counts = stamps.astype(np.float32)
        scale = Scale(0.0, float(counts.max()), 0, "viridis", "stamps")
        layers = result.cache.get("stamps", lambda: cells.layers_of(counts, scale))
        title = f"Stamps on a cell, kernel {size}"
        return [
            cells.pane(
                "kernel", title, counts.shape, layers,
                lambda r, c: f"row {r}, column {c}: {stamps[r, c]} stamps",
            )
        ]  # fmt: skip
    scale = Scale.of(kernel, unit="weight")
    layers = result.cache.get("kernel", lambda: cells.layers_of(kernel, scale))
    return [
        cells.pane(
            "kernel", f"Kernel {size}{behind}", kernel.shape, layers,
            lambda r, c: f"row {r}, column {c}: weight {kernel[r, c]:.4g}",
        )
    ]  # fmt: skip


def _covered(weights: Float32) -> Float32:
    """(1, 4), the box around the cells with a weight; (0, 4) when there is none."""
    rows, columns = np.nonzero(np.abs(weights) > 1e-9)
    if not len(rows):
        return np.zeros((0, 4), np.float32)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return np.array([box], np.float32)


def _unpooling(
    result: Enlarged,
    before: Float32,
    switches: NDArray[np.int64],
    cell: int | None,
    label: str,
    scale: Scale,
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
    put = cells.frames(winner, ORANGE, "put")
    return [
        cells.pane(
            "before", f"{wide} x {shape[0]} {label}", shape,
            (*_drawn(result, "before", before, scale), grid, marks, *chosen),
            lambda r, c: f"row {r}, column {c}: {before[r, c]:.4g}",
        ),
        cells.pane(
            "given", "Max-pooled, with switches", (rows, columns),
            (
                *_drawn(result, "given", given, scale), cells.clickable(rows, columns),
                cells.frames(own, ORANGE, "chosen"),
            ),
            given_words,
        ),
        cells.pane(
            "found", "Unpooled by the switches", shape,
            (*_drawn(result, "found", found, scale), grid, marks, put),
            after,
        ),
    ]  # fmt: skip
