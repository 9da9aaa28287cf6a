"""What the view explains by default and by a click, and what it draws of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Masks, Text
from explorer.core.params import Point, resolved
from explorer.engine.scene import Moment, Scene
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.attribution.params import (
    BOTH,
    D_RISE,
    EIGEN_CAM,
    GRAD_CAM,
    GRADIENT,
    INTEGRATED,
    LAYER_CAM,
    LRP,
    METHODS,
    OCCLUSION,
    OWN,
    PIXEL,
    RISE,
    SHARED,
    TIMES_INPUT,
    UNIT,
)
from explorer.views.inside.attribution.result import Result
from explorer.views.inside.attribution.view import VIEW, Params
from tests.toys import (
    FixedDetector,
    MeanClassifier,
    hook_count,
    make_network,
    toy_image,
    toy_network,
)

SMALL = {"patch": 33, "stride": 17, "masks": 12, "steps": 4, "samples": 4, "most": 4}


def look(
    network: Network, *, moment: Moment | None = None, **changes: Any
) -> tuple[list[Result], Board, Params]:
    scene = Scene(network, toy_image(), 3, moment)
    params = resolved(Params(**{**SMALL, **changes}), network.info)
    steps = list(VIEW.compute(scene, params))
    assert hook_count(network.module) == 0
    last = steps[-1]
    assert last.done == last.total
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    return [step.value for step in steps], VIEW.draw(last.value, params), params


def heat(board: Board, method: str) -> Heat:
    (found,) = (layer for layer in board.pane(method).layers if isinstance(layer, Heat))
    return found


def means(classes: tuple[str, ...] = ("red", "green", "blue")) -> Network:
    return make_network(MeanClassifier((1.0, 2.0, 4.0)), "classification", classes=classes)


def test_by_default_it_is_the_top_class() -> None:
    network = means()
    logits = network.module(Scene(network, toy_image()).input())[0]
    steps, board, _ = look(network, methods=(TIMES_INPUT, OCCLUSION))
    top = int(logits.argmax())
    share = float(logits.softmax(0)[top])
    assert steps[-1].subject.name == network.info.classes[top]
    assert board.summary == f"Target: {network.info.classes[top]}, {share:.1%}"
    assert board.pane("image").title == board.summary
    assert [pane.name for pane in board.panes] == ["image", TIMES_INPUT, OCCLUSION]
    # the mean of a channel is the sum of its values over their number
    photo = Scene(network, toy_image()).input()[0]
    gain = (1.0, 2.0, 4.0)[top]
    np.testing.assert_allclose(
        steps[-1].maps[0].values, gain * photo[top].numpy() / (48 * 64), rtol=1e-4
    )


def test_another_class_is_another_map() -> None:
    found = {
        name: look(means(), methods=(TIMES_INPUT,), label=name)[0][-1] for name in ("red", "blue")
    }
    assert found["red"].subject.name == "red"
    assert not np.allclose(found["red"].maps[0].values, found["blue"].maps[0].values)


def test_one_scale_for_all_or_each_its_own() -> None:
    network = toy_network("classification")
    _, board, _ = look(network, methods=(GRADIENT, LAYER_CAM), scale=SHARED)
    shared = [heat(board, name) for name in (LAYER_CAM, GRADIENT)]
    assert shared[0].high == shared[1].high
    assert shared[0].unit == "x mean"
    for layer in shared:
        assert float(np.abs(layer.values).mean()) == pytest.approx(1.0, rel=1e-4)
    _, board, _ = look(network, methods=(GRADIENT, LAYER_CAM), scale=OWN)
    own = [heat(board, name) for name in (LAYER_CAM, GRADIENT)]
    assert own[0].high != own[1].high
    assert own[0].high == pytest.approx(float(own[0].values.max()), rel=1e-5)
    _, board, _ = look(network, methods=(LRP,), sign=BOTH)
    assert heat(board, LRP).low == -heat(board, LRP).high
    assert heat(board, LRP).colormap == "coolwarm"


def test_integrated_gradients_show_their_gap() -> None:
    steps, board, _ = look(means(), methods=(INTEGRATED,), baseline="black")
    assert board.pane(INTEGRATED).title == "Integrated gradients: gap 0.0%" or (
        "<0.1%" in board.pane(INTEGRATED).title
    )
    assert "completeness gap" in board.tables[0].rows[0][-1]
    values = steps[-1].maps[0].values
    assert float(values.sum()) == pytest.approx(
        float(means().module(Scene(means(), toy_image()).input()).max()), rel=1e-3
    )


def test_maps_grow_and_what_is_not_known_is_not_drawn() -> None:
    steps, _, params = look(means(), methods=(OCCLUSION, RISE))
    first = steps[0]
    assert np.isnan(first.maps[0].values).any()
    assert VIEW.draw(first, params).pane(OCCLUSION).title.startswith("Occlusion: ")
    assert first.maps[1].values is None
    assert len(VIEW.draw(first, params).panes) == 3, "every method has its place from the beginning"
    assert not np.isnan(steps[-1].maps[0].values).any()
    words = VIEW.draw(first, params).pane(OCCLUSION).readout
    assert words(1.0, 1.0) == "not known yet" or "x mean" in words(1.0, 1.0)


def test_a_maps_layers_stay_the_same_while_another_grows() -> None:
    steps, _, params = look(means(), methods=(GRADIENT, OCCLUSION), scale=OWN)
    one, two = (heat(VIEW.draw(step, params), GRADIENT) for step in steps[-2:])
    assert one is two


def test_the_maps_lie_on_the_part_of_the_photo_that_is_fed() -> None:
    network = toy_network("classification")  # 32 x 32 out of the middle of 48 x 64
    _, board, _ = look(network, methods=(GRADIENT, LAYER_CAM))
    for name in (GRADIENT, LAYER_CAM):
        x0, y0, x1, y1 = heat(board, name).extent
        # resized to 42 x 32, of which 32 x 32 are cut out
        assert (x1 - x0, y1 - y0) == pytest.approx((32 * 64 / 42, 48), abs=1e-3)
        assert x0 == pytest.approx(5 * 64 / 42, abs=1e-3)


# -- boxes -----------------------------------------------------------------------------------------


def test_the_highest_scoring_box_or_the_one_that_was_clicked() -> None:
    network = toy_network("detection")
    found = network.module([Scene(network, toy_image()).input()[0]])[0]
    steps, board, _ = look(network, methods=(GRADIENT, LAYER_CAM, RISE, D_RISE))
    name = network.info.classes[int(found["labels"][0])]
    assert board.summary == f"Target: this {name}, {float(found['scores'][0]):.2f}"
    frame = board.boxes("target")
    assert isinstance(frame, Boxes)
    np.testing.assert_allclose(frame.xyxy[0], found["boxes"][0].numpy(), rtol=1e-5)
    assert frame.labels == (f"this {name}, {float(found['scores'][0]):.2f}",)
    outlined = [board.pane(name) for name in (GRADIENT, LAYER_CAM, RISE, D_RISE)]
    for pane in outlined:
        assert any(layer.name == "target" for layer in pane.layers)
    clicked, other, _ = look(network, methods=(GRADIENT, LAYER_CAM), selected=4)
    assert clicked[-1].subject.selected == 4
    np.testing.assert_allclose(other.boxes("target").xyxy[0], found["boxes"][4].numpy(), rtol=1e-5)
    assert not np.allclose(clicked[-1].maps[1].values, steps[-1].maps[1].values)
    offered = board.boxes("detections")
    assert offered is not None
    assert 0 in offered.keys


def test_a_detector_whose_boxes_cannot_be_traced_is_masked_only() -> None:
    answer = {
        "boxes": torch.tensor([[4.0, 4, 20, 20]]), "labels": torch.tensor([1]),
        "scores": torch.tensor([0.9]),
    }  # fmt: skip
    network = make_network(FixedDetector(answer), "detection", classes=("__background__", "cat"))
    steps, board, _ = look(network, methods=(GRADIENT, OCCLUSION, D_RISE))
    assert "cannot be traced" in board.notes[0]
    (reason,) = (layer for layer in board.pane(GRADIENT).layers if isinstance(layer, Text))
    assert "needs a gradient" in reason.text.replace("\n", " ")
    assert steps[-1].maps[1].values is not None
    nothing = {key: value[:0] for key, value in answer.items()}
    empty = make_network(FixedDetector(nothing), "detection", classes=("__background__", "cat"))
    with pytest.raises(ExplorerError, match="finds nothing"):
        look(empty)


# -- regions and units -----------------------------------------------------------------------------


def test_the_class_of_the_clicked_pixels() -> None:
    network = toy_network("segmentation")
    steps, board, _ = look(network, methods=(GRADIENT,), place=Point(60.0, 4.0))
    subject = steps[-1].subject
    assert subject.name == "red", "it is reddest at the right"
    assert board.summary.startswith("Target: these pixels as red, ")
    assert any(isinstance(layer, Masks) for layer in board.pane("image").layers)
    inside = subject.mask == 0
    assert inside[4, 60]
    touched = steps[-1].maps[0].values > 0  # 1 x 1 kernels: those pixels and no others
    np.testing.assert_array_equal(touched, inside)
    one, _, _ = look(network, methods=(GRADIENT,), place=Point(60.0, 4.0), region=PIXEL)
    assert (one[-1].subject.mask == 0).sum() == 1
    largest, _, _ = look(network, methods=(GRADIENT,))
    assert largest[-1].subject.name in ("red", "green")


@pytest.mark.parametrize("task", ["classification", "detection", "pose", "features"])
def test_a_unit_of_any_network(task: str) -> None:
    network = toy_network(task)
    steps, board, _ = look(network, methods=(GRADIENT, LAYER_CAM), of=UNIT, channel=2)
    assert board.summary.startswith("Target: channel 2 of ")
    assert steps[-1].maps[0].values is not None
    placed, _, _ = look(network, methods=(GRADIENT,), of=UNIT, channel=2, place=Point(30.0, 20.0))
    assert "row" in placed[-1].subject.name
    box = placed[-1].subject.box
    assert box[0] <= 30.0 <= box[2]
    assert box[1] <= 20.0 <= box[3]


# -- faithfulness, cameras, other networks ---------------------------------------------------------


def test_curves_of_every_map() -> None:
    steps, board, _ = look(means(), methods=(TIMES_INPUT, OCCLUSION), faithfulness=True)
    assert [plot.name for plot in board.plots] == ["deletion", "insertion", "ROAD"]
    for plot in board.plots:
        assert [curve.label for curve in plot.curves] == [TIMES_INPUT, OCCLUSION]
        assert plot.curves[0].x[-1] == 100.0
    share = steps[-1].subject.number
    assert board.plots[0].curves[0].y[0] == pytest.approx(share, rel=1e-5)
    assert board.plots[1].curves[0].y[-1] == pytest.approx(share, rel=1e-5)
    assert board.tables[0].columns[4:7] == ("deletion AUC", "insertion AUC", "ROAD AUC")


def test_a_camera_gets_the_methods_of_one_pass_in_one_pass() -> None:
    network = toy_network("classification")
    runs = 0

    def count(_module: nn.Module, _inputs: Any) -> None:
        nonlocal runs
        runs += 1

    memory: dict[str, Any] = {}
    look(network, moment=Moment(0, 0.0, memory), methods=(GRAD_CAM, OCCLUSION))  # finds the layer
    handle = network.module.register_forward_pre_hook(count)
    steps = list(
        VIEW.compute(
            Scene(network, toy_image(), 3, Moment(1, 0.1, memory)),
            resolved(Params(methods=(GRAD_CAM, OCCLUSION)), network.info),
        )
    )
    handle.remove()
    assert runs == 1
    (step,) = steps
    board = VIEW.draw(step.value, Params())
    still, _, _ = look(network, methods=(GRAD_CAM,))
    assert step.value.subject.name == still[-1].subject.name
    assert step.value.subject.number == pytest.approx(still[-1].subject.number, rel=1e-6)
    np.testing.assert_array_equal(step.value.maps[0].values, still[-1].maps[0].values)
    assert board.notes == ("Too slow for a camera, shown on a still photo only: occlusion.",)


def test_attention_has_no_relevance_propagation_and_the_pane_says_so() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut = nn.Conv2d(3, 8, 8, stride=8)
            self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.block(self.cut(x).flatten(2).transpose(1, 2)).mean(1))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Tokens()
    network = make_network(
        module, "classification", classes=("a", "b", "c"), preprocess=Preprocess(resize=32, crop=32)
    )
    steps, board, _ = look(network, methods=(LRP, LAYER_CAM, EIGEN_CAM))
    assert steps[-1].maps[0].values.shape == (4, 4)
    (reason,) = (layer for layer in board.pane(LRP).layers if isinstance(layer, Text))
    assert "attention" in reason.text


def test_a_network_with_one_channel() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip
    network = make_network(
        module, "classification", classes=("a", "b"), preprocess=Preprocess(channels=1)
    )
    steps, _, _ = look(network, methods=METHODS[:-1])
    assert all(found.values is not None for found in steps[-1].maps)
    names = [found.method for found in steps[-1].maps]
    assert names == list(METHODS[:-1])
    for baseline in ("black", "blurred"):
        look(network, methods=(INTEGRATED,), baseline=baseline)


def test_data_has_every_map_and_its_place() -> None:
    network = toy_network("detection")
    steps, _, params = look(network, methods=(GRADIENT, LAYER_CAM))
    found = VIEW.data(steps[-1], params)
    assert found["map_Layer-CAM"].ndim == 2
    assert len(found["extent_gradient"]) == 4
    assert found["target"] in network.info.classes
    np.testing.assert_array_equal(found["box"], steps[-1].subject.box)
