"""The objective of Szegedy et al. 2014: close to the goal, with a small perturbation r.

    minimize  d(f(x + r), S) + lambda |r|^2   subject to  0 <= x + r <= 1

by plain gradient descent, and by L-BFGS with those bounds as in the paper.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from explorer.vision.adversarial.iterates import (
    DIVERGED,
    Iterate,
    Slope,
    slope_at,
    stopped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from explorer.vision.adversarial.goals import Goal

SUFFICIENT = 1e-4
"""Armijo's constant: this part of the decrease that the gradient promises is enough."""
MOST_HALVINGS = 20
MOST_DOUBLINGS = 8


class _Objective:
    """d(f(x + r), S) + weight |r|^2 with its gradient, at the picture x + r."""

    def __init__(self, goal: Goal, start: Tensor, weight: float) -> None:
        self._goal, self._start, self._weight = goal, start, weight

    def penalty(self, picture: Tensor) -> float:
        return self._weight * float((picture - self._start).double().square().sum())

    def slope(self, picture: Tensor) -> Slope:
        """`loss` and `gradient` of the whole objective; `evaluation` is the goal's."""
        found = slope_at(self._goal, picture)
        gradient = found.gradient + 2 * self._weight * (picture - self._start)
        return Slope(found.evaluation, found.loss + self.penalty(picture), gradient)

    def iterate(self, step: int, picture: Tensor, slope: Slope) -> Iterate:
        return Iterate(
            step, picture, slope.loss, slope.evaluation, self.penalty(picture),
            float(slope.gradient.norm()),
        )  # fmt: skip


def gradient_descent(
    goal: Goal, picture: Tensor, *, weight: float, rate: float, steps: int, stop: bool = False
) -> Iterator[Iterate]:
    """Updates r <- r - rate (dd/dr + 2 weight r), with x + r clipped to [0, 1] each time.

    For the squared distance d = |f(x + r) - S|^2 this is r - 2 rate ((f - S) df/dx + weight r).

    Args:
        goal: Its loss is the distance d.
        picture: x, (1, C, H, W) in [0, 1]; r starts at 0.
        weight: Lambda, at least 0, for values in [0, 1].
        rate: Gamma.
        steps: How many updates.
        stop: Ends with the first picture that reaches the goal.

    Yields:
        ``steps + 1`` iterates at most; fewer when the objective is not finite or diverges.

    Source: Szegedy et al. 2014, Intriguing Properties of Neural Networks, section 4.1, for the
    objective.
    """
    start = picture.detach()
    objective = _Objective(goal, start, weight)
    current = start
    last: Iterate | None = None
    high = math.inf
    for number in range(steps + 1):
        slope = objective.slope(current)
        found = objective.iterate(number, current, slope)
        if not slope.finite or slope.loss > high:
            what = "the objective diverges" if slope.finite else "the objective is not finite"
            yield stopped(last, start, number, f"{what}; lower the step size", found)
            return
        yield found
        if stop and found.evaluation.reached:
            return
        if number == 0:
            high = DIVERGED * max(abs(slope.loss), 1.0)
        last = found
        current = (current - rate * slope.gradient).clamp(0.0, 1.0)


def lbfgs(
    goal: Goal, picture: Tensor, *, weight: float, steps: int, memory: int = 10, stop: bool = False
) -> Iterator[Iterate]:
    """Limited-memory BFGS under the bounds 0 <= x + r <= 1, starting at r = 0.

    Values at a bound that the gradient pushes outward are fixed (Bertsekas 1982, Projected Newton
    Methods, section 2); the two-loop recursion gives the direction of the others (Nocedal 1980),
    and the step along it is projected to the bounds until the objective decreases enough. Every
    iteration is handed out, which L-BFGS-B as a library function does not allow; minima agree with
    those of L-BFGS-B.

    Args:
        goal: Its loss is the distance d.
        picture: x, (1, C, H, W) in [0, 1].
        weight: Lambda, at least 0, for values in [0, 1].
        steps: Iterations at most; each evaluates the goal once or a few times.
        memory: Pairs of changes that are kept.
        stop: Ends with the first picture that reaches the goal.

    Yields:
        The start and every iteration; it ends early where no step decreases the objective.

    Source: Szegedy et al. 2014, section 4.1.
    """
    start = picture.detach()
    objective = _Objective(goal, start, weight)
    current, slope = start, objective.slope(start)
    found = objective.iterate(0, current, slope)
    if not slope.finite:
        yield stopped(None, start, 0, "the objective is not finite", found)
        return
    yield found
    pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=memory)
    for number in range(1, steps + 1):
        if stop and found.evaluation.reached:
            return
        step = _line_search(objective, current, slope, pairs)
        if step is None and pairs:  # a memory that misleads is dropped
            pairs.clear()
            step = _line_search(objective, current, slope, pairs)
        if step is None:
            return
        after, then = step
        change, turn = after - current, then.gradient - slope.gradient
        if float((change * turn).sum()) > 1e-10 * float(turn.square().sum()):
            pairs.append((change, turn))
        current, slope = after, then
        found = objective.iterate(number, current, slope)
        yield found


