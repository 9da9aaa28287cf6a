"""Signal and gradient of random networks over depth and initialization, plain and residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Table
from explorer.core.step import Step
from explorer.views.shared.grids.matrix import (
    COLORS,
    matrix_pane,
    numbered,
    over_layers,
)
from explorer.vision.statistics.layers import INITIALIZATIONS
from explorer.vision.statistics.signal import random_flow

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, Pane, Plot
    from explorer.engine.scene import Scene
    from explorer.views.inside.layer_statistics.params import Params
    from explorer.vision.statistics.signal import Flow

LIMIT = 6.0
"""Powers of ten in each direction that the colors show."""
KINDS = ("plain", "residual")


@dataclass(frozen=True, slots=True, eq=False)
class RandomResult:
    """By kind and initialization, as far as they are computed; `flows` have (depth,) arrays."""

    depth: int
    flows: dict[tuple[str, str], Flow]


def steps(scene: Scene, params: Params) -> Generator[Step[RandomResult], Any, None]:
    flows: dict[tuple[str, str], Flow] = {}
    total = len(KINDS) * len(INITIALIZATIONS)
    for kind in KINDS:
        for how in INITIALIZATIONS:
            flows[kind, how] = random_flow(
                scene.input(), params.depth, how, scene.generator(),
                residual=kind == "residual", norm=params.batch_norm,
            )  # fmt: skip
            yield Step(RandomResult(params.depth, dict(flows)), len(flows), total, f"{kind}, {how}")


def board(result: RandomResult, params: Params) -> Board:
    panes = (
        _pane(result, "signal", "Signal: standard deviation of the outputs", words=params.names),
        _pane(result, "gradient", "Gradient with respect to the outputs", words=params.names),
    )
    plots = tuple(_plot(result, what, kind) for kind in KINDS for what in ("signal", "gradient"))
    return Board(panes, plots, (_table(result),), summary=_summary(result))


def _pane(result: RandomResult, what: str, title: str, *, words: bool) -> Pane:
    names = [f"{kind}, {how}" for kind in KINDS for how in INITIALIZATIONS]
    values = np.full((len(names), result.depth), np.nan, np.float32)
    for (kind, how), flow in result.flows.items():
        values[names.index(f"{kind}, {how}")] = _powers(getattr(flow, what))

    def readout(row: int, column: int) -> str:
        power = values[row, column]
        known = f"10^{power:.2f}" if np.isfinite(power) else "0 or not computed"
        return f"{names[row]}, layer {column + 1}: {known}"

    return matrix_pane(
        what, title, values, names, numbered(result.depth), scale=(-LIMIT, LIMIT),
        unit="power of ten", colormap="coolwarm", words=words, readout=readout,
        size=(1000.0, 400.0),
    )  # fmt: skip


def _powers(values: Float32) -> Float32:
    with np.errstate(divide="ignore"):
        powers = np.log10(values)
    powers[~np.isfinite(powers)] = np.nan
    return powers.astype(np.float32)


def _plot(result: RandomResult, what: str, kind: str) -> Plot:
    curves = [
        (how, getattr(result.flows[kind, how], what), COLORS[at])
        for at, how in enumerate(INITIALIZATIONS)
        if (kind, how) in result.flows
    ]
    return over_layers(
        f"{kind} {what}", f"{kind.capitalize()}: {what}", curves, y_label="deviation", log=True
    )


def _table(result: RandomResult) -> Table:
    rows = []
    for (kind, how), flow in result.flows.items():
        ratio = flow.signal[-1] / flow.signal[0] if flow.signal[0] else 0.0
        back = flow.gradient[0] / flow.gradient[-1] if flow.gradient[-1] else 0.0
        rows.append((kind, how, float(f"{ratio:.3g}"), float(f"{back:.3g}")))
    return Table(
        "networks",
        ("network", "initialization", "signal: last / first", "gradient: first / last"),
        tuple(rows), title=f"{result.depth} layers",
    )  # fmt: skip


def _summary(result: RandomResult) -> str:
    words = [f"{result.depth} convolutions with random weights"]
    for kind in KINDS:
        flow = result.flows.get((kind, "He"))
        if flow is not None and flow.gradient[-1] > 0:
            ratio = flow.gradient[0] / flow.gradient[-1]
            words.append(f"{kind}, He: gradient x {ratio:.2g} from the last to the first")
    return " · ".join(words)


def data(result: RandomResult) -> dict[str, Any]:
    return {
        f"{kind} {how} {what}": getattr(flow, what)
        for (kind, how), flow in result.flows.items()
        for what in ("signal", "gradient")
    }
