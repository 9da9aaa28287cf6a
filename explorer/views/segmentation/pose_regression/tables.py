"""The plots and tables: keypoints stage by stage, and how far the other network's are away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Plot, Table, class_colors
from explorer.views.shared.anchors import BLUE
from explorer.views.shared.common import color
from explorer.vision.features.person_crops import square_around

if TYPE_CHECKING:
    from explorer.core.layers import Float32
    from explorer.views.segmentation.pose_regression.panes import Result


def moved(result: Result) -> Float32:
    """(S - 1, K) by how much each later stage moves a keypoint, as a fraction of the crop."""
    steps = np.diff(result.cascade.stages, axis=0)
    lengths: Float32 = np.linalg.norm(steps, axis=2).astype(np.float32)
    return lengths


def apart(result: Result) -> dict[int, float]:
    """By keypoint: from the regression to the heat maps' answer, as a fraction of the crop."""
    if result.other is None:
        return {}
    there = {name: place for place, name in enumerate(result.other.names)}
    size = square_around(result.box)[2]
    return {
        k: float(np.linalg.norm(result.places[-1, k] - result.other.places[there[name]])) / size
        for k, name in enumerate(result.names)
        if name in there
    }


def joints_table(result: Result) -> Table:
    """Every keypoint; a row selects it."""
    steps, far = moved(result), apart(result)
    stages = tuple(f"moved in stage {number}" for number in range(2, len(steps) + 2))
    beside = ("to the heat maps",) if result.other is not None else ()
    rows = tuple(
        (
            name.replace("_", " "),
            round(float(result.places[-1, k, 0]), 1),
            round(float(result.places[-1, k, 1]), 1),
            *(f"{step:.1%}" for step in steps[:, k]),
            *((f"{far[k]:.1%}" if k in far else "–",) if beside else ()),
        )
        for k, name in enumerate(result.names)
    )
    tints = class_colors(len(result.names))
    return Table(
        "joints", ("keypoint", "x", "y", *stages, *beside), rows,
        title="Keypoints", layer="joints",
        keys=tuple(range(1, len(rows) + 1)), swatches=tuple(color(tint) for tint in tints),
    )  # fmt: skip


def stage_bars(result: Result) -> Plot | None:
    """The mean movement of every later stage; None for a single stage."""
    steps = moved(result)
    if not len(steps):
        return None
    bars = tuple(
        (f"stage {number}", float(step.mean()), BLUE) for number, step in enumerate(steps, start=2)
    )
    return Plot("moved", "Mean movement by stage (fraction of the crop)", bars=bars)


def apart_bars(result: Result) -> Plot | None:
    """The distance to the heat maps' answer, by keypoint; None without common keypoints."""
    far = apart(result)
    if not far:
        return None
    tints = class_colors(len(result.names))
    bars = tuple(
        (result.names[k].replace("_", " "), value, color(tints[k])) for k, value in far.items()
    )
    return Plot("apart", "Distance to the heat maps (fraction of the crop)", bars=bars)
