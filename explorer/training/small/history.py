"""What is remembered of a training: every step's loss, and now and then a look inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

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
        self.moments, self.every = thinned(self.moments, self.every)

    def tensors(self) -> dict[str, Tensor]:
        """For a file; `restored` is the inverse."""
        taken = np.array(self.taken, np.float64).reshape(-1, 4)
        return {
            **stacked(self.moments), "history.taken": torch.from_numpy(taken),
            "history.every": torch.tensor(self.every),
        }  # fmt: skip

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> History:
        """Raises KeyError or ValueError where the tensors are none of a history."""
        moments = unstacked(tensors, Moment)
        taken = [(a, b, c, d) for a, b, c, d in tensors["history.taken"].tolist()]
        return cls(taken, moments, int(tensors["history.every"]))


class Dated(Protocol):
    """A frozen dataclass of numbers and arrays that belongs to a step of a training."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def step(self) -> int: ...


D = TypeVar("D", bound=Dated)


def thinned(moments: list[D], every: int) -> tuple[list[D], int]:
    """Every second one where there are many, and how many steps are between two of them."""
    if len(moments) < MOST_MOMENTS:
        return moments, every
    return [each for each in moments if each.step % (2 * every) == 0], 2 * every


def stacked(moments: Sequence[Dated]) -> dict[str, Tensor]:
    """Tensors for a file; `unstacked` is the inverse."""
    names = type(moments[0]).__dataclass_fields__ if moments else ()
    columns = {n: np.stack([np.asarray(getattr(m, n)) for m in moments]) for n in names}
    return {f"history.{name}": torch.from_numpy(v.copy()) for name, v in columns.items()}


def unstacked(tensors: Mapping[str, Tensor], kind: type[D]) -> list[D]:
    """Raises KeyError where the tensors are not those of such moments."""
    parts = {name: tensors[f"history.{name}"].numpy() for name in kind.__dataclass_fields__}
    rows = len(parts["step"])
    return [
        kind(**{n: v[row] if v.ndim > 1 else v[row].item() for n, v in parts.items()})
        for row in range(rows)
    ]


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
