"""Odd outputs become maps; frames and mosaics agree with slower ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import output_until
from explorer.networks.preprocess import Frame
from explorer.vision.features.activations import (
    activation,
    as_maps,
    channels_last,
    layer_input,
    named_tensors,
    token_grid,
)
from explorer.vision.features.mosaics import Statistics, Tiling, stretched
from tests.toys import ToyConvNet, hook_count, tiny_faster_rcnn


def test_tokens_in_rows_with_and_without_a_class_token() -> None:
    grid = torch.arange(12.0).view(1, 12, 1).repeat(1, 1, 5)
    maps, spatial = as_maps(grid, (30, 40))
    assert spatial
    np.testing.assert_array_equal(maps[0], np.arange(12.0).reshape(3, 4))
    with_token = torch.cat([torch.full((1, 1, 5), 99.0), grid], dim=1)
    maps, spatial = as_maps(with_token, (30, 40))
    assert spatial
    np.testing.assert_array_equal(maps[4], np.arange(12.0).reshape(3, 4))
    maps, spatial = as_maps(torch.zeros(1, 8, 5), (30, 40))
    assert (maps.shape, spatial) == ((5, 1, 8), False)


@pytest.mark.parametrize(("shape", "last"), [
    ((1, 96, 56, 56), False), ((1, 56, 56, 96), True), ((1, 64, 64, 128), True),
    ((1, 7, 7, 768), True), ((1, 3, 7, 7), False),
])  # fmt: skip
def test_channels_last_is_told_by_the_proportions(shape: tuple[int, ...], last: bool) -> None:
    assert channels_last(shape, (224, 224)) is last


def test_token_grid() -> None:
    assert token_grid(196, (224, 224)) == (14, 14)
    assert token_grid(197, (224, 224)) is None
    assert token_grid(3, (1, 1)) is None


@pytest.mark.parametrize(("shape", "maps"), [
    ((), (1, 1, 1)), ((4,), (4, 1, 1)), ((2, 6), (6, 1, 1)), ((1, 3, 4, 5), (3, 4, 5)),
    ((1, 2, 3, 4, 5), (2, 12, 5)),
])  # fmt: skip
def test_any_number_of_sides(shape: tuple[int, ...], maps: tuple[int, ...]) -> None:
    assert as_maps(torch.zeros(shape), (4, 5))[0].shape == maps


def test_empty_answers_are_refused() -> None:
    with pytest.raises(ExplorerError, match="empty"):
        as_maps(torch.zeros(0, 256, 7, 7), (4, 5))


def test_names_lead_to_the_tensors() -> None:
    value = {"0": torch.zeros(1), "aux": [torch.ones(1), None, (torch.ones(2),)], "n": 3}
    assert [name for name, _ in named_tensors(value)] == ["0", "aux.0", "aux.2.0"]


def test_parts_of_a_layer_with_several_tensors() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"fine": x, "coarse": x[..., ::2, ::2]}

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Pair()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pair(x)["coarse"]

    picture = torch.rand(1, 3, 48, 64)
    found = activation(Net(), picture, "pair", part=1)
    assert found.parts == ("fine", "coarse")
    assert found.values.shape == (3, 24, 32)
    assert found.frame == Frame(0.5, 0.5)
    np.testing.assert_array_equal(found.values, picture[0, :, ::2, ::2])
    assert activation(Net(), picture, "pair", part=99).part == 1
    in_photo = activation(Net(), picture, "pair", part=1, frame=Frame(0.5, 0.5, 1.0, 0.0)).frame
    assert in_photo == Frame(0.25, 0.25, 0.5, 0.0)


def test_a_detectors_maps_reach_over_its_padding() -> None:
    """48 x 96 at most 96 long stays, and is padded to 64 x 96: 4 x 6 cells of 16 pixels."""
    module = tiny_faster_rcnn().eval()
    found = activation(module, [torch.rand(3, 48, 96)], "backbone.conv2")
    assert found.values.shape == (16, 4, 6)
    assert found.frame == Frame(1 / 16, 1 / 16)
    crops = activation(module, [torch.rand(3, 48, 96)], "roi_heads.box_roi_pool", item=2)
    assert (crops.frame, crops.item) == (None, 2)
    assert hook_count(module) == 0


def test_layers_that_are_not_there_or_not_called() -> None:
    module, picture = ToyConvNet().eval(), torch.rand(1, 3, 32, 32)
    module.unused = nn.Conv2d(1, 1, 1)
    with pytest.raises(ExplorerError, match="does not run"):
        activation(module, picture, "unused")
    with pytest.raises(ExplorerError, match="no layer"):
        activation(module, picture, "conv9")
    assert hook_count(module) == 0


def test_the_input_of_a_layer_lies_where_its_maps_lie() -> None:
    detector, photo = tiny_faster_rcnn().eval(), torch.rand(3, 40, 50)
    frame = Frame(2.0, 2.0)
    given = layer_input(detector, [photo], "backbone.conv2", frame=frame)
    maps = activation(detector, [photo], "backbone.conv2", frame=frame)
    with torch.no_grad():
        out = detector.backbone.conv2(given.values)
    np.testing.assert_array_equal(given.placed(out).values, maps.values)
    assert given.placed(out).frame == maps.frame
    assert hook_count(detector) == 0


def test_crops_have_no_place() -> None:
    class Crops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(torch.cat([x[..., :8], x[..., 8:]]))

    given = layer_input(Crops().eval(), torch.rand(1, 3, 8, 16), "conv")
    assert (given.values.shape, given.items) == ((1, 3, 8, 8), 2)
    assert given.placed(given.values).frame is None


def test_output_until_stops_right_there() -> None:
    class Loud(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError("nothing behind the layer may run")

    module = ToyConvNet().eval()
    module.pool = Loud()
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    out = output_until(module, "conv2", lambda: module(x))
    assert out.shape == (1, 8, 4, 4)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient.abs().sum() > 0
    with pytest.raises(ExplorerError, match="no layer"):
        output_until(module, "conv9", lambda: module(x))
    with pytest.raises(ExplorerError, match="not used"):
        output_until(module, "conv2", lambda: None)
    with pytest.raises(AssertionError, match="nothing behind"):
        output_until(module, "fc", lambda: module(x))
    assert hook_count(module) == 0


@pytest.mark.parametrize("count", [1, 2, 5, 12, 64])
def test_mosaic_against_a_loop(count: int) -> None:
    maps = np.random.default_rng(0).normal(size=(count, 3, 4)).astype(np.float32)
    tiling = Tiling.of(*maps.shape)
    mosaic = tiling.mosaic(maps)
    assert mosaic.shape == tiling.size[::-1]
    for tile in range(count):
        x, y = tiling.corner(tile)
        np.testing.assert_array_equal(mosaic[y : y + 3, x : x + 4], maps[tile])
        assert tiling.at(x + 2.5, y + 1.5) == (tile, 1, 2)
        assert tiling.boxes()[tile].tolist() == [x, y, x + 4, y + 3]
    assert np.isnan(mosaic).sum() == mosaic.size - maps.size
    assert tiling.at(-1, 0) is None
    assert tiling.at(*tiling.size) is None


def test_statistics_and_stretching() -> None:
    maps = np.array([[[0.0, 2.0]], [[-3.0, -1.0]], [[5.0, 5.0]]], np.float32)
    numbers = Statistics.of(maps)
    assert numbers.low.tolist() == [0, -3, 5]
    assert numbers.high.tolist() == [2, -1, 5]
    assert numbers.mean.tolist() == [1, -2, 5]
    assert numbers.dead.tolist() == [False, True, True]
    assert stretched(maps, numbers).tolist() == [[[0, 1]], [[0, 1]], [[0, 0]]]
    assert Statistics.of(-np.ones((2, 1, 1), np.float32)).dead.tolist() == [False, False]
