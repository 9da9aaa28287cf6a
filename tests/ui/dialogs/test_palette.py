"""The command palette, undo entries, and the plain values of a session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QMainWindow

from explorer.core.params import Box, Point, param
from explorer.engine.view import Group, View
from explorer.ui.board.pinned_result import labels
from explorer.ui.dialogs.palette import Item, Palette, score
from explorer.ui.shell import geometry, session
from explorer.ui.shell.actions import COMMANDS, parsed_keys
from explorer.ui.shell.history import ParamsCommand

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def best(query: str, *texts: str) -> str:
    return max(texts, key=lambda text: score(query, text))


def test_letters_at_the_beginnings_of_words_count_most() -> None:
    assert best("fm", "Fit to the frame", "Feature maps", "Film") == "Feature maps"
    assert best("dd", "Detections", "DeepDream", "Add") == "DeepDream"
    assert best("resnet50", "ResNet-18", "ResNet-50", "RetinaNet ResNet-50 FPN") == "ResNet-50"
    assert score("xyz", "Feature maps") == 0
    assert score("", "anything") > 0


def test_keys_choose_and_escape_leaves(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    window.resize(900, 700)
    window.show()
    done: list[str] = []
    items = [Item(name, lambda name=name: done.append(name)) for name in ("Open", "Save", "Quit")]
    palette = Palette(window)
    palette.open_with(items)
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == ["Save"]
    assert not palette.isVisible()
    palette.open_with(items)
    qtbot.keyClicks(palette.field, "zzz")
    assert palette.nothing.isVisible()
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == ["Save"]
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()


def test_shortcuts_are_unique_and_understood() -> None:
    keys = [key.toString() for command in COMMANDS for key in parsed_keys(command.keys)]
    assert len(keys) == len(set(keys))
    assert all(parsed_keys(command.keys) for command in COMMANDS if command.keys)
    assert parsed_keys("Nonsense+; Ctrl+O")[-1].toString() == "Ctrl+O"
    assert parsed_keys("") == []


@dataclass(frozen=True)
class Params:
    count: int = param(3, "Count", "How many.", low=1, high=9)
    share: float = param(0.5, "Share", "How much.", low=0.0, high=1.0)
    word: str = param("a", "Word", "Which.", choices=("a", "b"))
    words: tuple[str, ...] = param((), "Words", "Which ones.", choices=("a", "b, c"))
    on: bool = param(False, "On", "Or off.")
    at: Point | None = param(None, "At", "Where.")
    area: Box | None = param(None, "Area", "Where.")
    key: int | None = param(None, "Key", "Which box.")
    step: int = param(0, "Step", "Of one answer.", low=0, high=9, kept=False)


def view() -> View[Any, Any]:
    def nothing(*_: object) -> Any:
        raise NotImplementedError

    return View("v", "V", Group.OTHER, "S.", "E.", "R", Params, nothing, nothing)


def test_parameters_come_back_from_their_plain_values() -> None:
    params = Params(5, 0.25, "b", ("b, c",), True, Point(1, 2.5), Box(0, 0, 3, 4), 7)
    plain = session.packed(params)
    assert plain == session.json_safe(plain)
    assert session.unpacked(view(), plain) == params
    assert session.packed(Params()) == {}


def test_a_place_within_one_answer_is_not_kept() -> None:
    assert session.packed(Params(count=5, step=4)) == {"count": 5}
    earlier = {"count": 5, "step": 4}  # written before the parameter was declared so
    assert session.unpacked(view(), earlier) == Params(count=5)


@pytest.mark.parametrize(
    "plain",
    [
        {"count": 99},
        {"count": "3"},
        {"count": True},
        {"share": None},
        {"share": float("nan")},
        {"word": "z"},
        {"words": "a"},
        {"words": [1]},
        {"at": [1, 2]},
        {"at": {"point": [1]}},
        {"area": {"box": [3, 0, 0, 0]}},
        {"gone": 1},
    ],
)
def test_parameters_that_do_not_fit_keep_their_defaults(plain: dict[str, Any]) -> None:
    got = session.unpacked(view(), plain)
    assert got == Params()


def test_damaged_bytes_are_empty() -> None:
    assert geometry.decoded("not base64!").isEmpty()
    data = geometry.decoded(geometry.encoded(geometry.QByteArray(b"\x00layout")))
    assert bytes(data.data()) == b"\x00layout"


def test_one_drag_of_a_slider_is_one_undo(qapp: object) -> None:
    stack = QUndoStack()
    shown: list[Any] = []

    def show(values: dict[str, Any]) -> None:
        shown.append(values)

    old = Params()
    for count in (4, 5, 6):
        new = replace(old, count=count)
        stack.push(ParamsCommand(old, new, show, "V"))
        old = new
    stack.push(ParamsCommand(old, replace(old, on=True), show, "V"))
    assert stack.count() == 2
    assert shown == [], "what the user did is in force already"
    stack.undo()
    stack.undo()
    stack.redo()
    assert shown == [{"on": False}, {"count": 3}, {"count": 6}], "what they changed, no more"
    stack.clear()


def test_a_and_b_are_called_by_what_tells_them_apart() -> None:
    assert labels(("cat", "Classify", "net"), ("dog", "Classify", "net")) == ("A  cat", "B  dog")
    assert labels(("cat", "Classify", "n"), ("cat", "Dream", "n")) == ("A  Classify", "B  Dream")
    assert labels(("cat", "V", "n"), ("cat", "V", "n")) == ("A  before", "B  now")
    assert len(labels(("x" * 90,), ("y",))[0]) < 30
