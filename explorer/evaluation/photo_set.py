"""Many equally large photos in one array, each with a class and a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSet:
    """A labeled set of equally large photos.

    Attributes:
        pixels: (N, H, W, 3) uint8 RGB, possibly mapped from a file.
        labels: (N,) int64 from 0 on.
        boxes: (N, 4) float32 xyxy in pixel edges (pixel j covers [j, j + 1)), y down.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.labels)
        if self.pixels.ndim != 4 or self.pixels.shape[0] != count or self.pixels.shape[3] != 3:
            raise ValueError(f"pixels must be ({count}, H, W, 3), not {self.pixels.shape}")
        if self.boxes.shape != (count, 4):
            raise ValueError(f"boxes must be ({count}, 4), not {self.boxes.shape}")

    def __len__(self) -> int:
        return len(self.labels)
