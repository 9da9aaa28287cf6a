"""Formulas are set beside the window, and only once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from explorer.core.settings import cache_folder
from explorer.ui.formulas import setting
from explorer.ui.formulas.setting import Setter, ready, set_together

Made = list[tuple[str, threading.Thread]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Nothing is known yet; every formula that is set, and by which thread."""
    found: Made = []

    def set_one(latex: str) -> str:
        found.append((latex, threading.current_thread()))
        return "" if "!" in latex else f"<svg {latex}>"

    monkeypatch.setattr(setting, "_ready", {})
    monkeypatch.setattr(setting, "svg_of", set_one)
    return found


def kept() -> list[Path]:
    return sorted((cache_folder() / "results" / "formulas").rglob(setting.FILE))


def test_they_are_set_on_another_thread_that_ends(qtbot: QtBot, made: Made) -> None:
    setter = Setter()
    with qtbot.waitSignal(setter.done):
        assert not setter.ask(("a", "b"))
    assert [latex for latex, _ in made] == ["a", "b"]
    assert threading.main_thread() not in [thread for _, thread in made]
    assert ready("a") == "<svg a>"
    assert setter.ask(("b", "a")), "nothing is left to do"
    qtbot.waitUntil(lambda: not any(thread.is_alive() for _, thread in made))
    with qtbot.waitSignal(setter.done):
        setter.ask(("c",))
    assert ready("c") == "<svg c>"


def test_a_later_program_reads_them_from_the_disk(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_together(("a", "b"))
    monkeypatch.setattr(setting, "_ready", {})
    set_together(("a", "b"))
    assert len(made) == 2
    assert ready("b") == "<svg b>"
    set_together(("a", "c"))
    assert [latex for latex, _ in made[2:]] == ["a", "c"], "another text has its own"


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": 3}', b'{"b": "<svg>"}', b"\xff"])
def test_what_is_damaged_on_the_disk_is_set_again(
    made: Made, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    set_together(("a",))
    (file,) = kept()
    file.write_bytes(content)
    monkeypatch.setattr(setting, "_ready", {})
    set_together(("a",))
    assert ready("a") == "<svg a>"
    assert len(made) == 2


def test_what_cannot_be_set_is_known_but_not_kept(made: Made) -> None:
    set_together(("a", "!"))
    assert (ready("a"), ready("!")) == ("<svg a>", "")
    assert kept() == []


def test_without_a_folder_to_write_into_they_are_set_all_the_same(
    home: Path, made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    cache_folder().parent.mkdir(parents=True, exist_ok=True)
    cache_folder().write_bytes(b"a file where the folder should be")
    set_together(("a",))
    assert ready("a") == "<svg a>"


def test_nothing_is_imported_before_the_first_formula() -> None:
    code = "import sys, explorer.ui.panels.explanation; sys.exit('ziamath' in sys.modules)"
    root = str(Path(__file__).parents[3])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": root})


def test_ziamath_makes_svg(caplog: pytest.LogCaptureFixture) -> None:
    assert setting.svg_of(r"\frac{a}{b}").startswith("<svg")
    assert setting.svg_of(r"\frac{a") == ""
    assert "cannot be set" in caplog.text
