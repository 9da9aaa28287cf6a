"""The labels that are drawn are those a network trains with, and they follow the boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.transform import resize_boxes

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Heat, Lines, Masks, Table
from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.views.detection.anchor_sandbox.view import MADE, OWN, VIEW, Params, Result
from explorer.vision.detection.matching import IGNORED, NEGATIVE
from tests.toys import FixedDetector, make_network, toy_image, toy_network

TRUTH = (Box(16, 12, 34, 25, "cat"), Box(2, 3, 7, 40, "dog"))


def result_of(params: Params, task: str = "detection") -> Result:
    (step,) = VIEW.compute(Scene(toy_network(task), toy_image()), params)
    return step.value


def table(result: Result, params: Params, name: str) -> Table:
    return next(t for t in VIEW.draw(result, params).tables if t.name == name)


def boxes(result: Result, params: Params, name: str) -> Boxes:
    found = VIEW.draw(result, params).boxes(name)
    assert found is not None
    return found


def test_labels_are_those_the_network_trains_with() -> None:
    network = toy_network("detection")
    module = network.module
    scene = Scene(network, toy_image())
    params = Params(truth=TRUTH, anchors=OWN)
    (step,) = VIEW.compute(scene, params)
    found = VIEW.data(step.value, params)

    image = scene.input()[0]
    rows = torch.tensor([[b.x0, b.y0, b.x1, b.y1] for b in TRUTH])
    images, targets = module.transform([image], [{"boxes": rows}])
    features = [module.backbone(images.tensors)]
    anchors = module.rpn.anchor_generator(images, features)
    assert torch.equal(torch.from_numpy(found["anchors"]), anchors[0])
    own = resize_boxes(rows, list(image.shape[-2:]), list(images.image_sizes[0]))
    np.testing.assert_allclose(found["truth"], own, atol=1e-4)
    labels, matched = module.rpn.assign_targets_to_anchors(anchors, targets)
    ours = np.select([found["matches"] >= 0, found["matches"] == NEGATIVE], [1, 0], -1)
    assert ours.tolist() == labels[0].tolist()
    assert {1, 0, -1} <= set(ours.tolist())
    targets = BoxCoder((1.0, 1.0, 1.0, 1.0)).encode(matched, anchors)[0]
    np.testing.assert_allclose(found["targets"], targets[found["positive"]], atol=1e-5)


def test_tables_count_every_anchor_once() -> None:
    params = Params(truth=TRUTH, anchors=MADE, levels=3, stride=8, scale=16, short_side=96)
    result = result_of(params)
    found = VIEW.data(result, params)
    rows = table(result, params, "levels").rows
    assert len(rows) == 3
    assert sum(row[2] for row in rows) == len(found["anchors"])
    assert sum(row[3] for row in rows) == (found["matches"] >= 0).sum() > 0
    assert sum(row[4] for row in rows) == (found["matches"] == IGNORED).sum() > 0
    assert all(row[3] + row[4] + row[5] == row[2] for row in rows)
    shares = [row[3] for row in table(result, params, "truth").rows]
    assert shares == np.bincount(found["matches"][found["matches"] >= 0]).tolist()


def test_a_box_that_nothing_matches_turns_red() -> None:
    params = Params(truth=(Box(0, 0, 3, 48, "pole"),), anchors=MADE, force=False)
    result = result_of(params, "classification")
    lost = boxes(result, params, "ground truth")
    assert lost.labels[0].startswith("pole: no positive anchor")
    assert lost.colors[0, 0] > 200 > 2 * lost.colors[0, 1]
    assert len(boxes(result, params, "missed").xyxy) == 1
    assert "no positive anchor for 1 of 1 box" in VIEW.draw(result, params).summary
    forced = replace(params, force=True)
    assert VIEW.draw(result, forced).boxes("missed") is None
    assert "forced" in boxes(result, forced, "ground truth").labels[0]


def test_the_forced_match_of_a_box_that_touches_nothing_is_told() -> None:
    params = Params(truth=(Box(5, 5, 5, 5),), anchors=MADE)
    result = result_of(params)
    board = VIEW.draw(result, params)
    assert "all anchors positive" in board.notes[0]
    assert not VIEW.draw(result, replace(params, force=False)).notes


def test_a_moved_box_takes_its_anchors_along() -> None:
    params = Params(truth=(TRUTH[0],), anchors=MADE, short_side=96, scale=24, stride=8)
    result = result_of(params)
    before = boxes(result, params, "anchors")
    moved = replace(params, truth=(Box(36, 32, 54, 45),))
    after = boxes(result, moved, "anchors")
    assert set(before.keys).isdisjoint(after.keys)
    way = after.xyxy.mean(axis=0) - before.xyxy.mean(axis=0)
    np.testing.assert_allclose(way, 20, atol=3)


def test_cells_lie_around_the_middle_of_their_anchors() -> None:
    params = Params(truth=(TRUTH[0],), anchors=MADE, short_side=96, scale=24, stride=8)
    result = result_of(params)
    place = result.anchors.levels[0]
    for paint, kind in (("labels", Masks), ("best IoU", Heat)):
        board = VIEW.draw(result, replace(params, color_by=paint))
        layer = next(found for found in board.panes[0].layers if isinstance(found, kind))
        array = layer.index if isinstance(layer, Masks) else layer.values
        assert array.shape == (place.rows, place.columns)
        row, column = np.unravel_index(array.argmax(), array.shape)
        x0, y0, x1, y1 = layer.extent or (0, 0, 0, 0)
        x = x0 + (column + 0.5) * (x1 - x0) / place.columns
        y = y0 + (row + 0.5) * (y1 - y0) / place.rows
        best = place.index(int(row), int(column))
        anchor = result.anchors.on_photo(np.array([best]))[0]
        np.testing.assert_allclose([x, y], (anchor[:2] + anchor[2:]) / 2, atol=1e-3)
        readout = board.panes[0].readout
        assert readout is not None
        assert f"row {row}, column {column}" in readout(x + 1, y - 1)


def test_arrows_end_where_the_box_is() -> None:
    params = Params(truth=TRUTH[:1], anchors=MADE, short_side=96, scale=24, stride=8)
    result = result_of(params)
    board = VIEW.draw(result, params)
    arrows = next(layer for layer in board.panes[0].layers if isinstance(layer, Lines))
    box = TRUTH[0]
    np.testing.assert_allclose(arrows.segments[1, 2:], [25, 18.5], atol=1e-3)
    chosen = boxes(result, params, "chosen").xyxy[0]
    np.testing.assert_allclose(arrows.segments[0, :2], (chosen[:2] + chosen[2:]) / 2, atol=1e-3)
    grown = arrows.segments[2, 2] - (chosen[0] + chosen[2]) / 2
    assert grown == pytest.approx((box.x1 - box.x0) / 2, abs=1e-3)
    values = {row[0]: row[1] for row in table(result, params, "targets").rows}
    wide = chosen[2] - chosen[0]
    assert float(values["tw"]) == pytest.approx(np.log((box.x1 - box.x0) / wide), abs=1e-3)
    some = int(VIEW.data(result, params)["positive"][0])
    other = table(result, replace(params, selected=some), "targets")
    assert ("place", f"#{some}") == other.rows[-1][:2]


def test_no_truth_says_what_to_do() -> None:
    params = Params()
    board = VIEW.draw(result_of(params), params)
    assert "Draw a ground-truth box" in board.summary
    shown = board.boxes("anchors")
    assert shown is not None
    assert len(shown.xyxy) == 6  # those of one cell


def test_a_network_without_anchors_gets_some() -> None:
    network = make_network(FixedDetector({}), "detection")
    (step,) = VIEW.compute(Scene(network, toy_image()), Params(truth=TRUTH))
    board = VIEW.draw(step.value, Params(truth=TRUTH))
    assert "Generated anchors" in board.notes[0]


def test_too_many_anchors_are_refused() -> None:
    params = Params(
        anchors=MADE, stride=4, short_side=1200, scales=4, ratios="1:1, 1:r, r:1 and in between"
    )
    with pytest.raises(ExplorerError, match="anchors"):
        result_of(params)
