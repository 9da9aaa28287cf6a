"""The plots and tables of the RoI microscope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table, colors_apart
from explorer.views.detection.roi_microscope.panes import METHODS, PYRAMID, Cut
from explorer.views.shared.common import class_name, color
from explorer.vision.detection.roi import when_shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, Float32
    from explorer.vision.detection.roi_head import HeadAnswer, RoiMaps

STEP = 0.05
"""Pixels of the network's input between two points of the plot."""

COLORS: dict[str, Color] = {
    "RoIPool": (240, 96, 80), "RoIWarp": (236, 172, 40), "RoIAlign": (70, 160, 250),
}  # fmt: skip


def shift_plot(
    cut: Cut, maps: RoiMaps, base: Float32, number: int, chosen: int, reach: float
) -> Plot:
    """One bin's output while the box is shifted; `base` (4,) is the box before its own shift."""
    count = round(reach / STEP)
    pixels = np.arange(-count, count + 1, dtype=np.float64) * STEP
    shifts = (pixels * maps.scales[number][0]).astype(np.float32)
    at = divmod(chosen, cut.size)
    found = when_shifted(
        cut.feature, maps.cells(base, number), shifts, (cut.size, cut.size), at,
        sampling=cut.sampling, aligned=cut.aligned,
    )  # fmt: skip
    curves = tuple(
        Curve(np.asarray(pixels, np.float64), values.astype(np.float64), name, COLORS[name])
        for name, values in found.items()
    )
    return Plot(
        "shift", f"Output of bin {at[0] + 1}, {at[1] + 1}",
        x_label="shift to the right, pixels of the input", y_label="output", curves=curves,
        steers="shift",
    )  # fmt: skip


def class_bars(answer: HeadAnswer, classes: Sequence[str], most: int = 7) -> Plot:
    """The most probable classes of the box, the background among them."""
    best = np.argsort(-answer.probabilities, kind="stable")[:most]
    tints = colors_apart(best.tolist(), len(answer.probabilities))
    bars = tuple(
        (
            class_name(classes, int(row)) if row else "background",
            float(answer.probabilities[row]),
            color(tint) if row else (140, 144, 152),
        )
        for row, tint in zip(best, tints, strict=True)
    )
    return Plot("classes", "Class probabilities of this box", bars=bars, bar_range=(0.0, 1.0))


def geometry_table(cut: Cut) -> Table:
    """What every method divides: its window in cells, its bins, and where that loses the box."""
    exact = cut.cells.astype(float)
    rows: list[tuple[str, ...]] = [("the box", _sides(exact), "–", "–")]
    for name in METHODS:
        found = cut.pooled[name]
        window = np.array(found.window)
        n = PYRAMID[-1] if name == "SPP" else cut.size
        wide, tall = (window[2] - window[0]) / n, (window[3] - window[1]) / n
        off = np.abs(window - exact).max()
        rows.append((name, _sides(window), f"{wide:.2f} x {tall:.2f}", f"{off:.2f}"))
    columns = ("method", "window x0, y0, x1, y1", "bin", "max. rounding")
    return Table("geometry", columns, tuple(rows), title="Window in cells of the feature map")


def _sides(box: Float32) -> str:
    return ", ".join(f"{side:.2f}" for side in box)


def level_table(maps: RoiMaps, box: Float32, number: int, exact: float) -> Table:
    """How the map is chosen, with the numbers of this box."""
    wide, tall = (float(side) for side in box[2:] - box[:2])
    stride = 1 / maps.scales[number][0]
    rows: list[tuple[str, str]] = [("w x h", f"{wide:.2f} x {tall:.2f} px of the input")]
    if maps.levels is None:
        rows.append(("map", f"{maps.names[0]}, stride {stride:.3g}: the only level"))
        return Table("level", ("", "this box"), tuple(rows), title="Pyramid level")
    side = max(wide * tall, 0.0) ** 0.5
    low, high = maps.levels
    base, middle = maps.canonical
    floor = f"{np.floor(exact + 1e-6):.0f}" if np.isfinite(exact) else "-inf"
    rows += [
        ("sqrt(w·h)", f"{side:.2f} px"),
        (f"{middle:g} + log2(… / {base:g})", f"{exact:.3f}"),
        ("k = floor", floor),
        (f"within {low} … {high}", f"{number + low}"),
        ("map", f"{maps.names[number]}, stride {stride:.3g}"),
    ]
    return Table("level", ("", "this box"), tuple(rows), title="Pyramid level (Lin et al. 2017)")


def proposal_table(maps: RoiMaps, most: int) -> Table:
    """The highest-scoring proposals; a row chooses one."""
    count = min(most, len(maps.proposals))
    inside = maps.frame.boxes(maps.proposals[:count])
    rows = []
    for number, box in enumerate(inside):
        index, _ = maps.level(box)
        rows.append(
            (
                number + 1, round(float(maps.scores[number]), 3),
                f"{box[2] - box[0]:.0f} x {box[3] - box[1]:.0f}", maps.names[index],
            )
        )  # fmt: skip
    return Table(
        "proposals", ("proposal", "objectness", "size (input)", "map"), tuple(rows),
        title="Proposals", layer="proposals", keys=tuple(range(1, count + 1)),
    )  # fmt: skip
