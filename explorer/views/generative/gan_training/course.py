"""A run, step by step: trained, looked at, kept, resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.step import Step
from explorer.training.adversarial.history import EVERY, GanHistory
from explorer.training.adversarial.learner import GanLearner
from explorer.training.adversarial.recipe import GAN_RUNS, GanRecipe
from explorer.training.adversarial.sources import Plane, drawn_pictures, folder_pictures
from explorer.training.small.runs import Changed, Run, tensors
from explorer.views.generative.gan_training.params import PICTURES, recipe_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.keeping import keeping

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.values import FolderRef
    from explorer.engine.scene import Scene
    from explorer.training.adversarial.history import Look
    from explorer.training.adversarial.sources import Source
    from explorer.views.generative.gan_training.params import Params

MOST_KEPT = 20
"""Runs; older ones are deleted."""
TOGETHER = {False: 10, True: 1}
"""Steps between two results, of points and of pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        source: The name of the real samples.
        recipe: Of the next step.
        real: (N, 2) float32 real points; empty for pictures.
        step: How many are done.
        level: How far the networks have grown, from 0.
        taken: (N, 5) float64 of every step: see `Duel`.
        looks: The earliest first; empty while the photos are read.
        changes: Of the settings, on the way.
        others: Kept runs on the same samples, the newest first.
        name: Under which it is kept; "" = not yet.
        notes: Sentences that must not be missed.
    """

    source: str
    recipe: GanRecipe
    real: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    step: int = 0
    level: float = 0.0
    taken: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 5)))
    looks: tuple[Look, ...] = ()
    changes: tuple[Changed, ...] = ()
    others: tuple[Run[GanRecipe], ...] = ()
    name: str = ""
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=lambda: DrawCache(8))


def steps(scene: Scene, params: Params) -> Generator[Step[Result], Params | None, None]:
    """The whole of it.

    Raises:
        ExplorerError: There is nothing to train with, or the run cannot be opened.
    """
    given, recipe = None, recipe_of(params)
    if params.run is not None:
        given = GAN_RUNS.read(Path(params.run.path))
        recipe = given.recipe
    folder = params.folder if params.samples == PICTURES else None
    notes = _source(scene, recipe, folder)
    while True:
        try:
            note = next(notes)
        except StopIteration as found:
            source: Source = found.value
            break
        news = yield Step(Result("", recipe), 0, 0, note)
        if news is not None and given is None:
            recipe = recipe_of(news)
    course = _Course(source, recipe, scene.seed if given is None else given.seed)
    if given is not None and params.run is not None:
        course.open(given, Path(params.run.path))
    else:
        course.resume()
    yield from course.run()


def _source(
    scene: Scene, recipe: GanRecipe, folder: FolderRef | None
) -> Generator[str, None, Source]:
    if not recipe.pictures:
        return Plane()
    if folder is None:
        return drawn_pictures()
    known: dict[str, Source] = scene.memo("pictures of folders", dict)
    if folder.path not in known:
        known[folder.path] = yield from folder_pictures(Path(folder.path))
    return known[folder.path]


class _Course:
    """Lives on the runner's thread."""

    def __init__(self, source: Source, recipe: GanRecipe, seed: int) -> None:
        self._source, self._digest, self._seed = source, source.digest(), seed
        self._learner = GanLearner(source, recipe, seed)
        self._history = GanHistory(EVERY[recipe.pictures])
        self._changes: tuple[Changed, ...] = ()
        self._others: tuple[Run[GanRecipe], ...] = ()
        self._name = self._ended = ""
        self._saved = 0
        self._notes = source.problems
        real = self._learner.real(400).numpy() if not recipe.pictures else np.zeros((0, 2))
        self._real = real.astype(np.float32)

    # -- beginning ------------------------------------------------------------------------------

    def resume(self) -> None:
        """Goes on with the newest kept run that has these settings, else begins a new one."""
        found, self._others = GAN_RUNS.of_data(self._learner.recipe, self._seed, self._digest)
        if found is not None:
            try:
                self._restore(found, GAN_RUNS.folder() / found.name)
            except ExplorerError as error:
                self._notes = (*self._notes, f"{error.message} A new run was started.")

    def open(self, run: Run[GanRecipe], place: Path) -> None:
        """The run of a folder; it goes on where the samples are those it was trained on.

        Raises:
            ExplorerError: It cannot be read.
        """
        self._restore(run, place)
        if run.digest != self._digest:
            self._ended = f"This run was trained on other samples ({run.data}): it is only shown."
        if place.parent.resolve() != GAN_RUNS.folder().resolve():
            self._name = ""  # what it goes on with is a run of one's own

    def _restore(self, run: Run[GanRecipe], place: Path) -> None:
        kept = tensors(place)
        try:
            history = GanHistory.restored(kept)
            self._learner.restore(kept, run.step)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ExplorerError(
                f"The run in {place} does not fit its settings.", "Delete its folder."
            ) from error
        self._history = history
        self._name, self._changes, self._ended = run.name, run.changes, run.ended
        self._saved = run.step

    # -- running --------------------------------------------------------------------------------

    def run(self) -> Generator[Step[Result], Params | None, None]:
        yield from keeping(self._trained(), self._keep)

    def _trained(self) -> Generator[Step[Result], Params | None, None]:
        learner = self._learner
        while True:
            last = learner.recipe.steps
            done = learner.step >= last or bool(self._ended)
            if self._history.due(learner.step, last) and not self._ended:
                self._history.look(learner)
            if done:
                self._keep()  # now, so that the last result says its name
            total = max(last, learner.step)
            news = yield Step(
                self._result(), total if self._ended else learner.step, total,
                self._ended or f"step {learner.step} of {last}",
            )  # fmt: skip
            if news is not None:
                self._change(recipe_of(news))
            elif done:
                return
            self._train()

    def _train(self) -> None:
        learner = self._learner
        for _ in range(TOGETHER[learner.recipe.pictures]):
            if learner.step >= learner.recipe.steps or self._ended:
                return
            duel = learner.train_step()
            self._history.taken.append(duel)
            if not duel.finite:
                self._ended = (
                    f"A loss is not finite after step {learner.step}: a learning rate is too large."
                )
            if self._history.due(learner.step, learner.recipe.steps):
                return

    def _change(self, recipe: GanRecipe) -> None:
        words = self._learner.recipe.differences(recipe)
        if words:
            self._changes = (*self._changes, Changed(self._learner.step, words))
            self._learner.change(recipe)

    def _keep(self) -> None:
        learner = self._learner
        if not self._history.looks or learner.step <= self._saved:
            return
        self._name = self._name or GAN_RUNS.new_name()
        curve = tuple(
            (float(each.step), self._history.taken[each.step - 1].discriminator, each.quality)
            for each in self._history.looks
            if each.step and np.isfinite(self._history.taken[each.step - 1].discriminator)
        )
        run = Run(
            self._name, learner.recipe, self._seed, self._source.name, self._digest, (),
            learner.step, self._changes, curve, self._ended,
        )  # fmt: skip
        state = {**learner.state(), **self._history.tensors()}
        GAN_RUNS.write(run, state, most=MOST_KEPT)
        self._saved = learner.step

    def _result(self) -> Result:
        learner = self._learner
        return Result(
            self._source.name, learner.recipe, self._real, learner.step, learner.level,
            self._history.curves(), tuple(self._history.looks), self._changes, self._others,
            self._name, (*self._notes, *((self._ended,) if self._ended else ())),
        )  # fmt: skip
