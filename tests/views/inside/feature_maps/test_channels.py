"""What is said of single channels and done to them: state, order, colors, fields, knocking out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.layers import Board, Heat, Picture, Text
from explorer.core.params import NetworkRef, Point, resolved
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.networks.network import Network
from explorer.views.inside.feature_maps.mosaic import BINS, HIGH, with_gamma
from explorer.views.inside.feature_maps.params import Params
from explorer.views.inside.feature_maps.result import Result
from explorer.views.inside.feature_maps.view import VIEW
from explorer.vision.features.receptive_field import fields
from tests.toys import ToyConvNet, hook_count, make_network, toy_image, toy_network


class Bounded(nn.Module):
    """Red over 6 almost everywhere, green never, and nothing at all."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.conv.weight.data = torch.diag(torch.tensor([100.0, 1.0, 0.0])).view(3, 3, 1, 1)
        self.conv.bias.data = torch.tensor([1.0, 0.0, -1.0])
        self.relu = nn.ReLU6()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.conv(x))


def toy() -> Network:
    return make_network(
        ToyConvNet(), "classification", classes=("a", "b", "c", "d"), default_layer="relu"
    )


def look(scene: Scene, **changes) -> tuple[Result, Board]:
    params = resolved(Params(**changes), scene.network.info)
    *_, step = VIEW.compute(scene, params)
    return step.value, VIEW.draw(step.value, params)


def heat_of(board: Board, pane: str) -> Heat:
    return next(layer for layer in board.pane(pane).layers if isinstance(layer, Heat))


def test_dead_and_saturated_channels_are_counted() -> None:
    _, board = look(Scene(make_network(Bounded(), "features"), toy_image()), layer="relu")
    assert "1 dead · 1 saturated" in board.summary
    assert [row[-1] for row in board.tables[0].rows] == ["saturated", "", "dead"]


def test_histograms_instead_of_maps() -> None:
    scene = Scene(toy(), toy_image())
    result, board = look(scene, layer="conv1", show="histograms")
    heat = heat_of(board, "mosaic")
    tiling_size = board.pane("mosaic").size
    assert tiling_size[0] % BINS == 0
    assert tiling_size[1] % HIGH == 0
    counts = np.histogram(result.maps.values[1], BINS)[0]
    row = board.boxes("tiles").row(1)  # type: ignore[union-attr]
    x0, y0 = board.boxes("tiles").xyxy[row][:2].astype(int)  # type: ignore[union-attr]
    tile = heat.values[y0 : y0 + HIGH, x0 : x0 + BINS] > 0
    heights = tile.sum(axis=0)
    np.testing.assert_array_equal(heights > 0, counts > 0)
    assert heights[counts.argmax()] == HIGH
    readout = board.pane("mosaic").readout
    assert readout is not None
    assert readout(x0 + 3.5, y0 + 1.0).startswith(f"channel 1: {counts[3]:,} values from ")


def test_gamma_bends_values_between_the_ends() -> None:
    values = np.array([[0.0, 1.0, 4.0]], np.float32)
    np.testing.assert_allclose(with_gamma(values, 0.0, 4.0, 0.5), [[0.0, 2.0, 4.0]])
    both = np.array([[-4.0, -1.0, 0.0, 1.0]], np.float32)
    np.testing.assert_allclose(with_gamma(both, -4.0, 4.0, 0.5), [[-4.0, -2.0, 0.0, 2.0]])
    assert with_gamma(values, 0.0, 4.0, 1.0) is values
    scene = Scene(toy(), toy_image())
    plain, bent = (heat_of(look(scene, layer="conv1", gamma=g)[1], "mosaic") for g in (1.0, 2.0))
    np.testing.assert_allclose(bent.values, plain.values**2, atol=1e-6)
    assert bent.unit.endswith("gamma 2")


