"""The house of the window: parts know a desk and not the window, and no modules go in a circle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import explorer

ROOT = Path(explorer.__file__).parent
WINDOW = "explorer.ui.shell.window"


def imports() -> dict[str, set[str]]:
    """By module of `explorer.ui`: the modules of it that it imports, also only to check types."""
    files = {
        ".".join(("explorer", *path.relative_to(ROOT).with_suffix("").parts)): path
        for path in (ROOT / "ui").rglob("*.py")
        if path.name != "__init__.py"
    }
    found: dict[str, set[str]] = {name: set() for name in files}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                named = {alias.name for alias in node.names}
            else:
                continue
            found[name] |= named & set(files)
    return found


def test_nobody_but_the_start_knows_the_window() -> None:
    knowing = {name for name, wanted in imports().items() if WINDOW in wanted}
    assert knowing == {"explorer.ui.shell.app"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_folder_is_overfull() -> None:
    counts = {
        folder.name: sum(1 for path in folder.glob("*.py") if path.name != "__init__.py")
        for folder in (ROOT / "ui").iterdir()
        if folder.is_dir() and folder.name != "__pycache__"
    }
    assert not {name: count for name, count in counts.items() if count > 15}
