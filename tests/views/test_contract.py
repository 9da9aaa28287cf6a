"""What every view promises, the shipped ones and those yet to come."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.layers import Board
from explorer.core.network_info import NetworkInfo
from explorer.core.param_forms import parse
from explorer.core.params import (
    Box,
    Effect,
    Parameter,
    Point,
    parameters,
    resolved,
    validated,
)
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import View
from explorer.networks.hooks import interruptible, tensors_in
from explorer.networks.network import Network
from explorer.render.board import render_board
from explorer.views import discover
from tests.toys import hook_count, toy_image, toy_network

VIEWS = discover()
TASKS = ("classification", "localisation", "detection", "segmentation")
CASES = [
    pytest.param(view, task, id=f"{name}-{task}")
    for name, view in sorted(VIEWS.items())
    for task in TASKS
    if view.suits(task)
]
MOST_STEPS = 4
"""A long computation shows what it is like in its first steps."""


@pytest.fixture
def scene(task: str) -> Scene:
    return Scene(toy_network(task), toy_image(), seed=3)


def first_steps(
    view: View[Any, Any], scene: Scene, params: Any, most: int = MOST_STEPS
) -> list[Step[Any]]:
    generator = view.compute(scene, params)
    try:
        return list(itertools.islice(generator, most))
    finally:
        generator.close()


def defaults(view: View[Any, Any], info: NetworkInfo) -> Any:
    return resolved(view.Params(), info)


def refused_in_words(parameter: Parameter) -> AbstractContextManager[None]:
    """A number must be taken; a layer, say, that this photo does not use may be refused."""
    return nullcontext() if parameter.type is not str else suppress(ExplorerError)


def values_to_try(parameter: Parameter, info: NetworkInfo) -> list[Any]:
    """Both ends of a number, some of many choices, and nothing at all where that is allowed."""
    meta = parameter.meta
    words = meta.options(info)
    few = list(dict.fromkeys([*words[:3], *words[-2:]]))
    match parameter.type.__name__:
        case "bool":
            found: list[Any] = [False, True]
        case "int" | "float":
            found = [meta.low, meta.high] if meta.low is not None else [0]
        case "str":
            found = few if words else [parameter.default]
        case "tuple":
            found = [(), tuple(words), *((word,) for word in few)]
        case "Point":
            found = [Point(20.5, 12.25), Point(-5.0, 1e6)]
        case _:
            found = [Box(4.0, 4.0, 20.0, 20.0), Box(0.0, 0.0, 0.0, 0.0)]
    return [*found, None] if parameter.optional else found


def walk(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Everything inside a result, through dataclasses, containers and plain objects."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    parts: list[Any] = []
    if is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    elif hasattr(value, "__dict__") and type(value).__module__.startswith("explorer"):
        parts = list(vars(value).values())
    for part in parts:
        yield from walk(part, seen)


def fingerprint(network: Network) -> list[float]:
    state = network.module.state_dict()
    modes = [float(module.training) for module in network.module.modules()]
    frozen = [float(weight.requires_grad) for weight in network.module.parameters()]
    return [float(value.double().sum()) for value in state.values()] + modes + frozen


@pytest.mark.parametrize("view", [pytest.param(v, id=n) for n, v in sorted(VIEWS.items())])
def test_says_what_it_is(view: View[Any, Any]) -> None:
    assert view.name.isidentifier()
    assert view.name == view.name.lower()
    for words in (view.title, view.group, view.reference):
        assert words == words.strip() != ""
    assert view.summary.endswith(".")
    assert len(view.explanation) > 300
    assert "$" not in view.explanation, "formulas are indented blocks of plain characters"
    for parameter in parameters(view.Params):
        assert parameter.meta.title, parameter.name
        assert parameter.meta.help.endswith("."), parameter.name
        if parameter.type in (int, float) and not parameter.optional:
            assert parameter.meta.low is not None, parameter.name
            assert parameter.meta.high is not None, parameter.name


@pytest.mark.parametrize(("view", "task"), CASES)
def test_runs_draws_and_leaves_nothing_behind(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    before = fingerprint(scene.network)
    params = defaults(view, scene.network.info)
    for mode in (True, False):
        with torch.set_grad_enabled(mode):
            generator = view.compute(scene, params)
            steps = []
            for step in itertools.islice(generator, MOST_STEPS):
                assert torch.is_grad_enabled() is mode, "the step leaks its grad mode"
                assert hook_count(scene.network.module) == 0, "a hook waits between steps"
                steps.append(step)
            generator.close()
            assert torch.is_grad_enabled() is mode
    assert steps
    for step in steps:
        assert step.done >= 0
        assert step.total == 0 or step.done <= step.total
        board = view.draw(step.value, params)
        assert isinstance(board, Board)
        assert board.panes
        assert board.summary
        assert not [part for part in walk(step.value) if isinstance(part, torch.Tensor)]
        assert not tensors_in(vars(board) if hasattr(board, "__dict__") else list(walk(board)))
    assert hook_count(scene.network.module) == 0
    assert fingerprint(scene.network) == before
    assert not any(weight.grad is not None for weight in scene.network.module.parameters())


@pytest.mark.parametrize(("view", "task"), CASES)
def test_closes_after_its_first_step(view: View[Any, Any], task: str, scene: Scene) -> None:
    generator = view.compute(scene, defaults(view, scene.network.info))
    next(generator)
    generator.close()
    assert hook_count(scene.network.module) == 0
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("view", "task"), CASES)
def test_a_cancel_inside_a_forward_leaves_nothing(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    for allowed in (0, 1):
        asked = itertools.count()
        generator = view.compute(scene, defaults(view, scene.network.info))
        cancelled = False
        with interruptible(scene.network.module, lambda: next(asked) >= allowed):  # noqa: B023
            try:
                next(generator)
            except Cancelled:
                cancelled = True
        assert cancelled or next(asked) == 0, "only a view that never runs the network goes on"
        generator.close()
        assert hook_count(scene.network.module) == 0
        assert torch.is_grad_enabled()
        scene.forget()


@pytest.mark.parametrize(("view", "task"), CASES)
def test_every_parameter_at_both_ends(view: View[Any, Any], task: str, scene: Scene) -> None:
    info = scene.network.info
    params = defaults(view, info)
    (*_, last) = first_steps(view, scene, params, 2)
    for parameter in parameters(view.Params):
        for value in values_to_try(parameter, info):
            validated(parameter, value, info)
            changed = replace(params, **{parameter.name: value})
            if parameter.meta.effect is Effect.DRAW:
                assert isinstance(view.draw(last.value, changed), Board)
                continue
            with refused_in_words(parameter):
                for step in first_steps(view, scene, changed, 1):
                    assert isinstance(view.draw(step.value, changed), Board)
            if parameter.meta.effect is Effect.STEER:
                generator = view.compute(scene, params)
                next(generator)
                with refused_in_words(parameter):
                    step = generator.send(changed)
                    assert isinstance(view.draw(step.value, changed), Board)
                generator.close()


@pytest.mark.parametrize(("view", "task"), CASES)
def test_the_same_seed_gives_the_same_data(view: View[Any, Any], task: str) -> None:
    answers = []
    for _ in range(2):
        scene = Scene(toy_network(task), toy_image(), seed=3)
        params = defaults(view, scene.network.info)
        result = first_steps(view, scene, params, 2)[-1].value
        answers.append(view.data(result, params) if view.data else {})
    assert answers[0].keys() == answers[1].keys()
    for key, value in answers[0].items():
        assert not tensors_in(value)
        np.testing.assert_array_equal(value, answers[1][key], err_msg=key)


@pytest.mark.parametrize(("view", "task"), CASES)
def test_it_can_be_painted(view: View[Any, Any], task: str, scene: Scene) -> None:
    params = defaults(view, scene.network.info)
    board = view.draw(first_steps(view, scene, params, 1)[-1].value, params)
    picture = render_board(board)
    assert picture.dtype == np.uint8
    assert picture.std() > 1


@pytest.mark.parametrize(("view", "task"), CASES)
def test_parameters_survive_being_written_down(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    info = scene.network.info
    for parameter in parameters(view.Params):
        for value in [parameter.default, *values_to_try(parameter, info)]:
            match value:
                case None:
                    text = "none"
                case bool():
                    text = str(value).lower()
                case tuple():
                    text = ",".join(value)
                case Point(x, y):
                    text = f"{x},{y}"
                case Box(x0, y0, x1, y1):
                    text = f"{x0},{y0},{x1},{y1}"
                case _:
                    text = str(value)
            assert parse(parameter, text, info) == value, (parameter.name, text)


@pytest.mark.parametrize(("view", "task"), CASES)
def test_a_redraw_gives_the_very_same_heavy_layers(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    params = defaults(view, scene.network.info)
    result = first_steps(view, scene, params, 1)[-1].value
    arrays = []
    for _ in range(2):
        board = view.draw(result, params)
        found = [
            id(array)
            for pane in board.panes
            for layer in pane.layers
            for array in (getattr(layer, name, None) for name in ("rgb", "values", "index"))
            if array is not None and array.base is None
        ]
        arrays.append(found)
    assert arrays[0] == arrays[1]
