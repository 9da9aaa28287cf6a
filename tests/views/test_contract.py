"""What every view promises, the shipped ones and those yet to come."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn
from ziamath.tex import tex2mml
from ziamath.zmath import Latex

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.layers import Board
from explorer.core.network_info import NetworkInfo
from explorer.core.param_forms import json_of, params_json, params_text, parse, text_of, value_of
from explorer.core.params import (
    Box,
    Effect,
    FolderRef,
    ImageRef,
    Kind,
    Mask,
    NetworkRef,
    Parameter,
    Point,
    parameters,
    resolved,
    validated,
)
from explorer.core.step import Step
from explorer.engine.scene import Moment, Scene
from explorer.engine.view import Group, View
from explorer.live.recording.messages import Frame, packed, unpacked
from explorer.live.recording.painting import filmed_part, rendered_whole
from explorer.networks.hooks import interruptible, tensors_in
from explorer.networks.network import Network
from explorer.render.board import render_board
from explorer.render.charts import MOST_ROWS
from explorer.render.formulas import plain, replaced
from explorer.render.vector.figure import FigureSize, render_figure
from explorer.render.vector.font_files import arimo, font_runs
from explorer.render.vector.pdf import pdf_bytes
from explorer.render.vector.svg import svg_bytes
from explorer.views import discover
from tests.toy_views import every_toy
from tests.toys import hook_count, toy_image
from tests.views.opening import TOY, asked_of, info_of, opened_for, scene_for, tasks_of

VIEWS = {**discover(), **{view.name: view for view in every_toy()}}
ALIKE = {
    Group.SYNTHESIS: frozenset({"localization", "segmentation", "pose", "features"}),
    Group.INSIDE: frozenset({"localization", "pose"}),
}
"""Tasks that views of a group see little difference between: they look at layers of a backbone."""


def marks_of(view: View[Any, Any], task: str) -> tuple[pytest.MarkDecorator, ...]:
    """Every view is tried with every task by hand, and here with those that differ."""
    return (pytest.mark.slow,) if task in ALIKE.get(view.group, ()) else ()


CASES = [
    pytest.param(view, task, id=f"{name}-{task}", marks=marks_of(view, task))
    for name, view in sorted(VIEWS.items())
    for task in tasks_of(view)
]
LIVE = [case for case in CASES if case.values[0].live]  # type: ignore[union-attr]
ONCE_EACH = list({str(case.id).partition("-")[0]: case for case in CASES}.values())
FEW = [
    case if case in ONCE_EACH
    else pytest.param(*case.values, id=case.id, marks=(*case.marks, pytest.mark.slow))
    for case in CASES
]  # fmt: skip
"""Every view with one task here, with the others by hand."""
SHORT = [
    case if case.values[0].name not in ("training_lab", "depth", "gan_training")  # type: ignore[union-attr]
    else pytest.param(*case.values, id=case.id, marks=(*case.marks, pytest.mark.slow))
    for case in FEW
]  # fmt: skip
"""Without those that train networks again for every value."""
MOST_STEPS = 4
"""A long computation shows what it is like in its first steps."""


@pytest.fixture
def scene(view: View[Any, Any], task: str) -> Scene:
    return scene_for(view, task)


def first_steps(
    view: View[Any, Any], scene: Scene, params: Any, most: int = MOST_STEPS
) -> list[Step[Any]]:
    generator = view.compute(scene, params)
    try:
        return list(itertools.islice(generator, most))
    finally:
        generator.close()


def defaults(view: View[Any, Any], info: NetworkInfo | None) -> Any:
    return resolved(asked_of(view, info.task if info is not None else ""), info)


WIDEST, HIGHEST = 18, 10
"""Of a formula, in heights of a letter: the explanation's panel, as the window starts, is wider."""


def set_as_mathematics(latex: str) -> str:
    """A formula that stands alone: it must be one, every word of it known, and not too wide."""
    assert "\\" not in tex2mml(latex), f"a command that is none in {latex}"
    svg = Latex(latex, size=24).svg()
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    assert found
    width, height = (float(side) / 24 for side in found.groups())
    assert width < WIDEST, f"{latex} is {width:.1f} letters wide"
    assert height < HIGHEST, f"{latex} is {height:.1f} letters high"
    return written_plainly(latex)


def written_plainly(latex: str) -> str:
    """Also what no mathematics can be set in shows it: plain letters must do."""
    words = plain(latex)
    assert words
    assert "\\" not in words, latex
    tex2mml(latex)
    return words


