"""The metrics on the cards, from photos with annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.networks.given import from_module
from explorer.networks.preprocess import Preprocess
from explorer.training.cards import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from explorer.core.network_info import Task


def inside(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool: what COCO's outlines of one object, x0, y0, x1, y1 …, enclose."""
    mask = np.zeros(size, np.uint8)
    for polygon in polygons:  # pixel j covers [j, j + 1) here, and its middle is j for OpenCV
        corners = np.round(np.reshape(polygon, (-1, 2)) - 0.5).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1)
    return mask.astype(np.bool_)


BY_CLASS: dict[Task, str] = {"detection": "AP50", "segmentation": "IoU"}
"""The metric that a card has for every class, where it has one."""


def photo_figures(
    model: nn.Module,
    names: Sequence[str],
    folder: Path,
    task: Task = "detection",
    preprocess: Preprocess | None = None,
) -> dict[str, Any]:
    """The metrics of `explorer evaluate` for a network on photos with annotations.

    Args:
        model: In eval mode, on the CPU.
        names: Of its classes, the background first.
        folder: Whatever `explorer evaluate` takes for the task.
        task: Its task.
        preprocess: What a photo goes through; None = nothing, as a detector does it by itself.

    Returns:
        The metrics in [0, 1] (`AP50` and so on), and one of them by class, see `BY_CLASS`.
    """
    steps = preprocess or Preprocess(batched=False)
    network = from_module(model, task=task, classes=names, preprocess=steps)
    *_, last = evaluate(network, open_source(folder, task))
    report = last.value
    found = rounded(dict(report.figures))
    if task in BY_CLASS:
        key = BY_CLASS[task]
        rows = report.by_class.items()
        found[f"{key} by class"] = {name: round(row[key], 4) for name, row in rows}
    return found
