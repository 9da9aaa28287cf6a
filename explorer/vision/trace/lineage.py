"""The life of one box: from an anchor to a detection, or to the stage that dropped it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.vision.trace import Place, TwoStage, place_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.vision.trace import Filter, OneStage, Trace

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a filter did with one candidate.

    Attributes:
        stage: The name of the stage that dropped it; "" = it is still there.
        rank: Its place among the candidates that were still there when it was dropped, counted from
            1, highest scores first; at the end, its place among the survivors. At "top_k" only
            those of its level (SSD: of its class) count.
        among: How many they were.
        lowest: The lowest score that the stage let pass (NaN when nothing passed).
        suppressor: (4,) the box that suppressed it, with its score and their IoU, or None.
        suppressor_score: See `suppressor`.
        iou: See `suppressor`.
        suppressed: (n, 4) the boxes that it suppressed, highest scores first, with scores and IoUs.
        suppressed_scores: (n,).
        suppressed_ious: (n,).
    """

    stage: str
    rank: int
    among: int
    lowest: float
    suppressor: Float32 | None
    suppressor_score: float
    iou: float
    suppressed: Float32
    suppressed_scores: Float32
    suppressed_ious: Float32


@dataclass(frozen=True, eq=False)
class Lineage:
    """One anchor and all that became of it; boxes in pixels of the transformed image.

    Attributes:
        index: Of the anchor.
        place: Where it stands.
        cell: (4,) its cell.
        anchor: (4,).
        score: Objectness, or the score of class `label` for a one-shot detector.
        deltas: (4,) of the first stage.
        moved: (4,) after those, clipped.
        first: What the filter over anchors did with it.
        proposal: Its number among the proposals, the best is 0; None when it did not become one.
        pooled_from: Which of the pooled maps the proposal was cut from.
        label: The class that is traced: the detection's, or the highest-scoring foreground class.
        probabilities: (K,) of all classes; None without a second stage.
        box_deltas: (4,) of the second stage for `label`, or None.
        box: (4,) after those, clipped, or None.
        second: What the second filter did with it, or None.
        detection: Its number among the detections, the highest-scoring is 0, or None.
    """

    index: int
    place: Place
    cell: Float32
    anchor: Float32
    score: float
    deltas: Float32
    moved: Float32
    first: Outcome
    label: int
    proposal: int | None = None
    pooled_from: int = 0
    probabilities: Float32 | None = None
    box_deltas: Float32 | None = None
    box: Float32 | None = None
    second: Outcome | None = None
    detection: int | None = None


def of_detection(trace: Trace, number: int) -> Lineage:
    """Everything that happened to detection `number` (the highest-scoring is 0).

    Raises:
        IndexError: When there are fewer.
    """
    rows, labels = trace.detected
    row, label = int(rows[number]), int(labels[number])
    anchor = int(trace.rpn.proposal_anchors[row]) if isinstance(trace, TwoStage) else row
    return of_anchor(trace, anchor, label)


@torch.no_grad()
def of_anchor(trace: Trace, index: int, label: int | None = None) -> Lineage:
    """Everything that happens to anchor `index`, for one class or (None) its highest-scoring one.

    Raises:
        IndexError: When there is no such anchor.
    """
    if isinstance(trace, TwoStage):
        return _two_stage(trace, index, label)
    return _one_stage(trace, index, label)


def _two_stage(trace: TwoStage, index: int, label: int | None) -> Lineage:
    seen, rpn, roi = trace.pyramid, trace.rpn, trace.roi
    place = place_of(seen.levels, index)
    first = _outcome(rpn.filter, index, rpn.scores, _level_ids(trace, place.level))
    found = (rpn.proposal_anchors == index).nonzero()
    number = int(found[0, 0]) if len(found) else None
    cell = _cell(trace, place)
    start = (
        index, place, cell, _row(seen.anchors, index), float(rpn.scores[index]),
        _row(rpn.deltas, index), _row(rpn.clipped, index), first,
    )  # fmt: skip
    if number is None:
        return Lineage(*start, label or 0)
    chances = roi.probabilities[number]
    label = int(chances[1:].argmax()) + 1 if label is None else label
    candidate = number * roi.classes + label
    second = _outcome(roi.filter, candidate, roi.probabilities.flatten(), None)
    return Lineage(
        *start, label, number, int(roi.levels[number]), _plain(chances),
        _row(roi.deltas[number], label), _row(roi.boxes[number], label), second,
        second.rank - 1 if second.stage == "" else None,
    )  # fmt: skip


