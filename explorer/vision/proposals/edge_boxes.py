"""Edge Boxes: a box is good when whole contours lie inside it (Zitnick & Dollar 2014).

The search is OpenCV's (`ximgproc`). It needs a map of edges and their orientation. The paper takes
structured edges, a random forest that was trained on outlines drawn by people; its file does not
ship with OpenCV, whose reader ends the process on a file that is not such a forest, so a file of
one's own is not taken either. The edges here are gradients: texture counts nearly as much as
outlines, so the proposals are worse than the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

BLUR = 1.5
"""Sigma of the Gaussian before the gradient, in pixels."""

SURROUND = 10
"""Pixels: a gradient counts relative to the mean of its surroundings this far around it."""

FAINT = 10.0
"""No photo's strongest edges count as full when they are weaker than this: an even wall has none.

A step of 30 gray levels has 47, a step of one has 9.
"""

SMALLEST = 0.003
"""Of the photo's area: no box is smaller. The paper's 1000 pixels are this at 640 x 480."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """`strength` (H, W) float32 in [0, 1], thin; `normal` (H, W) float32 in [0, pi).

    `normal` is the angle across the edge, x to the right and y down: 0 at a vertical edge.
    """

    strength: Float32
    normal: Float32


def gradient_edges(pixels: NDArray[np.uint8]) -> Edges:
    """The edges of (H, W, 3) uint8 RGB: Gaussian gradients in CIE Lab, thinned along their normal.

    The strongest 2 % of all thin places have strength 1. The rest is squared: a weak gradient is
    texture more often than outline (on photos of COCO this finds more, in less time).
    """
    import cv2

    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), BLUR)
    dx, dy = cv2.Scharr(lab, cv2.CV_32F, 1, 0), cv2.Scharr(lab, cv2.CV_32F, 0, 1)
    # The direction in which all three channels together change most (Di Zenzo 1986).
    xx, yy, xy = ((a * b).sum(axis=2) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    normal = np.mod(0.5 * np.arctan2(2 * xy, xx - yy), np.pi).astype(np.float32)
    normal[normal >= np.float32(np.pi)] = 0
    strength = np.sqrt(0.5 * (xx + yy + np.sqrt((xx - yy) ** 2 + 4 * xy**2)))
    around = cv2.blur(strength, (2 * SURROUND + 1, 2 * SURROUND + 1))
    flat = 0.1 * float(strength.mean()) + 1e-6
    strength = strength / (around + flat) * np.sqrt(strength)
    thin = thinned(strength, normal)
    some = thin[thin > 0]
    full = float(np.quantile(some, 0.98)) if len(some) else FAINT
    return Edges((np.minimum(thin / max(full, FAINT), 1) ** 2).astype(np.float32), normal)


def thinned(strength: Float32, normal: Float32) -> Float32:
    """`strength` where it is the largest of three along the normal, else 0."""
    import cv2

    height, width = strength.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = np.cos(normal), np.sin(normal)
    keep = np.ones(strength.shape, bool)
    for sign in (np.float32(1), np.float32(-1)):
        beside = cv2.remap(
            strength, x + sign * dx, y + sign * dy, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        keep &= strength >= beside
    keep[[0, -1]] = keep[:, [0, -1]] = False
    return np.where(keep, strength, np.float32(0))


def edge_boxes(edges: Edges, most: int) -> tuple[Float32, Float32]:
    """Boxes (N, 4) float32 xyxy in the pixels of `edges`, the best first, and (N,) their scores.

    A score is the sum of the contours that lie wholly inside, over the box' outline to the power
    of 1.5; those in the middle of the box count less (section 3.2). All parameters are the paper's.
    """
    import cv2

    height, width = edges.strength.shape
    search = cv2.ximgproc.createEdgeBoxes(
        maxBoxes=most, minBoxArea=max(9.0, SMALLEST * height * width)
    )
    boxes, scores = search.getBoundingBoxes(edges.strength, edges.normal)
    if len(boxes) == 0:
        return np.empty((0, 4), np.float32), np.empty(0, np.float32)
    found = np.asarray(boxes, np.float32).reshape(-1, 4)
    found[:, 2:] += found[:, :2]
    values = np.asarray(scores, np.float32).reshape(-1)
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > 0]  # without any edge OpenCV returns a few boxes of 0
    return found[order], values[order]
