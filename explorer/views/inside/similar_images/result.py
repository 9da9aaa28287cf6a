"""What was found: the nearest photos, and all of them on a plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """The photos on the map: `rows` (M,) of the index, `xy` (M, 2) on the pane, `query` too.

    `labels` (N,) are the clusters of all photos of the index.
    """

    rows: NDArray[np.intp]
    xy: Float32
    query: tuple[float, float]
    labels: NDArray[np.intp]
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """N photos of an index, compared with the open one.

    `nearest` (K,) are rows, the nearest first, `distances` (K,) float32 their cosine distances;
    `same` is the open photo's own row, if it has one, `feature` (C,) float32 what it is compared
    by. `thumbnails` are by row. `total` counts all photos of the folder, `failed` those that
    cannot be read.
    """

    photo: Picture
    small: UInt8
    layer: str
    source: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    nearest: NDArray[np.intp]
    distances: Float32
    same: tuple[int, ...]
    feature: Float32
    plane: Plane | None
    thumbnails: Mapping[int, UInt8]
    total: int
    failed: int
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)
