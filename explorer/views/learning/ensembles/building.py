"""The members are trained one after another; after each the ensembles are measured again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.step import Step
from explorer.networks.devices import AUTO, resolve
from explorer.training.small.averaging import averaged, voted, with_mean_weights
from explorer.training.small.learner import Learner, refresh_norms, scored, tensors_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.source import described

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.core.layers import UInt8
    from explorer.training.small.data_set import DataSet
    from explorer.training.small.recipe import Recipe

SHOWN = 20
TRUE_AVERAGE, TRUE_VOTE = "ensemble: average", "ensemble: vote"
SNAP_AVERAGE, SNAP_VOTE = "snapshots: average", "snapshots: vote"
SNAP_WEIGHTS = "snapshots: mean weights"
SINGLE = "single network"
DECK = {
    SINGLE: 0.837, TRUE_AVERAGE: 0.855, TRUE_VOTE: 0.851, SNAP_AVERAGE: 0.865, SNAP_VOTE: 0.861,
    SNAP_WEIGHTS: 0.864,
}  # fmt: skip
"""VGGNet on CIFAR-10, 10 epochs, 10 networks, 25 snapshots: Canny 2018, lecture 8, slide 7."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One way to predict.

    Attributes:
        name: A key of `DECK`.
        members: Networks or snapshots in it.
        right: (N,) bool, of the test pictures.
    """

    name: str
    members: int
    right: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        words: About the data.
        classes: Names.
        rows: The first is the single network, as soon as it is trained.
        losses: Of every member so far, (N,) float64 each.
        growth: By row's name: (M, 2) float64 members and test accuracy.
        singles: (k,) float64 test accuracies of the members.
        given: (k, n) int64 what members predict for the pictures that are shown.
        pictures: (n, h, w, 3) uint8 of the test part, those the members disagree about first.
        labels: (n,) int64.
        answers: (n,) int64 the average of the ensemble.
        notes: Sentences that must not be missed.
    """

    words: str
    classes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    losses: tuple[NDArray[np.float64], ...] = ()
    growth: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    singles: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    given: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    pictures: UInt8 | None = None
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    answers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


class Building:
    """Lives on the runner's thread.

    Args:
        data: Members are trained on all of its training part, and measured on its test part.
        recipe: Of every member.
        seed: Member k has the seed `seed` + k.
        members: Networks in the true ensemble.
        snapshots: Of the first network's training.
        share: The part of the training after which the first snapshot is taken.
    """

    def __init__(
        self,
        data: DataSet,
        recipe: Recipe,
        seed: int,
        *,
        members: int,
        snapshots: int,
        share: float,
    ) -> None:
        self._data, self._recipe, self._seed = data, recipe, seed
        self._members = members
        self._device = resolve(AUTO)
        self._test = tensors_of(data.test, self._device)
        self._labels = data.test.labels
        first = recipe.steps * share
        places = np.linspace(first, recipe.steps, snapshots + 1)[1:] if snapshots else np.zeros(0)
        self._places = {int(place) for place in places.round() if place >= 1}
        self._states: list[dict[str, Tensor]] = []
        self._own: list[NDArray[np.float32]] = []  # of the members
        self._snapped: list[NDArray[np.float32]] = []
        self._weights: NDArray[np.bool_] | None = None
        self._losses: list[list[float]] = []
        self._growth: dict[str, list[tuple[int, float]]] = {}

    def run(self) -> Generator[Step[Result], None, None]:
        steps, total = self._recipe.steps, self._recipe.steps * self._members
        for member in range(self._members):
            learner = Learner(self._data, self._recipe, self._seed + member, device=self._device)
            self._losses.append([])
            for number in range(1, steps + 1):
                self._losses[-1].append(learner.train_step().loss)
                if member == 0 and number in self._places:
                    self._snap(learner)
                if number == steps:
                    self._own.append(self._probabilities(learner.network))
                    self._grow(TRUE_AVERAGE, averaged(self._own))
                    self._grow(TRUE_VOTE, voted(self._own))
                note = f"network {member + 1} of {self._members}, step {number} of {steps}"
                yield Step(self._result(), member * steps + number, total, note)

    def _probabilities(self, network: nn.Module) -> NDArray[np.float32]:
        return scored(network, *self._test).probabilities

    def _snap(self, learner: Learner) -> None:
        """The network as it is, and all snapshots so far as one."""
        network = learner.network
        state = network.state_dict()
        self._states.append({name: value.detach().clone() for name, value in state.items()})
        self._snapped.append(self._probabilities(network))
        mean = with_mean_weights(network, self._states)
        train, _ = self._data.split(0)
        if self._recipe.norm:
            refresh_norms(mean, tensors_of(train, self._device)[0])
        self._weights = self._probabilities(mean).argmax(axis=1) == self._labels
        self._grow(SNAP_AVERAGE, averaged(self._snapped))
        self._grow(SNAP_VOTE, voted(self._snapped))
        self._growth.setdefault(SNAP_WEIGHTS, []).append(
            (len(self._states), float(self._weights.mean()))
        )

    def _grow(self, name: str, given: NDArray[np.int64]) -> None:
        points = self._growth.setdefault(name, [])
        points.append((len(points) + 1, float((given == self._labels).mean())))

    def _rows(self) -> tuple[Row, ...]:
        rows = []
        if self._own:
            rows.append(self._row(SINGLE, self._own[:1], self._own[0].argmax(axis=1)))
        if len(self._own) > 1:
            rows.append(self._row(TRUE_AVERAGE, self._own, averaged(self._own)))
            rows.append(self._row(TRUE_VOTE, self._own, voted(self._own)))
        if self._own and self._snapped and self._weights is not None:
            rows.append(self._row(SNAP_AVERAGE, self._snapped, averaged(self._snapped)))
            rows.append(self._row(SNAP_VOTE, self._snapped, voted(self._snapped)))
            rows.append(Row(SNAP_WEIGHTS, len(self._states), self._weights))
        return tuple(rows)

    def _row(self, name: str, members: list[NDArray[np.float32]], given: NDArray[np.int64]) -> Row:
        return Row(name, len(members), given == self._labels)

    def _result(self) -> Result:
        shown = self._own or self._snapped[-1:]
        given = np.array([each.argmax(axis=1) for each in shown], np.int64)
        pictures, labels, answers = None, self._labels[:0], self._labels[:0]
        if len(given):
            mean = averaged(shown)
            disagreement = (given != mean).sum(axis=0)
            chosen = np.argsort(-disagreement, kind="stable")[:SHOWN]
            pictures, labels = self._data.test.pictures[chosen], self._labels[chosen]
            given, answers = given[:, chosen], mean[chosen]
        return Result(
            described(self._data), self._data.classes, self._rows(),
            tuple(np.array(each) for each in self._losses),
            {name: np.array(points, np.float64) for name, points in self._growth.items()},
            np.array([(own.argmax(axis=1) == self._labels).mean() for own in self._own]),
            given, pictures, labels, answers, self._data.problems,
        )  # fmt: skip
