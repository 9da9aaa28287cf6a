"""Two settings of a training are searched: a map of the validation accuracy fills."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Curve, Pane, Plot, Points, Table, Text
from explorer.core.params import FolderRef, param
from explorer.engine.view import Action, Group, Needs, View
from explorer.training.small.data_set import BLOCKS
from explorer.training.small.recipe import Recipe
from explorer.views.learning.hyperparameter_search.searching import (
    AXES,
    GRID,
    RANDOM,
    Result,
    Search,
    planned,
)
from explorer.views.shared.common import percent
from explorer.views.shared.grids.matrix import BLUE, ORANGE, matrix_pane
from explorer.views.shared.learning.charts import blank_pane
from explorer.views.shared.learning.source import DATA_HELP, reading

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32
    from explorer.core.step import Step
    from explorer.engine.scene import Scene
    from explorer.training.small.data_set import DataSet
    from explorer.views.learning.hyperparameter_search.searching import Axis, Trial

EXPLANATION = r"""
Which learning rate, and how much weight decay? Such **hyperparameters** are not trained; they are
compared. Each trial trains a small network with one setting and measures it on pictures that it was
not trained on.

**Grid and random.** A grid of $k \times k$ trials tries only $k$ values of each hyperparameter. The
same number of random trials tries $k^2$ values of each. Where one of both matters much more than
the other, as the learning rate does, random search therefore comes closer to its best value
(Bergstra and Bengio 2012). Both maps have the same scale; every place has the color of the nearest
trial.

**Validation blocks.** The pictures that are not for the test are divided into five blocks. A
network is trained on the others and measured on one:

$$ a = \frac{1}{B} \sum_{b=1}^{B} a_b $$

With more than one block each setting is trained as often. The standard deviation over the blocks
says which differences mean something: with 400 pictures about two percent is chance.

**The test pictures** are used once, at the end, for the best setting. Whoever chooses by them no
longer knows how good the choice is on new pictures. The test accuracy is often lower than the best
validation accuracy: the highest of many numbers is high by chance, too.

**Learning rates are tried on a logarithmic axis**, since 0.01 and 0.02 differ as much as 0.1 and
0.2. The right edge is dark where trainings diverge.

A search that was left goes on where it was, with exactly the same numbers on the same number of
threads; *Start over* forgets it.

Bergstra and Bengio 2012, *Random Search for Hyper-Parameter Optimization*, section 1 and figure 1;
Canny 2018, *Designing, Visualizing and Understanding Deep Neural Networks*, lecture 8.
"""

BOTH = "grid and random"
NAMES = tuple(AXES)
CELLS = 48
"""Of a map, a side."""
MOST_ROWS = 12
SIZE = (320.0, 270.0)
LEFT, CAPTION = 80.0, 34.0
METHODS = {BOTH: (GRID, RANDOM), GRID: (GRID,), RANDOM: (RANDOM,)}


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    x: str = param(NAMES[0], "Across", "The hyperparameter of the horizontal axis.", choices=NAMES)
    y: str = param(NAMES[1], "Up", "The hyperparameter of the vertical axis.", choices=NAMES)
    method: str = param(BOTH, "Method", "How settings are chosen.", choices=tuple(METHODS))
    side: int = param(4, "Trials, as a side", "4 means 4 x 4 trials of each method.", low=2, high=8)
    steps: int = param(80, "Steps", "Of each training.", low=10, high=5000, log=True)
    blocks: int = param(
        1, "Validation blocks", "On how many each setting is measured, with a training for each.",
        low=1, high=BLOCKS,
    )  # fmt: skip
    layers: int = param(
        5, "Layers", "Of the networks, where they are not searched.", low=2, high=20
    )
    width: int = param(
        8, "Channels", "Of the networks, where they are not searched.", low=4, high=32, step=4
    )
    norm: bool = param(True, "Batch norm", "Of the networks.")
    data: FolderRef | None = param(None, "Data", DATA_HELP, section="Data")


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    if params.x == params.y:
        raise ExplorerError(
            "Both axes have the same hyperparameter.", "Choose another one for one of them."
        )
    data, _ = yield from reading(scene, params.data, Result("", (params.x, params.y)))
    yield from _search(data, params, scene.seed).run()


def start_over(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets the kept search with these settings."""
    data, _ = yield from reading(scene, params.data, None)
    _search(data, params, scene.seed).forget()


