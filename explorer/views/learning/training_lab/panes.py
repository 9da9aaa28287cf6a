"""What is drawn of a run: predictions, kernels, histograms over time, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Lines, Pane, Plot, Table
from explorer.training.small.history import ACTIVATION_EDGES, BINS, GRADIENT_EDGES
from explorer.training.small.recipe import Recipe
from explorer.views.shared.grids.matrix import BLUE, ORANGE, matrix_pane, over_layers
from explorer.views.shared.learning.charts import (
    OTHERS,
    VALIDATION,
    accuracy_plot,
    answers_pane,
    blank_pane,
    curve_of,
    kernels_pane,
    loss_plot,
    training_curve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Curve
    from explorer.training.small.history import Moment
    from explorer.training.small.runs import Run
    from explorer.views.learning.training_lab.course import Result

SIZE, LEFT = (420.0, 280.0), 100.0
"""Small, so that the words can be read in small windows as well."""
MOST_LAYERS = 12
"""Drawn one above the other; of deeper networks evenly spaced ones."""
FULL = 0.35
"""The fraction of a layer's values in one bin with the brightest color."""


def until(result: Result, percent: int) -> tuple[Moment, ...]:
    """The looks inside up to the moment that is shown."""
    last = round((len(result.moments) - 1) * percent / 100)
    return result.moments[: last + 1]


def predictions(result: Result) -> Pane:
    if result.pictures is None or not result.moments:
        return blank_pane("predictions", "Validation", "not yet")
    return answers_pane(result.pictures, result.labels, result.given, result.classes)


def kernels(moments: Sequence[Moment]) -> Pane:
    if not moments:
        return blank_pane("kernels", "First-layer kernels", "not yet")
    return kernels_pane([(each.step, each.kernels) for each in moments])


def histograms(moments: Sequence[Moment], *, gradients: bool) -> Pane:
    """Layers one above the other, the first on top; in each the largest values are on top."""
    name = "gradients" if gradients else "activations"
    title = f"{'Gradients' if gradients else 'Outputs'} of the layers over time"
    if not moments:
        return blank_pane(name, title, "not yet")
    stacked = np.stack([m.gradients if gradients else m.activations for m in moments], axis=2)
    layers = stacked.shape[1]
    chosen = np.unique(np.linspace(0, layers - 1, min(layers, MOST_LAYERS)).round().astype(int))
    values = stacked[::-1, chosen].transpose(1, 0, 2).reshape(-1, len(moments))
    words = [""] * len(values)
    for place, layer in enumerate(chosen.tolist()):
        words[place * BINS + BINS // 2] = f"layer {layer + 1}"
    high = SIZE[1] / len(chosen)
    places = [high * place for place in range(1, len(chosen))]
    lines = Lines(
        np.array([(LEFT, y, LEFT + SIZE[0], y) for y in places], np.float32).reshape(-1, 4),
        np.full((len(places), 3), 200, np.uint8), width=1.0, name="layers",
    )  # fmt: skip
    edges = GRADIENT_EDGES if gradients else ACTIVATION_EDGES

    def readout(row: int, column: int) -> str:
        layer, bin_from_top = divmod(row, BINS)
        low, top = edges[BINS - 1 - bin_from_top], edges[BINS - bin_from_top]
        ends = f"10^{low:.1f} to 10^{top:.1f}" if gradients else f"{low:.2f} to {top:.2f}"
        return (
            f"layer {chosen[layer] + 1}, step {moments[column].step}: {values[row, column]:.1%} "
            f"from {ends}"
        )

    return matrix_pane(
        name, title, np.ascontiguousarray(values, np.float32), words, _marks(moments),
        scale=(0.0, FULL), unit="fraction of the values", colormap="magma", over=(lines,),
        readout=readout, size=SIZE, left=LEFT,
    )  # fmt: skip


def _marks(moments: Sequence[Moment]) -> list[str]:
    """A step below each of a few, later below about every fifth part."""
    count = len(moments)
    marked = {round(part * (count - 1) / 4) for part in range(5)} if count > 8 else range(count)
    return [str(each.step) if at in marked else "" for at, each in enumerate(moments)]


def plots(result: Result, moments: Sequence[Moment], compared: int) -> tuple[Plot, ...]:
    others = result.others[:compared]
    losses = [_other(run, 1) for run in others]
    accuracies = [_other(run, 2) for run in others]
    taken = result.taken
    if len(taken):
        losses.append(training_curve(taken[:, 0], "training"))
        accuracies.append(training_curve(taken[:, 1], "training"))
    if result.moments:
        points = [(float(m.step), m.loss) for m in result.moments]
        losses.append(curve_of(points, "validation", VALIDATION))
        points = [(float(m.step), m.accuracy) for m in result.moments]
        accuracies.append(curve_of(points, "validation", VALIDATION))
    found = [accuracy_plot(accuracies), loss_plot(losses)]
    if moments:
        found.append(_flow(moments))
    return tuple(found)


def _other(run: Run[Recipe], column: int) -> Curve:
    points = [(point[0], point[column]) for point in run.curve]
    return curve_of(points, settings(run), OTHERS)


def settings(run: Run[Recipe]) -> str:
    """What is special about a run: how it differs from the defaults."""
    return Recipe(steps=run.recipe.steps).differences(run.recipe) or "defaults"


def _flow(moments: Sequence[Moment]) -> Plot:
    first, last = moments[0], moments[-1]
    return over_layers(
        "flow", "Gradient norm of the weights, by layer",
        [
            ("at the start", first.flow.tolist(), BLUE),
            (f"step {last.step}", last.flow.tolist(), ORANGE),
        ],
        y_label="L2 norm", log=True,
    )  # fmt: skip


def tables(result: Result) -> tuple[Table, ...]:
    found = []
    if result.changes:
        changes = tuple((each.step, each.words) for each in result.changes)
        found.append(Table("changes", ("step", "changed to"), changes, title="Changes on the way"))
    rows = tuple(
        (
            run.name, settings(run), run.seed, run.step,
            round(run.accuracy, 4), "diverged" if run.ended else _state(run),
        )
        for run in result.others
    )  # fmt: skip
    if rows:
        columns = ("run", "settings", "seed", "steps", "validation accuracy", "state")
        found.append(Table("runs", columns, rows, title="Kept runs on these data"))
    return tuple(found)


def _state(run: Run[Recipe]) -> str:
    return "done" if run.step >= run.recipe.steps else "can go on"


def last_of(values: NDArray[np.float64], window: int = 20) -> float:
    """The mean of the last steps; NaN where there is none."""
    return float(values[-window:].mean()) if len(values) else float("nan")
