"""A run, step by step: trained, looked into, kept, resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.networks.devices import AUTO, resolve
from explorer.networks.embedded.small_net import SmallNet, frozen
from explorer.networks.made import NewNetwork
from explorer.networks.preprocess import Preprocess
from explorer.networks.shipped import SMALL_PLAIN, SMALL_RESIDUAL
from explorer.training.small.data_set import SIDE
from explorer.training.small.history import History
from explorer.training.small.learner import Learner, diverged
from explorer.training.small.runs import RUNS, Changed, Run, tensors
from explorer.views.learning.training_lab.params import recipe_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.keeping import keeping
from explorer.views.shared.learning.source import described, reading

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.engine.scene import Scene
    from explorer.training.small.data_set import DataSet
    from explorer.training.small.history import Moment
    from explorer.training.small.recipe import Recipe
    from explorer.views.learning.training_lab.params import Params

SHOWN = 20
"""Validation pictures whose predictions are drawn."""
MOST_KEPT = 40
"""Runs; older ones are deleted."""
_LIVE = "training lab"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        words: About the data.
        classes: Names.
        recipe: Of the next step.
        step: How many are done.
        taken: (N, 4) float64 loss, accuracy, gradient norm, learning rate of every step.
        moments: Looks inside, the earliest first; empty while the data are read.
        pictures: (n, h, w, 3) uint8 of the validation block.
        labels: (n,) their classes.
        given: (n,) predicted at the last look.
        changes: Of the settings, on the way.
        others: Kept runs on the same data, the newest first.
        name: Under which it is kept; "" = not yet.
        notes: Sentences that must not be missed.
    """

    words: str
    classes: tuple[str, ...]
    recipe: Recipe
    step: int = 0
    taken: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    moments: tuple[Moment, ...] = ()
    pictures: UInt8 | None = None
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    given: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    changes: tuple[Changed, ...] = ()
    others: tuple[Run[Recipe], ...] = ()
    name: str = ""
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))


def steps(scene: Scene, params: Params) -> Generator[Step[Result], Params | None, None]:
    """The whole of it.

    Raises:
        ExplorerError: There is nothing to train with, or the run cannot be opened.
    """
    given, recipe = None, recipe_of(params)
    if params.run is not None:
        given = RUNS.read(Path(params.run.path))
        recipe = given.recipe
    opening: Generator[Step[Result], Params | None, tuple[DataSet, Params | None]]
    opening = reading(scene, params.data, Result("", (), recipe))
    data, newest = yield from opening
    if newest is not None and given is None:
        params, recipe = newest, recipe_of(newest)
    course = Course(data, recipe, scene.seed)
    _memo(scene)[_LIVE] = course
    if given is not None and params.run is not None:
        course.replay(given, Path(params.run.path))
    else:
        course.resume()
    yield from course.run()


