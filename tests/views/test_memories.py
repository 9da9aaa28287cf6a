"""A film is gone on with as if it had never stopped: what views remember survives a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explorer.core.params import Box, Point, resolved
from explorer.engine.scene import Moment
from explorer.engine.view import View
from explorer.live.memory import frozen, thawed
from explorer.views import discover
from tests.toys import toy_image
from tests.views.opening import info_of, scene_for, tasks_of

PARAMS: dict[str, dict[str, Any]] = {
    "tracks": {
        "score": 0.0, "min_hits": 1,
        "line": (Point(0, 24), Point(64, 24)), "region": Box(4, 4, 40, 40),
    },
    "feedback_dream": {"steps": 1, "size": 64},
}  # fmt: skip
"""With which views remember all that they can."""

CASES = [
    pytest.param(view, tasks_of(view)[0], id=name)
    for name, view in sorted(discover().items())
    if view.live
]


def answer(view: View[Any, Any], task: str, number: int, memory: dict[str, Any]) -> Any:
    """What the view gives for a frame of a film: the summary of its board, and its data."""
    params = replace(view.Params(), **PARAMS.get(view.name, {}))
    moment = Moment(number, number / 25, memory)
    scene = scene_for(view, task, params, toy_image(seed=number), moment)
    params, value = resolved(params, info_of(scene)), None
    for step in view.compute(scene, params):
        value = step.value
    assert value is not None
    return view.draw(value, params).summary, view.data(value, params) if view.data else {}


@pytest.mark.parametrize(("view", "task"), CASES)
def test_a_memory_that_was_written_goes_on_as_if_it_had_stayed(
    view: View[Any, Any], task: str
) -> None:
    memory: dict[str, Any] = {}
    for number in (0, 1):
        answer(view, task, number, memory)
    data = frozen(memory)
    assert data is not None, "a class of the view's memory is not named to `brought_back`"
    summary, numbers = answer(view, task, 2, memory)
    again, same_numbers = answer(view, task, 2, thawed(data))
    if not memory:
        return
    assert again == summary
    assert same_numbers.keys() == numbers.keys()
    for key, value in numbers.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(same_numbers[key], value, err_msg=key)


def test_some_views_do_remember() -> None:
    assert {"tracks", "feedback_dream"} <= discover().keys()
    for name in ("tracks", "feedback_dream"):
        view, memory = discover()[name], dict[str, Any]()
        answer(view, tasks_of(view)[0], 0, memory)
        assert memory
