"""What the view of receptive fields computes, and what its panes read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from explorer.core.layers import Float32, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.core.values import Point
    from explorer.networks.preprocess import Frame
    from explorer.vision.features.receptive_field import EffectiveField, Fields, LayerFields


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`effective` is of the cell at `place`, its gradient over `extent` of the photo, or None.

    `to_input` leads from the photo to the network's input; `shown` names the layers
    of the plots and the table, of which `depth` are not behind the chosen one.
    """

    photo: Picture
    layer: str
    fields: Fields
    to_input: Frame
    shown: tuple[str, ...]
    depth: int
    place: Point
    extent: tuple[float, float, float, float]
    effective: EffectiveField | None = None
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def cells(self) -> LayerFields:
        return self.fields[self.layer]

    @property
    def frame(self) -> Frame:
        """From the photo to the pixels that fields are counted in."""
        return self.to_input.then(self.fields.frame)

    @property
    def to_cells(self) -> Frame:
        return self.to_input.then(self.fields.to_cells(self.layer))

    def on_photo(self, box: Float32) -> Float32:
        """(4,) of the pixels that fields are counted in, in the photo's."""
        found: Float32 = self.frame.inverse().boxes(box[None])[0]
        return found

    def cell(self, point: Point) -> tuple[int, int] | None:
        """Row and column of the layer's cell at a place of the photo."""
        height, width = self.cells.xyxy.shape[:2]
        if not self.cells.spatial:
            return 0, 0
        across, down = self.to_cells.point(point.x, point.y)
        row, column = int(np.floor(down)), int(np.floor(across))
        return (row, column) if 0 <= row < height and 0 <= column < width else None


def steps_of(info: NetworkInfo, found: Fields) -> tuple[str, ...]:
    """The layers with maps where fields or cells are others than in the layer before.

    Batch norms and activation functions repeat them; a layer that only pads adds cells of nothing.
    """
    shown: list[str] = []
    size, shape = (0.0, 0.0), (0, 0)
    for entry in info.layers:
        cells = found.layers.get(entry.name)
        if not entry.leaf or cells is None or not cells.spatial:
            continue
        now = cells.xyxy.shape[:2]
        pads = cells.size == size and not (cells.xyxy[..., 2] > cells.xyxy[..., 0]).all()
        if (cells.size, now) != (size, shape) and not pads:
            shown.append(entry.name)
            size, shape = cells.size, (now[0], now[1])
    return tuple(shown)
