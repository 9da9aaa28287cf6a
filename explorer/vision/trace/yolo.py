"""The trace of the embedded one-shot detectors (`explorer.networks.embedded.yolo`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torchvision.ops import batched_nms

from explorer.networks.embedded.yolo import padded_size
from explorer.networks.preprocess import Frame
from explorer.vision.trace.parts import AnchorAnswers, Nms, make_levels

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.networks.embedded.yolo import YOLO, YOLOv2


@torch.no_grad()
def suppression(module: YOLO, images: Tensor | list[Tensor]) -> tuple[Frame, Nms]:
    """What goes into it and what stays; see `explorer.vision.trace.answers.HasSuppression`."""
    batch, numbers = module.numbers(images)
    (one,), (size,) = numbers, batch.image_sizes
    boxes, scores, labels, rows, _ = module.best_pairs(one, padded_size(batch), size)
    kept = batched_nms(boxes, scores, labels, module.nms_thresh)
    return _resized(images, size), Nms(
        rows * module.num_classes + labels, boxes, scores, labels, module.nms_thresh, kept,
        module.detections_per_img,
    )  # fmt: skip


@torch.no_grad()
def anchor_answers(module: YOLOv2, images: Tensor | list[Tensor]) -> AnchorAnswers:
    """The outputs for every prior of every cell; see `explorer.vision.trace.answers.HasAnchors`."""
    batch, numbers = module.numbers(images)
    (one,), (size,) = numbers, batch.image_sizes
    anchors = module.stride * module.boxes_of(torch.zeros_like(one)).flatten(0, 2)
    flatly = one.flatten(0, 2)
    scores = module.tree.per_label(module.tree(flatly[:, 5:]), module.num_classes)
    best, labels = (flatly[:, 4:5].sigmoid() * scores).max(dim=1)
    rows, columns, priors = one.shape[:3]
    levels = make_levels([("layer4", rows, columns)], [priors], anchors, padded_size(batch))
    return AnchorAnswers(
        _resized(images, size), size, levels, anchors, best,
        module.stride * module.boxes_of(one).flatten(0, 2), labels, "best class",
    )  # fmt: skip


def _resized(images: Tensor | list[Tensor], size: tuple[int, int]) -> Frame:
    """From the pixels of the module's input to those of its boxes."""
    height, width = images[0].shape[-2:]
    return Frame(size[1] / width, size[0] / height)
