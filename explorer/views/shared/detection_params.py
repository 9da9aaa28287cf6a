"""The parameters of the views that show a detector's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Box, Effect, Pick, param
from explorer.views.shared.common import score_threshold

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

MATCH, CLASS, OBJECT = "match", "class", "object"

NO_CLASS = frozenset({"__background__", "background", "N/A", ""})


def class_choices(info: NetworkInfo) -> tuple[str, ...]:
    """The classes that are things, each once."""
    return tuple(dict.fromkeys(name for name in info.classes if name not in NO_CLASS))


def _gives(info: NetworkInfo | None, part: str) -> bool:
    """Whether the network has a head for masks or keypoints, by the names of its layers."""
    names = info.layer_names() if info is not None else ()
    return any(name.rpartition(".")[2].startswith(part) for name in names)


def _has_masks(_params: DetectionParams, info: NetworkInfo | None) -> bool:
    return _gives(info, "mask")


def _drawn_masks(params: DetectionParams, info: NetworkInfo | None) -> bool:
    return params.masks and _gives(info, "mask")


@dataclass(frozen=True, slots=True)
class DetectionParams:
    """See the help of each."""

    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score are hidden. Default: 0.5, or the threshold on the "
        "network's card. Nothing is computed again.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth",
        "Ground-truth boxes: with them, detections are marked as true or false positives and "
        "missed objects as false negatives.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    iou: float = param(
        0.5, "IoU threshold",
        "A detection is a true positive if its IoU with an object is at least this.",
        effect=Effect.DRAW, low=0.05, high=0.95, step=0.05,
        when=lambda params, _: bool(params.truth),
    )  # fmt: skip
    classes: tuple[str, ...] = param(
        (), "Classes", "Only these classes are shown; none chosen means all.",
        effect=Effect.DRAW, choices=class_choices,
    )  # fmt: skip
    labels: bool = param(True, "Labels", "Shows class and score at every box.", effect=Effect.DRAW)
    masks: bool = param(
        True, "Masks", "Paints the instance masks.", effect=Effect.DRAW, when=_has_masks
    )
    keypoints: bool = param(
        True, "Keypoints", "Draws the keypoints and the limbs between them.",
        effect=Effect.DRAW, when=lambda _, info: _gives(info, "keypoint"),
    )  # fmt: skip
    color_by: str = param(
        MATCH, "Color by",
        "Match: true or false positive, if there is ground truth. Or one color per class or per "
        "object.",
        effect=Effect.DRAW, choices=(MATCH, CLASS, OBJECT),
    )  # fmt: skip
    mask_threshold: float = param(
        0.5, "Mask threshold", "A pixel belongs to the object if its mask probability >= this.",
        effect=Effect.DRAW, low=0.05, high=0.95, step=0.05, advanced=True, when=_drawn_masks,
    )  # fmt: skip
    mask_opacity: float = param(
        0.45, "Mask opacity", "Opacity of the masks over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True, when=_drawn_masks,
    )  # fmt: skip
    keypoint_score: float = param(
        0.0, "Min. keypoint score",
        "Keypoints with a lower score (the maximum of their heat map) are hidden; occluded "
        "joints score low.",
        effect=Effect.DRAW, low=-20.0, high=40.0, step=0.5, advanced=True,
        when=lambda params, info: params.keypoints and _gives(info, "keypoint"),
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected box", "The detection selected in the table or on the photo.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="detections",
    )  # fmt: skip
