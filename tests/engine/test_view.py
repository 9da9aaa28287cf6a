"""Parameters: what a form, a session and the command line rely on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from explorer.core.errors import ExplorerError
from explorer.core.network_info import LayerInfo, NetworkInfo, NetworkSpec
from explorer.core.param_forms import parse
from explorer.core.params import (
    Box,
    Effect,
    Pick,
    Point,
    effect_of,
    inside,
    param,
    parameters,
    resolved,
)

INFO = NetworkInfo(
    spec=NetworkSpec("toy"),
    title="Toy",
    task="classification",
    classes=("cat", "dog"),
    state="untrained",
    layers=(LayerInfo("conv1", "Conv2d", 0, True, 9), LayerInfo("fc", "Linear", 0, True, 4)),
    weights_title="",
    device="cpu",
    dtype="float32",
    parameters=13,
    input_title="",
)


@dataclass(frozen=True)
class Params:
    on: bool = param(True, "On", "Whether.")
    count: int = param(5, "Count", "How many.", low=1, high=10, effect=Effect.DRAW)
    rate: float = param(0.5, "Rate", "How fast.", low=0.0, high=1.0, effect=Effect.STEER)
    layer: str = param("", "Layer", "Which.", choices=lambda info: info.layer_names())
    kind: str = param("a", "Kind", "Which.", choices=("a", "b"))
    classes: tuple[str, ...] = param((), "Classes", "Which.", choices=lambda info: info.classes)
    at: Point | None = param(None, "At", "Where.", pick=Pick.CLICK)
    box: Box | None = param(None, "Box", "Where.", pick=Pick.DRAG)
    selected: int | None = param(None, "Selected", "Which.", pick=Pick.SELECT, layer="boxes")


BY_NAME = {p.name: p for p in parameters(Params)}


def test_fields_in_order_with_type_and_optionality() -> None:
    assert [(p.name, p.type, p.optional) for p in parameters(Params)] == [
        ("on", bool, False),
        ("count", int, False),
        ("rate", float, False),
        ("layer", str, False),
        ("kind", str, False),
        ("classes", tuple, False),
        ("at", Point, True),
        ("box", Box, True),
        ("selected", int, True),
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("on", "false", False),
        ("on", "YES", True),
        ("count", "10", 10),
        ("rate", "1e-1", 0.1),
        ("layer", "fc", "fc"),
        ("kind", "b", "b"),
        ("classes", "cat, dog", ("cat", "dog")),
        ("classes", "", ()),
        ("at", "3,4.5", Point(3, 4.5)),
        ("box", "0,1,2,3", Box(0, 1, 2, 3)),
        ("at", "none", None),
        ("selected", "7", 7),
        ("selected", "", None),
    ],
)
def test_parse(name: str, text: str, value: object) -> None:
    assert parse(BY_NAME[name], text, INFO) == value


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("on", "maybe", "true or false"),
        ("count", "eleven", "a whole number"),
        ("count", "11", "1 to 10"),
        ("rate", "nan", "0 to 1"),
        ("rate", "inf", "0 to 1"),
        ("layer", "conv9", "conv1, fc"),
        ("kind", "c", "a, b"),
        ("classes", "cat,cow", "cat, dog"),
        ("at", "3", "x,y"),
        ("at", "nan,1", "x,y"),
        ("box", "5,5,1,1", "x0,y0,x1,y1"),
    ],
)
def test_parse_names_what_is_valid(name: str, text: str, named: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        parse(BY_NAME[name], text, INFO)
    assert named in str(caught.value)
    assert name in str(caught.value)


def test_another_network_replaces_the_choices_it_lacks() -> None:
    params = Params(layer="gone", classes=("cat", "cow"))
    assert resolved(params, INFO) == replace(params, layer="conv1", classes=("cat",))
    fitting = Params(layer="fc")
    assert resolved(fitting, INFO) is fitting


def test_a_smaller_photo_moves_what_was_picked_into_it() -> None:
    params = Params(at=Point(90, 30), box=Box(50, 10, 120, 70, "cat"), selected=99)
    moved = inside(params, 80, 60)
    assert moved == replace(params, at=Point(79.5, 30), box=Box(50, 10, 80, 60, "cat"))
    assert inside(Params(at=Point(-3, 61)), 80, 60).at == Point(0, 59.5)
    # nothing of this box is in the photo
    assert inside(Params(box=Box(80, 0, 90, 60)), 80, 60).box is None
    fitting = Params(at=Point(79, 59), box=Box(0, 0, 80, 60))
    assert inside(fitting, 80, 60) is fitting


def test_the_strongest_effect_counts() -> None:
    before = Params()
    assert effect_of(before, Params()) is None
    assert effect_of(before, replace(before, count=6)) is Effect.DRAW
    assert effect_of(before, replace(before, count=6, rate=0.1)) is Effect.STEER
    assert effect_of(before, replace(before, on=False, count=6, rate=0.1)) is Effect.COMPUTE


def test_a_field_that_no_form_can_show_is_refused() -> None:
    @dataclass(frozen=True)
    class Bad:
        when: complex = param(1j, "When", "No.")

    with pytest.raises(TypeError, match="no form can show"):
        parameters(Bad)
