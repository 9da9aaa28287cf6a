"""The list, the plots and the sentences of a suppression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.core.listing import quantity
from explorer.views.detection.nms.snapshot import (
    CURRENT,
    JUST_SUPPRESSED,
    KEPT,
    LOWERED,
    SUPPRESSED,
    TINTS,
    WAITING,
)
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, RED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.views.detection.nms.snapshot import Snapshot
    from explorer.vision.detection.nms import History, Merges

MOST_BARS = 20
BEFORE = 2
"""Bars over the one whose turn it is, when not all fit."""


def list_bars(snapshot: Snapshot) -> Plot:
    """The scores as they are now, in the colors of the photo; of a long list the part in play."""
    rows = snapshot.order
    if snapshot.parts.max(initial=1) > 1:  # merged boxes are no longer in the list
        rows = rows[snapshot.states[rows] != SUPPRESSED]
    first = 0
    if snapshot.acting is not None:
        first = int(np.flatnonzero(rows == snapshot.acting)[0]) - BEFORE
    first = max(0, min(first, len(rows) - MOST_BARS))
    mark = {SUPPRESSED: " ×", JUST_SUPPRESSED: " ×"}
    bars = tuple(
        (
            f"{row + 1} {snapshot.names[row]}{mark.get(int(snapshot.states[row]), '')}",
            float(snapshot.scores[row]),
            TINTS[int(snapshot.states[row])],
        )
        for row in rows[first : first + MOST_BARS].tolist()
    )
    high = max(1.0, float(snapshot.scores.max(initial=0.0)))
    return Plot("scores", "Current scores", bars=bars, bar_range=(0, high))


def list_table(snapshot: Snapshot, first: Float32, *, merged: bool) -> Table:
    """All boxes with what became of them; `first` (n,) are the scores at the start."""
    rows = snapshot.order.tolist()
    lines: list[tuple[str | int | float, ...]] = []
    for row in rows:
        start = round(float(first[row]), 3) if row < len(first) else ""
        by = int(snapshot.by[row])
        lines.append(
            (
                row + 1, snapshot.names[row], start, round(float(snapshot.scores[row]), 3),
                _became(snapshot, row, merged),
                "" if by < 0 else round(float(snapshot.ious[row]), 3),
            )
        )  # fmt: skip
    return Table(
        "list", ("box", "class", "score", "current", "status", "IoU"), tuple(lines),
        title="Boxes", layer="boxes", keys=tuple(row + 1 for row in rows),
        swatches=tuple(TINTS[int(snapshot.states[row])] for row in rows),
    )  # fmt: skip


def _became(snapshot: Snapshot, row: int, merged: bool) -> str:
    state, step, by = int(snapshot.states[row]), int(snapshot.steps[row]), int(snapshot.by[row]) + 1
    if state in (WAITING, LOWERED):
        return "waiting" if state == WAITING else "waiting, score lowered"
    if merged:
        if state in (SUPPRESSED, JUST_SUPPRESSED):
            return f"step {step}: merged into {by}"
        parts = int(snapshot.parts[row])
        return f"step {step}: mean of {parts} boxes" if parts > 1 else "not merged"
    if state == KEPT:
        return f"step {step}: kept"
    if state == CURRENT:
        return f"step {step}: current"
    return f"step {step}: suppressed by {by}"


def left_plot(history: History, snapshot: Snapshot) -> Plot:
    """How many boxes are waiting, kept and suppressed after every step; its line moves the step.

    The place after the last step is after all steps.
    """
    steps = np.arange(history.steps + 2, dtype=np.float64)
    fell = np.bincount(history.ended[history.ended > 0], minlength=len(steps)).cumsum()
    kept = np.minimum(steps, history.steps)
    curves = (
        Curve(steps, len(history.ended) - kept - fell, "waiting", BLUE),
        Curve(steps, kept, "kept", GREEN),
        Curve(steps, fell.astype(np.float64), "suppressed", RED),
    )
    return Plot(
        "steps", "Boxes after each step", "step", "boxes", curves, marker=_at(snapshot),
        steers="step", stop=steps[-1], whole_x=True, whole_y=True,
    )  # fmt: skip


def merge_plot(merges: Merges, snapshot: Snapshot) -> Plot:
    """How well the pair of every merge matches, also of those that are not made.

    The place after the last merge that is made is where it is over.
    """
    steps = np.arange(1, len(merges.pairs) + 1, dtype=np.float64)
    made = steps <= snapshot.last
    curves = tuple(
        Curve(steps[which], merges.matches[which].astype(np.float64), words, tint)
        for which, words, tint in ((made, "merged", GREEN), (~made, "not merged", RED))
        if which.any()
    )
    return Plot(
        "steps", "Distance of each merged pair", "step", "match score, 0 = equal", curves,
        marker=_at(snapshot), steers="step", stop=float(snapshot.last + 1), whole_x=True,
    )  # fmt: skip


def _at(snapshot: Snapshot) -> float:
    return float(snapshot.step)


def sweep_plot(
    values: NDArray[np.float64], kept: NDArray[np.float64], marker: float, steers: str, words: str
) -> Plot:
    """How many boxes stay at every value of the one number that decides."""
    return Plot(
        "sweep", "Boxes kept", words, "boxes",
        (Curve(values, kept, "", ORANGE),), marker=marker, steers=steers, whole_y=True,
    )  # fmt: skip


def turn_words(snapshot: Snapshot) -> str:
    """What happens in this step of a suppression."""
    if snapshot.step == 0:
        many = len(snapshot.boxes)
        return (
            f"{boxes(many)} waiting, highest score first. Play the steps, or drag the line in the "
            "plot."
        )
    row = snapshot.acting
    assert row is not None
    falls, sinks = snapshot.rows(JUST_SUPPRESSED), len(snapshot.rows(LOWERED))
    waits = len(snapshot.rows(WAITING)) + sinks
    did = "suppresses no box"
    if len(falls):
        low, high = float(snapshot.ious[falls].min()), float(snapshot.ious[falls].max())
        which = f"IoU {low:.2f}" if len(falls) == 1 else f"IoU {low:.2f} to {high:.2f}"
        did = f"suppresses {boxes(len(falls))} ({which})"
    if sinks:
        did += f" and lowers the score of {boxes(sinks)}"
    return (
        f"Step {snapshot.step} of {snapshot.last}: box {row + 1}, {snapshot.words(row)}, has the "
        f"highest score of those left and is kept. It {did}; {boxes(waits)} left."
    )


def merge_words(snapshot: Snapshot, match: float) -> str:
    """What happens in this step of a merge."""
    if snapshot.step == 0:
        return f"{boxes(len(snapshot.boxes))}. Every step merges the pair that matches best."
    one, other = (int(row) + 1 for row in snapshot.rows(JUST_SUPPRESSED))
    row = snapshot.acting
    assert row is not None
    return (
        f"Step {snapshot.step} of {snapshot.last}: boxes {one} and {other} match best "
        f"({match:.2f}; IoU {snapshot.ious[one - 1]:.2f}). Their mean is box {row + 1} with "
        f"the sum of their scores, {snapshot.scores[row]:.2f}."
    )


def boxes(count: int) -> str:
    return quantity(count, "box", "boxes")
