"""How tracks, their trails and the counts are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Lines, Plot, Points, Table, Text, class_colors
from explorer.views.shared.anchors import BLUE, GRAY, GREEN, ORANGE, same
from explorer.views.shared.common import class_name, color

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Color, Layer, Picture, UInt8
    from explorer.core.params import Point
    from explorer.vision.tracking.counting import LineCount, RegionCount
    from explorer.vision.tracking.tracks import Tracks

COUNTED: Color = (255, 214, 10)
"""Of the line and the region."""


def colors_of(numbers: NDArray[np.int64]) -> UInt8:
    """(N, 3): the color of every number, the same in every frame."""
    return class_colors(int(numbers.max(initial=0)) + 1)[numbers]


def trails(tracks: Tracks, photo: Picture, seconds: float) -> list[Layer]:
    """The ways of the centers in the last `seconds`; older pieces fade into the photo."""
    trail = tracks.trail[tracks.trail[:, 1] >= tracks.seconds - seconds]
    trail = trail[np.argsort(trail[:, 0], kind="stable")]
    first, second = trail[:-1], trail[1:]
    joined = first[:, 0] == second[:, 0]
    first, second = first[joined], second[joined]
    if len(first) == 0:
        return []
    age = ((tracks.seconds - second[:, 1]) / seconds)[:, None]
    middle = ((first[:, 2:] + second[:, 2:]) / 2).astype(int)
    limit = np.array(photo.rgb.shape[1::-1]) - 1
    x, y = np.clip(middle, 0, limit).T
    tints = colors_of(second[:, 0].astype(np.int64)) * (1 - age) + photo.rgb[y, x] * age
    segments = np.concatenate([first[:, 2:], second[:, 2:]], axis=1).astype(np.float32)
    return [Lines(segments, tints.round().astype(np.uint8), width=2.5, name="trails")]


def box_layers(tracks: Tracks, classes: tuple[str, ...], *, lost: bool) -> list[Layer]:
    """What was found in this frame; dotted what is lost, and gray what is new."""
    xyxy, numbers = tracks.motion.xyxy, tracks.numbers
    here, away = tracks.numbered & tracks.seen, tracks.numbered & ~tracks.seen
    new = ~tracks.numbered
    layers: list[Layer] = []
    if lost:
        layers = [
            Boxes(xyxy[new], same(GRAY, int(new.sum())), width=1.0, dotted=True, selectable=False,
                  name="new"),
            Boxes(xyxy[away], colors_of(numbers[away]), names(tracks, classes, away),
                  keys=tuple(numbers[away].tolist()), width=1.0, dotted=True, selectable=False,
                  name="lost"),
        ]  # fmt: skip
    found = Boxes(
        xyxy[here], colors_of(numbers[here]), names(tracks, classes, here),
        keys=tuple(numbers[here].tolist()), name="tracks",
    )  # fmt: skip
    return [*layers, found]


def names(tracks: Tracks, classes: tuple[str, ...], rows: NDArray[np.bool_]) -> tuple[str, ...]:
    """Words as in "person 3"."""
    return tuple(
        f"{class_name(classes, label)} {number}"
        for label, number in zip(
            tracks.labels[rows].tolist(), tracks.numbers[rows].tolist(), strict=True
        )
    )


def count_layers(
    line: LineCount | None,
    region: RegionCount | None,
    ends: tuple[Point, ...],
    size: tuple[float, float],
) -> list[Layer]:
    """The line with an arrow to where "in" is, and the region, both with their counts."""
    layers: list[Layer] = []
    if region is not None:
        words = f"{region.inside} inside · {region.entered} entered · {region.left} left"
        xyxy = np.array([region.box], np.float32)
        layers.append(
            Boxes(xyxy, same(COUNTED, 1), (words,), fill=0.08, selectable=False, name="region")
        )
    if line is not None:
        start, end = np.array(line.line).reshape(2, 2)
        way = end - start
        right = np.array([-way[1], way[0]]) / max(np.hypot(*way), 1e-9)
        foot, words_at = start + 0.35 * way, start + 0.6 * way  # apart: words hide what they cover
        segments = np.array([[*start, *end]], np.float32)
        arrow = np.array([[*foot, *(foot + right * 0.05 * max(size))]], np.float32)
        layers += [
            Lines(segments, same(COUNTED, 1), width=3.0, name="line"),
            Lines(arrow, same(COUNTED, 1), width=2.0, arrow=True, name="in"),
            Text(f"in {line.into} · out {line.out}", (float(words_at[0]), float(words_at[1])),
                 color=COUNTED, name="line counts"),
        ]  # fmt: skip
    if not ends:
        return layers
    xy = np.array([(point.x, point.y) for point in ends], np.float32)
    return [*layers, Points(xy, same(COUNTED, len(xy)), name="line ends")]


def count_plot(
    history: NDArray[np.float64], *, line: LineCount | None, region: RegionCount | None
) -> Plot:
    """How many were followed, and the counts, over the last minute of the film."""
    wanted: list[tuple[str, Color]] = [("objects", BLUE)]
    columns = [1]
    if line is not None:
        wanted += [("in", GREEN), ("out", ORANGE)]
        columns += [2, 3]
    if region is not None:
        wanted.append(("inside", COUNTED))
        columns.append(4)
    curves = tuple(
        Curve(history[:, 0], history[:, column], label, tint)
        for column, (label, tint) in zip(columns, wanted, strict=True)
    )
    title = "Objects over time"
    return Plot("counts", title, "time, s", "objects", curves=curves, whole_y=True)


def track_table(tracks: Tracks, classes: tuple[str, ...]) -> Table:
    """One row for every object that is followed, lost ones too."""
    rows = np.flatnonzero(tracks.numbered)
    numbers = tracks.numbers[rows]
    speeds = np.hypot(*tracks.motion.speed[:, :2].T)
    lines: tuple[tuple[str | int | float, ...], ...] = tuple(
        (
            int(tracks.numbers[row]),
            class_name(classes, int(tracks.labels[row])),
            round(float(tracks.scores[row]), 3),
            round(float(tracks.found[row] - tracks.born[row]), 1),
            round(float(tracks.seconds - tracks.found[row]), 1),
            round(float(speeds[row])),
            *(round(float(side), 1) for side in tracks.motion.xyxy[row]),
        )
        for row in rows
    )
    return Table(
        "tracks",
        ("id", "class", "score", "age, s", "gap, s", "px/s", "x0", "y0", "x1", "y1"),
        lines,
        title="Tracks",
        layer="tracks",
        keys=tuple(numbers.tolist()),
        swatches=tuple(color(tint) for tint in colors_of(numbers)),
    )
