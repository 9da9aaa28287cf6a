"""What is remembered of a duel: the losses of every step, and now and then a look at both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from explorer.evaluation.generated.pictures import diversity, to_pixels
from explorer.training.adversarial.learner import Duel
from explorer.training.adversarial.sources import COVERED, SIDE, Pictures, modes_of
from explorer.training.small.history import stacked, thinned, unstacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Float32
    from explorer.training.adversarial.learner import GanLearner

POINTS, SAMPLES, PULLED = 400, 24, 6
"""Points of a look; pictures of a look, and how many of them with the discriminator's gradient."""
FIELD, REACH = 48, 1.7
"""Cells of a side of the field of scores, and how far it reaches from the origin."""
EVERY = {False: 20, True: 10}
"""Steps between two looks at the start, at points and at pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """After `step` steps.

    Attributes:
        step: How many were done.
        samples: At fixed latents: (POINTS, 2) float32, or (SAMPLES, SIDE, SIDE, 3) uint8, enlarged
            where they are still smaller.
        pull: Where the generator's loss wants its samples to go: (POINTS, 2) float32, or
            (PULLED, SIDE, SIDE) float32, the size of its gradient over the colors of a pixel.
        field: (FIELD, FIELD) float32 scores of the plane, the upper row first; one cell of 0 for
            pictures.
        real: (N,) float32 scores of real samples.
        made: (N,) float32 scores of the samples.
        side: Of the pictures in pixels; 0 = points.
        quality: How many of the Gaussians are covered; of pictures their diversity.
        truth: How many there are; the diversity of real pictures.
        near: The fraction of the points that are near a center; 0 for pictures.
    """

    step: int
    samples: NDArray[np.float32] | NDArray[np.uint8]
    pull: Float32
    field: Float32
    real: Float32
    made: Float32
    side: int
    quality: float
    truth: float
    near: float


@dataclass(slots=True)
class GanHistory:
    """Grows step by step."""

    every: int
    taken: list[Duel] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def due(self, step: int, last: int) -> bool:
        """Whether a look is to be taken after `step` of `last` steps."""
        seen = bool(self.looks) and self.looks[-1].step == step
        return not seen and (step % self.every == 0 or step == last)

    def look(self, learner: GanLearner) -> None:
        self.looks, self.every = thinned([*self.looks, look_at(learner)], self.every)

    def curves(self) -> NDArray[np.float64]:
        """(N, 5) of every step: see `Duel`."""
        rows = [(d.discriminator, d.generator, d.penalty, d.real, d.made) for d in self.taken]
        return np.array(rows, np.float64).reshape(-1, 5)

    def tensors(self) -> dict[str, Tensor]:
        """For a file; `restored` is the inverse."""
        return {
            **stacked(self.looks), "history.taken": torch.from_numpy(self.curves()),
            "history.every": torch.tensor(self.every),
        }  # fmt: skip

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> GanHistory:
        """Raises KeyError or ValueError where the tensors are not those of a history."""
        taken = [Duel(*row) for row in tensors["history.taken"].tolist()]
        return cls(int(tensors["history.every"]), taken, unstacked(tensors, Look))


def look_at(learner: GanLearner) -> Look:
    if isinstance(learner.source, Pictures):
        return _at_pictures(learner)
    points = learner.look(POINTS)
    scores, pull = learner.pull(points)
    found: Float32 = points.numpy().copy()
    modes = modes_of(found)
    return Look(
        learner.step, found, pull, learner.field(FIELD, REACH), _scores(learner, POINTS), scores,
        0, float((modes >= COVERED).sum()), float(len(modes)), float(modes.sum()),
    )  # fmt: skip


def _at_pictures(learner: GanLearner) -> Look:
    pictures = learner.look(SAMPLES)
    scores, pull = learner.pull(pictures)
    strength = torch.from_numpy(pull[:PULLED]).norm(dim=1, keepdim=True)
    real = to_pixels(_whole(learner.real(SAMPLES)))
    made = to_pixels(_whole(pictures))
    return Look(
        learner.step, made, _whole(strength)[:, 0].numpy().copy(), np.zeros((1, 1), np.float32),
        _scores(learner, SAMPLES), scores, learner.side, diversity(made), diversity(real), 0.0,
    )  # fmt: skip


@torch.no_grad()
def _scores(learner: GanLearner, count: int) -> Float32:
    found: Float32 = learner.scores(learner.real(count)).numpy().copy()
    return found


def _whole(pictures: Tensor) -> Tensor:
    return functional.interpolate(pictures, (SIDE, SIDE), mode="nearest")
