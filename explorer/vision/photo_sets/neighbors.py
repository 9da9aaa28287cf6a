"""The nearest of many feature vectors, by the cosine of their angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY = 20_000
"""From so many vectors on the search is done in two rounds."""

DIRECTIONS = 96
_BLOCK, _SAMPLE = 8192, 4096
_SLACK = 1e-4
"""For rounding, in cosines."""


class Neighbors:
    """Feature vectors that are searched; the result is exact, no vector is overlooked.

    With many vectors the time goes into reading them. A first round then reads their coefficients
    in the `DIRECTIONS` of most of their energy only. With unit vectors u and v, their parts inside
    these directions u', v' and the lengths of what is left r, s,

        u v <= u' v' + r s

    (Cauchy and Schwarz), so whoever stays below the last of the nearest so far is none of them; the
    second round reads the others. Where that are too many, all are read.

    Args:
        features: (N, C) of any floating type; zero vectors have a cosine of 0 to everything.
        device: Where they are kept.
        many: See `MANY`.
    """

    def __init__(
        self,
        features: NDArray[np.floating[Any]],
        device: torch.device | str = "cpu",
        *,
        many: int = MANY,
    ) -> None:
        count, channels = features.shape
        half = count >= many and features.dtype == np.float16
        dtype = torch.float16 if half else torch.float32
        self._vectors = torch.empty((count, channels), dtype=dtype, device=device)
        self._scale = torch.empty(count, device=device)
        for rows in self._blocks():
            block = torch.from_numpy(np.ascontiguousarray(features[rows])).to(device)
            lengths = block.float().norm(dim=1)
            self._scale[rows] = torch.where(lengths > 0, 1 / lengths, 0.0)
            self._vectors[rows] = block.to(dtype)
        self._axes = self._main_directions() if count >= many else None
        if self._axes is not None:
            self._inside = torch.empty((count, self._axes.shape[1]), device=device)
            for rows in self._blocks():
                self._inside[rows] = self._units(rows) @ self._axes
            rest = (self._scale > 0).float() - self._inside.square().sum(1)
            self._outside = rest.clamp(min=0).sqrt()

    def __len__(self) -> int:
        return len(self._vectors)

    @torch.no_grad()
    def nearest(
        self, vector: NDArray[np.floating[Any]], count: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Rows of the `count` vectors with the largest cosine, the largest first, and cosines."""
        query = torch.from_numpy(np.asarray(vector, np.float32)).to(self._vectors.device)
        length = query.norm()
        query = query / length if length > 0 else query
        count = min(count, len(self))
        rows = self._promising(query, count) if count else None
        cosines = self._cosines(query, rows)
        values, places = torch.topk(cosines, count)
        found = places if rows is None else rows[places]
        return found.cpu().numpy().astype(np.intp), values.cpu().numpy()

    def _promising(self, query: Tensor, count: int) -> Tensor | None:
        """Rows among which the nearest are; None = all."""
        if self._axes is None:
            return None
        inside = query @ self._axes
        outside = (query.square().sum() - inside.square().sum()).clamp(min=0).sqrt()
        highest = torch.addcmul(self._inside @ inside, self._outside, outside)
        first = torch.topk(highest, min(4 * count + 64, len(highest))).indices
        least = torch.topk(self._cosines(query, first), count).values[-1]
        rows = torch.nonzero(highest >= least - _SLACK).flatten()
        return None if len(rows) > len(self) // 4 else rows

    def _cosines(self, query: Tensor, rows: Tensor | None) -> Tensor:
        if rows is not None:
            cosines: Tensor = (self._vectors[rows].float() @ query) * self._scale[rows]
            return cosines
        parts = [self._vectors[block].float() @ query for block in self._blocks()]
        return torch.cat(parts) * self._scale if parts else torch.empty(0)

    def _blocks(self) -> list[slice]:
        return [slice(at, at + _BLOCK) for at in range(0, len(self._vectors), _BLOCK)]

    def _units(self, rows: slice | Tensor) -> Tensor:
        units: Tensor = self._vectors[rows].float() * self._scale[rows, None]
        return units

    def _main_directions(self) -> Tensor:
        """(C, K) orthonormal, of the most energy in a sample evenly over the vectors."""
        step = max(1, len(self) // _SAMPLE)
        sample = self._units(torch.arange(0, len(self), step, device=self._vectors.device))
        _, directions = torch.linalg.eigh((sample.T @ sample).double())
        main: Tensor = directions[:, -DIRECTIONS:].float().contiguous()
        return main
