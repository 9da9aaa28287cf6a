"""A box for every window in one pass: the localizer's own box of each crop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.localizer import BoxHead, corners, lite_localizer
from explorer.vision.dense.box_regression import box_regressor
from tests.toys import ToyLocalizer, WindowClassifier


class Unpadded(nn.Module):
    """A localizer without padding: 18 pixels make a map of 8 x 8, a stride of 2."""

    def __init__(self, attach: str, boxes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU())
        self.classifier = nn.Linear(6, 3)
        self.head = BoxHead(6, attach, boxes, grid=2, bottleneck=4, hidden=8)
        nn.init.normal_(self.head.fc2.weight, std=0.5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = self.body(x)
        vector = found.mean((2, 3))
        boxes = self.head(found if self.head.attach == "conv" else vector).clamp(0, 1)
        return {
            "logits": self.classifier(vector), "boxes": boxes[:, 0],
            "boxes_per_class": boxes.expand(-1, 3, -1),
        }  # fmt: skip


def made(make) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(8)
        return make().eval().requires_grad_(requires_grad=False)


def picture(height: int, width: int) -> Tensor:
    return torch.randn((1, 3, height, width), generator=torch.Generator().manual_seed(5))


def test_corners_by_hand() -> None:
    """Logits of 0 are the middle and half the size; large ones go to 1."""
    found = corners(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 50.0, 50.0]]))
    expected = torch.tensor([[0.25, 0.25, 0.75, 0.75], [0.0, 0.0, 1.0, 1.0]])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("attach", ["conv", "fc"])
@pytest.mark.parametrize("boxes", [1, 3])
def test_without_padding_every_window_has_the_box_of_its_crop(attach: str, boxes: int) -> None:
    module, whole = made(lambda: Unpadded(attach, boxes)), picture(23, 28)
    regressor = box_regressor(module, picture(18, 18))
    assert (regressor.classifier.window, regressor.classifier.stride) == (18, 2)
    found = regressor.boxes(whole)
    assert found.shape == (1, boxes, 4, 3, 6)
    for row in range(3):
        for column in range(6):
            x, y = 2 * column, 2 * row
            own = module(whole[..., y : y + 18, x : x + 18])["boxes_per_class"][0]
            made_here = found[0, :, :, row, column].expand(3, 4)
            torch.testing.assert_close(made_here, own, rtol=0, atol=1e-5)
    assert found.std(dim=(-2, -1)).max() > 1e-3, "boxes that do not depend on the window"


@pytest.mark.parametrize("attach", ["conv", "fc"])
def test_the_shipped_kind(attach: str) -> None:
    module, one = made(lambda: lite_localizer(5, attach=attach)), picture(224, 224)
    regressor = box_regressor(module, one)
    assert (regressor.classifier.window, regressor.classifier.stride) == (224, 32)
    found = regressor.boxes(one)[0, 0, :, 0, 0]
    torch.testing.assert_close(found, module(one)["boxes"][0], rtol=0, atol=1e-4)


def test_another_localizer_whose_classes_stand_beside_the_body() -> None:
    module, one = made(ToyLocalizer), picture(32, 32)
    found = box_regressor(module, one).boxes(one)
    assert found.shape == (1, 4, 4, 1, 1)
    torch.testing.assert_close(found[0, :, :, 0, 0], module(one)["boxes_per_class"][0])


def test_a_classifier_is_refused_in_a_sentence() -> None:
    with pytest.raises(ExplorerError, match="cannot be computed convolutionally"):
        box_regressor(made(WindowClassifier), picture(30, 30))
