"""The windows of a classifier on a resized photo: where they are, and their scores crop by crop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Frame
from explorer.vision.dense.convolutional import convolutionalized
from explorer.vision.dense.grids import CellGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Float32
    from explorer.networks.network import Network
    from explorer.networks.preprocess import Preprocess
    from explorer.vision.dense.convolutional import FullyConvolutional


@dataclass(frozen=True, slots=True)
class Windows:
    """Square windows in rows and columns on a resized photo.

    Attributes:
        to_resized: From the photo's pixels to the resized one's.
        side: Of a window, in pixels of the resized photo.
        step: Pixels between neighboring windows, likewise.
        rows: Of windows; the first begins at the upper edge.
        columns: See `rows`.
    """

    to_resized: Frame
    side: int
    step: int
    rows: int
    columns: int

    @property
    def count(self) -> int:
        return self.rows * self.columns

    @property
    def cells(self) -> CellGrid:
        """A cell for every window, in the middle of it."""
        step, rim = 1 / self.step, (self.side - self.step) / 2
        frame = self.to_resized.then(Frame(step, step, -rim * step, -rim * step))
        return CellGrid(frame, self.rows, self.columns)

    def nearest(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the window whose middle is nearest to a place of the photo."""
        across, down = self.cells.frame.point(x, y)
        row, column = int(np.floor(down)), int(np.floor(across))
        return min(max(row, 0), self.rows - 1), min(max(column, 0), self.columns - 1)

    def box(self, row: int, column: int) -> Float32:
        """(1, 4) xyxy of a window, in the photo's pixels."""
        return self.boxes(np.array([[row, column]], np.intp))

    def boxes(self, cells: NDArray[np.intp]) -> Float32:
        """(N, 4) xyxy in the photo's pixels of the windows of (N, 2) rows and columns."""
        corner = cells[:, ::-1].astype(np.float32) * np.float32(self.step)
        xyxy = np.concatenate([corner, corner + np.float32(self.side)], axis=1)
        return self.to_resized.inverse().boxes(xyxy)


def window_side(steps: Preprocess, values: Tensor) -> int:
    """Side of the pictures that a network classifies; `values` is its input."""
    return steps.crop or int(min(values.shape[-2:]))


def convolutional_form(network: Network, values: Tensor) -> FullyConvolutional:
    """The network's fully convolutional form, computed once and proved on a window of `values`.

    Raises:
        ExplorerError: The network has none.
    """
    side = window_side(network.preprocess, values)
    window = values[..., :side, :side]
    return network.memo(
        ("fully convolutional", side), lambda: convolutionalized(network.module, window)
    )


@torch.no_grad()
def resized(
    network: Network, pixels: NDArray[np.uint8], short: int, rim: int = 0
) -> tuple[Tensor, Frame]:
    """The whole photo with a short side of `short` pixels, as the network takes it.

    Returns:
        (1, C, H, W), with `rim` zeros around it, which are the mean color; and the map from the
        photo's pixels to its.
    """
    steps = replace(network.preprocess, resize=short, crop=None, longest=0)
    values = functional.pad(steps(pixels), (rim, rim, rim, rim))
    frame = steps.frame(*pixels.shape[:2]).then(Frame(tx=rim, ty=rim))
    return values.to(network.device, network.dtype), frame


def cut_out(values: Tensor, side: int, step: int, cells: Sequence[tuple[int, int]]) -> Tensor:
    """(n, C, side, side): the windows of some cells, by row and column, cut out of (1, C, H, W)."""
    found = [
        values[0, :, row * step : row * step + side, column * step : column * step + side]
        for row, column in cells
    ]
    return torch.stack(found)


def finite(values: Tensor) -> Float32:
    """Scores as an array.

    Raises:
        ExplorerError: One of them is not a finite number.
    """
    found: Float32 = values.float().cpu().numpy()
    if not np.isfinite(found).all():
        raise ExplorerError(
            "The network's scores are not finite (NaN or infinity).",
            "Its weights are damaged, or half precision overflows: use float32 or other weights.",
        )
    return found


def class_probabilities(scores: Float32) -> Float32:
    """The softmax over the classes of (C, ...) logits; NaN stays."""
    powers = np.exp(scores - scores.max(axis=0))
    shares: Float32 = (powers / powers.sum(axis=0)).astype(np.float32)
    return shares
