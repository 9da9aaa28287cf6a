"""The trace of the embedded one-shot detectors (`explorer.networks.embedded.yolo`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torchvision.ops import batched_nms

from explorer.networks.embedded.yolo import padded_size
from explorer.networks.preprocess import Frame
from explorer.vision.trace.parts import AnchorAnswers, Nms, make_levels

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.networks.embedded.yolo import YOLO, YOLOv2


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """All numbers of all cells of a YOLO for one image.

    Attributes:
        frame: From the pixels of the module's input to those of the body's input.
        size: Height and width of the body's input without its padding.
        padded: With it: this is what the cells divide.
        numbers: (rows, columns, …) as `predict` gives them.
    """

    frame: Frame
    size: tuple[int, int]
    padded: tuple[int, int]
    numbers: Tensor


@torch.no_grad()
def cells_of(module: YOLO, images: Tensor | list[Tensor]) -> Cells:
    """Of one image."""
    batch, numbers = module.numbers(images)
    (one,), (size,) = numbers, batch.image_sizes
    return Cells(_resized(images, size), size, padded_size(batch), one)


@torch.no_grad()
def suppression(module: YOLO, images: Tensor | list[Tensor]) -> tuple[Frame, Nms]:
    """What goes into it and what stays; see `explorer.vision.trace.answers.HasSuppression`."""
    found = cells_of(module, images)
    boxes, scores, labels, rows, _ = module.best_pairs(found.numbers, found.padded, found.size)
    kept = batched_nms(boxes, scores, labels, module.nms_thresh)
    return found.frame, Nms(
        rows * module.num_classes + labels, boxes, scores, labels, module.nms_thresh, kept,
        module.detections_per_img,
    )  # fmt: skip


@torch.no_grad()
def anchor_answers(module: YOLOv2, images: Tensor | list[Tensor]) -> AnchorAnswers:
    """The outputs for every prior of every cell; see `explorer.vision.trace.answers.HasAnchors`."""
    found = cells_of(module, images)
    one = found.numbers
    anchors = module.stride * module.boxes_of(torch.zeros_like(one)).flatten(0, 2)
    flatly = one.flatten(0, 2)
    scores = module.tree.per_label(module.tree(flatly[:, 5:]), module.num_classes)
    best, labels = (flatly[:, 4:5].sigmoid() * scores).max(dim=1)
    rows, columns, priors = one.shape[:3]
    levels = make_levels([("layer4", rows, columns)], [priors], anchors, found.padded)
    return AnchorAnswers(
        found.frame, found.size, levels, anchors, best,
        module.stride * module.boxes_of(one).flatten(0, 2), labels, "best class",
    )  # fmt: skip


def _resized(images: Tensor | list[Tensor], size: tuple[int, int]) -> Frame:
    """From the pixels of the module's input to those of its boxes."""
    height, width = images[0].shape[-2:]
    return Frame(size[1] / width, size[0] / height)
