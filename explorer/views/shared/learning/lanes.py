"""Several networks that are trained side by side, and what is remembered of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.training.small.history import weight_gradients
from explorer.training.small.learner import diverged
from explorer.views.shared.learning.keeping import arrays_of, restored_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from explorer.core.layers import Color
    from explorer.training.small.learner import Learner

LOOKS = 40
"""At a network, over its whole training."""


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One network so far.

    Attributes:
        name: For people.
        color: Of its curves.
        layers: With weights.
        weights: Their number.
        first: The step that its curves begin with.
        losses: (N,) float64 of its batches.
        accuracies: (N,) float64 of its batches.
        looks: (M, 3) float64 step, validation loss, validation accuracy.
        flow: (M, L) float32 norms of the derivatives of each layer's weights.
        diverged: Its loss is not finite any more.
    """

    name: str
    color: Color
    layers: int
    weights: int
    first: int
    losses: NDArray[np.float64]
    accuracies: NDArray[np.float64]
    looks: NDArray[np.float64]
    flow: NDArray[np.float32]
    diverged: bool

    def loss(self, window: int = 20) -> float:
        """The mean of its last batches; NaN before the first."""
        return float(self.losses[-window:].mean()) if len(self.losses) else float("nan")

    def accuracy(self, window: int = 20) -> float:
        return float(self.accuracies[-window:].mean()) if len(self.accuracies) else float("nan")

    @property
    def validation(self) -> float:
        """Its last accuracy on the validation block."""
        return float(self.looks[-1, 2]) if len(self.looks) else float("nan")


@dataclass(slots=True, eq=False)
class Trained:
    """One network on the runner's thread; `lane` is what is drawn of it."""

    name: str
    color: Color
    learner: Learner
    first: int = 0
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    looks: list[tuple[float, float, float]] = field(default_factory=list)
    flows: list[NDArray[np.float32]] = field(default_factory=list)
    lost: bool = False

    def step(self) -> None:
        """One batch, and a look at the network where one is due."""
        if not self.looks:
            self.look()
        if self.lost:
            return
        taken = self.learner.train_step()
        self.losses.append(taken.loss)
        self.accuracies.append(taken.accuracy)
        self.lost = diverged(taken)
        done, last = self.learner.step, self.learner.recipe.steps
        if done % max(1, last // LOOKS) == 0 or done == last:
            self.look()

    def look(self) -> None:
        score = self.learner.score()
        self.looks.append((float(self.first + self.learner.step), score.loss, score.accuracy))
        self.flows.append(weight_gradients(self.learner.flow()))

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """All that its next step and its curves depend on; `restore` is the inverse."""
        return {
            **arrays_of(self.learner.state(), f"{prefix}learner."),
            f"{prefix}step": np.array(self.learner.step),
            f"{prefix}losses": np.array(self.losses, np.float64),
            f"{prefix}accuracies": np.array(self.accuracies, np.float64),
            f"{prefix}looks": np.array(self.looks, np.float64).reshape(-1, 3),
            f"{prefix}flows": np.array(self.flows, np.float32),
            f"{prefix}lost": np.array(self.lost),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], prefix: str) -> None:
        """Raises one of `keeping.MISFITS` where the arrays are of another network."""
        own = restored_tensors(arrays, f"{prefix}learner.")
        self.learner.restore(own, int(arrays[f"{prefix}step"]))
        self.losses = arrays[f"{prefix}losses"].tolist()
        self.accuracies = arrays[f"{prefix}accuracies"].tolist()
        self.looks = [(a, b, c) for a, b, c in arrays[f"{prefix}looks"].tolist()]
        self.flows = list(arrays[f"{prefix}flows"])
        self.lost = bool(arrays[f"{prefix}lost"])

    def lane(self) -> Lane:
        weights = list(self.learner.network.parameters())
        flow = np.array(self.flows, np.float32)
        return Lane(
            self.name, self.color, flow.shape[1] if flow.ndim == 2 else 0,
            sum(weight.numel() for weight in weights), self.first, np.array(self.losses),
            np.array(self.accuracies), np.array(self.looks, np.float64).reshape(-1, 3), flow,
            self.lost,
        )  # fmt: skip


def lanes_of(trained: Sequence[Trained]) -> tuple[Lane, ...]:
    return tuple(each.lane() for each in trained)
