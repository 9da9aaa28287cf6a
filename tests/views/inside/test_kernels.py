"""Kernels are the layer's own, responses are the network's own numbers, at their place."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Picture
from explorer.core.params import resolved
from explorer.engine.scene import Moment, Scene
from explorer.networks.hooks import captured
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.kernels import panes
from explorer.views.inside.kernels.sheet import Sheet
from explorer.views.inside.kernels.view import VIEW, Params, Result
from tests.toys import (
    MeanClassifier,
    ToyConvNet,
    make_network,
    tiny_faster_rcnn,
    toy_image,
    toy_network,
)


class Groups(nn.Module):
    """A convolution of two groups, then a depthwise one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.grouped = nn.Conv2d(4, 6, 3, groups=2)
        self.depthwise = nn.Conv2d(6, 6, 3, groups=6, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.depthwise(self.grouped(self.stem(x)).relu_())


def network_of(module: nn.Module) -> Network:
    return make_network(module, "features")


def look(network: Network, **params: object) -> tuple[Result, Board]:
    asked = resolved(Params(**params), network.info)
    (step,) = VIEW.compute(Scene(network, toy_image()), asked)
    return step.value, VIEW.draw(step.value, asked)


def output_of(network: Network, layer: str) -> Tensor:
    scene = Scene(network, toy_image())
    with torch.no_grad(), captured(network.module, [layer]) as records:
        scene.call(scene.input())
    out: Tensor = records[layer][0]
    return out


def drawn(board: Board, pane: str, name: str) -> Heat:
    (found,) = (layer for layer in board.pane(pane).layers if layer.name == name)
    assert isinstance(found, Heat)
    return found


@pytest.mark.parametrize("kernel", range(3))
def test_the_first_layers_response_is_the_photo_convolved(kernel: int) -> None:
    network = toy_network("classification")
    result, board = look(network, kernel=kernel)
    conv = network.module.conv1
    photo = Scene(network, toy_image()).input()
    expected = functional.conv2d(
        photo, conv.weight[kernel : kernel + 1], conv.bias[kernel : kernel + 1], stride=2
    )
    assert torch.equal(torch.from_numpy(result.response.maps.values), expected[0])
    heat = drawn(board, "response", "response")
    np.testing.assert_array_equal(heat.values, output_of(network, "conv1")[0, kernel].numpy())
    assert heat.low == -heat.high


@pytest.mark.parametrize("layer", ["stem", "grouped", "depthwise"])
def test_a_response_is_the_layers_own_output(layer: str) -> None:
    network = network_of(Groups())
    out = output_of(network, layer)[0]
    for kernel in range(len(out)):
        result, _ = look(network, layer=layer, kernel=kernel)
        np.testing.assert_allclose(
            result.response.maps.values[0], out[kernel].numpy(), rtol=1e-5, atol=1e-5
        )


def test_a_slice_is_applied_to_its_own_input_channel() -> None:
    network = network_of(Groups())
    result, board = look(network, layer="grouped", kernel=5, channel=3)
    given = output_of(network, "stem")[:, 3:4]
    np.testing.assert_array_equal(drawn(board, "image", "input").values, given[0, 0].numpy())
    expected = functional.conv2d(given, network.module.grouped.weight[5:6, 1:2])
    assert torch.equal(torch.from_numpy(result.response.maps.values), expected[0])


def test_a_channel_that_the_kernel_does_not_read_becomes_the_nearest_one() -> None:
    network = network_of(Groups())
    assert look(network, layer="grouped", kernel=5, channel=0)[0].response.channel == 2
    assert look(network, layer="grouped", kernel=0, channel=999)[0].response.channel == 1
    result, _ = look(network, layer="depthwise", kernel=999, channel=0)
    assert (result.response.kernel, result.response.channel) == (5, 5)


def test_a_response_lies_where_the_layers_maps_lie() -> None:
    module = tiny_faster_rcnn()
    network = make_network(module, "detection")
    result, board = look(network, layer="backbone.conv2")
    # 48 x 64 becomes 64 x 85, padded to 64 x 96: a stride of 16 makes 4 x 6 cells
    assert result.response.maps.values.shape == (1, 4, 6)
    x0, y0, x1, y1 = drawn(board, "response", "response").extent or ()
    assert (x0, y0, y1) == (0.0, 0.0, pytest.approx(48.0))
    assert x1 == pytest.approx(96 * 64 / 85)


def test_by_default_the_kernel_of_the_largest_norm() -> None:
    network = network_of(ToyConvNet())
    network.module.conv1.weight.data[1] *= 3
    assert look(network)[0].response.kernel == 1


def test_the_first_layer_is_in_color() -> None:
    network = network_of(ToyConvNet())
    _, board = look(network, scale="all kernels")
    picture, tiles = board.pane("kernels").layers[:2]
    assert isinstance(picture, Picture)
    assert isinstance(tiles, Boxes)
    colors = [picture.rgb[int(y0), int(x0)].tolist() for x0, y0, *_ in tiles.xyxy.tolist()]
    assert colors == [[255, 128, 128], [128, 0, 128], [128, 128, 255]]


def test_a_layer_of_three_channels_that_is_not_the_first_is_not_in_color() -> None:
    result, board = look(network_of(ToyConvNet()), layer="conv2")
    assert not result.layer.colors
    assert isinstance(board.pane("kernels").layers[0], Heat)


def test_a_network_for_gray_photos_has_no_colors() -> None:
    network = make_network(
        nn.Sequential(nn.Conv2d(1, 2, 3)), "features", preprocess=Preprocess(channels=1)
    )
    assert not look(network)[0].layer.colors


def test_the_mosaic_holds_every_weight_at_its_place() -> None:
    network = network_of(Groups())
    weights = network.module.grouped.weight.numpy()  # (6, 2, 3, 3)
    result, board = look(network, layer="grouped", scale="all kernels", order="similarity")
    heat = drawn(board, "kernels", "weights")
    tiles = board.boxes("kernels")
    assert tiles is not None
    assert tiles.keys == tuple(result.order)
    for kernel, (x0, y0, x1, y1) in zip(tiles.keys, tiles.xyxy.astype(int), strict=True):
        tile = heat.values[y0:y1:1, x0:x1]
        assert tile.shape == (2 * 12 + 1, 12)
        np.testing.assert_array_equal(tile[:12][::4, ::4], weights[kernel, 0])
        assert np.isnan(tile[12]).all()
        np.testing.assert_array_equal(tile[13:][::4, ::4], weights[kernel, 1])
    assert heat.high == pytest.approx(float(np.abs(weights).max()))


def test_each_kernel_on_its_own_scale_but_rounding_errors() -> None:
    network = network_of(ToyConvNet())
    conv = network.module.conv2
    conv.weight.data[0] *= 1e-6
    _, board = look(network, layer="conv2")
    heat, tiles = drawn(board, "kernels", "weights"), board.boxes("kernels")
    assert tiles is not None
    largest = [
        float(np.nanmax(np.abs(heat.values[y0:y1, x0:x1])))
        for x0, y0, x1, y1 in tiles.xyxy.astype(int)
    ]
    assert largest[0] < 1e-3
    assert largest[1:] == pytest.approx([1.0] * 7)
    assert "1 kernel near zero" in board.summary


def test_norms_are_an_in_x_out_map() -> None:
    network = network_of(Groups())
    result, board = look(network, layer="grouped", show="L2 norms", order="L2 norm")
    heat = drawn(board, "kernels", "norms")
    parts = torch.linalg.vector_norm(network.module.grouped.weight, dim=(2, 3)).numpy()
    np.testing.assert_allclose(heat.values, parts[result.order].T, rtol=1e-6)
    norms = [row[1] for row in board.tables[0].rows]
    assert all(a >= b for a, b in pairwise(norms))
    whole = torch.linalg.vector_norm(network.module.grouped.weight, dim=(1, 2, 3)).numpy()
    assert norms == pytest.approx(whole[result.order], abs=1e-5)


def test_rows_of_the_table_and_tiles_select_the_same_kernel() -> None:
    _, board = look(network_of(Groups()), layer="grouped", order="similarity", kernel=4)
    table, tiles = board.tables[0], board.boxes("kernels")
    assert tiles is not None
    assert (table.layer, table.keys) == (tiles.name, tiles.keys)
    assert [row[0] for row in table.rows] == list(table.keys)
    chosen = board.boxes("chosen")
    assert chosen is not None
    np.testing.assert_array_equal(chosen.xyxy[0], tiles.xyxy[tiles.row(4)])


def test_readouts_say_the_weight_under_the_mouse() -> None:
    network = network_of(Groups())
    weights = network.module.grouped.weight.numpy()
    _, board = look(network, layer="grouped", kernel=5, order="L2 norm")
    pane, tiles = board.pane("kernels"), board.boxes("kernels")
    assert tiles is not None
    assert pane.readout is not None
    x0, y0, *_ = tiles.xyxy[tiles.row(5)].tolist()
    words = pane.readout(x0 + 4 * 2 + 1, y0 + 13 + 4 * 1 + 1)
    assert words.startswith("kernel 5 ")
    assert f"channel 3, row 1, column 2: {weights[5, 1, 1, 2]:.4g}" in words
    assert pane.readout(x0, y0 + 12) == "", "in a gap"
    assert pane.readout(-1, 0) == ""
    slices = board.pane("slices")
    box = board.boxes("slices")
    assert box is not None
    assert slices.readout is not None
    x0, y0, *_ = box.xyxy[box.row(2)].tolist()
    expected = f"channel 2, row 0, column 0: {weights[5, 0, 0, 0]:.4g}"
    assert expected in slices.readout(x0 + 1, y0 + 1)
    response = board.pane("response").readout
    assert response is not None
    value = drawn(board, "response", "response").values[0, 0]
    assert response(0.5, 0.5) == f"row 0, column 0: {value:.4g}"
    assert response(-5, 0) == "outside the network's input"


def test_a_network_without_convolutions_is_told() -> None:
    network = make_network(MeanClassifier(), "classification")
    with pytest.raises(ExplorerError, match="no convolution layers"):
        look(network)


def test_weights_that_are_not_finite_are_told() -> None:
    network = network_of(ToyConvNet())
    network.module.conv2.weight.data[0, 0, 0, 0] = torch.nan
    _, board = look(network, layer="conv2", kernel=0)
    assert board.notes == ("Some weights of this layer are not finite; they are drawn as 0.",)
    assert np.isnan(drawn(board, "response", "response").values).any()


def test_of_a_layer_with_too_many_weights_the_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes, "MOST_WEIGHTS", 100)  # the layer has 108
    _, board = look(network_of(Groups()), layer="grouped")
    assert drawn(board, "kernels", "norms").values.shape == (2, 6)
    assert board.notes == ("108 weights are too many for one picture; L2 norms are shown.",)
    monkeypatch.setattr(panes, "MOST_WEIGHTS", 10)  # nor its 12 slices
    _, board = look(network_of(Groups()), layer="grouped")
    assert int(np.isfinite(drawn(board, "kernels", "norms").values).sum()) == 6


