"""A box's life in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from explorer.views.shared.anchors import counted
from explorer.views.shared.common import class_name
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32
    from explorer.vision.detection.lineage import Biography, Fate
    from explorer.vision.trace import OneStage, Trace

Chapter = tuple[str, str, str]
"""Step, box, what happened."""


def chapters(trace: Trace, life: Biography, classes: Sequence[str]) -> tuple[Chapter, ...]:
    """The rows of the story, in the photo's pixels."""
    frame = trace.pyramid.frame
    scale = (frame.sx, frame.sy)
    level = trace.pyramid.levels[life.place.level]
    place = life.place
    name = class_name(classes, life.label)
    two = isinstance(trace, TwoStage)
    found: list[Chapter] = [
        (
            "cell", "",
            f"Level {place.level + 1} (stride {level.stride[0]:g}), row {place.row}, column "
            f"{place.column}.",
        ),
        (
            "anchor", _size(life.anchor, scale),
            f"Number {place.prior + 1} of the {level.per_cell} of its cell. "
            + (f"Objectness {life.score:.3f}." if two else f"{name}: {life.score:.3f}."),
        ),
        (
            "moved" if two else "box", _size(life.moved, scale),
            _deltas(life.deltas, fcos=not two and _kind(trace) == "fcos"),
        ),
    ]  # fmt: skip
    if not isinstance(trace, TwoStage):
        return (*found, ("filter", "", _one_end(trace, life.first, name)))
    found.append(("first filter", "", _first_end(trace, life)))
    if life.proposal is None or life.probabilities is None or life.box is None:
        return tuple(found)
    assert life.box_deltas is not None
    assert life.second is not None
    maps = getattr(trace.roi.pool, "featmap_names", [])
    source = f" It is cut from map {life.pooled_from + 1} of {len(maps)}." if len(maps) > 1 else ""
    found += [
        (
            "proposal", _size(life.moved, scale),
            f"Number {life.proposal + 1} of {len(trace.roi.proposals)}.{source}",
        ),
        (
            "class", "",
            f"{name} {life.probabilities[life.label]:.3f}, background {life.probabilities[0]:.3f}.",
        ),
        ("moved again", _size(life.box, scale), _deltas(life.box_deltas, trace.roi.weights)),
        ("second filter", "", _second_end(trace, life.second, name)),
    ]  # fmt: skip
    return tuple(found)


def headline(trace: Trace, life: Biography, classes: Sequence[str]) -> str:
    """The whole life in one or two sentences."""
    name = class_name(classes, life.label)
    place, level = life.place, trace.pyramid.levels[life.place.level]
    start = f"An anchor of {_size(life.anchor, (trace.pyramid.frame.sx, trace.pyramid.frame.sy))}"
    start += f" on level {place.level + 1} (stride {level.stride[0]:g})"
    if not isinstance(trace, TwoStage):
        if life.detection is not None:
            return f"{start} became detection {life.detection + 1}: {name} {life.score:.2f}."
        return f"{start} ended here. {_one_end(trace, life.first, name)}"
    if life.proposal is None:
        return f"{start} ended here. {_first_end(trace, life)}"
    assert life.second is not None
    assert life.probabilities is not None
    start += f" became proposal {life.proposal + 1}"
    if life.detection is not None:
        chance = life.probabilities[life.label]
        gone = len(life.second.victims)
        more = f" and suppressed {gone} others of its class" if gone else ""
        return f"{start}, then detection {life.detection + 1}: {name} {chance:.2f}{more}."
    return f"{start} and ended there. {_second_end(trace, life.second, name)}"


def _first_end(trace: TwoStage, life: Biography) -> str:
    rpn, fate = trace.rpn, life.first
    match fate.stage:
        case "top_k":
            return (
                f"Not among the best {rpn.pre_nms} of its level: {_nth(fate.rank)} of "
                f"{counted(fate.among)}; the last that went on has {fate.lowest:.3f}."
            )
        case "large":
            return f"Too small: after clipping one side is under {rpn.smallest:g} px."
        case "sure":
            return f"Its objectness is under the threshold of {rpn.threshold:g}."
        case "nms":
            return _killed(fate, "level", rpn.filter.nms.threshold)
        case "top_n":
            return (
                f"It survived the suppression, but only the best {rpn.filter.nms.most} go on; it "
                f"was {_nth(fate.rank)}."
            )
    gone = len(fate.victims)
    return f"Among the best; it suppressed {gone} of its level."


def _second_end(trace: TwoStage, fate: Fate, name: str) -> str:
    roi = trace.roi
    match fate.stage:
        case "sure":
            return f"Background: {name} is not over the threshold of {roi.threshold:g}."
        case "large":
            return f"Too small: one side is under {roi.smallest:g} px."
        case "nms":
            return _killed(fate, "class", roi.filter.nms.threshold)
        case "top_n":
            return (
                f"It survived the suppression, but only the best {roi.filter.nms.most} are "
                f"answered; it was {_nth(fate.rank)}."
            )
    return _alive(fate)


def _one_end(trace: OneStage, fate: Fate, name: str) -> str:
    match fate.stage:
        case "sure":
            return f"Background: {name} is not over the threshold of {trace.threshold:g}."
        case "top_k":
            group = "class" if trace.kind == "ssd" else "level"
            return (
                f"Not among the best {trace.pre_nms} of its {group}: {_nth(fate.rank)} of "
                f"{counted(fate.among)}; the last that went on has {fate.lowest:.3f}."
            )
        case "nms":
            return _killed(fate, "class", trace.filter.nms.threshold)
        case "top_n":
            return (
                f"It survived the suppression, but only the best {trace.filter.nms.most} are "
                f"answered; it was {_nth(fate.rank)}."
            )
    return _alive(fate)


def _alive(fate: Fate) -> str:
    gone = len(fate.victims)
    return f"Detection {fate.rank} of {fate.among}; it suppressed {gone} of its class."


def _killed(fate: Fate, group: str, threshold: float) -> str:
    return (
        f"Suppressed: IoU {fate.iou:.2f} with a surer box of its {group} "
        f"({fate.killer_score:.3f}); the limit is {threshold:g}."
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
