"""Averages of predictions, votes, snapshots and averaged weights beside the single network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Pane, Plot, Table
from explorer.core.params import FolderRef, param
from explorer.engine.view import Action, Group, Needs, View
from explorer.training.small.recipe import SCHEDULES, Recipe
from explorer.views.learning.ensembles.building import (
    DECK,
    SINGLE,
    SNAP_AVERAGE,
    SNAP_VOTE,
    SNAP_WEIGHTS,
    TRUE_AVERAGE,
    TRUE_VOTE,
    Building,
    Result,
)
from explorer.views.shared.common import percent
from explorer.views.shared.grids.matrix import BLUE, GREEN, ORANGE, PURPLE, RED
from explorer.views.shared.learning.charts import (
    OTHERS,
    answers_pane,
    blank_pane,
    curve_of,
    loss_plot,
    training_curve,
)
from explorer.views.shared.learning.source import DATA_HELP, reading

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.layers import Color
    from explorer.core.step import Step
    from explorer.engine.scene import Scene
    from explorer.training.small.data_set import DataSet

EXPLANATION = r"""
Networks with other random weights make other errors. Several together are wrong less often than one
of them.

**True ensemble.** $M$ networks are trained independently. Their probabilities $p_m$ are
**averaged**, or each has one **vote**:

$$ p(c \mid x) = \frac{1}{M} \sum_m p_m(c \mid x) $$

The average also counts how certain a network is; a vote does not. It takes $M$ times as long, in
training and at inference.

**Snapshots** are copies of *one* network at several steps of its training: the training costs
nothing more. With a learning rate that does not fall the weights keep moving around a good place,
so that snapshots differ, and each for itself is worse than their average. *Schedule* shows the
opposite: with cosine the last snapshots are nearly equal, and they add little.

**Averaged weights.** The mean of the snapshots' weights is one network, and as fast as one:

$$ \bar{w} = \frac{1}{K} \sum_k w_k $$

It works because the snapshots lie in the same valley of the loss; the weights of networks that were
trained independently cannot be averaged. The statistics of batch norm are computed again for the
averaged weights.

**The table.** *In the lecture* are the figures of John Canny's course: VGGNet on CIFAR-10 for 10
epochs, 10 networks, 25 snapshots. These are smaller networks on other pictures, so the accuracies
differ, and the order may; the line under the pictures says where. There snapshots gain most; here,
after a short training, independent networks do. *Gain* and its standard error
(about how much chance there is in it) are over the same test pictures, which no network was trained
on and nothing was chosen by.

**Reading it.** The pictures are those about which the networks disagree most: what one network
predicts, and what all of them give together. A training that was left goes on where it was, with
exactly the same numbers on the same number of threads; *Start over* forgets it.

Canny 2018, *Designing, Visualizing and Understanding Deep Neural Networks*, lecture 8; Dietterich
2000, *Ensemble Methods in Machine Learning*; Huang et al. 2017, *Snapshot Ensembles*; Izmailov et
al. 2018, *Averaging Weights Leads to Wider Optima*, section 3.2.
"""

COLORS: dict[str, Color] = {
    SINGLE: OTHERS, TRUE_AVERAGE: BLUE, TRUE_VOTE: GREEN, SNAP_AVERAGE: ORANGE, SNAP_VOTE: RED,
    SNAP_WEIGHTS: PURPLE,
}  # fmt: skip
assert set(COLORS) == set(DECK)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    members: int = param(5, "Networks", "In the true ensemble.", low=2, high=10)
    snapshots: int = param(
        10, "Snapshots", "Of the first network's training, evenly spaced.", low=2, high=25
    )
    share: float = param(
        0.4, "First snapshot after", "This fraction of the training.",
        low=0.0, high=0.9, step=0.05,
    )  # fmt: skip
    steps: int = param(250, "Steps", "Of each network's training.", low=10, high=5000, log=True)
    schedule: str = param(
        SCHEDULES[0], "Schedule", "How the learning rate changes over the steps.", choices=SCHEDULES
    )
    rate: float = param(0.05, "Learning rate", "The highest one.", low=0.0001, high=1.0, log=True)
    layers: int = param(6, "Layers", "Of each network.", low=2, high=20)
    width: int = param(
        12, "Channels", "Of the first stage; the next ones have 2 and 4 times as many.",
        low=4, high=32, step=4,
    )  # fmt: skip
    data: FolderRef | None = param(None, "Data", DATA_HELP, section="Data")


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    data, _ = yield from reading(scene, params.data, Result(""))
    yield from _building(data, params, scene.seed).run()


def start_over(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets the kept training with these settings."""
    data, _ = yield from reading(scene, params.data, None)
    _building(data, params, scene.seed).forget()


def _building(data: DataSet, params: Params, seed: int) -> Building:
    recipe = Recipe(
        params.layers, params.width, params.steps, rate=params.rate, schedule=params.schedule
    )
    return Building(
        data, recipe, seed,
        members=params.members, snapshots=params.snapshots, share=params.share,
    )  # fmt: skip


