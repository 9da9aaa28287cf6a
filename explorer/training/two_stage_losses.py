"""The losses of a two-stage detector on photos about which not everything is known.

The steps of torchvision's `FasterRCNN` in training, from its own parts, but for two things: anchors
and proposals on ignored regions are never background, and the convolutions run in the caller's
autocast while all that concerns boxes is float32 (torchvision decodes boxes in the type it is
given, and bfloat16 has steps of 2 pixels above 256).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import box_iou, clip_boxes_to_image

from explorer.training.lite_body import folded_maps, normalized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.data.canvases import Canvas

IGNORED = 0.4
"""An anchor or proposal with this IoU with an ignored region is never background."""

WEIGHTS = {"objectness": 1.0, "rpn_box_reg": 3.0, "classifier": 1.0, "box_reg": 2.0}
"""Of the losses: what is missing at first is exact boxes."""

COPIES = 2
"""Boxes about every object."""

SHIFT = 0.1
"""Standard deviation by which their sides are moved, in parts of the object's width and height;
about what a detector is wrong by, with an IoU of 0.7 in the mean."""

BETA = 1 / 9
"""Where the smooth L1 loss of the second stage turns from a parabola into a line."""


def detector_losses(
    model: Any, canvases: Sequence[Canvas], device: torch.device
) -> dict[str, Tensor]:
    """The four losses of Faster R-CNN, none of them where nothing is known.

    Args:
        model: A `lite_fasterrcnn` with one box regression for all classes, in training mode.
        canvases: Of one shape; the global generator draws the samples.
        device: Where the model is.

    Returns:
        `objectness` and `rpn_box_reg` of the proposals, `classifier` and `box_reg` of the second
        stage, with `WEIGHTS`.
    """
    pixels = normalized(canvases, device)
    features = {str(i): x for i, x in enumerate(folded_maps(model.backbone.body, pixels))}
    maps = model.backbone.fpn(features)
    logits, deltas = model.rpn.head(list(maps.values()))
    with torch.autocast(device.type, enabled=False):
        batch = ImageList(pixels, [tuple(pixels.shape[-2:])] * len(canvases))
        whole = {name: values.float() for name, values in maps.items()}
        proposals, losses = _proposals(
            model.rpn, batch, [v.float() for v in logits], [v.float() for v in deltas], whole,
            canvases,
        )  # fmt: skip
        rows, labels, wanted = _samples(model.roi_heads, proposals, canvases)
        pooled = model.roi_heads.box_roi_pool(whole, rows, batch.image_sizes)
    scores, moves = model.roi_heads.box_predictor(model.roi_heads.box_head(pooled))
    with torch.autocast(device.type, enabled=False):
        (found,) = torch.where(labels > 0)
        losses["classifier"] = functional.cross_entropy(scores.float(), labels)
        losses["box_reg"] = functional.smooth_l1_loss(
            moves.float()[found], wanted[found], beta=BETA, reduction="sum"
        ) / len(labels)
    return {name: WEIGHTS[name] * value for name, value in losses.items()}


def _proposals(
    rpn: Any,
    batch: ImageList,
    logits: list[Tensor],
    deltas: list[Tensor],
    maps: dict[str, Tensor],
    canvases: Sequence[Canvas],
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """As the forward pass of torchvision's region proposal network, which ignores nothing."""
    anchors = rpn.anchor_generator(batch, list(maps.values()))
    counts = [level[0].numel() for level in logits]
    objectness, moves = concat_box_prediction_layers(logits, deltas)
    with torch.no_grad():
        decoded = rpn.box_coder.decode(moves.detach(), anchors).view(len(canvases), -1, 4)
        proposals, _ = rpn.filter_proposals(decoded, objectness.detach(), batch.image_sizes, counts)
        truth = [{"boxes": as_tensor(c.boxes, anchors[0])} for c in canvases]
        labels, matched = rpn.assign_targets_to_anchors(anchors, truth)
        labels = [
            _unknown(label, rows, canvas)
            for label, rows, canvas in zip(labels, anchors, canvases, strict=True)
        ]
        wanted = rpn.box_coder.encode(matched, anchors)
    objective, regression = rpn.compute_loss(objectness, moves, labels, wanted)
    return proposals, {"objectness": objective, "rpn_box_reg": regression}


@torch.no_grad()
def _samples(
    heads: Any, proposals: list[Tensor], canvases: Sequence[Canvas]
) -> tuple[list[Tensor], Tensor, Tensor]:
    """As torchvision's `select_training_samples`, which ignores nothing.

    Returns:
        For each image the (R, 4) boxes; for all of them together (sum of R,) labels, 0 for the
        background, and (sum of R, 4) what the box regression should say.
    """
    boxes = [as_tensor(canvas.boxes, proposals[0]) for canvas in canvases]
    labels = [torch.from_numpy(c.labels).to(proposals[0].device) for c in canvases]
    rows = heads.add_gt_proposals(proposals, boxes)
    matches, found = heads.assign_targets_to_proposals(rows, boxes, labels)
    found = [
        _unknown(label, these, canvas)
        for label, these, canvas in zip(found, rows, canvases, strict=True)
    ]
    chosen = heads.subsample(found)
    truth = [
        own[match[i]] if len(own) else these[i]  # all background: no box is asked for
        for own, match, these, i in zip(boxes, matches, rows, chosen, strict=True)
    ]
    rows = [these[i] for these, i in zip(rows, chosen, strict=True)]
    wanted = torch.cat(heads.box_coder.encode(truth, rows))
    return rows, torch.cat([label[i] for label, i in zip(found, chosen, strict=True)]), wanted


def _unknown(labels: Tensor, rows: Tensor, canvas: Canvas) -> Tensor:
    """`labels` (0 = background) with -1 for what lies on an ignored region."""
    if not len(canvas.ignored):
        return labels
    overlap = box_iou(rows, as_tensor(canvas.ignored, rows)).amax(dim=1)
    return labels.masked_fill((labels == 0) & (overlap > IGNORED), -1)


def as_tensor(boxes: NDArray[np.float32], like: Tensor) -> Tensor:
    """Boxes in the type and on the device of `like`."""
    return torch.from_numpy(np.ascontiguousarray(boxes)).to(like)


def boxes_about(objects: NDArray[np.float32], size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """`COPIES` boxes about each object, as a detector would find them.

    Those with an IoU of less than 0.5 with the object are dropped.

    Args:
        objects: (N, 4) xyxy.
        size: (H, W) that they are clipped to.

    Returns:
        (M, 4) boxes and (M,) int64, their objects' rows; the global generator draws them.
    """
    truth = torch.from_numpy(objects).repeat(COPIES, 1)
    sides = (truth[:, 2:] - truth[:, :2]).repeat(1, 2)
    boxes = clip_boxes_to_image(truth + SHIFT * sides * torch.randn(truth.shape), tuple(size))
    rows = torch.arange(len(objects)).repeat(COPIES)
    near = box_iou(boxes, truth).diagonal() >= 0.5
    return boxes[near], rows[near]
