from pathlib import Path

import numpy as np
import pytest

from explorer.training.data import crops
from explorer.training.data.crops import drawn_crop, persons
from explorer.training.data.pool import PoolPhoto

MIRRORED = (1, 0, 2)
COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


def photo_of(joints):
    """Black, with a disk of its own color at each joint."""
    pixels = np.zeros((120, 100, 3), np.uint8)
    rows, columns = np.mgrid[:120, :100] + 0.5
    for (x, y, known), color in zip(joints, COLORS, strict=True):
        if known:
            pixels[(columns - x) ** 2 + (rows - y) ** 2 < 36] = color
    nobody = np.zeros((0, 4), np.float32)
    box = np.array([[20, 20, 80, 100]], np.float32)
    return PoolPhoto(
        Path("none.png"), box, np.ones(1, np.int64), nobody, 1.0,
        joints=np.array([joints], np.float32), pixels=pixels,
    )  # fmt: skip


def test_people_with_too_few_joints_are_left_out():
    photo = photo_of([(40, 30, 2), (60, 30, 2), (0, 0, 0)])
    assert len(persons([photo], 2)) == 1
    assert persons([photo], 3) == []


def test_joints_move_with_the_pixels(monkeypatch):
    monkeypatch.setattr(crops, "recolored_pixels", lambda pixels, _: pixels)
    (person,) = persons([photo_of([(40, 40, 2), (60, 45, 2), (45, 75, 2)])], 1)
    rng, mirrors = np.random.default_rng(1), 0
    for _ in range(12):
        pixels, joints = drawn_crop(person, 96, MIRRORED, rng)
        assert pixels.shape == (96, 96, 3)
        # with left and right exchanged the first joint lies on the disk of the second one
        mirrored = pixels[tuple((joints[0, 1::-1] * 96).astype(int))].argmax() == 1
        mirrors += mirrored
        for joint, color in enumerate(MIRRORED if mirrored else range(3)):
            rows, columns = np.nonzero((pixels[..., color] > 127) & (pixels.sum(axis=2) < 383))
            middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / 96
            assert joints[joint, 2] == 1
            assert joints[joint, :2] == pytest.approx(middle, abs=0.01)
    assert 0 < mirrors < 12


def test_unknown_joints_stay_unknown_and_those_outside_become_so(monkeypatch):
    monkeypatch.setattr(crops, "ZOOM", (3.0, 3.0001))
    (person,) = persons([photo_of([(50, 60, 2), (0, 0, 0), (50, 99, 2)])], 1)
    _, joints = drawn_crop(person, 64, (0, 1, 2), np.random.default_rng(0))
    assert joints[0, 2] == 1
    assert (joints[1:] == 0).all()
