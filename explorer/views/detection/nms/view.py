"""Suppression on a stage: one box after the other takes its turn, and others fall."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.nms.candidates import (
    DETECTIONS,
    DRAWN,
    PROPOSALS,
    Candidates,
    candidates_of,
    drawn,
)
from explorer.views.detection.nms.charts import (
    boxes,
    left_plot,
    list_bars,
    list_table,
    merge_plot,
    merge_words,
    sweep_plot,
    turn_words,
)
from explorer.views.detection.nms.snapshot import KEPT, Snapshot, layers_of, merging, suppression
from explorer.views.shared.anchors import counted
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.nms import Decay, History, Merges, merge, suppress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Plot
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A detector finds most objects several times, because neighboring anchors respond to the same object.
**Non-maximum suppression** (NMS) keeps one box for each. This view shows it step by step.

**Reading it.** Waiting boxes are blue. Every step takes the highest-scoring box that is left
(orange) and keeps it (green). Red boxes are suppressed in this step: an arrow goes from each to the
box that suppressed it, with their IoU. Play the steps or drag the line in the plot; change the
threshold and see which boxes return. Click a box, or its row, to see its own arrows in white.

**Greedy** NMS removes every box $b$ whose IoU with the kept box $m$ is above the threshold $t$:

$$ \mathrm{IoU}(m, b) = \frac{|m \, \cap \, b|}{|m \, \cup \, b|} > t $$

with $|\cdot|$ for the area. That is what torchvision does, in RetinaNet, SSD and FCOS, and twice in
Faster R-CNN: among the proposals (within each pyramid level) and among the detections (within each
class). When two objects overlap strongly, it loses one of them.

**Soft-NMS** lowers the score $s$ instead, so that a second object can still be found. With
$o = \mathrm{IoU}(m, b)$, *linear*:

$$ s \gets \begin{cases} s \, (1 - o) & \text{if } o \ge t \\ s & \text{if } o \lt t \end{cases} $$

and *Gaussian*, without a threshold:

$$ s \gets s \, \exp({-o^2} / \sigma) $$

A box whose score is lowered is yellow; it is suppressed when its score drops below *Min. score*.
The bars show all scores.

**OverFeat** merges boxes instead of removing them. Each step replaces the two boxes $a$ and $b$
that match best by their mean, with the sum of their scores, so that boxes in agreement end up with
high scores. It stops when no pair matches well enough. The paper adds the distance of the centers
and the intersection without giving units; here the best match is the smallest

$$ m(a, b) = \frac{\lVert c_a - c_b \rVert}{(d_a + d_b) / 2} + 1 - \mathrm{IoU}(a, b) $$

with $c$ for the centers and $d$ for the lengths of the diagonals: 0 for equal boxes, at least 1 for
boxes that do not overlap.

**Boxes** are the detector's own before NMS, or those you draw as ground truth. A number after the
class is the score ("cat 0.8"); without one, boxes drawn earlier have higher scores.

**Sources.** Bodla et al. 2017, *Soft-NMS*, section 3; Sermanet et al. 2014, *OverFeat*, section
4.3; Ren et al. 2015, *Faster R-CNN*, section 3.3.
"""

GREEDY, LINEAR, GAUSSIAN, OVERFEAT = "greedy", "soft, linear", "soft, Gaussian", "OverFeat merge"
METHODS = (GREEDY, LINEAR, GAUSSIAN, OVERFEAT)
DECAYS: dict[str, Decay] = {GREEDY: "greedy", LINEAR: "linear", GAUSSIAN: "gaussian"}
MOST_BOXES = 150
END = MOST_BOXES + 1
"""Beyond the last step of any number of boxes."""
SWEPT = 21
"""Points of the curve over the threshold."""


