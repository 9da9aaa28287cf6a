"""Activations and gradients of the layers of the network, and clipping."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from explorer.core.layers import Board, Lines, Table
from explorer.core.step import Step
from explorer.views.inside.layer_statistics.params import GRADIENTS, TOP, TRAINED
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.grids.matrix import (
    BLUE,
    GREEN,
    ORANGE,
    SIDE,
    SIZE,
    matrix_pane,
    numbered,
    over_layers,
)
from explorer.vision.statistics.clipping import by_norm, by_value, total_norm
from explorer.vision.statistics.layers import (
    Initialization,
    flow,
    loss_of_class,
    reinitialized,
    shares,
)
from explorer.vision.statistics.residual import without_shortcuts

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Layer, Pane
    from explorer.engine.scene import Scene
    from explorer.views.inside.layer_statistics.params import Params
    from explorer.vision.statistics.clipping import Clipped
    from explorer.vision.statistics.layers import Distribution, LayerFlow

BINS = 64
ROWS = 9
"""That have words, of the histograms."""
_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
CUT = 0.002
"""Of the pooled values at each end that the bins leave out."""
WHITE, LIGHT = (255, 255, 255), (255, 200, 120)


@dataclass(frozen=True, slots=True, eq=False)
class FlowResult:
    """`clipped` is by value and by norm; None where no gradient was computed."""

    layers: tuple[LayerFlow, ...]
    norm: float = 0.0
    clipped: tuple[Clipped, Clipped] | None = None
    cache: DrawCache = field(default_factory=DrawCache)


def steps(scene: Scene, params: Params) -> Generator[Step[FlowResult], Any, None]:
    network = scene.network
    module = network.module
    if params.weights != TRAINED:
        module = reinitialized(module, cast("Initialization", params.weights), scene.generator())
    given = scene.input()

    def plain() -> Any:
        return module(scene.shown(given))

    run = plain if params.shortcuts else partial(without_shortcuts, module, plain)
    if params.show != GRADIENTS:
        layers, _ = flow(module, run, None)
        yield Step(FlowResult(tuple(layers)))
        return
    label = None if params.of == TOP else network.info.classes.index(params.of)
    layers, gradients = flow(module, run, partial(loss_of_class, index=label))
    clipped = by_value(gradients, params.value), by_norm(gradients, params.norm)
    yield Step(FlowResult(tuple(layers), total_norm(gradients), clipped))


def board(result: FlowResult, params: Params) -> Board:
    gradients = result.clipped is not None
    found = [each.gradient if gradients else each.activation for each in result.layers]
    pane = result.cache.get(
        ("pane", params.names), lambda: _pane(result, found, log=gradients, words=params.names)
    )
    which = "gradients" if gradients else "outputs"
    std = [np.nan if each is None else each.std for each in found]
    plots = [
        over_layers(
            "std", f"Standard deviation of the {which}", [("standard deviation", std, BLUE)],
            y_label="standard deviation", log=True,
        )
    ]  # fmt: skip
    summary = f"{len(result.layers)} layers with weights"
    if result.clipped is not None:
        plots.append(_clipping(result))
        value, norm = result.clipped
        summary += (
            f" · gradient norm {result.norm:.3g} · clipped by value: norm {value.norm:.3g}, "
            f"{value.changed:.1%} cut, cosine {value.cosine:.3f} · by norm: {norm.norm:.3g}, "
            f"cosine {norm.cosine:.3f}"
        )
    else:
        zeros = [each.activation.zeros for each in result.layers]
        plots.append(
            over_layers(
                "mean", "Mean of the outputs",
                [("mean", [each.activation.mean for each in result.layers], ORANGE)],
                y_label="mean",
            )
        )  # fmt: skip
        summary += f" · outputs that are exactly 0: {np.mean(zeros) if zeros else 0:.1%}"
    return Board((pane,), tuple(plots), (_table(result),), summary=summary, notes=_notes(params))


def _notes(params: Params) -> tuple[str, ...]:
    changes = []
    if params.weights != TRAINED:
        changes.append(f"random weights ({params.weights})")
    if not params.shortcuts:
        changes.append("no shortcuts")
    return (f"The network is changed: {' and '.join(changes)}.",) if changes else ()


def _pane(result: FlowResult, found: list[Distribution | None], *, log: bool, words: bool) -> Pane:
    """Every column is the histogram of a layer; lines are percentiles."""
    edges = _edges(found, log=log)
    values = shares(found, edges, log=log)[::-1]
    names = [each.name for each in result.layers]

    def readout(_row: int, column: int) -> str:
        each = found[column]
        if each is None:
            return f"{names[column]}: no gradient"
        low, _, middle, _, high = each.percentiles
        return (
            f"{names[column]}: mean {each.mean:.3g}, standard deviation {each.std:.3g}, "
            f"5% below {low:.3g}, half below {middle:.3g}, 95% below {high:.3g}"
        )

    high = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    marks = _axis(edges, log=log)
    return matrix_pane(
        "layers",
        f"{'Gradients' if log else 'Outputs'}: a histogram of the values of each layer",
        np.ascontiguousarray(values),
        marks,
        numbered(len(found)),
        scale=(0.0, min(high, 0.15) or 1.0),
        unit="fraction of the values",
        colormap="magma",
        over=[] if log else _percentile_lines(found, edges, SIDE if words else 0.0),
        words=words,
        readout=readout,
        counted="layer",
    )


def _edges(found: list[Distribution | None], *, log: bool) -> NDArray[np.float64]:
    every = [each.values for each in found if each is not None]
    some = [values[:: max(1, values.size // 4096)].astype(np.float64) for values in every]
    pooled = np.concatenate(some or [np.zeros(1)])
    pooled = pooled[np.isfinite(pooled)]
    if log:
        pooled = np.log10(np.abs(pooled[pooled != 0]))
    if not pooled.size:
        pooled = np.zeros(1)
    low, high = np.quantile(pooled, [CUT, 1 - CUT])
    if high <= low:
        low, high = low - 1.0, high + 1.0
    return np.linspace(*_whole(float(low), float(high)), BINS + 1)


def _whole(low: float, high: float) -> tuple[float, float]:
    """A little wider, so that the middles of the rows that have words are round numbers."""
    least = (high - low) / (ROWS - 1)
    power = 10.0 ** np.floor(np.log10(least))
    step = power * next(each for each in _ROUND if each * power >= least)
    middle = step * round((low + high) / 2 / step)
    return middle - ROWS / 2 * step, middle + ROWS / 2 * step


def _axis(edges: NDArray[np.float64], *, log: bool) -> list[str]:
    """Words for the rows, the largest value first; each is the value in its middle."""
    step = float(edges[-1] - edges[0]) / ROWS
    top = round(float(edges[-1] + edges[0]) / 2 / step) + ROWS // 2
    marks = [(top - row) * step for row in range(ROWS)]
    return [f"10^{mark:.1f}" if log else f"{mark:.3g}" for mark in marks]


def _percentile_lines(
    found: list[Distribution | None], edges: NDArray[np.float64], side: float
) -> list[Layer]:
    """The median in white, the 5th and the 95th percentile in orange."""
    span = edges[-1] - edges[0]
    wide = SIZE[0] / max(1, len(found))
    lines: list[Layer] = []
    tints: tuple[tuple[int, Color], ...] = ((2, WHITE), (0, LIGHT), (4, LIGHT))
    for at, color in tints:
        segments = []
        for column, each in enumerate(found):
            if each is not None:
                value = min(max(each.percentiles[at], edges[0]), edges[-1])
                y = (edges[-1] - value) / span * SIZE[1]
                segments.append((side + column * wide, y, side + (column + 1) * wide, y))
        if segments:
            colors = np.tile(np.array(color, np.uint8), (len(segments), 1))
            lines.append(
                Lines(np.array(segments, np.float32), colors, width=2.0, name="percentiles")
            )
    return lines


def _clipping(result: FlowResult) -> Any:
    assert result.clipped is not None
    value, norm = result.clipped
    names = [f"{each.name}.weight" for each in result.layers]
    return over_layers(
        "clipping", "Gradient norm of the weights",
        [
            ("as it is", [each.weights or 0.0 for each in result.layers], BLUE),
            ("clipped by value", [value.layers.get(name, 0.0) for name in names], ORANGE),
            ("clipped by norm", [norm.layers.get(name, 0.0) for name in names], GREEN),
        ],
        y_label="L2 norm", log=True,
    )  # fmt: skip


def _table(result: FlowResult) -> Table:
    rows = []
    gradients = any(each.gradient is not None for each in result.layers)
    for number, each in enumerate(result.layers, start=1):
        shown = each.activation
        row: list[str | int | float] = [
            number, each.name, each.kind, round(shown.mean, 5), round(shown.std, 5),
            *(round(mark, 5) for mark in shown.percentiles[::2]),
        ]  # fmt: skip
        if gradients:
            row += ["" if each.gradient is None else float(f"{each.gradient.std:.4g}")]
            row += ["" if each.weights is None else float(f"{each.weights:.4g}")]
        rows.append(tuple(row))
    more = ("gradient deviation", "weight gradient norm") if gradients else ()
    columns = ("#", "layer", "type", "mean", "deviation", "5%", "50%", "95%", *more)
    return Table("layers", columns, tuple(rows), title="Layers with weights")


def data(result: FlowResult) -> dict[str, Any]:
    found: dict[str, Any] = {
        "layers": [each.name for each in result.layers],
        "mean": np.array([each.activation.mean for each in result.layers]),
        "std": np.array([each.activation.std for each in result.layers]),
        "percentiles": np.array([each.activation.percentiles for each in result.layers]),
    }
    if result.clipped is not None:
        found["gradient_std"] = np.array(
            [np.nan if each.gradient is None else each.gradient.std for each in result.layers]
        )
        found["weight_gradient_norm"] = np.array(
            [np.nan if each.weights is None else each.weights for each in result.layers]
        )
        found["gradient_norm"] = result.norm
        found["clipped_norm"] = np.array([each.norm for each in result.clipped])
        found["clipped_cosine"] = np.array([each.cosine for each in result.clipped])
    return found
