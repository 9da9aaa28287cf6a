"""The parameters of the RoI microscope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Box, Effect, Pick, param
from explorer.views.detection.roi_microscope.backward import (
    ALL_BINS,
    BACKWARD,
    NO_GRADIENT,
    ONE_BIN,
)
from explorer.views.detection.roi_microscope.panes import DIFFERENCES, METHODS
from explorer.views.shared.common import default_layer

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

HEAD = "feature maps of the box head"
MAP_LAYERS = ("Conv2d", "ReLU", "BatchNorm2d", "FrozenBatchNorm2d", "MaxPool2d", "Sequential")


def layer_choices(info: NetworkInfo) -> tuple[str, ...]:
    """The head's own maps first, where the network has such a head; then every layer with maps."""
    layers = dict.fromkeys((default_layer(info), *info.layer_names(*MAP_LAYERS)))
    return (HEAD, *layers) if info.task == "detection" else tuple(layers)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    box: Box | None = param(
        None, "Drawn box",
        "Draw it on the photo; arrow keys move it by a quarter of a pixel, with Ctrl they resize "
        "it.",
        pick=Pick.DRAG, pane="image", step=0.25,
    )  # fmt: skip
    proposal: int | None = param(
        None, "Proposal", "Its rank; used when you have not drawn a box.",
        pick=Pick.SELECT, layer="proposals",
    )  # fmt: skip
    shift: float = param(
        0.0, "Shift to the right",
        "Moves the box, in pixels of the network's input; drag the line in the plot to change it.",
        low=-32.0, high=32.0, step=0.05, unit="px", play=True,
    )  # fmt: skip
    method: str = param(
        "RoIAlign", "Method on the map",
        "The method whose window, bins and sampling points are drawn on the map.",
        effect=Effect.DRAW, choices=METHODS,
    )  # fmt: skip
    size: int = param(
        7, "Output size", "Rows and columns of the pooled grid.",
        effect=Effect.DRAW, low=1, high=14, step=1,
    )  # fmt: skip
    sampling: int = param(
        2, "Samples per bin", "Along each axis; 0 = as many as the bin has cells (RoIAlign only).",
        effect=Effect.DRAW, low=0, high=4, step=1,
    )  # fmt: skip
    aligned: bool | None = param(
        None, "Aligned",
        "RoIAlign subtracts half a cell. Automatic: as the network's own does; torchvision's "
        "detectors do not.",
        effect=Effect.DRAW,
    )  # fmt: skip
    layer: str = param(
        "", "Feature map", "The feature maps that the network's head uses, or any layer.",
        choices=layer_choices,
    )  # fmt: skip
    channel: int | None = param(
        None, "Channel", "Channel of the feature map; off: the mean of all channels.",
        effect=Effect.DRAW, low=0, high=4095, step=1,
    )  # fmt: skip
    cell: int | None = param(
        None, "Bin", "The bin that is plotted: click one in the pooled outputs.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="cells",
    )  # fmt: skip
    backward: str = param(
        NO_GRADIENT, "Gradient",
        "Shows where the gradient of the chosen bin, or of all bins, lands on the map.",
        effect=Effect.DRAW, choices=(NO_GRADIENT, ONE_BIN, ALL_BINS),
        when=lambda params, _: params.method in BACKWARD,
    )  # fmt: skip
    added: int = param(
        0, "RoIs added",
        "How many of the highest-scoring proposals on the same map have their gradients added.",
        effect=Effect.DRAW, low=0, high=300, step=1,
        when=lambda params, _: params.method in BACKWARD and params.backward != NO_GRADIENT,
    )  # fmt: skip
    difference: str = param(
        next(iter(DIFFERENCES)), "Difference", "The two methods whose outputs are subtracted.",
        effect=Effect.DRAW, choices=tuple(DIFFERENCES),
    )  # fmt: skip
    plot_range: float = param(
        16.0, "Plot range", "The box is shifted up to this far to both sides, in steps of 0.05.",
        effect=Effect.DRAW, low=2.0, high=32.0, step=1.0, unit="px", advanced=True,
    )  # fmt: skip
    zoom: bool = param(
        True, "Zoom to the box", "Shows the cells around the box instead of the whole map.",
        effect=Effect.DRAW, advanced=True,
    )  # fmt: skip
    head: bool = param(
        True, "Run the head", "Runs the network's own box head on the box.", advanced=True,
        when=lambda _, info: info is not None and bool(info.layer_names("RoIHeads")),
    )  # fmt: skip
    most: int = param(
        10, "Max. proposals drawn", "How many proposals are drawn, highest score first.",
        effect=Effect.DRAW, low=0, high=1000, step=5, advanced=True,
    )  # fmt: skip