def _sources(info: NetworkInfo) -> tuple[str, ...]:
    return (DETECTIONS, PROPOSALS, DRAWN) if info.task == "detection" else (DRAWN,)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    source: str = param(
        "", "Boxes", "The network's own before NMS, or those you draw.",
        effect=Effect.DRAW, choices=_sources,
    )  # fmt: skip
    method: str = param(
        GREEDY, "Method", "What happens to a box that overlaps a higher-scoring one.",
        effect=Effect.DRAW, choices=METHODS,
    )  # fmt: skip
    step: int = param(
        0, "Step", "How many steps are done; at the right end all of them.",
        effect=Effect.DRAW, low=0, high=END, step=1, play=True, kept=False,
    )  # fmt: skip
    threshold: float = param(
        0.5, "IoU threshold", "Boxes with a larger IoU are suppressed.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
        when=lambda params, _: params.method in (GREEDY, LINEAR),
    )  # fmt: skip
    sigma: float = param(
        0.5, "Sigma", "Width of the Gaussian; larger values lower the scores less.",
        effect=Effect.DRAW, low=0.05, high=2.0, step=0.05,
        when=lambda params, _: params.method == GAUSSIAN,
    )  # fmt: skip
    max_match: float = param(
        0.6, "Max. match score", "Pairs up to this match score are merged; 0 = equal boxes.",
        effect=Effect.DRAW, low=0.0, high=2.0, step=0.02,
        when=lambda params, _: params.method == OVERFEAT,
    )  # fmt: skip
    per_class: bool = param(
        True, "Per class",
        "Only boxes of the same class (proposals: level) suppress each other. Off: class-agnostic.",
        effect=Effect.DRAW,
    )  # fmt: skip
    score: float = param(
        0.1, "Min. score",
        "Boxes with a lower score are not used; with Soft-NMS a box is suppressed below it.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    most: int = param(
        40, "Max. boxes", "How many boxes are used, highest score first.",
        effect=Effect.DRAW, low=2, high=MOST_BOXES, step=1,
    )  # fmt: skip
    arrows: bool = param(
        True, "Arrows", "From each suppressed box to the one that suppressed it.",
        effect=Effect.DRAW,
    )  # fmt: skip
    suppressed: bool = param(
        True, "Show suppressed boxes", "Draws the boxes that were suppressed in earlier steps.",
        effect=Effect.DRAW,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Drawn boxes", "Draw overlapping boxes on the photo and drag them.",
        effect=Effect.DRAW, pick=Pick.TRUTH, when=lambda params, _: params.source == DRAWN,
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected box", "Its arrows are white; choose a row or a box.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="boxes",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`sources` are the network's own boxes by source; empty where it is no detector."""

    photo: Picture
    sources: dict[str, Candidates]
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))


@dataclass(frozen=True, slots=True, eq=False)
class Playback:
    """The first `count` boxes of the candidates, all that happens to them, and one step of it."""

    source: str
    candidates: Candidates
    count: int
    plot: History | Merges
    snapshot: Snapshot
    key: tuple[Any, ...]
    """What the plot depends on but its thresholds."""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    detector = scene.network.info.task == "detection"
    yield Step(Result(photo_of(scene), candidates_of(scene) if detector else {}))


