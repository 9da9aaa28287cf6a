"""Tables of colors, and colors for classes."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.core.color_sets import COLOR_SETS, choose_color_set, chosen_color_set
from explorer.core.colormaps import COLORMAPS, class_colors, lookup_table


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
