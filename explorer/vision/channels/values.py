"""How the values of each channel of a layer are distributed: histograms, and what is saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

NEAR = 0.01
"""A value is at a limit when it is this near to it, in parts of the distance to 0."""
SATURATED = 0.5
"""A channel with more than this part of its cells at a limit is saturated."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that the output of a layer cannot pass; None = there is no such limit."""

    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, module: nn.Module) -> Limits:
        """Of an activation function, or of a sequence of layers that ends with one.

        A limit of 0 does not count: there a channel is dead, which is another thing.
        """
        match module:
            case nn.Sequential() if len(module):
                return cls.of(module[-1])
            case nn.ReLU6():
                return cls(high=6.0)
            case nn.Hardtanh(min_val=low, max_val=high):
                return cls(float(low) or None, float(high) or None)
            case nn.Sigmoid() | nn.Hardsigmoid():
                return cls(high=1.0)
            case nn.Tanh():
                return cls(-1.0, 1.0)
        return cls()

    def saturated(self, maps: Float32) -> NDArray[np.bool_]:
        """(C,) of (C, h, w) maps: more than `SATURATED` of the cells are at a limit."""
        at = np.zeros(maps.shape, np.bool_)
        if self.low is not None:
            at |= maps <= self.low * (1 - NEAR)
        if self.high is not None:
            at |= maps >= self.high * (1 - NEAR)
        shares = at.reshape(len(maps), -1).mean(axis=1)
        return np.asarray(shares > SATURATED, np.bool_)


def histograms(maps: Float32, low: Float32, high: Float32, bins: int) -> NDArray[np.int64]:
    """How many values of each channel lie in each of `bins` equal parts of its range.

    Args:
        maps: (C, h, w).
        low: (C,), the lower end of each channel's range.
        high: (C,), the upper end; a value there is in the last bin. Where it is not above `low`,
            all values are in the first one.
        bins: How many.

    Returns:
        (C, bins). Values that are not finite, or outside of the range, are not counted.
    """
    count = len(maps)
    flat = maps.reshape(count, -1)
    span = np.where(high > low, high - low, 1.0).astype(np.float64)[:, None]
    with np.errstate(invalid="ignore"):
        share = (flat - low[:, None]) / span
        inside = (share >= 0) & (share <= 1)
    place = np.where(inside, np.nan_to_num(share) * bins, 0).astype(np.int64).clip(0, bins - 1)
    place += np.arange(count)[:, None] * bins
    counts = np.bincount(place[inside], minlength=count * bins)
    return counts.reshape(count, bins).astype(np.int64)