def test_sorted_by_the_weights_of_a_class() -> None:
    scene = Scene(toy(), toy_image())
    result, board = look(scene, layer="relu", call=1, sort="class weight", of="c")
    weights = scene.network.module.fc.weight[2].numpy()
    assert board.tables[0].keys == tuple(np.argsort(-weights, kind="stable").tolist())
    assert "weight of c" in board.tables[0].columns
    at = board.tables[0].columns.index("weight x mean")
    logit = sum(float(row[at]) for row in board.tables[0].rows)
    own = float(scene.output()[0, 2] - scene.network.module.fc.bias[2])
    assert logit == pytest.approx(own, abs=1e-3)
    _, other = look(scene, layer="conv1", sort="class weight")
    assert any("no weights for the channels of this layer" in note for note in other.notes)
    assert other.tables[0].keys == (0, 1, 2)
    assert result.weights is not None


def test_similar_maps_are_neighbors() -> None:
    _, board = look(Scene(toy(), toy_image()), layer="conv2", sort="similarity")
    assert sorted(board.tables[0].keys) == list(range(8))


def test_all_channels_in_three_colors() -> None:
    result, board = look(Scene(toy(), toy_image()), layer="conv2", colors=True)
    assert result.colored is not None
    picture = board.pane("colors").layers[-1]
    assert isinstance(picture, Picture)
    assert picture.rgb is result.colored.rgb
    assert picture.extent == heat_of(board, "image").extent
    _, without = look(Scene(toy(), toy_image()), layer="conv2")
    assert [pane.name for pane in without.panes] == ["image", "mosaic"]


def test_the_receptive_field_of_the_cell_under_the_mouse() -> None:
    scene = Scene(toy_network("classification"), toy_image())  # resized and cropped
    result, board = look(scene, layer="conv2", at=Point(30.0, 20.0))
    cell = result.maps.cell(30.0, 20.0)
    assert cell is not None
    exact = fields(scene.network.module, scene.input())["conv2"].of(*cell)
    box = board.boxes("field")
    assert box is not None
    wanted = scene.frame.inverse().boxes(np.array([exact], np.float32))
    np.testing.assert_allclose(box.xyxy, wanted, rtol=1e-6)
    _, off = look(scene, layer="conv2", at=Point(30.0, 20.0), field=False)
    assert off.boxes("field") is None
    _, second = look(scene, layer="relu", call=1, at=Point(30.0, 20.0))
    assert second.boxes("field") is None, "fields are those of the first call"


def test_fields_come_after_the_maps_and_are_known_then() -> None:
    scene = Scene(toy(), toy_image())
    steps = list(VIEW.compute(scene, Params(layer="conv1")))
    assert [step.value.fields is None for step in steps] == [True, False]
    (again,) = VIEW.compute(scene, Params(layer="conv1", channel=1))
    assert again.value.fields is steps[1].value.fields
    assert again.value.maps is steps[0].value.maps, "another channel computes nothing again"


def test_numbers_on_the_tiles() -> None:
    scene = Scene(toy(), toy_image())
    _, board = look(scene, layer="conv1", sort="max")
    words = [layer for layer in board.pane("mosaic").layers if isinstance(layer, Text)]
    tiles = board.boxes("tiles")
    assert tiles is not None
    assert [word.text for word in words] == [str(key) for key in tiles.keys]
    assert [word.xy for word in words] == [tuple(xy) for xy in tiles.xyxy[:, :2].tolist()]
    _, without = look(scene, layer="conv1", numbers=False)
    assert not [layer for layer in without.pane("mosaic").layers if isinstance(layer, Text)]


def test_of_many_channels_the_first_of_some_rows_are_numbered() -> None:
    net = nn.Sequential(nn.Conv2d(3, 700, 1))
    _, board = look(Scene(make_network(net, "features"), toy_image()), layer="0")
    pane = board.pane("mosaic")
    words = [layer for layer in pane.layers if isinstance(layer, Text)]
    tiles = board.boxes("tiles")
    assert tiles is not None
    rows = np.unique(tiles.xyxy[:, 1]).tolist()
    assert [word.xy for word in words] == [(0, y) for y in rows[::4]]
    assert tiles.width == 0, "frames would hide them"


