"""The panes of an enlargement with its numbers: cells before, kernel or stamps, cells after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Pane
from explorer.views.segmentation.decoder_bench.arithmetic import (
    BILINEAR,
    NAILS,
    NEAREST,
    TRANSPOSED,
    UNPOOLING,
    Arithmetic,
)
from explorer.views.segmentation.decoder_bench.maps import heat
from explorer.views.shared.common import size_of
from explorer.views.shared.grids import enlargements
from explorer.views.shared.grids.cells import ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Heat, Picture
    from explorer.views.segmentation.decoder_bench.maps import ClassMap


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
    found = {
        NEAREST: "Nearest, x2", BILINEAR: "Bilinear, x2", NAILS: "Nails, x2",
        TRANSPOSED: "Sum of the stamps", UNPOOLING: "",
    }[result.method]  # fmt: skip
    given = f"scores: {result.label}"
    return enlargements.panes_of(result, cell, given=given, found=found, kernel=", stride 2")


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
