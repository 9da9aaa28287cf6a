"""Speed and accuracy as a scatter plot, bars and tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import (
    Boxes,
    Lines,
    Pane,
    Picture,
    Plot,
    Points,
    Table,
    Text,
    class_colors,
    label_colors,
)
from explorer.core.listing import quantity
from explorer.evaluation.report import in_words
from explorer.views.evaluation.speed_accuracy.measuring import ACCURACIES
from explorer.views.shared.common import class_name, color
from explorer.vision.race.passes import ALL_STAGES
from explorer.vision.race.published import CLASSIFIED, PIPELINES, PROGRESS, REAL_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, Layer
    from explorer.views.evaluation.speed_accuracy.measuring import Measured

TIME, FLOPS, PARAMETERS, MEMORY = AXES = ("time", "FLOPs", "parameters", "memory")
_UNITS = {
    TIME: "ms per photo, the median run", FLOPS: "GFLOPs", PARAMETERS: "million parameters",
    MEMORY: "MB, weights and activations",
}  # fmt: skip

WIDTH, HEIGHT = 720.0, 640.0
LEFT, RIGHT, TOP, BELOW = 72.0, 30.0, 52.0, 104.0
_LINE, _PAPER_POINT = (70, 75, 84), (150, 156, 166)
_GROUND = np.array([[(30, 33, 38)]], np.uint8)
TICKS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of the plot; `x` in the unit of the axis, `y` in percent."""

    x: float
    y: float
    words: str
    tint: Color
    own: bool


def cost_on(axis: str, one: Measured) -> float:
    """What an axis shows of a network, in its unit."""
    match axis:
        case "FLOPs":
            return one.cost.flops / 1e9
        case "parameters":
            return one.cost.parameters / 1e6
        case "memory":
            return one.cost.memory / 1e6
        case _:
            return 1000 * one.seconds


def colors_of(count: int) -> list[Color]:
    """One for each network, in their order."""
    return [color(row) for row in class_colors(max(1, count))][:count]


def scatter(networks: Sequence[Measured], axis: str, task: str, *, published: bool) -> Pane:
    """Accuracy against cost; with published detectors in gray.

    Args:
        networks: Those that are measured.
        axis: One of `AXES`.
        task: Of the networks.
        published: Whether papers' detectors are drawn beside time.
    """
    spots = _spots(networks, axis)
    if published:
        spots += [
            Spot(1000 / row.fps, row.voc_map, row.name, _PAPER_POINT, own=False)
            for row in REAL_TIME
        ]
    xs = _bounds([spot.x for spot in spots])
    top = 100.0 if not spots else min(100.0, 10 * math.ceil(max(s.y for s in spots) / 10 + 0.3))
    place = _Axes(xs, top)
    layers: list[Layer] = [
        Picture(_GROUND, (0.0, 0.0, WIDTH, HEIGHT), name="ground"),
        *place.grid(),
    ]
    for own, radius in ((True, 8.0), (False, 4.0)):  # labels of the first ones find a place first
        some = [spot for spot in spots if spot.own is own]
        if some:
            layers.append(
                Points(
                    np.array([place.at(s.x, s.y) for s in some], np.float32),
                    np.array([s.tint for s in some], np.uint8), radius,
                    tuple(s.words for s in some), name="networks" if own else "published",
                )
            )  # fmt: skip
    key = in_words(ACCURACIES[task][0])
    meaning = f"{key} [%]; gray: published, mAP on VOC 2007" if published else f"{key} [%]"
    layers += [
        Text(_UNITS[axis], (LEFT + place.width / 2, HEIGHT - 4), size=10.0, plate=False,
             anchor=(0.5, 1.0), name="x axis"),
        Text(meaning, (LEFT + 8, 4), size=10.0, plate=False, name="y axis"),
    ]  # fmt: skip
    if not any(spot.own for spot in spots):
        words = "No accuracy is known: choose a data set." if networks else "Nothing measured yet"
        middle = (LEFT + place.width / 2, HEIGHT / 2)
        layers.append(Text(words, middle, size=12.0, anchor=(0.5, 0.5), name="hint"))

    def readout(x: float, y: float) -> str:
        cost, height = place.value(x, y)
        return f"{cost:.3g} {_UNITS[axis]}, {key} {height:.1f}%"

    return Pane(
        "scatter", (WIDTH, HEIGHT), tuple(layers), title=f"Accuracy and {axis}", frame="scatter",
        readout=readout,
    )  # fmt: skip


def _spots(networks: Sequence[Measured], axis: str) -> list[Spot]:
    found = []
    mixed = len({one.accuracy[1] for one in networks if one.accuracy is not None}) > 1
    for one, tint in zip(networks, colors_of(len(networks)), strict=True):
        accuracy = one.accuracy
        if accuracy is not None:
            value, here = accuracy
            words = one.info.title if here or not mixed else f"{one.info.title} (card)"
            found.append(Spot(cost_on(axis, one), 100 * value, words, tint, own=True))
    return found


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """The ends of a logarithmic axis around positive values."""
    known = [value for value in values if value > 0]
    if not known:
        return 1.0, 1000.0
    return min(known) / 1.6, max(known) * 1.6


