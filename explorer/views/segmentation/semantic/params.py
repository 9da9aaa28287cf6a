"""The parameters of the view of semantic segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Effect, Mask, Pick, Point, param

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

NOTHING = "none"
ENTROPY, MARGIN = "entropy", "margin"
BACKGROUND = frozenset({"__background__", "background"})


def class_names(info: NetworkInfo) -> tuple[str, ...]:
    """The classes that are objects, each once: what a ground-truth mask can be painted with."""
    return object_classes(info.classes)


def object_classes(classes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(classes) if name not in BACKGROUND)


def _one_of(info: NetworkInfo) -> tuple[str, ...]:
    return (NOTHING, *dict.fromkeys(info.classes))


def has_stages(info: NetworkInfo | None) -> bool:
    """Whether scores of finer maps are added to coarser ones, by the paper's names of the layers.

    Source: Long, Shelhamer and Darrell 2015, the layers `score_pool3` and `score_pool4`.
    """
    names = info.layer_names() if info is not None else ()
    return any(name.rpartition(".")[2].startswith("score_pool") for name in names)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    opacity: float = param(
        0.55, "Opacity", "Opacity of the colors over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    outline: bool = param(
        True, "Borders", "Draws lines between regions of different classes.", effect=Effect.DRAW
    )
    classes: tuple[str, ...] = param(
        (), "Classes", "Only these classes are colored; none chosen means all.",
        effect=Effect.DRAW, choices=class_names,
    )  # fmt: skip
    background: bool = param(
        False, "Color the background", "Colors the background class, too.",
        effect=Effect.DRAW,
    )  # fmt: skip
    min_probability: float = param(
        0.0, "Min. probability", "Pixels whose top class has a lower probability stay uncolored.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    probability_of: str = param(
        NOTHING, "Probability of", "Shows the probability of this class everywhere as a heat map.",
        effect=Effect.DRAW, choices=_one_of,
    )  # fmt: skip
    class_maps: bool = param(
        False, "Maps of all classes",
        "Shows the probabilities of the classes that were found side by side, with one scale.",
        effect=Effect.DRAW,
    )  # fmt: skip
    uncertainty: str = param(
        NOTHING, "Uncertainty",
        "A heat map of the entropy of each pixel's probabilities, or of the margin between its two "
        "most probable classes.",
        effect=Effect.DRAW, choices=(NOTHING, ENTROPY, MARGIN),
    )  # fmt: skip
    fcn_stages: bool = param(
        False, "FCN stages",
        "Shows an FCN's predictions before and after it adds finer feature maps.",
        effect=Effect.DRAW, when=lambda _, info: has_stages(info),
    )  # fmt: skip
    paint: bool = param(
        False, "Edit ground truth",
        "Shows a pane on which the brush paints the true classes.",
        effect=Effect.DRAW, section="Ground truth",
    )  # fmt: skip
    truth: Mask | None = param(
        None, "Mask",
        "The true class of every pixel, painted or from a file: the prediction is compared with "
        "it. What is not painted is background; index 255 of a file is not counted.",
        effect=Effect.DRAW, pick=Pick.TRUTH, pane="truth", choices=class_names,
        section="Ground truth",
    )  # fmt: skip
    at: Point | None = param(
        None, "Position", "The pixel under the mouse, whose probabilities are plotted.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True,
    )  # fmt: skip
