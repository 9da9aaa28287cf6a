"""The maps of one layer for the original and the edited photo: how much each channel changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from explorer.core.layers import Heat, Pane, Table
from explorer.views.shared.before_after.changes import difference
from explorer.views.shared.common import size_of

if TYPE_CHECKING:
    from explorer.core.layers import Colormap, Float32, Layer, Picture
    from explorer.views.inside.what_if.params import Params
    from explorer.vision.features.activations import Activation

LISTED = 12
"""Channels in the table."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What `layer` gave for both photos, maps of one shape.

    `change` (C,) float32 is the mean of |after - before| of each channel, in parts of the standard
    deviation of all values before.
    """

    layer: str
    before: Activation
    after: Activation
    change: Float32

    @classmethod
    def of(cls, layer: str, before: Activation, after: Activation) -> Maps | None:
        """None where the shapes differ, as those of a detector's head for other boxes."""
        if before.values.shape != after.values.shape:
            return None
        far = np.abs(after.values - before.values).reshape(len(before.values), -1).mean(axis=1)
        spread = float(before.values.std())
        change = np.nan_to_num(far / (spread if spread > 0 else 1.0)).astype(np.float32)
        return cls(layer, before, after, change)

    def channel(self, wanted: int | None) -> int:
        """The one that is shown: by default the one that changes most."""
        return int(self.change.argmax()) if wanted is None else min(wanted, len(self.change) - 1)


def map_panes(maps: Maps, photos: tuple[Picture, Picture], params: Params) -> tuple[Pane, ...]:
    """The channel over both photos, on one scale; none where cells are not places of the photo."""
    channel = maps.channel(params.channel)
    pair = (maps.before.values[channel], maps.after.values[channel])
    finite = [values[np.isfinite(values)] for values in pair]
    low = min(float(values.min(initial=0.0)) for values in finite)
    high = max(float(values.max(initial=0.0)) for values in finite)
    panes = []
    names = (("map", "original"), ("map edited", "edited"))
    for (name, words), answer, photo in zip(names, (maps.before, maps.after), photos, strict=True):
        if answer.frame is None:
            return ()
        height, width = answer.values.shape[1:]
        heat = Heat(
            answer.values[channel], low, high if high > low else low + 1.0,
            cast("Colormap", params.colormap), opacity=params.opacity, alpha_by_value=True,
            extent=answer.frame.inverse().extent(width, height), unit="activation", name="channel",
        )  # fmt: skip
        layers: tuple[Layer, ...] = (photo, heat)
        panes.append(Pane(name, size_of(photo), layers, title=f"Channel {channel}, {words}"))
    return tuple(panes)


def channel_table(maps: Maps) -> Table:
    """The channels that change most."""
    order = np.argsort(-maps.change, kind="stable")[:LISTED]
    means = [
        np.nan_to_num(answer.values.reshape(len(maps.change), -1).mean(axis=1))
        for answer in (maps.before, maps.after)
    ]
    rows = tuple(
        (
            int(k),
            *difference(float(means[0][k]), float(means[1][k])),
            round(float(maps.change[k]), 3),
        )
        for k in order
    )
    columns = ("channel", "mean before", "mean after", "difference", "mean |difference| [sd]")
    return Table(
        "channels", columns, rows, title=f"Channels of {maps.layer} that change most",
        layer="channels", keys=tuple(order.tolist()),
    )  # fmt: skip
