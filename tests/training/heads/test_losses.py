"""The losses that are trained are those that the localization view draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.training.heads.losses import LOSSES, box_loss
from explorer.vision.detection import box_losses


@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_equal_those_that_are_written_out(name: str) -> None:
    boxes = torch.tensor([[0.1, 0.2, 0.6, 0.7], [0.0, 0.0, 0.3, 0.3]], requires_grad=True)
    truth = torch.tensor([[0.2, 0.25, 0.8, 0.6], [0.5, 0.6, 0.9, 0.9]])
    found = box_loss(name, boxes, truth)
    found.sum().backward()
    expected = box_losses.box_loss(name, boxes.detach().numpy(), truth.numpy(), (1.0, 1.0))
    np.testing.assert_allclose(found.detach().numpy(), expected.value, rtol=1e-4)
    assert boxes.grad is not None
    np.testing.assert_allclose(boxes.grad.numpy(), expected.gradient, atol=1e-4)


def test_l2_is_the_sum_of_squares() -> None:
    found = box_loss("L2", torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.5, 0.0, 1.0, 0.9]))
    assert float(found) == pytest.approx(0.25 + 0.01)
