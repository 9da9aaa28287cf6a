"""Colors that views fix become those of the chosen set; what is in it already stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from explorer.core.color_sets import CLASS_SETS, choose_color_set
from explorer.core.colormaps import class_colors
from explorer.core.layers import Board, Boxes, Curve, Pane, Plot, Table, Text, stamped
from explorer.engine.recolor import MOST_COLORS, in_chosen_colors

RED, GREEN, GRAY = (240, 80, 80), (80, 220, 120), (150, 150, 150)


@pytest.fixture(autouse=True)
def standard_again() -> Iterator[None]:
    yield
    choose_color_set("standard")


def board(*colors: tuple[int, int, int]) -> Board:
    table = np.array(colors, np.uint8)
    boxes = Boxes(np.zeros((len(colors), 4), np.float32), table)
    x = np.arange(3.0)
    curves = tuple(Curve(x, x, str(n), color) for n, color in enumerate(colors))
    return Board(
        (
            Pane(
                "image",
                (10, 10),
                (boxes, Text("\n".join("key" for _ in colors), (0, 0), swatches=colors)),
            ),
        ),
        (Plot("p", curves=curves), Plot("b", bars=tuple(("bar", 1.0, color) for color in colors))),
        (Table("t", ("n",), tuple((n,) for n in range(len(colors))), swatches=colors),),
    )


def test_the_standard_set_changes_nothing() -> None:
    plain = board(RED, GREEN)
    assert in_chosen_colors(plain) is plain


@pytest.mark.parametrize("name", ["color_blind", "high_contrast"])
def test_one_color_is_the_same_everywhere_on_the_board(name: str) -> None:
    choose_color_set(name)
    made = in_chosen_colors(board(RED, GREEN, GRAY))
    boxes, key = made.panes[0].layers
    assert isinstance(boxes, Boxes)
    assert isinstance(key, Text)
    curves = [curve.color for curve in made.plots[0].curves]
    assert curves == [color for *_, color in made.plots[1].bars]
    assert curves == list(made.tables[0].swatches) == list(key.swatches)
    assert curves == [tuple(row) for row in boxes.colors.tolist()]
    assert curves[2] == GRAY, "no color: it stays"
    assert len(set(curves)) == 3
    known = {tuple(row) for row in class_colors(256, name).tolist()}
    assert set(curves[:2]) <= known
    assert curves[0][0] > curves[0][2], "red is still the warm one"


def test_class_colors_of_the_set_stay() -> None:
    choose_color_set("color_blind")
    own = [tuple(row) for row in class_colors(60).tolist()]
    made = in_chosen_colors(board(*own[:MOST_COLORS]))
    assert list(made.tables[0].swatches) == own[:MOST_COLORS]
    first = made.panes[0].layers[0]
    assert isinstance(first, Boxes)
    assert np.array_equal(first.colors, class_colors(60)[:MOST_COLORS])


def test_thirteen_curves_are_thirteen_colors() -> None:
    rng = np.random.default_rng(0)
    colors = [tuple(int(c) for c in row) for row in rng.integers(0, 256, (13, 3))]
    for name in CLASS_SETS:
        choose_color_set(name)
        made = in_chosen_colors(board(*colors))
        assert len({curve.color for curve in made.plots[0].curves}) == len(set(colors))


def test_a_scale_of_numbers_and_the_stamp_stay() -> None:
    choose_color_set("color_blind")
    scale = np.array([(n, 255 - n, 40) for n in range(200)], np.uint8)
    boxes = Boxes(np.zeros((200, 4), np.float32), scale)
    plain = Board((Pane("image", (10, 10), (boxes,)),))
    made = in_chosen_colors(stamped(plain, "UNTRAINED"))
    assert made.panes[0].layers[0] is boxes
    stamp = made.panes[0].layers[-1]
    assert isinstance(stamp, Text)
    assert stamp.color == stamped(plain, "UNTRAINED").panes[0].layers[-1].color  # type: ignore[union-attr]


def test_words_in_the_ink_of_the_page_stay() -> None:
    words = Text("words", (0, 0), color=None, plate=False)
    plain = Board((Pane("image", (10, 10), (words,)),))
    choose_color_set("color_blind")
    (found,) = in_chosen_colors(plain).panes[0].layers
    assert isinstance(found, Text)
    assert found.color is None
