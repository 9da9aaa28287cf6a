"""Values by hand and by torchvision; gradients by autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

from explorer.vision.detection.box_losses import BETA, BOX_LOSSES, box_loss

SIZE = (200.0, 100.0)


def reference(name, boxes, truth):
    scale = torch.tensor([*SIZE, *SIZE], dtype=torch.float64)
    one, other = boxes / scale, truth / scale
    if name == "L1":
        return F.l1_loss(one, other, reduction="none").sum(1)
    if name == "L2":
        return F.mse_loss(one, other, reduction="none").sum(1)
    if name == "smooth L1":
        return F.smooth_l1_loss(one, other, reduction="none", beta=BETA).sum(1)
    if name == "IoU":
        low, high = torch.max(boxes[:, :2], truth[:, :2]), torch.min(boxes[:, 2:], truth[:, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (boxes, truth)]
        return 1 - shared / (areas[0] + areas[1] - shared)
    losses = {
        "GIoU": generalized_box_iou_loss,
        "DIoU": distance_box_iou_loss,
        "CIoU": complete_box_iou_loss,
    }
    return losses[name](boxes, truth, eps=1e-12)


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_values_and_gradients_equal_autograd(name):
    random = np.random.default_rng(0)
    corners = random.uniform(0, 60, (300, 2, 2))
    sides = random.uniform(5, 60, (300, 2, 2))
    boxes, truth = np.concatenate([corners, corners + sides], axis=2).transpose(1, 0, 2)
    leaf = torch.tensor(boxes, requires_grad=True)
    expected = reference(name, leaf, torch.tensor(truth))
    (gradient,) = torch.autograd.grad(expected.sum(), leaf)
    found = box_loss(name, boxes, truth, SIZE)
    np.testing.assert_allclose(found.value, expected.detach().numpy(), atol=1e-9)
    np.testing.assert_allclose(found.gradient, gradient.numpy(), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("L1", 2 * 20 / 200),
        ("L2", 2 * (20 / 200) ** 2),
        ("IoU", 1.0),
        ("GIoU", 4 / 3),
        ("DIoU", 1 + 400 / 1000),
    ],
)
def test_boxes_side_by_side_by_hand(name, value):
    # 10 x 10 at 0 and at 20: the hull is 30 x 10, a third of it empty; centers 20 apart
    found = box_loss(name, np.array([[0.0, 0, 10, 10]]), np.array([20.0, 0, 30, 10]), SIZE)
    assert found.value[0] == pytest.approx(value)
    if name == "IoU":
        assert not found.gradient.any(), "without overlap IoU says nothing"
    else:
        assert found.gradient[0, 2] < 0, "the right side is drawn to the right"


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_equal_and_empty_boxes_have_finite_losses(name):
    boxes = np.array([[5.0, 5, 25, 15], [7.0, 7, 7, 7]])
    found = box_loss(name, boxes, boxes, SIZE)
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.gradient).all()
    assert found.value[0] == pytest.approx(0)
