"""What the arrays of a layer have to be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Extent = tuple[float, float, float, float]
"""x0, y0, x1, y1 in the pane's frame: the rectangle that an array is stretched over."""


def expect(ok: bool, what: str, array: NDArray[Any]) -> None:
    if not ok:
        raise ValueError(f"{what}, got shape {array.shape} and dtype {array.dtype}")
