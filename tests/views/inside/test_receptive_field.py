"""Fields lie where they should on the photo; the gradient is the network's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Masks
from explorer.core.params import Point, resolved
from explorer.engine.scene import Moment, Scene
from explorer.networks.embedded.yolo import lite_yolo_v1
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.receptive_field.result import Result
from explorer.views.inside.receptive_field.view import VIEW, Params
from tests.toys import make_network, tiny_faster_rcnn, toy_image, toy_network


class Chain(nn.Module):
    """Two strided convolutions between what repeats their fields, then a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.pad, self.second = nn.ZeroPad2d(1), nn.Conv2d(4, 2, 3, stride=2)
        self.pool, self.end = nn.AdaptiveAvgPool2d(1), nn.Linear(2, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        return self.end(self.pool(self.second(self.pad(x))).flatten(1))


def chain(preprocess: Preprocess | None = None) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make_network(Chain(), "features", preprocess=preprocess, default_layer="second")


def look(network: Network, height: int = 33, width: int = 41, **params: object) -> tuple[
    list[Result], Board
]:  # fmt: skip
    asked = resolved(Params(**params), network.info)
    steps = list(VIEW.compute(Scene(network, toy_image(height, width)), asked))
    return [step.value for step in steps], VIEW.draw(steps[-1].value, asked)


def box(board: Board, name: str) -> list[float]:
    found = board.boxes(name)
    assert isinstance(found, Boxes)
    (row,) = found.xyxy.tolist()
    return list(row)


def test_the_field_of_the_cell_in_the_middle_by_hand() -> None:
    # 33 x 41 pixels give 16 x 20 cells, padded to 18 x 22, then 8 x 10
    _, board = look(chain())
    # cell (4, 5) reads cells 7 to 9 and 9 to 11 of the first layer: pixels 14 to 20 and 18 to 24
    assert box(board, "field") == [18, 14, 25, 21]
    assert box(board, "cell") == pytest.approx([20.5, 16.5, 24.6, 20.625])
    assert board.pane("image").title == "Field of row 4, column 5"
    assert board.summary.startswith("second: 7 x 7 px, 3.6% of the input")


def test_the_field_on_a_photo_that_is_resized_and_cropped() -> None:
    network = chain(Preprocess(resize=66, crop=60))
    (*_, result), board = look(network)
    frame = Scene(network, toy_image(33, 41)).frame
    cell = result.cell(result.place)
    assert cell is not None
    inner = np.array([result.cells.of(*cell)], np.float32)
    np.testing.assert_allclose(box(board, "field"), frame.inverse().boxes(inner)[0], rtol=1e-6)
    assert box(board, "input") == pytest.approx(result.extent)
    place = result.place
    x0, y0, x1, y1 = box(board, "cell")
    assert x0 <= place.x <= x1
    assert y0 <= place.y <= y1


def test_the_effective_field_comes_second_and_is_the_gradient() -> None:
    network = chain()
    steps, board = look(network, channel=1)
    assert [step.effective is None for step in steps] == [True, False]
    picture = Scene(network, toy_image(33, 41)).input().clone().requires_grad_()
    module = network.module
    out = module.second(module.pad(module.norm(module.first(picture)).relu()))
    (gradient,) = torch.autograd.grad(out[0, 1, 4, 5], picture)
    expected = gradient[0].abs().amax(0).numpy()
    np.testing.assert_allclose(steps[-1].effective.gradient, expected, rtol=1e-4, atol=1e-7)
    heat = next(layer for layer in board.pane("image").layers if isinstance(layer, Heat))
    assert heat.values is steps[-1].effective.gradient
    assert heat.extent == (0, 0, 41, 33)
    assert board.summary.endswith("(channel 1)")
    assert not any(parameter.grad is not None for parameter in module.parameters())


def test_without_the_effective_field_there_is_one_step() -> None:
    steps, board = look(chain(), effective=False)
    assert len(steps) == 1
    assert not any(isinstance(layer, Heat) for layer in board.pane("image").layers)
    assert "effective" not in board.summary


def test_the_mouse_shows_another_cell_without_the_colors_of_the_clicked_one() -> None:
    network = chain()
    params = resolved(Params(place=Point(22, 18)), network.info)
    *_, last = VIEW.compute(Scene(network, toy_image(33, 41)), params)
    board = VIEW.draw(last.value, Params(place=Point(22, 18), at=Point(1, 1)))
    assert box(board, "field") == [0, 0, 5, 5]  # cut off: padding is no part of the photo
    assert not any(isinstance(layer, Heat) for layer in board.pane("image").layers)
    same = VIEW.draw(last.value, Params(place=Point(22, 18), at=Point(21, 17)))
    assert any(isinstance(layer, Heat) for layer in same.pane("image").layers)


def test_the_projective_field_by_hand() -> None:
    _, board = look(chain(), place=Point(16.5, 12.5))
    mask = next(layer for layer in board.pane("reached").layers if isinstance(layer, Masks))
    # pixel 16 is read by cells 7 and 8 of the first layer, these by cells 3 and 4 of the second;
    # pixel 12 by cells 5 and 6, these by 2 and 3
    assert np.argwhere(mask.index == 0).tolist() == [[2, 3], [2, 4], [3, 3], [3, 4]]
    assert board.pane("reached").title == "This pixel reaches 4 cells"
    assert mask.extent == pytest.approx((0, 0, 41, 33))


def test_the_projective_field_layer_by_layer() -> None:
    (*_, result), board = look(chain(), place=Point(16.5, 12.5))
    pane = board.pane("layers")
    masks = [layer for layer in pane.layers if isinstance(layer, Masks)]
    assert [mask.name for mask in masks] == ["first", "second"]
    assert np.argwhere(masks[0].index == 0).tolist() == [[5, 7], [5, 8], [6, 7], [6, 8]]
    assert np.argwhere(masks[1].index == 0).tolist() == [[2, 3], [2, 4], [3, 3], [3, 4]]
    words = board.boxes("words")
    assert isinstance(words, Boxes)
    assert words.labels == ("first\n4 of 320 cells", "second\n4 of 80 cells")
    x0, y0, x1, y1 = masks[1].extent
    assert (x1 - x0) / (y1 - y0) == pytest.approx(41 / 33)
    again = VIEW.draw(result, Params(at=Point(16.6, 12.6)))
    assert next(m for m in again.pane("layers").layers if isinstance(m, Masks)) is masks[0]


def test_growth_names_the_layers_where_something_changes() -> None:
    _, board = look(chain())
    assert [row[0] for row in board.tables[0].rows] == ["first", "second"]
    assert [row[2] for row in board.tables[0].rows] == ["3 x 3", "7 x 7"]
    _, small = look(chain(), 8, 8)
    assert [row[2] for row in small.tables[0].rows] == ["3 x 3", "at least 5 x 5"]
    assert "5 x 5 px (cut off at the edge), 39.1% of the input" in small.summary
    growth, reach = board.plots
    assert growth.curves[0].y.tolist() == [3, 7]
    assert (growth.marker, reach.marker) == (2.0, 2.0)
    _, board = look(chain(), layer="norm")
    assert board.plots[0].marker == 1.0


def test_growth_of_a_detector_that_pads_its_picture_by_itself() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network(lite_yolo_v1(4), "detection")
    steps, board = look(network, 40, 64, layer="body.blocks.1", effective=False)
    assert board.tables[0].rows[0][0] == "body.pad"
    widths = board.plots[0].curves[0].y
    assert widths[0] < widths[-1]
    assert steps[0].cells.assumed == ()


def test_a_place_outside_the_input_is_told() -> None:
    network = chain(Preprocess(crop=21))
    steps, board = look(network, place=Point(1, 1))
    assert len(steps) == 1
    assert board.pane("image").title == "Outside the network's input"
    assert "outside" in board.summary
    assert board.pane("reached").title == "This pixel reaches 0 cells"


def test_of_a_vector_the_field_is_the_whole_input() -> None:
    steps, board = look(chain(), layer="end", channel=999)
    assert box(board, "field") == [0, 0, 41, 33]
    assert board.pane("image").title == "Field of all units"
    assert steps[-1].effective.channel == 4
    assert not any(isinstance(layer, Masks) for layer in board.pane("reached").layers)


def test_of_a_detector_fields_lie_on_the_photo() -> None:
    network = make_network(tiny_faster_rcnn(), "detection")
    (*_, result), board = look(network, 48, 64, layer="backbone.conv2", place=Point(25, 15))
    scale = 64 / 85  # the transform makes 48 x 64 to 64 x 85
    assert result.cell(result.place) == (1, 2)
    expected = np.array([27 * scale, 11 * 48 / 64, 38 * scale, 22 * 48 / 64])
    np.testing.assert_allclose(box(board, "field"), expected, rtol=1e-6)


def test_a_layer_that_does_not_run_is_told() -> None:
    network = chain()
    network.module.spare = nn.Conv2d(1, 1, 1)
    asked = Params(layer="spare")
    with pytest.raises(ExplorerError, match="'spare' does not run"):
        list(VIEW.compute(Scene(network, toy_image()), asked))


def test_a_default_layer_that_does_not_run_is_replaced_by_the_last_that_does() -> None:
    module = Chain()
    module.auxiliary = nn.Conv2d(2, 1, 1)
    steps, board = look(make_network(module, "features"), effective=False)
    assert steps[0].layer == "second"
    assert board.summary.startswith("second: ")


def test_operations_that_are_not_followed_are_noted() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(3, 1, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(torch.fft.fft2(self.conv(x)).real)

    _, board = look(make_network(Odd(), "features"), layer="end")
    (note,) = board.notes
    assert "fft" in note


def test_fields_are_worked_out_once_for_all_frames_of_a_film() -> None:
    network = toy_network("classification")
    params = resolved(Params(effective=False), network.info)
    found = []
    for number in range(2):
        scene = Scene(network, toy_image(seed=number), moment=Moment(number, number / 30))
        (step,) = VIEW.compute(scene, params)
        found.append(step.value.fields)
    assert found[0] is found[1]


def test_data_are_in_pixels_of_the_photo_and_of_the_input() -> None:
    network = chain(Preprocess(resize=66))
    params = resolved(Params(place=Point(20, 16)), network.info)
    *_, step = VIEW.compute(Scene(network, toy_image(33, 41)), params)
    assert VIEW.data is not None
    found = VIEW.data(step.value, params)
    np.testing.assert_allclose(found["field"] * 2, found["field_in_input"], rtol=1e-6)
    assert found["layers"] == ["first", "second"]
    np.testing.assert_array_equal(found["sizes"], [[3, 3], [7, 7]])
    assert found["reached"].shape == found["fields"].shape[:2]
    assert found["gradient"].shape == (66, 82)
    assert 0 < found["effective_area"] <= 49
