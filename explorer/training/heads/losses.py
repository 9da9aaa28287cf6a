"""The losses of box heads, as differentiable functions of fractions of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchvision.ops import generalized_box_iou_loss

if TYPE_CHECKING:
    from torch import Tensor

L2, L1, GIOU = "L2", "L1", "GIoU"
LOSSES = (L2, L1, GIOU)
"""`explorer.vision.detection.box_losses` has the same ones with their gradients written out."""


def box_loss(name: str, predicted: Tensor, truth: Tensor) -> Tensor:
    """One loss for each box.

    Args:
        name: One of `LOSSES`: the sum of squared differences of the four coordinates (least
            squares), the sum of their magnitudes, or 1 - GIoU (Rezatofighi et al. 2019).
        predicted: (..., 4) x0, y0, x1, y1 as fractions of the input's sides.
        truth: Likewise.

    Returns:
        (...) at least 0.
    """
    difference = predicted - truth
    if name == L2:
        return difference.square().sum(dim=-1)
    if name == L1:
        return difference.abs().sum(dim=-1)
    loss: Tensor = generalized_box_iou_loss(predicted, truth)
    return loss
