"""Attacks inside a ball around the picture: FGSM and PGD."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from explorer.vision.adversarial.iterates import (
    Iterate,
    Norm,
    evaluated,
    slope_at,
    stopped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from explorer.vision.adversarial.goals import Goal


def fgsm(goal: Goal, picture: Tensor, *, epsilon: float) -> Iterator[Iterate]:
    """Fast gradient sign method: x' = x - epsilon sign(dL/dx), clipped to [0, 1].

    Args:
        goal: Its loss L is decreased.
        picture: (1, C, H, W) in [0, 1].
        epsilon: Largest change of a value; 8 / 255 is usual.

    Yields:
        The picture itself, then the result.

    Source: Goodfellow, Shlens and Szegedy 2015, Explaining and Harnessing Adversarial Examples,
    section 4.
    """
    return pgd(goal, picture, norm="linf", epsilon=epsilon, step=epsilon, steps=1)


def pgd(
    goal: Goal,
    picture: Tensor,
    *,
    norm: Norm,
    epsilon: float,
    step: float,
    steps: int,
    generator: torch.Generator | None = None,
    stop: bool = False,
) -> Iterator[Iterate]:
    """Projected gradient descent: a step along the gradient, then back into the ball and [0, 1].

    With the norm "linf" a step is `step` times the sign of the gradient; with "l2" it is the
    gradient scaled to the Euclidean length `step`.

    Args:
        goal: Its loss is decreased.
        picture: (1, C, H, W) in [0, 1], the middle of the ball.
        norm: "linf": no value changes by more than `epsilon`; "l2": |r|_2 <= `epsilon`.
        epsilon: Radius of the ball, for values in [0, 1].
        step: Length of a step, for values in [0, 1].
        steps: How many.
        generator: Of the random start inside the ball, on the CPU; None = starts from the picture.
        stop: Ends with the first picture that reaches the goal.

    Yields:
        ``steps + 1`` iterates at most.

    Source: Madry et al. 2018, ICLR, section 2.1.
    """
    start = picture.detach()
    current = start
    if generator is not None:
        current = start + random_in_ball(start, norm, epsilon, generator)
        current = projected(current, start, norm, epsilon)
    last: Iterate | None = None
    for number in range(steps):
        slope = slope_at(goal, current)
        found = Iterate(
            number, current, slope.loss, slope.evaluation, slope=float(slope.gradient.norm())
        )
        if not slope.finite:
            yield stopped(last, start, number, "the loss or its gradient is not finite", found)
            return
        yield found
        if stop and slope.evaluation.reached:
            return
        last = found
        current = current - step * direction(slope.gradient, norm)
        current = projected(current, start, norm, epsilon)
    end = evaluated(goal, current)
    found = Iterate(steps, current, float(end.loss), end)
    finite = bool(torch.isfinite(end.loss))
    yield found if finite else stopped(last, start, steps, "the loss is not finite", found)


def direction(gradient: Tensor, norm: Norm) -> Tensor:
    """The steepest direction of length 1 in the norm; 0 where the gradient is 0."""
    if norm == "linf":
        return gradient.sign()
    unit: Tensor = gradient / gradient.norm().clamp_min(1e-12)
    return unit


def projected(picture: Tensor, center: Tensor, norm: Norm, epsilon: float) -> Tensor:
    """The picture moved into the ball around `center`, then clipped to [0, 1].

    Both have the shape (1, C, H, W). Clipping cannot leave the ball, since `center` is in [0, 1].
    """
    change = picture - center
    if norm == "linf":
        change = change.clamp(-epsilon, epsilon)
    else:
        change = change * (epsilon / change.norm().clamp_min(1e-12)).clamp(max=1.0)
    moved: Tensor = (center + change).clamp(0.0, 1.0)
    return moved


def random_in_ball(
    picture: Tensor, norm: Norm, epsilon: float, generator: torch.Generator
) -> Tensor:
    """A point drawn uniformly from the ball of radius `epsilon`, as a change of the picture.

    Drawn on the CPU, so that a seed gives the same change on every device.
    """
    if norm == "linf":
        drawn = torch.rand(picture.shape, generator=generator).mul_(2.0).sub_(1.0)
        return drawn.mul_(epsilon).to(picture)
    drawn = torch.randn(picture.shape, generator=generator)
    # The length of a uniform point of an n-ball is the n-th root of a uniform number.
    length = torch.rand((), generator=generator) ** (1 / drawn.numel())
    return drawn.mul_(epsilon * length / drawn.norm().clamp_min(1e-12)).to(picture)