def refused_in_words(parameter: Parameter) -> AbstractContextManager[None]:
    """A number must be taken; what the network lacks, another network, a folder may be refused."""
    rows = parameter.kind is Kind.ROWS
    refusable = rows or parameter.type in (str, FolderRef, NetworkRef)
    return suppress(ExplorerError) if refusable else nullcontext()


def values_to_try(parameter: Parameter, info: NetworkInfo | None) -> list[Any]:
    """Both ends of everything, some of many choices, and nothing at all where that is allowed."""
    found = few_of(parameter, info)
    most = parameter.meta.most
    found = [value[:most] if isinstance(value, tuple) else value for value in found]
    return [*found, None] if parameter.optional else found


def few_of(parameter: Parameter, info: NetworkInfo | None) -> list[Any]:
    meta = parameter.meta
    words = meta.options(info)
    few = list(dict.fromkeys([*words[:3], *words[-2:]]))
    box, edge, dog = Box(4, 4, 20, 20), Box(0, 0, 0, 0), Box(-3, 30, 70, 60, "dog")
    points = (Point(20.5, 12.25), Point(-5.0, 1e6), Point(0.0, 0.0))
    match parameter.kind:
        case Kind.SWITCH:
            return [False, True]
        case Kind.WHOLE | Kind.NUMBER:
            return [meta.low, meta.high] if meta.low is not None else [0]
        case Kind.WORD:
            return few if words else [parameter.default, "some words, = and ; too"]
        case Kind.WORDS:
            return [(), tuple(words), *((word,) for word in few)]
        case Kind.POINT:
            return list(points[:2])
        case Kind.POINTS:
            return [(), points[:1], points, points * 40]
        case Kind.BOX:
            return [box, edge]
        case Kind.BOXES:
            return [(), (box,), (box, dog, box, edge)]
        case Kind.MASK:
            painted = np.zeros((48, 64), np.uint8)
            painted[10:30, 5:40] = 1
            return [Mask.of(painted), Mask.of(np.full((5, 7), 255, np.uint8))]
        case Kind.IMAGE:
            return [ImageRef("cat"), ImageRef("coins")]
        case Kind.NETWORK:
            return [TOY]
        case Kind.NETWORKS:
            return [(), (TOY,), (TOY, TOY)]
        case Kind.FOLDER:
            return [FolderRef(".")]
        case Kind.ROWS:
            return rows_to_try(parameter, info)


def rows_to_try(parameter: Parameter, info: NetworkInfo | None) -> list[Any]:
    """No row, several, and one for every value of every field."""
    assert parameter.item is not None
    row = resolved(parameter.item(), info)
    changed = [
        (replace(row, **{entry.name: value}),)
        for entry in parameters(parameter.item)
        for value in values_to_try(entry, info)
    ]
    return [(), (row, row), *changed]


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


def modules_of(scene: Scene) -> nn.ModuleList:
    """Every network that the view may call."""
    return nn.ModuleList([network.module for network in scene.networks])


def hooks_of(scene: Scene) -> int:
    return sum(hook_count(network.module) for network in scene.networks)


def fingerprints(scene: Scene) -> list[list[float]]:
    return [fingerprint(network) for network in scene.networks]


def fingerprint(network: Network) -> list[float]:
    state = network.module.state_dict()
    modes = [float(module.training) for module in network.module.modules()]
    frozen = [float(weight.requires_grad) for weight in network.module.parameters()]
    return [float(value.double().sum()) for value in state.values()] + modes + frozen


@pytest.mark.parametrize("view", [pytest.param(v, id=n) for n, v in sorted(VIEWS.items())])
def test_says_what_it_is(view: View[Any, Any]) -> None:
    assert view.name.isidentifier()
    assert view.name == view.name.lower()
    for words in (view.title, view.reference):
        assert words == words.strip() != ""
    assert view.summary.endswith(".")
    room = view.compute.__module__.split(".")
    assert room[:2] != ["explorer", "views"] or room[2] == view.group.value, "its group's folder"
    assert len(view.explanation) > 300
    for parameter in parameters(view.Params):
        assert parameter.meta.title, parameter.name
        assert parameter.meta.help.endswith("."), parameter.name
        if parameter.type in (int, float) and not parameter.optional:
            assert parameter.meta.low is not None, parameter.name
            assert parameter.meta.high is not None, parameter.name


