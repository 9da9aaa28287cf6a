"""The prediction against a ground-truth mask: errors on the photo, and the metrics by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Masks, Pane, Table, Text
from explorer.evaluation.masks.boundaries import boundary_scores
from explorer.evaluation.metrics import Confusion
from explorer.views.segmentation.semantic.result import true_classes
from explorer.views.shared.anchors import RED
from explorer.views.shared.common import class_name, color, size_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.params import Mask
    from explorer.views.segmentation.semantic.result import Result

OTHER_SIZE = "The ground-truth mask has another size than the photo, so it is not compared."


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The metrics of one photo.

    Attributes:
        counts: (C, C) pixels: row = true class, column = predicted class.
        iou: By class, of those in the ground truth.
        boundary: Boundary F by class, where it has a border.
        wrong: (H, W) int32 for a layer: 0 where the class is wrong, -1 elsewhere.
    """

    counts: NDArray[np.int64]
    iou: dict[int, float]
    boundary: dict[int, float]
    wrong: NDArray[np.int32]

    @property
    def summary(self) -> str:
        """Empty where no pixel counts."""
        if not self.iou:
            return ""
        words = f"mIoU {np.mean(list(self.iou.values())):.2f}, pixel accuracy {self.accuracy:.1%}"
        if self.boundary:
            words += f", boundary F {np.mean(list(self.boundary.values())):.2f}"
        return words

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.counts) / max(int(self.counts.sum()), 1))


def compared(result: Result, mask: Mask) -> Comparison | None:
    """None for a mask of another size."""
    truth = true_classes(mask, result)
    if truth is None:
        return None
    predicted = result.on_photo()
    confusion = Confusion(len(result.found.probabilities))
    confusion.add(truth, predicted)
    counted = (truth >= 0) & (predicted >= 0)
    wrong = np.where(counted & (truth != predicted), np.int32(0), np.int32(-1))
    return Comparison(confusion.counts, confusion.iou(), boundary_scores(truth, predicted), wrong)


def error_pane(result: Result, found: Comparison) -> Pane:
    """Wrong pixels in red."""
    size = size_of(result.photo)
    layer = Masks(
        found.wrong, np.array([RED], np.uint8), ("wrong class",), opacity=0.6, name="errors"
    )
    key = Text("wrong class", (0.0, size[1]), size=9.0, swatches=(RED,), name="key")
    return Pane("errors", size, (result.photo, layer, key), title="Errors")


def comparison_table(result: Result, found: Comparison) -> Table:
    """A row for every class of the ground truth, the lowest IoU first."""
    order = sorted(found.iou, key=lambda k: found.iou[k])
    truth, predicted = found.counts.sum(axis=1), found.counts.sum(axis=0)
    colors = result.colors()
    rows = tuple(
        (
            class_name(result.classes, k),
            round(found.iou[k], 3),
            round(found.boundary[k], 3) if k in found.boundary else "–",
            int(truth[k]),
            int(predicted[k]),
        )
        for k in order
    )
    return Table(
        "comparison", ("class", "IoU", "boundary F", "true pixels", "predicted pixels"), rows,
        title="Compared with the ground truth", swatches=tuple(color(colors[k]) for k in order),
    )  # fmt: skip
