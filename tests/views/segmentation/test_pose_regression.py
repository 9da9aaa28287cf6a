"""Stages of the cascade are the network's own, on the box that is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import keypointrcnn_inference

from explorer.core.layers import Boxes, Heat, Lines, Points
from explorer.core.params import Box
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.networks.embedded.face_points import POINTS, lite_face_points
from explorer.networks.embedded.lite import MEAN, STD
from explorer.networks.embedded.lite_pose import JOINTS, lite_pose
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.training.lessons.lite.pose import joints_in
from explorer.views.segmentation.pose_regression.panes import Result
from explorer.views.segmentation.pose_regression.people import people_in
from explorer.views.segmentation.pose_regression.tables import apart, moved
from explorer.views.segmentation.pose_regression.view import SECOND, VIEW, Params, regressed
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.features.person_crops import face_boxes, person_crop
from tests.toys import make_network, toy_image, toy_keypoint_network, toy_network

MINE = Box(8.0, 4.0, 40.0, 52.0)


@pytest.fixture(scope="module")
def pose() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = lite_pose(widths=(4, 4), hidden=8, width=8, evidence=8)
    return make_network(
        module, "pose", classes=("background", "person"), keypoints=JOINTS,
        preprocess=Preprocess(resize=224, crop=224, mean=MEAN, std=STD),
    )  # fmt: skip


def result_of(network: Network, second: Network, **params: Any) -> Result:
    scene = Scene(network, toy_image(60, 80), opened=Opened({SECOND: second}))
    (step,) = VIEW.compute(scene, Params(**params))
    result: Result = step.value
    return result


@torch.no_grad()
def test_every_stage_is_the_networks_own_output(pose: Network) -> None:
    result = result_of(pose, toy_keypoint_network(), box=MINE)
    crop = person_crop(toy_image(60, 80).pixels, np.array([8, 4, 40, 52], np.float32), 224)
    np.testing.assert_array_equal(result.crop, crop)
    own = pose.module(pose.preprocess.fed(crop))
    cascade = result.cascade
    assert torch.equal(torch.from_numpy(cascade.stages), own["stages"][:, 0])
    assert torch.equal(torch.from_numpy(cascade.joints), own["joints"][0])
    assert torch.equal(torch.from_numpy(cascade.parts), own["parts"][:, 0])
    assert cascade.heat is not None
    assert torch.equal(torch.from_numpy(cascade.heat), own["heat"][:, 0])
    lesson = joints_in(pose.module, toy_image(60, 80).pixels, result.box)  # type: ignore[arg-type]
    np.testing.assert_allclose(result.places, lesson, atol=1e-3)  # normalized in another order


@torch.no_grad()
def test_the_heat_maps_are_of_the_same_box(pose: Network) -> None:
    """A detected person's keypoints are those of the second network itself."""
    second = toy_keypoint_network()
    second.info = replace(second.info, score_threshold=0.0)
    result = result_of(pose, second, person=2)
    (own,) = second.module([second.preprocess(toy_image(60, 80).pixels)[0]])
    np.testing.assert_allclose(result.boxes, own["boxes"].numpy(), rtol=1e-6)
    assert result.person == 1
    assert result.other is not None
    np.testing.assert_allclose(result.other.places, own["keypoints"][1, :, :2], atol=1e-3)
    np.testing.assert_allclose(result.other.scores, own["keypoints_scores"][1], atol=1e-4)
    assert set(apart(result)) == {JOINTS.index(name) for name in JOINTS if "neck" not in name and
                                  "head" not in name}  # fmt: skip
    drawn = result_of(pose, second, box=MINE)
    people = people_in(Scene(pose, toy_image(60, 80)), second, "person")
    assert people.trace is not None
    frame = people.trace.pyramid.frame
    boxes = torch.from_numpy(frame.boxes(np.array([[8, 4, 40, 52]], np.float32)))
    heads: Any = second.module.roi_heads
    crops = heads.keypoint_roi_pool(
        people.trace.pyramid.features, [boxes], [people.trace.pyramid.size]
    )
    (places,), _ = keypointrcnn_inference(
        heads.keypoint_predictor(heads.keypoint_head(crops)), [boxes]
    )
    assert drawn.other is not None
    back = places[0, :, :2].numpy() / np.array([frame.sx, frame.sy], np.float32)
    np.testing.assert_allclose(drawn.other.places, back, rtol=1e-5)


