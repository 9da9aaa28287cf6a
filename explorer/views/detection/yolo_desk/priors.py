"""k-means over the shapes of boxes, iteration by iteration: where the priors of v2 come from."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Pane, Plot, Points, class_colors
from explorer.core.resources import resource_path
from explorer.training.data.clusters import anchor_rounds, mean_iou
from explorer.views.shared.anchors import WHITE, same

if TYPE_CHECKING:
    from explorer.core.layers import Float32
    from explorer.training.data.clusters import Round

SIDE = 400.0
"""Of the pane, whose axes are width and height as fractions of the photo."""

MOST = 15


@lru_cache(maxsize=1)
def shapes() -> Float32:
    """(N, 2) width and height of boxes as fractions of their photo.

    Those of `fixed-proposals`: cluster centers of the training photos' boxes.
    """
    with np.load(resource_path("weights", "fixed-proposals.npz")) as file:
        boxes = file["boxes"].astype(np.float32)
    sides: Float32 = boxes[:, 2:] - boxes[:, :2]
    return sides


@lru_cache(maxsize=MOST)
def rounds_of(count: int) -> tuple[Round, ...]:
    """All iterations for so many priors."""
    return tuple(anchor_rounds(shapes(), count))


def mean_of(found: Round) -> float:
    """Mean over the shapes of the IoU with the best center."""
    return mean_iou(shapes(), found.centers)


def pane(count: int, number: int) -> Pane:
    """The shapes as points, in the color of the center that they belong to, and the centers."""
    rounds = rounds_of(count)
    found = rounds[min(number, len(rounds) - 1)]
    tints = class_colors(count)
    points = shapes() * np.float32(SIDE)
    points[:, 1] = np.float32(SIDE) - points[:, 1]
    centers = found.centers * np.float32(SIDE)
    tops = np.stack([centers[:, 0], np.float32(SIDE) - centers[:, 1]], axis=1)
    outlines = np.concatenate([np.zeros_like(tops[:, :1]), tops], axis=1)
    floor = np.full((count, 1), SIDE, np.float32)
    return Pane(
        "priors", (SIDE, SIDE),
        (
            Points(points, tints[found.members], radius=1.5, name="shapes"),
            Boxes(
                np.concatenate([outlines, floor], axis=1)[:, [0, 2, 1, 3]], tints, width=1.5,
                dotted=True, selectable=False, name="shapes of the priors",
            ),
            Points(tops, same(WHITE, count), radius=6.0, name="rims"),
            Points(tops, tints, radius=4.5, name="centers"),
        ),
        title=f"Width and height of boxes: {count} priors, mean IoU {mean_of(found):.3f}",
        frame="shapes",
    )  # fmt: skip


def plot(count: int, number: int) -> Plot:
    """The mean IoU over the iterations; the marker is the one that is shown."""
    rounds = rounds_of(count)
    means = np.array([mean_of(found) for found in rounds])
    curve = Curve(np.arange(len(rounds), dtype=np.float64), means, "mean IoU")
    return Plot(
        "iterations", "k-means: mean IoU with the best prior", "iteration", "mean IoU", (curve,),
        marker=float(min(number, len(rounds) - 1)), steers="iteration",
        stop=float(len(rounds) - 1), whole_x=True,
    )  # fmt: skip
