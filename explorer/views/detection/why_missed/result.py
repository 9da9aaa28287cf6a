"""What is known of the object that was not found, in the photo's pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.engine.stages import trace_of
from explorer.views.shared.anchors import numbers, plain
from explorer.views.shared.common import class_name, photo_of
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.trace import TwoStage
from explorer.vision.trace.missed import answers, detections_of, limits_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.trace import Trace
    from explorer.vision.trace.missed import Missed

DRAWN, TRUTH, EXAMPLE = "drawn", "missed", "example"
OF_CLASS = " (of the class)"
"""Ends the titles of stages that are counted for the object's class alone."""


@dataclass(frozen=True, slots=True)
class Object:
    """One object: `box` (x0, y0, x1, y1) in the photo's pixels, its class or "", where from."""

    box: tuple[float, float, float, float]
    label: str
    origin: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """After a stage: boxes, those that fit the object, and the best score of these, "" = none."""

    title: str
    total: int
    fitting: int
    best: str


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Detections: `boxes` (M, 4) in the photo's pixels, `scores` and `labels` (M,)."""

    boxes: Float32
    scores: Float32
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answer about `objects[chosen]`; boxes in the photo's pixels.

    Attributes:
        photo: The photo.
        classes: The network's names.
        objects: All that could be asked about.
        chosen: Which of them is.
        missed: The answer without `after`; its boxes are in pixels of the transformed image.
        now: The detections as they are.
        after: Those with the changed limits, or None.
        candidate: (1, 4) the box that the answer is about; empty without one.
        suppressor: (1, 4) the box that suppressed it, or empty.
        stages: What is left after each stage.
        limits: Of the network by key.
        least: Detections count from this score on.
        iou: From here on a box fits.
    """

    photo: Picture
    classes: tuple[str, ...]
    objects: tuple[Object, ...]
    chosen: int
    missed: Missed
    now: Found
    after: Found | None
    candidate: Float32
    suppressor: Float32
    stages: tuple[StageRow, ...]
    limits: dict[str, float]
    least: float
    iou: float

    @property
    def scores(self) -> Float32:
        """(M,) of the detections as they are."""
        return self.now.scores


def found_of(trace: Trace) -> Found:
    """The detections in the photo's pixels."""
    boxes, scores, labels = detections_of(trace)
    back = trace.pyramid.frame.inverse()
    return Found(back.boxes(plain(boxes)), plain(scores), numbers(labels))


def example_of(
    found: Found, classes: tuple[str, ...], least: float, size: tuple[float, float]
) -> Object:
    """What to begin with: the best detection below the threshold that no other one covers.

    Where there is none the highest-scoring detection; without any the middle of the photo of
    (width, height) `size`.
    """
    above = found.scores >= least
    rows = np.flatnonzero(~above).tolist()
    if above.any():
        covered = iou_matrix(found.boxes[rows], found.boxes[above]).max(axis=1)
        rows = [row for row, iou in zip(rows, covered.tolist(), strict=True) if iou < 0.5]
    if not len(found.boxes):
        width, height = size
        return Object((width / 4, height / 4, 3 * width / 4, 3 * height / 4), "", EXAMPLE)
    row = rows[0] if rows else 0
    x0, y0, x1, y1 = found.boxes[row].tolist()
    return Object((x0, y0, x1, y1), class_name(classes, int(found.labels[row])), EXAMPLE)


def results_of(
    scene: Scene, objects: tuple[Object, ...], chosen: int, least: float, iou: float
) -> Iterator[Result]:
    """The answer about one of some objects: the stage, then the limit that brings it back.

    Raises:
        ExplorerError: The object has a class that the network does not have.
    """
    trace, classes = trace_of(scene), scene.network.info.classes
    wanted = objects[chosen]
    label = None
    if wanted.label:
        known = {name.casefold(): k for k, name in enumerate(classes) if k > 0}
        label = known.get(wanted.label.casefold())
        if label is None:
            raise ExplorerError(
                f"The network has no class {wanted.label}.",
                "Choose one of its classes for the box, or none.",
            )
    frame = trace.pyramid.frame
    box = torch.from_numpy(frame.boxes(np.array([wanted.box], np.float32))[0])
    module = scene.network.module
    back = frame.inverse()
    stages: tuple[StageRow, ...] = ()
    nothing = np.zeros((0, 4), np.float32)
    box = box.to(trace.pyramid.anchors)
    for missed in answers(module, trace, box, label, score=least, iou=iou):
        outcome = missed.outcome
        stages = stages or _stages(trace, plain(box), missed.label, iou)
        yield Result(
            photo_of(scene), classes, objects, chosen, replace(missed, after=None),
            found_of(trace), None if missed.after is None else found_of(missed.after),
            nothing if missed.best < 0 else _moved(missed.fits.boxes[missed.best], back),
            nothing if outcome is None or outcome.suppressor is None
            else _moved(outcome.suppressor, back),
            stages, limits_of(module) | {"score": least}, least, iou,
        )  # fmt: skip


def _moved(box: Float32, back: Frame) -> Float32:
    return back.boxes(box[None].astype(np.float32))


_WORDS = {
    "top_k": "highest scores before NMS", "large": "boxes that are large enough",
    "min_score": "score threshold", "nms": "NMS", "top_n": "highest scores after NMS",
}  # fmt: skip


def _stages(trace: Trace, box: Float32, label: int, iou: float) -> tuple[StageRow, ...]:
    """How many boxes are left after each stage, and how many of them fit."""
    rows = []
    if isinstance(trace, TwoStage):
        boxes, scores = plain(trace.rpn.clipped), plain(trace.rpn.scores)
        rows.append(_row("all anchors, refined", boxes, scores, box, iou))
        rows += [
            _row(f"RPN: {_WORDS[stage.name]}", boxes[ids], scores[ids], box, iou)
            for stage in trace.rpn.filter.stages
            for ids in (numbers(stage.ids),)
        ]
        boxes = plain(trace.roi.boxes[:, label])
        scores = plain(trace.roi.probabilities[:, label])
        title, filtered, classes = (
            "refined by the second stage",
            trace.roi.filter,
            trace.roi.classes,
        )
    else:
        boxes, scores = plain(trace.boxes), plain(trace.scores[:, label])
        title, filtered, classes = "all anchors, refined", trace.filter, trace.classes
    rows.append(_row(title, boxes, scores, box, iou))
    for stage in filtered.stages:
        ids = numbers(stage.ids)
        own = ids[ids % classes == label] // classes
        rows.append(_row(f"{_WORDS[stage.name]}{OF_CLASS}", boxes[own], scores[own], box, iou))
    return tuple(rows)


def _row(title: str, boxes: Float32, scores: Float32, box: Float32, iou: float) -> StageRow:
    fits = iou_matrix(box[None], boxes)[0] >= iou if len(boxes) else np.zeros(0, np.bool_)
    best = f"{scores[fits].max():.3f}" if fits.any() else ""
    return StageRow(title, len(boxes), int(fits.sum()), best)