def draw(result: Result, params: Params) -> Board:
    playback = _played(result, params)
    snapshot = playback.snapshot
    layers = layers_of(
        snapshot, suppressed=params.suppressed, arrows=params.arrows, selected=params.selected,
        plain=playback.source == DRAWN,
    )  # fmt: skip
    first = playback.candidates.scores[: playback.count]
    plots: tuple[Plot, ...] = ()
    if playback.count:
        plots = (list_bars(snapshot), _steps(playback), _sweep(result, playback, params))
    return Board(
        panes=(Pane("image", size_of(result.photo), (result.photo, *layers), _title(playback)),),
        plots=plots,
        tables=(list_table(snapshot, first, merged=isinstance(playback.plot, Merges)),),
        summary=_summary(playback, params),
        notes=(playback.candidates.note,) if playback.candidates.note else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The boxes that take part and all that happens to them, to the last step.

    Keys: `boxes` (n, 4) float32 xyxy in the photo's pixels and `scores` (n,), highest score first;
    `names`; `iou` (n, n) as compared. Suppression: `kept` the rows that stay in their order,
    `suppressed_by` (n,) the row that suppressed each (-1: none), `suppressed_iou` (n,), `step`
    (n,) in which it happened (0: never), `score_history` (steps + 1, n). Merge: `merged_boxes`
    (n + M, 4), `merged_scores`, `pairs` (M, 2), `match` (M,), and `kept` the rows that remain.
    """
    playback = _played(result, params)
    candidates, count = playback.candidates, playback.count
    found: dict[str, Any] = {
        "boxes": candidates.boxes[:count],
        "scores": candidates.scores[:count],
        "names": candidates.names[:count],
        "iou": _overlaps(candidates, count, params),
    }
    if isinstance(playback.plot, History):
        history = playback.plot
        return found | {
            "kept": history.picks, "suppressed_by": history.suppressors,
            "suppressed_iou": history.ious,
            "step": history.ended, "score_history": history.scores,
        }  # fmt: skip
    merges = playback.plot
    return found | {
        "kept": merges.alive(merges.until(params.max_match)), "merged_boxes": merges.boxes,
        "merged_scores": merges.scores, "pairs": merges.pairs, "match": merges.matches,
    }  # fmt: skip


def _played(result: Result, params: Params) -> Playback:
    source = params.source if params.source in (*result.sources, DRAWN) else DETECTIONS
    if source == DRAWN or not result.sources:
        source, candidates = (
            DRAWN,
            result.cache.get(("drawn", params.truth), lambda: drawn(params.truth)),
        )
    else:
        candidates = result.sources[source]
    count = min(params.most, int((candidates.scores >= params.score).sum()))
    own = params.truth if source == DRAWN else ()
    key = (source, own, count, params.method, params.per_class)
    if params.method == OVERFEAT:
        groups = candidates.groups[:count] if params.per_class else None
        merges = result.cache.get(
            key, lambda: merge(candidates.boxes[:count], candidates.scores[:count], groups)
        )
        snapshot = merging(candidates, merges, merges.until(params.max_match), params.step)
        return Playback(source, candidates, count, merges, snapshot, key)
    history = result.cache.get(
        (*key, params.threshold, params.sigma, params.score),
        lambda: _suppressed(candidates, count, params, params.threshold, params.sigma),
    )
    return Playback(
        source, candidates, count, history, suppression(candidates, history, params.step), key
    )


def _overlaps(candidates: Candidates, count: int, params: Params) -> Float32:
    return (candidates.apart if params.per_class else candidates.together)[:count, :count]


def _suppressed(
    candidates: Candidates, count: int, params: Params, threshold: float, sigma: float
) -> History:
    return suppress(
        _overlaps(candidates, count, params), candidates.scores[:count], DECAYS[params.method],
        threshold=threshold, sigma=sigma, floor=params.score,
    )  # fmt: skip


def _steps(playback: Playback) -> Plot:
    if isinstance(playback.plot, Merges):
        return merge_plot(playback.plot, playback.snapshot)
    return left_plot(playback.plot, playback.snapshot)


def _sweep(result: Result, playback: Playback, params: Params) -> Plot:
    """How many boxes stay, over the one number that decides in this method."""
    name = {GAUSSIAN: "sigma", OVERFEAT: "max_match"}.get(params.method, "threshold")
    words = {"sigma": "sigma", "max_match": "max. match score", "threshold": "IoU threshold"}
    low, high = {"sigma": (0.05, 2.0), "max_match": (0.0, 2.0), "threshold": (0.0, 1.0)}[name]
    values = np.linspace(low, high, SWEPT)

    def stay() -> NDArray[np.float64]:
        if isinstance(playback.plot, Merges):
            left = [playback.count - playback.plot.until(value) for value in values.tolist()]
        else:
            left = [
                _suppressed(
                    playback.candidates, playback.count, params,
                    value if name == "threshold" else params.threshold,
                    value if name == "sigma" else params.sigma,
                ).steps
                for value in values.tolist()
            ]  # fmt: skip
        return np.array(left, np.float64)

    kept = result.cache.get(("sweep", *playback.key, params.score), stay)
    return sweep_plot(values, kept, getattr(params, name), name, words[name])


def _title(playback: Playback) -> str:
    many = counted(playback.candidates.total)
    whose = {DETECTIONS: "before NMS of the detections", PROPOSALS: "before NMS of the proposals"}
    if playback.source == DRAWN:
        return "Your boxes"
    if playback.candidates.threshold is None:
        return f"Top {playback.count} of {many} detections"
    return f"Top {playback.count} of {many} boxes {whose[playback.source]}"


def _summary(playback: Playback, params: Params) -> str:
    snapshot = playback.snapshot
    if not playback.count:
        if playback.source == DRAWN and not playback.candidates.total:
            return "No boxes yet. Draw two that overlap (Shift and drag, inside a box)."
        return f"No box has a score >= {params.score:.2f}: lower 'Min. score'."
    if isinstance(playback.plot, Merges):
        return _merge_summary(playback.plot, snapshot, params)
    return (
        turn_words(snapshot) if not snapshot.over else _end_words(playback, playback.plot, params)
    )


def _end_words(playback: Playback, history: History, params: Params) -> str:
    number = f"sigma {params.sigma:g}" if params.method == GAUSSIAN else f"IoU {params.threshold:g}"
    kept = "is kept" if history.steps == 1 else "are kept"
    words = f"{history.steps} of {boxes(playback.count)} {kept} ({params.method}, {number})."
    fell = history.suppressors[history.suppressors >= 0]
    if len(fell):
        most = int(np.bincount(fell).argmax())
        words += (
            f" Box {most + 1}, {playback.snapshot.words(most)}, suppressed the most: "
            f"{boxes(int((fell == most).sum()))}."
        )
    candidates = playback.candidates
    if candidates.threshold is None or candidates.kept is None:
        return words
    own = np.flatnonzero(candidates.kept[: playback.count])
    which = "the same ones" if np.array_equal(np.sort(history.picks), own) else str(len(own))
    return f"{words} The network itself keeps {which} (greedy, IoU {candidates.threshold:g})."


def _merge_summary(merges: Merges, snapshot: Snapshot, params: Params) -> str:
    if not snapshot.over:
        match = float(merges.matches[snapshot.step - 1]) if snapshot.step else 0.0
        return merge_words(snapshot, match)
    stay = snapshot.rows(KEPT)
    best = int(stay[snapshot.scores[stay].argmax()])
    made = "1 merge reduces" if snapshot.last == 1 else f"{snapshot.last} merges reduce"
    return (
        f"{made} {boxes(merges.count)} to {len(stay)} (match score <= "
        f"{params.max_match:.2f}). The highest-scoring, {snapshot.words(best)}, is the mean of "
        f"{boxes(int(snapshot.parts[best]))}."
    )


VIEW = View(
    name="nms",
    title="NMS step by step",
    group=Group.DETECTION,
    summary="Which boxes suppress which: greedy NMS, Soft-NMS and OverFeat's merging.",
    explanation=EXPLANATION,
    reference="Bodla et al. 2017, Soft-NMS; Sermanet et al. 2014, OverFeat, section 4.3",
    best="detection",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
