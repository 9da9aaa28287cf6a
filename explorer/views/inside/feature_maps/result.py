"""What the view has computed: the maps of a layer and what is known of its channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.listing import quantity
from explorer.views.inside.feature_maps.params import (
    MAX,
    MEAN,
    SIMILARITY,
    VARIANCE,
    WEIGHT,
)
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.channels.order import map_similarity
from explorer.vision.features.kernels import MOST_COMPARED
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture
    from explorer.networks.preprocess import Frame
    from explorer.views.shared.before_after.outputs import Prediction
    from explorer.vision.channels.colors import Colored
    from explorer.vision.features.activations import Activation
    from explorer.vision.features.mosaics import Statistics
    from explorer.vision.features.receptive_field import LayerFields

CACHED = 24
"""Drawings of one layer that are kept."""

Cell = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """One layer's maps for one photo; `saturated` (C,) bool. `cache` keeps what is drawn of it."""

    layer: str
    answer: Activation
    statistics: Statistics
    saturated: NDArray[np.bool_]
    cache: DrawCache = field(default_factory=lambda: DrawCache(CACHED))

    @property
    def values(self) -> Float32:
        """(C, h, w)."""
        return self.answer.values

    @property
    def tiling(self) -> Tiling:
        return Tiling.of(*self.values.shape)

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def most_telling(self) -> int:
        """Shown before one is chosen: the channel that varies most, or the largest number."""
        numbers = self.statistics
        return int((numbers.deviation if numbers.deviation.any() else numbers.high).argmax())

    def cell(self, x: float, y: float) -> Cell | None:
        """The cell at a place of the photo, in its pixels."""
        return cell_of(self.answer, x, y)

    @property
    def title(self) -> str:
        """The layer and the size of its output, in words."""
        count, height, width = self.values.shape
        if height * width == 1:
            return f"{self.layer}: {quantity(count, 'value')}"
        return f"{self.layer}: {quantity(count, 'channel')} of {width} x {height}"


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a class makes of the channels in the last layer; `values` is (C,)."""

    name: str
    values: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What the maps are compared with: `words` say of what the `answer` is.

    `cache` keeps what is drawn of both.
    """

    photo: Picture
    answer: Activation
    words: str
    cache: DrawCache = field(default_factory=DrawCache)


@dataclass(frozen=True, slots=True, eq=False)
class Knocked:
    """The prediction with the network as it is, and with the `channel` set to `value`."""

    channel: int
    value: float
    before: Prediction
    after: Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The receptive fields of the layer's cells; `frame` leads from the photo to their pixels."""

    cells: LayerFields
    frame: Frame

    def on_photo(self, cell: Cell) -> Float32 | None:
        """(1, 4) float32 xyxy in the photo's pixels; None where the layer has no such cell."""
        rows, columns = self.cells.xyxy.shape[:2]
        if not (cell[0] < rows and cell[1] < columns):
            return None
        return self.frame.inverse().boxes(self.cells.xyxy[cell][None])


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The maps over their photo, and what was asked for beside them; None: it was not, or cannot.

    `notes` say why something that was asked for is not there.
    """

    photo: Picture
    maps: Maps
    colored: Colored | None = None
    weights: Weights | None = None
    beside: Beside | None = None
    knocked: Knocked | None = None
    fields: Fields | None = None
    notes: tuple[str, ...] = ()

    @property
    def answer(self) -> Activation:
        return self.maps.answer

    @property
    def statistics(self) -> Statistics:
        return self.maps.statistics

    def channel(self, wanted: int | None) -> int:
        """The channel that is shown."""
        return self.maps.most_telling if wanted is None else min(wanted, self.maps.count - 1)

    def order(self, by: str) -> NDArray[np.intp]:
        """The channels as their tiles stand."""
        name = self.weights.name if by == WEIGHT and self.weights is not None else ""
        return self.maps.cache.get(("order", by, name), lambda: self._order(by))

    def _order(self, by: str) -> NDArray[np.intp]:
        numbers = self.statistics
        match by:
            case "mean" | "max" | "variance":
                key = {MEAN: numbers.mean, MAX: numbers.high, VARIANCE: numbers.deviation}[by]
            case "similarity" if self.maps.count <= MOST_COMPARED:
                return map_similarity(self.maps.values)
            case "class weight" if self.weights is not None:
                key = self.weights.values
            case _:
                return np.arange(self.maps.count)
        return np.argsort(-key, kind="stable")

    def refused(self, by: str) -> str:
        """Why the channels are not in that order; empty when they are."""
        if by == WEIGHT and self.weights is None:
            return (
                "The last layer has no weights for the channels of this layer: choose the one "
                "before the global pooling of a classifier to sort by class weight."
            )
        if by == SIMILARITY and self.maps.count > MOST_COMPARED:
            return f"{self.maps.count:,} channels are too many to order by similarity."
        return ""


def cell_of(answer: Activation, x: float, y: float) -> Cell | None:
    """The cell of a layer's maps at a place of the photo, in its pixels."""
    if answer.frame is None:
        return None
    column, row = answer.frame.point(x, y)
    height, width = answer.values.shape[1:]
    return (int(row), int(column)) if 0 <= row < height and 0 <= column < width else None
