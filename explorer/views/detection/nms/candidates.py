"""The boxes that come before a suppression: a detector's own candidates, or drawn ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.engine.stages import own_suppression_of, trace_of
from explorer.views.shared.anchors import numbers, plain, truth_boxes
from explorer.views.shared.common import class_name
from explorer.vision.detection.detections import detections_of
from explorer.vision.detection.nms import by_score, overlaps
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.core.params import Box
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.trace import Nms

MOST = 300
"""The highest-scoring boxes of a detector that are kept."""

DETECTIONS, PROPOSALS, DRAWN = "detections", "proposals", "drawn boxes"


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """N boxes, highest score first.

    Lower-scoring boxes never suppress higher-scoring ones: the first n end as they do among all.

    Attributes:
        boxes: (N, 4) float32 in the photo's pixels.
        scores: (N,) float32.
        names: Of the class or the level of each.
        groups: (N,) its number.
        together: (N, N) the overlaps of all with all.
        apart: (N, N) those within a group, else 0.
        word: What a group is.
        total: How many boxes the network has there, of which these have the highest scores.
        threshold: The network's own one; None where there is none.
        kept: (N,) bool, what the network's own suppression leaves; None as above.
        note: A note about them.
    """

    boxes: Float32
    scores: Float32
    names: tuple[str, ...]
    groups: NDArray[np.intp]
    together: Float32
    apart: Float32
    word: str
    total: int
    threshold: float | None = None
    kept: NDArray[np.bool_] | None = None
    note: str = ""


def candidates_of(scene: Scene) -> dict[str, Candidates]:
    """The detector's own boxes right before each suppression, by source; computed once."""
    return scene.memo("nms candidates", lambda: _sources(scene))


def _sources(scene: Scene) -> dict[str, Candidates]:
    classes = scene.network.info.classes
    if (own := own_suppression_of(scene)) is not None:
        frame, nms = own
        names = _names(numbers(nms.groups), classes)
        return {DETECTIONS: _before(nms, frame.inverse(), names, "class")}
    try:
        trace = trace_of(scene)
    except ExplorerError as error:
        return {DETECTIONS: _answered(scene, error)}
    back = trace.pyramid.frame.inverse()
    labels = numbers(trace.filter.nms.groups)
    found = {DETECTIONS: _before(trace.filter.nms, back, _names(labels, classes), "class")}
    if isinstance(trace, TwoStage):
        nms = trace.rpn.filter.nms
        levels = tuple(f"level {group + 1}" for group in numbers(nms.groups))
        found[PROPOSALS] = _before(nms, back, levels, "level")
    return found


def _names(labels: NDArray[np.int64], classes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(class_name(classes, int(label)) for label in labels)


def _before(nms: Nms, back: Frame, names: Sequence[str], word: str) -> Candidates:
    scores, boxes, groups = plain(nms.scores), plain(nms.boxes), numbers(nms.groups)
    rows = by_score(scores)[:MOST]
    kept = np.zeros(len(scores), bool)
    kept[numbers(nms.kept)] = True
    return Candidates(
        back.boxes(boxes[rows]), scores[rows], tuple(names[row] for row in rows), groups[rows],
        overlaps(boxes, None, rows), overlaps(boxes, groups, rows), word, len(scores),
        nms.threshold, kept[rows],
    )  # fmt: skip


def _answered(scene: Scene, error: ExplorerError) -> Candidates:
    """The output of a detector whose stages cannot be traced: after its own suppression."""
    height, width = scene.input().shape[-2:]
    found = detections_of(scene.output(), scene.frame, (height, width))
    rows = by_score(found.scores)[:MOST]
    names = _names(found.labels[rows], scene.network.info.classes)
    note = f"{error.message} The boxes are its final detections."
    return made(found.xyxy[rows], found.scores[rows], names, len(found), note)


def made(
    boxes: Float32, scores: Float32, names: tuple[str, ...], total: int, note: str = ""
) -> Candidates:
    """Boxes in the photo's pixels, highest score first; equal names are a group."""
    words = sorted(set(names))
    groups = np.array([words.index(name) for name in names], np.intp)
    return Candidates(
        boxes, scores, names, groups, overlaps(boxes), overlaps(boxes, groups), "class", total,
        note=note,
    )  # fmt: skip


def drawn(truth: Sequence[Box]) -> Candidates:
    """Boxes of one's own: a number behind the name is the score, as in "cat 0.8".

    Without one the first box has the highest score. A crowd is no single box.
    """
    truth = [box for box in truth if not box.crowd]
    told = [_told(box.label, number) for number, box in enumerate(truth)]
    scores = np.array([score for _, score in told], np.float32)
    rows = by_score(scores)
    return made(
        truth_boxes(truth)[rows], scores[rows], tuple(told[row][0] for row in rows), len(truth)
    )


def _told(label: str, number: int) -> tuple[str, float]:
    *words, last = label.split() or [""]
    try:
        score = float(last)
    except ValueError:
        score = -1.0
    if 0.0 <= score <= 1.0:
        return " ".join(words) or "box", score
    return label or "box", max(0.95 - 0.05 * number, 0.05)
