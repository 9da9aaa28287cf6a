"""Names and choices of the last release still work, wherever values come in by name."""

from __future__ import annotations

from typing import Any

import pytest

from explorer import views
from explorer.cli.arguments import settings
from explorer.core import listing
from explorer.core.params import Parameter, parameters
from explorer.core.values import NetworkRef, Point
from explorer.engine import former_words
from explorer.engine.question import params_of

CHOICES = [
    (view, name, old, new)
    for (view, name), words in former_words.CHOICES.items()
    for old, new in words.items()
]


@pytest.mark.parametrize(("view", "name", "old", "new"), CHOICES)
def test_an_old_choice_is_todays(
    view: str, name: str, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listing.tell_new_name.cache_clear()
    found = views.find(view)
    (parameter,) = (p for p in parameters(found.Params) if p.name == name)
    many = parameter.type is tuple
    value = getattr(params_of(found, {name: [old] if many else old}), name)
    assert value == ((new,) if many else new)
    assert f"{name}={old} is now called {name}={new}" in capsys.readouterr().err
    if isinstance(parameter.meta.choices, tuple):
        assert new in parameter.meta.choices
        assert old not in parameter.meta.choices


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (("SS quality", "SLIC"), ("selective search (quality)", "SLIC")),
        (["SLIC", "SS single"], ["SLIC", "selective search (single)"]),
        ("SLIC, SS single,SS quality",
         "SLIC,selective search (single),selective search (quality)"),
        ("SLIC, uniform", "SLIC, uniform"),
        ((), ()),
    ],
)  # fmt: skip
def test_an_old_choice_among_several_is_todays(value: Any, wanted: Any) -> None:
    """As Python, session files and the command line have them."""
    assert former_words.in_todays_words("recall_lab", {"methods": value}) == {"methods": wanted}


def test_a_command_line_of_the_last_release_still_works() -> None:
    recall = views.find("recall_lab")
    texts = settings(["methods=SS quality,SLIC", "of=SS single"], recall)
    params = params_of(recall, texts)
    assert params.methods == ("selective search (quality)", "SLIC")
    assert params.of == "selective search (single)"


@pytest.mark.parametrize(
    ("view", "old", "new"),
    [(view, *pair) for view, names in former_words.NAMES.items() for pair in names.items()],
)
def test_an_old_parameter_is_todays(
    view: str, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listing.tell_new_name.cache_clear()
    found = views.find(view)
    (parameter,) = (p for p in parameters(found.Params) if p.name == new)
    value = _another(parameter)
    assert getattr(params_of(found, {old: value}), new) == value
    assert f"{old} is now called {new}" in capsys.readouterr().err


def _another(parameter: Parameter) -> Any:
    """A valid value that is not the default."""
    if parameter.type is bool:
        return not parameter.default
    if parameter.type is NetworkRef:
        return NetworkRef("lite-maskrcnn")
    if isinstance(parameter.meta.choices, tuple):
        return parameter.meta.choices[-1]
    return "cat" if parameter.type is str else parameter.type(parameter.meta.low)


@pytest.mark.parametrize(
    "ends", [("1,2", "3,4"), ((1, 2), (3, 4)), (Point(1, 2), Point(3, 4))], ids=str
)
def test_the_two_ends_of_a_line(ends: tuple[Any, Any]) -> None:
    tracks = views.find("tracks")
    both = params_of(tracks, dict(zip(("line_from", "line_to"), ends, strict=True)))
    assert both.line == (Point(1, 2), Point(3, 4))
    assert params_of(tracks, {"line_from": ends[0]}).line == ()


def test_what_is_of_today_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"anchors": "generated", "ratios": 3, "unheard": [1]}
    assert former_words.in_todays_words("anchor_sandbox", values) == values
    assert not capsys.readouterr().err