def _line_search(
    objective: _Objective,
    current: Tensor,
    slope: Slope,
    pairs: deque[tuple[Tensor, Tensor]],
) -> tuple[Tensor, Slope] | None:
    """The next picture and the objective there; None where no step decreases it enough."""
    gradient = slope.gradient
    fixed = ((current <= 0.0) & (gradient > 0)) | ((current >= 1.0) & (gradient < 0))
    free = ~fixed
    if not bool((gradient * free).any()):
        return None
    along = -_two_loops(gradient * free, pairs, free) * free
    if float((along * gradient).sum()) >= 0:
        return None
    # Without a memory the length of the gradient says nothing: the first step changes |r|_2 by 1.
    length = 1.0 if pairs else 1.0 / max(float(along.norm()), 1e-12)
    best: tuple[Tensor, Slope] | None = None
    for _ in range(MOST_HALVINGS):
        found = _moved(objective, current, slope, along, length)
        if found is not None:
            best = found
            break
        length /= 2
    if best is None or pairs:
        return best
    for _ in range(MOST_DOUBLINGS):  # the first step may be far too short, too
        length *= 2
        longer = _moved(objective, current, slope, along, length)
        if longer is None or longer[1].loss >= best[1].loss:
            break
        best = longer
    return best


def _moved(
    objective: _Objective, current: Tensor, slope: Slope, along: Tensor, length: float
) -> tuple[Tensor, Slope] | None:
    after = (current + length * along).clamp(0.0, 1.0)
    promised = float((slope.gradient * (after - current)).sum())
    then = objective.slope(after)
    least = slope.loss + SUFFICIENT * promised
    enough = promised < 0 and then.finite and then.loss <= least and then.loss < slope.loss
    return (after, then) if enough else None


def _two_loops(gradient: Tensor, pairs: deque[tuple[Tensor, Tensor]], free: Tensor) -> Tensor:
    """The inverse Hessian's estimate times the gradient, among the free values."""
    result = gradient
    used = [(change * free, turn * free) for change, turn in pairs]
    used = [pair for pair in used if float((pair[0] * pair[1]).sum()) > 0]
    shares = []
    for change, turn in reversed(used):
        share = (change * result).sum() / (change * turn).sum()
        shares.append(share)
        result = result - share * turn
    if used:
        change, turn = used[-1]
        result = result * ((change * turn).sum() / turn.square().sum())
    for (change, turn), share in zip(used, reversed(shares), strict=True):
        back = (turn * result).sum() / (change * turn).sum()
        result = result + (share - back) * change
    return result


def smallest(
    goal: Goal,
    picture: Tensor,
    *,
    weight: float,
    steps: int,
    rounds: int,
    memory: int = 10,
) -> Iterator[tuple[int, float, Iterate]]:
    """`lbfgs` for several lambdas: the largest one that reaches the goal gives the smallest r.

    Lambda is multiplied by 10 after a success and divided by 10 after a failure until both have
    occurred, then halved in between on a logarithmic scale. The paper calls this a line search.

    Args:
        goal: As in `lbfgs`.
        picture: As in `lbfgs`.
        weight: The first lambda.
        steps: Iterations of each round.
        rounds: How many lambdas, at least 1.
        memory: As in `lbfgs`.

    Yields:
        Round from 0, its lambda and the iterate. The very last one repeats the picture that reaches
        the goal with the smallest |r|_2; without any, the last one of the last round.

    Source: Szegedy et al. 2014, section 4.1.
    """
    works, fails = 0.0, 0.0
    best: tuple[int, float, Iterate] | None = None
    least = math.inf
    for number in range(rounds):
        at: Iterate | None = None
        for at in lbfgs(goal, picture, weight=weight, steps=steps, memory=memory):
            yield number, weight, at
            size = float((at.picture - picture).norm())
            if at.evaluation.reached and size < least:
                least, best = size, (number, weight, at)
        if at is None or at.problem:
            return
        if at.evaluation.reached:
            works = weight
        else:
            fails = weight
        if works and fails:
            weight = math.sqrt(works * fails)
        else:
            weight = weight * 10 if works else weight / 10
    if best is not None and rounds > 1:
        yield best
