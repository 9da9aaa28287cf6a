"""What all trainings on canvases of photos share: the canvases of every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.training.data.canvases import MOSAICS, CanvasMaker
from explorer.training.loop import step_seed

if TYPE_CHECKING:
    from explorer.training.data.canvases import Canvas
    from explorer.training.data.pool import Pool
    from explorer.training.loop import Recipe


LAST_MOSAICS = (0.8, 0.05)
"""From this progress on so few canvases are made of four photos: the network is used on one."""


def mosaics_at(progress: float) -> float:
    """The share of a detector's canvases that are made of four photos; `progress` is in [0, 1]."""
    return LAST_MOSAICS[1] if progress >= LAST_MOSAICS[0] else MOSAICS


@dataclass(slots=True, eq=False, kw_only=True)
class CanvasTask:
    """A `loop.Task` but for its network and its losses, which a lesson adds.

    Args:
        pool: The photos.
        recipe: The numbers.
        name: Of the network.
    """

    pool: Pool
    recipe: Recipe
    name: str
    photos: int = field(init=False)
    maker: CanvasMaker = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.pool.photos)
        self.maker = CanvasMaker(self.pool)

    def canvases(self, step: int, mosaics: float) -> list[Canvas]:
        """Those of one step: a function of the recipe's seed and the step alone.

        Args:
            step: From 0.
            mosaics: The share of canvases that are made of four photos.
        """
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        return self.maker.batch(rng, self.recipe.batch, mosaics)
