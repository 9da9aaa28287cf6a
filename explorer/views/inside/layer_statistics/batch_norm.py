"""Batch norm: statistics of a batch beside the running ones, and one channel step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board, Pane, Picture, Plot, Table
from explorer.core.step import Step
from explorer.views.inside.layer_statistics.params import FIRST
from explorer.views.shared.grids.matrix import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    over_layers,
    stairs,
)
from explorer.vision.features.mosaics import picture_sheet
from explorer.vision.statistics.norms import batch_norms, crops, norm_statistics

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.core.layers import UInt8
    from explorer.engine.scene import Scene
    from explorer.views.inside.layer_statistics.params import Params
    from explorer.vision.statistics.norms import ChannelNorm, NormStatistics

SHEET_SIDE = 128
"""Pixels of the longer side of a picture of the batch, as it is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class NormResult:
    """`chosen` and `channel` are None where the chosen batch norm did not run."""

    sheet: Picture
    norms: tuple[NormStatistics, ...]
    chosen: NormStatistics | None
    number: int
    channel: ChannelNorm | None


def steps(scene: Scene, params: Params) -> Generator[Step[NormResult], Any, None]:
    yield Step(_result(scene, params))


@torch.no_grad()
def _result(scene: Scene, params: Params) -> NormResult:
    network = scene.network
    name = params.layer
    if name == FIRST:
        name = next(iter(batch_norms(network.module)), "")
    batch = crops(scene.input(), params.photos, scene.generator())
    values = batch if network.preprocess.batched else list(batch)
    norms, channel = norm_statistics(
        network.module, lambda: network.module(values), name, params.channel
    )
    chosen = next((each for each in norms if each.name == name), None)
    number = 0 if chosen is None else min(params.channel, len(chosen.gamma) - 1)
    return NormResult(Picture(_sheet(batch), name="batch"), tuple(norms), chosen, number, channel)


def _sheet(batch: Tensor) -> UInt8:
    """The pictures of a batch side by side, from the smallest value to the largest."""
    step = max(1, max(batch.shape[-2:]) // SHEET_SIDE)
    small = batch[:, :, ::step, ::step].float().cpu()
    low, high = small.amin(), small.amax()
    scaled = ((small - low) / (high - low).clamp_min(1e-6) * 255).byte()
    pictures = scaled.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).contiguous().numpy()
    sheet, _ = picture_sheet(list(pictures), columns=_columns(len(pictures)))
    return sheet


def _columns(count: int) -> int:
    """Columns for pictures without an empty place, else with few of them."""
    wide = range(max(1, round(count**0.5)), round(2 * count**0.5) + 1)
    return min(wide, key=lambda columns: (-count % columns, columns))


def board(result: NormResult, params: Params) -> Board:
    high, wide = result.sheet.rgb.shape[:2]
    pane = Pane(
        "batch", (float(wide), float(high)), (result.sheet,), title="The batch", frame="batch"
    )
    shifts = [each.shift for each in result.norms]
    ratios = [each.ratio for each in result.norms]
    plots = [
        over_layers(
            "batch and running", "Batch against running statistics, layer by layer",
            [
                ("distance of means in deviations", shifts, ORANGE),
                ("ratio of deviations", ratios, BLUE),
            ],
            y_label="mean or median over channels",
        )
    ]  # fmt: skip
    if result.chosen is not None:
        plots += _statistics_plots(result.chosen)
    if result.channel is not None:
        plots.append(_channel_plot(result.channel, result.number))
    return Board((pane,), tuple(plots), (_table(result),), summary=_summary(result))


def _statistics_plots(chosen: NormStatistics) -> list[Plot]:
    """Channels in the order of the running statistics."""
    found = []
    for name, running, batch in (
        ("mean", chosen.running_mean, chosen.batch_mean),
        ("deviation", np.sqrt(chosen.running_var), np.sqrt(chosen.batch_var)),
    ):
        order = np.argsort(running, kind="stable")
        found.append(
            over_layers(
                name, f"{name.capitalize()} of each channel of {chosen.name}",
                [("batch", batch[order].tolist(), ORANGE),
                 ("running", running[order].tolist(), BLUE)],
                y_label=name, x_label="channels, sorted by the running statistics",
            )
        )  # fmt: skip
    return found


def _channel_plot(channel: ChannelNorm, number: int) -> Plot:
    return Plot(
        "channel", f"Channel {number}: before, normalized, after gamma and beta", "value",
        "fraction of the values",
        curves=(
            stairs(channel.given, "x", BLUE),
            stairs(channel.normalized, "normalized", GREEN),
            stairs(channel.output, "gamma, beta", ORANGE),
            stairs(channel.undone, "un-normalized", PURPLE),
        ),
    )  # fmt: skip


def _table(result: NormResult) -> Table:
    rows = tuple(
        (
            at, each.name, len(each.gamma), round(each.shift, 3), round(each.ratio, 3),
            round(float(np.abs(each.gamma).mean()), 4), round(float(each.beta.mean()), 4),
        )
        for at, each in enumerate(result.norms, start=1)
    )  # fmt: skip
    columns = ("#", "batch norm", "channels", "distance", "ratio", "mean |gamma|", "mean beta")
    return Table("norms", columns, rows, title="Batch norms")


def _summary(result: NormResult) -> str:
    words = [f"{len(result.norms)} batch norms"]
    chosen, channel = result.chosen, result.channel
    if chosen is not None and channel is not None:
        at = result.number
        wide = float(np.sqrt(chosen.running_var[at] + chosen.eps))
        error = float(np.abs(channel.undone - channel.given).max())
        words.append(
            f"{chosen.name}, channel {at}: running mean {chosen.running_mean[at]:.3g}, "
            f"deviation {wide:.3g}; batch {chosen.batch_mean[at]:.3g}, "
            f"{float(np.sqrt(chosen.batch_var[at])):.3g}"
        )
        words.append(
            f"gamma {chosen.gamma[at]:.3g}, beta {chosen.beta[at]:.3g}; "
            f"with gamma = {wide:.3g} and beta = {chosen.running_mean[at]:.3g} it is x again "
            f"(largest difference {error:.1g})"
        )
    return " · ".join(words)


def data(result: NormResult) -> dict[str, Any]:
    found: dict[str, Any] = {
        "layers": [each.name for each in result.norms],
        "distance": np.array([each.shift for each in result.norms]),
        "ratio": np.array([each.ratio for each in result.norms]),
    }
    if result.chosen is not None:
        names = ("batch_mean", "batch_var", "running_mean", "running_var", "gamma", "beta")
        found |= {name: getattr(result.chosen, name) for name in names}
    return found
