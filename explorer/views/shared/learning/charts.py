"""Pictures and curves of small trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Pane, Picture, Plot, Text
from explorer.views.shared.grids.matrix import BLUE, GREEN, ORANGE, RED
from explorer.vision.features.mosaics import picture_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, UInt8

TRAIN, VALIDATION, OTHERS = BLUE, ORANGE, (150, 150, 150)
MOST_POINTS = 800
"""Of a curve: more than a screen has columns."""
ENLARGED = 4
"""Sides of small pictures in a pane, for each of their pixels."""


def blank_pane(name: str, title: str, words: str) -> Pane:
    """Words where there is no picture yet."""
    size = (360.0, 200.0)
    text = Text(words, (180.0, 100.0), anchor=(0.5, 0.5), name="words")
    return Pane(name, size, (text,), title=title, frame=name, drawing=True)


def smoothed(y: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Running means that end at each place."""
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(y, posinf=0.0, neginf=0.0))])
    last = np.arange(1, len(y) + 1)
    first = np.maximum(last - window, 0)
    found: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return found


def training_curve(
    y: NDArray[np.float64], label: str, color: Color = TRAIN, window: int = 20
) -> Curve:
    """The mean of the last steps at every step, thinned to what is visible."""
    means = smoothed(y, window)
    rows = np.unique(np.linspace(0, max(len(y) - 1, 0), min(len(y), MOST_POINTS)).astype(np.int64))
    return Curve(rows.astype(np.float64) + 1, means[rows], label, color)


def curve_of(points: Sequence[tuple[float, float]], label: str, color: Color) -> Curve:
    """Of (x, y) pairs; what is not finite is not drawn."""
    finite = [point for point in points if np.isfinite(point[1])]
    x, y = np.array(finite, np.float64).reshape(-1, 2).T
    return Curve(x.copy(), y.copy(), label, color)


def answers_pane(
    pictures: UInt8,
    labels: NDArray[np.int64],
    given: NDArray[np.int64],
    classes: Sequence[str],
    *,
    columns: int = 5,
    title: str = "Validation",
) -> Pane:
    """Small pictures with green frames where the prediction is the true class, else red ones.

    Args:
        pictures: (N, h, w, 3) uint8.
        labels: (N,) true classes.
        given: (N,) predicted classes; written where they are wrong.
        classes: Names.
        columns: In a row.
        title: Of the pane, before the count.
    """
    gap = 7  # room for a word
    sheet, tiling = picture_sheet(list(pictures), columns=columns, gap=gap, shade=90)
    right = labels == given
    boxes = tiling.boxes()
    boxes[:, 2:] -= gap
    names = tuple("" if ok else classes[p] for ok, p in zip(right, given, strict=True))
    colors = np.where(right[:, None], np.array(GREEN), np.array(RED)).astype(np.uint8)
    size = (float(sheet.shape[1] * ENLARGED), float(sheet.shape[0] * ENLARGED))

    def words(x: float, y: float) -> str:
        found = tiling.at(x / ENLARGED, y / ENLARGED)
        if found is None:
            return ""
        return f"{classes[labels[found[0]]]}, predicted {classes[given[found[0]]]}"

    layers = (
        Picture(sheet, extent=(0.0, 0.0, *size), name="pictures"),
        Boxes(boxes * ENLARGED, colors, names, width=3.0, selectable=False, name="predictions"),
    )
    return Pane(
        "predictions", size, layers, frame="predictions", readout=words,
        title=f"{title}: {int(right.sum())} of {len(labels)} shown are correct",
    )  # fmt: skip


def kernels_pane(
    moments: Sequence[tuple[int, NDArray[np.float32]]], *, most: int = 16, rows: int = 6
) -> Pane:
    """First-layer kernels at several moments, one below the other; a column is a kernel.

    A column has one scale, so that a kernel that grows becomes richer in contrast. Gray is 0.

    Args:
        moments: Steps and (O, 3, k, k) kernels, the earliest first.
        most: Kernels.
        rows: Moments, evenly spaced, the last one always.
    """
    chosen = np.unique(np.linspace(0, len(moments) - 1, min(rows, len(moments))).round())
    shown = [moments[int(row)] for row in chosen]
    steps = [step for step, _ in shown]
    kernels = np.stack([np.nan_to_num(k[:most]) for _, k in shown])  # rows, O, 3, k, k
    scale = np.abs(kernels).max(axis=(0, 2, 3, 4), keepdims=True)
    levels = 127.5 + 127.5 * kernels / np.maximum(scale, 1e-12)
    pictures = np.clip(levels.round(), 0, 255).astype(np.uint8).transpose(0, 1, 3, 4, 2)
    side = pictures.shape[2]
    flat = list(pictures.reshape(-1, side, side, 3))
    sheet, tiling = picture_sheet(flat, columns=kernels.shape[1], gap=1, shade=90)
    scale_up = 8.0
    left = 90.0
    high, wide = sheet.shape[0] * scale_up, sheet.shape[1] * scale_up
    size = (left + wide, high)
    tall = tiling.height * scale_up
    labels = np.array(
        [(0.0, row * tall, left - 6.0, (row + 1) * tall - scale_up) for row in range(len(shown))],
        np.float32,
    )
    layers = (
        Picture(sheet, extent=(left, 0.0, *size), name="kernels"),
        Boxes(
            labels, np.full((len(shown), 3), 70, np.uint8),
            labels=tuple(f"step {step}" for step in steps), width=1.0, fill=1.0, letters=17.0,
            selectable=False, name="words",
        ),
    )  # fmt: skip
    title = "First-layer kernels as they grow"
    return Pane("kernels", size, layers, title=title, frame="kernels", drawing=True)


def accuracy_plot(curves: Sequence[Curve], title: str = "Accuracy", name: str = "accuracy") -> Plot:
    return Plot(name, title, "step", "accuracy", tuple(curves), whole_x=True)


def loss_plot(curves: Sequence[Curve], title: str = "Loss", name: str = "loss") -> Plot:
    return Plot(name, title, "step", "cross-entropy", tuple(curves), whole_x=True)
