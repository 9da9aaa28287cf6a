"""From anchors to what is left of them: the stages of a trace as boxes in the photo's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.engine.stages import trace_of
from explorer.views.shared.anchors import anchor_table, counted, numbers, plain
from explorer.vision.detection.boxes import recall
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.views.shared.anchors import AnchorTable
    from explorer.vision.trace import Trace

MOST_DROPPED = 2000
"""Dropped boxes that are kept for drawing, highest score first; all are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class StageBoxes:
    """The boxes after one stage, highest score first, and those that it dropped.

    Attributes:
        title: In the past tense: what was done.
        short: The same in a word or two, for an axis.
        sentence: With the network's own numbers.
        boxes: (n, 4) float32 in the photo's pixels; they may stick out before they are clipped.
        scores: (n,) float32 in [0, 1].
        levels: (n,) the level of each.
        before: (n, 4), what they were one stage earlier where that is worth showing, else None.
        dropped: (m, 4), and their scores and levels in `dropped_scores` and `dropped_levels`.
        lost: How many were dropped.
    """

    title: str
    short: str
    sentence: str
    boxes: Float32
    scores: Float32
    levels: NDArray[np.intp]
    before: Float32 | None = None
    dropped: Float32 | None = None
    dropped_scores: Float32 | None = None
    dropped_levels: NDArray[np.intp] | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Every box that a filter chooses from, by id: `anchor_of` gives the anchor of an id."""

    decoded: Float32
    clipped: Float32
    classes: int
    level_of: NDArray[np.intp]

    def anchors(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return ids // self.classes

    def levels(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        return self.level_of[self.anchors(ids)]


def stages_of(scene: Scene) -> tuple[StageBoxes, ...]:
    """All stages from the score map to the proposals (single-stage detectors: detections), once."""
    return scene.memo("rpn_stages", lambda: _stages(scene))


def recalls(stages: tuple[StageBoxes, ...], truth: Float32) -> tuple[tuple[float, float], ...]:
    """For every stage the fraction of the ground truth that is covered at IoU 0.5 and 0.7."""
    found = (recall(truth, stage.boxes, (0.5, 0.7)) for stage in stages)
    return tuple((half, more) for half, more in found)


def _stages(scene: Scene) -> tuple[StageBoxes, ...]:
    trace, table = trace_of(scene), anchor_table(scene)
    back = trace.pyramid.frame.inverse()
    two = isinstance(trace, TwoStage)
    decoded = trace.rpn.decoded if isinstance(trace, TwoStage) else trace.decoded
    clipped = trace.rpn.clipped if isinstance(trace, TwoStage) else trace.boxes
    level_of = np.repeat(np.arange(len(table.levels)), [level.count for level in table.levels])
    pool = Candidates(
        back.boxes(plain(decoded)), back.boxes(plain(clipped)),
        1 if isinstance(trace, TwoStage) else trace.classes, level_of,
    )  # fmt: skip
    best = table.best
    many = counted(len(best))
    first = [
        StageBoxes(
            "Score map", "scores",
            f"The network predicts a score for each of its {many} anchors ({table.meaning}).",
            table.anchors[best], table.scores[best], level_of[best],
        ),
        StageBoxes(
            "Anchors refined", "deltas",
            "Each anchor (dotted) is moved and resized by its four offsets.",
            pool.decoded[best], table.scores[best], level_of[best], before=table.anchors[best],
        ),
    ]  # fmt: skip
    return (*first, *(_two_stage(trace, table, pool) if two else _one_stage(trace, pool)))


def _two_stage(trace: Trace, table: AnchorTable, pool: Candidates) -> list[StageBoxes]:
    assert isinstance(trace, TwoStage)
    rpn, nms = trace.rpn, trace.rpn.filter.nms
    everything = np.arange(len(table.anchors))
    ids = {stage.name: numbers(stage.ids) for stage in rpn.filter.stages}
    scores = table.scores
    top = _stage(
        "Top scores of each level", "top k", f"At most {rpn.pre_nms} of each level are kept.",
        pool, ids["top_k"], scores, everything, cut=False,
    )  # fmt: skip
    sentences = (
        (
            "large", "Small boxes removed", "size",
            f"No side may be shorter than {rpn.smallest:g} px.",
        ),
        (
            "min_score", "Low scores removed", "score",
            f"A score must be at least {rpn.threshold:g}.",
        ),
        (
            "nms", "Overlaps removed", "NMS",
            "Non-maximum suppression within each level: a box is suppressed when its IoU with a "
            f"higher-scoring one is above {nms.threshold:g}.",
        ),
        ("top_n", "Proposals", "top n", f"The top {nms.most} are passed to the second stage."),
    )  # fmt: skip
    found = [top, _clipped(pool, ids["top_k"], scores)]
    before = ids["top_k"]
    for name, title, short, sentence in sentences:
        found.append(_stage(title, short, sentence, pool, ids[name], scores, before, cut=True))
        before = ids[name]
    return found


def _one_stage(trace: Trace, pool: Candidates) -> list[StageBoxes]:
    assert not isinstance(trace, TwoStage)
    nms = trace.filter.nms
    ids = {stage.name: numbers(stage.ids) for stage in trace.filter.stages}
    sure = ids["min_score"]
    # Scores by id would be a huge table (anchors x classes): only those above the threshold.
    order = np.argsort(sure)
    known = sure[order]
    values = plain(trace.scores.flatten()[trace.filter.after("min_score")])[order]
    scores = _Lookup(known, values)
    by = "class" if trace.kind == "ssd" else "level"
    passed = _stage(
        "Low scores removed", "score",
        f"A pair of anchor and class needs a score over {trace.threshold:g}; an anchor can be "
        "kept for several classes.",
        pool, sure, scores, sure, cut=False,
    )  # fmt: skip
    top = _stage(
        f"Top scores of each {by}", "top k", f"At most {trace.pre_nms} of each {by} are kept.",
        pool, ids["top_k"], scores, sure, cut=False,
    )  # fmt: skip
    words = (
        "Non-maximum suppression within each class: a box is suppressed when its IoU with a "
        f"higher-scoring one is above {nms.threshold:g}."
    )
    return [
        passed, top, _clipped(pool, ids["top_k"], scores),
        _stage("Overlaps removed", "NMS", words, pool, ids["nms"], scores, ids["top_k"], cut=True),
        _stage(
            "Detections", "top n", f"The top {nms.most} are the detections.",
            pool, ids["top_n"], scores, ids["nms"], cut=True,
        ),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Lookup:
    """Scores of some ids, indexed like an array of all."""

    known: NDArray[np.int64]
    values: Float32

    def __getitem__(self, ids: NDArray[np.int64]) -> Float32:
        return self.values[np.searchsorted(self.known, ids)]


def _stage(
    title: str,
    short: str,
    sentence: str,
    pool: Candidates,
    ids: NDArray[np.int64],
    scores: Float32 | _Lookup,
    before: NDArray[np.int64],
    *,
    cut: bool,
) -> StageBoxes:
    boxes = pool.clipped if cut else pool.decoded
    ids = _best_first(ids, scores)
    lost = _best_first(np.setdiff1d(before, ids, assume_unique=True), scores)
    shown = lost[:MOST_DROPPED]
    return StageBoxes(
        title, short, sentence, boxes[pool.anchors(ids)], scores[ids], pool.levels(ids),
        dropped=boxes[pool.anchors(shown)], dropped_scores=scores[shown],
        dropped_levels=pool.levels(shown), lost=len(lost),
    )  # fmt: skip


def _clipped(pool: Candidates, ids: NDArray[np.int64], scores: Float32 | _Lookup) -> StageBoxes:
    ids = _best_first(ids, scores)
    anchors = pool.anchors(ids)
    before, boxes = pool.decoded[anchors], pool.clipped[anchors]
    cut = int((np.abs(before - boxes).max(axis=1, initial=0.0) > 1e-3).sum())
    return StageBoxes(
        "Clipped to the photo", "clip",
        f"{counted(cut)} of them extended beyond the photo (dotted) and are clipped.",
        boxes, scores[ids], pool.levels(ids), before=before,
    )  # fmt: skip


def _best_first(ids: NDArray[np.int64], scores: Float32 | _Lookup) -> NDArray[np.int64]:
    return ids[np.argsort(-scores[ids], kind="stable")]
