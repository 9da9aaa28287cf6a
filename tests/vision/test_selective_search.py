"""The merge tree on pictures small enough to work it out by hand, and against plain counting."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.vision.classic.selective_search import (
    MODES,
    TERMS,
    Regions,
    Strategy,
    Tree,
    grow,
    prepare,
    ranked,
    regions,
    segment_tree,
    trees,
)
from explorer.vision.classic.superpixels import (
    SPACES,
    bounds,
    codes,
    directional_derivatives,
    histograms,
    neighbors,
    superpixels,
)
from explorer.vision.detection.boxes import recall

RED, BRIGHT_RED, GREEN, BLUE = (200, 0, 0), (202, 0, 0), (0, 200, 0), (0, 0, 200)


def four_squares() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Two reds above green and blue, each 8 x 8; the reds fall into the same bins."""
    labels = np.kron([[0, 1], [2, 3]], np.ones((8, 8))).astype(np.int32)
    pixels = np.array([RED, BRIGHT_RED, GREEN, BLUE], np.uint8)[labels]
    return pixels, labels


def scattered(seed: int = 0, side: int = 40) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Noisy rectangles, and a label map of irregular connected pieces."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (side, side, 3))
    for _ in range(8):
        x, y = rng.integers(0, side - 10, 2)
        pixels[y : y + 10, x : x + 12] += rng.integers(0, 190, 3)
    found = pixels.clip(0, 255).astype(np.uint8)
    return found, superpixels(found, 30)


