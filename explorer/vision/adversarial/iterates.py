"""What every attack hands out after each update, and the gradient that it follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.vision.adversarial.goals import Evaluation, Goal

Norm = Literal["linf", "l2"]

DIVERGED = 100.0
"""An objective so many times as large as at the start has diverged."""


@dataclass(frozen=True, slots=True, eq=False)
class Iterate:
    """A picture on the way of an attack, evaluated.

    Attributes:
        step: Updates so far; 0 is the picture that the attack starts from.
        picture: (1, C, H, W) float32 in [0, 1], detached.
        objective: What is minimized: the goal's loss, with the penalty where there is one.
        evaluation: The goal's; its loss has no graph.
        penalty: lambda |r|^2 where the attack has one, else 0.
        slope: Euclidean norm of the gradient of the objective that the next update follows.
        problem: Why the attack stopped early: a sentence; empty otherwise.
    """

    step: int
    picture: Tensor
    objective: float
    evaluation: Evaluation
    penalty: float = 0.0
    slope: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """A goal at a picture, with its gradient: (1, C, H, W)."""

    evaluation: Evaluation
    loss: float
    gradient: Tensor

    @property
    def finite(self) -> bool:
        """Whether all of it are numbers: one NaN or infinity makes the sum one."""
        return bool(torch.isfinite(self.gradient.sum() + self.loss))


def slope_at(goal: Goal, picture: Tensor) -> Slope:
    """The goal's loss and its gradient with respect to the picture.

    Only the picture is differentiated: weights keep `requires_grad` and get no `grad`. A loss
    that does not depend on the picture has the gradient 0.
    """
    with torch.enable_grad():
        variable = picture.detach().requires_grad_()
        found = goal(variable)
        gradient: Tensor | None = None
        if found.loss.requires_grad:
            (gradient,) = torch.autograd.grad(found.loss, variable, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(picture)
    loss = found.loss.detach()
    return Slope(replace(found, loss=loss), float(loss), gradient.detach())


@torch.no_grad()
def evaluated(goal: Goal, picture: Tensor) -> Evaluation:
    """The goal at a picture, without a gradient."""
    return goal(picture)


def stopped(last: Iterate | None, start: Tensor, step: int, what: str, now: Iterate) -> Iterate:
    """The last good picture with a sentence, in the place of one with numbers that are none.

    Args:
        last: The last good one; None when there was none.
        start: The picture that the attack was given.
        step: How many updates were done.
        what: "the loss is not finite".
        now: The one that is not good.
    """
    if last is None:
        return replace(now, picture=start, problem=f"Stopped at once: {what} on this photo.")
    words = f"Stopped at step {step}: {what}. The last good picture is shown."
    return replace(last, problem=words)


def lasting(iterates: Iterator[Iterate]) -> Iterate:
    """The last of an attack's iterates, for scripts that want nothing in between.

    Raises:
        ValueError: There was none.
    """
    last = None
    for last in iterates:  # noqa: B007
        pass
    if last is None:
        raise ValueError("the attack gave no picture")
    return last
