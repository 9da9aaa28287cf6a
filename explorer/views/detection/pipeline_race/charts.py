"""Bars, curves and tables of the pipeline race."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.vision.race.clock import STAGES
from explorer.vision.race.published import PIPELINES, REAL_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.core.color_sets import Color
    from explorer.vision.race.lanes import Lane

LANES = ("R-CNN", "SPP-net", "Fast R-CNN", "Faster R-CNN", "Single-stage")

COLORS: dict[str, Color] = {
    "R-CNN": (230, 90, 80),
    "SPP-net": (240, 160, 50),
    "Fast R-CNN": (200, 190, 60),
    "Faster R-CNN": (70, 180, 110),
    "Single-stage": (80, 150, 240),
}


YOLO = next(row for row in REAL_TIME if row.name == "YOLO")
PAPERS = {
    **{
        row.name: (row.own_seconds, row.voc_map, f"{row.source}: VGG16, {row.hardware}")
        for row in PIPELINES
    },
    "Single-stage": (
        round(1 / YOLO.fps, 3), YOLO.voc_map, f"{YOLO.source}: YOLO, {YOLO.hardware}"
    ),
}  # fmt: skip
"""The papers' seconds for a photo without the search, mAP on VOC 2007 in percent, and sources."""


def needs_proposals(lane: Lane) -> bool:
    """Whether it gets its regions from outside."""
    return lane.candidates is not None


def stages_of(lane: Lane, count: int, search: float) -> dict[str, float]:
    """Seconds by stage, the search for proposals among them."""
    found = lane.stages(count)
    if needs_proposals(lane):
        found["proposals"] = search
    return {stage: found[stage] for stage in STAGES if stage in found}


def state_of(lane: Lane, count: int) -> str:
    """Whether the seconds for this many proposals were measured."""
    return "measured" if not needs_proposals(lane) or lane.done >= count else "predicted"


def seconds_words(seconds: float) -> str:
    """For people: "47 s", "0.32 s", "21 ms"."""
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{seconds * 1000:.3g} ms"


def total_bars(lanes: Mapping[str, Lane], count: int, search: float) -> Plot:
    """One bar per lane."""
    bars = tuple(
        (
            f"{name} ({state_of(lanes[name], count)})",
            sum(stages_of(lanes[name], count, search).values()),
            COLORS[name],
        )
        for name in LANES
        if name in lanes
    )
    return Plot("seconds", "Seconds, proposals included", bars=bars)


def stage_bars(lanes: Mapping[str, Lane], count: int, search: float) -> Plot:
    """One bar per stage of every lane, in milliseconds."""
    bars = tuple(
        (f"{name}: {stage}", 1000 * seconds, COLORS[name])
        for name in LANES
        if name in lanes
        for stage, seconds in stages_of(lanes[name], count, search).items()
    )
    return Plot("stages", "Milliseconds by stage", bars=bars)


def over_proposals(lanes: Mapping[str, Lane], search: float) -> Plot:
    """Seconds over the number of proposals, both logarithmic."""
    x = np.geomspace(10, 2000, 60)
    curves = tuple(
        Curve(
            x,
            np.array([sum(stages_of(lanes[name], n, search).values()) for n in x.tolist()]),
            name, COLORS[name],
        )
        for name in LANES
        if name in lanes
    )  # fmt: skip
    return Plot(
        "proposals", "Seconds by proposals", "proposals", "seconds", curves,
        log_x=True, log_y=True, steers="count",
    )  # fmt: skip


def stage_table(
    lanes: Mapping[str, Lane],
    count: int,
    search: float,
    boxes: Mapping[str, int],
    titles: Mapping[str, str],
) -> Table:
    """Milliseconds by lane and stage."""
    rows = []
    for name in LANES:
        if name not in lanes:
            continue
        lane = lanes[name]
        found = stages_of(lane, count, search)
        cells = (round(1000 * found[s], 2) if s in found else "" for s in STAGES)
        looked = min(count, lane.done) if needs_proposals(lane) else ""
        total = round(1000 * sum(found.values()), 1)
        before = search if needs_proposals(lane) else 0.0
        ends = [f"{1000 * (seconds + before):.1f}" for seconds in lane.spread(count)]
        spread = " to ".join(ends)
        rows.append(
            (
                name, *cells, total, spread, len(lane.totals) or 1, state_of(lane, count), looked,
                boxes[name], titles[name],
            )
        )  # fmt: skip
    columns = (
        "way", *STAGES, "all", "spread", "runs", "how", "seen", "boxes", "network"
    )  # fmt: skip
    return Table("stages", columns, tuple(rows), title="Stages, ms")


def paper_table(lanes: Mapping[str, Lane], count: int) -> Table:
    """The papers' seconds beside those of this photo; neither counts the search."""
    slowest = lanes.get("R-CNN")
    rows: list[tuple[str | int | float, ...]] = []
    for name, (own_seconds, voc_map, source) in PAPERS.items():
        here: tuple[str | float, ...] = ("", "")
        if name in lanes:
            seconds = lanes[name].seconds(count)
            faster = slowest.seconds(count) / seconds if slowest is not None and seconds else 0.0
            here = (float(f"{seconds:.3g}"), _times(faster) if faster else "")
        times = _times(PAPERS["R-CNN"][0] / own_seconds)
        rows.append((name, own_seconds, times, *here, voc_map, source))
    return Table(
        "papers",
        ("method", "paper, s", "speed-up", "here, s", "speed-up here", "mAP", "source"),
        tuple(rows),
        title="Published and measured",
    )  # fmt: skip


def _times(factor: float) -> float:
    """Three digits, but whole numbers from 100 on: not 2.14e+03."""
    return round(factor) if factor >= 100 else float(f"{factor:.3g}")
