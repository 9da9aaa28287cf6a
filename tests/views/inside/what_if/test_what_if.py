"""What is drawn is what the network computes of the edited photo, and the edit is the one asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.layers import Board, Boxes, Heat, Masks, Picture
from explorer.core.params import Box, ImageRef, Mask, Point, resolved
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.networks.hooks import captured
from explorer.views.inside.what_if.params import (
    BLUR,
    GRAB_CUT,
    GRAY,
    INPAINT,
    MEAN,
    NO_LAYER,
    OBJECT,
    TOOLS,
    Params,
)
from explorer.views.inside.what_if.view import VIEW, Result
from tests.toys import (
    FixedSegmenter,
    MeanClassifier,
    ToyConvNet,
    make_network,
    toy_image,
    toy_network,
)

GRADIENT = 5
"""Marching into an area continues the gradient of its edge, too, by some levels."""


def square() -> np.ndarray:
    """A red square on blue, 60 x 80."""
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[..., 2] = 160
    rgb[20:40, 30:50] = (250, 20, 20)
    return rgb


def painted(tool: str, rows: slice, columns: slice, size: tuple[int, int] = (60, 80)) -> Mask:
    index = np.zeros(size, np.uint8)
    index[rows, columns] = TOOLS.index(tool) + 1
    return Mask.of(index)


def look(scene: Scene, **changes) -> tuple[Result, Board]:
    params = resolved(Params(**changes), scene.network.info)
    (step,) = VIEW.compute(scene, params)
    return step.value, VIEW.draw(step.value, params)


def means() -> Scene:
    network = make_network(MeanClassifier(), "classification", classes=("r", "g", "b"))
    return Scene(network, from_array(square(), "square"))


# -- the brush ------------------------------------------------------------------------------------


def test_gray_and_the_mean_color() -> None:
    strokes = painted(GRAY, slice(0, 10), slice(0, 80))
    result, _ = look(means(), strokes=strokes)
    assert (result.edit.pixels[:10] == 128).all()
    np.testing.assert_array_equal(result.edit.pixels[10:], square()[10:])
    result, _ = look(means(), strokes=painted(MEAN, slice(0, 10), slice(0, 80)))
    mean = square().reshape(-1, 3).mean(axis=0).round()
    assert (result.edit.pixels[:10] == mean).all()


def test_one_mask_has_strokes_of_several_kinds() -> None:
    index = painted(INPAINT, slice(20, 40), slice(30, 50)).index().copy()
    index[50:, :] = TOOLS.index(GRAY) + 1
    index[:5, :5] = TOOLS.index(BLUR) + 1
    result, board = look(means(), strokes=Mask.of(index))
    assert (result.edit.pixels[50:] == 128).all()
    hole = result.edit.pixels[20:40, 30:50].astype(int)
    assert np.abs(hole - (0, 0, 160)).max() <= GRADIENT, "the red square is gone"
    np.testing.assert_array_equal(result.edit.area, index > 0)
    assert "% of the photo edited" in board.summary


def test_strokes_of_another_photo_are_said_and_not_used() -> None:
    result, board = look(means(), strokes=painted(GRAY, slice(0, 2), slice(0, 2), (5, 7)))
    assert "another size" in board.notes[0]
    assert result.edit.area.any(), "the example is shown instead"


# -- an object ------------------------------------------------------------------------------------


def test_a_box_without_a_place_is_removed() -> None:
    result, _ = look(means(), box=Box(28, 18, 52, 42))
    assert np.abs(result.edit.pixels.astype(int) - (0, 0, 160)).max() <= GRADIENT
    result, _ = look(means(), box=Box(28, 18, 52, 42), leaves="gray")
    assert (result.edit.pixels[18:42, 28:52] == 128).all()


def test_a_box_is_moved() -> None:
    result, _ = look(means(), box=Box(28, 18, 52, 42), place=Point(15, 30))
    moved = result.edit.pixels
    np.testing.assert_array_equal(moved[18:42, 3:27], square()[18:42, 28:52])
    assert np.abs(moved[20:40, 30:50].astype(int) - (0, 0, 160)).max() <= GRADIENT
    copied, _ = look(means(), box=Box(28, 18, 52, 42), place=Point(15, 30), leaves="unchanged")
    np.testing.assert_array_equal(copied.edit.pixels[20:40, 30:50], square()[20:40, 30:50])
    np.testing.assert_array_equal(copied.edit.pixels[18:42, 3:27], square()[18:42, 28:52])


def test_a_painted_object_is_moved_with_its_shape() -> None:
    strokes = painted(OBJECT, slice(20, 40), slice(30, 50))
    result, _ = look(means(), strokes=strokes, place=Point(10, 30), size=0.5)
    red = (result.edit.pixels == (250, 20, 20)).all(axis=2)
    assert red.sum() == 100
    assert red[25:35, 5:15].all()
    assert not red[20:40, 30:50].any()


def test_grab_cut_takes_the_object_out_of_its_box() -> None:
    result, _ = look(
        means(), box=Box(24, 14, 56, 46), place=Point(18, 30), cut=GRAB_CUT, leaves="unchanged"
    )
    assert 380 <= result.edit.area.sum() <= 420
    whole, _ = look(means(), box=Box(0, 0, 80, 60), place=Point(18, 30), cut=GRAB_CUT)
    assert "GrabCut needs pixels" in whole.edit.notes[0]


def test_a_part_of_another_photo_is_pasted() -> None:
    other = from_array(np.full((20, 30, 3), 77, np.uint8), "other")
    ref = ImageRef("other")
    scene = means()
    scene.opened = Opened(images={ref: other})
    result, board = look(scene, other=ref, part=Box(0, 0, 10, 8), place=Point(70, 50))
    expected = square()
    expected[46:54, 65:75] = 77
    np.testing.assert_array_equal(result.edit.pixels, expected)
    assert [pane.name for pane in board.panes][:3] == ["other", "image", "edited"]
    middle, _ = look(scene, other=ref)
    assert middle.edit.area.sum() == 140, "half of its sides, in the middle"
    assert middle.edit.area[25:35, 33:47].all()


def test_the_photo_is_left_alone() -> None:
    scene = means()
    before = scene.image.pixels.copy()
    look(scene, strokes=painted(INPAINT, slice(10, 20), slice(5, 40)), box=Box(10, 12, 20, 30))
    np.testing.assert_array_equal(scene.image.pixels, before)


# -- until there is an edit -----------------------------------------------------------------------


def test_the_example_of_a_classifier_is_the_middle_in_gray() -> None:
    result, board = look(means())
    assert (result.edit.pixels[15:45, 20:60] == 128).all()
    assert result.edit.area.sum() == 30 * 40
    assert board.notes[0].startswith("An example, until you edit the photo")


def test_the_example_of_a_segmentation_is_its_largest_region() -> None:
    network = make_network(
        FixedSegmenter(), "segmentation", classes=("__background__", "red", "green")
    )
    result, board = look(Scene(network, from_array(square(), "square")))
    assert result.edit.area[20:40, 30:50].all()
    assert result.edit.area.sum() == 400
    assert "red is inpainted" in board.notes[0]
    (row,) = board.tables[0].rows
    assert row[0] == "red"
    assert row[2] == 0.0, "inpainted with blue"


def test_the_example_of_a_detector_is_its_best_box() -> None:
    network = toy_network("detection")
    network = replace(network, info=replace(network.info, score_threshold=0.0))
    result, board = look(Scene(network, toy_image()))
    assert result.edit.area.any()
    assert "is inpainted" in board.notes[0]
    assert all(isinstance(layer, (Picture, Boxes, Masks)) for layer in board.panes[1].layers)


# -- what is shown --------------------------------------------------------------------------------


def test_the_table_is_the_networks_own_output() -> None:
    network = make_network(ToyConvNet(), "classification", classes=("a", "b", "c", "d"))
    strokes = painted(GRAY, slice(0, 30), slice(0, 30), (48, 64))
    scene = Scene(network, toy_image())
    result, board = look(scene, strokes=strokes)
    pixels = toy_image().pixels.copy()
    pixels[:30, :30] = 128
    with torch.no_grad():
        before, after = (
            network.module(network.preprocess(p)).softmax(1)[0]
            for p in (toy_image().pixels, pixels)
        )
    for name, first, second, change, _ in board.tables[0].rows:
        k = "abcd".index(name)
        assert first == pytest.approx(float(before[k]), abs=1e-4)
        assert second == pytest.approx(float(after[k]), abs=1e-4)
        assert change == pytest.approx(second - first, abs=1e-9)
    found = VIEW.data(result, Params())
    assert found["rows"] == board.tables[0].rows
    np.testing.assert_array_equal(found["edited"], pixels)


def test_the_maps_of_both_photos_are_on_one_scale() -> None:
    network = make_network(ToyConvNet(), "classification")
    strokes = painted(GRAY, slice(0, 48), slice(0, 32), (48, 64))
    result, board = look(Scene(network, toy_image()), strokes=strokes, layer="conv1", channel=2)
    assert result.maps is not None
    with torch.no_grad(), captured(network.module, ["conv1"]) as records:
        network.module(network.preprocess(result.edit.pixels))
    np.testing.assert_array_equal(result.maps.after.values, records["conv1"][0][0].numpy())
    heats = [
        next(layer for layer in board.pane(name).layers if isinstance(layer, Heat))
        for name in ("map", "map edited")
    ]
    assert (heats[0].low, heats[0].high) == (heats[1].low, heats[1].high)
    np.testing.assert_array_equal(heats[1].values, result.maps.after.values[2])
    far = np.abs(result.maps.after.values - result.maps.before.values).mean(axis=(1, 2))
    wanted = far / result.maps.before.values.std()
    np.testing.assert_allclose(result.maps.change, wanted, rtol=1e-5)
    table = board.tables[1]
    assert table.layer == "channels"
    assert table.keys[0] == wanted.argmax()


def test_without_a_layer_there_are_two_photos() -> None:
    result, board = look(means(), layer=NO_LAYER)
    assert result.maps is None
    assert [pane.name for pane in board.panes] == ["image", "edited"]


def test_a_network_without_a_head_shows_its_maps() -> None:
    result, board = look(Scene(toy_network("features"), toy_image()))
    assert result.before is None
    assert [table.name for table in board.tables] == ["channels"]
    assert VIEW.data(result, Params())["rows"] == ()