def _one_stage(trace: OneStage, index: int, label: int | None) -> Lineage:
    seen = trace.pyramid
    place = place_of(seen.levels, index)
    chances = trace.scores[index]
    label = int(chances[1:].argmax()) + 1 if label is None else label
    sure = trace.filter.after("min_score")
    if trace.kind == "ssd":  # the best of each class are kept
        ids = sure[sure % trace.classes == label]
    else:  # the best of each level
        level = seen.levels[place.level]
        first, last = level.first * trace.classes, (level.first + level.count) * trace.classes
        ids = sure[(sure >= first) & (sure < last)]
    outcome = _outcome(trace.filter, index * trace.classes + label, trace.scores.flatten(), ids)
    return Lineage(
        index, place, _cell(trace, place), _row(seen.anchors, index), float(chances[label]),
        _row(trace.deltas, index), _row(trace.boxes, index), outcome, label,
        probabilities=_plain(chances), detection=outcome.rank - 1 if outcome.stage == "" else None,
    )  # fmt: skip


def _outcome(filtered: Filter, candidate: int, scores: Tensor, rivals: Tensor | None) -> Outcome:
    """`rivals` are the ids among which the best k are chosen (a level's or a class's)."""
    names = [stage.name for stage in filtered.stages]
    stage = filtered.end(candidate)
    after = filtered.after(stage) if stage else filtered.survivors
    own = scores[candidate]
    before: Tensor | None
    if stage == "":
        before = filtered.survivors
    elif stage == "top_k" and rivals is not None:
        before, after = rivals, rivals[torch.isin(rivals, after)]
    elif names.index(stage) == 0:
        before = None  # all candidates: too many to list
    else:
        before = filtered.stages[names.index(stage) - 1].ids
    by_candidate = filtered.suppressor(candidate)
    suppressed = filtered.suppressed(candidate)
    nms = filtered.nms
    rows = (
        (nms.ids[None] == suppressed[:, None]).byte().argmax(1) if len(suppressed) else suppressed
    )
    suppressor, suppressor_score, iou = None, float("nan"), float("nan")
    if by_candidate is not None:
        by = int((nms.ids == by_candidate[0]).nonzero()[0, 0])
        suppressor, suppressor_score, iou = (
            _row(nms.boxes, by),
            float(nms.scores[by]),
            by_candidate[1],
        )
    if stage == "" and before is not None:
        rank = int((before == candidate).nonzero()[0, 0]) + 1
    else:
        rank = int(((scores if before is None else scores[before]) > own).sum()) + 1
    return Outcome(
        stage,
        rank,
        filtered.total if before is None else len(before),
        float(scores[after].min()) if len(after) else float("nan"),
        suppressor, suppressor_score, iou,
        _plain(nms.boxes[rows]), _plain(nms.scores[rows]), _plain(nms.suppressors.ious[rows]),
    )  # fmt: skip


def _level_ids(trace: TwoStage, number: int) -> Tensor:
    level = trace.pyramid.levels[number]
    device = trace.pyramid.anchors.device
    return torch.arange(level.first, level.first + level.count, device=device)


def _cell(trace: Trace, place: Place) -> Float32:
    level = trace.pyramid.levels[place.level]
    return _plain(torch.tensor(level.cell_box(place.row, place.column)))


def _row(values: Tensor, index: int) -> Float32:
    return _plain(values[index])


def _plain(values: Tensor) -> Float32:
    array: Float32 = values.detach().float().cpu().numpy()
    return array
