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
from tests.toys import ToyLocalizer, WindowClassifier


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


@pytest.mark.parametrize(
    ("layers", "window", "stride"),
    [
        ([nn.Conv2d(3, 6, 3), nn.ReLU()], 9, 1),
        ([nn.Conv2d(3, 6, 3, stride=2), nn.ReLU()], 11, 2),
        ([nn.Conv2d(3, 6, 5, stride=3), nn.ReLU(), nn.Conv2d(6, 6, 2), nn.ReLU()], 20, 3),
        ([nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(6, 6, 3, 2)], 21, 4),
        ([nn.Conv2d(3, 6, 4, stride=4), nn.ReLU(), nn.MaxPool2d(2)], 24, 8),
    ],
)
def test_without_padding_every_stride_gives_the_scores_of_the_crops(
    layers: list[nn.Module], window: int, stride: int
) -> None:
    features = nn.Sequential(*layers)
    side = features(torch.zeros(1, 3, window, window)).shape[-1]
    module = made(lambda: nn.Sequential(features, nn.Flatten(), nn.Linear(6 * side * side, 4)))
    full = convolutionalized(module, picture(window, window))
    assert full.stride == stride
    for height, width in ((window, window + 1), (window + 13, 2 * window + 5)):
        whole = picture(height, width)
        expected = cropwise(module, whole, window, stride)
        torch.testing.assert_close(full.scores(whole)[0], expected, rtol=0, atol=1e-4)


class Ramp(nn.Module):
    """The network of OverFeat's figure 5 with weights that only average."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 5, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(25, 1, bias=False)
        nn.init.constant_(self.conv.weight, 1 / 75)
        nn.init.constant_(self.fc.weight, 1 / 25)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.conv(x)).flatten(1))


def test_overfeat_figure_5_by_hand() -> None:
    """14 pixels give one score, 16 give 2 x 2: of a ramp x + 10 y their values are known.

    The convolution gives the middle of its 5 x 5 pixels, the pooling the last of its 2 x 2 cells,
    the linear layer the middle of its 5 x 5: x = 2 + 1 + 2 * 2 = 7, and y likewise.
    """
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    whole = (x + 10 * y).expand(1, 3, 16, 16)
    full = convolutionalized(made(Ramp), whole[..., :14, :14])
    assert (full.window, full.stride, full.side, full.bins) == (14, 2, 5, 5)
    assert full.sizes(whole[..., :14, :14]) == {"conv": (10, 10), "pool": (5, 5)}
    assert full.sizes(whole) == {"conv": (12, 12), "pool": (6, 6)}
    expected = torch.tensor([[77.0, 79.0], [97.0, 99.0]])
    torch.testing.assert_close(full.scores(whole)[0, 0], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("finer", [2, 4])
@pytest.mark.parametrize(("height", "width"), [(30, 31), (37, 50), (43, 32)])
def test_finer_windows_are_interleaved(finer: int, height: int, width: int) -> None:
    module, whole = made(WindowClassifier), picture(height, width)
    full = convolutionalized(module, picture(30, 30))
    found = full.interleaved(full.scores, whole, finer)[0]
    expected = cropwise(module, whole, 30, full.stride // finer)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_cells_of_windows_that_end_outside_the_picture_are_dropped() -> None:
    """A convolution of stride 2 with padding makes 5 cells of 9 pixels, of 8 it makes 4."""
    features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, padding=1), nn.ReLU())
    module = made(lambda: nn.Sequential(features, nn.Flatten(), nn.Linear(64, 2)))
    full = convolutionalized(module, picture(8, 8))
    assert full.maps(picture(9, 13)).shape[-2:] == (5, 7)
    assert full.scores(picture(9, 13)).shape[-2:] == (1, 3)


@pytest.mark.parametrize(
    "make", [WindowClassifier, lambda: mini_resnet(5)], ids=["after", "before a pooling"]
)
def test_scores_of_crops_are_the_networks_own_and_their_maps_too(make) -> None:
    module = made(make)
    full = convolutionalized(module, picture(32, 32))
    crops = torch.cat([picture(32, 32), picture(32, 32).flip(-1)])
    scores, maps = full.crop_scores(crops)
    assert torch.equal(scores, module(crops))
    assert torch.equal(maps, full.maps(crops))
    assert not any(child._forward_hooks or child._forward_pre_hooks for child in module.modules())


def test_a_part_that_makes_no_scores_stands_apart() -> None:
    localizer = made(ToyLocalizer)
    full = convolutionalized(localizer, picture(32, 32), apart="head")
    own = localizer(picture(32, 32))["logits"]
    torch.testing.assert_close(full.scores(picture(32, 32))[..., 0, 0], own)
    with pytest.raises(ExplorerError, match="cannot be made fully convolutional"):
        convolutionalized(localizer, picture(32, 32))


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
