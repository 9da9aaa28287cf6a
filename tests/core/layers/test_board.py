"""Boards are stamped, joined, and asked for what is on them."""

from __future__ import annotations

import numpy as np

from explorer.core.layers import UNTRAINED, Board, Boxes, Pane, Text, joined, stamped


def test_boxes_are_found_by_their_name_in_any_pane() -> None:
    none, red = np.zeros((0, 4), np.float32), np.zeros((0, 3), np.uint8)
    first, second = Boxes(none, red, name="found"), Boxes(none, red, name="found")
    board = Board((Pane("a", (4, 4)), Pane("b", (4, 4), (first, second))))
    assert board.boxes("found") is first
    assert board.boxes("other") is None


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
