"""What the levels of a single-stage detector predict for one class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.engine.stages import trace_of
from explorer.views.shared.anchors import numbers, plain
from explorer.views.shared.common import photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.trace.one_stage import OneStage
from explorer.vision.trace.parts import level_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.views.shared.training_pass import Lesson
    from explorer.vision.trace import Level
    from explorer.vision.trace.one_stage import Kind

NAMES: dict[Kind, str] = {"ssd": "SSD", "retinanet": "RetinaNet", "fcos": "FCOS"}
PLACES: dict[Kind, str] = {"ssd": "default boxes", "retinanet": "anchors", "fcos": "points"}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One class at all N anchors (SSD: default boxes; FCOS: points, as squares of a stride).

    Attributes:
        photo: The photo.
        kind: Of detector.
        frame: From the photo's pixels to the transformed image, where levels count.
        levels: Where the anchors stand.
        label: The class.
        classes: The network's names.
        anchors: (N, 4) float32 xyxy in the photo's pixels.
        boxes: (N, 4) float32, the anchors after their deltas, likewise, clipped.
        scores: (N,) float32 in [0, 1], of the class; of FCOS with the center-ness.
        alone: (N,) float32 in [0, 1]: the class alone, as the classification loss takes it.
        centerness: (N,) float32 in [0, 1] of FCOS, else None.
        detected: (M,) int64: the anchor of every detection of the class, highest score first.
        threshold: From which score a detection counts by default.
        lesson: What a training step would use, with ground truth.
    """

    photo: Picture
    kind: Kind
    frame: Frame
    levels: tuple[Level, ...]
    label: int
    classes: tuple[str, ...]
    anchors: Float32
    boxes: Float32
    scores: Float32
    alone: Float32
    centerness: Float32 | None
    detected: NDArray[np.int64]
    threshold: float
    lesson: Lesson | None
    cache: DrawCache = field(default_factory=lambda: DrawCache(32))

    def levels_of(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the level of each of some anchors."""
        return np.array([level_of(self.levels, int(row)) for row in rows], np.int64)

    def grid(self, level: int, values: Float32) -> Float32:
        """(rows, columns): the largest of some (N,) values at every cell of a level."""
        place = self.levels[level]
        own = values[place.first : place.first + place.count]
        found: Float32 = own.reshape(place.rows, place.columns, place.per_cell).max(axis=2)
        return np.ascontiguousarray(found)


def result_of(scene: Scene, target: str, lesson: Lesson | None) -> Result:
    """See `Result`; without a class of the network the one of the highest-scoring detection.

    Raises:
        ExplorerError: The network is no single-stage detector of torchvision's.
    """
    trace = trace_of(scene)
    if not isinstance(trace, OneStage):
        raise ExplorerError(
            f"{scene.network.info.title} is not a single-stage detector.",
            "Choose lite-ssd, lite-retinanet, or SSD, RetinaNet or FCOS of torchvision.",
        )
    classes = scene.network.info.classes
    rows, labels = trace.detected
    label = classes.index(target) if target in classes else int(labels[0]) if len(labels) else 1
    label = min(label, trace.classes - 1)
    back = trace.pyramid.frame.inverse()
    centerness = trace.centerness
    logits = trace.logits
    alone = logits.softmax(dim=1) if trace.kind == "ssd" else logits.sigmoid()
    return Result(
        photo_of(scene), trace.kind, trace.pyramid.frame, trace.pyramid.levels, label, classes,
        back.boxes(plain(trace.pyramid.anchors)), back.boxes(plain(trace.boxes)),
        plain(trace.scores[:, label]), plain(alone[:, label]),
        None if centerness is None else plain(centerness.sigmoid()),
        numbers(rows[labels == label]), scene.network.info.score_threshold, lesson,
    )  # fmt: skip
