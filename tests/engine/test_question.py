"""Words and values become the parameters and the network of a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.params import Pick, param, parameters
from explorer.core.values import Box, FolderRef, ImageRef, Mask, NetworkRef, Point
from explorer.engine.question import params_of, takes
from explorer.engine.view import Group, View


@dataclass(frozen=True, slots=True)
class Row:
    name: str = param("a", "Name", "Which.", choices=("a", "b"))
    weight: float = param(1.0, "Weight", "How much.", low=0.0, high=2.0)


@dataclass(frozen=True, slots=True)
class Params:
    on: bool = param(True, "On", "Whether.")
    count: int = param(3, "Count", "How many.", low=1, high=9)
    share: float = param(0.5, "Share", "How much.", low=0.0, high=1.0)
    word: str = param("red", "Word", "Which.", choices=("red", "green"))
    words: tuple[str, ...] = param((), "Words", "Which.", choices=("red", "green"))
    point: Point | None = param(None, "Point", "Where.", pick=Pick.CLICK)
    points: tuple[Point, ...] = param((), "Points", "Where.", pick=Pick.POINTS)
    box: Box | None = param(None, "Box", "Where.", pick=Pick.DRAG)
    truth: tuple[Box, ...] = param((), "Truth", "Where.", pick=Pick.TRUTH)
    mask: Mask | None = param(None, "Mask", "Where.", pick=Pick.BRUSH)
    style: ImageRef | None = param(None, "Style", "Which.")
    other: NetworkRef | None = param(None, "Other", "Which.")
    folder: FolderRef | None = param(None, "Folder", "Which.")
    rows: tuple[Row, ...] = param((), "Rows", "Which.")


VIEW: View[Any, Any] = View(
    "toy", "Toy", Group.OTHER, "S.", "E.", "", Params, lambda *_: iter(()), lambda *_: None  # type: ignore[arg-type, return-value]
)  # fmt: skip

GOOD: list[tuple[str, Any, Any]] = [
    ("on", False, False),
    ("on", "off", False),
    ("count", np.int64(4), 4),
    ("count", "4", 4),
    ("share", 1, 1.0),
    ("share", np.float32(0.25), 0.25),
    ("word", "green", "green"),
    ("words", ["red"], ("red",)),
    ("words", "red, green", ("red", "green")),
    ("point", (3, 4.5), Point(3.0, 4.5)),
    ("point", np.array([3, 4]), Point(3.0, 4.0)),
    ("point", "3,4.5", Point(3.0, 4.5)),
    ("point", None, None),
    ("points", [(1, 2), Point(3, 4)], (Point(1, 2), Point(3, 4))),
    ("points", np.array([[1, 2], [3, 4]]), (Point(1, 2), Point(3, 4))),
    ("box", (1, 2, 3, 4), Box(1, 2, 3, 4)),
    ("truth", [(1, 2, 3, 4, "cat")], (Box(1, 2, 3, 4, "cat"),)),
    ("truth", [(1, 2, 3, 4, "cat", True)], (Box(1, 2, 3, 4, "cat", True),)),
    ("mask", np.eye(4, dtype=np.uint8), Mask.of(np.eye(4, dtype=np.uint8))),
    ("style", "cat", ImageRef("cat")),
    ("other", "mini-vgg@none", NetworkRef("mini-vgg", "none")),
    ("folder", "/photos", FolderRef("/photos")),
    ("rows", [{"name": "b"}, Row("a", 2.0)], (Row("b", 1.0), Row("a", 2.0))),
    ("rows", '[{"name": "b", "weight": 0.5}]', (Row("b", 0.5),)),
]


@pytest.mark.parametrize(("name", "value", "wanted"), GOOD)
def test_values_and_words_are_taken(name: str, value: Any, wanted: Any) -> None:
    assert getattr(params_of(VIEW, {name: value}), name) == wanted


BAD: list[tuple[str, Any, str]] = [
    ("on", 1, "true or false"),
    ("count", 2.5, "a whole number, 1 to 9"),
    ("count", True, "a whole number"),
    ("count", 10, "1 to 9"),
    ("share", "much", "a number"),
    ("word", "blue", "red, green"),
    ("word", 3, "red, green"),
    ("words", 3, "red, green"),
    ("words", ["blue"], "red, green"),
    ("point", (1, 2, 3), "x,y"),
    ("box", (9, 2, 3, 4), "x0,y0,x1,y1"),
    ("mask", np.zeros((2, 2)), "PNG"),
    ("count", None, "a whole number"),
    ("rows", [{"nix": 1}], "name, weight"),
    ("rows", [3], "JSON"),
]


@pytest.mark.parametrize(("name", "value", "hint"), BAD)
def test_what_is_wrong_is_said_with_what_is_right(name: str, value: Any, hint: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        params_of(VIEW, {name: value})
    assert hint in caught.value.hint


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(ExplorerError, match="has no parameter 'tpo'") as caught:
        params_of(VIEW, {"tpo": 1})
    assert caught.value.hint.startswith("Choose among: on, count, share")


def test_what_a_parameter_takes_in_a_few_words() -> None:
    said = {parameter.name: takes(parameter) for parameter in parameters(Params)}
    assert said["count"] == "1 to 9"
    assert said["word"] == "red, green"
    assert said["point"] == "x,y"
    assert all(said.values())
