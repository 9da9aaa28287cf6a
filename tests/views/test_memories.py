"""A film is gone on with as if it had never stopped: what views remember survives a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explorer.core.params import Box, Point, resolved
from explorer.engine.scene import Moment, Scene
from explorer.engine.view import View
from explorer.live.memory import frozen, thawed
from explorer.networks.network import Network
from explorer.views import discover
from tests.toys import toy_image, toy_network

TASKS = ("classification", "localisation", "detection", "segmentation")
PARAMS: dict[str, dict[str, Any]] = {
    "tracks": {
        "score": 0.0, "hits": 1, "line_from": Point(0, 24), "line_to": Point(64, 24),
        "region": Box(4, 4, 40, 40),
    },
    "ouroboros": {"steps": 1, "size": 64},
}  # fmt: skip
"""With which views remember all that they can."""

CASES = [
    pytest.param(view, next(task for task in TASKS if view.suits(task)), id=name)
    for name, view in sorted(discover().items())
    if view.live and not view.name.startswith("pipeline")
]


def answer(view: View[Any], network: Network, number: int, memory: dict[str, Any]) -> Any:
    """What the view gives for a frame of a film, as data or as the summary of its board."""
    params = resolved(replace(view.Params(), **PARAMS.get(view.name, {})), network.info)
    scene = Scene(
        network, toy_image(seed=number), seed=3, moment=Moment(number, number / 25, memory)
    )
    value = None
    for step in view.compute(scene, params):
        value = step.value
    return view.draw(value, params).summary, view.data(value, params) if view.data else {}


@pytest.mark.parametrize(("view", "task"), CASES)
def test_a_memory_that_was_written_goes_on_as_if_it_had_stayed(view: View[Any], task: str) -> None:
    network, memory = toy_network(task), {}
    for number in (0, 1):
        answer(view, network, number, memory)
    data = frozen(memory)
    assert data is not None, "a class of the view's memory is not named to `brought_back`"
    summary, numbers = answer(view, network, 2, memory)
    again, same_numbers = answer(view, network, 2, thawed(data))
    if not memory:
        return
    assert again == summary
    assert same_numbers.keys() == numbers.keys()
    for key, value in numbers.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(same_numbers[key], value, err_msg=key)


def test_some_views_do_remember() -> None:
    assert {"tracks", "ouroboros"} <= discover().keys()
    for name in ("tracks", "ouroboros"):
        view, memory = discover()[name], dict[str, Any]()
        answer(view, toy_network(next(t for t in TASKS if view.suits(t))), 0, memory)
        assert memory
