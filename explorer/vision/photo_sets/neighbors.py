"""The nearest of many feature vectors, by the cosine of their angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 8192


class Neighbors:
    """Feature vectors that are searched.

    All vectors are compared, none is skipped, so the result is exact up to float32 rounding.

    Args:
        features: (N, C) of any floating type; zero vectors have a cosine of 0 to everything.
        device: Where they are kept, (N, C) float32.
    """

    def __init__(
        self, features: NDArray[np.floating[Any]], device: torch.device | str = "cpu"
    ) -> None:
        count, channels = features.shape
        self._units = torch.empty((count, channels), dtype=torch.float32, device=device)
        for begin in range(0, count, _BLOCK):
            block = torch.from_numpy(np.ascontiguousarray(features[begin : begin + _BLOCK]))
            self._units[begin : begin + len(block)] = _unit(block.to(device).float())

    def __len__(self) -> int:
        return len(self._units)

    @torch.no_grad()
    def cosines(self, vector: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(N,) from -1 to 1, of one vector (C,) with all."""
        found: NDArray[np.float32] = (self._units @ self._query(vector)).cpu().numpy()
        return found

    @torch.no_grad()
    def nearest(
        self, vector: NDArray[np.floating[Any]], count: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Rows of the `count` vectors with the largest cosine, the largest first, and cosines."""
        cosines = self._units @ self._query(vector)
        values, rows = torch.topk(cosines, min(count, len(cosines)))
        return rows.cpu().numpy().astype(np.intp), values.cpu().numpy()

    def _query(self, vector: NDArray[np.floating[Any]]) -> torch.Tensor:
        query = torch.from_numpy(np.asarray(vector, np.float32))[None].to(self._units.device)
        return _unit(query)[0]


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    lengths = vectors.norm(dim=1, keepdim=True)
    return vectors / torch.where(lengths > 0, lengths, torch.ones_like(lengths))
