"""The trials of a search: where they are, and what each gave."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.networks.devices import AUTO, resolve
from explorer.training.small.learner import Learner, diverged, scored, tensors_of
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
    from collections.abc import Callable, Generator

    from explorer.training.small.data_set import DataSet
    from explorer.training.small.recipe import Recipe

GRID, RANDOM = "grid", "random"


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting and where it is searched; `put` sets it in a recipe."""

    low: float
    high: float
    put: Callable[[Recipe, float], Recipe]
    log: bool = True
    whole: bool = False

    def at(self, part: float) -> float:
        """The value at `part` of the axis, from 0 to 1."""
        if self.log:
            value = exp(log(self.low) + part * (log(self.high) - log(self.low)))
        else:
            value = self.low + part * (self.high - self.low)
        return float(round(value)) if self.whole else value


AXES: dict[str, Axis] = {
    "learning rate": Axis(0.001, 1.0, lambda recipe, value: replace(recipe, rate=value)),
    "weight decay": Axis(0.00001, 0.1, lambda recipe, value: replace(recipe, decay=value)),
    "batch size": Axis(4, 128, lambda recipe, value: replace(recipe, batch=int(value)), whole=True),
    "channels": Axis(
        4, 32, lambda recipe, value: replace(recipe, width=int(value)), log=False, whole=True
    ),
    "layers": Axis(
        2, 14, lambda recipe, value: replace(recipe, layers=int(value)), log=False, whole=True
    ),
    "keep (dropout)": Axis(0.2, 1.0, lambda recipe, value: replace(recipe, keep=value), log=False),
    "clipping by norm": Axis(
        0.01, 10.0, lambda recipe, value: replace(recipe, clipping="by norm", limit=value)
    ),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting.

    Attributes:
        method: `GRID` or `RANDOM`.
        place: (x, y) in parts of the axes, from 0 to 1.
        values: (x, y) of the settings.
        blocks: Accuracy on each validation block that was used.
        diverged: The loss was not finite.
    """

    method: str
    place: tuple[float, float]
    values: tuple[float, float]
    blocks: tuple[float, ...] = ()
    diverged: bool = False

    @property
    def accuracy(self) -> float:
        """The mean over the blocks."""
        return float(np.mean(self.blocks))

    @property
    def spread(self) -> float:
        """The standard deviation over the blocks; NaN of one."""
        return float(np.std(self.blocks, ddof=1)) if len(self.blocks) > 1 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        words: About the data.
        axes: Names of x and y.
        chance: Accuracy of a constant prediction.
        trials: Done, in their order.
        planned: All of them.
        running: The one at work.
        test: Accuracy on the test pictures of the best setting, at the end.
        notes: Sentences that must not be missed.
    """

    words: str
    axes: tuple[str, str]
    chance: float = 0.0
    trials: tuple[Trial, ...] = ()
    planned: tuple[Trial, ...] = ()
    running: Trial | None = None
    test: float | None = None
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def best(self) -> Trial | None:
        """The one with the highest accuracy, the earlier one of equals."""
        return max(self.trials, key=lambda trial: trial.accuracy, default=None)


def planned(
    methods: tuple[str, ...], side: int, axes: tuple[str, str], seed: int
) -> tuple[Trial, ...]:
    """`side` x `side` trials of each method, in turns, in random order.

    A grid's trials are in the middles of its cells, random ones anywhere.
    """
    random = np.random.default_rng([seed, side])
    order = random.permutation(side * side)
    cells = [((cell % side + 0.5) / side, (cell // side + 0.5) / side) for cell in order.tolist()]
    anywhere = [(float(x), float(y)) for x, y in random.uniform(0, 1, (side * side, 2))]
    found = []
    for cell, free in zip(cells, anywhere, strict=True):
        for method, place in ((GRID, cell), (RANDOM, free)):
            if method in methods:
                values = AXES[axes[0]].at(place[0]), AXES[axes[1]].at(place[1])
                found.append(Trial(method, place, values))
    return tuple(found)


class Search:
    """Lives on the runner's thread.

    Args:
        data: Its test part is used once, at the end.
        recipe: What is not searched.
        seed: Of the places and of every training.
        axes: Names in `AXES`.
        trials: See `planned`.
        blocks: On how many validation blocks each setting is measured, each with a training.
    """

    def __init__(
        self,
        data: DataSet,
        recipe: Recipe,
        seed: int,
        axes: tuple[str, str],
        trials: tuple[Trial, ...],
        blocks: int,
    ) -> None:
        self._data, self._recipe, self._seed = data, recipe, seed
        self._axes, self._planned, self._blocks = axes, trials, blocks
        self._device = resolve(AUTO)
        self._done: list[Trial] = []
        counts = np.bincount(data.development.labels, minlength=len(data.classes))
        self._chance = float(counts.max() / counts.sum())
        self._test: float | None = None
        self._blocks_done: tuple[float, ...] = ()
        self._lost = False
        self._learner: Learner | None = None
        self._kept = Kept(
            "searches", recipe=recipe.plain(), seed=seed, axes=axes, blocks=blocks,
            data=data.digest(), trials=[[t.method, *t.place] for t in trials],
        )  # fmt: skip

    def run(self) -> Generator[Step[Result], None, None]:
        """Every setting; a search that was left goes on from what was kept of it."""
        yield from keeping(self._searched(), self.keep)

    def forget(self) -> None:
        """What was kept of it.

        Raises:
            ExplorerError: There is none; it cannot be removed.
        """
        self._kept.forget()

    def _searched(self) -> Generator[Step[Result], None, None]:
        self._restore()
        each = self._recipe.steps * self._blocks
        total = each * len(self._planned) + self._recipe.steps
        for number, trial in enumerate(self._planned):
            if number < len(self._done):
                continue
            note = f"trial {number + 1} of {len(self._planned)}"
            for step in self._training(trial):
                done = number * each + len(self._blocks_done) * self._recipe.steps + step
                yield Step(self._result(trial), done, total, note)
            self._done.append(replace(trial, blocks=self._blocks_done, diverged=self._lost))
            self._blocks_done, self._lost = (), False
            yield Step(self._result(None), (number + 1) * each, total, note)
        yield from self._tested(total)

    def _training(self, trial: Trial) -> Generator[int, None, None]:
        """Trains and measures on every block that is not done; yields the step in a training."""
        recipe = self._recipe_of(trial)
        for block in range(len(self._blocks_done), self._blocks):
            learner = self._learner or self._begun(recipe, block)
            self._learner, lost = learner, False
            while learner.step < recipe.steps and not lost:
                lost = diverged(learner.train_step())
                if not lost:
                    yield learner.step
            self._blocks_done = (*self._blocks_done, 0.0 if lost else learner.score().accuracy)
            self._lost = self._lost or lost
            self._learner = None

    def _begun(self, recipe: Recipe, block: int = 0) -> Learner:
        return Learner(self._data, recipe, self._seed, block=block, device=self._device)

    def _recipe_of(self, trial: Trial) -> Recipe:
        recipe = self._recipe
        for name, value in zip(self._axes, trial.values, strict=True):
            recipe = AXES[name].put(recipe, value)
        return recipe

    def _tested(self, total: int) -> Generator[Step[Result], None, None]:
        """The best setting once more, on the test part."""
        best = self._result(None).best
        if best is not None and not best.diverged and self._test is None:
            learner = self._learner = self._learner or self._begun(self._recipe_of(best))
            while learner.step < learner.recipe.steps:
                learner.train_step()
                done = total - learner.recipe.steps + learner.step
                yield Step(self._result(best), done, total, "the best setting is tested")
            test = tensors_of(self._data.test, self._device)
            self._test = scored(learner.network, *test).accuracy
            self._learner = None
        yield Step(self._result(None), total, total)

    def _result(self, running: Trial | None) -> Result:
        return Result(
            described(self._data), self._axes, self._chance, tuple(self._done), self._planned,
            running, self._test, self._data.problems,
        )  # fmt: skip

    # -- stopping and going on ------------------------------------------------------------------

    def keep(self) -> None:
        """Writes everything that the next step depends on."""
        content: dict[str, Any] = {
            "trials": [[list(trial.blocks), trial.diverged] for trial in self._done],
            "blocks": list(self._blocks_done), "lost": self._lost, "test": self._test, "step": -1,
        }  # fmt: skip
        arrays: dict[str, Any] = {}
        if self._learner is not None:
            content["step"] = self._learner.step
            arrays = dict(arrays_of(self._learner.state(), "learner."))
        self._kept.write(Checkpoint(content, arrays))

    def _restore(self) -> None:
        found = self._kept.read()
        if found is None:
            return
        content = found.content
        try:
            for trial, (blocks, lost) in zip(self._planned, content["trials"], strict=False):
                measured = tuple(map(float, blocks))
                self._done.append(replace(trial, blocks=measured, diverged=bool(lost)))
            self._blocks_done = tuple(map(float, content["blocks"]))
            self._lost, self._test = bool(content["lost"]), content["test"]
            if (step := int(content["step"])) >= 0:
                best = self._result(None).best
                over = len(self._done) == len(self._planned) and best is not None
                trial = best if over and best is not None else self._planned[len(self._done)]
                self._learner = self._begun(self._recipe_of(trial), len(self._blocks_done))
                self._learner.restore(restored_tensors(found.arrays, "learner."), step)
        except MISFITS as error:
            raise misfit(error) from error
