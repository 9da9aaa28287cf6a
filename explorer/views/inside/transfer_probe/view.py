"""How well the features of each layer separate the classes of a folder, from a few photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.batch.features import head_of
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Curve, Pane, Picture, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.training.data.class_photos import classes_of, first
from explorer.views.inside.transfer_probe.run import SCRATCH, Run
from explorer.views.shared.folders.answers import (
    BLUE,
    GRAY,
    ORANGE,
    RED,
    Answers,
    answers_pane,
)
from explorer.vision.photo_sets.probe import counts_per_class
from explorer.vision.photo_sets.stages import stage_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene
    from explorer.views.inside.transfer_probe.run import Result

EXPLANATION = r"""
Features that a network has from other photos are often enough to tell new classes apart. The
network stays as it is; only a **linear classifier** is fitted to the features $f$ of a layer, the
mean of each feature map over its positions. It is logistic regression with classes $k$:

$$ p_k = \frac{\exp(w_k^T f + b_k)}{\sum_j \exp(w_j^T f + b_j)} $$

with the cross-entropy of the training photos and a penalty on the size of $w$. The **accuracy** is
the fraction of other photos whose class is correct.

**Per layer.** Early layers have edges and colors, which any photo has; the classes separate in the
later ones. If the last layers are no better than the middle, the classes of the folder have little
in common with those that the network was trained on.

**Per photo.** The other curve shows how many photos of each class it takes. Each number with few
photos is the mean of five draws. *From scratch* is a network of three convolutions that is trained
on the same photos from random weights, at 32 x 32 pixels: with few photos it learns little that
holds for others. The gray line is chance, one over the number of classes.

**Your folder** has a folder of photos for every class, named as the class. A third of the photos,
at most ten of a class, are kept apart to measure the accuracy. Without a folder there is a
demonstration: each class is one of the samples, its photos are gray crops, those for training from
its left half and those for the accuracy from its right half.

**Test photos.** The class of the photos is above them. The frame of a photo is green if the best
layer predicts this class, else red with the class that it predicts. With few test photos the
accuracy is uncertain: one photo more or less changes it. The best layer is found with the same
photos, which makes it look a little better.

