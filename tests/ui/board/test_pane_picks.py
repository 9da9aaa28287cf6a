"""What a pane offers to be picked: worked out from the parameters, without a canvas."""

from __future__ import annotations

from typing import Any

import pytest

from explorer.core.layers import Pane
from explorer.core.params import Box, Pick, Point
from explorer.ui.board.canvas import Mode
from explorer.ui.board.pane_picks import PanePicks
from explorer.ui.form.picks import PickSpec

PHOTO = Pane("image", (40, 30))
MAPS = Pane("maps", (16, 16), frame="maps")


def picks(*specs: PickSpec, **values: Any) -> PanePicks:
    made = PanePicks()
    made.set(specs, values)
    return made


def test_picks_are_taken_on_panes_with_the_photo_or_on_the_one_that_is_named() -> None:
    found = picks(PickSpec("at", Pick.CLICK), PickSpec("map", Pick.CLICK, "maps"))
    assert found.params(Pick.CLICK, PHOTO) == ["at"]
    assert found.params(Pick.CLICK, MAPS) == ["map"]
    assert found.params(Pick.CLICK, None) == [], "an empty place takes none"


@pytest.mark.parametrize(("kinds", "mode"), [
    ((), Mode.LOOK),
    ((Pick.CLICK,), Mode.POINT),
    ((Pick.HOVER,), Mode.POINT),
    ((Pick.CLICK, Pick.POINTS), Mode.POINTS),
    ((Pick.CLICK, Pick.POINTS, Pick.DRAG), Mode.BOX),
    ((Pick.DRAG, Pick.BRUSH), Mode.PAINT),
])  # fmt: skip
def test_the_mouse_does_one_thing_at_a_time(kinds: tuple[Pick, ...], mode: Mode) -> None:
    found = picks(*(PickSpec(kind.name.lower(), kind) for kind in kinds))
    assert found.offer(PHOTO).mode is mode
    assert found.offer(MAPS).mode is Mode.LOOK


def test_points_behind_a_button_wait_for_it() -> None:
    spec = PickSpec("joints", Pick.POINTS, most=3, by_button=True)
    found = picks(spec, joints=(Point(1, 2),))
    offer = found.offer(PHOTO)
    assert (offer.mode, offer.several, offer.adding) == (Mode.LOOK, spec, False)
    assert offer.points == (Point(1, 2),)
    found.placing = "joints"
    assert found.offer(PHOTO).mode is Mode.POINTS


def test_the_values_are_shown_where_they_are_picked() -> None:
    box, at = Box(1, 2, 3, 4), Point(5, 6)
    specs = PickSpec("box", Pick.DRAG, step=2.0), PickSpec("at", Pick.CLICK, "maps")
    found = picks(*specs, PickSpec("truth", Pick.TRUTH), box=box, at=at, truth=(box,))
    offer = found.offer(PHOTO)
    assert (offer.box, offer.step, offer.marker) == (box, 2.0, None)
    assert (offer.truth, offer.truth_alone) == ((box,), False)
    offer = found.offer(MAPS)
    assert (offer.box, offer.marker, offer.truth) == (None, at, None)


def test_several_clicks_are_set_one_after_the_other() -> None:
    found = picks(PickSpec("from", Pick.CLICK), PickSpec("to", Pick.CLICK))
    assert found.clicked(PHOTO) == ["from"]
    found.values["from"] = Point(1, 1)
    assert found.clicked(PHOTO) == ["to"]
    assert found.offer(PHOTO).marker is None, "which of the two would it be"
    found.values["to"] = Point(2, 2)
    assert found.clicked(PHOTO) == []
    assert picks(PickSpec("at", Pick.CLICK), at=Point(1, 1)).clicked(PHOTO) == ["at"]
