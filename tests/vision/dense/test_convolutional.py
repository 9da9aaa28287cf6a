"""The fully convolutional form of a classifier: equal to its windows, one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from explorer.core.errors import ExplorerError
from explorer.networks.embedded import efficientnet_lite0, mini_resnet, mini_vgg
from explorer.vision.dense.convolutional import (
    convolutionalized,
    multiply_adds,
    padded_layers,
)
from tests.toys import WindowClassifier


def made(make) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return make().eval().requires_grad_(requires_grad=False)


def picture(height: int, width: int) -> Tensor:
    return torch.randn((1, 3, height, width), generator=torch.Generator().manual_seed(9))


def cropwise(module: nn.Module, whole: Tensor, window: int, stride: int) -> Tensor:
    """(classes, rows, columns): every window by itself."""
    rows = range(0, whole.shape[-2] - window + 1, stride)
    columns = range(0, whole.shape[-1] - window + 1, stride)
    found = [[module(whole[..., y : y + window, x : x + window])[0] for x in columns] for y in rows]
    return torch.stack([torch.stack(row, dim=1) for row in found], dim=1)


def test_without_padding_every_window_has_its_own_score() -> None:
    module, whole = made(WindowClassifier), picture(50, 63)
    full = convolutionalized(module, picture(30, 30))
    assert (full.side, full.bins, full.stride) == (6, 2, 4)
    scores = full.scores(whole)
    assert scores.shape == (1, 5, 6, 9)
    assert padded_layers(module) == ()
    torch.testing.assert_close(scores[0], cropwise(module, whole, 30, 4), rtol=1e-4, atol=1e-5)


def test_padding_makes_a_difference() -> None:
    module, whole = made(lambda: WindowClassifier(1)), picture(48, 64)
    full = convolutionalized(module, picture(32, 32))
    assert padded_layers(module) == ("features.0", "features.3")
    windows = cropwise(module, whole, 32, full.stride)
    scores = full.scores(whole)[0]
    assert scores.shape == windows.shape
    assert (scores - windows).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("make", "window", "side", "bins", "stride"),
    [
        (lambda: mini_vgg(7), 64, 4, 2, 16),
        (lambda: mini_resnet(7), 64, 4, 1, 16),
        (lambda: efficientnet_lite0(7), 96, 3, 1, 32),
        (lambda: models.alexnet(num_classes=7), 224, 6, 6, 32),
        (lambda: models.resnet18(num_classes=7), 64, 2, 1, 32),
        (lambda: models.squeezenet1_1(num_classes=7), 96, 5, 1, 16),
        (lambda: models.mobilenet_v2(num_classes=7), 64, 2, 1, 32),
        (lambda: models.shufflenet_v2_x0_5(num_classes=7), 64, 2, 1, 32),
        (lambda: models.densenet121(num_classes=7), 64, 2, 1, 32),
        (lambda: models.efficientnet_b0(num_classes=7), 64, 2, 1, 32),
    ],
)
def test_of_one_window_it_is_the_network(make, window: int, side: int, bins: int, stride: int):
    module, one = made(make), picture(window, window)
    full = convolutionalized(module, one)
    assert (full.side, full.bins, full.stride) == (side, bins, stride)
    torch.testing.assert_close(full.scores(one)[..., 0, 0], module(one), rtol=1e-3, atol=1e-4)
    assert full.scores(picture(window, window + stride)).shape[-2:] == (1, 2)


def test_other_networks_are_refused_in_a_sentence() -> None:
    transformer = made(lambda: models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=5))
    with pytest.raises(ExplorerError, match="cannot be made fully convolutional"):
        convolutionalized(transformer, picture(32, 32))


def test_a_picture_smaller_than_a_window_is_refused() -> None:
    full = convolutionalized(made(WindowClassifier), picture(30, 30))
    with pytest.raises(ExplorerError, match="smaller than a window of 30 pixels"):
        full.scores(picture(28, 64))


def test_multiply_adds_by_hand() -> None:
    """8 x 8 outputs of a 3x3 kernel over 3 channels, 4 kernels."""
    layer = nn.Conv2d(3, 4, 3, padding=1)
    assert multiply_adds(lambda: layer(torch.zeros(1, 3, 8, 8))) == 8 * 8 * 4 * 3 * 9
