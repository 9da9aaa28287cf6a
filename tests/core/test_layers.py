"""Layers refuse wrong arrays and agree about where a pixel is."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.core.colormaps import COLOR_SETS, choose_color_set
from explorer.core.layers import (
    COLORMAPS,
    UNTRAINED,
    Board,
    Boxes,
    Heat,
    Masks,
    Pane,
    Picture,
    Table,
    Text,
    boxes_at,
    cell_at,
    class_colors,
    heat_index,
    joined,
    lookup_table,
    stamped,
)  # fmt: skip

RED = np.array([[255, 0, 0]], np.uint8)


@pytest.mark.parametrize("bad", [
    lambda: Picture(np.zeros((4, 4), np.uint8)),
    lambda: Picture(np.zeros((4, 4, 3), np.float32)),  # type: ignore[arg-type]
    lambda: Picture(np.zeros((0, 4, 3), np.uint8)),
    lambda: Heat(np.zeros((4, 4), np.float64), 0, 1),  # type: ignore[arg-type]
    lambda: Boxes(np.zeros((2, 5), np.float32), RED),
    lambda: Boxes(np.zeros((2, 4), np.float32), RED),
    lambda: Boxes(np.zeros((1, 4), np.float32), RED, labels=("a", "b")),
    lambda: Masks(np.zeros((4, 4), np.int64), RED),  # type: ignore[arg-type]
    lambda: Table("t", ("a", "b"), ((1,),)),
    lambda: Table("t", ("a",), ((1,),), keys=(1, 2)),
])  # fmt: skip
def test_wrong_shapes_are_named(bad: object) -> None:
    with pytest.raises(ValueError, match=r"got|has"):
        bad()  # type: ignore[operator]


def test_hit_testing_gives_the_smallest_box_first() -> None:
    boxes = np.array(
        [[0, 0, 100, 100], [10, 10, 20, 20], [15, 15, 60, 60], [90, 90, 95, 95]], np.float32
    )
    assert boxes_at(boxes, 16, 16).tolist() == [1, 2, 0]
    assert boxes_at(boxes, 100, 100).tolist() == [0], "the border belongs to the box"
    assert boxes_at(boxes, 200, 200).tolist() == []
    assert boxes_at(boxes, 101, 50, slack=2).tolist() == [0]
    assert boxes_at(np.zeros((0, 4), np.float32), 1, 1).tolist() == []


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


def test_keys_survive_hidden_boxes() -> None:
    boxes = Boxes(np.zeros((2, 4), np.float32), np.repeat(RED, 2, 0), keys=(7, 3))
    assert (boxes.key(1), boxes.row(3), boxes.row(5)) == (3, 1, None)
    plain = Boxes(np.zeros((2, 4), np.float32), np.repeat(RED, 2, 0))
    assert (plain.key(1), plain.row(1), plain.row(2)) == (1, 1, None)


def test_untrained_is_written_on_every_pane() -> None:
    board = Board((Pane("a", (4, 4)), Pane("b", (4, 4), (Text("x", (0, 0)),))))
    marked = stamped(board, UNTRAINED)
    for pane in marked.panes:
        last = pane.layers[-1]
        assert isinstance(last, Text)
        assert last.text == UNTRAINED
    assert len(board.pane("b").layers) == 1, "the board itself is unchanged"


def test_boards_are_joined_by_the_first_pane_of_each() -> None:
    main = Board(
        (Pane("image", (4, 4), title="Photo"), Pane("more", (2, 2), title="More")),
        summary="a cat", notes=("One.", "Two."),
    )  # fmt: skip
    other = Board((Pane("image", (8, 8)), Pane("rest", (1, 1))), summary="no", notes=("Two.", "3."))
    found = joined(main, "Classify", [("maps", "Feature maps", other)])
    assert [(p.name, p.title, p.size) for p in found.panes] == [
        ("image", "Classify · Photo", (4, 4)),
        ("more", "More", (2, 2)),
        ("maps image", "Feature maps", (8, 8)),
    ]
    assert found.summary == "a cat"
    assert found.notes == ("One.", "Two.", "3.")
    assert main.panes[0].title == "Photo"


@pytest.mark.parametrize("name", COLOR_SETS)
def test_a_chosen_color_set_is_used_and_its_colors_are_apart(name: str) -> None:
    choose_color_set(name)
    try:
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
