"""DeepFool: repeatedly to the nearest boundary of the linearized classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explorer.vision.adversarial.goals import ClassGoal, Evaluation
from explorer.vision.adversarial.iterates import Iterate, Norm, evaluated, stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

BEYOND = 1e-4
"""Added to every update, for values in [0, 1], as in the authors' program: a boundary that is
reached exactly is not crossed."""


def deepfool(
    goal: ClassGoal,
    picture: Tensor,
    *,
    norm: Norm = "l2",
    steps: int = 50,
    candidates: int = 10,
    overshoot: float = 0.02,
) -> Iterator[Iterate]:
    """Looks for the smallest perturbation that changes the top class.

    With z the logits, k0 the class to leave, w_k = d(z_k - z_k0)/dx and f_k = z_k - z_k0, an update
    moves to the nearest boundary: k minimizes |f_k| / |w_k|_q (q dual to the norm). The sum of all
    updates, times ``1 + overshoot``, is added to the picture, which is clipped to [0, 1].

    Targeted, the only class k is the goal's, and k0 is whichever class is on top: a variant that is
    not in the paper.

    Args:
        goal: Untargeted: its `label` is k0, the top class of the picture.
        picture: (1, C, H, W) in [0, 1].
        norm: "l2", or "linf" (the paper's section 2.3 on l_p norms).
        steps: Updates at most; it ends with the first success.
        candidates: Only so many of the most probable classes are tried, k0 among them.
        overshoot: How far beyond the boundary, as a part of the perturbation.

    Yields:
        The picture itself and the result of every update. The objective is the distance
        |f_k| / |w_k|_q to the boundary that the update moves to, 0 at the end.

    Source: Moosavi-Dezfooli, Fawzi and Frossard 2016, DeepFool, algorithm 2.
    """
    start = picture.detach()
    total = torch.zeros_like(start)
    current = start
    last: Iterate | None = None
    tried: list[int] | None = None
    for number in range(steps):
        scores, variable = _scores(goal, current)
        found = _evaluation(goal, scores)
        finite = bool(torch.isfinite(scores.sum()))
        if found.reached and finite:
            yield Iterate(number, current, 0.0, found)
            return
        if not finite:
            at = Iterate(number, current, 0.0, found)
            yield stopped(last, start, number, "the network's output is not finite", at)
            return
        if tried is None:
            order = scores[0].detach().argsort(descending=True, stable=True).tolist()
            tried = [k for k in order[:candidates] if k != goal.label]
        update, distance = _nearest(goal, scores, variable, tried, norm)
        at = Iterate(number, current, distance, found)
        if not bool(torch.isfinite(update.sum())):
            yield stopped(last, start, number, "the gradient is zero or not finite", at)
            return
        yield at
        last = at
        total = total + update
        current = (start + (1 + overshoot) * total).clamp(0.0, 1.0)
    end = evaluated(goal, current)
    at = Iterate(steps, current, 0.0, end)
    finite = bool(torch.isfinite(end.loss))
    yield at if finite else stopped(last, start, steps, "the network's output is not finite", at)


def _scores(goal: ClassGoal, picture: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        variable = picture.detach().requires_grad_()
        return goal.logits(variable), variable


def _evaluation(goal: ClassGoal, scores: Tensor) -> Evaluation:
    """The goal's own words for logits that are there already."""
    given = ClassGoal(lambda _: scores.detach(), goal.label, goal.targeted, goal.distance)
    return given(scores)


def _nearest(
    goal: ClassGoal, scores: Tensor, variable: Tensor, tried: list[int], norm: Norm
) -> tuple[Tensor, float]:
    """The update to the nearest boundary, and its length."""
    top = int(scores[0].argmax())
    pairs = [(goal.label, top)] if goal.targeted else [(k, goal.label) for k in tried]
    best, least = torch.full_like(variable, torch.nan), float("inf")
    for to, away in pairs:
        difference = scores[0, to] - scores[0, away]
        (slope,) = torch.autograd.grad(difference, variable, retain_graph=True)
        size = slope.abs().sum() if norm == "linf" else slope.norm()
        distance = float(difference.detach().abs() / size)
        if distance < least:
            unit = slope.sign() if norm == "linf" else slope / size
            best, least = (distance + BEYOND) * unit, distance
    return best.detach(), least
