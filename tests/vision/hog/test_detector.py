"""Scores equal OpenCV's on every window; places go to the photo and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.images.samples import sample
from explorer.vision.hog.detector import (
    Windows,
    crop,
    grid_extent,
    kept,
    levels,
    of_window,
    scaled,
    scales_of,
    window_box,
    windows,
)
from explorer.vision.hog.features import PAPER, Settings, describe
from explorer.vision.hog.template import PERSON, TEMPLATES, Template, from_opencv


def photo() -> np.ndarray:
    shown = sample("astronaut")
    assert shown is not None
    return shown.load().pixels[:240, 100:320]


@pytest.mark.parametrize("name", TEMPLATES)
def test_scores_equal_opencv(name: str) -> None:
    template, pixels = TEMPLATES[name](), photo()
    height, width = template.size
    hog = cv2.HOGDescriptor((width, height), (16, 16), (8, 8), (8, 8), 9)
    both = {
        PERSON: cv2.HOGDescriptor.getDefaultPeopleDetector,
    }
    vector = both.get(name, cv2.HOGDescriptor.getDaimlerPeopleDetector)()
    hog.setSVMDetector(np.array(vector))
    places, weights = hog.detect(
        np.ascontiguousarray(pixels[:, :216, ::-1]), hitThreshold=-100, winStride=(8, 8)
    )
    scores = template.scores(describe(pixels[:, :216], PAPER))
    assert len(places) == scores.size > 100
    theirs = np.zeros_like(scores)
    theirs[places[:, 1] // 8, places[:, 0] // 8] = np.ravel(weights)
    np.testing.assert_allclose(scores, theirs, atol=1e-2)


def test_contributions_add_up_to_the_score() -> None:
    template, blocks = TEMPLATES[PERSON](), describe(photo(), PAPER)
    own = blocks[3:18, 5:12]
    parts = template.contributions(own)
    assert parts.shape == (16, 8, 9)
    scores = template.scores(blocks)
    assert parts.sum() + template.bias == pytest.approx(scores[3, 5], abs=1e-4)
    assert template.cell_weights().sum() == pytest.approx(template.weights.sum(), abs=1e-4)


def test_the_order_of_opencv() -> None:
    settings = Settings(bins=3)
    vector = np.arange(2 * 1 * 12 + 1, dtype=np.float32)
    template = from_opencv(vector, (2, 3), settings)
    assert template.weights.shape == (1, 2, 2, 2, 3)
    assert template.weights[0, 0, 1, 0].tolist() == [3, 4, 5], "down before across"
    assert template.weights[0, 1, 0, 1].tolist() == [18, 19, 20]
    assert template.bias == 24
    with pytest.raises(ValueError, match="24 components, got 23"):
        from_opencv(vector[:23], (2, 3), settings)
    with pytest.raises(ValueError, match="a template needs"):
        Template(np.zeros((1, 2, 2, 2, 9), np.float32), 0.0, settings)


def test_scales_end_where_a_window_fits() -> None:
    found = scales_of((256, 512), (128, 64), step=2.0, longest=512)
    assert found == [1.0, 0.5]
    assert scales_of((256, 512), (128, 64), step=2.0, longest=512, enlarged=2.0)[0] == 2.0
    assert scales_of((48, 64), (128, 64), step=1.1)[0] == pytest.approx(128 / 48)
    assert len(scales_of((4000, 4000), (16, 16), step=1.01)) == 60
    assert scales_of((1000, 2000), (128, 64), step=1.5, longest=500)[0] == 0.25
    assert scales_of((256, 256), (128, 64), step=1.1, border=16)[-1] >= 96 / 256


def test_places_of_a_scaled_photo() -> None:
    picture = scaled(np.zeros((100, 200, 3), np.uint8), 0.5, 16)
    assert picture.pixels.shape == (82, 132, 3)
    box = picture.to_photo(np.array([[16, 16, 66, 41]], np.float32))
    assert box.tolist() == [[0, 0, 100, 50]]
    assert picture.from_photo(100, 50) == (66, 41)
    assert scaled(np.zeros((10, 10, 3), np.uint8), 1.0, 0, (16, 12)).pixels.shape == (16, 12, 3)
    edge = scaled(np.arange(27, dtype=np.uint8).reshape(3, 3, 3), 1.0, 2).pixels
    assert edge[0, 0].tolist() == edge[2, 2].tolist() == [0, 1, 2]


def test_a_window_is_found_where_it_is() -> None:
    """A template made of a window's own blocks scores highest there."""
    pixels = photo()
    blocks = describe(pixels, PAPER)[4:9, 6:12]
    template = Template(blocks, -float((blocks**2).sum()))
    (level,) = levels(pixels, template, [1.0])
    assert np.unravel_index(level.scores.argmax(), level.scores.shape) == (4, 6)
    assert level.scores.max() == pytest.approx(0, abs=1e-4)
    np.testing.assert_array_equal(of_window(level, template, 4, 6), blocks)
    found = windows([level], template, -1.0)
    assert found.places[0].tolist() == [0, 4, 6]
    assert found.xyxy[0].tolist() == [48, 32, 104, 80]
    assert window_box(template, 4, 6) == (48, 32, 104, 80)
    np.testing.assert_array_equal(crop(level.picture, template, 4, 6), pixels[32:80, 48:104])


def test_windows_of_several_levels_are_in_order() -> None:
    template = Template(np.ones((1, 1, 2, 2, 9), np.float32), 0.0)
    found = windows(list(levels(photo(), template, [1.0, 0.5])), template, -1.0, most=50)
    assert len(found.scores) == 50
    assert (np.diff(found.scores) <= 0).all()
    assert set(found.places[:, 0].tolist()) <= {0, 1}
    none = windows([], template, 0.0)
    assert none.xyxy.shape == (0, 4)
    assert kept(none, 0.0, 0.5).tolist() == []


def test_suppression_keeps_the_highest() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 1, 1]], np.float32)
    scores = np.array([3, 2, 1, -1], np.float32)
    found = Windows(boxes, scores, np.zeros((4, 3), np.int64))
    assert kept(found, 0.0, 0.3).tolist() == [0, 2]
    assert kept(found, -1.0, 0.9).tolist() == [0, 1, 2, 3]


def test_a_picture_smaller_than_the_template_has_no_score() -> None:
    template = TEMPLATES[PERSON]()
    assert template.scores(np.zeros((3, 30, 2, 2, 9), np.float32)).size == 0
    assert template.size == (128, 64)


def test_the_extent_of_whole_cells() -> None:
    picture = scaled(np.zeros((50, 70, 3), np.uint8), 0.5)
    assert grid_extent(picture, PAPER) == pytest.approx((0, 0, 64, 48))
