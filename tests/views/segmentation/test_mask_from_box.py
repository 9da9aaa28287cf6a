"""Masks of a drawn box: proposed, edited, compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.core.layers import Masks
from explorer.core.params import Box, Mask, Point
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.images.outlines import filled
from explorer.views.segmentation.mask_from_box import VIEW, Params, Result, mask_iou
from tests.toys import FixedSegmenter, make_network, toy_mask_network, toy_network

CLASSES = ("__background__", "red", "green")
RED = Box(22, 12, 64, 50)


def pixels() -> np.ndarray:
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[..., 2] = 160
    rgb[20:40, 30:55] = (250, 20, 20)
    return rgb


def segmenter() -> Scene:
    network = make_network(FixedSegmenter(), "segmentation", classes=CLASSES)
    return Scene(network, from_array(pixels(), "square"))


@pytest.fixture(scope="module")
def result() -> Result:
    return last(segmenter(), Params(box=RED, rounds=2))


def last(scene: Scene, params: Params) -> Result:
    return list(VIEW.compute(scene, params))[-1].value


def edited(result: Result, params: Params) -> np.ndarray:
    return VIEW.data(result, params)["mask"]


def square() -> np.ndarray:
    found = np.zeros((60, 80), bool)
    found[20:40, 30:55] = True
    return found


def test_all_methods_propose_the_square(result: Result) -> None:
    assert set(result.masks) == {"GrabCut", "watershed", "network"}
    assert mask_iou(result.masks["GrabCut"], square()) > 0.97
    assert mask_iou(result.masks["watershed"], square()) > 0.9
    np.testing.assert_array_equal(result.masks["network"], square())
    assert result.found == "red, inside the box"


def test_every_round_is_a_step() -> None:
    steps = list(VIEW.compute(segmenter(), Params(box=RED, rounds=4)))
    assert [(step.done, step.total) for step in steps] == [(2, 5), (3, 5), (4, 5), (5, 5)]


def test_strokes_and_polygon_edit_the_mask(result: Result) -> None:
    params = Params(box=RED, method="network")
    strokes = np.zeros((60, 80), np.uint8)
    strokes[:3], strokes[20:25, 30:55] = 1, 2
    painted = replace(params, strokes=Mask.of(strokes))
    expected = square()
    expected[:3] = True
    expected[20:25] = False
    np.testing.assert_array_equal(edited(result, painted), expected)
    corners = (Point(60, 50), Point(70, 50), Point(70, 55), Point(60, 55))
    added = edited(result, replace(params, polygon=corners))
    expected = square()
    expected[50:55, 60:70] = True
    assert mask_iou(added, expected) > 0.97
    inside = (Point(35, 25), Point(45, 25), Point(45, 35), Point(35, 35))
    removed = edited(result, replace(params, polygon=inside, polygon_does="removes"))
    assert not removed[27:33, 37:43].any()
    assert removed[21, 31]
    nothing = replace(params, method="nothing")
    assert not edited(result, nothing).any()


def test_iou_of_any_two(result: Result) -> None:
    other = np.zeros((60, 80), np.uint8)
    other[20:40, 30:40] = 1
    params = Params(box=RED, method="network", other=Mask.of(other))
    board = VIEW.draw(result, params)
    table = board.tables[0]
    assert table.columns[2:] == tuple(f"IoU, {row[0]}" for row in table.rows)
    by_name = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert by_name["edited"]["IoU, network"] == 1.0
    assert by_name["from the file"]["IoU, network"] == 0.4
    assert by_name["network"]["IoU, from the file"] == 0.4
    assert "IoU 1.00 with network" in board.summary
    wrong = replace(params, other=Mask.of(np.ones((2, 2), np.uint8)))
    assert "another size" in VIEW.draw(result, wrong).notes[0]


def test_strokes_can_guide_grab_cut() -> None:
    strokes = np.zeros((60, 80), np.uint8)
    strokes[20:40, 30:42] = 2
    params = Params(box=RED, rounds=2, strokes=Mask.of(strokes), guided=True)
    guided = last(segmenter(), params)
    assert not guided.masks["GrabCut"][20:40, 30:42].any()
    free = last(segmenter(), replace(params, guided=False))
    assert free.masks["GrabCut"][20:40, 30:42].any()


def test_another_stroke_computes_nothing_again() -> None:
    scene, params = segmenter(), Params(box=RED, rounds=2)
    first = last(scene, params)
    (step,) = VIEW.compute(scene, replace(params, strokes=Mask.of(np.ones((60, 80), np.uint8))))
    assert step.value.masks["GrabCut"] is first.masks["GrabCut"]


def test_an_instance_network_gives_the_mask_of_the_nearest_box() -> None:
    scene = Scene(toy_mask_network(), from_array(pixels(), "square"))
    own = scene.output()[0]
    box = own["boxes"][1].tolist()
    result = last(scene, Params(box=Box(*box), rounds=1))
    np.testing.assert_array_equal(result.masks["network"], own["masks"][1, 0].numpy() >= 0.5)
    assert "box IoU 1.00" in result.found


def test_without_masks_of_a_network_the_others_do() -> None:
    scene = Scene(toy_network("detection"), from_array(pixels(), "square"))
    board = VIEW.draw(last(scene, Params(rounds=1)), Params(rounds=1))
    assert any("outputs no masks" in note for note in board.notes)
    assert any("Draw a box" in note for note in board.notes)
    outlines = [x.name for x in board.pane("image").layers if isinstance(x, Masks)]
    assert outlines == ["watershed", "GrabCut"]


def test_export(result: Result) -> None:
    params = Params(box=RED, method="network")
    found = VIEW.data(result, params)
    assert found["labels"] == ("red",)
    assert found["boxes"].tolist() == [[30, 20, 55, 40]]
    np.testing.assert_array_equal(filled(found["segmentations"][0], (60, 80)), square())
    made = VIEW.mask and VIEW.mask(result, params)
    assert made is not None
    np.testing.assert_array_equal(made.index, square())
    assert made.names == {0: "background", 1: "red"}
    empty = VIEW.data(result, replace(params, method="nothing"))
    assert empty["boxes"].shape == (0, 4)


def test_iou_by_hand() -> None:
    one, other = np.zeros((2, 2, 2), bool)
    assert mask_iou(one, other) == 1.0
    one[0] = True
    other[:, 0] = True
    assert mask_iou(one, other) == pytest.approx(1 / 3)
