"""What a training step on this photo would use: losses, and the boxes that take part in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.errors import Incomplete
from explorer.core.layers import Table
from explorer.views.shared.anchors import numbers, photo_size, plain, truth_boxes
from explorer.views.shared.common import class_name
from explorer.vision.detection.boxes import clip, iou_matrix
from explorer.vision.detection.losses import losses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.core.params import Box
    from explorer.engine.scene import Scene
    from explorer.vision.detection.losses import Judged, Losses

TITLES = {
    "loss_objectness": "RPN classification (objectness)",
    "loss_rpn_box_reg": "RPN box regression",
    "loss_classifier": "Box head classification",
    "loss_box_reg": "Box head box regression",
    "classification": "Classification",
    "bbox_regression": "Box regression",
    "bbox_ctrness": "Center-ness",
}
MOST_HARD = 12


@dataclass(frozen=True, slots=True)
class TermRow:
    """One loss in plain numbers; `value` is the network's own."""

    name: str
    value: float
    boxes: int
    over: int
    formula: str


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Boxes that take part, the most expensive first, in the photo's pixels.

    Attributes:
        name: "anchors" or "RoIs".
        rows: (n,) int64: which of the judged ones they are.
        boxes: (n, 4) float32.
        positive: (n,) bool.
        truth: (n,) which ground-truth box a positive is to become, -1 for background.
        overlap: (n,) IoU with the ground-truth box that it overlaps most.
        loss: (n,) what it adds to the classification loss, before the division.
        total: How many were judged.
        between: How many lie between both thresholds and are ignored.
    """

    name: str
    rows: NDArray[np.int64]
    boxes: Float32
    positive: NDArray[np.bool_]
    truth: NDArray[np.int64]
    overlap: Float32
    loss: Float32
    total: int
    between: int


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one training step on the photo would use."""

    terms: tuple[TermRow, ...]
    samples: tuple[Samples, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def lesson_of(scene: Scene, truth: Sequence[Box], *, stored: bool) -> Lesson:
    """Runs the training pass.

    Raises:
        Incomplete: When no ground-truth box lies on the photo.
    """
    height, width = photo_size(scene)
    boxes = clip(truth_boxes(truth), (height, width))
    good = np.all((boxes[:, 2:] - boxes[:, :2]) >= 1.0, axis=1)
    if not good.any():
        raise Incomplete("There is no ground-truth box on the photo.", "Draw a box on the photo.")
    notes: list[str] = []
    if not good.all():
        notes.append("Boxes outside the photo or less than a pixel wide were ignored.")
    words = [box.label for box, keep in zip(truth, good, strict=True) if keep]
    labels, unknown = class_indices(words, scene.network.info.classes)
    if unknown:
        first = class_name(scene.network.info.classes, 1)
        named = [f'"{word}"' for word in unknown if word]
        if named:
            notes.append(f"The network has no class {', '.join(named)}: {first} is used.")
        if "" in unknown:
            notes.append(f"A box has no class: {first} is used.")
    found = losses_of(
        scene.network.module,
        scene.input()[0],
        torch.from_numpy(scene.frame.boxes(boxes[good])),
        torch.tensor(labels),
        seed=scene.seed,
        frame=scene.frame,
        stored_statistics=stored,
    )
    judged = [("anchors", found.anchors), *([("RoIs", found.rois)] if found.rois else [])]
    terms = tuple(
        TermRow(term.name, term.value, len(term.rows), term.over, term.formula)
        for _, part in judged
        for term in part.terms
    )
    names = tuple(class_name(scene.network.info.classes, label) for label in labels)
    return Lesson(
        terms, tuple(_samples(name, part, found) for name, part in judged), names, tuple(notes)
    )


def class_indices(words: Sequence[str], classes: Sequence[str]) -> tuple[list[int], list[str]]:
    """The network's class of every word, and the words that it lacks (they get class 1)."""
    known = {name.lower(): index for index, name in enumerate(classes) if index > 0}
    labels = [known.get(word.strip().lower(), 1) for word in words]
    return labels, list(dict.fromkeys(w for w in words if w.strip().lower() not in known))


def _samples(name: str, judged: Judged, found: Losses) -> Samples:
    cost = plain(judged.terms[0].each)
    rows = numbers(judged.terms[0].rows)
    order = np.argsort(-cost, kind="stable")
    rows, cost = rows[order], cost[order]
    boxes, matches = plain(judged.boxes)[rows], numbers(judged.matches)
    overlap = iou_matrix(plain(found.truth), boxes).max(axis=0, initial=0.0)
    return Samples(
        name, rows, found.frame.inverse().boxes(boxes), matches[rows] >= 0,
        np.maximum(matches[rows], -1), overlap, cost, len(matches), int((matches == -2).sum()),
    )  # fmt: skip


def losses_table(lesson: Lesson) -> Table:
    """The terms, as the network divides them, and their sum."""
    total = sum(term.value for term in lesson.terms)
    return Table(
        "losses",
        ("loss", "value", "boxes", "divided by", "formula"),
        (
            *((t.name, round(t.value, 5), t.boxes, t.over, t.formula) for t in lesson.terms),
            ("sum", round(total, 5), "", "", ""),
        ),
        title="Loss terms",
    )


def hardest(samples: Samples, classes: tuple[str, ...]) -> Table:
    """A row for each of the samples with the highest loss."""
    rows = []
    for row in range(min(MOST_HARD, len(samples.loss))):
        wanted = int(samples.truth[row])
        rows.append(
            (
                "background" if wanted < 0 else f"{classes[wanted]} (box {wanted + 1})",
                round(float(samples.overlap[row]), 3),
                round(float(samples.loss[row]), 4),
            )
        )
    return Table(
        f"hardest {samples.name}",
        ("target", "IoU", "loss"),
        tuple(rows),
        title=f"{samples.name.capitalize()} with the highest loss",
        layer=samples.name,
        keys=tuple(range(len(rows))),
    )
