"""The objectives against autograd, their minima against scikit-learn."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from torch.nn import functional

from explorer.vision.pipelines.objectives import (
    BIAS,
    HINGE,
    LOG,
    SQUARES,
    Linear,
    Problem,
    descend,
    dual_descent,
    probability,
    ridge,
)

RNG = np.random.default_rng(5)
N, D = 40, 60
X = RNG.normal(0.4, 1.0, (N, D))
Y = np.where(np.arange(N) < 6, 1.0, -1.0)
MOVES = RNG.normal(0, 0.2, (N, 4))


def last(steps, count: int):
    *_, found = islice(steps, count)
    return found


def autograd(objective, problem: Problem, linear: Linear) -> tuple[float, Linear]:
    """The objective in torch's own functions."""
    weight, bias, x, target = (
        torch.from_numpy(array).clone()
        for array in (linear.weight, linear.bias, problem.x, problem.target)
    )
    weight.requires_grad_()
    bias.requires_grad_()
    scores = x @ weight + bias
    losses = {
        "log loss": lambda: functional.binary_cross_entropy_with_logits(
            scores, (target + 1) / 2, reduction="none"
        ),
        "hinge loss": lambda: functional.relu(1 - target * scores),
        "least squares": lambda: functional.mse_loss(scores, target, reduction="none") / 2,
    }[objective.name]()
    cost = torch.from_numpy(problem.cost)[:, None]
    value = problem.penalty / 2 * weight.square().sum() + (cost * losses).sum()
    value.backward()
    assert weight.grad is not None
    assert bias.grad is not None
    return value.item(), Linear(weight.grad.numpy(), bias.grad.numpy())


@pytest.mark.parametrize("objective", [LOG, HINGE, SQUARES], ids=lambda o: o.name)
def test_values_and_gradients_are_those_of_autograd(objective) -> None:
    target = MOVES if objective is SQUARES else Y[:, None]
    problem = Problem(objective, X, target, RNG.uniform(0.1, 2, N), 0.7)
    linear = Linear(RNG.normal(0, 0.2, (D, target.shape[1])), RNG.normal(size=target.shape[1]))
    value, gradient = autograd(objective, problem, linear)
    assert problem.value(linear) == pytest.approx(value, rel=1e-12)
    own = problem.gradient(linear)
    np.testing.assert_allclose(own.weight, gradient.weight, atol=1e-10)
    np.testing.assert_allclose(own.bias, gradient.bias, atol=1e-10)


def test_losses_by_hand() -> None:
    scores, yes = np.array([0.0, 1.0, 3.0, -1.0]), np.ones(4)
    assert HINGE.value(scores, yes).tolist() == [1, 0, 0, 2]
    assert HINGE.slope(scores, yes).tolist() == [-1, 0, 0, -1]
    assert SQUARES.value(scores, yes).tolist() == [0.5, 0, 2, 2]
    assert LOG.value(scores, yes)[0] == pytest.approx(np.log(2))
    assert LOG.slope(scores, -yes)[0] == pytest.approx(0.5)
    assert np.isfinite(LOG.value(np.array([-1e4]), np.array([1.0]))).all()
    assert probability(np.array([0.0, -1e4, 1e4])).tolist() == [0.5, 0, 1]


def test_the_svm_is_that_of_liblinear() -> None:
    cost = 0.05
    svm = last(dual_descent(X, Y, cost, np.random.default_rng(0)), 400)
    other = LinearSVC(
        loss="hinge", C=cost, dual=True, intercept_scaling=BIAS, tol=1e-10, max_iter=100_000,
        random_state=0,
    ).fit(X, Y)  # fmt: skip
    np.testing.assert_allclose(svm.linear.weight[:, 0], other.coef_[0], atol=1e-5)
    np.testing.assert_allclose(svm.linear.bias, other.intercept_, atol=1e-5)
    assert 0 <= svm.gap < 1e-7
    margins = Y * svm.linear.scores(X)[:, 0]
    assert svm.alpha.min() >= 0
    assert svm.alpha.max() <= cost
    assert (margins[svm.alpha == 0] > 1 - 1e-6).all(), "what is beyond its margin has no part"
    assert (margins[svm.alpha == cost] < 1 + 1e-6).all()
    sum_of_supports = (svm.alpha * Y) @ X
    np.testing.assert_allclose(svm.linear.weight[:, 0], sum_of_supports, atol=1e-9)


def test_the_gap_bounds_what_is_missing_on_every_pass() -> None:
    passes = list(islice(dual_descent(X, Y, 0.05, np.random.default_rng(1)), 300))
    best = passes[-1].value
    for svm in passes[:20]:
        assert svm.value - best <= svm.gap + 1e-9
    assert passes[0].gap > 10 * passes[20].gap


def test_the_log_loss_reaches_the_minimum_of_scikit_learn() -> None:
    cost = np.where(Y > 0, 0.25 / 6, 0.75 / 34)
    problem = Problem(LOG, X, Y[:, None], cost, 0.01)
    linear, value = last(descend(problem), 2000)
    other = LogisticRegression(C=1 / 0.01, tol=1e-10, max_iter=10_000).fit(X, Y, sample_weight=cost)
    theirs = Linear(other.coef_.T, other.intercept_)
    assert value == pytest.approx(problem.value(theirs), rel=1e-6)
    np.testing.assert_allclose(linear.weight, theirs.weight, atol=1e-3)
    assert problem.value(linear) == pytest.approx(value)


@pytest.mark.parametrize("rows", [12, N * 3])
def test_ridge_in_closed_form_is_that_of_scikit_learn(rows: int) -> None:
    x, t = RNG.normal(1, 1, (rows, D)), RNG.normal(0, 0.2, (rows, 4))
    own, other = ridge(x, t, 30.0), Ridge(30.0).fit(x, t)
    np.testing.assert_allclose(own.weight, other.coef_.T, atol=1e-9)
    np.testing.assert_allclose(own.bias, other.intercept_, atol=1e-9)


def test_least_squares_descend_to_the_closed_form() -> None:
    problem = Problem(SQUARES, X, MOVES, np.ones(N), 30.0)
    linear, value = last(descend(problem), 300)
    exact = ridge(X, MOVES, 30.0)
    assert value == pytest.approx(problem.value(exact), rel=1e-9)
    np.testing.assert_allclose(linear.weight, exact.weight, atol=1e-6)
    np.testing.assert_allclose(linear.bias, exact.bias, atol=1e-6)
