"""Every method proposes boxes on the photo; what can be worked out by hand is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.proposals.baselines import box_statistics, fixed_boxes
from explorer.vision.proposals.edge_boxes import Edges, edge_boxes, gradient_edges, thinned
from explorer.vision.proposals.methods import METHODS, Proposals, propose
from explorer.vision.proposals.windows import about, apart, box_sums, cells, grid, integral


def disc(height: int = 160, width: int = 200) -> np.ndarray:
    """A smooth bright disc around (110, 70) with radius 35 on a dark ground."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    cv2.circle(pixels, (110, 70), 35, (220, 160, 60), -1, cv2.LINE_AA)
    return pixels


LOOK = [
    "selective search", "Edge Boxes", "BING", "objectness", "Rahtu", "Randomized Prim",
    "Felzenszwalb",
]  # fmt: skip
DISC = np.array([[75, 35, 146, 106]], np.float32)


@pytest.mark.parametrize("name", list(METHODS))
def test_boxes_lie_on_the_photo_in_order(name: str) -> None:
    pixels = disc()
    found = propose(name, pixels, 150, seed=3)
    assert 0 < len(found.boxes) <= 150
    assert found.boxes.dtype == np.float32
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, [0, 2]] <= 200).all()
    assert (found.boxes[:, [1, 3]] <= 160).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert found.seconds > 0
    assert (found.scores is not None) == METHODS[name].order.startswith("score")
    if found.scores is not None:
        assert (np.diff(found.scores) <= 0).all()
    again = propose(name, pixels, 150, seed=3)
    np.testing.assert_array_equal(found.boxes, again.boxes)
    dark = propose(name, np.zeros_like(pixels), 150, seed=3)
    assert METHODS[name].looks != np.array_equal(dark.boxes, found.boxes)


@pytest.mark.parametrize("name", LOOK)
def test_those_that_look_find_the_disc(name: str) -> None:
    found = propose(name, disc(), 100)
    assert iou_matrix(DISC, found.boxes).max() > 0.65


def test_a_large_photo_is_searched_small_and_its_boxes_are_large() -> None:
    large = cv2.resize(disc(), (2000, 1600), interpolation=cv2.INTER_LINEAR)
    found = propose("Edge Boxes", large, 100)
    assert iou_matrix(DISC * 10, found.boxes).max() > 0.7


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5)])
@pytest.mark.parametrize("name", list(METHODS))
def test_odd_photos_do_no_harm(name: str, shape: tuple[int, int]) -> None:
    found = propose(name, np.full((*shape, 3), 90, np.uint8), 20)
    assert found.boxes.shape[1] == 4
    assert (found.boxes <= np.array([shape[1], shape[0]] * 2)).all()


@pytest.mark.parametrize("most", [50, 500, 4000])
def test_the_grid_has_about_as_many_windows_as_asked_for(most: int) -> None:
    windows = grid(300, 400, most)
    assert 0.5 * most <= len(windows) <= most
    assert windows.min() >= 0
    assert (windows.max(axis=0) <= np.array([400, 300, 400, 300]) + 1e-3).all()


def test_baselines_follow_the_fixed_boxes() -> None:
    assert fixed_boxes().shape[1] == 4
    assert 0 <= fixed_boxes().min() <= fixed_boxes().max() <= 1
    known = box_statistics()
    pixels = np.zeros((100, 100, 3), np.uint8)
    drawn = propose("Gaussian", pixels, 4000, seed=1).boxes / 100
    x = (drawn[:, 0] + drawn[:, 2]) / 2
    assert x.mean() == pytest.approx(known[:, 0].mean(), abs=0.03)
    other = propose("Gaussian", pixels, 4000, seed=2).boxes / 100
    assert not np.array_equal(other, drawn)


def test_an_edge_is_where_the_step_is_and_points_across_it() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:, 40:] = 200
    edges = gradient_edges(pixels)
    columns = np.flatnonzero(edges.strength[30] > 0.5)
    assert set(columns.tolist()) <= {39, 40}
    assert len(columns) >= 1
    assert edges.strength.max() == 1
    away = np.minimum(edges.normal[30, 39], np.pi - edges.normal[30, 39])
    assert away < 0.01
    across = gradient_edges(np.ascontiguousarray(pixels.transpose(1, 0, 2)))
    assert across.normal[39, 30] == pytest.approx(np.pi / 2, abs=0.01)


def test_thinning_keeps_the_ridge() -> None:
    strength = np.zeros((7, 9), np.float32)
    strength[:, 3:6] = [1, 3, 2]
    thin = thinned(strength, np.zeros_like(strength))
    assert thin[3].tolist() == [0, 0, 0, 0, 3, 0, 0, 0, 0]


def test_an_even_wall_has_no_edges() -> None:
    wall = np.full((50, 60, 3), 90, np.uint8)
    assert gradient_edges(wall).strength.max() < 0.1
    assert len(propose("Edge Boxes", wall, 10).boxes) == 0


def test_no_edges_no_boxes() -> None:
    nothing = np.zeros((50, 60), np.float32)
    boxes, scores = edge_boxes(Edges(nothing, nothing), 10)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        Proposals(np.zeros((3, 2), np.float32), None, 0.0)
    with pytest.raises(ValueError, match="scores must be"):
        Proposals(np.zeros((3, 4), np.float32), np.zeros(2, np.float32), 0.0)


def test_sums_over_boxes_and_the_cells_they_cover() -> None:
    values = np.arange(12.0).reshape(3, 4)
    boxes = np.array([[0, 0, 4, 3], [1, 1, 3, 2]])
    assert box_sums(integral(values), boxes).tolist() == [66, 5 + 6]
    layered = np.stack([values, values * 2], axis=2)
    assert box_sums(integral(layered), boxes).tolist() == [[66, 132], [11, 22]]
    photo = np.array([[0, 0, 40, 30], [9, 9, 11, 11], [39, 29, 40, 30]], np.float32)
    found = cells(photo, (0.1, 0.1), (3, 4))
    assert found.tolist() == [[0, 0, 4, 3], [1, 1, 2, 2], [3, 2, 4, 3]]  # at least one cell each


def test_boxes_about_their_center_and_apart() -> None:
    box = np.array([[10, 20, 30, 60]], np.float32)
    assert about(box, 1.5).tolist() == [[5, 10, 35, 70]]
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], np.float32)
    scores = np.array([1, 3, 2], np.float32)
    assert apart(boxes, scores, 5).tolist() == [1, 2]
    assert apart(boxes, scores, 1).tolist() == [1]
