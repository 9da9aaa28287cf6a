"""The selection of a frame is found in the next one."""

from __future__ import annotations

import numpy as np

from explorer.core.layers import Board, Boxes, Pane
from explorer.ui.live.same_object import MOST_MISSED, SameObject


def board(*boxes: tuple[float, float, float, float], name: str = "detections") -> Board:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    colors = np.zeros((len(boxes), 3), np.uint8)
    layer = Boxes(xyxy, colors, keys=tuple(range(5, 5 + len(boxes))), name=name)
    return Board((Pane("image", (100, 100), (layer,)),))


LEFT, RIGHT = (10, 10, 30, 40), (60, 10, 90, 40)
MOVED = (14, 12, 34, 42)


def test_it_stays_with_its_object_and_not_with_its_place_in_the_list() -> None:
    same = SameObject()
    chosen = ("detections", 5)
    found = same.find(board(LEFT, RIGHT), board(RIGHT, MOVED), chosen)
    assert found == ("detections", 6)
    assert same.find(board(RIGHT, MOVED), board(MOVED), found) == ("detections", 5)


def test_an_object_that_is_missed_for_a_moment_is_found_again() -> None:
    same = SameObject()
    first = board(LEFT, RIGHT)
    assert same.find(first, board(RIGHT), ("detections", 5)) is None
    assert same.find(board(RIGHT), board(RIGHT), None) is None
    assert same.find(board(RIGHT), board(RIGHT, MOVED), None) == ("detections", 6)
    assert same.find(first, board(RIGHT), ("detections", 5)) is None
    for _ in range(MOST_MISSED):
        assert same.find(board(RIGHT), board(), None) is None
    assert same.find(board(), board(LEFT), None) is None, "it was given up"


def test_what_the_user_lets_go_stays_so() -> None:
    same = SameObject()
    both = board(LEFT, RIGHT)
    assert same.find(both, both, ("detections", 5)) == ("detections", 5)
    assert same.find(both, both, None) is None
    assert same.find(both, both, None) is None


def test_numbers_of_a_tracker_and_other_selections_are_left_alone() -> None:
    same = SameObject()
    tracks = board(LEFT, name="tracks")
    assert same.find(tracks, board(RIGHT, name="tracks"), ("tracks", 5)) == ("tracks", 5)
    assert same.find(tracks, tracks, ("others", 3)) == ("others", 3)
    assert same.find(tracks, tracks, None) is None
    tiles = board(LEFT, RIGHT, name="tiles")
    assert same.find(tiles, board(RIGHT, LEFT, name="tiles"), ("tiles", 5)) == ("tiles", 5)
    assert same.find(tiles, tiles, None) is None
    same.find(board(LEFT), board(LEFT), ("detections", 5))
    same.forget()
    assert same.find(board(LEFT), board(LEFT), None) is None
