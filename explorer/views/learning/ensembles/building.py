"""The members are trained one after another; after each the ensembles are measured again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.networks.devices import AUTO, resolve
from explorer.training.small.averaging import averaged, voted, with_mean_weights
from explorer.training.small.learner import Learner, refresh_norms, scored, tensors_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.keeping import (
    MISFITS,
    Kept,
    arrays_of,
    keeping,
    misfit,
    restored_tensors,
)
from explorer.views.shared.learning.source import described

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

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
        self._kept = Kept(
            "ensembles", recipe=recipe.plain(), seed=seed, data=data.digest(), members=members,
            snapshots=snapshots, share=share,
        )  # fmt: skip
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
        self._learner: Learner | None = None
        self._done = 0

    def run(self) -> Generator[Step[Result], None, None]:
        """Every member; a training that was left goes on from what was kept of it."""
        yield from keeping(self._trained(), self.keep)

    def forget(self) -> None:
        """What was kept of it.

        Raises:
            ExplorerError: There is none; it cannot be removed.
        """
        self._kept.forget()

    def _trained(self) -> Generator[Step[Result], None, None]:
        steps, total = self._recipe.steps, self._recipe.steps * self._members
        self._restore()
        if self._done:
            yield Step(self._result(), self._done, total)
        for turn in range(self._done, total):
            member, number = turn // steps, turn % steps + 1
            if self._learner is None or number == 1:
                self._learner = self._begun(member)
                self._losses.append([])
            learner = self._learner
            self._losses[-1].append(learner.train_step().loss)
            if member == 0 and number in self._places:
                self._snap(learner)
            if number == steps:
                self._own.append(self._probabilities(learner.network))
                self._grow(TRUE_AVERAGE, averaged(self._own))
                self._grow(TRUE_VOTE, voted(self._own))
            self._done = turn + 1
            note = f"network {member + 1} of {self._members}"
            yield Step(self._result(), self._done, total, note)

    def _begun(self, member: int) -> Learner:
        return Learner(self._data, self._recipe, self._seed + member, device=self._device)

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

    # -- stopping and going on ------------------------------------------------------------------

    def keep(self) -> None:
        """Writes everything that the next step depends on."""
        arrays: dict[str, Any] = {"weights": np.zeros(0, bool)}
        if self._weights is not None:
            arrays["weights"] = self._weights
        if self._learner is not None:
            arrays.update(arrays_of(self._learner.state(), "learner."))
        for place, state in enumerate(self._states):
            arrays.update(arrays_of({k: v.cpu() for k, v in state.items()}, f"state.{place}."))
        for name, members in (("own", self._own), ("snapped", self._snapped)):
            arrays.update({f"{name}.{place}": each for place, each in enumerate(members)})
        content = {
            "done": self._done, "losses": self._losses, "growth": self._growth,
            "own": len(self._own), "snapped": len(self._snapped),
        }  # fmt: skip
        self._kept.write(Checkpoint(content, arrays))

    def _restore(self) -> None:
        found = self._kept.read()
        if found is None:
            return
        arrays, content, steps = found.arrays, found.content, self._recipe.steps
        try:
            done = int(content["done"])
            member = max(0, done - 1) // steps
            self._learner = self._begun(member)
            self._learner.restore(restored_tensors(arrays, "learner."), done - member * steps)
            self._own = [arrays[f"own.{place}"] for place in range(content["own"])]
            self._snapped = [arrays[f"snapped.{place}"] for place in range(content["snapped"])]
            self._states = [
                {k: v.to(self._device) for k, v in restored_tensors(arrays, f"state.{n}.").items()}
                for n in range(content["snapped"])
            ]
            self._weights = arrays["weights"] if len(arrays["weights"]) else None
            self._losses = [list(map(float, losses)) for losses in content["losses"]]
            self._growth = {
                str(name): [(int(x), float(y)) for x, y in points]
                for name, points in content["growth"].items()
            }
            self._done = done
        except MISFITS as error:
            raise misfit(error) from error

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
