import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.embedded import lite_fasterrcnn, lite_pose
from explorer.networks.embedded.lite_pose import JOINTS
from explorer.training.data.pool import PoolPhoto, read_lspet, read_pool, with_lspet_joints
from explorer.training.lessons.lite import pose
from explorer.training.lessons.lite.pose import (
    RECIPE,
    correct_joints,
    heat_loss,
    joint_loss,
    joints_in,
    task,
)
from explorer.training.lessons.registry import Material
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


def write_lspet(folder, count=4):
    """`count` photos of 100 x 80, half of them for training, with one person of 14 joints each."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    rng = np.random.default_rng(1)
    for number in range(count):
        name = f"im{number}.png"
        pixels = rng.integers(0, 255, (80, 100, 3), np.uint8)
        cv2.imwrite(str(folder / "images" / name), pixels)
        images.append({
            "id": number, "file_name": name, "width": 100, "height": 80,
            "split": "train" if number % 2 else "validation",
        })  # fmt: skip
        joints = [[20 + 4 * j, 10 + 4 * j, 2] for j in range(14)]
        joints[0] = [0, 0, 0]
        annotations.append({
            "id": number, "image_id": number, "category_id": 1,
            "keypoints": np.ravel(joints).tolist(), "bbox": [10, 5, 80, 70],
        })  # fmt: skip
    content = {"images": images, "annotations": annotations}
    (folder / "joints.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def material(tmp_path, monkeypatch):
    monkeypatch.setattr(pose, "LEAST_JOINTS", 1)
    torch.manual_seed(0)
    (tmp_path / "lite-fasterrcnn").mkdir()
    weights = lite_fasterrcnn(3).state_dict()
    monkeypatch.setattr(Material, "trained", lambda *_: weights)
    return Material(
        write_pool(tmp_path / "pool", 30, joints=True),
        tmp_path,
        joints=write_lspet(tmp_path / "lspet"),
    )


def test_both_data_sets_say_joints_in_one_order(material):
    (photo, _) = read_lspet(material.joints, "train", own=True)
    assert photo.joints.shape == (1, 14, 3)
    assert photo.joints[0, [0, 13]].tolist() == [[0, 0, 0], [72, 62, 2]]
    (coco, _) = read_lspet(material.joints, "train")
    back = with_lspet_joints(coco)
    assert np.array_equal(back.joints[:, :12], photo.joints[:, :12])
    assert (back.joints[:, 12:] == 0).all()
    person = next(
        photo for photo in map(with_lspet_joints, read_pool(material.folder, least=3).photos)
    )
    left = JOINTS.index("left_shoulder")
    assert person.joints[0, left, :2].tolist() == [person.boxes[0, 2] - 1, person.boxes[0, 1]]


def test_only_the_heads_learn_and_the_body_looks_once(material, monkeypatch):
    recipe = replace(RECIPE, batch=4, epochs=0.2)
    lesson = replace(task("lite-pose", material), recipe=recipe)
    assert lesson.photos == 2 * pose.CROPS + 30 * pose.POOL_CROPS
    torch.manual_seed(recipe.seed)
    before = lesson.build().state_dict()
    after = train(
        lesson, recipe, material.root / "out", device=CPU, dtype=torch.float32
    ).model.state_dict()  # fmt: skip
    moved = {name for name, value in after.items() if not torch.equal(before[name], value)}
    assert {name.split(".")[0] for name in moved} == {"first", "evidence", "later"}

    def never(*_):
        pytest.fail("the maps are kept")

    monkeypatch.setattr(pose, "_body_maps", never)
    again = train(
        replace(lesson, _maps=None), recipe, material.root / "again", device=CPU,
        dtype=torch.float32,
    ).model.state_dict()  # fmt: skip
    assert all(torch.equal(value, again[name]) for name, value in after.items())


def test_unknown_joints_teach_nothing():
    found = torch.tensor([[[0.5, 0.5], [0.9, 0.1]]], requires_grad=True)
    joints = torch.tensor([[[0.5, 0.25, 1.0], [0.0, 0.0, 0.0]]])
    loss = joint_loss(found, joints)
    assert loss.item() == pytest.approx(0.25 - pose.SMOOTH / 2)
    loss.backward()
    assert (found.grad[0, 1] == 0).all()
    assert joint_loss(found, torch.zeros(1, 2, 3)).item() == 0


def test_heat_by_hand():
    """One joint in the middle of a place, a second one outside of its part, a third unknown."""
    parts = torch.tensor([[[0.0, 0.0, 0.5, 0.5]] * 3])
    joints = torch.tensor([[[0.25, 0.15, 1.0], [0.6, 0.1, 1.0], [0.0, 0.0, 0.0]]])
    steps = torch.arange(5.0)
    wide = torch.exp(-((steps - 2) ** 2) / (2 * pose.SPREAD**2))
    high = torch.exp(-((steps - 1) ** 2) / (2 * pose.SPREAD**2))
    wanted = (high / high.sum())[:, None] * (wide / wide.sum())
    right = wanted.log().expand(1, 3, 5, 5)
    least = heat_loss(right, parts, joints)
    assert least.item() == pytest.approx(-(wanted * wanted.log()).sum().item(), abs=1e-5)
    even = torch.full((1, 3, 5, 5), 1 / 25).log()
    assert heat_loss(even, parts, joints).item() == pytest.approx(np.log(25), abs=1e-5)
    assert heat_loss(even, parts, torch.zeros(1, 3, 3)).item() == 0


def test_nobody_with_joints_is_said(tmp_path):
    folder = write_pool(tmp_path / "pool")
    with pytest.raises(ExplorerError, match=r"No person in .* has keypoints"):
        task("lite-pose", Material(folder, tmp_path))


def test_correct_joints_by_hand(monkeypatch):
    joints = np.zeros((1, 14, 3), np.float32)
    shoulder, hip, head = (JOINTS.index(n) for n in ("left_shoulder", "right_hip", "head_top"))
    joints[0, shoulder], joints[0, hip], joints[0, head] = (0, 0, 2), (0, 50, 2), (30, 30, 2)
    box = np.array([[0, 0, 60, 60]], np.float32)
    photo = PoolPhoto(
        None, box, np.ones(1, np.int64), box[:0], 1.0, joints=joints,
        pixels=np.zeros((60, 60, 3), np.uint8),
    )  # fmt: skip
    first, last = joints[0, :, :2].copy(), joints[0, :, :2].copy()
    first += 30  # of a torso of 50, 10 are allowed
    last[head, 0] += 9.9
    last[hip, 0] += 10.1
    monkeypatch.setattr(pose, "joints_in", lambda *_: np.stack([first, last]))
    torsoless = joints.copy()
    torsoless[0, hip] = 0
    result = correct_joints(None, [photo, replace(photo, joints=torsoless)])
    assert result["PCK@0.2"] == pytest.approx(2 / 3, abs=1e-4)
    assert result["PCK@0.5"] == 1
    assert result["PCK@0.2 of stage 1"] == 0
    assert result["PCK by joint"] == {"right_hip": 0, "left_shoulder": 1, "head_top": 1}


def test_joints_are_said_in_the_photos_own_pixels():
    torch.manual_seed(0)
    model = lite_pose().eval()
    with torch.no_grad():  # the first stage says the middle, whatever it sees
        model.first.fc2.weight.zero_()
        found = joints_in(
            model, np.zeros((120, 200, 3), np.uint8), np.array([40, 20, 160, 110], np.float32)
        )
    assert found.shape == (4, 14, 2)
    assert found[0] == pytest.approx(np.tile([100, 65], (14, 1)), abs=1e-3)