# -- without a channel ----------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "value"), [("knock out", 0.0), ("clamp", 2.5)])
def test_a_changed_channel_changes_the_prediction_by_hand(change: str, value: float) -> None:
    network = toy()
    scene = Scene(network, toy_image())
    result, board = look(scene, layer="relu", call=1, channel=3, change=change, clamp=value or 1.0)
    net = network.module
    with torch.no_grad():
        maps = net.relu(net.conv2(net.relu(net.conv1(scene.input()))))
        before = net(scene.input()).softmax(1)[0]
        maps[:, 3] = value
        after = net.fc(maps.mean((2, 3))).softmax(1)[0]
    for name, first, second, *_ in board.tables[0].rows:
        assert first == pytest.approx(float(before["abcd".index(name)]), abs=1e-4)
        assert second == pytest.approx(float(after["abcd".index(name)]), abs=1e-4)
    words = "knocked out" if value == 0 else "at 2.5"
    assert f"channel 3 {words}: " in board.summary
    assert hook_count(net) == 0
    assert VIEW.data(result, Params())["change_rows"] == board.tables[0].rows


def test_another_channel_is_another_change() -> None:
    scene = Scene(toy(), toy_image())
    first, second = (
        look(scene, layer="conv2", channel=channel, change="knock out")[1].tables[0].rows
        for channel in (0, 5)
    )
    assert first != second


def test_a_detector_without_a_channel_loses_boxes() -> None:
    network = toy_network("detection")
    _, board = look(
        Scene(network, toy_image()), layer="backbone.conv2", channel=0, change="clamp", clamp=90.0
    )
    assert board.tables[0].columns[:2] == ("object", "change")


def test_a_network_without_a_head_says_so() -> None:
    _, board = look(Scene(toy_network("features"), toy_image()), change="knock out")
    assert "This network has no head" in board.notes[0]


# -- pinned and compared --------------------------------------------------------------------------


def test_pinned_channels_stand_side_by_side() -> None:
    result, board = look(
        Scene(toy(), toy_image()), layer="conv1", pinned=("2", " 0", "2", "x", "9")
    )
    pane = board.pane("pinned")
    assert pane.title == "2 pinned channels"
    heat = heat_of(board, "pinned")
    values = result.maps.values
    low, high = values[2].min(), values[2].max()
    height, width = values.shape[1:]
    np.testing.assert_allclose(
        heat.values[:height, :width], (values[2] - low) / (high - low), atol=1e-6
    )
    assert "Not pinned: x, 9. The channels of this layer are 0 to 2." in board.notes


def test_compared_with_another_network() -> None:
    other = toy()
    other.module.conv1.weight.data *= 3.0
    ref = NetworkRef("other")
    scene = Scene(toy(), toy_image(), opened=Opened(networks={ref: other}))
    result, board = look(scene, layer="conv1", channel=0, other_network=ref, pinned=("0", "2"))
    assert result.beside is not None
    own = Scene(other, toy_image())
    theirs, _ = look(own, layer="conv1")
    np.testing.assert_array_equal(result.beside.answer.values, theirs.maps.values)
    assert board.pane("second").title.startswith("Channel 0 of toy, conv1")
    first, second = heat_of(board, "image"), heat_of(board, "second")
    assert (first.low, first.high) == (second.low, second.high)
    pinned = heat_of(board, "pinned").values
    height, width = result.maps.values.shape[1:]
    assert pinned.shape == (2 * height, 2 * width)
    both = [result.maps.values[0], theirs.maps.values[0]]
    low, high = min(v.min() for v in both), max(v.max() for v in both)
    np.testing.assert_allclose(pinned[height:, :width], (both[1] - low) / (high - low), atol=1e-6)


def test_a_network_with_other_layers_shows_its_default_one_or_the_one_named() -> None:
    ref = NetworkRef("other")
    other = toy_network("segmentation")
    scene = Scene(toy(), toy_image(), opened=Opened(networks={ref: other}))
    result, _ = look(scene, layer="conv2", other_network=ref)
    assert result.beside is not None
    assert result.beside.words.endswith(", head")
    named, _ = look(scene, layer="conv2", other_network=ref, other_layer="head")
    assert named.beside is not None
    assert named.beside.answer.values.shape[0] == 3
