"""The parameters of the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.layers import COLORMAPS
from explorer.core.params import Effect, ImageRef, NetworkRef, Pick, Point, param
from explorer.views.shared.common import default_layer

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

EACH, SHARED, AROUND_ZERO = SCALES = ("each channel", "shared", "around zero")
INDEX, MEAN, MAX, VARIANCE, SIMILARITY, WEIGHT = SORTS = (
    "index", "mean", "max", "variance", "similarity", "class weight",
)  # fmt: skip
MAPS, HISTOGRAMS = SHOW = ("maps", "histograms")
NOTHING, KNOCKED_OUT, CLAMPED = CHANGES = ("nothing", "knock out", "clamp")
TOP = "the top class"


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    # An empty parameter means the first choice, so the default layer is first in the list.
    return tuple(dict.fromkeys((default_layer(info), *info.layer_names())))


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (TOP, *dict.fromkeys(info.classes))


def _weighs(params: Params, info: NetworkInfo | None) -> bool:
    return params.sort == WEIGHT and info is not None and info.task == "classification"


def _compares(params: Params, _info: NetworkInfo | None) -> bool:
    return params.other_network is not None


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = param(
        "", "Layer", "The layer to show, by its name in the network.", choices=_layers
    )
    show: str = param(
        MAPS, "Show", "The maps, or the distribution of the values of each of them.",
        effect=Effect.DRAW, choices=SHOW,
    )  # fmt: skip
    scale: str = param(
        EACH, "Scale",
        "Each channel from its own minimum to its own maximum, one scale for all, or one with "
        "zero in the middle.",
        effect=Effect.DRAW, choices=SCALES,
    )  # fmt: skip
    gamma: float = param(
        1.0, "Gamma",
        "Exponent of the values between the ends of the scale: below 1 low values become brighter.",
        effect=Effect.DRAW, low=0.1, high=4.0, log=True,
    )  # fmt: skip
    sort: str = param(
        INDEX, "Sort by",
        "Order of the tiles: by number, the largest first, similar maps side by side, or by the "
        "weight that a class gives to the channel in the last layer.",
        effect=Effect.DRAW, choices=SORTS,
    )  # fmt: skip
    of: str = param(
        TOP, "Class", "The class whose weights order the channels.", choices=_classes, when=_weighs
    )
    colormap: str = param(
        "viridis", "Colormap", "Maps values to colors.",
        effect=Effect.DRAW, choices=tuple(COLORMAPS),
    )  # fmt: skip
    channel: int | None = param(
        None, "Channel",
        "The channel overlaid on the photo: click a tile or a row of the table; the arrow keys go "
        "on to the next tile.",
        pick=Pick.SELECT, layer="tiles", low=0, high=65535,
    )  # fmt: skip
    change: str = param(
        NOTHING, "Change the channel",
        "Knock out sets the channel to 0 everywhere, clamp to a number. The table has the "
        "prediction before and after.",
        choices=CHANGES,
    )  # fmt: skip
    clamp: float = param(
        1.0, "Clamp to", "What the channel is set to in all cells.",
        low=-1000.0, high=1000.0, step=0.001, log=True,
        when=lambda params, _: params.change == CLAMPED,
    )  # fmt: skip
    pinned: tuple[str, ...] = param(
        (), "Pinned channels",
        "Channels that are shown side by side, and compared with those of another photo or "
        "network: Ctrl+click a tile to add it or to take it away, or type their numbers.",
        effect=Effect.DRAW, pick=Pick.COLLECT, layer="tiles", most=64,
    )  # fmt: skip
    second: ImageRef | None = param(
        None, "Compare with", "Another photo, with the same channel overlaid on the same scale."
    )
    other_network: NetworkRef | None = param(
        None, "Compare with network", "Another network, with the channel of the same number."
    )
    other_layer: str = param(
        "", "Its layer",
        "The layer of the other network by its name; empty: the one of the same name, else its "
        "default layer.",
        when=_compares,
    )  # fmt: skip
    colors: bool = param(
        False, "Principal components",
        "Shows all channels in one picture: the first three principal components of the cells as "
        "red, green and blue.",
    )  # fmt: skip
    field: bool = param(
        True, "Receptive field",
        "Draws on the photo what the cell under the mouse depends on.",
    )  # fmt: skip
    numbers: bool = param(
        True, "Channel numbers", "Writes the number of its channel on each tile.",
        effect=Effect.DRAW,
    )  # fmt: skip
    opacity: float = param(
        0.65, "Opacity", "Opacity of the channel over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    fade: bool = param(
        True, "Fade low values", "Makes the overlay transparent where the channel is low.",
        effect=Effect.DRAW,
    )  # fmt: skip
    smooth: bool = param(
        False, "Smooth", "Interpolates between cells. Off shows the cells as they are.",
        effect=Effect.DRAW,
    )  # fmt: skip
    at: Point | None = param(
        None, "Position on the photo", "Marks the cell under the mouse in both pictures.",
        effect=Effect.DRAW, pick=Pick.HOVER, pane="image", advanced=True,
    )  # fmt: skip
    at_map: Point | None = param(
        None, "Position in the mosaic", "Marks the cell under the mouse in both pictures.",
        effect=Effect.DRAW, pick=Pick.HOVER, pane="mosaic", advanced=True,
    )  # fmt: skip
    call: int = param(
        0, "Call", "Index of the call, from 0, if the layer runs several times; at most the last.",
        low=0, high=255, advanced=True,
    )  # fmt: skip
    part: int = param(
        0, "Output", "Index of the output, from 0, if the layer has several; at most the last.",
        low=0, high=255, advanced=True,
    )  # fmt: skip
    item: int = param(
        0, "Batch entry", "Index in the batch, from 0, such as the region in a detector's head.",
        low=0, high=4095, advanced=True,
    )  # fmt: skip
