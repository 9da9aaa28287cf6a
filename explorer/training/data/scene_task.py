"""What all trainings on scenes share: the scenes of every step."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.evaluation.scenes import SIDE, Scene, SceneMaker
from explorer.training.loop import step_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.evaluation.photo_set import PhotoSet
    from explorer.training.loop import Recipe

PHOTOS_PER_SCENE = 4
"""About; so that an epoch is one use of every photo."""


def to_tensor(scene: Scene) -> torch.Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(scene.pixels).permute(2, 0, 1).float() / 255


@dataclass(slots=True, eq=False)
class SceneTask:
    """A `loop.Task` but for its network and its losses, which a lesson adds.

    Args:
        data: PhotoSet with boxes.
        group_labels: For every class of the photos its label, 1..; 0 = none.
        weights: Of the trained network that it begins with; None begins from random ones.
        recipe: The numbers.
        name: Of the network.
        side: Of the scenes, in pixels.
        frozen: Parts of the network that keep their weights, and the statistics in their
            normalization layers.
        masks: Of the photos, (N, H, W / 8) uint8 packed bits; None = the scenes have none.
    """

    data: PhotoSet
    group_labels: Sequence[int]
    weights: dict[str, Tensor] | None = None
    _: KW_ONLY
    recipe: Recipe
    name: str
    side: int = SIDE
    frozen: tuple[str, ...] = ()
    masks: NDArray[np.uint8] | None = None
    photos: int = field(init=False)
    maker: SceneMaker = field(init=False)

    def __post_init__(self) -> None:
        self.photos = max(1, len(self.data) // PHOTOS_PER_SCENE)
        self.maker = SceneMaker(self.data, self.group_labels, self.side, self.masks)

    def prepare(self, model: nn.Module) -> None:
        """See `loop.Task`: all but the frozen parts learns."""
        model.train()
        for part in self.frozen:
            model.get_submodule(part).eval().requires_grad_(requires_grad=False)

    def scenes(self, step: int) -> list[Scene]:
        """Those of one step: a function of the recipe's seed and the step alone."""
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        return [self.maker.make(rng) for _ in range(self.recipe.batch)]


def part_of(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one part of a network, without the part's name."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