def _search(data: DataSet, params: Params, seed: int) -> Search:
    axes = (params.x, params.y)
    recipe = Recipe(params.layers, params.width, params.steps, norm=params.norm, schedule="cosine")
    trials = planned(METHODS[params.method], params.side, axes, seed)
    return Search(data, recipe, seed, axes, trials, params.blocks)


def draw(result: Result, params: Params) -> Board:
    methods = METHODS[params.method]
    panes = result.cache.get(
        ("maps", methods), lambda: tuple(_map(result, method) for method in methods)
    )
    return Board(
        panes,
        plots=(_progress(result),),
        tables=(_table(result),) if result.trials else (),
        summary=_summary(result),
        notes=result.notes,
    )


def _map(result: Result, method: str) -> Pane:
    done = [trial for trial in result.trials if trial.method == method]
    wanted = [trial for trial in result.planned if trial.method == method]
    title = f"{method.capitalize()}: {len(done)} of {len(wanted)} trials"
    if not wanted:
        return blank_pane(method, title, "not yet")
    best = result.best
    high = max(best.accuracy if best is not None else 0.0, result.chance + 0.05)
    x, y = (AXES[name] for name in result.axes)
    colors = np.array(
        [(255, 255, 255) if trial in done or _same(trial, result.running) else (120, 120, 120)
         for trial in _all(wanted, done)], np.uint8,
    )  # fmt: skip
    xy = np.array(
        [(LEFT + t.place[0] * SIZE[0], (1 - t.place[1]) * SIZE[1]) for t in _all(wanted, done)],
        np.float32,
    )
    labels = tuple(
        f"{trial.accuracy:.0%}" if trial.blocks and trial in done else ""
        for trial in _all(wanted, done)
    )

    def readout(row: int, column: int) -> str:
        near = _nearest(done, (column + 0.5) / CELLS, 1 - (row + 0.5) / CELLS)
        return _words(result, near) if near is not None else ""

    pane = matrix_pane(
        method, title, _values(done), _ticks(y)[::-1], _ticks(x),
        scale=(result.chance, high), unit="validation accuracy", colormap="viridis",
        over=(Points(xy, colors, radius=3.5, labels=labels, name="trials"),),
        readout=readout, size=SIZE, left=LEFT,
    )  # fmt: skip
    return _captioned(pane, result.axes)


def _captioned(pane: Pane, axes: tuple[str, str]) -> Pane:
    """The names of the axes below the map."""
    width, height = pane.size
    size = (width, height + CAPTION)
    words = Text(
        f"across: {axes[0]} · up: {axes[1]}", (LEFT + SIZE[0] / 2, height + CAPTION / 2),
        anchor=(0.5, 0.5), name="axes",
    )  # fmt: skip
    return replace(pane, size=size, layers=(*pane.layers, words), drawing=True)


def _all(wanted: list[Trial], done: list[Trial]) -> list[Trial]:
    """Those that are done, then those that are to come."""
    places = {trial.place for trial in done}
    return [*done, *(trial for trial in wanted if trial.place not in places)]


def _same(trial: Trial, running: Trial | None) -> bool:
    return running is not None and (trial.method, trial.place) == (running.method, running.place)


