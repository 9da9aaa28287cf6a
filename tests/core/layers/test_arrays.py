"""Layers of arrays refuse wrong ones, and agree about where an element is drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from explorer.core.layers import Heat, Masks, Picture, cell_at, extent_of, heat_index

RED = np.array([[255, 0, 0]], np.uint8)


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda: Picture(np.zeros((4, 5), np.uint8)), r"Picture\.rgb .* got shape \(4, 5\)"),
    (lambda: Picture(np.zeros((4, 4, 3), np.float32)), "Picture.*float32"),  # type: ignore[arg-type]
    (lambda: Picture(np.zeros((0, 4, 3), np.uint8)), r"got shape \(0, 4, 3\)"),
    (lambda: Heat(np.zeros((4, 4), np.float64), 0, 1), "Heat.*float64"),  # type: ignore[arg-type]
    (lambda: Masks(np.zeros((4, 4), np.int64), RED), "Masks.index.*int64"),  # type: ignore[arg-type]
    (lambda: Masks(np.zeros((4, 4), np.int32), RED[:, :2]), r"Masks.colors.*\(1, 2\)"),
    (lambda: Masks(np.zeros((4, 4), np.int32), RED, ("a", "b")), "2 entries for 1 colors"),
])  # fmt: skip
def test_wrong_arrays_are_named(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()


def test_an_array_fills_its_own_size_or_the_extent() -> None:
    values = np.zeros((2, 3), np.float32)
    rgb, index = np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.int32)
    for layer in (Picture(rgb), Heat(values, 0, 1), Masks(index, RED)):
        assert extent_of(layer) == (0.0, 0.0, 3.0, 2.0)
        assert cell_at(layer, 2.5, 1.5) == (1, 2)
    assert extent_of(Heat(values, 0, 1, extent=(10, 20, 40, 40))) == (10, 20, 40, 40)


def test_a_heat_laid_over_a_photo_finds_its_cell() -> None:
    heat = Heat(np.arange(6, dtype=np.float32).reshape(2, 3), 0, 5, extent=(10, 20, 40, 40))
    assert cell_at(heat, 10, 20) == (0, 0)
    assert cell_at(heat, 39.99, 39.99) == (1, 2)
    assert cell_at(heat, 20, 30) == (1, 1)
    assert cell_at(heat, 9.99, 30) is None
    assert cell_at(heat, 40, 30) is None


def test_heat_index_spans_the_table_and_survives_odd_values() -> None:
    values = np.array([[0.0, 1.0, 2.0], [-5.0, np.nan, np.inf]], np.float32)
    assert heat_index(Heat(values, 0.0, 2.0)).tolist() == [[0, 127, 255], [0, 0, 255]]
    assert heat_index(Heat(values, 1.0, 1.0)).max() == 0, "a flat scale must not divide by zero"
