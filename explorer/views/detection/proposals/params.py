"""What the view of proposals asks for and what its computation gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.core.params import Box, Effect, FolderRef, NetworkRef, Pick, param
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.regions.proposals import ALL_RPN, RPN, methods_of
from explorer.vision.proposals.methods import BING, METHODS, Proposals
from explorer.vision.race.networks import TWO_STAGE, has_proposals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.views.detection.proposals.comparison import Comparison

ONE, ALL = "one method", "all methods"
BOXES, COVERAGE, BOTH = "boxes", "coverage", "both"


def _all(params: Params, _info: NetworkInfo | None) -> bool:
    return params.compare == ALL


def _two_stage(info: NetworkInfo | None) -> bool:
    return info is not None and has_proposals(info)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    compare: str = param(
        ONE, "Compare",
        "One method on the photo, or all methods measured beside the published table.",
        choices=(ONE, ALL),
    )  # fmt: skip
    method: str = param(
        next(iter(METHODS)), "Method",
        "The proposal method whose boxes are drawn. RPN needs a two-stage detector.",
        choices=methods_of,
    )  # fmt: skip
    folder: FolderRef | None = param(
        None, "Data set",
        "Photos with COCO, Pascal VOC or YOLO annotations that the methods are measured on. By "
        "default the open photo with its ground truth.",
        when=_all,
    )  # fmt: skip
    photos: int = param(
        10, "Max. photos", "At most this many photos of the data set.", low=1, high=500, log=True,
        when=lambda params, _: params.compare == ALL and params.folder is not None,
    )  # fmt: skip
    repeat: bool = param(
        True, "Repeatability",
        "Also measures every method on five changed forms of each photo, which takes longest.",
        when=_all,
    )  # fmt: skip
    detector: NetworkRef = param(
        TWO_STAGE, "Two-stage detector",
        "Its second stage detects objects on the boxes of every method, because the chosen network "
        "has none.",
        tasks=frozenset({"detection"}),
        when=lambda params, info: _all(params, info) and not _two_stage(info),
    )  # fmt: skip
    top: int = param(
        50, "Top boxes", "How many of the top-ranked boxes are drawn and counted.",
        effect=Effect.DRAW, low=1, high=10_000, step=1, log=True, play=True,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Ground-truth boxes: the table shows which of them are found.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    iou: float = param(
        0.5, "Found if IoU >=", "An object is found when a box overlaps it with at least this IoU.",
        effect=Effect.DRAW, low=0.3, high=0.95, step=0.05,
    )  # fmt: skip
    show: str = param(
        BOXES, "Show", "The boxes, their number over every pixel, or both.",
        effect=Effect.DRAW, choices=(BOXES, COVERAGE, BOTH),
    )  # fmt: skip
    level: int = param(
        0, "Pyramid level", "Only boxes of this level; 1 is the finest, 0 means all.",
        effect=Effect.DRAW, low=0, high=8, step=1,
        when=lambda params, _: params.method in (RPN, ALL_RPN),
    )  # fmt: skip
    most: int = param(
        2000, "Max. proposals",
        "How many boxes the method may propose; some methods distribute them differently.",
        low=10, high=10_000, step=10, log=True, advanced=True,
    )  # fmt: skip
    bing: FolderRef | None = param(
        None, "BING tables",
        "A folder with the tables of OpenCV's BING (ObjNessB2W8MAXBGR). Empty: those that ship, "
        "which this program fitted.",
        advanced=True, when=lambda params, _: params.compare == ALL or params.method == BING,
    )  # fmt: skip
    opacity: float = param(
        0.7, "Coverage opacity", "Opacity of the coverage map over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True,
        when=lambda params, _: params.show != BOXES,
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected box", "Click a box to see its score and overlaps.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="proposals",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The proposals of one method, and what was measured of all; None = nothing was asked."""

    photo: Picture
    method: str
    found: Proposals
    comparison: Comparison | None = None
    cache: DrawCache = field(default_factory=DrawCache)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """`rows` of the proposals that count (one level or all); `table` is `covered` of them.

    `best` (G,) is each object's best IoU with the top ones and `owners` (G,) its place in `rows`.
    """

    rows: NDArray[np.intp]
    top: int
    table: Float32
    best: Float32
    owners: NDArray[np.int64]
