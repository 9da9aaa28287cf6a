"""The form of the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Effect, Pick, Point, param
from explorer.views.shared.common import default_layer

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

GRADIENT, TIMES_INPUT, SMOOTH_GRAD = "gradient", "gradient x input", "SmoothGrad"
INTEGRATED, DECONVNET, GUIDED = "integrated gradients", "deconvnet", "guided backprop"
GRAD_CAM, PLUS_PLUS, LAYER_CAM = "Grad-CAM", "Grad-CAM++", "Layer-CAM"
EIGEN_CAM, SCORE_CAM, LRP = "Eigen-CAM", "Score-CAM", "LRP"
OCCLUSION, RISE, D_RISE = "occlusion", "RISE", "D-RISE"

METHODS = (
    GRAD_CAM, PLUS_PLUS, LAYER_CAM, EIGEN_CAM, GRADIENT, TIMES_INPUT, DECONVNET, GUIDED, LRP,
    INTEGRATED, SMOOTH_GRAD, SCORE_CAM, OCCLUSION, RISE, D_RISE,
)  # fmt: skip
"""In the order in which they are computed: those of one pass first."""
QUICK = frozenset(METHODS[:9])
"""One pass and the way back: they keep up with a camera."""
CAMS = frozenset({GRAD_CAM, PLUS_PLUS, LAYER_CAM, EIGEN_CAM, SCORE_CAM})
MASKED = frozenset({OCCLUSION, RISE, D_RISE})
"""They look at the output alone."""
WITH_BASELINE = frozenset({INTEGRATED, SCORE_CAM, *MASKED})

CLASS, UNIT, BOX, REGION = "class", "unit", "box", "region"
TOP = "the top class"
HERE = "the class there"
AUTOMATIC = "automatic"
MEAN, BLACK, BLURRED = "mean color", "black", "blurred"
SHARED, OWN = "one scale for all", "each map its own"
FOR, BOTH = "for the target", "for and against"
CONNECTED, PIXEL = "connected pixels", "one pixel"
COMPOSITE, EPSILON = "composite", "epsilon"


def kinds(info: NetworkInfo) -> tuple[str, ...]:
    """What a target may be, by the network's task; the first one is the default."""
    match info.task:
        case "classification" | "localization":
            return (CLASS, UNIT)
        case "detection":
            return (BOX, UNIT)
        case "segmentation":
            return (REGION, UNIT)
        case _:
            return (UNIT,)


def kind_of(params: Params, info: NetworkInfo | None) -> str:
    """What the target is."""
    if info is None:
        return params.of or CLASS
    valid = kinds(info)
    return params.of if params.of in valid else valid[0]


def methods_of(info: NetworkInfo) -> tuple[str, ...]:
    """Those that there are for the network, in their order."""
    return METHODS if info.task == "detection" else METHODS[:-1]


def chosen(params: Params, info: NetworkInfo | None) -> tuple[str, ...]:
    """The methods to compute, in their order; none chosen means all."""
    valid = METHODS if info is None else methods_of(info)
    return tuple(method for method in valid if not params.methods or method in params.methods)


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (HERE if info.task == "segmentation" else TOP, *dict.fromkeys(info.classes))


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    # An empty parameter means the first choice, so the default layer is first in the list.
    return tuple(dict.fromkeys((default_layer(info), *info.layer_names())))


def _cam_layers(info: NetworkInfo) -> tuple[str, ...]:
    return (AUTOMATIC, *info.layer_names())


