"""The parameters of a training of heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Box, Effect, FolderRef, Pick, param
from explorer.training.heads.head import OPTIMIZERS
from explorer.training.heads.losses import LOSSES
from explorer.training.heads.sets import BOTH, BOX, CLASS, JOINTS, KINDS, SEVERAL

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

DATA, HEAD, TRAINING = "Data", "Head", "Training"

LAST_MAP, POOLED = "last map", "pooled features"
ATTACHED = {LAST_MAP: "conv", POOLED: "fc"}
BOXES = {"agnostic": False, "one per class": True}


def _boxes(params: Any, _info: NetworkInfo | None) -> bool:
    return params.trained in (BOTH, BOX, SEVERAL)


def _both(params: Any, _info: NetworkInfo | None) -> bool:
    return bool(params.trained == BOTH)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "Photos with COCO, VOC or YOLO annotations, or a folder of photos for each class. By "
        "default the boxes on this photo, else the samples.",
        section=DATA,
    )  # fmt: skip
    boxes: tuple[Box, ...] = param(
        (), "Boxes", "Objects on this photo, each with its class.",
        pick=Pick.TRUTH, section=DATA, when=lambda params, _info: params.folder is None,
    )  # fmt: skip
    most: int = param(
        20, "Max. examples per class", "Training examples of each class at most.",
        low=1, high=500, log=True, section=DATA,
    )  # fmt: skip
    trained: str = param(
        CLASS, "Trained",
        "What the new head outputs. K boxes: as many in every photo, from left to right. K joints: "
        "the points of one object.",
        choices=KINDS, section=HEAD,
    )  # fmt: skip
    objects: int = param(
        2, "K", "Boxes in each photo.", low=2, high=4, section=HEAD,
        when=lambda params, _info: params.trained == SEVERAL,
    )  # fmt: skip
    attached: str = param(
        LAST_MAP, "Box head attached to",
        "After the last convolution (OverFeat, VGG) its places are kept apart; after pooling they "
        "are averaged.",
        choices=tuple(ATTACHED), section=HEAD, when=_boxes,
    )  # fmt: skip
    per_class: str = param(
        "agnostic", "Box regression", "One box for all classes, or one for each.",
        choices=tuple(BOXES), section=HEAD, when=_both,
    )  # fmt: skip
    loss: str = param(
        LOSSES[0], "Box loss", "L2 is least squares on the four coordinates.",
        choices=LOSSES, section=HEAD, when=_boxes,
    )  # fmt: skip
    balance: float = param(
        1.0, "Weight of the box loss", "Beside the softmax loss of the class.",
        low=0.01, high=100.0, log=True, section=HEAD, advanced=True, when=_both,
    )  # fmt: skip
    steps: int = param(
        150, "Steps", "Of the optimizer.", low=1, high=5000, log=True, section=TRAINING
    )
    rate: float = param(
        5e-3, "Learning rate", "The highest one; it falls to zero along half a cosine.",
        low=1e-5, high=1.0, log=True, section=TRAINING,
        when=lambda params, _info: params.trained != JOINTS,
    )  # fmt: skip
    joints_rate: float = param(
        1e-3, "Learning rate", "The highest one; it falls to zero along half a cosine.",
        low=1e-5, high=1.0, log=True, section=TRAINING,
        when=lambda params, _info: params.trained == JOINTS,
    )  # fmt: skip
    batch: int = param(
        16, "Batch size", "Examples of one step.", low=1, high=256, log=True, section=TRAINING,
        advanced=True,
    )  # fmt: skip
    optimizer: str = param(
        OPTIMIZERS[0], "Optimizer", "SGD has a momentum of 0.9 and needs a larger learning rate.",
        choices=OPTIMIZERS, section=TRAINING, advanced=True,
    )  # fmt: skip
    words: bool = param(
        True, "Bag of visual words",
        "Trains SIFT, k-means and a linear SVM on the same examples, for comparison.",
        section=TRAINING, when=lambda params, _info: params.trained == CLASS,
    )  # fmt: skip
    chosen: int | None = param(
        None, "Example", "The held-out example that is shown large: click one.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="tests", low=0, high=65535, kept=False,
    )  # fmt: skip
