"""The answer in sentences and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.core.layers import Table
from explorer.views.shared.anchors import BLUE, GREEN, counted
from explorer.views.shared.common import class_name, counts_of
from explorer.views.shared.plural import plural

if TYPE_CHECKING:
    from explorer.views.detection.why_missed.result import Result
    from explorer.vision.trace.missed import Limit

TITLES = {
    "score": "Min. score",
    "nms": "NMS threshold",
    "top_n": "Detections per photo",
    "pre_nms": "Boxes per level before NMS",
    "rpn_score": "RPN: min. objectness",
    "rpn_nms": "RPN: NMS threshold",
    "rpn_top_n": "RPN: proposals after NMS",
    "rpn_pre_nms": "RPN: boxes per level before NMS",
}
"""What the limits are called."""

STAGES = {
    "top_k": "highest scores per level",
    "large": "size",
    "min_score": "score threshold",
    "nms": "NMS",
    "top_n": "number of boxes",
}


def reason(result: Result) -> str:
    """Why it was not found."""
    found, fits = result.missed, result.missed.fits
    name = class_name(result.classes, found.label)
    if found.reason == "found":
        score = float(result.scores[found.detection or 0])
        return f"It was found: {name} {score:.2f}."
    if found.reason == "no anchor":
        return f"No anchor comes near the object: the largest IoU is {fits.best_anchor:.2f}."
    if found.reason == "no box":
        best = float(fits.ious.max(initial=0.0))
        return (
            f"Anchors come near the object (IoU {fits.best_anchor:.2f}), but no refined box of "
            f"{name} reaches IoU {result.iou:.2f}: the best has {best:.2f}."
        )
    score = float(fits.scores[found.best])
    if found.reason == "class score":
        below, least = apart(score, result.least)
        words = f"A box fits, but its score of {name} is {below}, below {least}."
        rival, other = fits.rival
        if rival != found.label and other > score:
            words += f" The network predicts {class_name(result.classes, rival)} ({shown(other)})."
        return words
    return _filtered(result, score, name)


def _filtered(result: Result, score: float, name: str) -> str:
    found, outcome = result.missed, result.missed.outcome
    assert outcome is not None
    where = "RPN" if found.first else "last stage"
    words = f"A box with {name} {score:.2f} fits, but the {where} drops it: "
    if found.stage == "nms":
        return (
            f"{words}a box with the score {outcome.suppressor_score:.2f} suppresses it "
            f"(IoU {outcome.iou:.2f})."
        )
    if found.stage in ("top_k", "top_n"):
        what = "before" if found.stage == "top_k" else "after"
        return (
            f"{words}it is number {counted(outcome.rank)} {what} NMS, and the last one that passes "
            f"has the score {outcome.lowest:.2f}."
        )
    if found.stage == "large":
        return f"{words}it is too small."
    if found.stage == "min_score":
        return f"{words}its score is below the threshold."
    return f"A box with {name} {score:.2f} fits and passes all stages."


def apart(score: float, least: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart."""
    digits = 2
    while digits < 6 and f"{score:.{digits}f}" == f"{least:.{digits}f}":
        digits += 1
    return (shown(score) if digits == 2 else f"{score:.{digits}f}"), f"{least:.{digits}f}"


def shown(score: float) -> str:
    """A score with as many digits as it takes."""
    return f"{score:.2f}" if score >= 0.01 else f"{score:.1g}"


def cure(result: Result) -> str:
    """Which limit brings it back, and what comes with it."""
    found = result.missed
    if found.reason == "found":
        return ""
    if not found.limits:
        if found.reason == "filter":
            return "No limit and no two together bring it back: another stage drops it then."
        words = (
            "No limit and no two together bring"
            if found.reason == "class score"
            else ("No limit brings")
        )
        return f"{words} it back: this is up to the network's weights."
    words = " and ".join(
        f"{TITLES[limit.key]} {value(limit, limit.needed)} instead of {value(limit, limit.now)}"
        for limit in found.limits
    )
    if not found.proved:
        return f"Trying {words}…"
    words = f"With {words} it is found"
    if found.detection is not None and result.after is not None:
        words += f" ({result.after.scores[found.detection]:.2f})"
    count = len(found.others)
    if not count:
        return f"{words}, and nothing else changes."
    assert result.after is not None
    others = counts_of(result.classes, result.after.labels[list(found.others)].tolist())
    return f"{words}, and {count} more {plural('detection', count)} come with it: {others}."


def value(limit: Limit, number: float) -> str:
    """Of a limit, as it is set."""
    return f"{number:.3g}" if abs(limit.now) <= 1 else counted(round(number))


def stages_table(result: Result) -> Table:
    """Boxes after each stage, and how many of them fit the object."""
    rows = tuple(
        (stage.title, stage.total, stage.fitting, stage.best or "–") for stage in result.stages
    )
    label = class_name(result.classes, result.missed.label)
    two = any(stage.title.startswith("RPN") for stage in result.stages)
    score = f"objectness, then {label}" if two else label
    return Table(
        "stages", ("after", "boxes", "fit the object", f"highest score ({score})"), rows,
        title=f"Stages: boxes that fit (IoU >= {result.iou:.2f})",
    )  # fmt: skip


def limits_table(result: Result) -> Table:
    """All limits of the network with the values of now and those that are needed."""
    limits = result.missed.limits if result.missed.proved else ()
    needed = {limit.key: limit for limit in limits}
    rows = []
    for key, now in result.limits.items():
        limit = needed.get(key)
        rows.append(
            (TITLES[key], _number(now), _number(limit.needed) if limit is not None else "–")
        )
    swatches = tuple(GREEN if key in needed else BLUE for key in result.limits)
    return Table(
        "limits", ("limit", "now", "needed"), tuple(rows), title="Limits", swatches=swatches
    )


def _number(number: float) -> str:
    return f"{number:.3g}" if abs(number) <= 1 else counted(round(number))
