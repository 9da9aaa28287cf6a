"""The five terms of YOLO v1's loss for the drawn ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.layers import Boxes, Plot, Table, class_colors
from explorer.networks.embedded.yolo import YOLOv1
from explorer.training.yolo_losses import Truth, v1_terms
from explorer.views.detection.yolo_desk.cells import cells_in
from explorer.views.shared.anchors import GREEN, ORANGE, same, truth_boxes
from explorer.views.shared.common import class_name, color

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.core.params import Box
    from explorer.engine.scene import Scene
    from explorer.views.detection.yolo_desk.cells import Grid

TERMS = (
    ("center", "(x − x*)² + (y − y*)²"),
    ("size", "(√w − √w*)² + (√h − √h*)²"),
    ("confidence, object", "(c − IoU)²"),
    ("confidence, no object", "c²"),
    ("classes", "(p − p*)²"),
)
"""Names and what each sums up; * marks the ground truth."""


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """Of M objects.

    Attributes:
        sums: (5,) float64, the terms without their weights.
        cells: (M, 2) int64, row and column of the cell with each object's middle.
        overlaps: (M, B) float32, IoU of this cell's boxes with the object.
        responsible: (M,) int64.
        labels: (M,) int64: the class that counts.
        assumed: For each object whether it had no known class and got the cell's most probable one.
    """

    sums: NDArray[np.float64]
    cells: NDArray[np.int64]
    overlaps: Float32
    responsible: NDArray[np.int64]
    labels: NDArray[np.int64]
    assumed: tuple[bool, ...]

    def weighted(self, coordinates: float, no_object: float) -> NDArray[np.float64]:
        """(5,) terms with the weights of equation 3."""
        weights = np.array([coordinates, coordinates, 1.0, no_object, 1.0], np.float64)
        found: NDArray[np.float64] = self.sums * weights
        return found


@torch.no_grad()
def loss_of(scene: Scene, grid: Grid, truth: Sequence[Box]) -> Loss | None:
    """None without objects, and for networks other than YOLO v1."""
    module = scene.network.module
    if not truth or not isinstance(module, YOLOv1):
        return None
    found, classes = cells_in(scene), scene.network.info.classes
    height, width = found.padded
    inside = scene.frame.then(found.frame).boxes(truth_boxes(truth))
    parts = torch.from_numpy(inside).to(found.numbers) / found.numbers.new_tensor(
        [width, height, width, height]
    )
    nothing = torch.zeros(len(truth), dtype=torch.int64, device=parts.device)
    places = Truth(nothing, parts, nothing)
    rows, columns = found.numbers.shape[:2]
    row, column, _ = places.cells(rows, columns)
    own = grid.classes[row.cpu().numpy(), column.cpu().numpy()].argmax(axis=1) + 1
    known = [classes.index(box.label) if box.label in classes[1:] else 0 for box in truth]
    labels = np.where(np.array(known) > 0, known, own).astype(np.int64)
    wanted = torch.from_numpy(labels).to(parts.device)
    terms = v1_terms(module, found.numbers[None], Truth(nothing, parts, wanted))
    sums = (terms.center, terms.size, terms.confidence, terms.no_object, terms.classes)
    return Loss(
        np.array([float(each) for each in sums]),
        torch.stack([terms.row, terms.column], dim=1).cpu().numpy(),
        terms.overlaps.float().cpu().numpy(), terms.responsible.cpu().numpy(), labels,
        tuple(label == 0 for label in known),
    )  # fmt: skip


def layers(loss: Loss, grid: Grid) -> list[Boxes]:
    """The responsible cells, and their boxes: the responsible one solid, the others dotted."""
    cells = np.concatenate([grid.cell_box(*place) for place in loss.cells.tolist()])
    found = [
        Boxes(
            cells, same(GREEN, len(cells)), width=2.0, fill=0.3, selectable=False,
            name="responsible cells",
        )
    ]  # fmt: skip
    for number, (row, column) in enumerate(loss.cells.tolist()):
        best = int(loss.responsible[number])
        boxes, overlaps = grid.boxes[row, column], loss.overlaps[number]
        others = [k for k in range(len(boxes)) if k != best]
        found += [
            Boxes(
                boxes[others], same(ORANGE, len(others)),
                tuple(f"box {k + 1}, IoU {overlaps[k]:.2f}" for k in others), width=1.5,
                dotted=True, selectable=False, name=f"other boxes {number}",
            ),
            Boxes(
                boxes[best : best + 1], same(GREEN, 1),
                (f"box {best + 1} is responsible, IoU {overlaps[best]:.2f}",), width=2.5,
                selectable=False, name=f"responsible box {number}",
            ),
        ]  # fmt: skip
    return found


def bars(loss: Loss, coordinates: float, no_object: float) -> Plot:
    values = loss.weighted(coordinates, no_object)
    tints = class_colors(len(TERMS))
    return Plot(
        "loss", f"Loss {values.sum():.3f}, its five terms",
        bars=tuple(
            (name, float(value), color(tint))
            for (name, _), value, tint in zip(TERMS, values, tints, strict=True)
        ),
    )  # fmt: skip


def table(loss: Loss, coordinates: float, no_object: float) -> Table:
    weights = (coordinates, coordinates, 1.0, no_object, 1.0)
    values = loss.weighted(coordinates, no_object)
    rows = tuple(
        (name, formula, round(float(value), 4), round(weight, 3), round(float(product), 4))
        for (name, formula), value, weight, product in zip(
            TERMS, loss.sums, weights, values, strict=True
        )
    )
    return Table(
        "terms", ("term", "sum of", "sum", "weight", "weighted"), rows,
        title="Terms of the loss", swatches=tuple(map(color, class_colors(len(TERMS)))),
    )  # fmt: skip


def note(loss: Loss, truth: Sequence[Box], classes: Sequence[str]) -> str:
    """Which class objects without a class of the network got; "" where all have one."""
    taken = [
        class_name(classes, int(label))
        for label, assumed in zip(loss.labels, loss.assumed, strict=True)
        if assumed
    ]
    if not taken:
        return ""
    words = ", ".join(dict.fromkeys(taken))
    return f"Ground truth without a class of this network: its cell's most probable ({words})."
