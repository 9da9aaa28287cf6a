"""Settings: what is wrong is dropped, what is right comes back, and a save loses nothing."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from explorer.core import settings
from explorer.core.settings import NetworkChoice, Preferences, Session, Settings

if TYPE_CHECKING:
    from pathlib import Path

FULL = Settings(
    Preferences("dark", "cpu", True, 7, False, "split"),
    ("/a.png", "/b c.jpg"),
    {"open": "Ctrl+O"},
    Session(
        ("/a.png",),
        0,
        "deep_dream",
        NetworkChoice("resnet18", "none", "cpu", True),
        {"deep_dream": {"layer": "layer3", "octaves": 3, "at": {"point": [1.0, 2.5]}}},
        {"image": [1.0, 0.0]},
        "Zg==",
        "Zw==",
    ),
)


def test_what_was_saved_comes_back() -> None:
    settings.save(FULL)
    assert settings.load() == FULL
    assert settings.settings_path().parent == settings.config_folder()


def test_a_file_name_that_is_no_utf_8_comes_back() -> None:
    known = Settings(recent=("/photo\udcff.png", "/日本.png"))
    settings.save(known)
    assert settings.load() == known


def test_without_a_file_there_are_the_defaults() -> None:
    assert settings.load() == Settings()


@pytest.mark.parametrize(
    "entry",
    [
        {"preferences": {"theme": "pink"}},
        {"preferences": {"theme": 3}},
        {"preferences": {"half": 1}},
        {"preferences": {"seed": -1}},
        {"preferences": {"seed": True}},
        {"preferences": []},
        {"recent": "a.png"},
        {"recent": [1, None]},
        {"shortcuts": {"open": 3}},
        {"session": {"current": "0"}},
        {"session": {"network": "resnet18"}},
        {"session": None},
        {"nonsense": {"a": [1]}},
    ],
)
def test_a_wrong_entry_is_dropped_and_the_rest_kept(entry: dict[str, object]) -> None:
    path = settings.settings_path()
    path.write_text(json.dumps({"shortcuts": {"quit": "Ctrl+Q"}, **entry}))
    got = settings.load()
    if "shortcuts" not in entry:
        assert got == Settings(shortcuts={"quit": "Ctrl+Q"})
    else:
        assert got == Settings()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, "\x00\xff", '{"a": NaN'])
def test_a_file_that_does_not_parse_is_put_aside(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = settings.settings_path()
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert settings.load() == Settings()
    assert "start afresh" in caplog.text
    assert path.with_name("settings.json.bad").read_text() == text
    assert not path.exists()


def test_a_huge_file_is_not_read() -> None:
    path = settings.settings_path()
    with path.open("wb") as file:
        file.truncate(settings.MOST_BYTES + 1)
    assert settings.load() == Settings()


def test_a_failing_save_keeps_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.save(FULL)

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        settings.save(Settings())
    assert settings.load() == FULL
    assert not list(settings.config_folder().glob(".*.part*"))


def test_reset_puts_the_file_aside() -> None:
    settings.save(FULL)
    settings.reset()
    assert settings.load() == Settings()
    settings.reset()  # nothing there: nothing happens


def test_recent_files_are_unique_newest_first_and_few() -> None:
    got = Settings()
    for n in range(40):
        got = got.with_recent(f"/{n}.png")
    got = got.with_recent("/30.png")
    assert got.recent[:2] == ("/30.png", "/39.png")
    assert len(set(got.recent)) == len(got.recent) == settings.MOST_RECENT


def test_the_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path / "elsewhere"))
    settings.save(replace(FULL, recent=()))
    assert (tmp_path / "elsewhere" / "settings.json").is_file()
    assert settings.log_folder() == tmp_path / "elsewhere" / "logs"
