"""Tables of colors, and colors for classes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.core.color_sets import COLOR_SETS, choose_color_set, chosen_color_set
from explorer.core.colormaps import (
    APART,
    COLORMAPS,
    cielab,
    class_colors,
    colors_apart,
    label_colors,
    lookup_table,
)


@pytest.mark.parametrize("name", COLORMAPS)
def test_tables_have_256_entries_and_different_ends(name: str) -> None:
    table = lookup_table(name)  # type: ignore[arg-type]
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert np.abs(table[0].astype(int) - table[-1].astype(int)).sum() > 100


def test_class_colors_are_stable_and_neighbors_differ() -> None:
    few, many = class_colors(10), class_colors(200)
    assert (few == many[:10]).all(), "a class keeps its color in a network with more classes"
    steps = np.abs(np.diff(many.astype(int), axis=0)).sum(axis=1)
    assert steps.min() > 60


@pytest.mark.parametrize("name", COLOR_SETS)
def test_a_chosen_color_set_is_used_and_its_colors_are_apart(name: str) -> None:
    choose_color_set(name)
    try:
        assert chosen_color_set() == name
        assert np.array_equal(class_colors(30), class_colors(30, name))
    finally:
        choose_color_set("standard")
    first = {tuple(color) for color in class_colors(7, name).tolist()}
    assert len(first) == 7
    assert np.array_equal(class_colors(30), class_colors(30, "standard"))


def test_the_color_blind_set_differs_in_brightness_where_hue_may_not_be_seen() -> None:
    """Orange and green, red and green: what a deuteranope takes for one hue."""
    luminance = class_colors(7, "color_blind") @ np.array([0.2126, 0.7152, 0.0722])
    orange, green, vermilion = luminance[[0, 2, 5]]
    assert abs(orange - green) > 20
    assert abs(orange - vermilion) > 20


def test_an_unknown_color_set() -> None:
    with pytest.raises(KeyError, match="pink"):
        choose_color_set("pink")


def nearest(colors: np.ndarray) -> float:
    """The distance of the two nearest in CIELAB, by OpenCV."""
    lab = cv2.cvtColor(colors[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    return float(apart[~np.eye(len(lab), dtype=bool)].min())


def test_cielab_is_that_of_an_independent_implementation() -> None:
    colors = np.random.default_rng(0).integers(0, 256, (500, 3), np.uint8)
    wanted = cv2.cvtColor(colors[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    np.testing.assert_allclose(cielab(colors), wanted, atol=0.5)
    np.testing.assert_allclose(cielab(np.full((1, 3), 255, np.uint8)), [[100, 0, 0]], atol=0.01)


def test_classes_that_are_shown_at_once_have_colors_apart() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        classes = rng.choice(1000, 10, replace=False).tolist()
        own, colors = class_colors(1000)[classes], colors_apart(classes, 1000)
        assert nearest(colors) > APART - 1
        assert np.array_equal(colors[:4], colors_apart(classes[:4], 1000)), "more change nothing"
        kept = [bool((a == b).all()) for a, b in zip(own, colors, strict=True)]
        for row, same in enumerate(kept):
            before = np.concatenate([colors[:row], own[row : row + 1]])
            assert same == (row == 0 or float(np.linalg.norm(
                cielab(before)[:-1] - cielab(before)[-1], axis=1
            ).min()) >= APART)  # fmt: skip


def test_things_of_different_classes_have_colors_apart_and_of_one_the_same() -> None:
    labels = np.array([65, 1, 33, 1, 65, 2])  # 1, 33 and 65 have the same place in the set
    colors = label_colors(labels)
    assert np.array_equal(colors[0], colors[4])
    assert np.array_equal(colors[[1, 3, 5]], class_colors(3)[[1, 1, 2]]), "the lowest keep theirs"
    assert nearest(colors[[0, 1, 2, 5]]) > APART - 1
    alone = label_colors(np.array([33]))
    assert np.array_equal(alone, class_colors(34)[33:]), "alone it keeps its own"
    assert np.array_equal(label_colors(np.array([33]), among=[1, 2, 65]), colors[2:3])
    assert label_colors(np.zeros(0, np.int64)).shape == (0, 3)


def test_near_equal_oranges_are_told_apart() -> None:
    twins = [0, 160]  # the same place in the set, five rounds later
    assert nearest(class_colors(1000)[twins]) < APART
    assert nearest(colors_apart(twins, 1000)) > APART


def test_the_first_classes_keep_their_colors() -> None:
    assert np.array_equal(colors_apart(range(32), 1000), class_colors(32))


def test_more_classes_than_colors_are_as_far_apart_as_can_be() -> None:
    assert colors_apart([], 9).shape == (0, 3)
    choose_color_set("color_blind")
    try:
        colors = colors_apart(range(0, 200, 4), 200)
    finally:
        choose_color_set("standard")
    assert colors.shape == (50, 3)
    assert len(np.unique(colors, axis=0)) >= 28
