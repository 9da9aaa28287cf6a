"""The three objectives of R-CNN on fixed features, and how each is minimized (numpy).

Log loss trains the layer behind the features, hinge loss the SVMs, least squares the box regressors
(Girshick et al. 2014, sections 2.3 and appendix C; Girshick 2015, section 1.1, counts the three
stages among R-CNN's drawbacks).

    problem = Problem(LOG, x, y, cost, penalty)
    for linear, value in descend(problem): ...     # smooth objectives, by accelerated gradient
    for svm in dual_descent(x, y, cost, rng): ...  # the hinge, which has no gradient at its corner

x is (n, D), with examples in rows. All numbers are float64: the gaps to an optimum are small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]
    Numbers = NDArray[np.floating[Any]]

BIAS = 10.0
"""The constant feature whose weight, times this, is an SVM's bias: large, so that the penalty on
it hardly counts (the authors' code does the same)."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What one example costs at a score.

    Attributes:
        name: For people.
        value: ``(scores, targets) -> losses``, of any equal shapes.
        slope: Its derivative by the score; at a corner one of the two.
        steepest: The largest second derivative; infinite at a corner.
    """

    name: str
    value: Callable[[Float64, Float64], Float64]
    slope: Callable[[Float64, Float64], Float64]
    steepest: float


def _log(scores: Float64, targets: Float64) -> Float64:
    found: Float64 = np.logaddexp(0.0, -targets * scores)
    return found


def _log_slope(scores: Float64, targets: Float64) -> Float64:
    found: Float64 = -targets * probability(-targets * scores)
    return found


def _hinge(scores: Float64, targets: Float64) -> Float64:
    found: Float64 = np.maximum(0.0, 1.0 - targets * scores)
    return found


def _hinge_slope(scores: Float64, targets: Float64) -> Float64:
    found: Float64 = np.where(targets * scores < 1.0, -targets, 0.0)
    return found


def _squares(scores: Float64, targets: Float64) -> Float64:
    found: Float64 = 0.5 * (scores - targets) ** 2
    return found


def _squares_slope(scores: Float64, targets: Float64) -> Float64:
    found: Float64 = scores - targets
    return found


def probability(scores: Float64) -> Float64:
    """The sigmoid: a softmax of two classes whose logits differ by the score."""
    found: Float64 = np.exp(-np.logaddexp(0.0, -scores))
    return found


LOG = Objective("log loss", _log, _log_slope, 0.25)
"""log(1 + exp(-y s)), y = 1 or -1: the cross-entropy of a softmax over two classes."""

HINGE = Objective("hinge loss", _hinge, _hinge_slope, np.inf)
"""max(0, 1 - y s), y = 1 or -1."""

SQUARES = Objective("least squares", _squares, _squares_slope, 1.0)
"""(s - t)^2 / 2."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`weight` (D, K) and `bias` (K,): x @ weight + bias."""

    weight: Float64
    bias: Float64

    def scores(self, x: Numbers) -> Float64:
        """(n, K) for (n, D)."""
        found: Float64 = np.asarray(x, np.float64) @ self.weight + self.bias
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """penalty / 2 |weight|^2 + sum over examples of cost * loss; the bias has no penalty.

    Attributes:
        objective: The loss.
        x: (n, D), n > 0.
        target: (n, K).
        cost: (n,) of each example.
        penalty: Of the weights, above 0.
    """

    objective: Objective
    x: Float64
    target: Float64
    cost: Float64
    penalty: float

    def value(self, linear: Linear) -> float:
        losses = self.objective.value(linear.scores(self.x), self.target)
        return float(
            0.5 * self.penalty * (linear.weight**2).sum() + (self.cost[:, None] * losses).sum()
        )

    def gradient(self, linear: Linear) -> Linear:
        """By the weights and by the bias, in their shapes."""
        pull = self.cost[:, None] * self.objective.slope(linear.scores(self.x), self.target)
        return Linear(self.penalty * linear.weight + self.x.T @ pull, pull.sum(axis=0))


def descend(problem: Problem) -> Iterator[tuple[Linear, float]]:
    """Nesterov's accelerated gradient from zero, without an end: a solution and its value per step.

    Around the weighted mean of the examples weights and bias do not mix, and each can have the
    largest step that is safe: the inverse of a bound of the second derivative.
    """
    cost, steepest = problem.cost, problem.objective.steepest
    middle = cost @ problem.x / cost.sum()
    around = problem.x - middle
    centered = Problem(problem.objective, around, problem.target, cost, problem.penalty)
    rate = 1.0 / (steepest * _largest_eigenvalue(around, cost) + problem.penalty)
    bias_rate = 1.0 / (steepest * float(cost.sum()))
    shape = (problem.x.shape[1], problem.target.shape[1])
    now = ahead = Linear(np.zeros(shape), np.zeros(shape[1]))
    speed = 1.0
    while True:
        pull = centered.gradient(ahead)
        new = Linear(ahead.weight - rate * pull.weight, ahead.bias - bias_rate * pull.bias)
        faster = (1.0 + (1.0 + 4.0 * speed**2) ** 0.5) / 2.0
        push = (speed - 1.0) / faster
        ahead = Linear(
            new.weight + push * (new.weight - now.weight), new.bias + push * (new.bias - now.bias)
        )
        now, speed = new, faster
        yield Linear(now.weight, now.bias - middle @ now.weight), centered.value(now)


def _largest_eigenvalue(x: Float64, cost: Float64) -> float:
    """Of the (D, D) matrix that sums cost times the products of the examples' features."""
    rows = x * np.sqrt(cost)[:, None]
    small = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    return float(np.linalg.eigvalsh(small)[-1])


def ridge(x: Float64, target: Float64, penalty: float) -> Linear:
    """The minimum of `Problem` with `SQUARES` and equal costs of 1, in closed form (appendix C)."""
    middle, mean = x.mean(axis=0), target.mean(axis=0)
    around = x - middle
    if len(x) < x.shape[1]:  # the same by the smaller of two systems
        small = around @ around.T + penalty * np.eye(len(x))
        weight = around.T @ np.linalg.solve(small, target - mean)
    else:
        large = around.T @ around + penalty * np.eye(x.shape[1])
        weight = np.linalg.solve(large, around.T @ (target - mean))
    return Linear(weight, mean - middle @ weight)


@dataclass(frozen=True, slots=True, eq=False)
class Svm:
    """A linear SVM on its way to the optimum.

    Attributes:
        linear: K = 1.
        value: Of the objective: |weight|^2 / 2 + (bias / BIAS)^2 / 2 + cost * sum of hinge losses.
        gap: To a lower bound of the optimum, the dual's value: 0 at the optimum.
        alpha: (n,) from 0 to the cost: how much each example holds the boundary; 0 = not at all.
    """

    linear: Linear
    value: float
    gap: float
    alpha: Float64


def dual_descent(
    x: Float64, target: Float64, cost: float, rng: np.random.Generator
) -> Iterator[Svm]:
    """The SVM after every pass over the examples, without an end.

    Dual coordinate descent (Hsieh et al. 2008, algorithm 1): one example after the other, in a
    random order, gets the alpha that is the best while the others stay.

    Args:
        x: (n, D).
        target: (n,), 1 or -1.
        cost: C, above 0.
        rng: For the order.
    """
    rows = np.concatenate([x, np.full((len(x), 1), BIAS)], axis=1)
    curvature = (rows**2).sum(axis=1)
    alpha, weight = np.zeros(len(x)), np.zeros(rows.shape[1])
    while True:
        for k in rng.permutation(len(x)).tolist():
            slope = target[k] * (rows[k] @ weight) - 1.0
            better = min(max(alpha[k] - slope / curvature[k], 0.0), cost)
            if better != alpha[k]:
                weight += (better - alpha[k]) * target[k] * rows[k]
                alpha[k] = better
        half = 0.5 * float(weight @ weight)
        value = half + cost * float(HINGE.value(rows @ weight, target).sum())
        linear = Linear(weight[:-1, None].copy(), BIAS * weight[-1:])
        yield Svm(linear, value, value - (float(alpha.sum()) - half), alpha.copy())