@dataclass(frozen=True, slots=True)
class _Axes:
    """From numbers to the pane: x logarithmic between `xs`, y from 0 to `top`."""

    xs: tuple[float, float]
    top: float

    @property
    def width(self) -> float:
        return WIDTH - LEFT - RIGHT

    @property
    def height(self) -> float:
        return HEIGHT - TOP - BELOW

    def at(self, x: float, y: float) -> tuple[float, float]:
        low, high = map(math.log, self.xs)
        share = (math.log(max(x, self.xs[0])) - low) / (high - low)
        return LEFT + share * self.width, TOP + (1 - y / self.top) * self.height

    def value(self, x: float, y: float) -> tuple[float, float]:
        """The inverse of `at`."""
        low, high = map(math.log, self.xs)
        share = min(max((x - LEFT) / self.width, 0.0), 1.0)
        return math.exp(low + share * (high - low)), self.top * (1 - (y - TOP) / self.height)

    def grid(self) -> list[Layer]:
        """Lines and numbers."""
        decades = range(math.floor(math.log10(self.xs[0])), math.ceil(math.log10(self.xs[1])) + 1)
        ticks = [
            value
            for decade in decades
            for value in (tick * 10.0**decade for tick in TICKS)
            if self.xs[0] <= value <= self.xs[1]
        ]
        step = 10.0 if self.top > 40 else 5.0
        heights = [step * k for k in range(int(self.top / step) + 1)]
        ends = [(*self.at(t, 0), *self.at(t, self.top)) for t in ticks]
        ends += [(*self.at(self.xs[0], h), *self.at(self.xs[1], h)) for h in heights]
        lines = Lines(
            np.array(ends, np.float32), np.array([_LINE] * len(ends), np.uint8), width=1.0,
            name="grid",
        )  # fmt: skip
        words: list[Layer] = [
            Text(f"{t:g}", (self.at(t, 0)[0], HEIGHT - BELOW + 8), size=9.0, plate=False,
                 anchor=(0.5, 0.0), name="x")
            for t in ticks
        ]  # fmt: skip
        words += [
            Text(f"{h:g}", (LEFT - 10, self.at(self.xs[0], h)[1]), size=9.0, plate=False,
                 anchor=(1.0, 0.5), name="y")
            for h in heights
        ]  # fmt: skip
        return [lines, *words]


def photo_pane(photo: Picture, one: Measured) -> Pane:
    """The detections of one network, from the score on its card on."""
    height, width = photo.rgb.shape[:2]
    layers: tuple[Layer, ...] = (photo,)
    words = one.answer
    if one.found is not None:
        rows = np.flatnonzero(one.found.scores >= one.info.score_threshold)
        labels = one.found.labels[rows]
        names = tuple(
            f"{class_name(one.info.classes, int(label))} {score:.2f}"
            for label, score in zip(labels, one.found.scores[rows], strict=True)
        )
        layers = (
            photo,
            Boxes(
                one.found.xyxy[rows], label_colors(labels), names, selectable=False,
                name="detections",
            ),
        )  # fmt: skip
        words = quantity(len(rows), "box", "boxes")
    title = f"{one.info.title}: {words}" if words else one.info.title
    return Pane("image", (float(width), float(height)), layers, title=title)


def time_bars(networks: Sequence[Measured]) -> Plot:
    """Milliseconds of every network."""
    tints = colors_of(len(networks))
    bars = tuple(
        (one.info.title, 1000 * one.seconds, tint)
        for one, tint in zip(networks, tints, strict=True)
    )
    return Plot("times", "Time per photo, ms", bars=bars)


def stage_bars(networks: Sequence[Measured], at: int) -> Plot:
    """Milliseconds by stage of one of them."""
    one, tint = networks[at], colors_of(len(networks))[at]
    bars = tuple((stage, 1000 * one.stages[stage], tint) for stage in _stages((one,)))
    return Plot("stages", f"Stages of {one.info.title}, ms", bars=bars)


def _stages(networks: Sequence[Measured]) -> list[str]:
    """Those that any of the networks has, in their order."""
    return [stage for stage in ALL_STAGES if any(stage in one.stages for one in networks)]


def measured_table(networks: Sequence[Measured], task: str) -> Table:
    """Size, memory, speed and accuracy of every network."""
    keys = ACCURACIES[task]
    words = [in_words(key) for key in keys]
    rows: list[tuple[str | int | float, ...]] = []
    for one in networks:
        here, card = (
            tuple(round(known[key], 4) if key in known else "" for key in keys)
            for known in (one.figures, one.card)
        )
        rows.append(
            (
                one.info.title, f"{one.size[1]} x {one.size[0]}", one.cost.parameters,
                round(one.cost.flops / 1e9, 3), round(one.cost.weights / 1e6, 2),
                round(one.cost.activations / 1e6, 2), rounded(1000 * one.seconds),
                rounded(one.fps), *here, one.on or one.note, *card, one.answer,
            )
        )  # fmt: skip
    columns = (
        "network", "input", "parameters", "GFLOPs", "weights [MB]", "activations [MB]", "all [ms]",
        "FPS", *words, "measured on", *(f"{each}, card" for each in words), "top class here",
    )  # fmt: skip
    return _without_empty(
        Table(
            "measured", columns, tuple(rows), title="Measured here",
            swatches=tuple(colors_of(len(networks))),
        )
    )  # fmt: skip


