"""Text and JSON of every kind of parameter: what is taken, and what is said about the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.param_forms import (
    WANTED,
    json_of,
    params_json,
    params_text,
    parse,
    read_mask,
    text_of,
    value_of,
)
from explorer.core.params import (
    Box,
    Effect,
    FolderRef,
    ImageRef,
    Kind,
    Mask,
    NetworkRef,
    Parameter,
    Pick,
    Point,
    inside,
    param,
    parameters,
    references,
)
from tests.toy_views import EveryKind, Term

BY_NAME: dict[str, Parameter] = {p.name: p for p in parameters(EveryKind)}


def mask(width: int = 4, height: int = 3) -> Mask:
    return Mask.of(np.ones((height, width), np.uint8))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("second", "some folder/a photo.jpg", ImageRef("some folder/a photo.jpg")),
        ("second", "none", None),
        ("other", "mini-resnet", NetworkRef("mini-resnet")),
        ("other", "resnet18@my weights.pth", NetworkRef("resnet18", "my weights.pth")),
        ("ensemble", "a; b@c", (NetworkRef("a"), NetworkRef("b", "c"))),
        ("ensemble", "", ()),
        ("folder", "/some where", FolderRef("/some where")),
        ("joints", "1,2; 3.5,4", (Point(1, 2), Point(3.5, 4))),
        ("terms", "[]", ()),
        ("truth", "1,2,3,4,a,difficult", (Box(1, 2, 3, 4, "a,difficult"),)),
        ("truth", "difficult 1,2,3,4; 1,2,3,4", (Box(1, 2, 3, 4, "", True), Box(1, 2, 3, 4))),
        ("terms", '[{"kind": "TV", "weight": 2}, {}]', (Term("TV", 2.0), Term())),
        ("terms", '[{"photo": {"image": "cat"}}]', (Term(photo=ImageRef("cat")),)),
    ],
)
def test_text_of_references_points_and_rows(name: str, text: str, value: object) -> None:
    assert parse(BY_NAME[name], text) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("joints", "1,2;3", "x,y separated by semicolons"),
        ("joints", ";".join(["1,2"] * 18), "17 at most"),
        ("ensemble", "a;b;c;d", "3 at most"),
        ("other", "@w", "name[@weights]"),
        ("terms", "kind=TV", "JSON"),
        ("terms", '{"kind": "TV"}', "JSON"),
        ("terms", '["TV"]', "JSON"),
        ("terms", '[{"wait": 1}]', "kind, weight"),
        ("terms", '[{"weight": 3}]', "-2 to 2"),
        ("terms", '[{"kind": "soup"}]', "channel, logit, TV"),
        ("terms", '[{"weight": "much"}]', "JSON"),
        ("mask", "png:AAAA", "indexed PNG"),
        ("mask", "png:%%%", "indexed PNG"),
        ("mask", "/no/such.png", "does not exist"),
    ],
)
def test_what_is_not_valid_is_said(name: str, text: str, words: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        parse(BY_NAME[name], text)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_mask_is_given_by_its_file_and_copied_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(mask().png)
    assert parse(BY_NAME["mask"], str(path)) == mask() == read_mask(str(path))
    assert parse(BY_NAME["mask"], text_of(BY_NAME["mask"], mask())) == mask()
    path.write_bytes(b"words")
    with pytest.raises(ExplorerError, match="is not a mask"):
        read_mask(str(path))


def test_all_that_differs_from_its_default_as_text() -> None:
    params = EveryKind(whole=4, terms=(Term("TV", 0.5), Term()), joints=(Point(1, 2),))
    texts = params_text(params)
    assert [text.partition("=")[0] for text in texts] == ["whole", "terms", "joints"]
    again = EveryKind()
    for text in texts:
        name, _, words = text.partition("=")
        again = replace(again, **{name: parse(BY_NAME[name], words)})
    assert again == params


@pytest.mark.parametrize("label", ["", "cat", "cat, difficult", "difficult cat"])
@pytest.mark.parametrize("difficult", [False, True])
@pytest.mark.parametrize("crowd", [False, True])
def test_a_box_keeps_its_flags_as_text_and_as_json(
    label: str, difficult: bool, crowd: bool
) -> None:
    boxes = (Box(1.5, 2, 3, 4, label, difficult, crowd),)
    parameter = BY_NAME["truth"]
    assert parse(parameter, text_of(parameter, boxes)) == boxes
    plain = json.loads(json.dumps(json_of(parameter, boxes)))
    assert ("difficult" in plain[0]) is difficult, "files of ordinary boxes stay as they were"
    assert ("crowd" in plain[0]) is crowd
    assert value_of(parameter, plain) == boxes


def test_all_parameters_as_json() -> None:
    plain = json.loads(json.dumps(params_json(EveryKind(mask=mask(), second=ImageRef("cat")))))
    assert plain["second"] == {"image": "cat"}
    assert plain["terms"][0]["kind"] == "channel"
    back = {name: value_of(BY_NAME[name], value) for name, value in plain.items()}
    assert EveryKind(**back) == EveryKind(mask=mask(), second=ImageRef("cat"))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("whole", None), ("whole", True), ("whole", 1.5), ("switch", 1), ("text", 5),
        ("subset", "ab"), ("subset", [1]), ("joints", [[1, 2]]), ("joints", [{"x": "a", "y": 0}]),
        ("mask", {"png": 5}), ("mask", "AAAA"), ("second", "cat"), ("other", {"network": ""}),
        ("terms", [{"kind": 5}]), ("terms", {}), ("truth", [{"x0": 5, "y0": 0, "x1": 1, "y1": 1}]),
    ],
)  # fmt: skip
def test_damaged_json_is_refused(name: str, plain: object) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        value_of(BY_NAME[name], plain)


def test_every_kind_says_what_it_wants() -> None:
    assert set(WANTED) == set(Kind)
    assert all(WANTED.values())


def test_another_photo_moves_points_and_drops_a_mask_of_another_size() -> None:
    params = EveryKind(mask=mask(4, 3), joints=(Point(1, 2), Point(90, -5)))
    assert inside(params, 4, 3).mask == mask(4, 3)
    moved = inside(params, 80, 60)
    assert moved.mask is None
    assert moved.joints == (Point(1, 2), Point(79.5, 0))


def test_references_are_found_in_rows_and_where_they_apply() -> None:
    @dataclass(frozen=True, slots=True)
    class Params:
        on: bool = param(True, "On", "Whether.")
        hidden: ImageRef | None = param(
            ImageRef("b"), "Hidden", "Not always.", when=lambda params, _: params.on
        )
        terms: tuple[Term, ...] = param((Term(photo=ImageRef("a")),), "Terms", "Rows.")

    assert [ref for _, ref in references(Params(), None)] == [ImageRef("b"), ImageRef("a")]
    assert [ref for _, ref in references(Params(on=False), None)] == [ImageRef("a")]


def test_a_pick_that_does_not_write_the_type_is_refused() -> None:
    @dataclass(frozen=True)
    class Wrong:
        at: Point | None = param(None, "At", "Where.", pick=Pick.DRAG)

    @dataclass(frozen=True)
    class Late:
        photo: ImageRef | None = param(None, "Photo", "Which.", effect=Effect.DRAW)

    with pytest.raises(TypeError, match=r"Pick\.DRAG does not write"):
        parameters(Wrong)
    with pytest.raises(TypeError, match="COMPUTE"):
        parameters(Late)
