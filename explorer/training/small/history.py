"""What is remembered of a training: every step's loss, and now and then a look inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.vision.statistics.layers import shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.training.small.learner import Learner, Score, Taken
    from explorer.vision.statistics.layers import LayerFlow

FIRST_EVERY = 8
"""Steps between two moments at the start; twice as many whenever `MOST_MOMENTS` are reached."""
MOST_MOMENTS = 64
BINS = 24
ACTIVATION_EDGES = np.linspace(-4.0, 4.0, BINS + 1)
GRADIENT_EDGES = np.linspace(-9.0, 0.0, BINS + 1)
"""Of log10 of the magnitude."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A look inside after `step` steps.

    Attributes:
        step: How many were done.
        loss: On the validation block.
        accuracy: On the validation block.
        kernels: (O, 3, k, k) float32, those of the first convolution.
        activations: (BINS, L) float32 fractions, outputs of the layers, the lowest bin first.
        gradients: (BINS, L) float32, derivatives with respect to those outputs.
        signal: (L,) float32 standard deviations of the outputs.
        flow: (L,) float32 norms of the derivatives with respect to the layers' weights.
    """

    step: int
    loss: float
    accuracy: float
    kernels: NDArray[np.float32]
    activations: NDArray[np.float32]
    gradients: NDArray[np.float32]
    signal: NDArray[np.float32]
    flow: NDArray[np.float32]


@dataclass(slots=True)
class History:
    """Grows step by step; `taken` are (loss, accuracy, gradient norm, rate) of each."""

    taken: list[tuple[float, float, float, float]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    every: int = FIRST_EVERY

    def add(self, taken: Taken) -> None:
        self.taken.append((taken.loss, taken.accuracy, taken.norm, taken.rate))

    def due(self, step: int, last: int) -> bool:
        """Whether a look inside is to be taken after `step` of `last` steps."""
        seen = bool(self.moments) and self.moments[-1].step == step
        return not seen and (step % self.every == 0 or step == last)

    def look(self, learner: Learner, score: Score) -> None:
        self.moments.append(moment_of(learner, score))
        if len(self.moments) >= MOST_MOMENTS:
            self.every *= 2
            self.moments = [each for each in self.moments if each.step % self.every == 0]

    def tensors(self) -> dict[str, Tensor]:
        """For a file; `restored` is the inverse."""
        stacked = {
            name: np.stack([np.asarray(getattr(each, name)) for each in self.moments])
            for name in Moment.__dataclass_fields__
        }
        found = {f"history.{name}": torch.from_numpy(v.copy()) for name, v in stacked.items()}
        taken = np.array(self.taken, np.float64).reshape(-1, 4)
        return {
            **found, "history.taken": torch.from_numpy(taken),
            "history.every": torch.tensor(self.every),
        }  # fmt: skip

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> History:
        """Raises KeyError or ValueError where the tensors are none of a history."""
        parts = {name: tensors[f"history.{name}"].numpy() for name in Moment.__dataclass_fields__}
        moments = [
            Moment(
                int(parts["step"][row]), float(parts["loss"][row]), float(parts["accuracy"][row]),
                *(parts[name][row] for name in tuple(parts)[3:]),
            )
            for row in range(len(parts["step"]))
        ]  # fmt: skip
        taken = [(a, b, c, d) for a, b, c, d in tensors["history.taken"].tolist()]
        return cls(taken, moments, int(tensors["history.every"]))


def moment_of(learner: Learner, score: Score) -> Moment:
    layers = learner.flow()
    kernels = next(w for w in learner.network.parameters() if w.ndim == 4)
    return Moment(
        learner.step, score.loss, score.accuracy,
        kernels.detach().float().cpu().numpy().copy(),
        shares([each.activation for each in layers], ACTIVATION_EDGES, log=False),
        shares([each.gradient for each in layers], GRADIENT_EDGES, log=True),
        np.array([each.activation.std for each in layers], np.float32),
        weight_gradients(layers),
    )  # fmt: skip


def weight_gradients(layers: Sequence[LayerFlow]) -> NDArray[np.float32]:
    """(L,) norms of the derivatives of the loss with respect to the weights of each layer."""
    return np.array([each.weights or 0.0 for each in layers], np.float32)