class Course:
    """Lives on the runner's thread."""

    def __init__(self, data: DataSet, recipe: Recipe, seed: int) -> None:
        self._data, self._digest, self._seed = data, data.digest(), seed
        self._recipe = recipe
        self._history = History()
        self._learner: Learner | None = None
        self._changes: tuple[Changed, ...] = ()
        self._name = self._ended = ""
        self._saved = 0
        self._notes = data.problems
        _, validation = data.split(0)
        rows = np.linspace(0, len(validation) - 1, min(SHOWN, len(validation))).astype(np.int64)
        self._rows, self._shown = rows, validation.rows(rows)
        self._given = np.zeros(len(rows), np.int64)
        self._others: tuple[Run[Recipe], ...] = ()

    # -- beginning ------------------------------------------------------------------------------

    def resume(self) -> None:
        """Goes on with the kept run that has these settings, else begins a new one."""
        found, self._others = RUNS.of_data(self._recipe, self._seed, self._digest)
        self._learner = Learner(self._data, self._recipe, self._seed, device=resolve(AUTO))
        if found is not None:
            try:
                self._restore(found, RUNS.folder() / found.name)
            except ExplorerError as error:
                self._notes = (*self._notes, f"{error.message} A new run was started.")

    def replay(self, run: Run[Recipe], place: Path) -> None:
        """Shows the run of a folder; it goes on where the data are those it was trained on.

        Raises:
            ExplorerError: It cannot be read.
        """
        kept = [each for each in RUNS.listed() if each.digest == run.digest]
        self._others = tuple(each for each in kept if each.name != run.name)
        if run.digest == self._digest:
            self._learner = Learner(self._data, run.recipe, run.seed, device=resolve(AUTO))
            self._seed = run.seed
        else:
            words = f"This run was trained on other data ({run.data}): it is only shown."
            self._notes = (*self._notes, words)
        self._restore(run, place)
        if place.parent.resolve() != RUNS.folder().resolve():
            self._name = ""  # what it goes on with is a run of one's own

    def _restore(self, run: Run[Recipe], place: Path) -> None:
        kept = tensors(place)
        try:
            self._history = History.restored(kept)
            if self._learner is not None:
                self._learner.restore(kept, run.step)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ExplorerError(
                f"The run in {place} does not fit its settings.", "Delete its folder."
            ) from error
        self._name, self._changes, self._ended = run.name, run.changes, run.ended
        self._saved = run.step
        self._predict()

    # -- running --------------------------------------------------------------------------------

    def run(self) -> Generator[Step[Result], Params | None, None]:
        learner = self._learner
        if learner is None:
            step = self._history.moments[-1].step if self._history.moments else 0
            yield Step(self._result(step), 1, 1)
            return
        yield from keeping(self._trained(learner), lambda: self._keep(learner))

    def _trained(self, learner: Learner) -> Generator[Step[Result], Params | None, None]:
        while True:
            done = learner.step >= self._recipe.steps or bool(self._ended)
            if self._history.due(learner.step, self._recipe.steps) and not self._ended:
                self._look(learner)
            if done:
                self._keep(learner)  # now, so that the last result says its name
            total = max(self._recipe.steps, learner.step)
            news = yield Step(
                self._result(learner.step), total if self._ended else learner.step, total,
                self._ended or f"step {learner.step} of {self._recipe.steps}",
            )  # fmt: skip
            if news is not None:
                self._change(learner, recipe_of(news))
            if learner.step >= self._recipe.steps or self._ended:
                if done:
                    return
                continue
            taken = learner.train_step()
            self._history.add(taken)
            if diverged(taken):
                self._ended = (
                    f"The loss is not finite after step {learner.step}: the learning rate is "
                    "too large for this network."
                )

    # -- the network ------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """Of the next step."""
        return self._recipe

    def network(self) -> NewNetwork:
        """The network as it is now, with its card.

        Raises:
            ExplorerError: There is none that could be used.
        """
        learner, recipe = self._learner, self._recipe
        if learner is None or not learner.step:
            raise ExplorerError(
                "There is no trained network yet.", "Train it on the data of this run first."
            )
        if self._ended:
            raise ExplorerError(
                "The training diverged: its weights are not finite.",
                "Choose a smaller learning rate and start over.",
            )
        assert isinstance(learner.network, SmallNet)
        train, _ = self._data.split(0)
        pictures, score = quantity(len(train), "picture"), learner.score()
        return NewNetwork(
            f"Small network on {self._data.name}", frozen(learner.network), "classification",
            SMALL_RESIDUAL if recipe.shortcuts else SMALL_PLAIN, "", self._data.classes,
            Preprocess(resize=SIDE, crop=SIDE, mean=(0.5,) * 3, std=(0.25,) * 3),
            note=f"{recipe.layers} layers after {learner.step:,} steps from random weights on "
            f"{pictures} of {self._data.name}.",
            metrics=(
                ("validation accuracy", score.accuracy),
                ("validation loss", score.loss),
            ),
            recipe={
                **recipe.plain(), "steps done": learner.step, "seed": self._seed,
                "data": self._data.name, "digest": self._digest,
                "changes": [[each.step, each.words] for each in self._changes],
            },
        )  # fmt: skip

    def _change(self, learner: Learner, recipe: Recipe) -> None:
        words = self._recipe.differences(recipe)
        if not words:
            return
        self._changes = (*self._changes, Changed(learner.step, words))
        self._recipe = recipe
        learner.change(recipe)

    def _look(self, learner: Learner) -> None:
        score = learner.score()
        self._history.look(learner, score)
        self._given = score.probabilities[self._rows].argmax(axis=1)

    def _predict(self) -> None:
        if self._learner is not None:
            self._given = self._learner.score().probabilities[self._rows].argmax(axis=1)

    def _keep(self, learner: Learner) -> None:
        if not self._history.moments or learner.step <= self._saved:
            return
        self._name = self._name or RUNS.new_name()
        curve = tuple(
            (float(m.step), m.loss, m.accuracy)
            for m in self._history.moments
            if np.isfinite(m.loss)
        )
        run = Run(
            self._name, self._recipe, self._seed, self._data.name, self._digest,
            self._data.classes, learner.step, self._changes, curve, self._ended,
        )  # fmt: skip
        RUNS.write(run, {**learner.state(), **self._history.tensors()}, most=MOST_KEPT)
        self._saved = learner.step

    def _result(self, step: int) -> Result:
        known = self._learner is not None
        return Result(
            described(self._data), self._data.classes, self._recipe, step,
            np.array(self._history.taken, np.float64).reshape(-1, 4),
            tuple(self._history.moments), self._shown.pictures if known else None,
            self._shown.labels, self._given, self._changes, self._others, self._name,
            (*self._notes, *((self._ended,) if self._ended else ())),
        )  # fmt: skip


def live(scene: Scene, params: Params) -> Course | None:
    """The training that the view shows, where it has these settings."""
    found = _memo(scene).get(_LIVE)
    same = found is not None and (params.run is not None or found.recipe == recipe_of(params))
    return found if same else None


def _memo(scene: Scene) -> dict[str, Course]:
    found: dict[str, Course] = scene.memo(_LIVE, dict)
    return found
