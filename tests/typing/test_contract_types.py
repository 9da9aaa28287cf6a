"""The contract of a view as mypy sees it: what is wrong fails where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api")

ROOT = Path(__file__).parents[2]

RIGHT = """
from __future__ import annotations
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from explorer.core.layers import Board
from explorer.core.params import Box, ImageRef, NetworkRef, Point, param
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import Group, View


@dataclass(frozen=True)
class Row:
    weight: float = param(1, "Weight", "How much.")


@dataclass(frozen=True)
class Params:
    count: int = param(5, "Count", "How many.", low=1, high=9)
    rate: float = param(1, "Rate", "How fast.")
    at: Point | None = param(None, "At", "Where.")
    truth: tuple[Box, ...] = param((), "Truth", "Which.")
    rows: tuple[Row, ...] = param((Row(),), "Rows", "Which.")
    photo: ImageRef | None = param(ImageRef("cat"), "Photo", "Which.")
    others: tuple[NetworkRef, ...] = param((), "Others", "Which.")


def compute(scene: Scene, params: Params) -> Generator[Step[int], Any, None]:
    yield Step(params.count)


def draw(result: int, params: Params) -> Board:
    return Board(())


VIEW = View(
    name="v", title="V", group=Group.OTHER, summary="S.", explanation="", reference="",
    Params=Params, compute=compute, draw=draw,
)
reveal_type(VIEW)
"""
"""What must pass; every wrong line below takes the place of one of its lines."""

CONFIG = """
[mypy]
strict = true
follow_imports = silent
[mypy-torch.*,torchvision.*,numpy.*,PIL.*,cv2.*,explorer.networks.*,explorer.images.*]
follow_imports = skip
"""
"""The contract alone: what it does not speak of takes mypy most of its time."""

WRONG = {
    '    count: int = param("5", "Count", "How many.")': "    count: int",
    '    rate: float = param(None, "Rate", "How fast.")': "    rate: float",
    '    at: Point | None = param((1, 2), "At", "Where.")': "    at: Point",
    '    truth: tuple[Box, ...] = param((Point(1, 2),), "T", "W.")': "    truth:",
    '    rows: tuple[Row, ...] = param(Row(), "Rows", "Which.")': "    rows:",
    '    photo: ImageRef | None = param("cat", "Photo", "Which.")': "    photo:",
    "def draw(result: str, params: Params) -> Board:": "def draw(",
    "def draw(result: int, params: Row) -> Board:": "def draw(",
    '    name="v", title="V", group="Other", summary="S.", explanation="", reference="",': (
        '    name="v"'
    ),
}


def checked(tmp_path: Path, cases: list[str]) -> list[str]:
    """mypy's errors and notes about all of `cases`, each a file of its own, in one run."""
    files = []
    for number, text in enumerate(cases):
        files.append(tmp_path / f"case_{number}.py")
        files[-1].write_text(text)
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG)
    options = ["--config-file", str(config), "--cache-dir", str(tmp_path / "cache")]
    output, errors, _ = api.run([*options, *map(str, files)])
    assert not errors
    return output.splitlines()


def test_wrong_defaults_and_drawings_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    lines = RIGHT.splitlines()
    cases = [RIGHT]
    for wrong, start in WRONG.items():
        (place,) = (n for n, line in enumerate(lines) if line.startswith(start))
        cases.append("\n".join([*lines[:place], wrong, *lines[place + 1 :]]))
    output = checked(tmp_path, cases)
    right = [line for line in output if "case_0.py" in line]
    assert not [line for line in right if "error:" in line]
    assert any("View[case_0.Params, " in line and "int]" in line for line in right)
    for number, wrong in enumerate(WRONG, 1):
        assert any(f"case_{number}.py" in line and "error:" in line for line in output), wrong