def stages_table(networks: Sequence[Measured]) -> Table:
    """Milliseconds by network and stage, and how far the runs differ."""
    stages = _stages(networks)
    rows = tuple(
        (
            one.info.title,
            *(rounded(1000 * one.stages[s]) if s in one.stages else "" for s in stages),
            *(rounded(1000 * t) for t in (one.seconds, one.runs[0], one.runs[-1])),
            len(one.runs), rounded(1000 * one.per_photo) if one.per_photo else "", one.info.device,
        )
        for one in networks
    )  # fmt: skip
    columns = (
        "network", *stages, "all", "fastest", "slowest", "runs", "per photo of the data set",
        "device",
    )  # fmt: skip
    return _without_empty(
        Table("stages", columns, rows, title="Stages", swatches=tuple(colors_of(len(networks))))
    )


def _without_empty(table: Table) -> Table:
    """The same without columns that are empty in every row."""
    keep = [at for at in range(len(table.columns)) if any(row[at] != "" for row in table.rows)]
    return replace(
        table, columns=tuple(table.columns[at] for at in keep),
        rows=tuple(tuple(row[at] for at in keep) for row in table.rows),
    )  # fmt: skip


def rounded(value: float) -> float:
    """Three digits, or a whole number from 100 on."""
    return float(round(value)) if value >= 100 else float(f"{value:.3g}")


def published_tables(task: str) -> tuple[Table, ...]:
    """What papers and lecture slides say of networks for this task."""
    if task in ("classification", "localization"):
        return (_ilsvrc(),)
    if task == "detection":
        return _pipelines(), _real_time(), _progress()
    return ()


def _cell(value: float | None) -> str | float:
    return "" if value is None else value


def _pipelines() -> Table:
    slowest = PIPELINES[0]
    assert slowest.hours is not None, "R-CNN's training was timed"
    rows = tuple(
        (
            row.name, _cell(row.hours), _times(slowest.hours, row.hours), _cell(row.seconds),
            _times(slowest.seconds, row.seconds), _cell(row.with_search), row.voc_map, row.slides,
            row.source, row.hardware,
        )
        for row in PIPELINES
    )  # fmt: skip
    columns = (
        "method", "training [h]", "speed-up in training", "test [s]", "speed-up", "with search [s]",
        "mAP, VOC 2007", "lecture slides", "source", "hardware",
    )  # fmt: skip
    return Table("pipelines", columns, rows, title="Published: R-CNN family, VGG16")


def _times(slowest: float | None, own: float | None) -> str | float:
    if slowest is None or own is None:
        return ""
    return round(slowest / own, 1) if slowest / own < 100 else round(slowest / own)


def _real_time() -> Table:
    rows = tuple(
        (row.name, row.trained, row.voc_map, row.fps, rounded(1000 / row.fps), row.slides,
         row.source, row.hardware or "each paper's own")
        for row in REAL_TIME
    )  # fmt: skip
    columns = (
        "detector", "trained on VOC", "mAP, VOC 2007", "FPS", "ms", "lecture slides", "source",
        "hardware",
    )  # fmt: skip
    return Table("real_time", columns, rows, title="Published: detectors by speed")


def _progress() -> Table:
    rows = tuple(
        (row.name, row.network, _cell(row.voc_2007), _cell(row.voc_2010), row.slides, row.source)
        for row in PROGRESS
    )
    columns = ("detector", "features", "mAP, VOC 2007", "mAP, VOC 2010", "lecture slides", "source")
    return Table("progress", columns, rows, title="Published: mAP on Pascal VOC")


def _ilsvrc() -> Table:
    rows = tuple(
        (
            str(row.year or ""), row.name, row.layers or "", row.how, _cell(row.top1), row.top5,
            row.slides, row.source,
        )
        for row in CLASSIFIED
    )  # fmt: skip
    columns = (
        "year", "network", "layers", "how", "top-1 error [%]", "top-5 error [%]", "lecture slides",
        "source",
    )  # fmt: skip
    return Table("ilsvrc", columns, rows, title="Published: errors on ImageNet")


def error_bars() -> Plot:
    """The best top-5 error of every year of the challenge, and a person's."""
    years = sorted({row.year for row in CLASSIFIED if row.year})
    best = [min((r for r in CLASSIFIED if r.year == y), key=lambda r: r.top5) for y in years]
    person = [row for row in CLASSIFIED if not row.year]
    shades = colors_of(2)
    bars = tuple(
        (f"{row.year} {row.name}" if row.year else row.name, row.top5, shades[not row.year])
        for row in (*best, *person)
    )
    return Plot("ilsvrc_bars", "Published: best top-5 error by year, percent", bars=bars)
