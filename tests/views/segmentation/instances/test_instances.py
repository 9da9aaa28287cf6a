"""What is shown of an instance is what the mask branch computed, in the right place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Heat, Masks
from explorer.engine.question import default_network
from explorer.engine.scene import Scene
from explorer.engine.stages import mask_branch_of
from explorer.images.outlines import filled
from explorer.networks.preprocess import Frame
from explorer.views.segmentation.instances.opened import LOGITS, OWN_CLASS, Window
from explorer.views.segmentation.instances.view import VIEW, Params, Result
from explorer.vision.detection.roi import roi_align
from explorer.vision.trace.mask_branch import pasted
from tests.toys import toy_image, toy_mask_network, toy_network

ALL = Params(score=0.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(toy_mask_network(), toy_image())


def result_of(scene: Scene, params: Params = ALL) -> Result:
    (step,) = VIEW.compute(scene, params)
    return step.value


def masks_of(result: Result, params: Params) -> Masks:
    layers = VIEW.draw(result, params).pane("image").layers
    return next(layer for layer in layers if isinstance(layer, Masks))


def test_the_grid_is_where_the_first_stage_was_read(scene: Scene) -> None:
    one = result_of(scene, Params(selected=3)).opened
    assert one is not None
    branch = mask_branch_of(scene)
    maps = branch.maps
    cells = maps.cells(branch.boxes[3].numpy(), one.own_level)
    ours = roi_align(one.map, cells, (6, 6), sampling=2, aligned=False)
    np.testing.assert_allclose(one.stages["RoIAlign"], ours.values, atol=1e-4)
    np.testing.assert_allclose(one.cells.boxes(one.bins), ours.bins, atol=1e-3)
    assert len(one.samples) == 4 * 36
    np.testing.assert_allclose(
        one.cells.boxes(np.tile(one.samples, 2))[:, :2], ours.samples, atol=1e-3
    )


def test_masks_are_the_networks_own_and_any_class_can_be_pasted(scene: Scene) -> None:
    own = scene.output()[0]
    one = result_of(scene, Params(selected=2)).opened
    assert one is not None
    assert one.of == int(own["labels"][2])
    assert torch.equal(torch.from_numpy(one.pasted), own["masks"][2, 0])
    other = result_of(scene, Params(selected=2, of="car")).opened
    assert other is not None
    small = mask_branch_of(scene).logits[2:3, 4].sigmoid()
    expected = pasted(small, own["boxes"][2:3], (48, 64))[0]
    assert torch.equal(torch.from_numpy(other.pasted), expected)
    np.testing.assert_allclose(other.probabilities, small[0], atol=1e-6)


def test_opacity_and_threshold_compute_only_what_they_must(scene: Scene) -> None:
    result = result_of(scene)
    first = masks_of(result, ALL)
    assert masks_of(result, replace(ALL, opacity=0.1)).index is first.index
    assert masks_of(result, replace(ALL, labels=False)).index is first.index
    own = scene.output()[0]["masks"][:, 0].numpy()
    for threshold in (0.3, 0.5, 0.75):
        params = replace(ALL, threshold=threshold)
        index = masks_of(result, params).index
        level = np.float32(round(threshold * 256) / 256)
        np.testing.assert_array_equal(index >= 0, (own >= level).any(axis=0))
        table = VIEW.draw(result, params).tables[0]
        assert [row[2] for row in table.rows] == [int((m >= level).sum()) for m in own]


def test_the_plot_says_the_area_at_the_threshold(scene: Scene) -> None:
    params = Params(selected=1, score=0.0, threshold=0.5)
    board = VIEW.draw(result_of(scene, params), params)
    (curve,) = board.plots[0].curves
    assert board.plots[0].steers == "threshold"
    area = board.tables[0].rows[1][2]
    assert curve.y[np.flatnonzero(curve.x == 0.5)[0]] == area


def test_hidden_instances_and_classes(scene: Scene) -> None:
    result = result_of(scene)
    names = {row[0] for row in VIEW.draw(result, ALL).tables[0].rows}
    name = sorted(names)[0]
    only = VIEW.draw(result, replace(ALL, classes=(name,)))
    assert {row[0] for row in only.tables[0].rows} == {name}
    nothing = VIEW.draw(result, Params(score=1.0))
    assert nothing.tables[0].rows == ()
    assert nothing.summary.startswith("0 of")


def test_export_is_the_masks_in_the_photos_pixels(scene: Scene) -> None:
    found = VIEW.data(result_of(scene), ALL)
    own = scene.output()[0]["masks"][:, 0].numpy() >= 0.5
    for segmentation, area, mask in zip(found["segmentations"], found["areas"], own, strict=True):
        np.testing.assert_array_equal(filled(segmentation, (48, 64)), mask)
        assert area == mask.sum()
    assert found["stage convolution 1"].shape == (8, 6, 6)
    params = Params(score=0.0, classes=("cat", "dog"))
    mask = VIEW.mask and VIEW.mask(result_of(scene), params)
    assert mask is not None
    labels = scene.output()[0]["labels"].tolist()
    rows = [k for k, label in enumerate(labels) if label in (1, 2)]
    assert mask.names == {n: ("cat", "dog")[labels[k] - 1] for n, k in enumerate(rows, 1)}
    np.testing.assert_array_equal(mask.index > 0, own[rows].any(axis=0))


def test_panes_of_the_opened_instance(scene: Scene) -> None:
    params = Params(selected=0, score=0.0, shows="logit", stage=LOGITS)
    result = result_of(scene, params)
    board = VIEW.draw(result, params)
    assert [pane.name for pane in board.panes] == ["image", "level", "stage", "mask", "paste"]
    one = result.opened
    assert one is not None
    raw = next(layer for layer in board.pane("mask").layers if isinstance(layer, Heat))
    np.testing.assert_array_equal(raw.values, one.logits)
    assert "5 masks of 12 x 12" in board.pane("stage").title
    boxes = board.boxes("instances")
    assert isinstance(boxes, Boxes)
    assert boxes.keys == tuple(range(len(result.answer.found)))


def test_a_window_is_whole_cells_around_the_box() -> None:
    box = np.array([10.0, 10.0, 30.0, 14.0], np.float32)
    window = Window.around(box, Frame(0.25, 0.25), (20, 20))
    assert (window.columns, window.rows) == (slice(1, 9), slice(1, 5))
    assert window.extent == (4.0, 4.0, 36.0, 20.0)
    assert window.moved((4.0, 4.0, 8.0, 8.0)) == (0.0, 0.0, 4.0, 4.0)
    outside = Window.around(box + 500, Frame(0.25, 0.25), (20, 20))
    assert outside.of(np.zeros((20, 20))).size > 0


def test_a_network_without_masks_is_refused() -> None:
    with pytest.raises(ExplorerError, match="outputs no masks"):
        result_of(Scene(toy_network("detection"), toy_image()), Params())
    assert not VIEW.takes(toy_network("detection").info)
    assert VIEW.takes(toy_mask_network().info)


def test_it_begins_with_the_shipped_mask_rcnn() -> None:
    assert default_network(VIEW) == "lite-maskrcnn"
    assert Params().of == OWN_CLASS