def painted(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A 200 x 160 picture with six shapes on a slope of gray, some striped, and their boxes."""
    rng = np.random.default_rng(seed)
    gray = np.linspace(60, 140, 200)[None, :, None]
    pixels = np.broadcast_to(gray, (160, 200, 3)).copy()
    boxes = []
    for number in range(6):
        wide, tall = rng.integers(18, 48, 2)
        x = int(rng.integers(0, 66 - wide)) + number % 3 * 66 if wide < 66 else 0
        y = int(rng.integers(0, 80 - tall)) + number // 3 * 80
        first, second = rng.integers(0, 255, (2, 3))
        stripes = np.arange(tall)[:, None, None] // 3 % 2 == 1
        pixels[y : y + tall, x : x + wide] = first
        if number % 2:
            pixels[y : y + tall, x : x + wide] = np.where(stripes, first, second)
        boxes.append((x, y, x + wide, y + tall))
    noisy = pixels + rng.normal(0, 6, pixels.shape)
    return noisy.clip(0, 255).astype(np.uint8), np.array(boxes, np.float32)


def by_pixels(tree: Tree, count: int) -> NDArray[np.int32]:
    """The map of regions when `count` are left, merged one after the other on the pixels."""
    index = tree.labels.copy()
    for number in range(tree.leaves - count):
        index[np.isin(index, tree.children[number])] = tree.leaves + number
    return index


def test_four_squares_by_color() -> None:
    pixels, labels = four_squares()
    tree = segment_tree(pixels, Strategy("RGB", terms=("color",)), labels=labels)
    assert tree.children.tolist() == [[0, 1], [2, 3], [4, 5]]
    # The reds share all bins. Green and blue share the empty red channel only. The last two: each
    # channel holds half of one pair in the bin of 200 and half or all of it in the bin of 0:
    # red (0, 1) with (1, 0) = 0; green (1, 0) with (.5, .5) = .5; blue the same.
    np.testing.assert_allclose(tree.scores, [1, 1 / 3, (0 + 0.5 + 0.5) / 3], rtol=1e-6)
    np.testing.assert_array_equal(tree.regions.boxes[4:], [[0, 0, 16, 8], [0, 8, 16, 16],
                                                           [0, 0, 16, 16]])  # fmt: skip
    assert tree.regions.sizes.tolist() == [64, 64, 64, 64, 128, 128, 256]
    assert tree.parents().tolist() == [4, 4, 5, 5, 6, 6, -1]
    assert tree.around(0, 4).tolist() == [1, 2]
    assert tree.around(4, 3).tolist() == [2, 3]
    assert tree.around(6, 1).tolist() == []


def test_size_and_fill_by_hand() -> None:
    sizes = np.array([20.0, 30.0, 10.0])
    boxes = np.array([[0, 0, 5, 4], [5, 0, 10, 6], [0, 8, 10, 10]], np.float32)
    same = np.ones((3, 25), np.float32) / 25
    made = Regions(sizes, boxes, same, same, 100)
    terms = made.similarities(np.array([0, 0]), np.array([1, 2]))
    # 0 and 1 fit into 10 x 6 = 60, of which they fill 50; 0 and 2 into 10 x 10, filled by 30.
    np.testing.assert_allclose(terms, [[1, 1, 0.5, 0.9], [1, 1, 0.7, 0.3]], rtol=1e-6)


def test_the_small_ones_go_first_by_size() -> None:
    pixels = np.zeros((2, 12, 3), np.uint8)
    labels = np.repeat([0, 1, 2, 3], [5, 1, 2, 4])[None].repeat(2, 0).astype(np.int32)
    tree = segment_tree(pixels, Strategy("RGB", terms=("size",)), labels=labels)
    assert tree.children.tolist() == [[1, 2], [3, 4], [0, 5]]
    np.testing.assert_allclose(tree.scores, [1 - 6 / 24, 1 - 14 / 24, 0], atol=1e-12)


@pytest.mark.parametrize("terms", [TERMS, TERMS[1:], ("color",), ("texture", "fill"), ("size",)])
def test_only_the_terms_that_are_on_count(terms: tuple[str, ...]) -> None:
    pixels, labels = scattered()
    tree = segment_tree(pixels, Strategy("HSV", terms=terms), labels=labels)
    assert tree.weights == tuple(float(term in terms) for term in TERMS)
    np.testing.assert_allclose(tree.terms() @ np.array(tree.weights), tree.scores, atol=1e-5)


def test_every_merge_takes_the_most_similar_neighbors() -> None:
    pixels, labels = scattered(1)
    tree = segment_tree(pixels, Strategy("Lab"), labels=labels)
    for number in range(tree.leaves - 1):
        index = by_pixels(tree, tree.leaves - number)
        touching = {
            (min(pair), max(pair))
            for one, other in ((index[:, 1:], index[:, :-1]), (index[1:], index[:-1]))
            for pair in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
            if pair[0] != pair[1]
        }
        first, second = np.array(sorted(touching)).T
        best = tree.regions.similarities(first, second).sum(axis=1).max()
        assert tuple(sorted(tree.children[number].tolist())) in touching
        assert tree.scores[number] == pytest.approx(best, abs=1e-5)


def test_every_level_covers_the_photo_and_boxes_hold_all_pixels() -> None:
    pixels, labels = scattered(2)
    tree = segment_tree(pixels, Strategy("HSV"), labels=labels)
    assert tree.leaves > 5
    for count in range(tree.leaves, 0, -1):
        index = tree.level(count)[tree.labels]
        np.testing.assert_array_equal(index, by_pixels(tree, count))
        there = np.unique(index)
        assert len(there) == count
        assert tree.regions.sizes[there].sum() == labels.size
        for region in there.tolist():
            rows, columns = np.nonzero(index == region)
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert tree.regions.boxes[region].tolist() == around
            assert tree.regions.sizes[region] == len(rows)


def test_merged_histograms_are_those_of_the_merged_pixels() -> None:
    pixels, labels = scattered(3)
    tree = segment_tree(pixels, Strategy("HSV"), labels=labels)
    held = tree.level(4)
    there, index = np.unique(held, return_inverse=True)
    bins = codes(SPACES["HSV"](pixels))
    color, texture = histograms(index.astype(np.int32)[labels], bins)
    np.testing.assert_allclose(tree.regions.color[there], color, atol=1e-6)
    np.testing.assert_allclose(tree.regions.texture[there], texture, atol=1e-6)


@pytest.mark.parametrize("space", SPACES)
def test_histograms_count_every_pixel_once(space: str) -> None:
    pixels, labels = scattered(4)
    channels = SPACES[space](pixels)
    color, texture = histograms(labels, codes(channels))
    count = channels.shape[2]
    assert (color.shape[1], texture.shape[1]) == (25 * count, 80 * count)
    np.testing.assert_allclose(color.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(texture.sum(axis=1), 1, rtol=1e-5)
    region = channels[labels == 1]
    for channel in range(count):
        plain, _ = np.histogram(region[:, channel], 25, (0, 256))
        own = color[1, 25 * channel : 25 * channel + 25]
        np.testing.assert_allclose(own, plain / (len(region) * count), atol=1e-6)


def test_texture_is_the_histogram_of_the_eight_slopes() -> None:
    pixels, labels = scattered(5)
    channel = SPACES["I"](pixels)
    _, texture = histograms(labels, codes(channel))
    slopes = np.maximum(directional_derivatives(channel[..., 0]), 0)
    inside = slopes[:, labels == 0]
    for direction in range(8):
        plain, _ = np.histogram(inside[direction], 10, (0, slopes.max()))
        own = texture[0, 10 * direction : 10 * direction + 10]
        np.testing.assert_allclose(own, plain / inside.size, atol=2 / inside.size)


def test_a_ramp_rises_in_its_direction() -> None:
    ramp = np.tile(np.arange(0, 120, 3, dtype=np.uint8), (30, 1))
    slopes = [float(slope[15, 20]) for slope in directional_derivatives(ramp)]
    half = 3 * np.sqrt(0.5)
    np.testing.assert_allclose(slopes, [3, half, 0, -half, -3, -half, 0, half], atol=0.01)
    down = [float(slope[20, 15]) for slope in directional_derivatives(ramp.T.copy())]
    np.testing.assert_allclose(down, [0, half, 3, half, 0, -half, -3, -half], atol=0.01)


def test_bounds_and_neighbors_by_plain_search() -> None:
    labels = np.array([[0, 0, 1], [2, 0, 1], [2, 3, 3]], np.int32)
    assert neighbors(labels).tolist() == [[0, 1], [0, 2], [0, 3], [1, 3], [2, 3]]
    assert bounds(labels).tolist() == [[0, 0, 2, 2], [2, 0, 3, 2], [0, 1, 1, 3], [1, 2, 3, 3]]


def test_the_same_superpixels_can_be_merged_by_other_terms() -> None:
    pixels, labels = scattered(6)
    start = prepare(SPACES["Lab"](pixels), 100, labels=labels)
    tree, other = grow(start, TERMS), grow(start, ("size",))
    alone = segment_tree(pixels, Strategy("Lab", terms=("size",)), labels=labels)
    np.testing.assert_array_equal(other.children, alone.children)
    np.testing.assert_array_equal(other.scores, alone.scores)
    assert not np.array_equal(other.children, tree.children)


def test_sums_go_up_the_tree() -> None:
    pixels, labels = scattered(7)
    tree = segment_tree(pixels, Strategy("Lab"), labels=labels)
    ones = np.bincount(labels.ravel()).astype(np.float64)[:, None]
    np.testing.assert_array_equal(tree.summed(ones)[:, 0], tree.regions.sizes)


def test_trees_share_work_and_change_nothing() -> None:
    pixels, _ = painted(0)
    strategies = MODES["fast"][:3]
    for strategy, tree in trees(pixels, strategies):
        alone = segment_tree(pixels, strategy)
        np.testing.assert_array_equal(tree.children, alone.children)
        np.testing.assert_array_equal(tree.labels, alone.labels)


def test_boxes_come_once_and_from_the_top() -> None:
    first = np.array([[0, 0, 2, 2], [2, 0, 4, 4], [0, 0, 4, 4]], np.float32)
    second = np.array([[0, 0, 1, 1], [0, 0, 4, 4]], np.float32)
    plain = ranked([first, second], seed=None)
    assert plain.tolist() == [[0, 0, 4, 4], [2, 0, 4, 4], [0, 0, 1, 1], [0, 0, 2, 2]]
    assert ranked([first, second], seed=None, most=2).tolist() == plain[:2].tolist()
    drawn = np.array([3, 2, 1, 2, 1]) * np.random.default_rng(7).random(5)
    both = np.concatenate([first, second])[np.argsort(drawn)]
    expected = list(dict.fromkeys(map(tuple, both.tolist())))
    assert list(map(tuple, ranked([first, second], seed=7).tolist())) == expected
    assert ranked([]).shape == (0, 4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (50, 40)])
@pytest.mark.parametrize("mode", ["single", "fast"])
def test_pictures_with_nothing_in_them(shape: tuple[int, int], mode: str) -> None:
    found = regions(np.full((*shape, 3), 90, np.uint8), mode)
    assert found.tolist() == [[0, 0, shape[1], shape[0]]]
    assert found.dtype == np.float32


def test_modes_never_grow_a_tree_twice() -> None:
    assert {name: len(strategies) for name, strategies in MODES.items()} == {
        "single": 1, "fast": 8, "quality": 80,
    }  # fmt: skip
    assert all(len(set(strategies)) == len(strategies) for strategies in MODES.values())


def test_the_same_seed_gives_the_same_boxes() -> None:
    pixels, _ = painted(3)
    np.testing.assert_array_equal(regions(pixels, seed=5), regions(pixels, seed=5))
    assert not np.array_equal(regions(pixels, seed=5), regions(pixels, seed=6))
    assert len(regions(pixels, most=7)) == 7


def test_it_finds_what_opencv_finds() -> None:
    thresholds = np.arange(0.5, 1, 0.05).tolist()
    ours, theirs = [], []
    for seed in range(3):
        pixels, truth = painted(seed)
        ours.append(np.mean(recall(truth, regions(pixels), thresholds)))
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(np.ascontiguousarray(pixels[..., ::-1]))
        search.switchToSelectiveSearchFast()
        other = search.process()[:2000].astype(np.float32)
        other[:, 2:] += other[:, :2]
        theirs.append(np.mean(recall(truth, other, thresholds)))
    assert np.mean(ours) >= np.mean(theirs) - 0.03
    assert np.mean(ours) >= 0.95
