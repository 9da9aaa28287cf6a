"""The losses between the predicted box and the ground truth, and where each pulls its sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Lines, Plot, Table, colors_apart
from explorer.views.shared.anchors import ORANGE, same
from explorer.views.shared.common import color
from explorer.vision.detection.box_losses import BOX_LOSSES, box_loss

if TYPE_CHECKING:
    from explorer.core.layers import Color, Float32

NONE = "none"
CHOICES = (NONE, *BOX_LOSSES)
LONGEST_ARROW = 0.18
"""Of the photo's shorter side: the largest component of the gradient."""

WAY = np.linspace(0.0, 1.0, 51)


def arrows(loss: str, box: Float32, truth: Float32, size: tuple[float, float]) -> Lines | None:
    """An arrow at the middle of each side: where gradient descent moves it.

    Lengths are relative to the largest component. None where the gradient is 0.

    Args:
        loss: One of `BOX_LOSSES`.
        box: (4,) xyxy, predicted.
        truth: (4,) xyxy.
        size: Width and height of the photo.
    """
    step = -box_loss(loss, box[None], truth, size).gradient[0]
    largest = np.abs(step).max()
    if largest < 1e-12:
        return None
    step *= LONGEST_ARROW * min(size) / largest
    x0, y0, x1, y1 = box.tolist()
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    starts = np.array([[x0, middle[1]], [middle[0], y0], [x1, middle[1]], [middle[0], y1]])
    moves = np.array([[step[0], 0], [0, step[1]], [step[2], 0], [0, step[3]]])
    kept = np.abs(moves).max(axis=1) > 0.5
    segments = np.concatenate([starts, starts + moves], axis=1)[kept].astype(np.float32)
    return Lines(segments, same(ORANGE, len(segments)), width=2.5, arrow=True, name="descent")


def table(box: Float32, truth: Float32, size: tuple[float, float]) -> Table:
    """Every loss with its derivative by each side."""
    rows: list[tuple[str | int | float, ...]] = []
    for name in BOX_LOSSES:
        found = box_loss(name, box[None], truth, size)
        slopes = (float(f"{slope:.3g}") for slope in (100 * found.gradient[0]).tolist())
        rows.append((name, round(float(found.value[0]), 4), *slopes))
    return Table(
        "losses", ("loss", "value", "x0", "y0", "x1", "y1"), tuple(rows),
        title="Losses, and their change when a side moves by 100 pixels",
        swatches=tuple(_colors()),
    )  # fmt: skip


def on_the_way(box: Float32, truth: Float32, size: tuple[float, float]) -> Plot:
    """Every loss while the predicted box moves straight to the ground truth."""
    boxes = box + WAY[:, None] * (np.asarray(truth, np.float64) - box)
    curves = tuple(
        Curve(WAY, box_loss(name, boxes, truth, size).value, name, tint)
        for name, tint in zip(BOX_LOSSES, _colors(), strict=True)
    )
    return Plot(
        "way", "Losses while the box moves to the ground truth", "part of the way", "loss", curves
    )


def _colors() -> list[Color]:
    return [color(tint) for tint in colors_apart(list(range(len(BOX_LOSSES))), len(BOX_LOSSES))]