def test_the_board(pose: Network) -> None:
    result = result_of(pose, toy_keypoint_network(), box=MINE)
    board = VIEW.draw(result, Params(box=MINE, joint=4))
    names = [pane.name for pane in board.panes]
    assert names == ["image", "stage 1", "stage 2", "stage 3", "stage 4", "heat maps"]
    assert len({pane.frame for pane in board.panes[1:]}) == 1
    third = board.pane("stage 3")
    (part,) = (x for x in third.layers if isinstance(x, Boxes))
    np.testing.assert_allclose(part.xyxy[0], result.cascade.parts[1, 3] * 224, rtol=1e-6)
    (heat,) = (x for x in third.layers if isinstance(x, Heat))
    assert heat.extent == pytest.approx(part.xyxy[0])
    (arrows,) = (x for x in third.layers if isinstance(x, Lines) and x.arrow)
    ends = {tuple(end) for end in (result.cascade.stages[2] * np.float32(224)).tolist()}
    assert {tuple(end) for end in arrows.segments[:, 2:].tolist()} <= ends
    every = VIEW.draw(result, Params(parts="all keypoints")).pane("stage 2")
    assert [len(x.xyxy) for x in every.layers if isinstance(x, Boxes)] == [14]
    hidden = VIEW.draw(result, Params(parts="none")).pane("stage 2")
    assert not [x for x in hidden.layers if isinstance(x, (Boxes, Heat))]
    joints = board.boxes("joints")
    assert joints is not None
    assert len(joints.xyxy) == len(board.tables[0].rows) == 14
    (chosen,) = (
        x for x in board.pane("image").layers if isinstance(x, Points) and x.name == "chosen"
    )
    assert chosen.labels == ("left hip",)
    assert moved(result).shape == (3, 14)


def test_without_people_the_whole_photo_is_used(pose: Network) -> None:
    result = result_of(pose, toy_network("detection"))
    assert result.origin == "the whole photo"
    assert result.box.tolist() == [0, 0, 80, 60]
    board = VIEW.draw(result, Params())
    assert any("whole photo" in note for note in board.notes)
    assert any("no keypoint branch" in note for note in board.notes)
    assert board.panes[-1].name == "stage 4"


def test_a_network_of_one_stage_with_another_crop() -> None:
    network = toy_network("pose")
    crop, cascade = regressed(
        network, toy_image(60, 80).pixels, np.array([0, 0, 30, 30], np.float32)
    )
    assert crop.shape == (32, 32, 3)
    assert cascade.stages.shape == (2, 2, 2)
    assert cascade.heat is None


def test_faces_are_proposed_from_eyes_and_noses() -> None:
    names = ("nose", "left_eye", "right_eye")
    points = np.array([[[50, 60], [71, 40], [29, 40]], [[0, 0], [1, 1], [2, 2]]], np.float32)
    shown = np.array([[True, True, True], [True, False, True]])
    found, whose = face_boxes(points, names, shown)
    np.testing.assert_allclose(found, [[0, 10, 100, 110]], rtol=1e-5)
    assert whose.tolist() == [0]
    assert face_boxes(points, ("a", "b", "c"), shown)[0].shape == (0, 4)


def test_a_face_is_compared_with_the_keypoints_of_its_person() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        face = make_network(
            lite_face_points(), "pose", classes=("background", "face"), keypoints=POINTS,
            preprocess=Preprocess(resize=64, crop=64, mean=MEAN, std=STD),
        )  # fmt: skip
    second = toy_keypoint_network()
    second.info = replace(second.info, score_threshold=0.0)
    scene = Scene(face, toy_image(60, 80))
    people = people_in(scene, second, "face")
    assert people.trace is not None
    (own,) = people.trace.output
    assert len(people.boxes) == len(people.owners) > 1
    rows = [own["boxes"].tolist().index(owner) for owner in people.owners.tolist()]
    result = result_of(face, second, person=2)
    assert result.origin.startswith("face")
    assert result.crop.shape == (64, 64, 3)
    assert result.other is not None
    assert result.other.names == ("nose", "left_eye", "right_eye")
    cover = iou_matrix(result.box[None], people.boxes)[0]
    wanted = own["keypoints"][rows[int(cover.argmax())], :3, :2]
    np.testing.assert_allclose(result.other.places, wanted, atol=1e-2)
    assert set(apart(result)) == {0, 1, 2}
    nowhere = result_of(face, second, box=Box(0, 0, 2, 2))
    assert nowhere.other is None
    assert [pane.name for pane in VIEW.draw(nowhere, Params()).panes][-1] == "stage 2"
