"""How a picture is changed by the gradient of its objective. All of them minimize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch

from explorer.vision.synthesis.filters import blurred, laplacian

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

Closure: TypeAlias = "Callable[[], float]"
"""Computes the loss, puts its gradients into `.grad` of the parameters and gives the loss."""


class Optimizer(Protocol):
    """Changes parameters in place."""

    def step(self, parameters: Sequence[Tensor], closure: Closure) -> float:
        """One step; the loss before it."""
        ...


@dataclass(slots=True, eq=False)
class NormalizedDescent:
    """``x <- x - step * g / mean|g| + variation * Laplacian(x)``: every step moves as far.

    The rule of Mordvintsev et al. 2015. The Laplacian is the descent direction of the total
    variation with exponent 2 (Mahendran and Vedaldi 2015, equation 4).

    Attributes:
        rate: How far the mean value moves, in units of the whole range 0..1.
        smoothing: Standard deviation, in pixels, of the blur of the gradient; 0 = none.
        variation: How much of the difference to its four neighbors a pixel gives up, 0 to 0.2.
    """

    rate: float
    smoothing: float = 0.0
    variation: float = 0.0

    def step(self, parameters: Sequence[Tensor], closure: Closure) -> float:
        loss = closure()
        with torch.no_grad():
            for values in parameters:
                if values.grad is None:
                    continue
                change = values.grad
                if self.smoothing > 0:
                    change = blurred(change, self.smoothing)
                change = change * (-self.rate / change.abs().mean().clamp_min(1e-12))
                if self.variation > 0:
                    change += self.variation * laplacian(values)
                values += change
        return loss


@dataclass(slots=True, eq=False)
class TorchOptimizer:
    """One of torch's, made for the parameters that it is first given.

    `rate` may be changed between steps.
    """

    make: Callable[[Sequence[Tensor], float], torch.optim.Optimizer]
    rate: float
    _made: torch.optim.Optimizer | None = None

    def step(self, parameters: Sequence[Tensor], closure: Closure) -> float:
        if self._made is None or self._made.param_groups[0]["params"] != list(parameters):
            self._made = self.make(parameters, self.rate)
        for group in self._made.param_groups:
            group["lr"] = self.rate
        losses: list[float] = []

        def evaluated() -> float:
            losses.append(closure())
            return losses[-1]

        self._made.step(evaluated)
        return losses[0]


def adam(rate: float) -> TorchOptimizer:
    """Kingma and Ba 2015, with gradients' means over ten steps and squares over a hundred."""
    return TorchOptimizer(lambda p, r: torch.optim.Adam(list(p), lr=r, betas=(0.9, 0.99)), rate)


def momentum(rate: float, share: float = 0.9) -> TorchOptimizer:
    """Gradient descent with momentum (Mahendran and Vedaldi 2015, section 3)."""
    return TorchOptimizer(lambda p, r: torch.optim.SGD(list(p), lr=r, momentum=share), rate)


def lbfgs(rate: float = 1.0, evaluations: int = 5) -> TorchOptimizer:
    """Limited-memory BFGS (Liu and Nocedal 1989), as Gatys et al. 2016 use it.

    Args:
        rate: Of a step along the found direction; the line search changes it.
        evaluations: Iterations of one step.
    """
    return TorchOptimizer(
        lambda p, r: torch.optim.LBFGS(
            list(p), lr=r, max_iter=evaluations, history_size=20, line_search_fn="strong_wolfe"
        ),
        rate,
    )
