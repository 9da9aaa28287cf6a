"""The order of the rooms: who may import whom, read from the sources without running them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import explorer

ROOT = Path(explorer.__file__).parent

ORDER = (
    {"core"},
    {"images", "render", "networks"},
    {"vision", "saving"},
    {"annotations", "live"},
    {"engine"},
    {"batch"},
    {"evaluation"},
    {"training"},
    {"views"},
    {"api", "jobs"},
    {"ui"},
    {"cli"},
    {"__main__"},
)
"""Lowest first. A room imports lower ones; those in one line do not know each other."""

RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}

GUIDE = ROOT.parent / "resources" / "guide" / "architecture.md"

MOST_MODULES = 15
FULL: dict[str, str] = {}
"""Folders that hold more, and why."""

CIRCLES: dict[frozenset[str], str] = {}
"""Modules that import each other, and why they still do."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name, without the "explorer." in front; packages too."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


MODULES = modules()


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of the program that one imports: anywhere in it, also for type checking only.

    `explorer` itself, of which everybody may ask the version, is left out.
    """
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {".".join(name[1:]) for name in names if name[0] == "explorer"}
        elif isinstance(node, ast.ImportFrom):
            start = (node.module or "").split(".") if node.module else []
            if node.level:
                start = ["explorer", *package[: len(package) - node.level + 1], *start]
            if start[:1] != ["explorer"]:
                continue
            for alias in node.names:
                whole = ".".join([*start[1:], alias.name])
                found.add(whole if whole in MODULES else ".".join(start[1:]))
    return frozenset(name for name in found if name and name != module)


def circles() -> list[frozenset[str]]:
    """Sets of modules each of which leads to all others (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[frozenset[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(imports(module) & MODULES.keys()):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            members = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(members) > 1:
                found.append(frozenset(members))

    for module in MODULES:
        if module not in number:
            visit(module)
    return found


def view_of(module: str) -> str | None:
    """The view that a module belongs to: a file in views/GROUP/, or a folder there."""
    parts = module.split(".")
    if parts[0] != "views" or len(parts) < 3 or parts[1] == "shared":
        return None
    return ".".join(parts[:3])


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_a_room_imports_lower_ones_only(module: str) -> None:
    room = module.split(".")[0]
    assert room in RANK, f"{room} has no place in the order of the rooms"
    for other in imports(module):
        assert other in MODULES, f"{module} imports {other}, which is not there"
        there = other.split(".")[0]
        assert there == room or RANK[there] < RANK[room], f"{module} looks up to {other}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("views.")])
def test_no_view_imports_another(module: str) -> None:
    own = view_of(module)
    for other in imports(module):
        theirs = view_of(other)
        assert theirs is None or theirs == own, f"{module} imports the view {theirs}"


def test_folders_of_views_hold_views_and_nothing_else() -> None:
    for group in sorted(path for path in (ROOT / "views").iterdir() if path.is_dir()):
        if group.name in ("shared", "__pycache__"):
            continue
        for entry in sorted(group.iterdir()):
            if entry.name in ("__init__.py", "__pycache__"):
                continue
            main = entry / "view.py" if entry.is_dir() else entry
            assert main.is_file(), f"{entry} has no view.py"
            defined = {
                target.id
                for node in ast.parse(main.read_text("utf-8")).body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            assert "VIEW" in defined, f"{main} defines no VIEW"
            if entry.is_dir():
                others = {path.name for path in entry.glob("*.py")} - {"__init__.py", "view.py"}
                assert others, f"{entry} holds one module: it can be one file"


def test_modules_do_not_import_each_other_in_circles() -> None:
    found = set(circles())
    assert found <= CIRCLES.keys(), [sorted(circle) for circle in found - CIRCLES.keys()]
    assert found == CIRCLES.keys(), "a circle was cut: take it off the list"


def test_no_folder_is_full() -> None:
    counts: dict[str, int] = defaultdict(int)
    for path in MODULES.values():
        if path.name != "__init__.py":
            counts[path.parent.relative_to(ROOT).as_posix()] += 1
    full = {folder for folder, count in counts.items() if count > MOST_MODULES}
    assert full <= FULL.keys(), {folder: counts[folder] for folder in full - FULL.keys()}
    assert full == FULL.keys(), "a folder has room again: take it off the list"


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    """What it must not overlook: functions, type checking, several names, relative dots."""
    assert "engine.scene" in imports("engine.engine")
    assert "engine.view" in imports("views")
    assert "core.layers" in imports("engine.view"), "under TYPE_CHECKING"
    assert "views" in {name for module in MODULES for name in imports(module)}, "in functions"
    assert not any(name.startswith("explorer") for module in MODULES for name in imports(module))


def test_the_guide_lists_the_rooms_in_their_order() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| ([^|]+) \|", GUIDE.read_text("utf-8"))
    listed = {
        name.removesuffix(".py"): int(number) - 1
        for number, names in rows
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert listed == {room: rank for room, rank in RANK.items() if room != "__main__"}


def test_every_room_is_there() -> None:
    assert set(RANK) <= {name.partition(".")[0] for name in MODULES}
