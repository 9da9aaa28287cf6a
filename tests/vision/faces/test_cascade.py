"""Pyramid, windows, offsets and NMS, by networks whose answers are known."""

import numpy as np
import pytest
import torch

from explorer.networks.faces.cascade import Cascade
from explorer.networks.faces.mtcnn import load_cascade
from explorer.vision.faces import cascade as stages
from explorer.vision.faces.cascade import Settings
from tests.networks.faces.installed_faces import needs_mtcnn


@pytest.fixture(scope="module")
def random_cascade():
    torch.manual_seed(3)
    return Cascade()


def test_the_first_level_makes_the_smallest_face_as_large_as_the_window():
    found = stages.scales(480, 640, 60)
    assert found[0] == pytest.approx(0.2)
    assert found[1] == pytest.approx(0.2 * 0.709)
    assert round(480 * found[-1]) >= 12 > round(480 * found[-1] * 0.709)
    assert stages.scales(30, 640, 60) == ()
    assert stages.scales(12, 12, 12) == (1.0,)


def test_a_cell_of_the_map_is_the_score_of_its_window(random_cascade):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    level = stages.level(random_cascade, pixels, 0.5, 0.0)
    assert level.pixels.shape == (30, 40, 3)
    assert level.scores.shape == (10, 15)
    for row, column in ((0, 0), (9, 14), (4, 7)):
        alone = stages.window_score(random_cascade, level, row, column)
        assert alone == pytest.approx(float(level.scores[row, column]), abs=1e-6)


def test_windows_lie_in_the_photo(random_cascade):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    level = stages.level(random_cascade, pixels, 0.5, 0.0)
    assert len(level.windows) == 150
    sides = level.windows[:, 2:] - level.windows[:, :2]
    np.testing.assert_allclose(sides, 24)
    assert level.windows.min() == 0
    np.testing.assert_allclose(level.windows.max(axis=0), (56, 36, 80, 60))
    assert (np.diff(level.confidence) <= 0).all()


def test_offsets_are_parts_of_the_sides():
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    offsets = np.array([[0.1, -0.5, 0.0, 0.25]], np.float32)
    np.testing.assert_allclose(stages.moved(boxes, offsets), [[12, 0, 30, 70]])


def test_a_square_has_the_longer_side_and_the_same_middle():
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    np.testing.assert_allclose(stages.squares(boxes), [[0, 20, 40, 60]])
    assert stages.squares(np.empty((0, 4), np.float32)).shape == (0, 4)


def test_nms_by_union_and_by_the_smaller_box():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [2, 2, 6, 6], [20, 20, 30, 30]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.6], np.float32)
    assert stages.suppressed(boxes, scores, 0.7).tolist() == [1, 2, 3]
    assert stages.suppressed(boxes, scores, 0.7, smaller=True).tolist() == [1, 3]
    assert stages.suppressed(boxes[:0], scores[:0], 0.7).tolist() == []


def test_what_lies_beside_the_photo_is_gray():
    pixels = np.full((20, 20, 3), 200, np.uint8)
    crop = stages.cut(pixels, np.array([-10, 0, 10, 20], np.float32), 4)
    assert crop[:, :2].tolist() == np.full((4, 2, 3), stages.GRAY).tolist()
    assert crop[:, 2:].tolist() == np.full((4, 2, 3), 200).tolist()
    away = stages.cut(pixels, np.array([50, 50, 60, 60], np.float32), 4)
    assert (away == stages.GRAY).all()


def test_no_region_gives_no_face(random_cascade):
    pixels = np.zeros((40, 40, 3), np.uint8)
    nothing = np.empty((0, 4), np.float32)
    stage = stages.finished(random_cascade, pixels, nothing, 0.5)
    found = stages.faces_of(stage)
    assert len(found) == 0
    assert found.points.shape == (0, 5, 2)
    assert len(stages.found_faces(random_cascade, pixels[:8, :8], Settings())) == 0


def test_points_are_fractions_of_the_region(random_cascade):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    region = np.array([[10, 10, 40, 40], [12, 8, 36, 32]], np.float32)
    stage = stages.finished(random_cascade, pixels, region, 0.0)
    assert stage.passed.tolist() == [0, 1]
    batch = np.stack([stages.cut(pixels, each, 48) for each in region])
    given = (torch.from_numpy(batch).permute(0, 3, 1, 2).float() - 127.5) / 128
    _, offsets, points = random_cascade.onet(given)
    np.testing.assert_allclose(stage.points[0], 10 + 30 * points[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(stage.boxes[1], region[1] + 24 * offsets[1].numpy(), atol=1e-4)


@needs_mtcnn
def test_the_face_of_the_astronaut_is_found_with_its_points():
    pixels = np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut())
    found = stages.found_faces(load_cascade(), pixels, Settings(60))
    assert len(found) == 1
    assert found.scores[0] > 0.99
    marked = [(203.7, 101.2), (247.5, 103.3), (225, 126.7), (204, 141), (243, 141.7)]  # by hand
    np.testing.assert_allclose(found.points[0], marked, atol=5)
