"""Why a detector did not find an object: the stage that lost it, proved by changing its limit.

The candidates that would have found the object are looked for among all anchors, not only among
those that the filters let pass. Then one limit alone (a number of boxes, a threshold) is changed,
just as much as it takes. Limits are tried on what the trace has computed (`replay`); with the one
that is named the stages run again from the backbone's maps on, which is the proof.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torchvision.ops import box_iou

from explorer.vision.trace import TwoStage, again
from explorer.vision.trace.lineage import of_anchor
from explorer.vision.trace.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.vision.trace import OneStage, Trace
    from explorer.vision.trace.lineage import Outcome
    from explorer.vision.trace.replay import Detected

    Float32 = NDArray[np.float32]

Reason = Literal["found", "no anchor", "no box", "class score", "filter"]

NEAR = 0.2
"""Boxes of the first stage with this IoU may become the object in the second one."""

MOST_NEAR = 400
"""So many of them, the nearest first, are taken through the second stage."""

MOST_DROPPED = 40
"""Of those that fit and have the score so many, the highest-scoring first, are followed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of the module that decides what passes a stage.

    Attributes:
        key: A word of `limits_of`.
        now: Its value.
        needed: The value that lets the object pass, or `now`.
    """

    key: str
    now: float
    needed: float


@dataclass(frozen=True, eq=False)
class Fits:
    """Candidates for the object, all anchors considered; boxes in pixels of the transformed image.

    Attributes:
        anchors: (n,) int64, the anchor of each.
        boxes: (n, 4) float32, where the last stage moves it for the class.
        scores: (n,) float32, of the class.
        ious: (n,) float32, of the box with the object.
        first_ious: (n,) float32, of the box after the first stage (RPN); with one stage as `ious`.
        best_anchor: The largest IoU of any anchor with the object.
        rival: The class with the highest score among the boxes that fit, and that score.
    """

    anchors: NDArray[np.int64]
    boxes: Float32
    scores: Float32
    ious: Float32
    first_ious: Float32
    best_anchor: float
    rival: tuple[int, float]


@dataclass(frozen=True, eq=False)
class Missed:
    """Why one object was not detected.

    Attributes:
        reason: "found": it was. "no anchor": no anchor comes near it. "no box": some do, but no
            refined box reaches the IoU. "class score": boxes fit, but none has the score. "filter":
            a box fits and has the score, and `stage` dropped it.
        label: The class that was asked for, or the one with the highest score there.
        fits: All candidates near it.
        best: Row of `fits` that the answer is about: the best one.
        stage: The filter's name for the stage ("top_k", "nms", …), "" without one.
        first: Whether it is a stage of the RPN.
        outcome: What that stage did with the candidate.
        limits: The number that has to be changed, or two that only help together; empty when
            no filter is to blame. While it is not `proved`, the limit that is tried first.
        after: The stages with the changed limits, in which the object is found, or None.
        detection: Row of `after`'s detections that is the object.
        others: Rows of its detections that are new besides.
        proved: Whether the search for `limits` is over.
    """

    reason: Reason
    label: int
    fits: Fits
    best: int
    stage: str = ""
    first: bool = False
    outcome: Outcome | None = None
    limits: tuple[Limit, ...] = ()
    after: Trace | None = None
    detection: int | None = None
    others: tuple[int, ...] = ()
    proved: bool = True


def why_missed(
    module: nn.Module,
    trace: Trace,
    box: Tensor,
    label: int | None,
    *,
    score: float,
    iou: float = 0.5,
) -> Missed:
    """The proved answer for one object; see `answers`."""
    (*_, last) = answers(module, trace, box, label, score=score, iou=iou)
    return last


@torch.no_grad()
def answers(
    module: nn.Module,
    trace: Trace,
    box: Tensor,
    label: int | None,
    *,
    score: float,
    iou: float = 0.5,
) -> Iterator[Missed]:
    """What lost one object, at once; then, where a limit may have, which one, `proved`.

    Args:
        module: The detector of the trace; its limits are changed for a moment, one at a time.
        trace: Its own.
        box: (4,) xyxy of the object, in pixels of the transformed image.
        label: Its class, or None for the class that the network gives the highest score there.
        score: Detections count from this score on.
        iou: From this IoU on a detection has found the object.
    """
    replay = Replay(module, trace)
    fits, label = _candidates(replay, trace, box, label, iou)
    near = np.flatnonzero(fits.ious >= iou)
    row = _found(detections_of(trace), box, label, score, iou)
    if row is not None:
        best = _best(fits, near) if len(near) else 0
        yield Missed("found", label, fits, best, detection=row)
        return
    if not len(near):
        best = int(fits.ious.argmax()) if len(fits.ious) else -1
        yield Missed("no anchor" if fits.best_anchor < NEAR else "no box", label, fits, best)
        return
    good = near[fits.scores[near] >= score]
    if len(good):
        lost = _dropped(trace, Missed("filter", label, fits, _best(fits, good)), good)
    else:
        lost = [Missed("class score", label, fits, _best(fits, near))]
    search = _Search(module, replay, trace, box, label, score, iou)
    yield search.first(lost[0])
    yield search.solved(lost)


# -- candidates -----------------------------------------------------------------------------------


def _best(fits: Fits, rows: NDArray[np.intp]) -> int:
    return int(rows[fits.scores[rows].argmax()])


def _candidates(
    replay: Replay, trace: Trace, box: Tensor, label: int | None, iou: float
) -> tuple[Fits, int]:
    box = box.to(trace.pyramid.anchors)
    best_anchor = float(box_iou(box[None], trace.pyramid.anchors).max())
    if isinstance(trace, TwoStage):
        return _of_two_stages(replay, trace, box, label, iou, best_anchor)
    return _of_one_stage(trace, box, label, iou, best_anchor)


def _of_one_stage(
    trace: OneStage, box: Tensor, label: int | None, iou: float, best_anchor: float
) -> tuple[Fits, int]:
    ious = box_iou(box[None], trace.boxes)[0]
    rows = torch.where(ious >= NEAR)[0]
    label, rival = _label(trace.scores[rows], ious[rows], label, iou)
    found = ious[rows]
    return Fits(
        rows.cpu().numpy(), _plain(trace.boxes[rows]), _plain(trace.scores[rows, label]),
        _plain(found), _plain(found), best_anchor, rival,
    ), label  # fmt: skip


def _of_two_stages(
    replay: Replay, trace: TwoStage, box: Tensor, label: int | None, iou: float, best_anchor: float
) -> tuple[Fits, int]:
    """Every anchor whose box of the first stage is near goes through the second one."""
    first = box_iou(box[None], trace.rpn.clipped)[0]
    most = min(MOST_NEAR, len(first))
    values, rows = first.topk(most)
    rows = rows[values >= NEAR]
    chances, decoded = replay.refined(rows)
    by_class = box_iou(box[None], decoded.reshape(-1, 4)).reshape(chances.shape)
    label, rival = _label(chances, by_class, label, iou)
    return Fits(
        rows.cpu().numpy(), _plain(decoded[:, label]), _plain(chances[:, label]),
        _plain(by_class[:, label]), _plain(first[rows]), best_anchor, rival,
    ), label  # fmt: skip


def _label(
    scores: Tensor, ious: Tensor, label: int | None, iou: float
) -> tuple[int, tuple[int, float]]:
    """The class that is asked for, or the most probable one of the boxes that fit; and that."""
    if not len(scores):
        return label or 1, (label or 1, 0.0)
    fit = ious >= iou
    fit = fit if fit.ndim == 2 else fit[:, None].expand_as(scores)
    fitting = scores.where(fit if bool(fit.any()) else torch.ones_like(fit), 0.0)[:, 1:]
    best = int(fitting.amax(dim=0).argmax()) + 1
    return best if label is None else label, (best, float(fitting[:, best - 1].max()))


def _plain(values: Tensor) -> Float32:
    array: Float32 = values.detach().float().cpu().numpy()
    return array


# -- the stage and its limit ----------------------------------------------------------------------

_LOOSE = {"nms": (0.7, 0.9), "rpn_nms": (0.8, 0.9), "rpn_score": (0.0,)}
"""Thresholds that let more pass, to be tried one after the other: at the largest, copies of
higher-scoring boxes take all places. Numbers of boxes become `_MORE` times as large."""

_MORE = 10
_HALVINGS = 7
"""On the way to the value that is just enough; half as many for each of two limits."""
_STEPS = 8
_KEYS = {"top_k": "pre_nms", "min_score": "score", "nms": "nms", "top_n": "top_n"}
"""By the name of a filter's stage the limit that decides there."""


