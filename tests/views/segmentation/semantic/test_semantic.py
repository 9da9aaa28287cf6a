"""Classes are the arg max of the network's own scores; areas and shares follow from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.layers import Heat, Masks, Text
from explorer.core.params import Mask, Point, parameters
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.images.outlines import filled
from explorer.networks.embedded.segmentation.fcn import lite_fcn
from explorer.networks.preprocess import Preprocess
from explorer.views.segmentation.semantic.panes import KEYED
from explorer.views.segmentation.semantic.params import Params
from explorer.views.segmentation.semantic.result import Result, entropy, margin
from explorer.views.segmentation.semantic.tables import MOST_BARS
from explorer.views.segmentation.semantic.view import VIEW
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


def test_entropy_and_margin_of_the_softmax() -> None:
    scene = Scene(make_network(FixedSegmenter(), "segmentation", classes=CLASSES), toy_image())
    (step,) = VIEW.compute(scene, Params())
    with torch.no_grad():
        p = scene.network.module(scene.input())["out"][0].softmax(0).double()
    # The probabilities are kept with three digits.
    bits = torch.special.entr(p).sum(0) / np.log(2)
    np.testing.assert_allclose(entropy(step.value), bits, atol=3e-3)
    two = p.topk(2, dim=0).values
    np.testing.assert_allclose(margin(step.value), two[0] - two[1], atol=1e-3)
    board = VIEW.draw(step.value, Params(uncertainty="entropy"))
    heat = next(x for x in board.pane("uncertainty").layers if isinstance(x, Heat))
    assert heat.high == pytest.approx(np.log2(3))
    assert set(VIEW.data(step.value, Params(uncertainty="margin"))) >= {"margin", "index"}


def test_only_the_chosen_classes_are_colored() -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :4, 0] = pixels[:, 12:, 1] = 255
    (step,) = VIEW.compute(scene_of(pixels), Params())
    assert set(np.unique(layer(step.value, Masks, Params()).index)) == {-1, 1, 2}
    only = Params(classes=("green",))
    assert set(np.unique(layer(step.value, Masks, only).index)) == {-1, 2}
    assert layer(step.value, Text, only).text == "green 25.0%"


def test_maps_of_all_classes_are_their_probabilities() -> None:
    result = halves()
    pane = VIEW.draw(result, Params(class_maps=True)).pane("maps")
    heat = next(x for x in pane.layers if isinstance(x, Heat))
    tiles = {x.text: x.xy for x in pane.layers if isinstance(x, Text)}
    assert set(tiles) == {"background", "red"}
    x, y = (int(side) for side in tiles["red"])
    np.testing.assert_array_equal(heat.values[y : y + 8, x : x + 16], result.found.probabilities[1])
    assert pane.readout is not None
    assert pane.readout(x + 1, y + 1).startswith("red 96.5%")


def truth_mask(columns: int) -> Mask:
    index = np.zeros((8, 16), np.uint8)
    index[:, :columns] = 1
    return Mask.of(index)


def test_ground_truth_by_hand() -> None:
    """Red is predicted on 4 of 16 columns and true on 6: IoU 4/6 and 10/12."""
    result, params = halves(), Params(truth=truth_mask(6))
    board = VIEW.draw(result, params)
    wrong = next(x for x in board.pane("errors").layers if isinstance(x, Masks))
    assert (wrong.index[:, 4:6] == 0).all()
    assert (np.delete(wrong.index, [4, 5], axis=1) == -1).all()
    assert board.tables[1].rows == (
        ("red", pytest.approx(4 / 6, abs=1e-3), 0.0, 48, 32),
        ("background", pytest.approx(10 / 12, abs=1e-3), 0.0, 80, 96),
    )
    assert "mIoU 0.75, pixel accuracy 87.5%, boundary F 0.00" in board.summary
    assert VIEW.data(result, params)["confusion"].tolist() == [[80, 0, 0], [16, 32, 0], [0, 0, 0]]
    perfect = VIEW.draw(result, Params(truth=truth_mask(4)))
    assert "mIoU 1.00, pixel accuracy 100.0%, boundary F 1.00" in perfect.summary


def test_a_mask_of_another_size_is_not_compared() -> None:
    board = VIEW.draw(halves(), Params(truth=Mask.of(np.ones((3, 3), np.uint8))))
    assert "another size" in board.notes[0]
    assert [pane.name for pane in board.panes] == ["image"]


def test_the_exported_mask_is_a_perfect_ground_truth() -> None:
    result = halves()
    made = VIEW.mask and VIEW.mask(result, Params())
    assert made is not None
    assert made.names == {0: "background", 1: "red", 2: "green"}
    board = VIEW.draw(result, Params(truth=Mask.read(made.png())))
    assert "mIoU 1.00" in board.summary


def test_what_the_network_was_not_shown_does_not_count() -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    (step,) = VIEW.compute(scene_of(pixels, Preprocess(resize=10, crop=10)), Params())
    made = VIEW.mask and VIEW.mask(step.value, Params())
    assert made is not None
    assert (made.index[:, :10] == 255).all()
    assert (made.index[:, 10:30] == 0).all()


def test_regions_are_exported_as_coco() -> None:
    found = VIEW.data(halves(), Params())
    assert found["labels"].tolist() == [1]
    assert found["boxes"].tolist() == [[0, 0, 4, 8]]
    assert filled(found["segmentations"][0], (8, 16)).sum() == 32


def test_ground_truth_is_painted_on_a_pane_of_its_own() -> None:
    truth = next(entry for entry in parameters(Params) if entry.name == "truth")
    info = make_network(FixedSegmenter(), "segmentation", classes=CLASSES).info
    assert truth.meta.options(info) == ("red", "green")
    names = [pane.name for pane in VIEW.draw(halves(), Params(paint=True)).panes]
    assert names == ["image", truth.meta.pane]