def draw(result: Result, params: Params) -> Board:
    return Board(
        result.cache.get("panes", lambda: _panes(result)),
        plots=(_growth(result), _losses(result)),
        tables=(_table(result),) if result.rows else (),
        summary=_summary(result),
        notes=result.notes,
    )


def _panes(result: Result) -> tuple[Pane, ...]:
    if result.pictures is None:
        words = "The first network is trained"
        return (blank_pane("single", "Test: one network", words),)
    single = answers_pane(
        result.pictures, result.labels, result.given[0], result.classes, title="One network"
    )
    together = answers_pane(
        result.pictures, result.labels, result.answers, result.classes,
        title=f"Average of {len(result.given)}",
    )  # fmt: skip
    names = (("single", single), ("ensemble", together))
    return tuple(
        Pane(name, p.size, p.layers, p.title, "predictions", p.readout) for name, p in names
    )


def _growth(result: Result) -> Plot:
    curves = [
        curve_of([(x, y) for x, y in points], name, COLORS[name])
        for name, points in result.growth.items()
    ]
    title = "Test accuracy by the number of members"
    return Plot("growth", title, "members", "accuracy", tuple(curves), whole_x=True)


def _losses(result: Result) -> Plot:
    curves = [
        training_curve(losses, f"network {place + 1}", BLUE if place == 0 else OTHERS)
        for place, losses in enumerate(result.losses)
    ]
    return loss_plot(curves, "Training loss")


def _table(result: Result) -> Table:
    columns = (
        "prediction", "members", "test accuracy", "gain", "standard error of the gain",
        "rank", "in the lecture", "rank in the lecture",
    )  # fmt: skip
    ranks, taught = (_ranks(each) for each in ({r.name: r.accuracy for r in result.rows}, DECK))
    rows = []
    for row in result.rows:
        gains = row.right.astype(np.float64) - result.rows[0].right
        single = row.name == SINGLE
        error = float(gains.std() / np.sqrt(len(gains)))
        rows.append(
            (
                row.name, row.members, round(row.accuracy, 4),
                "" if single else round(float(gains.mean()), 4),
                "" if single else round(error, 4), ranks[row.name], DECK[row.name],
                taught[row.name],
            )
        )  # fmt: skip
    swatches = tuple(COLORS[row.name] for row in result.rows)
    return Table("ensembles", columns, tuple(rows), title="Ensembles", swatches=swatches)


def _summary(result: Result) -> str:
    if not result.rows:
        return f"The first network is trained · {result.words}"
    single, *others = result.rows
    words = [f"{single.name} {percent(single.accuracy)}"]
    if len(result.singles) > 1:
        words.append(f"all single ones on average {percent(float(result.singles.mean()))}")
    if others:
        best = max(others, key=lambda row: row.accuracy)
        words.append(f"best: {best.name} {percent(best.accuracy)}")
    words.append(compared(result))
    return " · ".join(word for word in words if word)


def compared(result: Result) -> str:
    """Whether the ensembles beat the single network, and in the same order as in the lecture."""
    if len(result.rows) < len(DECK):
        return ""
    own = {row.name: row.accuracy for row in result.rows}
    beaten = [name for name in own if name != SINGLE and own[name] <= own[SINGLE]]
    words = (
        f"no better than the single network: {', '.join(beaten)}"
        if beaten
        else "each is better than the single network"
    )
    same = _ranks(own) == _ranks({name: DECK[name] for name in own})
    order = "the same order as in the lecture" if same else "another order than in the lecture"
    return f"{words}, in {order}"


def _ranks(accuracies: Mapping[str, float]) -> dict[str, int]:
    """1 = the best; equal ones share a rank."""
    return {
        name: 1 + sum(other > own for other in accuracies.values())
        for name, own in accuracies.items()
    }


def data(result: Result, params: Params) -> dict[str, Any]:
    """The table and the curves.

    Keys: `prediction` names, `members` (R,) int64, `accuracy` (R,) float64 on the test pictures,
    the single network first; `single_accuracies` (k,) of the networks; `losses` (k, steps) float64,
    NaN where a step is not done yet.
    """
    most = max((len(each) for each in result.losses), default=0)
    losses = np.full((len(result.losses), most), np.nan)
    for place, each in enumerate(result.losses):
        losses[place, : len(each)] = each
    return {
        "prediction": tuple(row.name for row in result.rows),
        "members": np.array([row.members for row in result.rows], np.int64),
        "accuracy": np.array([row.accuracy for row in result.rows], np.float64),
        "single_accuracies": result.singles,
        "losses": losses,
    }


VIEW = View(
    name="ensembles",
    title="Ensembles",
    group=Group.LEARNING,
    summary="Several small networks as one: average, vote, snapshots and averaged weights.",
    explanation=EXPLANATION,
    reference="Huang et al. 2017, Snapshot Ensembles; Izmailov et al. 2018, Averaging Weights",
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
            "Deletes the kept training with these settings and trains anew.", start_over,
        ),
    ),
)  # fmt: skip
