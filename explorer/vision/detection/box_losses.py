"""Losses that compare a predicted box with a ground-truth box, and their gradients, in numpy.

They are small enough for every move of the mouse. Boxes are (N, 4) as x0, y0, x1, y1 in pixels of
the photo, with x0 <= x1 and y0 <= y1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.floating[Any]]

BETA = 1 / 9
"""Where smooth L1 turns from a square into a line, as torchvision's RPN has it."""

_EMPTY = 1e-12
"""Keeps areas of 0 from being divided by."""


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """`value` is (N,); `gradient` (N, 4) its derivative by x0, y0, x1, y1, per pixel."""

    value: Floats
    gradient: Floats


def box_loss(name: str, predicted: Numbers, truth: Numbers, size: tuple[float, float]) -> Loss:
    """One of `BOX_LOSSES`.

    Args:
        name: Its name.
        predicted: (N, 4).
        truth: (4,) or (N, 4).
        size: Width and height of the photo: L1, L2 and smooth L1 compare coordinates as fractions
            of them.
    """
    boxes = np.asarray(predicted, np.float64)
    target = np.broadcast_to(np.asarray(truth, np.float64), boxes.shape)
    return BOX_LOSSES[name](boxes, target, np.array([*size, *size], np.float64))


def _l1(boxes: Floats, truth: Floats, scale: Floats) -> Loss:
    """Sum of |d| over the four coordinates."""
    d = (boxes - truth) / scale
    return Loss(np.abs(d).sum(axis=1), np.sign(d) / scale)


def _l2(boxes: Floats, truth: Floats, scale: Floats) -> Loss:
    """Sum of d^2, the lecture's least squares."""
    d = (boxes - truth) / scale
    return Loss((d**2).sum(axis=1), 2 * d / scale)


def _smooth_l1(boxes: Floats, truth: Floats, scale: Floats) -> Loss:
    """Girshick 2015, Fast R-CNN, equation 3: d^2 / (2 beta) below beta, |d| - beta / 2 above."""
    d = (boxes - truth) / scale
    near = np.abs(d) < BETA
    value = np.where(near, d**2 / (2 * BETA), np.abs(d) - BETA / 2)
    return Loss(value.sum(axis=1), np.where(near, d / BETA, np.sign(d)) / scale)


def _iou_loss(boxes: Floats, truth: Floats, _scale: Floats) -> Loss:
    """1 - IoU; the gradient is 0 where the boxes do not overlap."""
    pair = _Pair(boxes, truth)
    return Loss(1 - pair.iou, -pair.d_iou)


def _giou_loss(boxes: Floats, truth: Floats, _scale: Floats) -> Loss:
    """1 - GIoU, GIoU = IoU - (C - U) / C with the enclosing area C (Rezatofighi et al. 2019)."""
    pair = _Pair(boxes, truth)
    hull = np.maximum(pair.sides[:, 0] * pair.sides[:, 1], _EMPTY)
    d_hull = pair.d_sides[:, 0] * pair.sides[:, 1:] + pair.d_sides[:, 1] * pair.sides[:, :1]
    value = 2 - pair.iou - pair.union / hull
    d_part = (pair.d_union * hull[:, None] - pair.union[:, None] * d_hull) / hull[:, None] ** 2
    return Loss(value, -pair.d_iou - d_part)


def _diou_loss(boxes: Floats, truth: Floats, _scale: Floats) -> Loss:
    """1 - IoU + r^2 / c^2: distance of the centers over the enclosing diagonal (Zheng et al. 2020).

    It is section 3.1 of Distance-IoU Loss.
    """
    return _Pair(boxes, truth).distance()


def _ciou_loss(boxes: Floats, truth: Floats, _scale: Floats) -> Loss:
    """DIoU + alpha v, where v compares the aspect ratios (Zheng et al. 2020, section 3.2).

    As in the paper's code, alpha counts as a constant for the gradient.
    """
    pair = _Pair(boxes, truth)
    found = pair.distance()
    width, height = _sides(boxes)
    true_width, true_height = _sides(truth)
    turn = np.arctan(true_width / np.maximum(true_height, _EMPTY)) - np.arctan(
        width / np.maximum(height, _EMPTY)
    )
    v = 4 / math.pi**2 * turn**2
    alpha = v / np.maximum(1 - pair.iou + v, _EMPTY)
    slope = 8 / math.pi**2 * turn / np.maximum(width**2 + height**2, _EMPTY)
    by_width, by_height = -slope * height, slope * width
    d_v = np.stack([-by_width, -by_height, by_width, by_height], axis=1)
    return Loss(found.value + alpha * v, found.gradient + alpha[:, None] * d_v)


BOX_LOSSES: dict[str, Callable[[Floats, Floats, Floats], Loss]] = {
    "L1": _l1,
    "L2": _l2,
    "smooth L1": _smooth_l1,
    "IoU": _iou_loss,
    "GIoU": _giou_loss,
    "DIoU": _diou_loss,
    "CIoU": _ciou_loss,
}
"""By name: (N, 4) predicted, (N, 4) true, (4,) the photo's sides."""


class _Pair:
    """What the losses of overlap share; `d_…` are derivatives by the predicted corners, (N, 4).

    `sides` and `d_sides` are those of the enclosing box: (N, 2), and (N, 2, 4).
    """

    def __init__(self, boxes: Floats, truth: Floats) -> None:
        low, high = np.maximum(boxes[:, :2], truth[:, :2]), np.minimum(boxes[:, 2:], truth[:, 2:])
        apart = (high <= low).any(axis=1, keepdims=True)
        inner = np.where(apart, 0.0, high - low)
        shared = inner[:, 0] * inner[:, 1]
        width, height = _sides(boxes)
        area = width * height
        self.union = np.maximum(
            area + np.prod(truth[:, 2:] - truth[:, :2], axis=1) - shared, _EMPTY
        )
        self.iou = shared / self.union
        other = inner[:, ::-1]
        d_shared = np.concatenate(
            [-other * (boxes[:, :2] > truth[:, :2]), other * (boxes[:, 2:] < truth[:, 2:])], axis=1
        )
        d_area = np.stack([-height, -width, height, width], axis=1)
        self.d_union = d_area - d_shared
        union, part = self.union[:, None], shared[:, None]
        self.d_iou = (d_shared * union - part * self.d_union) / union**2
        self._centers = (boxes[:, :2] + boxes[:, 2:] - truth[:, :2] - truth[:, 2:]) / 2
        first, last = boxes[:, :2] < truth[:, :2], boxes[:, 2:] > truth[:, 2:]
        self.sides = np.maximum(boxes[:, 2:], truth[:, 2:]) - np.minimum(boxes[:, :2], truth[:, :2])
        self.d_sides = np.zeros((len(boxes), 2, 4))
        for axis in (0, 1):
            self.d_sides[:, axis, axis] = -1.0 * first[:, axis]
            self.d_sides[:, axis, axis + 2] = last[:, axis]

    def distance(self) -> Loss:
        """1 - DIoU."""
        diagonal = np.maximum((self.sides**2).sum(axis=1), _EMPTY)
        away = (self._centers**2).sum(axis=1)
        d_away = np.concatenate([self._centers, self._centers], axis=1)
        d_diagonal = 2 * np.einsum("na,nak->nk", self.sides, self.d_sides)
        d_part = (d_away * diagonal[:, None] - away[:, None] * d_diagonal) / diagonal[:, None] ** 2
        return Loss(1 - self.iou + away / diagonal, d_part - self.d_iou)


def _sides(boxes: Floats) -> tuple[Floats, Floats]:
    return boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
