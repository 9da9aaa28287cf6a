"""Who crosses a line or comes into a box, counted by hand beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from explorer.vision.tracking.counting import LineCount, RegionCount
from explorer.vision.tracking.tracks import Settings, Tracks
from tests.vision.tracking.test_tracks import Found, box, seen

HITS_1 = Settings(hits=1)
DOWN = (100.0, 0.0, 100.0, 100.0)
"""A line from the top down: on its right-hand side x is smaller (y is down)."""


def walked(
    places: Sequence[Sequence[Found]], settings: Settings = HITS_1, line: tuple = DOWN,
    region: tuple = (80.0, 20.0, 120.0, 80.0),
) -> tuple[LineCount, RegionCount]:  # fmt: skip
    tracks, counted, inside = Tracks.none(), LineCount(line), RegionCount(region)
    for frame, boxes in enumerate(places):
        tracks = tracks.after(seen(*boxes), frame / 10, settings)
        counted, inside = counted.after(tracks), inside.after(tracks)
    return counted, inside


def way(*xs: float, y: float = 50) -> list[list[Found]]:
    return [[box(x, y)] for x in xs]


STEPS = (70.0, 78.0, 86.0, 94.0, 102.0, 110.0, 118.0, 126.0, 134.0)


def test_both_ways_are_counted_apart() -> None:
    line, _ = walked(way(*STEPS))
    assert (line.into, line.out) == (0, 1)
    line, _ = walked(way(*STEPS[::-1]))
    assert (line.into, line.out) == (1, 0)
    line, _ = walked(way(*STEPS[::-1]), line=(100.0, 100.0, 100.0, 0.0))
    assert (line.into, line.out) == (0, 1), "the other end first: the other way round"
    line, _ = walked(way(*STEPS, *STEPS[::-1], *STEPS))
    assert (line.into, line.out) == (1, 2)


def test_in_is_the_right_hand_side_on_the_screen() -> None:
    falls = [[box(50, y)] for y in (20, 28, 36, 44, 52, 60, 68)]
    line, _ = walked(falls, line=(0.0, 45.0, 100.0, 45.0))
    assert (line.into, line.out) == (1, 0)


def test_only_the_drawn_piece_counts() -> None:
    for y, expected in ((50, 1), (140, 0), (-40, 0)):
        line, _ = walked(way(*STEPS, y=y))
        assert line.out == expected, y
    line, _ = walked(way(*STEPS), line=(100.0, 50.0, 100.0, 50.0))
    assert (line.into, line.out) == (0, 0), "a line without length"


def test_trembling_on_the_line_is_one_crossing() -> None:
    line, _ = walked(way(*STEPS[:4], 99.8, 100.2, 99.7, 100.3, 99.9, 100.1, 108, 116))
    assert (line.into, line.out) == (0, 1)
    slow = (70, 73, 76, 79, 82, 85, 88, 90.5, 92.5, 94, 95.5, 96.5, 97.5, 98.3, 99, 99.4)
    line, region = walked(way(*slow, *[99.8, 100.2] * 9))
    assert (line.into, line.out) == (0, 0)
    assert (region.entered, region.left) == (1, 0)


def test_two_that_cross_at_once() -> None:
    both = [[box(x, 30), box(204 - x, 70)] for x in STEPS]
    line, region = walked(both)
    assert (line.into, line.out) == (1, 1)
    assert (region.entered, region.left, region.inside) == (2, 2, 0)


def test_a_crossing_while_it_waits_for_its_number_is_counted_with_it() -> None:
    frames = way(90, 96, 102, 108, 114)
    for count, expected in ((3, 0), (4, 1), (5, 1)):
        line, _ = walked(frames[:count], Settings(hits=4))
        assert line.out == expected, count
    assert walked(frames, Settings(hits=9))[0].out == 0


def test_a_crossing_while_it_is_lost_is_counted_when_it_is_found_again() -> None:
    frames = way(*STEPS)
    gap = [boxes if k not in (3, 4, 5) else [] for k, boxes in enumerate(frames)]
    assert walked(gap[:6])[0].out == 0
    assert walked(gap)[0].out == 1


def test_a_region_counts_who_is_in_it_and_who_came() -> None:
    _, region = walked(way(*STEPS[:5]))
    assert (region.inside, region.entered, region.left) == (1, 1, 0)
    _, region = walked(way(*STEPS))
    assert (region.inside, region.entered, region.left) == (0, 1, 1)
    _, region = walked(way(100, 101, 102))
    assert (region.inside, region.entered, region.left) == (1, 0, 0), "it was there before"
    _, region = walked([*way(100, 101, 102), *[[]] * 20])
    assert (region.inside, region.entered, region.left) == (0, 0, 0), "it was lost in there"


@pytest.mark.parametrize("late", [0, 5])
def test_a_line_that_is_drawn_later_counts_from_then_on(late: int) -> None:
    tracks, line = Tracks.none(), LineCount(DOWN)
    for frame, boxes in enumerate(way(*STEPS)):
        tracks = tracks.after(seen(*boxes), frame / 10, HITS_1)
        if frame >= late:
            line = line.after(tracks)
    assert line.out == (1 if late == 0 else 0)
