"""What the view shows of a Keypoint R-CNN is what the network computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Grid, Heat, Lines, Points
from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.networks.network import Network
from explorer.views.segmentation.keypoints.result import ROI_ALIGN, Result
from explorer.views.segmentation.keypoints.view import VIEW, Params
from explorer.vision.detection.keypoints import resized
from explorer.vision.trace import TwoStage
from explorer.vision.trace.keypoint_branch import pooled_regions
from tests.toys import toy_image, toy_keypoint_network, toy_network
from tests.views.test_all_detectors import network

PREDICTOR = "roi_heads.keypoint_predictor.kps_score_lowres"


@pytest.fixture(scope="module")
def toy() -> Network:
    return toy_keypoint_network()


def scene_of(network: Network) -> Scene:
    return Scene(network, toy_image(60, 80))


def result_of(scene: Scene, **params: Any) -> Result:
    (step,) = VIEW.compute(scene, resolved(Params(**params), scene.network.info))
    result: Result = step.value
    return result


@pytest.mark.parametrize("name", ["lite", "keypointrcnn_resnet50_fpn"])
def test_the_keypoints_are_the_networks_own(name: str, toy: Network) -> None:
    scene = scene_of(toy if name == "lite" else network(name))
    result = result_of(scene, person=2)
    with torch.no_grad():
        (own,) = scene.call(scene.input())
    assert len(own["keypoints"]) > 1
    assert torch.equal(torch.from_numpy(result.points), own["keypoints"])
    assert torch.equal(torch.from_numpy(result.scores), own["keypoints_scores"])
    person = result.person
    assert person is not None
    assert person.row == 1
    assert torch.equal(torch.from_numpy(person.scores), own["keypoints_scores"][1])
    np.testing.assert_allclose(
        person.frame.inverse().point(*person.places[5]), own["keypoints"][1, 5, :2], rtol=1e-5
    )


def test_the_stages_of_the_chosen_person(toy: Network) -> None:
    scene = scene_of(toy)
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    heat = trace.roi.keypoints
    assert heat is not None
    first = result_of(scene, person=3, joint=5).person
    assert first is not None
    assert first.stage == ROI_ALIGN
    pooled = pooled_regions(toy.module, trace)[2]
    np.testing.assert_array_equal(first.maps, pooled.numpy())
    np.testing.assert_array_equal(first.logits, heat[2].numpy())
    box = trace.roi.filter.nms.boxes[trace.roi.filter.nms.top][2]
    np.testing.assert_array_equal(first.values, resized(heat[2], box)[4].numpy())
    row, column = first.peaks[4]
    assert first.logits[4, row, column] == first.logits[4].max()
    low = result_of(scene, person=3, joint=5, stage=PREDICTOR).person
    assert low is not None
    assert low.maps.shape == (17, 28, 28)


def test_the_board_and_what_is_selected(toy: Network) -> None:
    result = result_of(scene_of(toy), person=2, joint=4)
    board = VIEW.draw(
        result, Params(score=0.0, keypoint_score=-20.0, joint=4, person=2, names=True)
    )
    assert [pane.name for pane in board.panes] == ["image", "grid", "maps", "heat", "joints"]
    people = board.boxes("people")
    assert people is not None
    assert people.keys == tuple(range(1, len(result.found) + 1))
    image = board.pane("image")
    (points,) = (x for x in image.layers if isinstance(x, Points) and x.name == "keypoints")
    assert len(points.xy) == 17 * len(result.found)
    assert points.labels.count("left elbow") == 1
    (limbs,) = (x for x in image.layers if isinstance(x, Lines))
    assert len(limbs.segments) == 19 * len(result.found)
    grid = board.pane("grid")
    (bins,) = (x for x in grid.layers if isinstance(x, Grid))
    assert len(bins.xs) == len(bins.ys) == 14 + 1
    (box,) = (x for x in grid.layers if isinstance(x, Boxes) and x.name == "box")
    np.testing.assert_allclose(bins.extent, box.xyxy[0], atol=0.1)  # aligned: no shift
    (heat,) = (x for x in board.pane("heat").layers if isinstance(x, Heat))
    assert result.person is not None
    np.testing.assert_array_equal(heat.values, result.person.logits[3])
    (over,) = (x for x in image.layers if isinstance(x, Heat))
    np.testing.assert_array_equal(over.values, result.person.shares[3])
    joints = board.boxes("joints")
    assert joints is not None
    assert len(joints.xyxy) == 17
    assert len(board.tables[1].rows) == 17
    hidden = VIEW.draw(result, Params(score=1.0, keypoint_score=40.0))
    nobody = hidden.boxes("people")
    assert nobody is not None
    assert nobody.keys == ()
    assert not [x for x in hidden.pane("image").layers if isinstance(x, Points) and len(x.xy) > 1]


def test_nobody_is_there() -> None:

    scene = scene_of(toy_keypoint_network(score=1.0))
    result = result_of(scene)
    assert result.person is None
    board = VIEW.draw(result, Params())
    assert board.summary == "No person was detected."
    assert [pane.name for pane in board.panes] == ["image"]
    assert VIEW.data is not None
    assert VIEW.data(result, Params())["keypoints"].shape == (0, 17, 3)


def test_a_detector_without_keypoints_is_refused_in_words() -> None:
    scene = Scene(toy_network("detection"), toy_image())
    with pytest.raises(ExplorerError, match="has no keypoint branch"):
        result_of(scene)