def _is(params: Params, info: NetworkInfo | None, *wanted: str) -> bool:
    return kind_of(params, info) in wanted


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    methods: tuple[str, ...] = param(
        (GRAD_CAM, GUIDED, LRP, INTEGRATED, OCCLUSION), "Methods",
        "Each is a pane of its own. None chosen means all of them.", choices=methods_of,
    )  # fmt: skip
    of: str = param(
        "", "Target", "What is explained: the network's output, or one unit inside of it.",
        choices=kinds,
    )  # fmt: skip
    label: str = param(
        "", "Class", "The class whose logit is explained.", choices=_classes,
        when=lambda params, info: _is(params, info, CLASS, REGION),
    )  # fmt: skip
    selected: int | None = param(
        None, "Box", "Click a detection in the first pane, or its row; without one, the "
        "highest-scoring.",
        pick=Pick.SELECT, layer="detections",
        when=lambda params, info: _is(params, info, BOX),
    )  # fmt: skip
    place: Point | None = param(
        None, "Place",
        "Click on the photo. Region: the pixel whose class is explained. Unit: the cell there; "
        "without a click, where the channel is largest.",
        pick=Pick.CLICK, when=lambda params, info: _is(params, info, REGION, UNIT),
    )  # fmt: skip
    region: str = param(
        CONNECTED, "Pixels", "The connected pixels of the class around the place, or one alone.",
        choices=(CONNECTED, PIXEL), when=lambda params, info: _is(params, info, REGION),
    )  # fmt: skip
    layer: str = param(
        "", "Layer of the unit", "By its name in the network.", choices=_layers,
        when=lambda params, info: _is(params, info, UNIT),
    )  # fmt: skip
    channel: int | None = param(
        None, "Channel", "Of the unit; by default the one with the largest activation.",
        low=0, high=65535, when=lambda params, info: _is(params, info, UNIT),
    )  # fmt: skip
    scale: str = param(
        OWN, "Color scale",
        "One scale for all: every map in multiples of its own mean magnitude. Or each map from 0 "
        "to its own maximum, in its own unit.",
        effect=Effect.DRAW, choices=(SHARED, OWN),
    )  # fmt: skip
    sign: str = param(
        FOR, "Values", "What speaks for the target, or also what speaks against it, in blue.",
        effect=Effect.DRAW, choices=(FOR, BOTH),
    )  # fmt: skip
    opacity: float = param(
        0.8, "Opacity", "Opacity of the maps over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    smooth: bool = param(
        True, "Smooth", "Interpolates between cells. Off shows the cells as they are.",
        effect=Effect.DRAW,
    )  # fmt: skip
    faithfulness: bool = param(
        False, "Faithfulness",
        "Removes the most important pixels of every map and measures what is left: deletion, "
        "insertion and ROAD.",
    )  # fmt: skip
    baseline: str = param(
        MEAN, "Baseline", "What hidden pixels become, and where integrated gradients begin.",
        choices=(MEAN, BLACK, BLURRED),
        when=lambda params, info: params.faithfulness
        or bool(set(chosen(params, info)) & WITH_BASELINE),
    )  # fmt: skip
    cam_layer: str = param(
        AUTOMATIC, "Layer of the CAMs",
        "Automatic: the last one with a map that the target depends on at several cells.",
        choices=_cam_layers, when=lambda params, info: bool(set(chosen(params, info)) & CAMS),
    )  # fmt: skip
    patch: int = param(
        15, "Window", "Side of the window of the occlusion, in parts of the photo's shorter side.",
        low=1, high=100, unit="%", log=True,
        when=lambda params, info: OCCLUSION in chosen(params, info),
    )  # fmt: skip
    stride: int = param(
        8, "Window stride", "From one window to the next, in parts of the shorter side.",
        low=1, high=100, unit="%", log=True,
        when=lambda params, info: OCCLUSION in chosen(params, info),
    )  # fmt: skip
    masks: int = param(
        400, "Masks", "Random masks of RISE and D-RISE; more of them leave less noise.",
        low=8, high=8000, log=True,
        when=lambda params, info: bool(set(chosen(params, info)) & {RISE, D_RISE}),
    )  # fmt: skip
    cells: int = param(
        7, "Mask cells", "Cells of a random mask along the shorter side.", low=2, high=32,
        when=lambda params, info: bool(set(chosen(params, info)) & {RISE, D_RISE}),
    )  # fmt: skip
    visible: float = param(
        0.5, "Visible cells", "The probability that a cell of a mask is visible.",
        low=0.05, high=0.95, step=0.05, advanced=True,
        when=lambda params, info: bool(set(chosen(params, info)) & {RISE, D_RISE}),
    )  # fmt: skip
    steps: int = param(
        32, "Integration points", "Of integrated gradients; more make the gap smaller.",
        low=2, high=256, log=True, when=lambda params, info: INTEGRATED in chosen(params, info),
    )  # fmt: skip
    samples: int = param(
        24, "Noisy copies", "Of SmoothGrad.", low=1, high=256, log=True,
        when=lambda params, info: SMOOTH_GRAD in chosen(params, info),
    )  # fmt: skip
    noise: float = param(
        0.15, "Noise", "Of SmoothGrad, in parts of the range of the input.",
        low=0.0, high=0.5, step=0.01,
        when=lambda params, info: SMOOTH_GRAD in chosen(params, info),
    )  # fmt: skip
    most: int = param(
        64, "Score-CAM channels", "The strongest channels; each is one more pass.",
        low=1, high=2048, log=True, when=lambda params, info: SCORE_CAM in chosen(params, info),
    )  # fmt: skip
    rule: str = param(
        COMPOSITE, "LRP rule",
        "Composite: positive contributions only in convolutions (z+), epsilon in linear layers. "
        "Epsilon: in all layers.",
        choices=(COMPOSITE, EPSILON), when=lambda params, info: LRP in chosen(params, info),
    )  # fmt: skip
    through: int | None = param(
        None, "LRP through channel",
        "Only the relevance that passes through this channel of the layer below; none: all.",
        low=0, high=65535, when=lambda params, info: LRP in chosen(params, info),
    )  # fmt: skip
    through_layer: str = param(
        "", "Layer of that channel", "By its name in the network.", choices=_layers,
        when=lambda params, info: LRP in chosen(params, info) and params.through is not None,
    )  # fmt: skip
