"""The plots and tables: people, keypoints, and the way of one of them back to the photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.core.layers import Plot, Table, class_colors
from explorer.views.shared.common import color

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explorer.views.segmentation.keypoints.result import Opened, Result


def people_table(result: Result, rows: NDArray[np.intp], least: float) -> Table:
    """The people that are shown; a row selects one."""
    lines = tuple(
        (
            int(row) + 1,
            round(float(result.found.scores[row]), 3),
            f"{int((result.scores[row] >= least).sum())} of {len(result.names)}",
            round(float(result.scores[row].mean()), 2),
            f"{box[2] - box[0]:.0f} x {box[3] - box[1]:.0f}",
        )
        for row, box in zip(rows, result.found.xyxy[rows], strict=True)
    )
    return Table(
        "people", ("person", "score", "keypoints", "mean keypoint score", "box"), lines,
        title="People", layer="people", keys=tuple((rows + 1).tolist()),
    )  # fmt: skip


def joints_table(result: Result, person: Opened) -> Table:
    """Every keypoint of the chosen person; a row selects its heat map."""
    places = result.points[person.row, :, :2]
    lines = tuple(
        (
            name.replace("_", " "),
            round(float(person.scores[k]), 2),
            round(float(person.shares[k].max()), 3),
            f"{person.peaks[k, 0]}, {person.peaks[k, 1]}",
            round(float(places[k, 0]), 1),
            round(float(places[k, 1]), 1),
        )
        for k, name in enumerate(result.names)
    )
    tints = class_colors(len(result.names))
    return Table(
        "joints", ("keypoint", "score (logit)", "max. probability", "row, column", "x", "y"),
        lines, title="Keypoints of the chosen person", layer="joints",
        keys=tuple(range(1, len(lines) + 1)), swatches=tuple(color(tint) for tint in tints),
    )  # fmt: skip


def way_table(result: Result, person: Opened) -> Table:
    """From the heat map to the photo, with the numbers of the chosen keypoint."""
    k, box, region = person.joint, person.box, person.region
    x0, y0, x1, y1 = (float(side) for side in region.box)
    rows, columns = person.logits.shape[1:]
    height, width = person.values.shape
    row, column = (int(at) for at in person.peaks[k])
    pixel_row, pixel_column = (int(at) for at in person.pixels[k])
    x, y = (float(at) for at in person.places[k])
    there = result.points[person.row, k]
    wide, tall = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    lines: tuple[tuple[str, str], ...] = (
        ("box in the network's input", f"{x0:.1f}, {y0:.1f} to {x1:.1f}, {y1:.1f}"),
        (
            f"maximum of the {columns} x {rows} map",
            f"row {row}, column {column}: logit {person.logits[k, row, column]:.2f}, "
            f"probability {person.shares[k, row, column]:.3f}",
        ),
        ("resized to the box (bicubic)", f"{width} x {height} px"),
        (
            "its maximum, the score",
            f"row {pixel_row}, column {pixel_column}: {person.scores[k]:.2f}",
        ),
        (
            "x in the input",
            f"{x0:.1f} + ({pixel_column} + 0.5) · {wide:.2f} / {width} = {x:.2f}",
        ),
        ("y in the input", f"{y0:.1f} + ({pixel_row} + 0.5) · {tall:.2f} / {height} = {y:.2f}"),
        ("on the photo", f"{there[0]:.1f}, {there[1]:.1f}"),
        ("box on the photo", ", ".join(f"{side:.1f}" for side in box)),
    )
    name = result.names[k].replace("_", " ")
    return Table("way", ("step", name), lines, title="From the heat map to the photo")


def score_bars(result: Result, person: Opened) -> Plot:
    """The score of every keypoint of the chosen person."""
    tints = class_colors(len(result.names))
    bars = tuple(
        (name.replace("_", " "), float(person.shares[k].max()), color(tints[k]))
        for k, name in enumerate(result.names)
    )
    return Plot("peaks", "Largest probability of each keypoint", bars=bars, bar_range=(0.0, 1.0))
