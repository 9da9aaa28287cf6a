"""An attribution: a number for every pixel of the input or every cell of a feature map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from explorer.networks.preprocess import SAME_FRAME, Frame

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.vision.attribution.targets import Reading


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """A map, complete or on its way.

    Attributes:
        values: (h, w) float32; NaN = not known yet.
        frame: From the pixels of the input to the cells of `values`.
        done: Passes so far.
        total: Passes in all.
        score: Of the target at the input itself; None = not known.
        confidence: As `score`.
        label: The class that the target is about, or None.
        gap: What the sum of a complete map lacks to the difference of the scores; None where no
            such theorem holds.
        note: What has to be known to read it.
    """

    values: Tensor
    frame: Frame = SAME_FRAME
    done: int = 1
    total: int = 1
    score: float | None = None
    confidence: float | None = None
    label: int | None = None
    gap: float | None = None
    note: str = ""

    @classmethod
    def of(
        cls,
        values: Tensor,
        read: Reading,
        frame: Frame = SAME_FRAME,
        *,
        done: int = 1,
        total: int = 1,
        gap: float | None = None,
        note: str = "",
    ) -> Attribution:
        """Of the first input of a reading; the rest as in the class."""
        return cls(
            values.detach(), frame, done, total, float(read.score[0].detach()),
            float(read.confidence[0]), None if read.label is None else int(read.label[0]), gap,
            note,
        )  # fmt: skip


def at_pixels(attribution: Attribution, size: tuple[int, int]) -> Tensor:
    """The map at every pixel of an input of (H, W) `size`, (H, W) float32: bilinear, not known = 0.

    Pixels beyond the middle of the outermost cells have those cells' values.
    """
    values = attribution.values.nan_to_num(0.0)
    if tuple(values.shape) == size and attribution.frame == SAME_FRAME:
        return values
    height, width = size
    frame = attribution.frame
    x = (torch.arange(width, device=values.device) + 0.5) * frame.sx + frame.tx
    y = (torch.arange(height, device=values.device) + 0.5) * frame.sy + frame.ty
    rows, columns = values.shape
    across, down = (2 * x / columns - 1).expand(height, -1), 2 * y / rows - 1
    grid = torch.stack([across, down[:, None].expand(-1, width)], dim=-1)
    found: Tensor = F.grid_sample(
        values[None, None], grid[None].float(), mode="bilinear", padding_mode="border",
        align_corners=False,
    )[0, 0]  # fmt: skip
    return found
