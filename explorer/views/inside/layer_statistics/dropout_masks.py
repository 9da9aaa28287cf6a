"""Dropout: random masks, the prediction with each, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Plot, Table
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.views.shared.common import class_name, percent
from explorer.views.shared.grids.matrix import BLUE, ORANGE, matrix_pane, numbered
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.statistics.dropout import dropped, places_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.views.inside.layer_statistics.params import Params
    from explorer.vision.statistics.dropout import Places

MOST_CLASSES = 6
MOST_UNITS = 256
"""Values of a mask that are drawn, the first ones."""


@dataclass(frozen=True, slots=True, eq=False)
class DropoutResult:
    """Of M masks so far.

    Attributes:
        places: Where the masks are.
        keep: The probability that a value is kept.
        classes: Names of the columns of `answers`.
        whole: (K,) probabilities without dropout.
        answers: (M, K) probabilities with each mask.
        mean: (K,) their mean.
        masks: (M, n) bool, the first masks, True = kept.
        tops: The top class with each mask.
        top_of_mean: The top class of the mean over all classes, and its probability.
    """

    places: Places
    keep: float
    classes: tuple[str, ...]
    whole: Float32
    answers: Float32
    mean: Float32
    masks: NDArray[np.bool_]
    tops: tuple[str, ...]
    top_of_mean: tuple[str, float]


def steps(scene: Scene, params: Params) -> Generator[Step[DropoutResult], Any, None]:
    given, known = scene.input(), scene.network.info.classes
    whole = softmax(logits_of(scene.output()))
    places = places_of(lambda: scene.call(given))
    generator = scene.generator()
    found, masks = [], []
    for number in range(params.masks):
        one = dropped(lambda: scene.call(given), places, params.keep, generator)
        found.append(softmax(logits_of(one.output)))
        masks.append(one.mask[:MOST_UNITS])
        every = np.stack(found)
        mean = every.mean(axis=0)
        order = np.argsort(-(whole + mean), kind="stable")[:MOST_CLASSES]
        top = int(mean.argmax())
        result = DropoutResult(
            places, params.keep, tuple(class_name(known, int(at)) for at in order), whole[order],
            every[:, order], mean[order], np.stack(masks),
            tuple(class_name(known, int(each.argmax())) for each in found),
            (class_name(known, top), float(mean[top])),
        )  # fmt: skip
        yield Step(result, number + 1, params.masks, f"mask {number + 1}")


def board(result: DropoutResult, params: Params) -> Board:
    count = len(result.answers)
    rows = [f"mask {word}" if word else "" for word in numbered(count)]

    def answer(row: int, column: int) -> str:
        value = result.answers[row, column]
        return f"mask {row + 1}: {result.classes[column]} {percent(float(value))}"

    def unit(row: int, column: int) -> str:
        word = "kept" if result.masks[row, column] else "dropped"
        return f"mask {row + 1}, value {column}: {word}"

    panes = (
        matrix_pane(
            "masks", f"Masks: {result.masks.shape[1]} of the values that dropout is applied to",
            result.masks.astype(np.float32), rows, (), scale=(0.0, 1.0),
            unit="0 = dropped, 1 = kept", colormap="gray", words=params.names, readout=unit,
            size=(1000.0, 440.0),
        ),
        matrix_pane(
            "answers", "Probabilities with each mask", result.answers, rows, result.classes,
            scale=(0.0, float(result.answers.max(initial=0.0)) or 1.0), unit="probability",
            words=params.names, readout=answer, size=(1000.0, 440.0),
        ),
    )  # fmt: skip
    bars = []
    for name, whole, mean in zip(result.classes, result.whole, result.mean, strict=True):
        bars.append((f"{name}, no dropout", 100 * float(whole), BLUE))
        bars.append((f"{name}, mean of the masks", 100 * float(mean), ORANGE))
    plot = Plot(
        "mean", "Without dropout, and mean of all masks", "%", bars=tuple(bars[:10]),
        bar_range=(0.0, 100.0),
    )  # fmt: skip
    return Board(panes, (plot,), (_table(result),), summary=_summary(result))


def _table(result: DropoutResult) -> Table:
    rows: list[tuple[str | int | float, ...]] = []
    for at, name in enumerate(result.classes):
        values = result.answers[:, at].astype(np.float64)
        numbers = (result.whole[at], result.mean[at], values.std(), values.min(), values.max())
        rows.append((name, *(round(float(each), 4) for each in numbers), result.tops.count(name)))
    columns = ("class", "no dropout", "mean", "deviation", "min", "max", "top class of masks")
    return Table("classes", columns, tuple(rows), title="Classes")


def _summary(result: DropoutResult) -> str:
    where = (
        f"before {quantity(result.places.dropouts, 'dropout layer')}"
        if result.places.linear < 0
        else "before the last linear layer"
    )
    if result.places.linear < 0:
        where = f"in {quantity(result.places.dropouts, 'dropout layer')}"
    top = result.classes[0]
    name, value = result.top_of_mean
    return " · ".join(
        (
            f"{quantity(len(result.answers), 'mask')} {where}, keep {result.keep:g}",
            f"no dropout: {top} {percent(float(result.whole[0]))}",
            f"mean of the masks: {name} {percent(value)}",
            f"top class of {result.tops.count(name)} of {len(result.tops)} masks: {name}",
        )
    )


def data(result: DropoutResult) -> dict[str, Any]:
    return {
        "classes": list(result.classes),
        "probabilities": result.whole,
        "with_masks": result.answers,
        "mean": result.mean,
        "masks": result.masks,
    }
