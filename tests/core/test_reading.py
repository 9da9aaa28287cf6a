"""Reading files that anybody may have made, in folders that anybody may have closed."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest

import explorer
from explorer.core.errors import ExplorerError
from explorer.core.reading import listed, read_file, read_head, unreadable


def test_the_beginning_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_head(tmp_path / "a", 3) == b"123"
    assert read_head(tmp_path / "a", 9) == b"12345"
    for name, words in (("none", "does not exist"), (".", "is a folder"), ("n" * 300, "too long")):
        with pytest.raises(ExplorerError, match=words):
            read_head(tmp_path / name, 3)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file"), "does not exist"),
        (PermissionError(13, "Permission denied"), "cannot be read: permission denied"),
        (OSError(36, "File name too long"), "it is too long"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (ValueError("embedded null byte"), "cannot be read: embedded null byte"),
    ],
)
def test_every_reason_has_its_sentence(error: Any, words: str) -> None:
    assert words in unreadable("folder/a.png", error).message


def test_a_file_in_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Any, *_rest: Any, **_more: Any) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", refused)
    with pytest.raises(ExplorerError, match="permission denied"):
        read_file(tmp_path / "a", limit=9, kind="a file", smaller="")


def test_what_a_folder_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.json", "a.json", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in listed(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert listed(tmp_path / "none", "*") == []

    def refused(*_: object) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "glob", refused)
    assert listed(tmp_path, "*.json") == []


def test_no_question_about_a_path_raises() -> None:
    """pathlib's is_file, is_dir and exists raise below a closed folder; those of os.path do not.

    A program that another user's home folder ends is of no use in a container.
    """
    root = Path(explorer.__file__).parent
    asked = []
    for path in sorted(root.rglob("*.py")):
        if path.is_relative_to(root / "training"):
            continue  # its folders are those of whoever trains
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("is_file", "is_dir", "exists")
                and ast.unparse(node.func.value) not in ("os.path", "entry")
            ):
                asked.append(f"{path.relative_to(root)}:{node.lineno} {ast.unparse(node)}")
    assert asked == []
