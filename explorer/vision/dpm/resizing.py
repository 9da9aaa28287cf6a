"""A photo made smaller by the mean over areas, to the last digit as OpenCV 2.4 did.

In an even area all pixels are equal up to rounding, and the last digit decides the orientation of
their gradients: the HOG cells of such an area, and with them the scores, depend on the order of the
additions. Filters that were trained for OpenCV's latent SVM detector expect the one of its time,
which later versions have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

FAINT = 1e-3
"""A pixel that an area covers by less than this does not count."""


@dataclass(frozen=True, slots=True)
class Taps:
    """The weighted pixels whose sum is one of `n` results, in the order in which they are added.

    Attributes:
        places: (n, K) of the pixels.
        weights: (n, K) float32; 0 = none.
    """

    places: NDArray[np.intp]
    weights: Float32

    def applied(self, rows: Float32) -> Float32:
        """(n, …) float32: the weighted sums of `rows`, added one after the other."""
        total = np.zeros((len(self.places), *rows.shape[1:]), np.float32)
        shape = (-1,) + (1,) * (rows.ndim - 1)
        for place, weight in zip(self.places.T, self.weights.T, strict=True):
            total += rows[place] * weight.reshape(shape)
        return total


def resized(photo: Float32, factor: float) -> Float32:
    """The photo smaller by `factor`, each pixel the mean over its area.

    Args:
        photo: (h, w, 3) float32.
        factor: At most 1; sides are rounded to whole pixels.
    """
    height, width = photo.shape[:2]
    size = int(height * factor + 0.5), int(width * factor + 0.5)
    if size == (height, width):
        return photo
    # The whole weight of an area is in the columns; rows are added as they are.
    weight = (size[0] / height) * (size[1] / width)
    narrow = across(width, size[1], weight).applied(np.swapaxes(photo, 0, 1))
    found = down(height, size[0]).applied(np.swapaxes(narrow, 0, 1))
    return np.ascontiguousarray(found)


def across(before: int, after: int, weight: float) -> Taps:
    """The columns of each area, where a whole one counts `weight`."""
    scale = 1.0 / (after / before)
    start = np.arange(after) * scale
    end = start + scale
    first = np.minimum(np.ceil(start), before - 1)
    last = np.minimum(np.floor(end), before - 1)
    whole = first[:, None] + np.arange(int((last - first).max()))
    places = np.column_stack([np.maximum(first - 1, 0), np.minimum(whole, before - 1), last])
    weights = np.column_stack(
        [
            np.maximum(first - start, 0) * weight,
            np.where(whole < last[:, None], weight, 0.0),
            np.where(end - last > FAINT, (end - last) * weight, 0.0),
        ]
    )
    return Taps(places.astype(np.intp), weights.astype(np.float32))


def down(before: int, after: int) -> Taps:
    """The rows of each area: what the one before left of its last row, whole rows, the last row."""
    ends = np.arange(1, after + 1, dtype=np.float32) * (np.float32(before) / np.float32(after))
    last = np.minimum(np.ceil(ends).astype(np.intp), before) - 1
    rest = np.maximum(last.astype(np.float32) + 1 - ends, np.float32(0))
    rest[rest < FAINT] = 0
    earlier = np.concatenate([[-1], last[:-1]])
    carried = np.concatenate([[np.float32(0)], rest[:-1]])
    whole = earlier[:, None] + 1 + np.arange(int((last - earlier).max()) - 1)
    places = np.column_stack([np.maximum(earlier, 0), np.minimum(whole, before - 1), last])
    weights = np.column_stack([carried, whole < last[:, None], np.float32(1) - rest])
    return Taps(places.astype(np.intp), weights.astype(np.float32))
