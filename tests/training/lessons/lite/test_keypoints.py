from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.embedded import lite_fasterrcnn
from explorer.training.data.canvases import Canvas
from explorer.training.data.pool import people, read_pool
from explorer.training.lessons.lite import keypoints
from explorer.training.lessons.lite.detector import agnostic
from explorer.training.lessons.lite.keypoints import (
    RECIPE,
    KeypointTask,
    correct_joints,
    joint_loss,
    joints_in,
    task,
)
from explorer.training.lessons.registry import Material
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


@pytest.fixture
def pool(tmp_path):
    return people(read_pool(write_pool(tmp_path / "pool", joints=True), least=3))


def test_only_the_joints_layers_learn(pool, tmp_path):
    recipe = replace(RECIPE, batch=2, epochs=0.7)
    detector = agnostic(lite_fasterrcnn(len(pool.names))).state_dict()
    lesson = KeypointTask(pool=pool, weights=detector, recipe=recipe)
    torch.manual_seed(recipe.seed)
    before = lesson.build().state_dict()
    assert torch.equal(before["backbone.body.conv_stem.weight"],
                       detector["backbone.body.conv_stem.weight"])  # fmt: skip
    boxes = "roi_heads.box_predictor.bbox_pred.weight"
    assert torch.equal(before[boxes], torch.cat([detector[boxes]] * 2))
    after = train(lesson, recipe, tmp_path / "out", device=CPU, dtype=torch.float32).model
    moved = {n for n, value in after.state_dict().items() if not torch.equal(before[n], value)}
    assert moved
    assert all(name.startswith("roi_heads.keypoint_") for name in moved)


def test_a_photo_without_joints_teaches_nothing(pool):
    lesson = KeypointTask(pool=pool, weights=None)
    model = lesson.build()
    lesson.prepare(model)
    box, nobody = np.array([[5, 5, 60, 60]], np.float32), np.zeros((1, 17, 3), np.float32)
    empty = Canvas(
        np.zeros((64, 96, 3), np.uint8), box, np.ones(1, np.int64), box[:0], joints=nobody
    )
    assert joint_loss(model, [empty, empty], CPU).item() == 0


def test_nobody_with_joints_is_said(tmp_path):
    folder = write_pool(tmp_path / "pool")
    with pytest.raises(ExplorerError, match=r"No person in .* has keypoints"):
        task("lite-keypointrcnn", Material(folder, tmp_path))


def test_correct_joints_by_hand(pool, monkeypatch):
    photo = pool.photos[0]
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 5], joints[0, 12], joints[0, 0] = (0, 0, 2), (0, 50, 2), (30, 30, 2)
    found = joints.copy()
    found[0, 0, 0] += 9.9  # of a torso of 50, 10 are allowed
    found[0, 12, 0] += 10.1
    monkeypatch.setattr(keypoints, "joints_in", lambda *_: found)
    result = correct_joints(None, [replace(photo, joints=joints)])
    assert result["PCK@0.2"] == pytest.approx(2 / 3, abs=1e-4)
    assert result["PCK by joint"] == {"nose": 1.0, "left_shoulder": 1.0, "right_hip": 0.0}
    torsoless = joints.copy()
    torsoless[0, 12] = 0
    assert correct_joints(None, [replace(photo, joints=torsoless)])["PCK@0.2"] == 0


def test_joints_are_said_in_the_photos_own_pixels(pool):
    model = KeypointTask(pool=pool, weights=None).build().eval()
    with torch.no_grad():
        found = joints_in(
            model, np.zeros((120, 200, 3), np.uint8), np.array([[40, 20, 160, 110]], np.float32)
        )
    assert found.shape == (1, 17, 3)
    assert (found[..., :2] >= [40, 20]).all()
    assert (found[..., :2] <= [161, 111]).all()