def _dropped(trace: Trace, answer: Missed, good: NDArray[np.intp]) -> list[Missed]:
    """The same about the best candidate that each stage drops, the highest-scoring one first."""
    answers: dict[tuple[str, bool], Missed] = {}
    order = good[np.argsort(-answer.fits.scores[good], kind="stable")]
    for row in order[:MOST_DROPPED].tolist():
        life = of_anchor(trace, int(answer.fits.anchors[row]), answer.label)
        first = isinstance(trace, TwoStage) and life.first.stage != ""
        outcome = life.first if first or life.second is None else life.second
        about = replace(answer, best=row, stage=outcome.stage, first=first, outcome=outcome)
        answers.setdefault((outcome.stage, first), about)
    return list(answers.values())


class _Search:
    """Looks for the limit, and for the value that is just enough."""

    def __init__(
        self,
        module: nn.Module,
        replay: Replay,
        trace: Trace,
        box: Tensor,
        label: int,
        score: float,
        iou: float,
    ) -> None:
        self._module, self._replay, self._trace = module, replay, trace
        self._box, self._label, self._score, self._iou = box, label, score, iou
        self._now = limits_of(module) | {"score": score}

    def first(self, answer: Missed) -> Missed:
        """The answer with the limit that it is natural to try first."""
        limits = next(self._own(answer), None) or next(iter(self._sets(answer)), ())
        return replace(answer, limits=limits, proved=False)

    def solved(self, answers: list[Missed]) -> Missed:
        """The first of them whose own stage alone brings the object back, with the limit.

        Where none does, the first one with what else does: another limit, or two together.
        """
        for answer in answers:
            found = self._first_of(answer, self._own(answer))
            if found is not None:
                return found
        return self._first_of(answers[0], self._sets(answers[0])) or answers[0]

    def _first_of(self, answer: Missed, sets: Iterable[tuple[Limit, ...]]) -> Missed | None:
        """The answer with the first of the sets in which the object is found."""
        for loose in sets:
            if not self._helps(loose):
                continue
            limits = loose
            for number in range(len(loose)):
                limits = self._enough(limits, number)
            after = self._after(limits)
            row = self._row(detections_of(after), limits)
            if row is None:  # the second stage on other proposals rounds in another way
                continue
            others = _new(self._trace, after, row, self._score, self._least(limits))
            return replace(answer, limits=limits, after=after, detection=row, others=others)
        return None

    def _own(self, answer: Missed) -> Iterator[tuple[Limit, ...]]:
        """The limit of the stage that drops its candidate, less and less strict."""
        key = f"{'rpn_' if answer.first else ''}{_KEYS.get(answer.stage, '')}"
        if answer.reason == "filter" and key in self._now and key != "score":
            yield (Limit(key, self._now[key], self._passing(key, answer)),)
            yield from ((limit,) for limit in self._looser(key))

    def _sets(self, answer: Missed) -> Iterator[tuple[Limit, ...]]:
        """Other limits to try, first those that are likeliest to be the one."""
        score = Limit("score", self._score, 0.98 * float(answer.fits.scores[answer.best]))
        filters = [key for key in self._now if key != "score"]
        if answer.reason == "filter":
            for key in filters:
                yield from ((limit,) for limit in self._looser(key))
            own = [limit for (limit,) in self._own(answer)]
            for key in filters:
                yield from (
                    (one, two) for one in own if one.key != key for two in self._looser(key)
                )
        # Step by step: at a low threshold other boxes take the places of the object.
        steps = np.geomspace(self._score, max(score.needed / 4, 1e-6), _STEPS)[1:].tolist()
        yield from ((replace(score, needed=value),) for value in steps)
        for key in filters:
            yield from ((score, limit) for limit in self._looser(key))

    def _looser(self, key: str) -> Iterator[Limit]:
        now = self._now[key]
        for value in _LOOSE.get(key, (now * _MORE,)):
            if value != now:
                yield Limit(key, now, value)

    def _passing(self, key: str, answer: Missed) -> float:
        """What lets the candidate itself pass the stage that drops it."""
        assert answer.outcome is not None
        if key.endswith("_score"):
            return 0.0
        if key.endswith("nms") and "pre" not in key:
            return min(answer.outcome.iou + 1e-3, 1.0)
        return float(answer.outcome.rank)

    def _enough(self, loose: tuple[Limit, ...], number: int) -> tuple[Limit, ...]:
        """With one of the limits moved back to its value of now, if the object stays found."""
        limit = loose[number]
        good, bad = limit.needed, limit.now
        whole = self._counts(limit.key)
        for _ in range(_HALVINGS if len(loose) == 1 else _HALVINGS // 2):
            middle = (good + bad) / 2
            middle = float(round(middle)) if whole else middle
            if middle in (good, bad):
                break
            if self._helps(_with(loose, number, middle)):
                good = middle
            else:
                bad = middle
        return _with(loose, number, good)

    def _counts(self, key: str) -> bool:
        """Whether the limit is a number of boxes, and no threshold."""
        owner, name = _places(self._module)[key]
        return isinstance(owner[name], int)

    def _least(self, limits: tuple[Limit, ...]) -> float:
        return next((limit.needed for limit in limits if limit.key == "score"), self._score)

    def _helps(self, limits: tuple[Limit, ...]) -> bool:
        """Whether the object is found with changed limits."""
        with _all_changed(self._module, limits):
            found = self._replay.detections()
        return self._row(found, limits) is not None

    def _after(self, limits: tuple[Limit, ...]) -> Trace:
        """The stages with changed limits."""
        with _all_changed(self._module, limits):
            return again(self._module, self._trace)

    def _row(self, found: Detected, limits: tuple[Limit, ...]) -> int | None:
        return _found(found, self._box, self._label, self._least(limits), self._iou)


def _with(limits: tuple[Limit, ...], number: int, value: float) -> tuple[Limit, ...]:
    return (*limits[:number], replace(limits[number], needed=value), *limits[number + 1 :])


def _new(trace: Trace, after: Trace, row: int, score: float, least: float) -> tuple[int, ...]:
    """Detections of `after` that count now and did not before, but for `row`."""
    old_boxes, old_scores, old_labels = detections_of(trace)
    boxes, scores, labels = detections_of(after)
    counted = old_scores >= score
    found = []
    for other in torch.where(scores >= least)[0].tolist():
        same = counted & (old_labels == labels[other])
        known = bool(same.any()) and bool(box_iou(boxes[other][None], old_boxes[same]).max() > 0.95)
        if other != row and not known:
            found.append(other)
    return tuple(found)


def detections_of(trace: Trace) -> Detected:
    """What comes out of the last filter."""
    nms = trace.filter.nms
    return nms.boxes[nms.top], nms.scores[nms.top], trace.detected[1]


def _found(found: Detected, box: Tensor, label: int, score: float, iou: float) -> int | None:
    """The detection of the class that has found the object, or None."""
    boxes, scores, labels = found
    if not len(boxes):
        return None
    right = (scores >= score) & (labels == label)
    overlap = box_iou(box[None].to(boxes), boxes)[0].where(right, torch.zeros_like(scores))
    return int(overlap.argmax()) if float(overlap.max()) >= iou else None


def limits_of(module: Any) -> dict[str, float]:
    """All limits that decide what passes, by key; those of the RPN begin with "rpn_"."""
    return {key: float(owner[name]) for key, (owner, name) in _places(module).items()}


@contextmanager
def _all_changed(module: Any, limits: tuple[Limit, ...]) -> Iterator[None]:
    with ExitStack() as stack:
        for limit in limits:
            stack.enter_context(changed(module, limit))
        yield


@contextmanager
def changed(module: Any, limit: Limit) -> Iterator[None]:
    """The module with one limit changed; the old value comes back whatever happens."""
    if limit.key == "score" and limit.needed >= limits_of(module)["score"]:
        yield  # what is shown has another threshold than the network's own
        return
    owner, name = _places(module)[limit.key]
    old = owner[name]
    owner[name] = type(old)(limit.needed)
    try:
        yield
    finally:
        owner[name] = old


def _places(module: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """By key the dictionary that holds a limit, and its name there."""
    last = getattr(module, "roi_heads", module)
    own = vars(last)
    places = {
        "score": (own, "score_thresh"), "nms": (own, "nms_thresh"),
        "top_n": (own, "detections_per_img"),
    }  # fmt: skip
    if last is module:
        return places | {"pre_nms": (own, "topk_candidates")}
    rpn = module.rpn
    return places | {
        # private: torchvision takes both only when the network is made
        "rpn_pre_nms": (rpn._pre_nms_top_n, "testing"),
        "rpn_top_n": (rpn._post_nms_top_n, "testing"),
        "rpn_nms": (vars(rpn), "nms_thresh"),
        "rpn_score": (vars(rpn), "score_thresh"),
    }
