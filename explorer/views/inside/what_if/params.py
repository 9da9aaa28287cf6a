"""The parameters of the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.layers import COLORMAPS
from explorer.core.params import Box, Effect, ImageRef, Mask, Pick, Point, param
from explorer.views.shared.common import default_layer, score_threshold

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import When

GRAY, MEAN, BLUR, INPAINT, OBJECT = TOOLS = (
    "erase: gray", "erase: mean color", "blur", "inpaint", "object to move",
)  # fmt: skip
"""What the brush does; the k-th paints index k + 1."""

WHOLE, GRAB_CUT = CUTS = ("the whole box", "GrabCut")
INPAINTED, GRAYED, KEPT = LEFT = ("inpainted", "gray", "unchanged")
NO_LAYER = "none"


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    # An empty parameter means the first choice: no maps, where there are predictions to compare.
    first = (NO_LAYER, default_layer(info))
    if info.task == "features":
        first = (default_layer(info), NO_LAYER)
    return tuple(dict.fromkeys((*first, *info.layer_names())))


def _has_object(params: Params) -> bool:
    """Whether there is a box, or an object is painted."""
    if params.box is not None or params.strokes is None:
        return params.box is not None
    return bool((params.strokes.index() == TOOLS.index(OBJECT) + 1).any())


def _moves(params: Params, _info: NetworkInfo | None) -> bool:
    return params.other is not None or _has_object(params)


def _leaves(params: Params, _info: NetworkInfo | None) -> bool:
    return params.other is None and _has_object(params)


def _cuts(params: Params, _info: NetworkInfo | None) -> bool:
    return params.box is not None or params.other is not None


def _task(*tasks: str) -> When:
    def applies(_params: Params, info: NetworkInfo | None) -> bool:
        return info is not None and info.task in tasks

    return applies


def _maps(params: Params, _info: NetworkInfo | None) -> bool:
    return params.layer != NO_LAYER


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    strokes: Mask | None = param(
        None, "Brush",
        "Paint on the original. Choose what the brush does: erase to gray or to the mean color, "
        "blur, inpaint, or mark the object that is moved. Every stroke can be undone.",
        pick=Pick.BRUSH, pane="image", choices=TOOLS,
    )  # fmt: skip
    other: ImageRef | None = param(
        None, "Paste from", "Another photo: a part of it is pasted into this one."
    )
    box: Box | None = param(
        None, "Object",
        "Drag a box around an object on the edited photo: it is removed. Then click where it goes.",
        pick=Pick.DRAG, pane="edited", when=lambda params, _: params.other is None,
    )  # fmt: skip
    part: Box | None = param(
        None, "Part of the other photo",
        "Drag a box on the other photo: what is pasted. By default its middle.",
        pick=Pick.DRAG, pane="other", when=lambda params, _: params.other is not None,
    )  # fmt: skip
    place: Point | None = param(
        None, "Place",
        "Click on the edited photo: the middle of the object or of the pasted part.",
        pick=Pick.CLICK, pane="edited", when=_moves,
    )  # fmt: skip
    size: float = param(
        1.0, "Size", "How many times as large the object or the pasted part becomes.",
        low=0.1, high=8.0, log=True, when=_moves,
    )  # fmt: skip
    cut: str = param(
        WHOLE, "Cut out",
        "The whole box, or the object in it as GrabCut separates it from its background.",
        choices=CUTS, when=_cuts,
    )  # fmt: skip
    leaves: str = param(
        INPAINTED, "Where it was", "What becomes of the place that the object leaves.",
        choices=LEFT, when=_leaves,
    )  # fmt: skip
    sigma: float = param(
        12.0, "Blur", "Standard deviation of the Gaussian of the brush that blurs.",
        low=1.0, high=100.0, log=True, unit="px",
        when=lambda params, _: params.strokes is not None,
    )  # fmt: skip
    layer: str = param(
        "", "Feature maps of", "The layer whose maps are compared, by its name in the network.",
        choices=_layers,
    )  # fmt: skip
    channel: int | None = param(
        None, "Channel",
        "The channel that is shown: click a row of the table. By default the one that changes "
        "most.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="channels", low=0, high=65535, when=_maps,
    )  # fmt: skip
    top: int = param(
        5, "Classes shown", "The most probable classes of both photos are listed.",
        effect=Effect.DRAW, low=1, high=50, when=_task("classification", "localization"),
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score", "Detections with a lower score do not count.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
        when=_task("detection"),
    )  # fmt: skip
    iou: float = param(
        0.5, "Same box if IoU >=",
        "A box of the original and one of the edited photo are the same from this IoU on.",
        effect=Effect.DRAW, low=0.05, high=0.95, step=0.05, when=_task("detection"),
    )  # fmt: skip
    opacity: float = param(
        0.65, "Opacity", "Opacity of maps and masks over the photos.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    colormap: str = param(
        "viridis", "Colormap", "Maps activations to colors.",
        effect=Effect.DRAW, choices=tuple(COLORMAPS), advanced=True, when=_maps,
    )  # fmt: skip
    detail: int = param(
        96, "Inpainting size",
        "Longer side of the surroundings that inpainting works on; larger is finer and slower.",
        low=64, high=1024, step=32, unit="px", log=True, advanced=True,
    )  # fmt: skip
