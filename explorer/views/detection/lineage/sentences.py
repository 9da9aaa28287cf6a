"""The lineage of a box in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from explorer.views.shared.anchors import counted
from explorer.views.shared.common import class_name
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32
    from explorer.vision.trace import OneStage, Trace
    from explorer.vision.trace.lineage import Lineage, Outcome

Row = tuple[str, str, str]
"""Step, box, what happened."""


def lineage_rows(trace: Trace, lineage: Lineage, classes: Sequence[str]) -> tuple[Row, ...]:
    """The rows of the story, in the photo's pixels."""
    frame = trace.pyramid.frame
    scale = (frame.sx, frame.sy)
    level = trace.pyramid.levels[lineage.place.level]
    place = lineage.place
    name = class_name(classes, lineage.label)
    two = isinstance(trace, TwoStage)
    found: list[Row] = [
        (
            "cell", "",
            f"Level {place.level + 1} (stride {level.stride[0]:g}), row {place.row}, column "
            f"{place.column}.",
        ),
        (
            "anchor", _size(lineage.anchor, scale),
            f"Anchor {place.prior + 1} of the {level.per_cell} of its cell. "
            + (f"Objectness {lineage.score:.3f}." if two else f"{name} {lineage.score:.3f}."),
        ),
        (
            "moved" if two else "box", _size(lineage.moved, scale),
            _deltas(lineage.deltas, fcos=not two and _kind(trace) == "fcos"),
        ),
    ]  # fmt: skip
    if not isinstance(trace, TwoStage):
        return (*found, ("filter", "", _one_end(trace, lineage.first, name)))
    found.append(("RPN filter", "", _first_end(trace, lineage)))
    if lineage.proposal is None or lineage.probabilities is None or lineage.box is None:
        return tuple(found)
    assert lineage.box_deltas is not None
    assert lineage.second is not None
    maps = getattr(trace.roi.pool, "featmap_names", [])
    source = f" Pooled from map {lineage.pooled_from + 1} of {len(maps)}." if len(maps) > 1 else ""
    found += [
        (
            "proposal", _size(lineage.moved, scale),
            f"Proposal {lineage.proposal + 1} of {len(trace.roi.proposals)}.{source}",
        ),
        (
            "class", "",
            f"{name} {lineage.probabilities[lineage.label]:.3f}, "
            f"background {lineage.probabilities[0]:.3f}.",
        ),
        ("refined box", _size(lineage.box, scale), _deltas(lineage.box_deltas, trace.roi.weights)),
        ("box head filter", "", _second_end(trace, lineage.second, name)),
    ]  # fmt: skip
    return tuple(found)


def headline(trace: Trace, lineage: Lineage, classes: Sequence[str]) -> str:
    """The whole lineage in one or two sentences."""
    name = class_name(classes, lineage.label)
    place, level = lineage.place, trace.pyramid.levels[lineage.place.level]
    start = (
        f"An anchor of {_size(lineage.anchor, (trace.pyramid.frame.sx, trace.pyramid.frame.sy))}"
    )
    start += f" on level {place.level + 1} (stride {level.stride[0]:g})"
    if not isinstance(trace, TwoStage):
        if lineage.detection is not None:
            return f"{start} became detection {lineage.detection + 1}: {name} {lineage.score:.2f}."
        return f"{start} was dropped. {_one_end(trace, lineage.first, name)}"
    if lineage.proposal is None:
        return f"{start} was dropped. {_first_end(trace, lineage)}"
    assert lineage.second is not None
    assert lineage.probabilities is not None
    start += f" became proposal {lineage.proposal + 1}"
    if lineage.detection is not None:
        chance = lineage.probabilities[lineage.label]
        gone = len(lineage.second.suppressed)
        more = f" and suppressed {gone} of its class" if gone else ""
        return f"{start}, then detection {lineage.detection + 1}: {name} {chance:.2f}{more}."
    return f"{start} and was dropped there. {_second_end(trace, lineage.second, name)}"


def _first_end(trace: TwoStage, lineage: Lineage) -> str:
    rpn, outcome = trace.rpn, lineage.first
    match outcome.stage:
        case "top_k":
            return _beyond(outcome, "level", rpn.pre_nms)
        case "large":
            return f"Too small: after clipping one side is below {rpn.smallest:g} px."
        case "min_score":
            return f"Its objectness is below the threshold of {rpn.threshold:g}."
        case "nms":
            return _killed(outcome, "level", rpn.filter.nms.threshold)
        case "top_n":
            return _too_many(outcome, "proposals", rpn.filter.nms.most)
    gone = len(outcome.suppressed)
    return f"Kept; it suppressed {gone} of its level."


def _second_end(trace: TwoStage, outcome: Outcome, name: str) -> str:
    roi = trace.roi
    match outcome.stage:
        case "min_score":
            return _background(name, roi.threshold)
        case "large":
            return f"Too small: one side is below {roi.smallest:g} px."
        case "nms":
            return _killed(outcome, "class", roi.filter.nms.threshold)
        case "top_n":
            return _too_many(outcome, "detections", roi.filter.nms.most)
    return _alive(outcome)


def _one_end(trace: OneStage, outcome: Outcome, name: str) -> str:
    match outcome.stage:
        case "min_score":
            return _background(name, trace.threshold)
        case "top_k":
            return _beyond(outcome, "class" if trace.kind == "ssd" else "level", trace.pre_nms)
        case "nms":
            return _killed(outcome, "class", trace.filter.nms.threshold)
        case "top_n":
            return _too_many(outcome, "detections", trace.filter.nms.most)
    return _alive(outcome)


def _alive(outcome: Outcome) -> str:
    gone = len(outcome.suppressed)
    return f"Detection {outcome.rank} of {outcome.among}; it suppressed {gone} of its class."


def _background(name: str, threshold: float) -> str:
    return f"Background: {name} is not above the threshold of {threshold:g}."


def _beyond(outcome: Outcome, group: str, most: int) -> str:
    return (
        f"Not among the top {most} of its {group}: {_nth(outcome.rank)} of "
        f"{counted(outcome.among)}; the lowest score that was kept is {outcome.lowest:.3f}."
    )


def _too_many(outcome: Outcome, become: str, most: int) -> str:
    return (
        f"It was kept by NMS, but only the top {most} become {become}; it was {_nth(outcome.rank)}."
    )


def _killed(outcome: Outcome, group: str, threshold: float) -> str:
    return (
        f"Suppressed: IoU {outcome.iou:.2f} with a higher-scoring box of its {group} "
        f"({outcome.suppressor_score:.3f}); the threshold is {threshold:g}."
    )


def _kind(trace: OneStage | TwoStage) -> str:
    return "" if isinstance(trace, TwoStage) else trace.kind


def _deltas(
    deltas: Float32, weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0), *, fcos: bool = False
) -> str:
    if fcos:
        left, top, right, bottom = deltas
        return f"left {left:.2f}, top {top:.2f}, right {right:.2f}, bottom {bottom:.2f} strides."
    tx, ty, tw, th = (value / weight for value, weight in zip(deltas, weights, strict=True))
    wide, high = (math.exp(min(value, 20.0)) for value in (tw, th))
    return f"tx {tx:+.2f}, ty {ty:+.2f}; width x {wide:.2f}, height x {high:.2f}."


def _size(box: Float32, scale: tuple[float, float]) -> str:
    width, height = (box[2] - box[0]) / scale[0], (box[3] - box[1]) / scale[1]
    return f"{width:.0f} x {height:.0f}"


def _nth(rank: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10 if rank % 100 // 10 != 1 else 0, "th")
    return f"{counted(rank)}{ending}"
