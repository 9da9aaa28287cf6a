"""A cascade of pose regressors: the keypoints after each stage, and what each looked at.

Toshev & Szegedy 2014, "DeepPose", section 3.2. A pose network takes (1, C, H, W) crops of one
person and outputs a dict of `joints` (1, K, 2), `stages` (S, 1, K, 2) of which the last one is
`joints`, for the later stages `parts` (S - 1, 1, K, 4), and where these end in heat maps `heat`
(S - 1, 1, K, h, w). All coordinates are fractions of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """S stages of K keypoints of one person, as fractions of the crop's sides, y down.

    Attributes:
        stages: (S, K, 2) float32, the last one is the output.
        parts: (S - 1, K, 4) float32 x0, y0, x1, y1 of the part that each later stage looks at.
        heat: (S - 1, K, h, w) float32 probabilities of the places of a part; None for stages that
            regress coordinates.
    """

    stages: Float32
    parts: Float32
    heat: Float32 | None

    @property
    def joints(self) -> Float32:
        """(K, 2), the output."""
        last: Float32 = self.stages[-1]
        return last


def cascade_of(output: Any) -> Cascade:
    """The output of a pose network for one crop.

    Raises:
        ExplorerError: It is no such output.
    """
    if not isinstance(output, dict) or "joints" not in output:
        raise ExplorerError("This network does not output joints.", "Choose a pose network.")
    joints = _plain(output["joints"])
    stages = _plain(output["stages"])[:, 0] if "stages" in output else joints
    if joints.ndim != 3 or joints.shape[2] != 2 or stages.shape[1:] != joints.shape[1:]:
        raise ExplorerError(
            f"This network's joints have the shape {joints.shape}, not (1, joints, 2).",
            "Choose a pose network.",
        )
    parts = _plain(output["parts"])[:, 0] if len(stages) > 1 else None
    heat = output.get("heat")
    return Cascade(
        stages,
        np.zeros((0, joints.shape[1], 4), np.float32) if parts is None else parts,
        None if heat is None or not heat.numel() else _plain(heat)[:, 0],
    )


def _plain(values: Any) -> Float32:
    array: Float32 = values.detach().float().cpu().numpy()
    return array
