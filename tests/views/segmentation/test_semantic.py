"""Classes are the arg max of the network's own scores; areas and shares follow from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.layers import Heat, Masks, Text
from explorer.core.params import Point, parameters
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.networks.embedded.segmentation.fcn import lite_fcn
from explorer.networks.preprocess import Preprocess
from explorer.views.segmentation.semantic import KEYED, MOST_BARS, VIEW, Params, Result
from tests.toys import FixedSegmenter, make_network, toy_image

CLASSES = ("__background__", "red", "green")


def scene_of(pixels: np.ndarray, preprocess: Preprocess | None = None) -> Scene:
    network = make_network(FixedSegmenter(), "segmentation", classes=CLASSES, preprocess=preprocess)
    return Scene(network, from_array(pixels, "test"))


def halves() -> Result:
    """The left quarter is red, the rest black: there all scores are 0 and the first class wins."""
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :4, 0] = 255
    (step,) = VIEW.compute(scene_of(pixels), Params())
    return step.value


def layer(result: Result, kind: type, params: Params):
    board = VIEW.draw(result, params)
    return next(x for pane in board.panes for x in pane.layers if isinstance(x, kind))


def test_by_hand() -> None:
    result = halves()
    assert (result.found.classes[:, :4] == 1).all()
    assert (result.found.classes[:, 4:] == 0).all()
    # softmax of 0, 4, 0
    share = np.exp(4) / (np.exp(4) + 2)
    np.testing.assert_allclose(result.found.probabilities[1, :, :4], share, rtol=1e-3)
    board = VIEW.draw(result, Params())
    assert board.tables[0].rows[0][:3] == ("background", 75.0, 96)
    assert board.tables[0].rows[1] == ("red", 25.0, 32, pytest.approx(share, abs=1e-3))
    assert board.summary == "1 class: red 25.0%"
    key = layer(result, Text, Params())
    assert key.text == "red 25.0%"
    assert key.swatches == board.tables[0].swatches[1:]
    assert layer(result, Text, Params(background=True)).text == "background 75.0%\nred 25.0%"


def test_key_and_bars_say_how_many_classes_they_leave_out() -> None:
    count = MOST_BARS + 2
    names = ("background", *(f"class {n}" for n in range(1, count)))
    result = halves()
    probabilities = np.eye(count, dtype=np.float32)[:, :, None].repeat(2, axis=2)
    classes = probabilities.argmax(axis=0).astype(np.int32)
    many = replace(
        result,
        classes=names,
        found=replace(result.found, probabilities=probabilities, classes=classes),
        best=probabilities.max(axis=0),
    )
    key = layer(many, Text, Params())
    assert key.text.splitlines()[-1] == f"and {count - 1 - KEYED} more"
    assert len(key.swatches) == KEYED
    (plot,) = VIEW.draw(many, Params()).plots
    assert plot.title == f"Area of the {MOST_BARS} largest of {count} classes"
    assert len(plot.bars) == MOST_BARS


def test_equal_to_the_networks_own_output() -> None:
    scene = Scene(make_network(FixedSegmenter(), "segmentation", classes=CLASSES), toy_image())
    (step,) = VIEW.compute(scene, Params())
    with torch.no_grad():
        own = scene.network.module(scene.input())["out"][0]
    classes = torch.from_numpy(step.value.found.classes.astype(np.int64))
    assert torch.equal(classes, own.argmax(0))
    probabilities = torch.from_numpy(step.value.found.probabilities)
    assert torch.equal(probabilities, own.softmax(0).half())


def test_background_and_unsure_pixels_stay_uncolored() -> None:
    result = halves()
    plain = layer(result, Masks, Params()).index
    assert set(np.unique(plain)) == {-1, 1}
    assert set(np.unique(layer(result, Masks, Params(background=True)).index)) == {0, 1}
    assert set(
        np.unique(layer(result, Masks, Params(background=True, min_probability=0.5)).index)
    ) == {-1, 1}
    assert layer(result, Masks, Params()).index is plain, "nothing is built anew"


def test_heat_of_one_class() -> None:
    heat = layer(halves(), Heat, Params(probability_of="red"))
    assert (heat.low, heat.high) == (0.0, 1.0)
    assert heat.values[0, 0] == pytest.approx(0.9647, abs=1e-3)
    assert heat.values[0, 10] == pytest.approx(1 / 3, abs=1e-3)


def test_under_the_mouse() -> None:
    board = VIEW.draw(halves(), Params(at=Point(1.0, 1.0)))
    assert next(bar[0] for bar in board.plots[0].bars) == "red"
    assert board.panes[0].readout is not None
    assert board.panes[0].readout(1.0, 1.0).startswith("red 96.5%")
    assert board.panes[0].readout(-3.0, 1.0) == "outside the network's input"


def test_extent_of_a_cropped_input() -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    (step,) = VIEW.compute(scene_of(pixels, Preprocess(resize=10, crop=10)), Params())
    assert step.value.extent == (10.0, 0.0, 30.0, 20.0)
    assert VIEW.draw(step.value, Params()).panes[0].size == (40.0, 20.0)


class Stages(torch.nn.Module):
    """Red at stride 32, green at stride 16 on the left half, nothing at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.score_pool4 = torch.nn.Identity()  # the paper's name tells that it has stages

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        scores = torch.zeros(3, 3, *x.shape[2:])
        scores[0, 1] = scores[2, 0] = 9.0
        scores[1, 2, :, : x.shape[3] // 2] = 9.0
        return {"out32": scores[:1], "out16": scores[1:2], "out": scores[2:]}


def test_coarser_answers_stand_beside_it_on_request() -> None:
    scene = Scene(make_network(Stages(), "segmentation", classes=CLASSES), toy_image(32, 64))
    (step,) = VIEW.compute(scene, Params())
    assert [pane.title for pane in VIEW.draw(step.value, Params()).panes] == ["Classes"]
    panes = VIEW.draw(step.value, Params(fcn_stages=True)).panes
    assert [pane.title for pane in panes] == ["FCN-32s", "FCN-16s", "Classes"]
    first, second, last = (
        next(layer.index for layer in pane.layers if isinstance(layer, Masks)) for pane in panes
    )
    assert (first == 1).all()
    assert (second[:, :32] == 2).all()
    assert (second[:, 32:] == -1).all()  # background is not painted
    assert (last == -1).all()


def test_fcn_stages_are_offered_where_the_network_has_some() -> None:
    switch = next(entry for entry in parameters(Params) if entry.name == "fcn_stages")
    staged = make_network(Stages(), "segmentation", classes=CLASSES).info
    single = make_network(FixedSegmenter(), "segmentation", classes=CLASSES).info
    assert switch.applies(Params(), staged)
    assert not switch.applies(Params(), single)
    assert not switch.applies(Params(), None)
    board = VIEW.draw(halves(), Params(fcn_stages=True))
    assert [pane.name for pane in board.panes] == ["image"]
    assert board.notes == (), "what is not offered does not matter"


def test_the_shipped_fcn_has_stages_by_the_names_of_its_layers() -> None:
    info = make_network(lite_fcn(3), "segmentation", classes=CLASSES).info
    assert next(p for p in parameters(Params) if p.name == "fcn_stages").applies(Params(), info)
