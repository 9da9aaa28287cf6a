"""One step of a suppression or a merge: what every box is doing, and how that is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Lines, Points
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, RED, WHITE, same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, Layer
    from explorer.views.detection.nms.candidates import Candidates
    from explorer.vision.detection.nms import History, Merges

WAITING, LOWERED, KEPT, SUPPRESSED, JUST_SUPPRESSED, CURRENT = range(6)
DIM_RED: Color = (186, 74, 74)
YELLOW: Color = (240, 220, 80)
TINTS: dict[int, Color] = {
    WAITING: BLUE, LOWERED: YELLOW, KEPT: GREEN,
    SUPPRESSED: DIM_RED, JUST_SUPPRESSED: RED, CURRENT: ORANGE,
}  # fmt: skip
assert set(TINTS) == {WAITING, LOWERED, KEPT, SUPPRESSED, JUST_SUPPRESSED, CURRENT}

MARKED = {KEPT: "kept", LOWERED: "score lowered", JUST_SUPPRESSED: "suppressed", CURRENT: "current"}
"""The states that are drawn in thick lines, with the names of their layers."""

MOST_ARROWS = 60
MOST_LABELS = 24
MOST_FIGURES = 14
"""Arrows with a number; more of them hide the photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """M boxes after some steps.

    Attributes:
        step: How many steps were taken; `last` + 1 = everything is over.
        last: How many there are.
        boxes: (M, 4) float32 in the photo's pixels.
        names: (M,) what each is.
        scores: (M,) float32, now.
        states: (M,) WAITING, LOWERED (waiting, with a lower score than before this step), KEPT,
            SUPPRESSED (before), JUST_SUPPRESSED (in this step) or CURRENT.
        by: (M,) the row that suppressed each, or that it was merged into; -1 = none.
        ious: (M,) float32, the overlap with that row, or of the pair that was merged.
        steps: (M,) in which each was suppressed, kept or made; 0 = not yet.
        order: (M,) rows as they are listed.
        parts: (M,) how many boxes each is made of.
    """

    step: int
    last: int
    boxes: Float32
    names: tuple[str, ...]
    scores: Float32
    states: NDArray[np.intp]
    by: NDArray[np.intp]
    ious: Float32
    steps: NDArray[np.intp]
    order: NDArray[np.intp]
    parts: NDArray[np.intp]

    @property
    def over(self) -> bool:
        return self.step > self.last

    def rows(self, *states: int) -> NDArray[np.intp]:
        return np.flatnonzero(np.isin(self.states, states))

    @property
    def acting(self) -> int | None:
        """The row whose turn it is."""
        found = self.rows(CURRENT)
        return int(found[0]) if len(found) else None

    def words(self, row: int) -> str:
        """A box in a few words, as on the photo."""
        score = f"{self.scores[row]:.2f}"
        return f"{self.names[row]} {'sum ' if self.parts[row] > 1 else ''}{score}"


def suppression(candidates: Candidates, history: History, step: int) -> Snapshot:
    """The first boxes of the candidates, as many as the history has, after `step` steps."""
    count = len(history.suppressors)
    now = min(step, history.steps)
    states = np.full(count, WAITING, np.intp)
    states[history.picks[:now]] = KEPT
    states[history.suppressed(now)] = SUPPRESSED
    if 0 < step <= history.steps:
        states[(states == WAITING) & (history.scores[step] < history.scores[step - 1])] = LOWERED
        states[history.ended == step] = JUST_SUPPRESSED
        states[history.picks[step - 1]] = CURRENT
    steps = np.where(history.ended <= now, history.ended, 0)
    steps[history.picks[:now]] = np.arange(1, now + 1)
    gone = np.isin(states, (SUPPRESSED, JUST_SUPPRESSED))
    return Snapshot(
        min(step, history.steps + 1), history.steps, candidates.boxes[:count],
        candidates.names[:count],
        history.scores[now], states, np.where(gone, history.suppressors, -1),
        np.where(gone, history.ious, np.float32(0)), steps, np.arange(count),
        np.ones(count, np.intp),
    )  # fmt: skip


def merging(candidates: Candidates, merges: Merges, last: int, step: int) -> Snapshot:
    """The boxes and what was made of them in the first `step` of `last` merges."""
    now = min(step, last)
    count = merges.count
    total = count + now
    names, parts = list(candidates.names[:count]), [1] * count
    for one, other in merges.pairs[:now].tolist():
        names.append(names[one] if names[one] == names[other] else "several")
        parts.append(parts[one] + parts[other])
    gone = merges.pairs[:now].ravel()
    states = np.full(total, KEPT if step > last else WAITING, np.intp)
    states[count:] = KEPT
    states[gone] = SUPPRESSED
    if 0 < step <= last:
        states[merges.pairs[step - 1]] = JUST_SUPPRESSED
        states[total - 1] = CURRENT
    by, ious, steps = np.full(total, -1, np.intp), np.zeros(total, np.float32), np.zeros(total, int)
    by[gone] = merges.into[gone]
    ious[gone] = np.repeat(merges.ious[:now], 2)
    steps[gone] = np.repeat(np.arange(1, now + 1), 2)
    steps[count:] = np.where(states[count:] == SUPPRESSED, steps[count:], np.arange(1, now + 1))
    order = np.concatenate([merges.alive(now), gone[::-1]])
    return Snapshot(
        min(step, last + 1), last, merges.boxes[:total], tuple(names), merges.scores[:total],
        states, by, ious, steps.astype(np.intp), order, np.array(parts, np.intp),
    )  # fmt: skip


