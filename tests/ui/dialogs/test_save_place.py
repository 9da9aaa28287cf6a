"""The place of a file to write: its suffix, and files that are there already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from explorer.ui.dialogs.save_folder import ask_save_place
from explorer.ui.dialogs.save_place import ask_place
from tests.ui.toy_desk import ToyDesk

KINDS = "Pictures (*.png *.jpg);;Film (*.mp4)"
Typing = Callable[..., list[str]]


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Typing:
    """What is typed, one dialog after the other; gives the names that the dialogs propose."""

    def types(names: list[str], kind: str = "Pictures (*.png *.jpg)") -> list[str]:
        proposed: list[str] = []

        def ask(_parent: object, _title: str, start: str, _kinds: str) -> tuple[str, str]:
            proposed.append(start)
            name = names.pop(0)
            return name, kind if name else ""

        monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
        return proposed

    return types


def test_a_name_without_suffix_gets_that_of_its_kind(
    qtbot: QtBot, typing: Typing, tmp_path: Path
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    typing([str(tmp_path / "dream")])
    assert ask_place(parent, "Save", "x", KINDS)[0] == str(tmp_path / "dream.png")
    typing([str(tmp_path / "dream")], "Film (*.mp4)")
    assert ask_place(parent, "Save", "x", KINDS)[0] == str(tmp_path / "dream.mp4")
    typing([str(tmp_path / "dream.JPG")])
    assert ask_place(parent, "Save", "x", KINDS)[0] == str(tmp_path / "dream.JPG")
    typing([str(tmp_path / "v1.2")])
    assert ask_place(parent, "Save", "x", "Film (*.mp4)", strict=True)[0].endswith("v1.2.png")
    typing([""])
    assert ask_place(parent, "Save", "x", KINDS) == ("", "")


def test_nothing_is_replaced_by_a_suffix(qtbot: QtBot, typing: Typing, tmp_path: Path) -> None:
    """The dialog was asked about "dream", not about "dream.png"."""
    parent = QWidget()
    qtbot.addWidget(parent)
    there, other = tmp_path / "dream.png", tmp_path / "other.png"
    there.write_bytes(b"mine")
    proposed = typing([str(tmp_path / "dream"), str(other)])
    assert ask_place(parent, "Save", "x", KINDS)[0] == str(other)
    assert proposed == ["x", str(there)], "once more, with the whole name"
    typing([str(tmp_path / "dream"), ""])
    assert ask_place(parent, "Save", "x", KINDS)[0] == ""
    typing([str(tmp_path / "dream"), str(there)])  # the dialog has asked whether to replace it
    assert ask_place(parent, "Save", "x", KINDS)[0] == str(there)


def test_the_folder_of_the_last_file_is_proposed_while_it_is_there(
    desk: ToyDesk, typing: Typing, tmp_path: Path
) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    for folder in (first, last):
        folder.mkdir()

    def proposed(answer: str, at_first: str = "") -> str:
        starts = typing([answer])
        ask_save_place(desk, "Save", "a.png", KINDS, at_first=at_first)
        return starts[0]

    assert proposed("") == str(Path.home() / "a.png")
    assert proposed("", str(first)) == str(first / "a.png")
    assert desk.study.save_folder == "", "the dialog was left"
    assert proposed(str(last / "b.png"), str(first)) == str(first / "a.png")
    assert desk.study.save_folder == str(last)
    assert proposed("", str(first)) == str(last / "a.png")
    last.rmdir()
    assert proposed("", str(first)) == str(first / "a.png")
