"""Labels inside boxes are in the middle, grow with the picture and never reach beyond the box."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.core.layers import Board, Boxes, Pane, letters_inside, lines_inside
from explorer.render.board import render_pane
from explorer.render.vector.figure import FigureSize, render_figure

BOX = (20.0, 10.0, 180.0, 70.0)
BLUE = (20, 60, 160)


def boxes(label: str, letters: float = 14.0) -> Boxes:
    return Boxes(
        np.array([BOX], np.float32), np.array([BLUE], np.uint8), labels=(label,), width=1.0,
        fill=1.0, letters=letters,
    )  # fmt: skip


def painted(label: str, scale: float = 1.0, letters: float = 14.0) -> np.ndarray:
    return render_pane(Pane("p", (200, 80), (boxes(label, letters),)), scale=scale)


def ink(picture: np.ndarray) -> np.ndarray:
    """Rows and columns of the white pixels."""
    return np.argwhere((picture > 200).all(axis=2))


@pytest.mark.parametrize("label", ["Conv", "Conv 3 x 3 / 2 · BN · ReLU\n64 x 112 x 112\n1.2 ms"])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_letters_are_in_the_middle_of_their_box(label: str, scale: float) -> None:
    spots = ink(painted(label, scale)) / scale
    assert len(spots) > 20
    (top, left), (bottom, right) = spots.min(axis=0), spots.max(axis=0)
    assert BOX[0] < left
    assert right < BOX[2]
    assert BOX[1] < top
    assert bottom < BOX[3]
    assert (left + right) / 2 == pytest.approx(100, abs=3)
    assert (top + bottom) / 2 == pytest.approx(40, abs=4)


def test_they_grow_with_the_picture() -> None:
    one, three = (np.ptp(ink(painted("Conv", scale)), axis=0) for scale in (1.0, 3.0))
    assert three == pytest.approx(3 * one, rel=0.25)


def test_they_are_smaller_where_they_would_not_fit() -> None:
    wide = np.ptp(ink(painted("W" * 40, 3.0)), axis=0)[1]
    assert 0.8 * 3 * 160 < wide < 3 * 160
    tall = np.ptp(ink(painted("W\nW\nW\nW\nW\nW", 3.0)), axis=0)[0]
    assert 0.6 * 3 * 60 < tall < 3 * 60


def test_what_nobody_can_read_is_not_drawn() -> None:
    assert len(ink(painted("Conv", 0.2))) == 0
    assert len(ink(painted("W" * 400))) == 0


def test_letters_by_their_rule() -> None:
    assert letters_inside(10, (100, 100), 1, 2.0) == 10
    assert letters_inside(10, (100, 100), 1, 20.0) == pytest.approx((100 - 12) / 20)
    assert letters_inside(50, (100, 50), 2, 0.1) == pytest.approx((50 - 6) / 2.5)
    tops = lines_inside(8, (100, 40), 2)
    assert tops[1] - tops[0] == pytest.approx(10)
    assert tops[0] + tops[1] + 8 == pytest.approx(40)


def test_figures_have_every_line() -> None:
    board = Board((Pane("p", (200, 80), (boxes("Conv\n64 x 7 x 7"),)),), summary="s")
    words = [line.text for line in render_figure(board, FigureSize(178, 8)).words()]
    assert {"Conv", "64 x 7 x 7"} <= set(words)
