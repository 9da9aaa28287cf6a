"""The losses of single-stage detectors on photos about which not everything is known.

The parts of torchvision's `RetinaNet` and `SSD` in their order, but for one thing: anchors on
ignored regions are never background.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from explorer.training.lite_body import folded_maps, normalized
from explorer.training.two_stage_losses import IGNORED, as_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.data.canvases import Canvas

BACKGROUND, UNKNOWN = -1, -2
"""What torchvision's `Matcher` returns for an anchor without an object, and of one in between."""

NEGATIVES = 3
"""Background boxes for every object's in SSD's loss (Liu et al. 2016, "Hard negative mining")."""


def retina_losses(
    model: Any, canvases: Sequence[Canvas], device: torch.device
) -> dict[str, Tensor]:
    """Focal loss and L1 of the heads of a `lite_retinanet`, whose pyramid is frozen.

    Args:
        model: In training mode.
        canvases: Of one shape.
        device: Where the model is.

    Returns:
        `classification` and `bbox_regression`, per anchor that has an object.
    """
    pixels = normalized(canvases, device)
    with torch.no_grad():
        features = {str(i): x for i, x in enumerate(folded_maps(model.backbone.body, pixels))}
        maps = list(model.backbone.fpn(features).values())
    said = {name: value.float() for name, value in model.head(maps).items()}
    with torch.autocast(device.type, enabled=False):
        anchors = model.anchor_generator(_batch(pixels), maps)
        matched = matches(model.proposal_matcher, anchors, canvases)
        targets = _targets(canvases, anchors[0])
        losses: dict[str, Tensor] = model.head.compute_loss(targets, said, anchors, matched)
    return losses


def ssd_losses(model: Any, canvases: Sequence[Canvas], device: torch.device) -> dict[str, Tensor]:
    """SSD's losses (Liu et al. 2016, equation 1) of a `lite_ssd`, whose body is frozen.

    Args:
        model: In training mode; it resizes the canvases to squares, as photos later.
        canvases: Of one shape.
        device: Where the model is.

    Returns:
        `classification` over the objects' boxes and `NEGATIVES` times as many of the background
        that are furthest from right, and `bbox_regression`; both per box that has an object.
    """
    height, width = model.transform.fixed_size[::-1]
    pixels = functional.interpolate(
        normalized(canvases, device), (height, width), mode="bilinear", align_corners=False
    )
    canvases = [_stretched(canvas, (height, width)) for canvas in canvases]
    with torch.no_grad():
        _, middle, coarse = folded_maps(model.backbone.body, pixels)
    maps = list(model.backbone.pyramid(middle, coarse).values())
    said = {name: value.float() for name, value in model.head(maps).items()}
    with torch.autocast(device.type, enabled=False):
        anchors = model.anchor_generator(_batch(pixels), maps)
        matched = matches(model.proposal_matcher, anchors, canvases)
        return _box_losses(model, _targets(canvases, anchors[0]), said, anchors, matched)


@torch.no_grad()
def matches(matcher: Any, anchors: list[Tensor], canvases: Sequence[Canvas]) -> list[Tensor]:
    """For every anchor the row of its object, `BACKGROUND`, or `UNKNOWN`: nothing is learned there.

    Args:
        matcher: torchvision's `Matcher` of the network.
        anchors: For every canvas (A, 4) xyxy.
        canvases: With objects and ignored regions.
    """
    found = []
    for rows, canvas in zip(anchors, canvases, strict=True):
        if len(canvas.boxes):
            matched = matcher(box_iou(as_tensor(canvas.boxes, rows), rows))
        else:
            matched = torch.full((len(rows),), BACKGROUND, device=rows.device)
        if len(canvas.ignored):
            overlap = box_iou(rows, as_tensor(canvas.ignored, rows)).amax(dim=1)
            matched[(matched == BACKGROUND) & (overlap > IGNORED)] = UNKNOWN
        found.append(matched)
    return found


def _box_losses(
    model: Any,
    targets: list[dict[str, Tensor]],
    said: dict[str, Tensor],
    anchors: list[Tensor],
    matched: list[Tensor],
) -> dict[str, Tensor]:
    classes, regression = [], []
    for target, logits, deltas, boxes, rows in zip(
        targets, said["cls_logits"], said["bbox_regression"], anchors, matched, strict=True
    ):
        (own,) = torch.where(rows >= 0)
        labels = torch.zeros_like(rows)
        labels[own] = target["labels"][rows[own]]
        wanted = model.box_coder.encode_single(target["boxes"][rows[own]], boxes[own])
        regression.append(functional.smooth_l1_loss(deltas[own], wanted, reduction="sum"))
        loss = functional.cross_entropy(logits, labels, reduction="none")
        # Unknown classes come last and never count.
        hard = loss.detach().masked_fill(rows != BACKGROUND, -1.0)
        most = min(NEGATIVES * max(len(own), 1), int((rows == BACKGROUND).sum()))
        classes.append(loss[own].sum() + loss[hard.topk(most).indices].sum())
    count = max(1, sum(int((rows >= 0).sum()) for rows in matched))
    return {
        "classification": torch.stack(classes).sum() / count,
        "bbox_regression": torch.stack(regression).sum() / count,
    }


def _batch(pixels: Tensor) -> ImageList:
    height, width = pixels.shape[-2:]
    return ImageList(pixels, [(int(height), int(width))] * len(pixels))


def _targets(canvases: Sequence[Canvas], like: Tensor) -> list[dict[str, Tensor]]:
    return [
        {
            "boxes": as_tensor(canvas.boxes, like),
            "labels": torch.from_numpy(canvas.labels).to(like.device),
        }
        for canvas in canvases
    ]


def _stretched(canvas: Canvas, size: tuple[int, int]) -> Canvas:
    """The objects and regions where they are when the picture is stretched to (H, W) `size`."""
    height, width = canvas.pixels.shape[:2]
    factor = np.array([size[1] / width, size[0] / height] * 2, np.float32)
    return replace(canvas, boxes=canvas.boxes * factor, ignored=canvas.ignored * factor)
