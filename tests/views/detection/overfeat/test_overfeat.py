"""One pass over the photo against its windows one by one, and boxes that are merged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Picture
from explorer.core.params import Point
from explorer.engine.references import Opened
from explorer.engine.scene import Moment, Scene
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.detection.overfeat.result import Result
from explorer.views.detection.overfeat.view import BOXES, COMPARISON, REGRESSOR, VIEW, Params
from explorer.vision.detection.nms import match_scores
from tests.toys import (
    ToyBackbone,
    ToyLocalizer,
    WindowClassifier,
    make_network,
    toy_image,
    toy_network,
)

NAMES = ("cat", "dog", "car", "cup", "hat")
TWO = Params(scales=2, growth=1.5)


class Strided(nn.Module):
    """A convolution of any stride, without padding, and a linear layer."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 6, stride)
        self.fc = nn.Linear(6 * ((30 - 6) // stride + 1) ** 2, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().flatten(1))


def network(module: nn.Module | None = None, *, task: str = "classification") -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        own = WindowClassifier() if module is None else module
    steps = Preprocess(resize=30, crop=30, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return make_network(own, task, classes=NAMES, preprocess=steps)


def scene_of(net: Network, moment: Moment | None = None) -> Scene:
    regressor = make_network(
        ToyLocalizer(), "localization", classes=NAMES[:4],
        preprocess=Preprocess(resize=32, crop=32, mean=(0.5,) * 3, std=(0.5,) * 3),
    )  # fmt: skip
    opened = Opened({REGRESSOR: regressor}, {})
    return Scene(net, toy_image(48, 64), moment=moment, opened=opened)


def looked(net: Network, params: Params = TWO) -> Result:
    *_, step = VIEW.compute(scene_of(net), params)
    return step.value


@pytest.mark.parametrize("stride", [2, 3, 4, 6, 8])
def test_without_padding_one_pass_equals_the_crops(stride: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(stride)
        module = Strided(stride)
    result = looked(network(module))
    assert result.stride == stride
    for level in result.levels:
        assert level.compared
        np.testing.assert_allclose(level.scores, level.cropped, rtol=0, atol=1e-4)
        assert level.apart.max() < 1e-4
    words = VIEW.draw(result, replace(TWO, show=COMPARISON)).summary
    assert "no layer pads, so both ways are equal up to rounding" in words


@pytest.mark.parametrize("finer", [2, 3, 4])
def test_finer_steps_equal_crops_that_are_nearer_to_each_other(finer: int) -> None:
    result = looked(network(), replace(TWO, finer=finer))
    level = result.levels[-1]
    assert level.windows.step == {2: 2, 3: 2, 4: 1}[finer], "3 does not divide the stride of 4"
    rows = level.scores.shape[1]
    assert rows == (level.size[0] - 30) // level.windows.step + 1
    np.testing.assert_allclose(level.scores, level.cropped, rtol=0, atol=1e-4)
    assert level.apart.max() < 1e-4


def test_with_padding_the_outer_cells_of_a_window_differ_most() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        module = WindowClassifier(1)
    net = network(module)
    net.preprocess = replace(net.preprocess, resize=32, crop=32)
    result = looked(net)
    level = result.levels[-1]
    inner = level.apart[..., 1:-1, 1:-1]
    assert inner.max() < 1e-6, "the zeros of both convolutions reach one cell of the last map"
    assert level.apart[..., 0, :].mean() > 1e-3
    assert np.abs(level.difference).max() > 1e-3
    board = VIEW.draw(result, replace(TWO, show=COMPARISON))
    assert "2 layers with padding" in board.summary
    rows = {row[0]: row for row in board.tables[0].rows}
    away, border = np.abs(level.difference), level.border
    assert rows["interior cells"][3] == f"{away[:, ~border].max():.2g} logit"
    assert (
        rows["border cells"][1] == border.sum() == level.windows.count - rows["interior cells"][1]
    )


def test_a_corner_window_shares_the_zeros_of_its_corner() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        module = WindowClassifier(1)
    net = network(module)
    net.preprocess = replace(net.preprocess, resize=32, crop=32)
    level = looked(net).levels[-1]
    assert level.apart[0, 0, :4, :4].max() < 1e-6
    assert level.apart[1, 1, 0, 0] > 1e-3


def test_sizes_windows_and_costs_by_hand() -> None:
    result = looked(network())
    first, second = result.levels
    assert (first.size, second.size) == ((30, 40), (45, 60))
    assert first.scores.shape == (5, 1, 3)  # stride 4
    assert second.scores.shape == (5, 4, 8)
    # 28 x 28 x 8 x 27, 12 x 12 x 12 x 72 and the linear layers
    assert result.one == 28 * 28 * 8 * 27 + 12 * 12 * 12 * 72 + 48 * 10 + 10 * 5
    # 43 x 58 and 19 x 27 outputs of the convolutions; at 4 x 8 places the linear layers
    convolutions = 43 * 58 * 8 * 27 + 19 * 27 * 12 * 72
    assert second.multiply_adds == convolutions + 4 * 8 * (48 * 10 + 10 * 5)
    assert [(stage.layer, stage.side) for stage in result.stages] == [
        ("input", 30), ("features.0", 28), ("features.2", 14), ("features.3", 12),
        ("features.5", 6),
    ]  # fmt: skip
    assert second.sizes == ((45, 60), (43, 58), (21, 29), (19, 27), (9, 13))


def test_the_window_under_the_mouse_lights_its_cell_in_every_stage() -> None:
    result = looked(network())
    windows = result.levels[1].windows
    params = replace(TWO, level=2, at=Point(40.0, 20.0), place=Point(1.0, 1.0))
    board = VIEW.draw(result, params)
    row, column = windows.nearest(40.0, 20.0)
    frame = next(x for x in board.pane("image").layers if isinstance(x, Boxes))
    assert np.array_equal(frame.xyxy, windows.box(row, column))
    lit = next(x for x in board.pane("scores").layers if isinstance(x, Boxes)).xyxy[0] / 40
    assert lit.tolist() == [column, row, column + 1, row + 1]
    parts = {x.name: x.extent for x in board.pane("stages").layers if isinstance(x, Picture)}
    whole, window = parts["features.0 photo"], parts["features.0 window"]
    # the window begins at (4 column, 4 row) of 60 x 45 pixels and is 30 of them wide
    for side, start, length in ((0, 4 * column / 60, 30 / 60), (1, 4 * row / 45, 30 / 45)):
        size = whole[side + 2] - whole[side]
        assert (window[side] - whole[side]) / size == pytest.approx(start)
        assert (window[side + 2] - window[side]) / size == pytest.approx(length)
    whole, cell = parts["scores photo"], parts["scores window"]
    assert (cell[2] - cell[0]) / (whole[2] - whole[0]) == pytest.approx(1 / 8)
    clicked = VIEW.draw(result, replace(params, at=None))
    frame = next(x for x in clicked.pane("image").layers if isinstance(x, Boxes))
    assert np.array_equal(frame.xyxy, windows.box(0, 0))


def test_a_localizer_has_the_box_of_every_crop() -> None:
    """One window: nothing is padded differently, so the boxes are the network's own."""
    net = toy_network("localization")
    scene = Scene(net, toy_image(32, 32))
    params = Params(scales=1, least=0.0, limit=0.0)
    *_, step = VIEW.compute(scene, params)
    result = step.value
    assert result.per_class
    own = net.module(scene.input())["boxes_per_class"][0].numpy() * 32
    np.testing.assert_allclose(result.levels[0].boxes[:, 0, 0], own, atol=1e-3)
    board = VIEW.draw(result, replace(params, show=BOXES, label="car"))
    np.testing.assert_allclose(board.boxes("chosen box").xyxy[0], own[2], atol=1e-3)
    assert board.notes == ()


def test_a_classifier_takes_the_boxes_of_a_localizer_with_the_same_windows() -> None:
    net = toy_network("classification")  # windows of 32, like the regressor, but a stride of 2
    *_, step = VIEW.compute(scene_of(net), Params(scales=1, crops=False))
    assert step.value.regressor == ""
    (note,) = VIEW.draw(step.value, Params(show=BOXES)).notes
    assert "windows of 32 pixels with a stride of 4, this network of 32 with 2" in note
    padded = network(WindowClassifier(1))
    padded.preprocess = replace(padded.preprocess, resize=32, crop=32)
    scene = scene_of(padded)
    *_, step = VIEW.compute(scene, Params(scales=1, crops=False))
    assert step.value.regressor == "toy"
    level = step.value.levels[0]
    assert level.boxes.shape == (1, *level.scores.shape[1:], 4)
    other = scene.network_of(REGRESSOR)
    x0, y0, x1, y1 = level.windows.box(0, 0)[0]
    box = level.boxes[0, 0, 0]
    assert x0 <= box[0] <= box[2] <= x1
    assert y0 <= box[1] <= box[3] <= y1
    assert other.info.task == "localization"


def test_merging_adds_scores_and_stops_at_the_limit() -> None:
    result = looked(network())
    params = replace(TWO, show=BOXES, least=0.0, limit=2.0)
    label = result.label(params.label)
    shares = np.concatenate([each.ravel() for each in result.shares(label)])
    board = VIEW.draw(result, params)
    boxes = board.boxes("merged boxes")
    merged = board.tables[0].rows
    assert sum(row[2] for row in merged) == len(shares) == 3 + 32
    assert sum(row[1] for row in merged) == pytest.approx(shares.sum(), abs=1e-2)
    limited = VIEW.draw(result, replace(params, limit=0.6)).boxes("merged boxes").xyxy
    for number in range(1, len(limited)):
        assert match_scores(limited[number], limited[:number]).min() > 0.6
    none = VIEW.draw(result, replace(params, merging=0.0)).boxes("merged boxes").xyxy
    assert len(none) == 35 > len(limited) >= len(boxes.xyxy) >= 1


def test_windows_stand_for_boxes_where_nothing_predicts_them() -> None:
    result = looked(network())
    assert result.regressor == ""
    level = result.levels[1]
    found = result.boxes(0)[1]
    assert np.array_equal(found[2, 3], level.windows.box(2, 3)[0])


def test_steps_grow_and_a_film_has_no_crops() -> None:
    steps = list(VIEW.compute(scene_of(network()), TWO))
    known = [sum(int(level.known.sum()) for level in step.value.levels) for step in steps]
    assert known == sorted(known)
    assert (known[0], known[-1]) == (0, 35)
    assert (steps[-1].done, steps[-1].total) == (35, 35)
    film = list(VIEW.compute(scene_of(network(), Moment(0, 0.0)), TWO))
    assert [int(step.value.levels[-1].known.sum()) for step in film] == [0, 0]


@pytest.mark.parametrize("finer", [1, 2])
def test_the_highest_scoring_window_of_the_size_shown_is_cropped_first(finer: int) -> None:
    params = replace(TWO, finer=finer, level=2)
    steps = [step.value for step in VIEW.compute(scene_of(network()), params)]
    begun = next(each for each in steps if each.levels[-1].known.any())
    shares = begun.shares(begun.label(params.label))[1]
    assert begun.levels[1].known[np.unravel_index(shares.argmax(), shares.shape)]
    assert not begun.levels[0].known.any()


def test_what_was_compared_is_not_cropped_again() -> None:
    scene = scene_of(network())
    *_, last = VIEW.compute(scene, TWO)
    again = list(VIEW.compute(scene, replace(TWO, scales=1)))
    assert len(again) == 1
    assert again[0].value.levels[0] is last.value.levels[0]


def test_photos_that_are_too_large_are_refused_in_a_sentence() -> None:
    params = Params(scales=6, smallest=4.0, growth=2.0)
    with pytest.raises(ExplorerError, match="3,840 pixels, more than 10 windows"):
        looked(network(), params)


def test_a_backbone_is_refused_in_a_sentence() -> None:
    with pytest.raises(ExplorerError, match="cannot be made fully convolutional"):
        looked(make_network(ToyBackbone(), "classification"))
