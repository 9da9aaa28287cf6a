"""One instance of Mask R-CNN opened: every stage of its mask as numpy, in the photo's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.engine.stages import mask_branch_of
from explorer.networks.preprocess import Frame
from explorer.vision.detection.roi import roi_align
from explorer.vision.trace.mask_branch import HEAD, POOL, PREDICTOR, branch_layers, pasted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Extent, Float32
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.trace.mask_branch import MaskBranch

OWN_CLASS, OWN_LEVEL = "its own class", "its own map"
LOGITS = "logits of all classes"
SLIM = 0.8
"""Of the longer side, which is what a window around a slim box shows at least."""
LEVELS = 4
"""Feature maps that a box can be drawn on."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """How the mask of one instance was computed.

    Attributes:
        row: The detection, from 0.
        of: The class whose mask is shown; `agnostic` where all classes have the same one.
        box: (4,) float32 xyxy, pixels of the photo: RoIAlign cuts it, the mask is pasted into it.
        stages: By words of `stage_names`: (C, h, w) float32.
        pasted: (H, W) float32 in [0, 1] over the network's input, the mask of class `of`.
        input: From the photo's pixels to those of the network's input.
        level: The map that is shown, `own_level` the one that the network cuts from; of `levels`.
        map: (C, rows, columns) float32, the values of map `level`.
        cells: From the photo's pixels to the cells of `map`.
        bins: (B, 4) float32 xyxy of RoIAlign's bins on that map, pixels of the photo.
        samples: (S, 2) float32 x, y where the map is interpolated, pixels of the photo.
        grid: Rows and columns of the bins.
    """

    row: int
    of: int
    agnostic: bool
    box: Float32
    stages: Mapping[str, Float32]
    pasted: Float32
    input: Frame
    level: int
    own_level: int
    levels: tuple[str, ...]
    map: Float32
    cells: Frame
    bins: Float32
    samples: Float32
    grid: tuple[int, int]

    @property
    def logits(self) -> Float32:
        """(h, w) of the class that is shown."""
        found: Float32 = self.stages[LOGITS][self.of]
        return found

    @property
    def probabilities(self) -> Float32:
        """(h, w) sigmoid of `logits`."""
        return (1 / (1 + np.exp(-self.logits))).astype(np.float32)


def stage_names(info: NetworkInfo) -> tuple[str, ...]:
    """The stages of the mask branch in words, in the order they run; empty without a branch."""
    return tuple(_worded(layer) for layer in branch_layers(info.layer_names()))


def _worded(layer: str) -> str:
    part, _, last = layer.rpartition(".")
    if layer == POOL:
        return "RoIAlign"
    if part == HEAD:
        return f"convolution {int(last) + 1}" if last.isdecimal() else last
    if layer == PREDICTOR:
        return LOGITS
    return {"conv5_mask": "transposed convolution", "relu": "ReLU"}.get(last, last)


def opened(scene: Scene, row: int, of: str, level: int | None) -> Opened:
    """Instance `row` of the scene.

    Args:
        scene: Of a detector with a mask branch.
        row: A detection, from 0.
        of: The class of the mask, or `OWN_CLASS`.
        level: The map that its grid is drawn on; None = the one that it is cut from.
    """
    branch, info = mask_branch_of(scene), scene.network.info
    label = int(branch.labels[row])
    shown = info.classes.index(of) if of in info.classes else label
    maps = branch.maps
    cut = _array(branch.boxes[row])
    own = maps.level(cut)[0]
    number = own if level is None else min(level, len(maps.values) - 1)
    scale = maps.scales[number]
    cells = maps.frame.then(Frame(*scale))
    assert maps.size is not None
    grid = roi_align(
        maps.values[number][:1], maps.cells(cut, number), maps.size, sampling=maps.sampling,
        aligned=maps.aligned,
    )  # fmt: skip
    back = cells.inverse()
    x, y = back.boxes(np.tile(grid.samples, 2)).T[:2] if len(grid.samples) else np.zeros((2, 0))
    return Opened(
        row, shown, branch.class_agnostic, maps.frame.inverse().boxes(cut[None])[0],
        {_worded(name): _array(values[row]) for name, values in branch.stages.items()},
        _pasted(scene, branch, row, shown, own=shown == label), scene.frame,
        number, own, maps.names, maps.values[number], cells,
        back.boxes(grid.bins), np.stack([x, y], axis=1).astype(np.float32), maps.size,
    )  # fmt: skip


def _pasted(scene: Scene, branch: MaskBranch, row: int, of: int, *, own: bool) -> Float32:
    """The network's own mask, or that of another class pasted as the network would."""
    if own:
        return _array(scene.output()[0]["masks"][row, 0])
    small = branch.logits[row, of].sigmoid()[None]
    height, width = scene.input().shape[-2:]
    return _array(pasted(small, branch.placed[row : row + 1], (height, width))[0])


def _array(values: Tensor) -> Float32:
    array: Float32 = values.detach().to(torch.float32).cpu().numpy()
    return array


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a grid over the photo: whole cells, and where they lie.

    Attributes:
        rows: Of the grid.
        columns: Of the grid.
        extent: x0, y0, x1, y1 in the photo's pixels.
    """

    rows: slice
    columns: slice
    extent: Extent

    @classmethod
    def around(
        cls, box: Float32, frame: Frame, grid: tuple[int, ...], *, margin: float = 0.12
    ) -> Window:
        """The cells within `margin` sides around `box`.

        Args:
            box: (4,) xyxy, pixels of the photo.
            frame: From the photo's pixels to cells.
            grid: Rows and columns of the whole grid.
            margin: In sides of the box, at least one cell; a slim box gets more beside it.
        """
        x0, y0, x1, y1 = (float(side) for side in frame.boxes(box[None])[0])
        longer = max(x1 - x0, y1 - y0)
        across, down = (
            max(1.0, margin * longer, (SLIM * longer - side) / 2) for side in (x1 - x0, y1 - y0)
        )
        columns = _span(x0 - across, x1 + across, grid[1])
        rows = _span(y0 - down, y1 + down, grid[0])
        back = frame.inverse()
        corner = back.point(columns.start, rows.start)
        return cls(rows, columns, (*corner, *back.point(columns.stop, rows.stop)))

    def of(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The part of (…, rows, columns) values."""
        return values[..., self.rows, self.columns]

    @property
    def origin(self) -> tuple[float, float]:
        return self.extent[:2]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in the photo's pixels."""
        x0, y0, x1, y1 = self.extent
        return x1 - x0, y1 - y0

    def moved(self, extent: Extent) -> Extent:
        """A rectangle of the photo in the frame that begins at this window's corner."""
        x, y = self.origin
        return (extent[0] - x, extent[1] - y, extent[2] - x, extent[3] - y)


def _span(low: float, high: float, count: int) -> slice:
    """Whole cells from `low` to `high`, at least one, all of them among `count`."""
    first = min(max(int(np.floor(low)), 0), count - 1)
    return slice(first, max(first + 1, min(int(np.ceil(high)), count)))
