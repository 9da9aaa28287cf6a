"""The three fits on the regions of a photo, pass by pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.views.detection.rcnn_training.samples import HINGE, LOG, SQUARES
from explorer.vision.detection.boxes import clip, decode
from explorer.vision.pipelines import objectives
from explorer.vision.pipelines.objectives import Linear, Problem, descend, dual_descent, ridge
from explorer.vision.pipelines.region_roles import NEGATIVE_ROLE, POSITIVE_ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from explorer.views.detection.rcnn_training.samples import Samples

    Numbers = NDArray[np.floating[Any]]

DECAY = 0.0005
"""Penalty of the log loss: the weight decay of the authors' fine-tuning."""

SHARES = {POSITIVE_ROLE: 0.25, NEGATIVE_ROLE: 0.75}
"""Of a batch of the fine-tuning: 32 positives and 96 background regions of 128."""

FLAT = 0.01
"""A region takes part in the gradient while the slope of its loss is larger."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One objective after a pass over its regions.

    Attributes:
        output: For all N regions: probabilities (N,), margins (N,), or refined boxes (N, 4).
        value: Of the objective.
        active: Regions that still take part in the gradient; of the SVM its support vectors.
        gap: To the optimum, at most; None = not known.
    """

    output: Numbers
    value: float
    active: int
    gap: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """All of them after `passes` passes; an objective without examples is not among them.

    `losses` has the value of each before the first pass, at weights of zero, and after each.
    """

    passes: int
    states: dict[str, State]
    losses: dict[str, NDArray[np.float64]]


def fits(
    samples: Samples, *, cost: float, alpha: float, passes: int, every: int,
    size: tuple[int, int], seed: int,
) -> Iterator[Fit]:  # fmt: skip
    """A `Fit` after every so many passes, and after the last one.

    Args:
        samples: The regions.
        cost: C of the SVM.
        alpha: The penalty of the ridge regression.
        passes: In all.
        every: Passes between two of the results.
        size: Height and width of the photo.
        seed: For the order in which the SVM's fit goes through its regions.
    """
    running = {
        LOG: log_states(samples),
        HINGE: svm_states(samples, cost, np.random.default_rng(seed)),
        SQUARES: regressor_states(samples, alpha, size),
    }
    lacking = {name for name in running if lack(samples, name)}
    states = {name: next(found) for name, found in running.items() if name not in lacking}
    losses = {name: [state.value] for name, state in states.items()}
    for done in range(1, passes + 1):
        for name in states:
            states[name] = next(running[name])
            losses[name].append(states[name].value)
        if done % every == 0 or done == passes:
            yield Fit(done, dict(states), {name: np.array(v) for name, v in losses.items()})


def lack(samples: Samples, objective: str) -> str:
    """What an objective has no region of; "" where it has all that it takes."""
    if not len(samples.rows(objective, POSITIVE_ROLE)):
        return "positive"
    if objective != SQUARES and not len(samples.rows(objective, NEGATIVE_ROLE)):
        return "negative"
    return ""


def log_states(samples: Samples) -> Iterator[State]:
    """The last layer of the fine-tuning, on features that stay as they are."""
    roles = samples.roles[LOG]
    cost = sum(part * (roles == k) / max((roles == k).sum(), 1) for k, part in SHARES.items())
    x, y = samples.vectors.astype(np.float64), roles.astype(np.float64)[:, None]
    problem = Problem(objectives.LOG, x, y, np.asarray(cost, np.float64), DECAY)

    def state(linear: Linear, value: float) -> State:
        scores = linear.scores(x)
        active = int((np.abs(problem.objective.slope(scores, y)) > FLAT).sum())
        return State(objectives.probability(scores[:, 0]), value, active)

    return _states(problem, state)


def _states(problem: Problem, state: Callable[[Linear, float], State]) -> Iterator[State]:
    """Of an accelerated gradient descent, from weights of zero on."""
    shape = (problem.x.shape[1], problem.target.shape[1])
    nothing = Linear(np.zeros(shape), np.zeros(shape[1]))
    yield state(nothing, problem.value(nothing))
    for linear, value in descend(problem):
        yield state(linear, value)


def svm_states(samples: Samples, cost: float, rng: np.random.Generator) -> Iterator[State]:
    """A linear SVM of the objects' own boxes against regions that are clearly none."""
    rows = np.flatnonzero(samples.roles[HINGE])
    x, y = samples.vectors[rows].astype(np.float64), samples.roles[HINGE][rows].astype(np.float64)
    yield State(np.zeros(len(samples.boxes)), cost * len(rows), len(rows))
    for svm in dual_descent(x, y, cost, rng):
        margins = svm.linear.scores(samples.vectors)[:, 0]
        yield State(margins, svm.value, int((svm.alpha > 0).sum()), svm.gap)


def regressor_states(samples: Samples, alpha: float, size: tuple[int, int]) -> Iterator[State]:
    """A ridge regression of tx, ty, tw, th of the regions near an object."""
    rows = samples.rows(SQUARES, POSITIVE_ROLE)
    x, targets = samples.maps[rows].astype(np.float64), samples.targets(rows).astype(np.float64)
    problem = Problem(objectives.SQUARES, x, targets, np.ones(len(rows)), alpha)
    optimum = problem.value(ridge(x, targets, alpha))

    def state(linear: Linear, value: float) -> State:
        slopes = problem.objective.slope(linear.scores(x), targets)
        active = int((np.abs(slopes) > FLAT).any(axis=1).sum())
        moves = linear.scores(samples.maps).astype(np.float32)
        moved = clip(decode(moves, samples.boxes), size)
        return State(moved, value, active, value - optimum)

    return _states(problem, state)
