"""Perturbations in numbers and as pictures, and what is left of them in a file of 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    UInt8 = NDArray[np.uint8]
    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a perturbation is, for values in [0, 1]: `linf`, `l2`, and the mean of |r|."""

    linf: float
    l2: float
    mean: float


def sizes(change: Tensor) -> Sizes:
    """Of (1, C, H, W)."""
    wide = change.double()
    return Sizes(float(wide.abs().max()), float(wide.norm()), float(wide.abs().mean()))


def rounded(picture: Tensor) -> Tensor:
    """(1, C, H, W) in [0, 1] at the nearest of the 256 levels of a PNG, in [0, 1] again."""
    return picture.mul(255.0).round_().clamp_(0.0, 255.0).div_(255.0)


def levels(picture: Tensor) -> UInt8:
    """(1, C, H, W) in [0, 1] -> (H, W, 3) uint8, as a PNG keeps it; gray becomes three channels."""
    values = rounded(picture.detach())[0].mul(255.0).round_().to(torch.uint8)
    rgb = values.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()
    return np.ascontiguousarray(rgb)


def amplified(change: Float32, gain: float) -> UInt8:
    """A perturbation as a picture: middle gray is no change, ``128 + 255 gain r`` otherwise.

    Args:
        change: (H, W, C), for values in [0, 1], with C = 3 or 1.
        gain: Factor.

    Returns:
        (H, W, 3) uint8; what is beyond black or white is clipped.
    """
    shown = np.clip(128.0 + 255.0 * gain * change, 0.0, 255.0).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(shown, (*shown.shape[:2], 3)))