def _values(done: list[Trial]) -> Float32:
    """(CELLS, CELLS) the accuracy of the nearest trial, the largest y on top; NaN without one."""
    values = np.full((CELLS, CELLS), np.nan, np.float32)
    if done:
        middle = (np.arange(CELLS) + 0.5) / CELLS
        places = np.array([trial.place for trial in done])
        across = (middle[None, :, None] - places[:, 0]) ** 2
        up = (middle[::-1, None, None] - places[:, 1]) ** 2
        accuracies = np.array([trial.accuracy for trial in done], np.float32)
        values = accuracies[(across + up).argmin(axis=2)]
    return values


def _nearest(done: list[Trial], x: float, y: float) -> Trial | None:
    return min(done, key=lambda t: (t.place[0] - x) ** 2 + (t.place[1] - y) ** 2, default=None)


def _ticks(axis: Axis) -> list[str]:
    """Five words along an axis of `CELLS` cells, the smallest value first."""
    words = [""] * CELLS
    for tick in range(5):
        part = (tick + 0.5) / 5
        words[int(part * CELLS)] = f"{axis.at(part):.2g}"
    return words


def _words(result: Result, trial: Trial) -> str:
    (x, y), (a, b) = result.axes, trial.values
    return f"{x} {a:.3g}, {y} {b:.3g}: validation accuracy {percent(trial.accuracy)}"


def _progress(result: Result) -> Plot:
    curves = []
    for method, color in ((GRID, BLUE), (RANDOM, ORANGE)):
        found = [trial.accuracy for trial in result.trials if trial.method == method]
        if found:
            best = np.maximum.accumulate(np.array(found, np.float64))
            curves.append(Curve(np.arange(1.0, len(best) + 1), best, method, color))
    title = "Best validation accuracy so far"
    return Plot("best", title, "trials", "accuracy", tuple(curves), whole_x=True)


def _table(result: Result) -> Table:
    ordered = sorted(result.trials, key=lambda trial: -trial.accuracy)[:MOST_ROWS]
    rows = tuple(
        (
            trial.method, *(float(f"{value:.3g}") for value in trial.values),
            round(trial.accuracy, 4),
            round(trial.spread, 4) if np.isfinite(trial.spread) else "",
            "diverged" if trial.diverged else "",
        )
        for trial in ordered
    )  # fmt: skip
    columns = (
        "method", *result.axes, "validation accuracy", "standard deviation over the blocks",
        "training",
    )  # fmt: skip
    return Table("trials", columns, rows, title="The best trials")


def _summary(result: Result) -> str:
    best = result.best
    if best is None:
        return "The first trial is trained" if result.words else "Reading the data"
    words = [
        f"{len(result.trials)} of {len(result.planned)} trials",
        f"best: {_words(result, best)} ({best.method})",
    ]
    if result.test is not None:
        words.append(f"on the test pictures {percent(result.test)}")
    words.append(result.words)
    return " · ".join(words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """Every trial that is done, in their order.

    Keys: `axes`, two names; `method` (T,) words; `values` (T, 2) float64 of both settings;
    `accuracy` and `spread` (T,) float64, mean and standard deviation over the blocks, the latter
    NaN of one block; `test`, of the best setting, NaN before the end.
    """
    trials = result.trials
    return {
        "axes": result.axes,
        "method": tuple(trial.method for trial in trials),
        "values": np.array([trial.values for trial in trials], np.float64).reshape(-1, 2),
        "accuracy": np.array([trial.accuracy for trial in trials], np.float64),
        "spread": np.array([trial.spread for trial in trials], np.float64),
        "test": float("nan") if result.test is None else result.test,
    }


VIEW = View(
    name="hyperparameter_search",
    title="Hyperparameter search",
    group=Group.LEARNING,
    summary="Two hyperparameters of a training on a grid and at random: a map that fills.",
    explanation=EXPLANATION,
    reference="Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NEITHER,
    actions=(
        Action(
            "start_over", "Start over",
            "Deletes the kept search with these settings and searches anew.", start_over,
        ),
    ),
)  # fmt: skip