@pytest.mark.parametrize("view", [pytest.param(v, id=n) for n, v in sorted(VIEWS.items())])
def test_its_formulas_are_mathematics(view: View[Any, Any]) -> None:
    text = replaced(view.explanation, set_as_mathematics, written_plainly)
    assert "$" not in text, "a formula that does not end, or not on its own lines"
    for line in view.explanation.splitlines():
        assert not line.startswith(("    ", "\t")), f"an indented block: {line}"
        assert not re.search(r"\w\[\w+, |[Σ·²√]|\w+·\w", line), f"a formula without dollars: {line}"


@pytest.mark.parametrize(("view", "task"), CASES)
def test_runs_draws_and_leaves_nothing_behind(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    before = fingerprints(scene)
    params = defaults(view, info_of(scene))
    for mode in (True, False):
        with torch.set_grad_enabled(mode):
            generator = view.compute(scene, params)
            steps = []
            for step in itertools.islice(generator, MOST_STEPS):
                assert torch.is_grad_enabled() is mode, "the step leaks its grad mode"
                assert hooks_of(scene) == 0, "a hook waits between steps"
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
    assert hooks_of(scene) == 0
    assert fingerprints(scene) == before
    assert not any(weight.grad is not None for weight in modules_of(scene).parameters())


@pytest.mark.parametrize(("view", "task"), CASES)
def test_closes_after_its_first_step(view: View[Any, Any], task: str, scene: Scene) -> None:
    generator = view.compute(scene, defaults(view, info_of(scene)))
    next(generator)
    generator.close()
    assert hooks_of(scene) == 0
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("view", "task"), CASES)
def test_a_cancel_inside_a_forward_leaves_nothing(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    for allowed in (0, 1):
        asked = itertools.count()
        generator = view.compute(scene, defaults(view, info_of(scene)))
        cancelled = False
        with interruptible(modules_of(scene), lambda: next(asked) >= allowed):  # noqa: B023
            try:
                next(generator)
            except Cancelled:
                cancelled = True
        assert cancelled or next(asked) == 0, "only a view that never runs the network goes on"
        generator.close()
        assert hooks_of(scene) == 0
        assert torch.is_grad_enabled()
        scene.forget()


@pytest.mark.parametrize(("view", "task"), SHORT)
def test_every_parameter_at_both_ends(view: View[Any, Any], task: str, scene: Scene) -> None:
    info = info_of(scene)
    params = defaults(view, info)
    (*_, last) = first_steps(view, scene, params, 2)
    for parameter in parameters(view.Params):
        for value in values_to_try(parameter, info):
            validated(parameter, value, info)
            changed = replace(params, **{parameter.name: value})
            scene.opened = opened_for(view, changed, info)
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


@pytest.mark.parametrize(("view", "task"), FEW)
def test_the_same_seed_gives_the_same_data(view: View[Any, Any], task: str) -> None:
    answers = []
    for _ in range(2):
        scene = scene_for(view, task)
        params = defaults(view, info_of(scene))
        result = first_steps(view, scene, params, 2)[-1].value
        answers.append(view.data(result, params) if view.data else {})
    assert answers[0].keys() == answers[1].keys()
    for key, value in answers[0].items():
        assert not tensors_in(value)
        np.testing.assert_array_equal(value, answers[1][key], err_msg=key)


@pytest.mark.parametrize(("view", "task"), FEW)
def test_it_can_be_painted(view: View[Any, Any], task: str, scene: Scene) -> None:
    params = defaults(view, info_of(scene))
    board = view.draw(first_steps(view, scene, params, 1)[-1].value, params)
    picture = render_board(board)
    assert picture.dtype == np.uint8
    assert picture.std() > 1


def said_by(board: Board) -> Iterator[str]:
    """What a board says around its pictures, as it is written."""
    yield from (board.summary, *board.notes, *(pane.title for pane in board.panes))
    for plot in board.plots:
        yield from (plot.title, *(name for name, _, _ in plot.bars))
        if plot.curves:
            yield from (plot.x_label, plot.y_label)
        if len(plot.curves) > 1:
            yield from (curve.label for curve in plot.curves)
    for table in board.tables:
        yield from (table.title, *table.columns)
        for row in table.rows[:MOST_ROWS]:
            yield from (cell for cell in row if isinstance(cell, str))


@pytest.mark.parametrize(("view", "task"), ONCE_EACH)
def test_it_is_a_figure_with_every_word(view: View[Any, Any], task: str, scene: Scene) -> None:
    params = defaults(view, info_of(scene))
    board = view.draw(first_steps(view, scene, params, 2)[-1].value, params)
    drawing = render_figure(board, FigureSize(178, 8), title=view.title)
    lines = [words.text for words in drawing.words()]
    written = " ".join(" ".join(lines).split())
    for words in said_by(board):
        assert " ".join(words.split()) in written
    for line in drawing.words():
        fonts = {font for font, _ in font_runs(line.text, bold=line.bold)}
        assert fonts == {arimo(line.bold)}, f"{line.text} needs another font"
    root = ElementTree.fromstring(svg_bytes(drawing, title=view.title, metadata="{}"))
    assert [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")] == lines
    assert pdf_bytes(drawing, title=view.title, metadata="{}").startswith(b"%PDF")


@pytest.mark.parametrize(("view", "task"), CASES)
def test_parameters_survive_being_written_down(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    info = info_of(scene)
    for parameter in parameters(view.Params):
        for value in [parameter.default, *values_to_try(parameter, info)]:
            text = text_of(parameter, value)
            assert parse(parameter, text, info) == value, (parameter.name, text)
            plain = json.loads(json.dumps(json_of(parameter, value), allow_nan=False))
            assert value_of(parameter, plain) == value, (parameter.name, plain)
    assert params_text(view.Params()) == ()
    json.dumps(params_json(defaults(view, info)))


@pytest.mark.parametrize(("view", "task"), FEW)
def test_what_does_not_apply_does_not_matter(view: View[Any, Any], task: str, scene: Scene) -> None:
    info = info_of(scene)
    params = defaults(view, info)
    result = first_steps(view, scene, params, 1)[-1].value
    picture = render_board(view.draw(result, params), width=400)
    for parameter in parameters(view.Params):
        if parameter.applies(params, info):
            continue
        for value in values_to_try(parameter, info):
            changed = replace(params, **{parameter.name: value})
            scene.opened = opened_for(view, changed, info)
            if parameter.meta.effect is Effect.DRAW:
                np.testing.assert_array_equal(
                    render_board(view.draw(result, changed), width=400), picture, parameter.name
                )
            else:
                assert first_steps(view, scene, changed, 1), parameter.name


@pytest.mark.parametrize(("view", "task"), LIVE)
def test_follows_frames_and_a_jump_back(view: View[Any, Any], task: str) -> None:
    memory: dict[str, Any] = {}
    layers: frozenset[str] = frozenset()
    network = None
    for number, seconds in enumerate((0.0, 0.1, 0.2, 0.05)):
        moment = Moment(number, seconds, memory, layers)
        scene = scene_for(view, task, image=toy_image(seed=number), moment=moment)
        if network is not None:
            scene = Scene(network, toy_image(seed=number), 3, moment, scene.opened)
        network = scene.network if view.needs.network else None
        before, params = fingerprints(scene), defaults(view, info_of(scene))
        steps = first_steps(view, scene, params)
        assert steps, "every frame has an answer"
        board = view.draw(steps[-1].value, params)
        assert board.panes
        assert board.summary
        assert hooks_of(scene) == 0
        assert fingerprints(scene) == before
        layers = frozenset(scene.asked)
    part = Frame(filmed_part(board, whole=True))
    handed_over = unpacked(b"".join(packed(part))).picture
    assert np.array_equal(rendered_whole(handed_over), rendered_whole(board)), "as it is recorded"


@pytest.mark.parametrize(("view", "task"), CASES)
def test_it_takes_only_what_it_says_it_needs(view: View[Any, Any], task: str, scene: Scene) -> None:
    assert view.needs.network or info_of(scene) is None
    params = defaults(view, info_of(scene))
    assert isinstance(view.draw(first_steps(view, scene, params, 1)[-1].value, params), Board)


def test_every_group_but_the_last_has_its_folder() -> None:
    shipped = {view.group for view in discover().values()}
    assert Group.OTHER not in shipped
    assert [group.place for group in Group] == list(range(len(Group)))


@pytest.mark.parametrize(("view", "task"), CASES)
def test_a_redraw_gives_the_very_same_heavy_layers(
    view: View[Any, Any], task: str, scene: Scene
) -> None:
    params = defaults(view, info_of(scene))
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