def layers_of(
    snapshot: Snapshot, *, suppressed: bool, arrows: bool, selected: int | None, plain: bool
) -> list[Layer]:
    """What lies over the photo.

    Args:
        snapshot: See there.
        suppressed: Boxes suppressed in earlier steps are drawn too.
        arrows: From every box that goes to the one that takes it away.
        selected: A number (row + 1), whose arrows and outline are white.
        plain: The boxes are filled, for the user's own ones lie over them.
    """
    fill = 0.12 if plain else 0.0
    order = (
        *((SUPPRESSED,) if suppressed else ()),
        WAITING,
        LOWERED,
        KEPT,
        JUST_SUPPRESSED,
        CURRENT,
    )
    rows = np.concatenate([snapshot.rows(state)[::-1] for state in order])
    found: list[Layer] = [
        Boxes(
            snapshot.boxes[rows], _tints(snapshot.states[rows]), keys=tuple((rows + 1).tolist()),
            width=6.0 if plain else 1.0, fill=fill, name="boxes",
        )
    ]  # fmt: skip
    found += _marked(snapshot, KEPT, 2.0, MOST_LABELS)
    found += [*_marked(snapshot, LOWERED, 1.5, 0), *_marked(snapshot, JUST_SUPPRESSED, 2.0, 0)]
    chosen = selected is not None and 1 <= selected <= len(snapshot.boxes)
    if arrows and not (chosen and snapshot.over):
        found += _arrows(snapshot, suppressed)
    found += _marked(snapshot, CURRENT, 4.0, 1)
    if chosen and selected is not None:
        found += _chosen(snapshot, selected - 1)
    return found


def _tints(states: NDArray[np.intp]) -> NDArray[np.uint8]:
    return np.array([TINTS[state] for state in states.tolist()], np.uint8).reshape(-1, 3)


def _marked(snapshot: Snapshot, state: int, width: float, most: int) -> list[Layer]:
    """Boxes of a state in thick lines; the highest-scoring come first, and so to their names."""
    rows = snapshot.rows(state)
    if len(rows) == 0:
        return []
    rows = rows[np.argsort(-snapshot.scores[rows], kind="stable")]
    labels = tuple(snapshot.words(row) if n < most else "" for n, row in enumerate(rows.tolist()))
    return [
        Boxes(
            snapshot.boxes[rows], same(TINTS[state], len(rows)), labels if most else (),
            width=width, selectable=False, name=MARKED[state],
        )
    ]  # fmt: skip


def _arrows(snapshot: Snapshot, suppressed: bool) -> list[Layer]:
    """Those of this step; at the end all."""
    rows = snapshot.rows(JUST_SUPPRESSED)
    if snapshot.over and suppressed:
        rows = snapshot.rows(SUPPRESSED)[:MOST_ARROWS]
    if len(rows) == 0:
        return []
    thin = snapshot.over
    lines = Lines(
        _to_suppressor(snapshot, rows), same(DIM_RED if thin else RED, len(rows)),
        width=1.0 if thin else 2.0, arrow=True, name="arrows",
    )  # fmt: skip
    return [lines] if thin else [lines, _figures(snapshot, rows[:MOST_FIGURES])]


def _chosen(snapshot: Snapshot, row: int) -> list[Layer]:
    ends = np.array([row]) if snapshot.by[row] >= 0 else np.flatnonzero(snapshot.by == row)
    box = Boxes(
        snapshot.boxes[[row]], same(WHITE, 1), (f"box {row + 1}: {snapshot.names[row]}",),
        width=3.0, selectable=False, name="chosen",
    )  # fmt: skip
    if len(ends) == 0:
        return [box]
    lines = Lines(
        _to_suppressor(snapshot, ends),
        same(WHITE, len(ends)),
        width=2.0,
        arrow=True,
        name="arrows of the box",
    )
    return [box, lines, _figures(snapshot, ends[:MOST_FIGURES])]


def _figures(snapshot: Snapshot, rows: NDArray[np.intp]) -> Points:
    words = tuple(f"{iou:.2f}" for iou in snapshot.ious[rows])
    arrows = _to_suppressor(snapshot, rows)
    middles = (arrows[:, :2] + arrows[:, 2:]) / np.float32(2)
    return Points(middles, same(WHITE, len(rows)), 3.0, words, name="IoU")


def _to_suppressor(snapshot: Snapshot, rows: NDArray[np.intp]) -> Float32:
    """(n, 4) from a corner of each box to that corner of the box that took it away.

    It is the corner that is furthest from the other's: between the centers of boxes that overlap
    there is hardly room for an arrow.
    """
    corners = [[0, 1], [2, 1], [2, 3], [0, 3]]
    tails, tips = snapshot.boxes[rows][:, corners], snapshot.boxes[snapshot.by[rows]][:, corners]
    far = np.hypot(*(tips - tails).transpose(2, 0, 1)).argmax(axis=1)
    each = np.arange(len(rows))
    found: Float32 = np.concatenate([tails[each, far], tips[each, far]], axis=1)
    return found