def test_the_kernels_are_drawn_once_for_all_frames_of_a_film() -> None:
    network = toy_network("classification")
    params = resolved(Params(layer="conv2"), network.info)
    layers = []
    for number in range(2):
        scene = Scene(network, toy_image(seed=number), moment=Moment(number, number / 30))
        (step,) = VIEW.compute(scene, params)
        board = VIEW.draw(step.value, params)
        layers.append([*board.pane("kernels").layers[:2], *board.pane("slices").layers[:2]])
        layers[-1].append(board.tables[0])
    assert all(a is b for a, b in zip(*layers, strict=True))


def test_nothing_behind_the_layer_runs() -> None:
    network = toy_network("classification")
    with captured(network.module, ["conv1", "conv2"]) as records:
        look(network, layer="conv2")
    assert (len(records["conv1"]), len(records["conv2"])) == (1, 0)


def test_data_are_the_numbers_of_the_layer() -> None:
    network = network_of(Groups())
    params = replace(resolved(Params(), network.info), layer="depthwise", order="L2 norm", kernel=2)
    (step,) = VIEW.compute(Scene(network, toy_image()), params)
    assert VIEW.data is not None
    found = VIEW.data(step.value, params)
    np.testing.assert_array_equal(found["weights"], network.module.depthwise.weight.numpy())
    np.testing.assert_array_equal(found["bias"], network.module.depthwise.bias.numpy())
    assert found["slice_norms"].shape == (6, 1)
    assert (found["kernel"], found["channel"]) == (2, -1)
    np.testing.assert_array_equal(found["response"], step.value.response.maps.values[0])
    assert found["extent"] == pytest.approx((0, 0, 64, 48))


@pytest.mark.parametrize(
    ("shape", "columns"),
    [
        ((64, 32, 3, 3), 64),  # a matrix
        ((512, 2, 3, 3), 37),  # a strip is broken into rows
        ((144, 1, 5, 5), 14),
        ((240, 40, 1, 1), 240),
    ],
)
def test_sheets(shape: tuple[int, ...], columns: int) -> None:
    sheet = Sheet.of(shape)
    assert sheet.tiling.columns == columns
    weights = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    mosaic = sheet.mosaic(weights)
    assert sheet.size == (mosaic.shape[1], mosaic.shape[0])
    found = {}
    for y, x in zip(*np.nonzero(np.isfinite(mosaic)), strict=True):
        place = sheet.at(x + 0.5, y + 0.5)
        assert place is not None
        found[place] = mosaic[y, x]
        assert found[place] == weights[place]
        if len(found) > 2000:
            break