**Sources.** Donahue et al. 2014, *DeCAF*, section 4; Razavian et al. 2014, *CNN Features
off-the-shelf*; Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*,
sections 5.2 and 5.3 (accuracy over photos per class, against training from scratch, and per layer);
Yosinski et al. 2014, *How transferable are features in deep neural networks?*
"""

LONGEST_NAME = 12
"""Letters of a name on the axis."""
_FIRST_TESTS = 2
"""Test photos of each class with which the accuracy is measured at first."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "A folder with a folder of photos for every class. By default crops of the samples.",
    )  # fmt: skip
    most: int = param(
        12, "Photos per class", "Training photos of each class at most.", low=1, high=96
    )  # fmt: skip
    scratch: bool = param(
        True, "From scratch", "Trains a small network on the same photos, for comparison."
    )
    chosen: int | None = param(
        None, "Test photo", "The test photo that is shown large: click one.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="tests", low=0, high=65535, kept=False,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    network = scene.network
    layers = stage_layers(network.info, head_of(network.info))
    if not layers:
        raise ExplorerError("This network has no layers.", "Choose another network.")
    classes = classes_of(params.folder, params.most, scene.seed)
    run = Run(scene, classes, layers)
    counts = counts_per_class(classes.fewest)
    total = run.total(counts, scratch=params.scratch)

    def step(note: str) -> Step[Result]:
        return Step(run.result(), min(run.work, total - 1), total, note)

    # One photo per class is enough for a first result on a few test photos.
    for _ in run.read(first(classes.test, _FIRST_TESTS), test=True):
        yield step("first test photos")
    for _ in run.read(first(classes.train, counts[0])):
        yield step("first photos")
    if run.ready:
        for _ in run.probe(counts[0]):
            yield step("a first result")
    for _ in run.read(classes.test, test=True):
        yield step("test photos")
    for count in counts:
        more = classes.train if count == counts[-1] else first(classes.train, count)
        for _ in run.read(more):
            yield step("training photos")
        for _ in run.probe(count):
            yield step(f"{quantity(count, 'photo')} per class")
    if params.scratch:
        for count in counts:
            for _ in run.from_scratch(count):
                yield step(f"from scratch, {quantity(count, 'photo')} per class")
    yield Step(run.result(), total, total)


def draw(result: Result, params: Params) -> Board:
    panes = [result.cache.get("tests", lambda: _tests_pane(result))]
    if params.chosen is not None and params.chosen < len(result.tests):
        panes.append(_photo_pane(result, params.chosen))
    plots = []
    if result.best:
        plots = [_layers_plot(result), _counts_plot(result)]
    return Board(
        tuple(panes),
        plots=tuple(plots),
        tables=(_table(result),) if result.best else (),
        summary=_summary(result),
        notes=result.notes,
    )


def _tests_pane(result: Result) -> Pane:
    title = _tests_words(result)
    if result.best:
        title += f", by {result.best}"
    return answers_pane(_answers(result), title)


def _answers(result: Result) -> Answers:
    return Answers(result.tests, result.labels, result.predicted, result.names)


def _tests_words(result: Result) -> str:
    """How many test photos there are, while they are read: of how many."""
    count, planned = len(result.tests), result.planned
    return (
        quantity(count, "test photo") if count == planned else f"{count} of {planned} test photos"
    )


def _photo_pane(result: Result, row: int) -> Pane:
    picture = result.tests[row]
    height, width = picture.shape[:2]
    return Pane(
        "photo", (float(width), float(height)), (Picture(picture, smooth=True, name="photo"),),
        title=_answers(result).words(row), frame=f"photo {row}",
    )  # fmt: skip


def _layers_plot(result: Result) -> Plot:
    shown = [layer for layer in result.layers if layer in result.per_count]
    x = np.arange(1.0, len(shown) + 1)
    curves = []
    few = min(min(result.per_count[layer]) for layer in shown)
    wanted = [(result.count, BLUE)] + ([(few, ORANGE)] if few != result.count else [])
    for count, color in wanted:
        y = np.array([result.per_count[layer].get(count, np.nan) for layer in shown], np.float64)
        known = np.isfinite(y)
        curves.append(Curve(x[known], y[known], f"{quantity(count, 'photo')} per class", color))
    return Plot(
        "layers", "Accuracy per layer", f"{shown[0]} to {shown[-1]}", "accuracy",
        curves=tuple(curves), x_names=_short(shown), whole_x=True,
    )  # fmt: skip


def _short(names: list[str]) -> tuple[str, ...]:
    """Their last words where they are long and these are enough to tell them apart."""
    if max(map(len, names)) <= LONGEST_NAME:
        return tuple(names)
    ends = tuple(name.rpartition(".")[2] for name in names)
    return ends if len(set(ends)) == len(ends) else tuple(names)


def _counts_plot(result: Result) -> Plot:
    counts = sorted({count for values in result.per_count.values() for count in values})
    first = next(layer for layer in result.layers if layer in result.per_count)
    curves = []
    for name, label, color in (
        (result.best, f"{result.best}, linear", BLUE),
        (first, f"{first}, linear", ORANGE),
        (SCRATCH, "from scratch", RED),
    ):
        values = result.per_count.get(name)
        if values and not (name == first == result.best and color == ORANGE):
            x = np.array(sorted(values), np.float64)
            curves.append(Curve(x, np.array([values[int(k)] for k in x], np.float64), label, color))
    ends = np.array([min(counts), max(counts)], np.float64)
    chance = np.full(2, 1.0 / len(result.names))
    curves.append(Curve(ends, chance, "chance", GRAY))
    return Plot(
        "counts", "Accuracy over photos per class", "training photos per class", "accuracy",
        curves=tuple(curves), log_x=len(counts) > 1,
    )  # fmt: skip


def _table(result: Result) -> Table:
    counts = sorted({count for values in result.per_count.values() for count in values})
    names = [name for name in (*result.layers, SCRATCH) if name in result.per_count]
    rows = tuple(
        (name, *(_percent(result.per_count[name].get(count)) for count in counts)) for name in names
    )
    columns = ("layer", *(quantity(count, "photo") for count in counts))
    return Table("accuracy", columns, rows, title="Accuracy by training photos per class")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}%"


def _summary(result: Result) -> str:
    words = f"{quantity(len(result.names), 'class', 'classes')} of {result.source}"
    if not result.best:
        return words
    of_best = result.per_count[result.best]
    most = max(of_best)
    words += (
        f" · {result.best}: {100 * of_best[most]:.1f}% with {quantity(most, 'photo')} per class"
    )
    values = result.per_count.get(SCRATCH, {})
    if result.count in values:
        words += f" · from scratch {100 * values[result.count]:.1f}%"
    return words


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `classes`, `layers`, `counts` (K,) training photos per class, `accuracy` (L, K) float64
    in [0, 1] of layers by counts, NaN = not computed, `from_scratch` (K,), `labels` and `predicted`
    (M,) of the test photos.
    """  # noqa: D205
    counts = sorted({count for values in result.per_count.values() for count in values})
    accuracy = [
        [result.per_count.get(layer, {}).get(count, np.nan) for count in counts]
        for layer in result.layers
    ]
    alone = [result.per_count.get(SCRATCH, {}).get(count, np.nan) for count in counts]
    return {
        "classes": list(result.names),
        "layers": list(result.layers),
        "counts": np.array(counts, np.int64),
        "accuracy": np.array(accuracy, np.float64).reshape(len(result.layers), len(counts)),
        "from_scratch": np.array(alone, np.float64),
        "labels": result.labels,
        "predicted": result.predicted,
    }


VIEW = View(
    name="transfer_probe",
    title="Transfer probe",
    group=Group.INSIDE,
    summary="How well a linear classifier on each layer's features tells new classes apart.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, "
    "sections 5.2 and 5.3",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    needs=Needs.NETWORK,
)
